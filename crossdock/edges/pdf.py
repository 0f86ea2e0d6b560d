"""HTML as a PDF, by WeasyPrint. Nothing is fetched: whatever a page needs stands in it."""

from __future__ import annotations

from weasyprint import HTML  # type: ignore[import-untyped]
from weasyprint.urls import URLFetcher  # type: ignore[import-untyped]


def render_pdf(html: str) -> tuple[bytes, int]:
    """The document, tagged and with bookmarks of its headings, and its number of pages."""
    document = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=("data",))).render()
    made: bytes = document.write_pdf(pdf_tags=True)
    return made, len(document.pages)
