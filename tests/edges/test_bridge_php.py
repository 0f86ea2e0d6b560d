"""The bridge's own PHP, run by real PHP: the table of redirects, the scan, signatures, and the values we write."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.core.errors import TargetError
from crossdock.core.redirects import MapRow, normal
from crossdock.core.secrets import Masked
from crossdock.core.signing import BridgeKey
from crossdock.formats.bridge_table import render_bridge
from crossdock.hub.moves import bridge_secrets
from crossdock.move import bridge

pytestmark = pytest.mark.skipif(shutil.which("php") is None, reason="PHP is not installed")
PLUGIN = Path(__file__).parents[2] / "plugin" / "crossdock-bridge"
HOST = "h.example"


def oracle(**request: Any) -> Any:
    done = subprocess.run(
        ["php", str(Path(__file__).with_name("bridge_oracle.php")), str(PLUGIN / "crossdock-bridge")],
        input=json.dumps(request).encode(), capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., str]:
    def write(exact: dict[str, Any] | None = None, patterns: list[Any] | None = None, **more: Any) -> str:
        parts = {"version": 1, "digest": "0" * 64, "exact": {HOST: exact or {}}, "patterns": {HOST: patterns or []}}
        path = tmp_path / "redirects.php"
        path.write_text(f"<?php return {bridge.php_value({**parts, 'hosts': {}, **more})};\n")
        return str(path)

    return write


def test_every_file_parses() -> None:
    files = sorted(PLUGIN.rglob("*.php"))
    assert len(files) > 12
    for path in files:
        assert subprocess.run(["php", "-l", str(path)], capture_output=True, check=False).returncode == 0, path


def test_nothing_newer_than_php_74_is_used() -> None:
    newer = ("match (", "?->", "readonly ", "enum ", "#[", "str_contains", "str_starts_with", "str_ends_with", "never ")
    for path in PLUGIN.rglob("*.php"):
        code = subprocess.run(["php", "-w", str(path)], capture_output=True, text=True, check=True).stdout
        assert not [word for word in newer if word in code], path


def test_every_hook_says_whether_it_fails_open_or_closed() -> None:
    for path in PLUGIN.rglob("class-*.php"):
        text = path.read_text(encoding="utf-8")
        if "add_filter(" in text or "add_action(" in text:
            assert "Fail-open" in text or "Fail-closed" in text, path


def test_every_file_refuses_to_be_called_alone() -> None:
    for path in PLUGIN.rglob("*.php"):
        assert "defined( 'ABSPATH' )" in path.read_text(encoding="utf-8"), path


# -- values ----------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none().map(lambda _: "") | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(st.text("ab'\\$ü", min_size=1), inner, min_size=1)
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(VALUES, min_size=1, max_size=40))
def test_php_reads_what_we_wrote(values: list[Any]) -> None:
    assert oracle(do="value", codes=[bridge.php_value(one) for one in values]) == values


def test_no_text_becomes_code(tmp_path: Path) -> None:
    hostile = "'; touch('/tmp/pwned'); //\\"
    key = BridgeKey.of("7" * 64)
    content = bridge.render_config(
        bridge.BridgeSettings("staging", key, hostile, Masked("$2y$10$'.phpinfo().'"), mail_sink="\\'"),
        {"a'.php": b"x"},
    )
    path = tmp_path / "config.php"
    path.write_bytes(content)
    code = f"define('ABSPATH', 1); echo json_encode(include '{path}');"
    told = json.loads(subprocess.run(["php", "-r", code], capture_output=True, check=True).stdout)
    assert (told["login_user"], told["mail_sink"], told["key"]) == (hostile, "\\'", "7" * 64)
    assert list(told["files"]) == ["a'.php"]


@pytest.mark.parametrize(
    ("noise", "works"), [("PHP Warning: Module is loaded already\n", True), ("no PHP here;exit;", False)]
)
def test_the_logins_hash_is_one_whatever_php_complains_of(tmp_path: Path, noise: str, works: bool) -> None:
    class Shell:
        name = "managed"

        def run(self, argv: list[str], *, input: bytes) -> Any:
            code = f"echo {json.dumps(noise)}; {argv[-1]}" if works else f"echo {json.dumps(noise)};"
            return subprocess.run(["php", "-r", code], input=input, capture_output=True, check=True)

    config: Any = SimpleNamespace(
        state=tmp_path, environments={"staging": SimpleNamespace(bridge=SimpleNamespace(login_password=None))}
    )
    shell: Any = Shell()
    if not works:
        with pytest.raises(TargetError, match="makes no hash"):
            bridge_secrets.login_hash(config, "staging", shell)
        return
    made = bridge_secrets.login_hash(config, "staging", shell)
    assert made.startswith("$2y$10$")
    assert bridge_secrets.login_hash(config, "staging", shell) == made


# -- signatures ------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=20), st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "ignore")))
def test_both_sides_sign_alike(uri: str, body: str) -> None:
    key = BridgeKey.of("8" * 64)
    ours = key.headers("POST", "A.example:81", f"/{uri}", body.encode(), nonce="ab" * 16, at=17)
    theirs = oracle(do="sign", parts=[str(key.secret), "POST", "a.example", f"/{uri}", "17", "ab" * 16, body])
    assert ours["X-Crossdock-Signature"] == theirs


# -- redirects -------------------------------------------------------------------------------------------------------


def moved(target: str, status: int = 301, post: int = 0) -> dict[str, Any]:
    return {"status": status, "target": target, "post": post}


EXACT = {
    "/old/": [301, "https://h.example/new/"],
    "/temp/": [302, "https://h.example/else/#part"],
    "/gone/": [410, "no longer <sold>"],
    "/?product_id=12": [301, "https://h.example/twelve/"],
    "/jacke-gr%C3%BCn/": [301, "https://h.example/gruen/"],
    "/with/?q=1": [301, "https://h.example/one/?own=1"],
    "/loop/": [301, "https://h.example/loop/"],
    "/away/": [301, "https://other.example/x/"],
    "/odd-status/": [200, "https://h.example/x/"],
    "/b%5B1%5D/?t%5B%5D=%25": [301, "https://h.example/brackets/"],
    "/100%25/": [301, "https://h.example/whole/"],
    "/cat/stays/": [200, ""],
    "/odd-target/": [301, "javascript:alert(1)"],
    "/relative/": [301, "/x/"],
}
PATTERNS = [
    ["~^/shop/artikel-([0-9]+)\\.html$~", 301, "https://h.example/?p=$1"],
    ["~(unbalanced~", 301, "https://h.example/"],
    ["~^/cat/(.*)$~", 301, "https://h.example/c/${1}"],
    ["~^/q\\?id=([0-9]+)$~", 301, "https://h.example/i/$1/"],
    ["~^/evil/(.*)$~", 301, "https://h.example$1"],
    ["~^/host/(.*)$~", 301, "https://$1/"],
    ["~^/self/.*$~", 301, "https://h.example/self/x"],
    ["~^/lost/~", 410, "lost"],
    ["~^/cat/[^?]*\\?only=([0-9]+)$~", 301, "https://h.example/only/$1/", "/cat/"],
    ["~^/start(.*)$~", 301, "https://h.example/wrong-start/", "/other"],
    "not a rule",
]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/old/", moved("https://h.example/new/")),
        ("/old/?utm=a%2fb", moved("https://h.example/new/?utm=a%2Fb")),
        ("/%6Fld/", moved("https://h.example/new/")),
        ("/temp/?x=1", moved("https://h.example/else/?x=1#part", 302)),
        ("/gone/?x", moved("no longer <sold>", 410)),
        ("/?product_id=12", moved("https://h.example/twelve/")),
        ("/?product_id=13", None),
        ("/jacke-gr%c3%bcn/", moved("https://h.example/gruen/")),
        ("/jacke-grün/", moved("https://h.example/gruen/")),
        ("/with/?q=1", moved("https://h.example/one/?own=1")),
        ("/with/", None),
        ("/loop/", None),
        ("/loop/?a=1", None),
        ("/away/", moved("https://other.example/x/")),
        ("/odd-status/", None),
        ("/odd-target/", None),
        ("/b[1]/?t[]=%", moved("https://h.example/brackets/")),
        ("/100%/", moved("https://h.example/whole/")),
        ("/cat/stays/", None),
        ("/cat/stays/?utm=1", None),
        ("/cat/stays/?only=7", moved("https://h.example/only/7/")),
        ("/starts/", None),
        ("/relative/", None),
        ("/shop/artikel-17.html", moved("https://h.example/?p=17", post=17)),
        ("/shop/artikel-17.html?ref=mail", moved("https://h.example/?p=17", post=17)),
        ("/cat/a/b", moved("https://h.example/c/a/b")),
        ("/q?id=5", moved("https://h.example/i/5/")),
        ("/evil/.attacker.example/", None),
        ("/evil/@attacker.example/", None),
        ("/evil/:80@attacker.example/", None),
        ("/evil//there", moved("https://h.example/there")),
        ("/evil/", moved("https://h.example")),
        ("/host/attacker.example", None),
        ("/self/x", None),
        ("/self/y", moved("https://h.example/self/x")),
        ("/lost/x", moved("lost", 410)),
        ("http://h.example/old/", moved("https://h.example/new/")),
        ("/nothing/", None),
    ],
)
def test_the_table_is_looked_up(table: Callable[..., str], uri: str, expected: Any) -> None:
    assert oracle(do="find", file=table(EXACT, PATTERNS), requests=[[HOST, uri]]) == [expected]


def test_another_host_has_no_part_in_it(table: Callable[..., str]) -> None:
    assert oracle(do="find", file=table(EXACT, PATTERNS), requests=[["other.example", "/old/"]]) == [None]


@pytest.mark.parametrize(
    "text",
    ["", "<?php", "<?php return 1;", "<?php return array('version' => 2);", "<?php return array(", "\x00\xff",
     "<?php throw new Exception('x');", "<?php return array('version' => 1, 'exact' => 5, 'patterns' => 'x');",
     "<?php return array('version' => 1, 'exact' => array('h.example' => array('/old/' => 'x')));"],
)  # fmt: skip
def test_a_broken_table_is_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "redirects.php"
    path.write_bytes(text.encode("latin-1"))
    done = oracle_output(do="find", file=str(path), requests=[[HOST, "/old/"]])
    assert done.rstrip().endswith("[null]")


def oracle_output(**request: Any) -> str:
    done = subprocess.run(
        ["php", str(Path(__file__).with_name("bridge_oracle.php")), str(PLUGIN / "crossdock-bridge")],
        input=json.dumps(request).encode(), capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.decode("latin-1")


def test_ten_thousand_rules_that_overlap_are_quick(table: Callable[..., str]) -> None:
    exact = {f"/p-{number}/": [301, f"https://h.example/n-{number}/"] for number in range(5_000)}
    patterns = [[f"~^/(?:a|b)+-{number}/.*$~", 301, f"https://h.example/x-{number}/"] for number in range(5_000)]
    file = table(exact, patterns)
    found = oracle(do="find", file=file, requests=[[HOST, "/p-4999/"], [HOST, "/ab-4999/x"], [HOST, "/" + "ab" * 400]])
    assert found == [moved("https://h.example/n-4999/"), moved("https://h.example/x-4999/"), None]


SPELLED = st.text("aé/%[]|#&=;'\"20Ff ", max_size=12).map(lambda text: "/" + text.replace("//", "/"))


@settings(max_examples=15, deadline=None)
@given(st.lists(SPELLED, min_size=10, max_size=60))
def test_both_sides_spell_an_address_alike(paths: list[str]) -> None:
    spelled = oracle(do="normal", paths=paths)
    assert spelled == [normal(path) for path in paths]


def test_ten_thousand_folders_that_moved_cost_a_page_nothing(tmp_path: Path) -> None:
    """Each line `Redirect 301 /a /b` of a .htaccess is a pattern; every page of the shop asks all of them."""
    to = "https://h.example/new"
    rows = [
        MapRow(rf"{HOST} ^/old-{number}(/[^?]*)?(\?.*)?$", "pattern", "moved", f"{to}-{number}$1$2", 301)
        for number in range(10_000)
    ]
    file = tmp_path / "redirects.php"
    file.write_text(render_bridge(rows, "0" * 64))
    found, *_, seconds = oracle(do="time", file=str(file), requests=[[HOST, "/old-9999/x?y=1"], [HOST, "/shop/page/"]])
    assert found == moved(f"{to}-9999/x?y=1")
    assert seconds < 0.05


def test_a_stores_other_name_goes_to_its_own_in_one_hop(table: Callable[..., str]) -> None:
    file = table(EXACT, PATTERNS, hosts={"www.h.example": "https://h.example", "h.example": "https://h.example"})

    def alias(uri: str, host: str = "www.h.example") -> Any:
        return oracle(do="alias", file=file, host=host, uri=uri)

    assert alias("/a/?b=1") == {"status": 301, "target": "https://h.example/a/?b=1"}
    assert alias("/old/")["target"] == "https://h.example/new/"
    assert alias("//evil.example/")["target"] == "https://h.example/evil.example/"
    assert alias("/", "h.example") is None
    assert alias("/", "stranger.example") is None


# -- the scan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("mail('a', 'b', 'c');", ["mail"]),
        ("\\mail('a');", ["mail"]),
        ("namespace A; if (1) { return @mail( $to ); }", ["mail"]),
        ("$s = FSockOpen('smtp', 25);", ["fsockopen"]),
        ("stream_socket_client('tcp://smtp:25');", ["stream_socket_client"]),
        ("$m = new PHPMailer\\PHPMailer\\PHPMailer(true);", ["phpmailer"]),
        ("$m = new \\PHPMailer();", ["phpmailer"]),
        ("class A extends \\PHPMailer\\PHPMailer\\PHPMailer {}", ["phpmailer"]),
        ("exec('sendmail -t'); system($a); `sendmail -t`; $this->exec(1);", ["exec", "system", "`"]),
        ('$wpdb->query("DROP `$a`"); $x = <<<X\n `$b`\nX;\n', []),
        (
            "new \\SoapClient($u); \\WpOrg\\Requests\\Requests::post($u); $a->file('http://x');",
            ["soapclient", "requests"],
        ),
        (
            "file_get_contents('https://x.example/' . $a); fopen($f, 'r'); copy( \"http://$h\", $f );",
            ["file_get_contents"],
        ),
        ("error_log(f(1, 1), 1, 'a@x'); error_log('a', 3, $f); error_log(g(1, 2));", ["error_log"]),
        ("curl_exec($c); proc_open('x', [], $p);", ["curl_exec", "proc_open"]),
        ("// mail('a');\n/* fsockopen() */ $x = \"mail(1)\"; $y = 'curl_exec(1)';", []),
        ("$order->mail('a'); Mailer::mail(1); function mail() {} wp_mail('a'); new Mail(1);", []),
        ("$order?->mail('a');", []),
    ],
)
def test_calls_past_every_hook_are_found(code: str, calls: list[str]) -> None:
    assert [one["call"] for one in oracle(do="scan", code=f"<?php {code}")] == calls


def test_a_broken_file_does_not_end_the_scan() -> None:
    assert [one["line"] for one in oracle(do="scan", code="<?php if (((\n mail('x');")] == [2]
