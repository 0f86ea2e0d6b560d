"""Byte-exact rewriting of addresses and server paths inside WordPress values.

An address looks the same at any depth of nesting but for the backslashes before its slashes. So all matches are found
in one pass over the raw bytes, and only then is the structure around them read, to mend the lengths that PHP's
serialize() counts. Nothing is decoded and encoded again: what does not match stays byte for byte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import quote

from crossdock.core.errors import ConfigError
from crossdock.wordpress.nesting import MOST_ESCAPES, Edit, Structure


@dataclass(frozen=True)
class UrlRule:
    """A source address and its target. source_host: 'www.north.example', in any letter case, with ':8080' if need be.

    source_path: '' or '/shop', without a slash at its end; matches up to a segment boundary. An empty target_scheme or
    target_host keeps what stood there.
    """

    source_host: str
    source_path: str = ""
    target_scheme: str = ""
    target_host: str = ""
    target_path: str = ""


@dataclass(frozen=True)
class PathRule:
    """A path and its target, in its exact letter case, up to a segment boundary.

    kind 'server': an absolute server path ('/var/www/html'). kind 'relative': a URL path without a host
    ('/wp-content/uploads'), where it begins a URL: at the start or after a quote, '(', '=', ',', '>' or whitespace.
    """

    source: str
    target: str
    kind: str


class Rewritten(NamedTuple):
    value: bytes
    changes: int  # addresses and paths rewritten
    broken: bool  # begins like serialized data and holds a match, but PHP can't read it: rewritten as plain text


_DEFAULT_PORTS = (80, 443)
_SCHEME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")
# These end a host at once; anything else is looked at closely.
_ENDS_HOST = frozenset(b"/\"'<>\\?# \t\r\n,;)]}|&*")
_ENDS_PATH = frozenset(b"/\"'<>?# \t\r\n,;)]}|&")
# A port (not given back by backtracking), then nothing that makes the host another: more of a name, userinfo.
_AFTER_HOST = re.compile(
    rb"(?:(?::|%3[aA])(\d++))?+"
    rb"(?![a-zA-Z0-9@]|%40|[-_]++[a-zA-Z0-9]|\.[a-zA-Z0-9_-]|(?::|%3[aA])(?:\d|[^/?#\s\"'<>\\]{0,200}?@))"
)
# What makes a path segment longer. Punctuation that ends a sentence does not, nor do typographic quotes and spaces.
_MORE_PATH = re.compile(
    rb"[a-zA-Z0-9_~]|-(?!->)|[.+@!$*]++[a-zA-Z0-9]"
    rb"|(?!\xe2\x80|\xc2[\xa0-\xbf]|\xe3\x80|\xef[\xbc\xbd])[\x80-\xff]"
    rb"|\\++u(?!00[0-7]|00[aAbB]|20[0-6]|30[0-3]|[fF][fF])[0-9a-fA-F]{4}"
)
_MORE_PATH_PLAIN = re.compile(_MORE_PATH.pattern + rb"|%[0-9a-fA-F]{2}")
_MORE_PATH_ENCODED = re.compile(_MORE_PATH.pattern + rb"|%(?:[89a-fA-F][0-9a-fA-F]|25|2[bBdD]|7[eE]|5[fF])")
_ENTITY = re.compile(rb"&(?:quot|apos|lt|gt|nbsp|#0*3[49]|#x2[27]);\Z", re.IGNORECASE)
_MORE_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~-")
_BEGINS_URL = frozenset(b"\"'`(=,> \t\r\n")


class Rewriter:
    """Rewrites values by rules; the longest source wins. Holds no state between values; can be pickled."""

    def __init__(self, rules: Sequence[UrlRule | PathRule]) -> None:
        hosts: dict[bytes, list[_UrlTarget]] = {}
        paths: list[_PathMatcher] = []
        for rule in rules:
            if isinstance(rule, UrlRule):
                target = _UrlTarget(rule)
                hosts.setdefault(target.host, []).append(target)
            else:
                paths.append(_PathMatcher(rule))
        self._matchers: list[_HostMatcher | _PathMatcher] = [_HostMatcher(host, found) for host, found in hosts.items()]
        self._matchers += paths
        every = {needle for matcher in self._matchers for needle in matcher.needles}
        #: Lower-case byte strings: a value whose lower-case form holds none of them can't change.
        self.needles: tuple[bytes, ...] = tuple(
            sorted(one for one in every if not any(other in one for other in every if other != one))
        )

    def rewrite(self, value: bytes) -> Rewritten:
        """The value with every match replaced and every length mended."""
        lower = value.lower()
        edits: list[Edit] = []
        for matcher in self._matchers:
            edits += matcher.matches(value, lower)
        if not edits:
            return Rewritten(value, 0, broken=False)
        structure = Structure(value, _without_overlaps(edits))
        mended = structure.mend()
        if not structure.edits:
            return Rewritten(value, 0, structure.broken)
        return Rewritten(_apply(value, mended), len(structure.edits), structure.broken)

    def hits(self, values: Sequence[bytes | None]) -> list[int]:
        """Indexes, ascending, of the values that may change: those that hold a needle in any letter case."""
        # No needle holds a NUL, so none can span two values.
        joined = b"\0".join([value or b"" for value in values]).lower()
        starts: list[int] = []
        found: set[int] = set()
        for needle in self.needles:
            at = joined.find(needle)
            while at >= 0:
                starts = starts or [0, *accumulate(len(value or b"") + 1 for value in values)]
                number = bisect_right(starts, at) - 1
                found.add(number)
                at = joined.find(needle, starts[number + 1])
        return sorted(found)


def _without_overlaps(edits: list[Edit]) -> list[Edit]:
    """By place; of two that overlap, the one that begins first, then the longer."""
    edits.sort(key=lambda edit: (edit.start, -edit.end))
    kept = edits[:1]
    for edit in edits:
        if edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def _apply(value: bytes, edits: Iterable[Edit]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for edit in edits:
        pieces += value[done : edit.start], edit.text
        done = edit.end
    pieces.append(value[done:])
    return b"".join(pieces)


class _UrlTarget:
    """A UrlRule in bytes."""

    def __init__(self, rule: UrlRule) -> None:
        host, _, port = rule.source_host.lower().partition(":")
        _check(rule.source_host, "source_host", bool(host) and (not port or port.isdigit()) and "/" not in host)
        _check(rule.source_path, "source_path", _is_path(rule.source_path) or not rule.source_path)
        self.host = host.encode()
        self.port = int(port) if port and int(port) not in _DEFAULT_PORTS else None
        self.path = rule.source_path
        self.scheme = rule.target_scheme.encode()
        self.target_host = rule.target_host.encode()
        self.target_path = rule.target_path.rstrip("/")

    def takes_port(self, port: bytes | None) -> bool:
        number = int(port[:9]) if port else None
        return number == self.port or (self.port is None and number in _DEFAULT_PORTS)


def _is_path(path: str) -> bool:
    return path.startswith("/") and not path.endswith("/") and not re.search(r"[\\\"'\x00-\x1f<>;]", path)


def _check(source: str, name: str, fits: bool) -> None:
    if not fits:
        raise ConfigError(f"{source!r} can't be rewritten", where=f"rule's {name}", way_out="give a host or a path")


def _encoded_path(path: str, slash: bytes) -> bytes:
    """The path as it stands where `slash` is how a slash is written."""
    if slash[:1] == b"%":
        return quote(path, safe="/").encode().replace(b"/", slash)
    return path.encode().replace(b"/", slash)


def _goes_on(value: bytes, at: int, slash: bytes) -> bool:
    """Whether the path segment that ends at `at` is only the beginning of a longer one."""
    if at >= len(value) or value[at] in _ENDS_PATH:
        return False
    more = _MORE_PATH_ENCODED if slash[:1] == b"%" else _MORE_PATH_PLAIN
    return more.match(value, at) is not None


def _edit(value: bytes, start: int, end: int, text: bytes, slash: bytes, slashes: int) -> Edit | None:
    """The edit, or None where the text is what stands there."""
    if text == value[start:end]:
        return None
    grown = len(text) - (end - start)
    if slash[:1] == b"%":
        return Edit(start, end, text, grown, 0, 0)
    return Edit(start, end, text, grown - slashes * len(slash), slashes, len(slash) - 1)


class _HostMatcher:
    """All rules of one host name."""

    def __init__(self, host: bytes, targets: list[_UrlTarget]) -> None:
        self._host = host
        self._targets = sorted(targets, key=lambda target: -len(target.path))
        self.needles = (b"/" + host, b"%2f" + host)

    def matches(self, value: bytes, lower: bytes) -> Iterator[Edit]:
        for needle in self.needles:
            size = len(needle)
            find = lower.find
            at = find(needle)
            while at >= 0:
                edit = self._match(value, at, at + size)
                if edit is not None:
                    yield edit
                at = find(needle, at + size)

    def _match(self, value: bytes, slash_at: int, host_end: int) -> Edit | None:
        begin = _authority(value, slash_at)
        if begin is None:
            return None
        start, scheme_end, slash = begin
        port: bytes | None = None
        end = host_end
        if host_end < len(value) and value[host_end] not in _ENDS_HOST:
            after = _AFTER_HOST.match(value, host_end)
            if after is None:
                return None
            port, end = after[1], after.end()
        for target in self._targets:
            if not target.takes_port(port):
                continue
            path_end = end
            if target.path:
                path = _encoded_path(target.path, slash)
                path_end += len(path)
                if not value.startswith(path, end) or _goes_on(value, path_end, slash):
                    continue
            host_at = host_end - len(self._host)
            scheme = target.scheme if target.scheme and scheme_end > start else value[start:scheme_end]
            host = target.target_host or value[host_at:end]
            if slash[:1] == b"%":
                host = host.replace(b":", b"%3a" if slash == b"%2f" else b"%3A")
            text = b"".join((scheme, value[scheme_end:host_at], host, _encoded_path(target.target_path, slash)))
            grown = target.target_path.count("/") - target.path.count("/")
            return _edit(value, start, path_end, text, slash, grown)
        return None


def _authority(value: bytes, slash_at: int) -> tuple[int, int, bytes] | None:
    """Where the '//' before a host, whose last slash stands at `slash_at`, begins its address.

    (start of the scheme, its end, how a slash is written); None where it is no web address.
    """
    if value[slash_at] == 0x25:
        slash = value[slash_at : slash_at + 3]
        first = slash_at - 3
        if first < 0 or value[first:slash_at].lower() != b"%2f":
            return None
    else:
        escape = slash_at
        while escape > 0 and value[escape - 1] == 0x5C and slash_at - escape < MOST_ESCAPES:
            escape -= 1
        slash = value[escape : slash_at + 1]
        first = escape - len(slash)
        if first < 0 or value[first:escape] != slash:
            return None
    if first and value[first - 1] == 0x3A:
        colon = first - 1
    elif first > 2 and value[first - 3 : first].lower() == b"%3a":
        colon = first - 3
    else:
        return first, first, slash
    if value[max(colon - 4, 0) : colon].lower() == b"http":
        return colon - 4, colon, slash
    if value[max(colon - 5, 0) : colon].lower() == b"https":
        return colon - 5, colon, slash
    # ftp://host is not ours; '://host' after a quote is a script that puts the scheme before it.
    return None if colon and value[colon - 1] in _SCHEME_BYTES else (first, first, slash)


class _PathMatcher:
    """One PathRule."""

    def __init__(self, rule: PathRule) -> None:
        _check(rule.source, "source", _is_path(rule.source))
        _check(rule.kind, "kind", rule.kind in ("server", "relative"))
        self._source = rule.source
        self._target = rule.target.rstrip("/")
        self._relative = rule.kind == "relative"
        self._plain = rule.source.encode()
        first = rule.source[1:].partition("/")[0]
        self._escaped = b"\\/" + first.encode()
        self._encoded = b"%2f" + quote(first, safe="").lower().encode()
        self.needles = (self._plain.lower(), self._escaped.lower(), self._encoded)

    def matches(self, value: bytes, lower: bytes) -> Iterator[Edit]:
        for needle, within in ((self._plain, value), (self._escaped, value), (self._encoded, lower)):
            at = within.find(needle)
            while at >= 0:
                edit = self._match(value, at)
                if edit is not None:
                    yield edit
                at = within.find(needle, at + 1)

    def _match(self, value: bytes, at: int) -> Edit | None:
        if value[at] == 0x25:
            slash = value[at : at + 3]
        else:
            stop = value.index(b"/", at)
            at = stop
            while at > 0 and value[at - 1] == 0x5C and stop - at < MOST_ESCAPES:
                at -= 1
            slash = value[at : stop + 1]
        source = _encoded_path(self._source, slash)
        end = at + len(source)
        if not value.startswith(source, at) or _goes_on(value, end, slash) or not self._may_begin(value, at, slash):
            return None
        target = _encoded_path(self._target, slash)
        return _edit(value, at, end, target, slash, self._target.count("/") - self._source.count("/"))

    def _may_begin(self, value: bytes, at: int, slash: bytes) -> bool:
        before = _byte_before(value, at)
        if before < 0:
            return True
        if self._relative:
            return before in _BEGINS_URL
        if before == 0x2F:  # file:///var/www/html
            return value.endswith((b":" + slash * 2, b"%3A" + slash * 2, b"%3a" + slash * 2), 0, at)
        return before not in _MORE_NAME


def _byte_before(value: bytes, at: int) -> int:
    """The byte before `at` as it is meant: JSON, URL and HTML escapes read as what they stand for; -1 at the start."""
    if not at:
        return -1
    byte = value[at - 1]
    if at > 1 and byte in b"nrtbf" and value[at - 2] == 0x5C:
        return 0x20
    try:
        if at > 2 and value[at - 3] == 0x25:
            return int(value[at - 2 : at], 16)
        if at > 5 and value[at - 6 : at - 4] == b"\\u":
            return int(value[at - 4 : at], 16)
    except ValueError:
        return byte
    if byte == 0x3B and _ENTITY.search(value, max(at - 8, 0), at):
        return 0x22
    return byte
