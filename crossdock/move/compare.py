"""Compares what the transform makes of a chunk's source rows with the rows that are in the target, both ways.

A table with an integer key is read in key order on both sides and compared row by row. Any other table is compared as a
multiset of row hashes, in passes that bound the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xxhash

from crossdock.core.errors import ConnectionLost, TargetError
from crossdock.core.ports import Judge
from crossdock.core.tables import Column, Row, Table
from crossdock.move import worker as workers
from crossdock.move.chunks import Chunk
from crossdock.move.worker import Worker
from crossdock.wordpress import catalogue
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.transform import TableTransform, is_text

_EXAMPLES = 20
_ROWS_A_PASS = 2_000_000
_JUDGED_AT_ONCE = 400
_JUDGED_BYTES = 4 << 20

Hashes = npt.NDArray[np.void]
_HASH = np.dtype([("high", "<u8"), ("low", "<u8")])


@dataclass
class Verdict:
    """One chunk's comparison: counts of rows, `examples` as (kind, key) with kind missing, extra or different,
    `own` rows that the target's WordPress wrote by itself, PHP's `failures`, and addresses left by column:
    in text, in base64, in binary data; `broken` (column, key) look serialized and do not parse at the source."""

    chunk: Chunk
    rows_source: int = 0
    rows_moved: int = 0
    rows_target: int = 0
    declared: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    extra: int = 0
    different: int = 0
    own: int = 0
    judged: int = 0
    failures: list[str] = field(default_factory=list)
    urls_left: dict[str, int] = field(default_factory=dict)
    base64: dict[str, int] = field(default_factory=dict)
    binary: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, str]] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def note(self, kind: str, key: str) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append((kind, key))


def compare_chunk(chunk: Chunk) -> Verdict:
    """Runs in a worker process. A lost connection starts the chunk's comparison again."""
    worker = workers.here()
    table = worker.setup.tables[chunk.server, chunk.source]
    verdict = worker.persist(lambda: _Comparison(worker, chunk, table).run())
    if verdict is None:
        raise ConnectionLost("the connection was lost again and again", where=f"{chunk.server}.{chunk.source}")
    return verdict


class _Comparison:
    """One chunk, both sides."""

    def __init__(self, worker: Worker, chunk: Chunk, table: Table) -> None:
        self.worker, self.chunk, self.table = worker, chunk, table
        self.verdict = Verdict(chunk)
        self.transform: TableTransform = worker.transform(chunk.server, table)
        self.columns = self.transform.columns
        self.pairs: list[tuple[bytes, bytes]] = []
        self.pair_bytes = 0
        self.judge: Judge | None = worker.judge()
        if self.judge is not None:
            self.transform.judge = self._collect
        self.residue = worker.residue()
        entry = catalogue.known(self.transform.destination.base)
        skipped = entry.untouched if entry else ()
        self.scanned = [
            number
            for number, column in enumerate(self.columns)
            if (column.is_text or column.is_binary) and column.name not in skipped
        ]
        self.index = {column.name: number for number, column in enumerate(self.columns)}

    def run(self) -> Verdict:
        key = self.table.integer_key
        if key is not None and not self.worker.setup.site(self.chunk.server).maps_key(self.table):
            self._in_order(self.index[key])
        else:
            self._as_multiset()
        self._flush()
        tally = self.transform.tally
        self.verdict.rows_source, self.verdict.rows_moved = tally.rows_source, tally.rows_target
        self.verdict.declared = dict(tally.declared)
        self.verdict.broken = list(tally.broken)
        return self.verdict

    # -- the two streams -----------------------------------------------------------------------------------------

    def _source(self) -> Iterator[list[Row]]:
        session = self.worker.source(self.chunk.server)
        for batch in session.stream(workers.select(session, self.table, self.columns, self.chunk)):
            yield self.transform.rows(batch)

    def _target(self) -> Iterator[list[Row]]:
        setup = self.worker.setup
        there = setup.target_tables.get(self.transform.destination.target)
        if there is None:
            raise TargetError("the table is not in the target", where=self.transform.destination.target)
        columns = _columns_of(there, self.columns)
        session = self.worker.target_reader()
        chunk = self._target_chunk()
        yield from session.stream(workers.select(session, there, columns, chunk))

    def _target_chunk(self) -> Chunk:
        """The chunk in the target's key space: shared tables hold each server's rows in its own range."""
        if self.transform.destination.scope is not Scope.PEOPLE:
            return self.chunk
        site = self.worker.setup.site(self.chunk.server)
        users = self.transform.destination.base == "users"
        base = site.user_base if users else site.usermeta_base
        width = self.worker.setup.headroom * (1 if users else site.usermeta_base // site.user_base)
        low = 0 if self.chunk.lo is None else self.chunk.lo
        high = width if self.chunk.hi is None else self.chunk.hi
        return replace(self.chunk, lo=base + low, hi=base + high)

    # -- comparing -----------------------------------------------------------------------------------------------

    def _in_order(self, key: int) -> None:
        source, target = _Rows(self._source()), _Rows(self._counted_target())
        while source.fill() and target.fill():
            count = min(len(source.rows), len(target.rows))
            if source.rows[:count] == target.rows[:count]:
                source.drop(count)
                target.drop(count)
                continue
            self._row_by_row(source, target, count, key)
        while source.fill():
            for row in source.rows:
                self._missing(_key(row[key]))
            source.drop(len(source.rows))
        while target.fill():
            for row in target.rows:
                self._extra(row, _key(row[key]))
            target.drop(len(target.rows))

    def _row_by_row(self, source: _Rows, target: _Rows, count: int, key: int) -> None:
        mine = theirs = 0
        while mine < count and theirs < count:
            one, other = source.rows[mine], target.rows[theirs]
            if one == other:
                mine, theirs = mine + 1, theirs + 1
                continue
            at, there = int(one[key] or 0), int(other[key] or 0)
            if at == there:
                self.verdict.different += 1
                self.verdict.note("different", f"{_key(one[key])} ({', '.join(self._differing(one, other))})")
                mine, theirs = mine + 1, theirs + 1
            elif at < there:
                self._missing(_key(one[key]))
                mine += 1
            else:
                self._extra(other, _key(other[key]))
                theirs += 1
        source.drop(mine)
        target.drop(theirs)

    def _differing(self, one: Row, other: Row) -> list[str]:
        return [column.name for column, a, b in zip(self.columns, one, other, strict=True) if a != b]

    def _missing(self, key: str) -> None:
        self.verdict.missing += 1
        self.verdict.note("missing", key)

    def _extra(self, row: Row, key: str) -> None:
        if self._is_own(row):
            self.verdict.own += 1
            return
        self.verdict.extra += 1
        self.verdict.note("extra", key)

    def _is_own(self, row: Row) -> bool:
        """Rows that WordPress writes at the target by itself: in place of those that were declared as left behind, and
        when a page is visited."""
        if self.transform.destination.base != "options":
            return False
        name = row[self.index["option_name"]] or b""
        written = catalogue.is_rebuilt_option(name) or catalogue.is_term_cache(name)
        return written or name == catalogue.CRON_OPTION

    def _as_multiset(self) -> None:
        passes = max(1, -(-self.table.rows_estimate // _ROWS_A_PASS))
        for number in range(passes):
            first = number == 0
            source = _hashes(self._source() if first else self._silently(self._source()), passes, number)
            target = _hashes(self._counted_target() if first else self._target(), passes, number)
            if len(source) == len(target) and np.array_equal(source, target):
                continue
            self._name_differences(*_difference(source, target))

    def _silently(self, batches: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """A further pass over the same rows, which the tally must not count again."""
        kept, judge = self.transform.tally, self.transform.judge
        self.transform.tally, self.transform.judge = type(kept)(), None
        try:
            yield from batches
        finally:
            self.transform.tally, self.transform.judge = kept, judge

    def _name_differences(self, missing: dict[bytes, int], extra: dict[bytes, int]) -> None:
        lost = self._keys_of(self._silently(self._source()), missing)
        added = self._keys_of(self._target(), extra)
        both = {key for key in lost if key in added} if self.table.primary_key else set()
        self.verdict.different += len(both)
        self.verdict.missing += sum(missing.values()) - len(both)
        self.verdict.extra += sum(extra.values()) - len(both)
        for kind, keys in (("different", both), ("missing", lost - both), ("extra", added - both)):
            for key in sorted(keys):
                self.verdict.note(kind, key)

    def _keys_of(self, batches: Iterator[list[Row]], hashes: dict[bytes, int]) -> set[str]:
        names = self.table.primary_key or tuple(column.name for column in self.columns[:3])
        at = [self.index[name] for name in names if name in self.index]
        found: set[str] = set()
        for batch in batches:
            for row in batch:
                if _hash(row) in hashes:
                    found.add(",".join(_key(row[number]) for number in at))
        return found

    # -- judging values ------------------------------------------------------------------------------------------

    def _counted_target(self) -> Iterator[list[Row]]:
        for batch in self._target():
            self.verdict.rows_target += len(batch)
            for number in self.scanned:
                self._scan(self.columns[number], [row[number] for row in batch])
            yield batch

    def _scan(self, column: Column, values: list[bytes | None]) -> None:
        for hit in self.residue.suspects(values):
            value = values[hit] or b""
            # In binary data a changed length would break it: an address there is named, and left to a person.
            where = self.verdict.binary if column.is_binary and not is_text(value) else self.verdict.urls_left
            found = ((where, self.residue.count(value)), (self.verdict.base64, self.residue.base64(value)))
            for counts, count in found:
                if count:
                    counts[column.name] = counts.get(column.name, 0) + count

    def _collect(self, before: bytes, after: bytes) -> None:
        self.pairs.append((before, after))
        self.pair_bytes += len(before) + len(after)
        if len(self.pairs) >= _JUDGED_AT_ONCE or self.pair_bytes > _JUDGED_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self.pairs or self.judge is None:
            return
        self.verdict.judged += len(self.pairs)
        self.verdict.failures += self.judge.judge(self.pairs)[: _EXAMPLES - len(self.verdict.failures)]
        self.pairs, self.pair_bytes = [], 0


class _Rows:
    """A stream of batches as one queue of rows."""

    def __init__(self, batches: Iterator[list[Row]]) -> None:
        self._batches = batches
        self.rows: list[Row] = []

    def fill(self) -> bool:
        """Whether there are rows; fetches the next batch when none are left."""
        while not self.rows:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self.rows = batch
        return True

    def drop(self, count: int) -> None:
        self.rows = self.rows[count:] if count < len(self.rows) else []


def _columns_of(there: Table, wanted: tuple[Column, ...]) -> tuple[Column, ...]:
    found = {column.name: column for column in there.columns}
    missing = [column.name for column in wanted if column.name not in found]
    if missing:
        raise TargetError(f"columns are missing: {', '.join(missing)}", where=there.name)
    return tuple(found[column.name] for column in wanted)


def _key(value: bytes | None) -> str:
    return "NULL" if value is None else value[:80].decode("utf-8", "replace")


def _hash(row: Row) -> bytes:
    """Length-prefixed values, so that no two different rows make the same text."""
    state = xxhash.xxh3_128()
    for value in row:
        if value is None:
            state.update(b"\xff")
        else:
            state.update(b"%d:" % len(value))
            state.update(value)
    return state.digest()


def _hashes(batches: Iterator[list[Row]], passes: int, number: int) -> Hashes:
    """The sorted hashes of the rows that belong to this pass."""
    collected = bytearray()
    for batch in batches:
        for row in batch:
            digest = _hash(row)
            if passes == 1 or digest[0] % passes == number:
                collected += digest
    array = np.frombuffer(bytes(collected), dtype=_HASH)
    return array[np.lexsort((array["low"], array["high"]))]


def _difference(source: Hashes, target: Hashes) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """Hashes (with how many rows) that the target lacks, and that it has too many of."""
    mine, my_counts = np.unique(source, return_counts=True)
    theirs, their_counts = np.unique(target, return_counts=True)
    balance: dict[bytes, int] = {}
    only = np.setxor1d(mine, theirs)
    unequal = {one.tobytes() for one in only}
    shared, at, there = np.intersect1d(mine, theirs, return_indices=True)
    for position in np.nonzero(my_counts[at] != their_counts[there])[0]:
        unequal.add(shared[position].tobytes())
    for hashes, counts, sign in ((mine, my_counts, 1), (theirs, their_counts, -1)):
        for one, count in zip(hashes, counts, strict=True):
            if one.tobytes() in unequal:
                balance[one.tobytes()] = balance.get(one.tobytes(), 0) + sign * int(count)
    missing = {one: count for one, count in balance.items() if count > 0}
    extra = {one: -count for one, count in balance.items() if count < 0}
    return missing, extra
