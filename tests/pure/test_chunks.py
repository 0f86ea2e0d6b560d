"""Cutting tables: every row is in exactly one part."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.ports import Session
from crossdock.core.tables import Column, Key, Row, Table
from crossdock.move.chunks import Chunk, cut


class Bounds:
    """A session that knows one table's smallest and largest key."""

    def __init__(self, keys: list[int]) -> None:
        self.answer: Row = (b"%d" % min(keys), b"%d" % max(keys)) if keys else (None, None)

    def query(self, sql: str, args: Any = ()) -> list[Row]:
        return [self.answer]


def parts(keys: list[int], estimate: int, size: int, chunk_rows: int, *, integer: bool = True) -> list[Chunk]:
    column = Column("id", "bigint" if integer else "varchar", "bigint(20)", False)
    table = Table(
        "wp_t", "InnoDB", "utf8mb4_bin", (column,), (Key("PRIMARY", ("id",), True),), "", None, estimate, size
    )
    return cut(cast("Session", Bounds(keys)), "north", table, chunk_rows)


def holds(chunk: Chunk, key: int) -> bool:
    return (chunk.lo is None or key >= chunk.lo) and (chunk.hi is None or key < chunk.hi)


KEYS = st.lists(st.integers(-(2**63), 2**64 - 1) | st.integers(-50, 500), max_size=40, unique=True)


@given(KEYS, st.integers(0, 5000), st.integers(0, 1 << 34), st.integers(1, 300), st.integers(-(2**63), 2**64 - 1))
def test_every_key_is_in_exactly_one_part(keys: list[int], estimate: int, size: int, rows: int, later: int) -> None:
    # The estimate may be far off, and rows may come after the cut.
    made = parts(keys, estimate, size, rows)
    for key in [*keys, later]:
        assert sum(holds(chunk, key) for chunk in made) == 1
    assert [chunk.part for chunk in made] == list(range(len(made)))
    assert all(one.hi == other.lo for one, other in pairwise(made))


def test_about_as_many_parts_as_asked_for() -> None:
    assert 10 <= len(parts([1, 1000], 1000, 1000, 100)) <= 12
    assert len(parts([1, 100], 100, 1000, 100)) == 1


def test_large_rows_make_small_parts() -> None:
    assert len(parts([1, 160], 160, 160 << 20, 20_000)) >= 10


def test_a_table_without_an_integer_key_is_one_part() -> None:
    assert parts([1, 1000], 1000, 1000, 100, integer=False) == [Chunk("north", "wp_t", 0, None, None)]


def test_conditions() -> None:
    chunk = Chunk("north", "wp_t", 0, 5, None)
    assert chunk.where("`id`") == "`id` >= 5"
    assert Chunk("north", "wp_t", 0, -5, 9).where("`id`", 1000) == "`id` >= 995 AND `id` < 1009"
    assert Chunk("north", "wp_t", 0, None, None).where("`id`") == ""
    assert chunk.where(None) == ""
