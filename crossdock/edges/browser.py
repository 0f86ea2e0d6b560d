"""Pictures of pages as their visitors see them, by Chromium: nothing moves in them, and nothing foreign is asked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    HttpCredentials,
    Page,
    Playwright,
    Route,
    TimeoutError,
    WebSocketRoute,
    sync_playwright,
)

from crossdock.core.errors import CrossdockError
from crossdock.core.secrets import Masked

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PHONE_WIDTH = 600
_VIEWPORT_HEIGHT = 900
_END_SECONDS = 30.0
_STARTING = threading.Lock()
_QUIET_SECONDS = 3.0  # sliders never end: longer than this nobody waits for a page that goes on changing
_QUIET_POLL_MS = 250
# Videos stay at their first picture; the seed makes shuffled sliders the same in each picture; changes are counted, and
# `freeze` lets no timer act any more.
_STILL = """
HTMLMediaElement.prototype.play = function () { return Promise.resolve(); };
(() => {
  let seed = 8785, frozen = false;
  Math.random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const state = { changes: 0, before: -1, freeze: () => { frozen = true; } };
  Object.defineProperty(window, '__crossdock', { value: state });
  new MutationObserver(() => { state.changes += 1; })
    .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame']) {
    const real = window[name];
    window[name] = (act, ...rest) =>
      real.call(window, typeof act === 'function' ? (...told) => { if (!frozen) act(...told); } : act, ...rest);
  }
})();
"""
_QUIET = """() => {
  const same = __crossdock.changes === __crossdock.before;
  __crossdock.before = __crossdock.changes;
  return same;
}"""
# What is loaded only when it is looked at is looked at once.
_SCROLLED = """async (most) => {
  document.querySelectorAll('img[loading=lazy], iframe[loading=lazy]').forEach((one) => { one.loading = 'eager'; });
  const height = () => Math.min(document.documentElement.scrollHeight, most);
  for (let y = 0; y < height(); y += innerHeight) {
    scrollTo({ top: y, behavior: 'instant' });
    await new Promise((next) => setTimeout(next, 30));
  }
  scrollTo({ top: 0, behavior: 'instant' });
  return true;
}"""
_LOADED = """() => [...document.images].every((one) => one.complete) && document.fonts.status === 'loaded'"""
_FACTS = """() => ({
  height: Math.max(document.documentElement.scrollHeight, document.body ? document.body.scrollHeight : 0),
  broken: [...document.images].filter((one) => one.complete && !one.naturalWidth && one.currentSrc).length,
})"""


@dataclass(frozen=True)
class Reach:
    """The hosts a browser may ask: where each answers ('address:port'; None: wherever DNS leads). `login`: user and
    password of the login in front of them."""

    hosts: Mapping[str, str | None]
    login: tuple[str, Masked] | None = field(default=None, repr=False)

    def rules(self) -> str:
        """Chromium's --host-resolver-rules: no other name leads anywhere."""
        made = []
        for host, address in self.hosts.items():
            name = urlsplit(f"//{host}").hostname or host
            if address is None:
                made.append(f"EXCLUDE {name}")
                continue
            place, colon, port = address.rpartition(":")
            if not colon or not port.isdigit():
                place, port = address, "443"
            if port in ("80", "443"):
                made += [f"MAP {name}:80 {place}:80", f"MAP {name}:443 {place}:443"]
            else:
                made.append(f"MAP {name} {place}:{port}")
        return ", ".join([*made, "MAP * ~NOTFOUND"])


@dataclass(frozen=True)
class Shot:
    """One page as it was drawn. `png`: the picture, at most `most_height` high; `height`: the page's own, pixels.
    `unsettled` says why it did not come to rest, else empty; `blocked` counts requests to foreign hosts, by host;
    `broken` counts images that could not be shown."""

    png: bytes = field(repr=False)
    height: int
    status: int
    unsettled: str = ""
    blocked: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0


class Camera:
    """A browser of one side, in a thread of its own; started when it is first needed, and once more when it dies.

    `moment` is what every page takes for now; a page may take `settle_seconds` to come to rest. `hidden`: what is left
    out of the pictures, as a CSS selector.
    """

    def __init__(
        self, reach: Reach, moment: datetime, *, settle_seconds: float = 20, most_height: int = 8000, hidden: str = ""
    ) -> None:
        self.reach, self.moment, self.most_height, self.hidden = reach, moment, most_height, hidden
        self.settle_seconds = settle_seconds
        self.version = ""
        # Playwright's loop may not run in a thread that talks to Django's database.
        self._thread = ThreadPoolExecutor(1, "camera")
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._driver = 0

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.submit(self._stop).result()
        self._thread.shutdown()

    def take(self, url: str, width: int) -> Future[Shot]:
        """A picture of the page at this width, soon. Errors (of the future): CrossdockError naming the page and why."""
        return self._thread.submit(self._taken, url, width)

    def _taken(self, url: str, width: int) -> Shot:
        try:
            return self._shot(url, width)
        except Error as first:
            if self._is_alive() and not _has_crashed(first):
                raise _refused(url, first) from first
        self._stop()
        try:
            return self._shot(url, width)
        except Error as second:
            raise _refused(url, second, "the browser died twice: " * (not self._is_alive())) from second

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """Not every call has a time limit of its own, and one to a browser that is just dying may never come back. With
        its driver killed it fails as if the browser had died."""
        end = threading.Timer(seconds, self._kill_driver)
        end.daemon = True
        end.start()
        try:
            yield
        finally:
            end.cancel()

    def _kill_driver(self) -> None:
        if self._driver:
            for pid in (*_children(self._driver), self._driver):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _shot(self, url: str, width: int) -> Shot:
        # Loading, settling, freezing, facts and the picture take settle_seconds each at most.
        with self._limited(5 * self.settle_seconds + _END_SECONDS):
            return self._asked(url, width)

    def _asked(self, url: str, width: int) -> Shot:
        context = self._context(width)
        blocked: Counter[str] = Counter()
        try:
            page = context.new_page()
            page.clock.set_fixed_time(self.moment)
            page.add_init_script(_STILL)
            page.route("**/*", lambda route: self._let_through(route, blocked))
            page.route_web_socket(re.compile(""), _hang_up)
            return self._drawn(page, url, width, blocked)
        finally:
            with suppress(Error):
                context.close()

    def _drawn(self, page: Page, url: str, width: int, blocked: Counter[str]) -> Shot:
        answer = page.goto(url, wait_until="commit")
        unsettled = self._settle(page)
        # Unlike evaluate() this has a time limit: a page's own script may never end.
        page.wait_for_function("() => { __crossdock.freeze(); return true; }")
        facts = page.wait_for_function(_FACTS).json_value()
        seen = min(max(int(facts["height"]), 1), self.most_height)
        png = page.screenshot(
            full_page=True,
            clip={"x": 0, "y": 0, "width": width, "height": seen},
            animations="disabled",
            caret="hide",
            scale="css",
            style=f"{self.hidden} {{ display: none !important; }}" if self.hidden else "",
        )
        status = answer.status if answer else 0
        return Shot(png, int(facts["height"]), status, unsettled, dict(blocked), int(facts["broken"]))

    def _settle(self, page: Page) -> str:
        """Waits until the page is at rest. Returns what it still did when the time was up."""
        until = time.monotonic() + self.settle_seconds

        def left() -> float:
            return max(until - time.monotonic(), 0.2) * 1000

        try:
            page.wait_for_load_state("load", timeout=left())
            page.wait_for_function(_SCROLLED, arg=self.most_height, timeout=left())
        except TimeoutError:
            return "it was still loading"
        try:
            page.wait_for_function(_LOADED, timeout=left())
        except TimeoutError:
            return "images or fonts were still loading"
        try:
            page.wait_for_load_state("networkidle", timeout=left())
        except TimeoutError:
            return "it went on asking its server"
        try:
            page.wait_for_function(_QUIET, polling=_QUIET_POLL_MS, timeout=min(left(), _QUIET_SECONDS * 1000))
        except TimeoutError:
            return "it went on changing"
        return ""

    def _let_through(self, route: Route, blocked: Counter[str]) -> None:
        parts = urlsplit(route.request.url)
        if parts.scheme in ("data", "blob") or parts.netloc in self.reach.hosts:
            # Who takes pictures only reads: what a page would send to its shop stays here.
            if route.request.method in ("GET", "HEAD"):
                route.continue_()
            else:
                route.abort("blockedbyclient")
            return
        blocked[parts.netloc] += 1
        route.abort("blockedbyclient")

    def _context(self, width: int) -> BrowserContext:
        phone = width < _PHONE_WIDTH
        login: HttpCredentials | None = None
        if self.reach.login:
            user, password = self.reach.login
            login = {"username": user, "password": password.encode().decode()}
        context = self._started().new_context(
            viewport={"width": width, "height": _VIEWPORT_HEIGHT},
            device_scale_factor=1,
            is_mobile=phone,
            has_touch=phone,
            reduced_motion="reduce",
            color_scheme="light",
            timezone_id="UTC",
            service_workers="block",
            accept_downloads=False,
            # What a certificate is worth is a check of its own: here only the page is looked at.
            ignore_https_errors=True,
            http_credentials=login,
        )
        context.set_default_timeout(self.settle_seconds * 1000)
        return context

    def _started(self) -> Browser:
        if self._browser is None:
            program = _chromium()
            if self._playwright is None:
                with _STARTING:
                    others = _children(os.getpid(), b"run-driver")
                    self._playwright = sync_playwright().start()
                    self._driver = next(iter(_children(os.getpid(), b"run-driver") - others), 0)
            self._browser = self._playwright.chromium.launch(
                executable_path=program,
                chromium_sandbox=os.geteuid() != 0,
                args=[
                    f"--host-resolver-rules={self.reach.rules()}",
                    *("--no-proxy-server", "--disable-gpu", "--force-color-profile=srgb", "--disable-lcd-text"),
                    "--font-render-hinting=none",
                ],
            )
            self.version = self._browser.version
        return self._browser

    def _is_alive(self) -> bool:
        return self._browser is not None and self._browser.is_connected()

    def _stop(self) -> None:
        browser, playwright, self._browser, self._playwright = self._browser, self._playwright, None, None
        for end in (browser.close if browser else None, playwright.stop if playwright else None):
            # Whatever a dead one says: it goes.
            with suppress(Exception), self._limited(_END_SECONDS):
                if end:
                    end()
        self._driver = 0


def _children(parent: int, mark: bytes = b"") -> set[int]:
    """Processes right below one, whose command line holds `mark`."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if above == parent and mark in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def _chromium() -> str:
    named = os.environ.get("CROSSDOCK_CHROMIUM", "")
    for name in (named,) if named else _NAMES:
        if found := shutil.which(name):
            return found
    way_out = "apt install chromium, or name one in CROSSDOCK_CHROMIUM"
    raise CrossdockError(f"there is no browser: {named or 'chromium'} is not on the PATH", way_out=way_out)


def _hang_up(line: WebSocketRoute) -> None:
    line.close()


def _has_crashed(error: Error) -> bool:
    told = error.message.lower()
    return "crashed" in told or "has been closed" in told or "connection closed" in told


def _refused(url: str, error: Error, before: str = "") -> CrossdockError:
    told = " ".join(re.sub(r"\x1b\[\d+m", "", error.message).partition("Call log:")[0].split())
    return CrossdockError(f"{before}{told[:200]}", where=url, way_out="take the pictures again")
