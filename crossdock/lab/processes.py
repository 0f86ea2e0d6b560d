"""Processes of the lab: start, wait until they answer, find again by pid and start time, stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from crossdock.core.errors import AccessError
from crossdock.lab.account import Account
from crossdock.lab.server import SEARCH_PATH, Server

# Children of this very process have to be reaped, or they stay visible as zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Daemon:
    """What to start: `argv` runs in the foreground, `ready` answers whether it serves yet."""

    server: str
    name: str
    address: str
    argv: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """A started daemon. `started` (clock ticks since boot) tells it from a later process with the same pid."""

    server: str
    daemon: str
    address: str
    pid: int
    started: int

    def alive(self) -> bool:
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            del _children[self.pid]
        return _start_ticks(self.pid) == self.started


class Part(ABC):
    """Daemons of one server. As a context manager they run on their own: prepared, started, stopped."""

    server: Server
    _running: tuple[Process, ...] = ()

    @abstractmethod
    def prepare(self) -> None:
        """Writes all that the daemons need."""

    @abstractmethod
    def daemons(self) -> list[Daemon]:
        """How to start them."""

    def __enter__(self) -> Self:
        self.prepare()
        try:
            run(self.daemons(), self.server.account, self._started)
        except BaseException:
            stop(self._running)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._running)
        self._running = ()

    def _started(self, process: Process) -> None:
        self._running = (*self._running, process)


def start(daemon: Daemon, account: Account) -> Process:
    """Starts a daemon; does not wait. Errors: AccessError when the program can't be run."""
    env = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **daemon.env}
    try:
        child = account.popen(daemon.argv, log=daemon.log, env=env)
    except OSError as error:
        raise AccessError(f"{daemon.name} can't be started: {error}", where=daemon.server) from error
    _children[child.pid] = child
    return Process(daemon.server, daemon.name, daemon.address, child.pid, _start_ticks(child.pid) or 0)


def wait_ready(daemon: Daemon, process: Process, *, patience_seconds: float = 30) -> None:
    """Returns when the daemon answers. Errors: AccessError with the end of its log when it died or stays silent."""
    end = time.monotonic() + patience_seconds
    while not daemon.ready():
        if not process.alive():
            raise AccessError(
                f"{daemon.name} ended before it answered at {daemon.address}:\n{log_tail(daemon.log)}",
                where=daemon.server,
            )
        if time.monotonic() > end:
            raise AccessError(
                f"{daemon.name} does not answer at {daemon.address} after {patience_seconds:.0f} s:\n"
                f"{log_tail(daemon.log)}",
                where=daemon.server,
            )
        time.sleep(0.05)


def run(daemons: Iterable[Daemon], account: Account, started: Callable[[Process], None]) -> None:
    """Starts all at once, reports each by `started` before anything can fail, then waits for each."""
    pairs = []
    for daemon in daemons:
        process = start(daemon, account)
        started(process)
        pairs.append((daemon, process))
    for daemon, process in pairs:
        wait_ready(daemon, process)


def stop(processes: Sequence[Process], *, patience_seconds: float = 20) -> None:
    """Stops exactly these processes and what descends from them: SIGTERM first, SIGKILL for the rest."""
    family = _descendants({process.pid for process in processes if process.alive()})
    _end(processes, signal.SIGTERM, patience_seconds)
    _end(processes, signal.SIGKILL, 5)
    # An SSH session has a process group of its own and outlives its sshd.
    _end(family, signal.SIGTERM, 2)
    _end(family, signal.SIGKILL, 5)


def log_tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty log)"


def tcp_answers(address: str, port: int) -> bool:
    """Whether something accepts a TCP connection there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def socket_answers(path: Path) -> bool:
    """Whether something accepts a connection on this Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _end(processes: Iterable[Process], number: signal.Signals, patience_seconds: float) -> None:
    left = [process for process in processes if process.alive()]
    for process in left:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue
    end = time.monotonic() + patience_seconds
    while left and time.monotonic() < end:
        time.sleep(0.03)
        left = [process for process in left if process.alive()]


def _start_ticks(pid: int) -> int | None:
    """Start time from /proc/PID/stat; None for a process that is gone or a zombie."""
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] in ("Z", "X") else int(fields[19])


def _stat_fields(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold blanks: count from behind it.
    return text.rpartition(")")[2].split()


def _descendants(roots: set[int]) -> list[Process]:
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            ticks[int(entry.name)] = int(fields[19])
    found: list[Process] = []
    queue = list(roots)
    while queue:
        for pid in children.get(queue.pop(), []):
            queue.append(pid)
            found.append(Process("", "", "", pid, ticks[pid]))
    return found
