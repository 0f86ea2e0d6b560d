"""Redirect rules in Apache's .htaccess and server files: Redirect, RedirectMatch and RewriteRule with its conditions.

mod_rewrite works before mod_alias, so its rules come first. What can't be read is told with its line and skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from crossdock.core.redirects import (
    GONE,
    REDIRECTS,
    Carries,
    Rule,
    Slot,
    address_of,
    compiled,
    from_start,
    python_pattern,
)

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)')
_ALIASES = ("redirect", "redirectpermanent", "redirecttemp", "redirectmatch")
# What counts for some requests only. (<Directory> mostly is the site's own, and <IfModule> holds.)
_SECTION = re.compile(r"<(/?)(?:If|ElseIf|Else|Location|LocationMatch|Files|FilesMatch)\b", re.IGNORECASE)
_NAMED = {"permanent": 301, "temp": 302, "seeother": 303, "gone": 410}
_BACK = re.compile(r"\\(.)|\$(\d)|%(\d)|%\{([A-Za-z_:]+)\}")
_HOST_PATTERN = re.compile(r"\^?((?:www\\?\.|\(\?:www\\?\.\)\??|\(www\\?\.\)\??)?)([A-Za-z0-9\\.-]+)\$?")


@dataclass
class _Conditions:
    """RewriteCond lines that wait for their RewriteRule."""

    query: list[str] = field(default_factory=list)
    hosts: list[tuple[str, ...]] = field(default_factory=list)
    alternatives: bool = False
    foreign: str = ""


def parse_htaccess(text: str, origin: str, hosts: tuple[str, ...] = ()) -> tuple[list[Rule], list[tuple[str, str]]]:
    """Rules in the order in which Apache applies them, and (file:line, why) of what can't be read.

    `hosts`: the names that the file counts for (empty: any); <VirtualHost> with ServerName narrows them."""
    reader = _Reader(hosts)
    for number, line in _lines(text):
        place = f"{origin}:{number}"
        try:
            reader.read(line, place)
        except ValueError as error:
            reader.problems.append((place, str(error)))
            # A rule whose condition can't be read must not count for everything.
            unread = line if line.lower().startswith("rewritecond") else ""
            reader.conditions = _Conditions(foreign=unread)
    return reader.rewrites + reader.aliases, reader.problems


def _lines(text: str) -> list[tuple[int, str]]:
    """Logical lines: a backslash at the end joins the next one."""
    found: list[tuple[int, str]] = []
    waiting, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        began = began or number
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        found.append((began, (waiting + line).strip()))
        waiting, began = "", 0
    if waiting:
        found.append((began, waiting.strip()))
    return [(number, line) for number, line in found if line and not line.startswith("#")]


class _Reader:
    def __init__(self, hosts: tuple[str, ...]) -> None:
        self.all_hosts = self.hosts = hosts
        self.rewrites: list[Rule] = []
        self.aliases: list[Rule] = []
        self.problems: list[tuple[str, str]] = []
        self.conditions = _Conditions()
        self.engine = True
        self.base = "/"
        self.per_server = False
        self.sections: list[str] = []

    def read(self, line: str, place: str) -> None:
        words = [found[1] if found[1] is not None else found[2] for found in _WORD.finditer(line)]
        name = words[0].lower() if words else ""
        if section := _SECTION.match(line):
            self._enter(section[1], line)
        elif self.sections and name in (*_ALIASES, "rewriterule"):
            self.conditions = _Conditions()
            raise ValueError(f"it stands within {self.sections[-1]}, which only the running server knows")
        elif name in _ALIASES:
            self.aliases.append(self._alias(name, words[1:], place))
        elif name == "rewriteengine":
            self.engine = [word.lower() for word in words[1:2]] != ["off"]
        elif name == "rewritebase" and len(words) > 1:
            self.base = words[1].rstrip("/") + "/"
        elif name == "rewritecond":
            self._condition(words[1:])
        elif name == "rewriterule":
            conditions, self.conditions = self.conditions, _Conditions()
            if self.engine:
                self._rewrite(words[1:], conditions, place)
        elif name.startswith("<virtualhost"):
            self.hosts, self.per_server = (), True
        elif name.startswith("</virtualhost"):
            self.hosts, self.per_server = self.all_hosts, False
        elif name in ("servername", "serveralias") and self.per_server:
            plain = tuple(word.lower().partition(":")[0] for word in words[1:] if "*" not in word)
            self.hosts += plain

    def _enter(self, slash: str, line: str) -> None:
        if not slash:
            self.sections.append(line)
        elif self.sections:
            self.sections.pop()

    def _alias(self, name: str, words: list[str], place: str) -> Rule:
        status = 301 if name == "redirectpermanent" else 302
        if words and name in ("redirect", "redirectmatch") and (words[0].isdigit() or words[0].lower() in _NAMED):
            status = int(words[0]) if words[0].isdigit() else _NAMED[words[0].lower()]
            words = words[1:]
        if status not in (*REDIRECTS, GONE):
            raise ValueError(f"answers {status}, which is no redirect")
        if not words or (status in REDIRECTS and len(words) < 2):
            raise ValueError("a redirect without a path or a target")
        match, text = words[0], words[1] if len(words) > 1 else ""
        if name == "redirectmatch":
            target = _template(text) if status in REDIRECTS else ()
            return Rule(place, "pattern", python_pattern(match), target, status, hosts=self.hosts)
        if not match.startswith("/"):
            raise ValueError("the path of a Redirect must begin with /")
        return Rule(place, "prefix", match, (text,) if status in REDIRECTS else (), status, hosts=self.hosts)

    def _condition(self, words: list[str]) -> None:
        if len(words) < 2:
            raise ValueError("RewriteCond without a test")
        test, pattern, flags = words[0].upper(), words[1], words[2].upper() if len(words) > 2 else ""
        here = self.conditions
        here.alternatives = here.alternatives or "OR" in flags.strip("[]").split(",")
        if test == "%{QUERY_STRING}" and not pattern.startswith("!"):
            here.query.append(python_pattern(pattern if "NC" not in flags else f"(?i:{pattern})"))
        elif test == "%{HTTP_HOST}" and not pattern.startswith("!"):
            here.hosts.append(_hosts(pattern))
        elif test == "%{REQUEST_METHOD}" and _holds_for_get(pattern):
            return
        elif test in ("%{HTTPS}", "%{REQUEST_SCHEME}", "%{SERVER_PORT}"):
            here.foreign = here.foreign or "scheme"
        else:
            here.foreign = f"{words[0]} {pattern}"

    def _rewrite(self, words: list[str], conditions: _Conditions, place: str) -> None:
        if len(words) < 2:
            raise ValueError("RewriteRule without a pattern and a target")
        flags = [flag.strip() for flag in (words[2].strip("[]") if len(words) > 2 else "").split(",")]
        status = _status(flags, words[1])
        if status is None:
            return  # an inner rewrite shows the visitor nothing
        if conditions.foreign == "scheme" and re.fullmatch(r"https?://[^/]*/?(?:\$1|%\{REQUEST_URI\})?", words[1]):
            return  # the same address by another scheme
        if conditions.foreign and conditions.foreign != "scheme":
            raise ValueError(f"a condition that only the running server knows: {conditions.foreign}")
        if conditions.alternatives and len(conditions.query) + bool(conditions.hosts) > 1:
            raise ValueError("conditions joined by OR over different things")
        if words[0].startswith("!"):
            raise ValueError("a pattern that must not fit")
        query, hosts = self._met(conditions)
        kind, match = self._pattern(words[0])
        target, carries = self._target(words[1], flags)
        self.rewrites.append(
            Rule(
                place, kind, match, target if status in REDIRECTS else (), status, query, hosts, carries,
                any(flag.upper() in ("NC", "NOCASE") for flag in flags),
            )
        )  # fmt: skip

    def _met(self, conditions: _Conditions) -> tuple[str, tuple[str, ...]]:
        # %1 counts the captures of the last condition; those before only have to hold.
        *before, last = conditions.query or [""]
        query = last
        if before:
            held = "".join(f"(?={from_start(_without_captures(one))})" for one in before)
            query = f"^{held}{from_start(last)}"
        if not conditions.hosts:
            return query, self.hosts
        if conditions.alternatives:
            return query, tuple(name for names in conditions.hosts for name in names)
        return query, tuple(name for name in conditions.hosts[0] if all(name in one for one in conditions.hosts[1:]))

    def _pattern(self, pattern: str) -> tuple[Literal["pattern"], str]:
        """Per folder Apache takes the leading slash (and the base) away before it compares."""
        if self.per_server:
            return "pattern", python_pattern(pattern)
        if pattern in (".*", "(.*)"):
            return "pattern", f"^/{pattern}$"
        return "pattern", python_pattern(f"^/{from_start(pattern).removeprefix('/?')}")

    def _target(self, text: str, flags: list[str]) -> tuple[tuple[str | Slot, ...], Carries]:
        upper = {flag.upper() for flag in flags}
        carries: Carries = "always" if "QSA" in upper else "alone"
        if text.endswith("?") or "QSD" in upper:
            carries = "never"
        if not text.startswith(("/", "http://", "https://", "%{", "$")) or text == "-":
            text = self.base + text
        return _template(text.removesuffix("?")), carries


def _holds_for_get(pattern: str) -> bool:
    return bool(compiled(python_pattern(pattern.removeprefix("!")), True).search("GET")) != pattern.startswith("!")


def _without_captures(pattern: str) -> str:
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)


def _status(flags: list[str], target: str) -> int | None:
    for flag in flags:
        name, _, value = flag.partition("=")
        if name.upper() in ("R", "REDIRECT"):
            value = value.lower()
            status = int(value) if value.isdigit() else _NAMED.get(value, 302)
            if status in (*REDIRECTS, GONE):
                return status
            return None
        if name.upper() in ("G", "GONE"):
            return GONE
    return 302 if target.startswith(("http://", "https://")) else None


def _hosts(pattern: str) -> tuple[str, ...]:
    """The names that a pattern such as ^(www\\.)?north\\.example$ means."""
    found = _HOST_PATTERN.fullmatch(pattern)
    if not found:
        raise ValueError(f"a pattern of host names that is not understood: {pattern}")
    name = found[2].replace("\\", "").lower()
    if not found[1]:
        return (name,)
    return (f"www.{name}", name) if found[1].endswith("?") or found[1].startswith("(") else (f"www.{name}",)


def _template(text: str) -> tuple[str | Slot, ...]:
    parts: list[str | Slot] = []
    at = 0
    text = re.sub(r"^(?:https?|%\{REQUEST_SCHEME\})://%\{(?:HTTP_HOST|SERVER_NAME)\}", "", text)
    for found in _BACK.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        if found[1] is not None:
            parts.append(found[1])
        elif found[2] or found[3]:
            parts.append(Slot("path" if found[2] else "query", found[2] or found[3]))
        elif found[4] in ("REQUEST_URI", "QUERY_STRING"):
            parts.append(Slot("uri") if found[4] == "REQUEST_URI" else Slot("args"))
        else:
            raise ValueError(f"the target holds %{{{found[4]}}}, which only the running server knows")
    parts.append(text[at:])
    made = tuple(part for part in parts if part != "")
    first = made[0] if made else ""
    if isinstance(first, str) and first.startswith("http") and len(made) == 1 and address_of(first) is None:
        raise ValueError("the target is no address")
    return made
