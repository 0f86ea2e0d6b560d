from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossdock.core.errors import SourceError
from crossdock.formats import sql_dump
from crossdock.formats.sql_dump import SqlDump
from crossdock.formats.sql_literals import TableCounts
from crossdock.wordpress.rewriting import Rewriter, UrlRule

CASES = sorted((Path(__file__).parent.parent / "cases" / "dumps").iterdir())
RULES = (UrlRule("south.example", "", "https", "www.south-shop.example", "/se"),)
REWRITER = Rewriter(RULES)
LINK, THERE = b"http://south.example/a", b"https://www.south-shop.example/se/a"
MEANT = {b"0": b"\0", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"Z": b"\x1a", b"%": b"\\%", b"_": b"\\_"}


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def rewritten(data: bytes, size: int = 1 << 18, **options: bool) -> bytes:
    return b"".join(SqlDump(REWRITER, **options).rewritten(cut(data, size)))


def refused(data: bytes, size: int = 1 << 18, **options: bool) -> SourceError:
    with pytest.raises(SourceError) as told:
        rewritten(data, size, **options)
    assert told.value.way_out
    return told.value


# -- how programs write a value ----------------------------------------------------------------------------------------


def mysqldump(value: bytes) -> bytes:
    """mysql_real_escape_string(): mysqldump, mariadb-dump, mydumper, phpMyAdmin 5."""
    for plain, letter in ((b"\\", b"\\"), (b"'", b"'"), (b'"', b'"'), (b"\0", b"0"), (b"\n", b"n"), (b"\r", b"r")):
        value = value.replace(plain, b"\\" + letter)
    return b"'" + value.replace(b"\x1a", rb"\Z") + b"'"


def phpmyadmin(value: bytes) -> bytes:
    """phpMyAdmin up to 4: quotes doubled."""
    value = value.replace(b"\\", b"\\\\").replace(b"'", b"''").replace(b"\0", rb"\0")
    return b"'" + value.replace(b"\n", rb"\n").replace(b"\r", rb"\r").replace(b"\x1a", rb"\Z") + b"'"


def double_quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'


def doubled(value: bytes) -> bytes:
    """Under NO_BACKSLASH_ESCAPES."""
    return b"'" + value.replace(b"'", b"''") + b"'"


def introduced(value: bytes) -> bytes:
    return b"_binary " + mysqldump(value)


def converted(value: bytes) -> bytes:
    """mydumper: columns of MySQL's JSON."""
    return b"CONVERT(" + mysqldump(value) + b" USING UTF8MB4)"


def upper_hex(value: bytes) -> bytes:
    return b"0x" + value.hex().upper().encode() if value else b"''"


def quoted_hex(value: bytes) -> bytes:
    return b"x'" + value.hex().encode() + b"'"


WRITERS = (mysqldump, phpmyadmin, double_quoted, introduced, converted, upper_hex, quoted_hex)
HEX = (upper_hex, quoted_hex)


def read(literal: bytes, backslash: bool) -> bytes:
    """The value that a literal stands for, read byte by byte."""
    literal = literal.removeprefix(b"_binary ").removeprefix(b"CONVERT(").removesuffix(b" USING UTF8MB4)")
    if literal[:2] == b"0x":
        return bytes.fromhex(literal[2:].decode())
    if literal[:1] == b"x":
        return bytes.fromhex(literal[2:-1].decode())
    quote, body, made, at = literal[:1], literal[1:-1], b"", 0
    while at < len(body):
        byte = body[at : at + 1]
        if byte == quote or (byte == b"\\" and backslash):
            at += 1
            second = body[at : at + 1]
            assert byte == b"\\" or second == quote
            byte = MEANT.get(second, second) if byte == b"\\" else second
        made += byte
        at += 1
    return made


PIECES = st.sampled_from([
    b"", LINK, b"//SOUTH.example", b"http:\\/\\/south.example\\/", b"%2F%2Fsouth.example",
    b'a:1:{i:0;s:22:"' + LINK + b'";}',
    b"\\", b"'", b'"', b"''", b"\n", b"\r\n", b"\x1a", b"\t", b"%", b"_", b"\\%", b"\\'", b"),(",
    b"');", b";", b"--", b"/*", b"\xc3\xa9", b"`", b"x" * 40, b"0x41", b" USING ", b"NULL",
])  # fmt: skip
VALUES = st.lists(PIECES, max_size=6).map(b"".join)
ROWS = st.lists(st.lists(st.tuples(VALUES, st.sampled_from(WRITERS)), min_size=1, max_size=4), min_size=1, max_size=5)


def dump(rows: list[list[bytes]], mode: bytes = b"NO_AUTO_VALUE_ON_ZERO", end: bytes = b"\n") -> bytes:
    body = (b"," + end).join(b"(1," + b",".join(row) + b",NULL,-1.5e-05)" for row in rows)
    return end.join([
        b"-- what's `this`? http://south.example", b"/*!40101 SET NAMES utf8mb4 */;",
        b"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='" + mode + b"' */;",
        b"CREATE TABLE `t` (`a` text COMMENT 'http://south.example; it''s') COMMENT='x';",
        b"INSERT INTO `t` (`a`, `v)('`) VALUES" + end + body + b";",
        b"/*!50001 CREATE VIEW `v` AS SELECT 'http://south.example;*/' AS `u` */;", b"",
    ])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(ROWS, st.integers(1, 70), st.sampled_from([b"\n", b"\r\n"]))
def test_each_value_becomes_what_the_rewriter_makes_of_it(
    rows: list[list[tuple[bytes, Callable[[bytes], bytes]]]], size: int, end: bytes
) -> None:
    before = [[write(value) for value, write in row] for row in rows]
    after = [[write(REWRITER.rewrite(value).value) for value, write in row] for row in rows]
    source = dump(before, end=end)
    for row in rows:
        for value, write in row:
            assert read(write(value), True) == value
    assert rewritten(source, size) == rewritten(source) == dump(after, end=end)


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(1, 70))
def test_without_backslash_escapes(values: list[bytes], size: int) -> None:
    source = dump([list(map(doubled, values))], b"ANSI,NO_BACKSLASH_ESCAPES")
    expected = dump([[doubled(REWRITER.rewrite(value).value) for value in values]], b"ANSI,NO_BACKSLASH_ESCAPES")
    assert rewritten(source, size) == expected
    hidden = source.replace(b",NO_BACKSLASH_ESCAPES", b"")
    assert rewritten(hidden, backslash_escapes=False) == expected.replace(b",NO_BACKSLASH_ESCAPES", b"")


def test_untouched_parts_keep_their_escapes() -> None:
    text = rb"it''s \'q\' \"d\" \t\b\0\Z\% \_ "
    source = b"CREATE TABLE t (\n a text);INSERT INTO t VALUES ('" + text + LINK + text + b"');"
    assert rewritten(source) == source.replace(LINK, THERE)


def test_lengths_count_what_the_value_holds_not_its_escapes() -> None:
    inner = b'O:1:"X":1:{s:4:"\0*\0p";s:%d:"%s";}'
    value = inner % (len(LINK) + 6, b"\n\x1a'\"\\" + LINK + b"\0")
    there = inner % (len(THERE) + 6, b"\n\x1a'\"\\" + THERE + b"\0")
    for write in WRITERS:
        assert rewritten(dump([[write(value)]])) == dump([[write(there)]])


def test_case_of_hex_digits_stays() -> None:
    source = dump([[upper_hex(LINK), quoted_hex(LINK), b"X'" + LINK.hex().upper().encode() + b"'", b"0xABC", b"b'01'"]])
    assert rewritten(source) == source.replace(LINK.hex().encode(), THERE.hex().encode()).replace(
        LINK.hex().upper().encode(), THERE.hex().upper().encode()
    )


def test_binary_data_stay_and_are_told() -> None:
    binary = b"\0\x01\x02" + LINK
    passing = SqlDump(REWRITER)
    source = dump([[introduced(binary), upper_hex(b"\xff" + LINK), mysqldump(b"\xff" + LINK), introduced(LINK)]])
    made = b"".join(passing.rewritten([source]))
    assert made == source.replace(introduced(LINK), introduced(THERE))
    assert passing.tables == {"t": TableCounts(rows=1, values=1, addresses=1, left=3)}


def test_a_tables_columns_tell_text_from_binary_data() -> None:
    value = b"a\0b" + LINK
    row = b",".join((mysqldump(value), mysqldump(b"\xff" + LINK), mysqldump(LINK), upper_hex(value)))
    table = b"CREATE TABLE IF NOT EXISTS `d`.`t` (\n  `k``ey` text,\n  PRIMARY KEY (`k``ey`),\n  b mediumblob,\n"
    for columns, names in (
        (b"  c BINARY(9),\n  `x` text\n) ENGINE=x;", b""),
        (b"c blob,\r\n\tx json\n);", b" (`k``ey`, `b`, c, x)"),
    ):
        head = table + columns + b"USE `d`;INSERT INTO `t`" + names + b" VALUES ("
        expected = b",".join(
            (mysqldump(b"a\0b" + THERE), mysqldump(b"\xff" + LINK), mysqldump(THERE), upper_hex(b"a\0b" + THERE))
        )
        assert rewritten(head + row + b");") == head + expected + b");"


def test_values_that_outgrow_their_column_are_told() -> None:
    link, there = len(LINK), len(THERE)
    fits = b"CREATE TABLE t (\na varchar(%d),\nb char(%d),\nc varbinary(%d),\nd tinytext,\ne int(1),\nf longtext\n);"
    values = [mysqldump(one + LINK) for one in (b"", b"\xc3\xa9", b"\xc3\xa9", b"x" * (255 - there), b"", b"")]
    rows = b"SET NAMES utf8;INSERT INTO t VALUES (%s);" % b",".join(values)
    for size, wrong in ((there, 1), (there + 1, 0)):
        passing = SqlDump(REWRITER)
        list(passing.rewritten([fits % (there, size, there + 2) + rows]))
        assert passing.tables["t"] == TableCounts(rows=1, values=6, addresses=6, too_long=wrong)
    passing = SqlDump(REWRITER)
    list(passing.rewritten([fits % (link, link, link) + rows.replace(b"xh", b"xxh")]))
    assert passing.tables["t"].too_long == 4


def test_names_of_an_enum_stay() -> None:
    table = b"CREATE TABLE t (\na enum('//south.example','b'),\nb set('//south.example')\n);"
    source = table + b"INSERT INTO t VALUES ('//south.example','//south.example');"
    passing = SqlDump(REWRITER)
    assert b"".join(passing.rewritten([source])) == source
    assert passing.tables["t"] == TableCounts(rows=1, left=2)


@pytest.mark.parametrize(("dump_charset", "php_charset"), [("utf-8", "cp1252"), ("cp1252", "utf-8")])
def test_lengths_that_count_another_charset(dump_charset: str, php_charset: str) -> None:
    def value(link: bytes) -> bytes:
        text = "größe € ".encode(php_charset) + link + "é".encode(php_charset)
        return (b'a:1:{i:0;s:%d:"%s";}' % (len(text), text)).decode(php_charset).encode(dump_charset)

    names = b"utf8mb4" if dump_charset == "utf-8" else b"latin1"
    source, expected = (dump([[mysqldump(value(link))]]).replace(b"utf8mb4", names) for link in (LINK, THERE))
    passing = SqlDump(REWRITER)
    assert b"".join(passing.rewritten([source])) == expected
    assert passing.tables["t"] == TableCounts(rows=1, values=1, addresses=1)


def test_broken_values_are_rewritten_as_text_and_told() -> None:
    passing = SqlDump(REWRITER)
    source = dump([[mysqldump(b's:99:"' + LINK + b'";')]])
    expected = dump([[mysqldump(b's:99:"' + THERE + b'";')]])
    assert b"".join(passing.rewritten([source])) == expected
    assert passing.tables["t"].broken == 1


# -- statements --------------------------------------------------------------------------------------------------------

STATEMENTS = [
    b"INSERT INTO `a`.`t` VALUES (1,%s),\n(2,%s);",
    b"INSERT IGNORE INTO t(`x`,y) VALUES(%s);",
    b'INSERT  IGNORE INTO "t" VALUES (%s);',
    b"insert delayed ignore into t value (%s);",
    b"REPLACE INTO `we``ird`\nVALUES\n(%s)\n,(%s)\n;",
    b"INSERT INTO t VALUES (%s) ON DUPLICATE KEY UPDATE `a`=VALUES(`a`), b=concat(%s, ';');",
    b"INSERT INTO t VALUES (ST_GeomFromText('POINT(1 2)'), FUNC(A(%s)), -5, +1.0, CAST(%s AS CHAR(7)), _utf8mb4 %s);",
    b"INSERT INTO t VALUES (1, /* it's */ %s, 2 -- and 'this\n, 3);",
    b"INSERT INTO t VALUES ();INSERT INTO t VALUES (%s);",
    b"/*!40000 ALTER TABLE `t` DISABLE KEYS */;\r\nINSERT INTO t VALUES (%s);\r\n",
    b"DELIMITER $$\nINSERT INTO t VALUES (%s)$$\nDELIMITER ;\nINSERT INTO t VALUES (%s);",
    b"\xef\xbb\xbfINSERT INTO t VALUES (%s);",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_forms_of_insert(statement: bytes) -> None:
    source = statement.replace(b"%s", mysqldump(LINK + b"'s"))
    for size in (1, 7, 1000):
        assert rewritten(source, size) == statement.replace(b"%s", mysqldump(THERE + b"'s"))


LEFT = [
    b"CREATE TABLE t (a text DEFAULT '//south.example', `//south.example` int) /*!50100 PARTITION BY x;(';') */;",
    b"-- INSERT INTO t VALUES ('//south.example\n# it's //south.example\nSET x=1;",
    b"/* INSERT INTO t VALUES ('//south.example'); */SET x=1;",
    b"/*M!999999\\- enable the sandbox mode */ \nSET @x='//south.example';",
    b"DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW "
    b"BEGIN\n"
    b"INSERT INTO t VALUES ('//south.example'); END */;;\nDELIMITER ;\n",
    b"CREATE DEFINER=`a`@`%` TRIGGER x AFTER INSERT ON t FOR EACH ROW BEGIN IF a THEN\nINSERT INTO t VALUES"
    b" ('//south.example');\nEND IF; CASE x WHEN 1 THEN SET @x = CASE 1 WHEN 2 THEN 3 END; END CASE; BEGIN END;\n"
    b"INSERT INTO t VALUES ('//south.example'); END;\n",
    b"CREATE DEFINER=`a`@`%` PROCEDURE p() INSERT INTO t VALUES ('//south.example');\n",
    b"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n"
    b"/*!50001 VIEW `v` AS select '//south.example' AS `it's` */;\n",
    b"INSERT INTO `//south.example` (`//south.example`) VALUES (1);",
    b"INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE `//south.example`=1;",
    b"DROP TABLE IF EXISTS `a;'b`; LOCK TABLES `t` WRITE; UNLOCK TABLES;",
]


@pytest.mark.parametrize("statement", LEFT)
def test_what_is_no_value_stays(statement: bytes) -> None:
    for size in (1, 7, 1000):
        source = statement + b"INSERT INTO t VALUES ('" + LINK + b"');"
        assert rewritten(source, size) == statement + b"INSERT INTO t VALUES ('" + THERE + b"');"


def test_counts_by_table() -> None:
    passing = SqlDump(REWRITER)
    link = mysqldump(LINK + b" " + LINK)
    source = (
        b"INSERT INTO `a` VALUES (1,'x'),(2,%s);INSERT INTO `a` VALUES (3,%s);\nINSERT INTO `b` VALUES (1);USE `d`;\n"
        b"INSERT INTO `b` VALUES (%s,%s);INSERT INTO `e`.`b` VALUES (1),(2);" % (link, link, link, link)
    )
    assert len(b"".join(passing.rewritten(cut(source, 5)))) > len(source)
    assert passing.bytes_read == len(source)
    assert passing.tables == {
        "a": TableCounts(rows=3, values=2, addresses=4),
        "b": TableCounts(rows=1),
        "d.b": TableCounts(rows=1, values=2, addresses=4),
        "e.b": TableCounts(rows=2),
    }


def test_sql_mode_is_saved_and_kept_as_dumps_do() -> None:
    source = (
        b"SET @saved_sql_mode = @@sql_mode;SET sql_mode = 'STRICT,NO_BACKSLASH_ESCAPES';\n"
        b"INSERT INTO t VALUES ('C:\\','//south.example\\');"
        b"SET sql_mode = @saved_sql_mode ;INSERT INTO t VALUES ('\\'//south.example\\'');"
        b"/*!40101 SET @o=@@SESSION.SQL_MODE, SQL_MODE=\"NO_BACKSLASH_ESCAPES\" */;INSERT INTO t VALUES ('\\','\\');"
    )
    assert rewritten(source) == source.replace(b"//south.example", b"//www.south-shop.example/se")


# -- what can't be read ------------------------------------------------------------------------------------------------


def test_a_dump_cut_anywhere_is_told() -> None:
    whole = dump([[mysqldump(LINK + b"'s"), upper_hex(LINK)], [mysqldump(b"x")]]) + b"-- Dump completed on 2026-11-25\n"
    source = b"-- MariaDB dump 10.19\n" + whole
    assert rewritten(source)
    for size in range(len(source) - len(b" on 2026-11-25\n")):
        error = refused(source[:size])
        assert error.exit_code == 10
    rows = source.index(b"(1,'x'") + 3
    error = refused(source[: rows + 1])
    assert error.where == f"table t, row 2, line {source.count(10, 0, rows) + 1}, byte {rows + 1}"
    assert "ends within" in error.what


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no statement"),
        (b"\n-- nothing\n", "no statement"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3", "gzip"),
        (b"\x28\xb5\x2f\xfd\4\0", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh91AY&SY", "bzip2"),
        (b"PK\3\4\x14", "ZIP"),
        ("\ufeffINSERT".encode("utf-16-le"), "UTF-16"),
        (b"<?xml version='1.0'?>\n<mysqldump/>", "XML"),
        (b"{}", "no SQL"),
        (b"SET x=1;\n\0\0\0\0", "no SQL"),
        (b"LOAD DATA LOCAL INFILE 't.dat' REPLACE INTO TABLE `t`;", "LOAD DATA"),
        (b"UPDATE `t` SET `a` = '//south.example' WHERE `t`.`b` = 1;", "UPDATE"),
        (b"COPY public.t (a) FROM stdin;\n", "PostgreSQL"),
        (b"INSERT INTO t SELECT 'a' FROM b;", "no VALUES"),
        (b"INSERT INTO t SET a='b';", "no VALUES"),
        (b"SET NAMES gbk;", "gbk"),
        (b"/*!40101 SET NAMES sjis */;", "sjis"),
        (b"INSERT INTO t VALUES ('a' 'b');", "a string stands"),
        (b"INSERT INTO t VALUES ('a');('b');INSERT INTO t VALUES ('a' b);", "a word stands"),
        (b"INSERT INTO t VALUES ('a')\nINSERT INTO t VALUES ('b');", "a word stands"),
        (b"INSERT INTO t VALUES ('C:\\','next');", "a word stands"),
        (b"INSERT INTO t VALUES ('\\/ //south.example');", "holds \\/,"),
        (b"INSERT INTO t VALUES ('a'),;", "no part of a row"),
        (b"INSERT INTO t VALUES ('a',\0);", "no part of a row"),
        (b"INSERT INTO t VALUES (1));", "no part of a row"),
        (b"INSERT INTO t VALUES (abc'def');", "a string stands"),
        (b"LOCK TABLES `t` WRITE;\nINSERT INTO t VALUES (1);", "UNLOCK TABLES"),
        (b"START TRANSACTION;\nINSERT INTO t VALUES (1);", "COMMIT"),
        (b"-- MySQL dump 10.13\nSET x=1;", "Dump completed"),
    ],
)  # fmt: skip
def test_what_is_no_dump_is_told(data: bytes, told: str) -> None:
    for size in (1, 1000):
        error = refused(data, size)
        assert told in error.what
        assert re.search(r"line \d+, byte \d+$", error.where)


def test_a_persons_word_on_escapes_counts() -> None:
    source = b"INSERT INTO t VALUES ('http:\\/\\/south.example \\w');"
    assert rewritten(source, backslash_escapes=False) == source.replace(
        b"http:\\/\\/south.example", b"https:\\/\\/www.south-shop.example\\/se"
    )
    assert rewritten(source, backslash_escapes=True) == source.replace(
        b"http:\\/\\/south.example", b"https://www.south-shop.example/se"
    )
    assert rewritten(b"INSERT INTO t VALUES ('//so\\uth.example');", backslash_escapes=True) == (
        b"INSERT INTO t VALUES ('//www.south-shop.example/se');"
    )


def test_a_value_longer_than_any_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_dump, "LONGEST_HELD", 1000)
    assert "more than" in refused(b"INSERT INTO t VALUES ('" + b"x" * 5000, 100).what
    assert "more than" in refused(b"CREATE TABLE t (" + b"x" * 5000, 100).what


def test_time_does_not_grow_with_the_square_of_a_value() -> None:
    value = b"x" * (16 << 20) + LINK
    source = b"INSERT INTO t VALUES ('" + value + b"');"
    began = time.perf_counter()
    assert rewritten(source, 1 << 16) == source.replace(LINK, THERE)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path) -> None:
    source, expected = (case / "input.sql").read_bytes(), (case / "expected.sql").read_bytes()
    for size in (1 << 18, 61):
        passing = SqlDump(REWRITER)
        assert b"".join(passing.rewritten(cut(source, size))) == expected
        counts = {name: [one.rows, one.values, one.addresses] for name, one in passing.tables.items()}
        assert counts == json.loads((case / "counts.json").read_text())


PARTS = [
    b"INSERT INTO t VALUES ", b"(", b")", b",", b";", b"'", b"\\", b'"', b"`", b"--", b" ", b"\n", b"/*", b"/*!", b"*/",
    b"0x", b"x'", b"_binary", b"NULL", b"1", b"CREATE", b"DELIMITER ;;\n", b"SET NAMES gbk", LINK, b"\0", b"ON",
    b"#", b"SET x",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=30), st.integers(1, 9))
@example([b"/*"], 1)
def test_anything_is_answered_the_same_in_any_chunks(parts: list[bytes], size: int) -> None:
    source = b"".join(parts)

    def answer(step: int) -> bytes | str:
        try:
            return rewritten(source, step)
        except SourceError as error:
            return str(error)

    assert answer(size) == answer(1 << 18)
