"""What is read out of a page's head."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.move.heads import differing, read_head

URL = "https://shop.example/tents/"
PAGE = """<!doctype html><html><head>
<title>Tents &#8211;
 Lumen</title><title>second</title>
<meta name="description" content="Light &amp; dry">
<meta NAME='robots' content='max-image-preview:large'><meta name=robots content="NOINDEX, follow">
<link rel="canonical" href="/tents/" />
<link rel="alternate" hreflang="FR" href="https://fr.shop.example/tentes/">
<link rel="alternate" type="application/rss+xml" href="/feed/">
<meta property="og:title" content="Tents"><meta name="twitter:card" content="summary">
<script type="application/ld+json">{"@type": "Product", "offers": [{"price": "9.00"}]}</script>
<script type="application/ld+json">{ broken </script>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-ABC123XYZ"></script>
<script>gtag('config', 'UA-12345-6'); fbq('init', '987654321'); _paq.push(['setSiteId', '7']); "</title>";</script>
<style>@import "http://cdn.example/a.css"; p { background: url(http://cdn.example/b.png) }</style>
<link rel="stylesheet" href="http://cdn.example/c.css">
</head><body><svg><title>icon</title></svg>
<a href="http://elsewhere.example/">a link is not fetched</a>
<img src="https://ok.example/x.png" srcset="https://ok.example/y.png 1x, http://cdn.example/d.png 2x">
<script src="//cdn.example/e.js"></script>
"""


def test_the_tags_of_a_page() -> None:
    head = read_head(URL, PAGE)
    assert (head.title, head.description) == ("Tents – Lumen", "Light & dry")
    assert head.robots == "follow, max-image-preview:large, noindex"
    assert head.canonical == URL
    assert head.hreflang == [("fr", "https://fr.shop.example/tentes/")]
    assert head.social == [("og:title", "Tents"), ("twitter:card", "summary")]
    assert head.data == [{"@type": "Product", "offers": [{"price": "9.00"}]}, "{ broken"]
    assert head.analytics == ["7", "987654321", "G-ABC123XYZ", "UA-12345-6"]
    assert [url.rpartition("/")[2] for url in head.insecure] == ["a.css", "b.png", "c.css", "d.png"]


@pytest.mark.parametrize(
    "text", ["", "<title>cut", "<script type='application/ld+json'>{\"a\":", "<" * 5000, "\0\udcff<p"]
)
def test_broken_pages_are_read_as_far_as_they_go(text: str) -> None:
    assert read_head(URL, text).canonical == ""


def test_structured_data_too_deep_to_parse_stays_text() -> None:
    text = "[" * 100_000
    head = read_head(URL, f'<script type="application/ld+json">{text}</script>')
    assert head.data == [text]


@given(st.text())
def test_no_text_stops_it(text: str) -> None:
    read_head(URL, text)
    read_head(URL, f"<head>{text}<meta name=robots content='{text}'><script>{text}</script>")


@pytest.mark.parametrize(
    ("one", "other", "places"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, []),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["a[1].b"]),
        ({"a": 1}, {"a": 1, "c": 2}, ["c"]),
        ([1], [1, 2], [""]),
        ([{"a": 1}], [{"a": None}], ["[0].a"]),
    ],
)
def test_structured_data_are_compared_as_data(one: Any, other: Any, places: list[str]) -> None:
    assert differing(one, other) == places


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
)


@given(_JSON, _JSON)
def test_equal_data_and_only_those_differ_nowhere(one: Any, other: Any) -> None:
    assert differing(one, one) == []
    assert bool(differing(one, other)) == (one != other)
