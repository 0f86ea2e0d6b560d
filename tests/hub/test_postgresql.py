"""The same promises on PostgreSQL: a server of our own where its programs are installed, or the one that
CROSSDOCK_TEST_POSTGRES names (postgresql:///postgres?host=/run/postgresql)."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from screens import PASSWORD, Silent, account, fill, write_project

from crossdock.core.errors import LockedError
from crossdock.hub.boot import Hub, boot_screens, booted

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server that listens on a socket of its own."""
    if given := os.environ.get("CROSSDOCK_TEST_POSTGRES"):
        yield given
        return
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed, and CROSSDOCK_TEST_POSTGRES names no server")
    # PostgreSQL refuses to run as root, and its account must reach the folder.
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="crossdock-pg-"))
    if who:
        shutil.chown(folder, "nobody", "nogroup")
    data, programs = folder / "data", PROGRAMS[-1].parent
    make = [programs / "initdb", "-D", data, "-U", "crossdock", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    subprocess.run(make, check=True, capture_output=True, cwd="/", **who)
    serve = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    process = subprocess.Popen(serve, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", **who)
    url = f"postgresql://crossdock@/postgres?host={folder}"
    try:
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(url).close()
                break
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(folder)


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """A new, empty database."""
    name = f"crossdock_test_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl().replace("postgresql:/c", "postgresql:///c")
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


def test_screens_and_progress(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_DATABASE_URL", url)
    state = tmp_path / "state"
    hub = boot_screens(state)
    from django.db import connections  # noqa: PLC0415 - Django is set up by the boot
    from django.test import Client, override_settings  # noqa: PLC0415

    fill(hub, state)
    account("operator", "ada@example.com")
    quick = ["screens.QuickHasher"]
    with override_settings(CONFIG=str(write_project(tmp_path)), ALLOWED_HOSTS=["testserver"], PASSWORD_HASHERS=quick):
        client = Client()
        form = {"email": "ada@example.com", "password": "wrong"}
        assert client.post("/sign-in", form).status_code == 401
        assert client.post("/sign-in", form | {"password": PASSWORD}).status_code == 302
        with hub.running("files", subject="staging") as journal:
            progress = hub.watched(journal, Silent())
            progress.start("files staging", rows=10, bytes_=0, noun="files")
            progress.advance("a", rows=10, bytes_=5)
            progress.finish()
            assert "10 files" in client.get("/runs", headers={"HX-Request": "true"}).content.decode()
        for path in ("/", "/milestones", "/runs", "/findings?code=url&text=THING", "/evidence"):
            assert client.get(path).status_code == 200, path
        assert "8 of 12" in client.get("/findings?code=url&place=WP_").content.decode()
    connections.close_all()
