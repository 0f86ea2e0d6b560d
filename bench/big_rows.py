"""Peak memory of the engine on wide rows: 16 MB rows after thousands of short ones, and one row of 100 MB.

The short rows matter: a reader that sizes its fetches by what it has seen is surprised by the first wide one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import data
import values
import watch
from stage import SOURCE_DATABASE, Stage, connected

from crossdock.lab.data.core_tables import install_core

MANY_BYTES, MANY_ROWS = 16 << 20, 24
SHORT_ROWS = 3000
ONE_BYTES = 100 << 20
LIMIT_MIB, LIMIT_FACTOR = 300, 8
_TEXT = f"<p>a page that never ends</p> {values.URL}/wp-content/uploads/2026/01/a.jpg "


@dataclass(frozen=True)
class BigRows:
    """One measurement. `limit_mib` is what no process may exceed."""

    title: str
    step: str
    peak_mib: float
    limit_mib: float


def measure(stage: Stage, engine: Callable[[str], watch.Watched]) -> list[BigRows]:
    """Replaces the source's database by one with wide rows; the caller must not need it any more."""
    found = []
    for title, size, rows, limit in (
        (f"{MANY_ROWS} rows of 16 MB behind {SHORT_ROWS:,} short ones", MANY_BYTES, MANY_ROWS, float(LIMIT_MIB)),
        ("one row of 100 MB", ONE_BYTES, 1, LIMIT_FACTOR * ONE_BYTES / (1 << 20)),
    ):
        _fill(stage, size, rows)
        stage.fresh_target()
        stage.install_network()
        found += [BigRows(title, step, engine(step).largest_mib, limit) for step in ("copy", "compare")]
    return found


def _fill(stage: Stage, size: int, rows: int) -> None:
    with connected(stage.source) as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {SOURCE_DATABASE}")
        cursor.execute(f"CREATE DATABASE {SOURCE_DATABASE}")
    install_core(lambda: stage.source.connect(SOURCE_DATABASE), data.STORE, prefix=data.PREFIX)
    with connected(stage.source) as cursor:
        # An address every 16 KB, which is a dense page.
        block = _TEXT + "x" * (16384 - len(_TEXT))
        table = f"{SOURCE_DATABASE}.wp_postmeta"
        cursor.execute(f"INSERT INTO {table} SELECT seq, 1, '_price', seq FROM {SOURCE_DATABASE}.seq_1_to_{SHORT_ROWS}")
        for number in range(SHORT_ROWS + 1, SHORT_ROWS + 1 + rows):
            values_ = (number, block, size // len(block))
            cursor.execute(f"INSERT INTO {table} VALUES (%s, 1, 'wide', REPEAT(%s, %s))", values_)
        cursor.execute(f"ANALYZE TABLE {table}")
