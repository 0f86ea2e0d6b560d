"""Copies every store's tables into one environment: coordinated here, done in worker processes, resumable anywhere."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from typing import Any

from crossdock.core.errors import CrossdockError, TargetError, WorkerError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Journal, Progress, Session
from crossdock.core.tables import Table
from crossdock.move import ledger, links, network, worker
from crossdock.move.chunks import Chunk, cut
from crossdock.move.hold import PULSE_SECONDS, Hold
from crossdock.move.ledger import TableState, TableTotals
from crossdock.move.order import Order
from crossdock.move.plan import TablePlan, host_directory
from crossdock.move.sessions import over
from crossdock.wordpress.ddl import quoted
from crossdock.wordpress.people import enter, place

# A table below this is made with its keys and loaded in one task.
_SMALL_BYTES = 4 << 20


def copy(order: Order, journal: Journal, progress: Progress) -> dict[str, Any]:
    """Copies everything that is not copied yet and returns the totals that the receipt holds.

    Errors: LockedError (another run), TargetError (another plan's copy, a table in the way, disk full), AccessError
    (a side can't be reached any more). After each of them the same command goes on where it stopped.
    """
    hold = Hold(order)
    try:
        hold.act(lambda session: network.remember_counters(order, session, hold.generation))
        people = hold.act(lambda session: _place_people(order, session, hold.generation))
        _register(order, hold)
        setup = worker.Setup(
            sites=order.plan.sites(order.environment),
            sources={one.name: one.database for one in order.sources},
            target=order.target.database,
            tables=order.tables(),
            people=people,
            generation=hold.generation,
        )
        _Scheduler(order, hold, progress).run(order.pool(order.workers, worker.prepare, setup))
        hold.act(lambda session: links.make(order, session, hold.generation))
        hold.act(lambda session: network.write(order, session, hold.generation))
        return _receipts(order, hold.act(ledger.totals), journal)
    finally:
        hold.close()


# -- people ----------------------------------------------------------------------------------------------------------


def _place_people(order: Order, session: Session, generation: int) -> Mapping[str, Any]:
    """Decides each server's merges and renames once, in the plan's order, and keeps them with the copy."""
    written = ledger.read_placements(session)
    directory = host_directory(order.target_facts)
    maps = {}
    for facts in order.facts:
        site = order.plan.site(facts.server, order.environment)
        if facts.server not in written:
            directory.emails = ledger.read_directory(session)
            placements = place(
                facts.users, directory, server=facts.server, base=site.user_base, headroom=order.plan.headroom,
                merge=order.plan.merge_people,
            )  # fmt: skip
            ledger.write_people(session, generation, facts.server, placements, directory)
            written[facts.server] = placements
        else:
            enter(facts.users, written[facts.server], directory, base=site.user_base)
        maps[facts.server] = ledger.people(site.user_base, written[facts.server])
    return maps


# -- tables ----------------------------------------------------------------------------------------------------------


def _register(order: Order, hold: Hold) -> None:
    """Writes every table and its chunks into the ledger. Errors: TargetError when a table is in the way."""
    known = hold.act(ledger.tables)
    missing = [one for one in order.carried() if (one.server, one.source) not in known]
    present = {(row[0] or b"").decode() for row in hold.act(lambda session: session.query("SHOW TABLES"))}
    for one in missing:
        target = one.targets[order.environment]
        if target in present and not order.is_shared(one.server, one.source):
            raise TargetError(
                f"table {target} exists already and is not from this copy",
                where=f"environment {order.environment}",
                way_out="the target must be an empty multisite: have it removed, then copy again",
            )
    for facts in order.facts:
        mine = [one for one in missing if one.server == facts.server]
        cuts = over(_source(order, facts.server), partial(_cut, order, mine)) if mine else []
        hold.act(partial(_write_tables, order, cuts, hold))


def _cut(order: Order, mine: Sequence[TablePlan], reader: Session) -> list[tuple[TablePlan, list[Chunk]]]:
    return [(one, cut(reader, one.server, order.table(one.server, one.source), order.chunk_rows)) for one in mine]


def _write_tables(order: Order, cuts: Sequence[tuple[TablePlan, list[Chunk]]], hold: Hold, session: Session) -> None:
    ledger.fence(session, hold.generation)
    for one, chunks in cuts:
        shared = order.is_shared(one.server, one.source)
        target = one.targets[order.environment]
        ledger.add_table(session, one.server, one.source, target, shared=shared, chunks=chunks)
    session.execute("COMMIT")


def _source(order: Order, server: str) -> Callable[[], Session]:
    return next(one for one in order.sources if one.name == server).database.open_source


class _Scheduler:
    """Runs create -> chunks -> keys for every table over the pool, the largest table first; small ones in one go."""

    def __init__(self, order: Order, hold: Hold, progress: Progress) -> None:
        self.order, self.hold, self.progress = order, hold, progress
        self.states: dict[tuple[str, str], TableState] = hold.act(ledger.tables)
        self.left: dict[tuple[str, str], int] = {}
        self.running: dict[Future[Any], tuple[str, tuple[str, str]]] = {}
        self.queue: list[tuple[int, int, str, tuple[str, str], Chunk | None]] = []
        self.counter = 0

    def run(self, pool: Executor) -> None:
        tables = {key: self.order.table(*key) for key in self.states}
        open_tables = {key: state for key, state in self.states.items() if not state.keyed}
        self.progress.start(
            f"copy to {self.order.environment}",
            rows=sum(tables[key].rows_estimate for key in open_tables),
            bytes_=sum(tables[key].bytes_estimate for key in open_tables),
        )
        for key, state in open_tables.items():
            self._begin(key, state, tables[key])
        try:
            with pool:
                self._drain(pool, tables)
        finally:
            self.progress.finish()

    def _begin(self, key: tuple[str, str], state: TableState, table: Table) -> None:
        shared = self.order.is_shared(*key)
        if not state.created and not shared:
            small = len(state.chunks) == 1 and table.bytes_estimate < _SMALL_BYTES
            self._push("whole" if small else "create", key, table, state.open_chunks[0] if small else None)
            return
        self.left[key] = len(state.open_chunks)
        for chunk in state.open_chunks:
            self._push("chunk", key, table, chunk)
        if not state.open_chunks:
            self._push("keys", key, table, None)

    def _push(self, step: str, key: tuple[str, str], table: Table, chunk: Chunk | None) -> None:
        self.counter += 1
        heapq.heappush(self.queue, (-table.bytes_estimate, self.counter, step, key, chunk))

    def _drain(self, pool: Executor, tables: dict[tuple[str, str], Table]) -> None:
        try:
            while self.queue or self.running:
                while self.queue and len(self.running) < self.order.workers:
                    self._submit(pool, *self._next())
                done, _ = wait(self.running, timeout=PULSE_SECONDS, return_when=FIRST_COMPLETED)
                self.hold.pulse()
                for future in done:
                    step, key = self.running.pop(future)
                    self._finished(step, key, tables[key], future)
        except BrokenProcessPool as error:
            raise WorkerError(
                "a worker process died (killed, or out of memory)",
                where=f"copy to {self.order.environment}",
                way_out="start the same command again: it goes on where it stopped",
            ) from error
        except BaseException:
            for future in self.running:
                future.cancel()
            raise

    def _next(self) -> tuple[str, tuple[str, str], Chunk | None]:
        """The largest table's next task, of a table that nobody works on if there is one: LOAD DATA holds InnoDB's
        AUTO_INCREMENT lock to its end, so that two of them into one table wait for each other."""
        busy = {key for _, key in self.running.values()}
        passed = []
        while self.queue and self.queue[0][3] in busy:
            passed.append(heapq.heappop(self.queue))
        task = heapq.heappop(self.queue) if self.queue else passed.pop(0)
        for one in passed:
            heapq.heappush(self.queue, one)
        return task[2], task[3], task[4]

    def _submit(self, pool: Executor, step: str, key: tuple[str, str], chunk: Chunk | None) -> None:
        if step == "create":
            future: Future[Any] = pool.submit(worker.create_table, *key)
        elif step == "keys":
            future = pool.submit(worker.finish_shared if self.order.is_shared(*key) else worker.add_keys, *key)
        elif step == "whole" and chunk is not None:
            future = pool.submit(worker.copy_whole, *key, chunk)
        elif chunk is not None:
            future = pool.submit(worker.copy_chunk, chunk)
        else:
            raise ValueError(f"a {step} task without its chunk")
        self.running[future] = (step, key)

    def _finished(self, step: str, key: tuple[str, str], table: Table, future: Future[Any]) -> None:
        outcome = future.result()
        if step == "create":
            self._begin(key, replace(self.states[key], created=True), table)
        elif step == "chunk" and outcome.result is None:
            self._split(key, table, outcome.chunk)
        elif step in ("chunk", "whole"):
            result = outcome.result
            share = table.bytes_estimate / max(table.rows_estimate, 1)
            place_ = f"{key[0]}.{key[1]}"
            self.progress.advance(place_, rows=result.rows_source, bytes_=int(result.rows_source * share))
            if step == "whole":
                return
            self.left[key] -= 1
            if self.left[key] == 0:
                self._push("keys", key, table, None)

    def _split(self, key: tuple[str, str], table: Table, chunk: Chunk) -> None:
        name = table.integer_key
        if name is None:
            raise CrossdockError("a part without an integer key can't be cut", where=f"{key[0]}.{key[1]}")
        where = chunk.where(quoted(name))
        sql = f"SELECT MIN({quoted(name)}), MAX({quoted(name)}) FROM {quoted(table.name)}"
        sql += f" WHERE {where}" if where else ""
        low, high = over(_source(self.order, key[0]), lambda reader: reader.query(sql))[0]
        first, last = int(low or 0), int(high or 0)
        if last <= first:
            self._push("chunk", key, table, chunk)
            return
        part = max(self.states[key].chunks) + 1
        middle = (first + last + 1) // 2
        lower, upper = self.hold.act(
            lambda session: ledger.split_chunk(session, self.hold.generation, chunk, middle, part)
        )
        self.states[key].chunks[part] = (upper, False)
        self.left[key] += 1
        for half in (lower, upper):
            self._push("chunk", key, table, half)


# -- evidence --------------------------------------------------------------------------------------------------------


def _receipts(order: Order, totals: Mapping[tuple[str, str], TableTotals], journal: Journal) -> dict[str, Any]:
    sums = {"rows_source": 0, "rows_moved": 0, "rows_declared": 0, "tables": 0}
    for facts in order.facts:
        mine = {key[1]: total for key, total in totals.items() if key[0] == facts.server}
        data = {
            "plan": order.plan.digest,
            "rows_source": sum(one.rows_source for one in mine.values()),
            "rows_moved": sum(one.rows_target for one in mine.values()),
            "rows_declared": sum(sum(one.declared.values()) for one in mine.values()),
            "tables": len(mine),
        }
        for key in sums:
            sums[key] += int(str(data[key]))
        data["by_table"] = {
            name: {
                "source": one.rows_source, "moved": one.rows_target, "declared": one.declared, "position": one.position
            }
            for name, one in mine.items()
        }  # fmt: skip
        journal.receipt("copy.store", f"{order.environment}/{facts.server}", data)
        for name, one in mine.items():
            for column, row in one.broken:
                text = (
                    f"{column} of row {row} looks serialized and does not parse: its addresses were rewritten as text"
                )
                place_ = f"{facts.server}.{name}"
                journal.finding(Finding("value.broken", Level.WARN, place_, text), step=f"copy {order.environment}")
    return sums
