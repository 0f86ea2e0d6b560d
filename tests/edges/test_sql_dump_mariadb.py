"""Real dumps of a real server, rewritten and loaded again: each value is what the rewriter makes of the one before, and
PHP reads whatever it read before."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_servers import TestDatabase
from test_rewriting_oracle import RULES, generated, read_by_php

from crossdock.formats.sql_dump import SqlDump
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.transform import is_text

pytestmark = [
    pytest.mark.skipif(shutil.which("php") is None, reason="needs the php command"),
    pytest.mark.skipif(shutil.which("mariadb-dump") is None, reason="needs mariadb-dump"),
]

REWRITER = Rewriter(RULES)
LINK = b"http://south.example/x"
STRANGE = [
    b"", b"'", b"\\", b"C:\\", b"\\' " + LINK, b"'" + LINK + b"'", b'"' + LINK + b'"', b"\n\r\t\0\x1a" + LINK, b"'),(",
    b"');\n",
    b"-- " + LINK, b"/*" + LINK + b"*/", b"%_\\%\\_" + LINK, LINK * 50_000, b"NULL", b"0x41", b"\\N", b"\\n" + LINK,
    b"`" + LINK,
    "größe € 😀 ".encode() + LINK, b"ann@south.example", b"\\\\/\\/south.example", b"x" * 1_000_000 + LINK,
]  # fmt: skip
TEXT, BLOB, LATIN1, JSON = "t", "b", "l", "j"
TABLE = (
    "CREATE TABLE v (id int PRIMARY KEY, t longtext, b longblob, l text CHARACTER SET latin1, j json, n decimal(9,2), "
    "f float, d datetime DEFAULT '2026-01-01', x varbinary(255), bits bit(9), g point, "
    "e enum('//south.example','b')) CHARSET utf8mb4"
)
MYSQL_LATIN1 = [bytes((code,)).decode("cp1252", "ignore") or chr(code) for code in range(256)]
DUMPS = [
    (),
    ("--hex-blob",),
    ("--skip-extended-insert", "--complete-insert"),
    ("--insert-ignore", "--compact"),
    ("--replace", "--skip-comments", "--skip-quote-names"),
    ("--compatible=ansi", "--default-character-set=utf8mb4"),
    ("--default-character-set=latin1",),
    ("--default-character-set=binary",),
    ("--databases", "--no-autocommit", "--routines", "--events", "--single-transaction", "--order-by-primary"),
]


def client(database: TestDatabase, program: str, *arguments: str, given: bytes | None = None) -> bytes:
    argv = [program, "--no-defaults", "-uroot", f"--socket={database.socket}", *arguments]
    return subprocess.run(argv, input=given, stdout=subprocess.PIPE, check=True).stdout


def literal(value: bytes) -> str:
    return f"0x{value.hex()}" if value else "''"


def column(database: TestDatabase, name: str, schema: str) -> list[bytes | None]:
    lines = client(
        database,
        "mariadb",
        "-BN",
        "--max-allowed-packet=1G",
        "-e",
        f"SELECT HEX(CONCAT({name})) FROM {schema}.v ORDER BY id",
    )
    return [None if line == b"NULL" else bytes.fromhex(line.decode()) for line in lines.split(b"\n")[:-1]]


def columns(database: TestDatabase, schema: str) -> dict[str, list[bytes | None]]:
    return {name: column(database, name, schema) for name in "tbljnfdxge"} | {
        "bits": column(database, "bits+0", schema)
    }


def inserts(values: list[bytes]) -> Iterator[str]:
    for number, value in enumerate(values):
        short = value[:60]
        latin1 = value.decode("utf-8", "replace").encode("cp1252", "replace")
        whole = "NULL" if len(latin1) > 60_000 else f"_latin1 {literal(latin1)}"
        json = '\'{"u": "http:\\\\/\\\\/south.example\\\\/"}\'' if number % 3 else "NULL"
        text = literal(value) if number % 7 else "NULL"
        yield (
            f"INSERT INTO v VALUES ({number}, {text}, {literal(value)}, {whole}, {json}, -{number}.5, {number}e-3, "
            f"DEFAULT, {literal(short)}, {number % 512}, Point({number}, 2), {number % 2 + 1});\n"
        )


@pytest.fixture(scope="module")
def source(mariadb: TestDatabase) -> Iterator[TestDatabase]:
    values = STRANGE + [before for before, _ in generated(31_000, 500)] + [bytes(range(256)) + LINK, b"\xff" + LINK]
    setup = (
        f"CREATE DATABASE cd_dump CHARACTER SET utf8mb4; USE cd_dump; SET sql_mode=''; {TABLE};"
        + "".join(inserts([value for value in values if is_utf8(value)]))
        + "CREATE VIEW w AS SELECT id, 'http://south.example' AS u FROM v; CREATE TABLE other (a int);\n"
        "DELIMITER ;;\nCREATE TRIGGER tr BEFORE INSERT ON other FOR EACH ROW BEGIN INSERT INTO v (id, t) VALUES (-1, "
        "'http://south.example/trigger'); END;;\n"
        "CREATE PROCEDURE p() BEGIN SELECT 'http://south.example'; END;;\nDELIMITER ;\n"
    )
    binary = [value for value in values if not is_utf8(value)]
    setup += "".join(f"INSERT INTO v (id, b) VALUES ({9000 + at}, {literal(one)});" for at, one in enumerate(binary))
    client(mariadb, "mariadb", "--max-allowed-packet=1G", given=setup.encode())
    yield mariadb
    client(mariadb, "mariadb", "-e", "DROP DATABASE cd_dump")


def is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def rewritten(dump: bytes) -> bytes:
    return b"".join(SqlDump(REWRITER).rewritten(dump[at : at + 50_000] for at in range(0, len(dump), 50_000)))


def expected(name: str, value: bytes | None) -> bytes | None:
    if value is None or name not in (TEXT, BLOB, LATIN1, JSON, "x"):
        return value
    if name == LATIN1:
        seen = "".join(MYSQL_LATIN1[byte] for byte in value).encode()
        return bytes(MYSQL_LATIN1.index(one) for one in REWRITER.rewrite(seen).value.decode())
    if name in (BLOB, "x") and not is_text(value):
        return value
    return REWRITER.rewrite(value).value


def survives(value: bytes | None, charset: str) -> bool:
    try:
        (value or b"").decode().encode(charset)
    except UnicodeError:
        return charset == "utf-8"
    return True


def load(database: TestDatabase, dump: bytes) -> None:
    client(database, "mariadb", "-e", "DROP DATABASE IF EXISTS cd_there; CREATE DATABASE cd_there")
    client(database, "mariadb", "--max-allowed-packet=1G", "--default-character-set=utf8mb4", "cd_there", given=dump)


def compare(database: TestDatabase, charset: str = "utf-8") -> None:
    """Each value of cd_there against what must become of the one in cd_dump; of those that the dump's charset has."""
    before, after = columns(database, "cd_dump"), columns(database, "cd_there")
    for name, values in before.items():
        pairs = [
            (value, there)
            for value, there in zip(values, after[name], strict=True)
            if name in (BLOB, LATIN1) or survives(value, charset)
        ]
        wrong = [(value, there) for value, there in pairs if expected(name, value) != there]
        assert wrong[:3] == [], name
    assert sum(one != two for one, two in zip(before[TEXT], after[TEXT], strict=True)) > 300
    pairs = [pair for name in (TEXT, BLOB) for pair in zip(before[name], after[name], strict=True)]
    whole = [(one, two) for one, two in pairs if one is not None and two is not None and survives(one, charset)]
    verdicts = read_by_php([one for one, _ in whole], [two for _, two in whole])
    assert sum(was for was, _ in verdicts) > 200
    assert [one for (one, _), (was, still) in zip(whole, verdicts, strict=True) if was and not still] == []


@pytest.mark.parametrize("options", DUMPS, ids=lambda options: " ".join(options) or "as it is")
def test_mariadb_dump(source: TestDatabase, options: tuple[str, ...]) -> None:
    dump = client(source, "mariadb-dump", "--max-allowed-packet=1G", *options, "cd_dump")
    made = rewritten(dump)
    load(source, made.replace(b"`cd_dump`", b"`cd_there`") if "--databases" in options else made)
    compare(source, "cp1252" if "--default-character-set=latin1" in options else "utf-8")


@pytest.mark.skipif(shutil.which("mydumper") is None, reason="needs mydumper")
def test_mydumper(source: TestDatabase, tmp_path: Path) -> None:
    subprocess.run(
        ["mydumper", "-u", "root", "-S", source.socket, "-B", "cd_dump", "-o", str(tmp_path), "--rows", "200",
         "--triggers", "--routines", "--statement-size", "2000000"],
        check=True, capture_output=True,
    )  # fmt: skip
    files = sorted(tmp_path.glob("*.sql"))
    assert len(files) > 4
    made = b"".join(rewritten(path.read_bytes()) for path in files if "v.0" not in path.name)
    assert b"http://south.example/trigger" in made
    # The definition before the rows tells which columns are blobs and enumerations.
    rows = [path.read_bytes() for path in files if path.name.startswith("cd_dump.v.0")]
    load(source, rewritten(b"".join([(tmp_path / "cd_dump.v-schema.sql").read_bytes(), *rows])))
    compare(source)


def test_a_server_under_no_backslash_escapes(source: TestDatabase) -> None:
    usual = source.root("SELECT @@GLOBAL.sql_mode")
    source.root("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'")
    try:
        dump = client(source, "mariadb-dump", "--max-allowed-packet=1G", "cd_dump")
        load(source, rewritten(dump))
    finally:
        source.root(f"SET GLOBAL sql_mode = '{usual}'")
    compare(source)
