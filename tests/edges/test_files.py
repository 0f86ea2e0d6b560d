"""Files over a real sshd: by rsync, by SFTP, told by find and sha256sum or by PHP alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_servers import TestSsh, ssh_server

from crossdock.core.errors import CrossdockError, TargetError
from crossdock.core.files import FILE, FOLDER, LINK, PARTIAL, Entry, Known
from crossdock.edges.files import RemoteFiles, Tools
from crossdock.edges.shared import SharedConnection
from crossdock.edges.spool import SpoolFolder
from crossdock.edges.ssh import SshHost
from crossdock.lab.files import (
    EMPTY_FOLDER,
    LINK_INSIDE,
    LINK_OUTSIDE,
    STRANGE_FOLDER,
    STRANGE_NAMES,
    add_strange_files,
)
from crossdock.move.trees import stale

BARE_TOOLS = ("sh", "xargs", "rm", "mkdir", "cat", "mv", "ln", "touch", "chmod", "df", "tail", "wc", "php", "printf")
BIG_BYTES = 8 << 20


def silent(_: int) -> None:
    pass


@pytest.fixture(scope="module")
def bare() -> Iterator[TestSsh]:
    """A server whose sessions find neither rsync, GNU find nor sha256sum."""
    with ssh_server(forwarding=False, more="SetEnv PATH={folder}/bin\nSubsystem sftp internal-sftp\n") as server:
        (server.folder / "bin").mkdir()
        for name in BARE_TOOLS:
            (server.folder / "bin" / name).symlink_to(shutil.which(name) or "/bin/true")
        find = server.folder / "bin" / "find"
        find.write_text(f'#!/bin/sh\ncase "$*" in *-printf*) exit 1 ;; esac\nexec {shutil.which("find")} "$@"\n')
        find.chmod(0o755)
        yield server


@pytest.fixture(params=["rsync", "sftp"])
def files(request: pytest.FixtureRequest, sshd: TestSsh, bare: TestSsh) -> Iterator[RemoteFiles]:
    server = sshd if request.param == "rsync" else bare
    tools = Tools(True, True, True) if request.param == "rsync" else Tools(False, False, False)
    with SharedConnection(server.host()) as connection:
        found = RemoteFiles(connection.host)
        assert found.tools == tools
        yield found


@pytest.fixture
def there() -> Iterator[Path]:
    """A folder of strange files at the "server"."""
    root = Path(tempfile.mkdtemp(prefix="cd files "))
    add_strange_files(root)
    yield root / "wp-content/uploads"
    shutil.rmtree(root)


@pytest.fixture
def spool(tmp_path: Path) -> SpoolFolder:
    return SpoolFolder(tmp_path / "state" / "files")


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def entries(files: RemoteFiles, root: Path, kinds: str = FILE + FOLDER) -> dict[bytes, Entry]:
    listing = files.listings([str(root)])[str(root)]
    assert listing is not None
    return {name: one for name, one in listing.entries.items() if one.kind in kinds}


def tree(root: Path) -> dict[bytes, str]:
    """Everything below a folder, by name."""
    found: dict[bytes, str] = {}
    for path in root.rglob("*"):
        content = str(path.readlink()) if path.is_symlink() else "d" if path.is_dir() else digest(path)
        found[os.fsencode(path.relative_to(root))] = content
    return found


def at(root: Path, name: bytes) -> Path:
    return root / os.fsdecode(name)


# -- what is there ---------------------------------------------------------------------------------------------------


def test_a_listing_tells_every_name_and_follows_no_link(files: RemoteFiles, there: Path) -> None:
    (there / PARTIAL).mkdir()
    (there / PARTIAL / "left").write_text("x")
    found = entries(files, there, FILE + FOLDER + LINK + "p")
    strange = STRANGE_FOLDER.encode() + b"/"
    assert {strange + name for name in STRANGE_NAMES} <= set(found)
    assert found[strange + EMPTY_FOLDER].kind == FOLDER
    assert found[strange + LINK_INSIDE][0] == found[strange + LINK_OUTSIDE][0] == LINK
    assert found[strange + LINK_OUTSIDE].link == b"/etc/hostname"
    for name, entry in found.items():
        facts = at(there, name).lstat()
        assert (entry.mode, entry.mtime_seconds) == (facts.st_mode & 0o7777, int(facts.st_mtime)), name
        assert entry.kind != FILE or entry.size == facts.st_size
    assert not [name for name in found if PARTIAL.encode() in name]


def test_a_missing_folder_an_empty_one_and_one_behind_a_link(files: RemoteFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("1")
    (tmp_path / "link").symlink_to("real")
    roots = [str(tmp_path / name) for name in ("gone", "empty", "link", "real/a")]
    found = files.listings(roots)
    assert found[roots[0]] is None
    assert found[roots[3]] is None
    assert [set(one.entries) for one in found.values() if one] == [set(), {b"a"}]


def test_hashes_of_strange_names_and_of_what_is_gone(files: RemoteFiles, there: Path) -> None:
    base = os.fsencode(there) + b"/"
    names = [name for name, entry in entries(files, there).items() if entry.kind == FILE]
    found = dict(files.hashes([*(base + name for name in names), base + b"gone"]))
    assert found == {base + name: digest(at(there, name)) for name in names}
    assert len(found) == len(STRANGE_NAMES) + 1


# -- carrying --------------------------------------------------------------------------------------------------------


def carry(files: RemoteFiles, spool: SpoolFolder, source: Path, target: Path) -> list[int]:
    """Source -> spool -> target, as the move does; returns the sizes told."""
    told: list[int] = []
    want = entries(files, source)
    spool.settle("x/uploads", want)
    files.pull(str(source), stale(want, spool.listing("x/uploads").entries), spool.folder("x/uploads"), told.append)
    assert stale(want, spool.listing("x/uploads").entries) == {}
    have = files.listings([str(target)])[str(target)]
    files.prepare([str(target)])
    files.push(spool.folder("x/uploads"), stale(want, have.entries if have else {}), str(target), told.append)
    files.clean([str(target)])
    return told


def test_files_arrive_as_they_were_and_only_once(
    files: RemoteFiles, spool: SpoolFolder, there: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target folder" / "sites" / "2"
    for name in ("#first", ";second", "-third", "last. ", "n" * 255):
        (there / name).write_text(name)
    first = carry(files, spool, there, target)
    links = (LINK_INSIDE, LINK_OUTSIDE)
    should = {name: one for name, one in tree(there).items() if name.rpartition(b"/")[2] not in links}
    assert tree(target) == should
    assert len(first) >= 2 * (len(STRANGE_NAMES) + 1)
    assert carry(files, spool, there, target) == []
    os.utime(there / STRANGE_FOLDER / ".hidden", (1_700_000_000, 1_700_000_000))
    (there / STRANGE_FOLDER / ".hidden").write_text("longer than before")
    assert len(carry(files, spool, there, target)) == 2
    assert (target / STRANGE_FOLDER / ".hidden").read_text() == "longer than before"


def test_folders_that_have_signs_of_other_languages_in_their_names(files: RemoteFiles, tmp_path: Path) -> None:
    source, target = tmp_path / 'source "1"', tmp_path / "target [folder]*"
    source.mkdir()
    (source / "a b").write_text("1")
    carry(files, SpoolFolder(tmp_path / "Ada's [state] \\ #1" / "files"), source, target)
    assert tree(target) == tree(source)


def test_modes_are_sane_and_times_are_kept(files: RemoteFiles, spool: SpoolFolder, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name, mode in (("a", 0o4777), ("b", 0o2666), ("c", 0o400), ("d", 0o755)):
        (source / name).write_text(name)
        (source / name).chmod(mode)
        os.utime(source / name, (1_600_000_000, 1_600_000_000))
    carry(files, spool, source, target)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in target.iterdir()}
    assert modes == {"a": 0o775, "b": 0o664, "c": 0o600, "d": 0o755}
    assert {path.stat().st_mtime for path in target.iterdir()} == {1_600_000_000}


def test_links_are_sent_as_they_stand_in_the_spool(files: RemoteFiles, spool: SpoolFolder, tmp_path: Path) -> None:
    link = Entry(LINK, 0o777, 4, "0", "0", b"../a b")
    spool.settle("x", {b"sub/link": link})
    files.prepare([str(tmp_path / "target")])
    files.push(spool.folder("x"), {b"sub/link": link}, str(tmp_path / "target"), silent)
    assert (tmp_path / "target/sub/link").readlink() == Path("../a b")
    spool.settle("x", {b"sub/link": link._replace(link=b"other")})
    files.push(spool.folder("x"), {b"sub/link": link._replace(link=b"other")}, str(tmp_path / "target"), silent)
    assert (tmp_path / "target/sub/link").readlink() == Path("other")


def test_removing_takes_these_names_and_no_others(files: RemoteFiles, there: Path) -> None:
    strange = STRANGE_FOLDER.encode() + b"/"
    names = [strange + name for name in (b"-rf.txt", b"line\nbreak.txt", b"latin1-\xe9t\xe9.txt", b"gone")]
    before = set(tree(there))
    files.remove(str(there), names)
    assert before - set(tree(there)) == set(names[:3])


def test_bandwidth_is_limited(sshd: TestSsh, bare: TestSsh, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(os.urandom(1_500_000))
    for number, server in enumerate((sshd, bare)):
        files = RemoteFiles(server.host(), bandwidth_kib=1000)
        begin = time.monotonic()
        (tmp_path / f"spool{number}").mkdir()
        files.pull(
            str(tmp_path / "source"), entries(files, tmp_path / "source"), str(tmp_path / f"spool{number}"), silent
        )
        assert time.monotonic() - begin > 0.9


# -- faults ----------------------------------------------------------------------------------------------------------


def test_sessions_that_are_cut_are_taken_up_again(
    request: pytest.FixtureRequest, files: RemoteFiles, spool: SpoolFolder, tmp_path: Path
) -> None:
    server: TestSsh = request.getfixturevalue("sshd" if files.tools.rsync else "bare")
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "big").write_bytes(os.urandom(BIG_BYTES))
    for number in range(200):
        (source / f"small {number}").write_text(str(number))
    slow = RemoteFiles(files.host, bandwidth_kib=4_000)
    end = threading.Event()
    cuts = []

    def cut() -> None:
        while not end.wait(0.9):
            if len(cuts) < 3:
                cuts.append(server.cut_sessions())

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        carry(slow, spool, source, target)
    finally:
        end.set()
        cutter.join()
    assert sum(cuts) >= 2
    assert tree(target) == tree(source)


def test_a_killed_run_leaves_no_half_file_and_the_next_one_goes_on(
    files: RemoteFiles, spool: SpoolFolder, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "big").write_bytes(os.urandom(BIG_BYTES))
    code = (
        "import sys; from crossdock.edges.files import RemoteFiles; from crossdock.edges.ssh import SshHost\n"
        "host = SshHost('lab', 'lab', sys.argv[1]); files = RemoteFiles(host, bandwidth_kib=2500)\n"
        "found = files.listings([sys.argv[2]])[sys.argv[2]]\n"
        "print('on', flush=True)\n"
        "files.prepare([sys.argv[3]])\n"
        "files.push(sys.argv[2], found.entries, sys.argv[3], lambda _: None)\n"
    )
    argv = [sys.executable, "-c", code, str(files.host.config_file), str(source), str(target)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1.2)
        process.send_signal(signal.SIGKILL)
    assert not (target / "big").exists()
    time.sleep(0.5)
    assert not [name for name in tree(target) if not name.startswith(PARTIAL.encode())]
    carry(files, spool, source, target)
    assert tree(target) == tree(source)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk can't be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_target_is_named_and_a_rerun_goes_on(files: RemoteFiles, spool: SpoolFolder, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(6):
        (source / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(TargetError, match="the disk of the target is full") as caught:
            carry(files, spool, source, disk / "uploads")
        assert str(disk / "uploads") in caught.value.where
        assert "goes on where it stopped" in caught.value.way_out
        whole = {name for name in tree(disk / "uploads") if not name.startswith(PARTIAL.encode())}
        assert {name: tree(source)[name] for name in whole} == {name: tree(disk / "uploads")[name] for name in whole}
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        carry(files, spool, source, disk / "uploads")
        assert tree(disk / "uploads") == tree(source)


def test_a_full_spool_is_named_and_a_rerun_goes_on(files: RemoteFiles, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(6):
        (source / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    with small_disk(tmp_path / "disk") as disk:
        spool = SpoolFolder(disk / "state")
        with pytest.raises(CrossdockError, match="the disk of the spool is full") as caught:
            carry(files, spool, source, tmp_path / "target")
        assert not isinstance(caught.value, TargetError)
        assert str(disk) in caught.value.where
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        carry(files, spool, source, tmp_path / "target")
        assert tree(tmp_path / "target") == tree(source)


def test_a_folder_that_we_may_not_write_to_is_named(files: RemoteFiles, spool: SpoolFolder, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("a")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CrossdockError, match="can't be made") as caught:
        carry(files, spool, tmp_path / "source", tmp_path / "file" / "target")
    assert str(tmp_path / "file") in caught.value.what


def test_no_server_no_files(tmp_path: Path) -> None:
    with pytest.raises(CrossdockError, match="no SSH server answers"):
        RemoteFiles(SshHost("lab", "ssh://127.0.0.1:1")).listings(["/tmp"])


# -- the spool -------------------------------------------------------------------------------------------------------


def test_what_is_known_survives_a_record_cut_by_a_kill(spool: SpoolFolder) -> None:
    one, two, three = (
        {name: Known("1 2 3", letter * 64)} for name, letter in ((b"a\nb", "a"), (b"b", "b"), (b"c", "c"))
    )
    spool.learn("north", one)
    path = next((spool.root / "known").iterdir())
    whole = path.read_bytes()
    for cut in range(1, 90):
        path.write_bytes(whole)
        spool.learn("north", two)
        path.write_bytes(path.read_bytes()[: len(whole) + cut])
        spool.learn("north", three)
        known = spool.known("north")
        assert known[b"a\nb"] == one[b"a\nb"]
        assert all(one.sha256 in ("a" * 64, "b" * 64, "c" * 64) for one in known.values())
        assert {name: one.sha256[0] for name, one in known.items()}.items() <= {
            b"a\nb": "a",
            b"b": "b",
            b"c": "c",
        }.items()
        spool.learn("north", three)
        assert spool.known("north")[b"c"] == three[b"c"]


def test_the_spool_is_closed_to_others_and_holds_what_is_wanted(spool: SpoolFolder) -> None:
    folder = Path(spool.folder("north/uploads/north"))
    (folder / "old").mkdir()
    (folder / "old" / "a").write_text("a")
    (folder / "b").write_text("b")
    facts = spool.listing("north/uploads/north").entries
    assert spool.root.stat().st_mode & 0o077 == 0
    spool.settle("north/uploads/north", {b"b": facts[b"b"]._replace(mode=0o777)})
    assert set(spool.listing("north/uploads/north").entries) == {b"b"}
    assert (folder / "b").stat().st_mode & 0o777 == 0o775
    spool.settle("north/uploads/north", {b"b": Entry(LINK, 0o777, 1, "0", "0", b"x")})
    assert (folder / "b").readlink() == Path("x")


def test_what_was_placed_is_remembered_by_environment(spool: SpoolFolder) -> None:
    assert spool.placed("staging", "north/uploads/north") is None
    spool.place("staging", "north/uploads/north", {b"a\xff": "f:1", b"l": "l:x"})
    assert spool.placed("staging", "north/uploads/north") == {b"a\xff": "f:1", b"l": "l:x"}
    assert spool.placed("production", "north/uploads/north") is None
    spool.place("production", "x", {})
    assert spool.placed("production", "x") == {}
