"""Addresses, redirect rules and the rows of a redirect map: what formats, move and edges all speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple
from urllib.parse import unquote_to_bytes

REDIRECTS = (301, 302, 303, 307, 308)
GONE = 410
# How a pattern of the map ends that takes the query along; its capture ends the target.
QUERY_TAIL = r"(\?.*)?$"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What may stand unencoded in a path or a query besides these.
_DELIMITERS = frozenset(b"/:@!$&'()*+,;=")
_TRIPLET = re.compile(rb"%([0-9A-Fa-f]{2})")
_QUANTIFIERS = "?*{"
_CAPTURE = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\((?!\?)|\(\?P<\w+>", re.DOTALL)
_META = "\\^$.|?*+()[]{}"
_NORMAL = re.compile(r"[A-Za-z0-9\-._~/:@!$&'()*+,;=]*")


def normal(text: str, *, query: bool = False) -> str:
    """A path or query with one spelling: unreserved characters plain, everything else that needs it percent-encoded in
    upper-case hexadecimal. Bytes that are no UTF-8 (surrogateescape) keep their value."""
    if _NORMAL.fullmatch(text):
        return text
    raw = text.encode("utf-8", "surrogateescape")
    plain = _DELIMITERS | frozenset(b"?") if query else _DELIMITERS
    made = []
    at = 0
    while at < len(raw):
        byte = raw[at]
        triplet = _TRIPLET.match(raw, at) if byte == 0x25 else None
        if triplet:
            value = int(triplet[1], 16)
            made.append(chr(value) if value in _UNRESERVED else f"%{value:02X}")
            at += 3
            continue
        made.append(chr(byte) if byte in _UNRESERVED or byte in plain else f"%{byte:02X}")
        at += 1
    return "".join(made)


def decoded(text: str) -> str:
    """A percent-encoded path as its text; bytes that are no UTF-8 stay as surrogates."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


class Address(NamedTuple):
    """Where a request goes, in its normal spelling: lower-case host (with a port that is not the scheme's), path from
    the root on, query without its question mark."""

    host: str
    path: str
    query: str = ""

    @property
    def key(self) -> str:
        """Path with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return self.host + self.key


def address_of(url: str) -> Address | None:
    """The address of an http(s) URL; None when it is none, or hostile (control characters, no host, an account)."""
    found = re.fullmatch(
        r"https?://([^/?#\s@\\\"'<>`^{|}$%;()*,]+)((?:/[^?#]*)?)(?:\?([^#]*))?(?:#.*)?", url.strip(),
        re.IGNORECASE | re.DOTALL,
    )  # fmt: skip
    if not found or re.search(r"[\x00-\x20\x7f]", url.strip()):
        return None
    host = found[1].lower().rstrip(".")
    scheme = "80" if url.strip()[:5].lower() != "https" else "443"
    host = host.removesuffix(f":{scheme}")
    return Address(host, normal(found[2]) or "/", normal(found[3] or "", query=True)) if host else None


Carries = Literal["never", "alone", "always"]


@dataclass(frozen=True)
class Slot:
    """A part of a rule's target that the request fills in.

    `kind`: path and query (a capture of that condition, by number or name), arg (a query argument's value), uri (the
    path), args (the query), tail (the query with its question mark), request (path and query).
    """

    kind: Literal["path", "query", "arg", "uri", "args", "tail", "request"]
    key: str = ""


@dataclass(frozen=True)
class Rule:
    """One redirect as a server applies it.

    `match` is a decoded path (exact, prefix) or a regular expression over the decoded path (pattern); `query` a regular
    expression that must be found in the query ('': none is needed); `hosts` exact names (empty: any). `target` is empty
    for 410. `carries_query`: whether the request's query goes along (alone: where the target has none). `origin` says
    where it stands.
    """

    origin: str
    kind: Literal["exact", "prefix", "pattern"]
    match: str
    target: tuple[str | Slot, ...]
    status: int
    query: str = ""
    hosts: tuple[str, ...] = ()
    carries_query: Carries = "alone"
    ignore_case: bool = False

    def applied(self, asked: Address) -> str | None:
        """Where this rule sends an address ('' for gone); None when it does not apply. A path stays a path."""
        if self.hosts and asked.host not in self.hosts:
            return None
        path = decoded(asked.path)
        found = self._path_match(path)
        if found is None:
            return None
        query = compiled(self.query, False).search(asked.query) if self.query else None
        if self.query and query is None:
            return None
        if self.status not in REDIRECTS:
            return ""
        made = "".join(part if isinstance(part, str) else _filled(part, asked, found, query) for part in self.target)
        if self.kind == "prefix":
            made += normal(path[len(self.match) :])
        if not asked.query or self.carries_query == "never" or ("?" in made and self.carries_query == "alone"):
            return made
        return f"{made}{'&' if '?' in made else '?'}{asked.query}"

    def _path_match(self, path: str) -> re.Match[str] | bool | None:
        if self.kind == "exact":
            return True if path == self.match else None
        if self.kind == "prefix":
            rest = path[len(self.match) :]
            # As Apache's Redirect: /one matches /one/two and not /onetwo.
            whole = not rest or rest.startswith("/") or self.match.endswith("/")
            return True if path.startswith(self.match) and whole else None
        return compiled(self.match, self.ignore_case).search(path)

    @property
    def alias_of(self) -> str:
        """The address (scheme://host) that a rule sends a whole host to; '' when it is no such rule."""
        rest = (Slot("path", "1"),) if self.match in ("^/(.*)$", "^(/.*)$") else (Slot("request"), Slot("uri"))
        whole = len(self.target) == 2 and self.target[1] in rest
        base = self.target[0] if whole else ""
        return base if isinstance(base, str) and re.fullmatch(r"https?://[^/]+/?", base) and self.hosts else ""


def _filled(slot: Slot, asked: Address, path: re.Match[str] | bool, query: re.Match[str] | None) -> str:
    if slot.kind == "uri":
        return asked.path
    if slot.kind in ("args", "tail"):
        return f"?{asked.query}" if slot.kind == "tail" and asked.query else asked.query
    if slot.kind == "request":
        return asked.key
    if slot.kind == "arg":
        found = re.search(rf"(?:^|&){re.escape(slot.key)}=([^&]*)", asked.query)
        return found[1] if found else ""
    match = path if slot.kind == "path" else query
    if not isinstance(match, re.Match):
        return ""
    try:
        value = match[int(slot.key) if slot.key.isdigit() else slot.key] or ""
    except IndexError:
        return ""
    return normal(value) if slot.kind == "path" else value


@cache
def compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """Errors: re.error, for patterns that `python_pattern` has not made."""
    return re.compile(pattern, re.IGNORECASE if ignore_case else 0)


_POSIX = {
    "alnum": "A-Za-z0-9", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "space": r"\s",
    "xdigit": "0-9A-Fa-f", "word": r"\w", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip
_TOKEN = re.compile(r"\||\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)(?:[+*]|\{\d*,\d*\})?|[+*]|\{\d*,\}", re.DOTALL)


def python_pattern(pattern: str) -> str:
    """A server's regular expression (PCRE) as Python takes it.

    Errors: ValueError saying why it can't be used (a construct that Python lacks, nested repetition).
    """
    made = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    made = re.sub(r"\[:(\w+):\]", lambda found: _POSIX.get(found[1], found[0]), made)
    made = made.replace(r"\z", r"\Z").replace(r"\/", "/").replace(r"\h", r"[ \t]")
    if _may_be_endless(made):
        raise ValueError("a repetition inside a repetition, which may take for ever")
    try:
        compiled(made, False)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"no regular expression: {error}") from error
    return made


def from_start(pattern: str) -> str:
    """A pattern as it goes on behind a ^ of somebody else's."""
    return pattern.removeprefix("^") if pattern.startswith("^") else f".*?{pattern}"


def plain_start(pattern: str) -> str:
    """The plain text with which everything that an expression fits must begin; '' where there is none."""
    if not pattern.startswith("^") or _alternates(pattern):
        return ""
    made, at = [], 1
    while at < len(pattern):
        letter = pattern[at]
        step = 1
        if letter == "\\" and at + 1 < len(pattern) and not pattern[at + 1].isalnum():
            letter, step = pattern[at + 1], 2
        elif letter in _META:
            break
        if pattern[at + step : at + step + 1] and pattern[at + step] in _QUANTIFIERS:
            break
        made.append(letter)
        at += step
        if pattern[at : at + 1] == "+":
            break
    return "".join(made)


def _alternates(pattern: str) -> bool:
    """Whether an expression is two or more, joined by a | outside of all groups."""
    depth = 0
    for token in re.finditer(r"\\.|\[(?:\\.|[^\]\\])*\]|[()|]", pattern, re.DOTALL):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth -= 1
        elif token[0] == "|" and depth == 0:
            return True
    return False


def escaped(text: str) -> str:
    """A text as a pattern; unlike re.escape it leaves alone what has no meaning, so that people recognise it."""
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)


def _may_be_endless(pattern: str) -> bool:
    """Whether a repeated group repeats something itself or has alternatives, which may fit the same text in many ways:
    both may take for ever on a path that almost fits."""
    repeats = [False]
    for token in (found[0] for found in _TOKEN.finditer(pattern)):
        if token == "(":  # noqa: S105  a parenthesis
            repeats.append(False)
        elif token.startswith(")"):
            inner = repeats.pop() if len(repeats) > 1 else False
            if inner and len(token) > 1:
                return True
            repeats[-1] = repeats[-1] or inner or len(token) > 1
        elif token[0] in "+*{|":
            repeats[-1] = True
    return False


Match = Literal["exact", "pattern", "host"]
Action = Literal["kept", "moved", "gone", "unknown"]
MATCHES: tuple[Match, ...] = ("exact", "pattern", "host")
ACTIONS: tuple[Action, ...] = ("kept", "moved", "gone", "unknown")


@dataclass(frozen=True)
class MapRow:
    """One line of a redirect map.

    `source`: the URL as it was known (exact), 'host regular-expression' over the encoded path and query (pattern), or a
    host name (host). `target` is an absolute URL, with $1 for a pattern's captures; '' for gone and unknown.
    `status` is what the environment must answer (200, 301, 410; 0 unknown). `note`: for gone, its name and reason.
    """

    source: str
    match: Match
    action: Action
    target: str = ""
    status: int = 0
    origin: str = ""
    hits: int = 0
    note: str = ""

    @property
    def parts(self) -> tuple[str, str]:
        """Host and regular expression of a pattern."""
        host, _, pattern = self.source.partition(" ")
        return host, pattern


def captures(pattern: str) -> list[str]:
    """What each capture of an expression begins with: the rest of the expression behind its parenthesis."""
    return [pattern[found.end() :] for found in _CAPTURE.finditer(pattern) if found[0].startswith("(")]


def landing(row: MapRow) -> Address | None:
    """Where a row leads; None where its target is no address, or where a visitor could choose its host: right behind a
    host only a capture that begins with a slash may stand."""
    behind = re.match(r"(https?://[^/?#$]+)\$(\d)", row.target, re.IGNORECASE) if row.match == "pattern" else None
    if behind is None:
        return address_of(row.target)
    groups, number = captures(row.parts[1]), int(behind[2])
    begins = groups[number - 1] if 0 < number <= len(groups) else ""
    return address_of(f"{behind[1]}/") if begins.startswith(("/", "(?=/)")) else None


def shielded(rows: Iterable[MapRow]) -> dict[str, MapRow]:
    """The rows of what is kept (by their source) that a pattern of the same map would take away: nothing else keeps an
    address where it is."""
    kept: list[tuple[Address, MapRow]] = []
    starts: dict[str, dict[str, list[re.Pattern[str]]]] = {}
    for row in rows:
        asked = address_of(row.source) if row.match == "exact" and row.action == "kept" else None
        if asked and not asked.query:
            kept.append((asked, row))
        elif row.match == "pattern":
            host, pattern = row.parts
            with suppress(ValueError):
                fits = compiled(python_pattern(pattern), False)
                starts.setdefault(host, {}).setdefault(plain_start(pattern), []).append(fits)
    made: dict[str, MapRow] = {}
    for asked, row in kept:
        here = starts.get(asked.host, {})
        if any(one.search(asked.path) for at in range(len(asked.path) + 1) for one in here.get(asked.path[:at], ())):
            made[row.source] = row
    return made
