"""A run's progress where the hub's screens see it."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from django.db import DatabaseError, connections

from crossdock.core.ports import Progress
from crossdock.hub.runs import models
from crossdock.hub.runs.rules import Stage
from crossdock.hub.settings import PROGRESS

EVERY_SECONDS = 0.5
PATIENCE_SECONDS = 2
_KEPT = ("stage", "noun", "done", "total", "bytes_done", "began", "updated", "finished")


class WatchedProgress:
    """core.ports.Progress: passes all on to another one, and tells the database at most twice a second.

    The work never waits for that, and never fails by it: a thread writes, and what can't be written now is written the
    next time, or not at all. (A thread also because work that waits on many sockets at once, in an event loop, may ask
    no database.)
    """

    def __init__(self, run: str, inner: Progress) -> None:
        self._run, self._inner = run, inner
        self._stage: Stage | None = None
        self._done = self._bytes = 0
        self._due = 0.0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="progress")
        self._writing: Future[None] | None = None

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None:
        self._inner.start(stage, rows=rows, bytes_=bytes_, noun=noun)
        now = datetime.now(UTC)
        self._stage = Stage(stage, noun, 0, rows, 0, now, now, finished=False)
        self._done = self._bytes = 0
        self._tell(self._stage)

    def advance(self, place: str, *, rows: int, bytes_: int) -> None:
        self._inner.advance(place, rows=rows, bytes_=bytes_)
        self._done += rows
        self._bytes += bytes_
        if self._stage and time.monotonic() >= self._due:
            self._tell(self._now(self._stage))

    def finish(self) -> None:
        self._inner.finish()
        if self._stage:
            last = replace(self._now(self._stage), finished=True)
            self._stage = None
            with suppress(TimeoutError):
                self._writer.submit(_write, self._run, last, close=True).result(PATIENCE_SECONDS)

    def _now(self, stage: Stage) -> Stage:
        return replace(stage, done=self._done, bytes_done=self._bytes, updated=datetime.now(UTC))

    def _tell(self, stage: Stage) -> None:
        self._due = time.monotonic() + EVERY_SECONDS
        if self._writing is None or self._writing.done():
            self._writing = self._writer.submit(_write, self._run, stage, close=False)


def _write(run: str, stage: Stage, *, close: bool) -> None:
    row = models.Progress(run_id=run, **{name: getattr(stage, name) for name in _KEPT})
    try:
        models.Progress.objects.using(PROGRESS).bulk_create(
            [row], update_conflicts=True, unique_fields=["run"], update_fields=_KEPT
        )
    except DatabaseError:
        close = True  # a connection that broke once would refuse ever after
    if close:
        with suppress(DatabaseError):
            connections[PROGRESS].close()
