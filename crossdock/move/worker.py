"""What a worker process does: copies and compares chunks with sessions of its own, and reconnects when one is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from crossdock.core.errors import ConnectionLost, TargetError
from crossdock.core.ports import Database, Judge, JudgeFactory, Session
from crossdock.core.tables import Column, Row, Table
from crossdock.move import ledger
from crossdock.move.chunks import Chunk
from crossdock.move.ledger import ChunkResult
from crossdock.move.sessions import PAUSES_SECONDS, Sessions, kept
from crossdock.wordpress.ddl import kept_charset, quoted, table_ddl
from crossdock.wordpress.people import People
from crossdock.wordpress.residue import Residue
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import SiteMap, rules
from crossdock.wordpress.transform import TableTransform

# After so many losses in one chunk it is cut in two: a host that cuts sessions gives each only so much time.
_LOSSES_BEFORE_SPLIT = 2


@dataclass(frozen=True)
class Setup:
    """Everything a worker needs, picklable. `tables` by (server, source name)."""

    sites: tuple[SiteMap, ...]
    sources: Mapping[str, Database]
    target: Database
    tables: Mapping[tuple[str, str], Table]
    people: Mapping[str, People]
    generation: int = 0
    judge: JudgeFactory | None = None
    residue_hosts: tuple[str, ...] = ()
    residue_paths: tuple[str, ...] = ()
    target_tables: Mapping[str, Table] = field(default_factory=dict)
    headroom: int = 0

    def site(self, server: str) -> SiteMap:
        return next(one for one in self.sites if one.server == server)


@dataclass(frozen=True)
class Copied:
    """A chunk's outcome: its result, or None when it should be cut in two because its sessions kept being lost."""

    chunk: Chunk
    result: ChunkResult | None


class Worker(Sessions):
    """One process's sessions and compiled transforms."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self._rewriters: dict[str, Rewriter] = {}
        self._judge: Judge | None = None
        self._residue: Residue | None = None

    def source(self, server: str) -> Session:
        return self.session(f"source {server}", self.setup.sources[server].open_source)

    def target(self) -> Session:
        return self.session("target", self.setup.target.open_target)

    def target_reader(self) -> Session:
        return self.session("target reader", self.setup.target.open_source)

    def drop_sessions(self) -> None:
        """The judge goes with the sessions: what was lost may have been its pipe."""
        super().drop_sessions()
        if self._judge is not None:
            self._judge.close()
            self._judge = None

    def judge(self) -> Judge | None:
        if self._judge is None and self.setup.judge is not None:
            self._judge = self.setup.judge()
        return self._judge

    def residue(self) -> Residue:
        if self._residue is None:
            self._residue = Residue(self.setup.residue_hosts, self.setup.residue_paths)
        return self._residue

    def transform(self, server: str, table: Table) -> TableTransform:
        site = self.setup.site(server)
        if server not in self._rewriters:
            self._rewriters[server] = Rewriter(rules(self.setup.sites, site))
        return TableTransform(table, site, self.setup.people[server], self._rewriters[server])

    @contextmanager
    def fenced(self, table: str) -> Iterator[Session]:
        """The target's session for statements that commit by themselves (DDL on `table`). A second session holds the
        claim's row meanwhile, so that no newer run begins between our look at the generation and the statement."""
        guard = self.session("target guard", self.setup.target.open_target)
        ledger.fence(guard, self.setup.generation)
        try:
            yield self.target()
        except TargetError as error:
            raise type(error)(error.what, where=f"{error.where}, table {table}", way_out=error.way_out) from error
        guard.execute("COMMIT")


_worker: Worker | None = None


def prepare(setup: Setup) -> None:
    """Called once in each worker process."""
    global _worker
    _worker = Worker(setup)


def here() -> Worker:
    """This process's worker."""
    if _worker is None:
        raise RuntimeError("prepare() was not called in this process")
    return _worker


# -- copying ---------------------------------------------------------------------------------------------------------


def create_table(server: str, source: str) -> tuple[str, str]:
    """Makes the bare target table. It is marked made in its own step, so a table without the mark holds no rows."""
    worker = here()
    table, site = worker.setup.tables[server, source], worker.setup.site(server)
    target = renamer(site)(source)
    made = table_ddl(table, renamer(site), constraint_prefix=constraint_prefix(site, source))

    def act() -> bool:
        with worker.fenced(target) as session:
            session.execute(f"DROP TABLE IF EXISTS {quoted(target)}")
            session.execute(made.create)
            ledger.mark_table(session, server, source, "created")
            session.execute("COMMIT")
        return True

    kept(worker.persist(act), source)
    return server, source


def copy_whole(server: str, source: str, chunk: Chunk) -> Copied:
    """A small table in one go: made with its keys, loaded, marked. A try that was cut off leaves a table without its
    mark, which the next try drops."""
    worker = here()
    table, site = worker.setup.tables[server, source], worker.setup.site(server)
    target = renamer(site)(source)
    made = table_ddl(table, renamer(site), constraint_prefix=constraint_prefix(site, source))

    def act() -> ChunkResult:
        with worker.fenced(target) as session:
            done = ledger.result_of(session, chunk)
            if done is not None:
                return done
            session.execute(f"DROP TABLE IF EXISTS {quoted(target)}")
            session.execute(made.create_keyed)
        return _copy(worker, chunk, table, marks=("created", "keyed"))

    return Copied(chunk, kept(worker.persist(act), source))


def add_keys(server: str, source: str) -> tuple[str, str]:
    """Builds the secondary keys after the rows are in."""
    worker = here()
    table, site = worker.setup.tables[server, source], worker.setup.site(server)
    target = renamer(site)(source)
    made = table_ddl(table, renamer(site), constraint_prefix=constraint_prefix(site, source))

    def act() -> bool:
        with worker.fenced(target) as session:
            for statement in made.keys:
                if not _has_keys(session, target, statement):
                    _alter(session, target, statement)
            ledger.mark_table(session, server, source, "keyed")
            session.execute("COMMIT")
        return True

    kept(worker.persist(act), source)
    return server, source


def _alter(session: Session, target: str, statement: str) -> None:
    try:
        session.execute(statement)
    except TargetError:
        # A former try goes on in the server after its connection is lost: ours waited for it and came too late.
        if not _has_keys(session, target, statement):
            raise


def _has_keys(session: Session, target: str, statement: str) -> bool:
    """ALTER is atomic: when one of its keys is there, all are."""
    present = {(row[2] or b"").decode() for row in session.query(f"SHOW INDEX FROM {quoted(target)}")}
    return any(f"KEY {quoted(name)} " in statement for name in present)


def copy_chunk(chunk: Chunk) -> Copied:
    """Reads a chunk from a consistent snapshot, transforms it and loads it, in one transaction with its mark."""
    worker = here()
    table = worker.setup.tables[chunk.server, chunk.source]
    divisible = table.integer_key is not None and not (
        chunk.lo is not None and chunk.hi is not None and chunk.hi - chunk.lo < 2
    )
    losses = _LOSSES_BEFORE_SPLIT if divisible else 4 * len(PAUSES_SECONDS)
    result = worker.persist(lambda: _copy(worker, chunk, table), give_up_after=losses)
    if result is None and not divisible:
        raise ConnectionLost(
            "the connection was lost again and again within one part of the table",
            where=f"{chunk.server}.{chunk.source}",
            way_out="a steadier line, or a longer session limit at the host; then start again: it resumes",
        )
    return Copied(chunk, result)


def _copy(worker: Worker, chunk: Chunk, table: Table, marks: tuple[str, ...] = ()) -> ChunkResult:
    source, target = worker.source(chunk.server), worker.target()
    ledger.fence(target, worker.setup.generation)
    done = ledger.result_of(target, chunk)
    if done is not None:
        target.execute("COMMIT")
        return done
    transform = worker.transform(chunk.server, table)
    source.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    position = _position(source)
    rows = target.load(transform.destination.target, target_columns(table), _transformed(source, transform, chunk))
    tally = transform.tally
    if rows != tally.rows_target:
        raise TargetError(f"{tally.rows_target} rows were sent and {rows} arrived", where=transform.destination.target)
    result = ChunkResult(tally.rows_source, rows, position, dict(tally.declared), tuple(tally.broken))
    ledger.finish_chunk(target, chunk, result)
    for mark in marks:
        ledger.mark_table(target, chunk.server, chunk.source, mark)
    target.execute("COMMIT")
    source.execute("COMMIT")
    return result


def _transformed(source: Session, transform: TableTransform, chunk: Chunk) -> Iterator[list[Row]]:
    for batch in source.stream(select(source, transform.table, transform.columns, chunk)):
        rows = transform.rows(batch)
        batch.clear()
        if rows:
            yield rows


def select(session: Session, table: Table, columns: tuple[Column, ...], chunk: Chunk) -> str:
    """The statement that reads a chunk, in key order where the table has one."""
    key = quoted(table.integer_key) if table.integer_key else None
    where = chunk.where(key)
    return (
        f"SELECT {session.select_list(columns)} FROM {quoted(table.name)}"
        + (f" WHERE {where}" if where else "")
        + (f" ORDER BY {key}" if key else "")
    )


def target_columns(table: Table) -> tuple[Column, ...]:
    """The stored columns as the target has them: text in utf8mb4, but where an index would grow too long."""
    kept = kept_charset(table)
    return tuple(
        replace(column, charset="utf8mb4") if column.charset and column.name not in kept else column
        for column in table.stored_columns
    )


def renamer(site: SiteMap) -> Callable[[str], str]:
    """Source table name -> target table name; a name that has no place stays as it is."""

    def rename(name: str) -> str:
        found = site.destination(name)
        return found.target if found else name

    return rename


def constraint_prefix(site: SiteMap, source: str) -> str:
    """Keeps constraint names of several stores apart in one database."""
    found = site.destination(source)
    return f"b{found.store.target_blog}_" if found and found.store else "net_"


def _position(source: Session) -> dict[str, str | int]:
    """The binary log's coordinate of the open snapshot (MariaDB), for the follow to start from."""
    rows = source.query("SHOW STATUS LIKE 'binlog_snapshot_%'")
    found = {(row[0] or b"").decode().lower(): (row[1] or b"").decode() for row in rows}
    if not found.get("binlog_snapshot_file"):
        return {"kind": "none"}
    return {
        "kind": "binlog",
        "file": found["binlog_snapshot_file"],
        "offset": int(found.get("binlog_snapshot_position", "0") or 0),
    }


def finish_shared(server: str, source: str) -> tuple[str, str]:
    """A shared table has its keys already: it only gets its mark."""
    worker = here()

    def act() -> bool:
        session = worker.target()
        ledger.fence(session, worker.setup.generation)
        ledger.mark_table(session, server, source, "keyed")
        session.execute("COMMIT")
        return True

    kept(worker.persist(act), source)
    return server, source
