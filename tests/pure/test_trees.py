"""Which folders go where, what of them is carried, and how two sides differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_facts import blog, config, source, target

from crossdock.core.config import Config
from crossdock.core.evidence import Finding, Level
from crossdock.core.files import FILE, FOLDER, LINK, Entry, Listing, sane_mode, shown
from crossdock.move import plan
from crossdock.move.attachments import Attachments
from crossdock.move.destinations import Placed
from crossdock.move.trees import Tree, carried_link, contents, difference, of_the_target, plan_trees, stale, wanted
from crossdock.wordpress.content_files import active_plugins, attached_files, is_code, is_silence, needed_themes

NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: b"\0" not in name)
CONTENTS = st.dictionaries(NAMES, st.sampled_from(["f:1", "f:2", "l:x", "d"]))
UPLOADS = Tree("north/uploads/north", "north", "uploads", "/srv/www/wp-content/uploads", "/t/uploads/sites/2", "north")


def entry(kind: str = FILE, *, size: int = 1, mtime: str = "5", link: bytes = b"", mode: int = 0o644) -> Entry:
    return Entry(kind, mode, size, mtime, mtime, link)


def trees(settings: Config, *sources: object, **there: object) -> tuple[dict[str, Tree], list[Finding]]:
    targets = [target(name) for name in ("staging", "production")]
    targets = [replace(one, installation=replace(one.installation, **there)) for one in targets]
    drawn = plan.make(settings, sources, targets)  # type: ignore[arg-type]
    made, found = plan_trees(settings.files, drawn, "staging", sources, targets[0])  # type: ignore[arg-type]
    return {tree.key: tree for tree in made}, found


# -- folders ---------------------------------------------------------------------------------------------------------


def test_uploads_go_to_the_blogs_place() -> None:
    made, _ = trees(config(), source("north"), source("south"))
    assert (made["north/uploads/north"].source, made["north/uploads/north"].target) == (
        "/srv/www/wp-content/uploads",
        "/sites/staging/wp-content/uploads/sites/2",
    )
    assert made["south/uploads/south"].target == "/sites/staging/wp-content/uploads/sites/3"
    assert made["north/uploads/north"].leave == ()


def test_a_networks_first_blog_leaves_the_others_folders_to_them() -> None:
    blogs = (blog(), blog(2, "wp_2_", "fr.north.example"))
    settings = config((("north", "north", 1), ("fr", "north", 2)))
    made, _ = trees(settings, source("north", blogs=blogs, multisite=True))
    assert made["north/uploads/north"].leave == (b"sites",)
    assert made["north/uploads/fr"].source == "/srv/www/wp-content/uploads/sites/2"
    listing = Listing({b"sites/2/a": entry(), b"sites": entry(FOLDER), b"a": entry(), b"2020/sites": entry()})
    assert set(wanted(made["north/uploads/north"], listing, ()).entries) == {b"a", b"2020/sites"}


def test_active_themes_come_with_their_parents_and_no_others() -> None:
    one = replace(blog(), options={**blog().options, "stylesheet": "child", "template": "parent"})
    themes = {"child": "1", "parent": "2", "unused": "3"}
    made, _ = trees(config((("north", "north", 1),)), source("north", blogs=(one,), themes=themes))
    assert {key for key in made if "theme" in key} == {"north/theme/child", "north/theme/parent"}
    assert made["north/theme/child"].target == "/sites/staging/wp-content/themes/child"
    assert needed_themes([one]) == ("parent", "child")


def test_only_approved_code_is_carried_and_the_rest_is_told() -> None:
    active = 'a:2:{i:0;s:13:"shop/shop.php";i:1;s:9:"hello.php";}'
    one = replace(blog(), options={**blog().options, "active_plugins": active})
    facts = source(
        "north", blogs=(one,), mu_plugins=("brand.php", "spy.php"), drop_ins=("object-cache.php",),
        plugins={"shop/shop.php": "1", "acme/acme.php": "2", "hello.php": "1", "there/x.php": "1"},
    )  # fmt: skip
    settings = config((("north", "north", 1),), files={"plugins": ["acme"], "must_use": ["north/brand.php", "south/x"]})
    made, found = trees(settings, facts, plugins={"there/x.php": "2"})
    code = {key: tree for key, tree in made.items() if tree.kind in ("plugin", "must-use")}
    assert set(code) == {"north/plugin/acme", "north/must-use/brand.php"}
    assert code["north/must-use/brand.php"].only == b"brand.php"
    assert code["north/must-use/brand.php"].source == "/srv/www/wp-content/mu-plugins"
    assert {(one.place, one.level) for one in found if one.code == "file.plugin-unapproved"} == {
        ("north: plugins/shop", Level.WARN),
        ("north: plugins/hello.php", Level.WARN),
        ("north: mu-plugins/spy.php", Level.WARN),
    }
    assert [one.place for one in found if one.code == "file.drop-in"] == ["north: object-cache.php"]


def test_an_inactive_plugin_is_only_mentioned_and_a_slip_in_a_name_is_told() -> None:
    settings = config((("north", "north", 1),), files={"plugins": ["akme"], "themes": ["north/none"]})
    _, found = trees(settings, source("north", plugins={"acme/acme.php": "2"}))
    assert {(one.code, one.level) for one in found} == {
        ("file.plugin-unapproved", Level.INFO),
        ("file.approved-absent", Level.WARN),
    }
    assert len(found) == 3


def test_a_decision_carries_or_leaves_code_as_files_does() -> None:
    plugins = {"acme/acme.php": "1", "hello.php": "1", "x/x.php": "1"}
    sources = [source("north", plugins=plugins, mu_plugins=("brand.php", "old.php")), source("south")]
    targets = [target(name) for name in ("staging", "production")]
    choices = {"plugin:north:acme": "kept", "plugin:north:hello.php": "kept", "plugin:north:x": "dropped",
               "plugin:north:gone": "kept", "must-use:north:brand.php": "kept", "must-use:north:lib": "kept",
               "must-use:north:old.php": "replaced", "plugin:south:other": "kept"}  # fmt: skip
    placed = [Placed(key, choice, "Ada") for key, choice in choices.items()]
    drawn = plan.make(config(), sources, targets, placed)
    made, found = plan_trees(config().files, drawn, "staging", sources, targets[0])
    code = {tree.key: tree.only for tree in made if tree.kind in ("plugin", "must-use")}
    assert code == {"north/plugin/acme": b"", "north/plugin/hello.php": b"hello.php",
                    "north/must-use/brand.php": b"brand.php", "north/must-use/lib": b""}  # fmt: skip
    told = {(one.code, one.place): one.text for one in found if one.place.startswith("north")}
    assert told["file.plugin-unapproved", "north: plugins/x"] == "plugin x stays behind: dropped by Ada"
    assert "replaced by Ada" in told["file.plugin-unapproved", "north: mu-plugins/old.php"]
    assert ("file.approved-absent", "north: plugins/gone") in told


# -- what is carried -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "link", "carried"),
    [
        (b"a", b"b", b"b"),
        (b"2020/a", b"../b", b"../b"),
        (b"2020/a", b"../../b", None),
        (b"a", b"..", None),
        (b"a", b"../uploads/b", None),
        (b"a", b"/etc/passwd", None),
        (b"a", b"/srv/www/wp-content/uploads/b", b"b"),
        (b"x/y/a", b"/srv/www/wp-content/uploads/x/b", b"../b"),
        (b"a", b"/srv/www/wp-content/uploads/../../wp-config.php", None),
        (b"a", b"/srv/www/wp-content/uploads-old/b", None),
        (b"a", b"b/../../c", None),
        (b"\xff/a", b"\xe9", b"\xe9"),
    ],
)
def test_links_stay_within_the_folder(name: bytes, link: bytes, carried: bytes | None) -> None:
    assert carried_link("/srv/www/wp-content/uploads", name, link) == carried


def test_what_is_excluded_special_or_leads_outside_is_told_apart() -> None:
    listing = Listing(
        {
            b"cache": entry(FOLDER), b"cache/a": entry(), b"2020/cache/b": entry(), b"2020/debug.log": entry(),
            b"caches": entry(), b"sock": entry("s"), b"out": entry(LINK, link=b"/etc"),
            b"in": entry(LINK, link=b"caches"),
        }
    )  # fmt: skip
    found = wanted(UPLOADS, listing, ("cache", "*.log"))
    assert set(found.entries) == {b"2020/cache/b", b"caches", b"in"}
    assert (found.excluded, found.links_outside, found.special) == (2, (b"out",), (b"sock",))
    code = replace(UPLOADS, kind="theme")
    assert b"cache/a" in wanted(code, listing, ("cache",)).entries
    assert wanted(UPLOADS, None, ()).entries == {}


@pytest.mark.parametrize(
    ("links", "outside"),
    [
        # Each stays inside by itself; behind the first, .. leads above the folder.
        ({b"p/q/up": b"../..", b"leak.txt": b"p/q/up/../../wp-config.php"}, {b"leak.txt"}),
        ({b"p/q/up": b"../..", b"p/leak": b"q/up/x", b"leak": b"p/leak"}, set()),
        ({b"out": b"/etc", b"leak": b"out/passwd"}, {b"out", b"leak"}),
        ({b"deep": b"a/b/c", b"in": b"deep/../d"}, set()),
        ({b"a": b"b", b"b": b"a"}, {b"a", b"b"}),
        ({b"x": b"x/../y"}, {b"x"}),
        ({b"abs": b"/srv/www/wp-content/uploads/p", b"leak": b"abs/../../etc"}, {b"leak"}),
    ],
)
def test_links_do_not_lead_out_together(links: dict[bytes, bytes], outside: set[bytes]) -> None:
    listing = Listing({name: entry(LINK, link=to) for name, to in links.items()})
    found = wanted(UPLOADS, listing, ())
    assert (set(found.links_outside), set(found.entries)) == (outside, set(links) - outside)


def test_stale_is_what_differs_by_size_second_kind_or_link() -> None:
    have = {b"same": entry(mtime="5.123"), b"size": entry(size=2), b"time": entry(mtime="6"), b"kind": entry(FOLDER),
            b"link": entry(LINK, link=b"x"), b"folder": entry(FOLDER, mtime="1")}  # fmt: skip
    want = {b"same": entry(mtime="5.9"), b"size": entry(), b"time": entry(), b"kind": entry(), b"new": entry(),
            b"link": entry(LINK, link=b"y"), b"folder": entry(FOLDER, mtime="2")}  # fmt: skip
    assert set(stale(want, have)) == {b"size", b"time", b"kind", b"new", b"link"}


# -- comparing -------------------------------------------------------------------------------------------------------


@given(CONTENTS, CONTENTS)
def test_the_difference_of_any_two_trees_is_exact(should: dict[bytes, str], have: dict[bytes, str]) -> None:
    found = difference(should, have)
    assert not set(found.missing) & set(found.extra)
    mended = {name: one for name, one in have.items() if name not in found.extra}
    mended |= {name: should[name] for name in (*found.missing, *found.different)}
    assert mended == should
    for name in (*found.missing, *found.extra, *found.different):
        assert should.get(name) != have.get(name)
    assert len(set(found.missing) | set(found.extra) | set(found.different)) == sum(
        should.get(name) != have.get(name) for name in {*should, *have}
    )


def test_contents_know_files_links_and_folders() -> None:
    entries = {b"a": entry(), b"lost": entry(), b"l": entry(LINK, link=b"a\xff"), b"d": entry(FOLDER)}
    assert contents("/r", entries, {b"/r/a": "12"}) == {b"a": "f:12", b"lost": "f:?", b"l": "l:a\udcff", b"d": "d"}


def test_what_the_target_made_itself_is_declared() -> None:
    have = {
        b"2026": entry(FOLDER), b"index.php": entry(size=28), b"2026/index.html": entry(size=0), b"photo.jpg": entry(),
        b"wc-logs/fatal.log": entry(size=9), b"big/index.php": entry(size=900),
        b"woocommerce_uploads/.htaccess": entry(),
    }  # fmt: skip
    assert of_the_target(UPLOADS, list(have), have) == set(have) - {b"photo.jpg", b"big/index.php"}
    assert of_the_target(replace(UPLOADS, kind="theme"), list(have), have) == {b"2026"}


@given(st.integers(min_value=0, max_value=0o7777))
def test_no_carried_mode_is_open(mode: int) -> None:
    sane = sane_mode(mode)
    assert not sane & 0o7002
    assert sane & 0o600 == 0o600
    assert sane_mode(sane) == sane


def test_names_for_people_are_visible() -> None:
    assert shown("größe.png".encode()) == "größe.png"
    assert shown(b"a\nb\xff\x1b[31m") == "a\\nb\\xff\\x1b[31m"


# -- what the database names -----------------------------------------------------------------------------------------


def test_attached_files_are_the_original_and_its_sizes() -> None:
    meta = (
        b'a:3:{s:4:"file";s:13:"2025/02/p.jpg";s:5:"sizes";a:1:{s:9:"thumbnail";a:1:{s:4:"file";s:9:"p-150.jpg";}}'
        b's:14:"original_image";s:7:"big.jpg";}'
    )
    assert list(attached_files("_wp_attachment_metadata", meta)) == [
        b"2025/02/p.jpg",
        b"2025/02/big.jpg",
        b"2025/02/p-150.jpg",
    ]
    assert list(attached_files("_wp_attached_file", b"2025/02/p.jpg")) == [b"2025/02/p.jpg"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_wp_attached_file", b""),
        ("_wp_attached_file", b"https://cdn.example/p.jpg"),
        ("_wp_attached_file", b"../../wp-config.php"),
        ("_wp_attached_file", b"/srv/www/p.jpg"),
        ("_wp_attachment_metadata", b"a:1:{broken"),
        ("_wp_attachment_metadata", b'a:1:{s:4:"file";i:3;}'),
        ("_wp_attachment_metadata", b"b:0;"),
    ],
)
def test_values_that_name_no_file_below_uploads(key: str, value: bytes) -> None:
    assert list(attached_files(key, value)) == []


def test_what_was_missing_before_is_told_apart() -> None:
    one = Attachments.of([b"a", b"b", b"c", b"c"], {b"a": "f:1", b"b": "f:2"}, {b"a": entry()})
    assert (one.named, one.missing, one.missing_at_source) == (3, 1, 1)
    lost, before = one.findings(UPLOADS)
    assert (lost.level, before.level) == (Level.FAIL, Level.WARN)
    assert "b" in lost.text
    assert "missing at the source already: c" in before.text
    assert lost.place != before.place


def test_code_and_silence() -> None:
    assert is_code(b"2020/x.PHP")
    assert is_code(b"a.phar")
    assert not is_code(b"a.php.png")
    assert is_silence(b"a/index.php", entry(size=28))
    assert not is_silence(b"a/index.php", entry(size=300))
    assert active_plugins(replace(blog(), options={"active_plugins": "a:1:{broken"})) == set()
