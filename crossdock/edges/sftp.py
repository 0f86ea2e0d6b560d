"""Files by SFTP, where the host has no rsync: the system's own `sftp`, so that config, keys and jump hosts just work.

A file is written under a name of its own in the folder PARTIAL and then renamed; a large one that was cut goes on where
it stopped. Names that sftp's command language can't say (line breaks, quotes, wildcards) go one by one over SSH.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial as bound
from itertools import islice
from pathlib import Path

from crossdock.core.errors import CrossdockError, TargetError
from crossdock.core.files import FILE, FOLDER, LINK, PARTIAL, Entry, sane_mode
from crossdock.core.ports import Completed
from crossdock.edges.ssh import SshHost, dying_with_us
from crossdock.edges.transfer import Counted, full_disk, full_spool, persist

_FILES_AT_ONCE = 500
_PIECE = 1 << 18
# What has a meaning in sftp's command language, within quotes too.
_UNSAYABLE = frozenset(b"\n\r\"'\\*?[]")
_RESUMED_FROM_BYTES = 1 << 20
_ECHO = b"sftp> "
# Sizes of what lies unfinished there, by name.
_BEGUN = 'cd "$1" && for one in *; do [ -f "$one" ] && echo "$one $(wc -c < "$one")"; done; exit 0'
_PUT = 'cat > "$1" && chmod "$3" "$1" && touch -m -d "@$4" "$1" && mv -f -- "$1" "$2"'
# What is in the way of a folder or a link goes, as with rsync: a file, or a folder with nothing in it.
_MAKE = (
    """cd "$1" && xargs -0 sh -c 'for one do [ -d "$one" ] || rm -f -- "$one"; mkdir -p -- "$one" || exit 1; done' sh"""
)
_LINK = '[ -L "$2" ] || rmdir -- "$2" 2>/dev/null; ln -sfn -- "$1" "$2"'
_ROOM = 'df -Pk "$1" | tail -n 1'

Files = dict[bytes, Entry]


class Sftp:
    """Satisfies edges.transfer.Transfer. `bandwidth_kib`: KiB a second."""

    def __init__(self, host: SshHost, bandwidth_kib: int | None = None) -> None:
        self.host = host
        self.bandwidth_kib = bandwidth_kib

    def pull(self, root: str, entries: Mapping[bytes, Entry], folder: str, advance: Callable[[int], None]) -> None:
        """Errors: AccessError; CrossdockError when the local disk is full."""
        told = Counted(advance)
        try:
            Path(folder, PARTIAL).mkdir(exist_ok=True)
            for name, entry in sorted(entries.items()):
                place = _local(folder, name)
                (place if entry.kind == FOLDER else place.parent).mkdir(parents=True, exist_ok=True)
            for some in _batches(entries):
                persist(bound(self._pull, root, some, folder, told), lambda: told.files)
        except OSError as error:
            raise full_spool(os.strerror(error.errno or 0), folder) or error from error

    def push(
        self,
        folder: str,
        entries: Mapping[bytes, Entry],
        root: str,
        advance: Callable[[int], None],
        *,
        anew: bool = False,
    ) -> None:
        """Sends all of them, `anew` or not. `root` must hold a folder PARTIAL.

        Errors: AccessError; TargetError (disk full, no permission to write).
        """
        told = Counted(advance)
        folders = {name for name, entry in entries.items() if entry.kind == FOLDER}
        folders |= {name.rpartition(b"/")[0] for name in entries} - {b""}
        persist(bound(self._make_folders, root, sorted(folders)))
        for name, entry in entries.items():
            if entry.kind == LINK:
                persist(bound(self._link, root, name, entry.link))
        for some in _batches(entries):
            persist(bound(self._push, folder, some, root, told), lambda: told.files)

    # -- from the server ---------------------------------------------------------------------------------------------

    def _pull(self, root: str, left: Files, folder: str, told: Counted) -> None:
        """Brings what is left; what is in place leaves `left`, also when the session is cut."""
        partials = {name: Path(folder, PARTIAL, _token(name, entry)) for name, entry in left.items()}
        lines = [
            b"-get "
            + _resume(partials[name], entry)
            + b" ".join((_said(_remote(root, name)), _said(bytes(partials[name]))))
            for name, entry in left.items()
            if _sayable(root, folder, name)
        ]
        try:
            done = self._sftp(lines) if lines else Completed(0, b"", b"")
            for name in left:
                if not _sayable(root, folder, name):
                    self._cat(_remote(root, name), partials[name])
        finally:
            for name, entry in list(left.items()):
                if _settled(partials[name], _local(folder, name), entry):
                    del left[name]
                    told(entry.size)
        # What is not in place now has changed or gone meanwhile: whoever asked compares, and tells.
        if problem := full_spool(done.stderr.decode("utf-8", "replace"), folder) or self._lost(done):
            raise problem

    def _cat(self, path: bytes, partial: Path) -> None:
        with partial.open("wb") as out:
            argv = self.host.command(["cat", "--", os.fsdecode(path)], options=("-T",))
            done = subprocess.run(dying_with_us(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        if failure := self.host.failure(done.returncode, done.stderr):
            raise failure
        if done.returncode != 0:
            partial.unlink()

    # -- to the server -----------------------------------------------------------------------------------------------

    def _make_folders(self, root: str, folders: Sequence[bytes]) -> None:
        if folders:
            argv = ["sh", "-c", _MAKE, "sh", root]
            asked = b"".join(b"./" + name + b"\0" for name in folders)
            self._require(self.host.run(argv, input=asked, check=False, timeout_seconds=600), root)

    def _link(self, root: str, name: bytes, link: bytes) -> None:
        argv = ["sh", "-c", _LINK, "sh", os.fsdecode(link), os.fsdecode(_remote(root, name))]
        self._require(self.host.run(argv, check=False), root)

    def _push(self, folder: str, left: Files, root: str, told: Counted) -> None:
        """Sends what is left; what is in place leaves `left`, also when the session is cut."""
        begun = self._begun(root) if any(entry.size >= _RESUMED_FROM_BYTES for entry in left.values()) else {}
        sayable = [name for name in left if _sayable(root, folder, name)]
        lines: list[bytes] = []
        for name in sayable:
            token = _token(name, left[name])
            resumed = b"-a " if _RESUMED_FROM_BYTES <= begun.get(token, 0) < left[name].size else b""
            partial = _said(os.fsencode(f"{root}/{PARTIAL}/{token}"))
            lines.append(b"put -p %s%s %s" % (resumed, _said(bytes(_local(folder, name))), partial))
            lines.append(b"rename %s %s" % (partial, _said(_remote(root, name))))
        if lines:
            done = self._sftp(lines)
            # A line is told when it begins, and none begins before the one before it has succeeded.
            finished = done.stdout.count(_ECHO) - (done.status != 0)
            for name in sayable[: max(finished, 0) // 2]:
                told(left.pop(name).size)
            self._require(done, root, needed=max((entry.size for entry in left.values()), default=0))
        for name, entry in list(left.items()):
            self._put_odd(folder, name, entry, root)
            told(left.pop(name).size)

    def _begun(self, root: str) -> dict[str, int]:
        told = self.host.run(["sh", "-c", _BEGUN, "sh", f"{root}/{PARTIAL}"]).stdout.decode("utf-8", "replace")
        pairs = [line.split() for line in told.splitlines()]
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}

    def _put_odd(self, folder: str, name: bytes, entry: Entry, root: str) -> None:
        partial, path = f"{root}/{PARTIAL}/{_token(name, entry)}", os.fsdecode(_remote(root, name))
        words = [partial, path, f"{sane_mode(entry.mode):o}", str(entry.mtime_seconds)]
        argv = self.host.command(["sh", "-c", _PUT, "sh", *words], options=("-T",))
        with _local(folder, name).open("rb") as source:
            done = subprocess.run(dying_with_us(argv), stdin=source, capture_output=True, check=False)
        self._require(Completed(done.returncode, done.stdout, done.stderr), root, needed=entry.size)

    def _require(self, done: Completed, root: str, needed: int = 0) -> None:
        """Errors: what ended it. `needed`: bytes of the largest file that may not have fitted."""
        if failure := self._lost(done):
            raise failure
        if done.status == 0:
            return
        told = done.stderr.decode("utf-8", "replace").strip()
        where = f"{self.host.where}: {root}"
        # SFTP has no word for a full disk: it says "Failure".
        if problem := full_disk("ENOSPC" if self._room(root) < needed else told, where):
            raise problem
        raise TargetError(f"we can't write there: {told[-300:]}", where=where, way_out="mend the folder's permissions")

    def _room(self, root: str) -> int:
        """Free bytes where `root` is."""
        words = self.host.run(["sh", "-c", _ROOM, "sh", root]).stdout.split()
        return int(words[3]) * 1024 if len(words) > 3 and words[3].isdigit() else 1 << 62

    # -- sftp itself -------------------------------------------------------------------------------------------------

    def _sftp(self, lines: Sequence[bytes]) -> Completed:
        """Runs commands in one session, up to the first that fails."""
        limit = ["-l", str(self.bandwidth_kib * 8)] if self.bandwidth_kib else []
        ssh = self.host.command([])
        destination = self.host.destination.replace("ssh://", "sftp://", 1)
        with tempfile.NamedTemporaryFile() as batch:
            batch.write(b"".join(line + b"\n" for line in lines))
            batch.flush()
            argv = ["sftp", *limit, *ssh[1 : ssh.index("--")], "-b", batch.name, "--", destination]
            done = subprocess.run(dying_with_us(argv), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)

    def _lost(self, done: Completed) -> CrossdockError | None:
        """sftp ends with 1 also when the session was cut in the middle."""
        cut = done.status != 0 and b"onnection closed" in done.stderr
        return self.host.failure(255 if cut else done.status, done.stderr)


def _remote(root: str, name: bytes) -> bytes:
    return os.fsencode(root) + b"/" + name


def _local(folder: str, name: bytes) -> Path:
    return Path(folder, os.fsdecode(name))


def _token(name: bytes, entry: Entry) -> str:
    """The unfinished file's own name: another content of the same name gets another one."""
    return hashlib.sha256(name + b"\0" + f"{entry.size} {entry.mtime_seconds}".encode()).hexdigest()[:32]


def _sayable(root: str, folder: str, name: bytes) -> bool:
    """Whether both of a file's places can be said in sftp's language."""
    return not _UNSAYABLE & {*os.fsencode(root), *os.fsencode(folder), *name}


def _said(path: bytes) -> bytes:
    return b'"' + path + b'"'


def _resume(partial: Path, entry: Entry) -> bytes:
    return b"-a " if partial.exists() and 0 < partial.stat().st_size < entry.size else b""


def _settled(partial: Path, place: Path, entry: Entry) -> bool:
    """Puts a file that has come whole into its place."""
    if not partial.exists() or partial.stat().st_size != entry.size:
        return False
    partial.chmod(sane_mode(entry.mode))
    os.utime(partial, (entry.mtime_seconds, entry.mtime_seconds))
    partial.replace(place)
    return True


def _batches(entries: Mapping[bytes, Entry]) -> Iterator[Files]:
    files = iter([(name, entry) for name, entry in entries.items() if entry.kind == FILE])
    while some := dict(islice(files, _FILES_AT_ONCE)):
        yield some
