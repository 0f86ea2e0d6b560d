"""Chromium takes pictures of pages that behave badly; nothing foreign hears of it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from crossdock.core.errors import CrossdockError
from crossdock.core.secrets import Masked
from crossdock.edges import pictures
from crossdock.edges.browser import Camera, Reach

HOST = "www.north.example"
MOMENT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PAGES = {
    "/calm": "<h1>Calm</h1><p id=t></p><script>document.getElementById('t').textContent = Date.now()</script>",
    "/restless": "<div id=a>0</div><script>let n = 0; (function again() { document.getElementById('a').style.height ="
    " (++n % 50) + 'px'; document.getElementById('a').textContent = n; setTimeout(again, 20) })()</script>",
    "/hanging": "<p>text</p><img src=/hang.png>",
    "/tall": "<div style='height:30000px;background:linear-gradient(red,blue)'></div>",
    "/broken": "<img src=/no-such.png width=100 height=100><p>text</p>",
    "/lazy": "<div style='height:5000px'></div><img loading=lazy src=/pixel.png width=200 height=200>",
    "/moving": "<style>@keyframes turn { to { margin-left: 300px; background: red } }"
    "div { width: 40px; height: 40px; background: blue; animation: turn .2s infinite alternate }</style><div></div>",
    "/posting": "<p>text</p><script>fetch('/write', { method: 'POST', body: 'x' });"
    "navigator.sendBeacon('/write', 'y')</script>",
    "/wide": "<div style='width:3000px;height:50px;background:green'></div>",
}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)  # one red pixel


class Site:
    """A web server of pages that behave badly. `asked`: method, host and path of each request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.pages = dict(PAGES)
        self.login = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.command, self.headers["Host"], self.path))
                with suppress(OSError):
                    self.answer()

            do_POST = do_GET

            def answer(self) -> None:
                if self.path == "/hang.png":
                    time.sleep(8)
                    return
                if site.login and self.headers.get("Authorization") != "Basic c3RhZ2luZzpzZWNyZXQ=":
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="staging"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                page = site.pages.get(self.path)
                body = PIXEL if self.path == "/pixel.png" else f"<!DOCTYPE html><body>{page}</body>".encode()
                self.send_response(200 if page is not None or self.path == "/pixel.png" else 404)
                self.send_header("Content-Type", "image/png" if self.path == "/pixel.png" else "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *told: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with Camera(Reach({HOST: site.address}), MOMENT, settle_seconds=4, most_height=4000) as made:
        yield made


def url(path: str) -> str:
    return f"http://{HOST}{path}"


def chromiums() -> dict[int, int]:
    """This process's Chromium: the browser processes below it, by pid, with their parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"--host-resolver-rules=" in line and HOST.encode() in line and b"--type=" not in line:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def test_a_page_is_the_same_twice_its_clock_stands_and_nothing_moves(camera: Camera) -> None:
    for path in ("/calm", "/moving"):
        one, other = (camera.take(url(path), 390).result() for _ in range(2))
        assert (one.status, one.unsettled, one.broken) == (200, "", 0)
        assert np.array_equal(pictures.pixels(one.png), pictures.pixels(other.png)), path


@pytest.mark.parametrize("width", [390, 1280])
def test_pictures_are_as_wide_as_asked_and_no_higher_than_the_limit(camera: Camera, width: int) -> None:
    shot = camera.take(url("/tall"), width).result()
    assert pictures.pixels(shot.png).shape == (4000, width, 3)
    assert 30_000 <= shot.height < 30_100
    assert pictures.pixels(camera.take(url("/wide"), width).result().png).shape[1] == width


def test_a_page_that_never_comes_to_rest_is_told_and_taken(camera: Camera) -> None:
    began = time.monotonic()
    shot = camera.take(url("/restless"), 390).result()
    assert "changing" in shot.unsettled
    assert pictures.pixels(shot.png).shape[1] == 390
    assert time.monotonic() - began < 15


def test_an_image_that_never_comes_is_told(camera: Camera) -> None:
    assert "loading" in camera.take(url("/hanging"), 390).result().unsettled


def test_a_broken_image_is_counted_and_a_lazy_one_is_waited_for(camera: Camera) -> None:
    assert camera.take(url("/broken"), 390).result().broken == 1
    # Below what the picture holds, but loaded all the same: what is scrolled to is looked at.
    with Camera(camera.reach, MOMENT, settle_seconds=4, most_height=8000) as higher:
        shown = pictures.pixels(higher.take(url("/lazy"), 390).result().png)
    assert (shown[-60, 50] == [255, 0, 0]).all()


def test_nothing_foreign_is_asked_and_nothing_is_written(site: Site, camera: Camera) -> None:
    site.asked.clear()
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        site.pages["/leaky"] = (
            f"<img src=http://127.0.0.1:{port}/a.png><img src=http://tracker.example:{port}/b.png>"
            f"<script>fetch('http://localhost:{port}/c'); new WebSocket('ws://127.0.0.1:{port}/d');"
            f"navigator.sendBeacon('http://127.0.0.1:{port}/e')</script><iframe src=http://127.0.0.1:{port}/f></iframe>"
            f"<link rel=preconnect href=http://127.0.0.1:{port}><p>text</p>"
        )
        shot = camera.take(url("/leaky"), 390).result()
        camera.take(url("/posting"), 390).result()
        foreign.settimeout(0.3)
        with pytest.raises(TimeoutError):
            foreign.accept()
    assert shot.blocked[f"tracker.example:{port}"] == 1
    assert {(method, host.partition(":")[0]) for method, host, _ in site.asked} == {("GET", HOST)}
    assert not any(path == "/write" for _, _, path in site.asked)


def test_the_login_of_a_staging_is_passed(site: Site) -> None:
    site.login = True
    try:
        with (
            Camera(Reach({HOST: site.address}), MOMENT, settle_seconds=4) as stranger,
            pytest.raises(CrossdockError, match="ERR_INVALID_AUTH_CREDENTIALS"),
        ):
            stranger.take(url("/calm"), 390).result()
        reach = Reach({HOST: site.address}, ("staging", Masked("secret")))
        assert "secret" not in repr(reach)
        with Camera(reach, MOMENT, settle_seconds=4) as guest:
            assert guest.take(url("/calm"), 390).result().status == 200
    finally:
        site.login = False


def test_a_browser_that_dies_is_started_again_once(site: Site) -> None:
    with Camera(Reach({HOST: site.address}), MOMENT, settle_seconds=4) as camera:
        camera.take(url("/calm"), 390).result()
        before = chromiums()
        waiting = camera.take(url("/hanging"), 390)
        time.sleep(1)
        mine = [pid for pid in before if _is_ours(pid)]
        assert mine
        for pid in mine:
            os.kill(pid, signal.SIGKILL)
        assert waiting.result().status == 200
        again = camera.take(url("/hanging"), 390)
        for _ in range(2):
            time.sleep(1.5)
            for pid in [pid for pid in chromiums() if _is_ours(pid)]:
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(CrossdockError, match="died twice") as told:
            again.result()
        assert url("/hanging") in str(told.value)
        assert camera.take(url("/calm"), 390).result().status == 200


def _is_ours(pid: int) -> bool:
    """Whether a process descends from this one."""
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def test_an_address_where_nothing_answers_is_named(camera: Camera) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = "127.0.0.1:" + str(gone.getsockname()[1])
    with (
        Camera(Reach({HOST: address}), MOMENT, settle_seconds=2) as other,
        pytest.raises(CrossdockError, match="ERR_CONNECTION_REFUSED") as told,
    ):
        other.take(url("/calm"), 390).result()
    assert url("/calm") in str(told.value)
