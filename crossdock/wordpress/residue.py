"""An independent judge of what a rewriting has left: source addresses and server paths that still stand in a value.

It shares no code with the rewriter, on purpose: a fault there must not hide itself here. It reads text only, never
structure, so it also counts what the rewriter may not touch (property names of PHP objects, for one).
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, count
from operator import add

_SLASH = rb"(?:\\*/|%2f|\\+u002f)"
_COLON = rb"(?::|%3a|\\+u003a)"
_LOOK_BACK = 600  # bytes before a host: two slashes of JSON eight times escaped, and a scheme
# What stands before a host, read up to its end: a web scheme, or '//' that no other scheme stands before.
_OTHER_SCHEME = rb"(?<=[a-z0-9+.-]%s)(?<!%%[0-9a-f][0-9a-f]%s)(?<!\\u[0-9a-f]{4}%s)(?<!\\[nrtbf]%s)"
_NO_SCHEME = b"".join(
    b"(?!" + _OTHER_SCHEME.replace(b"%s", colon).replace(b"%%", b"%") + b")" for colon in (b":", b"%3a")
)
_LEFT = re.compile(
    rb"(?:https?" + _COLON + rb"|" + _NO_SCHEME + rb"(?<!\\))" + _SLASH + _SLASH + rb"\Z",
    re.IGNORECASE,
)
# Another port, a longer name, or userinfo: somebody else's address.
_RIGHT = re.compile(
    rb"(?:(?::|%3a)0*(?P<port>\d++))?+"
    rb"(?!\w|@|%40|[-_]+[a-z0-9]|\.[a-z0-9_-]|(?::|%3a)\d|(?::|%3a)[^\s/?#\"'<>\\]{1,200}@)",
    re.IGNORECASE | re.ASCII,
)
_WEB_PORTS = (b"80", b"443")
_NOT_BEFORE_PATH = re.compile(rb"(?:(?<!\\)[a-z0-9_.~-]|(?<!:)(?<!:/)(?<!\\)/|(?<!:)\\/)\Z", re.IGNORECASE)
_ENCODED_BYTE = re.compile(rb"(?:%|\\u00)([0-9a-f]{2})\Z", re.IGNORECASE)
_NOT_AFTER_PATH = re.compile(
    rb"\w|-(?!->)|~|[.+@!$*]+[a-z0-9]|%(?!2f|3f|23|2[0-9]|3[a-e]|5[b-d]|0[9ad])[0-9a-f]{2}"
    rb"|(?:(?!\xe2\x80|\xc2[\xa0-\xbf]|\xe3\x80|\xef[\xbc\xbd])[\x80-\xff])",
    re.IGNORECASE | re.ASCII,
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+")
_BASE64_URLSAFE = bytes.maketrans(b"-_", b"+/")
_NAME = re.compile(rb"[a-z0-9@_-]|[.]", re.IGNORECASE)


class Residue:
    """Counts what is left of `hosts` ('www.north.example', with ':8080' if need be) and server `paths`."""

    def __init__(self, hosts: Sequence[str], paths: Sequence[str] = ()) -> None:
        self._ports: dict[bytes, set[bytes | None]] = {}
        for address in hosts:
            host, _, port = address.lower().encode().partition(b":")
            usual = not port or port in _WEB_PORTS
            self._ports.setdefault(host, set()).update((None, *_WEB_PORTS) if usual else (port,))
        self._paths = [(_path_needles(path), _path_pattern(path)) for path in dict.fromkeys(paths)]
        self._needles = sorted({*self._ports, *(needle for needles, _ in self._paths for needle in needles)})
        self._base64 = {host: _alignments(host) for host in self._ports}
        self._base64_needles = sorted({needle for found in self._base64.values() for needle, _ in found})

    def count(self, value: bytes) -> int:
        """How many addresses and server paths stand in the value."""
        lower = value.lower()
        return sum(1 for _ in self._addresses(value, lower)) + sum(1 for _ in self._server_paths(value, lower))

    def base64(self, value: bytes) -> int:
        """How many base64-encoded texts in the value hold one of the hosts (whole, and not in an e-mail address)."""
        # Line breaks and JSON's backslashes may stand anywhere in base64.
        text = value.translate(None, b"\r\n\\")
        found: set[int] = set()
        for host, alignments in self._base64.items():
            for needle, before in alignments:
                at = text.find(needle)
                while at >= 0:
                    start, end = _run_around(text, at)
                    start += (at - before - start) % 4
                    if _holds_host(_decoded(text[start:end]), host):
                        found.add(end)
                    at = text.find(needle, end)
        return len(found)

    def hits(self, values: Sequence[bytes | None]) -> list[int]:
        """Indexes, ascending, of the values for which count() may be above zero."""
        texts = [value or b"" for value in values]
        return sorted(_holding(texts, b"\0".join(texts).lower(), self._needles))

    def base64_hits(self, values: Sequence[bytes | None]) -> list[int]:
        """Indexes, ascending, of the values for which base64() may be above zero. Base64 broken into lines of less
        than the host's length is not seen."""
        texts = [value or b"" for value in values]
        return sorted(_holding(texts, b"\0".join(texts), self._base64_needles))

    def suspects(self, values: Sequence[bytes | None]) -> list[int]:
        """The indexes of hits() and of base64_hits(), found in one go."""
        texts = [value or b"" for value in values]
        joined = b"\0".join(texts)
        hidden = _holding(texts, joined, self._base64_needles)
        return sorted(hidden | _holding(texts, joined.lower(), self._needles))

    def _addresses(self, value: bytes, lower: bytes) -> Iterator[int]:
        for host, ports in self._ports.items():
            at = lower.find(host)
            while at >= 0:
                if lower[at - 1 : at] in (b"/", b"f") and _LEFT.search(value[max(0, at - _LOOK_BACK) : at]):
                    right = _RIGHT.match(value, at + len(host))
                    if right is not None and right["port"] in ports:
                        yield at
                at = lower.find(host, at + 1)

    def _server_paths(self, value: bytes, lower: bytes) -> Iterator[int]:
        for needles, pattern in self._paths:
            if not any(needle in lower for needle in needles):
                continue
            for found in pattern.finditer(value):
                if not _NOT_AFTER_PATH.match(value, found.end()) and _begins(value, found.start()):
                    yield found.start()


def _holding(texts: Sequence[bytes], joined: bytes, needles: Sequence[bytes]) -> set[int]:
    """Which of the texts, joined by NUL, hold a needle."""
    ends: list[int] = []
    found: set[int] = set()
    for needle in needles:
        at = joined.find(needle)
        while at >= 0:
            ends = ends or list(map(add, accumulate(map(len, texts)), count(1)))
            number = bisect_right(ends, at)
            found.add(number)
            at = joined.find(needle, ends[number])
    return found


def _path_needles(path: str) -> tuple[bytes, bytes]:
    """Parts of the path of which one stands in each encoding of it: '/' plain or escaped, '%2f' and '\\u002f'."""
    plain = [part.lower().encode() for part in path.split("/") if re.fullmatch(r"[\w.~-]+", part, re.ASCII)]
    longest = max(plain, key=len, default=b"")
    return b"/" + longest, b"2f" + longest


def _path_pattern(path: str) -> re.Pattern[bytes]:
    """The path in any encoding, in its own letter case."""
    parts = [re.escape(part.encode()) for part in path.strip("/").split("/")]
    slash = rb"(?:\\{0,255}/|%2[fF]|\\{1,255}u002[fF])"
    return re.compile(rb"(?:(?<!\\)\\{1,255}(?:/|u002[fF])|/|%2[fF])" + slash.join(parts))


def _begins(value: bytes, at: int) -> bool:
    """Whether an absolute path may begin at `at`: not within a longer path, a name or an address."""
    before = value[max(0, at - 12) : at]
    encoded = _ENCODED_BYTE.search(before)
    if encoded is not None:
        before = before[: encoded.start()] + bytes([int(encoded[1], 16)])
    elif re.search(rb"\\[nrtbf]\Z", before):
        return True
    return not _NOT_BEFORE_PATH.search(before)


def _alignments(host: bytes) -> list[tuple[bytes, int]]:
    """For each of the 3 ways the host may fall on base64's groups: the characters it alone decides, and how many
    stand before them in their group of four."""
    made = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + host)
        first = -(-shift * 8 // 6)
        made.append((encoded[first : (shift + len(host)) * 8 // 6], first))
    return made


def _run_around(text: bytes, at: int) -> tuple[int, int]:
    """The stretch of base64 characters around `at`."""
    start = at
    while start > 0:
        # Backwards by blocks: a regex reads one much faster than a loop does.
        block = text[max(0, start - 4096) : start][::-1]
        run = _BASE64.match(block)
        start -= run.end() if run else 0
        if run is None or run.end() < len(block):
            break
    forward = _BASE64.match(text, at)
    return start, forward.end() if forward else at


def _decoded(run: bytes) -> bytes:
    try:
        return binascii.a2b_base64(run[: len(run) - len(run) % 4].translate(_BASE64_URLSAFE)) + _tail(run)
    except binascii.Error:
        return b""


def _tail(run: bytes) -> bytes:
    """What the characters after the last whole group of four decode to."""
    rest = run[len(run) - len(run) % 4 :].translate(_BASE64_URLSAFE)
    return binascii.a2b_base64(rest + b"=" * (-len(rest) % 4)) if len(rest) > 1 else b""


def _holds_host(text: bytes, host: bytes) -> bool:
    at = text.find(host)
    while at >= 0:
        before, after = text[at - 1 : at] if at else b"", _RIGHT.match(text, at + len(host))
        if after is not None and not _NAME.match(before):
            return True
        at = text.find(host, at + 1)
    return False
