"""Redirects that plugins keep in a store's database: Redirection, Yoast SEO Premium, Rank Math, Simple 301."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crossdock.core.redirects import GONE, REDIRECTS, Rule, Slot, address_of, decoded, escaped, normal, python_pattern


def plugin_rules(
    rows: Iterable[Mapping[str, Any]], store: str, host: str
) -> tuple[list[Rule], list[Rule], list[tuple[str, str]]]:
    """Rules of active plugins, rules of plugins that no longer run, and (origin, why) of what can't be read.

    `rows`: {by, id, active, compare, match, target, status}, as move/addresses.php tells them."""
    active: list[Rule] = []
    idle: list[Rule] = []
    problems: list[tuple[str, str]] = []
    for row in rows:
        origin = f"{store} {row['by']} {row['id']}"[:120]
        if row["status"] not in (*REDIRECTS, GONE):
            continue
        try:
            (active if row["active"] else idle).extend(_rules(row, origin, host))
        except ValueError as error:
            problems.append((origin, str(error)))
    return active, idle, problems


def _rules(row: Mapping[str, Any], origin: str, host: str) -> list[Rule]:
    compare, match, status = str(row["compare"]), str(row["match"]).strip(), int(row["status"])
    target = _target(str(row["target"]).strip(), compare == "regex") if status in REDIRECTS else ()
    if status in REDIRECTS and not target:
        raise ValueError("a redirect without a target")
    if compare == "regex":
        if r"\?" in match:
            raise ValueError("an expression over the query")
        return [Rule(origin, "pattern", python_pattern(match), target, status, hosts=(host,))]
    whole = address_of(match)
    text = whole.key if whole else match
    if compare in ("contains", "start", "end"):
        plain = escaped(decoded(text))
        slash = "" if plain.startswith("/") else "/"
        pattern = {"contains": plain, "start": f"^{slash}{plain}", "end": f"{plain}$"}[compare]
        return [Rule(origin, "pattern", pattern, target, status, hosts=(host,))]
    path, _, query = text.partition("?")
    path = "/" + decoded(normal(path)).strip("/")
    condition = f"^{escaped(normal(query, query=True))}$" if query else ""
    # These plugins take no notice of a slash at the end.
    forms = dict.fromkeys((path, path if path == "/" else f"{path}/"))
    return [
        Rule(origin, "exact", one, target, status, condition, (host,), "never" if query else "alone") for one in forms
    ]


def _target(text: str, captures: bool) -> tuple[str | Slot, ...]:
    if not text:
        return ()
    if not text.startswith(("/", "http://", "https://")):
        text = f"/{text}"
    if not captures:
        return (text,)
    parts: list[str | Slot] = []
    for at, piece in enumerate(text.split("$")):
        if at and piece[:1].isdigit():
            parts += [Slot("path", piece[0]), piece[1:]]
        else:
            parts.append(f"${piece}" if at else piece)
    return tuple(part for part in parts if part)
