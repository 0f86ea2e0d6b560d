"""Errors a person can act on: what happened, where, and the way out.

CrossdockError
├── ConfigError      exit 3   crossdock.toml can't be used
├── BlockedError     exit 4   a person must decide first (block findings)
├── AccessError      exit 5   SSH, database or HTTP refused us
│   └── ConnectionLost        it answered before and is gone: reconnect and resume
├── LockedError      exit 6   another run holds the lock
├── StaleError       exit 7   the plan's facts have changed since it was made
├── EvidenceError    exit 8   the receipt chain does not verify
├── TargetError      exit 9   the target is lost, full or not what the plan expects
│   └── LockWaitError         deadlock or lock wait: the transaction is rolled back and may be tried again
├── SourceError      exit 10  the source can't be read as the plan expects
└── WorkerError      exit 11  a process of ours died: start again, it resumes

Exit 1 means that a check came out red; exit 2 is a wrong command line.
"""

from __future__ import annotations


class CrossdockError(Exception):
    """Base: `what` happened, `where` (server, file, table, key) and the `way_out`."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", way_out: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.way_out = way_out

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.way_out:
            parts.append(f"Way out: {self.way_out}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes send their errors to the parent by pickle.
        return (_rebuild, (type(self), self.what, self.where, self.way_out))


def _rebuild(cls: type[CrossdockError], what: str, where: str, way_out: str) -> CrossdockError:
    return cls(what, where=where, way_out=way_out)


class ConfigError(CrossdockError):
    exit_code = 3


class BlockedError(CrossdockError):
    exit_code = 4


class AccessError(CrossdockError):
    exit_code = 5


class ConnectionLost(AccessError):  # noqa: N818  said so in every layer
    pass


class LockedError(CrossdockError):
    exit_code = 6


class StaleError(CrossdockError):
    exit_code = 7


class EvidenceError(CrossdockError):
    exit_code = 8


class TargetError(CrossdockError):
    exit_code = 9


class LockWaitError(TargetError):
    pass


class SourceError(CrossdockError):
    exit_code = 10


class WorkerError(CrossdockError):
    exit_code = 11
