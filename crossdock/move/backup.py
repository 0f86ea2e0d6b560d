"""What a backup is: its manifest, what of it is read back, and what that proves. Pure, but for `read_database`.

A backup is complete when its manifest is in the repository: it is stored last, and names everything else.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from crossdock.core.errors import AccessError, ConnectionLost, CrossdockError, SourceError
from crossdock.core.evidence import Finding, Level
from crossdock.core.files import FILE, shown
from crossdock.core.ports import Session
from crossdock.core.tables import Schema
from crossdock.wordpress.ddl import quoted

FORMAT = 1
SMALL_BYTES = 64 << 10
#: A file below the folder that is kept sealed, and never plain.
CONFIGURATION = "configuration.sealed"
_TRANSACTIONAL = "InnoDB"
_NAMED = 5
_MIB = 1 << 20
AGAIN = "crossdock move backup"


@dataclass(frozen=True)
class DatabaseFacts:
    """What decides how a database is dumped. `locked`: tables without transactions; `broken`: definitions of views
    that the server itself can't read; `floats`: columns whose values a dump rounds; `objects`: names by kind."""

    name: str
    tables: tuple[str, ...]
    locked: tuple[str, ...]
    broken: Mapping[str, str]
    floats: tuple[str, ...]
    objects: Mapping[str, tuple[str, ...]]
    rows_estimate: int
    bytes_estimate: int
    lower_case_table_names: str
    events: bool = True
    routines: bool = True
    position: bool = False


@dataclass
class DumpedDatabase:
    """A database in the repository. `tables`: rows and the sum of their hashes, by name; `locked`: seconds by table;
    `left_views`: definitions of views that no dump can hold."""

    name: str
    snapshot: str
    file: str
    sha256: str
    bytes: int
    position: str
    lower_case_table_names: str
    tables: dict[str, tuple[int, str]]
    locked: dict[str, float]
    objects: dict[str, list[str]]
    left_views: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptFile:
    """A name below a kept folder. `content`: a file's SHA-256, empty where it was written while it was read; or a
    link's target."""

    kind: str
    mode: int
    size: int
    mtime: int
    content: str


@dataclass
class Manifest:
    """One server's backup. `folders`: what is kept below each, by name; `places`: each folder's name in the snapshot;
    `sealed`: files that are in the sealed configuration instead; `missing`: places that could not be read, and why."""

    project: str
    server: str
    run: str
    began: str
    databases: list[DumpedDatabase] = field(default_factory=list)
    snapshot: str = ""
    folders: dict[str, dict[bytes, KeptFile]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    changing: list[str] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)
    configuration: str = ""
    volumes: dict[str, str] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(rows for one in self.databases for rows, _ in one.tables.values())

    @property
    def files(self) -> int:
        return sum(one.kind == FILE for kept in self.folders.values() for one in kept.values())

    @property
    def file_bytes(self) -> int:
        return sum(one.size for kept in self.folders.values() for one in kept.values() if one.kind == FILE)

    @property
    def lock_seconds(self) -> float:
        return round(sum(seconds for one in self.databases for seconds in one.locked.values()), 3)

    def figures(self) -> dict[str, Any]:
        """The counts that receipts hold."""
        return {
            "databases": len(self.databases), "tables": sum(len(one.tables) for one in self.databases),
            "rows": self.rows, "dump_bytes": sum(one.bytes for one in self.databases), "files": self.files,
            "file_bytes": self.file_bytes, "sealed_files": len(self.sealed),
            "locked_tables": sum(len(one.locked) for one in self.databases), "lock_seconds": self.lock_seconds,
            "snapshots": [*(one.snapshot for one in self.databases), self.snapshot],
            "volume_snapshots": sorted(self.volumes),
        }  # fmt: skip

    def as_bytes(self) -> bytes:
        """As it lies in the repository."""
        data = {
            **asdict(self),
            "folders": {
                root: {_text(name): list(asdict(one).values()) for name, one in kept.items()}
                for root, kept in self.folders.items()
            },
        }
        return json.dumps(data, ensure_ascii=True).encode("ascii")

    @classmethod
    def of(cls, content: bytes) -> Manifest:
        """Errors: CrossdockError when it is none, or of a later version."""
        try:
            data = json.loads(content)
            if data.pop("format") > FORMAT:
                raise CrossdockError("the backup is of a later Crossdock", way_out="use that one")
            databases = [
                DumpedDatabase(
                    **{**one, "tables": {name: (rows, sum_) for name, (rows, sum_) in one["tables"].items()}}
                )
                for one in data.pop("databases")
            ]
            folders = {
                root: {_bytes(name): KeptFile(*fields) for name, fields in kept.items()}
                for root, kept in data.pop("folders").items()
            }
            missing = [(place, text) for place, text in data.pop("missing")]
            return cls(**data, databases=databases, folders=folders, missing=missing)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CrossdockError("the backup's manifest can't be read") from error


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


# -- what is there ---------------------------------------------------------------------------------------------------


def read_database(session: Session, name: str) -> DatabaseFacts:
    """Facts of the session's database."""
    schema = session.schema()
    # What the dump's program asks of each view; one that fails would end the whole dump.
    broken = {
        code.name: code.create_sql
        for code in schema.stored_code
        if code.kind == "view" and not _may(session, f"SHOW FIELDS FROM {quoted(code.name)}")
    }
    objects: dict[str, list[str]] = {}
    for code in schema.stored_code:
        if code.name not in broken:
            objects.setdefault(code.kind, []).append(code.name)
    server = session.server(("log_bin", "lower_case_table_names"))
    return DatabaseFacts(
        name=name,
        tables=tuple(table.name for table in schema.tables),
        locked=tuple(table.name for table in schema.tables if table.engine != _TRANSACTIONAL),
        broken=broken,
        floats=tuple(
            f"{table.name}.{column.name}"
            for table in schema.tables
            for column in table.columns
            if column.type_name == "float"
        ),
        objects={kind: tuple(sorted(names)) for kind, names in objects.items()},
        rows_estimate=sum(table.rows_estimate for table in schema.tables),
        bytes_estimate=sum(table.bytes_estimate for table in schema.tables),
        lower_case_table_names=server.variables.get("lower_case_table_names", "0"),
        events=_may(session, "SHOW EVENTS"),
        routines=_reads_routines(session, schema),
        # Only MariaDB tells the position of a transaction's view without a global lock.
        position="mariadb" in server.version.lower()
        and server.variables.get("log_bin", "OFF").upper() in ("ON", "1")
        and _may(session, "SHOW MASTER STATUS"),
    )


def _may(session: Session, sql: str) -> bool:
    try:
        session.query(sql)
    except ConnectionLost:
        raise
    except (SourceError, AccessError):
        return False
    return True


def _reads_routines(session: Session, schema: Schema) -> bool:
    for code in schema.stored_code:
        if code.kind in ("procedure", "function"):
            row = session.query(f"SHOW CREATE {code.kind.upper()} {quoted(code.name)}")[0]
            if row[2] is None:
                return False
    return True


def told_of(server: str, facts: DatabaseFacts) -> Iterator[Finding]:
    """What the backup of a database leaves out, or rounds."""
    place = f"{server}: database {facts.name}"
    if facts.broken:
        text = f"{_named(list(facts.broken))} can't be read by the server itself: kept as text alone"
        yield Finding("backup.view-broken", Level.WARN, place, text, "mend or drop them")
    for allowed, what, right in ((facts.events, "events", "EVENT"), (facts.routines, "routines", "SELECT ON mysql.*")):
        if not allowed:
            text = f"the account may not read {what}: they are not in the backup"
            yield Finding("backup.partial", Level.WARN, place, text, f"GRANT {right} to the account of the dump")
    if facts.floats:
        text = f"{len(facts.floats)} FLOAT columns, which mariadb-dump rounds to 6 digits: {_named(facts.floats)}"
        yield Finding("backup.rounded", Level.INFO, place, text)


def dumped(
    facts: DatabaseFacts,
    snapshot: str,
    stream: tuple[str, int, str],
    sums: Mapping[str, tuple[int, str]],
    locked: Mapping[str, float],
) -> DumpedDatabase:
    """A dump that has come to its end. `stream`: SHA-256, bytes, position."""
    empty = (0, f"{0:032x}")
    objects = {
        kind: list(names)
        for kind, names in facts.objects.items()
        if (facts.events or kind != "event") and (facts.routines or kind not in ("procedure", "function"))
    }
    return DumpedDatabase(
        facts.name, snapshot, dump_file(facts.name), *stream, facts.lower_case_table_names,
        {name: sums.get(name, empty) for name in sorted({*facts.tables, *sums})}, dict(locked), objects,
        dict(facts.broken),
    )  # fmt: skip


def dump_file(database: str) -> str:
    """The file of a database in its snapshot."""
    return f"{database.replace('/', '%2F')}.sql"


# -- proving ---------------------------------------------------------------------------------------------------------


def against_restored(
    server: str, one: DumpedDatabase, found: Mapping[str, tuple[int, str]], schema: Schema
) -> list[Finding]:
    """What differs between a dump as it passed and the database that its copy in the repository became."""
    made: list[Finding] = []
    there = {table.name for table in schema.tables}
    for name, (rows, digest) in one.tables.items():
        place = f"{server}: {one.name}.{name}"
        got_rows, got = found.get(name, (0, f"{0:032x}"))
        if name not in there:
            made.append(_unproved(place, "the restored database lacks this table"))
        elif got_rows != rows:
            made.append(_unproved(place, f"{rows} rows were dumped, {got_rows} restored"))
        elif got != digest:
            made.append(_unproved(place, "restored rows differ from those that were dumped"))
    for name in sorted(there - set(one.tables)):
        made.append(_unproved(f"{server}: {one.name}.{name}", "the restored database has a table that was not dumped"))
    have: dict[str, set[str]] = {}
    for code in schema.stored_code:
        have.setdefault(code.kind, set()).add(code.name)
    for kind in sorted({*one.objects, *have}):
        wrong = sorted(set(one.objects.get(kind, ())) ^ have.get(kind, set()))
        if wrong:
            made.append(_unproved(f"{server}: {one.name}", f"{kind}s are not the same: {_named(wrong)}"))
    return made


def _unproved(place: str, text: str) -> Finding:
    return Finding("backup.unproved", Level.FAIL, place, text, f"{AGAIN}; if it comes again, look at this table")


def sample(manifest: Manifest, any_size: int, small: int, seed: str) -> list[tuple[str, bytes]]:
    """Files to read back, by folder and name: all small ones if they are no more than `small`, else so many of them,
    and `any_size` of the others. The same seed gives the same files."""
    chance = random.Random(seed)  # noqa: S311  a sample, no secret
    steady = [
        (root, name, one.size)
        for root, kept in manifest.folders.items()
        for name, one in kept.items()
        if one.kind == FILE and one.content
    ]
    little = [(root, name) for root, name, size in steady if size <= SMALL_BYTES]
    large = [(root, name) for root, name, size in steady if size > SMALL_BYTES]
    first = little if len(little) <= small else chance.sample(little, small)
    chosen = set(first)
    rest = large + [one for one in little if one not in chosen]
    return sorted([*first, *(rest if len(rest) <= any_size else chance.sample(rest, any_size))])


def subset(stored_bytes: int, read_all_mib: int) -> str:
    """How much of a repository a check reads: all up to a size, beyond it a share of about that size, at least 1 %."""
    share = read_all_mib * _MIB * 100 // max(stored_bytes, 1)
    return "100%" if share >= 100 else f"{max(share, 1)}%"


# -- files -----------------------------------------------------------------------------------------------------------


def is_secret(name: bytes) -> bool:
    """Files that hold credentials in plain text, and so are kept sealed: wp-config.php with its copies, and .env."""
    last = name.rpartition(b"/")[2].lower()
    return (b"wp-config" in last and last != b"wp-config-sample.php") or last.startswith(b".env")


def distinct_roots(folders: Iterable[str]) -> list[str]:
    """The folders without those that lie below another one."""
    given = list(dict.fromkeys(f"{one.rstrip('/')}/" for one in folders if one))
    kept = [one for one in given if not any(other != one and one.startswith(other) for other in given)]
    return [one.rstrip("/") or "/" for one in kept]


def still_missing(manifest: Manifest) -> Iterator[Finding]:
    """What could not be read when the backup was made: no later proof makes it whole."""
    for place, text in manifest.missing:
        yield Finding("backup.unreadable", Level.FAIL, place, text, f"let the account read it, then {AGAIN}")


def unreadable(server: str, names: Sequence[bytes], folders: int, root: str) -> Iterator[Finding]:
    """What the account can't read, which makes the backup incomplete."""
    way_out = "let the account read it, or leave it out by name: [backup] exclude"
    if names:
        text = (
            f"{len(names)} files can't be read, and are missing in the backup: {_named([shown(one) for one in names])}"
        )
        yield Finding("backup.unreadable", Level.FAIL, f"{server}: {root}", text, way_out, {"files": len(names)})
    if folders:
        text = f"{folders} folders can't be read, and all in them is missing in the backup"
        yield Finding("backup.unreadable", Level.FAIL, f"{server}: {root}", text, way_out, {"folders": folders})


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
