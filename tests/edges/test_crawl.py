"""Asking a host that misbehaves, and judging what it answers: a real server on loopback with all bad manners."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crossdock.core.ports import Answer
from crossdock.core.redirects import MapRow
from crossdock.edges.crawl import SiteCrawler
from crossdock.move.replay import Replay, Replayed, Seen
from crossdock.wordpress.addresses import AddressMap
from crossdock.wordpress.sitemap import SiteMap, StoreMap

HOST = "shop.test"
PAGE = "<html><head><title>{title} – Shop</title>{head}</head><body class='{classes}'>{words}</body></html>"


class Manners:
    """What the server remembers."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.times: list[float] = []
        self.refusals: dict[str, int] = {}
        self.retry_after = "0"
        self.together = self.most_together = 0
        self.lock = threading.Lock()


def handler(manners: Manners) -> type[BaseHTTPRequestHandler]:
    class Site(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with manners.lock:
                manners.asked[self.path] += 1
                manners.times.append(time.monotonic())
                manners.together += 1
                manners.most_together = max(manners.most_together, manners.together)
            try:
                getattr(
                    self,
                    "at_" + self.path.strip("/").partition("/")[0].replace("-", "_").partition(".")[0],
                    self.not_found,
                )()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with manners.lock:
                    manners.together -= 1

        def answer(
            self, status: int, body: bytes = b"", kind: str = "text/html; charset=UTF-8", **headers: str
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def page(self, title: str, words: str, status: int = 200, head: str = "", classes: str = "home") -> None:
            self.answer(status, PAGE.format(title=title, words=words, head=head, classes=classes).encode())

        def not_found(self) -> None:
            self.page("Nothing here", "Sorry, nothing was found.", 404, classes="error404")

        def at_ok(self) -> None:
            self.page(self.path, f"all about {self.path}", head='<link rel="canonical" href="http://shop.test/ok/" />')

        def at_old(self) -> None:
            self.answer(301, Location="/ok/" + self.path.partition("/old/")[2])

        def at_lost(self) -> None:
            self.answer(302 if "cart" in self.path else 301, Location="/")

        def at_(self) -> None:
            self.page("Start", "welcome")

        def at_foreign(self) -> None:
            self.answer(301, Location="http://127.0.0.1:9/secret")

        def at_https(self) -> None:
            self.answer(301, Location="https://shop.test/ok/")

        def at_wrong(self) -> None:
            self.answer(302, Location="/ok/other/")

        def at_chain(self) -> None:
            self.answer(301, Location="/old/x/")

        def at_loop(self) -> None:
            self.answer(301, Location="/pool/")

        def at_pool(self) -> None:
            self.answer(301, Location="/loop/")

        def at_self(self) -> None:
            self.answer(301, Location="http://shop.test/self/")

        def at_bad_location(self) -> None:
            self.answer(301, Location="http://[bad/")

        def at_no_location(self) -> None:
            self.answer(301)

        def at_gone(self) -> None:
            self.page("Gone", "410", 410)

        def at_soft(self) -> None:
            self.page("Nothing here", "Sorry, nothing was found.")

        def at_soft_class(self) -> None:
            self.page("Hm", "another text", classes="page error404 x")

        def at_fatal(self) -> None:
            self.answer(200, b"<b>Fatal error</b>: Uncaught Error in /www/x.php on line <b>3</b>")

        def at_die(self) -> None:
            self.answer(
                200,
                b"<html><body id='error-page'><div class='wp-die-message'>Det har uppst\xc3\xa5tt</div></body></html>",
            )

        def at_empty(self) -> None:
            self.answer(200)

        def at_photo(self) -> None:
            self.answer(200, b"\x89PNG" * 50_000, "image/png")

        def at_not_a_photo(self) -> None:
            self.page("A page", "not a photo")

        def at_canonical(self) -> None:
            self.page("Copy", "copied text", head="<link href='http://www.shop.old/x/' rel='canonical'>")

        def at_error(self) -> None:
            self.page("Oops", "no", 500)

        def at_huge(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 65536)

        def at_chunked(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nhello\r\nnonsense\r\n")
            self.close_connection = True

        def at_cut(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "9999")
            self.end_headers()
            self.wfile.write(b"<p>half")
            self.close_connection = True

        def at_hang(self) -> None:
            time.sleep(3)
            self.page("Late", "late")

        def at_trickle(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            for _ in range(40):
                self.wfile.write(b"x")
                time.sleep(0.1)

        def at_busy(self) -> None:
            with manners.lock:
                left = manners.refusals.get("busy", 0)
                manners.refusals["busy"] = left - 1
            if left > 0:
                self.answer(429, b"slow down", Retry_After=manners.retry_after)
            else:
                self.at_ok()

        def at_blocked(self) -> None:
            self.answer(503, b"blocked", Retry_After="0")

        def log_message(self, format: str, *args: object) -> None:
            """No noise in the test's output."""

    return Site


@pytest.fixture
def site() -> Iterator[tuple[str, Manners]]:
    manners = Manners()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(manners))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", manners
    server.shutdown()
    server.server_close()


def crawler(address: str, **settings: float) -> SiteCrawler:
    usual = {"requests_per_second": 500, "concurrency": 4, "timeout_seconds": 1}
    return SiteCrawler(address, frozenset({HOST}), **{**usual, **settings})  # type: ignore[arg-type]


def asked(address: str, *paths: str, **settings: float) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    urls = [f"http://{HOST}{path}" for path in paths]
    crawler(address, **settings).ask(urls, lambda one: found.update({one.url.removeprefix(f"http://{HOST}"): one}))
    return found


# -- asking ----------------------------------------------------------------------------------------------------------


def test_answers_come_as_they_are_and_redirects_are_not_followed(site: tuple[str, Manners]) -> None:
    found = asked(site[0], "/ok/", "/old/x/", "/bad-location/", "/photo.png", "/none/")
    assert {path: one.status for path, one in found.items()} == {
        "/ok/": 200, "/old/x/": 301, "/bad-location/": 301, "/photo.png": 200, "/none/": 404,
    }  # fmt: skip
    assert found["/old/x/"].location == "/ok/x/"
    assert found["/bad-location/"].location == "http://[bad/"
    assert (found["/photo.png"].content_type, len(found["/photo.png"].body)) == ("image/png", 64 << 10)
    assert site[1].asked["/ok/x/"] == 0


def test_bodies_without_end_or_cut_or_slow_end_all_the_same(site: tuple[str, Manners]) -> None:
    began = time.monotonic()
    found = asked(site[0], "/huge/", "/chunked/", "/cut/", "/hang/", "/trickle/", "/ok/")
    assert time.monotonic() - began < 4
    assert (found["/huge/"].status, len(found["/huge/"].body)) == (200, 512 << 10)
    assert "cut" in found["/chunked/"].problem
    assert "cut" in found["/cut/"].problem
    assert found["/hang/"].problem == found["/trickle/"].problem == "slow"
    assert found["/ok/"].problem == ""


def test_no_other_host_is_ever_asked(site: tuple[str, Manners]) -> None:
    found: list[Answer] = []
    urls = [
        f"http://{site[0]}/ok/",
        "http://169.254.169.254/latest/meta-data/",
        f"http://{HOST}@evil.test/",
        "http://shop.test:22/",
    ]
    crawler(site[0]).ask(urls, found.append)
    assert [(one.status, "not asked" in one.problem) for one in found] == [(0, True)] * 4
    assert not site[1].asked


def test_the_rate_and_the_number_at_once_are_kept(site: tuple[str, Manners]) -> None:
    asked(site[0], *(f"/ok/{number}/" for number in range(30)), requests_per_second=50, concurrency=3)
    times = sorted(site[1].times)
    assert times[-1] - times[0] >= 29 / 50 * 0.95
    assert site[1].most_together <= 3


def test_a_host_that_asks_for_patience_gets_it(site: tuple[str, Manners]) -> None:
    site[1].refusals["busy"], site[1].retry_after = 2, "1"
    began = time.monotonic()
    found = asked(site[0], "/busy/1/", "/busy/2/", *(f"/ok/{number}/" for number in range(20)), concurrency=2)
    assert time.monotonic() - began >= 1
    assert {one.status for one in found.values()} == {200}


def test_a_host_that_blocks_us_is_told_and_left_alone(site: tuple[str, Manners]) -> None:
    found = asked(site[0], *(f"/blocked/{number}/" for number in range(200)), concurrency=2)
    assert len(found) == 200
    assert {one.problem for one in found.values()} == {"blocked"}
    assert sum(site[1].asked.values()) < 40


def test_nobody_at_home() -> None:
    found = asked("127.0.0.1:1", "/a/")
    assert found["/a/"].status == 0
    assert "ConnectError" in found["/a/"].problem
    many = asked("127.0.0.1:1", *(f"/{number}/" for number in range(200)))
    assert len(many) == 200
    assert sum(one.problem == "blocked" for one in many.values()) > 150


def test_an_error_of_the_listener_ends_the_asking(site: tuple[str, Manners]) -> None:
    def tell(answer: Answer) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        crawler(site[0]).ask((f"http://{HOST}/ok/{number}/" for number in range(500)), tell)
    assert sum(site[1].asked.values()) < 50


# -- judging ---------------------------------------------------------------------------------------------------------

STORE = StoreMap(
    "shop", 1, "wp_", ("http://shop.old",), "/wp-content/uploads", 2, "wp_2_", f"http://{HOST}",
    "/wp-content/uploads/sites/2", False,
)  # fmt: skip
ADDRESSES = AddressMap((SiteMap("shop", "staging", "wp_", "wp_", "/srv", "/www", 1_000_000, (STORE,)),))


class Silent:
    def start(self, stage: str, *, rows: int, bytes_: int) -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


def row(path: str, action: str = "kept", target: str = "") -> MapRow:
    status = {"kept": 200, "moved": 301, "gone": 410}[action]
    target = target if "://" in target or not target else f"http://{HOST}{target}"
    return MapRow(f"http://shop.old{path}", "exact", action, target, status)  # type: ignore[arg-type]


def replayed(
    address: str, *rows: MapRow, known: dict[str, Seen] | None = None, **settings: float
) -> tuple[Replayed, list[Seen]]:
    kept: list[Seen] = []
    replay = Replay(rows, ADDRESSES, "staging", crawler(address, **settings), Silent(), known or {}, kept.append)
    return replay.run(), kept


def test_every_fault_has_its_own_finding(site: tuple[str, Manners]) -> None:
    result, _ = replayed(
        site[0],
        row("/ok/"), row("/photo.png"), row("/old/kept/"), row("/old/moved/", "moved", "/ok/moved/"),
        row("/"), row("/lost/cart/"), row("/lost/"),
        row("/gone/", "gone"), row("/foreign/", "moved", "http://127.0.0.1:9/secret"),
        row("/none/"), row("/gone/2/"), row("/ok/alive/", "gone"), row("/error/"), row("/soft/"), row("/soft-class/"),
        row("/not-a-photo.jpg"), row("/fatal/"), row("/die/"), row("/empty/"), row("/cut/"), row("/loop/"),
        row("/self/"), row("/chain/"), row("/wrong/", "moved", "/ok/"), row("/foreign/2/"), row("/https/"),
        row("/bad-location/"), row("/no-location/"), row("/canonical/"), row("/hang/"),
    )  # fmt: skip
    assert {code: [text.partition(" ")[0] for text in texts] for code, texts in result.failed.items()} == {
        "url.missing": ["shop.test/none/"],
        "url.gone": ["shop.test/gone/2/"],
        "url.not-gone": ["shop.test/ok/alive/"],
        "url.error": ["shop.test/error/"],
        "url.soft-404": ["shop.test/lost/", "shop.test/soft/", "shop.test/soft-class/", "shop.test/not-a-photo.jpg"],
        "url.soft-error": ["shop.test/fatal/", "shop.test/die/", "shop.test/empty/", "shop.test/cut/"],
        "url.loop": ["shop.test/loop/", "shop.test/self/"],
        "url.chain": ["shop.test/chain/"],
        "url.elsewhere": ["shop.test/wrong/"],
        "url.foreign": ["shop.test/foreign/2/"],
        "url.scheme": ["shop.test/https/"],
        "url.location": ["shop.test/bad-location/", "shop.test/no-location/"],
        "url.canonical": ["shop.test/canonical/"],
        "url.slow": ["shop.test/hang/"],
    }
    figures = result.figures()
    assert figures == {
        "urls_total": 30, "urls_ok": 8, "urls_moved": 2, "urls_gone": 1, "urls_failed": 22, "urls_undecided": 0,
    }  # fmt: skip
    findings = result.findings("staging")
    assert {one.code for one in findings} == set(result.failed)
    assert all(one.data["addresses"] == len(result.failed[one.code]) for one in findings)


def test_a_replay_goes_on_where_it_was_and_asks_again_what_was_refused(site: tuple[str, Manners]) -> None:
    rows = [row(f"/ok/{number}/") for number in range(10)]
    _, kept = replayed(site[0], *rows[:6])
    assert len(kept) == 6
    result, more = replayed(site[0], *rows, row("/hang/"), known={one.url: one for one in kept})
    assert result.ok == 10
    assert len(more) == 4
    assert all(site[1].asked[f"/ok/{number}/"] == 1 for number in range(10))


def test_a_blocking_host_fails_what_was_not_proved(site: tuple[str, Manners]) -> None:
    rows = [row("/ok/1/"), *(row(f"/blocked/{number}/") for number in range(30))]
    result, kept = replayed(site[0], *rows)
    assert len(result.failed["replay.blocked"]) == 30
    assert [one.url for one in kept] == [f"http://{HOST}/ok/1/"]
