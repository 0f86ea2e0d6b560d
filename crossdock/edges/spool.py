"""The local folder that files pass through on their way, and what is known of files elsewhere.

What is known is a file of records, appended to as hashes come in: a killed run loses its last moment at most, and a run
that follows reads only what has changed since.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from crossdock.core.errors import CrossdockError
from crossdock.core.files import FILE, FOLDER, LINK, PARTIAL, Entry, Known, Listing, sane_mode
from crossdock.edges.transfer import full_spool

_SHA256_DIGITS = 64


class SpoolFolder:
    """Satisfies core.ports.Spool. `root` is made when it is first needed, closed to other accounts."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def folder(self, tree: str) -> str:
        """core.ports.Spool.folder."""
        return str(self._made(self.root / "files" / _name(tree)))

    def listing(self, tree: str) -> Listing:
        """core.ports.Spool.listing."""
        entries: dict[bytes, Entry] = {}
        for name, facts in _walk(os.fsencode(self.folder(tree)), b""):
            link = os.readlink(facts.path) if facts.is_symlink() else b""  # noqa: PTH115  bytes stay bytes
            kind = LINK if facts.is_symlink() else FOLDER if facts.is_dir(follow_symlinks=False) else FILE
            stat = facts.stat(follow_symlinks=False)
            mtime, ctime = (f"{ns // 10**9}.{ns % 10**9:09}" for ns in (stat.st_mtime_ns, stat.st_ctime_ns))
            entries[name] = Entry(kind, stat.st_mode & 0o7777, stat.st_size, mtime, ctime, link)
        return Listing(entries)

    def settle(self, tree: str, wanted: Mapping[bytes, Entry]) -> None:
        """core.ports.Spool.settle."""
        folder, there = self.folder(tree), self.listing(tree).entries
        with _room(folder):
            for name, entry in sorted(there.items(), reverse=True):
                if name not in wanted or wanted[name].kind != entry.kind or wanted[name].link != entry.link:
                    _remove(_path(folder, name))
            for name, entry in wanted.items():
                path = _path(folder, name)
                if entry.kind == LINK and not path.is_symlink():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.symlink_to(os.fsdecode(entry.link))
                elif entry.kind == FILE and name in there and there[name].mode != sane_mode(entry.mode):
                    path.chmod(sane_mode(entry.mode))

    def clean(self, tree: str) -> None:
        """core.ports.Spool.clean."""
        for left in list(Path(self.folder(tree)).rglob(PARTIAL)):
            shutil.rmtree(left, ignore_errors=True)

    def drop(self, tree: str, names: Sequence[bytes]) -> None:
        """core.ports.Spool.drop."""
        folder = self.folder(tree)
        for name in names:
            _path(folder, name).unlink(missing_ok=True)

    def known(self, place: str) -> dict[bytes, Known]:
        """core.ports.Spool.known."""
        found: dict[bytes, Known] = {}
        for sha256, stamp, name in _records(self._file("known", place)):
            if len(sha256) == _SHA256_DIGITS:
                found[name] = Known(stamp, sha256)
        return found

    def learn(self, place: str, found: Mapping[bytes, Known]) -> None:
        """core.ports.Spool.learn."""
        path = self._file("known", place)
        with _room(path), path.open("ab") as out:
            out.write(b"".join(_record(one.sha256, one.stamp, name) for name, one in found.items()))

    def forget_all_but(self, place: str, found: Mapping[bytes, Known]) -> None:
        """core.ports.Spool.forget_all_but."""
        self._write(self._file("known", place), [(one.sha256, one.stamp, name) for name, one in found.items()])

    def placed(self, environment: str, tree: str) -> dict[bytes, str] | None:
        """core.ports.Spool.placed."""
        path = self._file("placed", f"{environment}/{tree}")
        return {name: content for content, _, name in _records(path)} if path.exists() else None

    def place(self, environment: str, tree: str, contents: Mapping[bytes, str]) -> None:
        """core.ports.Spool.place."""
        path = self._file("placed", f"{environment}/{tree}")
        self._write(path, [(content, "", name) for name, content in contents.items()])

    def _write(self, path: Path, records: Sequence[tuple[str, str, bytes]]) -> None:
        """Whole or not at all."""
        fresh = path.with_name(path.name + ".new")
        with _room(path):
            fresh.write_bytes(b"".join(_record(*one) for one in records))
            fresh.replace(path)

    def _file(self, kind: str, name: str) -> Path:
        return self._made(self.root / kind) / _name(name)

    def _made(self, folder: Path) -> Path:
        with _room(folder):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
        return folder


def _name(key: str) -> str:
    """A key as one file name; a long one ends in its digest, so that no two become one."""
    name = quote(key, safe=" +,=@")
    return name if len(name) < 200 else f"{name[:160]}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _path(folder: str, name: bytes) -> Path:
    return Path(folder, os.fsdecode(name))


def _walk(folder: bytes, below: bytes) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
    with os.scandir(os.path.join(folder, below)) as found:  # noqa: PTH118  bytes stay bytes
        for one in found:
            if one.name == PARTIAL.encode():
                continue
            yield below + one.name, one
            if one.is_dir(follow_symlinks=False):
                yield from _walk(folder, below + one.name + b"/")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _record(content: str, stamp: str, name: bytes) -> bytes:
    return b"%s\0%s\0%s\0\0" % (os.fsencode(content), stamp.encode() or b"-", name)


def _records(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Every whole record. One that was cut by a kill runs into the next one, and then neither counts."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for record in data.split(b"\0\0"):
        fields = record.split(b"\0")
        if len(fields) == 3 and all(fields):
            yield os.fsdecode(fields[0]), fields[1].decode(), fields[2]


@contextmanager
def _room(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full_spool("ENOSPC", str(path)) or error from error
        raise CrossdockError(
            f"can't be written: {error.strerror}", where=str(path), way_out="mend its permissions"
        ) from error
