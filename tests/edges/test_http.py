"""Pages by an address that DNS does not know, on a real HTTP server."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crossdock.core.errors import AccessError
from crossdock.edges.http import SiteWeb


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(301)
            self.send_header("Location", "http://elsewhere.test/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = f"{self.headers['Host']} Grüße".encode("latin-1" if self.path == "/latin" else "utf-8")
        if self.path == "/trickle":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(60):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            return
        if self.path == "/huge":
            body = b"x" * (11 << 20)
        self.send_response(200)
        charset = {"/latin": "iso-8859-1", "/odd": "no-such-charset"}.get(self.path, "utf-8")
        self.send_header("Content-Type", f"text/html; charset={charset}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """No noise in the test's output."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/", "/latin", "/odd"])
def test_the_mapped_domain_is_asked_for_at_the_address(address: str, path: str) -> None:
    status, body, headers = SiteWeb(address).get(f"http://north.staging.example{path}")
    assert (status, body) == (200, "north.staging.example Grüße")
    assert headers["content-type"].startswith("text/html")


def test_redirects_are_told_and_not_followed(address: str) -> None:
    status, _, headers = SiteWeb(address).get("http://north.example/moved")
    assert (status, headers["location"]) == (301, "http://elsewhere.test/")


def test_a_huge_page_is_cut_at_ten_megabytes(address: str) -> None:
    assert len(SiteWeb(address).get("http://north.example/huge")[1]) == 10 << 20


def test_a_page_that_trickles_ends_in_its_time(address: str) -> None:
    began = time.monotonic()
    with pytest.raises(AccessError, match="does not come to its end"):
        SiteWeb(address, timeout_seconds=0.3).get("http://north.example/trickle")
    assert time.monotonic() - began < 2


def test_nothing_that_answers_is_an_access_error_with_its_place() -> None:
    with pytest.raises(AccessError, match=r"http://north\.example/ at 127\.0\.0\.1:1"):
        SiteWeb("127.0.0.1:1", timeout_seconds=2).get("http://north.example/")
