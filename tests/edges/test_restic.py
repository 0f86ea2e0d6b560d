"""restic as it is: what goes in comes back, and what goes wrong is told, with nothing half done left to count."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_servers import ssh_server
from moto.server import ThreadedMotoServer

from crossdock.core.errors import AccessError, CrossdockError, LockedError, SourceError
from crossdock.core.secrets import Masked
from crossdock.edges.restic import RepositoryAbsent, Restic

PASSWORD = Masked("a pass 'word")
TAGS = ["project:Lumen (lab)", "server:north"]


def at(place: str | Path, tmp_path: Path, password: Masked = PASSWORD, **options: object) -> Restic:
    return Restic(str(place), password, tmp_path / "cache", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Restic:
    """A repository with one stream and one folder. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("restic")
    restic = at(folder / "repository", folder)
    with pytest.raises(RepositoryAbsent):
        restic.id()
    assert restic.init() == restic.id()
    (folder / "files").mkdir()
    for name in (b"x*y[z]?", b"xxyz?", b"bytes \xff", b"back\\slash"):
        Path(os.fsdecode(bytes(folder / "files") + b"/" + name)).write_bytes(name * 3)
    restic.store_folder(folder, ["files"], "north", [*TAGS, "kind:files"], lambda files, bytes_: None)
    restic.store_stream(iter([b"one", b"two"]), "dump.sql", "north", [*TAGS, "kind:dump"])
    return restic


def newest(restic: Restic, kind: str) -> str:
    return restic.snapshots([*TAGS, f"kind:{kind}"])[-1].id


def test_what_is_stored_comes_back(filled: Restic, tmp_path: Path) -> None:
    assert b"".join(filled.read(newest(filled, "dump"), "dump.sql")) == b"onetwo"
    assert filled.restore(newest(filled, "files"), tmp_path, [b"files/x*y[z]?", b"files/bytes \xff"]) == ""
    assert sorted(os.listdir(os.fsencode(tmp_path / "files"))) == [b"bytes \xff", b"x*y[z]?"]  # noqa: PTH208
    assert filled.check("100%") == ""
    assert filled.snapshots(["project:Lumen (lab)", "server:south"]) == []


def test_a_wrong_password_is_told_without_it(filled: Restic, tmp_path: Path) -> None:
    wrong = at(filled.repository, tmp_path, Masked("guessed"))
    with pytest.raises(AccessError, match="refuses the password") as told:
        wrong.id()
    assert "guessed" not in str(told.value) + repr(wrong)


def test_a_stream_that_breaks_leaves_no_snapshot(filled: Restic) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 1_000_000
        raise SourceError("cut")

    with pytest.raises(SourceError):
        filled.store_stream(broken(), "dump.sql", "north", [*TAGS, "kind:broken"])
    assert filled.snapshots([*TAGS, "kind:broken"]) == []


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    restic = at(tmp_path / "repository", tmp_path)
    restic.init()
    restic.store_stream(iter([os.urandom(100_000)]), "dump.sql", "north", TAGS)
    pack = max((tmp_path / "repository/data").rglob("*"), key=lambda one: one.stat().st_size * one.is_file())
    pack.chmod(0o600)
    with pack.open("r+b") as file:
        file.seek(50_000)
        byte = file.read(1)[0]
        file.seek(50_000)
        file.write(bytes([byte ^ 1]))
    assert pack.name[:8] in restic.check("100%")
    with pytest.raises(CrossdockError):
        list(restic.read(restic.snapshots(TAGS)[-1].id, "dump.sql"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_told_and_can_be_gone_on_with(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no tmpfs may be mounted here")
    try:
        restic = at(disk / "repository", tmp_path)
        restic.init()
        with pytest.raises(CrossdockError, match="disk of the repository is full"):
            restic.store_stream(iter([os.urandom(1 << 20) for _ in range(20)]), "dump.sql", "north", TAGS)
        assert restic.snapshots(TAGS) == []
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        restic.store_stream(iter([b"small"]), "dump.sql", "north", TAGS)
        assert restic.check("100%") == ""
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_two_at_once_and_a_killed_one(filled: Restic, tmp_path: Path) -> None:
    """A lock that lives is told; one whose process was killed is taken away."""

    def slow() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000
            time.sleep(0.05)

    pid = os.fork()
    if pid == 0:
        try:
            filled.store_stream(slow(), "dump.sql", "north", [*TAGS, "kind:slow"])
        finally:
            os._exit(1)
    try:
        locks = Path(filled.repository, "locks")
        end = time.monotonic() + 30
        while not list(locks.iterdir()) and time.monotonic() < end:
            time.sleep(0.05)
        with pytest.raises(LockedError, match="locked"):
            filled.check("100%")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    end = time.monotonic() + 10
    while subprocess.run(["pgrep", "-f", f"{filled.cache} backup"], capture_output=True, check=False).stdout:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert filled.snapshots([*TAGS, "kind:slow"]) == []
    assert filled.check("100%") == ""  # which wants the repository for itself
    filled.store_stream(iter([b"after"]), "dump.sql", "north", [*TAGS, "kind:after"])
    assert len(filled.snapshots([*TAGS, "kind:after"])) == 1


def test_by_sftp(tmp_path: Path) -> None:
    with ssh_server(forwarding=False, more="Subsystem sftp internal-sftp\n") as sshd:
        restic = at(f"sftp:lab:{tmp_path}/there", tmp_path, ssh_config=str(sshd.config("known_hosts")))
        restic.init()
        restic.store_stream(iter([b"far"]), "dump.sql", "north", TAGS)
        assert (tmp_path / "there/config").exists()
        assert b"".join(restic.read(restic.snapshots(TAGS)[0].id, "dump.sql")) == b"far"


def test_by_s3(tmp_path: Path) -> None:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "very secret"}
        restic = at(f"s3:http://{host}:{port}/backups", tmp_path, keys=keys)
        restic.init()
        restic.store_stream(iter([b"far"]), "dump.sql", "north", TAGS)
        assert b"".join(restic.read(restic.snapshots(TAGS)[0].id, "dump.sql")) == b"far"
        assert "very secret" not in repr(restic)
    finally:
        server.stop()
