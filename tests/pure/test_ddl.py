"""Definitions as text: what no server is needed for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import SourceError
from crossdock.core.tables import Column, StoredCode, Table
from crossdock.wordpress.ddl import collation_for, quoted, references, stored_code_ddl, table_ddl, unquoted


def rename(name: str) -> str:
    return f"wp_5_{name[3:]}" if name.startswith("wp_") and not name.startswith("wp_5_") else name


def table(*lines: str, name: str = "wp_x", options: str = ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4") -> Table:
    sql = f"CREATE TABLE `{name}` (\n  " + ",\n  ".join(lines) + f"\n{options}"
    return Table(name, "InnoDB", "utf8mb4_unicode_ci", (Column("id", "int", "int(11)", False),), (), sql)


NAMES = st.text(st.characters(blacklist_characters="\n\x00", blacklist_categories=["Cs"]), min_size=1, max_size=64)


@given(NAMES, NAMES, NAMES)
def test_any_name_is_carried_whole(column: str, key: str, other: str) -> None:
    made = table_ddl(
        table(
            f"{quoted(column)} int(11) DEFAULT NULL",
            f"KEY {quoted(key)} ({quoted(column)})",
            f"CONSTRAINT {quoted(key)} FOREIGN KEY ({quoted(column)}) REFERENCES {quoted(other)} ({quoted(column)})",
        ),
        rename,
        constraint_prefix="b5_",
    )
    assert made.keys == (f"ALTER TABLE `wp_5_x` ADD KEY {quoted(key)} ({quoted(column)})",)
    assert made.foreign_keys.endswith(f" REFERENCES {quoted(rename(other))} ({quoted(column)})")
    assert unquoted(quoted(column)) == column


@given(NAMES)
def test_renaming_twice_changes_nothing_more(name: str) -> None:
    once = table_ddl(table("`id` int(11) NOT NULL", name=f"wp_{name}"), rename, constraint_prefix="").create
    source = table("`id` int(11) NOT NULL", name=rename(f"wp_{name}"))
    assert table_ddl(source, rename, constraint_prefix="").create == once


@given(st.lists(st.text("ab", min_size=50, max_size=64), unique=True, min_size=2, max_size=6))
def test_long_constraint_names_stay_different_and_fit(names: list[str]) -> None:
    lines = [f"CONSTRAINT `{name}` FOREIGN KEY (`id`) REFERENCES `wp_y` (`id`)" for name in names]
    made = table_ddl(table("`id` int(11) NOT NULL", *lines), rename, constraint_prefix="b5_").foreign_keys
    found = [part.split("`")[1] for part in made.split("ADD CONSTRAINT ")[1:]]
    assert len({*found}) == len(names)
    assert max(map(len, found)) <= 64


def test_what_stands_in_another_database_is_refused_and_named() -> None:
    source = table("`id` int(11)", "CONSTRAINT `x` FOREIGN KEY (`id`) REFERENCES `shop`.`wp_y` (`id`)")
    assert references(source) == ("shop.wp_y",)
    with pytest.raises(SourceError, match="another database"):
        table_ddl(source, rename, constraint_prefix="")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("utf8mb4_unicode_520_ci", "utf8mb4_unicode_520_ci"),
        ("utf8mb3_unicode_ci", "utf8mb4_unicode_ci"),
        ("utf8_general_ci", "utf8mb4_general_ci"),
        ("utf8mb3_general_nopad_ci", "utf8mb4_general_nopad_ci"),
        ("latin1_swedish_ci", "utf8mb4_swedish_ci"),
        ("latin1_swedish_nopad_ci", "utf8mb4_general_nopad_ci"),
        ("latin1_general_cs", "utf8mb4_bin"),
        ("latin1_nopad_bin", "utf8mb4_nopad_bin"),
        ("greek_general_ci", "utf8mb4_general_ci"),
    ],
)
def test_collations(source: str, target: str) -> None:
    assert collation_for(source) == target


def code(sql: str, tables: set[str] | None = None, kind: str = "view") -> str:
    return stored_code_ddl(StoredCode(kind, "wp_v", sql), rename, name="wp_5_v", database="shop", tables=tables)


def test_a_trigger_may_have_its_tables_name() -> None:
    sql = "CREATE DEFINER=`a b`@`%` TRIGGER wp_log BEFORE INSERT ON wp_log FOR EACH ROW SET NEW.wp_log = 1"
    made = stored_code_ddl(StoredCode("trigger", "wp_log", sql, "wp_log"), rename, name="t", database="shop")
    assert made == "CREATE TRIGGER `t` BEFORE INSERT ON `wp_5_log` FOR EACH ROW SET NEW.wp_log = 1"


def test_only_tables_are_renamed_where_they_are_known() -> None:
    sql = "CREATE VIEW `wp_v` AS select `wp_t`.`wp_t` AS `wp_t`,wp_hash(`wp_t`.`a`) from `shop`.`wp_t` order by `wp_c`"
    assert code(sql, {"wp_t"}) == (
        "CREATE VIEW `wp_5_v` AS select `wp_5_t`.`wp_t` AS `wp_t`,wp_hash(`wp_5_t`.`a`) from `wp_5_t` order by `wp_c`"
    )


@given(st.text("a'\"`wp_t #-*/\\;\n", max_size=20))
def test_no_text_between_quotes_is_touched(text: str) -> None:
    literal = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    assert f" {literal} " in code(f"CREATE VIEW `wp_v` AS select  {literal}  from `wp_t`", {"wp_t"})


def test_code_that_the_account_may_not_read_is_refused() -> None:
    with pytest.raises(SourceError, match="can't be read"):
        code("")
