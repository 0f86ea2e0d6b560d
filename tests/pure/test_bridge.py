"""What Crossdock writes for its bridge, and how it reads what the bridge tells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import AccessError, CrossdockError
from crossdock.core.evidence import Level
from crossdock.core.ports import RemoteFile
from crossdock.core.secrets import Masked
from crossdock.core.signing import BridgeKey
from crossdock.move import bridge, health
from crossdock.move.bridge import BridgeSettings, Places
from crossdock.move.harmless import Harmless, Provocation, Site, leaks
from crossdock.move.health import Expected, Health

KEY = BridgeKey.of("5" * 64)
SETTINGS = BridgeSettings("staging", KEY, "staging", Masked("$2y$10$" + "a" * 53), mail_allow=("@qa.example",))
PLACES = Places("/srv/wp-content", "/srv/wp-config.php")
WP_CONFIG = b"<?php\n/** base */\ndefine( 'DB_NAME', 'x' );\nrequire_once ABSPATH . 'wp-settings.php';\n"


# -- what is written -------------------------------------------------------------------------------------------------


def test_the_loader_comes_last_and_knows_its_environment() -> None:
    for environment in ("staging", "production"):
        written = bridge.writes(PLACES, BridgeSettings(environment, KEY, "u", SETTINGS.login_hash), None)
        assert list(written)[-1] == "/srv/wp-content/mu-plugins/crossdock-bridge.php"
        loader = list(written.values())[-1].content
        assert f"const CROSSDOCK_BRIDGE_ENVIRONMENT = '{environment}';".encode() in loader
        assert "/srv/wp-content/mu-plugins/crossdock-bridge/redirects.php" not in written


def test_the_configuration_is_as_closed_as_wp_config_and_holds_the_digests() -> None:
    written = bridge.writes(PLACES, SETTINGS, b"<?php return array();")
    config = written["/srv/wp-content/mu-plugins/crossdock-bridge/config.php"]
    assert (config.mode, config.like) == (0o640, "/srv/wp-config.php")
    loader = written["/srv/wp-content/mu-plugins/crossdock-bridge.php"]
    assert bridge.digest(loader.content).encode() in config.content
    assert "/srv/wp-content/mu-plugins/crossdock-bridge/redirects.php" in written


def test_no_secret_shows_in_a_repr() -> None:
    assert "555" not in repr(SETTINGS)
    assert "2y$" not in repr(SETTINGS)
    assert "555" not in repr(bridge.writes(PLACES, SETTINGS, None))


def test_what_php_could_not_hold_is_refused() -> None:
    with pytest.raises(CrossdockError, match="float"):
        bridge.php_value(1.5)


# -- wp-config.php ---------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.sampled_from([b"<?php\n", b"<?php\r\n", b"<?php  \n"]))
def test_wp_config_comes_back_byte_for_byte(rest: bytes, opening: bytes) -> None:
    config = opening + rest
    edited = bridge.with_sunrise(config)
    if edited is not None:
        assert bridge.without_sunrise(edited) == config
        assert bridge.defines_sunrise(edited)


ODD = (b"<?php declare(strict_types=1);\n", b"<?php\ndeclare(strict_types=1);\n", b"<?php define('A', 1);\n",
       b"\xef\xbb\xbf<?php\n", b"", b"#!/usr/bin/php\n<?php\n")  # fmt: skip


@pytest.mark.parametrize("config", ODD)
def test_a_wp_config_where_the_lines_can_not_stand_is_a_step_for_a_person(config: bytes) -> None:
    assert bridge.with_sunrise(config) is None
    plan = bridge.plan_sunrise(PLACES, {PLACES.wp_config: RemoteFile(config)})
    assert list(plan.writes) == [PLACES.sunrise]
    assert "define( 'SUNRISE', true )" in plan.steps[0]


def test_sunrise_is_written_before_wp_config_asks_for_it() -> None:
    plan = bridge.plan_sunrise(PLACES, {PLACES.wp_config: RemoteFile(WP_CONFIG, 0o640)})
    assert list(plan.writes) == [PLACES.sunrise, PLACES.wp_config]
    assert plan.writes[PLACES.wp_config].mode == 0o640
    assert plan.steps == ()


def test_a_second_plan_writes_nothing() -> None:
    found = {
        PLACES.wp_config: RemoteFile(bridge.with_sunrise(WP_CONFIG) or b""),
        PLACES.sunrise: RemoteFile(bridge.sunrise()),
    }
    assert bridge.plan_sunrise(PLACES, found) == bridge.SunrisePlan({})


def test_anothers_sunrise_is_never_touched() -> None:
    found = {PLACES.wp_config: RemoteFile(WP_CONFIG), PLACES.sunrise: RemoteFile(b"<?php // domain mapping\n")}
    plan = bridge.plan_sunrise(PLACES, found)
    assert plan.writes == {}
    assert "aliases.php" in plan.steps[1]
    assert PLACES.sunrise not in bridge.removals(PLACES, {}, found)


def test_a_commented_out_sunrise_is_none() -> None:
    assert not bridge.defines_sunrise(b"<?php\n// define( 'SUNRISE', true );\n# define('SUNRISE', 1);\n")
    assert bridge.defines_sunrise(b"<?php\n  define('SUNRISE', 'on');\n")


def test_the_loader_goes_first() -> None:
    found = {PLACES.sunrise: RemoteFile(bridge.sunrise())}
    gone = bridge.removals(PLACES, {"config.php": "", "class-crossdock-bridge.php": ""}, found)
    assert gone[0].endswith("mu-plugins/crossdock-bridge.php")
    assert gone[1] == PLACES.sunrise
    assert gone[-1] == PLACES.folder


# -- signatures ------------------------------------------------------------------------------------------------------


def test_everything_that_is_signed_changes_the_signature() -> None:
    def signed(**changes: Any) -> str:
        asked: dict[str, Any] = {
            "method": "GET",
            "host": "a.example",
            "uri": "/",
            "body": b"",
            "nonce": "aa" * 16,
            "at": 5,
        }
        return KEY.headers(**(asked | changes))["X-Crossdock-Signature"]

    changes: list[dict[str, Any]] = [
        {"method": "POST"}, {"host": "b.example"}, {"uri": "/?a"}, {"body": b"x"}, {"nonce": "bb" * 16}, {"at": 6},
    ]  # fmt: skip
    assert len({signed(), *(signed(**one) for one in changes)}) == len(changes) + 1
    assert signed(host="A.example:8080") == signed()
    assert (
        BridgeKey.of("6" * 64).headers("GET", "a.example", "/", nonce="aa" * 16, at=5)["X-Crossdock-Signature"]
        != signed()
    )


# -- health ----------------------------------------------------------------------------------------------------------


class Answering:
    """A web that answers as told; keeps what it was asked."""

    def __init__(self, body: str, status: int = 200, key: BridgeKey = KEY, spoil: bool = False) -> None:
        self.body, self.status, self.key, self.spoil = body, status, key, spoil

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        message = f"crossdock-bridge-answer-1\n{(headers or {})['X-Crossdock-Nonce']}\n"
        signature = self.key._hmac(message + hashlib.sha256(self.body.encode()).hexdigest())
        return self.status, self.body + ("x" if self.spoil else ""), {"x-crossdock-signature": signature}


class Silent:
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        raise AccessError("no answer", where=url)


def test_only_a_signed_answer_is_believed() -> None:
    assert health.ask_health(Answering('{"a": 1}'), KEY, "http://a.example").facts == {"a": 1}
    for web in (
        Answering("{}", spoil=True),
        Answering("{}", key=BridgeKey.of("6" * 64)),
        Answering("{}", 404),
        Silent(),
    ):
        answer = health.ask_health(web, KEY, "http://a.example")
        assert answer.facts == {}
        assert answer.problem
        assert [one.code for one in health.findings(answer, STAGING)] == ["bridge.missing"]


STAGING = Expected("staging", "0.1.0", config="c" * 64, redirects="r" * 64, sunrise="s" * 64, blogs={"a.example": 2})
GUARD = dict.fromkeys(("on", *health.SWITCHES), True)


def told(**changes: Any) -> Health:
    facts: dict[str, Any] = {
        "bridge": {"version": "0.1.0", "environment": "staging", "config": "c" * 64, "altered": [], "missing": [],
                   "unknown": [], "sunrise": "s" * 64, "nonces": "new"},
        "blog": {"id": 2, "public": "0"},
        "guard": GUARD,
        "cron": {"runner": "blocked", "batches": 0},
        "mail": {"replaced_by": ""},
        "redirects": {"present": True, "valid": True, "broken": 0, "file": "r" * 64},
        "unguarded": [],
    }  # fmt: skip
    for name, value in changes.items():
        facts[name] = {**facts[name], **value} if isinstance(value, dict) else value
    return Health("http://a.example", json.loads(json.dumps(facts)))


CALL = {"plugin": "plugins/own", "file": "plugins/own/a.php", "line": 3, "call": "fsockopen", "kind": "mail"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bridge": {"altered": ["crossdock-bridge/class-crossdock-bridge-mail.php"]}}, "bridge.altered"),
        ({"bridge": {"missing": ["crossdock-bridge/class-crossdock-bridge-mail.php"]}}, "bridge.missing"),
        ({"bridge": {"unknown": ["crossdock-bridge/shell.php"]}}, "bridge.unknown"),
        ({"bridge": {"config": "d" * 64}}, "bridge.altered"),
        ({"bridge": {"version": "0.0.9"}}, "bridge.version"),
        ({"bridge": {"environment": "production"}}, "bridge.environment"),
        ({"bridge": {"sunrise": ""}}, "bridge.sunrise"),
        ({"bridge": {"nonces": "unkept"}}, "bridge.nonces"),
        ({"blog": {"id": 1}}, "bridge.blog"),
        ({"blog": {"public": "1"}}, "guard.indexing"),
        ({"guard": {"mail": False}}, "guard.off"),
        ({"guard": {"on": None}}, "guard.off"),
        ({"cron": {"runner": "outside"}}, "guard.cron"),
        ({"cron": {"batches": 1}}, "guard.cron"),
        ({"mail": {"replaced_by": "wp-content/plugins/own/mail.php"}}, "mail.replaced"),
        ({"unguarded": [CALL]}, "mail.unguarded"),
        ({"unguarded": [CALL | {"kind": "http"}]}, "http.unguarded"),
        ({"redirects": {"valid": False}}, "redirects.broken"),
        ({"redirects": {"broken": 2}}, "redirects.pattern"),
        ({"redirects": {"file": "x"}}, "bridge.altered"),
    ],
)
def test_each_thing_that_is_wrong_has_its_code(change: dict[str, Any], code: str) -> None:
    assert health.findings(told(), STAGING) == []
    assert [one.code for one in health.findings(told(**change), STAGING)] == [code]


def test_code_that_a_person_has_looked_at_is_trusted() -> None:
    trusting = Expected(**{**vars(STAGING), "trusted": ("plugins/own",)})
    assert health.findings(told(unguarded=[CALL]), trusting) == []
    assert health.findings(told(mail={"replaced_by": "wp-content/plugins/own/mail.php"}), trusting) == []
    assert health.findings(told(mail={"replaced_by": "wp-content/plugins/own-two/mail.php"}), trusting)


def test_a_guard_before_production_is_a_fault() -> None:
    production = Expected("production", "0.1.0")
    open_ = told(bridge={"environment": "production"}, guard={"on": False})
    assert health.findings(open_, production) == []
    found = health.findings(told(bridge={"environment": "production"}), production)
    assert [(one.code, one.level) for one in found] == [("guard.on", Level.FAIL)]


def test_what_left_is_counted_and_named() -> None:
    provoked = [Provocation("n", "mail", True, True, "1 begun"), Provocation("n", "cron", True, False, "still due"),
                Provocation("n", "webhook", False, False, "")]  # fmt: skip
    made = Harmless(provoked, leaks(Site("n", "http://a.example", "/srv"), provoked))
    assert made.figures() == {"staging_provocations": 2, "staging_leaks": 1}
    assert [one.code for one in made.findings] == ["leak.mail"]
    assert not made.proved
    assert not Harmless().proved
