"""What is made of the redirect map, read by those it is made for: PHP and nginx themselves."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_servers import answers, free_port, running, wait_for

from crossdock.core.redirects import MapRow, address_of
from crossdock.formats.bridge_table import delimited, php_string, render_bridge
from crossdock.formats.server_rules import render_apache, render_nginx

needs_php = pytest.mark.skipif(not shutil.which("php"), reason="php is not installed")
needs_nginx = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
DIGEST = "ab" * 32
TO = "http://a.example"


def moved(path: str, target: str, status: int = 301, host: str = "a.example") -> MapRow:
    return MapRow(f"http://{host}{path}", "exact", "moved", f"{TO}{target}", status)


ROWS = [
    moved("/old/", "/new/"),
    moved("/O%27Brian%22/", "/quote/"),
    moved("/gr%C3%B6%C3%9Fe%20x/", "/%CE%B1/"),
    moved("/back%5Cslash$1/", "/money$1/"),
    moved("/?p=17", "/post/"),
    moved("/shop/?product=3", "/three/"),
    moved("/Case/", "/case/"),
    moved("/temp/", "/new/", 302),
    MapRow("http://a.example/gone/", "exact", "gone", "", 410, "by Ada", 0, "Sold 'off'\n2023 – \\ <?php $x ?>"),
    MapRow("http://a.example/kept/", "exact", "kept", f"{TO}/kept/", 200),
    MapRow("http://a.example/asked/", "exact", "unknown"),
    MapRow(r"a.example ^/shop/artikel-([0-9]+)\.html(\?.*)?$", "pattern", "moved", f"{TO}/?p=$1", 301),
    MapRow(r"a.example ^/b2b/([^?]*)(\?.*)?$", "pattern", "moved", f"{TO}/trade/$1$2", 301),
    MapRow(r"a.example ^/\?(?:|[^?]*?&)product_id=([0-9]+)", "pattern", "moved", f"{TO}/?p=$1", 301),
    MapRow(r"a.example ^/tilde~x(\?.*)?$", "pattern", "gone", "", 410, "n:1", 0, "gone by n:1"),
    # A person has decided that this one stays, against the pattern.
    MapRow("http://a.example/b2b/stays/", "exact", "kept", f"{TO}/b2b/stays/", 200, "by Ada"),
    MapRow("www.a.example", "host", "moved", f"{TO}/", 301),
]

ANSWERS = (
    ("/old/", (301, f"{TO}/new/")),
    ("/old/?utm=1", (301, f"{TO}/new/?utm=1")),
    ("/O'Brian%22/", (301, f"{TO}/quote/")),
    ("/gr%c3%b6%C3%9Fe%20x/", (301, f"{TO}/%CE%B1/")),
    ("/back%5Cslash$1/", (301, f"{TO}/money$1/")),
    ("/?p=17", (301, f"{TO}/post/")),
    ("/?p=18", (200, "")),
    ("/shop/?product=3", (301, f"{TO}/three/")),
    ("/Case/", (301, f"{TO}/case/")),
    ("/case/", (200, "")),
    ("/temp/", (302, f"{TO}/new/")),
    ("/gone/", (410, "")),
    ("/kept/", (200, "")),
    ("/asked/", (200, "")),
    ("/shop/artikel-17.html?x=1", (301, f"{TO}/?p=17")),
    ("/b2b/te%20rms/?lang=de", (301, f"{TO}/trade/te%20rms/?lang=de")),
    ("/?a=1&product_id=12", (301, f"{TO}/?p=12")),
    ("/tilde~x", (410, "")),
    ("/b2b/stays/", (200, "")),
    ("/b2b/stays/?utm=1", (200, "")),
    ("/b2b/stays/not", (301, f"{TO}/trade/stays/not")),
)


# -- the bridge's table ----------------------------------------------------------------------------------------------


def php(code: str, *arguments: str) -> str:
    done = subprocess.run(["php", "-r", code, *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


@needs_php
def test_the_table_is_what_php_reads(tmp_path: Path) -> None:
    file = tmp_path / "table.php"
    file.write_text(render_bridge(ROWS, DIGEST), encoding="ascii")
    told = json.loads(php("echo json_encode(require $argv[1]);", str(file)))
    assert told["version"] == 1
    assert told["digest"] == DIGEST
    assert told["hosts"] == {"www.a.example": TO}
    exact = told["exact"]["a.example"]
    assert exact["/gr%C3%B6%C3%9Fe%20x/"] == [301, f"{TO}/%CE%B1/"]
    assert exact["/back%5Cslash$1/"] == [301, f"{TO}/money$1/"]
    assert exact["/?p=17"] == [301, f"{TO}/post/"]
    assert exact["/gone/"] == [410, "Sold 'off'\n2023 – \\ <?php $x ?>"]
    assert "/kept/" not in exact
    assert "/asked/" not in exact
    assert exact["/b2b/stays/"] == [200, ""]
    assert told["patterns"]["a.example"][0][1:] == [301, f"{TO}/?p=$1", "/shop/artikel-"]
    assert file.read_text().count("<?php") == 2


@needs_php
def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    file = tmp_path / "table.php"
    file.write_text(render_bridge([], DIGEST), encoding="ascii")
    assert json.loads(php("echo json_encode(require $argv[1]);", str(file)))["exact"] == []


@needs_php
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=40))
def test_php_reads_hostile_strings_as_they_are(tmp_path: Path, raw: list[bytes]) -> None:
    hostile = [b"'", b"\\", b"\\'", b"$x {$y} ${z}", b"?>", b"\0\n\r", b"\xff\xfe", b'"', b"\\x41", b"\\"]
    texts = [one.decode("utf-8", "surrogateescape") for one in [*raw, *hostile]]
    file = tmp_path / "strings.php"
    file.write_text(f"<?php return array({', '.join(map(php_string, texts))});", encoding="ascii")
    told = php("echo implode(',', array_map('bin2hex', require $argv[1]));", str(file)).split(",")
    assert [bytes.fromhex(one) for one in told] == [*raw, *hostile]


@needs_php
@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        (r"^/a~b$", "/a~b", 1),
        (r"^/a\~b$", "/a~b", 1),
        (r"^/a\\~$", "/a\\~", 1),
        (r"^/[~x]+$", "/~~", 1),
        (r"^/x$", "/y", 0),
    ],
)
def test_delimiters_inside_a_pattern(pattern: str, path: str, fits: int) -> None:
    assert php("echo preg_match($argv[1], $argv[2]);", delimited(pattern), path) == str(fits)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that a server's own account can enter: pytest's are closed to everybody else."""
    made = Path(tempfile.mkdtemp(prefix="cdtest-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


# -- nginx -----------------------------------------------------------------------------------------------------------


@contextmanager
def nginx(folder: Path, rows: list[MapRow]) -> Iterator[int]:
    http_part, server_part = render_nginx(rows, DIGEST)
    port = free_port()
    for name, text in (("http.conf", http_part), ("server.conf", server_part)):
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    user = "user nobody nogroup;\n" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user}daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary}\ninclude {folder}/http.conf;\n"
        f"server {{ listen 127.0.0.1:{port}; server_name _; port_in_redirect off;\ninclude {folder}/server.conf;\n"
        "location / { return 200 'here'; } } }\n"
    )
    command = ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with running(command, folder / "log"):
        wait_for(lambda: answers(port))
        yield port


def ask(port: int, path: str, host: str = "a.example") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.getheader("Location", "")


@needs_nginx
def test_nginx_answers_as_the_map_says(folder: Path) -> None:
    with nginx(folder, ROWS) as port:
        for path, told in ANSWERS:
            assert ask(port, path) == (told[0], told[1].replace("$", "%24")), path
        assert ask(port, "/old/", "www.a.example") == (301, f"{TO}/new/")
        assert ask(port, "/any/?x=1", "www.a.example") == (301, f"{TO}/any/?x=1")
        assert ask(port, "/old/", "b.example") == (200, "")


@needs_nginx
def test_nginx_takes_ten_thousand_addresses_and_hostile_ones(folder: Path) -> None:
    rows = [moved(f"/long/{'x' * (number % 400)}/{number}/", f"/to/{number}/") for number in range(10_000)]
    rows += [
        moved(path, "/x/")
        for path in ("/%0A%0Dbreak/", "/%22%3B%7D/", "/%FF/", "/%5C/", "/%5C%22/", "/$host/", "/~^x/")
    ]
    with nginx(folder, rows) as port:
        assert ask(port, f"/long/{'x' * 399}/399/") == (301, f"{TO}/to/399/")
        for path in ("/%22%3B%7D/", "/%FF/", "/%5C/", "/%5C%22/", "/$host/", "/~^x/"):
            assert ask(port, path) == (301, f"{TO}/x/"), path


# -- Apache ----------------------------------------------------------------------------------------------------------

_MODULES = Path("/usr/lib/apache2/modules")


@contextmanager
def apache(folder: Path, rows: list[MapRow]) -> Iterator[int]:
    port, root = free_port(), folder / "www"
    root.mkdir()
    (root / "index.html").write_text("here")
    (root / ".htaccess").write_text(render_apache(rows, DIGEST) + "FallbackResource /index.html\n", encoding="utf-8")
    modules = ("mpm_event", "authz_core", "alias", "rewrite", "dir")
    user = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
    (folder / "apache.conf").write_text(
        "".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so\n" for name in modules)
        + f"{user}ServerRoot {folder}\nListen 127.0.0.1:{port}\nServerName a.example\nPidFile {folder}/pid\n"
        f"ErrorLog {folder}/error.log\nDocumentRoot {root}\n"
        f"<Directory {root}>\nAllowOverride All\nRequire all granted\n</Directory>\n"
    )
    with running(["apache2", "-f", str(folder / "apache.conf"), "-DFOREGROUND"], folder / "log"):
        wait_for(lambda: answers(port))
        yield port


@pytest.mark.skipif(not (shutil.which("apache2") and _MODULES.is_dir()), reason="apache2-bin is not installed")
def test_apache_answers_as_the_map_says(folder: Path) -> None:
    with apache(folder, ROWS) as port:
        for path, told in ANSWERS:
            status, location = ask(port, path)
            # Apache writes hexadecimal in lower case, which is the same address.
            same = address_of(location) == address_of(told[1])
            assert (status, same) == (told[0], True), path
        assert ask(port, "/old/", "www.a.example") == (301, f"{TO}/new/")
        assert ask(port, "/any/?x=1", "www.a.example") == (301, f"{TO}/any/?x=1")
        assert ask(port, "/old/", "b.example") == (200, "")


def test_apaches_lines() -> None:
    lines = render_apache(ROWS, DIGEST).splitlines()
    assert 'RedirectMatch 301 "^/old/$" "http://a.example/new/"' in lines
    assert 'RedirectMatch 301 "^/größe x/$" "http://a.example/α/"' in lines
    assert 'RedirectMatch 301 "^/shop/artikel-([0-9]+)\\\\.html$" "http://a.example/?p=$1"' in lines
    assert 'RewriteCond %{QUERY_STRING} "^p=17$"' in lines
    assert sum(line.startswith("<If") for line in lines) == sum(line == "</If>" for line in lines) == 2
    assert not [line for line in lines if "/kept" in line or "asked" in line]
