"""What WordPress's plugin directory says of plugins: answers of its API (plugin_information, query_plugins) as they
come, in a list, or in an object by slug."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from datetime import date
from typing import Any

from crossdock.formats.json_entries import Broken, entries
from crossdock.wordpress.code import Listed


def read_directory(pieces: Iterable[bytes], wanted: Set[str]) -> dict[str, Listed]:
    """What the directory says of the plugins asked for, by slug. Errors: Broken (no JSON, truncated, no such list)."""
    found: dict[str, Listed] = {}
    seen = 0
    for key, value in entries(pieces):
        for slug, facts in _plugins(key, value):
            seen += 1
            if slug in wanted:
                found[slug] = _listed(facts)
    if not seen:
        raise Broken("holds no plugin")
    return found


def _plugins(key: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict) and (value.keys() & {"last_updated", "version", "error", "closed"}):
        yield str(value.get("slug") or key).lower(), value
    elif isinstance(value, list) and key == "plugins":
        for one in value:
            if isinstance(one, dict) and one.get("slug"):
                yield str(one["slug"]).lower(), one


def _listed(facts: dict[str, Any]) -> Listed:
    closed = bool(facts.get("closed")) or facts.get("error") == "closed"
    reason = str(facts.get("reason_text") or facts.get("reason") or facts.get("description") or "") if closed else ""
    return Listed(
        version=str(facts.get("version") or ""),
        updated=_day(facts.get("last_updated")),
        closed=closed,
        reason=reason[:120],
        tested=str(facts.get("tested") or ""),
    )


def _day(value: Any) -> date | None:
    """`2024-11-12 3:51pm GMT`, or ISO 8601."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
