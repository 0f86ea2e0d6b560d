"""What of a backup others can see or disturb: passwords in argument lists, names that are patterns, living locks."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.core.errors import LockedError
from crossdock.core.secrets import Masked
from crossdock.edges.restic import Restic, Stored

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


def test_a_flipped_byte_in_a_pack_of_names_is_found(restic: Restic) -> None:
    """Not where the content lies: a proof that only reads files back may have these names in its cache."""
    restic.store_stream([os.urandom(2 << 20)], "shop.sql", "north", TAGS)
    assert restic.check("100%") == ""
    names = min(packs(restic), key=size)
    flip(names, size(names) // 3)
    assert restic.check("100%")


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
