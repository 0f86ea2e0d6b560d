"""How far the plan of work is: what is done, by which evidence, and what waits for whom. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from crossdock.core.evidence import Json, Receipt
from crossdock.move.workplan import PHASES, SAID, STEPS, Rule, Step

# A receipt says that something came out red by one of these.
_VERDICTS = ("green", "proved", "holds")
# What voids the receipts before it about the same environment: our copy was taken out.
_VOIDS = "discard"
RECEIPTS_READ = frozenset({SAID, _VOIDS, *(step.rule.step for step in STEPS.values())})


class State(StrEnum):
    DONE = "done"
    WAITING = "waiting"
    LATE = "late"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True)
class Terms:
    """What the project's people have settled. Dates and owners of single steps by step name; `owners` by role; `today`
    decides what is late; `backup_hours` is how old a proven backup may be."""

    now: datetime
    plan: str = ""
    servers: tuple[str, ...] = ()
    project: str = ""
    backup_hours: int = 24
    start: date | None = None
    due: Mapping[str, date] = field(default_factory=dict)
    days: Mapping[str, int] = field(default_factory=dict)
    owner: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.now.astimezone(UTC).date()

    def due_of(self, step: Step) -> date | None:
        """None where the project has no start and the step no date of its own."""
        if step.name in self.due:
            return self.due[step.name]
        return self.start + timedelta(days=self.days.get(step.name, step.days)) if self.start else None

    def owners_of(self, step: Step) -> tuple[str, ...]:
        """Names; the role itself where nobody has it."""
        if step.name in self.owner:
            return (self.owner[step.name],)
        return self.owners.get(step.owner) or (step.owner,)

    def subjects_of(self, rule: Rule, step: Step) -> tuple[str, ...]:
        """What the receipts must be about; empty text: about anything."""
        if rule.step == SAID:
            return (step.name,)
        return {"project": (self.project,), "servers": self.servers, "any": ("",)}.get(rule.about, (rule.about,))


@dataclass(frozen=True)
class Milestone:
    """One step as it stands. `evidence` are the receipts that prove it, also where some are missing yet; `missing` says
    what is; `begun`: there is some, or there was; `waits_for` are people, or steps that come before."""

    step: Step
    state: State
    owners: tuple[str, ...]
    due: date | None
    evidence: tuple[Receipt, ...] = ()
    missing: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    begun: bool = False

    @property
    def done_at(self) -> str:
        """When the last piece of its evidence came, RFC 3339; empty where it is not done."""
        return max(one.at for one in self.evidence) if self.state is State.DONE else ""

    @property
    def ready(self) -> bool:
        """Whether it waits for its own people, not for steps before it."""
        return self.state is not State.DONE and self.waits_for == self.owners

    @property
    def after(self) -> tuple[str, ...]:
        """Titles of the steps that it waits for."""
        return () if self.ready else tuple(STEPS[name].title for name in self.waits_for)

    @property
    def word(self) -> Json:
        """What a person said (`by`, `note`), where that is its evidence."""
        return self.evidence[-1].data if self.evidence and self.step.rule.step == SAID else {}

    def as_json(self) -> Json:
        return {
            "step": self.step.name,
            "title": self.step.title,
            "state": str(self.state),
            "owners": list(self.owners),
            "due": self.due.isoformat() if self.due else None,
            "waits_for": list(self.waits_for),
            "done_at": self.done_at or None,
            "proved_by": str(self.step.rule),
            "evidence": [{"receipt": one.number, "digest": one.digest, "at": one.at} for one in self.evidence],
            "missing": list(self.missing),
            "command": f"crossdock {self.step.how}" if self.step.how else None,
        }


def milestones(receipts: Iterable[Receipt], terms: Terms) -> list[Milestone]:
    """All steps in the plan's order. `receipts` oldest first; only those of RECEIPTS_READ matter."""
    kept: dict[str, list[Receipt]] = defaultdict(list)
    for one in receipts:
        kept[one.step].append(one)
    proofs = {name: _proof(step, kept, terms) for name, step in STEPS.items()}
    done = {name for name, proof in proofs.items() if not proof.missing}
    return [_milestone(step, proofs[step.name], done, terms) for phase in PHASES for step in phase.steps]


def counts(found: Sequence[Milestone]) -> dict[str, int]:
    """How many are in each state, those with none too."""
    return {str(state): sum(one.state is state for one in found) for state in State}


def next_steps(found: Sequence[Milestone]) -> list[Milestone]:
    """What people can do now: late first, then by date."""
    return sorted(
        (one for one in found if one.ready), key=lambda one: (one.state is not State.LATE, one.due or date.max)
    )


@dataclass(frozen=True)
class _Proof:
    """The receipts that count and what is missing. `begun`: there are receipts, be they red or too old."""

    evidence: tuple[Receipt, ...] = ()
    missing: tuple[str, ...] = ()
    begun: bool = False


def _milestone(step: Step, proof: _Proof, done: set[str], terms: Terms) -> Milestone:
    owners, due = terms.owners_of(step), terms.due_of(step)
    if not proof.missing:
        return Milestone(step, State.DONE, owners, due, proof.evidence, begun=True)
    before = tuple(name for name in step.needs if name not in done)
    if due and due < terms.today:
        state = State.LATE
    else:
        state = State.WAITING if proof.begun or not before else State.NOT_BEGUN
    return Milestone(step, state, owners, due, proof.evidence, proof.missing, before or owners, proof.begun)


def _proof(step: Step, kept: Mapping[str, list[Receipt]], terms: Terms) -> _Proof:
    rule, evidence, missing, begun = step.rule, [], [], False
    subjects = terms.subjects_of(rule, step)
    if not subjects or (rule.of_plan and not terms.plan):
        return _Proof(missing=(str(rule),))
    for subject in subjects:
        found = _newest(kept, rule, subject, terms.plan)
        why = _fault(found, rule, kept, terms)
        begun = begun or found is not None
        if found and not why:
            evidence.append(found)
        else:
            missing.append(f"{subject}: {why}" if rule.about == "servers" else why)
    return _Proof(tuple(evidence), tuple(missing), begun)


def _newest(kept: Mapping[str, list[Receipt]], rule: Rule, subject: str, plan: str) -> Receipt | None:
    voided = max((one.number for one in kept.get(_VOIDS, ()) if subject and one.subject == subject), default=0)
    for one in reversed(kept.get(rule.step, ())):
        if subject not in ("", one.subject) or (rule.of_plan and one.data.get("plan") != plan):
            continue
        return one if one.number > voided else None
    return None


def _fault(found: Receipt | None, rule: Rule, kept: Mapping[str, list[Receipt]], terms: Terms) -> str:
    """Why a receipt proves nothing; empty where it does."""
    if found is None:
        return str(rule)
    if rule.step == SAID and found.data.get("done") is not True:
        return f"opened again ({found.at[:10]})"
    if any(found.data.get(name) is False for name in _VERDICTS):
        return f"the last {rule.step} was red ({found.at[:10]})"
    if wrong := [name for name in rule.zero if found.data.get(name) != 0]:
        return f"the last {rule.step} told {wrong[0]} {found.data.get(wrong[0], '?')}"
    limit = timedelta(hours=terms.backup_hours) if rule.young else timedelta(days=rule.within_days)
    if limit and _moment(rule, kept, terms) - _began(found) > limit:
        told = f"{terms.backup_hours} hours" if rule.young else f"{rule.within_days} days"
        return f"the last {rule.step} is older than {told} ({found.at[:10]})"
    return ""


def _moment(rule: Rule, kept: Mapping[str, list[Receipt]], terms: Terms) -> datetime:
    """When a receipt's age counts: at the first work that leaned on it, or now while there was none."""
    step, subject = rule.until
    leaned = [one for one in kept.get(step, ()) if one.subject == subject and one.data.get("plan") == terms.plan]
    return _at(leaned[0]) if leaned else terms.now


def _at(receipt: Receipt) -> datetime:
    return datetime.fromisoformat(receipt.at)


def _began(receipt: Receipt) -> datetime:
    """When the work began that a receipt tells of: a proof is as old as its backup."""
    try:
        began = datetime.fromisoformat(str(receipt.data["began"]))
    except (KeyError, ValueError):
        return _at(receipt)
    return began if began.tzinfo else began.replace(tzinfo=UTC)
