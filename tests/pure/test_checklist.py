"""What access the move needs, who gives it, and until when."""

from __future__ import annotations

import datetime

from survey_facts import config as made_config

from crossdock.core.config import Config
from crossdock.move import checklist
from crossdock.move.checklist import Checked, Need

TODAY = datetime.date(2026, 11, 25)
PEOPLE = [
    {"name": "Chloé", "email": "it@lumen.example", "role": "client-it"},
    {"name": "Ada", "email": "ada@lumen.example", "role": "operator"},
]


def config(**more: object) -> Config:
    return made_config(people=PEOPLE, **more)


def needs(of: Config, assessment: dict[str, object] | None = None) -> dict[str, Need]:
    return {one.name: one for one in checklist.needs(of, assessment or {}, {}, "cafe")}


def checked(of: Config, need: Need, problem: str, kept: dict[str, object] | None = None) -> Checked:
    [one] = checklist.checked(of, [(need, problem)], kept or {}, TODAY)
    return one


def test_every_server_environment_and_zone_is_on_it() -> None:
    found = needs(config())
    assert {"ssh:north", "sudo:north", "database:north", "ssh:staging", "database:production"} <= set(found)
    assert {"dns:north.example", "dns:south.example"} <= set(found)
    assert "_crossdock.north.example TXT crossdock=cafe" in found["dns:north.example"].way_out
    assert {"host:(not told yet)", "smtp:(not told yet)"} <= set(found)
    assert "payment:(not told yet)" not in found


def test_sudo_is_needed_only_where_something_could_not_be_read() -> None:
    unreadable = {"code": "land.unreadable", "place": "north: firewall", "text": "x", "way_out": "give `sudo`"}
    missing_tool = {"code": "land.unreadable", "place": "south: ports", "text": "x", "way_out": "install iproute2"}
    found = needs(config(), {"findings": [unreadable, missing_tool]})
    assert (found["sudo:north"].is_needed, found["sudo:south"].is_needed) == (True, False)
    assert "firewall" in found["sudo:north"].what
    assert checked(config(), found["sudo:south"], "a password is required").state == "not needed"
    assert needs(config())["sudo:north"].reason == "assess first"


def test_a_gateway_that_takes_cards_asks_for_its_account() -> None:
    items = [{"kind": "gateway", "server": "north", "name": name, "text": ""} for name in ("bacs", "cod")]
    assert "payment:(not told yet)" not in needs(config(), {"items": items})
    items.append({"kind": "gateway", "server": "north", "name": "stripe", "text": ""})
    assert "payment:(not told yet)" in needs(config(), {"items": items})
    told = config(access=[{"name": "stripe", "purpose": "payment", "needed": False, "reason": "the client does it"}])
    found = needs(told, {"items": items})
    assert "payment:(not told yet)" not in found
    assert checked(told, found["payment:stripe"], "not needed").said == "the client does it"


def test_a_date_once_told_stays_and_becomes_overdue() -> None:
    need = needs(config())["ssh:north"]
    first = checked(config(), need, "refused")
    assert (first.state, first.who, first.until) == ("missing", ("Chloé",), datetime.date(2026, 12, 2))
    kept = {"needs": [{"name": "ssh:north", "until": "2026-11-20"}]}
    later = checked(config(), need, "refused", kept)
    assert later.is_overdue(TODAY)
    assert not checked(config(), need, "", kept).is_overdue(TODAY)
    spoilt = {"needs": [{"name": "ssh:north", "until": "soon"}]}
    assert checked(config(), need, "refused", spoilt).until == datetime.date(2026, 12, 2)
    dated = config(access=[{"name": "erp", "purpose": "erp", "who": "operator", "until": datetime.date(2026, 11, 1)}])
    erp = checked(dated, needs(dated)["erp:erp"], "nobody has said where it is", kept)
    assert (erp.until, erp.is_overdue(TODAY), erp.who) == (datetime.date(2026, 11, 1), True, ("Ada",))
    [finding] = checklist.findings([erp], TODAY)
    assert (finding.code, finding.place) == ("access.missing", "erp:erp")
    assert "it was due on 2026-11-01" in finding.text
    assert "Ada" not in finding.text


def test_secrets_are_told_as_references() -> None:
    told = config(access=[{"name": "relay", "purpose": "smtp", "password": "file:/secret/place/relay"}])
    one = needs(told)["smtp:relay"]
    assert one.secret == "file:relay"
    assert needs(config())["database:north"].secret == "in wp-config.php"


def test_whom_to_tell_the_new_addresses() -> None:
    items = [
        {"kind": "peer", "server": "north", "name": "203.0.113.9:22", "text": "2 open connections"},
        {"kind": "firewall-rule", "server": "north", "name": "-s 198.51.100.7", "text": "names addresses"},
        {"kind": "port", "server": "north", "name": "tcp 0.0.0.0:80", "text": ""},
    ]
    found = checklist.allowed({"items": items})
    assert [one.kind for one in found] == ["peer", "firewall-rule"]
    assert checklist.figures([], found, TODAY) == {"works": 0, "missing": 0, "not_needed": 0, "overdue": 0, "allow": 2}
