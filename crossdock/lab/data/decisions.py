"""The answers a person would give for the tables and columns of this data that no catalogue can know."""

from __future__ import annotations

from crossdock.lab.data.plugin_tables import MYISAM, TABLES
from crossdock.lab.data.profiles import EAST, NORTH, SOUTH

BY = "Ada Berg"
LEFT = {"stale_cache": "a cache; the plugin fills it again"}
COLUMNS = {
    "mystery.owner_id": ("user", "the plugin's owner is a WordPress user"),
    "trail_visits.user_id": ("user", "visitors who were logged in"),
    "loyalty_accounts.customer_id": ("user", "the card's holder is a WordPress user"),
    "kiosk_sessions.user_id": ("plain", "the number of a till key, not of a person"),
}


def decisions(server: str, prefix: str = "wp_", blogs: tuple[int, ...] = (1,)) -> dict[str, dict[str, str]]:
    """[decisions] of crossdock.toml for one server; `prefix` is its base prefix, `blogs` the blog numbers it holds."""
    entries: dict[str, dict[str, str]] = {}
    for blog in blogs:
        start = prefix if blog == 1 else f"{prefix}{blog}_"
        for name in (*TABLES, *MYISAM):
            choice = "leave" if name in LEFT else "carry"
            reason = LEFT.get(name, "the client's own plugin needs it")
            entries[f"table:{server}:{start}{name}"] = {"choice": choice, "by": BY, "reason": reason}
        for name, (choice, reason) in COLUMNS.items():
            entries[f"column:{server}:{start}{name}"] = {"choice": choice, "by": BY, "reason": reason}
    return entries


DECISIONS: dict[str, dict[str, str]] = {
    **decisions(NORTH.server),
    **decisions(SOUTH.server),
    **decisions(EAST.server, blogs=(1, 2)),
}
