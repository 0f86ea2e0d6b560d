"""Progress in the hub: a process that writes while another reads, a locked database, a killed run, a person's word."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crossdock.core.errors import AccessError
from crossdock.core.ports import Progress
from crossdock.hub.boot import Hub, boot
from crossdock.hub.runs.rules import Stage

WRITER = """
import sys, time
from pathlib import Path
from crossdock.hub.boot import booted

class Silent:
    def start(self, stage, *, rows, bytes_, noun="rows"): pass
    def advance(self, place, *, rows, bytes_): pass
    def finish(self): pass

with booted(Path(sys.argv[1])) as hub, hub.running("files", subject="staging") as journal:
    progress = hub.watched(journal, Silent())
    progress.start("files staging", rows=1000, bytes_=0, noun="files")
    print("on the way", flush=True)
    for _ in range(int(sys.argv[2])):
        progress.advance("x", rows=1, bytes_=100)
        time.sleep(0.01)
    progress.finish()
"""


class Counting:
    """core.ports.Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.rows = 0

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None:
        self.rows += rows

    def finish(self) -> None: ...


def stage(hub: Hub) -> Stage:
    found = hub.runs()[-1].stage
    assert found
    return found


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_process_writes_while_another_reads(hub: Hub, state: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(state), "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "on the way\n"
        seen: list[int] = []
        while process.poll() is None:
            # The stage is written by a thread of that process: at first there is none.
            if found := hub.runs()[-1].stage:
                seen.append(found.done)
            time.sleep(0.02)
    assert process.returncode == 0
    # Twice a second at most, and what was seen only grew.
    assert seen == sorted(seen)
    assert 2 <= len(set(seen)) <= 3 + 2 * len(seen) * 0.1
    last = stage(hub)
    assert (last.done, last.finished, last.noun, last.percent) == (200, True, "files", 100)
    assert hub.runs()[-1].state == "done"


def test_a_killed_run_reads_interrupted_and_keeps_how_far_it_was(hub: Hub, state: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(state), "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            process.stdout.readline()
            until(lambda: (found := hub.runs()[-1].stage) is not None and found.done > 0)
            assert hub.runs()[-1].state == "running"
        finally:
            process.send_signal(signal.SIGKILL)
    assert hub.runs()[-1].state == "interrupted"
    assert stage(hub).done > 0
    assert not stage(hub).finished


def test_a_locked_database_neither_slows_nor_breaks_the_work(hub: Hub, state: Path) -> None:
    inner = Counting()
    with hub.running("copy", subject="staging") as journal:
        progress = hub.watched(journal, inner)
        other = sqlite3.connect(state / "hub.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        progress.start("copy", rows=10_000, bytes_=0)
        for _ in range(10_000):
            progress.advance("wp_posts", rows=1, bytes_=10)
        assert time.monotonic() - begin < 2
        assert hub.runs()[-1].stage is None
        other.execute("ROLLBACK")
        other.close()
        progress.finish()
        assert (inner.rows, stage(hub).done) == (10_000, 10_000)


def test_progress_within_a_transaction_of_the_run(hub: Hub) -> None:
    from django.db import transaction  # noqa: PLC0415 - Django is set up by the fixture

    with hub.running("copy") as journal:
        progress = hub.watched(journal, Counting())
        with transaction.atomic():
            journal.receipt("copy", "a", {})
            progress.start("copy", rows=1, bytes_=0)
            progress.advance("a", rows=1, bytes_=0)
        progress.finish()
    assert hub.chain().holds
    assert stage(hub).finished


def test_progress_within_an_event_loop(hub: Hub) -> None:
    # The harvest and the replay of addresses are told how far they are while they wait on many sockets.
    async def crawl(progress: Progress) -> None:
        progress.start("addresses", rows=2, bytes_=0, noun="addresses")
        progress.advance("a", rows=2, bytes_=0)
        progress.finish()

    with hub.running("redirects harvest", subject="staging") as journal:
        asyncio.run(crawl(hub.watched(journal, Counting())))
    assert stage(hub).done == 2


def test_a_word_is_kept_while_a_run_goes_on(hub: Hub, state: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(state), "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            process.stdout.readline()
            receipt = hub.note("plan", "milestone", "workflow.workshop", {"done": True, "by": "Ada"})
            assert [run.state for run in hub.runs()] == ["running", "done"]
        finally:
            process.kill()
    assert [run.state for run in hub.runs()] == ["interrupted", "done"]
    assert hub.receipts_of(frozenset({"milestone"})) == [receipt]
    assert hub.chain().holds


def test_commands_load_nothing_of_the_screens(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from crossdock.hub.boot import boot; boot(Path(sys.argv[1])).runs();"
        "print(*[n for n in sys.modules if n.startswith(('django.contrib.auth', 'django.contrib.sessions', 'granian',"
        " 'crossdock.hub.accounts', 'crossdock.hub.urls', 'crossdock.hub.web', 'django.core.handlers'))])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_state_folder_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AccessError, match="the state folder can't be used") as told:
        boot(tmp_path / "file" / "state")
    assert "crossdock.toml" in told.value.way_out
    if os.geteuid() == 0:
        return  # root may write everywhere
    tmp_path.chmod(0o500)
    with pytest.raises(AccessError, match="Permission denied"):
        boot(tmp_path / "state")
