"""Where everything of one source installation goes in one environment of the target. Pure, picklable data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from crossdock.core.tables import Table
from crossdock.wordpress import catalogue
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.rewriting import PathRule, UrlRule

# usermeta IDs: each server's range is this many times its range of user IDs.
USERMETA_FACTOR = 1000


@dataclass(frozen=True)
class StoreMap:
    """One blog of the source and the blog it becomes. URLs are scheme://host[/path] without trailing slash.

    `source_urls` are every address the store answers by (siteurl, home, www and bare); `*_uploads` are URL paths below
    the site, `/wp-content/uploads` like; `source_upload_urls` are addresses elsewhere (a CDN) that serve the uploads;
    `source_upload_folder` is their absolute folder, by default root + source_uploads.
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
    source_upload_urls: tuple[str, ...] = ()
    source_upload_folder: str = ""


@dataclass(frozen=True)
class SiteMap:
    """One installation (server) in one environment. Its users get the IDs user_base + 1 to user_base + headroom - 1
    (headroom 0: not checked). `source_blogs`: every blog that is there, moved or not; (1,) is a single site."""

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
    source_blogs: tuple[int, ...] = ()

    @property
    def usermeta_base(self) -> int:
        return self.user_base * USERMETA_FACTOR

    def owner(self, table: str) -> StoreMap | None:
        """The store whose blog owns a table by its prefix; None for shared tables and for foreign ones."""
        best: StoreMap | None = None
        for store in self.stores:
            if not table.startswith(store.source_prefix):
                continue
            if store.source_prefix == self.source_base_prefix and self._is_numbered(table):
                continue
            if best is None or len(store.source_prefix) > len(best.source_prefix):
                best = store
        return best

    def _is_numbered(self, table: str) -> bool:
        """Whether a table is another blog's: wp_2_posts is blog 2's; but without a blog 404, wp_404_log is blog 1's."""
        number = re.match(r"(\d+)_", table[len(self.source_base_prefix) :])
        return number is not None and (not self.source_blogs or int(number[1]) in self.source_blogs)

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
    installation's own server paths and root-relative upload paths. Its own stores' addresses come first."""
    found: dict[tuple[str, str], UrlRule | PathRule] = {}
    for site in sorted(maps, key=lambda one: one.server != here.server):
        for store in site.stores:
            for rule in _store_rules(store, site.stores):
                found.setdefault((rule.source_host.lower(), rule.source_path), rule)
    root, there = here.source_root.rstrip("/"), here.target_root.rstrip("/")
    for store in here.stores:
        to_path = urlsplit(store.target_url).path.rstrip("/")
        for path in dict.fromkeys(urlsplit(url).path.rstrip("/") for url in store.source_urls):
            source, target = path + store.source_uploads, to_path + store.target_uploads
            if source != target:
                found.setdefault(("relative", source), PathRule(source, target, "relative"))
        folder = store.source_upload_folder or root + store.source_uploads
        if folder != there + store.target_uploads and (root or store.source_upload_folder):
            found.setdefault(("server", folder), PathRule(folder, there + store.target_uploads, "server"))
    if root and root != there:
        found.setdefault(("server", root), PathRule(root, there, "server"))
    return tuple(found.values())


def _store_rules(store: StoreMap, siblings: tuple[StoreMap, ...]) -> list[UrlRule]:
    """`siblings`: all stores of the installation. Blogs of a multisite share one root, so that each address serves
    every blog's uploads."""
    target = urlsplit(store.target_url)
    scheme, to_host, to_path = target.scheme, target.netloc, target.path.rstrip("/")
    made: list[UrlRule] = []
    for url in store.source_urls:
        source = urlsplit(url)
        path = source.path.rstrip("/")
        for one in (store, *(other for other in siblings if other is not store)):
            if one.source_uploads != one.target_uploads:
                uploads = path + one.source_uploads
                made.append(UrlRule(source.netloc, uploads, scheme, to_host, to_path + one.target_uploads))
        made.append(UrlRule(source.netloc, path, scheme, to_host, to_path))
    for url in store.source_upload_urls:
        source = urlsplit(url)
        made.append(UrlRule(source.netloc, source.path.rstrip("/"), scheme, to_host, to_path + store.target_uploads))
    return made


TableKind = Literal["carry", "leave", "network"]


def kind(site: SiteMap, table: Table) -> TableKind:
    """Whether a table's rows are carried, left behind by decision, or written anew as network rows."""
    place = site.destination(table.name)
    if place is None or table.name in site.left_tables:
        return "leave"
    return "network" if place.scope is Scope.NETWORK else "carry"
