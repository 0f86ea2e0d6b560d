"""A move that is killed, cut off, starved or started twice goes on where it stopped and ends the same."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from projects import Project, checksums, different, new_project, processes_of, reset

from crossdock.lab import processes
from crossdock.lab.lab import Lab
from crossdock.lab.processes import Process

pytestmark = pytest.mark.lab
COPY = ("move", "run", "--until", "copy staging")
VALIDATE = ("move", "run", "--until", "validate staging")
SEED = 20260801
PAIR = ("north", "south")
REFUSED, LOCKED, TARGET = 5, 6, 9


@pytest.fixture
def project(lab_gateway: Lab) -> Iterator[Project]:
    """Two of the three servers, to spare time; the long campaign takes all."""
    reset(lab_gateway)
    made = new_project(lab_gateway, PAIR)
    yield made
    made.close()


@pytest.fixture
def whole(lab_gateway: Lab) -> Iterator[Project]:
    """All servers."""
    reset(lab_gateway)
    made = new_project(lab_gateway)
    yield made
    made.close()


@pytest.fixture(scope="session")
def undisturbed(lab_gateway: Lab) -> dict[str, str]:
    """What staging holds after a copy that nothing disturbed."""
    return undisturbed_copy(lab_gateway, PAIR)


@pytest.fixture(scope="session")
def whole_undisturbed(lab_gateway: Lab) -> dict[str, str]:
    return undisturbed_copy(lab_gateway, ())


def undisturbed_copy(lab: Lab, servers: Sequence[str]) -> dict[str, str]:
    reset(lab)
    project = new_project(lab, servers)
    try:
        project.green(*COPY)
        return checksums(lab, "staging")
    finally:
        project.close()


# -- what goes on in the target --------------------------------------------------------------------------------------


def ledger(lab: Lab, sql: str) -> list[tuple[Any, ...]]:
    """Rows from the copy's own state in staging; none while its tables are not there yet."""
    with lab.connect("managed", lab.managed.database("staging")) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES LIKE 'crossdock\\_chunk'")
        if not cursor.fetchall():
            return []
        cursor.execute(sql)
        return list(cursor.fetchall())


def chunks_done(lab: Lab) -> int:
    rows = ledger(lab, "SELECT COUNT(*) FROM crossdock_chunk WHERE done = 1")
    return int(rows[0][0]) if rows else 0


def tables_linked(lab: Lab) -> int:
    rows = ledger(lab, "SELECT COUNT(*) FROM crossdock_table WHERE linked = 1")
    return int(rows[0][0]) if rows else 0


def table_count(lab: Lab) -> int:
    with lab.connect("managed", lab.managed.database("staging")) as connection, connection.cursor() as cursor:
        return int(cursor.execute("SHOW TABLES"))


def wait_until(reached: Callable[[], bool], process: subprocess.Popen[str], *, patience_seconds: float = 120) -> None:
    end = time.monotonic() + patience_seconds
    while not reached():
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() < end
        time.sleep(0.01)


def workers(project: Project) -> list[int]:
    """The worker processes of a project's command."""
    return [pid for pid, line in processes_of(project).items() if "spawn_main" in line]


def assert_nothing_left(project: Project) -> None:
    end = time.monotonic() + 10
    while (left := processes_of(project)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left


def run_states(project: Project) -> list[str]:
    with sqlite3.connect(project.state / "hub.sqlite3") as connection:
        return [row[0] for row in connection.execute("SELECT state FROM runs_run ORDER BY started")]


# -- killed ----------------------------------------------------------------------------------------------------------


def kill_coordinator(project: Project, process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
    assert_nothing_left(project)


def kill_worker(project: Project, process: subprocess.Popen[str]) -> None:
    os.kill(workers(project)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 11, err
    assert "a worker process died" in err
    assert "start the same command again" in err
    assert_nothing_left(project)


def test_a_killed_move_goes_on_and_ends_the_same(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str]
) -> None:
    moments = (
        (lambda: bool(ledger(lab_gateway, "SELECT * FROM crossdock_claim")), kill_coordinator),
        (lambda: chunks_done(lab_gateway) >= 40, kill_worker),
        (lambda: tables_linked(lab_gateway) >= 30, kill_coordinator),
    )
    for reached, kill in moments:
        process = project.start(*COPY)
        wait_until(reached, process)
        kill(project, process)
    project.green(*COPY)
    assert different(undisturbed, checksums(lab_gateway, "staging")) == {}
    assert ledger(lab_gateway, "SELECT generation FROM crossdock_claim")[0][0] == len(moments) + 1

    process = project.start(*VALIDATE)
    wait_until(lambda: bool(workers(project)), process)
    kill_coordinator(project, process)
    assert "GREEN" in project.green(*VALIDATE)
    found = different(undisturbed, checksums(lab_gateway, "staging"))
    assert [name for name in found if not own_writes(name)] == []


def killed_after(project: Project, command: tuple[str, ...], seconds: float, chance: random.Random) -> None:
    """Kills the command, or one of its workers, that long after its start; it may have ended by then."""
    process = project.start(*command)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        victims = [process.pid, *workers(project)]
        os.kill(chance.choice(victims), signal.SIGKILL)
        process.communicate(timeout=120)
    assert_nothing_left(project)


def own_writes(name: str) -> bool:
    """Tables where the target's WordPress writes by itself when a page is fetched: cron, transients."""
    return name.endswith(("_options", "_sitemeta"))


@pytest.mark.soak
@pytest.mark.parametrize("number", range(30))
def test_killed_at_any_moment(lab_gateway: Lab, whole: Project, whole_undisturbed: dict[str, str], number: int) -> None:
    """Moments spread evenly over the measured length of a copy and of a validation."""
    chance = random.Random(SEED + number)
    for command, share in ((COPY, (number + chance.random()) / 30), (VALIDATE, (number + chance.random()) / 30)):
        length = measured(lab_gateway)[command]
        killed_after(whole, command, length * share, chance)
        if command == COPY:
            whole.green(*COPY)
            assert different(whole_undisturbed, checksums(lab_gateway, "staging")) == {}
    assert "green" in whole.green(*VALIDATE).lower()  # "green before" where it had ended in time
    found = different(whole_undisturbed, checksums(lab_gateway, "staging"))
    assert [name for name in found if not own_writes(name)] == []


_measured: dict[tuple[str, ...], float] = {}


def measured(lab: Lab) -> dict[tuple[str, ...], float]:
    """Seconds that each command takes undisturbed, measured once. Leaves staging empty."""
    if not _measured:
        project = new_project(lab)
        for command in (COPY, VALIDATE):
            begin = time.monotonic()
            project.green(*command)
            _measured[command] = time.monotonic() - begin
        project.close()
        reset(lab)
    return _measured


def test_ctrl_c_ends_clean_and_a_lost_state_folder_is_no_loss(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str]
) -> None:
    process = project.start(*COPY)
    wait_until(lambda: chunks_done(lab_gateway) >= 50, process)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
    begin = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begin < 10
    assert process.returncode == 130
    assert "Traceback" not in err
    assert_nothing_left(project)
    assert run_states(project) == ["interrupted"]
    shutil.rmtree(project.state)
    project.green(*COPY)
    assert different(undisturbed, checksums(lab_gateway, "staging")) == {}
    assert ledger(lab_gateway, "SELECT generation FROM crossdock_claim")[0][0] == 2


# -- two at once -----------------------------------------------------------------------------------------------------


def test_a_second_run_is_refused_and_an_overtaken_one_writes_nothing(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str]
) -> None:
    other = project.sibling()
    first = project.start(*COPY)
    wait_until(lambda: chunks_done(lab_gateway) >= 40, first)
    stopped = [first.pid, *workers(project)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        same = project.run(*COPY)
        assert (same.returncode, f"process {first.pid}" in same.stderr) == (LOCKED, True), same.stderr
        second = other.run(*COPY)
        assert (second.returncode, f"process {first.pid}" in second.stderr) == (LOCKED, True), second.stderr
        end_connections(lab_gateway)  # as a host does that cuts its sessions: the lock is free, nobody noticed
        other.green(*COPY)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    _, err = first.communicate(timeout=120)
    assert first.returncode == LOCKED, err
    assert "newer run" in err
    assert different(undisturbed, checksums(lab_gateway, "staging")) == {}
    other.close()


def end_connections(lab: Lab) -> None:
    """Ends every session of staging's account."""
    with lab.connect("managed") as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE user = %s", (lab.managed.database("staging"),)
        )
        for row in cursor.fetchall():
            cursor.execute(f"KILL {row[0]}")


# -- lost lines and servers ------------------------------------------------------------------------------------------


@contextmanager
def sessions_cut(lab: Lab, seconds: int) -> Iterator[None]:
    """The managed host cuts every SSH session after so many seconds."""
    ssh = lab.managed.ssh
    usual = ssh.options
    script = ssh.host_key.parent / "session"
    try:
        ssh.options = replace(usual, session_limit_seconds=seconds)
        lab.managed.server.write(script, ssh._wrapper(), mode=0o755)
        yield
    finally:
        ssh.options = usual
        lab.managed.server.write(script, ssh._wrapper(), mode=0o755)


def test_a_host_that_cuts_sessions_every_few_seconds(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str]
) -> None:
    with sessions_cut(lab_gateway, 3):
        assert "GREEN" in project.green(*VALIDATE)
    found = different(undisturbed, checksums(lab_gateway, "staging"))
    assert [name for name in found if not own_writes(name)] == []


def stop_database(lab: Lab, server: str) -> None:
    """The target is killed; a source is stopped, as its MyISAM tables would not survive that."""
    found = [one for one in lab.state.processes if (one["server"], one["daemon"]) == (server, "mariadbd")]
    victims = [Process(**one) for one in found]
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL if server == "managed" else signal.SIGTERM)
    end = time.monotonic() + 20
    while any(victim.alive() for victim in victims) and time.monotonic() < end:
        time.sleep(0.02)
    lab.state.processes = [one for one in lab.state.processes if one not in found]


def start_database(lab: Lab, server: str) -> None:
    account = lab.managed.server.account
    processes.run(lab.mariadb(server).daemons(), account, lambda one: lab.state.processes.append(asdict(one)))


def test_databases_that_go_away_and_come_back(lab_gateway: Lab, project: Project, undisturbed: dict[str, str]) -> None:
    process = project.start(*COPY)
    for server, chunks in (("managed", 20), ("north", 50)):
        wait_until(lambda chunks=chunks: chunks_done(lab_gateway) >= chunks, process)
        stop_database(lab_gateway, server)
        time.sleep(2)
        start_database(lab_gateway, server)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert different(undisturbed, checksums(lab_gateway, "staging")) == {}


@pytest.mark.soak
@pytest.mark.parametrize("server", ["managed", "north"])
def test_a_database_that_stays_away(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str], server: str
) -> None:
    process = project.start(*COPY)
    wait_until(lambda: chunks_done(lab_gateway) >= 20, process)
    stop_database(lab_gateway, server)
    try:
        _, err = process.communicate(timeout=200)
    finally:
        start_database(lab_gateway, server)
    assert process.returncode == REFUSED, err
    assert "goes on where it stopped" in err
    assert_nothing_left(project)
    project.green(*COPY)
    assert different(undisturbed, checksums(lab_gateway, "staging")) == {}


# -- disk full -------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(lab: Lab, megabytes: int) -> Iterator[Callable[[int], None]]:
    """Staging's tables on a disk of their own; what is given resizes it."""
    account = lab.managed.server.account
    folder = lab.mariadb("managed").data / lab.managed.database("staging")
    options = f"size={megabytes}m,uid={account.uid},gid={account.gid},mode=0700"
    keep = {path.name: path.read_bytes() for path in folder.glob("*.opt")}
    with lab.connect("managed") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s", (folder.name,))
        for row in cursor.fetchall():
            cursor.execute(f"DROP TABLE `{folder.name}`.`{row[0]}`")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        for name, content in keep.items():
            (folder / name).write_bytes(content)
            os.chown(folder / name, account.uid, account.gid)
        dump = lab.managed.fresh / "staging.sql"
        with dump.open("rb") as file:
            lab.managed._database_tool(["mariadb", *lab.managed._client(), folder.name], into=file)
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}m", str(folder)], check=True)  # type: ignore[func-returns-value]
    finally:
        drop_everything(lab, folder.name)
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def drop_everything(lab: Lab, schema: str) -> None:
    with lab.connect("managed", schema) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("SHOW FULL TABLES")
        for name, kind in cursor.fetchall():
            cursor.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} `{name}`")


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk has to be mounted by root")
def test_a_full_disk_is_named_and_more_room_is_enough(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str]
) -> None:
    with small_disk(lab_gateway, 8) as resize:
        full = project.run(*COPY)
        assert full.returncode == TARGET, full.stderr
        assert "free disk space on the database server" in full.stderr
        assert ", table wp_" in full.stderr
        assert_nothing_left(project)
        resize(400)
        project.green(*COPY)
        assert different(undisturbed, checksums(lab_gateway, "staging")) == {}


# -- nothing else is touched -----------------------------------------------------------------------------------------


def files_of(folder: Path) -> dict[str, str]:
    """{path: digest} of everything below a folder, with modes and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
        found[str(path.relative_to(folder))] = f"{facts.st_mode} {facts.st_mtime_ns} {content}"
    return found


def source_state(lab: Lab) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name, source in lab.sources.items():
        state[f"{name} rows"] = checksums(lab, name)
        state[f"{name} files"] = files_of(source.wordpress.root)
        with lab.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW MASTER STATUS")
            state[f"{name} binlog"] = cursor.fetchall()
    return state


def test_sources_are_not_touched_and_a_discard_takes_everything_back(
    lab_gateway: Lab, project: Project, undisturbed: dict[str, str]
) -> None:
    before = source_state(lab_gateway)
    fresh = {place: checksums(lab_gateway, place) for place in ("staging", "production")}
    project.green(*VALIDATE)
    after = source_state(lab_gateway)
    assert [key for key in before if before[key] != after[key]] == []
    assert different(fresh["production"], checksums(lab_gateway, "production")) == {}

    process = project.start("move", "discard", "--from", "staging", "--yes")
    wait_until(lambda: table_count(lab_gateway) < len(undisturbed) - 20, process)
    kill_coordinator(project, process)
    half = project.run("move", "copy", "--to", "staging")
    assert half.returncode != 0
    assert "discard" in half.stderr

    project.green("move", "discard", "--from", "staging", "--yes")
    found = different(fresh["staging"], checksums(lab_gateway, "staging"))
    assert [name for name in found if not own_writes(name)] == []
    project.green(*COPY)
    found = different(undisturbed, checksums(lab_gateway, "staging"))
    assert [name for name in found if not own_writes(name)] == []
