"""The project's plan of work as it stands: what crossdock.toml and the hub's receipts say of it."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Protocol

from crossdock.core.config import Config
from crossdock.core.errors import BlockedError, ConfigError
from crossdock.core.evidence import Json, Receipt
from crossdock.move.milestones import RECEIPTS_READ, Milestone, Terms, milestones
from crossdock.move.workplan import SAID, STEPS, Step


class Evidence(Protocol):
    """What of the hub is needed here: crossdock.hub.runs.actions."""

    def receipts_of(self, steps: frozenset[str]) -> list[Receipt]: ...

    def note(self, kind: str, step: str, subject: str, data: Json) -> Receipt: ...


def standing(config: Config, hub: Evidence, now: datetime | None = None) -> list[Milestone]:
    """Every step of the plan of work. Errors: ConfigError where [milestones] names a step that is none."""
    return milestones(hub.receipts_of(RECEIPTS_READ), terms_of(config, now or datetime.now(UTC)))


def say(config: Config, hub: Evidence, step: str, by: str, note: str, *, done: bool = True) -> Receipt:
    """Keeps a person's word that a step is done, or is open again after all.

    Errors: ConfigError for a step that is none, or that receipts prove; BlockedError where it needs a plan.
    """
    rule = _known(step).rule
    if rule.step != SAID:
        how = STEPS[step].how
        way_out = f"crossdock {how}" if how else f"it is done when this is there: {rule}"
        raise ConfigError("is proved by receipts, nobody's word can stand for them", where=step, way_out=way_out)
    plan = plan_in_force(config)
    if rule.of_plan and not plan:
        raise BlockedError("there is no plan that this could be about", where=step, way_out="crossdock move plan")
    data: Json = {"done": done, "by": by, "note": note, **({"plan": plan} if rule.of_plan else {})}
    return hub.note("plan", SAID, step, data)


def plan_in_force(config: Config) -> str:
    """The digest of the kept plan; empty where there is none that can be read."""
    try:
        found = json.loads((config.state / "plan.json").read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def terms_of(config: Config, now: datetime) -> Terms:
    """What crossdock.toml says about dates and owners. Errors: ConfigError."""
    given = config.milestones.steps
    for name in given:
        _known(name, f"{config.path}: milestones.steps.{name}")
    owners: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for person in config.people:
        owners[person.role] += (person.name,)
    return Terms(
        now=now,
        plan=plan_in_force(config),
        servers=tuple(server.name for server in config.servers),
        project=config.project.name,
        backup_hours=config.policies.backup_hours,
        start=config.milestones.start,
        due={name: one.due for name, one in given.items() if one.due},
        days={name: one.days for name, one in given.items() if one.days},
        owner={name: one.owner for name, one in given.items() if one.owner},
        owners=owners,
    )


def _known(name: str, where: str = "") -> Step:
    if name not in STEPS:
        close = get_close_matches(name, STEPS, n=1, cutoff=0.5)
        way_out = f'did you mean "{close[0]}"?' if close else "crossdock plan lists the steps"
        raise ConfigError("is no step of the plan of work", where=where or name, way_out=way_out)
    return STEPS[name]
