"""One run at a time, and no stale lock after kill -9."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crossdock.core.errors import LockedError
from crossdock.hub.boot import Hub

HOLDER = """
import sys, time
from pathlib import Path
from crossdock.hub.boot import boot
journal = boot(Path(sys.argv[1])).open_run("copy", subject="staging")
print(journal.run, flush=True)
time.sleep(60)
"""


@contextmanager
def holding(state: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a run open."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(state)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_a_second_run_is_told_who_runs(hub: Hub, state: Path) -> None:
    with holding(state) as process:
        with pytest.raises(LockedError) as caught:
            hub.open_run("copy")
        told = str(caught.value)
        assert f"process {process.pid} on {socket.gethostname()} since 20" in told
        assert "Way out: " in told
        assert [run.state for run in hub.runs()] == ["running"]


def test_two_runs_in_one_process(hub: Hub) -> None:
    with hub.running("copy"), pytest.raises(LockedError, match=str(os.getpid())):
        hub.open_run("validate")
    with hub.running("validate"):
        pass
    assert [run.state for run in hub.runs()] == ["done", "done"]


def test_a_killed_run_leaves_no_lock_and_reads_interrupted(hub: Hub, state: Path) -> None:
    with holding(state) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert [run.state for run in hub.runs()] == ["interrupted"]
        with hub.running("copy"):
            assert [run.state for run in hub.runs()] == ["interrupted", "running"]
    assert [(run.state, run.ended is not None) for run in hub.runs()] == [("interrupted", True), ("done", True)]


def test_looking_does_not_disturb(hub: Hub) -> None:
    give_up = time.monotonic() + 0.5
    while time.monotonic() < give_up:
        hub.runs()
        with hub.running("copy"):
            pass


def test_errors_and_ctrl_c_end_a_run(hub: Hub) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), hub.running("copy"):
            raise error
    assert [run.state for run in hub.runs()] == ["failed", "interrupted"]
    with hub.running("copy"):
        pass


def test_a_forked_worker_does_not_keep_the_lock(hub: Hub) -> None:
    journal = hub.open_run("copy")
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    worker.start()
    try:
        hub.close_run(journal)
        with hub.running("copy"):
            pass
    finally:
        worker.kill()
        worker.join()
