"""Checks of each store's domain by HTTP, at the environment's own address: what shoppers and search engines meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Web
from crossdock.move.rendering import rendered
from crossdock.move.settings import skipped
from crossdock.move.site_facts import SiteFacts, StorePlace

_MOST_HOPS = 5
_FEW_DAYS = 21  # a certificate that nobody renewed by then is renewed by nobody
_MOVED = (301, 308)
_REDIRECTS = (301, 302, 303, 307, 308)


def hops(web: Web, url: str) -> tuple[int, list[str], list[int]]:
    """The last status, every address on the way (the first included), and the redirects' statuses.

    Errors: AccessError.
    """
    way = [url]
    statuses: list[int] = []
    while True:
        status, _, headers = web.get(way[-1])
        if status not in _REDIRECTS or "location" not in headers or len(way) > _MOST_HOPS:
            return status, way, statuses
        statuses.append(status)
        way.append(urljoin(way[-1], headers["location"]))


def check_rest(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """The REST index answers with the store's own address: else the block editor, the block checkout and apps fail."""
    url = place.store.target_url + "/wp-json/"
    status, body, _ = place.web.get(url)
    if status in (401, 403):
        yield Finding("rest.closed", Level.WARN, url, f"answers {status}: the REST API is closed to visitors")
        return
    try:
        told = json.loads(body) if status == 200 else None
    except ValueError:
        told = None
    if not isinstance(told, dict):
        way_out = "see that the web server sends every path to index.php"
        yield Finding("rest.index", Level.FAIL, url, f"answers {status}, and no REST index", way_out)
        return
    for name in ("home", "url"):
        if str(told.get(name, "")).rstrip("/") != place.store.target_url:
            yield Finding("rest.home", Level.FAIL, url, f"{name} is {told.get(name)}, not {place.store.target_url}")


def check_twin(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """The www form of a bare domain, or the bare form of a www one, leads to the store in one permanent hop: people
    type it, and old links name it. (Production only: nobody knows staging's.)"""
    parts = urlsplit(place.store.target_url)
    twin = parts.netloc.removeprefix("www.") if parts.netloc.startswith("www.") else f"www.{parts.netloc}"
    if not place.public:
        yield skipped(place.name, "www and bare host: staging's domains have one form")
        return
    if all(urlsplit(url).netloc != twin for url in place.store.source_urls):
        yield skipped(place.name, f"www and bare host: {twin} is another store's")
        return
    start = f"{parts.scheme}://{twin}/"
    way_out = f"the host adds {twin} as a domain that redirects to {parts.netloc}; the client's IT points its DNS there"
    try:
        status, way, statuses = hops(place.web, start)
    except CrossdockError as error:
        yield Finding("host.twin", Level.WARN, start, error.what, way_out)
        return
    if way[-1] != place.store.target_url + "/" or status != 200:
        end = f"ends at {way[-1]} with {status}"
        yield Finding("host.twin", Level.WARN, start, f"does not lead to the store: {end}", way_out)
    elif len(way) > 2 or statuses[0] not in _MOVED:
        how = f"{len(way) - 1} hops ({', '.join(map(str, statuses))})"
        yield Finding("host.twin", Level.WARN, start, f"leads to the store in {how}, not one permanent one", way_out)


def check_https(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """http:// leads to https:// in one permanent hop: else shoppers who type the name stay on an open connection and
    search engines see two stores."""
    parts = urlsplit(place.store.target_url)
    if parts.scheme != "https":
        yield skipped(place.name, "http to https: this environment is served by http alone")
        return
    yield from _one_hop(place.web, f"http://{parts.netloc}/", place.store.target_url + "/")


def check_slash(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """A page's other form (with or without the slash at its end) leads to the page in one permanent hop: else search
    engines see every page twice, or shoppers wait for chains of redirects."""
    pages = place.here.pages if place.here else {}
    page = next((place.mapped(pages[name]) for name in ("post", "page") if name in pages), "")
    if not page or urlsplit(page).query or not urlsplit(page).path.strip("/"):
        yield skipped(place.name, "slash at the end: the store has no page with a name for its address")
        return
    yield from _one_hop(place.web, page[:-1] if page.endswith("/") else page + "/", page)


def _one_hop(web: Web, start: str, end: str) -> Iterator[Finding]:
    status, way, statuses = hops(web, start)
    if way[-1] != end or status != 200:
        yield Finding("canonical.lost", Level.FAIL, start, f"ends at {way[-1]} with {status}, not at {end} with 200")
    elif len(way) != 2:
        yield Finding("canonical.chain", Level.FAIL, start, f"needs {len(way) - 1} hops to {end}", "redirect at once")
    elif statuses[0] not in _MOVED:
        yield Finding("canonical.temporary", Level.FAIL, start, f"redirects with {statuses[0]}, not for good")


def check_robots_txt(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """robots.txt says in production what it says at the source: a forgotten "Disallow: /" takes the store out of every
    search within days. (Staging keeps search engines out by noindex, which they must be able to read.)"""
    url = place.store.target_url + "/robots.txt"
    status, body, _ = place.web.get(url)
    if not place.public:
        if status == 200 and not _allows_all(body):
            what = "forbids to read what says noindex, so that addresses may be listed all the same"
            yield Finding("robots.unreadable", Level.INFO, url, what)
        return
    if place.lacks_woocommerce:
        yield skipped(place.name, "robots.txt: WooCommerce, which adds rules, runs only at the source")
        return
    before = rendered(place.source, place.store.source_urls[0] + "/robots.txt")
    yield from robots_compared(place, before.status, before.body, status, body)


def robots_compared(place: StorePlace, was: int, before: str, status: int, body: str) -> Iterator[Finding]:
    """Two robots.txt by status and text, the source's first."""
    url = place.store.target_url + "/robots.txt"
    if status != was:
        yield Finding("robots.differs", Level.FAIL, url, f"answers {status}, at the source {was}")
    elif status == 200 and _rules(body) != _rules(place.mapped(before)):
        way_out = "carry the source's robots.txt, or the plugin that makes it"
        yield Finding("robots.differs", Level.FAIL, url, "its rules are not those of the source", way_out)


def _rules(body: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in body.splitlines())
    return [line for line in lines if line]


def _allows_all(body: str) -> bool:
    return all(line.replace(" ", "").lower() != "disallow:/" for line in _rules(body))


def check_certificate(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """The certificate that the target shows for this domain is valid, for weeks to come, before DNS leads there: else
    every shopper meets a warning instead of the store."""
    parts = urlsplit(place.store.target_url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        yield skipped(place.name, "certificate: this environment is served by http alone")
        return
    shown = place.web.certificate(host)
    way_out = f"the host issues one for {host} before the switch (by DNS challenge, as DNS does not lead there yet)"
    if shown.problem:
        yield Finding("certificate.invalid", Level.FAIL, place.name, shown.problem, way_out)
    elif shown.days_left is not None and shown.days_left < _FEW_DAYS:
        what = f"ends in {shown.days_left} days"
        yield Finding("certificate.ends", Level.WARN, place.name, what, way_out, {"days_left": shown.days_left})
