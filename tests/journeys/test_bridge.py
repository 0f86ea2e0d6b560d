"""The bridge on the lab: who may enter, what may leave, where old addresses go, and how it goes away again."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import projects as on
import pytest
from staging import ALIAS, NORTH, SOUTH, Staged

from crossdock.core.config import load
from crossdock.core.errors import CrossdockError
from crossdock.core.signing import BridgeKey
from crossdock.hub.moves import bridge_secrets
from crossdock.lab import wordpress
from crossdock.lab.lab import Lab
from crossdock.lab.sinks import SMTP_PORT
from crossdock.move import bridge

pytestmark = pytest.mark.lab


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
                "/taken/": [301, f"{base}/new-jackets/"],
            },
        },
        "patterns": {
            NORTH: [
                ["~^/shop/artikel-([0-9]+)\\.html$~", 301, f"{base}/?p=$1"],
                ["~^/wp-(admin/|login)~", 301, f"{base}/taken/"],
            ]
        },
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
    made = Staged(lab_gateway, project, load(project.config), file, post)
    made.install()
    yield made
    project.close()
    on.reset(lab_gateway)


@pytest.fixture
def reinstalled(staged: Staged) -> Iterator[Staged]:
    """Whatever a test takes away or sets otherwise is put right again by the product's own means."""
    yield staged
    staged.install()


@pytest.fixture
def restored(staged: Staged, tmp_path: Path) -> Iterator[Staged]:
    """The files that a test damages come back."""
    kept = shutil.copytree(staged.folder, tmp_path / "kept")
    yield staged
    shutil.rmtree(staged.folder)
    shutil.copytree(kept, staged.folder)
    staged.lab.managed.server.account.own(staged.folder)


# -- it is there, and proved -----------------------------------------------------------------------------------------


def test_status_is_green_and_tells_what_runs(staged: Staged) -> None:
    told = staged.status(code=0)
    stores = {one.domains["staging"] for one in staged.config.stores}
    assert set(told["domains"]) == {f"http://{one}" for one in stores | {"network.staging.lumen.example"}}
    north = told["domains"][f"http://{NORTH}"]
    assert north["versions"]["wordpress"] == wordpress.NEWEST
    assert north["blog"]["id"] == 2
    assert north["cron"]["runner"] == "blocked"
    assert north["mail"] == {"guarded": True, "sink": False, "allowed": 0, "replaced_by": "", "sendmail": True}
    assert all(north["guard"].values())
    assert north["redirects"]["exact"] == 4
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
    assert staged.get(NORTH, path, **staged.basic)[0] == 200
    told = staged.get(NORTH, "/", **staged.basic)[1]["set-cookie"]
    assert "HttpOnly" in told
    cookie = told.split(";")[0]
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


def test_attachments_keep_their_pages_in_one_hop(staged: Staged) -> None:
    """North comes from WordPress 6.1, which shows them; the target's 7.1 would lead on to the file."""
    base, schema = f"http://{NORTH}", on.schema_of(staged.lab, "staging")
    with staged.lab.connect(*schema) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT MIN(ID) FROM wp_2_posts WHERE post_type = 'attachment' AND post_parent = 0")
        path = f"/shop/artikel-{cursor.fetchone()[0]}.html"
        status, page = location(staged, path)
        assert (status, "?" in page, "/wp-content/" in page) == (301, False, False)
        assert location(staged, page.removeprefix(base)) == (200, "")
        option = "wp_attachment_pages_enabled"
        cursor.execute("INSERT INTO wp_2_options (option_name, option_value) VALUES (%s, '0')", (option,))
        connection.commit()
        try:
            status, file = location(staged, path)
            assert (status, "/wp-content/uploads/sites/2/" in file) == (301, True)
            assert location(staged, page.removeprefix(base)) == (301, file)
        finally:
            cursor.execute("DELETE FROM wp_2_options WHERE option_name = %s", (option,))
            connection.commit()


def test_what_is_gone_says_so(staged: Staged) -> None:
    status, told, body = staged.signed(NORTH, "/gone/")
    assert status == 410
    assert "No longer &lt;sold&gt;" in body
    assert "noindex" in told["x-robots-tag"]


def test_wordpress_itself_is_never_redirected(staged: Staged) -> None:
    assert location(staged, "/wp-admin/")[1].endswith(
        "/wp-login.php?redirect_to=http%3A%2F%2F" + NORTH + "%2Fwp-admin%2F&reauth=1"
    )
    headers = {**staged.basic, "Cookie": "wordpress_logged_in_x=1"}
    assert (
        staged.get(NORTH, "/taken/?preview=true", **headers)[1].get("location", "")
        != f"http://{NORTH}/new-jackets/?preview=true"
    )
    headers = staged.key.headers("POST", NORTH, "/alte-jacken/")
    assert staged.ask("POST", NORTH, "/alte-jacken/", b"", headers)[0] != 301


def test_a_host_that_wordpress_does_not_know_leads_to_its_store(staged: Staged) -> None:
    assert location(staged, "/some/page/?a=1", ALIAS) == (301, f"http://{NORTH}/some/page/?a=1")
    assert location(staged, "/alte-jacken/", ALIAS) == (301, f"http://{NORTH}/new-jackets/")


# -- what may leave --------------------------------------------------------------------------------------------------


PROBE = """<?php
add_action( 'crossdock_bridge_probe', static function () {
    wp_mail( 'cron@crossdock-probe.invalid', 'From a cron event', 'x' );
    wp_remote_get( 'http://cron.example/ran' );
} );
"""


def test_staging_is_proved_harmless_and_the_proof_can_fail(reinstalled: Staged) -> None:
    probe = reinstalled.root / "wp-content/mu-plugins/probe.php"
    probe.write_text(PROBE)
    before = reinstalled.sent()
    told = json.loads(reinstalled.project.green("bridge", "prove", "staging", "--json"))
    assert told["staging_leaks"] == 0
    assert {one["kind"] for one in told["provocations"] if one["tried"]} >= {"mail", "gateway-call", "cron"}
    assert reinstalled.sent() == before
    assert [one for one in told["provocations"] if one["left"]] == []

    reinstalled.project.green("bridge", "remove", "staging", "--yes")
    left = {kind for kind, one in reinstalled.provoke("north").items() if one.left}
    assert left >= {"mail", "gateway-call", "cron"}
    subjects = reinstalled.mails()[before[0] :]
    assert [one for one in subjects if one.startswith("Crossdock probe ")]
    assert "From a cron event" in subjects
    urls_seen = [one["url"] for one in reinstalled.lab.sinks.requests()[before[2] :]]
    assert "http://pay.example/v1/charges" in urls_seen
    assert "http://cron.example/ran" in urls_seen
    assert reinstalled.project.run("bridge", "prove", "staging").returncode == 1
    assert len(reinstalled.mails()) == before[0] + len(subjects), "nothing is provoked where no guard is"
    probe.unlink()


def test_every_way_of_wp_mail_ends_at_the_guard(staged: Staged) -> None:
    before = staged.sent()
    code = """
        $ok = wp_mail('a@x.example', 's', 'm', "Cc: b@x.example\\nBcc: Name <c@x.example>");
        $ok = wp_mail(['a@x.example', 'd@x.example'], 's', 'm', ['Bcc: e@x.example', 'X-A: 1']) && $ok;
        add_action('phpmailer_init', function ($m) { $m->addAddress('late@x.example'); }, PHP_INT_MAX);
        add_filter('pre_wp_mail', '__return_null', PHP_INT_MAX);
        add_filter('pre_http_request', '__return_false', PHP_INT_MAX);
        $late = wp_mail('a@x.example', 's', 'm');
        wp_remote_get('http://a.example/'); wp_safe_remote_post('https://b.example/x');
        echo json_encode([$ok, $late]);
    """
    assert json.loads(staged.wp(code)) == [True, True]
    assert staged.sent() == before


RULES = """
[environments.staging.bridge]
mail_sink = "sink@lumen.example"
mail_allow = ["@qa.example"]
allowed_hosts = ["*.ok.example"]
"""
TO_SOME = """
    wp_mail('ada@qa.example', 'allowed', 'm');
    wp_mail('a@x.example', 'stranger', 'm', 'Cc: b@x.example');
    wp_mail('a@qa.example.evil.example', 'lookalike', 'm');
    wp_mail('ada@qa.example', 'by header', 'm', "To: b@x.example, c@x.example\\nResent-Bcc: d@x.example\\nX-A: 1");
    wp_mail('ada@qa.example', 'by fold', 'm', "X-A: 1\\n Cc: e@x.example");
    $late = function ($m) { $m->addCustomHeader('Bcc', 'f@x.example'); };
    add_action('phpmailer_init', $late);
    wp_mail('ada@qa.example', 'late header', 'm');
    remove_action('phpmailer_init', $late);
    wp_remote_get('http://api.ok.example/yes');
    wp_remote_get('http://ok.example.evil.example/no');
    wp_remote_get('http://api.ok.example/?lead-to=http://a.example/away');
    wp_remote_get('http://api.ok.example/?lead-to=http://www.ok.example/on');
"""


def test_the_sink_and_the_allow_list_get_mail_and_allowed_hosts_requests(reinstalled: Staged) -> None:
    text = reinstalled.project.config.read_text()
    mark = "\n[environments.production]"
    reinstalled.project.config.write_text(text.replace(mark, RULES + mark))
    try:
        reinstalled.project.green("bridge", "install", "staging")
        before, box = reinstalled.sent(), reinstalled.lab.managed.mailbox
        began = len(box.read_text(errors="replace")) if box.exists() else 0
        reinstalled.wp(TO_SOME)
        subjects = ["allowed", "stranger", "lookalike", "by header", "by fold", "late header"]
        assert reinstalled.mails()[before[0] :] == subjects
        text_sent = box.read_text(errors="replace")[began:]
        assert text_sent.count("To: sink@lumen.example") == 3
        assert not re.search(r"^(?:resent-)?(?:to|cc|bcc):.*@x\.example", text_sent, re.MULTILINE | re.IGNORECASE)
        assert [one["url"] for one in reinstalled.lab.sinks.requests()[before[2] :]] == [
            "http://api.ok.example/yes",
            "http://api.ok.example/?lead-to=http://a.example/away",
            "http://api.ok.example/?lead-to=http://www.ok.example/on",
            "http://www.ok.example/on",
        ]
    finally:
        reinstalled.project.config.write_text(text)


def test_a_crontab_of_the_host_runs_no_event(staged: Staged) -> None:
    """wp cron event run --due-now asks no filter of WordPress."""
    site = staged.lab.managed.wordpress["staging"]
    staged.wp("wp_schedule_single_event(time() - 60, 'crossdock_due', ['x']);")
    try:
        for some in ("--due-now", "--all"):
            with pytest.raises(CrossdockError, match="nothing is due here"):
                site.cli("cron", "event", "run", some, url=f"http://{NORTH}/")
        assert "Success" in site.cli("cron", "event", "run", "crossdock_due", url=f"http://{NORTH}/")
    finally:
        staged.wp("wp_clear_scheduled_hook('crossdock_due', ['x']);")


OWN_MAILER = r"""<?php
/* Plugin Name: Own mailer */
function own_mailer_send() {
    $s = fsockopen( '%s', %d );
    $lines = array( 'HELO x', 'MAIL FROM:<a@x.example>', 'RCPT TO:<b@x.example>', 'DATA', "own\r\n.", 'QUIT' );
    foreach ( $lines as $line ) {
        fwrite( $s, "$line\r\n" );
        fgets( $s );
    }
}
"""


def test_a_plugin_with_a_socket_of_its_own_is_told(staged: Staged) -> None:
    """No plugin can stop another's socket: so it must be found. That it does send shows why."""
    sink = staged.lab.sinks
    folder = staged.root / "wp-content/plugins/own-mailer"
    folder.mkdir()
    (folder / "own-mailer.php").write_text(OWN_MAILER % (sink.server.address, SMTP_PORT))
    try:
        staged.wp("activate_plugin('own-mailer/own-mailer.php');")
        found = [one for one in staged.status()["findings"] if one["code"] == "mail.unguarded"]
        assert [one["place"] for one in found] == [f"http://{NORTH}: plugins/own-mailer"]
        assert "fsockopen in plugins/own-mailer/own-mailer.php:4" in found[0]["text"]
        proof = staged.project.run("bridge", "prove", "staging", "--json")
        assert proof.returncode == 1
        assert "mail.unguarded" in proof.stdout
        before = len(sink.mails())
        staged.wp("own_mailer_send();")
        assert len(sink.mails()) == before + 1
        staged.wp("deactivate_plugins('own-mailer/own-mailer.php');")
    finally:
        shutil.rmtree(folder)


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_files_altered_by_hand_are_named_and_put_right(reinstalled: Staged) -> None:
    for name in ("class-crossdock-bridge-banner.php", "config.php", "redirects.php"):
        path = reinstalled.folder / name
        path.write_bytes(path.read_bytes().replace(b"<?php", b"<?php /* by hand */", 1))
    (reinstalled.folder / "extra.php").write_text("<?php\n")
    here = f"http://{NORTH}: crossdock-bridge"
    found = {(one["code"], one["place"]) for one in reinstalled.status()["findings"]}
    altered = ("class-crossdock-bridge-banner.php", "config.php", "redirects.php")
    assert found >= {("bridge.altered", f"{here}/{name}") for name in altered} | {
        ("bridge.unknown", f"{here}/extra.php")
    }
    assert ("bridge.altered", str(reinstalled.folder / "class-crossdock-bridge-banner.php")) in found
    (reinstalled.folder / "extra.php").unlink()
    told = json.loads(reinstalled.project.run("bridge", "install", "staging", "--json").stdout)
    assert sorted(Path(one).name for one in told["changed"]) == ["class-crossdock-bridge-banner.php", "config.php"]


@pytest.mark.parametrize(
    "damage", ["", "<?php return 1;", "<?php return array(", "<?php return array('version' => 1);"]
)
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
    restored.wp("wp_mail('a@x.example', 's', 'm'); wp_remote_get('http://a.example/');")
    assert restored.sent() == before


@pytest.mark.parametrize("damage", ["<?php class {", ""])
@pytest.mark.parametrize("name", ["class-crossdock-bridge-mail.php", "class-crossdock-bridge.php"])
def test_staging_stays_closed_with_a_broken_file(restored: Staged, name: str, damage: str) -> None:
    (restored.folder / name).write_text(damage)
    if not damage:
        (restored.folder / name).unlink()
    status, _, body = restored.get(NORTH, "/", **restored.basic)
    assert status == 503
    assert "its bridge is broken" in body
    before = restored.sent()
    restored.wp("wp_mail('a@x.example', 's', 'm'); wp_remote_get('http://a.example/');")
    assert restored.sent() == before


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
        columns = ("option_name FROM wp_options", "meta_key FROM wp_sitemeta", "meta_key FROM wp_usermeta")
        cursor.execute(" UNION ".join(f"SELECT {one}" for one in columns))
        return {row[0] for row in cursor.fetchall() if not re.match(r"_(site_)?transient_", row[0])}


def nonces(lab: Lab) -> set[Path]:
    """What bridges keep beside WordPress: a folder of used nonces for each."""
    return set(lab.managed.server.tmp.glob("crossdock-bridge-*"))


def production(lab: Lab, path: str = "/") -> int:
    return lab.get(lab.managed.server.address, "network.lumen.example", path)[0]


def test_production_stays_open_whatever_breaks_and_removal_leaves_no_trace(staged: Staged) -> None:
    lab, root = staged.lab, staged.lab.managed.root("production")
    production(lab)  # WordPress writes some options at its first visit
    before, settings, temporary = tree(root), options(lab, "production"), nonces(lab)
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
    assert nonces(lab) == temporary
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
        lab.managed.wordpress["production"].cli(
            "eval", "wp_mail('a@x.example', 's', 'm');", url="network.lumen.example"
        )
        assert staged.sent() == before
        config.write_text(text)
        assert lab.get(address, "network.lumen.example", "/?back")[0] == 200
    finally:
        staged.project.green("bridge", "remove", "production", "--yes")
