"""What a store's addresses mean to WordPress, and which address of the target each of them becomes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from crossdock.core.redirects import Address, address_of
from crossdock.wordpress.sitemap import SiteMap, StoreMap

# Query arguments by which WordPress and WooCommerce find something else than the path alone says.
QUERY_NAMES = frozenset(
    {"p", "page_id", "attachment_id", "cat", "tag", "m", "author", "author_name", "feed", "post_type", "paged", "page",
     "name", "pagename", "year", "monthnum", "day", "product", "product_cat", "product_tag", "attachment", "subpost",
     "taxonomy", "term", "lang"}
)  # fmt: skip
_POST_NAMES = ("p", "page_id", "attachment_id")
# What is no page of a store: its machinery, code's own files, which come with the code, and what tells search engines
# of the pages, which staging must not.
_MACHINERY = re.compile(
    r"^(?:/[^/]+)?/(?:wp-admin|wp-includes|wp-json|wp-login\.php|wp-cron\.php|xmlrpc\.php|wp-comments-post\.php"
    r"|wp-content/(?:plugins|themes|cache|mu-plugins|upgrade|languages)|cgi-bin|server-status|\.well-known|robots\.txt"
    r"|[\w-]*sitemap[\w-]*\.(?:xml|xsl)(?:\.gz)?)(?:/|$|\?)"
)
# What only bots ask for.
_PROBE = re.compile(
    r"/\.|\.(?:php\d?|env|bak|sql|old|swp|aspx?|jsp|cgi|ini|ya?ml|git|zip|tar|gz|rar|log)$|//|/wp-config|/phpmyadmin"
    r"|%00|\.\./|<|%3C",
    re.IGNORECASE,
)


def is_machinery(path: str) -> bool:
    """Whether a path belongs to WordPress itself, not to what the store shows."""
    return _MACHINERY.match(path) is not None


def is_probe(path: str) -> bool:
    """Whether a path that is not there was most likely a bot's guess."""
    return _PROBE.search(path) is not None


def post_number(address: Address) -> int:
    """The post that ?p=, ?page_id= or ?attachment_id= names; 0 for all other addresses."""
    for part in address.query.split("&"):
        name, _, value = part.partition("=")
        if name in _POST_NAMES and re.fullmatch(r"[1-9]\d{0,18}", value):
            return int(value)
    return 0


@dataclass(frozen=True)
class _Home:
    """One address that a store answers by at its source."""

    path: str
    store: StoreMap
    site: SiteMap


class AddressMap:
    """All stores' addresses of one environment. Source addresses are spoken of by the store's first address."""

    def __init__(self, sites: Sequence[SiteMap]) -> None:
        self.sites = tuple(sites)
        self._homes: dict[str, list[_Home]] = {}
        self._elsewhere: dict[str, list[_Home]] = {}
        for site in sites:
            for store in site.stores:
                for url in store.source_urls:
                    self._add(self._homes, url, store, site)
                for url in store.source_upload_urls:
                    self._add(self._elsewhere, url, store, site)
        self.target_hosts = frozenset(urlsplit(one.target_url).netloc for site in sites for one in site.stores)

    def _add(self, homes: dict[str, list[_Home]], url: str, store: StoreMap, site: SiteMap) -> None:
        there = address_of(url)
        if there is None:
            return
        found = homes.setdefault(there.host, [])
        found.append(_Home(there.path.rstrip("/"), store, site))
        found.sort(key=lambda one: -len(one.path))

    @property
    def source_hosts(self) -> frozenset[str]:
        return frozenset(self._homes) | frozenset(self._elsewhere)

    def store_of(self, address: Address) -> StoreMap | None:
        """The store that answers a source address."""
        home = self._home(address)
        return home.store if home else None

    def server_of(self, address: Address) -> str:
        home = self._home(address)
        return home.site.server if home else ""

    def _home(self, address: Address) -> _Home | None:
        homes: list[_Home] = [*self._homes.get(address.host, []), *self._elsewhere.get(address.host, [])]
        for home in homes:
            if address.path == home.path or address.path.startswith(home.path + "/"):
                return home
        return None

    def canonical(self, address: Address) -> Address:
        """The same address by the store's first name: www and bare host are one."""
        home = self._home(address)
        first = address_of(home.store.source_urls[0]) if home else None
        if home is None or first is None or address.host in self._elsewhere:
            return address
        return Address(first.host, first.path.rstrip("/") + address.path[len(home.path) :], address.query)

    def natural(self, address: Address) -> str:
        """The target's URL for a source address whose path does not change, or changes only with the uploads' folder;
        '' for an address that is no store's."""
        home = self._home(address)
        if home is None:
            return ""
        rest = address.path[len(home.path) :]
        tail = f"?{address.query}" if address.query else ""
        if address.host in self._elsewhere:
            return home.store.target_url + home.store.target_uploads + rest + tail
        # Every address of a network serves every blog's uploads: the folder tells whose they are.
        for store in sorted(home.site.stores, key=lambda one: -len(one.source_uploads)):
            if rest.startswith(store.source_uploads + "/"):
                owner = home.store if store.source_uploads == home.store.source_uploads else store
                return owner.target_url + owner.target_uploads + rest[len(store.source_uploads) :] + tail
        return home.store.target_url + (rest or "/") + tail

    def asked(self, address: Address) -> str:
        """The URL by which a visitor with the old address reaches this environment: the target's host, the old path.
        '' where the environment has no such host."""
        home = self._home(address)
        if home is None or address.host in self._elsewhere:
            return ""
        base = urlsplit(home.store.target_url)
        host = base.netloc
        if address.host in self.target_hosts:
            host = address.host
        else:
            # A store in a folder of another's host arrives at that other's new host.
            owner = min(self._homes[address.host], key=lambda one: len(one.path))
            host = urlsplit(owner.store.target_url).netloc
        return f"{base.scheme}://{host}{address.key}"
