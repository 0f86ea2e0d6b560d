"""Locks that die with their process, also by `kill -9`: flock beside SQLite, an advisory lock in PostgreSQL."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from django.db import connection

from crossdock.core.errors import LockedError
from crossdock.hub.runs.rules import timestamp

MIGRATE_SECONDS = 60.0
# A look at who holds the lock takes it shared for an instant: a taker tries again before it gives up.
TRY_SECONDS = 0.3


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. `since` is RFC 3339; unknown parts are empty."""

    pid: str = ""
    host: str = ""
    since: str = ""

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on {self.host or '?'} since {self.since or '?'}"


class Lock(Protocol):
    def take(self) -> bool:
        """True if we have it now."""
        ...

    def release(self) -> None: ...

    def holder(self) -> Holder | None:
        """None where the lock is free."""
        ...


class FileLock:
    """flock on a file that also tells who holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def take(self) -> bool:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _flocked(self._file, fcntl.LOCK_EX):
            self._close()
            return False
        _open_files.add(self._file)
        told = {"pid": str(os.getpid()), "host": socket.gethostname(), "since": timestamp(datetime.now(UTC))}
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(told).encode(), 0)
        return True

    def release(self) -> None:
        if self._file is not None:
            _open_files.discard(self._file)
            os.ftruncate(self._file, 0)
            self._close()

    def holder(self) -> Holder | None:
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return None if _flocked(file, fcntl.LOCK_SH) else _told(os.pread(file, 4096, 0))
        finally:
            os.close(file)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


# A forked worker would keep its parent's lock alive after the parent was killed: it closes its copy at once.
_open_files: set[int] = set()


def _forget_locks() -> None:
    for file in _open_files:
        with suppress(OSError):
            os.close(file)
    _open_files.clear()


os.register_at_fork(after_in_child=_forget_locks)


def _flocked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _told(text: bytes) -> Holder:
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return Holder()


class AdvisoryLock:
    """A session lock of PostgreSQL on a connection of its own, whose application_name tells who holds it."""

    def __init__(self, name: str) -> None:
        self.key = crc32(f"crossdock {name}".encode())
        self._session: Any = None

    def take(self) -> bool:
        # Not Django's connection: that one may be closed between two requests, and the lock with it.
        self._session = connection.get_new_connection(connection.get_connection_params())
        self._session.autocommit = True
        name = f"crossdock {os.getpid()} {socket.gethostname()}"[:63]
        self._session.execute("SELECT set_config('application_name', %s, false)", [name])
        if self._session.execute("SELECT pg_try_advisory_lock(%s)", [self.key]).fetchone()[0]:
            return True
        self.release()
        return False

    def release(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def holder(self) -> Holder | None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1"
                " AND a.datname = current_database()",
                [self.key],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        _, pid, host = (*str(row[0] or "").split(" ", 2), "", "", "")[:3]
        return Holder(pid, host, timestamp(row[1]) if row[1] else "")


def lock_of(state: Path, name: str) -> Lock:
    """The lock `name` of the project whose state folder this is."""
    return AdvisoryLock(name) if connection.vendor == "postgresql" else FileLock(state / f"{name}.lock")


def taken(state: Path, name: str, *, patience_seconds: float = TRY_SECONDS) -> Lock:
    """Takes a lock. Errors: LockedError naming the holder."""
    lock = lock_of(state, name)
    give_up = time.monotonic() + patience_seconds
    while not lock.take():
        if time.monotonic() > give_up:
            way_out = "wait until it ends, or stop that process; a killed one leaves no lock behind"
            raise LockedError(f"another {name} is under way: {lock.holder() or Holder()}", way_out=way_out)
        time.sleep(0.05)
    return lock


@contextmanager
def waiting(state: Path, name: str) -> Iterator[None]:
    """Holds a lock for a short piece of work, and waits for others. Errors: LockedError after a minute."""
    lock = taken(state, name, patience_seconds=MIGRATE_SECONDS)
    try:
        yield
    finally:
        lock.release()
