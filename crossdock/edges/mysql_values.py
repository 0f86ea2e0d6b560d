"""How values travel to and from a MariaDB or MySQL server without losing a bit. Pure text and bytes, no connection.

Some types have no exact text form under a plain SELECT. Their wire form here:

    FLOAT             the double it is, decimal (a plain SELECT cuts it to 6 digits)
    BIT, ENUM, SET    the number the server stores, decimal (an ENUM's invalid value '' is 0)
    GEOMETRY          the server's own bytes: SRID and WKB
    UUID, INET4/6     text
    TIMESTAMP         text in UTC
    text in another character set than UTF-8: UTF-8, unless PHP itself reads the column in its own character set
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

from MySQLdb import _mysql

from crossdock.core.tables import Column, Row
from crossdock.edges import _wire

FIELD, LINE, ESCAPE = b"\x1d", b"\x1e", b"\x10"
NULL_FIELD = ESCAPE + b"N"
_BIG_VALUE_BYTES = 1 << 20
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_AS_THEY_ARE = _UTF8 | {"ascii", "binary"}
_NUMBERED = frozenset({"bit", "enum", "set"})
_TEXT_FORMED = frozenset({"uuid", "inet6", "inet4"})
_SPATIAL = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
        "geomcollection",
    }
)
# The stubs say str; what comes back is bytes.
_string_literal: Callable[[bytes], bytes] = cast(Any, _mysql.string_literal)


def quote_name(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def literal(value: object) -> bytes:
    """An SQL literal for sessions whose sql_mode has no NO_BACKSLASH_ESCAPES and whose character set is utf8mb4."""
    if value is None:
        return b"NULL"
    if isinstance(value, bool | int):
        return b"%d" % value
    if isinstance(value, float):
        return repr(value).encode() if "e" in repr(value) else repr(value).encode() + b"e0"
    if isinstance(value, str):
        return _string_literal(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return _string_literal(data) if _is_utf8(data) else b"_binary" + _string_literal(data)
    raise TypeError(f"{type(value).__name__} is no SQL argument: pass str, bytes, int, float or None")


def bind(sql: str, args: Sequence[Any] = ()) -> bytes:
    """The statement with its `%s` replaced. Without args the text is taken as it is, `%` and all."""
    text = sql.encode("utf-8", "surrogateescape")
    return text % tuple(map(literal, args)) if args else text


def select_expression(column: Column, php_charset: str = "utf8mb4") -> str:
    """How a column must be read to be exact. `php_charset` is wp-config's DB_CHARSET: what PHP saw its text in."""
    name = quote_name(column.name)
    if column.type_name == "float":
        return f"{name}+0e0"
    if column.type_name in _NUMBERED:
        return f"CAST({name} AS UNSIGNED)"
    if _is_foreign_text(column, php_charset):
        return f"CONVERT({name} USING utf8mb4)"
    return name


def select_list(columns: Iterable[Column], php_charset: str = "utf8mb4") -> str:
    """The select list that reads these columns exactly, each under its own name."""
    parts = []
    for column in columns:
        expression, name = select_expression(column, php_charset), quote_name(column.name)
        parts.append(name if expression == name else f"{expression} AS {name}")
    return ", ".join(parts)


def load_expression(column: Column, php_charset: str = "utf8mb4") -> str | None:
    """What LOAD DATA ... CHARACTER SET binary must SET from the variable `@v`; None: the bytes go in as they are."""
    if column.type_name in _NUMBERED:
        return "CAST(@v AS UNSIGNED)"
    if column.type_name in _TEXT_FORMED:
        return "CONVERT(@v USING latin1)"
    if column.type_name == "json" or _is_foreign_text(column, php_charset):
        return "CONVERT(@v USING utf8mb4)"
    return None


def load_statement(table: str, columns: Sequence[Column], php_charset: str = "utf8mb4") -> str:
    """LOAD DATA LOCAL in the separators of `encode_fields`."""
    targets, sets = [], []
    for number, column in enumerate(columns):
        expression = load_expression(column, php_charset)
        if expression is None:
            targets.append(quote_name(column.name))
        else:
            targets.append(f"@v{number}")
            sets.append(f"{quote_name(column.name)}={expression.replace('@v', f'@v{number}')}")
    tail = f" SET {', '.join(sets)}" if sets else ""
    return (
        f"LOAD DATA LOCAL INFILE 'crossdock' INTO TABLE {quote_name(table)} CHARACTER SET binary "
        f"FIELDS TERMINATED BY 0x1D ESCAPED BY 0x10 LINES TERMINATED BY 0x1E ({', '.join(targets)}){tail}"
    )


def bulk_statement(table: str, columns: Sequence[Column], php_charset: str = "utf8mb4") -> str:
    """The INSERT whose parameters are a row's values as binary strings."""
    names = ", ".join(quote_name(column.name) for column in columns)
    values = ((load_expression(column, php_charset) or "@v").replace("@v", "?") for column in columns)
    return f"INSERT INTO {quote_name(table)} ({names}) VALUES ({', '.join(values)})"


def encode_fields(batch: list[Row]) -> Iterator[bytes]:
    """A batch in LOAD DATA's form, whole; in pieces where a value is so big that a second copy would be felt."""
    if len(batch) <= 64 and any(value and len(value) > _BIG_VALUE_BYTES for row in batch for value in row):
        yield from _encode_big(batch)
    elif batch:
        yield _wire.encoded(batch)


def _encode_big(batch: Sequence[Row]) -> Iterator[bytes]:
    """Value by value: a big one is sent as it lies, not copied into a joined batch."""
    for row in batch:
        for number, value in enumerate(row):
            if number:
                yield FIELD
            yield _escaped(value)
        yield LINE


def _escaped(value: bytes | None) -> bytes:
    if value is None:
        return NULL_FIELD
    if ESCAPE in value:
        value = value.replace(ESCAPE, ESCAPE + ESCAPE)
    if FIELD in value:
        value = value.replace(FIELD, ESCAPE + FIELD)
    return value.replace(LINE, ESCAPE + LINE) if LINE in value else value


def insert_head(table: str, columns: Sequence[Column]) -> bytes:
    names = ", ".join(quote_name(column.name) for column in columns)
    return f"INSERT INTO {quote_name(table)} ({names}) VALUES ".encode()


def tuple_encoder(columns: Sequence[Column], php_charset: str = "utf8mb4") -> Callable[[Row], bytes]:
    """A function that writes one row as `(literal,...)` for these columns."""
    writers = [_writer(column, php_charset) for column in columns]
    if all(writer is _plain for writer in writers):
        return lambda row: b"(" + b",".join(map(_plain, row)) + b")"
    return lambda row: b"(" + b",".join([write(v) for write, v in zip(writers, row, strict=True)]) + b")"


def _writer(column: Column, php_charset: str) -> Callable[[bytes | None], bytes]:
    if column.type_name in _NUMBERED:
        return _number
    if column.is_binary or column.type_name in _SPATIAL:
        return _binary
    if column.is_text and column.charset not in _AS_THEY_ARE and column.charset == php_charset:
        return _introduced(column.charset)
    return _plain


def _plain(value: bytes | None) -> bytes:
    return b"NULL" if value is None else _string_literal(value)


def _binary(value: bytes | None) -> bytes:
    return b"NULL" if value is None else b"_binary" + _string_literal(value)


def _number(value: bytes | None) -> bytes:
    return b"NULL" if value is None else b"%d" % int(value)


def _introduced(charset: str) -> Callable[[bytes | None], bytes]:
    mark = f"_{charset}".encode()
    return lambda value: b"NULL" if value is None else mark + _string_literal(value)


def _is_foreign_text(column: Column, php_charset: str) -> bool:
    if not column.is_text or column.charset is None or column.charset in _AS_THEY_ARE:
        return False
    return column.charset != php_charset


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
