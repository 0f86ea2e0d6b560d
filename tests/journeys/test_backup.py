"""A bad day, rehearsed: the gate, a backup and its proof, what goes wrong with both, and the way back."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.core.config import load
from crossdock.edges.scratch_database import ScratchServer
from crossdock.hub.moves import backup_places
from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab
RED, BLOCKED, ACCESS = 1, 4, 5


@pytest.fixture(scope="module")
def north(lab_gateway: Lab) -> Iterator[on.Project]:
    """A project that moves north alone, and that nobody has allowed to do without a backup."""
    on.reset(lab_gateway)
    project = on.new_project(lab_gateway, ["north"], backup=True)
    project.green("move", "plan")
    yield project
    project.close()


@pytest.fixture(scope="module")
def first(north: on.Project) -> dict[str, Any]:
    """Its first backup: what no test before it may find."""
    before = on.checksums(north.lab, "staging")
    for command in (("move", "copy", "--to", "staging"), ("move", "files", "--to", "staging"),
                    ("bridge", "install", "staging"), ("move", "run")):  # fmt: skip
        done = north.run(*command)
        assert done.returncode == BLOCKED, done.stdout + done.stderr
        assert "north: no backup was proved yet" in done.stderr
        assert "crossdock move backup" in done.stderr
    assert on.different(before, on.checksums(north.lab, "staging")) == {}
    assert not (north.lab.managed.root("staging") / "wp-content/mu-plugins/crossdock-bridge").exists()
    code, made = backed_up(north)
    assert (code, made["findings_fail"]) == (0, [])
    return made


def backed_up(project: on.Project, *more: str) -> tuple[int, dict[str, Any]]:
    done = project.run("move", "backup", "--json", *more)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["servers"][0]
    found["findings_fail"] = sorted({one["code"] for one in found["findings"] if one["level"] == "fail"})
    return done.returncode, found


def receipts(project: on.Project, step: str) -> list[dict[str, Any]]:
    chain = json.loads(project.green("verify-evidence", "--json"))
    return [one["data"] for one in chain["receipts"] if one["step"] == step]


def www(project: on.Project) -> Path:
    return project.lab.sources["north"].wordpress.root


def stored(project: on.Project) -> Path:
    return project.state / "backup"


def test_a_backup_is_whole_and_opens_the_gate(north: on.Project, first: dict[str, Any]) -> None:
    assert first["proved"]
    assert first["rows"] == first["proved_rows"] > 1000
    assert first["tables"] == first["proved_tables"]
    assert first["locked_tables"] == 2
    assert 0 < first["lock_seconds"] < 10
    assert first["proved_files"] == 500
    (proof,) = receipts(north, "backup.proof")
    assert (proof["proved"], proof["check"], proof["checked_share"]) == (True, True, "100%")
    (receipt,) = receipts(north, "backup")
    assert receipt["files"] == first["files"] > 2000
    assert receipt["sealed_files"] == 1
    done = north.run("bridge", "status", "staging")  # reads only, so it needs none
    assert done.returncode == RED
    assert "copy staging" not in north.green("move", "run", "--until", "copy staging")


def test_no_credential_lies_open(north: on.Project, first: dict[str, Any]) -> None:
    secret = north.lab.sources["north"].wordpress.db_password.encode()
    assert secret in (www(north) / "wp-config.php").read_bytes()
    files = [one for one in stored(north).rglob("*") if one.is_file()]
    assert len(files) > 2000
    assert not any(secret in one.read_bytes() for one in files)
    for name in ("password", "seal-key"):
        assert (stored(north) / name).stat().st_mode & 0o777 == 0o600
        assert (stored(north) / name).read_text().strip() not in json.dumps(first)


def test_a_later_backup_carries_only_changes(north: on.Project, first: dict[str, Any]) -> None:
    fresh = www(north) / "wp-content/uploads/fresh ü.bin"
    fresh.write_bytes(os.urandom(300_000))
    try:
        code, made = backed_up(north)
    finally:
        fresh.unlink()
    assert (code, made["findings_fail"]) == (0, [])
    assert receipts(north, "backup")[-1]["carried_files"] == 1
    assert made["added_bytes"] < 3_000_000 < first["added_bytes"]


def test_the_way_back(north: on.Project, first: dict[str, Any], tmp_path: Path) -> None:
    """Everything as it was, in a folder and in a database; over nothing."""
    folder = tmp_path / "back"
    with ScratchServer(tmp_path / "server") as server:
        endpoint = server.database("drill")
        url = f"mysql://root@localhost/drill?socket={endpoint.unix_socket}"
        told = north.green("move", "restore", "--server", "north", "--to", str(folder), "--into-database", url)
        assert f"{first['rows']:,} rows" in told
        session = endpoint.open_source()
        (count,) = session.query("SELECT COUNT(*) FROM wp_options")[0]
        session.close()
        with north.lab.connect(*on.schema_of(north.lab, "north")) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM wp_options")
            assert int(count or 0) == cursor.fetchone()[0]
        for refused in (["--to", str(folder)], ["--to", str(tmp_path / "x"), "--into-database", url]):
            done = north.run("move", "restore", "--server", "north", *refused)
            assert done.returncode == 9
            assert "not empty" in done.stderr
    back = folder / "files" / str(www(north)).lstrip("/")
    for path in www(north).rglob("*"):
        there = back / path.relative_to(www(north))
        if path.is_file() and not path.is_symlink():
            assert there.read_bytes() == path.read_bytes(), path
    assert (back / "wp-config.php").stat().st_mode & 0o777 == 0o600
    assert "wp-cron.php" in (folder / "configuration/commands/cron.txt").read_text()
    assert "server_name" in (folder / "configuration/commands/nginx.txt").read_text()
    assert receipts(north, "restore")[-1]["into_database"] is True


def test_a_wrong_password_is_told(north: on.Project, first: dict[str, Any]) -> None:
    password = stored(north) / "password"
    kept = password.read_text()
    password.write_text("another\n")
    try:
        done = north.run("move", "backup")
    finally:
        password.write_text(kept)
    assert done.returncode == ACCESS
    assert "refuses the password" in done.stderr


def test_one_flipped_byte_is_found_and_shuts_the_gate(north: on.Project, first: dict[str, Any]) -> None:
    data = [one for one in (stored(north) / "repository/data").rglob("*") if one.is_file()]
    pack = max(data, key=lambda one: one.stat().st_size)
    with flipped(pack):
        code, made = backed_up(north, "--prove")
        assert (code, made["proved"]) == (RED, False)
        assert "backup.damaged" in made["findings_fail"]
        done = north.run("bridge", "install", "staging")
        assert done.returncode == BLOCKED
        assert "its newest proof is red" in done.stderr
    code, made = backed_up(north, "--prove")
    assert (code, made["findings_fail"]) == (0, [])
    # Nor may the green proof from before stand when not even the manifest comes back.
    lost = (stored(north) / "repository/data").rename(stored(north) / "repository/lost")
    try:
        assert backed_up(north, "--prove")[1]["findings_fail"] == ["backup.damaged"]
        assert "newest proof is red" in north.run("bridge", "install", "staging").stderr
    finally:
        lost.rename(stored(north) / "repository/data")
    assert backed_up(north, "--prove")[0] == 0


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    def flip() -> None:
        path.chmod(0o600)
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(path.stat().st_size // 2)
            file.write(bytes([byte ^ 1]))

    flip()
    try:
        yield
    finally:
        flip()


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a file that the SSH account may not read")
def test_what_can_not_be_read_is_named_and_is_no_backup(north: on.Project, first: dict[str, Any]) -> None:
    closed = www(north) / "wp-content/uploads/closed.txt"
    closed.write_text("x")
    closed.chmod(0)
    shutil.chown(closed, "root", "root")
    try:
        code, made = backed_up(north)
    finally:
        closed.unlink()
    assert (code, made["findings_fail"]) == (RED, ["backup.unreadable"])
    # A proof of what is there proves nothing about what is not.
    code, again = backed_up(north, "--prove")
    assert (code, again["findings_fail"]) == (RED, ["backup.unreadable"])
    assert "closed.txt" in next(one["text"] for one in made["findings"] if one["code"] == "backup.unreadable")


def test_a_killed_backup_goes_on_and_leaves_nothing_that_counts(north: on.Project, first: dict[str, Any]) -> None:
    before = len(receipts(north, "backup"))
    big = www(north) / "wp-content/uploads/big.bin"
    big.write_bytes(os.urandom(30 << 20))
    try:
        process = north.start("move", "backup")
        end = time.monotonic() + 60
        locks = stored(north) / "repository/locks"
        while not list(locks.iterdir()) and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        end = time.monotonic() + 15
        while on.processes_of(north) and time.monotonic() < end:
            time.sleep(0.05)
        assert on.processes_of(north) == {}
        assert len(receipts(north, "backup")) == before
        code, made = backed_up(north)
        assert (code, made["findings_fail"]) == (0, [])
    finally:
        big.unlink()
    repository = backup_places.repository(load(north.config))
    runs = {tag for one in repository.snapshots(["server:north"]) for tag in one.tags if tag.startswith("run:")}
    whole = {tag for one in repository.snapshots(["kind:manifest"]) for tag in one.tags if tag.startswith("run:")}
    assert runs == whole


def test_a_person_may_decide_otherwise(lab_gateway: Lab) -> None:
    project = on.new_project(lab_gateway, ["north"])
    try:
        project.green("move", "plan")
        project.green("bridge", "install", "production")
        assert "backup.waived" not in project.run("move", "plan").stdout
        told = project.run("runs").stdout
        assert "bridge" in told
        text = project.config.read_text(encoding="utf-8")
        project.config.write_text(text.replace('choice = "without"', 'choice = "perhaps"'), encoding="utf-8")
        done = project.run("move", "plan")
        assert done.returncode == BLOCKED
        assert 'decision "backup:north" says perhaps; possible: without' in done.stdout
    finally:
        project.close()
        on.reset(lab_gateway)
