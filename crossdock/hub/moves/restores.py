"""Brings a backup back: files, dumps and unsealed settings into an empty folder, and a dump into an empty database."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from crossdock.core.config import Config
from crossdock.core.errors import ConfigError, CrossdockError, TargetError
from crossdock.core.files import FILE, FOLDER, sane_mode
from crossdock.core.ports import Journal, Progress
from crossdock.core.secrets import Masked, SecretRef
from crossdock.edges.dump import load_dump
from crossdock.edges.mysql import Endpoint
from crossdock.edges.restic import Restic
from crossdock.edges.scratch_database import refuse_full
from crossdock.edges.sealing import unseal
from crossdock.edges.server_settings import unbundle
from crossdock.formats.dump_definers import without_definers
from crossdock.formats.dump_rows import DumpRows
from crossdock.hub.moves import backup_places as places
from crossdock.hub.moves.backups import Backups
from crossdock.move import backup
from crossdock.move.backup import DumpedDatabase, Manifest

_DATABASE = "mysql://USER@HOST[:PORT]/NAME, or mysql://USER@localhost/NAME?socket=/PATH"


@dataclass(frozen=True)
class Restored:
    """What came back, and where."""

    manifest: Manifest
    folder: Path
    files: int
    rows: int
    database: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "server": self.manifest.server, "run": self.manifest.run, "began": self.manifest.began,
            "folder": str(self.folder), "files": self.files, "rows": self.rows, "database": self.database,
            "seconds": self.seconds,
        }  # fmt: skip


def parse_database(url: str, password: str) -> Endpoint:
    """An address of a database as people write it; `password` is a reference, or empty. Errors: ConfigError."""
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError as error:
        raise ConfigError(f"this is no database's address: {error}", way_out=_DATABASE) from None
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("mysql", "mariadb") or not name or "/" in name or not parts.username:
        raise ConfigError("this is no database's address", where=url.partition("@")[2] or url, way_out=_DATABASE)
    if parts.password:
        way_out = "--password env:NAME or file:PATH"
        raise ConfigError("a password may not stand in an argument, which others can see", way_out=way_out)
    socket = parse_qs(parts.query).get("socket", [None])[0]
    secret = Masked(SecretRef(password).reveal()) if password else Masked("")
    host = parts.hostname or "127.0.0.1"
    return Endpoint("restore", name, unquote(parts.username), secret, host, port, socket)


class Restores:
    """Reads the repository, writes nothing but what it is told to, and nothing over anything."""

    def __init__(self, config: Config, journal: Journal, progress: Progress) -> None:
        self.config, self.journal, self.progress = config, journal, progress

    def restore(self, server: str, folder: Path, database: Endpoint | None = None) -> Restored:
        """The newest backup of a server into a folder that is empty or not there, and its WordPress database into an
        empty one. Everything is compared with the manifest.

        Errors: TargetError (not empty, full, can't be loaded), CrossdockError (damaged), SourceError (no backup)."""
        began = time.monotonic()
        _refuse_used(folder)
        # Before hours are spent: without it there is no whole restore.
        places.seal_key(self.config)
        if database is not None:
            refuse_full(database)
        backups = Backups(self.config, self.journal, self.progress)
        repository = backups.open()
        manifest = backups.newest(server)
        with _given_up(folder, keep=database is not None):
            files = self._files(manifest, repository, folder)
            (folder / "database").mkdir()
            rows = sum(
                self._dump(repository.read(one.snapshot, one.file), one, folder / "database")
                for one in manifest.databases
            )
            if database is not None:
                self._load(manifest.databases[0], folder / "database", database)
        name = database.database if database is not None else ""
        made = Restored(manifest, folder, files, rows, name, round(time.monotonic() - began, 3))
        data = {
            "run": manifest.run, "began": manifest.began, "files": files, "rows": rows,
            "into_database": database is not None, "seconds": made.seconds,
        }  # fmt: skip
        self.journal.receipt("restore", server, data)
        return made

    # -- files -------------------------------------------------------------------------------------------------------

    def _files(self, manifest: Manifest, repository: Restic, folder: Path) -> int:
        told = repository.restore(manifest.snapshot, folder)
        if told:
            raise CrossdockError(f"not all files came back: {told}", where=manifest.server)
        return self._place(manifest, folder)

    def _place(self, manifest: Manifest, folder: Path) -> int:
        """Gives each kept folder the path that it had, below files/; compares every file. Returns how many."""
        spooled = folder / "files"
        spooled.rename(folder / ".spooled")
        spooled.mkdir()
        wrong: list[str] = []
        files = 0
        for root, kept in manifest.folders.items():
            place = folder / "files" / root.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder / ".spooled" / manifest.places[root], place)
            for name, one in kept.items():
                path = Path(place, os.fsdecode(name))
                if one.kind == FILE:
                    files += 1
                    if one.content and _sha256(path) != one.content:
                        wrong.append(f"{root}/{os.fsdecode(name)}".encode("utf-8", "replace").decode())
                if one.kind in (FILE, FOLDER) and path.exists():
                    path.chmod(stat.S_IMODE(sane_mode(one.mode)) | (0o700 if one.kind == FOLDER else 0))
        shutil.rmtree(folder / ".spooled", ignore_errors=True)
        if wrong:
            text = f"{len(wrong)} files are not those that were backed up: {', '.join(wrong[:5])}"
            raise CrossdockError(text, where=manifest.server, way_out="restore an earlier backup, by restic itself")
        return files + self._unseal(manifest, folder)

    def _unseal(self, manifest: Manifest, folder: Path) -> int:
        """Settings go to configuration/, files with credentials back to their places, 0600."""
        sealed = folder / backup.CONFIGURATION
        content = unseal(sealed.read_bytes(), places.seal_key(self.config))
        sealed.unlink()
        for name, body in unbundle(content).items():
            path = folder / name if name.startswith("files/") else folder / "configuration" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(body)
        return len(manifest.sealed)

    # -- dumps -------------------------------------------------------------------------------------------------------

    def _dump(self, pieces: Iterator[bytes], one: DumpedDatabase, folder: Path) -> int:
        rows = DumpRows()
        with (folder / one.file).open("wb") as out:
            for piece in rows.passing(pieces):
                out.write(piece)
        if rows.sha256 != one.sha256:
            raise CrossdockError("the dump is not the one that was stored", where=f"database {one.name}")
        if one.left_views:
            text = "".join(f"-- {name}\n{sql};\n" for name, sql in sorted(one.left_views.items()))
            (folder / f"{one.file}.broken-views").write_text(text, encoding="utf-8")
        return rows.rows

    def _load(self, one: DumpedDatabase, folder: Path, database: Endpoint) -> None:
        self.progress.start(f"restore into {database.database}", rows=0, bytes_=one.bytes)

        def pieces() -> Iterator[bytes]:
            with (folder / one.file).open("rb") as file:
                while piece := file.read(1 << 20):
                    yield piece
                    self.progress.advance(one.name, rows=0, bytes_=len(piece))

        try:
            load_dump(database, without_definers(pieces()))
        finally:
            self.progress.finish()


@contextmanager
def _given_up(folder: Path, *, keep: bool) -> Iterator[None]:
    """Makes the folder; takes it away again when what is done in it fails, unless it has to be looked at."""
    fresh = not folder.exists()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield
    except OSError as error:
        way_out = "make room, empty the folder, and run it again"
        raise TargetError(f"can't be written: {error.strerror}", where=str(folder), way_out=way_out) from error
    except CrossdockError:
        if fresh and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _refuse_used(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        way_out = "name a folder that is empty or not there; nothing is ever written over"
        raise TargetError("the folder is not empty", where=str(folder), way_out=way_out)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
