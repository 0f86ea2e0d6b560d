"""The copy's state in the target database: `crossdock_*` tables, committed together with the rows they speak of.

Every writing transaction first takes a shared lock on the claim's row with its own generation. A new run raises the
generation, so a process of an earlier run that comes back to life (a zombie) finds no row and rolls back.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from crossdock.core.errors import LockedError, TargetError
from crossdock.core.ports import Session
from crossdock.move.chunks import Chunk
from crossdock.wordpress.people import Directory, People, Placement

CLAIM, TABLE, CHUNK, PERSON, USER, UNDO = (
    "crossdock_claim",
    "crossdock_table",
    "crossdock_chunk",
    "crossdock_person",
    "crossdock_user",
    "crossdock_undo",
)
DISCARDED = "being discarded"
_ROWS_A_STATEMENT = 1000
_OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
_DDL = (
    f"CREATE TABLE IF NOT EXISTS {CLAIM} (name VARCHAR(20) PRIMARY KEY, plan CHAR(64) NOT NULL, environment VARCHAR(20)"
    " NOT NULL, generation INT NOT NULL, first_blog BIGINT NOT NULL, largest_host_user BIGINT NOT NULL,"
    f" since VARCHAR(40) NOT NULL, holder VARCHAR(200) NOT NULL) {_OPTIONS}",
    f"CREATE TABLE IF NOT EXISTS {TABLE} (server VARCHAR(64), source VARCHAR(64), target VARCHAR(64) NOT NULL,"
    " created TINYINT NOT NULL DEFAULT 0, keyed TINYINT NOT NULL DEFAULT 0, linked TINYINT NOT NULL DEFAULT 0,"
    f" shared TINYINT NOT NULL DEFAULT 0, PRIMARY KEY (server, source)) {_OPTIONS}",
    f"CREATE TABLE IF NOT EXISTS {CHUNK} (server VARCHAR(64), source VARCHAR(64), part INT, lo DECIMAL(20,0),"
    " hi DECIMAL(20,0), done TINYINT NOT NULL DEFAULT 0, rows_source BIGINT NOT NULL DEFAULT 0, rows_target BIGINT NOT"
    " NULL DEFAULT 0, position TEXT, declared TEXT, broken MEDIUMTEXT,"
    f" PRIMARY KEY (server, source, part)) {_OPTIONS}",
    f"CREATE TABLE IF NOT EXISTS {PERSON} (email_key VARCHAR(255) PRIMARY KEY, user_id BIGINT NOT NULL) {_OPTIONS}",
    f"CREATE TABLE IF NOT EXISTS {USER} (server VARCHAR(64), source_id BIGINT, target_id BIGINT NOT NULL,"
    " merged TINYINT NOT NULL, login VARCHAR(60) NOT NULL, nicename VARCHAR(60) NOT NULL, reason VARCHAR(200) NOT NULL,"
    f" PRIMARY KEY (server, source_id)) {_OPTIONS}",
    f"CREATE TABLE IF NOT EXISTS {UNDO} (number INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100) NOT NULL UNIQUE,"
    f" before_value LONGTEXT) {_OPTIONS}",
)


@dataclass(frozen=True)
class Claim:
    """Whose copy is in the target. `generation` counts the runs that worked on it."""

    plan: str
    environment: str
    generation: int
    first_blog: int
    largest_host_user: int


@dataclass(frozen=True)
class ChunkResult:
    """What one chunk gave. `position`: the source's binlog coordinate of its snapshot, if there is one."""

    rows_source: int
    rows_target: int
    position: dict[str, Any]
    declared: dict[str, int] = field(default_factory=dict)
    broken: tuple[tuple[str, str], ...] = ()


@dataclass
class TableState:
    """Progress of one table, with its chunks."""

    target: str
    created: bool
    keyed: bool
    linked: bool
    chunks: dict[int, tuple[Chunk, bool]] = field(default_factory=dict)

    @property
    def open_chunks(self) -> list[Chunk]:
        return [chunk for chunk, done in self.chunks.values() if not done]


def create(session: Session) -> None:
    """Makes the state tables where they are missing."""
    for statement in _DDL:
        session.execute(statement)


def read_claim(session: Session) -> Claim | None:
    rows = session.query(f"SELECT plan, environment, generation, first_blog, largest_host_user FROM {CLAIM}")
    if not rows:
        return None
    plan, environment, generation, first_blog, largest = ((value or b"").decode() for value in rows[0])
    return Claim(plan, environment, int(generation), int(first_blog), int(largest))


def take(session: Session, *, plan: str, environment: str, first_blog: int, largest_host_user: int) -> int:
    """Claims the target for a plan and opens a new generation; returns it.

    Errors: LockedError when another run holds the database's lock right now (it ends with that run's connection);
    TargetError when another plan's copy is in the target.
    """
    lock(session, environment)
    create(session)
    claim = read_claim(session)
    if claim is not None and claim.plan != plan:
        raise TargetError(
            "a copy is half taken back in the target"
            if claim.plan == DISCARDED
            else f"the copy of another plan ({claim.plan[:12]}) is in the target",
            where=f"environment {environment}",
            way_out=f"crossdock move discard --from {environment} removes it, then copy again",
        )
    generation = claim.generation + 1 if claim else 1
    if claim is None:
        session.execute(
            f"INSERT INTO {CLAIM} VALUES ('copy', %s, %s, %s, %s, %s, %s, %s)",
            (plan, environment, generation, first_blog, largest_host_user, _now(), _myself()),
        )
    else:
        session.execute(f"UPDATE {CLAIM} SET generation = %s, holder = %s WHERE name = 'copy'", (generation, _myself()))
    session.execute("COMMIT")
    return generation


def take_again(session: Session, environment: str, generation: int, connection: int) -> None:
    """Takes the lock back after the session that held it was lost. `connection`: that session's number, which may
    still hold it on the server. Errors: LockedError when another run was faster."""
    holder = session.query("SELECT IS_USED_LOCK(%s)", (_lock_name(session),))[0][0]
    if holder is not None and int(holder) == connection:
        with suppress(TargetError):  # it ended by itself meanwhile
            session.execute(f"KILL CONNECTION {connection}")
    lock(session, environment)
    claim = read_claim(session)
    if claim is None or claim.generation != generation:
        raise LockedError(
            "a newer run has taken over this copy",
            where=f"environment {environment}",
            way_out="leave it to the newer run",
        )


def lock(session: Session, environment: str) -> None:
    """Takes the target's lock, which ends with this session. Errors: LockedError naming who has it."""
    name = _lock_name(session)
    if session.query("SELECT GET_LOCK(%s, 5)", (name,))[0][0] == b"1":
        return
    number = session.query("SELECT IS_USED_LOCK(%s)", (name,))[0][0]
    rows = session.query("SHOW TABLES LIKE %s", (CLAIM.replace("_", "\\_"),))
    told = session.query(f"SELECT holder FROM {CLAIM}") if rows else []
    who = (told[0][0] or b"").decode() if told else "one that has only begun"
    raise LockedError(
        f"another run works on this target: {who}",
        where=f"environment {environment}",
        way_out="wait until it ends, or stop it; when its machine is gone, end its connection on the target database: "
        f"KILL {(number or b'?').decode()}",
    )


def _lock_name(session: Session) -> str:
    schema = (session.query("SELECT DATABASE()")[0][0] or b"").decode()
    return f"crossdock:{schema}"[:64]


def _myself() -> str:
    return f"process {os.getpid()} on {socket.gethostname()} since {_now()}"[:200]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def fence(session: Session, generation: int) -> None:
    """Opens a transaction that lives only while `generation` is the newest. Errors: LockedError for a zombie."""
    session.execute("START TRANSACTION")
    sql = f"SELECT generation FROM {CLAIM} WHERE name = 'copy' AND generation = %s LOCK IN SHARE MODE"
    if not session.query(sql, (generation,)):
        session.execute("ROLLBACK")
        raise LockedError("a newer run has taken over this copy", way_out="leave it to the newer run")


def add_table(
    session: Session, server: str, source: str, target: str, *, shared: bool, chunks: Sequence[Chunk]
) -> None:
    """Registers a table with its chunks, once; a table that is registered keeps the chunks it has."""
    if session.execute(
        f"INSERT IGNORE INTO {TABLE} (server, source, target, shared) VALUES (%s, %s, %s, %s)",
        (server, source, target, int(shared)),
    ):
        _insert_chunks(session, chunks)


def _insert_chunks(session: Session, chunks: Iterable[Chunk]) -> None:
    rows = ((one.server, one.source, one.part, one.lo, one.hi) for one in chunks)
    _insert(session, f"INSERT IGNORE INTO {CHUNK} (server, source, part, lo, hi)", rows)


def _insert(session: Session, head: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Many rows a statement: over a tunnel each statement is a round trip."""
    waiting = iter(rows)
    while batch := list(islice(waiting, _ROWS_A_STATEMENT)):
        values = "(" + ", ".join(["%s"] * len(batch[0])) + ")"
        session.execute(f"{head} VALUES {', '.join([values] * len(batch))}", [value for row in batch for value in row])


def tables(session: Session) -> dict[tuple[str, str], TableState]:
    """All registered tables by (server, source name)."""
    found: dict[tuple[str, str], TableState] = {}
    for row in session.query(f"SELECT server, source, target, created, keyed, linked FROM {TABLE}"):
        server, source, target, created, keyed, linked = ((value or b"").decode() for value in row)
        found[server, source] = TableState(target, created == "1", keyed == "1", linked == "1")
    for row in session.query(f"SELECT server, source, part, lo, hi, done FROM {CHUNK} ORDER BY part"):
        server, source = (row[0] or b"").decode(), (row[1] or b"").decode()
        part = int(row[2] or 0)
        chunk = Chunk(server, source, part, _number(row[3]), _number(row[4]))
        found[server, source].chunks[part] = (chunk, row[5] == b"1")
    return found


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def own_tables(session: Session) -> list[str]:
    """Target names of the tables that this copy made (not the shared ones)."""
    return [(row[0] or b"").decode() for row in session.query(f"SELECT DISTINCT target FROM {TABLE} WHERE shared = 0")]


def mark_table(session: Session, server: str, source: str, step: str) -> None:
    """`step` is created, keyed or linked."""
    if step not in ("created", "keyed", "linked"):
        raise ValueError(step)
    session.execute(f"UPDATE {TABLE} SET {step} = 1 WHERE server = %s AND source = %s", (server, source))


def finish_chunk(session: Session, chunk: Chunk, result: ChunkResult) -> None:
    """Marks a chunk done in the transaction that holds its rows. Errors: LockedError when it is done already."""
    hit = session.execute(
        f"UPDATE {CHUNK} SET done = 1, rows_source = %s, rows_target = %s, position = %s, declared = %s, broken = %s "
        "WHERE server = %s AND source = %s AND part = %s AND done = 0",
        (
            result.rows_source,
            result.rows_target,
            json.dumps(result.position),
            json.dumps(result.declared),
            json.dumps(result.broken),
            chunk.server,
            chunk.source,
            chunk.part,
        ),
    )
    if hit != 1:
        session.execute("ROLLBACK")
        raise LockedError("a chunk was loaded by another run", where=f"{chunk.server}.{chunk.source}")


def result_of(session: Session, chunk: Chunk) -> ChunkResult | None:
    """What a chunk gave that is done; None for an open one. A COMMIT whose answer was lost may have gone through."""
    sql = (
        f"SELECT rows_source, rows_target, position, declared, broken FROM {CHUNK} "
        "WHERE server = %s AND source = %s AND part = %s AND done = 1"
    )
    for row in session.query(sql, (chunk.server, chunk.source, chunk.part)):
        source, target, *rest = ((value or b"").decode() for value in row)
        position, declared, broken = (json.loads(value) for value in rest)
        return ChunkResult(int(source), int(target), position, declared, tuple((one[0], one[1]) for one in broken))
    return None


def split_chunk(session: Session, generation: int, chunk: Chunk, middle: int, part: int) -> tuple[Chunk, Chunk]:
    """Cuts a chunk that is not done at `middle`; the upper half gets number `part`. Repeated, it changes nothing."""
    lower = Chunk(chunk.server, chunk.source, chunk.part, chunk.lo, middle)
    upper = Chunk(chunk.server, chunk.source, part, middle, chunk.hi)
    fence(session, generation)
    session.execute(
        f"UPDATE {CHUNK} SET hi = %s WHERE server = %s AND source = %s AND part = %s AND done = 0",
        (middle, chunk.server, chunk.source, chunk.part),
    )
    _insert_chunks(session, [upper])
    session.execute("COMMIT")
    return lower, upper


@dataclass
class TableTotals:
    """Sums over a table's chunks. `position`: the smallest of its chunks', from which a follow must start."""

    target: str
    rows_source: int = 0
    rows_target: int = 0
    declared: dict[str, int] = field(default_factory=dict)
    broken: list[tuple[str, str]] = field(default_factory=list)
    position: dict[str, Any] = field(default_factory=dict)


def totals(session: Session) -> dict[tuple[str, str], TableTotals]:
    """What was copied, by (server, source table)."""
    found: dict[tuple[str, str], TableTotals] = {}
    sql = (
        f"SELECT c.server, c.source, t.target, c.rows_source, c.rows_target, c.position, c.declared, c.broken "
        f"FROM {CHUNK} c JOIN {TABLE} t ON t.server = c.server AND t.source = c.source WHERE c.done = 1 ORDER BY c.part"
    )
    for row in session.query(sql):
        server, source, target, *rest = ((value or b"").decode() for value in row)
        total = found.setdefault((server, source), TableTotals(target))
        total.rows_source += int(rest[0])
        total.rows_target += int(rest[1])
        position = json.loads(rest[2] or "{}")
        if not total.position or _coordinate(position) < _coordinate(total.position):
            total.position = position
        for reason, count in json.loads(rest[3] or "{}").items():
            total.declared[reason] = total.declared.get(reason, 0) + count
        total.broken.extend((one[0], one[1]) for one in json.loads(rest[4] or "[]"))
    return found


def _coordinate(position: dict[str, Any]) -> tuple[str, int]:
    return str(position.get("file", "")), int(position.get("offset", 0))


# -- people ----------------------------------------------------------------------------------------------------------


def read_directory(session: Session) -> dict[str, int]:
    """Known persons: e-mail key -> target user ID."""
    return {
        (row[0] or b"").decode(): int(row[1] or 0) for row in session.query(f"SELECT email_key, user_id FROM {PERSON}")
    }


def read_placements(session: Session) -> dict[str, list[Placement]]:
    """The exceptions of every server that has been placed."""
    found: dict[str, list[Placement]] = {}
    sql = f"SELECT server, source_id, target_id, merged, login, nicename, reason FROM {USER} ORDER BY server, source_id"
    for row in session.query(sql):
        server, source_id, target_id, merged, login, nicename, reason = ((value or b"").decode() for value in row)
        found.setdefault(server, []).append(
            Placement(int(source_id), int(target_id), merged == "1", login, nicename, reason)
        )
    return found


def write_people(
    session: Session, generation: int, server: str, placements: Iterable[Placement], directory: Directory
) -> None:
    """Writes one server's decisions and the persons it adds, in one transaction. Row 0 marks the server as placed."""
    fence(session, generation)
    marker = Placement(0, 0, False, "", "", "placed")
    decisions = (
        (server, one.source_id, one.target_id, int(one.merged), one.login, one.nicename, one.reason)
        for one in (marker, *placements)
    )
    _insert(session, f"INSERT INTO {USER}", decisions)
    _insert(session, f"INSERT IGNORE INTO {PERSON}", ((key[:255], number) for key, number in directory.emails.items()))
    session.execute("COMMIT")


def people(base: int, placements: Iterable[Placement]) -> People:
    """The map that a transform uses, from the written decisions."""
    merged = {one.source_id: one.target_id for one in placements if one.merged}
    renamed = {one.source_id: (one.login, one.nicename) for one in placements if one.renamed and one.source_id}
    return People(base, merged, renamed)


# -- undo ------------------------------------------------------------------------------------------------------------


def remember(session: Session, what: str, before: str | None) -> None:
    """Keeps a value of the host's own before it is changed, once; `discard` puts it back."""
    session.execute(f"INSERT IGNORE INTO {UNDO} (what, before_value) VALUES (%s, %s)", (what, before))


def undo_entries(session: Session) -> list[tuple[str, str | None]]:
    rows = session.query(f"SELECT what, before_value FROM {UNDO} ORDER BY number DESC")
    return [((row[0] or b"").decode(), None if row[1] is None else row[1].decode()) for row in rows]


def begin_discard(session: Session) -> None:
    """From here on the copy belongs to no plan and no run: it can only be discarded."""
    create(session)
    session.execute(
        f"UPDATE {CLAIM} SET plan = %s, generation = generation + 1, holder = %s WHERE name = 'copy'",
        (DISCARDED, _myself()),
    )
    session.execute("COMMIT")


def drop(session: Session) -> None:
    """Removes the state tables: the last act of `discard`."""
    for name in (CHUNK, TABLE, USER, PERSON, UNDO, CLAIM):
        session.execute(f"DROP TABLE IF EXISTS {name}")
