"""Backups of the sources: each server's databases, files and settings into the repository, then proved from there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from crossdock.core.config import Config, Server
from crossdock.core.errors import CrossdockError, LockedError, SourceError, TargetError
from crossdock.core.evidence import Finding, Level
from crossdock.core.files import shown
from crossdock.core.ports import Journal, Progress
from crossdock.edges.database import connect_database, with_socket
from crossdock.edges.dump import RemoteDump
from crossdock.edges.ebs import EbsSnapshot
from crossdock.edges.files import RemoteFiles
from crossdock.edges.mysql import Endpoint
from crossdock.edges.remote_files import RemoteFiles as SmallFiles
from crossdock.edges.restic import RepositoryAbsent, Restic, Snapshot
from crossdock.edges.sealing import seal
from crossdock.edges.server_settings import bundle, read_settings
from crossdock.edges.shared import SharedConnection
from crossdock.edges.ssh import SshHost
from crossdock.edges.wordpress import WordPressFacts, read_wordpress
from crossdock.formats.dump_rows import DumpRows
from crossdock.hub.moves import backup_places as places
from crossdock.hub.moves.access import account, shell
from crossdock.hub.moves.backup_proofs import Checked, Prover
from crossdock.move import backup
from crossdock.move.backup import DatabaseFacts, DumpedDatabase, Manifest
from crossdock.move.backup_files import Pulled, pull
from crossdock.move.gate import PROOF, lacking
from crossdock.move.sessions import over
from crossdock.move.survey import read_blogs
from crossdock.wordpress.installation import uploads

STEP = "backup"
MANIFEST = "manifest.json"
_WAIT_SECONDS = 4 * 3600.0


@dataclass
class Outcome:
    """One server's backup and proof. `manifest` is None where no backup was made."""

    server: str
    manifest: Manifest | None = None
    findings: list[Finding] = field(default_factory=list)
    checked: Checked | None = None
    seconds: float = 0.0
    added_bytes: int = 0

    @property
    def proved(self) -> bool:
        return self.checked is not None and not any(one.level in (Level.FAIL, Level.BLOCK) for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "server": self.server, "proved": self.proved, "seconds": self.seconds, "added_bytes": self.added_bytes,
            **(self.manifest.figures() if self.manifest else {}),
            **(self.checked.figures() if self.checked else {}),
            "findings": [one.as_json() for one in self.findings],
        }  # fmt: skip


class Backups:
    """One project's backups. Nothing is written at a source."""

    def __init__(self, config: Config, journal: Journal, progress: Progress) -> None:
        self.config, self.journal, self.progress = config, journal, progress
        self.repository_id = ""
        self._repository: Restic | None = None

    @property
    def repository(self) -> Restic:
        """The open repository."""
        assert self._repository is not None  # noqa: S101  each step opens it first
        return self._repository

    # -- steps -------------------------------------------------------------------------------------------------------

    def make(self, servers: Sequence[str] = ()) -> list[Outcome]:
        """Backs up these servers (default: all), proves each, and then lets outdated backups go.

        What stops one server is a finding of its own, and the next one goes on. Errors: those of the repository as a
        whole (AccessError, LockedError)."""
        self._open(may_make=True)
        made = []
        for server in self._servers(servers):
            outcome = Outcome(server.name)
            began = time.monotonic()
            try:
                _ServerBackup(self, server, outcome).run()
            except LockedError:
                raise
            except CrossdockError as error:
                outcome.findings.append(_failed(server.name, error))
            except OSError as error:
                told = CrossdockError(f"can't be written: {error.strerror}", where=str(error.filename))
                outcome.findings.append(_failed(server.name, told))
            outcome.seconds = round(time.monotonic() - began, 3)
            made.append(outcome)
        self._prove(made)
        for outcome in made:
            if outcome.proved:
                self._let_go(outcome)
        return made

    def prove(self, servers: Sequence[str] = ()) -> list[Outcome]:
        """Proves the newest backup of these servers (default: all) once more, from the repository alone."""
        self._open(may_make=False)
        made = []
        for server in self._servers(servers):
            outcome = Outcome(server.name)
            try:
                outcome.manifest = self.newest(server.name)
                outcome.findings += backup.still_missing(outcome.manifest)
            except SourceError as error:
                outcome.findings.append(_failed(server.name, error))
            except LockedError:
                raise
            except CrossdockError as error:
                outcome.findings.append(_damaged(server.name, error))
                # Not even its manifest comes back: whatever was proved before does for no gate any more.
                red = {"run": "", "began": "", "repository": self.repository_id, "proved": False, "check": False}
                self.journal.receipt(PROOF, server.name, red)
            made.append(outcome)
        self._prove(made)
        return made

    def newest(self, server: str) -> Manifest:
        """The newest complete backup of a server. Errors: SourceError when there is none."""
        found = self.repository.snapshots([*self.tags(server), "kind:manifest"])
        if not found:
            raise SourceError("there is no backup of it", where=server, way_out=f"{backup.AGAIN} --server {server}")
        return Manifest.of(b"".join(self.repository.read(found[-1].id, MANIFEST)))

    def open(self) -> Restic:
        """The repository, for reading. Errors: AccessError."""
        self._open(may_make=False)
        return self.repository

    # -- parts -------------------------------------------------------------------------------------------------------

    def tags(self, server: str) -> list[str]:
        """What all snapshots of a server bear."""
        return [f"project:{self.config.project.name.replace(',', ' ')}", f"server:{server}"]

    def _servers(self, names: Sequence[str]) -> list[Server]:
        return [server for server in self.config.servers if not names or server.name in names]

    def _open(self, *, may_make: bool) -> None:
        earlier = [one.data["repository"] for one in self.journal.receipts(STEP)]
        self._repository = places.repository(self.config, may_make=may_make)
        place = f"repository {self.repository.repository}"
        try:
            self.repository_id = self.repository.id()
        except RepositoryAbsent as error:
            if not may_make:
                raise SourceError("there is no repository yet", where=place, way_out=backup.AGAIN) from error
            if earlier and self.config.backup.repository is not None and self._was_here(earlier):
                # An unmounted disk looks like this, too: a new repository in its place would hide it.
                way_out = "bring it back (is its disk mounted?), or name another place in [backup] repository"
                raise TargetError("the repository of earlier backups is gone", where=place, way_out=way_out) from error
            self.repository_id = self.repository.init()

    def _was_here(self, earlier: Sequence[str]) -> bool:
        last = [one for one in self.journal.receipts(STEP) if one.data["repository"] == earlier[-1]][-1]
        return bool(last.data["place"] == _place_digest(self.repository))

    def _prove(self, made: Sequence[Outcome]) -> None:
        began = time.monotonic()
        with Prover(self.config, self.repository, self.progress, self.journal) as prover:
            for outcome in made:
                self._read_back(prover, outcome)
        if not any(outcome.manifest for outcome in made):
            for outcome in made:
                self._keep_findings(outcome)
            return
        share, wrong = prover.check_repository()
        for outcome in made:
            if wrong:
                text = f"the repository is damaged: {wrong}"
                way_out = f"{backup.AGAIN} into a new repository; keep this one until it is proved"
                outcome.findings.append(Finding("backup.damaged", Level.FAIL, outcome.server, text, way_out))
            self._keep_proof(outcome, share, not wrong, round(time.monotonic() - began, 3))
        if wrong:
            self._withdraw_others([outcome.server for outcome in made])

    def _withdraw_others(self, looked_at: Sequence[str]) -> None:
        """What is damaged holds the other servers' backups too: their proofs do for no gate any more."""
        for server in self._servers(()):
            proofs = self.journal.receipts(PROOF, server.name)
            if server.name in looked_at or not proofs or proofs[-1].data["repository"] != self.repository_id:
                continue
            if proofs[-1].data["proved"]:
                data = {"run": proofs[-1].data["run"], "began": proofs[-1].data["began"]}
                withdrawn = {**data, "repository": self.repository_id, "proved": False, "check": False}
                self.journal.receipt(PROOF, server.name, withdrawn)

    def _read_back(self, prover: Prover, outcome: Outcome) -> None:
        if outcome.manifest is None:
            return
        try:
            outcome.checked = prover.check(outcome.manifest)
            outcome.findings += outcome.checked.findings
        except LockedError:
            raise
        except CrossdockError as error:
            outcome.findings.append(_damaged(outcome.server, error))

    def _keep_proof(self, outcome: Outcome, share: str, whole: bool, seconds: float) -> None:
        manifest = outcome.manifest
        if manifest is not None:
            data = {
                "run": manifest.run, "began": manifest.began, "repository": self.repository_id,
                "proved": outcome.proved, "checked_share": share, "check": whole, "seconds": seconds,
                **(outcome.checked.figures() if outcome.checked else {}),
                "findings": sum(one.level in (Level.FAIL, Level.BLOCK) for one in outcome.findings),
            }  # fmt: skip
            receipt = self.journal.receipt(PROOF, outcome.server, data)
            old = lacking([receipt], self.config.policies.backup_hours, datetime.now(UTC))
            if old and outcome.proved:
                told = Finding("backup.stale", Level.WARN, outcome.server, old, backup.AGAIN)
                outcome.findings.append(told)
        self._keep_findings(outcome)

    def _keep_findings(self, outcome: Outcome) -> None:
        found = list(outcome.findings)
        if outcome.proved and outcome.manifest is not None:
            text = f"its backup of {outcome.manifest.began} is proved: {outcome.manifest.rows} rows came back"
            found.append(Finding("backup.proved", Level.INFO, outcome.server, text))
        for one in found:
            self.journal.finding(one, step=f"{STEP} {outcome.server}")

    def _let_go(self, outcome: Outcome) -> None:
        """Forgets what the policy lets go, and what killed runs have left: snapshots without a manifest."""
        found = self.repository.snapshots(self.tags(outcome.server))
        runs = {one.id: _run_of(one) for one in found}
        manifests = [one for one in found if "kind:manifest" in one.tags]
        keep = self.config.backup
        policy = {"daily": keep.keep_daily, "weekly": keep.keep_weekly, "monthly": keep.keep_monthly}
        gone: set[str] = set()
        if len(manifests) > 1:
            tags = [*self.tags(outcome.server), "kind:manifest"]
            gone = {runs[one] for one in self.repository.outdated(tags, policy) if one in runs}
        assert outcome.manifest is not None  # noqa: S101  it is proved
        complete = {runs[one.id] for one in manifests} - gone | {outcome.manifest.run}
        outdated = [one for one, run in runs.items() if run not in complete]
        self.repository.forget(outdated)
        if outdated:
            self.journal.receipt(
                "backup.retention", outcome.server, {"forgotten": len(outdated), "kept": len(complete)}
            )


class _ServerBackup:
    """One server's way into the repository."""

    def __init__(self, backups: Backups, server: Server, outcome: Outcome) -> None:
        self.backups, self.server, self.outcome = backups, server, outcome
        self.config, self.progress, self.repository = backups.config, backups.progress, backups.repository
        began = datetime.now(UTC).isoformat(timespec="seconds")
        self.manifest = Manifest(self.config.project.name, server.name, backups.journal.run, began)
        self.spool = places.spool(self.config, server.name)

    def run(self) -> None:
        """Everything in order; the manifest last, which makes it complete."""
        began = time.monotonic()
        volumes = self._snapshot_volumes()
        with ExitStack() as stack:
            host = stack.enter_context(SharedConnection(shell(self.server.name, self.server))).host
            facts = read_wordpress(host, self.server.root)
            connected = connect_database(host, account(self.server.database, facts), transport=self.server.transport)
            stack.callback(connected.close)
            self._store_databases(host, facts, connected.endpoint)
            roots = self._roots(facts, connected.endpoint)
            pulled = self._pull(host, roots)
            self._seal_configuration(host, pulled)
            self._store_files(roots, pulled)
        self._wait_for_volumes(volumes)
        self.manifest.missing = [(one.place, one.text) for one in self.outcome.findings if one.level is Level.FAIL]
        body = self.manifest.as_bytes()
        self._store(iter([body]), MANIFEST, "manifest")
        self.outcome.manifest = self.manifest
        data = {
            **self.manifest.figures(), "run": self.manifest.run, "began": self.manifest.began,
            "repository": self.backups.repository_id, "place": _place_digest(self.repository),
            "manifest": hashlib.sha256(body).hexdigest(), "added_bytes": self.outcome.added_bytes,
            "carried_files": pulled.carried_files, "carried_bytes": pulled.carried_bytes,
            "seconds": round(time.monotonic() - began, 3),
        }  # fmt: skip
        self.backups.journal.receipt(STEP, self.server.name, data)

    # -- databases ---------------------------------------------------------------------------------------------------

    def _store_databases(self, host: SshHost, wordpress: WordPressFacts, endpoint: Endpoint) -> None:
        own = with_socket(host, account(self.server.database, wordpress))
        for name in (own.database, *self.config.backup.databases.get(self.server.name, ())):
            facts = over(replace(endpoint, database=name).open_source, partial(backup.read_database, name=name))
            self.outcome.findings += backup.told_of(self.server.name, facts)
            self.manifest.databases.append(self._store_database(RemoteDump(host, own), facts))

    def _store_database(self, dump: RemoteDump, facts: DatabaseFacts) -> DumpedDatabase:
        rows, locked = DumpRows(), dict[str, float]()
        stage = f"backup {self.server.name}: database {facts.name}"
        self.progress.start(stage, rows=facts.rows_estimate, bytes_=facts.bytes_estimate)
        try:
            pieces = self._counted(rows.passing(_parts(dump, facts, rows, locked)), rows, facts.name)
            snapshot = self._store(pieces, backup.dump_file(facts.name), "dump")
        finally:
            self.progress.finish()
        sums = {name: (one.rows, one.digest) for name, one in rows.tables.items()}
        return backup.dumped(facts, snapshot, (rows.sha256, rows.bytes, rows.position), sums, locked)

    def _counted(self, pieces: Iterator[bytes], rows: DumpRows, place: str) -> Iterator[bytes]:
        seen = 0
        for piece in pieces:
            yield piece
            self.progress.advance(place, rows=rows.rows - seen, bytes_=len(piece))
            seen = rows.rows

    # -- files and settings ------------------------------------------------------------------------------------------

    def _roots(self, facts: WordPressFacts, endpoint: Endpoint) -> list[str]:
        """The WordPress folder, its content and uploads where they lie elsewhere, and what crossdock.toml names."""
        here = facts.installation
        blogs = over(endpoint.open_source, lambda session: read_blogs(session, session.schema(), here))
        stores = [uploads(here, blog).folder for blog in blogs]
        named = self.config.backup.folders.get(self.server.name, ())
        return backup.distinct_roots([self.server.root, here.content_dir, *stores, *named])

    def _pull(self, host: SshHost, roots: Sequence[str]) -> Pulled:
        limit = self.config.files.bandwidth_kib_per_second
        files = RemoteFiles(host, bandwidth_kib=limit)
        pulled = pull(files, roots, self.config.backup.exclude, self.spool, self.progress)
        self.outcome.findings += pulled.findings
        self.manifest.folders, self.manifest.changing = pulled.folders, pulled.changing
        return pulled

    def _seal_configuration(self, host: SshHost, pulled: Pulled) -> None:
        """Settings of the server and files with credentials, encrypted before they touch a disk of ours."""
        above = f"{self.server.root.rpartition('/')[0]}/wp-config.php"
        settings = read_settings(host, self.server.web_config or ())
        names = list(dict.fromkeys([*(path.decode("utf-8", "surrogateescape") for path in pulled.secrets), above]))
        for name in names:
            settings |= self._secret_file(host, name)
        sealed = seal(bundle(settings), places.seal_key(self.config, may_make=True))
        (self.spool.root / backup.CONFIGURATION).write_bytes(sealed)
        self.manifest.sealed = [name for name in names if f"files{name}" in settings]
        self.manifest.configuration = hashlib.sha256(sealed).hexdigest()

    def _secret_file(self, host: SshHost, name: str) -> dict[str, bytes]:
        try:
            found = SmallFiles(host).read([name])
        except TargetError as error:
            place = f"{self.server.name}: {shown(name.encode('utf-8', 'surrogateescape'))}"
            text = f"can't be read, and is missing in the backup: {error.what}"
            way_out = "let the account read it, or leave it out by name: [backup] exclude"
            self.outcome.findings.append(Finding("backup.unreadable", Level.FAIL, place, text, way_out))
            return {}
        return {f"files{path}": one.content for path, one in found.items()}

    def _store_files(self, roots: Sequence[str], pulled: Pulled) -> None:
        self.manifest.places = {root: Path(self.spool.folder(root)).name for root in roots}
        total = self.manifest.file_bytes
        self.progress.start(
            f"backup {self.server.name}: into the repository", rows=self.manifest.files, bytes_=total, noun="files"
        )
        names = ["files", backup.CONFIGURATION]
        try:
            stored = self.repository.store_folder(
                self.spool.root, names, self.server.name, self._labels("files"), self._advance
            )
        finally:
            self.progress.finish()
        self.manifest.snapshot = stored.snapshot
        self.outcome.added_bytes += stored.added

    def _advance(self, files: int, bytes_: int) -> None:
        self.progress.advance(self.server.name, rows=files, bytes_=bytes_)

    def _store(self, pieces: Iterator[bytes], name: str, kind: str) -> str:
        stored = self.repository.store_stream(pieces, name, self.server.name, self._labels(kind))
        self.outcome.added_bytes += stored.added
        return stored.snapshot

    def _labels(self, kind: str) -> list[str]:
        return [*self.backups.tags(self.server.name), f"run:{self.manifest.run}", f"kind:{kind}"]

    # -- volumes -----------------------------------------------------------------------------------------------------

    def _snapshot_volumes(self) -> list[EbsSnapshot]:
        there = places.ebs(self.config, self.server.name)
        if there is None:
            return []
        region, instance = there
        tags = {"crossdock:project": self.config.project.name, "crossdock:server": self.server.name,
                "crossdock:run": self.manifest.run}  # fmt: skip
        return region.create(instance, tags)

    def _wait_for_volumes(self, begun: list[EbsSnapshot]) -> None:
        there = places.ebs(self.config, self.server.name)
        if there is None or not begun:
            return
        found = there[0].wait(begun, _WAIT_SECONDS)
        self.manifest.volumes = {one.id: one.volume for one in found}
        for one in found:
            if one.state != "completed":
                text = f"the snapshot of volume {one.volume} is {one.state}"
                way_out = "look at it in the AWS console; the files' own backup does not depend on it"
                self.outcome.findings.append(Finding("backup.volume", Level.WARN, one.id, text, way_out))


def _parts(dump: RemoteDump, facts: DatabaseFacts, rows: DumpRows, locked: dict[str, float]) -> Iterator[bytes]:
    """A whole database as one stream: the consistent view first, then each table without transactions under a read
    lock of its own, whose seconds go into `locked`. A dump that has not come to its end raises SourceError."""
    without = [*facts.locked, *facts.broken]
    yield from dump.tables(
        facts.name, without=without, events=facts.events, routines=facts.routines, position=facts.position
    )
    for number, table in enumerate([*facts.locked, ""], start=1):
        if rows.ends != number:
            raise SourceError(
                "the dump ended before its last line, '-- Dump completed'",
                where=f"database {facts.name}",
                way_out=f"{backup.AGAIN}: nothing of this one counts",
            )
        if table:
            began = time.monotonic()
            yield from dump.locked_table(facts.name, table)
            locked[table] = round(time.monotonic() - began, 3)


def _failed(server: str, error: CrossdockError) -> Finding:
    place = f"{server}: {error.where}" if error.where else server
    return Finding("backup.failed", Level.FAIL, place, error.what, error.way_out or backup.AGAIN)


def _damaged(server: str, error: CrossdockError) -> Finding:
    text = f"it can't be read back: {error.what}"
    return Finding("backup.damaged", Level.FAIL, server, text, error.way_out or f"{backup.AGAIN} into a new repository")


def _run_of(snapshot: Snapshot) -> str:
    return next((tag.removeprefix("run:") for tag in snapshot.tags if tag.startswith("run:")), "")


def _place_digest(repository: Restic) -> str:
    """Where the repository was, without telling where: a receipt may be read by others."""
    return hashlib.sha256(repository.repository.encode()).hexdigest()[:16]
