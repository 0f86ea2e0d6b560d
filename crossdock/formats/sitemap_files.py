"""Sitemaps, sitemap indexes and robots.txt: the addresses that a store tells search engines.

Many sitemaps are not well formed, and only their <loc> counts: it is read as text, so no entity is ever expanded.
"""

from __future__ import annotations

import gzip
import html
import re
import zlib
from typing import NamedTuple

_LOC = re.compile(
    r"<(?:\w+:)?loc\s*>\s*(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?\s*</(?:\w+:)?loc\s*>", re.IGNORECASE | re.DOTALL
)
_INDEX = re.compile(r"<(?:\w+:)?sitemapindex\b", re.IGNORECASE)
_ROBOTS = re.compile(r"^\s*sitemap\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
# The protocol's own limit for one file, uncompressed.
MOST_BYTES = 50 << 20


class Sitemap(NamedTuple):
    """`files` are other sitemaps, `pages` addresses, both as written."""

    files: tuple[str, ...]
    pages: tuple[str, ...]


def parse_sitemap(body: bytes) -> Sitemap:
    """Errors: ValueError for what is no sitemap, or is larger than sitemaps may be."""
    if body[:2] == b"\x1f\x8b":
        body = _unpacked(body)
    text = body.decode("utf-8-sig", "replace")
    found = tuple(html.unescape(one.strip()) for one in _LOC.findall(text) if one.strip())
    if _INDEX.search(text):
        return Sitemap(found, ())
    if not found and "<urlset" not in text:
        raise ValueError("is no sitemap")
    return Sitemap((), found)


def _unpacked(body: bytes) -> bytes:
    engine = zlib.decompressobj(wbits=31)
    try:
        made = engine.decompress(body, MOST_BYTES)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"is no whole gzip file: {error}") from error
    if engine.unconsumed_tail:
        raise ValueError(f"unpacks to more than {MOST_BYTES >> 20} MB")
    return made


def parse_robots(text: str) -> tuple[str, ...]:
    """The sitemaps that a robots.txt names."""
    return tuple(dict.fromkeys(_ROBOTS.findall(text)))
