"""Every item gets exactly one destination; the most exact decision wins, whatever the order; what is open blocks."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_facts import config, source, target

from crossdock.core.config import Config, Decision
from crossdock.core.evidence import Level
from crossdock.core.inventory import Destination, Item
from crossdock.move import assess
from crossdock.move import plan as plans
from crossdock.move.destination_rules import Known, ruled
from crossdock.move.destinations import (
    Destinations,
    Placed,
    appeared,
    code_of,
    counts,
    destinations,
    most_exact,
    open_block,
    placed,
    settled,
)
from crossdock.move.wordpress_items import known_to_rules

KINDS = ("plugin", "must-use", "drop-in", "theme", "port", "vhost", "peer", "tag", "cron-hook", "data", "disk")
WORDS = st.text(st.sampled_from('ab*:.-"é'), min_size=1, max_size=5)
ITEMS = st.builds(Item, st.sampled_from(KINDS), st.sampled_from(["north", "south"]), WORDS, st.just("a thing"))
PATTERN_PARTS = st.one_of(st.just("*"), WORDS)
KEYS = st.one_of(
    st.builds(
        lambda kind, server, name: f"{kind}:{server}:{name}", st.sampled_from([*KINDS, "*"]), PATTERN_PARTS, WORDS
    ),
    ITEMS.map(lambda item: item.key),
)
DECISIONS = st.dictionaries(KEYS, st.sampled_from(["keep", "replace", "drop", "burn"]), max_size=8)
KNOWN = Known({"north": frozenset({1}), "south": frozenset({1})})


def item(key: str, **data: Any) -> Item:
    kind, server, name = key.split(":", 2)
    return Item(kind, server, name, f"the {name}", data)


def placing(
    items: list[Item], decisions: dict[str, str] | None = None, known: Known = KNOWN, **more: Any
) -> Destinations:
    return destinations(config(decisions=decisions, **more), items, known)


def choices(made: Destinations) -> dict[str, str]:
    return {one.key: there.choice for one, there in made.items}


def blocks(made: Destinations) -> dict[str, str]:
    return {one.place: one.code for one in made.findings if one.level is Level.BLOCK}


@given(st.lists(ITEMS, max_size=8), DECISIONS)
def test_every_item_gets_exactly_one_destination_and_what_is_open_blocks(
    items: list[Item], decisions: dict[str, str]
) -> None:
    made = placing(items, decisions)
    assert sorted(one.key for one, _ in made.items) == sorted({one.key for one in items})
    assert all(there.choice == "open" or (there.by and there.reason) for _, there in made.items)
    assert bool(made.open) <= bool(blocks(made))


@given(st.lists(ITEMS, max_size=8, unique_by=lambda one: one.key), DECISIONS, st.randoms())
def test_order_does_not_matter(items: list[Item], decisions: dict[str, str], chance: Any) -> None:
    before = placing(items, decisions)
    pairs = list(decisions.items())
    chance.shuffle(items)
    chance.shuffle(pairs)
    after = placing(items, dict(pairs))
    assert (after.items, placed(after)) == (before.items, placed(before))


@given(ITEMS, DECISIONS)
def test_an_exact_decision_is_stronger_than_any_pattern(one: Item, decisions: dict[str, str]) -> None:
    if (rule := ruled(one, KNOWN)) is None or not rule.is_firm:
        made = placing([one], {**decisions, one.key: "keep"})
        assert choices(made) == {one.key: "kept"}


@given(ITEMS, st.lists(KEYS, max_size=6))
def test_no_pattern_that_fits_is_more_exact_than_the_one_that_wins(one: Item, patterns: list[str]) -> None:
    won = most_exact(one, patterns)
    assert set(won) <= set(patterns)
    assert bool(won) == bool(most_exact(one, patterns[::-1]))
    assert most_exact(one, [*patterns, *won]) == sorted([*won, *won]) or not won


@pytest.mark.parametrize(
    ("decisions", "choice"),
    [
        ({"plugin:*:*": "drop"}, "dropped"),
        ({"plugin:*:*": "drop", "plugin:north:*": "replace"}, "replaced"),
        ({"plugin:*:acme-*": "keep", "plugin:north:*": "drop"}, "kept"),
        ({"plugin:*:acme-badges": "keep", "plugin:north:acme-*": "drop"}, "kept"),
        ({"*:*:*": "drop", "*:north:acme*": "keep"}, "kept"),
        ({"plugin:north:acme-badges": "keep", "plugin:*:acme-badges": "drop"}, "kept"),
        ({"plugin:south:*": "drop", "plugin:north:acme": "drop", "plug:*:*": "drop"}, "open"),
    ],
)
def test_the_most_exact_decision_wins(decisions: dict[str, str], choice: str) -> None:
    assert choices(placing([item("plugin:north:acme-badges")], decisions)) == {"plugin:north:acme-badges": choice}


def test_two_that_are_equally_exact_and_disagree_are_asked_about() -> None:
    one = item("plugin:north:acme-badges")
    made = placing([one], {"plugin:north:acme-*": "keep", "plugin:north:*adges": "drop"})
    assert choices(made) == {one.key: "open"}
    assert {each.code for each in made.findings} == {"decision.ambiguous", "item.open"}
    agreed = placing([one], {"plugin:*:acme-*": "drop", "plugin:*:*adges": "drop"})
    assert choices(agreed) == {one.key: "dropped"}


def test_a_star_in_a_name_is_itself_where_the_key_is_the_items() -> None:
    made = placing(
        [item("vhost:north:*.x.example"), item("vhost:north:a.x.example")], {"vhost:north:*.x.example": "drop"}
    )
    assert choices(made) == {"vhost:north:*.x.example": "dropped", "vhost:north:a.x.example": "dropped"}


def test_a_name_stands_behind_each_choice() -> None:
    made = placing([item("plugin:north:acme")], {"plugin:*:acme": "keep"})
    assert made.items[0][1] == Destination("kept", "Ada", "r")


def test_what_the_move_itself_carries_no_decision_can_change() -> None:
    one = item("cron-hook:north:wp_version_check", blog=1)
    made = placing([one], {one.key: "drop", "cron-hook:*:*": "drop"})
    assert choices(made) == {one.key: "moved"}
    assert [each.code for each in made.findings] == ["decision.unused"]


def test_a_pattern_does_not_change_what_a_rule_is_sure_of_but_an_exact_decision_does() -> None:
    sshd, own = item("port:north:22", program="/usr/sbin/sshd"), item("port:north:9000", program="/opt/erp/agent")
    made = placing([sshd, own], {"port:*:*": "drop"})
    assert choices(made) == {"port:north:22": "ends", "port:north:9000": "dropped"}
    assert choices(placing([sshd], {"port:north:22": "keep"})) == {"port:north:22": "kept"}


def test_rules_of_a_server_and_of_wordpress() -> None:
    known = Known({"north": frozenset({1})}, frozenset({"www.north.example"}), frozenset({("north", "wp_cache")}),
                  {"north": frozenset({"acme"})})  # fmt: skip
    told = {
        "vhost:north:north.example": "moved", "vhost:north:intern.example": "open", "theme:north:acme": "moved",
        "theme:north:twentyten": "replaced", "theme:north:other": "open", "plugin:north:hello.php": "open",
        "drop-in:north:object-cache.php": "open", "must-use:north:x.php": "open", "disk:north:sda": "ends",
        "tag:north:GTM-AB12": "open", "wordpress:north:wordpress": "replaced", "instance:north:i-1": "open",
    }  # fmt: skip
    items = [item(key) for key in told]
    items += [
        item("data:north:wp_cache", table="wp_cache", blog=1), item("data:north:wp_2_orders", blog=2),
        item("data:north:wp_orders", blog=1), item("data:north:wp_signups", register=True),
    ]  # fmt: skip
    told |= {
        "data:north:wp_cache": "dropped", "data:north:wp_2_orders": "dropped", "data:north:wp_orders": "moved",
        "data:north:wp_signups": "replaced",
    }  # fmt: skip
    assert choices(placing(items, known=known)) == told


@pytest.mark.parametrize("name", ['we"ird\\name', "it's", "a\nb\x1b\x7f\u202e", "φώτο 🏔", "#[x]="])
def test_what_is_open_says_the_exact_line_to_write(name: str) -> None:
    one = item(f"plugin:north:{name}")
    found = placing([one]).findings
    assert [(each.code, each.level, each.place) for each in found] == [("item.open", Level.BLOCK, one.key)]
    lines = open_block(found)
    answered = "\n".join(lines).replace("keep|replace|drop", "keep").replace('"..."', '"Ada"')
    given = tomllib.loads(answered)["decisions"]
    assert given == {one.key: {"choice": "keep", "by": "Ada", "reason": "Ada"}}
    with pytest.raises(plans.BlockedError, match=r"assess --open"):
        plans.refuse_blocked(found)


def test_very_many_open_items_are_one_question_with_a_pattern() -> None:
    some = [item(f"plugin:north:p{number:04}") for number in range(5000)]
    found = placing([*some, item("tag:north:UA-1-1")]).findings
    assert [one.place for one in found] == ["plugin:north:*", "tag:north:UA-1-1"]
    assert "5000 of them" in found[0].text
    assert len(placing(some[:60]).findings) == 60  # so many a person can look at
    made = placing(some, {"plugin:north:*": "drop"})
    assert (blocks(made), made.used) == ({}, {"plugin:north:*"})


def test_a_choice_that_there_is_not_is_told_once() -> None:
    found = placing([item("plugin:north:a"), item("plugin:north:b")], {"plugin:*:*": "burn"}).findings
    assert [one.code for one in found] == ["decision.invalid", "item.open", "item.open"]


def test_decisions_and_files_are_never_two_truths() -> None:
    one = item("plugin:north:acme")
    files = {"plugins": ["acme"]}
    assert blocks(placing([one], {one.key: "drop"}, files=files)) == {one.key: "decision.contradicts-files"}
    assert blocks(placing([one], {one.key: "drop"}, files={"plugins": ["south/acme"]})) == {}
    assert blocks(placing([one], {one.key: "keep"}, files=files)) == {}
    # [files] carries code, but no name stands behind it.
    assert blocks(placing([one], files=files)) == {one.key: "item.open"}


def test_a_kept_drop_in_is_told_to_be_nobodys_work_but_the_hosts() -> None:
    one = item("drop-in:north:object-cache.php")
    assert [each.code for each in placing([one], {one.key: "keep"}).findings] == ["drop-in.by-hand"]
    there = Known(host_drop_ins=frozenset({"object-cache.php"}))
    assert placing([one], {one.key: "keep"}, there).findings == []


# -- in the plan -----------------------------------------------------------------------------------------------------


def test_the_plan_holds_them_and_its_digest_covers_them() -> None:
    sources, targets = [source("north"), source("south")], [target("staging"), target("production")]

    def made(choice: str, *more: Item) -> plans.Plan:
        there = placing([item("plugin:north:acme"), *more], {"plugin:*:*": choice, "peer:*:*": "drop"})
        return plans.make(config(), sources, targets, placed(there))

    assert made("keep").digest != made("drop").digest
    assert plans.describe(made("keep"))["destinations"] == {"kept": 1}
    assert code_of(made("keep").destinations, "plugin", "kept") == ("north/acme",)
    first, second = item("peer:north:192.0.2.1:443"), item("peer:north:192.0.2.2:443")
    assert made("keep", first).digest == made("keep", second).digest  # a peer of one moment makes no other plan


def test_what_appears_or_goes_while_a_plan_is_applied_makes_no_other_plan() -> None:
    kept = placed(placing([item("plugin:north:a"), item("plugin:north:b")], {"plugin:*:*": "drop"}))
    there = placing([item("plugin:north:b"), item("plugin:north:c")], {"plugin:*:*": "drop"})
    assert settled(kept, placed(there)) == kept
    assert [one.place for one in appeared(kept, there)] == ["plugin:north:c"]
    changed = placing([item("plugin:north:b")], {"plugin:*:*": "keep"})
    assert Placed("plugin:north:b", "kept", "Ada") in settled(kept, placed(changed))
    assert counts(kept) == {"dropped": 2}


def test_what_rules_lean_on_comes_from_the_survey() -> None:
    settings = config(files={"themes": ["north/extra"]})
    known = known_to_rules(settings, [source("north"), source("south")], [target("staging")])
    assert known.themes == {"north": frozenset({"x", "extra"}), "south": frozenset({"x"})}
    assert {"www.north.example", "north.stage.example"} <= known.domains
    assert known.blogs["south"] == frozenset({1})


def test_decisions_about_items_are_no_unused_answers(tmp_path: Path) -> None:
    settings: Config = config(decisions={"plugin:*:acme": "drop", "plugin:*:gone": "drop"})
    assert all(isinstance(one, Decision) for one in settings.decisions.values())
    made = destinations(settings, [item("plugin:north:acme")], KNOWN)
    targets = [target("staging"), target("production")]
    found = assess.findings(settings, [source("north"), source("south")], targets, made.used)
    assert [one.text for one in found if one.code == "decision.unused"] == [
        'decision "plugin:*:gone" answers no question'
    ]


SERVER = Known(
    {"north": frozenset({1})}, frozenset({"www.north.example", "north.example"}), roots={"north": "/srv/www"}
)


@pytest.mark.parametrize(
    ("one", "choice"),
    [
        (item("port:north:tcp 0.0.0.0:22", program="sshd"), "ends"),
        (item("port:north:tcp 0.0.0.0:443", program="/usr/sbin/nginx"), "replaced"),
        (item("port:north:tcp 0.0.0.0:9100", program="erp-agent"), "open"),
        (item("port:north:tcp 0.0.0.0:9100", program=""), "open"),
        (item("vhost:north:www.north.example", names=["www.north.example", "north.example"]), "moved"),
        (item("vhost:north:www.north.example", names=["www.north.example", "intern.example"]), "open"),
        (item("vhost:north:(default) 80", names=[]), "open"),
        (item("certificate:north:/etc/x.pem", names=["north.example"]), "replaced"),
        (item("certificate:north:/etc/y.pem", names=["mail.north.example"]), "open"),
        (item("dns-record:dns:www.north.example A"), "moved"),
        (item("dns-record:dns:north.example MX"), "kept"),
        (item("dns-record:dns:mail.north.example A"), "kept"),
        (item("volume:north:/"), "ends"),
        (item("volume:north:/mnt/backup"), "open"),
        (item("volume:north:/dev/vdb", is_mounted=False), "open"),
        (item("volume:north:/tmp", is_network=True), "open"),
        (item("folder:north:/srv/www/wp-content"), "moved"),
        (item("folder:north:/srv/www2"), "open"),
        (item("cron:north:(own crontab) */5 php /srv/www/wp-cron.php", command="php /srv/www/wp-cron.php"), "replaced"),
        (item("cron:north:/etc/cron.daily/logrotate"), "ends"),
        (item("cron:north:(own crontab) 3 backup.sh", command="/home/x/backup.sh"), "open"),
        (item("timer:north:certbot.timer", unit="certbot.service"), "replaced"),
        (item("timer:north:stock-feed.timer", unit="stock-feed.service"), "open"),
        (item("peer:north:192.0.2.1:53", port=53), "ends"),
        (item("peer:north:192.0.2.9:443", port=443), "open"),
        (item("mail-relay:north:postfix"), "open"),
        (item("aws-volume:north:vol-1"), "open"),
    ],
)
def test_what_a_rule_says_of_a_servers_things(one: Item, choice: str) -> None:
    assert choices(placing([one], known=SERVER)) == {one.key: choice}
