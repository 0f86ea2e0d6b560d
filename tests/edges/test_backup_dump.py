"""Real dumps over SSH into a server of our own: rows are the same by hash, and a dump that was cut is none."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_servers import PASSWORD, TestDatabase, TestSsh, ssh_server

from crossdock.core.errors import ConnectionLost, CrossdockError, TargetError
from crossdock.core.secrets import Masked
from crossdock.edges.database import DatabaseAccount, with_socket
from crossdock.edges.dump import RemoteDump, dump_rows, load_dump
from crossdock.edges.scratch_database import ScratchServer, mariadbd_is_here, refuse_full
from crossdock.formats.dump_rows import DumpRows
from crossdock.move.backup import DatabaseFacts, against_restored, dumped, read_database

pytestmark = [
    pytest.mark.skipif(shutil.which("mariadb-dump") is None, reason="needs mariadb-dump"),
    pytest.mark.skipif(not mariadbd_is_here(), reason="needs mariadbd"),
]

SHOP = "cd_backup"
ODD_TABLE = "o`dd -- ß;\\'\"%"
TABLES = rf"""
CREATE TABLE plain (id int PRIMARY KEY, t longtext, b blob, bits bit(9), g point, l text CHARACTER SET latin1,
  n decimal(20,6), d double, twice int AS (id * 2) STORED) ENGINE=InnoDB CHARSET=utf8mb4;
INSERT INTO plain (id, t, b, bits, g, l, n, d) VALUES
  (1, 'it''s; \n-- Dump completed on never\n(x),(y)', 0x00ff0a0d1a275c, b'101', POINT(1,2), 'größe', -1.5, 1e300),
  (2, '', '', b'0', NULL, NULL, 0, 0), (3, NULL, NULL, NULL, NULL, '', NULL, NULL),
  (4, '\\', 0x27, NULL, NULL, '\'', 1, 1);
CREATE TABLE empty (id int) ENGINE=InnoDB;
CREATE TABLE twins (v varchar(5)) ENGINE=InnoDB;
INSERT INTO twins VALUES ('a'), ('a'), ('b');
CREATE TABLE old (id int PRIMARY KEY, v text) ENGINE=MyISAM;
INSERT INTO old VALUES (1, 'one'), (2, 'two');
CREATE TABLE `{ODD_TABLE.replace("`", "``")}` (`a b` int, `c``d` text) ENGINE=InnoDB;
INSERT INTO `{ODD_TABLE.replace("`", "``")}` VALUES (7, 'seven');
CREATE VIEW seen AS SELECT id, t FROM plain;
"""
CODE = [
    "CREATE TRIGGER watch BEFORE INSERT ON plain FOR EACH ROW BEGIN\n-- Dump completed\nSET NEW.n = 1;\nEND",
    "CREATE TRIGGER watch_old BEFORE INSERT ON old FOR EACH ROW SET NEW.v = 'x'",
    "CREATE PROCEDURE tidy() BEGIN DELETE FROM empty; INSERT INTO `empty` VALUES (1); END",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM empty",
]


@pytest.fixture(scope="module")
def shop(mariadb: TestDatabase) -> Iterator[TestDatabase]:
    mariadb.root(f"CREATE DATABASE {SHOP} CHARACTER SET utf8mb4")
    mariadb.root(f"SET NAMES utf8mb4; USE {SHOP}; {TABLES}")
    for statement in CODE:
        mariadb.root(f"USE {SHOP};\nDELIMITER //\n{statement}//")
    mariadb.root("GRANT SELECT ON mysql.proc TO cd@'%'")
    yield mariadb
    mariadb.root(f"DROP DATABASE {SHOP}")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchServer]:
    with ScratchServer(tmp_path_factory.mktemp("proof") / "scratch") as server:
        yield server


def account(database: TestDatabase) -> DatabaseAccount:
    return DatabaseAccount(SHOP, "cd", PASSWORD, f"127.0.0.1:{database.port}")


def facts_of(database: TestDatabase) -> DatabaseFacts:
    session = database.endpoint(SHOP).open_source()
    try:
        return read_database(session, SHOP)
    finally:
        session.close()


def whole_dump(remote: RemoteDump, facts: DatabaseFacts, rows: DumpRows) -> bytes:
    parts = [
        remote.tables(
            SHOP, without=facts.locked, events=facts.events, routines=facts.routines, position=facts.position
        ),
        *(remote.locked_table(SHOP, name) for name in facts.locked),
    ]
    return b"".join(rows.passing(itertools.chain(*parts)))


def test_a_dump_of_everything_odd_comes_back_row_by_row(
    shop: TestDatabase, sshd: TestSsh, scratch: ScratchServer
) -> None:
    facts = facts_of(shop)
    assert facts.locked == ("old",)
    rows = DumpRows()
    dump = whole_dump(RemoteDump(sshd.host(), account(shop)), facts, rows)
    assert rows.ends == 2
    assert {name: one.rows for name, one in rows.tables.items()} == {
        "plain": 4, "twins": 3, "old": 2, ODD_TABLE: 1,
    }  # fmt: skip
    sums = {name: (one.rows, one.digest) for name, one in rows.tables.items()}
    made = dumped(facts, "abc", (rows.sha256, rows.bytes, rows.position), sums, {"old": 0.1})
    endpoint = scratch.database("proof")
    load_dump(endpoint, [dump])
    assert compare(made, endpoint) == []
    session = endpoint.open_target()
    try:
        # One bit in a blob, one of two equal rows, a trigger: the same counts, and yet not the same.
        session.execute("UPDATE plain SET b = 0x26 WHERE id = 4")
        session.execute("UPDATE twins SET v = 'b' WHERE v = 'a' LIMIT 1")
        session.execute("DELETE FROM old LIMIT 1")
        session.execute("DROP TRIGGER watch")
    finally:
        session.close()
    assert [one.place for one in compare(made, endpoint)] == [
        f"north: {SHOP}.old", f"north: {SHOP}.plain", f"north: {SHOP}.twins", f"north: {SHOP}",
    ]  # fmt: skip


def compare(made, endpoint):  # type: ignore[no-untyped-def]
    found = DumpRows()
    for piece in dump_rows(endpoint):
        found.feed(piece)
    session = endpoint.open_source()
    try:
        schema = session.schema()
    finally:
        session.close()
    sums = {name: (one.rows, one.digest) for name, one in found.tables.items()}
    return against_restored("north", made, sums, schema)


def test_a_connection_cut_in_the_middle_is_never_a_dump(shop: TestDatabase, sshd: TestSsh) -> None:
    shop.root(f"USE {SHOP}; CREATE TABLE big (id int, v longtext); ")
    shop.root(f"USE {SHOP}; INSERT INTO big SELECT seq, REPEAT('x', 500000) FROM seq_1_to_60")
    try:
        rows = DumpRows()
        stream = rows.passing(
            RemoteDump(sshd.host(), account(shop)).tables(
                SHOP, without=["old"], events=False, routines=False, position=False
            )
        )
        for _ in range(3):
            next(stream)
        assert sshd.cut_sessions()
        with pytest.raises(ConnectionLost):
            list(stream)
        assert rows.ends == 0
    finally:
        shop.root(f"DROP TABLE {SHOP}.big")


def test_a_wrong_account_is_told_without_its_password(shop: TestDatabase, sshd: TestSsh) -> None:
    wrong = DatabaseAccount(SHOP, "cd", Masked("geheim-123"), f"127.0.0.1:{shop.port}")
    with pytest.raises(CrossdockError, match="Access denied") as caught:
        list(RemoteDump(sshd.host(), wrong).tables(SHOP, without=[], events=False, routines=False, position=False))
    assert "geheim-123" not in str(caught.value)


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
        whole_dump(RemoteDump(sshd.host(), account(shop)), facts_of(shop), DumpRows())
    finally:
        stop.set()
        watcher.join()
    assert any("--single-transaction" in line for line in seen)
    secret = str(PASSWORD)
    assert not [line for line in seen if secret in line or secret.replace("\\", "\\\\") in line]


def test_a_database_that_holds_anything_is_refused(scratch: ScratchServer) -> None:
    endpoint = scratch.database("full")
    refuse_full(endpoint)
    session = endpoint.open_target()
    try:
        session.execute("CREATE TABLE there (id int)")
    finally:
        session.close()
    with pytest.raises(TargetError, match="not empty"):
        refuse_full(endpoint)


def test_what_is_no_dump_is_told_in_the_clients_words(scratch: ScratchServer) -> None:
    with pytest.raises(TargetError, match="syntax"):
        load_dump(scratch.database("proof"), [b"this is no SQL;\n"])


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
