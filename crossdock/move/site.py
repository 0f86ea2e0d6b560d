"""The checks of the site: asks both sides once, runs every check for the network and for each store, and counts them.

A check is a function whose docstring says what fails for whom while it is red; its findings have stable codes. What
can't be checked here is a finding of its own (site.skipped), never a silent pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.move import carts, domains, pages, probes, settings
from crossdock.move.order import Order
from crossdock.move.probes import Account
from crossdock.move.site_facts import AT_ONCE, SiteFacts, StorePlace, ask_site
from crossdock.move.survey import Target


@dataclass(frozen=True)
class SiteOrder:
    """What the checks need beside the order: the other environments, and what people approved to run: folders, or
    `server/folder`."""

    neighbours: Sequence[Target] = ()
    approved_plugins: Sequence[str] = ()
    approved_themes: Sequence[str] = ()


@dataclass
class Tally:
    """How often one check ran, was red, and could not run."""

    run: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass
class SiteVerdict:
    """All checks' findings, and their tallies by the check's name."""

    findings: list[Finding] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def checks(self) -> int:
        return sum(one.run for one in self.tallies.values())

    @property
    def failed(self) -> int:
        return sum(one.failed for one in self.tallies.values())

    @property
    def green(self) -> bool:
        return not self.failed

    def figures(self) -> dict[str, int]:
        skipped = sum(one.skipped for one in self.tallies.values())
        return {"site_checks": self.checks, "site_failed": self.failed, "site_skipped": skipped}

    def add(self, name: str, found: Sequence[Finding]) -> None:
        """One check's findings, of the network or of one store."""
        tally = self.tallies.setdefault(name, Tally())
        skipped = bool(found) and all(one.code == settings.SKIPPED for one in found)
        tally.skipped += skipped
        tally.run += not skipped
        tally.failed += any(one.level in (Level.FAIL, Level.BLOCK) for one in found)
        self.findings += found

    def as_data(self) -> dict[str, Any]:
        """For the receipt: counts, and a hash of the findings."""
        return {
            "checks": {
                name: {"run": one.run, "failed": one.failed, "skipped": one.skipped}
                for name, one in sorted(self.tallies.items())
            },
            "findings": digest_of([one.as_json() for one in self.findings]),
        }


Check = tuple[str, Callable[[], Iterable[Finding]]]


def check_site(order: Order, site: SiteOrder) -> SiteVerdict:
    """Runs all checks, some at a time; their findings stand in one order. Nothing that a side answers raises.

    Errors: AccessError when the target's database is lost.
    """
    facts = ask_site(order, site.neighbours)
    verdict = SiteVerdict()
    verdict.add("answers", [_unread(name, error) for name, error in facts.unread.items()])
    left: list[Finding] = []
    with probes.probing(facts, left) as account:
        checks = [*_of_network(facts), *_of_stores(facts, site, pages.fetch_pages(facts), account)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running: list[tuple[str, Future[list[Finding]]]] = [
                (name, pool.submit(_run, name, check)) for name, check in checks
            ]
        for name, future in running:
            verdict.add(name, future.result())
    verdict.add("probes removed", left)
    return verdict


def _of_network(facts: SiteFacts) -> list[Check]:
    return [
        ("constants", partial(settings.check_constants, facts)),
        ("fixed address", partial(settings.check_fixed_address, facts)),
        ("sunrise", partial(settings.check_sunrise, facts)),
        ("network settings", partial(settings.check_sitemeta, facts)),
        ("super admins", partial(settings.check_super_admins, facts)),
        ("salts", partial(settings.check_salts, facts)),
        ("cache prefix", partial(settings.check_cache_prefix, facts)),
        ("cron", partial(settings.check_cron, facts)),
    ]


def _of_stores(facts: SiteFacts, site: SiteOrder, fetched: pages.Pages, account: Account) -> list[Check]:
    return [check for place in facts.stores for check in _of_store(facts, place, site, fetched, account)]


def _of_store(
    facts: SiteFacts, place: StorePlace, site: SiteOrder, fetched: pages.Pages, account: Account
) -> list[Check]:
    plain: dict[str, Callable[[SiteFacts, StorePlace], Iterable[Finding]]] = {
        "address": settings.check_address,
        "flags": settings.check_flags,
        "blog_public": settings.check_public,
        "cookie domain": settings.check_cookie_domain,
        "mail from": settings.check_mail_from,
        "plugins": partial(settings.check_plugins, approved=site.approved_plugins),
        "theme": partial(settings.check_theme, approved=site.approved_themes),
        "rest": domains.check_rest,
        "www and bare": domains.check_twin,
        "https": domains.check_https,
        "slash": domains.check_slash,
        "robots.txt": domains.check_robots_txt,
        "certificate": domains.check_certificate,
        "pages": partial(pages.check_pages, pages=fetched),
        "indexing": partial(pages.check_indexing, pages=fetched),
        "mixed content": partial(pages.check_mixed_content, pages=fetched),
        "hreflang": partial(pages.check_hreflang, pages=fetched),
        "upload": probes.check_upload,
        "login": partial(probes.check_login, account=account),
        "carts": carts.check_carts,
    }
    return [(name, partial(check, facts, place)) for name, check in plain.items()]


def _run(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found += check()
    except CrossdockError as error:
        found.append(
            Finding("site.unanswered", Level.FAIL, error.where or name, f"{name}: {error.what}", error.way_out)
        )
    return found


def _unread(name: str, error: CrossdockError) -> Finding:
    way_out = "see that PHP's command line runs this WordPress, and that no plugin ends it"
    return Finding("site.unreadable", Level.FAIL, name, error.what, error.way_out or way_out)
