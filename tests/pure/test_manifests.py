"""What is read again, what is trusted, and what keeps changing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crossdock.core.files import FILE, Entry, Known, Listing
from crossdock.move.manifests import Reading, read

ROOT = "/r"


@dataclass
class Memory:
    """A server and a spool that hold everything in memory. `on_read` is called with each file that is hashed."""

    files: dict[bytes, bytes]
    on_read: Callable[[bytes], None] = lambda name: None
    closed: set[bytes] = field(default_factory=set)
    name: str = "north"
    read: list[bytes] = field(default_factory=list)
    store: dict[str, dict[bytes, Known]] = field(default_factory=dict)
    clock: dict[bytes, int] = field(default_factory=dict)

    def write(self, name: bytes, content: bytes) -> None:
        self.files[name] = content
        self.clock[name] = self.clock.get(name, 0) + 1

    def listings(self, roots: Sequence[str]) -> dict[str, Listing | None]:
        return {
            root: Listing(
                {
                    name: Entry(FILE, 0o644, len(content), "1", str(self.clock.get(name, 0)))
                    for name, content in self.files.items()
                }
            )
            for root in roots
        }

    def hashes(self, paths: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        for path in paths:
            name = path.removeprefix(b"/r/")
            self.read.append(name)
            if name in self.files and name not in self.closed:
                content = self.files[name]
                yield path, f"sha of {content.decode()}"
            self.on_read(name)

    def known(self, place: str) -> dict[bytes, Known]:
        return dict(self.store.get(place, {}))

    def learn(self, place: str, found: Mapping[bytes, Known]) -> None:
        self.store.setdefault(place, {}).update(found)

    def forget_all_but(self, place: str, found: Mapping[bytes, Known]) -> None:
        self.store[place] = dict(found)

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


def reading(memory: Memory, *, full: bool = False) -> Reading:
    made = Reading(memory, "source north", [ROOT], lambda root, listing: listing.entries if listing else {}, full)  # type: ignore[arg-type]
    memory.read.clear()
    read([made], memory, memory, "reading")  # type: ignore[arg-type]
    return made


def test_only_what_has_changed_is_read_again() -> None:
    memory = Memory({b"a": b"1", b"b": b"2"})
    assert reading(memory).hashes == {b"/r/a": "sha of 1", b"/r/b": "sha of 2"}
    assert reading(memory).hashes == {b"/r/a": "sha of 1", b"/r/b": "sha of 2"}
    assert memory.read == []
    memory.write(b"a", b"3")
    memory.write(b"c", b"4")
    assert reading(memory).hashes == {b"/r/a": "sha of 3", b"/r/b": "sha of 2", b"/r/c": "sha of 4"}
    assert memory.read == [b"a", b"c"]


def test_a_full_reading_trusts_nothing() -> None:
    memory = Memory({b"a": b"1"})
    reading(memory)
    memory.files[b"a"] = b"2"  # with the same size and times
    assert reading(memory).hashes == {b"/r/a": "sha of 1"}
    assert reading(memory, full=True).hashes == {b"/r/a": "sha of 2"}
    assert reading(memory).hashes == {b"/r/a": "sha of 2"}


def test_a_file_that_is_written_once_while_it_is_read_is_read_again() -> None:
    memory = Memory({b"a": b"1", b"b": b"2"})

    def once(name: bytes) -> None:
        memory.on_read = lambda name: None
        memory.write(b"a", b"3")

    memory.on_read = once
    made = reading(memory)
    assert made.hashes == {b"/r/a": "sha of 3", b"/r/b": "sha of 2"}
    assert (made.changing, made.unreadable) == (set(), set())
    assert memory.read == [b"a", b"b", b"a"]


def test_a_file_that_is_always_written_is_told_and_never_trusted() -> None:
    memory = Memory({b"a": b"1", b"b": b"2"})
    memory.on_read = lambda name: memory.write(b"a", memory.files[b"a"] + b"x")
    made = reading(memory)
    assert made.changing == {b"/r/a"}
    assert made.hashes == {b"/r/b": "sha of 2"}
    memory.on_read = lambda name: None
    made = reading(memory)
    assert made.changing == set()
    assert made.hashes[b"/r/a"] == f"sha of {memory.files[b'a'].decode()}"


def test_files_that_come_and_go_meanwhile() -> None:
    memory = Memory({b"a": b"1", b"b": b"2"})

    def once(name: bytes) -> None:
        memory.on_read = lambda name: None
        memory.write(b"new", b"3")
        del memory.files[b"b"]

    memory.on_read = once
    made = reading(memory)
    assert made.hashes == {b"/r/a": "sha of 1", b"/r/new": "sha of 3"}
    assert (made.changing, made.unreadable) == (set(), set())


def test_what_can_not_be_read_is_told_apart() -> None:
    memory = Memory({b"a": b"1", b"b": b"2"}, closed={b"b"})
    made = reading(memory)
    assert (made.unreadable, made.changing) == ({b"/r/b"}, set())


def test_the_record_does_not_grow_for_ever() -> None:
    memory = Memory({b"%d" % number: b"x" for number in range(1500)})
    reading(memory)
    memory.files = {b"0": b"x"}
    reading(memory)
    assert set(memory.store["source north"]) == {b"/r/0"}
