"""What a backup is proved with: sums of rows, samples, manifests, and the gate that reads its receipts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import CrossdockError, SourceError
from crossdock.core.evidence import Receipt
from crossdock.core.files import FILE, LINK
from crossdock.core.tables import Schema, StoredCode, Table
from crossdock.formats.dump_rows import DumpRows
from crossdock.move import backup
from crossdock.move.backup import DumpedDatabase, KeptFile, Manifest
from crossdock.move.gate import lacking

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
END = b"-- Dump completed on 2026-11-25 12:00:00\n"


def escaped(value: bytes) -> bytes:
    for raw, written in ((b"\\", b"\\\\"), (b"'", b"\\'"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\0")):
        value = value.replace(raw, written)
    return b"'" + value + b"'"


def row(values: list[bytes | int | None]) -> bytes:
    words = (b"NULL" if one is None else b"%d" % one if isinstance(one, int) else escaped(one) for one in values)
    return b"(" + b",".join(words) + b")"


def statement(rows: list[bytes], *, a_line_each: bool) -> bytes:
    between, head = (b",\n", b"\n") if a_line_each else (b",", b" ")
    return b"INSERT INTO `t``(x` VALUES" + head + between.join(rows) + b";\n"


def read(dump: bytes, size: int = 7) -> DumpRows:
    found = DumpRows()
    for at in range(0, len(dump), size):
        found.feed(dump[at : at + size])
    return found


@given(
    st.lists(
        st.lists(
            st.none() | st.integers() | st.binary(max_size=20) | st.sampled_from([b"'),(", b"),(", b"\\'", b");\n"])
        ),
        min_size=1,
        max_size=20,
    ).map(lambda rows: [[1, *one] for one in rows]),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_the_same_rows_have_the_same_sum_however_they_are_written(
    rows: list[list[bytes | int | None]], size: int, chance: random.Random
) -> None:
    written = [row(one) for one in rows]
    old = read(statement(written, a_line_each=False), size)
    shuffled = chance.sample(written, len(written))
    new = read(b"".join(statement([one], a_line_each=True) for one in shuffled), 4096)
    assert old.tables == new.tables
    assert old.tables["t`(x"].rows == len(rows)
    changed = [*written[:-1], row([2, *rows[-1][1:]])]
    assert read(statement(changed, a_line_each=False)).tables != old.tables


def test_only_rows_of_tables_and_real_ends_count() -> None:
    body = b"DELIMITER ;;\nCREATE TRIGGER x BEGIN\nINSERT INTO `t` VALUES\n(1);\n" + END + b"END ;;\nDELIMITER ;\n"
    place = b"-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000002', MASTER_LOG_POS=1234;\n"
    found = read(place + statement([b"(1)"], a_line_each=True) + body + END)
    assert (found.rows, found.ends, list(found.tables)) == (1, 1, ["t`(x"])
    assert found.position == "binlog.000002:1234"
    assert read((statement([b"(1)"], a_line_each=True) + END)[:-30]).ends == 0
    with pytest.raises(SourceError):
        read(b"INSERT INTO `t` VALUES\n(1\n(2);\n")
    with pytest.raises(SourceError):
        read(b"INSERT INTO `t` VALUES (1)(2);\n")


def manifest() -> Manifest:
    database = DumpedDatabase(
        "wp", "aa", "wp.sql", "0" * 64, 10, "binlog.1:4", "0", {"t": (2, "f" * 32), "odd `name": (0, "0" * 32)},
        {"t": 0.2}, {"view": ["v"]},
    )  # fmt: skip
    kept = {f"f{number}".encode(): KeptFile(FILE, 0o644, number, 1, "a" * 64) for number in range(50)}
    kept |= {b"strange \xff\n": KeptFile(FILE, 0o644, 1 << 20, 1, "b" * 64), b"l": KeptFile(LINK, 0o777, 1, 1, "f1")}
    kept[b"log"] = KeptFile(FILE, 0o644, 9, 1, "")
    return Manifest("Lümen", "north", "run-1", "2026-11-25T11:00:00+00:00", [database], "bb", {"/srv/www": kept})


def test_a_manifest_comes_back_as_it_was() -> None:
    assert Manifest.of(manifest().as_bytes()) == manifest()
    for spoilt in (b"", b"[]", b"{}", manifest().as_bytes()[:-9]):
        with pytest.raises(CrossdockError):
            Manifest.of(spoilt)
    with pytest.raises(CrossdockError, match="later"):
        Manifest.of(manifest().as_bytes().replace(b'"format": 1', b'"format": 2'))


def test_a_sample_has_all_small_files_or_some_and_some_of_the_rest() -> None:
    whole = backup.sample(manifest(), 5, 50, "seed")
    assert len(whole) == 51
    assert ("/srv/www", b"strange \xff\n") in whole
    assert ("/srv/www", b"log") not in whole
    some = backup.sample(manifest(), 5, 10, "seed")
    assert len(some) == len(set(some)) == 15
    assert some == backup.sample(manifest(), 5, 10, "seed") != backup.sample(manifest(), 5, 10, "other")


def test_a_check_reads_all_of_what_is_small_and_never_nothing() -> None:
    shares = [backup.subset(size, 100) for size in (0, 100 << 20, 200 << 20, 1 << 50)]
    assert shares == ["100%", "100%", "50%", "1%"]


def test_what_differs_after_a_restore_is_named() -> None:
    one = manifest().databases[0]
    table = [Table(name, "InnoDB", "", (), (), "") for name in one.tables]
    view = StoredCode("view", "v", "")
    good = {"t": (2, "f" * 32)}
    assert backup.against_restored("north", one, good, Schema("wp", tuple(table), (view,))) == []
    for sums, schema, told in (
        ({"t": (1, "f" * 32)}, Schema("wp", tuple(table), (view,)), "2 rows were dumped, 1 restored"),
        ({"t": (2, "e" * 32)}, Schema("wp", tuple(table), (view,)), "rows differ"),
        (good, Schema("wp", tuple(table[:1]), (view,)), "lacks this table"),
        (good, Schema("wp", tuple(table), ()), "views are not the same: v"),
    ):
        (found,) = backup.against_restored("north", one, sums, schema)
        assert (found.code, told in found.text) == ("backup.unproved", True)


def test_what_holds_credentials_is_known_by_its_name() -> None:
    names = [b"wp-config.php", b"a/wp-config.php.bak", b"old-wp-config.php~", b".env", b"a/.env.local"]
    assert all(map(backup.is_secret, names))
    assert not any(map(backup.is_secret, [b"wp-config-sample.php", b"index.php", b"a/environment"]))
    assert backup.distinct_roots(["/srv/www/", "/srv/www/wp-content", "", "/srv/www2", "/srv/www"]) == [
        "/srv/www",
        "/srv/www2",
    ]


def proof(**data: Any) -> Receipt:
    return Receipt(1, "run", "backup.proof", "north", "", {"proved": True, "began": NOW.isoformat(), **data}, "", "")


@pytest.mark.parametrize(
    ("receipts", "told"),
    [
        ([], "no backup was proved yet"),
        ([proof()], ""),
        ([proof(proved=False), proof()], ""),
        ([proof(), proof(proved=False)], "red"),
        ([proof(proved="yes")], "red"),
        ([proof(began=(NOW - timedelta(hours=23.9)).isoformat())], ""),
        ([proof(began=(NOW - timedelta(hours=30)).isoformat())], "30.0 hours old, and may be 24"),
        ([proof(began=(NOW + timedelta(seconds=30)).isoformat())], ""),
        ([proof(began=(NOW + timedelta(hours=1)).isoformat())], "from the future"),
        ([proof(began="")], "does not say when"),
        ([proof(began="2026-11-25T12:00:00")], "does not say when"),
    ],
)
def test_the_gate_reads_the_newest_proof(receipts: list[Receipt], told: str) -> None:
    why = lacking(receipts, 24, NOW)
    assert told in why
    assert bool(told) == bool(why)
