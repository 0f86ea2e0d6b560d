"""A server's files over SSH: what is there, by find or PHP; SHA-256 by sha256sum or PHP; transfers by rsync or SFTP.

What the host lacks is found by one question. A session that is cut, as managed hosts do after some minutes, is opened
again, and what was told before stays told.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from crossdock.core.errors import ConnectionLost, TargetError
from crossdock.core.files import PARTIAL, Entry, Listing
from crossdock.edges.relay import php_code
from crossdock.edges.rsync import TEMPORARY, Rsync, rsync_is_here
from crossdock.edges.sftp import Sftp
from crossdock.edges.ssh import SshHost
from crossdock.edges.transfer import PATIENCE, Transfer, full_disk, persist

_FIELDS = 7
# Few enough that a cut session costs little: sha256sum tells what it has found when it ends.
_HASHED_AT_ONCE = "64"
_SECONDS = 600.0

_ASK = """
command -v rsync >/dev/null 2>&1 && rsync --version >/dev/null 2>&1 && echo rsync
[ "$(find / -maxdepth 0 -printf %y 2>/dev/null)" = d ] && echo find
printf '' | xargs -0 -r sha256sum -z -- >/dev/null 2>&1 && sha256sum -z /dev/null >/dev/null 2>&1 && echo sha256sum
exit 0
"""
_LIST = f"""
LC_ALL=C; export LC_ALL
for root do
  if [ -d "$root/" ]; then
    printf 'R\\0\\0\\0\\0\\0%s\\0\\0' "$root"
    find "$root/" -mindepth 1 -ignore_readdir_race -name {PARTIAL} -prune -o \
      -printf '%y\\0%m\\0%s\\0%T@\\0%C@\\0%P\\0%l\\0'
  else
    printf 'A\\0\\0\\0\\0\\0%s\\0\\0' "$root"
  fi
done
printf 'E\\0\\0\\0\\0\\0\\0\\0'
"""
_REMOVE = 'cd "$1" && xargs -0 rm -f --'
_CLEAN = f"""
for root do
  [ -d "$root/" ] && find "$root/" -depth -type d -name {PARTIAL} -exec rm -rf {{}} +
done
exit 0
"""


@dataclass(frozen=True)
class Tools:
    """What a server has. Without `find` and `sha256sum` of GNU's kind PHP does their work."""

    rsync: bool
    find: bool
    sha256sum: bool


class RemoteFiles:
    """One server's files; satisfies core.ports.FileServer. `bandwidth_kib`: most KiB a second of a transfer."""

    def __init__(self, host: SshHost, *, php: str = "php", bandwidth_kib: int | None = None) -> None:
        self.host = host
        self.php = php
        self.bandwidth_kib = bandwidth_kib

    @property
    def name(self) -> str:
        return self.host.name

    @cached_property
    def tools(self) -> Tools:
        """Asked once. Errors: AccessError."""
        words = persist(lambda: self.host.run(["sh", "-c", _ASK])).stdout.decode("ascii", "replace").split()
        return Tools(*(name in words for name in ("rsync", "find", "sha256sum")))

    @cached_property
    def transfer(self) -> Transfer:
        """The way that both sides have."""
        if self.tools.rsync and rsync_is_here():
            return Rsync(self.host, self.bandwidth_kib)
        return Sftp(self.host, self.bandwidth_kib)

    def listings(self, roots: Sequence[str]) -> dict[str, Listing | None]:
        """core.ports.FileServer.listings."""
        return persist(lambda: self._listings(roots)) if roots else {}

    def hashes(self, paths: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        """core.ports.FileServer.hashes."""
        left = dict.fromkeys(paths)
        lost = 0
        while left:
            try:
                for path, digest in self._hashes(list(left)):
                    if path in left:
                        del left[path]
                        lost = 0
                        yield path, digest
            except ConnectionLost:
                lost += 1
                if lost >= PATIENCE:
                    raise
                time.sleep(lost)
            else:
                return

    def pull(self, root: str, entries: Mapping[bytes, Entry], folder: str, advance: Callable[[int], None]) -> None:
        """core.ports.FileServer.pull."""
        if entries:
            self.transfer.pull(root, entries, folder, advance)

    def prepare(self, roots: Sequence[str]) -> None:
        """core.ports.FileServer.prepare."""
        if not roots:
            return
        folders = [f"{root}/{TEMPORARY}" for root in roots]
        made = persist(lambda: self.host.run(["mkdir", "-p", "--", *folders], check=False))
        if made.status != 0:
            told = made.stderr.decode("utf-8", "replace").strip()
            way_out = "mend the permissions of the folder above it"
            raise full_disk(told, self.host.where) or TargetError(
                f"a folder can't be made: {told}", where=self.host.where, way_out=way_out
            )

    def push(
        self,
        folder: str,
        entries: Mapping[bytes, Entry],
        root: str,
        advance: Callable[[int], None],
        *,
        anew: bool = False,
    ) -> None:
        """core.ports.FileServer.push."""
        if entries:
            self.transfer.push(folder, entries, root, advance, anew=anew)

    def remove(self, root: str, names: Sequence[bytes]) -> None:
        """core.ports.FileServer.remove."""
        if names:
            asked = b"".join(b"./" + name + b"\0" for name in names)
            persist(lambda: self.host.run(["sh", "-c", _REMOVE, "sh", root], input=asked, timeout_seconds=_SECONDS))

    def clean(self, roots: Sequence[str]) -> None:
        """core.ports.FileServer.clean."""
        if roots:
            persist(lambda: self.host.run(["sh", "-c", _CLEAN, "sh", *roots], timeout_seconds=_SECONDS))

    def _listings(self, roots: Sequence[str]) -> dict[str, Listing | None]:
        argv = ["sh", "-c", _LIST, "sh", *roots] if self.tools.find else self._php("list", *roots)
        made: dict[str, Listing | None] = {}
        closed: dict[str, int] = dict.fromkeys(roots, 0)
        entries: dict[bytes, Entry] = {}
        root, whole = "", False
        complaints: list[str] = []
        for kind, mode, size, mtime, ctime, name, link in self._rows(argv, complaints):
            if kind in (b"R", b"A"):
                root, entries = name.decode("utf-8", "surrogateescape"), {}
                made[root] = Listing(entries) if kind == b"R" else None
            elif kind == b"U":
                closed[root] += 1
            elif kind == b"E":
                whole = True
            else:
                entries[name] = Entry(kind.decode(), int(mode, 8), int(size), mtime.decode(), ctime.decode(), link)
        if not whole:
            raise ConnectionLost("the list of files ended early", where=self.host.where, way_out="run it again")
        for line in complaints:
            for one in roots:
                closed[one] += f"{one}/" in line and "Permission denied" in line
        return {one: replace(found, unreadable=closed[one]) if found else None for one, found in made.items()}

    def _rows(self, argv: Sequence[str], complaints: list[str]) -> Iterator[tuple[bytes, ...]]:
        row: list[bytes] = []
        for field in self._fields(argv, b"", complaints):
            row.append(field)
            if len(row) == _FIELDS:
                yield tuple(row)
                row.clear()

    def _hashes(self, paths: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        argv = (
            ["xargs", "-0", "-r", "-n", _HASHED_AT_ONCE, "sha256sum", "-z", "--"]
            if self.tools.sha256sum
            else self._php("hash")
        )
        for field in self._fields(argv, b"".join(path + b"\0" for path in paths), []):
            yield field[66:], field[:64].decode("ascii", "replace")

    def _php(self, *arguments: str) -> list[str]:
        return [self.php, "-d", "display_errors=stderr", "-r", php_code("files.php"), *arguments]

    def _fields(self, argv: Sequence[str], asked: bytes, complaints: list[str]) -> Iterator[bytes]:
        """What a command tells, cut at each NUL, as it comes; `complaints` gets the lines of its stderr at the end.

        Errors: AccessError when ssh itself failed.
        """
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as names:
            names.write(asked)
            names.seek(0)
            process = self.host.popen(argv, stdin=names, stderr=told)
            rest = b""
            try:
                while process.stdout is not None and (piece := process.stdout.read(1 << 16)):
                    *whole, rest = (rest + piece).split(b"\0")
                    yield from whole
                status = process.wait()
            finally:
                _end(process)
            told.seek(0)
            text = told.read()
            if failure := self.host.failure(status, text):
                raise failure
            complaints += text.decode("utf-8", "surrogateescape").splitlines()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
