"""Access logs in the combined format, with or without the host in front: which addresses were asked for, how often.

Streaming and bounded: any number of lines, at most so many different addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crossdock.core.redirects import Address, normal

# [vhost[:port]] client - user [time] "GET /path HTTP/1.1" 200 ...
_LINE = re.compile(
    rb'(?:(?P<host>[A-Za-z0-9._-]+\.[A-Za-z0-9-]+)(?::\d+)? )?(?:[0-9A-Fa-f.:]+|[\w.-]+) \S+ [^"\[]+ \[[^\]]+\] '
    rb'"(?P<method>GET|HEAD) (?P<target>[^" ]+)(?: HTTP/[\d.]+)?" (?P<status>\d{3}) '
)
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL)
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_KEPT = frozenset([*range(200, 300), *range(300, 400), 404, 410])
MOST_ADDRESSES = 200_000
# Our own questions make nothing an address that people know.
_OURS = b'"Crossdock/'
_LONGEST = 2_000


@dataclass
class Seen:
    """What the logs say of one address: requests, and the largest good status (2xx before 3xx before 404)."""

    hits: int = 0
    status: int = 404

    def add(self, status: int, hits: int = 1) -> None:
        self.hits += hits
        if _rank(status) < _rank(self.status):
            self.status = status


def _rank(status: int) -> int:
    return status // 100 if status < 400 else 9


@dataclass
class Traffic:
    """Addresses by host (empty where the log does not say it) and path. `lines`: read; `foreign`: not understood;
    `dropped`: requests for addresses that were rare when there were too many."""

    seen: dict[Address, Seen] = field(default_factory=dict)
    lines: int = 0
    foreign: int = 0
    dropped: int = 0


def read_log(pieces: Iterable[bytes], traffic: Traffic, *, wanted: frozenset[str], most: int = MOST_ADDRESSES) -> None:
    """Adds a log to `traffic`. `wanted`: the names of query arguments that make another address; all others (tracking,
    and what people typed) are left out, so that no personal data is kept."""
    for line in _lines(pieces):
        traffic.lines += 1
        found = _LINE.match(line)
        if found is None:
            traffic.foreign += _may_be_request(line)
            continue
        status = int(found["status"])
        if status not in _KEPT or _OURS in line:
            continue
        address = _address(found["host"], found["target"], wanted)
        if address is None:
            continue
        one = traffic.seen.get(address)
        if one is None:
            one = traffic.seen[address] = Seen()
        one.add(status)
        if len(traffic.seen) > most:
            _forget_rare(traffic, most)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of a stream; one without end is cut, so that memory stays small."""
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()[: 64 << 10]
        yield from lines
    if rest:
        yield rest


def _may_be_request(line: bytes) -> bool:
    """POSTs and such are understood and not wanted."""
    return re.search(rb'"[A-Z]{2,10} ', line) is None


def _address(host: bytes | None, target: bytes, wanted: frozenset[str]) -> Address | None:
    if absolute := _ABSOLUTE.fullmatch(target):
        host, target = absolute[1].partition(b":")[0], absolute[2] or b"/"
    if not target.startswith(b"/") or len(target) > _LONGEST:
        return None
    if b"\\x" in target:
        target = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), target)
    path, _, query = target.decode("utf-8", "surrogateescape").partition("?")
    name = (host or b"").decode("ascii", "replace").lower()
    return Address(name, normal(path.partition("#")[0]), kept_query(query, wanted))


def kept_query(query: str, wanted: frozenset[str]) -> str:
    """The arguments of a query that make another address, in their order."""
    if not query:
        return ""
    parts = (part for part in query.partition("#")[0].split("&") if part.partition("=")[0] in wanted and "=" in part)
    return normal("&".join(parts), query=True)


def _forget_rare(traffic: Traffic, most: int) -> None:
    """Drops the rarer half. What was asked for once in millions of lines is a bot's guess."""
    ranked = sorted(traffic.seen.items(), key=lambda item: (_rank(item[1].status) == 9, -item[1].hits))
    traffic.seen = dict(ranked[: most // 2])
    traffic.dropped += sum(one.hits for _, one in ranked[most // 2 :])
