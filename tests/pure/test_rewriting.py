from __future__ import annotations

import json
import pickle
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.core.errors import ConfigError
from crossdock.wordpress.residue import Residue
from crossdock.wordpress.rewriting import PathRule, Rewriter, UrlRule

CASES = sorted((Path(__file__).parent.parent / "cases" / "rewriting").iterdir())
TARGET = "www.south-shop.example"
RULES = (
    UrlRule("south.example", "", "https", TARGET, "/se"),
    UrlRule("south.example", "/wp-content/uploads", "https", TARGET, "/se/wp-content/uploads/sites/3"),
    PathRule("/var/www/html", "/sites/lumen", "server"),
    PathRule("/wp-content/uploads", "/wp-content/uploads/sites/3", "relative"),
)
REWRITER = Rewriter(RULES)


def php(value: Any) -> bytes:
    """PHP's serialize(); a tuple (name, dict) is an object."""
    match value:
        case None:
            return b"N;"
        case bool():
            return b"b:%d;" % value
        case int():
            return b"i:%d;" % value
        case float():
            return b"d:%s;" % repr(value).encode()
        case str():
            return php(value.encode())
        case bytes():
            return b's:%d:"%s";' % (len(value), value)
        case (str() as name, dict() as properties):
            body = b"".join(php(key) + php(item) for key, item in properties.items())
            return b'O:%d:"%s":%d:{%s}' % (len(name), name.encode(), len(properties), body)
        case dict():
            body = b"".join(php(key) + php(item) for key, item in value.items())
            return b"a:%d:{%s}" % (len(value), body)
    raise TypeError(value)


def rewritten(value: bytes, *rules: UrlRule | PathRule) -> bytes:
    return Rewriter(rules or RULES).rewrite(value).value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path) -> None:
    before, expected = (case / "input").read_bytes(), (case / "expected").read_bytes()
    result = REWRITER.rewrite(before)
    assert result.value == expected
    assert result.changes > 0
    assert result.broken == case.name.startswith("broken")
    assert REWRITER.hits([b"none", before, None]) == [1]


@pytest.mark.parametrize(
    "text",
    [
        "shop@south.example",
        "south.example",
        "http://south.example.org/",
        "http://south.example.org./",
        "http://south.examples",
        "http://south.example-x.org",
        "http://notsouth.example http://a-south.example http://www.south.example",
        "http://south.example:8080/ http://south.example:8443 http%3A%2F%2Fsouth.example%3A8080",
        "http://me@south.example http://me:pw@south.example //me@south.example",
        "http://south.example@evil.example http://south.example:pw@evil.example http%3A%2F%2Fsouth.example%40evil",
        r"ftp://south.example ftp:\/\/south.example ftp%3A%2F%2Fsouth.example wss://south.example",
        "http:/south.example http:south.example / south.example",
        "aHR0cDovL3NvdXRoLmV4YW1wbGU=",
    ],
)
def test_what_is_not_the_address_stays(text: str) -> None:
    for value in (text.encode(), php(text), json.dumps(text).encode()):
        assert REWRITER.rewrite(value) == (value, 0, False)


ENDS = [*"\"'<> .,)]}\\;!*|\n\0”。:", "", "/", "/x", "?a", "#a", ". A", r"\n", "&amp;", ": a", "-->", "..."]
BEFORE = ["", " ", '"', "(", "=", r"\n", "x", "%20", "url=", r"\u0022", "&quot;", "view-source:"]


@pytest.mark.parametrize("after", ENDS)
def test_where_a_host_ends(after: str) -> None:
    assert rewritten(f"http://south.example{after}".encode()) == f"https://{TARGET}/se{after}".encode()


@pytest.mark.parametrize("before", BEFORE)
def test_what_may_stand_before_an_address(before: str) -> None:
    assert rewritten(f"{before}HtTp://South.Example/".encode()) == f"{before}https://{TARGET}/se/".encode()
    if not before.endswith(":"):
        assert rewritten(f"{before}//south.example/".encode()) == f"{before}//{TARGET}/se/".encode()


def test_the_scheme_stays_when_the_rule_names_none() -> None:
    rule = UrlRule("a.example", "", "", "b.example:8080")
    assert rewritten(b"HTTP://a.example https://a.example:443/ //a.example", rule) == (
        b"HTTP://b.example:8080 https://b.example:8080/ //b.example:8080"
    )
    assert rewritten(b"http%3A%2F%2Fa.example%2Fx http%3a%2f%2fa.example", rule) == (
        b"http%3A%2F%2Fb.example%3A8080%2Fx http%3a%2f%2fb.example%3a8080"
    )
    assert rewritten(b"http://a.example/x", UrlRule("a.example", "", "https")) == b"https://a.example/x"


def test_a_source_with_a_port() -> None:
    rules = (UrlRule("a.example:8080", "", "https", "b.example"), UrlRule("a.example", "", "https", "c.example"))
    assert rewritten(b"http://a.example:8080/ http://a.example/ http://a.example:80 http://a.example:8081", *rules) == (
        b"https://b.example/ https://c.example/ https://c.example http://a.example:8081"
    )
    assert rewritten(b"http://a.example/", UrlRule("a.example:443", "", "", "b.example")) == b"http://b.example/"


def test_the_longest_source_wins_whatever_the_order() -> None:
    rules = [
        UrlRule("a.example", "", "https", "root.example"),
        UrlRule("a.example", "/shop", "https", "shop.example"),
        UrlRule("a.example", "/shop/de", "https", "de.example"),
        UrlRule("www.a.example", "", "https", "www.example"),
    ]
    text = b"http://a.example/shop/de/x http://a.example/shop/den http://a.example/shops //www.a.example"
    expected = b"https://de.example/x https://shop.example/den https://root.example/shops //www.example"
    for _ in range(5):
        random.Random(1).shuffle(rules)
        assert rewritten(text, *rules) == expected
        assert rewritten(text.replace(b"/", rb"\/"), *rules) == expected.replace(b"/", rb"\/")


@pytest.mark.parametrize("more", ["s", "-old", ".html", "%20x", "_x", "~x", "é", "+x", "@2x", r"\u00e9"])
def test_a_longer_segment_is_another_path(more: str) -> None:
    rule = UrlRule("a.example", "/shop", "https", "b.example")
    value = f"http://a.example/shop{more}".encode()
    assert rewritten(value, rule) == value
    assert rewritten(f"/var/www/html{more}".encode()) == f"/var/www/html{more}".encode()


@pytest.mark.parametrize("more", ["", "/x", ".", ". A", "?x", "#x", '"', r"\"", "’", r"\u201d", ",", "-->", "&quot;"])
def test_where_a_segment_ends(more: str) -> None:
    assert rewritten(f"http://a.example/shop{more}".encode(), UrlRule("a.example", "/shop", "", "b.example")) == (
        f"http://b.example{more}".encode()
    )


def test_nothing_is_rewritten_twice() -> None:
    swapped = (
        UrlRule("a.example", "", "", "b.example"),
        UrlRule("b.example", "", "", "a.example", "/wp-content/uploads"),
    )
    text = b"http://a.example/wp-content/uploads http://b.example"
    assert rewritten(text, *swapped) == b"http://b.example/wp-content/uploads http://a.example/wp-content/uploads"
    grown = PathRule("/var/www", "/var/www/var/www", "server")
    assert rewritten(b"/var/www/x", grown) == b"/var/www/var/www/x"


def test_broken_values_are_named() -> None:
    good = php({"u": "http://south.example"})
    for broken in (good[:-1], good.replace(b"s:20", b"s:21"), good.replace(b"a:1", b"a:2"), b"a:" + good, good + b"x"):
        assert REWRITER.rewrite(broken).broken
        assert not Residue(["south.example"]).count(rewritten(broken))
    assert not REWRITER.rewrite(good).broken
    assert not REWRITER.rewrite(b"a:1:{broken, but without an address").broken
    assert REWRITER.rewrite(php({"deep": good[:-1]})).broken
    # unserialize() ignores what follows a value, so its lengths have to be right even then.
    assert rewritten(good + b";").startswith(b'a:1:{s:1:"u";s:33:"')


def test_property_and_class_names_stay() -> None:
    value = b'O:23:"a//south.example/\\Class":1:{s:15:"//south.example";s:15:"//south.example";}'
    assert rewritten(value) == value[:-24] + b's:27:"//' + TARGET.encode() + b'/se";}'


def test_json_keeps_every_escape() -> None:
    inner = php({"größe": "http://south.example/é"})
    for slashes in (False, True):
        for ascii_only in (False, True):
            for depth in range(4):
                before, after = inner.decode(), rewritten(inner).decode()
                for _ in range(depth):
                    before, after = (
                        json.dumps({"d": text, "é": [1.0]}, ensure_ascii=ascii_only) for text in (before, after)
                    )
                    if slashes:
                        before, after = before.replace("/", "\\/"), after.replace("/", "\\/")
                assert rewritten(before.encode()) == after.encode()


def test_serialized_data_in_json_in_a_page() -> None:
    page = b'<p class="x">"quoted</p><script>var a = {"d":"%s"}, b = "\\"";</script>'
    before, after = (
        json.dumps(value.decode())[1:-1].encode()
        for value in (php("//south.example"), rewritten(php("//south.example")))
    )
    assert rewritten(page % before) == page % after


TEXTS = st.sampled_from(
    ["", "x", 'q"\\', "http://south.example", "see //SOUTH.example/é.", "a:1:{", "/var/www/html/a", "s@south.example"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
KEYS = st.sampled_from(["k", "http://south.example/k"])
PROPERTIES = st.sampled_from(["a", "\0*\0b", "//south.example"])


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.dictionaries(st.integers(0, 9) | KEYS, inner, max_size=4)
        | st.tuples(st.just("My\\Class"), st.dictionaries(PROPERTIES, inner, max_size=3))
        | inner.map(lambda value: ("serialized", value))
        | st.dictionaries(KEYS, TEXTS, max_size=3).map(lambda value: ("json", value))
    )


VALUES = st.recursive(SCALARS, nested, max_leaves=12)


def built(value: Any, replace: bool) -> Any:
    """The value with its texts replaced (or not) and its nested encodings made."""
    match value:
        case str() if replace:
            return (
                value.replace("http://south.example", f"https://{TARGET}/se")
                .replace("//SOUTH.example", f"//{TARGET}/se")
                .replace("/var/www/html", "/sites/lumen")
            )
        case ("serialized", inner):
            return php(built(inner, replace))
        case ("json", inner):
            return json.dumps({built(key, replace): built(item, replace) for key, item in inner.items()}).encode()
        case (str() as name, dict() as properties):
            return (name, {key: built(item, replace) for key, item in properties.items()})
        case dict():
            return {built(key, replace): built(item, replace) for key, item in value.items()}
    return value


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_any_structure_keeps_its_shape(value: Any) -> None:
    before, expected = php(built(value, False)), php(built(value, True))
    result = REWRITER.rewrite(before)
    assert result.value == expected
    assert (result.changes > 0) == (before != expected)
    assert not result.changes or REWRITER.hits([before]) == [0]
    assert REWRITER.rewrite(expected) == (expected, 0, result.broken and REWRITER.rewrite(expected).broken)


PARTS = [b'"', b"\\", b":", b"{", b"}", b";", b"s:21:", b"a:1:{", b"i:0;", b"//south.example", b"http:", b"%2F%2F"]
PARTS += [
    b"u0022",
    b'C:1:"X":30:{',
    b'S:9:"',
    rb"\/\/",
    b"/var/www/html",
    b"\0",
    b"\xff",
    b":80",
    b"/wp-content/uploads",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=40))
def test_hostile_values_are_answered(parts: list[bytes]) -> None:
    value = b"".join(parts)
    result = REWRITER.rewrite(value)
    assert result.changes or result.value == value
    assert not result.changes or REWRITER.hits([value]) == [0]
    Residue(["south.example"], ["/var/www/html"]).count(value)


def test_a_mebibyte_of_anything_takes_no_long_time() -> None:
    url, size = b"http://south.example ", 1 << 20
    serialized = b"http://south.example"
    for _ in range(1_000):
        serialized = php(serialized)
    hostile = {
        "serialized in serialized": serialized,
        "nested arrays": b"a:1:{i:0;" * 50_000 + php(url) + b"}" * 50_000,
        "unfinished arrays": url + b"a:1:{i:0;" * 100_000,
        "unfinished payload": b'C:1:"X":%d:{%s}' % (900_000 + len(url), url + b"a:1:{i:0;" * 100_000),
        "backslashes": url + b':\\"' + b"\\" * size,
        "quotes": url + b':\\"' + b'"s:1:\\"' * (size // 8),
        "deeper quotes": url + b':\\"' + b'\\"s:1:\\\\\\"' * (size // 10),
        "hexed quotes": url + b':\\"' + b'\\u0022"' * (size // 7),
        "huge length": b's:9999999999999999999:"' + url * 50_000,
        "hosts": b"//south.example" * (size // 15),
        "userinfo": b"//south.example:aaaa" * (size // 20),
        "dashes": b"//south.example" + b"-" * size + url,
        "spaces": b" " * size + url,
        "json": json.dumps([php(url).decode()] * 20_000).encode(),
        "paths": b"/var/www/html" * (size // 13),
        "many lengths": php(dict.fromkeys(range(30_000), url)),
        "many values of their own": php(dict.fromkeys(range(60_000), php(php(url)))),
        "many names": php(dict.fromkeys(range(30_000), ("X", {"//south.example": 1}))),
    }
    for name, value in hostile.items():
        started = time.process_time()
        REWRITER.rewrite(value)
        REWRITER.hits([value])
        assert time.process_time() - started < 5, name
    assert rewritten(serialized).count(b'"') == 2_000


def test_hits_are_right_across_many_values() -> None:
    values: list[bytes | None] = [
        b"",
        None,
        b"http://south.exam",
        b"ple/",
        b"x//SOUTH.Example",
        b"%2Fvar%2fwww%2fhtml",
        b"a",
    ]
    assert REWRITER.hits(values) == [4, 5]
    assert REWRITER.hits([]) == []
    assert Rewriter([]).hits(values) == []
    assert all(needle == needle.lower() for needle in REWRITER.needles)


def test_a_rewriter_can_be_sent_to_a_worker() -> None:
    sent = pickle.loads(pickle.dumps(REWRITER))
    assert sent.rewrite(b"//south.example").value == f"//{TARGET}/se".encode()


@pytest.mark.parametrize(
    "rule",
    [
        UrlRule(""),
        UrlRule("http://a.example"),
        UrlRule("a.example", "shop"),
        UrlRule("a.example", "/shop/"),
        PathRule("", "/x", "server"),
        PathRule("/", "/x", "server"),
        PathRule("/a", "/x", "both"),
        PathRule("/a", '/x"', "server"),
        UrlRule("a.example", "", "https", "b.example", "/x<y"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: UrlRule | PathRule) -> None:
    with pytest.raises(ConfigError):
        Rewriter([rule])


PIECES = st.lists(
    st.sampled_from([*PARTS, b"http:", b"//south.example", b"/wp-content/uploads", b"user@", b":80", b"/var/www/html"]),
    max_size=6,
).map(b"".join)


@given(st.lists(PIECES | VALUES.map(lambda value: php(built(value, False))), max_size=12))
@settings(max_examples=300)
def test_what_a_rewriter_remembers_changes_no_answer(values: list[bytes]) -> None:
    used = Rewriter(RULES)
    fresh = [Rewriter(RULES).rewrite(value) for value in values]
    assert [used.rewrite(value) for value in values] == fresh
    assert [used.rewrite(value) for value in values] == fresh


def test_what_stood_at_a_value_s_start_or_end_is_not_taken_for_the_middle() -> None:
    used = Rewriter(RULES)
    for value in (b"//south.example/a", b"x://south.example/a", b"http://south.example", b"http://south.example.au/"):
        assert used.rewrite(value) == Rewriter(RULES).rewrite(value), value
