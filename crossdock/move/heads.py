"""What a page tells search engines, networks and analytics: its head's tags, read out of any HTML. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

_ANALYTICS = (
    re.compile(r"\b(G-[A-Z0-9]{6,12}|UA-\d{4,10}-\d{1,4}|AW-\d{8,12}|GTM-[A-Z0-9]{4,9}|DC-\d{6,10})\b"),
    re.compile(r"fbq\(\s*['\"]init['\"]\s*,\s*['\"](\d{5,20})['\"]"),
    re.compile(r"['\"]setSiteId['\"]\s*,\s*['\"]?(\d+)"),
    re.compile(r"\bhjid\s*:\s*(\d+)"),
)
# What a page fetches by itself: (tag, attribute). A link that a person may follow is none.
_FETCHED = frozenset(
    {
        ("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("audio", "src"),
        ("video", "poster"), ("embed", "src"), ("object", "data"), ("track", "src"), ("input", "src"),
        ("form", "action"), ("img", "srcset"), ("source", "srcset"),
    }
)  # fmt: skip
_FETCHING_LINKS = frozenset({"stylesheet", "icon", "preload", "modulepreload", "prefetch", "manifest"})
_SOCIAL = ("og:", "twitter:", "product:", "article:", "fb:")
_CSS_ADDRESS = re.compile(r"url\(\s*['\"]?(http://[^'\")\s]+)|@import\s+['\"](http://[^'\"]+)", re.IGNORECASE)


@dataclass
class Head:
    """One page's tags. `social` and `hreflang` hold (name, value); `data` is structured data as parsed, what can't be
    parsed as its text; `analytics` are IDs of accounts; `insecure` what an https page would fetch by http."""

    title: str = ""
    description: str = ""
    canonical: str = ""
    robots: str = ""
    hreflang: list[tuple[str, str]] = field(default_factory=list)
    social: list[tuple[str, str]] = field(default_factory=list)
    data: list[Any] = field(default_factory=list)
    analytics: list[str] = field(default_factory=list)
    insecure: list[str] = field(default_factory=list)


def read_head(url: str, text: str) -> Head:
    """The tags of a page; addresses made absolute by its `url`. Any text will do: what is not there is empty."""
    reader = _Reader(url)
    reader.feed(text)
    reader.close()
    head = reader.head
    head.title = _plain(head.title)
    head.robots = ", ".join(sorted({one.strip().lower() for one in head.robots.split(",") if one.strip()}))
    head.hreflang.sort()
    head.social.sort()
    head.analytics = sorted({found for text in reader.scripts for found in _ids(text)})
    head.insecure = sorted(set(head.insecure))
    return head


def _plain(text: str) -> str:
    return " ".join(text.split())


def _ids(script: str) -> Iterable[str]:
    return (found[1] for pattern in _ANALYTICS for found in pattern.finditer(script))


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url = url
        self.head = Head()
        self.scripts: list[str] = []
        self._text: list[str] | None = None
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in reversed(attrs)}
        if tag == "title" and not self.head.title and self._text is None:
            self._begin("title")
        elif tag == "script":
            self.scripts.append(known.get("src", ""))
            self._begin("data" if known.get("type", "").strip().lower() == "application/ld+json" else "script")
        elif tag == "style":
            self._begin("style")
        elif tag == "meta":
            self._meta(known)
        elif tag == "link":
            self._link(known)
        self._resources(tag, known)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._text is None or tag not in ("title", "script", "style"):
            return
        text, self._text = "".join(self._text), None
        if self._within == "title":
            self.head.title = text
        elif self._within == "data":
            self.head.data.append(_parsed(text))
        elif self._within == "script":
            self.scripts.append(text)
        else:
            self._css(text)

    def _begin(self, within: str) -> None:
        self._text, self._within = [], within

    def _meta(self, known: dict[str, str]) -> None:
        name = (known.get("property") or known.get("name") or "").strip().lower()
        content = known.get("content", "")
        if name == "description":
            self.head.description = self.head.description or _plain(content)
        elif name == "robots":
            # Several of them add up.
            self.head.robots += "," + content
        elif name.startswith(_SOCIAL):
            self.head.social.append((name, _plain(content)))

    def _link(self, known: dict[str, str]) -> None:
        kinds = known.get("rel", "").lower().split()
        address = urljoin(self.url, known.get("href", "").strip())
        if "canonical" in kinds and not self.head.canonical:
            self.head.canonical = address
        elif "alternate" in kinds and known.get("hreflang"):
            self.head.hreflang.append((known["hreflang"].strip().lower(), address))
        if _FETCHING_LINKS.intersection(kinds):
            self._fetched(known.get("href", ""))

    def _resources(self, tag: str, known: dict[str, str]) -> None:
        for name, value in known.items():
            if name == "style":
                self._css(value)
            elif (tag, name) in _FETCHED:
                for one in value.split(",") if name == "srcset" else [value]:
                    self._fetched(one)

    def _fetched(self, address: str) -> None:
        first = address.split()
        if first and first[0].lower().startswith("http://"):
            self.head.insecure.append(first[0])

    def _css(self, text: str) -> None:
        self.head.insecure += [found[1] or found[2] for found in _CSS_ADDRESS.finditer(text)]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def differing(expected: Any, found: Any, place: str = "") -> list[str]:
    """Names of the places in which two pieces of structured data differ; '' is the whole."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            where
            for key in sorted({*expected, *found})
            for spot in (f"{place}.{key}" if place else str(key),)
            for where in (differing(expected[key], found[key], spot) if key in expected and key in found else [spot])
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            where
            for at, (one, other) in enumerate(zip(expected, found, strict=True))
            for where in differing(one, other, f"{place}[{at}]")
        ]
    return [] if expected == found else [place]
