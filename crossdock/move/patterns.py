"""From a source's rule that fits many addresses to a pattern of the redirect map, so that unknown ones move too."""

from __future__ import annotations

import re

from crossdock.core.redirects import (
    GONE,
    QUERY_TAIL,
    Address,
    MapRow,
    Rule,
    Slot,
    address_of,
    captures,
    compiled,
    escaped,
    from_start,
    normal,
)
from crossdock.wordpress.addresses import AddressMap
from crossdock.wordpress.sitemap import StoreMap


def pattern_row(rule: Rule, asked_base: str, addresses: AddressMap) -> MapRow:
    """The row for one host of the environment (`asked_base`: scheme://host). It compares the encoded path and query.

    Errors: ValueError saying why the rule can't become a pattern; its known addresses are rows of their own anyway.
    """
    whole = any(isinstance(part, Slot) and part.kind in ("uri", "request") for part in rule.target)
    path = _path(rule)
    names, groups = _groups(rule)
    if whole:
        path = f"({'' if path.startswith('/') else '(?=/)'}{path})"
    offset = 1 if whole else 0
    pattern = f"(?i:{path})" if rule.ignore_case else path
    after = offset + groups
    if rule.query:
        pattern += r"\?" + _query(rule.query)
        captures = _captures(rule.query)
    else:
        pattern += QUERY_TAIL
        captures = 1
    if after + captures > 9:
        raise ValueError("more than nine captures")
    host = asked_base.partition("://")[2]
    if rule.status == GONE:
        return MapRow(f"{host} ^{pattern}", "pattern", "gone", "", GONE, rule.origin, 0, f"gone by {rule.origin}")
    target = _target(rule, names, offset, after, asked_base, addresses)
    if not rule.query and "?" not in target:
        target += f"${after + 1}"
    return MapRow(f"{host} ^{pattern}", "pattern", "moved", target, rule.status, rule.origin)


def uploads_row(store: StoreMap, asked_base: str, source_path: str) -> MapRow:
    """Uploads move to the blog's own folder, each under its name."""
    host = asked_base.partition("://")[2]
    folder = escaped(normal(source_path + store.source_uploads))
    pattern = rf"^{folder}/(?!sites/\d)(.*)$"
    target = f"{store.target_url}{store.target_uploads}/$1"
    return MapRow(f"{host} {pattern}", "pattern", "moved", target, 301, f"uploads of {store.store}")


def _path(rule: Rule) -> str:
    """The rule's path as an expression over the encoded path, without its ^ and $, which stops before a query."""
    if rule.kind == "exact":
        return escaped(normal(rule.match))
    if rule.kind == "prefix":
        return escaped(normal(rule.match)) + ("([^?]*)" if rule.match.endswith("/") else "(/[^?]*)?")
    match = rule.match
    if not match:
        return "[^?]*"
    if not match.isascii() or re.search(r"[ %]|\\s", match):
        raise ValueError("its expression holds letters that stand encoded in an address")
    if re.search(r"(?<!\\)\|", re.sub(r"\((?:[^()\\]|\\.)*\)", "", match)):
        raise ValueError("its expression is several, joined by |")
    match = _positional(match)
    start = from_start(match).replace(".*?", "[^?]*?", 1) if not match.startswith("^") else from_start(match)
    ended = re.search(r"(?<!\\)\$$", start)
    return start[:-1] if ended else f"{start}[^?]*"


def _positional(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(", pattern)


def _groups(rule: Rule) -> tuple[dict[str, int], int]:
    """Names of captures in the path's expression, and how many there are."""
    if rule.kind != "pattern":
        return {}, 1 if rule.kind == "prefix" else 0
    made = compiled(rule.match, rule.ignore_case)
    return dict(made.groupindex), made.groups


def _captures(pattern: str) -> int:
    return len(captures(pattern))


def _query(pattern: str) -> str:
    """A condition on the query as it goes on behind the question mark."""
    if pattern.startswith("^"):
        return pattern[1:]
    begins = re.match(r"\((?:\?:)?\^\|&\)", pattern)
    if begins:
        # Keeps the count of captures: (^|&) is one, (?:^|&) none.
        group = "(" if not begins[0].startswith("(?:") else "(?:"
        return f"{group}|[^?]*?&){pattern[begins.end() :]}"
    return f".*?{pattern}"


def _target(rule: Rule, names: dict[str, int], offset: int, after: int, asked_base: str, addresses: AddressMap) -> str:
    made = _base(rule, asked_base, addresses)
    for at, part in enumerate(rule.target):
        if isinstance(part, str):
            text = part
            if at == 0:
                text = re.sub(r"^https?://[^/?#]+", "", part) or ("/" if len(rule.target) == 1 else "")
                text = text if text.startswith(("/", "?")) or not text else f"/{text}"
            if re.search(r"\$\d$", made) and text[:1].isdigit():
                raise ValueError("a capture with a digit behind it")
            made += text.replace("$", "%24")
        elif part.kind != "tail":  # every pattern takes the query along
            made += f"${_number(part, rule, names, offset, after)}"
    if rule.kind == "prefix":
        made += f"${offset + 1}"
    return made


def _number(slot: Slot, rule: Rule, names: dict[str, int], offset: int, after: int) -> int:
    if slot.kind in ("uri", "request"):
        return 1
    if slot.kind == "path":
        number = int(slot.key) if slot.key.isdigit() else names.get(slot.key, 0)
        if not number:
            raise ValueError(f"its target holds ${slot.key}, which only the running server knows")
        return offset + number
    if slot.kind == "query" and slot.key.isdigit() and int(slot.key):
        return after + int(slot.key)
    if slot.kind == "arg" and f"{slot.key}=(" in rule.query:
        return after + 1
    raise ValueError(f"its target holds the request's {slot.kind}")


def _begins_with_slash(rule: Rule, part: str | Slot) -> bool:
    """Whether what the request fills in behind a host can't make the host longer: a path, a capture such as (/.*)."""
    if isinstance(part, str) or part.kind in ("uri", "request", "tail"):
        return True
    groups, number = captures(rule.match), int(part.key) if part.key.isdigit() else 0
    return part.kind == "path" and 0 < number <= len(groups) and groups[number - 1].startswith("/")


def _base(rule: Rule, asked_base: str, addresses: AddressMap) -> str:
    """scheme://host of the target, in the environment."""
    first = rule.target[0] if rule.target else ""
    if not isinstance(first, str):
        if first.kind in ("uri", "request"):
            return asked_base
        raise ValueError("its target begins with a capture")
    found = re.match(r"https?://[^/?#]*", first)
    if not found:
        return asked_base
    if len(rule.target) > 1 and found.end() == len(first) and not _begins_with_slash(rule, rule.target[1]):
        raise ValueError("its target's host is the visitor's to choose")
    there = address_of(found[0])
    ours = addresses.asked(Address(there.host, "/")) if there else ""
    return ours.rstrip("/") or found[0]
