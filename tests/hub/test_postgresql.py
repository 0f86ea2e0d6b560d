"""The same promises on PostgreSQL. Needs a server: CROSSDOCK_TEST_POSTGRES=postgresql:///postgres?host=/run/postgresql"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from crossdock.core.errors import LockedError
from crossdock.hub.boot import Hub, booted

SERVER = os.environ.get("CROSSDOCK_TEST_POSTGRES", "")
pytestmark = pytest.mark.skipif(not SERVER, reason="CROSSDOCK_TEST_POSTGRES names no server")


@pytest.fixture
def url() -> Iterator[str]:
    """A new, empty database."""
    name = f"crossdock_test_{secrets.token_hex(4)}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(SERVER)._replace(path=f"/{name}").geturl().replace("postgresql:/c", "postgresql:///c")
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def hub(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", url)
    with booted(tmp_path / "state") as hub:
        yield hub


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs_receipt SET data = '{}' WHERE number = 2",
        "DELETE FROM runs_receipt",
        "TRUNCATE runs_receipt",
        "INSERT INTO runs_receipt (number, step, subject, at, data, previous, digest, run_id)"
        " SELECT 9, step, subject, at, data, 'x', 'y', run_id FROM runs_receipt LIMIT 1",
    ],
)
def test_the_database_refuses_changes(hub: Hub, url: str, statement: str) -> None:
    with hub.running("copy") as journal:
        for number in range(3):
            journal.receipt("copy", str(number), {"n": number, "nul": "a\x00b"})
    with psycopg.connect(url) as session, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        session.execute(statement.encode())
    assert hub.chain().holds
    assert len(hub.chain().receipts) == 3


def test_concurrent_writers_do_not_fork_the_chain(hub: Hub) -> None:
    from django.db import connection  # noqa: PLC0415 - Django is set up by the fixture

    with hub.running("copy") as journal:

        def write(number: int) -> None:
            journal.receipt("copy", str(number), {})
            connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(40)))
    assert hub.chain().holds
    assert len(hub.chain().receipts) == 40


HOLDER = """
import sys, time
from pathlib import Path
from crossdock.hub.boot import boot
journal = boot(Path(sys.argv[1])).open_run("copy")
print(journal.run, flush=True)
time.sleep(60)
"""


def test_one_run_at_a_time_and_none_after_a_kill(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "elsewhere")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline()
        with pytest.raises(LockedError, match=f"process {process.pid} on "):
            hub.open_run("copy")
        assert [run.state for run in hub.runs()] == ["running"]
        process.kill()
    with hub.running("copy"):
        pass
    assert [run.state for run in hub.runs()] == ["interrupted", "done"]
