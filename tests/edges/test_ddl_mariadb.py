"""Table, view and trigger definitions against a real MariaDB: what is made again means what it meant."""

from __future__ import annotations

import re

import pytest

from crossdock.core.errors import SourceError, TargetError
from crossdock.core.tables import Table
from crossdock.wordpress.ddl import kept_charset, quoted, stored_code_ddl, table_ddl

SOURCE = r"""
CREATE TABLE wp_types (
 id BIGINT(20) UNSIGNED NOT NULL AUTO_INCREMENT, a TINYINT(1) NOT NULL DEFAULT 0, b SMALLINT ZEROFILL,
 c MEDIUMINT UNSIGNED DEFAULT NULL, d INT(11) DEFAULT -5, e DECIMAL(20,6) DEFAULT 1.500000, f FLOAT, g DOUBLE(10,2),
 h BIT(8) DEFAULT b'101', i DATE DEFAULT '0000-00-00',
 j DATETIME(3) DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),
 k TIMESTAMP NOT NULL DEFAULT current_timestamp(), l TIME(2), m YEAR, n CHAR(10) DEFAULT 'a,b)',
 o VARCHAR(200) DEFAULT 'it''s "x" `y` \\ CHARACTER SET utf8 COLLATE foo, (z)'
   COMMENT 'say ''no'', CHARACTER SET latin2 \\ "q"\nline two)',
 p TEXT DEFAULT 'tt', q TINYTEXT, r MEDIUMTEXT, s LONGTEXT, t BLOB DEFAULT 0x0102, u TINYBLOB,
 v VARBINARY(20) DEFAULT 'a\0b', w BINARY(4),
 x ENUM('a','b''c','d,e)','CHARACTER SET utf8') CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_ci DEFAULT 'b''c',
 y SET('x','y') DEFAULT 'x,y', z JSON, aa INET6 DEFAULT '::1', bb UUID DEFAULT uuid(), cc POINT, dd GEOMETRY,
 ee VARCHAR(50) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NOT NULL DEFAULT '',
 ff VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_swedish_ci DEFAULT concat('a', 'b,'),
 gg VARCHAR(60) INVISIBLE DEFAULT 'h', hh CHAR(3) CHARACTER SET ascii DEFAULT 'EUR', ii TEXT COMPRESSED,
 `od``d, name` INT COMMENT 'x',
 g1 VARCHAR(300) GENERATED ALWAYS AS (concat(o, ' CHARACTER SET latin1 ', n)) VIRTUAL, g2 INT AS (a + 1) STORED,
 g3 VARCHAR(40) CHARACTER SET utf8mb3 AS (json_value(z, '$.a')) STORED COMMENT 'gen',
 g4 VARCHAR(60) AS (convert(ee using utf8mb4) collate utf8mb4_bin) VIRTUAL,
 chk INT CHECK (chk > 0 AND chk <> 5),
 PRIMARY KEY (id), UNIQUE KEY u1 (ee), UNIQUE KEY u2 (n, d DESC), KEY k1 (p(100), a),
 KEY k2 (o(50) DESC) COMMENT 'key (`x`) USING HASH,', FULLTEXT KEY ft1 (p), FULLTEXT KEY ft2 (r, s),
 UNIQUE KEY uh (s) USING HASH, KEY gk (g2), KEY ign (c) IGNORED, KEY bt (d) USING BTREE,
 CONSTRAINT long_check CHECK (d <> 7 or o in ('a,b', 'CONSTRAINT x FOREIGN KEY (')),
 CONSTRAINT c2 CHECK (json_valid(s) or s is null)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=latin1
  COMMENT='tab ''c'', AUTO_INCREMENT=77 ENGINE=x WITH SYSTEM VERSIONING' AUTO_INCREMENT=42;
CREATE TABLE wp_spatial (id INT PRIMARY KEY, g POINT NOT NULL, SPATIAL KEY sp (g)) ENGINE=MyISAM;
CREATE TABLE wp_compressed (id INT PRIMARY KEY, a TEXT, KEY a (a(20)) KEY_BLOCK_SIZE=4) ENGINE=InnoDB
  ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
CREATE TABLE wp_part (id INT NOT NULL, y INT NOT NULL, t VARCHAR(20), PRIMARY KEY (id, y), KEY t (t)) ENGINE=InnoDB
  PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE wp_parent (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, code VARCHAR(20) UNIQUE, boss BIGINT UNSIGNED,
  CONSTRAINT self_ref FOREIGN KEY (boss) REFERENCES wp_parent (id) ON DELETE SET NULL) ENGINE=InnoDB CHARSET utf8mb3;
CREATE TABLE wp_child (id INT AUTO_INCREMENT PRIMARY KEY, pid BIGINT UNSIGNED, code VARCHAR(20), KEY pid (pid),
  CONSTRAINT a_very_long_constraint_name_that_is_just_about_sixty_three_chars FOREIGN KEY (pid)
    REFERENCES wp_parent (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT a_very_long_constraint_name_that_is_just_about_sixty_three_char2 FOREIGN KEY (code)
    REFERENCES wp_parent (code) ON DELETE SET NULL) ENGINE=InnoDB CHARSET utf8mb3;
CREATE TABLE `wp_do$llar é` (`ключ` INT PRIMARY KEY, `a b` VARCHAR(10) DEFAULT 'é') ENGINE=Aria CHARSET=utf8mb3;
CREATE TABLE wp_auto2 (a INT NOT NULL AUTO_INCREMENT, b INT NOT NULL, PRIMARY KEY (b, a), KEY a (a)) ENGINE=InnoDB;
CREATE TABLE wp_nokey (a INT, b TEXT) ENGINE=MyISAM;
CREATE TABLE wp_mem (a VARCHAR(100) NOT NULL, PRIMARY KEY (a) USING HASH, KEY h (a) USING HASH) ENGINE=MEMORY;
CREATE TABLE wp_long (a VARCHAR(800), b VARCHAR(20), KEY a (a)) ENGINE=InnoDB CHARSET latin1;
CREATE TABLE wp_longtext (a TEXT, KEY a (a(3000))) ENGINE=InnoDB CHARSET latin1;
CREATE TABLE wp_wide (a VARCHAR(9000), b VARCHAR(9000), c VARCHAR(100) CHARACTER SET utf8mb3) CHARSET latin1;
CREATE TABLE wp_sets (a VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_general_cs UNIQUE,
  b VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_swedish_ci UNIQUE, c VARCHAR(10) CHARACTER SET gbk,
  d TEXT CHARACTER SET cp866, e VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_nopad_bin,
  f VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_uca1400_ai_ci) ENGINE=InnoDB;
CREATE TABLE wp_users (ID BIGINT UNSIGNED PRIMARY KEY, wp_user_id INT, user_login VARCHAR(60));
CREATE TABLE wp_log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100));
CREATE SQL SECURITY DEFINER VIEW wp_v2 AS SELECT u.ID AS wp_log, u.wp_user_id, 'wp_users' AS lit, wp_users.user_login
  FROM wp_users AS u JOIN wp_users ON wp_users.ID = u.ID
  WHERE u.user_login <> 'see wp_users "x" it''s `wp_log`' ORDER BY wp_log;
CREATE ALGORITHM=MERGE VIEW wp_v1 AS SELECT wp_v2.wp_log AS c, `wp_parent`.`id` AS `wp_parent` FROM cd_ddl.wp_v2
  LEFT JOIN wp_parent ON wp_parent.id = wp_v2.wp_log;
CREATE TABLE wp_versioned (a INT PRIMARY KEY) WITH SYSTEM VERSIONING;
CREATE TABLE wp_periods (a INT PRIMARY KEY, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START,
  e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;
"""
TRIGGER = """CREATE TRIGGER wp_log BEFORE INSERT ON wp_child FOR EACH ROW BEGIN
 -- don't touch wp_log here
 /* it's wp_log */
 IF NEW.code = 'wp_log' THEN SET NEW.code = "wp_log it's"; END IF;
 # wp_log isn't
 INSERT INTO wp_log(what) VALUES (concat('new in wp_child ', NEW.pid));
 INSERT INTO cd_ddl.wp_log (what) SELECT `wp_log`.what FROM wp_log WHERE wp_log.id = 1;
 UPDATE wp_users SET wp_user_id = wp_user_id + 1 WHERE wp_users.wp_user_id = NEW.pid;
END"""
REFUSED = ("wp_versioned", "wp_periods")


def rename(name: str) -> str:
    return f"wp_5_{name[3:]}" if name.startswith("wp_") else name


@pytest.fixture(scope="module")
def schema(mariadb):
    mariadb.root("DROP DATABASE IF EXISTS cd_ddl; CREATE DATABASE cd_ddl CHARACTER SET utf8mb4")
    session = mariadb.endpoint("cd_ddl").open_target()
    for statement in re.split(r";\n", SOURCE.strip()):
        session.execute(statement)
    session.execute(TRIGGER)
    found = session.schema()
    session.close()
    return found


@pytest.fixture(params=["keyed", "in steps"])
def target(request, mariadb, schema):
    """A strict target in which everything has been made."""
    mariadb.root("DROP DATABASE IF EXISTS cd_ddl_target; CREATE DATABASE cd_ddl_target CHARACTER SET utf8mb4")
    session = mariadb.endpoint("cd_ddl_target").open_target()
    session.execute("SET SESSION sql_mode='STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'")
    made = [table_ddl(table, rename, constraint_prefix="b5_") for table in schema.tables if table.name not in REFUSED]
    for one in made:
        statements = [one.create_keyed] if request.param == "keyed" else [one.create, *one.keys]
        for statement in statements:
            session.execute(statement)
            assert not session.query("SHOW WARNINGS"), statement
    for one in made:
        if one.foreign_keys:
            session.execute(one.foreign_keys)
    yield session
    session.close()


def meaning(create_sql: str) -> set[str]:
    """SHOW CREATE's lines without what is meant to change: names, engine, character sets and the text types' width."""
    lines = set()
    body = create_sql.split("\n")
    end = next(number for number, line in enumerate(body) if line.startswith(")"))
    for raw in body[1:end]:
        line = raw.strip().rstrip(",")
        if line.startswith("`"):
            line = re.sub(
                r"^(`(?:[^`]|``)+` [^ ]+(?: /\*\S+ COMPRESSED\*/)?) CHARACTER SET \w+ COLLATE \w+", r"\1", line
            )
            line = re.sub(r"^(`(?:[^`]|``)+`) (?:tiny|medium|long)?text", r"\1 text", line)
            line = re.sub(r"^(`x` enum\(.*?\)) CHARACTER SET \w+ COLLATE \w+", r"\1", line)
        line = re.sub(r"\) USING (BTREE|HASH)$", ")", line)
        line = re.sub(r" KEY_BLOCK_SIZE=\d+$", "", line)
        line = re.sub(r"^CONSTRAINT `(?:b5_)?(\w{1,40})\w*`", r"CONSTRAINT `\1`", line)
        lines.add(re.sub(r"REFERENCES `wp_(?:5_)?", "REFERENCES `wp_", line))
    options = body[end]
    lines.add("COUNTER " + str(re.findall(r"^\) ENGINE=\w+ AUTO_INCREMENT=(\d+)", options)))
    lines.add("COMMENT " + str(re.findall(r" COMMENT='.*'", options)))
    return lines


def test_every_table_means_the_same(schema, target):
    there = {table.name: table for table in target.schema().tables}
    for table in schema.tables:
        if table.name in REFUSED:
            continue
        made = there[rename(table.name)]
        assert meaning(made.create_sql) == meaning(table.create_sql), table.name
        assert made.engine == "InnoDB"
        assert {(key.name, key.columns, key.unique) for key in made.keys} == {
            (key.name, key.columns, key.unique) for key in table.keys
        }
        kept = kept_charset(table)
        for column, source in zip(made.columns, table.columns, strict=True):
            if source.charset:
                assert column.charset == (source.charset if column.name in kept else "utf8mb4"), column.name


def test_only_what_would_grow_too_long_keeps_its_character_set(schema):
    kept = {table.name: kept_charset(table) for table in schema.tables}
    assert {name: set(columns) for name, columns in kept.items() if columns} == {
        "wp_long": {"a"}, "wp_longtext": {"a"}, "wp_wide": {"a", "b", "c"},
    }  # fmt: skip


def test_made_again_from_the_target_nothing_changes(target):
    before = {table.name: table.create_sql for table in target.schema().tables}
    for table in target.schema().tables:
        again = table_ddl(table, lambda name: name, constraint_prefix="")
        target.execute(f"DROP TABLE {quoted(table.name)}")
        target.execute(again.create_keyed)
        if again.foreign_keys:
            target.execute(again.foreign_keys)
    after = {table.name: table.create_sql for table in target.schema().tables}
    assert {name: sorted(sql.replace(",\n", "\n").split("\n")) for name, sql in after.items()} == {
        name: sorted(sql.replace(",\n", "\n").split("\n")) for name, sql in before.items()
    }


def test_what_cannot_be_carried_is_refused(schema):
    for name in REFUSED:
        table = schema.table(name)
        assert isinstance(table, Table)
        with pytest.raises(SourceError):
            table_ddl(table, rename, constraint_prefix="")


def test_views_and_triggers_work_and_leave_texts_and_columns_alone(schema, target):
    tables = {table.name for table in schema.tables} | {one.name for one in schema.stored_code if one.kind == "view"}
    made = {}
    for code in sorted(schema.stored_code, key=lambda one: one.name, reverse=True):
        name = "wp_5_log" if code.kind == "trigger" else rename(code.name)
        made[code.name] = stored_code_ddl(code, rename, name=name, database="cd_ddl", tables=tables)
        target.execute(made[code.name])
    assert not any("DEFINER" in sql or "cd_ddl" in sql for sql in made.values())
    target.execute("INSERT INTO wp_5_users VALUES (1, 10, 'ada'), (2, 20, 'see wp_users \"x\" it''s `wp_log`')")
    assert target.query("SELECT * FROM wp_5_v2") == [(b"1", b"10", b"wp_users", b"ada")]
    assert target.query("SELECT c, wp_parent FROM wp_5_v1") == [(b"1", None)]
    target.execute("INSERT INTO wp_5_parent (id, code) VALUES (10, 'x')")
    target.execute("INSERT INTO wp_5_child (pid, code) VALUES (10, 'wp_log')")
    assert target.query("SELECT code FROM wp_5_child") == [(b"wp_log it's",)]
    assert target.query("SELECT what FROM wp_5_log") == [(b"new in wp_child 10",)] * 2
    assert target.query("SELECT wp_user_id FROM wp_5_users ORDER BY ID") == [(b"11",), (b"20",)]


def test_what_the_source_tells_apart_the_target_tells_apart(schema, target):
    table = next(one for one in target.schema().tables if one.name == "wp_5_sets")
    target.execute("INSERT INTO wp_5_sets (a, b) VALUES ('a', 'a'), ('A', 'ä'), ('á', 'å'), ('Á', 'ö'), ('o', 'o')")
    assert table.column("a").collation == "utf8mb4_bin"


def test_a_value_that_its_column_cannot_hold_is_never_cut_in_silence(schema, target):
    table = next(one for one in target.schema().tables if one.name == "wp_5_log")
    target.execute("SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO'")
    with pytest.raises(TargetError, match="what"):
        target.load("wp_5_log", table.stored_columns, [[(b"77", b"x" * 101)]])
    target.execute("ROLLBACK")
    assert not target.query("SELECT 1 FROM wp_5_log WHERE id = 77")
