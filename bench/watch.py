"""Runs commands and watches what each of their processes needs: wall time, CPU time, peak memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PAUSE_SECONDS = 0.05


@dataclass
class Watched:
    """`peaks_mib`: VmHWM of each process by its PID, the first being the command's own. VmHWM is a high-water mark, so
    polling loses only what a process needed in its last 50 ms."""

    seconds: float = 0.0
    stdout: bytes = b""
    peaks_mib: dict[int, float] = field(default_factory=dict)

    @property
    def largest_mib(self) -> float:
        return max(self.peaks_mib.values(), default=0.0)


def run(argv: Sequence[str], *, env: dict[str, str] | None = None, shown: bool = False) -> Watched:
    """Runs a command to its end; `shown` lets its stderr through. Errors: RuntimeError with the end of its stderr."""
    begin = time.perf_counter()
    child = subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=None if shown else subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    watched = Watched()
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(child.pid, watched.peaks_mib, done), daemon=True)
    watcher.start()
    try:
        watched.stdout, errors = child.communicate()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    finally:
        done.set()
        watcher.join()
    watched.seconds = time.perf_counter() - begin
    if child.returncode:
        raise RuntimeError(
            f"{argv[0]} ended with {child.returncode}: {(errors or b'')[-3000:].decode('utf-8', 'replace')}"
        )
    return watched


def pipe(*stages: Sequence[str]) -> float:
    """Runs a pipeline, as a shell would; returns its wall seconds. Errors: RuntimeError when any stage fails."""
    begin = time.perf_counter()
    children: list[subprocess.Popen[bytes]] = []
    for number, argv in enumerate(stages):
        last = number == len(stages) - 1
        children.append(
            subprocess.Popen(
                list(argv),
                stdin=children[-1].stdout if children else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if last else subprocess.PIPE,
            )
        )
        if number:
            upstream = children[-2].stdout
            if upstream is not None:
                upstream.close()
    codes = [child.wait() for child in children]
    if any(codes):
        raise RuntimeError(f"{' | '.join(argv[0] for argv in stages)} ended with {codes}")
    return time.perf_counter() - begin


def _watch(pid: int, peaks: dict[int, float], done: threading.Event) -> None:
    while True:
        for one in _family(pid):
            peak = _high_water_mib(one)
            if peak:
                peaks[one] = max(peak, peaks.get(one, 0.0))
        if done.wait(_PAUSE_SECONDS):
            return


def _family(pid: int) -> list[int]:
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                queue += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _high_water_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
