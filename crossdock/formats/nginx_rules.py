"""Redirect rules in nginx's configuration: return, rewrite, location, if and map, in the order in which nginx asks.

Reads a file, or what `nginx -T` prints. What it can't read is told with its line and skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from crossdock.core.redirects import GONE, REDIRECTS, Carries, Rule, Slot, escaped, from_start, python_pattern

_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)|(?P<mark>[{};])"""
    r"""|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<word>(?:[^\s{};"'\\]|\\.|\{\d+(?:,\d*)?\}|\$\{\w+\}|(?<=\S)["'{])+)""",
    re.DOTALL,
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(is_args\$(?:args|query_string)\b|\w+))")
_SLOTS = {"uri": Slot("uri"), "document_uri": Slot("uri"), "request_uri": Slot("request"), "args": Slot("args"),
          "query_string": Slot("args")}  # fmt: skip
_MOST_DEPTH = 40
_Rank = Literal["server", "exact", "first", "regex", "prefix"]


class Problem(NamedTuple):
    """A rule that can't be read. `place` is file:line; `what` says why."""

    place: str
    what: str


@dataclass
class Directive:
    """One directive with its words and, where it has one, its block."""

    words: list[str]
    place: str
    block: list[Directive] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""


@dataclass(frozen=True)
class Settings:
    """What a configuration says: rules in nginx's order, files of access logs, and what could not be read."""

    rules: tuple[Rule, ...]
    access_logs: tuple[str, ...]
    problems: tuple[Problem, ...]


def parse_nginx(text: str, origin: str) -> Settings:
    """`origin` names the file (or the server, for what `nginx -T` prints, which names its files itself)."""
    problems: list[Problem] = []
    trees = [_tree(part, name, problems) for name, part in _files(text, origin)]
    maps = {one.words[2]: one for tree in trees for one in _walk(tree) if one.name == "map" and len(one.words) == 3}
    reader = _Reader(maps, problems)
    rules = [rule for tree in trees for rule in reader.rules(tree)]
    logs = [one.words[1] for tree in trees for one in _walk(tree) if one.name == "access_log" and len(one.words) > 1]
    plain = tuple(dict.fromkeys(one for one in logs if one.startswith("/") and "$" not in one))
    return Settings(tuple(rules), plain, tuple(problems))


def nginx_trees(text: str, origin: str = "") -> list[list[Directive]]:
    """The directives of each file that the text holds, as trees. What can't be read is left out."""
    return [_tree(part, name, []) for name, part in _files(text, origin)]


def _files(text: str, origin: str) -> Iterator[tuple[str, str]]:
    marks = list(_FILE.finditer(text))
    if not marks:
        yield origin, text
        return
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        yield f"{origin} {mark[1]}", text[mark.end() + 1 : following.start() if following else None]


def _tree(text: str, name: str, problems: list[Problem]) -> list[Directive]:
    top: list[Directive] = []
    open_blocks, words, line, at = [top], list[str](), 1, 0
    began = 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            problems.append(Problem(f"{name}:{line}", "a quote that is not closed"))
            break
        kind, text_ = found.lastgroup, found[0]
        at = found.end()
        if kind == "mark":
            place = f"{name}:{began}"
            if text_ == "}":
                if len(open_blocks) > 1:
                    open_blocks.pop()
            elif words:
                made = Directive(words, place)
                open_blocks[-1].append(made)
                if text_ == "{" and len(open_blocks) > _MOST_DEPTH:
                    problems.append(Problem(place, "blocks within blocks without end"))
                    break
                if text_ == "{":
                    open_blocks.append(made.block)
            words = []
        elif kind not in ("space", "comment"):
            if not words:
                began = line
            quoted = found["double"] if kind == "double" else found["single"] if kind == "single" else None
            words.append(text_ if quoted is None else re.sub(r"\\([\"'])", r"\1", quoted))
        line += text_.count("\n")
    return top


def _walk(tree: Sequence[Directive]) -> Iterator[Directive]:
    for one in tree:
        yield one
        yield from _walk(one.block)


@dataclass(frozen=True)
class _Where:
    """What must hold at a place in the tree: hosts, the location, conditions on the query."""

    hosts: tuple[str, ...] = ()
    kind: Literal["exact", "prefix", "pattern", ""] = ""
    match: str = ""
    ignore_case: bool = False
    query: str = ""
    rank: _Rank = "server"


class _Reader:
    def __init__(self, maps: dict[str, Directive], problems: list[Problem]) -> None:
        self.maps, self.problems = maps, problems

    def rules(self, tree: Sequence[Directive]) -> Iterator[Rule]:
        """Rules of a file: each server's by itself; what stands outside (an included snippet) counts for any host."""
        loose = [one for one in tree if one.name not in ("http", "server", "map", "events")]
        for server in (one for one in _walk(tree) if one.name == "server" and one.block):
            names = [word.lower() for one in server.block if one.name == "server_name" for word in one.words[1:]]
            hosts = tuple(name for name in names if re.fullmatch(r"[a-z0-9.-]+", name) and not name.startswith("."))
            whole = len(hosts) == len(names)
            yield from self._ordered(server.block, _Where(hosts=hosts if whole else ()))
        yield from self._ordered(loose, _Where())

    def _ordered(self, block: Sequence[Directive], where: _Where) -> list[Rule]:
        """nginx asks the server's own rules first, then = locations, ^~ ones, regular expressions, other prefixes (the
        longest first)."""
        found: list[tuple[int, int, Rule]] = []
        for rank, rule, length in self._rules(block, where):
            order = ("server", "exact", "first", "regex", "prefix").index(rank)
            found.append((order, -length if rank in ("first", "prefix") else 0, rule))
        return [rule for _, _, rule in sorted(found, key=lambda one: one[:2])]

    def _rules(self, block: Sequence[Directive], where: _Where) -> Iterator[tuple[_Rank, Rule, int]]:
        for one in block:
            try:
                if one.name == "location":
                    inner = self._location(one, where)
                    yield from self._rules(one.block, inner) if inner else ()
                elif one.name == "if":
                    condition = self._condition(one, where)
                    yield from self._rules(one.block, condition) if condition else ()
                elif one.name in ("return", "rewrite"):
                    made = self._returned(one, where) if one.name == "return" else self._rewritten(one, where)
                    yield from ((where.rank, rule, len(where.match)) for rule in made)
            except ValueError as error:
                self.problems.append(Problem(one.place, str(error)))

    def _location(self, one: Directive, where: _Where) -> _Where | None:
        words = one.words[1:]
        if len(words) == 1:
            # The sign may stand without a blank: =/path
            found = re.fullmatch(r"(=|~\*|~|\^~)?(.+)", words[0], re.DOTALL)
            words = [part for part in (found[1], found[2]) if part] if found else words
        sign, match = words if len(words) == 2 else ("", words[0] if words else "")
        if match.startswith("@") or not match:
            return None  # a named location answers only other locations
        base = _Where(where.hosts, query=where.query)
        if sign in ("~", "~*"):
            return _Where(base.hosts, "pattern", python_pattern(match), sign == "~*", base.query, "regex")
        if sign == "=":
            return _Where(base.hosts, "exact", match, False, base.query, "exact")
        # nginx compares letters, not segments: /old also takes /older.
        pattern = "^" + escaped(match)
        return _Where(base.hosts, "pattern", pattern, False, base.query, "first" if sign == "^~" else "prefix")

    def _condition(self, one: Directive, where: _Where) -> _Where | None:
        """`if ($arg_x)`, `if ($host = name)`, `if ($args ~ pattern)`, `if ($request_uri ~ pattern)`."""
        words = " ".join(one.words[1:]).strip().removeprefix("(").removesuffix(")").split()
        if not words:
            return None
        name = words[0].lstrip("$")
        sign, value = (words[1], " ".join(words[2:]).strip("\"'")) if len(words) > 2 else ("", "")
        if name.startswith("arg_") and sign in ("", "=", "~", "~*"):
            inner = {"": "([^&]+)", "=": f"({escaped(value)})(?:&|$)"}.get(sign, f"(?=[^&]*{value.lstrip('^')})([^&]+)")
            query = python_pattern(f"(?:^|&){escaped(name[4:])}={inner}")
            return _Where(where.hosts, where.kind, where.match, where.ignore_case, query, where.rank)
        if name in ("host", "http_host", "server_name") and sign == "=":
            return _Where((value.lower(),), where.kind, where.match, where.ignore_case, where.query, where.rank)
        if name in ("args", "query_string") and sign in ("~", "~*", "="):
            query = python_pattern(value if sign != "=" else f"^{escaped(value)}$")
            return _Where(where.hosts, where.kind, where.match, where.ignore_case, query, where.rank)
        if name in ("uri", "request_uri", "document_uri") and sign in ("~", "~*", "="):
            if sign == "=":
                return _Where(where.hosts, "exact", value, False, where.query, where.rank)
            return _Where(where.hosts, "pattern", python_pattern(value), sign == "~*", where.query, where.rank)
        if f"${name}" in self.maps and not sign:
            return where
        if any(inner.name in ("return", "rewrite") for inner in one.block) and self._redirects(one.block):
            raise ValueError(f"a condition that is not understood: if ({' '.join(words)})")
        return None

    def _redirects(self, block: Sequence[Directive]) -> bool:
        return any(
            (one.words[1:2] and one.words[1].isdigit() and int(one.words[1]) in (*REDIRECTS, GONE))
            or one.words[-1] in ("permanent", "redirect")
            for one in block
        )

    def _returned(self, one: Directive, where: _Where) -> Iterator[Rule]:
        words = one.words[1:]
        if not words:
            raise ValueError("return without a status")
        status = int(words[0]) if words and words[0].isdigit() else 302
        if status not in (*REDIRECTS, GONE):
            return
        text = words[-1] if len(words) > 1 or not words or not words[0].isdigit() else ""
        whole = re.fullmatch(r"\$\{?(\w+)\}?", text)
        if whole and f"${whole[1]}" in self.maps:
            yield from self._mapped(self.maps[f"${whole[1]}"], status, where)
            return
        if where.kind == "" and not where.query and not where.hosts and status == GONE:
            return  # a closed server, not a rule
        target = _template(text)
        if target in ((Slot("request"),), (Slot("uri"),)):
            return  # the same address by another scheme
        yield self._rule(one, where, where.kind or "pattern", where.match, target, status, carries="never")

    def _rewritten(self, one: Directive, where: _Where) -> Iterator[Rule]:
        if len(one.words) < 3:
            raise ValueError("rewrite without a pattern and a target")
        pattern, text, flag = one.words[1], one.words[2], one.words[3] if len(one.words) > 3 else ""
        absolute = text.startswith(("http://", "https://", "$scheme"))
        if flag not in ("permanent", "redirect") and not absolute:
            return  # an inner rewrite shows the visitor nothing
        whole = re.fullmatch(r"\$\{?(\w+)\}?", text)
        status = 301 if flag == "permanent" else 302
        if whole and f"${whole[1]}" in self.maps:
            yield from self._mapped(self.maps[f"${whole[1]}"], status, where)
            return
        carries: Carries = "never" if text.endswith("?") else "always"
        match = python_pattern(pattern)
        # The location must hold as well; mostly the pattern says it again.
        if where.kind == "pattern" and not match.startswith(where.match):
            match = f"^(?={where.match.removeprefix('^')}){from_start(match)}"
        elif where.kind == "exact":
            match = f"^(?={escaped(where.match)}$){from_start(match)}"
        target = _template(text.removesuffix("?"))
        yield self._rule(one, where, "pattern", match, target, status, carries=carries)

    def _mapped(self, one: Directive, status: int, where: _Where) -> Iterator[Rule]:
        """A map from paths to targets, which a return or rewrite then uses."""
        if one.words[1] not in ("$uri", "$request_uri", "$document_uri"):
            raise ValueError(f"a map of {one.words[1]}, not of $uri or $request_uri")
        for entry in one.block:
            if len(entry.words) != 2 or entry.name in ("default", "include", "hostnames", "volatile"):
                continue
            key, text = entry.words
            if not text:
                continue
            target = _template(text)
            if key.startswith("~"):
                insensitive = key.startswith("~*")
                pattern = python_pattern(key.lstrip("~").removeprefix("*"))
                made = _Where(where.hosts, "pattern", pattern, insensitive, where.query, where.rank)
                yield self._rule(entry, made, "pattern", pattern, target, status, carries="never")
            else:
                path, _, query = key.removeprefix("\\").partition("?")
                held = f"^{escaped(query)}$" if query else where.query
                made = _Where(where.hosts, "exact", path, False, held, where.rank)
                yield self._rule(entry, made, "exact", path, target, status, carries="never")

    def _rule(
        self, one: Directive, where: _Where, kind: Literal["exact", "prefix", "pattern"], match: str,
        target: tuple[str | Slot, ...], status: int, *, carries: Carries,
    ) -> Rule:  # fmt: skip
        plain = None if where.ignore_case else _plain(match) if kind == "pattern" else None
        if plain is not None and not any(isinstance(part, Slot) and part.kind == "path" for part in target):
            kind, match = "exact", plain
        return Rule(
            one.place, kind, match, target if status in REDIRECTS else (), status, where.query, where.hosts,
            carries, where.ignore_case,
        )  # fmt: skip


def _plain(pattern: str) -> str | None:
    """The one path that a pattern such as ^/tents\\.html$ fits; None for all others."""
    found = re.fullmatch(r"\^((?:[^\\.^$|?*+()\[\]{}]|\\[^A-Za-z0-9])*)\$", pattern)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def _template(text: str) -> tuple[str | Slot, ...]:
    """A target with nginx's variables. Errors: ValueError for one that only a running nginx knows."""
    parts: list[str | Slot] = []
    at = 0
    text = re.sub(r"^\$\{?scheme\}?://", "http://", text)
    text = re.sub(r"^(https?://)\$\{?(?:host|http_host|server_name)\}?(?=/|\$|$)", "", text)
    for found in _VARIABLE.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        name = found[1] or found[2]
        if name.startswith("is_args$"):
            parts.append(Slot("tail"))
        elif name.startswith("arg_"):
            parts.append(Slot("arg", name[4:]))
        elif name in _SLOTS:
            parts.append(_SLOTS[name])
        elif name in ("host", "http_host", "server_name", "scheme") or name.startswith(("http_", "cookie_", "remote_")):
            raise ValueError(f"the target holds ${name}, which only the running server knows")
        else:
            parts.append(Slot("path", name))
    parts.append(text[at:])
    return tuple(part for part in parts if part != "")
