"""The literals of a SQL dump's rows, rewritten: what they stand for is rewritten, and only what changes is written
anew, escaped or as hex digits like what it replaces."""

from __future__ import annotations

import codecs
from binascii import Error, hexlify, unhexlify
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from operator import add

from crossdock.formats import _sql
from crossdock.formats.sql_session import UNKNOWN, Column, DumpSession, Unreadable
from crossdock.wordpress.nesting import Change, Edit
from crossdock.wordpress.rewriting import Found, Rewriter
from crossdock.wordpress.transform import is_text

_DATA = Column("data")
Literal = tuple[int, int, int, int, int]  # as _sql.Scanner tells them
Placed = tuple[int, int, tuple[bytes]]  # an edit of the dump itself

# MySQL's latin1 is Windows-1252 with no gaps.
_LATIN1 = "".join(bytes((code,)).decode("cp1252", "ignore") or chr(code) for code in range(256))
_TO_LATIN1 = codecs.charmap_build(_LATIN1)


@dataclass
class TableCounts:
    """What happened in one table. `values` were rewritten, and of them `broken` could not be read by PHP before, and
    `too_long` do not fit into their column any more. `left`: values that hold an address and stay, since they are no
    text, or names of an ENUM."""

    rows: int = 0
    values: int = 0
    addresses: int = 0
    broken: int = 0
    left: int = 0
    too_long: int = 0

    def __add__(self, other: TableCounts) -> TableCounts:
        return TableCounts(*map(add, astuple(self), astuple(other)))


class Literals:
    """Rewrites literals under the dump's charset and escapes."""

    def __init__(self, rewriter: Rewriter, session: DumpSession) -> None:
        self._rewriter = rewriter
        self._session = session
        #: Of the rows that come next.
        self.columns: Sequence[Column] = ()

    def edits(self, data: bytes, literals: Iterable[Literal], counts: TableCounts) -> list[Placed]:
        """What becomes of the literals in `data`, by place. Errors: Unreadable."""
        backslash = self._session.backslash_escapes
        made: list[Placed] = []
        for start, end, kind, escapes, number in literals:
            column = self.columns[number] if number < len(self.columns) else UNKNOWN
            if column is UNKNOWN and kind != _sql.TEXT:
                column = _DATA
            if kind == _sql.HEX:
                made += self._hex_edits(data, start, end, column, counts)
                continue
            if escapes & _sql.ODD and not self._session.is_told:
                raise _odd(data, start, end)
            value = _sql.unescaped(data, start, end, backslash) if escapes else data[start:end]
            found = self._found(value, column, counts)
            if found and escapes:
                made += _sql.placed(data, start, end, backslash, found)
            elif found:
                made += [(start + first, start + last, (change.text,)) for first, last, change in found]
        return made

    def _hex_edits(self, data: bytes, start: int, end: int, column: Column, counts: TableCounts) -> list[Placed]:
        digits = data[start:end]
        try:
            value = unhexlify(digits)
        except Error:  # a number of an odd count of digits
            return []
        if not self._rewriter.hits([value]):
            return []
        upper = digits == digits.upper()
        made: list[Placed] = []
        for first, last, change in self._found(value, column, counts):
            text = hexlify(change.text)
            made.append((start + 2 * first, start + 2 * last, (text.upper() if upper else text,)))
        return made

    def _found(self, value: bytes, column: Column, counts: TableCounts) -> list[Edit]:
        found = self._rewriter.find(value)
        if not found.edits:
            return found.edits
        if column.holds == "names" or not self._may_change(value, column):
            counts.left += 1
            return []
        if found.broken and not value.isascii():
            found = _best_read(value, found, self._rewriter)
        counts.values += 1
        counts.addresses += found.changes
        counts.broken += found.broken
        counts.too_long += bool(column.most) and self._is_too_long(value, found.edits, column)
        return found.edits

    def _may_change(self, value: bytes, column: Column) -> bool:
        """In data that are no text a changed length would break what reads them."""
        if column.holds == "text" or (value.isascii() and b"\0" not in value):
            return True
        return is_text(value, "utf-8" if column.holds == "data" or self._session.is_utf8 else "latin-1")

    def _is_too_long(self, value: bytes, edits: Iterable[Edit], column: Column) -> bool:
        grown = sum(len(change.text) - (end - start) for start, end, change in edits)
        if len(value) + grown <= column.most or column.in_bytes:
            return len(value) + grown > column.most
        return len(value.decode("utf-8" if self._session.is_utf8 else "latin-1", "replace")) + grown > column.most


def _odd(data: bytes, start: int, end: int) -> Unreadable:
    at = data.find(b"\\", start, end)
    while at >= 0 and data[at + 1] in b"0nrtbZ\\'\"%_":
        at = data.find(b"\\", at + 2, end)
    shown = data[at : at + 2].decode("ascii", "replace")
    return Unreadable(
        f"a string holds {shown}, which no dump program writes where a backslash escapes",
        "if the dump was made under NO_BACKSLASH_ESCAPES, say --no-backslash-escapes; if {shown} is meant as an "
        "escape, say --backslash-escapes".replace("{shown}", shown),
    )


# -- serialized data whose lengths count another charset's bytes -----------------------------------------------------


def _as_latin1(value: bytes) -> bytes:
    return codecs.charmap_encode(value.decode("utf-8"), "strict", _TO_LATIN1)[0]


def _as_utf8(value: bytes) -> bytes:
    return codecs.charmap_decode(value, "strict", _LATIN1)[0].encode("utf-8")


def _best_read(value: bytes, found: Found, rewriter: Rewriter) -> Found:
    """PHP counted the bytes that its connection sent, a dump holds those that its own did: of a site that speaks latin1
    to its database, and of a dump in latin1, the lengths fit only in the other of the two. The right one is where more
    of them do."""
    ways: tuple[tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]], ...] = (
        (_as_latin1, _as_utf8),
        (_as_utf8, _as_latin1),
    )
    for there, back in ways:
        try:
            other = there(value)
        except UnicodeError:
            continue
        again = rewriter.find(other)
        if (len(again.edits), not again.broken) > (len(found.edits), not found.broken):
            return again._replace(edits=_moved(other, again.edits, back))
    return found


def _moved(other: bytes, edits: Iterable[Edit], back: Callable[[bytes], bytes]) -> list[Edit]:
    """Edits of a value in one charset, for the same value in the other."""
    made: list[Edit] = []
    done = at = 0
    for start, end, change in edits:
        first = at + len(back(other[done:start]))
        at = first + len(back(other[start:end]))
        done = end
        text = back(change.text)
        made.append((first, at, Change(text, 0, 0, 0)))
    return made
