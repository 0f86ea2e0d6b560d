"""The key pages of each store on both sides: what they tell search engines, networks and analytics is equal but for
what the plan changed. Themes' markup is not compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Reply, Web
from crossdock.move.heads import Head, differing, read_head
from crossdock.move.rendering import rendered
from crossdock.move.settings import skipped
from crossdock.move.site_facts import AT_ONCE, SiteFacts, StorePlace

_OF_WOOCOMMERCE = frozenset({"product", "category", "cart", "checkout", "myaccount"})


@dataclass(frozen=True)
class Page:
    """One page as it was answered. `robots_header` is X-Robots-Tag; `location` absolute, of a redirect."""

    url: str
    status: int
    head: Head
    robots_header: str = ""
    location: str = ""
    problem: str = ""


@dataclass(frozen=True)
class KeyPage:
    """One key page on both sides; `here` is None where the source's WordPress did not answer."""

    name: str
    here: Page | None
    there: Page


Pages = Mapping[str, tuple[KeyPage, ...]]


def fetch_pages(facts: SiteFacts) -> Pages:
    """Every store's key pages, by store. A page that can't be had says so itself."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {
            place.store.store: [
                (
                    name,
                    pool.submit(_page, partial(rendered, place.source, url), url) if place.here else None,
                    pool.submit(fetch, place.web, place.mapped(url)),
                )
                for name, url in addresses(place).items()
            ]
            for place in facts.stores
        }
    return {
        store: tuple(KeyPage(name, here.result() if here else None, there.result()) for name, here, there in some)
        for store, some in asked.items()
    }


def addresses(place: StorePlace) -> dict[str, str]:
    """At the source, by name."""
    if place.here is None:
        return {"home": place.store.source_urls[0] + "/"}
    left = _OF_WOOCOMMERCE if place.lacks_woocommerce else frozenset()
    return {name: url for name, url in place.here.pages.items() if name not in left}


def fetch(web: Web, url: str) -> Page:
    """One page by HTTP, its redirects not followed."""
    return _page(partial(web.ask, url), url)


def _page(ask: Callable[[], Reply], url: str) -> Page:
    try:
        return page_of(url, ask())
    except CrossdockError as error:
        return Page(url, 0, Head(), problem=error.what)


def page_of(url: str, answer: Reply) -> Page:
    """What an answer tells."""
    location = urljoin(url, answer.headers["location"]) if "location" in answer.headers else ""
    robots = answer.headers.get("x-robots-tag", "").lower()
    return Page(url, answer.status, read_head(url, answer.body), robots, location)


def check_pages(facts: SiteFacts, place: StorePlace, pages: Pages) -> Iterator[Finding]:
    """Home, newest post, a page, a product, a category, cart, checkout and account answer and tell what they tell at
    the source: else search engines rank them anew or drop them, shared links lose their pictures, and figures stop."""
    if place.lacks_woocommerce:
        yield skipped(place.name, "product, category, cart, checkout, account: WooCommerce runs only at the source")
    unread = ""
    for page in pages.get(place.store.store, ()):
        where = f"{place.store.store}, {page.name}: {page.there.url}"
        if page.there.problem:
            yield Finding("page.unreachable", Level.FAIL, where, page.there.problem)
        elif page.here is None or page.here.problem:
            unread = page.here.problem if page.here else "its WordPress did not answer"
            if page.there.status >= 400:
                yield Finding("page.status", Level.FAIL, where, f"answers {page.there.status}")
        else:
            yield from _compared(place, page.here, page.there, where)
    if unread:
        yield skipped(place.name, f"some pages are not compared: the source could not render them: {unread}")


def _compared(place: StorePlace, here: Page, there: Page, where: str) -> Iterator[Finding]:
    if here.status != there.status:
        way_out = "see that the web server sends every path to index.php, and that plugins and theme are there"
        what = f"answers {there.status}, at the source {here.status}"
        yield Finding("page.status", Level.FAIL, where, what, way_out)
        return
    if place.mapped(here.location) != there.location:
        yield Finding("page.redirect", Level.FAIL, where, f"redirects to {there.location or 'nowhere'}")
    one, other = here.head, there.head
    for code, what, expected, found in (
        ("page.title", "the title", place.mapped(one.title), other.title),
        ("page.description", "the meta description", place.mapped(one.description), other.description),
        ("page.canonical", "the canonical address", place.mapped(one.canonical), other.canonical),
    ):
        if expected != found:
            how = "is missing" if not found else "is new" if not expected else "differs"
            yield Finding(code, Level.FAIL, where, f"{what} {how}")
    yield from _sets_compared(place, one, other, where)
    expected_data = [_mapped(place, item) for item in one.data]
    for spot in differing(expected_data, other.data)[:5]:
        yield Finding(
            "page.structured-data", Level.FAIL, where, f"the structured data differ at {spot or 'their number'}"
        )
    hidden = "noindex" in there.robots_header and "noindex" not in here.robots_header
    if place.public and (hidden or one.robots != other.robots):
        told = ", ".join(filter(None, (other.robots, there.robots_header)))
        what = f"robots: {told or 'nothing'}, at the source {one.robots or 'nothing'}"
        yield Finding("page.robots", Level.FAIL, where, what)


def _sets_compared(place: StorePlace, one: Head, other: Head, where: str) -> Iterator[Finding]:
    for code, what, expected, found in (
        ("page.hreflang", "hreflang", [(name, place.mapped(value)) for name, value in one.hreflang], other.hreflang),
        ("page.social", "Open Graph", [(name, place.mapped(value)) for name, value in one.social], other.social),
    ):
        names = sorted({name for name, _ in set(expected) ^ set(found)})
        if names:
            yield Finding(code, Level.FAIL, where, f"{what} differs: {', '.join(names[:8])}")
    lost, added = sorted({*one.analytics} - {*other.analytics}), sorted({*other.analytics} - {*one.analytics})
    if lost or added:
        told = [f"lacks {', '.join(lost)}"] * bool(lost) + [f"has {', '.join(added)} beside"] * bool(added)
        yield Finding("page.analytics", Level.FAIL, where, f"analytics: {'; '.join(told)}")


def _mapped(place: StorePlace, value: Any) -> Any:
    if isinstance(value, str):
        return place.mapped(value)
    if isinstance(value, list):
        return [_mapped(place, one) for one in value]
    if isinstance(value, dict):
        return {key: _mapped(place, one) for key, one in value.items()}
    return value


def check_indexing(facts: SiteFacts, place: StorePlace, pages: Pages) -> Iterator[Finding]:
    """On staging every key page says noindex: else search engines show the copy beside the store."""
    if place.public:
        return
    for page in pages.get(place.store.store, ()):
        if page.there.status == 200 and "noindex" not in f"{page.there.head.robots} {page.there.robots_header}":
            where = f"{place.store.store}, {page.name}: {page.there.url}"
            yield Finding("page.indexed", Level.FAIL, where, "does not say noindex", "switch blog_public off")


def check_mixed_content(facts: SiteFacts, place: StorePlace, pages: Pages) -> Iterator[Finding]:
    """No https page fetches anything by http: browsers block such scripts and styles, and take the lock away."""
    if urlsplit(place.store.target_url).scheme != "https":
        yield skipped(place.name, "mixed content: this environment is served by http alone")
        return
    for page in pages.get(place.store.store, ()):
        if insecure := page.there.head.insecure:
            where = f"{place.store.store}, {page.name}: {page.there.url}"
            what = f"{len(insecure)} things are fetched by http, {insecure[0]} among them"
            yield Finding("page.mixed-content", Level.FAIL, where, what, "", {"things": len(insecure)})


def check_hreflang(facts: SiteFacts, place: StorePlace, pages: Pages) -> Iterator[Finding]:
    """A page in another language that this store names names this store, too: search engines ignore what is not mutual,
    and shoppers get the wrong language."""
    hosts = {urlsplit(one.store.target_url).netloc for one in facts.stores}
    own = urlsplit(place.store.target_url).netloc
    told: dict[str, Page] = {}
    for page in pages.get(place.store.store, ()):
        mine = page.there.head.canonical or page.there.url
        for language, url in page.there.head.hreflang:
            if urlsplit(url).netloc not in hosts - {own}:
                continue
            other = told.get(url) or told.setdefault(url, fetch(place.web, url))
            where = f"{place.store.store}, {page.name}: {page.there.url}"
            if other.status != 200:
                what = f"names {url} for {language}, which answers {other.status or other.problem}"
                yield Finding("hreflang.lost", Level.FAIL, where, what)
            elif mine not in {back for _, back in other.head.hreflang}:
                what = f"names {url} for {language}, which does not name it"
                yield Finding("hreflang.one-way", Level.FAIL, where, what)
