"""What all ways of carrying files share: how they are asked, how patient they are, and what a full disk looks like."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from crossdock.core.errors import ConnectionLost, CrossdockError, TargetError
from crossdock.core.files import Entry

T = TypeVar("T")
#: How often in a row a session may be lost without anything having come through.
PATIENCE = 6
#: A session that lasted this long was cut by the host's clock, within a large file perhaps: a tenth of a failure.
LONG_SESSION_SECONDS = 20.0
# Go's programs write them in lower case.
_FULL = re.compile(r"no space left on device|disk quota exceeded|\bENOSPC\b|\bEDQUOT\b", re.IGNORECASE)
_RESUMES = "then start the same command again: it goes on where it stopped"


class Transfer(Protocol):
    """Carries files between a local folder and one on a server. Each file appears whole or not at all."""

    def pull(self, root: str, entries: Mapping[bytes, Entry], folder: str, advance: Callable[[int], None]) -> None: ...

    def push(
        self,
        folder: str,
        entries: Mapping[bytes, Entry],
        root: str,
        advance: Callable[[int], None],
        *,
        anew: bool = False,
    ) -> None: ...


def persist(act: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
    """Runs `act` again after each loss of the connection, so it must be safe to repeat.

    `progress` counts what has come through: as long as it grows, there is no end to patience. Errors: ConnectionLost.
    """
    lost, seen = 0.0, progress()
    while True:
        began = time.monotonic()
        try:
            return act()
        except ConnectionLost:
            if progress() != seen:
                lost, seen = 0.0, progress()
            lost += 0.1 if time.monotonic() - began > LONG_SESSION_SECONDS else 1.0
            if lost >= PATIENCE:
                raise
            time.sleep(min(lost, 5.0))


class Counted:
    """`advance`, and how often it was called."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self.files = 0

    def __call__(self, bytes_: int) -> None:
        self.files += 1
        self._advance(bytes_)


def full_disk(told: str, where: str) -> TargetError | None:
    """The error to raise when a program on the server tells that its disk is full."""
    if not _FULL.search(told):
        return None
    return TargetError("the disk of the target is full", where=where, way_out=f"make room there, {_RESUMES}")


def full_spool(told: str, folder: str) -> CrossdockError | None:
    """The same for the local folder that files pass through."""
    if not _FULL.search(told):
        return None
    way_out = f"make room on this machine, or name another state folder in crossdock.toml, {_RESUMES}"
    return CrossdockError("the disk of the spool is full", where=folder, way_out=way_out)
