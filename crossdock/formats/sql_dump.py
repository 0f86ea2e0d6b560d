"""SQL dumps of mysqldump, mariadb-dump, mydumper and phpMyAdmin, rewritten as they pass.

Values are the literals in the rows of INSERT and REPLACE; everything else (definitions, comments, views, triggers)
passes as it is. The dump is read as the grammar that those programs write, no more: what does not fit is told with its
place instead of guessed, since a literal that is read wrongly shifts all that come after it. Memory holds what has come
since the last whole literal, so the largest value sets its size, not the dump.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from crossdock.core.errors import SourceError
from crossdock.formats import _sql
from crossdock.formats.sql_literals import Literals, Placed, TableCounts
from crossdock.formats.sql_session import FROM_A_WHOLE_DUMP, NAME, DumpSession, Unreadable
from crossdock.wordpress import _native
from crossdock.wordpress.rewriting import Rewriter

#: A value, or a statement without rows, longer than this many bytes is none: MySQL takes no packet beyond it.
LONGEST_HELD = 1 << 30
_LONGEST_HEAD = 1 << 20  # of INSERT, with its list of columns
_TELLING = 1 << 10  # bytes that tell what kind of statement begins

_BLANK = re.compile(rb"\s*+")
_INSERT = re.compile(
    rb"(?:INSERT|REPLACE)\s++(?:(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|IGNORE)\s++)*+(?:INTO\s++)?+"
    rb"(?P<table>" + NAME + rb"(?:\s*+\.\s*+" + NAME + rb")?+)\s*+"
    rb"(?:\((?P<columns>(?:" + NAME + rb"|[\s,]++)*+)\)\s*+)?+VALUES?\s*+(?=\()",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    rb"(?P<unit>/\*M?!)|(?P<comment>/\*)|(?P<line>--(?=[\s\0-\x1f]|\Z)|\#)|DELIMITER[ \t]+(?P<delimiter>\S++)"
    rb"|(?P<word>[A-Za-z]++|\()",
    re.IGNORECASE,
)
_COMPOUND = re.compile(
    rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?:AGGREGATE\s+)?(?:DEFINER\s*=\s*" + NAME + rb"(?:@" + NAME + rb")?\s+)?"
    rb"(?:AGGREGATE\s+)?(?:TRIGGER|PROCEDURE|FUNCTION|EVENT)\b",
    re.IGNORECASE,
)
_DUMP_AGAIN = "dump again with INSERT statements"
_REFUSED = {
    b"LOAD": ("LOAD DATA reads its rows from a file of its own", "dump again without --load-data or --tab"),
    b"UPDATE": ("an UPDATE is no row", _DUMP_AGAIN),
    b"COPY": ("this is a dump of PostgreSQL", "WordPress's database is MySQL or MariaDB: dump that"),
}
_DECOMPRESS = "decompress it on the way: {} dump.sql | crossdock rewrite ..."
_NOT_SQL = {
    b"\x1f\x8b": ("it is compressed by gzip", _DECOMPRESS.format("zcat")),
    b"\x28\xb5\x2f\xfd": ("it is compressed by zstd", _DECOMPRESS.format("zstdcat")),
    b"\xfd7zXZ": ("it is compressed by xz", _DECOMPRESS.format("xzcat")),
    b"BZh": ("it is compressed by bzip2", _DECOMPRESS.format("bzcat")),
    b"\x04\x22\x4d\x18": ("it is compressed by lz4", _DECOMPRESS.format("lz4cat")),
    b"PK\x03\x04": ("it is a ZIP archive", _DECOMPRESS.format("unzip -p")),
    b"\xff\xfe": ("it is UTF-16, as PowerShell's > writes", "dump with --result-file, or convert it: iconv -f UTF-16"),
    b"\xfe\xff": ("it is UTF-16", "convert it: iconv -f UTF-16"),
    b"<?xml": ("it is XML", _DUMP_AGAIN),
    b"SQLite format 3": ("it is a database of SQLite", _DUMP_AGAIN),
}
_BOM = b"\xef\xbb\xbf"

Inside = Literal["between", "rows", "other"]


class SqlDump:
    """One dump on its way. `tables` are the counts of those whose rows have come, by name, in order.

    `backslash_escapes`: how strings are escaped; None believes the dump's own SET sql_mode, and tells strings that do
    not fit it.
    """

    def __init__(self, rewriter: Rewriter, *, backslash_escapes: bool | None = None) -> None:
        self.tables: dict[str, TableCounts] = {}
        self.bytes_read = 0
        self._session = DumpSession(backslash_escapes)
        self._literals = Literals(rewriter, self._session)
        self._scanner = _sql.Scanner(rewriter.searches)
        self._inside: Inside = "between"
        self._table = ""
        self._counts = TableCounts()
        self._held = b""  # of earlier data, what is not done yet
        self._at = self._begin = self._start = 0  # in it: where to go on; where the token, the statement begins
        self._offset, self._line = 0, 1  # of its first byte
        self._is_empty = True

    @property
    def table(self) -> str:
        """Whose rows are passing, or came last."""
        return self._table

    def rewritten(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The dump with its values rewritten, in pieces. Errors: SourceError with offset, line, table and row where it
        can't be read or is not whole; what came before is then out already."""
        waiting: list[bytes] = []
        size = 0
        for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            self.bytes_read += len(chunk)
            # A long value waits until as much again has come: it is then looked at once for each doubling.
            if size >= len(self._held):
                yield self._done(b"".join([self._held, *waiting]), final=False)
                waiting, size = [], 0
        yield self._done(b"".join([self._held, *waiting]), final=True)

    def _done(self, data: bytes, *, final: bool) -> bytes:
        try:
            edits = self._pass(data, final)
            if final:
                self._check_end()
        except Unreadable as error:
            raise SourceError(error.what, where=self._place(data), way_out=error.way_out) from None
        kept = len(data) if final else self._kept()
        if len(data) - kept > LONGEST_HELD:
            self._at = kept
            raise SourceError(
                f"a value or statement of more than {LONGEST_HELD >> 30} GiB",
                where=self._place(data),
                way_out="a quote may be missing, or strings be escaped in another way: see --no-backslash-escapes",
            )
        self._begin = self._scanner.begin - kept if self._is_in_token() else 0
        self._at, self._start = self._at - kept, self._start - kept
        self._offset += kept
        self._line += data.count(b"\n", 0, kept)
        self._held = data[kept:]
        passed = data[:kept]
        return _native.applied(passed, edits) if edits else passed

    def _kept(self) -> int:
        """From where on the data are still needed. A string needs the quote before it."""
        if self._inside == "other":
            return self._start
        return max(self._scanner.begin - 1, 0) if self._is_in_token() else self._at

    def _is_in_token(self) -> bool:
        return self._inside == "rows" and self._scanner.is_in_token

    def _place(self, data: bytes) -> str:
        rows = f"table {self._table}, row {self._counts.rows + 1:,}, " if self._inside == "rows" else ""
        line = self._line + data.count(b"\n", 0, self._at)
        return f"{rows}line {line:,}, byte {self._offset + self._at:,}"

    def _check_end(self) -> None:
        if self._inside == "rows":
            raise Unreadable(
                "the dump ends within a row" if self._scanner.is_in_token else "the dump ends within a table's rows",
                FROM_A_WHOLE_DUMP,
            )
        if self._inside == "other":
            raise Unreadable("the dump ends within a statement or comment", FROM_A_WHOLE_DUMP)
        if self._is_empty:
            raise Unreadable("there is no statement in it", "give a dump: crossdock rewrite FROM TO < dump.sql")
        if self._session.due:
            raise Unreadable(f"the dump ends before {self._session.due}", FROM_A_WHOLE_DUMP)

    # -- passing -----------------------------------------------------------------------------------------------------

    def _pass(self, data: bytes, final: bool) -> list[Placed]:
        """Goes through the data as far as they tell enough."""
        edits: list[Placed] = []
        if not self._offset and not self._at and not self._pass_beginning(data, final):
            return edits
        while True:
            if self._inside == "between":
                if not self._pass_between(data, final):
                    return edits
                continue
            event, literals = self._scanner.run(data, self._at, final, self._begin)
            self._begin = 0
            self._counts.rows += self._scanner.rows
            self._scanner.rows = 0
            if literals:
                edits += self._literals.edits(data, literals, self._counts)
            self._at = self._scanner.at
            if event == _sql.MORE:
                return edits
            if event == _sql.BAD:
                raise Unreadable(
                    self._scanner.fault,
                    "the dump is damaged, or its strings are escaped in another way: see --no-backslash-escapes",
                )
            self._end_statement(data)

    def _pass_beginning(self, data: bytes, final: bool) -> bool:
        for magic, (what, way_out) in _NOT_SQL.items():
            if data.startswith(magic):
                raise Unreadable(what, way_out)
        if len(data) < max(map(len, _NOT_SQL)) and not final:
            return False
        self._at = len(_BOM) if data.startswith(_BOM) else 0
        return True

    def _pass_between(self, data: bytes, final: bool) -> bool:
        """Goes into the next statement. False: more data are needed, or there are no more."""
        blank = _BLANK.match(data, self._at)
        self._at = at = blank.end() if blank else self._at
        if at == len(data) or (len(data) - at < _TELLING and not final):
            return False
        if data.startswith(self._scanner.delimiter, at):
            self._at += len(self._scanner.delimiter)
            return True
        token = _BETWEEN.match(data, at)
        kind = token.lastgroup if token else None
        if token is None or kind is None:
            raise Unreadable("this is no SQL", "give a dump of mysqldump, mariadb-dump, mydumper or phpMyAdmin")
        if kind in ("line", "delimiter"):
            return self._pass_line(data, token, final)
        if kind == "comment":
            end = data.find(b"*/", token.end())
            self._at = end + 2 if end >= 0 else at
            if end < 0 and final:
                raise Unreadable("the dump ends within a comment", FROM_A_WHOLE_DUMP)
            return end >= 0
        self._is_empty = False
        return self._begin_statement(data, kind, token[0].upper(), final)

    def _pass_line(self, data: bytes, token: re.Match[bytes], final: bool) -> bool:
        end = data.find(b"\n", token.end())
        if end < 0 and not final:
            return False
        self._at = end + 1 if end >= 0 else len(data)
        if token["delimiter"]:
            self._scanner.delimiter = token["delimiter"]
        else:
            self._session.comment(data[token.start() : self._at])
        return True

    def _begin_statement(self, data: bytes, kind: str, word: bytes, final: bool) -> bool:
        if word in (b"INSERT", b"REPLACE"):
            return self._begin_rows(data, final)
        if word in _REFUSED:
            raise Unreadable(*_REFUSED[word])
        # Between DELIMITER lines the delimiter itself tells where a body ends.
        compound = self._scanner.delimiter == b";" and _COMPOUND.match(data, self._at) is not None
        self._scanner.backslash = self._session.backslash_escapes
        self._scanner.begin_other(unit=kind == "unit", compound=compound)
        self._inside, self._start = "other", self._at
        return True

    def _begin_rows(self, data: bytes, final: bool) -> bool:
        head = _INSERT.match(data, self._at)
        if head is None:
            if len(data) - self._at < _LONGEST_HEAD and not final:
                return False
            raise Unreadable("this INSERT has no VALUES, or ends before them", _DUMP_AGAIN)
        self._table = self._session.qualified(head["table"])
        self._literals.columns = self._session.columns(self._table, head["columns"] or b"")
        self._counts = self.tables.setdefault(self._table, TableCounts())
        self._scanner.backslash = self._session.backslash_escapes
        self._scanner.begin_rows(head[0])
        self._inside, self._at = "rows", head.end()
        return True

    def _end_statement(self, data: bytes) -> None:
        if self._inside == "other":
            self._session.statement(data[self._start : self._at])
        self._inside = "between"
