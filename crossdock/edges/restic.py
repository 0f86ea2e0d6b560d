"""A restic repository, by the `restic` of this machine (0.14 or later). Secrets travel in its environment alone."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from crossdock.core.errors import AccessError, CrossdockError, LockedError
from crossdock.core.secrets import Masked
from crossdock.edges.ssh import dying_with_us
from crossdock.edges.transfer import full_disk

T = TypeVar("T")
_PIECE_BYTES = 256 << 10
_TAIL = 1500
_ABSENT = ("Is there a repository at the following location", "unable to open config file")
_RETRIES = ("repository is already locked", "unable to create lock")
_WRONG = ("match", "error", "fatal", "invalid", "corrupt", "unable", "missing", "not found")
_PARTLY = 3


class RepositoryAbsent(CrossdockError):  # noqa: N818  an answer: whoever asked may make one there
    """There is no repository at that place yet."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot as the repository lists it. `time` is RFC 3339."""

    id: str
    time: str
    host: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """What a backup has come to: the snapshot's short ID, bytes read, and bytes that were new to the repository."""

    snapshot: str
    bytes: int
    added: int


@dataclass(frozen=True)
class Restic:
    """A repository: a folder, `sftp:host:/path` or `s3:...`. `keys`: further variables of restic's environment, which
    may hold secrets."""

    repository: str
    password: Masked = field(repr=False)
    cache: Path
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    ssh_config: str | None = None

    # -- the repository ----------------------------------------------------------------------------------------------

    def id(self) -> str:
        """The repository's own ID. Errors: RepositoryAbsent; AccessError (wrong password, no answer)."""
        found: dict[str, Any] = json.loads(self._run(["cat", "config"]))
        return str(found["id"])

    def init(self) -> str:
        """Makes the repository, in the format that compresses; returns its ID."""
        self._run(["init", "--repository-version", "2"])
        return self.id()

    def snapshots(self, tags: Sequence[str]) -> list[Snapshot]:
        """Those that bear all these tags, oldest first."""
        found = json.loads(self._run(["snapshots", "--json", "--tag", ",".join(tags)])) or []
        made = [Snapshot(one["id"], one["time"], one["hostname"], tuple(one.get("tags") or ())) for one in found]
        return sorted(made, key=lambda one: one.time)

    def size(self) -> int:
        """Bytes of the stored data."""
        return int(json.loads(self._run(["stats", "--mode", "raw-data", "--json"]))["total_size"])

    def check(self, subset: str) -> str:
        """Reads `subset` of the data (`100%`, `5%`) and all of the structure; what is damaged, in restic's words, or
        empty. Errors: AccessError, LockedError."""
        wanted = ["--read-data"] if subset == "100%" else [f"--read-data-subset={subset}"]
        return self._unlocked(lambda: self._check(wanted))

    def _check(self, wanted: Sequence[str]) -> str:
        with tempfile.TemporaryFile() as told:
            process = self._start(["check", *wanted], stdout=told, stderr=subprocess.STDOUT)
            status = process.wait()
            said = _read(told)
        if status == 0:
            return ""
        if any(word in said for word in (*_RETRIES, "wrong password", *_ABSENT)):
            raise self._failure(["check"], said)
        wrong = [line for line in said.splitlines() if any(word in line.lower() for word in _WRONG)]
        return "; ".join(wrong[:5]) or said[-300:]

    def outdated(self, tags: Sequence[str], keep: Mapping[str, int]) -> list[str]:
        """IDs of the snapshots with these tags that a policy (`daily`, `weekly`, `monthly`: how many) lets go."""
        policy = [word for period, count in keep.items() for word in (f"--keep-{period}", str(count))]
        argv = ["forget", "--dry-run", "--json", "--group-by", "", "--tag", ",".join(tags), *policy]
        groups = json.loads(self._run(argv).strip() or "[]") or []
        return [one["id"] for group in groups for one in group.get("remove") or ()]

    def forget(self, snapshots: Sequence[str]) -> None:
        """Forgets snapshots and removes the data that no other holds."""
        if snapshots:
            self._run(["forget", "--prune", *snapshots])

    # -- putting in --------------------------------------------------------------------------------------------------

    def store_stream(self, pieces: Iterable[bytes], name: str, host: str, tags: Sequence[str]) -> Stored:
        """Stores a stream as the file `name`. An error that `pieces` raises leaves no snapshot.

        Errors: whatever `pieces` raises; AccessError; LockedError; CrossdockError when the disk is full."""
        argv = ["backup", "--json", "--stdin", "--stdin-filename", name, *_labels(host, tags)]
        for last in (False, True):
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                process = self._start(argv, stdin=subprocess.PIPE, stdout=out, stderr=err)
                begun = False
                try:
                    assert process.stdin is not None  # noqa: S101  asked for
                    for piece in pieces:
                        begun = True
                        process.stdin.write(piece)
                    process.stdin.close()
                    status = process.wait()
                except BrokenPipeError:
                    status = process.wait()
                except BaseException:
                    # Before its stdin ends: restic would keep half a stream as a whole one.
                    _end(process)
                    raise
                said = _read(err)
                if status == 0:
                    return _stored(_read(out))
            failure = self._failure(argv, said)
            if begun or last or not isinstance(failure, LockedError):
                raise failure
            self._run(["unlock"])
        raise AssertionError("unreachable")

    def store_folder(
        self, folder: Path, names: Sequence[str], host: str, tags: Sequence[str], advance: Callable[[int, int], None]
    ) -> Stored:
        """Stores these names of a folder, which are the snapshot's top. `advance` gets files and bytes as they come.

        Errors: AccessError; LockedError; CrossdockError (a file that can't be read, a full disk)."""
        argv = ["backup", "--json", *_labels(host, tags), "--", *names]
        return self._unlocked(lambda: self._store_folder(argv, folder, advance))

    def _store_folder(self, argv: list[str], folder: Path, advance: Callable[[int, int], None]) -> Stored:
        summary = ""
        files = bytes_ = 0
        with tempfile.TemporaryFile() as err:
            process = self._start(argv, cwd=folder, stdout=subprocess.PIPE, stderr=err)
            try:
                for line in process.stdout or ():
                    told = json.loads(line)
                    if told["message_type"] == "summary":
                        summary = line.decode()
                    elif told["message_type"] == "status":
                        done = int(told.get("files_done", 0)), int(told.get("bytes_done", 0))
                        advance(done[0] - files, done[1] - bytes_)
                        files, bytes_ = done
                status = process.wait()
            finally:
                _end(process)
            said = _read(err)
        if status == _PARTLY:
            raise CrossdockError(f"restic could not read all files: {said[-_TAIL:].strip()}", where=str(folder))
        if status != 0:
            raise self._failure(argv, said)
        told = json.loads(summary)
        # It tells its state now and then, and not at the end.
        advance(int(told["total_files_processed"]) - files, int(told["total_bytes_processed"]) - bytes_)
        return _stored(summary)

    # -- taking out --------------------------------------------------------------------------------------------------

    def read(self, snapshot: str, name: str) -> Iterator[bytes]:
        """A file of a snapshot, piece by piece. Errors: AccessError; CrossdockError (damaged, not there)."""
        argv = ["dump", snapshot, f"/{name}"]
        with tempfile.TemporaryFile() as err:
            process = self._start(argv, stdout=subprocess.PIPE, stderr=err)
            assert process.stdout is not None  # noqa: S101  asked for
            try:
                while piece := process.stdout.read(_PIECE_BYTES):
                    yield piece
                status = process.wait()
            finally:
                _end(process)
            if status != 0:
                raise self._failure(argv, _read(err))

    def restore(self, snapshot: str, folder: Path, names: Sequence[bytes] = ()) -> str:
        """Brings a snapshot, or these files of it, into a folder; what could not be brought, in restic's words."""
        only = [word for name in names for word in (b"--include", b"/" + _literal(name))]
        argv: list[str | bytes] = ["restore", snapshot, "--target", str(folder), *only]
        with tempfile.TemporaryFile() as told:
            process = self._start(argv, stdout=subprocess.DEVNULL, stderr=told)
            status = process.wait()
            said = _read(told)
        if status != 0 and "ignoring error" not in said and "errors" not in said:
            raise self._failure([str(one) for one in argv[:2]], said)
        return said[-_TAIL:].strip() if status != 0 else ""

    # -- running it --------------------------------------------------------------------------------------------------

    def _run(self, argv: Sequence[str]) -> str:
        def once() -> str:
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                status = self._start(argv, stdout=out, stderr=err).wait()
                if status != 0:
                    raise self._failure(argv, _read(err))
                return _read(out)

        return once() if argv[0] in ("cat", "init", "unlock") else self._unlocked(once)

    def _unlocked(self, act: Callable[[], T]) -> T:
        """Again after stale locks are gone: those of processes that died here, or have not stirred for 30 minutes.
        restic itself knows which; it takes one that has just died for alive until its parent has noticed."""
        for pause_seconds in (0.0, 2.0):
            try:
                return act()
            except LockedError:
                time.sleep(pause_seconds)
                self._run(["unlock"])
        return act()

    def _start(
        self,
        argv: Sequence[str | bytes],
        *,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        if shutil.which("restic") is None:
            raise AccessError("restic is not installed here", way_out="apt-get install restic")
        program = [*dying_with_us(["restic"]), "--cache-dir", str(self.cache), *self._sftp(), *argv]
        environment = {name: text for name, text in os.environ.items() if not name.startswith("RESTIC_")}
        environment |= {
            "RESTIC_REPOSITORY": self.repository, "RESTIC_PASSWORD": str(self.password), "RESTIC_PROGRESS_FPS": "2",
            "LC_ALL": "C", **self.keys,
        }  # fmt: skip
        return subprocess.Popen(program, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, env=environment)

    def _sftp(self) -> list[str]:
        if not self.repository.startswith("sftp:") or self.ssh_config is None:
            return []
        host = self.repository.removeprefix("sftp:").partition(":")[0]
        argv = ["ssh", "-F", self.ssh_config, "-o", "BatchMode=yes", "-s", "--", host, "sftp"]
        return ["-o", f"sftp.command={shlex.join(argv)}"]

    def _failure(self, argv: Sequence[str], said: str) -> CrossdockError:
        where, text = f"repository {self.repository}", said[-_TAIL:].strip()
        if "wrong password" in said:
            way_out = "give the password with which it was made: [backup] password, or the file in the state folder"
            return AccessError("restic refuses the password", where=where, way_out=way_out)
        if argv[0] == "cat" and any(word in said for word in _ABSENT):
            return RepositoryAbsent("there is no repository", where=where)
        if any(word in said for word in _RETRIES):
            line = next((line for line in said.splitlines() if "locked" in line), text)
            way_out = "wait until the other process ends; locks of dead ones go by themselves after 30 minutes"
            return LockedError(line.strip(), where=where, way_out=way_out)
        if "no space left" in said or full_disk(said, where):
            way_out = "make room there, then start the same command again: what is there already is not sent again"
            return CrossdockError("the disk of the repository is full", where=where, way_out=way_out)
        return AccessError(f"restic {argv[0]} failed: {text}", where=where, way_out="see restic's own words")


def _labels(host: str, tags: Sequence[str]) -> list[str]:
    return ["--host", host, *(word for tag in tags for word in ("--tag", tag))]


def _literal(name: bytes) -> bytes:
    """A name as a pattern that fits it alone."""
    return b"".join(b"\\" + bytes((one,)) if one in b"\\*?[]" else bytes((one,)) for one in name)


def _stored(out: str) -> Stored:
    told = json.loads(out.strip().splitlines()[-1])
    return Stored(str(told["snapshot_id"]), int(told["total_bytes_processed"]), int(told["data_added"]))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends it, however far it is, before its pipes are closed."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
