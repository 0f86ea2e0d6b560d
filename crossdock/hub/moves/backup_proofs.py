"""Proves a backup from the repository alone: dumps are loaded and compared, files read back, the repository checked."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crossdock.core.config import Config
from crossdock.core.errors import ConfigError, CrossdockError, TargetError
from crossdock.core.evidence import Finding, Level
from crossdock.core.files import shown
from crossdock.core.ports import Journal, Progress
from crossdock.edges.dump import dump_rows, load_dump
from crossdock.edges.mysql import Endpoint
from crossdock.edges.restic import Restic
from crossdock.edges.sealing import unseal
from crossdock.formats.dump_definers import without_definers
from crossdock.formats.dump_rows import DumpRows
from crossdock.hub.moves import backup_places as places
from crossdock.move import backup
from crossdock.move.backup import DumpedDatabase, Manifest

_PIECE_BYTES = 1 << 20


@dataclass
class Checked:
    """What one server's proof has read back, and how long it took."""

    findings: list[Finding] = field(default_factory=list)
    tables: int = 0
    rows: int = 0
    files: int = 0
    file_bytes: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """The counts that receipts hold."""
        return {
            "proved_tables": self.tables, "proved_rows": self.rows, "proved_files": self.files,
            "proved_bytes": self.file_bytes, "proof_seconds": self.seconds,
        }  # fmt: skip


class Prover:
    """Reads backups back; a context manager, which keeps the scratch database meanwhile. What differs is a finding;
    what can't be read at all raises AccessError."""

    def __init__(self, config: Config, repository: Restic, progress: Progress, journal: Journal) -> None:
        self.config, self.repository, self.progress = config, repository, progress
        self.seed = str(len(journal.receipts()))
        self._stack = ExitStack()
        self._scratch: tuple[str, places.Scratch] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def check(self, manifest: Manifest) -> Checked:
        """One server's proof."""
        began, made = time.monotonic(), Checked()
        for one in manifest.databases:
            try:
                scratch = self._scratch_for(one.lower_case_table_names)
            except CrossdockError as error:
                # Nothing is said about the repository.
                made.findings.append(_unproved(f"{manifest.server}: database {one.name}", error))
                continue
            self._check_database(manifest.server, one, scratch.database(one.name), made)
        self._check_files(manifest, made)
        made.seconds = round(time.monotonic() - began, 3)
        return made

    def check_repository(self) -> tuple[str, str]:
        """The share of all data that was read, and what is damaged, in restic's words, or empty."""
        share = backup.subset(self.repository.size(), self.config.backup.read_all_mib)
        return share, self.repository.check(share)

    def _scratch_for(self, lower_case_table_names: str) -> places.Scratch:
        """Servers that take names alike share one: it takes seconds to start."""
        if self._scratch is None or self._scratch[0] != lower_case_table_names:
            self._stack.close()
            scratch: places.Scratch = places.scratch(self.config, lower_case_table_names)
            self._stack.enter_context(scratch)
            self._scratch = lower_case_table_names, scratch
        return self._scratch[1]

    def _check_database(self, server: str, one: DumpedDatabase, endpoint: Endpoint, made: Checked) -> None:
        rows = sum(count for count, _ in one.tables.values())
        self.progress.start(f"proof {server}: database {one.name}", rows=rows * 2, bytes_=one.bytes)
        came, there = DumpRows(), DumpRows()
        place = f"{server}: database {one.name}"
        try:
            stream = self.repository.read(one.snapshot, one.file)
            try:
                load_dump(endpoint, without_definers(self._counted(came, stream, one.name)))
            except TargetError as error:
                made.findings.append(_unproved(place, error))
                return
            if came.sha256 != one.sha256:
                text = "the dump that came back is not the one that was stored"
                made.findings.append(Finding("backup.damaged", Level.FAIL, place, text, backup.AGAIN))
            for _ in self._counted(there, dump_rows(endpoint), one.name):
                pass
        finally:
            self.progress.finish()
        session = endpoint.open_source()
        with closing(session):
            schema = session.schema()
        sums = {name: (found.rows, found.digest) for name, found in there.tables.items()}
        made.findings += backup.against_restored(server, one, sums, schema)
        made.tables += len(one.tables)
        made.rows += there.rows

    def _counted(self, rows: DumpRows, pieces: Iterator[bytes], place: str) -> Iterator[bytes]:
        seen = 0
        for piece in rows.passing(pieces):
            yield piece
            self.progress.advance(place, rows=rows.rows - seen, bytes_=len(piece))
            seen = rows.rows

    def _check_files(self, manifest: Manifest, made: Checked) -> None:
        wanted = self.config.backup
        chosen = backup.sample(manifest, wanted.sample_files, wanted.small_files, f"{manifest.run} {self.seed}")
        folder = places.folder(self.config) / "read-back"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        names = {
            b"files/" + manifest.places[root].encode("utf-8", "surrogateescape") + b"/" + name: (root, name)
            for root, name in chosen
        }
        self.progress.start(f"proof {manifest.server}: files", rows=len(names), bytes_=0, noun="files")
        try:
            told = self.repository.restore(manifest.snapshot, folder, [*names, backup.CONFIGURATION.encode()])
            for path, (root, name) in names.items():
                self._check_file(manifest, root, name, folder / path.decode("utf-8", "surrogateescape"), made)
            self._check_configuration(manifest, folder / backup.CONFIGURATION, made)
        finally:
            self.progress.finish()
            shutil.rmtree(folder, ignore_errors=True)
        if told:
            made.findings.append(_damage(manifest.server, f"restic could not bring all of it back: {told}"))

    def _check_file(self, manifest: Manifest, root: str, name: bytes, path: Path, made: Checked) -> None:
        place = f"{manifest.server}: {root}/{shown(name)}"
        digest = _sha256(path)
        if digest is None:
            made.findings.append(_damage(place, "it is not in the repository"))
        elif digest != manifest.folders[root][name].content:
            made.findings.append(_damage(place, "it is not the file that was at the source"))
        made.files += 1
        size = manifest.folders[root][name].size
        made.file_bytes += size
        self.progress.advance(root, rows=1, bytes_=size)

    def _check_configuration(self, manifest: Manifest, path: Path, made: Checked) -> None:
        """The seal must open with the key that we have: a backup without its key is none."""
        place = f"{manifest.server}: {backup.CONFIGURATION}"
        if _sha256(path) != manifest.configuration:
            made.findings.append(_damage(place, "it is not what was stored"))
            return
        try:
            unseal(path.read_bytes(), places.seal_key(self.config))
        except ConfigError as error:
            made.findings.append(_unproved(place, error))


def _unproved(place: str, error: CrossdockError) -> Finding:
    return Finding("backup.unproved", Level.FAIL, place, error.what, error.way_out)


def _damage(place: str, text: str) -> Finding:
    return Finding("backup.damaged", Level.FAIL, place, text, backup.AGAIN)


def _sha256(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
