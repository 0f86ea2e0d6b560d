"""The code of a WordPress folder, told over a real sshd by PHP: whatever its files hold, nothing of it is run."""

from __future__ import annotations

import hashlib
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_servers import TestSsh

from crossdock.core.errors import AccessError
from crossdock.core.ports import Completed
from crossdock.edges.ssh import SshHost
from crossdock.move.code import CodeFacts, survey_code
from crossdock.wordpress.code import Piece
from crossdock.wordpress.installation import Installation


def header(name: str, version: str = "1.0", more: str = "") -> str:
    return f"<?php\n/*\nPlugin Name: {name}\nVersion: {version}\n{more}*/\n"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "wp-includes/version.php", "<?php\n$wp_version = '6.8';\n$wp_local_package = 'de_DE';\n")
    write(tmp_path / "wp-admin/index.php", "<?php // admin")
    write(tmp_path / "index.php", "<?php // index")
    write(tmp_path / "wp-config.php", "<?php // secret")
    for name in ("plugins", "themes", "mu-plugins"):
        write(tmp_path / f"wp-content/{name}/index.php", "<?php // Silence is golden.")
    return tmp_path


def survey(sshd: TestSsh, root: Path, *hashed: str, core: bool = False) -> CodeFacts:
    here = Installation(str(root), "6.8", 1, "8.2", "wp_", "x", "localhost", "utf8mb4")
    return survey_code(sshd.host(), here, hashed=hashed, core=core)


def named(facts: CodeFacts) -> dict[str, Piece]:
    return {f"{one.kind} {one.name}": one for one in facts.pieces}


def test_each_kind_of_code_with_what_its_header_and_its_lines_say(sshd: TestSsh, root: Path) -> None:
    content = root / "wp-content"
    more = "Author: <a href='https://x'>Acme</a>\nUpdate URI: https://acme.example/u\nNetwork: true\n"
    more += "Requires Plugins: woocommerce, other\nWC tested up to: 9.4\n"
    write(content / "plugins/acme/zzz.php", header("Not this one", "9"))
    write(content / "plugins/acme/acme.php", header("Acme", "1.2", more))
    lines = """$a = "SELECT * FROM {$wpdb->prefix}acme_log"; $b = $wpdb->prefix . 'acme_jobs';
        wp_remote_get('https://api.acme.example/v1');"""
    write(content / "plugins/acme/inc/db.php", f"<?php\n{lines}")
    write(content / "plugins/acme/readme.txt", "=== Acme ===\nTested up to: 5.2\n")
    write(content / "plugins/hello.php", header("Hello", "1.7"))
    write(content / "plugins/leftover/notes.txt", "nothing here")
    write(content / "themes/acme/style.css", "/*\nTheme Name: Acme Theme\nTemplate: parent\nVersion: 3\n*/")
    write(content / "mu-plugins/brand.php", header("Brand"))
    write(content / "mu-plugins/lib/x.php", "<?php")
    write(content / "object-cache.php", "<?php\n/* W3 Total Cache Object Cache */")
    write(content / "db.php", "<?php // who knows")
    write(content / "shell.php", "<?php // not loaded")
    os.utime(content / "plugins/hello.php", (1_500_000_000, 1_500_000_000))
    found = named(survey(sshd, root))
    assert set(found) == {
        "plugin acme", "plugin hello.php", "plugin leftover", "theme acme", "must-use brand.php", "must-use lib",
        "drop-in object-cache.php", "drop-in db.php", "drop-in shell.php",
    }  # fmt: skip
    acme = found["plugin acme"]
    assert (acme.title, acme.version, acme.author, acme.tested) == ("Acme", "1.2", "Acme", "5.2")
    assert acme.files == {"acme/acme.php": "1.2", "acme/zzz.php": "9"}
    assert (acme.for_network, acme.for_woocommerce, acme.requires) == (True, True, ("woocommerce", "other"))
    assert set(acme.tables) == {"acme_log", "acme_jobs"}
    assert (acme.hosts, acme.is_from_elsewhere, acme.count) == (("api.acme.example",), True, 4)
    assert found["plugin hello.php"].changed == 1_500_000_000
    assert not found["plugin leftover"].has_header
    assert found["theme acme"].template == "parent"
    assert (found["must-use brand.php"].is_run, found["must-use lib"].is_run) == (True, False)
    assert found["drop-in object-cache.php"].title == "w3-total-cache"
    assert (found["drop-in db.php"].is_run, found["drop-in db.php"].has_header) == (True, False)
    assert not found["drop-in shell.php"].is_run


def test_hostile_headers_stay_text(sshd: TestSsh, root: Path) -> None:
    plugins = root / "wp-content/plugins"
    write(plugins / "html/html.php", header("<script>alert(1)</script><b>Bold</b>"))
    write(plugins / "huge/huge.php", header("H" * 5_000_000))
    write(plugins / "late/late.php", "<?php\n" + "/" * 9000 + header("Behind the first 8 KiB"))
    write(plugins / "latin/latin.php", header("Caf").encode() + b"<?php\n/*\nPlugin Name: Caf\xe9\n*/")
    write(plugins / "binary/binary.php", os.urandom(200_000))
    write(plugins / "control/control.php", header("a\x00\x1b]0;x\x07\u202eb"))
    write(plugins / "runs/runs.php", header("Runs") + f"file_put_contents('{root}/ran', 'x'); exit(1);")
    write(plugins / "broken/broken.php", header("Broken") + "this is no PHP {{{")
    write(plugins / "na\x1b[31m\nme/x.php", header("Odd folder"))
    (plugins / "closed").mkdir()
    (plugins / "loop").symlink_to(plugins)
    os.mkfifo(plugins / "pipe.php")
    found = named(survey(sshd, root))
    assert found["plugin html"].title == "alert(1)Bold"
    assert len(found["plugin huge"].title) == 120
    assert not found["plugin late"].has_header
    assert found["plugin latin"].title == "Caf"
    assert found["plugin control"].title == "a ]0;x b"
    assert found["plugin runs"].title == "Runs"
    assert not (root / "ran").exists()
    assert found["plugin na\ufffd[31m\ufffdme"].title == "Odd folder"
    assert {"plugin binary", "plugin broken", "plugin closed"} <= set(found)


def test_five_thousand_plugins(sshd: TestSsh, root: Path) -> None:
    for number in range(5000):
        write(root / f"wp-content/plugins/p{number}/p{number}.php", header(f"Plugin {number}", f"1.{number}"))
    names = [f"p{number}" for number in range(5000)]
    begin = time.monotonic()
    facts = survey(sshd, root, *names)
    assert time.monotonic() - begin < 20
    assert len(facts.pieces) == 5000
    assert (facts.whole, len(facts.plugins)) == (True, 5000)


def test_checksums_of_what_is_asked_for(sshd: TestSsh, root: Path) -> None:
    write(root / "wp-content/plugins/acme/sub/b.php", "b")
    write(root / "wp-content/plugins/hello.php", header("Hello"))
    facts = survey(sshd, root, "acme", "hello.php", core=True)
    assert facts.core is not None
    assert set(facts.core) == {"wp-includes/version.php", "wp-admin/index.php", "index.php"}
    assert facts.core["index.php"] == hashlib.md5(b"<?php // index").hexdigest()
    assert facts.plugins == {
        "acme": {"sub/b.php": hashlib.md5(b"b").hexdigest()},
        "hello.php": {"hello.php": hashlib.md5(header("Hello").encode()).hexdigest()},
    }
    assert facts.locale == "de_DE"


def test_folders_that_are_not_there_hold_nothing(sshd: TestSsh, tmp_path: Path) -> None:
    assert survey(sshd, tmp_path / "nowhere", core=True) == CodeFacts(core={}, plugins={})


@dataclass(frozen=True)
class WithoutPhp:
    """The server, as one that has no PHP on its command line."""

    host: SshHost
    name: str = "lab"

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        return self.host.run(["env", "PATH=/nowhere", "/bin/sh", "-c", shlex.join(argv)], **options)


def test_a_server_without_php_says_so(sshd: TestSsh, root: Path) -> None:
    here = Installation(str(root), "6.8", 1, "8.2", "wp_", "x", "localhost", "utf8mb4")
    with pytest.raises(AccessError, match=r"PHP does not tell what code is there: .*php: not found"):
        survey_code(WithoutPhp(sshd.host()), here)
