"""What a backup is, what of it is read back, and when a proof is too old: for any input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import ConfigError, CrossdockError
from crossdock.core.evidence import Level, Receipt
from crossdock.core.files import FILE
from crossdock.formats.dump_rows import DumpRows
from crossdock.hub.moves.restores import parse_database
from crossdock.move.backup import (
    DumpedDatabase,
    KeptFile,
    Manifest,
    distinct_roots,
    sample,
    still_missing,
    subset,
)
from crossdock.move.gate import lacking

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)
VALUES = st.lists(st.text(max_size=12), min_size=1, max_size=8)


def quoted(value: str) -> str:
    """As mysqldump writes it."""
    pairs = (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0"), ("\x1a", "\\Z"))
    for plain, escaped in pairs:
        value = value.replace(plain, escaped)
    return f"'{value}'"


def dump(rows: list[str], *, lines: bool) -> bytes:
    """Of MariaDB's program (a row a line), or of MySQL's (all on one)."""
    made = [f"({number % 2},{quoted(row)},NULL,0xAB)" for number, row in enumerate(rows)]
    body = "\n" + ",\n".join(made) if lines else " " + ",".join(made)
    return f"-- a dump\nINSERT INTO `t``x` VALUES{body};\n-- Dump completed on 2026-11-25\n".encode()


@given(VALUES, st.booleans(), st.integers(1, 9))
def test_rows_are_told_apart_wherever_the_stream_is_cut(rows: list[str], lines: bool, piece: int) -> None:
    content = dump(rows, lines=lines)
    whole, cut = DumpRows(), DumpRows()
    whole.feed(content)
    pieces = [content[at : at + piece] for at in range(0, len(content), piece)]
    assert b"".join(cut.passing(pieces)) == content
    for one in (whole, cut):
        assert (one.tables["t`x"].rows, one.ends, one.bytes) == (len(rows), 1, len(content))
    assert whole.tables["t`x"] == cut.tables["t`x"]
    assert whole.sha256 == cut.sha256


@given(st.dictionaries(NAMES, st.binary(max_size=4), max_size=6))
def test_a_manifest_comes_back_with_any_names(files: dict[bytes, bytes]) -> None:
    kept = {name: KeptFile(FILE, 0o644, len(content), 1, content.hex()) for name, content in files.items()}
    one = DumpedDatabase("shop", "abc", "shop.sql", "0" * 64, 9, "", "0", {"wp_ß`": (3, "ff")}, {"wp_old": 0.25}, {})
    made = Manifest("lumen", "north", "run", "2026-11-25T00:00:00+00:00", [one], "def", {"/www": kept})
    again = Manifest.of(made.as_bytes())
    assert again == made
    assert (again.files, again.rows, again.lock_seconds) == (len(files), 3, 0.25)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"format": 1}', b'{"format": 99}', b"\xff", b"7" * 99]
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(CrossdockError):
        Manifest.of(content)


@given(st.lists(st.integers(0, 200_000), max_size=60), st.integers(1, 20), st.integers(1, 20), st.text(max_size=3))
def test_a_sample_is_the_seeds_and_holds_all_that_is_small(sizes: list[int], large: int, small: int, seed: str) -> None:
    kept = {f"f{number}".encode(): KeptFile(FILE, 0o644, size, 1, "ab") for number, size in enumerate(sizes)}
    manifest = Manifest("lumen", "north", "run", "", folders={"/www": kept})
    chosen = sample(manifest, large, small, seed)
    assert chosen == sample(manifest, large, small, seed)
    assert len(set(chosen)) == len(chosen) <= large + small
    little = {("/www", name) for name, one in kept.items() if one.size <= 64 << 10}
    if len(little) <= small:
        assert little <= set(chosen)
    assert len(chosen) == min(len(sizes), min(small, len(little)) + min(large, len(sizes) - min(small, len(little))))


@given(st.integers(0, 1 << 45), st.integers(1, 1 << 20))
def test_a_check_reads_all_of_a_small_repository_and_something_of_any(stored: int, mib: int) -> None:
    share = subset(stored, mib)
    percent = int(share.removesuffix("%"))
    assert 1 <= percent <= 100
    assert (percent == 100) == (stored <= mib << 20)


def test_folders_below_others_are_kept_once() -> None:
    assert distinct_roots(["/srv/www/", "/srv/www/media", "/srv/www-2", "/srv/www", ""]) == ["/srv/www", "/srv/www-2"]
    assert distinct_roots(["/", "/srv"]) == ["/"]


def proof(hours: float, **data: object) -> Receipt:
    began = (NOW - timedelta(hours=hours)).isoformat()
    fields = {"proved": True, "began": began, **data}
    return Receipt(1, "run", "backup.proof", "north", NOW.isoformat(), fields, "", "")


@given(st.floats(-72, 72, allow_nan=False), st.integers(1, 48))
def test_a_proof_is_fresh_for_so_many_hours_and_never_from_the_future(hours: float, limit: int) -> None:
    why = lacking([proof(hours)], limit, NOW)
    if hours < -1:
        assert "future" in why
    elif 0 <= hours <= limit - 0.01:
        assert why == ""
    elif hours > limit + 0.01:
        assert "hours old" in why


def test_the_newest_proof_counts() -> None:
    assert lacking([], 24, NOW) == "no backup was proved yet"
    assert "red" in lacking([proof(1), proof(0.5, proved=False)], 24, NOW)
    assert lacking([proof(1, proved=False), proof(0.5)], 24, NOW) == ""
    for wrong in ("yes", 1, None):
        assert "red" in lacking([proof(1, proved=wrong)], 24, NOW)
    for wrong in ("", "yesterday", None, "2026-11-25T11:00:00"):
        assert lacking([proof(1, began=wrong)], 24, NOW)


def test_what_could_not_be_read_stays_missing_at_every_later_proof() -> None:
    made = Manifest("lumen", "north", "run", "", missing=[("north: /www", "1 files can't be read")])
    (found,) = still_missing(Manifest.of(made.as_bytes()))
    assert (found.code, found.level, found.place) == ("backup.unreadable", Level.FAIL, "north: /www")


@pytest.mark.parametrize(
    "url", ["", "lumen", "mysql://root@host:99999/x", "mysql://root@[::1/x", "mysql://root@host", "http://root@host/x",
            "mysql://host/x", "mysql://root:geheim@host/x"],
)  # fmt: skip
def test_what_is_no_databases_address_is_told_without_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_database(url, "")
    assert "geheim" not in str(caught.value)
