"""Table definitions on their way to the target: pure text work on MariaDB's SHOW CREATE output.

A target table is InnoDB and utf8mb4, has the target's prefix in its name, its constraint names and its references, and
is made in three steps, because loading rows in primary-key order into a table without other keys is fastest:
the bare table, its secondary keys, its foreign keys.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from crossdock.core.errors import SourceError
from crossdock.core.tables import Column, StoredCode, Table

# Longest index in bytes (InnoDB, DYNAMIC rows), longest row, and longest name in characters.
_KEY_BYTES, _ROW_BYTES, _NAME_LIMIT = 3072, 65535, 64
_WIDER = {"tinytext": "text", "text": "mediumtext", "mediumtext": "longtext"}
# Character sets whose text never takes more bytes in utf8mb4.
_NO_GROWTH = ("utf8mb4", "utf8mb3", "utf8", "ascii", "utf32")
# By comparing every pair of letters: these keep more of what was different apart than utf8mb4_general_ci does.
_NEAREST = {
    "latin1_swedish_ci": "swedish_ci",
    "latin1_danish_ci": "danish_ci",
    "latin1_german2_ci": "german2_ci",
    "latin5_turkish_ci": "turkish_ci",
    "cp1250_polish_ci": "polish_ci",
}
_NAME = r"`(?:[^`]|``)+`"
_COLUMN = re.compile(rf"({_NAME}) (.*)$", re.DOTALL)
_KEY = re.compile(rf"(?:UNIQUE |FULLTEXT |SPATIAL )?KEY ({_NAME}) \(((?:{_NAME}|[^`()]|\(\d+\))*)\)(.*)$", re.DOTALL)
_PRIMARY = re.compile(rf"PRIMARY KEY \(((?:{_NAME}|[^`()]|\(\d+\))*)\)(.*)$", re.DOTALL)
_KEY_PART = re.compile(rf"({_NAME})(?:\((\d+)\))?")
_KEY_OPTION = re.compile(r"^ (?:USING (?:BTREE|HASH|RTREE)|KEY_BLOCK_SIZE=\d+)")
_CONSTRAINT = re.compile(rf"CONSTRAINT ({_NAME}) (FOREIGN KEY|CHECK)(.*)$", re.DOTALL)
_REFERENCES = re.compile(rf"( \((?:{_NAME}|[^`)])*\) REFERENCES )({_NAME}\.)?({_NAME})(.*)$", re.DOTALL)
_COMMENT = re.compile(r" COMMENT='((?:[^'\\]|\\.|'')*)'", re.DOTALL)
_ACCOUNT = rf"(?:{_NAME}|``|'[^']*'|[^\s@`']+)"
_CODE_HEAD = re.compile(
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?(?P<algorithm>ALGORITHM=\w+\s+)?(?:DEFINER=(?:{_ACCOUNT}(?:@{_ACCOUNT})?)\s+)?"
    rf"(?P<security>SQL\s+SECURITY\s+\w+\s+)?(?P<kind>VIEW|TRIGGER)\s+(?:(?:{_NAME}|[\w$]+)\.)?(?:{_NAME}|[\w$]+)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rf"(?P<skip>/\*.*?\*/|--(?=\s)[^\n]*|\#[^\n]*|'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|\s+)"
    rf"|(?P<quoted>{_NAME})|(?P<word>[\w$]+)|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class TableDdl:
    """`create` makes the bare table, `create_keyed` the table with its keys; `keys` are ALTER TABLE statements (InnoDB
    builds one FULLTEXT index at a time); `foreign_keys` is one such statement, or empty."""

    create: str
    create_keyed: str
    keys: tuple[str, ...]
    foreign_keys: str


def table_ddl(table: Table, rename: Callable[[str], str], *, constraint_prefix: str) -> TableDdl:
    """The target's DDL for a source table. `rename` maps every table name of the source to its target name.

    Partitions, row formats and data directories are left out. Errors: SourceError for what InnoDB can't hold in this
    form: system versioning, references to another database.
    """
    lines = table.create_sql.split("\n")
    end = next((number for number, line in enumerate(lines) if line.startswith(")")), 0)
    if end < 2 or not lines[0].upper().startswith("CREATE TABLE"):
        raise SourceError("SHOW CREATE TABLE gave no table definition", where=table.name)
    target = rename(table.name)
    body: list[str] = []
    keys: list[str] = []
    foreign: list[str] = []
    auto = next((column.name for column in table.columns if column.auto_increment), None)
    kept = kept_charset(table)
    for raw in lines[1:end]:
        line = raw.strip().rstrip(",")
        if (key := _KEY.match(line)) is not None:
            (body if auto and _key_parts(key[2])[0][0] == auto else keys).append(_without_options(line, key[3]))
        elif (primary := _PRIMARY.match(line)) is not None:
            body.append(_without_options(line, primary[2]))
        elif (constraint := _CONSTRAINT.match(line)) is not None:
            name = _constraint_name(constraint_prefix, constraint[1])
            if constraint[2] == "CHECK":
                body.append(f"CONSTRAINT {name} CHECK{constraint[3]}")
            else:
                foreign.append(f"CONSTRAINT {name} FOREIGN KEY{_reference(constraint[3], rename, table.name)}")
        else:
            body.append(_column(line, table, kept))
    head, tail = f"CREATE TABLE {quoted(target)} (\n  ", "\n) " + _options(lines[end], table)
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


def references(table: Table) -> tuple[str, ...]:
    """The tables that a table's foreign keys refer to; those of another database as database.table."""
    found = []
    for raw in table.create_sql.split("\n"):
        constraint = _CONSTRAINT.match(raw.strip().rstrip(","))
        there = _REFERENCES.match(constraint[3]) if constraint and constraint[2] == "FOREIGN KEY" else None
        if there is not None:
            found.append((unquoted(there[2][:-1]) + "." if there[2] else "") + unquoted(there[3]))
    return tuple(found)


def quoted(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def unquoted(name: str) -> str:
    """The name in backticks."""
    return name[1:-1].replace("``", "`")


def stored_code_ddl(
    code: StoredCode,
    rename: Callable[[str], str],
    *,
    name: str,
    database: str,
    tables: Collection[str] | None = None,
) -> str:
    """A view or trigger for the target: own name, renamed tables, no DEFINER (the target's account becomes it), no
    mention of the source's `database`.

    Only names of `tables` (tables and views; None: every name that `rename` changes) are renamed, where a table's name
    can stand: not in strings and comments, not a column's name after a dot, not the name after AS.
    Errors: SourceError when the definition can't be read.
    """
    head = _CODE_HEAD.match(code.create_sql)
    if head is None:
        raise SourceError(
            f"the definition of {code.kind} {code.name} can't be read",
            where=code.table or code.name,
            way_out="give the account SHOW VIEW and TRIGGER on the source's schema",
        )
    algorithm = "" if "UNDEFINED" in (head["algorithm"] or "UNDEFINED").upper() else head["algorithm"]
    security = "SQL SECURITY INVOKER " if head["security"] else ""
    start = f"CREATE {algorithm}{security}{head['kind'].upper()} {quoted(name)}"
    rest = code.create_sql[head.end() :]
    return start + "".join(_renamed_names(rest, rename, database=database, tables=tables))


def _renamed_names(
    sql: str, rename: Callable[[str], str], *, database: str, tables: Collection[str] | None
) -> Iterator[str]:
    before = ""  # the last token that is neither space nor comment
    dropped = False  # the source database's name was, and its dot is next
    for token in _TOKEN.finditer(sql):
        text = token[0]
        if token["skip"] is not None:
            yield text
            before = before if text.isspace() or text[0] in "/-#" else "'"
            continue
        if dropped and text == ".":
            dropped = False
            continue
        follows = sql[token.end() :].lstrip()[:1]
        name = unquoted(text) if token["quoted"] else text if token["word"] else None
        if name is not None and name == database and follows == "." and before != ".":
            dropped = True
            continue
        called = tables is None and bool(token["word"]) and follows == "("
        free = name is not None and before not in (".", "AS") and not called
        if name is not None and free and (tables is None or name in tables) and (there := rename(name)) != name:
            yield quoted(there)
        else:
            yield text
        before = "AS" if token["word"] and text.upper() == "AS" else text


def collation_for(collation: str) -> str:
    """The utf8mb4 collation nearest to a source collation, so that equal stays equal."""
    if collation.startswith("utf8mb4"):
        return collation
    if collation.startswith(("utf8mb3_", "utf8_")):
        return "utf8mb4_" + collation.split("_", 1)[1]
    pad = "nopad_" if "_nopad_" in collation else ""
    if collation == "binary" or collation.endswith(("_bin", "_cs")):
        return f"utf8mb4_{pad}bin"
    return "utf8mb4_" + ("general_nopad_ci" if pad else _NEAREST.get(collation, "general_ci"))


def kept_charset(table: Table) -> frozenset[str]:
    """Columns that stay in their own character set, because in utf8mb4 an index or the row would be too long."""
    sizes = {column.name: _bytes(column) for column in table.columns}
    texts = {column.name for column in table.columns if column.charset}
    kept: set[str] = set()
    for parts in _index_parts(table):
        total = sum(length * (4 if name in texts else 1) if length else sizes.get(name, 0) for name, length in parts)
        if total > _KEY_BYTES:
            kept.update(name for name, _ in parts if name in texts)
    if sum(sizes.values()) > _ROW_BYTES:
        kept.update(texts)
    return frozenset(kept)


def _bytes(column: Column) -> int:
    """About how many bytes a column takes in the row at most, text in utf8mb4."""
    length = re.match(r"(?:var)?(?:char|binary)\((\d+)\)", column.full_type)
    if length is None:
        return 9
    return int(length[1]) * (4 if column.charset else 1) + 2


def _index_parts(table: Table) -> Iterator[list[tuple[str, int]]]:
    for raw in table.create_sql.split("\n"):
        line = raw.strip().rstrip(",")
        if (key := _KEY.match(line)) is not None and not line.startswith("FULLTEXT"):
            yield _key_parts(key[2])
        elif (primary := _PRIMARY.match(line)) is not None:
            yield _key_parts(primary[1])


def _key_parts(text: str) -> list[tuple[str, int]]:
    """(column, prefix length or 0) of an index."""
    return [(unquoted(part[1]), int(part[2] or 0)) for part in _KEY_PART.finditer(text)]


def _column(line: str, table: Table, kept: Collection[str]) -> str:
    """A column's definition in the target's character set. Only what stands right after the type is changed: defaults,
    comments and expressions may hold anything."""
    found = _COLUMN.match(line)
    if found is None or "GENERATED ALWAYS AS ROW " in line:
        raise SourceError(f"can't carry this part of a table: {line[:120]}", where=table.name)
    name = unquoted(found[1])
    column = next((one for one in table.columns if one.name == name), None)
    if column is None or not column.charset or not (column.is_text or column.type_name in ("enum", "set")):
        return line
    if not found[2].startswith(column.full_type):
        raise SourceError(f"can't read the definition of column {name}", where=table.name)
    rest = re.sub(r"^(?: CHARACTER SET \w+)?(?: COLLATE \w+)?", "", found[2][len(column.full_type) :], count=1)
    charset, collation, kind = column.charset, column.collation or "", column.full_type
    if charset != "utf8mb4" and name not in kept:
        if charset not in _NO_GROWTH:
            kind = _WIDER.get(column.type_name, column.type_name) + kind[len(column.type_name) :]
        charset, collation = "utf8mb4", collation_for(collation)
    return f"{found[1]} {kind} CHARACTER SET {charset} COLLATE {collation}{rest}"


def _reference(text: str, rename: Callable[[str], str], table: str) -> str:
    found = _REFERENCES.match(text)
    if found is None or found[2]:
        what = "a foreign key refers to another database" if found else "can't read a foreign key"
        raise SourceError(what, where=f"{table}: {text[:120].strip()}")
    return f"{found[1]}{quoted(rename(unquoted(found[3])))}{found[4]}"


def _constraint_name(prefix: str, name: str) -> str:
    """Prefixed and in backticks; a name that grows too long ends in a hash, so that two never become one."""
    made = prefix + unquoted(name)
    if len(made) > _NAME_LIMIT:
        mark = hashlib.sha256(made.encode()).hexdigest()[:8]
        made = made[: _NAME_LIMIT - len(mark) - 1] + "_" + mark
    return quoted(made)


def _without_options(line: str, options: str) -> str:
    """An index without the options that InnoDB does not know; its comment and visibility stay."""
    kept = options
    while (option := _KEY_OPTION.match(kept)) is not None:
        kept = kept[option.end() :]
    return line[: len(line) - len(options)] + kept


def _options(line: str, table: Table) -> str:
    comment = _COMMENT.search(line)
    before = line[: comment.start()] if comment else line
    if " WITH SYSTEM VERSIONING" in line[comment.end() if comment else 0 :]:
        raise SourceError("system-versioned tables can't be carried", where=table.name)
    counter = re.search(r" AUTO_INCREMENT=(\d+)", before)
    parts = ["ENGINE=InnoDB"]
    if counter:
        parts.append(f"AUTO_INCREMENT={counter[1]}")
    parts.append(f"DEFAULT CHARSET=utf8mb4 COLLATE={collation_for(table.collation)}")
    if comment:
        parts.append(comment[0].strip())
    return " ".join(parts)
