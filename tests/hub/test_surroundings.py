"""An earlier look around is leaned on while it is young, whole, and asked the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from survey_facts import config as made_config
from survey_facts import source

from crossdock.core.config import Config
from crossdock.core.errors import ConfigError
from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.hub.moves import surroundings
from crossdock.hub.moves.assessment_page import page
from crossdock.hub.moves.stranger import parse_stranger
from crossdock.hub.moves.surroundings import Surroundings, look_around_project

FACTS = [source("north"), source("south")]


class Look:
    """Counts the looks that were taken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, spots: Any, settings: Any) -> Surroundings:
        self.count += 1
        found = [Finding("land.unreadable", Level.WARN, "north: ports", "not known", "x", {"n": 1})]
        return Surroundings(
            [Item("port", "north", f"tcp 0.0.0.0:{self.count}", "x")], found, {"north": {}}, seconds=1.5
        )


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    made = Look()
    monkeypatch.setenv("X", "secret")
    monkeypatch.setattr(surroundings, "look_around", made)
    return made


def config(folder: Path, **more: Any) -> Config:
    made = made_config(aws=[{"name": "aws", "regions": ["eu-central-1"], "secret_key": "env:X"}], **more)
    made._path = folder / "crossdock.toml"
    made.state.mkdir(exist_ok=True)
    return made


def test_a_plan_leans_on_the_look_before_it(look: Look, tmp_path: Path) -> None:
    project = config(tmp_path)
    first = look_around_project(project, [], FACTS)
    again = look_around_project(project, [], FACTS, anew=False)
    assert look.count == 1
    assert again == replace(first, seen={})
    assert look_around_project(project, [], FACTS).items != again.items
    assert look.count == 2


def test_it_looks_again_when_anything_is_different(look: Look, tmp_path: Path) -> None:
    project = config(tmp_path)
    look_around_project(project, [], FACTS, anew=False)
    look_around_project(config(tmp_path, dns={"selectors": ["k9"]}), [], FACTS, anew=False)
    assert look.count == 2
    look_around_project(project, [], [source("north", root="/srv/other"), FACTS[1]], anew=False)
    assert look.count == 3
    path = project.state / "surroundings.json"
    for spoilt in ("", "{", "[]", '{"asked": 1}', json.dumps({"looked_at": "soon"})):
        path.write_text(spoilt, encoding="utf-8")
        look_around_project(project, [], FACTS, anew=False)
    assert look.count == 8
    told = json.loads(path.read_text(encoding="utf-8"))
    old = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    path.write_text(json.dumps({**told, "looked_at": old}), encoding="utf-8")
    look_around_project(project, [], FACTS, anew=False)
    assert look.count == 9


@pytest.mark.parametrize(
    ("url", "destination", "root"),
    [
        ("ssh://north", "ssh://north", ""),
        ("ssh://ada@shop.example:2222/var/www/", "ssh://ada@shop.example:2222", "/var/www"),
        ("ssh://ada@[2001:db8::7]:22", "ssh://ada@[2001:db8::7]:22", ""),
    ],
)
def test_a_stranger_s_address(url: str, destination: str, root: str) -> None:
    stranger = parse_stranger(url)
    assert (stranger.destination, stranger.root) == (destination, root)


@pytest.mark.parametrize(
    "url",
    ["north", "https://north", "ssh://", "ssh://-oProxyCommand=id", "ssh://a b", "ssh://x/../y", "ssh://ada:hunter2@north",
     "ssh://x:0", "ssh://x:99999", "ssh://x:y", "ssh://-l@north", "ssh://[::1", "ssh://x?y", "ssh://$(id)"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_stranger(url)
    assert "ssh://ada@shop.example" in caught.value.way_out
    assert "hunter2" not in str(caught.value)


def test_the_page_shows_everything_and_runs_nothing_that_a_server_said() -> None:
    hostile = '<script>alert("x")</script>'
    item = Item("folder", "north", f"/srv/{hostile}", hostile).as_json()
    finding = Finding("land.unreadable", Level.WARN, hostile, hostile, hostile).as_json()
    costs = {"currency": "EUR", "before_month": 120.5, "after_month": 99.0, "unpriced": ["server south"],
             "lines": [{"what": "server north", "when": "before", "month": 120.5}]}  # fmt: skip
    shown = page(hostile, {"items": [item], "findings": [finding] * 5000, "costs": costs, "load": {}, "seconds": 1.0})
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") > 2000
    assert "120.50" in shown
    assert "server south" in shown
