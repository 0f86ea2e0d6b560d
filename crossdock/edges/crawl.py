"""Asks many addresses of one environment at a pace that its host bears, and slows down when the host says so."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from crossdock import __version__
from crossdock.core.ports import Answer
from crossdock.core.signing import BridgeKey

_PAGE_BYTES = 512 << 10
_FILE_BYTES = 64 << 10
_LONGEST_PAUSE_SECONDS = 120.0
# So many pauses in a row without one good answer, and the host has blocked us.
_MOST_PAUSES = 6
# A firewall that has had enough of us drops our packets without a word.
_MOST_SILENT = 20
_TRIES = 4
_SLOWEST_PER_SECOND = 0.2
_PAGES = ("text/html", "application/xhtml")


@dataclass(frozen=True)
class SiteCrawler:
    """Connects to `address` ('host:port'; None: wherever DNS leads) with each URL's Host and SNI. Asks `hosts` and no
    others, whatever it is told; follows no redirect. Satisfies core.ports.Crawler.

    `timeout_seconds` counts for a whole answer, so that one that trickles ends too. With `key` each request is signed,
    so that the login of a guarded staging lets it in.
    """

    address: str | None
    hosts: frozenset[str]
    requests_per_second: float = 10
    concurrency: int = 4
    timeout_seconds: float = 30
    key: BridgeKey | None = None

    def ask(self, urls: Iterable[str], tell: Callable[[Answer], None]) -> None:
        """Calls `tell` with each answer, in the order in which they come. An address that is not answered is told with
        status 0 and the problem. After Ctrl-C, or an error of `tell`, nothing more is asked."""
        asyncio.run(_Crawl(self, tell).run(urls))


class _Pace:
    """When the next request may go. Halves after a refusal, and comes back in small steps."""

    def __init__(self, per_second: float) -> None:
        self.most = self.per_second = per_second
        self._next = self._held = self._refused_at = 0.0
        self.pauses = 0
        self._good = 0

    async def turn(self) -> None:
        while True:
            now = time.monotonic()
            at = max(self._next, self._held, now)
            self._next = at + 1 / self.per_second
            await asyncio.sleep(at - now)
            # A pause that began while we waited counts for us as well.
            if self._held <= time.monotonic():
                return

    def refuse(self, said_seconds: float | None, asked_at: float) -> None:
        """Nobody asks for as long as the host said, else 1, 2, 4 ... seconds. What was under way counts once."""
        now = time.monotonic()
        seconds = float(2**self.pauses) if said_seconds is None else said_seconds
        if asked_at >= self._refused_at:
            self._refused_at = now
            self.pauses += 1
            self.per_second = max(self.per_second / 2, min(_SLOWEST_PER_SECOND, self.most))
        self._held = max(self._held, now + min(seconds, _LONGEST_PAUSE_SECONDS))
        self._good = 0

    def accept(self) -> None:
        self.pauses = 0
        self._good += 1
        if self._good >= 20:
            self._good = 0
            self.per_second = min(self.per_second * 1.25, self.most)


class _Crawl:
    def __init__(self, crawler: SiteCrawler, tell: Callable[[Answer], None]) -> None:
        self.crawler, self.tell = crawler, tell
        self.pace = _Pace(crawler.requests_per_second)
        self.blocked = False
        self.silent = 0
        limits = httpx.Limits(max_connections=crawler.concurrency, max_keepalive_connections=crawler.concurrency)
        # The transport itself: httpx's client would refuse an answer whose Location is no URL, and we have to judge it.
        self.transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(), limits=limits, trust_env=False)

    async def run(self, urls: Iterable[str]) -> None:
        waiting = iter(urls)
        async with self.transport:
            tasks = [asyncio.create_task(self._work(waiting)) for _ in range(self.crawler.concurrency)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, waiting: Iterable[str]) -> None:
        for url in waiting:
            self.tell(await self._answer(url))

    async def _answer(self, url: str) -> Answer:
        host = urlsplit(url).netloc
        if host.lower() not in self.crawler.hosts:
            return Answer(url, problem="not a host of this environment: not asked")
        answer = Answer(url, problem="blocked")
        for attempt in range(_TRIES):
            if self.blocked:
                return Answer(url, problem="blocked")
            await self.pace.turn()
            asked_at = time.monotonic()
            answer = await self._once(url)
            self.silent = 0 if answer.status else self.silent + 1
            self.blocked = self.blocked or self.silent >= _MOST_SILENT
            if answer.status not in (429, 503):
                if answer.status:
                    self.pace.accept()
                    return answer
                if attempt or answer.problem == "slow":
                    return answer
                continue  # one more try: a connection that was kept open may have been closed
            self.pace.refuse(_retry_after(answer), asked_at)
            self.blocked = self.blocked or self.pace.pauses >= _MOST_PAUSES
        # A page that is down answers 503 too, but it does not ask for patience.
        refused = self.blocked or answer.status == 429 or answer.retry_after
        return Answer(url, answer.status, seconds=answer.seconds, problem="blocked" if refused else "")

    async def _once(self, url: str) -> Answer:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.crawler.timeout_seconds):
                return await self._fetch(url, began)
        except TimeoutError:
            return Answer(url, seconds=time.monotonic() - began, problem="slow")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, UnicodeError, ValueError) as error:
            kind = type(error).__name__
            return Answer(url, seconds=time.monotonic() - began, problem=f"{kind}: {error}".strip(": ")[:200])

    async def _fetch(self, url: str, began: float) -> Answer:
        parts = urlsplit(url)
        where = parts._replace(netloc=self.crawler.address, fragment="").geturl() if self.crawler.address else url
        seconds, key = self.crawler.timeout_seconds, self.crawler.key
        signed = key.headers("GET", parts.netloc, httpx.URL(where).raw_path.decode("ascii")) if key else {}
        request = httpx.Request(
            "GET", where,
            headers={"Host": parts.netloc, "User-Agent": f"Crossdock/{__version__}", "Accept": "*/*",
                     "Accept-Encoding": "identity", **signed},
            extensions={"sni_hostname": parts.hostname or "",
                        "timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
        )  # fmt: skip
        answer = await self.transport.handle_async_request(request)
        try:
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            most = _PAGE_BYTES if kind in _PAGES or not kind else _FILE_BYTES
            body, problem = bytearray(), ""
            try:
                async for piece in _pieces(answer):
                    body += piece
                    if len(body) >= most:
                        break
            except httpx.HTTPError as error:
                problem = f"the answer is cut: {type(error).__name__}"
        finally:
            await answer.aclose()
        return Answer(
            url, answer.status_code, _header(answer, b"location"), kind, bytes(body[:most]),
            time.monotonic() - began, problem, _header(answer, b"retry-after"),
        )  # fmt: skip


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for piece in answer.aiter_raw():
        yield piece


def _header(answer: httpx.Response, name: bytes) -> str:
    """A header's bytes as text: servers put raw UTF-8 into Location."""
    for key, value in answer.headers.raw:
        if key.lower() == name:
            return value.decode("utf-8", "surrogateescape")
    return ""


def _retry_after(answer: Answer) -> float | None:
    """Seconds to wait as the host says, in seconds or as a date; None where it says nothing that is either."""
    said = answer.retry_after.strip()
    if re.fullmatch(r"\d{1,9}", said):
        return float(said)
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0) if said else None
    except (ValueError, TypeError, OverflowError):
        return None
