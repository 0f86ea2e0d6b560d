"""What speaks against code, and files that are not as published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from survey_facts import source, table

from crossdock.core.evidence import Level
from crossdock.core.inventory import Item
from crossdock.move.code import CodeFacts
from crossdock.move.holdings import shown_url
from crossdock.move.integrity import compare, core_findings, plugin_findings
from crossdock.move.risks import Knowledge, risk_findings, risks, wordpress_risks
from crossdock.move.wordpress_items import inventory, tag_items
from crossdock.wordpress.code import Listed, Piece, Vulnerability, plain, register
from crossdock.wordpress.versions import VersionRange

TODAY = date(2026, 11, 25)


def codes(piece: Piece, **known: Any) -> set[str]:
    return {one.code for one in risks(piece, Knowledge(TODAY, **known), frozenset({"mystery"}))}


def plugin(name: str = "acme", **facts: Any) -> Piece:
    return Piece("plugin", name, **{"title": "Acme", "version": "1.0", **facts})


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        (plugin(), set()),
        (plugin("wp-super-cache"), {"plugin.not-allowed"}),
        (plugin("acme-shop", for_woocommerce=True), {"plugin.commerce"}),
        (plugin("acme-shop", requires=("woocommerce",)), {"plugin.commerce"}),
        (plugin("woocommerce", for_woocommerce=True), set()),
        (plugin("easy-digital-downloads"), {"plugin.commerce"}),
        (plugin(tables=("mystery", "posts")), {"plugin.own-tables"}),
        (plugin(hosts=("api.acme.example", "api.wordpress.org")), {"plugin.service"}),
        (plugin(hosts=("api.wordpress.org", "s.w.org")), set()),
        (plugin(update_uri="https://acme.example/updates"), {"plugin.service"}),
        (plugin(update_uri="https://wordpress.org/plugins/acme"), set()),
        (plugin("jetpack"), {"plugin.service"}),
        (plugin(has_header=False), {"plugin.no-plugin"}),
        (Piece("drop-in", "db.php", is_run=True, has_header=False), {"drop-in.unknown"}),
        (Piece("drop-in", "object-cache.php", is_run=True, title="Redis Object Cache"), set()),
        (Piece("drop-in", "shell.php", has_header=False), {"drop-in.unloaded"}),
        (Piece("must-use", "x.php", tables=("mystery",)), {"plugin.own-tables"}),
    ],
)
def test_what_speaks_against_a_piece_of_code(piece: Piece, told: set[str]) -> None:
    assert codes(piece) == told


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ({}, {"plugin.unlisted"}),
        ({"acme": Listed(closed=True, reason="security")}, {"plugin.abandoned"}),
        ({"acme": Listed(updated=date(2023, 1, 1))}, {"plugin.abandoned"}),
        ({"acme": Listed(updated=date(2026, 1, 1))}, set()),
        ({"acme": Listed()}, set()),
    ],
)
def test_what_the_directory_says(listed: dict[str, Listed], told: set[str]) -> None:
    assert codes(plugin(), directory=listed) == told
    assert codes(plugin(update_uri="https://acme.example/"), directory=listed) == {"plugin.service"}


def test_known_vulnerabilities_by_version() -> None:
    one = Vulnerability(
        "plugin", "acme", "SQL injection", "CVE-1", 9.8, (VersionRange("*", "1.2", True, False),), ("1.2",)
    )
    known = {("plugin", "acme"): [one]}
    found = risks(plugin(version="1.1.9"), Knowledge(TODAY, None, known), frozenset())
    assert [(each.code, each.level) for each in found] == [("plugin.vulnerable", Level.FAIL)]
    assert "CVE-1" in found[0].why
    assert "mended in 1.2" in found[0].why
    assert risks(plugin(version="1.2"), Knowledge(TODAY, None, known), frozenset()) == []
    assert risks(plugin(version=""), Knowledge(TODAY, None, known), frozenset()) == []


def test_how_old_a_wordpress_is() -> None:
    assert [one.code for one in wordpress_risks("6.1.9", Knowledge(TODAY))] == ["wordpress.old"]
    assert wordpress_risks("6.9.1", Knowledge(TODAY)) == []
    assert wordpress_risks("99.1", Knowledge(TODAY)) == []


def test_very_many_findings_of_one_code_are_told_as_one() -> None:
    items = [(Item("plugin", "north", f"p{number}", "p"), risks(plugin("jetpack"), Knowledge(TODAY), frozenset()))
             for number in range(5000)]  # fmt: skip
    found = risk_findings(items)
    assert [(one.code, one.place) for one in found] == [("plugin.service", "north")]
    assert found[0].text.startswith("5000 of them")
    assert len(risk_findings(items[:20])) == 20


def test_an_inventory_names_each_thing_with_where_it_runs() -> None:
    facts = source("north", tables=(table("wp_mystery", "id bigint"),))
    code = CodeFacts((plugin(tables=("mystery",), changed=1_700_000_000), Piece("theme", "x", "X", "2")))
    found = inventory(facts, code, [], Knowledge(TODAY), ["acme/acme.php"])
    by_key = {one.key: one for one in found.items}
    assert set(by_key) == {"wordpress:north:wordpress", "plugin:north:acme", "theme:north:x",
                           "uploads:north:/srv/www/wp-content/uploads"}  # fmt: skip
    told = by_key["plugin:north:acme"]
    assert (told.data["network"], told.data["tables"], told.data["changed"]) == (True, ["mystery"], "2023-11-14")
    assert "active in the whole network" in told.text
    assert by_key["theme:north:x"].data["active"] == [1]
    assert told.data["risks"][0]["code"] == "plugin.own-tables"


def test_tags_of_a_front_page() -> None:
    page = """<script>gtag('config', 'G-AB12CD34EF'); fbq('init', '1234567890123');</script>
    <iframe src="https://www.googletagmanager.com/ns.html?id=GTM-W3XYZ"></iframe> UA-1234567-1 <p>G-force</p>"""
    found = {one.name: one.data["what"] for one in tag_items("north", 1, page)}
    assert found == {
        "G-AB12CD34EF": "Google Analytics 4", "1234567890123": "Meta pixel", "GTM-W3XYZ": "Google Tag Manager",
        "UA-1234567-1": "Universal Analytics (ended 2023)",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@erp.example:8443/in?key=abc#x", "https://erp.example:8443/in"),
        ("https://hooks.example/catch/12345/ab12cd34ef/", "https://hooks.example/catch/12345/.../"),
        ("https://h.example/services/T0000000000000000000000", "https://h.example/services/..."),
        ("http://[broken", "an address that can't be read"),
        ("https://a.example:x/", "an address that can't be read"),
    ],
)
def test_a_webhooks_address_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('<a href="https://x">Acme</a> Ltd', "Acme Ltd"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("a\x00\x1b[31m\u202eb\n c", "a [31m b c"),
        ("x" * 500, "x" * 117 + "..."),
        ("1 < 2", "1 < 2"),
    ],
)
def test_hostile_headers_are_plain_text(value: str, shown: str) -> None:
    assert plain(value) == shown


def test_the_register_is_whole() -> None:
    kept = register()
    assert {"w3-total-cache", "updraftplus", "yet-another-related-posts-plugin"} <= set(kept.not_allowed)
    assert all("https://" in why for why in kept.not_allowed.values())
    assert kept.releases["6.1"] == date(2022, 11, 1)


# -- files beside their checksums ------------------------------------------------------------------------------------

PUBLISHED = {"wp-admin/a.php": frozenset({"1"}), "wp-includes/version.php": frozenset({"2"}),
             "readme.html": frozenset({"3"}), "wp-content/plugins/hello.php": frozenset({"4"})}  # fmt: skip


def told(found: dict[str, str] | None, **more: Any) -> dict[str, str]:
    return {one.code: one.text for one in core_findings("north", found, PUBLISHED, "", **more)}


def test_core_files_that_are_not_as_published() -> None:
    whole = {"wp-admin/a.php": "1", "wp-includes/version.php": "2"}
    assert told(whole) == {}
    assert told({**whole, "readme.html": "changed"}) == {}
    assert told({**whole, "wp-admin/a.php": "9"}) == {
        "core.changed": "1 files of WordPress were changed: wp-admin/a.php"
    }
    assert set(told({**whole, "wp-includes/shell.php": "9"})) == {"core.unknown-file"}
    assert set(told({"wp-includes/version.php": "2"})) == {"core.missing"}
    assert told({**whole, "wp-includes/version.php": "9"}, is_own=False) == {}
    assert set(told({**whole, "wp-includes/version.php": "9"})) == {"core.changed"}


def test_what_could_not_be_compared_is_told() -> None:
    found = list(core_findings("north", {}, None, "wordpress.org can't be reached"))
    assert [(one.code, one.level) for one in found] == [("core.unchecked", Level.INFO)]
    assert "wordpress.org can't be reached" in found[0].text
    assert [one.code for one in core_findings("north", None, PUBLISHED, "")] == ["core.unchecked"]


def test_a_plugins_files() -> None:
    published = {"acme.php": frozenset({"1"}), "readme.txt": frozenset({"2"}), "b.php": frozenset({"3", "4"})}
    found = {"acme.php": "9", "readme.txt": "9", "b.php": "4", "x.php": "5"}
    assert compare(found, published).changed == ("acme.php",)
    codes_ = [one.code for one in plugin_findings("north", "acme", found, published)]
    assert codes_ == ["plugin.changed", "plugin.unknown-file"]
