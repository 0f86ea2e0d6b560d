"""All that was found, as one list."""

from __future__ import annotations

from collections.abc import Iterable

from crossdock.core.inventory import Item


def items(*found: Iterable[Item]) -> list[Item]:
    """What several observers found, each thing once (the first that told it is kept), by kind, server and name."""
    once: dict[str, Item] = {}
    for some in found:
        for item in some:
            once.setdefault(item.key, item)
    return sorted(once.values(), key=lambda one: (one.kind, one.server, one.name))
