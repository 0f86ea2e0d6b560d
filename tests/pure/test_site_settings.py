"""The checks of the site that need no server: each is green for what it should be, and red for one thing altered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

import pytest
from survey_facts import config, installation, source, target

from crossdock.core.evidence import Finding, Level
from crossdock.move import plan as plans
from crossdock.move import settings
from crossdock.move.order import Order
from crossdock.move.site import SiteVerdict
from crossdock.move.site_facts import BlogFacts, NetworkRows, SiteFacts, StorePlace
from crossdock.move.survey import Source, Target
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import rules

NAMES = [f"{scheme}_{kind}" for scheme in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE") for kind in ("KEY", "SALT")]


def salts(of: str) -> dict[str, str | None]:
    return {name: f"{of} {name}" for name in NAMES}


def blog_facts(url: str, of: str, **changes: Any) -> BlogFacts:
    made = BlogFacts(
        home=url, siteurl=url, upgrade_due=False, woocommerce="", public="1", wp_home=False,
        wp_siteurl=False, cookie_domain="", sunrise=False, sunrise_file=False, cron_by_visits=True, cron_overdue=0,
        salts=salts(of), object_cache=True, cache_prefix=of, mail_from="", store_mail_from="",
        plugins_set=("shop/shop.php",), plugins=("shop/shop.php",), theme="x", theme_there=True,
        theme_allowed=True, super_admins=(1,), uploads="/u", pages={},
    )  # fmt: skip
    return replace(made, **changes)


def site(environment: str = "production", **there: Any) -> SiteFacts:
    """Two stores, all as it should be but what `there` says of the target's WordPress."""
    sources = [source("north"), source("south")]
    domain = f"net.{environment}.example"
    here = installation(root="/sites/x", multisite=True, subdomain_install=True, domain_current_site=domain)
    targets = [target(name, installation=here) for name in ("staging", "production")]
    made = plans.make(config(), sources, targets)
    order = Order(
        made, environment, [Source(one.server, cast(Any, None), cast(Any, None), one.installation) for one in sources],
        sources, Target(environment, cast(Any, None), cast(Any, None), here, cast(Any, None)),
        next(one for one in targets if one.environment == environment), cast(Any, None),
    )  # fmt: skip
    maps = made.sites(environment)
    places = tuple(
        StorePlace(
            store, one.server, environment, facts.blogs[0], order.sources[at], order.target,
            Rewriter(rules(maps, one)), blog_facts(store.source_urls[0], one.server),
            blog_facts(store.target_url, environment, **{"public": str(int(store.public)), **there}),
        )
        for at, (one, facts) in enumerate(zip(maps, sources, strict=True))
        for store in one.stores
    )  # fmt: skip
    blogs = {
        one.store.target_blog: {
            "domain": one.store.target_url.split("//")[1], "path": "/", "archived": "0", "deleted": "0", "spam": "0",
            "public": str(int(one.store.public)),
        }
        for one in places
    }  # fmt: skip
    meta = {"subdomain_install": "1", "fileupload_maxk": "1048576", "upload_space_check_disabled": "1"}
    other = "staging" if environment == "production" else "production"
    neighbours = {other: blog_facts("https://net.example", other)}
    return SiteFacts(order, NetworkRows(domain, "/", meta, blogs), places, neighbours, ())


def of_network(check: Callable[[SiteFacts], Iterable[Finding]], facts: SiteFacts) -> list[str]:
    return [one.code for one in check(facts) if one.level is not Level.INFO]


def of_store(check: Callable[..., Iterable[Finding]], facts: SiteFacts, *more: Any) -> list[str]:
    return [one.code for place in facts.stores for one in check(facts, place, *more) if one.level is not Level.INFO]


def with_here(facts: SiteFacts, **changes: Any) -> SiteFacts:
    order = replace(facts.order, target=replace(facts.order.target, installation=installation(
        **{"multisite": True, "subdomain_install": True, "domain_current_site": facts.rows.domain, **changes}
    )))  # fmt: skip
    return replace(facts, order=order)


def with_meta(facts: SiteFacts, **changes: str) -> SiteFacts:
    return replace(facts, rows=replace(facts.rows, sitemeta=facts.rows.sitemeta | changes))


def with_row(facts: SiteFacts, **changes: str) -> SiteFacts:
    blogs = {number: row | changes for number, row in facts.rows.blogs.items()}
    return replace(facts, rows=replace(facts.rows, blogs=blogs))


NETWORK = (
    settings.check_constants, settings.check_fixed_address, settings.check_sunrise, settings.check_sitemeta,
    settings.check_super_admins, settings.check_salts, settings.check_cache_prefix, settings.check_cron,
)  # fmt: skip
STORE = (
    settings.check_address, settings.check_flags, settings.check_public, settings.check_cookie_domain,
    settings.check_mail_from,
)  # fmt: skip


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_good_site_is_green(environment: str) -> None:
    facts = site(environment)
    assert [code for check in NETWORK for code in of_network(check, facts)] == []
    assert [code for check in STORE for code in of_store(check, facts)] == []
    assert of_store(settings.check_plugins, facts, ()) == of_store(settings.check_theme, facts, ()) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"multisite": False}, "constant.network"),
        ({"subdomain_install": False}, "constant.network"),
        ({"domain_current_site": "other.example"}, "constant.network"),
        ({"path_current_site": "/sub/"}, "constant.network"),
        ({"wp_home": "https://x.example"}, "constant.address"),
        ({"wp_siteurl": "https://x.example"}, "constant.address"),
    ],
)
def test_constants(changes: dict[str, Any], code: str) -> None:
    facts = with_here(site(), **changes)
    assert [*of_network(NETWORK[0], facts), *of_network(NETWORK[1], facts)] == [code]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"subdomain_install": "0"}, []),
        ({"fileupload_maxk": "1500"}, ["network.upload-size"]),
        ({"fileupload_maxk": ""}, ["network.upload-size"]),
        ({"upload_space_check_disabled": "0", "blog_upload_space": "100"}, ["network.upload-space"]),
        ({"ms_files_rewriting": "1"}, ["network.ms-files"]),
        ({"ms_files_rewriting": ""}, []),
    ],
)
def test_network_settings(changes: dict[str, str], codes: list[str]) -> None:
    assert of_network(settings.check_sitemeta, with_meta(site(), **changes)) == codes


def test_subdomain_install_must_fit_its_row() -> None:
    assert of_network(settings.check_constants, with_meta(site(), subdomain_install="0")) == ["constant.network"]


@pytest.mark.parametrize(
    ("check", "changes", "codes"),
    [
        (settings.check_sunrise, {"sunrise": True}, ["constant.sunrise"]),
        (settings.check_sunrise, {"sunrise_file": True}, ["constant.sunrise"]),
        (settings.check_sunrise, {"sunrise": True, "sunrise_file": True}, []),
        (settings.check_super_admins, {"super_admins": (1, 0, 1_000_007)}, ["network.super-admin"] * 2),
        (settings.check_salts, {"salts": salts("staging")}, ["salt.shared"]),
        (settings.check_salts, {"salts": salts("north")}, ["salt.shared"]),
        (settings.check_salts, {"salts": salts("p") | {"AUTH_KEY": None}}, ["salt.missing"]),
        (settings.check_salts, {"salts": salts("p") | {"AUTH_KEY": "p AUTH_SALT"}}, ["salt.repeated"]),
        (settings.check_salts, {"salts": salts("p") | {"AUTH_KEY": "south NONCE_KEY"}}, ["salt.shared"]),
        (settings.check_cache_prefix, {"cache_prefix": "staging"}, ["cache.prefix-shared"]),
        (settings.check_cache_prefix, {"cache_prefix": None}, ["cache.prefix-missing"]),
        (settings.check_cache_prefix, {"object_cache": False, "cache_prefix": "staging"}, []),
        (settings.check_cron, {"cron_by_visits": False}, ["cron.none"]),
    ],
)
def test_what_wordpress_says_of_the_network(check: Any, changes: dict[str, Any], codes: list[str]) -> None:
    assert of_network(check, site(**changes)) == codes


def test_cron_has_one_runner() -> None:
    ours, others = "* * * * * php /sites/x/wp-cron.php", "* * * * * php /sites/elsewhere/wp-cron.php"
    assert of_network(settings.check_cron, replace(site(), runners=(ours,))) == ["cron.twice"]
    assert of_network(settings.check_cron, replace(site(), runners=(others,))) == []
    assert of_network(settings.check_cron, replace(site(cron_by_visits=False), runners=(ours,))) == []
    assert of_network(settings.check_cron, replace(site(cron_by_visits=False), runners=(ours,) * 3)) == ["cron.twice"]


@pytest.mark.parametrize(
    ("check", "changes", "code"),
    [
        (settings.check_address, {"home": "https://elsewhere.example"}, "blog.address"),
        (settings.check_address, {"siteurl": "http://www.north.example"}, "blog.address"),
        (settings.check_public, {"public": "0"}, "blog.public"),
        (settings.check_cookie_domain, {"cookie_domain": ".net.example"}, "constant.cookie-domain"),
        (settings.check_cookie_domain, {"cookie_domain": "north.example.evil"}, "constant.cookie-domain"),
        (settings.check_mail_from, {"mail_from": "net.example"}, "mail.from"),
        (settings.check_mail_from, {"store_mail_from": "gmail.com"}, "mail.from"),
    ],
)
def test_what_wordpress_says_of_a_store(check: Any, changes: dict[str, Any], code: str) -> None:
    assert set(of_store(check, site(**changes))) == {code}


def test_what_covers_a_store_is_good() -> None:
    facts = site(cookie_domain=".north.example", mail_from="north.example")
    for check in (settings.check_cookie_domain, settings.check_mail_from):
        assert [*check(facts, facts.stores[0])] == []


def test_staging_stays_out_of_searches() -> None:
    assert of_store(settings.check_public, site("staging", public="1")) == ["blog.public"] * 2


@pytest.mark.parametrize("flag", ["archived", "deleted", "spam"])
def test_flags(flag: str) -> None:
    assert of_store(settings.check_flags, with_row(site(), **{flag: "1"})) == ["blog.flags"] * 2


def test_the_public_flag_of_the_network() -> None:
    assert of_store(settings.check_flags, with_row(site("staging"), public="1")) == ["blog.flags"] * 2
    assert of_store(settings.check_flags, with_row(site(), public="0")) == ["blog.flags"] * 2


def test_the_row_says_the_address() -> None:
    assert of_store(settings.check_address, with_row(site(), domain="x.example")) == ["blog.address"] * 2
    assert of_store(settings.check_address, with_row(site(), path="/x/")) == ["blog.address"] * 2
    gone = replace(site().rows, blogs={})
    assert of_store(settings.check_address, replace(site(), rows=gone)) == ["blog.address"] * 2


def test_plugins() -> None:
    added = site(plugins=("shop/shop.php", "mailer/mailer.php"), plugins_set=("shop/shop.php", "mailer/mailer.php"))
    assert of_store(settings.check_plugins, added, ()) == ["plugin.unapproved"] * 2
    assert of_store(settings.check_plugins, added, ("shop", "mailer")) == []
    assert of_store(settings.check_plugins, added, ("shop", "north/mailer")) == ["plugin.unapproved"]
    assert of_store(settings.check_plugins, site(), ("mailer",)) == ["plugin.unapproved"] * 2
    for approved, level in (((), Level.WARN), (("mailer",), Level.WARN), (("shop",), Level.FAIL)):
        facts = site(plugins=())
        found = [*settings.check_plugins(facts, facts.stores[0], approved)]
        assert [(one.code, one.level) for one in found] == [("plugin.missing", level)]


def test_themes() -> None:
    assert of_store(settings.check_theme, site(theme="y"), ()) == ["theme.unapproved"] * 2
    assert of_store(settings.check_theme, site(theme="y"), ("y",)) == []
    assert of_store(settings.check_theme, site(theme_there=False), ()) == ["theme.missing"] * 2
    assert of_store(settings.check_theme, site(theme_allowed=False), ()) == ["theme.not-allowed"] * 2


def test_a_skipped_check_is_told_and_counted_as_none() -> None:
    verdict = SiteVerdict()
    verdict.add("carts", [settings.skipped("north", "no WooCommerce")])
    verdict.add("rest", [])
    verdict.add("rest", [Finding("rest.index", Level.FAIL, "north", "answers 404")])
    verdict.add("mail", [Finding("mail.from", Level.WARN, "north", "x")])
    assert verdict.figures() == {"site_checks": 3, "site_failed": 1, "site_skipped": 1}
    assert not verdict.green
    assert verdict.as_data()["checks"]["carts"] == {"run": 0, "failed": 0, "skipped": 1}
    assert [one.code for one in verdict.findings] == ["site.skipped", "rest.index", "mail.from"]
