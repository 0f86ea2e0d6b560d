"""How a dump logs in: by no argument, and by the socket that PHP takes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_servers import PASSWORD, TestDatabase, TestSsh, ssh_server

from crossdock.core.errors import TargetError
from crossdock.edges.database import DatabaseAccount, with_socket
from crossdock.edges.dump import RemoteDump, load_dump
from crossdock.edges.scratch_database import mariadbd_is_here
from crossdock.formats.dump_definers import without_definers
from crossdock.formats.dump_rows import DumpRows

pytestmark = [
    pytest.mark.skipif(shutil.which("mariadb-dump") is None, reason="needs mariadb-dump"),
    pytest.mark.skipif(not mariadbd_is_here(), reason="needs mariadbd"),
]

SHOP = "cd_backup"


@pytest.fixture(scope="module")
def shop(mariadb: TestDatabase) -> Iterator[TestDatabase]:
    mariadb.root(f"CREATE DATABASE {SHOP}; USE {SHOP}; CREATE TABLE old (id int) ENGINE=MyISAM")
    mariadb.root(f"USE {SHOP}; INSERT INTO old VALUES (1), (2)")
    yield mariadb
    mariadb.root(f"DROP DATABASE {SHOP}")


def account(database: TestDatabase) -> DatabaseAccount:
    return DatabaseAccount(SHOP, "cd", PASSWORD, f"127.0.0.1:{database.port}")


def test_the_password_is_in_no_argument_list(shop: TestDatabase, sshd: TestSsh) -> None:
    seen: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(entry.read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        remote = RemoteDump(sshd.host(), account(shop))
        assert b"".join(remote.tables(SHOP, without=[], events=False, routines=False, position=False))
    finally:
        stop.set()
        watcher.join()
    assert any("--single-transaction" in line for line in seen)
    secret = str(PASSWORD)
    assert not [line for line in seen if secret in line or secret.replace("\\", "\\\\") in line]


def test_localhost_is_the_socket_that_php_knows(shop: TestDatabase) -> None:
    with ssh_server(forwarding=False, more="SetEnv PHPRC={folder}\n") as server:
        (server.folder / "php.ini").write_text(f"mysqli.default_socket = {shop.socket}\n")
        plain = DatabaseAccount(SHOP, "cd", PASSWORD, "localhost")
        found = with_socket(server.host(), plain)
        assert found.host == f"localhost:{shop.socket}"
        rows = DumpRows()
        for piece in RemoteDump(server.host(), found).locked_table(SHOP, "old"):
            rows.feed(piece)
        assert (rows.tables["old"].rows, rows.ends) == (2, 1)


def test_an_account_that_owns_one_database_can_load_what_others_have_defined(shop: TestDatabase, sshd: TestSsh) -> None:
    odd = "`od``d`@localhost"
    shop.root(f"CREATE USER {odd}; GRANT ALL ON {SHOP}.* TO {odd}")
    for sql in (
        f"CREATE DEFINER={odd} TRIGGER watch BEFORE INSERT ON old FOR EACH ROW SET NEW.id = NEW.id + 1",
        f"CREATE DEFINER={odd} VIEW seen AS SELECT 'CREATE DEFINER=`a`@`b`' FROM old",
        f"CREATE DEFINER={odd} PROCEDURE tidy() DELETE FROM old",
        f"CREATE DEFINER={odd} EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM old",
        "INSERT INTO old VALUES (3)",
        "CREATE DATABASE cd_given",
        "GRANT SELECT ON mysql.* TO cd@'%'",
    ):
        shop.root(f"USE {SHOP}; {sql}")
    try:
        remote = RemoteDump(sshd.host(), account(shop))
        dump = b"".join(remote.tables(SHOP, without=[], events=True, routines=True, position=False))
        assert dump.count(b"DEFINER=`od``d`@`localhost`") == 4
        with pytest.raises(TargetError, match="SUPER"):
            load_dump(shop.endpoint("cd_given"), [dump])
        shop.root("DROP DATABASE cd_given; CREATE DATABASE cd_given")
        cut = [dump[at : at + 7] for at in range(0, len(dump), 7)]
        load_dump(shop.endpoint("cd_given"), without_definers(cut))
        session = shop.endpoint("cd_given").open_source()
        try:
            kinds = {code.kind for code in session.schema().stored_code}
            (row,) = session.query("SELECT * FROM seen LIMIT 1")
        finally:
            session.close()
        assert kinds == {"trigger", "view", "procedure", "event"}
        assert row == (b"CREATE DEFINER=`a`@`b`",)
    finally:
        shop.root(f"DROP DATABASE cd_given; DROP USER {odd}")
