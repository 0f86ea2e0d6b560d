"""What the statements and comments of a SQL dump say about the rest of it: charset, escapes, database, and whether it
ends where it should."""

from __future__ import annotations

import re
from typing import NamedTuple


class Unreadable(Exception):  # noqa: N818 - an answer about data; whoever knows the place makes an error of it
    """A dump can't be read on, or must not be rewritten: what is wrong, and the way out."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what)
        self.what = what
        self.way_out = way_out


FROM_A_WHOLE_DUMP = "make the dump again; what has been written so far is not whole, so do not load it"
# Their characters may end in a byte that is also a backslash or a quote.
_UNSAFE_CHARSETS = frozenset((b"big5", b"gbk", b"gb18030", b"sjis", b"cp932"))
_SET = re.compile(rb"\s*(?:/\*M?!\d*\s*)?SET\s", re.IGNORECASE)
_NAMES = re.compile(rb"\bNAMES\s+['\"]?(\w+)", re.IGNORECASE)
_MODE = re.compile(
    rb"(?P<saved>@\w+)\s*=\s*@@(?:SESSION\.|GLOBAL\.)?SQL_MODE\b"
    rb"|(?<![@\w])(?:@@)?(?:SESSION[.\s]\s*|GLOBAL[.\s]\s*)?SQL_MODE\s*=\s*"
    rb"(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<kept>@\w+))",
    re.IGNORECASE,
)
NAME = rb"(?:`(?:[^`]|``)++`|\"(?:[^\"]|\"\")++\"|[\w$\x80-\xff]++)"
NAMES = re.compile(NAME)
_CREATE = re.compile(
    rb"\s*(?:/\*M?!\d*\s*)?CREATE\s+(?:TEMPORARY\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rb"(" + NAME + rb"(?:\s*\.\s*" + NAME + rb")?)\s*\(",
    re.IGNORECASE,
)
# One a line, as every program writes them.
_COLUMN = re.compile(
    rb"^\s*(?!(?:PRIMARY|UNIQUE|KEY|INDEX|FULLTEXT|SPATIAL|CONSTRAINT|FOREIGN|CHECK|PERIOD)\b)"
    rb"(" + NAME + rb")\s+(\w+)(?:\s*\((\d+)\))?",
    re.IGNORECASE | re.MULTILINE,
)
_MOST = {b"tiny": (1 << 8) - 1, b"": (1 << 16) - 1, b"medium": (1 << 24) - 1}
_USE = re.compile(rb"\s*USE\s+(" + NAME + rb")", re.IGNORECASE)
# What a dump that begins so must still say, and how a person calls it.
_PROMISES = (
    (
        re.compile(rb"-- (?:MySQL|MariaDB) dump\b", re.IGNORECASE),
        re.compile(rb"-- Dump completed\b"),
        "its last line, '-- Dump completed'",
    ),
    (
        re.compile(rb"-- Dump created by MySQL pump"),
        re.compile(rb"-- Dump end time"),
        "its last line, '-- Dump end time'",
    ),
    (
        re.compile(rb"\s*LOCK\s+TABLES\b", re.IGNORECASE),
        re.compile(rb"\s*UNLOCK\s+TABLES\b", re.IGNORECASE),
        "UNLOCK TABLES",
    ),
    (
        re.compile(rb"\s*START\s+TRANSACTION\b", re.IGNORECASE),
        re.compile(rb"\s*COMMIT\b", re.IGNORECASE),
        "COMMIT",
    ),
)


class Column(NamedTuple):
    """`holds`: 'text', 'data' (a blob), 'names' (ENUM and SET: only what is listed fits) or 'unknown'. `most`: how
    many characters fit, or with `in_bytes` bytes; 0 for no limit that a value could meet."""

    holds: str
    most: int = 0
    in_bytes: bool = False


UNKNOWN = Column("unknown")


class DumpSession:
    """The state that a server would be in after the statements seen so far. `backslash_escapes`: None believes the
    dump's own SET sql_mode."""

    def __init__(self, backslash_escapes: bool | None) -> None:
        self.charset = b""
        self.database = ""
        self._fixed = backslash_escapes
        self._escapes = True
        self._saved: dict[bytes, bool] = {}
        self._due: list[str] = []
        self._columns: dict[str, dict[str, Column]] = {}  # by table

    @property
    def backslash_escapes(self) -> bool:
        """Whether a backslash escapes in strings: not under NO_BACKSLASH_ESCAPES."""
        return self._escapes if self._fixed is None else self._fixed

    @property
    def is_told(self) -> bool:
        """Whether a person has said how strings are escaped."""
        return self._fixed is not None

    @property
    def due(self) -> str:
        """What must come before the dump may end; '' for nothing."""
        return self._due[-1] if self._due else ""

    @property
    def is_utf8(self) -> bool:
        return self.charset.startswith(b"utf8")

    def comment(self, text: bytes) -> None:
        """Takes note of a comment of its own line."""
        self._promise(text)

    def statement(self, text: bytes) -> None:
        """Takes note of a statement that holds no rows. Errors: Unreadable for charsets that can't be told apart from
        SQL."""
        self._promise(text)
        if _SET.match(text):
            self._set(text)
        elif (made := _CREATE.match(text)) is not None:
            columns = _COLUMN.findall(text, made.end())
            self._columns[self.qualified(made[1])] = {
                unquoted(name): _column(type_name.lower(), int(most or 0)) for name, type_name, most in columns
            }
        elif (used := _USE.match(text)) is not None:
            self.database = unquoted(used[1])

    def qualified(self, table: bytes) -> str:
        """A table's name with its database, where one is known."""
        names = [unquoted(name) for name in NAMES.findall(table)]
        return ".".join([self.database, *names] if self.database and len(names) == 1 else names)

    def columns(self, table: str, listed: bytes) -> list[Column]:
        """An INSERT's columns, in order; `listed` is its own list of them, empty for all of the table's. Fewer, or
        UNKNOWN, where the dump has not said what they are."""
        known = self._columns.get(table, {})
        if not listed:
            return list(known.values())
        return [known.get(unquoted(name), UNKNOWN) for name in NAMES.findall(listed)]

    def _promise(self, text: bytes) -> None:
        for opening, closing, called in _PROMISES:
            if closing.match(text):
                self._due = [one for one in self._due if one != called]
            elif opening.match(text) and called not in self._due:
                self._due.append(called)

    def _set(self, text: bytes) -> None:
        names = _NAMES.search(text)
        if names is not None:
            self.charset = names[1].lower()
            if self.charset in _UNSAFE_CHARSETS:
                raise Unreadable(
                    f"the dump is in {self.charset.decode()}, in which a character may hold a backslash",
                    "dump again with --default-character-set=utf8mb4",
                )
        for assigned in _MODE.finditer(text):
            if assigned["saved"]:
                self._saved[assigned["saved"].lower()] = self._escapes
            elif assigned["kept"]:
                self._escapes = self._saved.get(assigned["kept"].lower(), True)
            else:
                self._escapes = b"NO_BACKSLASH_ESCAPES" not in assigned["text"].upper()


def unquoted(name: bytes) -> str:
    """A name as it is meant."""
    quote = name[:1]
    if quote in (b"`", b'"'):
        name = name[1:-1].replace(quote * 2, quote)
    return name.decode("utf-8", "replace")


def _column(type_name: bytes, most: int) -> Column:
    if type_name in (b"enum", b"set"):
        return Column("names")
    if type_name in (b"binary", b"varbinary"):
        return Column("data", most, in_bytes=True)
    for ending, holds in ((b"blob", "data"), (b"text", "text")):
        if type_name.endswith(ending):
            return Column(holds, _MOST.get(type_name.removesuffix(ending), 0), in_bytes=True)
    return Column("text", most if type_name in (b"char", b"varchar") else 0)
