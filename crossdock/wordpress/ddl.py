"""Table definitions on their way to the target: pure text work on MariaDB's SHOW CREATE output.

A target table is InnoDB and utf8mb4, has the target's prefix in its name, its constraint names and its references, and
is made in three steps, because loading rows in primary-key order into a table without other keys is fastest:
the bare table, its secondary keys, its foreign keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from crossdock.core.errors import SourceError
from crossdock.core.tables import StoredCode, Table

# Longest index prefix in bytes (InnoDB, DYNAMIC rows) and longest row.
_KEY_BYTES, _ROW_BYTES = 3072, 65535
_WIDER = {"tinytext": "text", "text": "mediumtext", "mediumtext": "longtext"}
_SINGLE_BYTE = (
    "latin1",
    "latin2",
    "latin5",
    "latin7",
    "cp1250",
    "cp1251",
    "cp1252",
    "greek",
    "hebrew",
    "koi8r",
    "cp850",
)
_COLLATION_TAIL = re.compile(r"_(general_ci|unicode_ci|unicode_520_ci|bin|[a-z]+_ci)$")
_IDENTIFIER = re.compile(r"`((?:[^`]|``)+)`")


@dataclass(frozen=True)
class TableDdl:
    """`create` makes the bare table, `create_keyed` the table with its keys; `keys` are ALTER TABLE statements (InnoDB
    builds one FULLTEXT index at a time); `foreign_keys` is one such statement, or empty."""

    create: str
    create_keyed: str
    keys: tuple[str, ...]
    foreign_keys: str


def table_ddl(table: Table, rename: Callable[[str], str], *, constraint_prefix: str) -> TableDdl:
    """The target's DDL for a source table. `rename` maps every table name of the source to its target name."""
    lines = table.create_sql.split("\n")
    if len(lines) < 3 or not lines[0].upper().startswith("CREATE TABLE"):
        raise SourceError("SHOW CREATE TABLE gave no table definition", where=table.name)
    target = rename(table.name)
    body: list[str] = []
    keys: list[str] = []
    foreign: list[str] = []
    auto = next((column.name for column in table.columns if column.auto_increment), None)
    for raw in lines[1:-1]:
        line = raw.strip().rstrip(",")
        if line.startswith("CONSTRAINT") and " FOREIGN KEY " in line:
            foreign.append(_foreign_key(line, rename, constraint_prefix))
        elif re.match(r"(UNIQUE |FULLTEXT |SPATIAL )?KEY ", line):
            (body if _leads_with(line, auto) else keys).append(_without_index_options(line))
        elif line.startswith("CONSTRAINT"):
            body.append(line.replace("CONSTRAINT `", f"CONSTRAINT `{constraint_prefix}", 1))
        elif line.startswith("PRIMARY KEY"):
            body.append(_without_index_options(line))
        else:
            body.append(_column(line, table))
    head, tail = f"CREATE TABLE {quoted(target)} (\n  ", "\n) " + _options(lines[-1], table)
    alter = f"ALTER TABLE {quoted(target)} "
    plain = [f"ADD {key}" for key in keys if not key.startswith("FULLTEXT")]
    alters = [alter + ", ".join(plain)] if plain else []
    alters += [f"{alter}ADD {key}" for key in keys if key.startswith("FULLTEXT")]
    return TableDdl(
        head + ",\n  ".join(body) + tail,
        head + ",\n  ".join(body + keys) + tail,
        tuple(alters),
        alter + ", ".join(f"ADD {key}" for key in foreign) if foreign else "",
    )


def quoted(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def stored_code_ddl(code: StoredCode, rename: Callable[[str], str], *, name: str, database: str) -> str:
    """A view or trigger for the target: own name, renamed tables, no DEFINER (the target's account becomes it), no
    mention of the source's `database`.

    Only whole backtick-quoted or bare identifiers are renamed, never text inside string literals.
    """
    sql = re.sub(r"\s+DEFINER=(`(?:[^`]|``)*`|'[^']*'|\S+?)@(`(?:[^`]|``)*`|'[^']*'|\S+)", "", code.create_sql, count=1)
    sql = re.sub(r"ALGORITHM=UNDEFINED\s+", "", sql, count=1)
    sql = re.sub(r"SQL SECURITY DEFINER", "SQL SECURITY INVOKER", sql, count=1)
    sql = sql.replace(f"{quoted(database)}.", "")
    return _rename_outside_strings(sql, lambda one: name if one == code.name else rename(one))


def _rename_outside_strings(sql: str, rename: Callable[[str], str]) -> str:
    pieces = re.split(r"('(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\")", sql)
    made = []
    for number, piece in enumerate(pieces):
        if number % 2:
            made.append(piece)
            continue
        piece = _IDENTIFIER.sub(lambda match: quoted(rename(match[1].replace("``", "`"))), piece)
        made.append(re.sub(r"(?<![`\w.$])[A-Za-z_][\w$]*(?![`\w$(])", lambda match: rename(match[0]), piece))
    return "".join(made)


def collation_for(collation: str) -> str:
    """The utf8mb4 collation nearest to a source collation, so that equal stays equal."""
    if collation.startswith("utf8mb4"):
        return collation
    if collation.startswith(("utf8mb3_", "utf8_")):
        return "utf8mb4_" + collation.split("_", 1)[1]
    tail = _COLLATION_TAIL.search(collation)
    return "utf8mb4_bin" if tail and tail[1] == "bin" else "utf8mb4_general_ci"


def kept_charset(table: Table) -> frozenset[str]:
    """Columns that stay in their own character set, because in utf8mb4 an index or the row would be too long."""
    sizes = {column.name: _length(column.full_type) for column in table.columns if column.is_text}
    kept: set[str] = set()
    for key in table.keys:
        names = [name for name in key.columns if sizes.get(name)]
        prefixed = _prefix_lengths(table, key.name)
        total = sum(4 * (prefixed.get(name) or sizes[name]) for name in names)
        if total > _KEY_BYTES:
            kept.update(names)
    if sum(4 * size for size in sizes.values()) > _ROW_BYTES:
        kept.update(sizes)
    return frozenset(kept)


def _length(full_type: str) -> int:
    match = re.match(r"(?:var)?char\((\d+)\)", full_type)
    return int(match[1]) if match else 0


def _prefix_lengths(table: Table, key: str) -> dict[str, int]:
    for line in table.create_sql.split("\n"):
        if f"KEY `{key}` (" in line or (key == "PRIMARY" and "PRIMARY KEY (" in line):
            return {match[1]: int(match[2]) for match in re.finditer(r"`([^`]+)`\((\d+)\)", line)}
    return {}


def _column(line: str, table: Table) -> str:
    name = _IDENTIFIER.match(line)
    if name is None:
        return line
    column = next((one for one in table.columns if one.name == name[1]), None)
    if column is None or not column.charset or not (column.is_text or column.type_name in ("enum", "set")):
        return line
    line = re.sub(r" CHARACTER SET \w+", "", line, count=1)
    line = re.sub(r" COLLATE \w+", "", line, count=1)
    if column.charset == "utf8mb4" or column.name in kept_charset(table):
        charset, collation, kind = column.charset, column.collation or "", column.full_type
    else:
        charset, collation = "utf8mb4", collation_for(column.collation or "")
        wider = _WIDER.get(column.type_name) if column.charset in _SINGLE_BYTE else None
        kind = wider or column.full_type
    head = f"{quoted(column.name)} "
    rest = line[len(head) + len(column.full_type) :] if line.startswith(head + column.full_type) else None
    if rest is None:
        raise SourceError(f"can't read the definition of column {column.name}", where=table.name)
    return f"{head}{kind} CHARACTER SET {charset} COLLATE {collation}{rest}"


def _foreign_key(line: str, rename: Callable[[str], str], constraint_prefix: str) -> str:
    match = re.match(r"CONSTRAINT `((?:[^`]|``)+)` (FOREIGN KEY \(.*?\) REFERENCES )`((?:[^`]|``)+)`(.*)$", line)
    if match is None:
        raise SourceError("can't read a foreign key", where=line[:120])
    name = (constraint_prefix + match[1])[:64]
    return f"CONSTRAINT {quoted(name)} {match[2]}{quoted(rename(match[3]))}{match[4]}"


def _leads_with(line: str, auto: str | None) -> bool:
    return auto is not None and re.search(r"\(`" + re.escape(auto) + r"`[,)(]", line) is not None


def _without_index_options(line: str) -> str:
    return re.sub(r"\)\s+(USING (BTREE|HASH))\b", ")", line)


def _options(line: str, table: Table) -> str:
    counter = re.search(r"AUTO_INCREMENT=(\d+)", line)
    comment = re.search(r"COMMENT='(?:[^'\\]|\\.|'')*'", line)
    parts = ["ENGINE=InnoDB"]
    if counter:
        parts.append(f"AUTO_INCREMENT={counter[1]}")
    parts.append(f"DEFAULT CHARSET=utf8mb4 COLLATE={collation_for(table.collation)}")
    if comment:
        parts.append(comment[0])
    return " ".join(parts)
