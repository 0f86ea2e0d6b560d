"""A run's progress where the hub's screens see it."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime

from django.db import DatabaseError, connections

from crossdock.core.ports import Progress
from crossdock.hub.runs import models
from crossdock.hub.settings import PROGRESS

EVERY_SECONDS = 0.5
_KEPT = ("stage", "noun", "done", "total", "bytes_done", "began", "updated", "finished")


class WatchedProgress:
    """core.ports.Progress: passes all on to another one, and tells the database at most twice a second.

    It never waits for a lock and never raises: what can't be written now is written the next time, or not at all.
    """

    def __init__(self, run: str, inner: Progress) -> None:
        self._run, self._inner = run, inner
        self._row: models.Progress | None = None
        self._due = 0.0

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None:
        self._inner.start(stage, rows=rows, bytes_=bytes_, noun=noun)
        now = datetime.now(UTC)
        self._row = models.Progress(run_id=self._run, stage=stage, noun=noun, total=rows, began=now, updated=now)
        self._tell()

    def advance(self, place: str, *, rows: int, bytes_: int) -> None:
        self._inner.advance(place, rows=rows, bytes_=bytes_)
        if self._row is not None:
            self._row.done += rows
            self._row.bytes_done += bytes_
            if time.monotonic() >= self._due:
                self._tell()

    def finish(self) -> None:
        self._inner.finish()
        if self._row is not None:
            self._row.finished = True
            self._tell()
            self._row = None

    def _tell(self) -> None:
        row = self._row
        if row is None:
            return
        row.updated = datetime.now(UTC)
        try:
            models.Progress.objects.using(PROGRESS).bulk_create(
                [row], update_conflicts=True, unique_fields=["run"], update_fields=_KEPT
            )
        except DatabaseError:
            # A connection that broke once would refuse ever after.
            with suppress(DatabaseError):
                connections[PROGRESS].close()
        self._due = time.monotonic() + EVERY_SECONDS
