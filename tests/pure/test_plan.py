"""The plan: one digest for what was approved, and nothing else in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from survey_facts import blog, config, core, source, table, target

from crossdock.core.errors import BlockedError, StaleError
from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.core.tables import StoredCode
from crossdock.move import plan as plans
from crossdock.move.plan import Plan
from crossdock.wordpress.people import SourceUser

TARGETS = (target("staging"), target("production", first_free_blog=4))
MYSTERY = table("wp_mystery", "id bigint", "owner_id bigint")


def made(sources: Any = None, targets: Any = TARGETS, **more: Any) -> Plan:
    return plans.make(config(**more), sources or [source("north", tables=(MYSTERY,)), source("south")], targets)


def test_two_surveys_of_living_stores_make_one_plan() -> None:
    later = [
        source("north", tables=(replace(MYSTERY, rows_estimate=99, bytes_estimate=5),),
               users=(SourceUser(5, "new", "new", "new@x"),)),
        source("south"),
    ]  # fmt: skip
    schema = later[1].schema
    tables = tuple(table("wp_posts", "ID bigint", "post_author bigint", counter=900) if one.name == "wp_posts" else one
                   for one in schema.tables)  # fmt: skip
    later[1] = replace(later[1], schema=replace(schema, tables=tables))
    assert made(later) == made()


CHANGES: list[dict[str, Any]] = [
    {"decisions": {"table:north:wp_mystery": "leave"}},
    {"decisions": {"column:north:wp_mystery.owner_id": "user"}},
    {"policies": {"people": "separate"}},
    {"policies": {"password": "reset"}},
    {"network": {"headroom": 5000}},
    {"sources": [source("north"), source("south")]},
    {"sources": [source("north", tables=(MYSTERY,)), source("south", root="/srv/moved")]},
    {"sources": [source("north", tables=(MYSTERY,)), source("south", content_dir="/srv/c")]},
    {"targets": (TARGETS[0], target("production", first_free_blog=5))},
    {"targets": (replace(TARGETS[0], scheme="http"), TARGETS[1])},
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_changes_the_digest(change: dict[str, Any]) -> None:
    assert made(**change).digest != made().digest


def test_a_domain_changes_the_digest() -> None:
    other = config()
    store = other.stores[0].model_copy(update={"domains": {"staging": "x.example", "production": "y.example"}})
    changed = plans.make(
        other.model_copy(update={"stores": (store, other.stores[1])}),
        [source("north", tables=(MYSTERY,)), source("south")], TARGETS,
    )  # fmt: skip
    assert changed.digest != made().digest


def test_blogs_have_the_same_numbers_in_both_environments_in_the_files_order() -> None:
    drawn = made()
    for environment in ("staging", "production"):
        numbers = {store.store: store.target_blog for site in drawn.sites(environment) for store in site.stores}
        assert numbers == {"north": 4, "south": 5}
    assert [site.user_base for site in drawn.sites("staging")] == [1_000_000, 2_000_000]
    assert [store.public for site in drawn.sites("staging") for store in site.stores] == [False, False]


def test_the_plan_survives_its_file() -> None:
    text = json.dumps(plans.as_data(made()), indent=2)
    assert plans.from_json(text) == made()


def edits() -> list[Any]:
    def at(data: Any, *path: Any) -> Any:
        for one in path[:-1]:
            data = data[one]
        return data, path[-1]

    paths: list[tuple[Any, ...]] = [
        ("project",), ("headroom",), ("sitemaps", 0, "stores", 0, "target_url"), ("tables", 0, "disposition"),
        ("digest",), ("sitemaps", 0, "extra"), ("sitemaps", 0, "user_base"), ("left_behind",),
    ]  # fmt: skip
    return [lambda data, path=path: at(data, *path) for path in paths]


@pytest.mark.parametrize("edit", edits())
@pytest.mark.parametrize("value", ["x", "1000000", 1, None, []])
def test_an_edited_plan_is_refused(edit: Any, value: Any) -> None:
    data = plans.as_data(made())
    place, key = edit(data)
    place[key] = value
    with pytest.raises(StaleError):
        plans.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(StaleError):
        plans.from_json(text)


def test_a_plan_that_an_earlier_version_made_is_refused() -> None:
    data = plans.as_data(made())
    del data["sitemaps"][0]["headroom"]
    data["digest"] = digest_of(data | {"digest": ""})
    with pytest.raises(StaleError):
        plans.from_json(json.dumps(data))


def test_blocks_are_listed_with_their_way_out() -> None:
    found = [
        Finding("table.unknown", Level.BLOCK, "north.wp_x", "unknown", '"table:north:wp_x" = ...'),
        Finding("x.y", Level.WARN, "p", "t"),
    ]
    with pytest.raises(BlockedError) as raised:
        plans.refuse_blocked(found)
    assert "1 findings" in str(raised.value)
    assert "table:north:wp_x" in str(raised.value)
    plans.refuse_blocked(found[1:])


def test_tables_of_a_network_and_of_blogs_that_stay() -> None:
    blogs = (blog(), blog(2, "wp_2_", "fr.example"), blog(3, "wp_3_", "de.example"))
    tables = (*core("wp_2_"), *core("wp_3_"), table("wp_blogs", "blog_id int"), table("wp_404_log", "id int"))
    facts = source("north", tables=tables, blogs=blogs, multisite=True)
    drawn = made([facts], stores=(("n", "north", 1), ("fr", "north", 2)))
    found = {one.source: (one.disposition, one.targets.get("staging")) for one in drawn.tables}
    assert found["wp_posts"] == ("carry", "wp_4_posts")
    assert found["wp_2_posts"] == ("carry", "wp_5_posts")
    assert found["wp_3_posts"] == ("leave", None)
    assert found["wp_blogs"] == ("network", None)
    assert found["wp_users"] == ("carry", "wp_users")
    assert found["wp_404_log"] == ("carry", "wp_4_404_log")


def test_views_and_triggers_of_the_stores_only() -> None:
    code = (
        StoredCode("view", "wp_v", "x"), StoredCode("view", "report", "x"),
        StoredCode("trigger", "tr", "x", "wp_posts"), StoredCode("trigger", "tu", "x", "wp_users"),
        StoredCode("procedure", "wp_p", ""), StoredCode("sequence", "wp_s", ""),
    )  # fmt: skip
    drawn = made([source("north", code=code), source("south")])
    found = {one.source: one.targets["staging"] for one in drawn.stored_code}
    assert found.keys() == {"wp_v", "tr"}
    assert found["wp_v"] == "wp_4_v"
    assert found["tr"].startswith("tr_")


def test_www_and_bare_are_one_store_unless_another_store_lives_there() -> None:
    drawn = made(
        [source("north", blogs=(blog(host="www.x.example"),)), source("south", blogs=(blog(host="y.example"),))]
    )
    urls = [store.source_urls for site in drawn.sites("staging") for store in site.stores]
    assert {url.partition("://")[2] for url in urls[0]} == {"www.x.example", "x.example"}
    apart = made(
        [source("north", blogs=(blog(host="www.x.example"),)), source("south", blogs=(blog(host="X.example"),))]
    )
    urls = [store.source_urls for site in apart.sites("staging") for store in site.stores]
    assert {url.partition("://")[2] for url in urls[0]} == {"www.x.example"}
    assert {url.partition("://")[2] for url in urls[1]} == {"x.example"}


def test_people_are_previewed_as_the_copy_will_place_them() -> None:
    sources = [
        source("north", users=(SourceUser(1, "ada", "ada", "a@x"), SourceUser(2, "admin", "admin", "n@x"))),
        source("south", users=(SourceUser(9, "ada2", "ada2", "A@x"), SourceUser(2, "ada", "ada", "s@x"))),
    ]
    there = replace(TARGETS[0], host_users=(SourceUser(1, "Admin", "admin", "n@x"),))
    found = plans.preview_people(made(sources), sources, there)
    assert [(one.source_id, one.merged, one.login) for one in found["north"]] == [(2, False, "admin-north")]
    assert [(one.source_id, one.target_id, one.merged) for one in found["south"]] == [
        (2, 2_000_002, False), (9, 1_000_001, True),
    ]  # fmt: skip
