"""Facts of one database and its server, from information_schema and SHOW CREATE."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crossdock.core.errors import AccessError
from crossdock.core.ports import ServerFacts
from crossdock.core.tables import Column, Key, Row, Schema, StoredCode, Table
from crossdock.edges.mysql_values import quote_name

_CREATES_PER_PACKET = 100
_PASSWORD_HASH = re.compile(r"IDENTIFIED (?:BY PASSWORD|VIA \S+ USING) '[^']*'")
_GENERATED = ("VIRTUAL GENERATED", "STORED GENERATED", "VIRTUAL", "PERSISTENT")

_TABLES = """SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION, AUTO_INCREMENT, TABLE_ROWS,
 COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE %s ORDER BY TABLE_NAME"""
_COLUMNS = """SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_SET_NAME, COLLATION_NAME,
 EXTRA
 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE %s
 ORDER BY TABLE_NAME, ORDINAL_POSITION"""
_KEYS = """SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COALESCE(COLUMN_NAME, '') FROM information_schema.STATISTICS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE %s ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"""
_TRIGGERS = """SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS
 WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE LIKE %s ORDER BY TRIGGER_NAME"""

# Oracle MySQL has no sequences; what the account may not see is not listed.
_OTHERS = """SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME FROM information_schema.ROUTINES
 WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_NAME LIKE %s
 UNION ALL SELECT 'event', EVENT_NAME FROM information_schema.EVENTS
 WHERE EVENT_SCHEMA = DATABASE() AND EVENT_NAME LIKE %s
 UNION ALL SELECT 'sequence', TABLE_NAME FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE' AND TABLE_NAME LIKE %s ORDER BY 1, 2"""


class Asking(Protocol):
    """The part of a session that reads facts."""

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]: ...

    def queries(self, statements: Sequence[str]) -> list[list[Row]]:
        """The rows of several statements sent in one packet."""
        ...


@dataclass(frozen=True)
class _Listed:
    name: str
    kind: str
    engine: str
    collation: str
    auto_increment: int | None
    rows: int
    bytes_: int


def read_schema(session: Asking, like: str = "%") -> Schema:
    """Tables whose names are LIKE `like`, with views, triggers, routines, events and sequences of those names."""
    database = _text(session.query("SELECT DATABASE()")[0][0])
    listed = [_listed(row) for row in session.query(_TABLES, [like])]
    base = [entry for entry in listed if entry.kind in ("BASE TABLE", "SYSTEM VERSIONED")]
    columns, keys = _columns(session, like), _keys(session, like)
    creates = _creates(session, [entry.name for entry in base])
    tables = tuple(
        Table(
            name=entry.name,
            engine=entry.engine,
            collation=entry.collation,
            columns=tuple(columns[entry.name]),
            keys=tuple(keys[entry.name]),
            create_sql=creates[entry.name],
            auto_increment=entry.auto_increment,
            rows_estimate=entry.rows,
            bytes_estimate=entry.bytes_,
        )
        for entry in base
    )
    views = [entry.name for entry in listed if entry.kind == "VIEW"]
    code = (*_views(session, views), *_triggers(session, like), *_others(session, like))
    return Schema(database, tables, code)


def read_server(session: Asking, variables: Sequence[str] = ()) -> ServerFacts:
    """Version, account, grants (password hashes cut out) and the variables asked for, global values first."""
    version, user = session.query("SELECT VERSION(), CURRENT_USER()")[0]
    grants = tuple(_PASSWORD_HASH.sub("IDENTIFIED BY '••••'", _text(row[0])) for row in session.query("SHOW GRANTS"))
    found: dict[str, str] = {}
    if variables:
        marks = ", ".join(["%s"] * len(variables))
        for scope in ("SESSION", "GLOBAL"):
            rows = session.query(f"SHOW {scope} VARIABLES WHERE Variable_name IN ({marks})", list(variables))
            found.update({_text(name): _text(value) for name, value in rows})
    return ServerFacts(_text(version), _text(user), grants, found)


def _listed(row: Row) -> _Listed:
    name, kind, engine, collation, counter, rows, size = row
    return _Listed(
        _text(name),
        _text(kind),
        _text(engine),
        _text(collation),
        int(counter) if counter is not None else None,
        int(rows or 0),
        int(size or 0),
    )


def _columns(session: Asking, like: str) -> dict[str, list[Column]]:
    columns: dict[str, list[Column]] = defaultdict(list)
    for table, name, type_name, full_type, nullable, charset, collation, extra in session.query(_COLUMNS, [like]):
        extras = _text(extra).upper()
        columns[_text(table)].append(
            Column(
                name=_text(name),
                type_name=_text(type_name).lower(),
                full_type=_text(full_type),
                nullable=nullable == b"YES",
                charset=_text(charset) or None,
                collation=_text(collation) or None,
                generated=extras.startswith(_GENERATED) or "GENERATED ALWAYS AS ROW" in extras,
                auto_increment="AUTO_INCREMENT" in extras,
            )
        )
    return columns


def _keys(session: Asking, like: str) -> dict[str, list[Key]]:
    parts: dict[tuple[str, str], tuple[bool, list[str]]] = {}
    for table, name, non_unique, column in session.query(_KEYS, [like]):
        parts.setdefault((_text(table), _text(name)), (non_unique == b"0", []))[1].append(_text(column))
    keys: dict[str, list[Key]] = defaultdict(list)
    for (table_name, name_), (unique, names) in parts.items():
        keys[table_name].append(Key(name_, tuple(names), unique))
    return keys


def _creates(session: Asking, names: Sequence[str]) -> dict[str, str]:
    creates: dict[str, str] = {}
    for start in range(0, len(names), _CREATES_PER_PACKET):
        group = names[start : start + _CREATES_PER_PACKET]
        answers = session.queries([f"SHOW CREATE TABLE {quote_name(name)}" for name in group])
        for name, rows in zip(group, answers, strict=True):
            creates[name] = _text(rows[0][1])
    return creates


def _views(session: Asking, names: Sequence[str]) -> list[StoredCode]:
    return [StoredCode("view", name, _shown(session, "VIEW", name, 1)) for name in names]


def _triggers(session: Asking, like: str) -> list[StoredCode]:
    return [
        StoredCode("trigger", _text(name), _shown(session, "TRIGGER", _text(name), 2), _text(table))
        for name, table in session.query(_TRIGGERS, [like])
    ]


def _others(session: Asking, like: str) -> list[StoredCode]:
    return [StoredCode(_text(kind), _text(name), "") for kind, name in session.query(_OTHERS, [like] * 3)]


def _shown(session: Asking, kind: str, name: str, place: int) -> str:
    """SHOW CREATE's text; empty where the account may know the name but not the code."""
    try:
        rows = session.query(f"SHOW CREATE {kind} {quote_name(name)}")
    except AccessError:
        return ""
    return _text(rows[0][place]) if rows else ""


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "surrogateescape")
