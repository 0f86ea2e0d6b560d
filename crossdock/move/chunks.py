"""Tables cut into parts that one transaction can carry."""

from __future__ import annotations

from dataclasses import dataclass

from crossdock.core.ports import Session
from crossdock.core.tables import Table
from crossdock.wordpress.ddl import quoted

_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True)
class Chunk:
    """A part of a table: rows whose integer key is in [lo, hi); None is open; both None: the whole table."""

    server: str
    source: str
    part: int
    lo: int | None
    hi: int | None

    def where(self, key: str | None, offset: int = 0) -> str:
        """The SQL condition on the quoted key column, shifted by `offset` for the target's side; '' for all."""
        if key is None:
            return ""
        parts = []
        if self.lo is not None:
            parts.append(f"{key} >= {self.lo + offset}")
        if self.hi is not None:
            parts.append(f"{key} < {self.hi + offset}")
        return " AND ".join(parts)


def cut(session: Session, server: str, table: Table, chunk_rows: int) -> list[Chunk]:
    """A table's chunks: ranges of its integer key of about `chunk_rows` rows and at most about 16 MB.

    The outer ends are open, so that every row is in exactly one. A table without an integer key is one chunk.
    """
    whole = [Chunk(server, table.name, 0, None, None)]
    key = table.integer_key
    rows = max(table.rows_estimate, 1)
    by_bytes = int(_CHUNK_BYTES / max(table.bytes_estimate / rows, 1))
    step_rows = max(min(chunk_rows, by_bytes), 1)
    if key is None or rows <= step_rows:
        return whole
    low, high = session.query(f"SELECT MIN({quoted(key)}), MAX({quoted(key)}) FROM {quoted(table.name)}")[0]
    if low is None or high is None:
        return whole
    first, last = int(low), int(high)
    count = min(-(-rows // step_rows), last - first + 1)
    step = max((last - first + 1) // count, 1)
    bounds: list[int | None] = [None, *range(first + step, last + 1, step), None]
    return [Chunk(server, table.name, part, bounds[part], bounds[part + 1]) for part in range(len(bounds) - 1)]
