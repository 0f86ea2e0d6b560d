"""The lab is what it says: real servers that differ, a managed host that refuses what such hosts refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pymysql
import pytest
from typer.testing import CliRunner

from crossdock.cli.lab import app
from crossdock.core.config import load
from crossdock.core.errors import ConfigError, LockedError, SourceError
from crossdock.lab import account as accounts
from crossdock.lab import wordpress
from crossdock.lab.account import Account
from crossdock.lab.lab import Lab
from crossdock.lab.managed import ENVIRONMENTS
from crossdock.lab.mariadb import MariaDb, MariaDbOptions
from crossdock.lab.sshd import SshServer
from crossdock.lab.standalone import lone_server

pytestmark = pytest.mark.lab
LIMIT_SECONDS = 3


def new_folder(name: str) -> Path:
    # pytest's own folders are closed to other accounts, and too deep for Unix sockets.
    return Path(tempfile.mkdtemp(prefix=f"cd-{name}-"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = new_folder("gateway")
    with Lab(folder, profile="gateway", size="tiny", session_limit_seconds=LIMIT_SECONDS) as lab:
        tell(f"lab up in {lab.up_seconds:.1f} s")
        yield lab
    assert not folder.exists()
    assert processes_below(folder) == []


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def ssh(lab: Lab, *arguments: str, timeout_seconds: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", str(lab.ssh_config), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_seconds,
        check=False,
    )  # fmt: skip


def processes_below(folder: Path) -> list[str]:
    """Command lines of all processes that mention the folder or stand in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = str((entry / "cwd").readlink())
            except OSError:
                continue
            if str(folder) in line or str(folder) in where:
                found.append(line)
    return found


def via_proxy(proxy: str, url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://{proxy}"}))
    with opener.open(url, timeout=30) as answer:
        return answer.read()


def as_wordpress(lab: Lab, environment: str) -> pymysql.connections.Connection:
    site = lab.managed.wordpress[environment]
    return pymysql.connect(
        unix_socket=str(lab.managed.server.mysql_socket), user=site.db_user, password=site.db_password,
        database=site.database, local_infile=True,
    )  # fmt: skip


def one_value(lab: Lab, server: str, query: str) -> str:
    with lab.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return str(cursor.fetchone()[-1])


def test_every_daemon_is_alive_and_unprivileged(lab: Lab) -> None:
    rows = lab.status()
    daemons = {(row["server"], row["daemon"]) for row in rows}
    wanted = {(s, d) for s in ("north", "south", "east", "managed") for d in ("sshd", "mariadbd", "php-fpm", "nginx")}
    assert daemons == wanted | {("front", "nginx"), ("sinks", "sinks"), ("dns", "dns")}
    assert all(row["alive"] for row in rows)
    assert {Path(f"/proc/{row['pid']}").stat().st_uid for row in rows} == {pwd.getpwnam(lab.state.account).pw_uid}
    assert 0 not in {Path(f"/proc/{row['pid']}").stat().st_uid for row in rows}


def test_each_home_answers_with_its_own_name(lab: Lab) -> None:
    for source in lab.sources.values():
        for blog in source.spec.blogs:
            status, _, body = lab.get(source.server.address, blog.domain)
            assert (status, f"<title>{blog.title}" in body.decode()) == (200, True), blog
    for environment, domain in ENVIRONMENTS.items():
        status, _, body = lab.get(lab.managed.server.address, domain)
        assert (status, f"<title>Lumen Outdoor {environment}" in body.decode()) == (200, True)


def test_pages_leave_no_php_error(lab: Lab) -> None:
    logs = {log: log.read_text() for log in lab.folder.glob("*/log/php-error.log")}
    assert not any("Fatal" in text for text in logs.values()), logs


def test_sources_differ_as_promised(lab: Lab) -> None:
    assert {name: one_value(lab, name, "SHOW VARIABLES LIKE 'log_bin'") for name in lab.sources} == {
        "north": "ON", "south": "ON", "east": "OFF",
    }  # fmt: skip
    assert lab.sources["north"].wordpress.cli("core", "version").startswith("6.1")
    assert lab.sources["south"].wordpress.cli("core", "version").strip() == "7.1.1"
    assert one_value(lab, "south", "SHOW TABLES LIKE 'shop7\\_options'") == "shop7_options"
    assert one_value(lab, "east", "SELECT count(*) FROM wp_blogs") == "2"
    links = [path for path in (lab.folder / "north/www").rglob("*") if path.is_symlink() and not path.exists()]
    assert links == []


@pytest.mark.woocommerce
def test_real_woocommerce_sells(lab: Lab) -> None:
    south = lab.sources["south"]
    if not south.has_woocommerce:
        assert lab.not_real
        pytest.skip("; ".join(lab.not_real))
    status, _, body = lab.get(south.server.address, south.spec.domain, "/wp-json/wc/store/v1/products")
    assert status == 200
    assert any(product["is_purchasable"] for product in json.loads(body))
    assert one_value(lab, "south", "SHOW TABLES LIKE 'shop7\\_wc\\_orders'") == "shop7_wc_orders"


def test_redirects_carry_no_port(lab: Lab) -> None:
    north = lab.sources["north"]
    for path, goal in (("/kontakt.html", "/kontakt/"), ("/alte-jacken/", "/produkt-kategorie/jacken/")):
        status, headers, _ = lab.get(north.server.address, north.spec.domain, path)
        assert (status, headers["location"]) == (301, f"http://www.north.example{goal}")
    assert '"GET /kontakt.html HTTP/1.1" 301' in (north.server.log / "access.log").read_text()


def test_ssh_reaches_each_server_with_the_real_host_keys(lab: Lab) -> None:
    for name in (*lab.sources, "managed"):
        done = ssh(lab, name, "whoami; pwd; crontab -l")
        lines = done.stdout.splitlines()
        assert lines[:2] == [lab.state.account, str(lab.folder / name / "home")], done.stderr
        assert ("wp-cron.php" in done.stdout) == (name != "managed")


def test_a_wrong_host_key_is_refused(lab: Lab) -> None:
    done = ssh(lab, "-o", "HostKeyAlias=elsewhere", "north", "true")
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_source_settings_are_the_clients_to_change(lab: Lab) -> None:
    done = ssh(lab, "north", "nginx -t && nginx -s reload")
    assert done.returncode == 0, done.stderr
    assert "crossdock-lab-probe" not in (ssh(lab, "north", "nginx -T").stdout)
    assert "kontakt.html" in ssh(lab, "north", "nginx -T").stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="one account owns everything when the lab is not started by root")
def test_managed_settings_are_not_writable(lab: Lab) -> None:
    done = ssh(lab, "managed", f"echo >> {lab.managed.server.etc}/nginx/nginx.conf")
    assert done.returncode != 0


def test_gateway_refuses_forwarding(lab: Lab) -> None:
    done = ssh(lab, "-W", f"{lab.managed.server.address}:2222", "managed")
    assert done.returncode != 0
    assert "open failed" in done.stderr or "prohibited" in done.stderr
    assert ssh(lab, "managed", "true").returncode == 0


def test_sources_allow_forwarding_to_their_database(lab: Lab) -> None:
    done = ssh(lab, "-W", f"{lab.sources['north'].server.address}:3306", "north")
    assert "MariaDB" in done.stdout


def test_gateway_cuts_sessions(lab: Lab) -> None:
    begin = time.monotonic()
    done = ssh(lab, "managed", "echo first; sleep 60; echo never")
    seconds = time.monotonic() - begin
    assert done.stdout == "first\n"
    assert done.returncode == 255
    assert LIMIT_SECONDS - 0.5 < seconds < LIMIT_SECONDS + 6
    assert ssh(lab, "managed", "exit 7").returncode == 7
    assert ssh(lab, "north", f"sleep {LIMIT_SECONDS + 1}; echo whole").stdout == "whole\n"


def test_managed_database_account_has_its_schema_and_no_more(lab: Lab) -> None:
    with as_wordpress(lab, "staging") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE probe (id int) ENGINE=InnoDB")
        cursor.execute("CREATE TRIGGER probe_insert AFTER INSERT ON probe FOR EACH ROW SET @seen = 1")
        cursor.execute("DROP TABLE probe")
        for refused in (
            "GRANT SELECT ON lumen_staging.* TO lumen_production@localhost",
            "CREATE USER someone@localhost",
            "SELECT count(*) FROM lumen_production.wp_options",
            "SET GLOBAL read_only = 1",
            "SHOW MASTER STATUS",
            "CREATE DATABASE another",
        ):
            with pytest.raises(pymysql.MySQLError):
                cursor.execute(refused)
        cursor.execute("SELECT @@max_allowed_packet, @@skip_networking, @@local_infile, @@log_bin")
        assert cursor.fetchone() == (256 << 20, 1, 0, 1)


def test_crossdock_account_reads_and_never_writes(lab: Lab) -> None:
    for source in lab.sources.values():
        connection = pymysql.connect(
            host=source.server.address, user="crossdock", password=source.password_file.read_text().strip(),
            database=source.database,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT option_value FROM {source.spec.prefix}options WHERE option_name = 'blogname'")
            assert cursor.fetchone() == (source.spec.blogs[0].title,)
            cursor.execute("SHOW MASTER STATUS")
            assert bool(cursor.fetchone()) == source.spec.binlog
            with pytest.raises(pymysql.MySQLError):
                cursor.execute(f"DELETE FROM {source.spec.prefix}options")
        assert source.password_file.stat().st_mode & 0o777 == 0o600


def test_page_cache_keeps_anonymous_pages_only(lab: Lab) -> None:
    address, domain = lab.managed.server.address, ENVIRONMENTS["production"]
    lab.get(address, domain, "/?fresh=1")
    assert lab.get(address, domain, "/?fresh=1")[1]["x-cache"] == "HIT"
    assert lab.get(address, domain, "/?fresh=1", Cookie="wordpress_logged_in_x=1")[1]["x-cache"] == "BYPASS"


def test_reset_goes_back_to_the_empty_multisite(lab: Lab) -> None:
    root = lab.managed.root("staging")
    (root / "wp-content/uploads/left.txt").write_text("x")
    with as_wordpress(lab, "staging") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE wp_2_posts (id int)")
        cursor.execute("DELETE FROM wp_options")
    begin = time.monotonic()
    lab.managed.reset("staging")
    tell(f"reset in {time.monotonic() - begin:.2f} s")
    assert not (root / "wp-content/uploads/left.txt").exists()
    with as_wordpress(lab, "staging") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE 'wp\\_2%'")
        assert cursor.fetchall() == ()
    assert lab.get(lab.managed.server.address, ENVIRONMENTS["staging"])[0] == 200


def test_proxies_lead_to_source_and_target(lab: Lab) -> None:
    assert b"<title>Lumen Est" in via_proxy(lab.sources_proxy, "http://fr.east.example/")
    assert b"<title>Lumen Outdoor staging" in via_proxy(lab.target_proxy, f"http://{ENVIRONMENTS['staging']}/")


def test_mail_stays_in_the_lab(lab: Lab) -> None:
    lab.sources["south"].wordpress.cli("eval", "wp_mail('someone@lumen.example', 'Probe subject', 'x');")
    assert "Subject: Probe subject" in (lab.sources["south"].server.log / "mail.mbox").read_text()


def test_config_is_complete(lab: Lab) -> None:
    config = load(lab.config)
    assert [store.name for store in config.stores] == ["north", "south", "east", "east-fr"]
    assert config.decisions


def test_uploads_that_the_data_names_exist(lab: Lab) -> None:
    status, headers, body = lab.get(
        lab.sources["north"].server.address, "www.north.example", "/wp-content/uploads/2025/02/photo-1.jpg"
    )
    assert (status, headers["content-type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")


def test_open_attaches_and_a_second_up_is_refused(lab: Lab) -> None:
    assert Lab.open(lab.folder).connect("south").open
    with pytest.raises(LockedError):
        Lab(lab.folder, size="empty").up()
    assert all(row["alive"] for row in lab.status())


def test_status_for_programs(lab: Lab) -> None:
    done = CliRunner().invoke(app, ["status", "--json", "--folder", str(lab.folder)])
    assert done.exit_code == 0
    servers = {row["server"] for row in json.loads(done.stdout)}
    assert servers == {"north", "south", "east", "managed", "front", "sinks", "dns"}


def test_a_second_lab_beside_the_first_by_command(lab: Lab) -> None:
    folder = new_folder("tunnel")
    runner = CliRunner()
    done = runner.invoke(app, ["up", "--folder", str(folder), "--profile", "tunnel", "--size", "empty"])
    assert done.exit_code == 0, done.output
    tell(done.stdout)
    second = Lab.open(folder)
    try:
        assert second.state.block != lab.state.block
        greeting = ssh(second, "-W", f"{second.managed.server.address}:3306", "managed")
        assert "MariaDB" in greeting.stdout
        assert one_value(second, "managed", "SELECT @@local_infile") == "1"
        assert second.get(second.managed.server.address, ENVIRONMENTS["production"])[0] == 200
        session = subprocess.Popen(
            ["ssh", "-F", str(second.ssh_config), "north", "sleep 300"], stdin=subprocess.DEVNULL
        )
        nginx = next(row for row in second.status() if (row["server"], row["daemon"]) == ("east", "nginx"))
        os.kill(nginx["pid"], 15)
        time.sleep(1)
        assert runner.invoke(app, ["status", "--folder", str(folder)]).exit_code == 1
    finally:
        done = runner.invoke(app, ["down", "--folder", str(folder)])
    assert done.exit_code == 0, done.output
    assert session.wait(timeout=10) == 255
    assert not folder.exists()
    assert processes_below(folder) == []
    assert all(row["alive"] for row in lab.status())
    with pytest.raises(ConfigError, match="no lab here"):
        Lab.open(folder)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no network, and a PATH that holds only what a test puts into tmp_path/bin."""

    def unreachable(self: httpx.Client, url: str, **_: object) -> httpx.Response:
        raise httpx.ConnectError("no route")

    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(httpx.Client, "get", unreachable)
    monkeypatch.setenv("CROSSDOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def fake_npm(folder: Path, *, honest: bool) -> None:
    """An npm whose pack makes a tarball like the real one and reports its true, or another, integrity."""
    tree = folder / "package/dist/cli/wp-files"
    (tree / "latest/wordpress").mkdir(parents=True)
    (tree / "latest/wordpress/wp-load.php").write_text("<?php // from the package")
    (tree / "wp-cli").mkdir()
    (tree / "wp-cli/wp-cli.phar").write_text("phar")
    with tarfile.open(folder / "made.tgz", "w:gz") as tar:
        tar.add(folder / "package", "package")
    digest = hashlib.sha512((folder / "made.tgz").read_bytes() if honest else b"else").digest()
    report = json.dumps([{"filename": "made.tgz", "integrity": f"sha512-{base64.b64encode(digest).decode()}"}])
    npm = folder / "bin/npm"
    npm.write_text(f"#!/bin/sh\n/bin/cp {folder}/made.tgz made.tgz\necho '{report}'\n")
    npm.chmod(0o755)


def test_offline_without_npm_each_way_is_named(offline: Path) -> None:
    with pytest.raises(SourceError) as caught:
        wordpress.newest_wordpress()
    assert "wordpress.org: no route" in caught.value.what
    assert "npm is not installed" in caught.value.what
    with pytest.raises(SourceError, match="no Debian"):
        wordpress.old_wordpress()
    assert wordpress.woocommerce() is None


def test_the_package_serves_wordpress_and_wp_cli_once(offline: Path) -> None:
    fake_npm(offline, honest=True)
    assert (wordpress.newest_wordpress() / "wp-load.php").read_text() == "<?php // from the package"
    (offline / "bin/npm").unlink()
    assert wordpress.wp_cli().read_text() == "phar"
    assert wordpress.newest_wordpress() == offline / "cache" / f"wordpress-{wordpress.NEWEST}"


def test_a_package_that_is_not_what_its_registry_says_is_refused(offline: Path) -> None:
    fake_npm(offline, honest=False)
    with pytest.raises(SourceError, match="checksum"):
        wordpress.newest_wordpress()
    assert list((offline / "cache").iterdir()) == []


def test_a_database_by_itself() -> None:
    setup = ["CREATE DATABASE shop"]
    with lone_server() as server, MariaDb(server, MariaDbOptions(binlog=True), setup=setup) as database:
        with database.connect("shop") as connection, connection.cursor() as cursor:
            cursor.execute("SHOW MASTER STATUS")
            assert cursor.fetchone() is not None
        pid = int((server.run / "mariadbd.pid").read_text())
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()
    assert not server.folder.exists()


def test_ssh_by_itself() -> None:
    with lone_server() as server, SshServer(server, server.folder / "key") as sshd:
        known, config = server.folder / "known_hosts", server.folder / "ssh_config"
        known.write_text(sshd.known_host())
        config.write_text(sshd.client_stanza(known))
        done = subprocess.run(
            ["ssh", "-F", str(config), server.name, "echo $((6 * 7))"],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.stdout == "42\n", done.stderr
    assert processes_below(server.folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another account")
def test_a_folder_that_the_account_cannot_reach_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="pass through") as caught:
        Lab(closed / "lab", size="empty").up()
    assert caught.value.where in {str(parent) for parent in (closed / "lab" / "x").parents}
    assert not (closed / "lab").exists()


def test_a_missing_size_and_a_used_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no size"):
        Lab(tmp_path, size="huge")
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="not empty"):
        Lab(tmp_path, size="empty").up()
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes an account")
def test_the_account_can_only_be_removed_when_unused(lab: Lab) -> None:
    assert lab.state.account == accounts.NAME
    assert not accounts.remove()
    assert Account.named(accounts.NAME).uid != 0
