"""crossdock plan and crossdock people from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from screens import PLAN, TOML, fill

from crossdock.cli import main as cli
from crossdock.core.errors import BlockedError, ConfigError
from crossdock.hub.boot import booted
from crossdock.hub.moves import milestones


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    path = tmp_path / "crossdock.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


@pytest.fixture
def crossdock(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str) -> tuple[int, str, str]:
        code: Any = 0
        monkeypatch.setattr(sys, "argv", ["crossdock", *arguments, "-c", str(config)])
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return int(code), printed.out, printed.err

    return run


def steps(printed: str) -> dict[str, Any]:
    return {one["step"]: one for one in json.loads(printed)["steps"]}


def test_the_plan_of_work(crossdock: Any, config: Path) -> None:
    with booted(config.parent / ".crossdock") as hub:
        fill(hub, config.parent / ".crossdock")
    code, printed, _ = crossdock("plan", "--json")
    found = steps(printed)
    assert code == 0
    assert found["migration.assessed"]["state"] == "done"
    assert found["migration.assessed"]["evidence"][0]["receipt"] == 1
    assert found["migration.staging-copied"]["state"] == "done"
    assert "was red" in found["migration.staging-validated"]["missing"][0]
    assert found["migration.assessed"]["owners"] == ["Ada Berg"]
    assert found["downloads.published"]["state"] == "not begun"
    code, printed, _ = crossdock("plan")
    assert "Servers to the managed host" in printed
    assert "waits for client-it" in printed
    # Another plan: what rested on the former one is open again.
    (config.parent / ".crossdock" / "plan.json").write_text('{"digest": "%s"}' % ("cd" * 32))
    found = steps(crossdock("plan", "--json")[1])
    assert found["migration.staging-copied"]["state"] != "done"
    assert found["migration.assessed"]["state"] == "done"


def test_a_word_and_its_taking_back(crossdock: Any, config: Path) -> None:
    code, printed, _ = crossdock("plan", "done", "workflow.workshop", "--by", "Ada Berg", "--note", "12 May")
    assert code == 0
    assert "done, says Ada Berg. Receipt 1" in printed
    assert steps(crossdock("plan", "--json")[1])["workflow.workshop"]["state"] == "done"
    assert crossdock("plan", "reopen", "workflow.workshop", "--by", "Ada")[0] == 0
    assert steps(crossdock("plan", "--json")[1])["workflow.workshop"]["state"] == "waiting"
    assert crossdock("plan", "done", "workflow.workshop", "--by", " ")[0] == 2
    code, _, told = crossdock("plan", "done", "workflow.workshp", "--by", "Ada")
    assert (code, 'did you mean "workflow.workshop"?' in told) == (ConfigError.exit_code, True)
    code, _, told = crossdock("plan", "done", "migration.staging-copied", "--by", "Ada")
    assert (code, "crossdock move copy --to staging" in told) == (ConfigError.exit_code, True)
    code, _, told = crossdock("plan", "done", "migration.signed", "--by", "Ada")
    assert (code, "receipt sign of production" in told) == (ConfigError.exit_code, True)
    code, _, told = crossdock("plan", "done", "migration.approved", "--by", "Ada")
    assert (code, "there is no plan" in told) == (BlockedError.exit_code, True)


def test_late(crossdock: Any, config: Path) -> None:
    config.write_text(TOML.replace("start = 2027-01-11", "start = 2020-01-11"), encoding="utf-8")
    code, printed, _ = crossdock("plan", "--late")
    assert code == 1
    assert "due 2020-01-16" in printed
    config.write_text(TOML.replace("start = 2027-01-11", "start = 2999-01-11"), encoding="utf-8")
    assert crossdock("plan", "--late")[0] == 0


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('start = "soon"', "milestones.start: is not a date. Way out: write it as in 2027-01-31"),
        ("start = 2027-01-11T10:00:00", "milestones.start: is not a date"),
        ("start = 5", "milestones.start: is not a date"),
        ('start = 2027-01-11\n[milestones.steps."migration.approvd"]\ndays = 3', 'did you mean "migration.approved"?'),
        ('start = 2027-01-11\n[milestones.steps."migration.approved"]\nday = 3', 'did you mean "days"?'),
        ('start = 2027-01-11\n[milestones.steps."migration.approved"]\ndays = 0', "days after the start"),
    ],
)
def test_dates_that_are_none(crossdock: Any, config: Path, written: str, told: str) -> None:
    config.write_text(TOML.replace("start = 2027-01-11", written), encoding="utf-8")
    code, _, error = crossdock("plan")
    assert code == ConfigError.exit_code
    assert told in error


@pytest.mark.parametrize("spoilt", ["", "[]", '{"digest": 5}', "{", "\xff"])
def test_a_spoilt_plan_is_none(config: Path, spoilt: str) -> None:
    from crossdock.core.config import load  # noqa: PLC0415 - beside what it is for

    state = config.parent / ".crossdock"
    state.mkdir()
    (state / "plan.json").write_bytes(spoilt.encode("latin-1"))
    assert milestones.plan_in_force(load(config)) == ""
    (state / "plan.json").write_text(json.dumps({"digest": PLAN}))
    assert milestones.plan_in_force(load(config)) == PLAN


def test_people(crossdock: Any, config: Path) -> None:
    code, printed, _ = crossdock("people", "add", "ADA@example.com")
    assert code == 0
    assert "may sign in as operator" in printed
    password = printed.rpartition("Password: ")[2].strip()
    assert len(password) == 23
    code, _, told = crossdock("people", "add", "ada@example.com")
    assert (code, "has an account already" in told) == (ConfigError.exit_code, True)
    code, _, told = crossdock("people", "add", "who@example.com")
    assert (code, "the role must be said" in told) == (ConfigError.exit_code, True)
    assert crossdock("people", "add", "who@example.com", "--role", "king")[0] == 2
    assert crossdock("people", "add", "who@example.com", "--role", "customer")[0] == 0
    found = json.loads(crossdock("people", "list", "--json")[1])
    assert [(one["email"], one["role"], one["name"]) for one in found] == [
        ("ada@example.com", "operator", "Ada Berg"), ("who@example.com", "customer", ""),
    ]  # fmt: skip
    assert password not in crossdock("people", "password", "ada@example.com")[1]
    assert crossdock("people", "remove", "ada@example.com")[0] == 0
    code, _, told = crossdock("people", "remove", "ada@example.com")
    assert (code, "has no account" in told) == (ConfigError.exit_code, True)
    everything = b"".join(path.read_bytes() for path in (config.parent / ".crossdock").glob("hub.sqlite3*"))
    assert password.encode() not in everything
