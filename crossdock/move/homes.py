"""Each store's home page by its mapped domain: it answers 200 and shows the store's own content."""

from __future__ import annotations

import html
from collections.abc import Sequence

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Web
from crossdock.wordpress.sitemap import StoreMap


def check_home(web: Web, store: StoreMap, marks: Sequence[str]) -> list[Finding]:
    """`marks`: texts of which the page must show the first (the store's name) and, if there are more, one of the others
    (titles of its newest posts)."""
    place = f"{store.store}: {store.target_url}/"
    try:
        status, body, headers = web.get(store.target_url + "/")
    except CrossdockError as error:
        return [Finding("home.unreachable", Level.FAIL, place, error.what, error.way_out)]
    if status != 200:
        to = f" to {headers['location']}" if "location" in headers else ""
        return [Finding("home.status", Level.FAIL, place, f"answers {status}{to}, not 200")]
    shown = html.unescape(body)
    found: list[Finding] = []
    if marks and marks[0] and marks[0] not in shown:
        found.append(Finding("home.foreign", Level.FAIL, place, "does not show the store's own name"))
    if len(marks) > 1 and not any(mark in shown for mark in marks[1:]):
        found.append(Finding("home.content", Level.FAIL, place, "shows none of the store's newest posts"))
    return found
