"""Byte-exact rewriting of addresses and server paths inside WordPress values.

An address looks the same at any depth of nesting but for the backslashes before its slashes. So all matches are found
in one pass over the raw bytes, and only then is the structure around them read, to mend the lengths that PHP's
serialize() counts. Nothing is decoded and encoded again: what does not match stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from crossdock.core.errors import ConfigError
from crossdock.wordpress import _native
from crossdock.wordpress.nesting import MOST_ESCAPES, Change, Edit, Structure


@dataclass(frozen=True)
class UrlRule:
    """A source address and its target. source_host: 'www.north.example', in any letter case, with ':8080' if need be.

    source_path: '' or '/shop', without a slash at its end; matches up to a segment boundary. An empty target_scheme or
    target_host keeps what stood there. Matches behind http:, https: and '//'; with any_scheme behind every other, too.
    """

    source_host: str
    source_path: str = ""
    target_scheme: str = ""
    target_host: str = ""
    target_path: str = ""
    any_scheme: bool = False


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


class Found(NamedTuple):
    """What rewriting does to a value: edits by place, without overlaps, those of lengths among them."""

    edits: list[Edit]
    changes: int
    broken: bool


_DEFAULT_PORTS = (80, 443)
_MOST_REMEMBERED = 4096
_USUAL_REACH = 10  # bytes: 'https:\\/\\/'
_LONGEST_ESCAPE = 8  # bytes: '&nbsp;', '\\u0022'
_RARE_NAME = 8  # a path segment this long is hardly met but in that path
_SLASH_ENDS = frozenset(b"/fF")
_SCHEME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")
# These end a host at once; anything else is looked at closely.
_ENDS_HOST = frozenset(b"\0/\"'<>\\?# \t\r\n,;)]}|&*")
_ENDS_PATH = frozenset(b"\0/\"'<>?# \t\r\n,;)]}|&")
# A port (not given back by backtracking), then nothing that makes the host another: more of a name, userinfo.
_AFTER_HOST = re.compile(
    rb"(?:(?::|%3[aA])(\d++))?+"
    rb"(?![a-zA-Z0-9@]|%40|[-_]++[a-zA-Z0-9]|\.[a-zA-Z0-9_-]|(?::|%3[aA])(?:\d|[^/?#\s\"'<>\\\0]{0,200}?@))"
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
_LONGEST_SCHEME = 24  # bytes: longer than any that is registered and in use
_ESCAPE_BEFORE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|[nrtbf])|%[0-9a-fA-F]{2}")
_MORE_NAME = _native.NAME_BYTES
_BEGINS_URL = frozenset(b"\"'`(=,> \t\r\n")


class Rewriter:
    """Rewrites values by rules; the longest source wins. Remembers usual addresses, nothing else; can be pickled."""

    def __init__(self, rules: Sequence[UrlRule | PathRule]) -> None:
        hosts: dict[bytes, list[_UrlTarget]] = {}
        self._matchers: list[_HostMatcher | _PathMatcher] = []
        for rule in rules:
            if isinstance(rule, UrlRule):
                target = _UrlTarget(rule)
                hosts.setdefault(target.host, []).append(target)
            else:
                self._matchers.append(_PathMatcher(rule))
        # A host within another ('north.example' in 'www.north.example') is found with it, in one pass.
        for needle in _innermost(hosts):
            self._matchers.append(_HostMatcher(needle, {host: hosts[host] for host in hosts if needle in host}))
        #: Lower-case byte strings: a value whose lower-case form holds none of them can't change.
        self.needles: tuple[bytes, ...] = _innermost(
            {needle for matcher in self._matchers for needle in matcher.needles}
        )
        #: The same, as compiled searches.
        self.searches = tuple(_native.Needle(needle) for needle in self.needles)

    def rewrite(self, value: bytes) -> Rewritten:
        """The value with every match replaced and every length mended."""
        edits, changes, broken = self.find(value)
        return Rewritten(_native.applied(value, edits) if edits else value, changes, broken)

    def find(self, value: bytes) -> Found:
        """What rewrite() would do, for a caller who has the value in another form."""
        edits: list[Edit] = []
        for matcher in self._matchers:
            found = matcher.edits(value)
            if found:
                edits = _without_overlaps(edits + found) if edits else found
        if not edits or not _native.may_hold_lengths(value):
            return Found(edits, len(edits), broken=False)
        structure = Structure(value, edits)
        mended = structure.mend()
        return Found(mended if structure.edits else [], len(structure.edits), structure.broken)

    def hits(self, values: Sequence[bytes | None]) -> list[int]:
        """Indexes, ascending, of the values that may change: those that hold a needle in any letter case."""
        return _native.hits(values, self.searches)


def _innermost(needles: Iterable[bytes]) -> tuple[bytes, ...]:
    """Those that hold no other one."""
    every = set(needles)
    return tuple(sorted(one for one in every if not any(other in one for other in every if other != one)))


def _without_overlaps(edits: list[Edit]) -> list[Edit]:
    """By place; of two that overlap, the one that begins first, then the longer."""
    edits.sort()
    kept = edits[:1]
    for edit in edits:
        if edit[0] >= kept[-1][1]:
            kept.append(edit)
        elif edit[0] == kept[-1][0]:
            kept[-1] = edit
    return kept


class _Left(NamedTuple):
    """What stands before a host: its size, the size without the scheme, how a slash is written, and whether the scheme
    is another one than http and https."""

    size: int
    after_scheme: int
    slash: bytes
    is_other: bool = False


class _UrlTarget:
    """A UrlRule in bytes."""

    def __init__(self, rule: UrlRule) -> None:
        host, _, port = rule.source_host.lower().partition(":")
        _check(rule.source_host, "source_host", bool(host) and (not port or port.isdigit()) and "/" not in host)
        _check(rule.source_path, "source_path", _is_path(rule.source_path) or not rule.source_path)
        for target in (rule.target_scheme, rule.target_host, rule.target_path):
            _check(target, "target", not _NOT_IN_PATHS.search(target))
        self.host = host.encode()
        self.port = int(port) if port and int(port) not in _DEFAULT_PORTS else None
        self.path = _Path(rule.source_path)
        self.scheme = rule.target_scheme.encode()
        self.target_host = rule.target_host.encode()
        self.target_path = _Path(rule.target_path.rstrip("/"))
        self.any_scheme = rule.any_scheme

        self._changes: dict[bytes, Change | None] = {}

    def change(self, before: bytes, left: _Left, port_end: int) -> Change | None:
        """What becomes of the address `before`; `port_end` is an offset in it."""
        try:
            return self._changes[before]
        except KeyError:
            scheme, slash = before[: left.size - left.after_scheme], left.slash
            host = self.target_host or before[left.size : port_end]
            if slash[:1] == b"%":
                host = host.replace(b":", b"%3a" if slash == b"%2f" else b"%3A")
            text = b"".join(
                (
                    self.scheme if self.scheme and scheme else scheme,
                    before[len(scheme) : left.size],
                    host,
                    self.target_path.written(slash),
                )
            )
            if len(self._changes) >= _MOST_REMEMBERED:
                self._changes.clear()
            made = _change(before, text, slash, self.target_path.slashes - self.path.slashes)
            self._changes[before] = made
            return made

    def takes_port(self, port: bytes | None) -> bool:
        number = int(port[:9]) if port else None
        return number == self.port or (self.port is None and number in _DEFAULT_PORTS)


_NOT_IN_PATHS = re.compile(r"[\\\"'\x00-\x1f<>;]")  # what would end a string, an attribute or a URL


def _is_path(path: str) -> bool:
    return path.startswith("/") and not path.endswith("/") and not _NOT_IN_PATHS.search(path)


def _check(source: str, name: str, fits: bool) -> None:
    if not fits:
        raise ConfigError(f"{source!r} can't be rewritten", where=f"rule's {name}", way_out="give a host or a path")


class _Path:
    """A path, in every encoding it may stand in. `slash` is how a slash is written there."""

    def __init__(self, path: str) -> None:
        self.slashes = path.count("/")
        self._plain = path.encode()
        self._encoded = quote(path, safe="/").encode()
        pattern = re.escape(quote(path, safe="").encode())
        self._pattern = re.compile(re.sub(rb"%[0-9A-F]{2}", lambda code: b"(?i:" + code[0] + b")", pattern))

    def __bool__(self) -> bool:
        return self.slashes > 0

    def __len__(self) -> int:
        return len(self._plain)

    def written(self, slash: bytes) -> bytes:
        return (self._encoded if slash[:1] == b"%" else self._plain).replace(b"/", slash)

    def end(self, value: bytes, at: int, slash: bytes) -> int:
        """Where the path ends that stands at `at`; -1 where it does not, or where its last segment goes on."""
        if slash[:1] == b"%":
            found = self._pattern.match(value, at)
            end, more = found.end() if found else -1, _MORE_PATH_ENCODED
        else:
            path = self.written(slash)
            end, more = at + len(path) if value.startswith(path, at) else -1, _MORE_PATH_PLAIN
        if end < 0 or end == len(value) or value[end] in _ENDS_PATH:
            return end
        return -1 if more.match(value, end) else end


def _change(before: bytes, text: bytes, slash: bytes, slashes: int) -> Change | None:
    """The change, or None where the text is what stands there."""
    if text == before:
        return None
    grown = len(text) - len(before)
    if slash[:1] == b"%":
        return Change(text, grown, 0, 0)
    return Change(text, grown - slashes * len(slash), slashes, len(slash) - 1)


class _Known(NamedTuple):
    """What becomes of an address whose surroundings were seen before."""

    back: int  # how far before the needle it begins
    root: Change | None  # without a path that has a rule of its own; None: not seen yet
    paths: tuple[bytes, ...]  # those paths, the longest first
    deep: Change | None  # with the longest of them, and a slash behind it; None: not seen yet
    slash: bytes


class _HostMatcher:
    """The rules of all hosts that hold one needle."""

    def __init__(self, needle: bytes, hosts: dict[bytes, list[_UrlTarget]]) -> None:
        self.needles = (needle,)
        self._needle = _native.Needle(needle)
        longest_first = sorted(hosts, key=lambda host: -len(host))
        self._hosts = [
            (host, host.index(needle), sorted(hosts[host], key=lambda target: -len(target.path)))
            for host in longest_first
        ]
        # What stands before a host is the same few bytes again and again, and so is what becomes of it.
        self._lefts: dict[bytes, tuple[_Left | None, int]] = {}
        self._known: dict[bytes, _Known] = {}
        self._before = _USUAL_REACH + max(offset for _, offset, _ in self._hosts)

    def edits(self, value: bytes) -> list[Edit]:
        """The addresses, by place."""
        return _native.host_edits(value, self._needle, self._before, self._known, self._look)

    def _look(self, value: bytes, at: int) -> Edit | None:
        """The edit at a needle, and note for the next time if it is one of the usual kind."""
        for host, offset, targets in self._hosts:
            begin = at - offset
            if begin < 2 or value[begin - 1] not in _SLASH_ENDS or value[begin : begin + len(host)].lower() != host:
                continue
            left, reach = self._left(value, begin)
            edit = self._match(value, begin, begin + len(host), targets, left) if left else None
            end = at + len(self._needle.text)
            usual = end == begin + len(host) < len(value) and value[end] in _ENDS_HOST
            if usual and left and edit and (reach <= _USUAL_REACH or at < self._before):
                self._remember(value, at, edit, targets, left.slash)
            return edit
        return None

    def _remember(self, value: bytes, at: int, edit: Edit, targets: list[_UrlTarget], slash: bytes) -> None:
        end = at + len(self._needle.text)
        key = value[max(at - self._before, 0) : end + 1]
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        paths = tuple(target.path.written(slash) for target in targets if target.path)
        known = self._known.get(key) or _Known(at - edit[0], None, paths, None, slash)
        if edit[1] == end:
            self._known[key] = known._replace(root=edit[2])
        elif value[end : edit[1]] == paths[0] and value.startswith(slash, edit[1]):
            self._known[key] = known._replace(deep=edit[2])

    @staticmethod
    def _match(value: bytes, begin: int, host_end: int, targets: list[_UrlTarget], left: _Left) -> Edit | None:
        port: bytes | None = None
        end = host_end
        if host_end < len(value) and value[host_end] not in _ENDS_HOST:
            after = _AFTER_HOST.match(value, host_end)
            if after is None:
                return None
            port, end = after[1], after.end()
        for target in targets:
            if (target.port is not None or port is not None) and not target.takes_port(port):
                continue
            if left.is_other and not target.any_scheme:
                continue
            path_end = target.path.end(value, end, left.slash) if target.path else end
            if path_end >= 0:
                start = begin - left.size
                change = target.change(value[start:path_end], left, end - start)
                return None if change is None else (start, path_end, change)
        return None

    def _left(self, value: bytes, begin: int) -> tuple[_Left | None, int]:
        """_authority(), remembered where the bytes looked at are all it depends on."""
        look = 8 if value[begin - 2] == 0x2F else 14
        context = value[begin - look : begin] if begin > look else value[:begin]
        try:
            return self._lefts[context]
        except KeyError:
            made = _authority(value, begin)
            if made[1] <= look:
                if len(self._lefts) >= _MOST_REMEMBERED:
                    self._lefts.clear()
                self._lefts[context] = made
            return made


def _authority(value: bytes, begin: int) -> tuple[_Left | None, int]:
    """What stands before the host at `begin` (None: no web address), and how many bytes one must look at to see it."""
    if value[begin - 1] != 0x2F:
        slash = value[max(begin - 3, 0) : begin]
    else:
        escape = begin - 1
        while escape > 0 and value[escape - 1] == 0x5C and begin - escape <= MOST_ESCAPES:
            escape -= 1
        slash = value[escape:begin]
    first = begin - 2 * len(slash)
    reach = 2 * len(slash) + 8
    if (
        first < 0
        or slash.lower() not in (b"%2f", slash)
        or slash[-1:] not in b"/fF"
        or value[first : begin - len(slash)].lower() != slash.lower()
    ):
        return None, reach
    if first and value[first - 1] == 0x3A:
        colon = first - 1
        reach -= 2
    elif first > 2 and value[first - 3 : first].lower() == b"%3a":
        colon = first - 3
    else:
        return _Left(begin - first, begin - first, slash), reach - 5
    for scheme in (b"http", b"https"):
        if colon >= len(scheme) and value[colon - len(scheme) : colon].lower() == scheme:
            return _Left(begin - colon + len(scheme), begin - colon, slash), reach
    # '://host' after a quote is a script that puts the scheme before it.
    reach += _LONGEST_ESCAPE
    if colon and _byte_before(value, colon) in _SCHEME_BYTES:
        size = _other_scheme(value, colon)
        left = _Left(begin - colon + size, begin - colon, slash, is_other=True) if size else None
        return left, reach + _LONGEST_SCHEME
    return _Left(begin - first, begin - first, slash), reach


def _other_scheme(value: bytes, colon: int) -> int:
    """How long the scheme is that ends at `colon`; 0 for none: a scheme begins with a letter. What belongs to an escape
    before it (\\n, \\u0022, %22) is no part of it."""
    begin = colon
    while begin and value[begin - 1] in _SCHEME_BYTES and colon - begin <= _LONGEST_SCHEME:
        begin -= 1
    if colon - begin > _LONGEST_SCHEME:
        return 0
    escape = _ESCAPE_BEFORE.match(value, begin - 1, colon) if begin else None
    begin = escape.end() if escape else begin
    while begin < colon and not value[begin : begin + 1].isalpha():
        begin += 1
    return colon - begin


class _PathMatcher:
    """One PathRule."""

    def __init__(self, rule: PathRule) -> None:
        _check(rule.source, "source", _is_path(rule.source))
        _check(rule.target, "target", not _NOT_IN_PATHS.search(rule.target))
        _check(rule.kind, "kind", rule.kind in ("server", "relative"))
        self._source = _Path(rule.source)
        self._target = _Path(rule.target.rstrip("/"))
        self._relative = rule.kind == "relative"
        self._plain = rule.source.encode()
        first = rule.source[1:].partition("/")[0]
        self._escaped = b"\\/" + first.encode()
        self._encoded = _native.Needle(b"%2f" + quote(first, safe="").lower().encode())
        rare = max(rule.source.split("/"), key=len)
        if len(rare) >= _RARE_NAME and rare.isascii() and quote(rare, safe="") == rare:
            self.needles: tuple[bytes, ...] = (rare.lower().encode(),)
        else:
            self.needles = (self._plain.lower(), self._escaped.lower(), self._encoded.text)
        self._probes = tuple(_native.Needle(needle) for needle in self.needles)

    def edits(self, value: bytes) -> list[Edit]:
        """The paths, by place."""
        places = _native.path_places(value, self._probes, self._plain, self._escaped, self._encoded)
        return _without_overlaps([edit for at in places if (edit := self._match(value, at))]) if places else []

    def _match(self, value: bytes, at: int) -> Edit | None:
        if value[at] == 0x25:
            slash = value[at : at + 3]
        else:
            stop = value.index(b"/", at)
            at = stop
            while at > 0 and value[at - 1] == 0x5C and stop - at < MOST_ESCAPES:
                at -= 1
            slash = value[at : stop + 1]
        if not self._may_begin(value, at, slash):
            return None
        end = self._source.end(value, at, slash)
        if end < 0:
            return None
        text, slashes = self._target.written(slash), self._target.slashes - self._source.slashes
        change = _change(value[at:end], text, slash, slashes)
        return None if change is None else (at, end, change)

    def _may_begin(self, value: bytes, at: int, slash: bytes) -> bool:
        before = _byte_before(value, at)
        if before <= 0:
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
