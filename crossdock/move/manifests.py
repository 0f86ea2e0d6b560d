"""What is on each side: every file's SHA-256, read again only where something has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from crossdock.core.files import FILE, Entry, Known, Listing
from crossdock.core.ports import FileServer, Progress, Spool

_ROUNDS = 3
_LEARNED_AT_ONCE = 1000
_LEARNED_BYTES = 256 << 20
_TIDIED_FROM = 1000

Selection = Callable[[str, Listing | None], Mapping[bytes, Entry]]


@dataclass
class Reading:
    """One server's files below `roots`; `select` says which of a root's are meant. `place` names the server in the
    spool; `full` trusts nothing that is known of earlier runs.

    `hashes`, `changing` (written while they were read, again and again) and `unreadable` go by absolute path.
    """

    server: FileServer
    place: str
    roots: Sequence[str]
    select: Selection
    full: bool = False
    listings: dict[str, Listing | None] = field(default_factory=dict)
    hashes: dict[bytes, str] = field(default_factory=dict)
    changing: set[bytes] = field(default_factory=set)
    unreadable: set[bytes] = field(default_factory=set)
    known: dict[bytes, Known] | None = None
    _selected: dict[str, tuple[Listing | None, Mapping[bytes, Entry]]] = field(default_factory=dict)

    def entries(self, root: str) -> Mapping[bytes, Entry]:
        """What is meant of a root."""
        listing = self.listings.get(root)
        found = self._selected.get(root)
        if found is None or found[0] is not listing:
            found = self._selected[root] = listing, self.select(root, listing)
        return found[1]

    def files(self) -> dict[bytes, Entry]:
        """All files that are meant, by absolute path."""
        made: dict[bytes, Entry] = {}
        for root in self.roots:
            base = absolute(root, b"")
            made.update((base + name, entry) for name, entry in self.entries(root).items() if entry.kind == FILE)
        return made


def absolute(root: str, name: bytes) -> bytes:
    """A name's absolute path."""
    return root.encode("utf-8", "surrogateescape") + b"/" + name


def read(readings: Sequence[Reading], spool: Spool, progress: Progress, stage: str) -> None:
    """Fills the readings, all servers at once. A file that is written while it is read is read again, three times.

    Errors: AccessError; CrossdockError when the spool's disk is full.
    """
    lock = threading.Lock()

    def advance(place: str, bytes_: int) -> None:
        with lock:
            progress.advance(place, rows=1, bytes_=bytes_)

    with ThreadPoolExecutor(max(len(readings), 1)) as pool:
        list(pool.map(lambda one: _list(one, spool), readings))
        todo = [_unknown(one) for one in readings]
        if any(todo):
            total = [entry.size for some in todo for entry in some.values()]
            progress.start(stage, rows=len(total), bytes_=sum(total), noun="files")
            try:
                list(pool.map(lambda one, some: _hash_all(one, some, spool, advance), readings, todo))
            finally:
                progress.finish()
    for one in readings:
        _settle(one, spool)


def _list(reading: Reading, spool: Spool) -> None:
    if reading.known is None:
        reading.known = {} if reading.full else spool.known(reading.place)
    reading.listings = reading.server.listings(reading.roots)
    reading.changing = set()


def _unknown(reading: Reading) -> dict[bytes, Entry]:
    known = reading.known or {}
    return {
        path: entry
        for path, entry in reading.files().items()
        if (found := known.get(path)) is None or found.stamp != entry.stamp
    }


def _hash_all(reading: Reading, todo: dict[bytes, Entry], spool: Spool, advance: Callable[[str, int], None]) -> None:
    """Hashes, then looks whether anything was written meanwhile."""
    for attempt in range(_ROUNDS):
        if not todo:
            return
        _hash(reading, todo, spool, advance if attempt == 0 else lambda place, bytes_: None)
        before = reading.files()
        reading.listings = reading.server.listings(reading.roots)
        after = reading.files()
        todo = {path: one for path, one in after.items() if path not in before or before[path].stamp != one.stamp}
        reading.changing = set(todo)


def _hash(reading: Reading, todo: Mapping[bytes, Entry], spool: Spool, advance: Callable[[str, int], None]) -> None:
    known = reading.known if reading.known is not None else {}
    fresh: dict[bytes, Known] = {}
    weight = 0
    for path, digest in reading.server.hashes(list(todo)):
        fresh[path] = known[path] = Known(todo[path].stamp, digest)
        weight += todo[path].size
        advance(reading.server.name, todo[path].size)
        if len(fresh) >= _LEARNED_AT_ONCE or weight >= _LEARNED_BYTES:
            spool.learn(reading.place, fresh)
            fresh, weight = {}, 0
    if fresh:
        spool.learn(reading.place, fresh)


def _settle(reading: Reading, spool: Spool) -> None:
    files, known = reading.files(), reading.known or {}
    good = {path: known[path] for path, entry in files.items() if path in known and known[path].stamp == entry.stamp}
    reading.hashes = {path: one.sha256 for path, one in good.items()}
    reading.unreadable = set(files) - set(good) - reading.changing
    # What is trusted later must not come from files that go on changing; and the record must not grow for ever.
    if reading.full or len(known) > len(good) + _TIDIED_FROM:
        spool.forget_all_but(reading.place, good)
        reading.known = dict(good)
