"""The plan of work: nothing is done without evidence, and a newer plan voids the evidence of the older one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crossdock.core.evidence import Receipt
from crossdock.hub.runs.rules import linked
from crossdock.move.milestones import Milestone, State, Terms, counts, milestones, next_steps
from crossdock.move.workplan import PHASES, SAID, STEPS

START = datetime(2027, 1, 11, 9, tzinfo=UTC)
SERVERS = ("north", "south")
PROJECT = "Lumen"


class Log:
    """Receipts as the hub would hold them, and the terms to judge them by."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.now = START

    def add(self, step: str, subject: str, **data: Any) -> Receipt:
        last = (self.receipts[-1].number, self.receipts[-1].digest) if self.receipts else None
        content = {"run": "r", "step": step, "subject": subject, "at": self.now.isoformat(), "data": data}
        self.receipts.append(linked(last, content))
        return self.receipts[-1]

    def step(self, name: str, **terms: Any) -> Milestone:
        found = milestones(self.receipts, self.terms(**terms))
        return next(one for one in found if one.step.name == name)

    def terms(self, **given: Any) -> Terms:
        return Terms(**{"now": self.now, "plan": "p1", "servers": SERVERS, "project": PROJECT, **given})


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_plan_holds_together() -> None:
    names = list(STEPS)
    assert len(names) == sum(len(phase.steps) for phase in PHASES)
    for place, name in enumerate(names):
        assert name.startswith(f"{next(one.name for one in PHASES if STEPS[name] in one.steps)}.")
        # What a step waits for stands before it: so no two wait for each other.
        assert all(need in names[:place] for need in STEPS[name].needs), name
        assert all(STEPS[need].days <= STEPS[name].days for need in STEPS[name].needs), name


def test_nothing_is_done_at_the_beginning(log: Log) -> None:
    found = milestones([], log.terms(plan=""))
    assert counts(found)[State.DONE] == counts(found)[State.LATE] == 0
    assert {one.step.name for one in next_steps(found)} == {
        "workflow.workshop", "migration.access", "migration.assessed",
    }  # fmt: skip


def test_a_receipt_of_the_plan_in_force_is_evidence_and_of_another_is_none(log: Log) -> None:
    proof = log.add("validate", "staging", plan="p1", green=True)
    made = log.step("migration.staging-validated")
    assert (made.state, made.evidence) == (State.DONE, (proof,))
    assert log.step("migration.staging-validated", plan="p2").state is State.NOT_BEGUN
    assert log.step("migration.staging-validated", plan="").evidence == ()


def test_the_last_word_counts(log: Log) -> None:
    log.add("validate", "staging", plan="p1", green=True)
    log.add("validate", "staging", plan="p1", green=False)
    made = log.step("migration.staging-validated")
    assert (made.state, made.missing) == (State.WAITING, ("the last validate was red (2027-01-11)",))
    log.add("validate", "staging", plan="p1", green=True)
    assert log.step("migration.staging-validated").state is State.DONE


def test_what_was_taken_back_is_no_evidence(log: Log) -> None:
    log.add("copy", "staging", plan="p1")
    log.add("copy", "production", plan="p1")
    log.add("discard", "staging", begun=True)
    assert log.step("migration.staging-copied").state is State.NOT_BEGUN
    assert log.step("migration.production-copied").state is State.DONE


def test_every_server_must_be_there(log: Log) -> None:
    log.add("backup", "north")
    made = log.step("migration.saved")
    assert made.state is State.WAITING
    assert made.missing == ("south: receipt backup of each server",)
    log.add("backup", "south")
    assert log.step("migration.saved").state is State.DONE
    assert log.step("migration.saved", servers=()).state is not State.DONE


def test_a_proof_grows_old_until_something_leans_on_it(log: Log) -> None:
    began = (log.now - timedelta(hours=3)).isoformat()
    for server in SERVERS:
        log.add("backup.proof", server, proved=True, began=began)
    log.now += timedelta(hours=21)
    assert log.step("migration.backup-proved").state is State.DONE
    log.now += timedelta(hours=1)
    assert "older than 24 hours" in log.step("migration.backup-proved").missing[0]
    assert log.step("migration.backup-proved", backup_hours=48).state is State.DONE
    log.now -= timedelta(hours=2)
    log.add("copy", "staging", plan="p1")
    log.now += timedelta(days=300)
    # Staging was written while it was young; production asks for a new one.
    assert log.step("migration.backup-proved").state is State.DONE
    assert log.step("migration.backup-anew").state is State.WAITING
    log.add("backup.proof", "north", proved=False)
    assert "was red" in log.step("migration.backup-anew").missing[0]


def test_counts_that_must_be_nought(log: Log) -> None:
    log.add("redirects.replay", "staging", plan="p1", urls_failed=0, urls_undecided=2)
    assert log.step("migration.addresses").missing == ("the last redirects.replay told urls_undecided 2",)
    log.add("redirects.replay", "staging", plan="p1", urls_failed=0, urls_undecided=0)
    assert log.step("migration.addresses").state is State.DONE


def test_a_persons_word(log: Log) -> None:
    log.add(SAID, "workflow.workshop", done=True, by="Ada", note="minutes")
    made = log.step("workflow.workshop")
    assert (made.state, made.word["by"]) == (State.DONE, "Ada")
    log.add(SAID, "workflow.workshop", done=False, by="Ada", note="no")
    assert log.step("workflow.workshop").missing == ("opened again (2027-01-11)",)
    log.add(SAID, "migration.approved", done=True, by="Cleo", plan="p1")
    assert log.step("migration.approved").state is State.DONE
    assert log.step("migration.approved", plan="p2").state is not State.DONE


def test_dates_and_owners(log: Log) -> None:
    terms: dict[str, Any] = {
        "start": date(2027, 1, 11),
        "owners": {"operator": ("Ada", "Bo")},
        "owner": {"migration.access": "Host support"},
        "days": {"migration.assessed": 1},
        "due": {"workflow.workshop": date(2027, 1, 10)},
    }
    assert log.step("workflow.workshop", **terms).state is State.LATE
    assert log.step("workflow.workshop", **terms).waits_for == ("Ada", "Bo")
    assert log.step("migration.access", **terms).owners == ("Host support",)
    assert log.step("migration.signed", **terms).owners == ("client-owner",)
    assert log.step("migration.assessed", **terms).due == date(2027, 1, 12)
    assert log.step("migration.assessed", **terms).state is State.WAITING
    log.now += timedelta(days=2)
    assert log.step("migration.assessed", **terms).state is State.LATE
    assert [one.step.name for one in next_steps(milestones(log.receipts, log.terms(**terms)))][:2] == [
        "workflow.workshop", "migration.assessed",
    ]  # fmt: skip
    log.add("assess", PROJECT)
    assert log.step("migration.assessed", **terms).state is State.DONE


PLANS = ("p1", "p2", "p3")
KINDS = sorted({step.rule.step for step in STEPS.values()} - {SAID})
SUBJECTS = (PROJECT, *SERVERS, "staging", "production")
WORDS = [name for name, step in STEPS.items() if step.rule.step == SAID]


class Project(RuleBasedStateMachine):
    """Whatever happens in whatever order: done is what a simpler reading of the receipts accepts, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.log, self.plan = Log(), "p1"

    @rule(
        step=st.sampled_from(KINDS), subject=st.sampled_from(SUBJECTS), plan=st.sampled_from(PLANS), red=st.booleans()
    )
    def work(self, step: str, subject: str, plan: str, red: bool) -> None:
        failed = int(red)
        self.log.add(step, subject, plan=plan, green=not red, urls_failed=failed, urls_undecided=0, missing=0)

    @rule(step=st.sampled_from(WORDS), done=st.booleans())
    def say(self, step: str, done: bool) -> None:
        self.log.add(SAID, step, done=done, by="Ada", plan=self.plan)

    @rule(subject=st.sampled_from(("staging", "production")))
    def discard(self, subject: str) -> None:
        self.log.add("discard", subject, begun=True)

    @rule(plan=st.sampled_from(PLANS))
    def make_another_plan(self, plan: str) -> None:
        self.plan = plan

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        self.log.now += timedelta(days=days)

    @invariant()
    def done_means_proved(self) -> None:
        for one in milestones(self.log.receipts, self.log.terms(plan=self.plan)):
            about = one.step.rule.about
            wanted = [one.step.name] if one.step.rule.step == SAID else {
                "project": [PROJECT], "servers": list(SERVERS), "any": [None]}.get(about, [about])  # fmt: skip
            proved = all(self._proved(one, subject) for subject in wanted)
            assert (one.state is State.DONE) == proved, one
            assert one.state is not State.DONE or len(one.evidence) == len(wanted)
            assert all(receipt in self.log.receipts for receipt in one.evidence)

    def _proved(self, one: Milestone, subject: str | None) -> bool:
        """Reads the receipts from the beginning, as a person would."""
        wanted, standing = one.step.rule, False
        since = self.log.now
        leaned = [r for r in self.log.receipts if (r.step, r.subject) == wanted.until and r.data["plan"] == self.plan]
        moment = datetime.fromisoformat(leaned[0].at) if leaned else self.log.now
        for receipt in self.log.receipts:
            if receipt.step == "discard" and receipt.subject == subject:
                standing = False
            if receipt.step != wanted.step or subject not in (None, receipt.subject):
                continue
            if wanted.of_plan and receipt.data["plan"] != self.plan:
                continue
            standing = receipt.data.get("done", receipt.data.get("green"))
            since = datetime.fromisoformat(receipt.at)
        limit = timedelta(hours=24) if wanted.young else timedelta(days=wanted.within_days or 10_000)
        fresh = moment - since <= limit
        return standing and fresh


TestProject = Project.TestCase
TestProject.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
