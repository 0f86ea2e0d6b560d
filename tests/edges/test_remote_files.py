"""Files written through a real SSH server that forbids everything but commands."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from crossdock.core.errors import AccessError, TargetError
from crossdock.core.ports import RemoteFile
from crossdock.edges.remote_files import RemoteFiles

pytestmark = pytest.mark.skipif(shutil.which("php") is None, reason="PHP is not installed")


@pytest.fixture
def files(gateway) -> RemoteFiles:
    return RemoteFiles(gateway.host())


def test_files_are_written_read_and_removed(files: RemoteFiles, tmp_path: Path) -> None:
    content = bytes(range(256)) * 3
    config = tmp_path / "wp-config.php"
    config.write_text("x")
    config.chmod(0o600)
    path, closed = str(tmp_path / "a/b c/ü.php"), str(tmp_path / "a/config.php")
    files.write({path: RemoteFile(content), closed: RemoteFile(b"", 0o640, str(config))})
    assert files.read([path, closed, str(tmp_path / "none")]) == {
        path: RemoteFile(content, 0o644), closed: RemoteFile(b"", 0o600)
    }  # fmt: skip
    assert set(files.digests(str(tmp_path))) == {"a/b c/ü.php", "a/config.php", "wp-config.php"}
    files.remove([path, str(tmp_path / "a/b c"), str(tmp_path / "a"), str(tmp_path / "never-there")])
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["a", "config.php", "wp-config.php"]


def test_a_file_is_replaced_whole_and_nothing_lies_beside_it(files: RemoteFiles, tmp_path: Path) -> None:
    path = tmp_path / "x.php"
    path.write_text("former")
    before = path.stat().st_ino
    files.write({str(path): RemoteFile(b"now")})
    assert path.read_text() == "now"
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == ["x.php"]  # noqa: PTH208  hidden ones too


def test_a_wp_config_that_is_a_link_stays_one(files: RemoteFiles, tmp_path: Path) -> None:
    """Hosts that deploy by releases keep one wp-config.php for all of them."""
    shared, link = tmp_path / "shared/wp-config.php", tmp_path / "release/wp-config.php"
    for one in (shared, link):
        one.parent.mkdir()
    shared.write_text("former")
    link.symlink_to("../shared/wp-config.php")
    files.write({str(link): RemoteFile(b"now", 0o640, str(link))})
    assert (shared.read_text(), link.readlink()) == ("now", Path("../shared/wp-config.php"))


def test_what_can_not_be_written_is_named(files: RemoteFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match=r"lab: .*file/inner\.php"):
        files.write({str(tmp_path / "file/inner.php"): RemoteFile(b"x")})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_disk_leaves_the_former_file(files: RemoteFiles, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    done = os.system(f"mount -t tmpfs -o size=64k tmpfs {full} 2>/dev/null")
    if done != 0:
        pytest.skip("a small file system can't be mounted here")
    try:
        (full / "x.php").write_text("former")
        with pytest.raises(TargetError, match=r"x\.php: it can't be"):
            files.write({str(full / "x.php"): RemoteFile(b"x" * 200_000)})
        assert (full / "x.php").read_text() == "former"
        assert os.listdir(full) == ["x.php"]  # noqa: PTH208
    finally:
        os.system(f"umount {full}")


def test_a_server_without_php_is_told(gateway) -> None:
    with pytest.raises(AccessError, match="PHP does not answer"):
        RemoteFiles(gateway.host(), php="no-such-php").read(["/etc/hostname"])
