"""Checks that leave something at the target for a moment: a file in each store's uploads, and an account that signs in.

probe.php says how the account is made so that no row, counter or plugin notices. All of it is taken out at the end, and
what a killed validation left goes with the next one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import CookieError, Morsel, SimpleCookie
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Reply
from crossdock.core.secrets import Masked
from crossdock.move.asking import Side, ask_wordpress
from crossdock.move.order import Order
from crossdock.move.site_facts import SiteFacts, StorePlace

_TEST_COOKIE = {"wordpress_test_cookie": "WP%20Cookie%20check"}


@dataclass(frozen=True)
class Account:
    """The account that signs in. `why_not`: why there is none. `turn`: WordPress keeps all sessions of an account in
    one value that it reads and writes back, so that of two sign-ins at once the second would undo the first."""

    login: str = ""
    password: Masked = field(default_factory=lambda: Masked(""), repr=False)
    why_not: str = ""
    turn: Lock = field(default_factory=Lock, repr=False, compare=False)


@contextmanager
def probing(facts: SiteFacts, left: list[Finding]) -> Iterator[Account]:
    """The account, while the block runs. What could not be taken out again is added to `left`."""
    order = facts.order
    side = Side(
        order.target.shell,
        order.target.installation.root,
        f"{order.target.scheme}://{order.plan.network(order.environment).domain}",
    )
    request = _request(order, [one.store.target_blog for one in facts.stores], facts.stores)
    try:
        yield _begin(order, side, request)
    finally:
        try:
            still = ask_wordpress(side, "probe.php", request | {"act": "end"})["left"]
            problem = "the account is still there" if still else ""
        except CrossdockError as error:
            problem = error.what
        if problem:
            way_out = "validate again: it removes what an earlier one left (crossdock-probe-*)"
            left.append(Finding("probe.left", Level.FAIL, f"environment {order.environment}", problem, way_out))


def _request(order: Order, blogs: Sequence[int], stores: Sequence[StorePlace]) -> dict[str, Any]:
    # The last number below the first server's range: nobody is ever given it, see probe.php.
    folders = {one.there.uploads for one in stores if one.there is not None}
    folders |= {order.target.installation.root + one.store.target_uploads for one in stores}
    return {"writes": True, "user": order.plan.headroom - 1, "blogs": list(blogs), "folders": sorted(folders)}


def _begin(order: Order, side: Side, request: Mapping[str, Any]) -> Account:
    if order.target_facts.largest_user >= order.plan.headroom - 1:
        return Account(why_not="the host's own accounts fill the range below network.headroom")
    try:
        made = ask_wordpress(side, "probe.php", {**request, "act": "begin"})["user"]
    except CrossdockError as error:
        return Account(why_not=error.what)
    if not made or "login" not in made:
        return Account(why_not=f"it can't be made: {made['error'] if made else 'its number is taken'}")
    return Account(made["login"], Masked(made["password"]))


# -- uploads ---------------------------------------------------------------------------------------------------------


def check_upload(facts: SiteFacts, place: StorePlace) -> Iterator[Finding]:
    """What is written through WordPress into the store's uploads is read by its domain: else editors' new images fail,
    or stay invisible."""
    name, text = f"{secrets.token_hex(8)}.txt", secrets.token_hex(32)
    side = Side(place.target.shell, place.target.installation.root, place.store.target_url)
    way_out = "see who owns the uploads folder, and what the web server serves below it"
    try:
        made = ask_wordpress(
            side, "probe.php", {"writes": True, "plugins": True, "act": "upload", "name": name, "text": text}
        )
    except CrossdockError as error:
        yield Finding("upload.unwritable", Level.FAIL, place.name, error.what, way_out)
        return
    url = str(made.get("url"))
    if not url.startswith(place.store.target_url + "/"):
        yield Finding(
            "upload.address", Level.FAIL, place.name, f"WordPress gives it an address that is not the store's: {url}"
        )
        return
    status, body, _ = place.web.get(url)
    if (status, body) != (200, text):
        what = f"answers {status}" + (" with another content" if status == 200 else "")
        yield Finding("upload.unreadable", Level.FAIL, url, what, way_out)


# -- signing in ------------------------------------------------------------------------------------------------------


def check_login(facts: SiteFacts, place: StorePlace, account: Account) -> Iterator[Finding]:
    """Somebody signs in at the store's own domain, the browser keeps the cookies, and the dashboard opens: else nobody
    can look after the store, and customers can't reach their accounts."""
    if account.why_not:
        yield Finding("login.untried", Level.FAIL, place.name, f"no account to sign in with: {account.why_not}")
        return
    with account.turn:
        yield from _signed_in(place, account)


def _signed_in(place: StorePlace, account: Account) -> Iterator[Finding]:
    start = place.store.target_url + "/wp-login.php"
    form = {"log": account.login, "pwd": account.password, "testcookie": "1", "wp-submit": "1",
            "redirect_to": place.store.target_url + "/wp-admin/"}  # fmt: skip
    answer = place.web.ask(start, form=form, cookies=_TEST_COOKIE)
    cookies = _cookies(answer)
    if answer.status not in (302, 303) or not any(one.key.startswith("wordpress_logged_in_") for one in cookies):
        way_out = "see what guards wp-login.php (a captcha, a login limit, a second factor)"
        yield Finding("login.refused", Level.FAIL, start, f"answers {answer.status}, and nobody is signed in", way_out)
        return
    host = urlsplit(place.store.target_url).hostname or ""
    kept = [one for one in cookies if _keeps(one, host)]
    for domain in sorted({one["domain"] for one in cookies if not _keeps(one, host)}):
        what = f"sets cookies for {domain}, which a browser drops here"
        yield Finding("login.cookie-domain", Level.FAIL, start, what, "define( 'COOKIE_DOMAIN', false )")
    if place.store.target_url.startswith("https:") and not all(one["secure"] for one in kept):
        yield Finding("login.cookie-insecure", Level.FAIL, start, "sets cookies that travel by http, too")
    yield from _dashboard(place, kept)


def _dashboard(place: StorePlace, kept: Sequence[Morsel[str]]) -> Iterator[Finding]:
    """The dashboard opens. Where its visit would change the store, WordPress says at its sign-in page whether it takes
    the cookies that a browser sends to the dashboard: who is signed in is led on."""
    why_not = _why_not_dashboard(place)
    url = place.store.target_url + ("/wp-login.php" if why_not else "/wp-admin/")
    cookies = {one.key: one.value for one in kept if _covers(one["path"], "/wp-admin/")}
    answer = place.web.ask(url, cookies=cookies)
    if answer.status not in ((302, 303) if why_not else (200,)):
        to = f" to {answer.headers['location']}" if "location" in answer.headers else ""
        way_out = "see the cookies' domain and path (COOKIE_DOMAIN, COOKIEPATH, ADMIN_COOKIE_PATH)"
        yield Finding("login.dashboard", Level.FAIL, url, f"answers {answer.status}{to} to who is signed in", way_out)
    if why_not:
        what = f"the dashboard itself is not asked for: {why_not}"
        yield Finding("login.dashboard-unasked", Level.INFO, place.name, what)


def _why_not_dashboard(place: StorePlace) -> str:
    if place.there is None or place.there.upgrade_due:
        return "its first visit upgrades this blog's tables to the target's WordPress"
    if place.there.plugins:
        return "its visit lets plugins work off what they have scheduled, mails to customers among it"
    return ""


def _cookies(answer: Reply) -> list[Morsel[str]]:
    """What the answer sets; WordPress sets one name for several paths. Deleted ones are left out."""
    found: list[Morsel[str]] = []
    for line in answer.cookies:
        try:
            found += [one for one in SimpleCookie(line).values() if one.value.strip()]
        except CookieError:
            continue
    return found


def _keeps(one: Morsel[str], host: str) -> bool:
    """Whether a browser keeps a cookie of this host (RFC 6265, 5.1.3)."""
    domain = one["domain"].lstrip(".").lower()
    return not domain or host == domain or host.endswith("." + domain)


def _covers(cookie_path: str, path: str) -> bool:
    """RFC 6265, 5.1.4."""
    start = cookie_path or "/"
    return (
        path == start or path.startswith(start if start.endswith("/") else start + "/") or path.startswith(start + "?")
    )
