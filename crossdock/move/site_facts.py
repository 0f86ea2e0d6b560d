"""What the checks of the site stand on, asked once: each blog's own WordPress on both sides, and the network's rows."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Any

from crossdock.core.errors import CrossdockError
from crossdock.core.ports import Session, Web
from crossdock.move.asking import Side, ask_wordpress
from crossdock.move.order import Order
from crossdock.move.sessions import over
from crossdock.move.survey import Source, Target, text
from crossdock.wordpress.ddl import quoted
from crossdock.wordpress.installation import Blog
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import StoreMap, rules

AT_ONCE = 4  # requests and SSH sessions: what a small host bears


@dataclass(frozen=True)
class BlogFacts:
    """What one blog's WordPress says of itself (site.php). Hashes are keyed for this validation alone; mail's addresses
    are domains; plugins are files below the plugins' folder: `plugins_set` are active, `plugins` run."""

    home: str
    siteurl: str
    upgrade_due: bool
    woocommerce: str
    public: str
    wp_home: bool
    wp_siteurl: bool
    cookie_domain: str
    sunrise: bool
    sunrise_file: bool
    cron_by_visits: bool
    cron_overdue: int
    salts: dict[str, str | None]
    object_cache: bool
    cache_prefix: str | None
    mail_from: str
    store_mail_from: str
    plugins_set: tuple[str, ...]
    plugins: tuple[str, ...]
    theme: str
    theme_there: bool
    theme_allowed: bool
    super_admins: tuple[int, ...]
    uploads: str
    pages: dict[str, str]


@dataclass(frozen=True)
class NetworkRows:
    """The network's own rows: its domain and path, sitemeta, and blogs by number with their columns."""

    domain: str
    path: str
    sitemeta: dict[str, str]
    blogs: dict[int, dict[str, str]]


@dataclass(frozen=True)
class StorePlace:
    """One store on both sides. `here` is the source's WordPress, `there` the target's; None where it did not answer."""

    store: StoreMap
    server: str
    environment: str
    blog: Blog
    source: Source
    target: Target
    rewriter: Rewriter
    here: BlogFacts | None
    there: BlogFacts | None

    @property
    def web(self) -> Web:
        return self.target.web

    @property
    def name(self) -> str:
        """How findings name it."""
        return f"{self.store.store}: {self.store.target_url}"

    @property
    def public(self) -> bool:
        return self.store.public

    @property
    def lacks_woocommerce(self) -> bool:
        """Whether WooCommerce runs at the source alone (a finding of its own tells that its code is missing)."""
        return bool(self.here and self.here.woocommerce) and not (self.there and self.there.woocommerce)

    def mapped(self, value: str) -> str:
        """What the plan makes of a text of the source."""
        return self.rewriter.rewrite(value.encode("utf-8", "surrogatepass")).value.decode("utf-8", "replace")


@dataclass(frozen=True)
class SiteFacts:
    """Everything that was asked. `unread`: who did not answer, and why; `neighbours`: the other environments' facts."""

    order: Order
    rows: NetworkRows
    stores: tuple[StorePlace, ...]
    neighbours: dict[str, BlogFacts]
    runners: tuple[str, ...]
    unread: dict[str, CrossdockError] = field(default_factory=dict)

    @property
    def network(self) -> BlogFacts | None:
        """Facts that are the same for each blog of the target."""
        return next((one.there for one in self.stores if one.there is not None), None)


def ask_site(order: Order, neighbours: Sequence[Target]) -> SiteFacts:
    """Asks both sides, some at a time. A WordPress that does not answer is named in `unread`; nothing else raises but
    the database. Errors: AccessError."""
    key = secrets.token_hex(16)
    sides: dict[str, Side] = {}
    found_stores = [
        (site.server, store, source)
        for site in order.plan.sites(order.environment)
        for source in order.sources
        if source.name == site.server
        for store in site.stores
    ]
    for _, store, source in found_stores:
        sides[f"source {store.store}"] = Side(source.shell, source.installation.root, store.source_urls[0])
        sides[f"target {store.store}"] = Side(order.target.shell, order.target.installation.root, store.target_url)
    for one in neighbours:
        url = f"{one.scheme}://{one.installation.domain_current_site}"
        sides[f"environment {one.environment}"] = Side(one.shell, one.installation.root, url)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {name: pool.submit(_ask, side, key) for name, side in sides.items()}
        runners = pool.submit(_runners, order.target)
    answers = {name: one.result() for name, one in asked.items()}
    facts = {name: one for name, one in answers.items() if isinstance(one, BlogFacts)}
    return SiteFacts(
        order=order,
        rows=over(order.target.database.open_source, lambda session: _rows(order, session)),
        stores=tuple(_place(order, server, store, source, facts) for server, store, source in found_stores),
        neighbours={
            one.environment: facts[n] for one in neighbours if (n := f"environment {one.environment}") in facts
        },
        runners=runners.result(),
        unread={name: one for name, one in answers.items() if isinstance(one, CrossdockError)},
    )


def _place(order: Order, server: str, store: StoreMap, source: Source, facts: dict[str, BlogFacts]) -> StorePlace:
    surveyed = next(one for one in order.facts if one.server == server)
    sites = order.plan.sites(order.environment)
    return StorePlace(
        store=store,
        server=server,
        environment=order.environment,
        blog=next(one for one in surveyed.blogs if one.number == store.source_blog),
        source=source,
        target=order.target,
        rewriter=Rewriter(rules(sites, order.plan.site(server, order.environment))),
        here=facts.get(f"source {store.store}"),
        there=facts.get(f"target {store.store}"),
    )


def _ask(side: Side, key: str) -> BlogFacts | CrossdockError:
    try:
        found = ask_wordpress(side, "site.php", {"plugins": True, "constants": True, "key": key})
    except CrossdockError as error:
        return error
    values: dict[str, Any] = {one.name: found[one.name] for one in fields(BlogFacts)}
    values |= {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
    return BlogFacts(**values)


def _runners(target: Target) -> tuple[str, ...]:
    """What of the account's crontab runs WordPress's events; nothing where the host gives no crontab."""
    try:
        told = target.shell.run(["crontab", "-l"], check=False)
    except CrossdockError:
        return ()
    lines = (line.strip() for line in told.stdout.decode("utf-8", "replace").splitlines())
    marks = ("wp-cron.php", "cron event run")
    return tuple(line for line in lines if not line.startswith("#") and any(mark in line for mark in marks))


def _rows(order: Order, session: Session) -> NetworkRows:
    net = order.plan.network(order.environment)
    site = session.query(f"SELECT domain, path FROM {quoted(net.prefix + 'site')} WHERE id = %s", (net.network_id,))
    meta = session.query(
        f"SELECT meta_key, meta_value FROM {quoted(net.prefix + 'sitemeta')} WHERE site_id = %s "
        "AND meta_key IN ('subdomain_install', 'fileupload_maxk', 'blog_upload_space', 'upload_space_check_disabled', "
        "'ms_files_rewriting')",
        (net.network_id,),
    )
    columns = ("blog_id", "domain", "path", "public", "archived", "mature", "spam", "deleted")
    blogs = session.query(f"SELECT {', '.join(columns)} FROM {quoted(net.prefix + 'blogs')}")
    made: list[dict[str, Any]] = [dict(zip(columns, map(text, row), strict=True)) for row in blogs]
    return NetworkRows(
        domain=text(site[0][0]) if site else "",
        path=text(site[0][1]) if site else "",
        sitemeta={text(row[0]): text(row[1]) for row in meta},
        blogs={int(one["blog_id"]): one for one in made},
    )
