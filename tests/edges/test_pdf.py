"""What a PDF tells programs of itself: those that read it aloud, and those that list its headings."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress

from crossdock.edges.pdf import render_pdf


def objects(pdf: bytes) -> bytes:
    """The file with its compressed streams unpacked."""
    made = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, flags=re.DOTALL):
        with suppress(zlib.error):
            made.append(zlib.decompress(stream))
    return b"\n".join(made)


def test_a_pdf_is_tagged_and_tells_its_language_title_and_headings() -> None:
    html = '<html lang="el"><title>Move</title><h1>One</h1><p>text<h2 style="break-before: page">Two</h2></html>'
    pdf, pages = render_pdf(html)
    told = objects(pdf)
    assert pages == 2
    for mark in (b"/StructTreeRoot", b"/MarkInfo", b"/Outlines", b"/H1", b"/H2"):
        assert mark in told, mark
    assert re.search(rb"/Lang ?\(el\)", told)
    assert re.search(rb"/Title ?\(Move\)", told)


def test_nothing_is_fetched_for_a_pdf() -> None:
    pdf, pages = render_pdf("<p>text</p><img src='file:///etc/hostname'><img src='http://tracker.example/x.png'>")
    assert pages == 1
    assert b"/Image" not in objects(pdf)
