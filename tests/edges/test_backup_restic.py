"""restic against what happens to repositories: a wrong password, a flipped byte, a full disk, a killed process, names
that are patterns. Nothing of it may pass for a backup."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crossdock.core.errors import AccessError, CrossdockError, LockedError
from crossdock.core.secrets import Masked
from crossdock.edges.restic import RepositoryAbsent, Restic, Stored

pytestmark = pytest.mark.skipif(shutil.which("restic") is None, reason="needs restic")

PASSWORD = "correct horse"
TAGS = ("crossdock", "server=north")
ODD = [
    b"plain.txt",
    b"a b.txt",
    b"[x]*?.txt",
    b"back\\slash",
    b"-dash",
    "größe.txt".encode(),
    b"\xff\xfe",
    b"new\nline",
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository: to make one takes a second."""
    folder = tmp_path_factory.mktemp("empty")
    Restic(str(folder / "repository"), Masked(PASSWORD), folder / "cache").init()
    return folder / "repository"


@pytest.fixture
def restic(tmp_path: Path, empty: Path) -> Restic:
    shutil.copytree(empty, tmp_path / "repository")
    return Restic(str(tmp_path / "repository"), Masked(PASSWORD), tmp_path / "cache")


def noise(mib: int) -> Iterator[bytes]:
    for _ in range(mib):
        yield os.urandom(1 << 20)


def packs(restic: Restic) -> list[Path]:
    return sorted(Path(restic.repository, "data").glob("*/*"))


def flip(path: Path, at: int) -> None:
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes((byte[0] ^ 1,)))


def test_a_stream_comes_back_and_the_password_stays_in_the_environment(restic: Restic) -> None:
    seen: list[str] = []

    def pieces() -> Iterator[bytes]:
        yield b"first "
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(entry.read_bytes().decode("utf-8", "replace"))
            except OSError:
                continue
        yield b"second"

    stored = restic.store_stream(pieces(), "shop.sql", "north", TAGS)
    assert b"".join(restic.read(stored.snapshot, "shop.sql")) == b"first second"
    assert any("shop.sql" in line for line in seen), "restic was not seen at work: the next line would prove nothing"
    assert not [line for line in seen if PASSWORD in line]
    assert PASSWORD not in repr(restic)
    (one,) = restic.snapshots(TAGS)
    assert (one.host, set(one.tags)) == ("north", set(TAGS))
    assert restic.snapshots(("crossdock", "server=south")) == []


def test_a_stream_that_breaks_leaves_no_snapshot(restic: Restic) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"INSERT INTO"
        raise CrossdockError("the dump was cut")

    with pytest.raises(CrossdockError, match="the dump was cut"):
        restic.store_stream(pieces(), "shop.sql", "north", TAGS)
    assert restic.snapshots(TAGS) == []


def test_a_wrong_password_says_so_and_is_not_told(restic: Restic) -> None:
    wrong = replace(restic, password=Masked("guess-of-mallory"))
    for act in (wrong.id, lambda: wrong.check("100%"), lambda: wrong.store_stream([b"x"], "a.sql", "north", TAGS)):
        with pytest.raises(AccessError, match="refuses the password") as caught:
            act()
        assert "guess-of-mallory" not in str(caught.value)


def test_no_repository_is_an_answer_and_not_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RepositoryAbsent):
        Restic(str(tmp_path / "nothing"), Masked(PASSWORD), tmp_path / "cache").id()


@pytest.mark.parametrize("where", ["data", "tree"])
def test_one_flipped_byte_is_found(restic: Restic, where: str) -> None:
    stored = restic.store_stream(noise(2), "shop.sql", "north", TAGS)
    assert restic.check("100%") == ""
    chosen = max(packs(restic), key=size) if where == "data" else min(packs(restic), key=size)
    flip(chosen, size(chosen) // 3)
    # What a cache still holds whole must not hide it.
    assert restic.check("100%")
    if where == "data":
        with pytest.raises(CrossdockError):
            b"".join(restic.read(stored.snapshot, "shop.sql"))


def size(path: Path) -> int:
    return path.stat().st_size


def test_names_that_are_patterns_are_restored_alone(restic: Restic, tmp_path: Path) -> None:
    folder, back = tmp_path / "files", tmp_path / "back"
    top = folder / "www"
    top.mkdir(parents=True)
    for name in ODD:
        Path(top, os.fsdecode(name)).write_bytes(b"content of " + name)
    counted = [0, 0]

    def advance(files: int, bytes_: int) -> None:
        counted[0] += files
        counted[1] += bytes_

    stored = restic.store_folder(folder, ["www"], "north", TAGS, advance)
    again = restic.store_folder(folder, ["www"], "north", TAGS, advance)
    assert again.added < 2000, "what is in the repository is sent again"
    assert isinstance(stored, Stored)
    for name in (b"[x]*?.txt", b"back\\slash", b"\xff\xfe", b"new\nline"):
        shutil.rmtree(back, ignore_errors=True)
        assert restic.restore(stored.snapshot, back, [b"www/" + name]) == ""
        (there,) = (back / "www").iterdir()
        assert os.fsencode(there.name) == name
        assert there.read_bytes() == b"content of " + name


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cdtest-"))
    argv = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(argv, capture_output=True, check=False).returncode == 0
    try:
        if not mounted:
            pytest.skip("no small disk can be mounted here")
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
        folder.rmdir()


def test_a_full_disk_leaves_what_was_there_whole(small_disk: Path, tmp_path: Path) -> None:
    restic = Restic(str(small_disk / "repository"), Masked(PASSWORD), tmp_path / "cache")
    restic.init()
    before = restic.store_stream([b"small"], "shop.sql", "north", TAGS)
    with pytest.raises(CrossdockError, match="full") as caught:
        restic.store_stream(noise(12), "shop.sql", "north", TAGS)
    assert caught.value.way_out
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    assert [one.id[:8] for one in restic.snapshots(TAGS)] == [before.snapshot[:8]]
    assert restic.check("100%") == ""
    restic.store_stream(noise(2), "shop.sql", "north", TAGS)
    assert len(restic.snapshots(TAGS)) == 2


def test_the_lock_of_a_killed_process_does_not_stop_the_next_one(restic: Restic, tmp_path: Path) -> None:
    first = restic.store_stream([b"one"], "shop.sql", "north", TAGS)
    killed = hold(restic, tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert locks(restic), "the killed process left no lock: there is nothing to prove"
    restic.forget([first.snapshot])
    assert restic.snapshots(TAGS) == []
    assert restic.check("100%") == ""


def test_the_lock_of_a_living_process_is_respected(restic: Restic, tmp_path: Path) -> None:
    first = restic.store_stream([b"one"], "shop.sql", "north", TAGS)
    other = hold(restic, tmp_path)
    try:
        with pytest.raises(LockedError):
            restic.forget([first.snapshot])
        assert locks(restic), "a living process's lock was taken away"
        restic.store_stream([b"two"], "shop.sql", "north", TAGS)
    finally:
        other.kill()
        other.wait()
    assert len(restic.snapshots(TAGS)) == 2


def hold(restic: Restic, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A backup of another process that has its lock and waits for its stdin."""
    environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": restic.repository}
    argv = ["restic", "--cache-dir", str(tmp_path / "other"), "backup", "--stdin", "--stdin-filename", "other.sql"]
    process = subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 20
    while not locks(restic) and time.monotonic() < end:
        time.sleep(0.05)
    assert locks(restic)
    return process


def locks(restic: Restic) -> list[Path]:
    return list(Path(restic.repository, "locks").iterdir())
