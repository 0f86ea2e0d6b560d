"""The bridge on the lab's staging: who may enter, what may leave, where old addresses go, and how it goes away again."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.core.config import Config, load
from crossdock.core.signing import BridgeKey
from crossdock.edges.http import SiteWeb
from crossdock.edges.ssh import SshHost
from crossdock.hub.moves import bridge_secrets
from crossdock.lab import addresses, wordpress
from crossdock.lab.lab import Lab
from crossdock.lab.sinks import SMTP_PORT
from crossdock.move import bridge, harmless
from crossdock.move.harmless import Site

pytestmark = pytest.mark.lab

NORTH, SOUTH = "north.staging.lumen.example", "south.staging.lumen.example"
ALIAS = "www.north.staging.lumen.example"


@dataclass
class Staged:
    """A staging with a copy and a bridge."""

    lab: Lab
    project: on.Project
    config: Config
    post: int

    @property
    def root(self) -> Path:
        return self.lab.managed.root("staging")

    @property
    def folder(self) -> Path:
        return self.root / "wp-content/mu-plugins/crossdock-bridge"

    @property
    def key(self) -> BridgeKey:
        found = bridge_secrets.known_key(self.config, "staging")
        assert found is not None
        return found

    @property
    def basic(self) -> dict[str, str]:
        password = bridge_secrets.login_password(self.config, "staging")
        return {"Authorization": "Basic " + base64.b64encode(f"staging:{password}".encode()).decode()}

    @property
    def shell(self) -> SshHost:
        return SshHost("staging", "managed", str(self.lab.ssh_config))

    def get(self, host: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        status, told, body = self.lab.get(self.lab.managed.server.address, host, path, **headers)
        return status, told, body.decode("utf-8", "replace")

    def signed(self, host: str, path: str) -> tuple[int, dict[str, str], str]:
        return self.get(host, path, **self.key.headers("GET", host, path))

    def ask(self, method: str, host: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection(self.lab.managed.server.address, addresses.HTTP_PORT, timeout=60)
        try:
            connection.request(method, path, body, {"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def status(self, *, code: int = 1) -> dict[str, Any]:
        done = self.project.run("bridge", "status", "staging", "--json")
        assert done.returncode == code, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def codes(self) -> set[str]:
        return {one["code"] for one in self.status()["findings"]}

    def mails(self) -> list[str]:
        """The subjects of what PHP's mail() has sent so far."""
        box = self.lab.managed.mailbox
        text = box.read_text(encoding="utf-8", errors="replace") if box.exists() else ""
        return re.findall(r"^Subject: (.*)$", text, flags=re.MULTILINE)

    def sent(self) -> tuple[int, int, int]:
        """Mails by mail(), mails by SMTP, requests: how many reached a sink so far."""
        return len(self.mails()), len(self.lab.sinks.mails()), len(self.lab.sinks.requests())


def redirects(post: int) -> bytes:
    base = f"http://{NORTH}"
    table = {
        "version": 1,
        "digest": "0" * 64,
        "exact": {
            NORTH: {
                "/alte-jacken/": [301, f"{base}/new-jackets/"],
                "/gone/": [410, "No longer <sold>"],
                "/?product_id=5": [301, f"{base}/?p={post}"],
                "/wp-admin/": [301, f"{base}/taken/"],
                "/taken/": [301, f"{base}/new-jackets/"],
            },
        },
        "patterns": {NORTH: [["~^/shop/artikel-([0-9]+)\\.html$~", 301, f"{base}/?p=$1"]]},
        "hosts": {ALIAS: base},
    }
    return f"<?php return {bridge.php_value(table)};\n".encode()


@pytest.fixture(scope="module")
def staged(lab_gateway: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    on.reset(lab_gateway)
    project = on.new_project(lab_gateway)
    # Before the copy, as the guide says: the guard is there before the customers are.
    assert "GREEN" in project.green("bridge", "install", "staging")
    project.green("move", "run", "--until", "copy staging")
    with lab_gateway.connect(*on.schema_of(lab_gateway, "staging")) as connection, connection.cursor() as cursor:
        sql = "SELECT ID FROM wp_2_posts WHERE post_type = 'post' AND post_status = 'publish' ORDER BY ID LIMIT 1"
        cursor.execute(sql)
        post = int(cursor.fetchone()[0])
    file = tmp_path_factory.mktemp("redirects") / "redirects.php"
    file.write_bytes(redirects(post))
    printed = project.green("bridge", "install", "staging", "--redirects", str(file))
    assert NORTH in printed
    yield Staged(lab_gateway, project, load(project.config), post)
    project.close()
    on.reset(lab_gateway)


@pytest.fixture
def restored(staged: Staged) -> Iterator[Staged]:
    """Whatever a test alters is put right again by the product's own means."""
    yield staged
    staged.project.green("bridge", "install", "staging")


# -- it is there, and proved -----------------------------------------------------------------------------------------


def test_status_is_green_and_tells_what_runs(staged: Staged) -> None:
    told = staged.status(code=0)
    assert set(told["domains"]) == {f"http://{one}" for one in (
        "network.staging.lumen.example", NORTH, SOUTH, "east.staging.lumen.example", "east-fr.staging.lumen.example")}  # fmt: skip
    north = told["domains"][f"http://{NORTH}"]
    assert north["versions"]["wordpress"] == wordpress.NEWEST
    assert north["blog"]["id"] == 2
    assert north["cron"]["runner"] == "blocked"
    assert north["mail"] == {"guarded": True, "sink": False, "allowed": 0, "replaced_by": "", "sendmail": True}
    assert all(north["guard"].values())
    assert north["redirects"]["exact"] == 5
    assert north["active"]["mu_plugins"] == ["crossdock-bridge.php"]
    assert north["bridge"]["nonces"] == "new"


def test_no_secret_is_printed_and_each_is_closed(staged: Staged) -> None:
    done = staged.project.run("bridge", "status", "staging", "--json")
    secrets = bridge_secrets.folder(staged.config, "staging")
    for path in secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().strip() not in done.stdout + done.stderr
    assert stat.S_IMODE((staged.folder / "config.php").stat().st_mode) == 0o640
    chain = staged.project.green("verify-evidence", "--json")
    assert str(staged.key.secret) not in chain


def test_a_second_install_writes_nothing(staged: Staged) -> None:
    told = json.loads(staged.project.green("bridge", "install", "staging", "--json"))
    assert told["changed"] == []
    assert told["login"].startswith("file:")


def test_the_copy_validates_behind_the_guard(staged: Staged) -> None:
    assert "GREEN" in staged.project.green("move", "validate", "--in", "staging")


# -- who may enter ---------------------------------------------------------------------------------------------------

PAGES = ("/", "/wp-login.php", "/wp-admin/", "/wp-json/", "/?rest_route=/", "/wp-admin/admin-ajax.php", "/xmlrpc.php",
         "/feed/", "/robots.txt", "/?s=x", "/index.php", "/wp-cron.php/x")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_enters_nowhere(staged: Staged, path: str) -> None:
    wrong = {"Authorization": "Basic " + base64.b64encode(b"staging:wrong").decode()}
    other = {"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()}
    cookie = {"Cookie": f"crossdock_staging={int(time.time()) + 999}.{'0' * 64}"}
    for headers in ({}, wrong, other, cookie, {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"}):
        status, told, body = staged.get(NORTH, path, **headers)
        assert status == 401, (path, headers)
        assert told["x-robots-tag"] == "noindex, nofollow"
        assert "Lumen" not in body


@pytest.mark.parametrize("path", ["/", "/wp-login.php", "/wp-json/", "/?rest_route=/", "/feed/", "/robots.txt"])
def test_the_login_the_cookie_and_a_signature_enter(staged: Staged, path: str) -> None:
    status, told, _ = staged.get(NORTH, path, **staged.basic)
    assert status == 200
    cookie = told["set-cookie"].split(";")[0]
    assert "HttpOnly" in told["set-cookie"]
    assert staged.get(NORTH, path, Cookie=cookie)[0] == 200
    assert staged.get(SOUTH, path, Cookie=cookie)[0] == 401
    assert staged.signed(NORTH, path)[0] == 200


def test_wordpress_does_not_take_our_login_for_its_own(staged: Staged) -> None:
    status, _, body = staged.get(NORTH, "/wp-json/wp/v2/users/me", **staged.basic)
    assert (status, json.loads(body)["code"]) == (401, "rest_not_logged_in")


def test_no_cache_shows_a_page_to_the_next_visitor(staged: Staged) -> None:
    for _ in range(3):
        status, told, _ = staged.get(NORTH, "/?cached", **staged.basic)
        assert (status, told.get("x-cache")) == (200, "MISS")
        assert "no-store" in told["cache-control"]
        assert staged.get(NORTH, "/?cached")[0] == 401


def test_the_banner_and_robots_say_that_it_is_a_staging(staged: Staged) -> None:
    assert "STAGING: orders here are not real" in staged.signed(NORTH, "/")[2]
    assert "STAGING" in staged.signed(NORTH, "/wp-login.php")[2]
    assert staged.signed(NORTH, "/robots.txt")[2].splitlines() == ["User-agent: *", "Disallow: /"]
    assert "noindex" in staged.signed(NORTH, "/")[1]["x-robots-tag"]


# -- signatures ------------------------------------------------------------------------------------------------------


def health(staged: Staged, key: BridgeKey, **options: Any) -> tuple[int, str]:
    nonce = options.pop("nonce", hashlib.sha256(str(time.time()).encode()).hexdigest()[:32])
    uri = f"/?crossdock-health={nonce}"
    headers = {**key.headers("GET", NORTH, uri, nonce=nonce, **options.pop("sign", {})), **options}
    status, _, body = staged.get(NORTH, uri, **headers)
    return status, body


def test_health_answers_once_to_who_can_sign(staged: Staged) -> None:
    nonce = "ab" * 12 + f"{int(time.time()):08x}"
    assert health(staged, staged.key, nonce=nonce)[0] == 200
    assert health(staged, staged.key, nonce=nonce) == (404, "Not Found\n")


@pytest.mark.parametrize("wrong", ["nothing", "key", "old", "early", "signature", "method", "host", "time"])
def test_health_is_not_there_for_anybody_else(staged: Staged, wrong: str) -> None:
    nonce = f"{time.time_ns():032x}"
    uri = f"/?crossdock-health={nonce}"
    key = BridgeKey.of("9" * 64) if wrong == "key" else staged.key
    at = {"old": time.time() - 301, "early": time.time() + 302}.get(wrong)
    host = SOUTH if wrong == "host" else NORTH
    headers = key.headers("HEAD" if wrong == "method" else "GET", host, uri, nonce=nonce, at=at)
    if wrong == "signature":
        headers["X-Crossdock-Signature"] = headers["X-Crossdock-Signature"][:-1] + "g"
    if wrong == "time":
        headers["X-Crossdock-Time"] += "1"
    status, _, body = staged.get(NORTH, uri, **({} if wrong == "nothing" else headers))
    assert (status, body) == (404, "Not Found\n")


def test_an_altered_body_is_not_signed(staged: Staged) -> None:
    headers = staged.key.headers("POST", NORTH, "/?x", b"a=1") | {"Content-Type": "application/x-www-form-urlencoded"}
    assert staged.ask("POST", NORTH, "/?x", b"a=1", headers)[0] == 200
    assert staged.ask("POST", NORTH, "/?x", b"a=2", headers)[0] == 401


# -- redirects -------------------------------------------------------------------------------------------------------


def location(staged: Staged, path: str, host: str = NORTH) -> tuple[int, str]:
    status, told, _ = staged.signed(host, path)
    return status, told.get("location", "")


def test_old_addresses_lead_to_new_ones_in_one_hop(staged: Staged) -> None:
    base = f"http://{NORTH}"
    assert location(staged, "/alte-jacken/") == (301, f"{base}/new-jackets/")
    assert location(staged, "/alte-jacken/?utm=1") == (301, f"{base}/new-jackets/?utm=1")
    for path in ("/?product_id=5", f"/shop/artikel-{staged.post}.html"):
        status, link = location(staged, path)
        assert status == 301
        assert "?p=" not in link
        assert location(staged, link.removeprefix(base))[0] == 200


def test_what_is_gone_says_so(staged: Staged) -> None:
    status, told, body = staged.signed(NORTH, "/gone/")
    assert status == 410
    assert "No longer &lt;sold&gt;" in body
    assert "noindex" in told["x-robots-tag"]


def test_wordpress_itself_is_never_redirected(staged: Staged) -> None:
    assert location(staged, "/wp-admin/")[1].endswith("/wp-login.php?redirect_to=http%3A%2F%2F" + NORTH + "%2Fwp-admin%2F&reauth=1")
    headers = {**staged.basic, "Cookie": "wordpress_logged_in_x=1"}
    assert staged.get(NORTH, "/taken/?preview=true", **headers)[1].get("location", "") != f"http://{NORTH}/new-jackets/?preview=true"
    headers = staged.key.headers("POST", NORTH, "/alte-jacken/")
    assert staged.ask("POST", NORTH, "/alte-jacken/", b"", headers)[0] != 301


def test_a_host_that_wordpress_does_not_know_leads_to_its_store(staged: Staged) -> None:
    assert location(staged, "/some/page/?a=1", ALIAS) == (301, f"http://{NORTH}/some/page/?a=1")
    assert location(staged, "/alte-jacken/", ALIAS) == (301, f"http://{NORTH}/new-jackets/")


# -- what may leave --------------------------------------------------------------------------------------------------


def wp(staged: Staged, code: str, domain: str = NORTH) -> str:
    return staged.lab.managed.wordpress["staging"].cli("eval", code, url=f"http://{domain}/")


PROBE = """<?php
add_action( 'crossdock_bridge_probe', static function () {
    wp_mail( 'cron@crossdock-probe.invalid', 'From a cron event', 'x' );
    wp_remote_get( 'http://cron.example/ran' );
} );
"""


def sites(staged: Staged) -> list[Site]:
    return [Site("north", f"http://{NORTH}", str(staged.root)), Site("south", f"http://{SOUTH}", str(staged.root))]


def test_staging_is_proved_harmless_and_the_proof_can_fail(restored: Staged) -> None:
    probe = restored.root / "wp-content/mu-plugins/probe.php"
    probe.write_text(PROBE)
    before = restored.sent()
    told = json.loads(restored.project.green("bridge", "prove", "staging", "--json"))
    assert told["staging_leaks"] == 0
    assert {one["kind"] for one in told["provocations"] if one["tried"]} >= {"mail", "gateway-call", "cron"}
    assert restored.sent() == before
    assert [one for one in told["provocations"] if one["left"]] == []

    restored.project.green("bridge", "remove", "staging", "--yes")
    web = SiteWeb(f"{restored.lab.managed.server.address}:{addresses.HTTP_PORT}")
    urls = {"call_url": "http://pay.example/v1/charges", "hook_url": "http://hooks.example/orders"}
    provoked = harmless.provoke(restored.shell, web, sites(restored)[0], **urls)
    assert {one.kind for one in provoked if one.left} >= {"mail", "gateway-call", "cron"}
    subjects = restored.mails()[before[0] :]
    assert [one for one in subjects if one.startswith("Crossdock probe ")]
    assert "From a cron event" in subjects
    urls_seen = [one["url"] for one in restored.lab.sinks.requests()[before[2] :]]
    assert "http://pay.example/v1/charges" in urls_seen
    assert "http://cron.example/ran" in urls_seen
    assert restored.project.run("bridge", "prove", "staging").returncode == 1
    assert len(restored.mails()) == before[0] + len(subjects), "nothing is provoked where no guard is"
    probe.unlink()


def test_every_way_of_wp_mail_ends_at_the_guard(staged: Staged) -> None:
    before = staged.sent()
    code = """
        $ok = wp_mail('a@x.example', 's', 'm', "Cc: b@x.example\\nBcc: Name <c@x.example>");
        $ok = wp_mail(['a@x.example', 'd@x.example'], 's', 'm', ['Bcc: e@x.example', 'X-A: 1']) && $ok;
        add_action('phpmailer_init', function ($m) { $m->addAddress('late@x.example'); }, PHP_INT_MAX);
        add_filter('pre_wp_mail', '__return_null', PHP_INT_MAX);
        $late = wp_mail('a@x.example', 's', 'm');
        wp_remote_get('http://a.example/'); wp_safe_remote_post('https://b.example/x'); download_url('http://c.example/z');
        echo json_encode([$ok, $late]);
    """
    assert json.loads(wp(staged, code)) == [True, False]
    assert staged.sent() == before


def test_the_sink_and_the_allow_list_get_mail_and_allowed_hosts_requests(restored: Staged) -> None:
    text = restored.project.config.read_text()
    rules = '\n[environments.staging.bridge]\nmail_sink = "sink@lumen.example"\nmail_allow = ["@qa.example"]\nallowed_hosts = ["*.ok.example"]\n'
    restored.project.config.write_text(text.replace("\n[environments.production]", rules + "\n[environments.production]"))
    try:
        restored.project.green("bridge", "install", "staging")
        before = restored.sent()
        wp(restored, "wp_mail('ada@qa.example', 'allowed', 'm'); wp_mail('a@x.example', 'stranger', 'm', 'Cc: b@x.example');"
           "wp_mail('a@qa.example.evil.example', 'lookalike', 'm');"
           "wp_remote_get('http://api.ok.example/yes'); wp_remote_get('http://ok.example.evil.example/no');")  # fmt: skip
        assert restored.mails()[before[0] :] == ["allowed", "stranger", "lookalike"]
        box = restored.lab.managed.mailbox.read_text(errors="replace")
        assert box.count("To: sink@lumen.example") == 2
        assert "x.example" not in box.split("Subject: stranger")[1].split("\nFrom lab ")[0]
        assert [one["url"] for one in restored.lab.sinks.requests()[before[2] :]] == ["http://api.ok.example/yes"]
    finally:
        restored.project.config.write_text(text)


def test_a_plugin_with_a_socket_of_its_own_is_told(restored: Staged) -> None:
    """No plugin can stop another's socket: so it must be found. That it does send shows why."""
    sink = restored.lab.sinks
    folder = restored.root / "wp-content/plugins/own-mailer"
    folder.mkdir()
    (folder / "own-mailer.php").write_text(
        "<?php\n/* Plugin Name: Own mailer */\nfunction own_mailer_send() {\n"
        f"    $s = fsockopen( '{sink.server.address}', {SMTP_PORT} );\n"
        "    foreach ( array( 'HELO x', 'MAIL FROM:<a@x.example>', 'RCPT TO:<b@x.example>', 'DATA', \"Subject: own\\r\\n\\r\\nx\\r\\n.\", 'QUIT' ) as $line ) {\n"
        '        fwrite( $s, "$line\\r\\n" ); fgets( $s );\n    }\n}\n'
    )
    try:
        assert restored.status(code=0)["green"]
        wp(restored, "activate_plugin('own-mailer/own-mailer.php');")
        found = [one for one in restored.status()["findings"] if one["code"] == "mail.unguarded"]
        assert [one["place"] for one in found] == [f"http://{NORTH}: plugins/own-mailer"]
        assert "fsockopen in plugins/own-mailer/own-mailer.php:4" in found[0]["text"]
        proof = restored.project.run("bridge", "prove", "staging", "--json")
        assert proof.returncode == 1
        assert "mail.unguarded" in proof.stdout
        before = len(sink.mails())
        wp(restored, "own_mailer_send();")
        assert len(sink.mails()) == before + 1
        wp(restored, "deactivate_plugins('own-mailer/own-mailer.php');")
    finally:
        shutil.rmtree(folder)


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["class-crossdock-bridge-banner.php", "config.php", "redirects.php"])
def test_a_file_altered_by_hand_is_named(restored: Staged, name: str) -> None:
    path = restored.folder / name
    content = path.read_bytes()
    path.write_bytes(content.replace(b"<?php", b"<?php // by hand", 1))
    found = [one for one in restored.status()["findings"] if one["code"] == "bridge.altered"]
    assert found
    assert all(name in one["place"] for one in found)
    path.write_bytes(content)


def test_a_file_that_is_gone_or_too_much_is_named(restored: Staged) -> None:
    (restored.folder / "extra.php").write_text("<?php\n")
    assert "bridge.unknown" in restored.codes()
    (restored.folder / "extra.php").unlink()
    (restored.folder / "class-crossdock-bridge-scan.php").unlink()
    assert "bridge.missing" in restored.codes()


@pytest.mark.parametrize("damage", ["", "<?php return 1;", "<?php return array(", "<?php return array('version' => 1);"])
def test_staging_stays_closed_without_its_configuration(restored: Staged, damage: str) -> None:
    config = restored.folder / "config.php"
    if damage:
        config.write_text(damage)
    else:
        config.unlink()
    for headers in ({}, restored.basic):
        status, _, body = restored.get(NORTH, "/", **headers)
        assert status == 503
        assert "crossdock bridge install" in body
    before = restored.sent()
    wp(restored, "wp_mail('a@x.example', 's', 'm'); wp_remote_get('http://a.example/');")
    assert restored.sent() == before


@pytest.mark.parametrize("name", ["class-crossdock-bridge-mail.php", "class-crossdock-bridge.php"])
def test_staging_stays_closed_with_a_broken_file(restored: Staged, name: str) -> None:
    (restored.folder / name).write_text("<?php class {")
    status, _, body = restored.get(NORTH, "/", **restored.basic)
    assert status == 503
    assert "its bridge is broken" in body
    before = restored.sent()
    wp(restored, "wp_mail('a@x.example', 's', 'm'); wp_remote_get('http://a.example/');")
    assert restored.sent() == before
    assert "bridge.missing" in restored.codes()


# -- production ------------------------------------------------------------------------------------------------------


def tree(root: Path) -> dict[str, str]:
    """Digest, mode and owner of every file, and every folder, below WordPress's own."""
    made = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        made[str(path.relative_to(root))] = f"{digest} {facts.st_mode:o} {facts.st_uid}"
    return made


def options(lab: Lab, environment: str) -> set[str]:
    """Names of all that WordPress keeps as a setting."""
    with lab.connect(*on.schema_of(lab, environment)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT option_name FROM wp_options UNION SELECT meta_key FROM wp_sitemeta UNION SELECT meta_key FROM wp_usermeta")
        return {row[0] for row in cursor.fetchall() if not re.match(r"_(site_)?transient_", row[0])}


def production(lab: Lab, path: str = "/") -> int:
    return lab.get(lab.managed.server.address, "network.lumen.example", path)[0]


def test_production_stays_open_whatever_breaks_and_removal_leaves_no_trace(staged: Staged) -> None:
    lab, root = staged.lab, staged.lab.managed.root("production")
    production(lab)  # WordPress writes some options at its first visit
    before, settings, temporary = tree(root), options(lab, "production"), set(Path("/tmp").glob("crossdock-bridge-*"))
    told = json.loads(staged.project.green("bridge", "install", "production", "--json"))
    assert told["domains"]["http://network.lumen.example"]["guard"]["on"] is False
    assert production(lab) == 200
    folder = root / "wp-content/mu-plugins/crossdock-bridge"
    for name, damage in (("redirects.php", "<?php return array("), ("config.php", "<?php broken("),
                         ("class-crossdock-bridge-health.php", "<?php class {")):  # fmt: skip
        (folder / name).write_text(damage)
        assert production(lab, f"/?{name}") == 200
    shutil.rmtree(folder)
    assert production(lab, "/?gone") == 200
    staged.project.green("bridge", "install", "production")
    staged.project.green("bridge", "remove", "production", "--yes")
    assert tree(root) == before
    assert options(lab, "production") == settings
    assert set(Path("/tmp").glob("crossdock-bridge-*")) == temporary
    assert production(lab) == 200


def test_a_production_pulled_to_staging_is_guarded(staged: Staged) -> None:
    """The host's own tools copy files and database, configuration of production included."""
    lab, root = staged.lab, staged.lab.managed.root("production")
    staged.project.green("bridge", "install", "production")
    address = lab.managed.server.address
    try:
        assert production(lab, "/?open") == 200
        config = root / "wp-config.php"
        text = config.read_text()
        config.write_text(text.replace("<?php\n", "<?php\ndefine( 'WP_ENVIRONMENT_TYPE', 'staging' );\n", 1))
        assert production(lab, "/?pulled") == 503
        before = staged.sent()
        lab.managed.wordpress["production"].cli("eval", "wp_mail('a@x.example', 's', 'm');", url="network.lumen.example")
        assert staged.sent() == before
        config.write_text(text)
        assert lab.get(address, "network.lumen.example", "/?back")[0] == 200
    finally:
        staged.project.green("bridge", "remove", "production", "--yes")


# -- WooCommerce -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(staged: Staged) -> Iterator[Staged]:
    """South's shop on staging, with WooCommerce's real code."""
    code = wordpress.woocommerce()
    if code is None:
        pytest.skip("WooCommerce's code is not there: neither in the lab's cache folder nor at wordpress.org")
    place = staged.root / "wp-content/plugins/woocommerce"
    shutil.copytree(code, place)
    staged.lab.managed.server.account.own(place)
    wp(staged, "activate_plugin('woocommerce/woocommerce.php');", SOUTH)
    staged.signed(SOUTH, "/wp-admin/admin-ajax.php")
    wp(staged, "update_option('woocommerce_cod_settings', ['enabled' => 'yes', 'title' => 'COD']);"
       "update_option('woocommerce_coming_soon', 'no'); update_option('woocommerce_ship_to_countries', 'disabled');", SOUTH)  # fmt: skip
    yield staged
    wp(staged, "deactivate_plugins('woocommerce/woocommerce.php');", SOUTH)
    shutil.rmtree(place)


ADDRESS = {"first_name": "Ada", "last_name": "Berg", "address_1": "Gatan 1", "city": "Athina", "postcode": "10431",
           "country": "GR", "state": "I", "email": "ada@shopper.example", "phone": "0"}  # fmt: skip


def store_api(shop: Staged, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, str, Any]:
    uri = f"/wp-json/wc/store/v1/{path}"
    raw = b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Cart-Token": token} if token else {})}
    headers |= shop.key.headers(method, SOUTH, uri, raw)
    status, told, text = shop.ask(method, SOUTH, uri, raw, headers)
    return status, told.get("cart-token", token), json.loads(text)


@pytest.mark.woocommerce
def test_a_shopper_can_buy_behind_the_guard_and_nothing_leaves(shop: Staged) -> None:
    made = wp(shop, """
        $p = new WC_Product_Simple(); $p->set_name('Probe'); $p->set_regular_price('10'); $p->set_virtual(true); $p->save();
        $h = new WC_Webhook(); $h->set_props(['name' => 'erp', 'user_id' => 1, 'topic' => 'order.created', 'secret' => 's',
            'status' => 'active', 'delivery_url' => 'http://hooks.example/orders']); $h->save();
        echo $p->get_id(), ' ', $h->get_id();""", SOUTH)  # fmt: skip
    product, hook = made.split()
    before = shop.sent()
    status, token, _ = store_api(shop, "GET", "cart")
    assert status == 200
    assert store_api(shop, "POST", "cart/add-item", token, {"id": int(product), "quantity": 2})[0] == 201
    status, _, order = store_api(shop, "POST", "checkout", token, {"billing_address": ADDRESS, "payment_method": "cod"})
    assert status == 200, order
    assert order["status"] == "processing"
    assert shop.sent() == before
    queued = wp(shop, "echo count(as_get_scheduled_actions(['hook' => 'woocommerce_deliver_webhook_async']));", SOUTH)
    assert queued.strip() == "0"
    wp(shop, f"wc_get_order({order['order_id']})->delete(true); wc_get_product({product})->delete(true); (new WC_Webhook({hook}))->delete(true);", SOUTH)


@pytest.mark.woocommerce
def test_an_orders_mail_a_webhook_and_an_action_are_provoked_and_rolled_back(shop: Staged) -> None:
    def counted() -> list[Any]:
        with shop.lab.connect(*on.schema_of(shop.lab, "staging")) as connection, connection.cursor() as cursor:
            tables = ("wc_orders", "wc_webhooks", "actionscheduler_actions", "posts", "comments", "woocommerce_order_items")
            counts = []
            for table in tables:
                cursor.execute(f"SELECT COUNT(*) FROM wp_3_{table}")
                counts.append((table, cursor.fetchone()[0]))
            return counts

    before, rows = shop.sent(), counted()
    told = json.loads(shop.project.green("bridge", "prove", "staging", "--json"))
    mine = {one["kind"]: one for one in told["provocations"] if one["store"] == "south"}
    assert set(mine) == {"mail", "order-mail", "webhook", "gateway", "gateway-call", "action", "cron"}
    assert all(one["tried"] and not one["left"] for one in mine.values()), mine
    assert shop.sent() == before
    assert counted() == rows


@pytest.mark.woocommerce
def test_without_the_guard_the_same_order_and_webhook_leave(shop: Staged) -> None:
    shop.project.green("bridge", "remove", "staging", "--yes")
    try:
        before = shop.sent()
        web = SiteWeb(f"{shop.lab.managed.server.address}:{addresses.HTTP_PORT}")
        urls = {"call_url": "http://pay.example/v1/charges", "hook_url": "http://hooks.example/orders"}
        provoked = {one.kind: one for one in harmless.provoke(shop.shell, web, sites(shop)[1], **urls)}
        assert {kind for kind, one in provoked.items() if one.left} >= {"mail", "order-mail", "webhook", "gateway-call", "action"}
        assert len(shop.mails()) >= before[0] + 2
        assert "http://hooks.example/orders" in [one["url"] for one in shop.lab.sinks.requests()[before[2] :]]
    finally:
        shop.project.green("bridge", "install", "staging")
