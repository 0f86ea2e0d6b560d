"""Chromium against pages that move, hang, call strangers, are too high, or kill it."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crossdock.core.errors import CrossdockError
from crossdock.core.secrets import Masked
from crossdock.edges import pictures as files
from crossdock.edges.browser import Camera, Reach, Shot
from crossdock.move import pictures

HOST = "shop.example"
MOMENT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PAGES = {
    "/plain": "<h1>A shop</h1><img src=/dot.png width=50 height=50>",
    "/moving": "<style>@keyframes a{to{margin-left:500px}}div{width:90px;height:90px;background:red;"
    "animation:a 1s infinite}</style><div></div><p id=t></p>"
    "<script>t.textContent=Date.now()+' '+Math.random()</script>",
    "/high": "<div style='height:30000px;background:linear-gradient(red,blue)'></div>",
    "/lazy": "<div style='height:3000px'></div><img loading=lazy src=/dot.png width=50 height=50>",
    "/broken": "<img src=/nothing.png width=50 height=50><p>still here</p>",
    "/calling": "<img src=http://tracker.example/dot.png><script src=//cdn.example/a.js></script>"
    "<script>new WebSocket('ws://live.example/');fetch('http://169.254.169.254/latest/').catch(()=>0)</script>ok",
    "/restless": "<script>setInterval(()=>fetch('/dot.png?'+Math.random()),100)</script>ok",
    "/changing": "<p id=p></p><script>let n=0;(function on(){p.textContent=++n;setTimeout(on,20)})()</script>",
    "/sending": "<script>fetch('/write',{method:'POST'});navigator.sendBeacon('/write','x')</script>ok",
    "/stuck": "<script>onload=()=>{for(;;);}</script>ok",
    "/banner": "<style>body{margin:0}</style><div id=b style='height:90px;background:red'></div>",
}
DOT = files.png(np.zeros((1, 1, 3), dtype=np.uint8))


@dataclass
class Shop:
    port: int
    asked: list[str] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    shop: Shop

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.shop.asked.append(f"{self.headers['Host']}{path}")
        if path == "/closed" and self.headers.get("Authorization") != "Basic c3RhZ2luZzpzZWNyZXQ=":
            self._answer(401, b"login", "text/html", {"WWW-Authenticate": "Basic realm=x"})
        elif path == "/dot.png":
            self._answer(200, DOT, "image/png")
        elif path in PAGES or path == "/closed":
            self._answer(200, f"<!doctype html>{PAGES.get(path, 'let in')}".encode(), "text/html; charset=utf-8")
        else:
            self._answer(404, b"none", "text/html")

    do_POST = do_GET

    def _answer(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *told: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.shop = Shop(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Handler.shop
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def opened(shop: Shop) -> Iterator[Camera]:
    hosts = {HOST: f"127.0.0.1:{shop.port}", "dead.example": "127.0.0.1:9"}
    with Camera(Reach(hosts, ("staging", Masked("secret"))), MOMENT, settle_seconds=3) as camera:
        yield camera


@pytest.fixture(scope="module")
def camera(shop: Shop) -> Iterator[Camera]:
    with opened(shop) as camera:
        yield camera


def url(path: str) -> str:
    return f"http://{HOST}{path}"


def test_a_page_is_drawn_at_both_widths(camera: Camera) -> None:
    desk, phone = (camera.take(url("/plain"), width).result() for width in (1280, 390))
    assert files.pixels(desk.png).shape[1] == 1280
    assert files.pixels(phone.png).shape[1] == 390
    assert (desk.status, desk.unsettled, desk.broken, desk.blocked) == (200, "", 0, {})


def test_what_moves_stands_still(camera: Camera) -> None:
    one, other = (files.pixels(camera.take(url("/moving"), 800).result().png) for _ in range(2))
    assert pictures.compare(one, other).share == 0


def test_strangers_are_never_asked(camera: Camera, shop: Shop) -> None:
    shop.asked.clear()
    shot = camera.take(url("/calling"), 800).result()
    assert {"tracker.example", "cdn.example", "169.254.169.254"} <= set(shot.blocked)
    assert {one.partition("/")[0] for one in shop.asked} == {HOST}
    # Even a name that slips past our own rule leads nowhere.
    assert Reach({HOST: "127.0.0.1:8080"}).rules() == f"MAP {HOST} 127.0.0.1:8080, MAP * ~NOTFOUND"
    assert Reach({HOST: None}).rules() == f"EXCLUDE {HOST}, MAP * ~NOTFOUND"
    assert "MAP shop.example:443 10.0.0.9:443" in Reach({HOST: "10.0.0.9:80"}).rules()


def test_a_very_high_page_is_cut(camera: Camera) -> None:
    shot = camera.take(url("/high"), 390).result()
    assert shot.height >= 30000
    assert len(files.pixels(shot.png)) == camera.most_height == 8000


def test_lazy_images_are_there_and_broken_ones_are_counted(camera: Camera, shop: Shop) -> None:
    shop.asked.clear()
    assert camera.take(url("/lazy"), 390).result().unsettled == ""
    assert f"{HOST}/dot.png" in shop.asked
    broken = camera.take(url("/broken"), 390).result()
    assert (broken.broken, broken.unsettled) == (1, "")


def test_the_login_is_given(camera: Camera) -> None:
    assert camera.take(url("/closed"), 390).result().status == 200
    assert "secret" not in repr(camera.reach)


def test_what_is_hidden_is_not_in_the_picture(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (files.pixels(camera.take(url("/banner"), 390).result().png)[20, 20] == (255, 0, 0)).all()
    monkeypatch.setattr(camera, "hidden", "#b")
    assert (files.pixels(camera.take(url("/banner"), 390).result().png) == 255).all()


def test_a_restless_page_is_drawn_and_told(camera: Camera) -> None:
    shot = camera.take(url("/restless"), 390).result()
    assert shot.unsettled == "it went on asking its server"
    assert shot.png


def test_a_page_that_never_stops_changing_is_stilled_and_told(camera: Camera) -> None:
    shot = camera.take(url("/changing"), 390).result()
    assert shot.unsettled == "it went on changing"
    assert shot.png


def test_who_takes_pictures_only_reads(camera: Camera, shop: Shop) -> None:
    assert camera.take(url("/sending"), 390).result().status == 200
    assert f"{HOST}/write" not in shop.asked


def test_a_page_that_hangs_fails_alone_and_in_time(camera: Camera) -> None:
    begin = time.monotonic()
    with pytest.raises(CrossdockError) as told:
        camera.take(url("/stuck"), 390).result()
    assert told.value.where == url("/stuck")
    assert time.monotonic() - begin < 25
    assert camera.take(url("/plain"), 390).result().status == 200


def test_nobody_answering_is_told(camera: Camera) -> None:
    with pytest.raises(CrossdockError, match="REFUSED"):
        camera.take("http://dead.example/", 390).result()


def children(name: bytes) -> list[int]:
    """Processes below this one whose command line holds `name`."""
    found, parents = [], {os.getpid()}
    for entry in sorted(Path("/proc").iterdir(), key=lambda one: int(one.name) if one.name.isdigit() else 0):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else 0
            if parent in parents:
                parents.add(int(entry.name))
                found += [int(entry.name)] if name in (entry / "cmdline").read_bytes() else []
        except OSError:
            continue
    return found


def browsers(shop: Shop) -> list[int]:
    """Main processes of a browser of ours: those of pages have a --type."""
    mark = f"MAP {HOST} 127.0.0.1:{shop.port},".encode()
    found = []
    for pid in children(mark):
        with suppress(OSError):  # it may end while we look
            if b"--type=" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def test_a_browser_that_dies_is_started_once_more_and_then_names_the_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.edges.browser._END_SECONDS", 5.0)
    others = set(browsers(shop))
    killed: set[int] = set()

    def asked_and_killed(times: int) -> Future[Shot]:
        waiting = camera.take(url("/restless"), 390)
        most = len(killed) + times
        while not waiting.done() and len(killed) < most:
            for pid in set(browsers(shop)) - others - killed:
                time.sleep(0.7)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.05)
        return waiting

    with opened(shop) as camera:
        assert asked_and_killed(1).result().status == 200
        with pytest.raises(CrossdockError) as told:
            asked_and_killed(2).result()
        assert told.value.where == url("/restless")
        assert camera.take(url("/plain"), 390).result().status == 200
    assert len(killed) == 3


def test_a_call_that_never_comes_back_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped browser neither answers nor dies."""
    monkeypatch.setattr("crossdock.edges.browser._END_SECONDS", 1.0)
    others = set(browsers(shop))
    with opened(shop) as camera:
        assert camera.take(url("/plain"), 390).result().status == 200
        stopped = set(browsers(shop)) - others
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        assert camera.take(url("/plain"), 390).result(timeout=90).status == 200
        assert stopped
        assert not stopped & set(browsers(shop))


def test_without_a_browser_the_way_out_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_CHROMIUM", "no-such-browser")
    with opened(shop) as camera, pytest.raises(CrossdockError, match="apt install chromium"):
        camera.take(url("/plain"), 390).result()


def test_a_file_that_is_no_picture_is_told() -> None:
    for spoilt in (b"", b"<html>", DOT[:40]):
        with pytest.raises(CrossdockError, match="no picture"):
            files.pixels(spoilt)


def test_a_driver_that_dies_is_started_once_more_too(shop: Shop) -> None:
    others = set(children(b"run-driver"))
    with opened(shop) as camera:
        assert camera.take(url("/plain"), 390).result().status == 200
        waiting = camera.take(url("/restless"), 390)
        time.sleep(0.7)
        (pid,) = set(children(b"run-driver")) - others
        os.kill(pid, signal.SIGKILL)
        assert waiting.result().status == 200
