"""The rows of a SQL dump of mysqldump or mariadb-dump, counted and hashed by table as the dump passes.

Both programs write a value's line breaks as escapes, so a line begins and ends where a row or statement does. Two dumps
that hold the same rows have the same sums, in whatever order and however many rows to a statement.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import xxhash

from crossdock.core.errors import SourceError
from crossdock.formats.sql_session import unquoted

_HEAD = re.compile(rb"INSERT\s++(?:IGNORE\s++)?INTO (`(?:[^`]|``)++`)(?:\s*+\((?:[^()`]|`(?:[^`]|``)++`)*+\))? VALUES")
_ROW = re.compile(rb"\((?:[^'()]++|'(?:[^'\\]++|\\.|'')*+')*+\)", re.DOTALL)
_POSITION = re.compile(rb"-- CHANGE MASTER TO MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+)")
_MODULUS = 1 << 128


@dataclass
class RowSum:
    """A table's rows: how many, and the sum of their 128-bit hashes."""

    rows: int = 0
    total: int = 0

    def add(self, row: bytes) -> None:
        self.rows += 1
        self.total = (self.total + xxhash.xxh3_128_intdigest(row)) % _MODULUS

    @property
    def digest(self) -> str:
        return f"{self.total:032x}"


class DumpRows:
    """Sums of the tables whose rows have passed, by name. `sha256` covers every byte; `ends`: how often the last line
    of a whole dump came; `position`: the binary log's file and position, where the dump tells them."""

    def __init__(self) -> None:
        self.tables: dict[str, RowSum] = {}
        self.bytes = self.ends = 0
        self.position = ""
        self._sha256 = hashlib.sha256()
        self._held: list[bytes] = []
        self._current: RowSum | None = None
        self._is_row_a_line = False
        self._delimiter = b";"

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())

    def passing(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces as they are, read on the way. Errors: SourceError for rows that can't be told apart."""
        for piece in pieces:
            self.feed(piece)
            yield piece

    def feed(self, piece: bytes) -> None:
        """Reads on. Errors: SourceError."""
        self.bytes += len(piece)
        self._sha256.update(piece)
        first, *rest = piece.split(b"\n")
        self._held.append(first)
        if not rest:
            return
        self._line(b"".join(self._held))
        for line in rest[:-1]:
            self._line(line)
        self._held = [rest[-1]]

    def _line(self, line: bytes) -> None:
        if self._current is not None:
            self._rows(line)
        elif line.startswith(b"DELIMITER "):
            self._delimiter = line[10:].strip()
        elif self._delimiter != b";":
            pass  # the body of a trigger, routine or event, which may hold anything
        elif line.startswith(b"INSERT ") and (head := _HEAD.match(line)):
            self._current = self.tables.setdefault(unquoted(head[1]), RowSum())
            rest = line[head.end() :].strip()
            self._is_row_a_line = not rest
            if rest:
                self._rows(rest)
        elif line.startswith(b"-- Dump completed"):
            self.ends += 1
        elif line.startswith(b"-- CHANGE MASTER") and (found := _POSITION.match(line)):
            self.position = f"{found[1].decode('ascii', 'replace')}:{found[2].decode()}"

    def _rows(self, line: bytes) -> None:
        table = self._current
        assert table is not None  # noqa: S101  only called within rows
        line = line.rstrip(b"\r")
        if line[-1:] not in (b",", b";"):
            raise SourceError("a line of rows ends neither in a comma nor in a semicolon", where="the dump")
        if line[-1:] == b";":
            self._current = None
        if self._is_row_a_line:
            table.add(line[:-1])
            return
        at = 0
        while at < len(line) - 1:
            row = _ROW.match(line, at)
            if row is None or line[row.end() : row.end() + 1] not in (b",", b";"):
                raise SourceError("a row can't be told from the next one", where="the dump")
            table.add(row[0])
            at = row.end() + 1
