"""Where everything of one source installation goes in one environment of the target. Pure, picklable data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from crossdock.core.tables import Table
from crossdock.wordpress import catalogue
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.people import People
from crossdock.wordpress.rewriting import PathRule, UrlRule

# usermeta IDs: each server's range is this many times its range of user IDs.
USERMETA_FACTOR = 1000


@dataclass(frozen=True)
class StoreMap:
    """One blog of the source and the blog it becomes. URLs are scheme://host[/path] without trailing slash.

    `source_urls` are every address the store answers by (siteurl, home, www and bare); `*_uploads` are URL paths below
    the site, `/wp-content/uploads` like.
    """

    store: str
    source_blog: int
    source_prefix: str
    source_urls: tuple[str, ...]
    source_uploads: str
    target_blog: int
    target_prefix: str
    target_url: str
    target_uploads: str
    public: bool


@dataclass(frozen=True)
class SiteMap:
    """One installation (server) in one environment. Its users get the IDs user_base + 1 to user_base + headroom - 1
    (headroom 0: not checked)."""

    server: str
    environment: str
    source_base_prefix: str
    target_base_prefix: str
    source_root: str
    target_root: str
    user_base: int
    stores: tuple[StoreMap, ...]
    left_tables: tuple[str, ...] = ()
    user_columns: tuple[tuple[str, str], ...] = ()
    reset_passwords: bool = False
    headroom: int = 0

    @property
    def usermeta_base(self) -> int:
        return self.user_base * USERMETA_FACTOR

    def owner(self, table: str) -> StoreMap | None:
        """The store whose blog owns a table by its prefix; None for shared tables and for foreign ones."""
        best: StoreMap | None = None
        for store in self.stores:
            if not table.startswith(store.source_prefix):
                continue
            rest = table[len(store.source_prefix) :]
            if store.source_prefix == self.source_base_prefix and re.match(r"\d+_", rest):
                continue  # wp_2_posts is blog 2's, not blog 1's table "2_posts"
            if best is None or len(store.source_prefix) > len(best.source_prefix):
                best = store
        return best

    def maps_key(self, table: Table) -> bool:
        """Whether the table's integer key is itself a user's ID: its rows then change places, so a range of source keys
        is no range of target keys. (wp_users is shifted as a whole, so its order stays.)"""
        entry = catalogue.known(table.name.removeprefix(self.source_base_prefix))
        if entry is not None and entry.scope is Scope.PEOPLE:
            return False
        store = self.owner(table.name)
        listed = catalogue.known(table.name[len(store.source_prefix) :]) if store else None
        users = {*(listed.user_columns if listed else ())} | {
            one for name, one in self.user_columns if name == table.name
        }
        return table.integer_key in users

    def destination(self, table: str) -> Destination | None:
        """Where a source table goes; None if nothing here claims it (foreign prefix, unlisted blog)."""
        base = table.removeprefix(self.source_base_prefix) if table.startswith(self.source_base_prefix) else ""
        entry = catalogue.known(base)
        if entry is not None and entry.scope is not Scope.BLOG:
            return Destination(base, self.target_base_prefix + base, entry.scope, None)
        store = self.owner(table)
        if store is None:
            return None
        base = table[len(store.source_prefix) :]
        return Destination(base, store.target_prefix + base, Scope.BLOG, store)


@dataclass(frozen=True)
class Destination:
    """A table's place: `base` is its name without prefix."""

    base: str
    target: str
    scope: Scope
    store: StoreMap | None


def rules(maps: tuple[SiteMap, ...] | list[SiteMap], here: SiteMap) -> tuple[UrlRule | PathRule, ...]:
    """The rewriting rules for one installation's values: every store's addresses (stores link to each other), and this
    installation's own server paths and root-relative upload paths."""
    found: dict[tuple[str, str], UrlRule | PathRule] = {}
    for site in maps:
        for store in site.stores:
            for rule in _store_rules(store):
                found.setdefault((rule.source_host, rule.source_path), rule)
    for store in here.stores:
        source, target = store.source_uploads, store.target_uploads
        if source != target:
            root, there = here.source_root, here.target_root
            found.setdefault(("server", root + source), PathRule(root + source, there + target, "server"))
            if len(here.stores) == 1 or store.source_blog != 1:
                found.setdefault(("relative", source), PathRule(source, target, "relative"))
    if here.source_root != here.target_root:
        found.setdefault(("server", here.source_root), PathRule(here.source_root, here.target_root, "server"))
    return tuple(found.values())


def _store_rules(store: StoreMap) -> list[UrlRule]:
    target = urlsplit(store.target_url)
    to_host, to_path = target.netloc, target.path.rstrip("/")
    made: list[UrlRule] = []
    for url in store.source_urls:
        source = urlsplit(url)
        path = source.path.rstrip("/")
        if store.source_uploads != store.target_uploads:
            made.append(
                UrlRule(
                    source.netloc, path + store.source_uploads, target.scheme, to_host, to_path + store.target_uploads
                )
            )
        made.append(UrlRule(source.netloc, path, target.scheme, to_host, to_path))
    return made


def people_of(site: SiteMap) -> People:
    """The server's user map before any exception is known."""
    return People(site.user_base)


TableKind = Literal["carry", "leave", "network"]


def kind(site: SiteMap, table: Table) -> TableKind:
    """Whether a table's rows are carried, left behind by decision, or written anew as network rows."""
    place = site.destination(table.name)
    if place is None or table.name in site.left_tables:
        return "leave"
    return "network" if place.scope is Scope.NETWORK else "carry"
