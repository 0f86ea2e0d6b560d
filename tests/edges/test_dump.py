"""Dumps over SSH of a real server: whole or told, odd names, locked tables, and what a restore makes of them."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import moto
import pytest
from local_servers import PASSWORD, TestDatabase, TestSsh

from crossdock.core.errors import ConfigError, ConnectionLost, SourceError, TargetError
from crossdock.core.secrets import Masked
from crossdock.edges.database import DatabaseAccount
from crossdock.edges.dump import RemoteDump, dump_rows, load_dump
from crossdock.edges.ebs import Ebs
from crossdock.edges.scratch_database import ScratchServer, refuse_full
from crossdock.edges.sealing import make_key, seal, unseal
from crossdock.formats.dump_rows import DumpRows
from crossdock.move import backup

ODD = "we``ird tä; (x'\\"
SETUP = f"""
CREATE DATABASE cd_backup CHARACTER SET utf8mb4; USE cd_backup; SET sql_mode='ALLOW_INVALID_DATES';
CREATE TABLE t (id int PRIMARY KEY, a text, b blob, d date, f float);
INSERT INTO t VALUES (1, 'x),(\\'y', x'00ff0a', '2024-02-30', 0.1), (2, NULL, '', '0000-00-00', 16777216);
CREATE TABLE `{ODD}` (a int) ENGINE=MyISAM; INSERT INTO `{ODD}` VALUES (1), (2);
CREATE VIEW v AS SELECT id FROM t; CREATE TABLE gone (a int); CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone;
CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 'touched';
CREATE PROCEDURE p() SELECT 1; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1;
"""


@pytest.fixture(scope="module")
def source(mariadb: TestDatabase) -> Iterator[TestDatabase]:
    subprocess.run(
        ["mariadb", "--no-defaults", "-uroot", f"--socket={mariadb.socket}"], input=SETUP.encode(), check=True
    )
    yield mariadb
    mariadb.root("DROP DATABASE cd_backup")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScratchServer]:
    with ScratchServer(tmp_path_factory.mktemp("scratch") / "server") as server:
        yield server


def remote(source: TestDatabase, sshd: TestSsh) -> RemoteDump:
    return RemoteDump(sshd.host(), DatabaseAccount("cd_backup", "cd", PASSWORD, f"127.0.0.1:{source.port}"))


def facts_of(source: TestDatabase) -> backup.DatabaseFacts:
    session = source.endpoint("cd_backup").open_source()
    try:
        return backup.read_database(session, "cd_backup")
    finally:
        session.close()


def test_a_dump_comes_back_as_it_was(source: TestDatabase, sshd: TestSsh, scratch: ScratchServer) -> None:
    facts = facts_of(source)
    assert facts.locked == (ODD.replace("``", "`"),)
    assert list(facts.broken) == ["broken"]
    assert (facts.events, facts.routines) == (True, False)  # the account may not read another one's procedure
    rows, there = DumpRows(), DumpRows()
    without = [*facts.locked, *facts.broken]
    dump = remote(source, sshd)
    main = dump.tables("cd_backup", without=without, events=facts.events, routines=facts.routines, position=False)
    whole = b"".join(rows.passing(main)) + b"".join(rows.passing(dump.locked_table("cd_backup", facts.locked[0])))
    assert rows.ends == 2
    assert {name: one.rows for name, one in rows.tables.items()} == {"t": 2, ODD.replace("``", "`"): 2}
    assert str(PASSWORD).encode() not in whole
    place = scratch.database("cd_backup")
    load_dump(place, iter([whole]))
    for _ in there.passing(dump_rows(place)):
        pass
    sums = {name: (one.rows, one.digest) for name, one in rows.tables.items()}
    one = backup.dumped(facts, "id", (rows.sha256, rows.bytes, ""), sums, {})
    found = {name: (one.rows, one.digest) for name, one in there.tables.items()}
    session = place.open_source()
    assert backup.against_restored("north", one, found, session.schema()) == []
    assert session.query("SELECT CONVERT(d USING latin1) FROM t WHERE id = 1") == [(b"2024-02-30",)]
    session.close()
    with pytest.raises(TargetError, match="not empty"):
        refuse_full(place)
    with pytest.raises(TargetError, match="can't be loaded"):
        load_dump(scratch.database("other"), iter([b"SELECT nonsense;"]))
    assert {one.code for one in backup.told_of("north", facts)} == {
        "backup.view-broken",
        "backup.partial",
        "backup.rounded",
    }


def test_a_table_is_locked_no_longer_than_it_takes(source: TestDatabase, sshd: TestSsh) -> None:
    """Read locks keep writers out of MyISAM alone; the dump of InnoDB keeps nobody out."""
    dump = remote(source, sshd)
    pieces = dump.tables("cd_backup", without=["broken"], events=True, routines=False, position=False)
    first = next(pieces)
    source.root(
        f"INSERT INTO cd_backup.t VALUES (9, 'late', '', '2024-01-01', 1); INSERT INTO cd_backup.`{ODD}` VALUES (3)"
    )
    assert b"late" not in first + b"".join(pieces)
    source.root(f"DELETE FROM cd_backup.t WHERE id = 9; DELETE FROM cd_backup.`{ODD}` WHERE a = 3")


def test_a_cut_connection_and_a_refusal_are_told(source: TestDatabase, sshd: TestSsh) -> None:
    source.root(
        "CREATE TABLE cd_backup.big (a longtext); INSERT INTO cd_backup.big SELECT REPEAT('x', 1000000) FROM "
        "information_schema.COLUMNS LIMIT 60"
    )
    try:
        rows = DumpRows()
        pieces = remote(source, sshd).tables(
            "cd_backup", without=["broken"], events=True, routines=False, position=False
        )
        rows.feed(next(pieces))
        threading.Timer(0.1, sshd.cut_sessions).start()
        time.sleep(0.3)
        with pytest.raises(ConnectionLost):
            b"".join(rows.passing(pieces))
        assert rows.ends == 0
    finally:
        source.root("DROP TABLE cd_backup.big")
    with pytest.raises(SourceError, match="references invalid table"):
        list(remote(source, sshd).tables("cd_backup", without=[], events=True, routines=True, position=False))
    wrong = RemoteDump(sshd.host(), DatabaseAccount("x", "cd", Masked("no"), f"127.0.0.1:{source.port}"))
    with pytest.raises(SourceError, match="Access denied"):
        list(wrong.locked_table("cd_backup", "t"))


def test_a_seal_opens_with_its_key_alone() -> None:
    key = Masked(make_key())
    assert unseal(seal(b"secret", key), key) == b"secret"
    sealed = seal(b"secret", key)
    for content, other in (
        (sealed, Masked(make_key())),
        (sealed[:-3] + b"AA=", key),
        (b"", key),
        (sealed, Masked("x")),
    ):
        with pytest.raises(ConfigError):
            unseal(content, other)


def test_volumes_get_snapshots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with moto.mock_aws():
        ec2 = boto3.client("ec2", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
        instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ebs = Ebs("eu-central-1", None, "a", "b")
        made = ebs.wait(ebs.create(instance, {"crossdock:server": "north"}), 1)
        assert made
        assert {one.state for one in made} == {"completed"}
        found = ec2.describe_snapshots(SnapshotIds=[made[0].id])["Snapshots"][0]
        assert {"Key": "crossdock:server", "Value": "north"} in found["Tags"]
