"""Opens and closes runs, writes their evidence, and reads it back."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from crossdock.core import evidence
from crossdock.core.errors import EvidenceError
from crossdock.hub.runs import models, rules
from crossdock.hub.runs.locks import Lock, lock_of, taken

LOCK = "run"
# Any constant does: it only has to be the same in every writer, and other than that of the locks in locks.py.
APPEND_KEY = 8785


@dataclass(frozen=True)
class RunView:
    """A run as people see it: one that was killed reads `interrupted`."""

    id: str
    kind: str
    subject: str
    state: str
    plan_digest: str
    pid: int
    host: str
    started: datetime
    ended: datetime | None


class RunJournal:
    """The evidence of one open run; satisfies core.ports.Journal. Only keys, counts and hashes belong in it."""

    def __init__(self, run: models.Run, lock: Lock) -> None:
        self._run = run
        self._lock = lock

    @property
    def run(self) -> str:
        return self._run.id

    def receipt(self, step: str, subject: str, data: dict[str, Any]) -> evidence.Receipt:
        """Appends to the chain, durably. Errors: EvidenceError (data that JSON can't carry exactly, closed run)."""
        self._must_be_open()
        text = rules.canonical_text(data, f"receipt {step} {subject}")
        content = {
            "run": self._run.id,
            "step": rules.plain_text(step, "step"),
            "subject": rules.plain_text(subject, "subject"),
            "data": json.loads(text),
        }
        with transaction.atomic():
            _wait_for_other_writers()
            last = models.Receipt.objects.order_by("-number").values_list("number", "digest").first()
            receipt = rules.linked(last, {**content, "at": rules.timestamp(datetime.now(UTC))})
            models.Receipt.objects.create(
                number=receipt.number,
                run=self._run,
                step=receipt.step,
                subject=receipt.subject,
                at=receipt.at,
                data=text,
                previous=receipt.previous,
                digest=receipt.digest,
            )
        return receipt

    def receipts(self, step: str = "", subject: str = "") -> list[evidence.Receipt]:
        return receipts(step, subject)

    def finding(self, finding: evidence.Finding, *, step: str) -> None:
        """Keeps a finding. It takes the place of the same one (step, code, place) of earlier runs; a repetition within
        the run is kept once. Errors: EvidenceError."""
        self._must_be_open()
        data = rules.canonical_text(finding.data, f"finding {finding.code} {finding.place}")
        with transaction.atomic():
            same = models.Finding.objects.before(self._run).filter(step=step, code=finding.code, place=finding.place)
            same.update(superseded_by=self._run)
            models.Finding.objects.update_or_create(
                run=self._run,
                step=step,
                code=finding.code,
                place=finding.place,
                text=finding.text,
                defaults={"level": str(finding.level), "way_out": finding.way_out, "data": data},
            )

    def findings(self, step: str = "") -> list[evidence.Finding]:
        """The findings of this run."""
        rows = self._run.findings.filter(**({"step": step} if step else {}))
        return [row.as_evidence() for row in rows]

    def _must_be_open(self) -> None:
        if self._run.state != models.Run.State.RUNNING:
            raise EvidenceError(f"run {self._run.id} is closed", way_out="open a new run")

    def _close(self, state: models.Run.State) -> None:
        self._must_be_open()
        with transaction.atomic():
            if state == models.Run.State.DONE:
                self._supersede_earlier()
            self._run.end(state)
        self._lock.release()

    def _supersede_earlier(self) -> None:
        # Only a run that came to its end can say that something is no longer found.
        steps = {*self._run.receipts.values_list("step", flat=True), *self._run.findings.values_list("step", flat=True)}
        models.Finding.objects.before(self._run).filter(step__in=steps).update(superseded_by=self._run)


def open_run(kind: str, *, subject: str = "", plan_digest: str = "") -> RunJournal:
    """Takes the project's lock and begins a run. `subject` is what the run is about, such as an environment: findings
    are superseded only by runs about the same subject. Errors: LockedError naming who runs."""
    lock = taken(settings.STATE, LOCK)
    try:
        # We hold the lock, so whatever still reads `running` was killed.
        with transaction.atomic():
            for dead in models.Run.objects.filter(state=models.Run.State.RUNNING):
                dead.end(models.Run.State.INTERRUPTED)
            started = datetime.now(UTC)
            run = models.Run.objects.create(
                id=f"{started:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}",
                kind=kind,
                subject=subject,
                plan_digest=plan_digest,
                pid=os.getpid(),
                host=socket.gethostname(),
                started=started,
            )
    except BaseException:
        lock.release()
        raise
    return RunJournal(run, lock)


def close_run(journal: RunJournal, *, failed: bool = False) -> None:
    """Ends a run and gives the lock back. A run that did not fail supersedes the findings which earlier runs left for
    the steps it has done."""
    journal._close(models.Run.State.FAILED if failed else models.Run.State.DONE)


@contextmanager
def running(kind: str, *, subject: str = "", plan_digest: str = "") -> Iterator[RunJournal]:
    """A run around a block: an error ends it as failed, Ctrl-C as interrupted. Errors: LockedError."""
    journal = open_run(kind, subject=subject, plan_digest=plan_digest)
    try:
        yield journal
    except Exception:
        journal._close(models.Run.State.FAILED)
        raise
    except BaseException:
        journal._close(models.Run.State.INTERRUPTED)
        raise
    journal._close(models.Run.State.DONE)


def runs() -> list[RunView]:
    """All runs, oldest first."""
    rows = list(models.Run.objects.all())
    alive = lock_of(settings.STATE, LOCK).holder() is not None
    return [
        RunView(
            id=row.id,
            kind=row.kind,
            subject=row.subject,
            # Only the newest can be the one that holds the lock.
            state=row.shown_state(alive=alive and row is rows[-1]),
            plan_digest=row.plan_digest,
            pid=row.pid,
            host=row.host,
            started=row.started,
            ended=row.ended,
        )
        for row in rows
    ]


def receipts(step: str = "", subject: str = "") -> list[evidence.Receipt]:
    """Receipts of this project, oldest first. An empty argument matches all."""
    wanted = {key: value for key, value in (("step", step), ("subject", subject)) if value}
    return [row.as_evidence() for row in models.Receipt.objects.filter(**wanted)]


def findings(step: str = "", *, subject: str | None = None) -> list[evidence.Finding]:
    """Findings that stand: no later run has superseded them. `subject` is that of their run; None matches all."""
    rows = models.Finding.objects.standing()
    if step:
        rows = rows.filter(step=step)
    if subject is not None:
        rows = rows.filter(run__subject=subject)
    return [row.as_evidence() for row in rows]


def told() -> list[tuple[str, str, evidence.Finding]]:
    """Findings that stand, oldest first: the step that found it, its run, the finding."""
    return [(row.step, row.run_id, row.as_evidence()) for row in models.Finding.objects.standing()]


def chain(expected_head: str = "") -> rules.Chain:
    """Checks every receipt. Never raises for a bad chain: the answer says what is wrong with it."""
    found: list[evidence.Receipt] = []
    why = ""
    try:
        for row in models.Receipt.objects.order_by("number").iterator():
            found.append(row.as_evidence())
    except (ValueError, RecursionError):
        why = "its data is not a JSON object any more"
    except DatabaseError as error:
        why = f"it can't be read: {error}"
    checked = rules.checked(found, "" if why else expected_head)
    return replace(checked, fault=why, bad_number=len(found) + 1) if why and checked.holds else checked


def _wait_for_other_writers() -> None:
    # On SQLite the transaction began with the write lock; on PostgreSQL two could read the same end of the chain.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [APPEND_KEY])
