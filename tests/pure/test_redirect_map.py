"""The redirect map: what each address becomes, loops and conflicts, patterns, a person's review of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.core.evidence import Finding, Level
from crossdock.core.redirects import Address, MapRow, Rule, Slot, address_of, compiled
from crossdock.formats.htaccess import parse_htaccess
from crossdock.formats.nginx_rules import parse_nginx
from crossdock.formats.redirect_csv import parse_csv, render_csv
from crossdock.lab.sources import EAST_RULES, NORTH_RULES, SOUTH_HTACCESS, SOUTH_RULES
from crossdock.move.map_review import mistakes, reviewed
from crossdock.move.patterns import pattern_row
from crossdock.move.redirects import Decided, Harvest, Resolver, asked_rows, counts, decide, with_decisions
from crossdock.wordpress.addresses import AddressMap, is_machinery, is_probe, post_number
from crossdock.wordpress.sitemap import SiteMap, StoreMap


def store(name: str, number: int, source: str, target: str, uploads: str = "/wp-content/uploads") -> StoreMap:
    bare = source.removeprefix("http://").removeprefix("www.")
    other = f"http://{bare}" if "www." in source else f"http://www.{bare}"
    return StoreMap(
        name, 1, "wp_", (source, other), uploads, number, f"wp_{number}_", target,
        f"/wp-content/uploads/sites/{number}", False,
    )  # fmt: skip


def site(server: str, *stores: StoreMap) -> SiteMap:
    return SiteMap(server, "staging", "wp_", "wp_", "/srv", "/www", 1_000_000, stores)


NORTH = store("north", 2, "http://www.north.example", "http://north.staging.example")
EAST = store("east", 4, "http://east.example", "http://east.staging.example")
FRENCH = store("east-fr", 5, "http://fr.east.example", "http://fr.staging.example", "/wp-content/uploads/sites/2")
STAGING = AddressMap((site("north", NORTH), site("east", EAST, FRENCH)))
PRODUCTION = AddressMap((site("north", replace(NORTH, target_url="http://www.north.example")),))


def at(url: str) -> Address:
    found = address_of(url)
    assert found
    return found


def here(path: str) -> Address:
    return at(f"http://www.north.example{path}")


def exact(match: str, target: str, origin: str = "", status: int = 301) -> Rule:
    return Rule(origin or f"rule {match}", "exact", match, (target,) if target else (), status)


def rows(decided: Decided) -> dict[str, MapRow]:
    return {str(at(row.source).key): row for row in decided.rows if row.match == "exact"}


def told(decided: Decided) -> dict[str, Finding]:
    return {one.code: one for one in decided.findings}


# -- addresses -------------------------------------------------------------------------------------------------------


def test_a_host_has_one_name_and_uploads_move_to_their_blog() -> None:
    assert STAGING.canonical(at("http://north.example/a")) == here("/a")
    assert STAGING.natural(here("/a/?p=1")) == "http://north.staging.example/a/?p=1"
    assert STAGING.natural(here("/wp-content/uploads/2025/x.jpg")) == (
        "http://north.staging.example/wp-content/uploads/sites/2/2025/x.jpg"
    )
    # Each address of a network serves every blog's uploads.
    assert STAGING.natural(at("http://east.example/wp-content/uploads/sites/2/x.jpg")) == (
        "http://fr.staging.example/wp-content/uploads/sites/5/x.jpg"
    )
    assert STAGING.asked(here("/a")) == "http://north.staging.example/a"
    assert STAGING.asked(at("http://elsewhere.example/")) == ""


def test_a_store_in_a_folder_arrives_at_its_hosts_new_name() -> None:
    shop = replace(FRENCH, source_urls=("http://east.example/fr",), source_uploads="/wp-content/uploads/sites/2")
    addresses = AddressMap((site("east", EAST, shop),))
    assert addresses.store_of(at("http://east.example/fr/a")) is shop
    assert addresses.store_of(at("http://east.example/french")) is EAST
    assert addresses.asked(at("http://east.example/fr/a")) == "http://east.staging.example/fr/a"
    assert addresses.natural(at("http://east.example/fr/a")) == "http://fr.staging.example/a"


def test_what_is_no_page_of_a_store() -> None:
    assert all(
        map(
            is_machinery,
            (
                "/wp-admin/x",
                "/wp-login.php",
                "/fr/wp-json/wc",
                "/post-sitemap.xml",
                "/wp-sitemap-posts-page-1.xml",
                "/wp-content/plugins/a.js",
            ),
        )
    )
    assert not any(map(is_machinery, ("/wp-content/uploads/a.jpg", "/shop/", "/wp-adminer/")))
    assert all(map(is_probe, ("/.env", "/old.php", "/backup.zip", "//x", "/wp-config.bak")))
    assert not any(map(is_probe, ("/kontakt.html", "/shop/tent-2/")))
    assert post_number(here("/?x=1&p=17")) == 17
    assert post_number(here("/?p=017")) == post_number(here("/?p=x")) == post_number(here("/")) == 0


# -- decisions -------------------------------------------------------------------------------------------------------


def test_each_address_is_kept_moved_gone_or_asked_about() -> None:
    harvest = Harvest(
        alive={here("/"): "home", here("/new/"): "page", here("/wp-content/uploads/a.jpg"): "file"},
        posts={("north", 17): "http://www.north.example/new/"},
        former={here("/earlier/"): "http://www.north.example/new/"},
        seen={
            here("/new"): (3, 301), here("/dead/"): (2, 404), here("/landing.html"): (1, 200), here("/x"): (1, 301),
            here("/.env"): (9, 404), here("/wp-admin/"): (5, 200), here("/?author=1"): (1, 301),
        },
        listed={here("/new/")},
        rules={"north": [exact("/kontakt.html", "/?p=17"), exact("/weg", "", status=410),
                         exact("/out", "https://maps.example/x")]},
    )  # fmt: skip
    decided = decide(harvest, STAGING, "staging")
    found = {key: (row.action, row.target, row.hits) for key, row in rows(decided).items()}
    base = "http://north.staging.example"
    assert found == {
        "/": ("kept", f"{base}/", 0),
        "/new/": ("kept", f"{base}/new/", 0),
        "/wp-content/uploads/a.jpg": ("moved", f"{base}/wp-content/uploads/sites/2/a.jpg", 0),
        "/earlier/": ("moved", f"{base}/new/", 0),
        "/kontakt.html": ("moved", f"{base}/new/", 0),
        "/weg": ("gone", "", 0),
        "/out": ("moved", "https://maps.example/x", 0),
        "/new": ("moved", f"{base}/new/", 3),
        "/dead/": ("unknown", "", 2),
        "/landing.html": ("kept", f"{base}/landing.html", 1),
        "/x": ("unknown", "", 1),
        "/?author=1": ("kept", f"{base}/?author=1", 1),
    }
    unmapped = {one.place: one.level for one in decided.findings if one.code == "url.unmapped"}
    assert unmapped == {"dead at the source": Level.WARN, "unanswered": Level.BLOCK}
    assert set(decided.undecided) == {here("/dead/"), here("/x")}
    assert counts(decided.rows) == {
        "urls_total": 12, "urls_kept": 4, "urls_moved": 5, "urls_gone": 1, "urls_undecided": 2, "patterns": 3,
        "hosts": 0,
    }  # fmt: skip


def test_the_sources_own_answer_settles_what_nobody_knew() -> None:
    harvest = Harvest(seen={here(path): (1, 301) for path in ("/a", "/b", "/c", "/d")}, alive={here("/e"): "page"})
    harvest.answers = {here("/a"): (200, ""), here("/b"): (301, "/e"), here("/c"): (404, ""), here("/d"): (410, "")}
    decided = decide(harvest, STAGING, "staging")
    assert {key: row.action for key, row in rows(decided).items()} == {
        "/a": "kept", "/b": "moved", "/c": "unknown", "/d": "gone", "/e": "kept",
    }  # fmt: skip
    assert decided.undecided == []


def test_a_loop_blocks_and_names_its_rules() -> None:
    harvest = Harvest(rules={"north": [exact("/a", "/b", "n:1"), exact("/b", "http://north.example/c", "n:2"),
                                       exact("/c", "/b", "n:3"), exact("/self", "/self", "n:4")]})  # fmt: skip
    decided = decide(harvest, STAGING, "staging")
    loop = told(decided)["redirect.loop"]
    assert loop.level is Level.BLOCK
    assert loop.data == {"addresses": 4}
    assert "n:2, n:3" in loop.text
    assert {row.action for row in rows(decided).values()} == {"unknown"}


def test_an_address_that_grows_for_ever_is_a_loop() -> None:
    rule = Rule("n:1", "pattern", "^/(.*)$", ("/x/", Slot("path", "1")), 301)
    decided = decide(Harvest(seen={here("/a"): (1, 301)}, rules={"north": [rule]}), STAGING, "staging")
    assert told(decided)["redirect.loop"].level is Level.BLOCK


def test_conflicts_are_shown_with_the_one_that_decides() -> None:
    harvest = Harvest(
        rules={"north": [exact("/a", "/x", "n:1"), exact("/a", "/y", "n:2"), exact("/b", "/x", "n:3")]},
        leftovers={"north": [exact("/b", "/x", "h:1"), exact("/a", "/z", "h:2")]},
        alive={here("/x"): "page"},
    )
    decided = decide(harvest, STAGING, "staging")
    conflict = told(decided)["redirect.conflict"]
    assert conflict.level is Level.WARN
    assert conflict.data == {"addresses": 1}
    assert "n:1 -> /x decides, not n:2 -> /y; h:2 -> /z" in conflict.text
    assert rows(decided)["/a"].target == "http://north.staging.example/x"


def test_rules_that_are_not_in_force_never_take_a_living_address() -> None:
    prefix = Rule("h:1", "prefix", "/shop", ("/store",), 301)
    harvest = Harvest(alive={here("/shop/"): "page", here("/store/"): "page"}, leftovers={"north": [prefix]})
    decided = decide(harvest, STAGING, "staging")
    assert rows(decided)["/shop/"].action == "kept"
    assert not [row for row in decided.rows if row.match == "pattern" and "shop" in row.source]


def test_production_answers_for_the_stores_other_names() -> None:
    harvest = Harvest(alive={here("/"): "home"}, aliases={"alt.example": "http://north.example"})
    made = decide(harvest, PRODUCTION, "production")
    assert [(row.source, row.target) for row in made.rows if row.match == "host"] == [
        ("north.example", "http://www.north.example/"), ("alt.example", "http://www.north.example/"),
    ]  # fmt: skip


def test_ten_thousand_overlapping_rules_end_in_one_hop_each() -> None:
    """A chain of ten thousand, in the worst order, with every address claimed twice."""
    chain = [exact(f"/c/{number}", f"/c/{number + 1}", f"n:{number}") for number in range(10_000)]
    again = [exact(f"/c/{number}", "/end/", f"h:{number}") for number in range(0, 10_000, 2)]
    harvest = Harvest(alive={here("/c/10000"): "page", here("/end/"): "page"}, rules={"north": chain + again})
    decided = decide(harvest, STAGING, "staging")
    found = rows(decided)
    assert len(found) == 10_002
    assert {row.target for key, row in found.items() if key.startswith("/c/")} == {
        "http://north.staging.example/c/10000"
    }
    assert told(decided)["redirect.conflict"].data == {"addresses": 5_000}


paths = st.sampled_from([f"/{letter}" for letter in "abcdefgh"])


@given(st.lists(st.tuples(paths, paths), max_size=12), st.sets(paths, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_without_a_loop_every_address_ends_in_one_hop_and_each_loop_is_found(
    pairs: list[tuple[str, str]], alive: set[str]
) -> None:
    rules = [exact(source, target) for source, target in pairs]
    harvest = Harvest(alive={here(path): "page" for path in alive}, rules={"north": rules})
    resolver = Resolver(harvest, STAGING)
    first = {}
    for source, target in pairs:
        first.setdefault(source, target)
    for source in first:
        seen, end = {source}, first[source]
        while end in first and end not in seen:
            seen.add(end)
            end = first[end]
        outcome = resolver.resolve(here(source))
        if end in first:
            assert outcome.kind == "loop"
        else:
            assert (outcome.kind, outcome.at) == ("alive" if end in alive else "dead", here(end))
    decided = decide(harvest, STAGING, "staging")
    moved = {row.source: row for row in decided.rows if row.action == "moved" and row.match == "exact"}
    for row in moved.values():
        there = row.target.replace("north.staging.example", "www.north.example")
        assert there not in moved


# -- patterns --------------------------------------------------------------------------------------------------------


def through(row: MapRow, path: str) -> str | None:
    """As the bridge carries a pattern out."""
    found = compiled(row.parts[1], False).search(path)
    if not found:
        return None
    return re.sub(r"\$(\d)", lambda part: found[int(part[1])] or "", row.target)


def patterns(rules: Sequence[Rule], *asked: str) -> list[str | None]:
    made = [pattern_row(rule, "http://n.example", STAGING) for rule in rules if rule.kind != "exact" or rule.query]
    return [next((to for row in made if (to := through(row, path)) is not None), None) for path in asked]


def test_the_labs_rules_become_patterns() -> None:
    base = "http://n.example"
    north, south = (parse_nginx(text, "n").rules for text in (NORTH_RULES, SOUTH_RULES))
    urls = ("/alte-jacken", "/alte-jacken/?a=1", "/shop/artikel-3.html?utm=x", "/shop/artikel-x.html")
    assert patterns(north, *urls) == [
        f"{base}/produkt-kategorie/jacken/", f"{base}/produkt-kategorie/jacken/?a=1", f"{base}/?p=3", None,
    ]  # fmt: skip
    htaccess = parse_htaccess(SOUTH_HTACCESS, "h")[0]
    for rules in (south, htaccess):
        assert patterns(rules, "/?product_id=12", "/?a=1&product_id=3", "/old-blog/x/?y=1", "/?other=1") == [
            f"{base}/?p=12", f"{base}/?p=3", f"{base}/x/?y=1", None,
        ]  # fmt: skip
    assert patterns(parse_nginx(EAST_RULES, "e").rules, "/b2b/terms/?lang=de") == [f"{base}/trade/terms/?lang=de"]
    assert patterns(htaccess, "/tents.html/x?y=1") == [f"{base}/product-category/tents//x?y=1"]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule("o", "pattern", "^/größe", ("/x",), 301), "encoded"),
        (Rule("o", "pattern", "^/a|^/b", ("/x",), 301), "joined by"),
        (Rule("o", "pattern", "^/(a)$", ("/x", Slot("path", "1"), "1"), 301), "digit behind"),
        (Rule("o", "pattern", "^/a", (Slot("path", "1"),), 301), "begins with a capture"),
        (Rule("o", "pattern", "^/o-(.*)$", ("https://shop-", Slot("path", "1"), ".x/"), 301), "visitor's to choose"),
        (Rule("o", "pattern", "^/o/(.*)$", ("https://", Slot("path", "1")), 301), "visitor's to choose"),
        (Rule("o", "pattern", "^/o(/?.*)$", ("https://x.example", Slot("arg", "to")), 301), "visitor's to choose"),
        (Rule("o", "pattern", "^/a", ("/x/", Slot("path", "name")), 301), "only the running server"),
        (Rule("o", "pattern", "^/(a)(b)(c)(d)(e)(f)(g)(h)(i)$", ("/x",), 301), "more than nine"),
    ],
)
def test_rules_that_can_not_become_patterns_say_why(rule: Rule, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        pattern_row(rule, "http://n.example", STAGING)


def test_a_capture_that_begins_with_a_slash_may_follow_a_host() -> None:
    rule = Rule("o", "pattern", "^/b2b(/.*)$", ("https://b2b.example", Slot("path", "1")), 301)
    assert patterns([rule], "/b2b/a?x=1") == ["https://b2b.example/a?x=1"]
    all_of_it = replace(rule, match="b2b", target=("https://b2b.example", Slot("request")))
    assert patterns([all_of_it], "/b2b/a?x=1") == ["https://b2b.example/b2b/a?x=1"]
    made = [pattern_row(one, "http://n.example", STAGING) for one in (rule, all_of_it)]
    back, wrong = parse_csv(render_csv(made).encode())
    assert (wrong, [row for _, row in back]) == ([], made)


def test_a_pattern_with_one_target_leads_to_its_end_or_to_nothing() -> None:
    harvest = Harvest(alive={here("/c/"): "page"})
    one = {"/a": "/b", "/x": "/dead", "/y": "/weg"}
    rules = [Rule(f"n:{path}", "pattern", f"^{path}/?$", (target,), 301) for path, target in one.items()]
    harvest.rules = {"north": [*rules, exact("/b", "/c/"), exact("/weg", "", status=410)]}
    made = [
        row
        for row in decide(harvest, STAGING, "staging").rows
        if row.match == "pattern" and "uploads" not in row.origin
    ]
    assert [(row.origin, row.target, row.status) for row in made] == [
        ("n:/a", "http://north.staging.example/c/$1", 301), ("n:/y", "", 410),
    ]  # fmt: skip


def test_a_pattern_for_uploads_stands_for_all_files() -> None:
    harvest = Harvest(alive={here(f"/wp-content/uploads/2025/{number}.jpg"): "file" for number in range(50)})
    decided = decide(harvest, STAGING, "staging")
    asked = asked_rows(decided.rows, STAGING)
    assert [row.match for row in asked] == ["pattern"] * 3
    row = next(row for row in asked if row.parts[0] == "north.staging.example")
    target = "http://north.staging.example/wp-content/uploads/sites/2/2025/7.jpg"
    assert through(row, "/wp-content/uploads/2025/7.jpg") == target
    assert through(row, "/wp-content/uploads/sites/2/2025/7.jpg") is None


# -- review ----------------------------------------------------------------------------------------------------------


BASE = "http://north.staging.example"
MAP = [
    MapRow("http://www.north.example/a", "exact", "moved", f"{BASE}/b", 301, "log", 5),
    MapRow("http://www.north.example/b", "exact", "kept", f"{BASE}/b", 200, "page"),
    MapRow("http://www.north.example/u", "exact", "unknown", "", 0, "log", 2),
]


def review(*lines: MapRow) -> list[str]:
    return [f"{one.line}: {one.what}" for one in mistakes(list(enumerate(lines, 2)), MAP, STAGING)]


def test_an_edited_map_is_taken_with_the_persons_name() -> None:
    gone = replace(MAP[2], action="gone", status=410, note="Sold off 2023, says Bo")
    assert review(MAP[0], MAP[1], gone) == []
    made, changed = reviewed(list(enumerate([MAP[0], MAP[1], gone], 2)), MAP, "Ada Berg")
    assert changed == 1
    assert made[2].origin == "by Ada Berg"
    assert (made[2].hits, made[0]) == (2, MAP[0])
    # A later harvest keeps what was decided.
    fresh = [MAP[0], MAP[1], MAP[2], replace(MAP[0], source="http://www.north.example/new")]
    assert {row.source: row.action for row in with_decisions(fresh, made)}["http://www.north.example/u"] == "gone"


def test_every_mistake_of_an_edited_map_is_told_at_once() -> None:
    source = "http://www.north.example"
    told = review(
        MAP[0],
        replace(MAP[0], target=f"{BASE}/c"),
        MAP[1],
        MAP[1],
        MapRow("http://foreign.example/", "exact", "moved", f"{BASE}/b", 301),
        MapRow(f"{source}/out", "exact", "moved", "http://evil.example/", 301),
        MapRow(f"{source}/k", "exact", "kept", f"{BASE}/other", 200),
        MapRow(f"{source}/l1", "exact", "moved", f"{BASE}/l2", 301),
        MapRow(f"{source}/l2", "exact", "moved", f"{BASE}/l1", 301),
        MapRow(f"{source}/self", "exact", "moved", f"{BASE}/self", 301),
        MapRow(f"{source}/one", "exact", "moved", f"{BASE}/two", 301),
        MapRow(f"{source}/two", "exact", "moved", f"{BASE}/b", 301),
    )
    assert told == [
        "0: 1 addresses of the map are not in the file: http://www.north.example/u. Way out: give each an action",
        f"3: {source}/a -> {BASE}/c, but line 2 says {BASE}/b: keep one of them",
        f"5: {source}/b is in line 4 already",
        "6: source: foreign.example is no host of the stores",
        "7: target: evil.example is no host of this environment; if it is meant, say why in note",
        f"8: target: what is kept stays where it is, {BASE}/k",
        "9: a loop: north.staging.example/l1 leads back to itself, by line 10",
        "10: a loop: north.staging.example/l2 leads back to itself, by line 9",
        "11: a loop: north.staging.example/self leads to itself",
        "12: target: is moved on by line 13; write its end, north.staging.example/b",
    ]


# -- CSV -------------------------------------------------------------------------------------------------------------

words = st.text(max_size=20).map(lambda text: text.replace("\0", "").encode("utf-8", "ignore").decode().strip())


@given(
    st.lists(
        st.builds(
            MapRow,
            source=st.sampled_from(["http://a.example/x", "http://a.example/'y'", "http://a.example/?p=1"]),
            match=st.just("exact"),
            action=st.just("gone"),
            status=st.just(410),
            origin=words,
            hits=st.integers(0, 10**9),
            note=words.filter(bool),
        ),
        max_size=5,
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_map_survives_its_csv_and_no_cell_is_a_formula(made: list[MapRow]) -> None:
    text = render_csv(made)
    back, wrong = parse_csv(text.encode())
    assert wrong == []
    assert [row for _, row in back] == made
    cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_spreadsheets_write_csv_in_their_own_way() -> None:
    body = "\ufeffSource;Action;Note\r\nhttp://a.example/größe;gone;'=Ada\r\n;;\r\n"
    rows, wrong = parse_csv(body.encode())
    assert wrong == []
    assert rows == [(2, MapRow("http://a.example/größe", "exact", "gone", "", 410, "", 0, "=Ada"))]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"a,b\n", [(1, "column source and action is missing")]),
        (b"", [(1, "column source and action is missing")]),
        (
            b"source,action\nhttp://a.example/,sold\nx,gone\n",
            [(2, "'sold' is none of"), (3, "is no http(s) address"), (3, "name and reason")],
        ),
        (
            b"source,action,target,status\nhttp://a.example/,moved,ftp://x,200\n",
            [(2, "is no http(s) address"), (2, "200 is no redirect")],
        ),
        (b"source,action\nhttp://a.example/,gone,too,many\n", [(2, "more cells than the header")]),
        (b"source,action\n\xff\xfe,gone\n", [(2, "not UTF-8")]),
        (b"source,action\nx\0y,gone\n", [(2, "NUL")]),
        (b'source,action\n"open,gone\n', [(2, "no CSV")]),
        (b"source,match,action,target\na.example ^/(,pattern,moved,http://a.example/\n", [(2, "no regular")]),
        (b'source,match,action,target\n"x"" a;",host,moved,http://a.example/\n', [(2, "its name alone")]),
        (b"source,match,action,target\na.example,host,gone,http://a.example/\n", [(2, "its name alone"), (2, "note")]),
        (b"source,match,action,target\na.example ^/(.*),pattern,moved,http://$1/\n",
         [(2, "no http(s) address")]),
        (b"source,match,action,target\na.example ^/x(/.*)$,pattern,moved,http://b.example$1\n", []),
        (b'source,action,target\nhttp://a.example/,moved,"http://a""b;/"\n', [(2, "no http(s) address")]),
        (b"source,action,hits\nhttp://a.example/,unknown,many\n", [(2, "no whole number")]),
    ],
)  # fmt: skip
def test_bad_files_are_told_line_by_line(body: bytes, told: list[tuple[int, str]]) -> None:
    _, wrong = parse_csv(body)
    assert len(wrong) == len(told), wrong
    for one, (line, text) in zip(wrong, told, strict=True):
        assert one.line == line
        assert text in one.what
