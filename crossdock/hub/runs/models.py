"""Rows of the evidence. Receipts are only ever inserted: triggers of the database refuse everything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from django.db import models

from crossdock.core import evidence
from crossdock.hub.runs.rules import Stage


class Run(models.Model):
    """One execution of a command that changes or checks something. `subject` is what it is about: an environment."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        INTERRUPTED = "interrupted"

    id = models.CharField(max_length=80, primary_key=True)
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=80, default="", blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.RUNNING)
    plan_digest = models.CharField(max_length=64, default="", blank=True)
    pid = models.PositiveBigIntegerField()
    host = models.CharField(max_length=255)
    started = models.DateTimeField()
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ("started", "id")

    def __str__(self) -> str:
        return self.id

    def shown_state(self, *, alive: bool) -> str:
        """The state to show, given whether this run's process still holds the lock."""
        return str(self.State.INTERRUPTED if self.state == self.State.RUNNING and not alive else self.state)

    def end(self, state: Run.State) -> None:
        self.state = state
        self.ended = datetime.now(UTC)
        self.save(update_fields=["state", "ended"])


class Progress(models.Model):
    """How far a run's present stage is. Written by the run, read by screens; may be lost without harm. `total` is 0
    where unknown; `noun` names what is counted."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="progress")
    stage = models.TextField()
    noun = models.TextField(default="rows")
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    bytes_done = models.PositiveBigIntegerField(default=0)
    began = models.DateTimeField()
    updated = models.DateTimeField()
    finished = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.run_id} {self.stage}"

    def as_stage(self) -> Stage:
        return Stage(
            stage=self.stage,
            noun=self.noun,
            done=self.done,
            total=self.total,
            bytes_done=self.bytes_done,
            began=self.began,
            updated=self.updated,
            finished=self.finished,
        )


class Receipt(models.Model):
    """A link of the chain, as core.evidence.Receipt. `data` is the canonical JSON that the digest covers."""

    number = models.PositiveBigIntegerField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="receipts")
    step = models.TextField()
    subject = models.TextField()
    at = models.CharField(max_length=40)
    data = models.TextField()
    previous = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ("number",)
        indexes = (models.Index(fields=("step", "subject"), name="receipt_by_step"),)

    def __str__(self) -> str:
        return f"{self.number} {self.step} {self.subject}"

    def as_evidence(self) -> evidence.Receipt:
        """Errors: ValueError, where `data` is no JSON object any more."""
        data = json.loads(self.data)
        if not isinstance(data, dict):
            raise ValueError("data is not a JSON object")  # noqa: TRY004 - json.loads raises ValueError for the rest
        return evidence.Receipt(
            number=self.number,
            run=self.run_id,
            step=self.step,
            subject=self.subject,
            at=self.at,
            data=data,
            previous=self.previous,
            digest=self.digest,
        )


class FindingQuerySet(models.QuerySet["Finding"]):
    def standing(self) -> FindingQuerySet:
        """Those which no later run has replaced."""
        return self.filter(superseded_by=None)

    def before(self, run: Run) -> FindingQuerySet:
        """Standing findings of earlier runs about the same subject."""
        return self.standing().filter(run__subject=run.subject).exclude(run=run)


class Finding(models.Model):
    """One finding of one run; a later run of the same step about the same subject supersedes it."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="findings")
    step = models.TextField()
    code = models.TextField()
    level = models.CharField(max_length=8)
    place = models.TextField()
    text = models.TextField()
    way_out = models.TextField(default="", blank=True)
    data = models.TextField(default="{}")
    superseded_by = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, related_name="superseded")

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("step", "code"), name="finding_by_step"),)

    def __str__(self) -> str:
        return f"{self.code} {self.place}"

    def as_evidence(self) -> evidence.Finding:
        return evidence.Finding(
            code=self.code,
            level=evidence.Level(self.level),
            place=self.place,
            text=self.text,
            way_out=self.way_out,
            data=json.loads(self.data),
        )
