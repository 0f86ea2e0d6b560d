"""Checks of what the target is set to: constants, network rows, blogs, salts, caches, cron, mail, plugins and themes.

Each takes facts and returns findings; a check's docstring says what fails for whom while it is red.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from crossdock.core.evidence import Finding, Level
from crossdock.move.site_facts import BlogFacts, SiteFacts, StorePlace

SKIPPED = "site.skipped"
_SMALLEST_UPLOAD_KB = 64 << 10  # smaller than this, and somebody's product film or catalogue is refused
_HOST = "ask the host, or change wp-config.php on the target"


def skipped(place: str, why: str) -> Finding:
    """A check that can't run here: told, so that nobody takes its silence for green."""
    return Finding(SKIPPED, Level.INFO, place, why)


# -- the network -----------------------------------------------------------------------------------------------------


def check_constants(facts: SiteFacts) -> Iterator[Finding]:
    """MULTISITE, SUBDOMAIN_INSTALL, DOMAIN_CURRENT_SITE and PATH_CURRENT_SITE fit the network's rows: else shoppers of
    every store see "error establishing a database connection" or land on the network's first site."""
    here, rows = facts.order.target.installation, facts.rows
    subdomains = rows.sitemeta.get("subdomain_install", "0") == "1"
    for wrong, what in (
        (not here.multisite, "MULTISITE is not true"),
        (here.subdomain_install != subdomains, "SUBDOMAIN_INSTALL differs from sitemeta's subdomain_install"),
        (here.domain_current_site != rows.domain, f"DOMAIN_CURRENT_SITE is not {rows.domain}, the network's domain"),
        (here.path_current_site != rows.path, f"PATH_CURRENT_SITE is not {rows.path}, the network's path"),
    ):
        if wrong:
            yield Finding("constant.network", Level.FAIL, _wp_config(facts), what, _HOST)


def check_fixed_address(facts: SiteFacts) -> Iterator[Finding]:
    """No WP_HOME or WP_SITEURL: WordPress itself ignores them in a network, but plugins and drop-ins take them for the
    address of every store, and lead its shoppers there."""
    told = facts.network
    here = facts.order.target.installation
    for name, there in (
        ("WP_HOME", bool(here.wp_home) or (told is not None and told.wp_home)),
        ("WP_SITEURL", bool(here.wp_siteurl) or (told is not None and told.wp_siteurl)),
    ):
        if there:
            what = f"{name} is set: one address for all stores"
            yield Finding("constant.address", Level.FAIL, _wp_config(facts), what, f"remove it: {_HOST}")


def check_sunrise(facts: SiteFacts) -> Iterator[Finding]:
    """SUNRISE and sunrise.php come together: the constant alone breaks every page, the file alone is never run, so that
    its domain mapping does nothing."""
    told = facts.network
    if told is None:
        return
    if told.sunrise != told.sunrise_file:
        what = (
            "SUNRISE is set, but there is no sunrise.php" if told.sunrise else "sunrise.php is there, but not SUNRISE"
        )
        yield Finding("constant.sunrise", Level.FAIL, _wp_config(facts), what, _HOST)


def check_sitemeta(facts: SiteFacts) -> Iterator[Finding]:
    """The network's limits are lifted: else editors can't upload (1500 KB a file, 100 MB a site), and with ms-files
    rewriting every image of the stores answers 404."""
    meta, place = facts.rows.sitemeta, f"{facts.order.environment}: network settings"
    way_out = "Network Admin > Settings > Upload Settings"
    most = _number(meta.get("fileupload_maxk"), 1500)
    if most < _SMALLEST_UPLOAD_KB:
        yield Finding("network.upload-size", Level.FAIL, place, f"uploads over {most} KB are refused", way_out)
    if meta.get("upload_space_check_disabled", "1") != "1":
        space = _number(meta.get("blog_upload_space"), 100)
        yield Finding("network.upload-space", Level.FAIL, place, f"a site's uploads end at {space} MB", way_out)
    if meta.get("ms_files_rewriting", "0") not in ("", "0"):
        what = "ms_files_rewriting is on: uploads are looked for below /files/"
        yield Finding("network.ms-files", Level.FAIL, place, what, "set it to 0 in sitemeta")


def check_super_admins(facts: SiteFacts) -> Iterator[Finding]:
    """Only the host's own accounts are super admins: anyone of a store would own every other store as well; a name
    without an account waits for whoever registers it."""
    told = facts.network
    if told is None:
        return
    place, largest = f"{facts.order.environment}: super admins", facts.order.target_facts.largest_user
    way_out = "Network Admin > Users: take the right away"
    for user in told.super_admins:
        if user == 0:
            yield Finding("network.super-admin", Level.FAIL, place, "one of them has no account", way_out)
        elif user > largest:
            yield Finding("network.super-admin", Level.FAIL, place, f"user {user}, who was moved, is one", way_out)


def check_salts(facts: SiteFacts) -> Iterator[Finding]:
    """Each environment and each source has salts of its own: else a cookie from staging or from the old server, which
    more people can reach, signs in to the live stores."""
    told = facts.network
    if told is None:
        return
    place, way_out = f"{facts.order.environment}: salts", "make new ones in wp-config.php; everybody signs in again"
    weak = sorted(name for name, one in told.salts.items() if one is None)
    mine = [one for one in told.salts.values() if one is not None]
    if weak:
        what = f"{', '.join(weak)}: not set, or left as in the sample"
        yield Finding("salt.missing", Level.FAIL, place, what, way_out)
    if len(set(mine)) != len(mine):
        yield Finding("salt.repeated", Level.FAIL, place, "two of them are equal, so WordPress ignores both", way_out)
    for name, other in _others(facts):
        shared = sorted({one for one in mine if one in other.salts.values()})
        if shared:
            yield Finding("salt.shared", Level.FAIL, place, f"{len(shared)} are those of {name}", way_out)


def check_cache_prefix(facts: SiteFacts) -> Iterator[Finding]:
    """With an object cache, each environment has a key prefix of its own: else staging's options and prices appear in
    the live stores as soon as both share a cache server."""
    told = facts.network
    place = f"{facts.order.environment}: object cache"
    if told is None:
        return
    if not told.object_cache:
        yield skipped(place, "cache key prefix: there is no object-cache.php")
        return
    way_out = "set WP_CACHE_KEY_SALT or WP_REDIS_PREFIX in wp-config.php to the environment's own name"
    if told.cache_prefix is None:
        yield Finding("cache.prefix-missing", Level.WARN, place, "there is no key prefix of its own", way_out)
    for name, other in _others(facts):
        if told.cache_prefix is not None and told.cache_prefix == other.cache_prefix:
            yield Finding("cache.prefix-shared", Level.FAIL, place, f"its key prefix is that of {name}", way_out)


def check_cron(facts: SiteFacts) -> Iterator[Finding]:
    """Exactly one runner calls WordPress's events: with none, scheduled sales and mails wait for ever; with two, slow
    events may run twice."""
    told, place = facts.network, f"{facts.order.environment}: cron"
    if told is None:
        return
    order = facts.order
    marks = [order.target.installation.root, *(urlsplit(one.store.target_url).netloc for one in facts.stores)]
    lines = sum(any(mark in line for mark in marks) for line in facts.runners)
    overdue = sum(one.there.cron_overdue for one in facts.stores if one.there is not None)
    data = {"crontab_lines": lines, "by_visits": int(told.cron_by_visits), "overdue": overdue}
    if told.cron_by_visits and lines:
        what = f"events run by visits and by {lines} lines of the crontab"
        yield Finding("cron.twice", Level.FAIL, place, what, "set DISABLE_WP_CRON, or remove the lines", data)
    elif not told.cron_by_visits and not lines:
        what = "DISABLE_WP_CRON is set, and the account's crontab has no line that calls wp-cron.php"
        if overdue:
            what += f"; {overdue} events are more than an hour late"
        way_out = "the host must call each site's wp-cron.php, or DISABLE_WP_CRON goes"
        level = Level.WARN if facts.order.environment == "production" else Level.INFO
        yield Finding("cron.none", level, place, what, way_out, data)
    elif lines > 1 and lines > len(facts.stores):
        yield Finding("cron.twice", Level.FAIL, place, f"{lines} lines of the crontab run events", data=data)


# -- one store -------------------------------------------------------------------------------------------------------


def check_address(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """The blog's row, siteurl and home are the plan's address: else WordPress sends shoppers elsewhere, or round in
    circles."""
    row = facts.rows.blogs.get(place.store.target_blog)
    wanted = urlsplit(place.store.target_url)
    if row is None:
        what = f"blog {place.store.target_blog} has no row"
        yield Finding("blog.address", Level.FAIL, place.name, what, "crossdock move copy, again")
        return
    if (row["domain"], row["path"]) != (wanted.netloc, wanted.path + "/"):
        yield Finding("blog.address", Level.FAIL, place.name, f"its row says {row['domain']}{row['path']}")
    told = place.there
    for name, value in (("siteurl", told.siteurl), ("home", told.home)) if told else ():
        if value.rstrip("/") != place.store.target_url:
            yield Finding("blog.address", Level.FAIL, place.name, f"{name} is {value}, not the plan's address")


def check_flags(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """The blog is neither archived, deleted nor spam unless it was so at the source: shoppers would read that the site
    is no longer available. And it is public as the plan wants it, which network-wide searches and feeds go by."""
    row = facts.rows.blogs.get(place.store.target_blog, {})
    public = place.blog.flags.get("public", "1") if place.public else "0"
    if row.get("public", public) != public:
        what = f"public is {row['public']}, not {public}"
        yield Finding("blog.flags", Level.FAIL, place.name, what, "Network Admin > Sites")
    for name in ("archived", "deleted", "spam"):
        if row.get(name, "0") != place.blog.flags.get(name, "0"):
            what = f"{name} is {row.get(name)}, at the source {place.blog.flags.get(name, '0')}"
            yield Finding("blog.flags", Level.FAIL, place.name, what, "Network Admin > Sites")
        elif row.get(name, "0") == "1":
            yield Finding("blog.flags", Level.WARN, place.name, f"the store is marked {name}, as it was at the source")


def check_public(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """blog_public is off on staging, or search engines list it beside the store; in production it is what it was at the
    source, or the store drops out of every search."""
    if place.there is None:
        return
    wanted = "0" if not place.public else place.here.public if place.here else ""
    if wanted and place.there.public != wanted:
        what = f"blog_public is {place.there.public or 'empty'}, not {wanted}"
        yield Finding("blog.public", Level.FAIL, place.name, what, "Settings > Reading of that site")


def check_cookie_domain(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """COOKIE_DOMAIN covers the store's domain: else browsers drop its cookies, and nobody signs in there or keeps what
    is in the cart. Not set, WordPress takes the network's domain for every store of a subdomain network."""
    if place.there is None:
        return
    domain = place.there.cookie_domain.lstrip(".").lower()
    host = urlsplit(place.store.target_url).hostname or ""
    if domain and host != domain and not host.endswith("." + domain):
        what = f"COOKIE_DOMAIN is {place.there.cookie_domain}, which is not this store's"
        way_out = f"define( 'COOKIE_DOMAIN', false ): {_HOST}"
        yield Finding("constant.cookie-domain", Level.FAIL, place.name, what, way_out)


def check_mail_from(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """Mail comes from the store's own domain: another one's fails SPF and DMARC, so customers' order mails go to spam,
    or their answers to nobody."""
    if place.there is None:
        return
    hosts = {urlsplit(url).hostname or "" for url in (*place.store.source_urls, place.store.target_url)}
    way_out = "set the sender in the mail plugin or WooCommerce > Settings > Emails"
    for what, domain in (("WordPress", place.there.mail_from), ("WooCommerce", place.there.store_mail_from)):
        if domain and not any(host == domain or host.endswith("." + domain) for host in hosts):
            told = f"{what} sends from {domain}, which is not the store's domain"
            yield Finding("mail.from", Level.WARN, place.name, told, way_out)


def check_plugins(facts: SiteFacts, place: StorePlace, approved: Sequence[str]) -> Iterator[Finding]:
    """Only approved plugins run, and all that are active are there: an unknown one may send mail or take payments, a
    missing one takes its part of the store away from shoppers.

    `approved`: folders, or `server/folder`; without any, those that are active at the source.
    """
    if place.there is None:
        return
    if approved:
        allowed = _names_for(approved, place.server)
    elif place.here is not None:
        allowed = {_folder(one) for one in place.here.plugins_set}
    else:
        yield skipped(place.name, "plugins: none is approved in [files], and the source did not answer")
        return
    way_out = "deactivate it, or approve it under [files] plugins"
    for one in sorted({_folder(name) for name in place.there.plugins} - allowed):
        yield Finding("plugin.unapproved", Level.FAIL, place.name, f"{one} is active and not approved", way_out)
    running = set(place.there.plugins)
    for one in sorted(name for name in place.there.plugins_set if name not in running):
        what = f"{_folder(one)} is active in the database, but its code is not there"
        level = Level.FAIL if approved and _folder(one) in allowed else Level.WARN
        yield Finding("plugin.missing", level, place.name, what, "copy it, or deactivate it on purpose")


def check_theme(facts: SiteFacts, place: StorePlace, approved: Sequence[str]) -> Iterator[Finding]:
    """The store's own theme is active, there, and allowed: else shoppers see a white page or another design, and
    whoever looks after the store can't choose it again."""
    if place.there is None:
        return
    theme = place.there.theme
    if not place.there.theme_there:
        yield Finding("theme.missing", Level.FAIL, place.name, f"theme {theme} is active, but not there", "copy it")
    own = place.here.theme if place.here else place.blog.options.get("stylesheet", "")
    if theme != own and theme not in _names_for(approved, place.server):
        what = f"theme {theme} is active, at the source it is {own}"
        yield Finding("theme.unapproved", Level.FAIL, place.name, what, "activate the store's own theme")
    if not place.there.theme_allowed:
        what = f"theme {theme} is active, but not allowed in this network"
        yield Finding("theme.not-allowed", Level.WARN, place.name, what, "Network Admin > Themes: enable it")


def _wp_config(facts: SiteFacts) -> str:
    return f"{facts.order.environment}: wp-config.php"


def _others(facts: SiteFacts) -> Iterator[tuple[str, BlogFacts]]:
    """The other environments, and each source server once."""
    yield from facts.neighbours.items()
    seen: set[str] = set()
    for one in facts.stores:
        if one.here is not None and one.server not in seen:
            seen.add(one.server)
            yield f"server {one.server}", one.here


def _names_for(approved: Sequence[str], server: str) -> set[str]:
    return {name for one in approved for of, _, name in (one.rpartition("/"),) if of in ("", server)}


def _folder(plugin: str) -> str:
    """A plugin's folder; of one that is a single file, the file."""
    return plugin.partition("/")[0]


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.strip().isdigit() else default
