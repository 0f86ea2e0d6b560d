"""What a survey means: questions with their keys, blocks, and which decisions count."""

from __future__ import annotations

from dataclasses import replace

import pytest
from survey_facts import blog, config, core, source, table, target

from crossdock.core.evidence import Finding, Level
from crossdock.core.tables import StoredCode
from crossdock.move import assess
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.wordpress.people import SourceUser

ONE = (("north", "north", 1),)
TARGETS = (target("staging"), target("production"))
MYSTERY = table("wp_mystery", "id bigint", "owner_id bigint", "rank int")


def told(
    facts: SourceFacts, decisions: dict[str, str] | None = None, targets: tuple[TargetFacts, ...] = TARGETS
) -> list[Finding]:
    return assess.findings(config(ONE, decisions), [facts], targets)


def blocks(facts: SourceFacts, decisions: dict[str, str] | None = None) -> dict[str, str]:
    """Block findings: decision key, or else the place, -> code."""
    found = [one for one in told(facts, decisions) if one.level is Level.BLOCK]
    return {one.data.get("decision", one.place): one.code for one in found}


def test_a_plain_store_has_no_block() -> None:
    assert blocks(source("north")) == {}


def test_an_unknown_table_is_asked_about_first_and_then_its_columns() -> None:
    facts = source("north", tables=(MYSTERY,))
    assert blocks(facts) == {"table:north:wp_mystery": "table.unknown"}
    carry = {"table:north:wp_mystery": "carry"}
    assert blocks(facts, carry) == {"column:north:wp_mystery.owner_id": "column.user-shaped"}
    assert blocks(facts, {"table:north:wp_mystery": "leave"}) == {}
    assert blocks(facts, carry | {"column:north:wp_mystery.owner_id": "plain"}) == {}


def test_a_question_says_how_to_answer_it() -> None:
    found = next(one for one in told(source("north", tables=(MYSTERY,))) if one.level is Level.BLOCK)
    assert '"table:north:wp_mystery" = { choice = "carry|leave"' in found.way_out


def test_answers_that_are_no_choice_or_answer_nothing_are_told() -> None:
    facts = source("north", tables=(MYSTERY,))
    found = {one.code: one for one in told(facts, {"table:north:wp_mystery": "keep", "table:north:wp_gone": "leave"})}
    assert found["decision.invalid"].level is Level.BLOCK
    assert "wp_gone" in found["decision.unused"].text


def test_a_known_table_is_not_left_behind_by_a_decision() -> None:
    facts = source("north", tables=(MYSTERY,))
    chosen = config(ONE, {"table:north:wp_posts": "leave", "table:north:wp_mystery": "leave"})
    assert assess.left_tables(chosen, facts) == ("wp_mystery",)
    assert "decision.unused" in {one.code for one in told(facts, {"table:north:wp_posts": "leave"})}


def test_a_person_may_declare_a_column_of_an_unknown_table() -> None:
    facts = source("north", tables=(MYSTERY,))
    answers = {
        "table:north:wp_mystery": "carry", "column:north:wp_mystery.owner_id": "plain",
        "column:north:wp_mystery.rank": "user", "column:north:wp_posts.ID": "user",
    }  # fmt: skip
    assert assess.user_columns(config(ONE, answers), facts) == (("wp_mystery", "rank"),)
    unused = [one.text for one in told(facts, answers) if one.code == "decision.unused"]
    assert len(unused) == 1
    assert "wp_posts.ID" in unused[0]


def test_foreign_tables_and_blogs_that_do_not_move_must_be_left() -> None:
    blogs = (blog(), blog(2, "wp_2_", "fr.example"))
    facts = source("north", tables=(table("other_x", "id int"), *core("wp_2_")), blogs=blogs, multisite=True)
    keys = {"table:north:other_x": "leave", "blog:north:2": "leave"}
    assert blocks(facts) == {"table:north:other_x": "table.foreign", "blog:north:2": "blog.unlisted"}
    assert blocks(facts, keys) == {}
    assert blocks(facts, keys | {"blog:north:2": "carry"}) != {}


@pytest.mark.parametrize("name", ["wp_404_log", "wp_2_posts"])
def test_a_number_is_a_blog_only_where_there_is_one(name: str) -> None:
    assert blocks(source("north", tables=(table(name, "id int"),))) == {f"table:north:{name}": "table.unknown"}


def test_a_store_that_is_not_there() -> None:
    found = assess.findings(config((("north", "north", 4),)), [source("north")], TARGETS)
    assert "store.missing" in {one.code for one in found if one.level is Level.BLOCK}


def test_views_and_triggers() -> None:
    view, trigger = "CREATE VIEW `wp_v` AS select 1", "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1"
    code = (
        StoredCode("view", "wp_v", view), StoredCode("view", "report", view), StoredCode("view", "wp_hidden", ""),
        StoredCode("trigger", "t", trigger, "wp_posts"), StoredCode("trigger", "tu", trigger, "wp_users"),
    )  # fmt: skip
    assert blocks(source("north", code=code)) == {
        "view:north:report": "code.foreign", "north: view wp_hidden": "code.unreadable",
        "trigger:north:tu": "code.shared",
    }  # fmt: skip


def test_routines_events_and_sequences_are_asked_about() -> None:
    code = tuple(StoredCode(kind, f"wp_{kind}", "") for kind in ("procedure", "function", "event", "sequence"))
    found = blocks(source("north", code=code))
    assert found == {f"{one.kind}:north:{one.name}": "code.other" for one in code}
    assert blocks(source("north", code=code), dict.fromkeys(found, "leave")) == {}


def test_what_the_target_cannot_hold() -> None:
    reference = ",\n  CONSTRAINT `x` FOREIGN KEY (`ID`) REFERENCES `{}` (`id`)"
    posts = table("wp_comments", "ID bigint", more=reference.format("wp_mystery"))
    facts = source("north", tables=(posts, MYSTERY, table("wp_links", "ID int", more=reference.format("s`.`t"))))
    found = blocks(facts, {"table:north:wp_mystery": "leave"})
    assert found["north.wp_comments"] == "table.reference"
    assert found["north.wp_links"] in ("table.ddl", "table.reference")
    long = table("wp_" + "x" * 60, "id int")
    assert "table.long-name" in blocks(source("north", tables=(long,))).values()


def test_people() -> None:
    users = (
        SourceUser(1, "a", "a", "x@x"), SourceUser(2, "b", "b", "X@x"), SourceUser(0, "n", "n", ""),
        SourceUser(1_000_000, "z", "z", "z@x"),
    )  # fmt: skip
    host = replace(TARGETS[0], host_users=(SourceUser(1, "h", "h", "z@x"),))
    found = {one.code: one for one in told(source("north", users=users), targets=(host,))}
    assert found["user.zero"].level is found["user.beyond-headroom"].level is Level.BLOCK
    assert found["user.same-email"].text.startswith("1 users")
    assert "user.host-email" in found
    assert not any("x@x" in str(one.as_json()) for one in found.values())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"occupied": ("blog 2 exists",)}, "target.occupied"),
        ({"largest_user": 1_000_000}, "target.users"),
    ],
)
def test_a_target_that_is_not_ours_to_fill(changes: dict[str, object], code: str) -> None:
    there = replace(TARGETS[0], **changes)  # type: ignore[arg-type]
    assert code in {one.code for one in told(source("north"), targets=(there,)) if one.level is Level.BLOCK}
