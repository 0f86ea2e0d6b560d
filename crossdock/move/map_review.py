"""Checks a redirect map that a person has edited, against itself and against the map that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from crossdock.core.redirects import MapRow, address_of, landing
from crossdock.wordpress.addresses import AddressMap

_MOST_HOPS = 10_000
Lines = Sequence[tuple[int, MapRow]]


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a line of the file; line 0 is the file as a whole."""

    line: int
    what: str


def mistakes(lines: Lines, current: Sequence[MapRow], addresses: AddressMap) -> list[Mistake]:
    """Everything that is wrong, by line."""
    found = [*_repeated(lines), *_foreign(lines, addresses), *_places(lines, addresses), *_missing(lines, current)]
    found += _onward(lines, addresses)
    return sorted(found, key=lambda one: one.line)


def reviewed(lines: Lines, current: Sequence[MapRow], by: str) -> tuple[list[MapRow], int]:
    """The rows of the new map, those that a person changed under that person's name, and how many these are."""
    before = {(row.match, row.source): row for row in current}
    made, changed = [], 0
    for _, row in lines:
        known = before.get((row.match, row.source))
        if known and _decision(known) == _decision(row):
            made.append(known)
            continue
        changed += 1
        made.append(replace(row, origin=f"by {by}", hits=known.hits if known else 0))
    return made, changed


def _decision(row: MapRow) -> tuple[str, str, int, str]:
    return row.action, row.target, row.status, row.note


def _repeated(lines: Lines) -> Iterator[Mistake]:
    first: dict[tuple[str, str], tuple[int, MapRow]] = {}
    for line, row in lines:
        key = (row.match, str(address_of(row.source) or row.source) if row.match == "exact" else row.source)
        known = first.setdefault(key, (line, row))
        if known[0] == line:
            continue
        if _decision(known[1]) == _decision(row):
            yield Mistake(line, f"{row.source} is in line {known[0]} already")
        else:
            yield Mistake(line, f"{row.source} -> {row.target or row.action}, but line {known[0]} says "
                                f"{known[1].target or known[1].action}: keep one of them")  # fmt: skip


def _foreign(lines: Lines, addresses: AddressMap) -> Iterator[Mistake]:
    for line, row in lines:
        source, target = address_of(row.source), landing(row)
        if row.match == "exact" and source and not addresses.asked(source):
            yield Mistake(line, f"source: {source.host} is no host of the stores")
        if row.match == "pattern" and row.parts[0] not in addresses.target_hosts:
            yield Mistake(line, f"source: {row.parts[0]} is no host of this environment")
        if target and target.host not in addresses.target_hosts and not row.note:
            yield Mistake(
                line, f"target: {target.host} is no host of this environment; if it is meant, say why in note"
            )


def _places(lines: Lines, addresses: AddressMap) -> Iterator[Mistake]:
    for line, row in lines:
        source = address_of(row.source) if row.match == "exact" else None
        if source and row.action == "kept" and address_of(row.target) != address_of(addresses.asked(source)):
            yield Mistake(line, f"target: what is kept stays where it is, {addresses.asked(source)}")


def _missing(lines: Lines, current: Sequence[MapRow]) -> Iterator[Mistake]:
    there = {(row.match, row.source) for _, row in lines}
    lost = [row.source for row in current if row.match == "exact" and (row.match, row.source) not in there]
    if lost:
        what = (
            f"{len(lost)} addresses of the map are not in the file: {', '.join(lost[:5])}. Way out: give each an action"
        )
        yield Mistake(0, what)


def _onward(lines: Lines, addresses: AddressMap) -> Iterator[Mistake]:
    """Targets that are themselves moved (a second hop), or that lead back (a loop)."""
    places: dict[str, tuple[int, str]] = {}
    for line, row in lines:
        source = address_of(row.source) if row.match == "exact" and row.action == "moved" else None
        asked = address_of(addresses.asked(source)) if source else None
        if asked:
            places[str(asked)] = (line, str(address_of(row.target)))
    for key, (line, target) in places.items():
        if target == key:
            yield Mistake(line, f"a loop: {key} leads to itself")
        elif target in places:
            yield Mistake(line, _end(key, places))


def _end(key: str, places: dict[str, tuple[int, str]]) -> str:
    seen: dict[str, int] = {}
    at = key
    while at in places and at not in seen and len(seen) < _MOST_HOPS:
        seen[at] = places[at][0]
        at = places[at][1]
    through = ", ".join(str(line) for line in list(seen.values())[1:6])
    if at in seen:
        return f"a loop: {key} leads back to itself, by line {through or seen[at]}"
    return f"target: is moved on by line {through}; write its end, {at}"
