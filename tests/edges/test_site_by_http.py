"""The checks of domains and pages on a real web server that speaks http and https at one address."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from crossdock.core.errors import AccessError
from crossdock.core.evidence import Finding, Level
from crossdock.edges.http import SiteWeb
from crossdock.move import domains, pages, probes
from crossdock.move.pages import KeyPage
from crossdock.move.site_facts import SiteFacts, StorePlace
from crossdock.move.survey import Source, Target
from crossdock.wordpress.installation import Blog
from crossdock.wordpress.rewriting import Rewriter, UrlRule
from crossdock.wordpress.sitemap import StoreMap

HOST, OLD = "shop.example", "old.example"
SECURE = f"https://{HOST}"
Reply = tuple[int, dict[str, str], str]


@dataclass
class Served:
    """A web server; `replies` by absolute address. What is not there answers 404."""

    address: str
    authority: str
    replies: dict[str, Reply] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)

    def web(self) -> SiteWeb:
        return SiteWeb(self.address, timeout_seconds=5, authority=self.authority)

    def shows(self, url: str, body: str = "", status: int = 200, **headers: str) -> None:
        self.replies[url] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


class _BothSchemes(ThreadingHTTPServer):
    context: ssl.SSLContext
    served: Served

    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        line.settimeout(5)
        # A TLS client speaks first, and its first byte is 22.
        if line.recv(1, socket.MSG_PEEK) == b"\x16":
            line = self.context.wrap_socket(line, server_side=True)
        return line, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that turned away is what some tests are about."""


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(_BothSchemes, self.server)
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        status, headers, body = server.served.replies.get(
            f"{scheme}://{self.headers['Host']}{self.path}", (404, {}, "")
        )
        self.send_response(status)
        for name, value in headers.items():
            for one in value.split("\n"):
                self.send_header(name, one)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        cast(_BothSchemes, self.server).served.posted.append(self.rfile.read(length).decode())
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """No noise in the test's output."""


def certificate(folder: Path, *names: str, days: int = 90) -> tuple[Path, Path]:
    """A self-signed one, which is its own authority: certificate and key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    made, key = folder / f"{names[0]}-{days}.pem", folder / f"{names[0]}-{days}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         str(key), "-out", str(made), "-days", str(days), "-subj", f"/CN={names[0]}", "-addext",
         "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


@contextlib.contextmanager
def serving(made: Path, key: Path) -> Iterator[Served]:
    server = _BothSchemes(("127.0.0.1", 0), _Pages)
    server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.context.load_cert_chain(made, key)
    server.served = Served(f"127.0.0.1:{server.server_address[1]}", str(made))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.served
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(*certificate(tmp_path_factory.mktemp("tls"), HOST, f"www.{HOST}", OLD)) as made:
        yield made


@pytest.fixture
def served(server: Served) -> Served:
    """The server of all these tests, emptied."""
    server.replies.clear()
    server.posted.clear()
    return server


def place(served: Served, url: str = SECURE, *, public: bool = True) -> StorePlace:
    """One store, at the source http://old.example, at the target `url`, both on this server."""
    store = StoreMap("shop", 1, "wp_", (f"http://{OLD}", f"http://www.{HOST}"), "/u", 2, "wp_2_", url, "/u2", public)
    nothing = cast(Any, None)
    host = url.split("//")[1]
    return StorePlace(
        store, "one", "production", Blog(1, "wp_", OLD, "/"),
        Source("one", nothing, nothing, nothing),
        Target("production", nothing, nothing, nothing, served.web()),
        Rewriter([UrlRule(OLD, "", url.split(":")[0], host)]), None, None,
    )  # fmt: skip


def codes(
    check: Callable[..., Iterator[Finding]], store: StorePlace, *more: Any, facts: SiteFacts | None = None
) -> list[str]:
    return [one.code for one in check(facts, store, *more) if one.level is not Level.INFO]


# -- the certificate -------------------------------------------------------------------------------------------------


def test_a_certificate_is_judged_as_a_browser_does(served: Served) -> None:
    shown = served.web().certificate(HOST)
    assert shown.problem == ""
    assert shown.days_left in (89, 90)
    assert "mismatch" in served.web().certificate("other.example").problem
    assert "self" in SiteWeb(served.address).certificate(HOST).problem
    assert codes(domains.check_certificate, place(served)) == []
    assert codes(domains.check_certificate, place(served, "https://other.example")) == ["certificate.invalid"]


def test_a_certificate_near_its_end_is_told(tmp_path: Path) -> None:
    with serving(*certificate(tmp_path, HOST, days=5)) as served:
        assert codes(domains.check_certificate, place(served)) == ["certificate.ends"]


def test_no_tls_there_is_an_access_error() -> None:
    with pytest.raises(AccessError, match="no TLS there"):
        SiteWeb("127.0.0.1:1", timeout_seconds=1).certificate(HOST)


def test_an_environment_without_https_says_so(served: Served) -> None:
    plain = place(served, f"http://{HOST}")
    for check in (domains.check_certificate, domains.check_https):
        assert [(one.code, one.level) for one in check(cast(Any, None), plain)] == [("site.skipped", Level.INFO)]


# -- redirects -------------------------------------------------------------------------------------------------------


def test_http_leads_to_https_in_one_hop(served: Served) -> None:
    served.shows(f"{SECURE}/", "home")
    served.shows(f"http://{HOST}/", status=301, Location=f"{SECURE}/")
    assert codes(domains.check_https, place(served)) == []
    served.shows(f"http://{HOST}/", status=302, Location=f"{SECURE}/")
    assert codes(domains.check_https, place(served)) == ["canonical.temporary"]
    served.shows(f"http://{HOST}/", "the store, by http")
    assert codes(domains.check_https, place(served)) == ["canonical.lost"]
    served.shows(f"http://{HOST}/", status=301, Location=f"https://www.{HOST}/")
    served.shows(f"https://www.{HOST}/", status=301, Location=f"{SECURE}/")
    assert codes(domains.check_https, place(served)) == ["canonical.chain"]


def test_a_loop_ends(served: Served) -> None:
    served.shows(f"http://{HOST}/", status=301, Location=f"{SECURE}/")
    served.shows(f"{SECURE}/", status=301, Location=f"http://{HOST}/")
    assert codes(domains.check_https, place(served)) == ["canonical.lost"]


def test_the_twin_leads_to_the_store_or_somebody_must_act(served: Served) -> None:
    served.shows(f"{SECURE}/", "home")
    served.shows(f"https://www.{HOST}/", status=301, Location=f"{SECURE}/")
    assert codes(domains.check_twin, place(served)) == []
    served.shows(f"https://www.{HOST}/", status=302, Location=f"{SECURE}/")
    assert codes(domains.check_twin, place(served)) == ["host.twin"]
    served.shows(f"https://www.{HOST}/", "the host's own page")
    told = [*domains.check_twin(cast(Any, None), place(served))]
    assert [one.code for one in told] == ["host.twin"]
    assert f"the host adds www.{HOST}" in told[0].way_out
    assert codes(domains.check_twin, place(served, public=False)) == []


# -- REST, robots.txt ------------------------------------------------------------------------------------------------


def test_the_rest_index_names_the_store(served: Served) -> None:
    served.shows(f"{SECURE}/wp-json/", f'{{"home": "{SECURE}", "url": "{SECURE}"}}')
    assert codes(domains.check_rest, place(served)) == []
    served.shows(f"{SECURE}/wp-json/", f'{{"home": "http://{OLD}", "url": "{SECURE}"}}')
    assert codes(domains.check_rest, place(served)) == ["rest.home"]
    served.shows(f"{SECURE}/wp-json/", "<html>")
    assert codes(domains.check_rest, place(served)) == ["rest.index"]
    served.shows(f"{SECURE}/wp-json/", "{}", status=401)
    assert codes(domains.check_rest, place(served)) == ["rest.closed"]


def test_robots_txt_is_the_sources(served: Served) -> None:
    before = f"User-agent: *\nDisallow: /wp-admin/\nSitemap: http://{OLD}/s.xml\n"

    def told(status: int, body: str) -> list[str]:
        return [one.code for one in domains.robots_compared(place(served), 200, before, status, body)]

    assert told(200, f"User-agent: *\n\nDisallow: /wp-admin/\nSitemap: {SECURE}/s.xml # ours\n") == []
    assert told(200, "User-agent: *\nDisallow: /\n") == ["robots.differs"]
    assert told(404, "") == ["robots.differs"]


# -- pages -----------------------------------------------------------------------------------------------------------


def fetched(store: StorePlace, *, source: bool = True) -> dict[str, tuple[KeyPage, ...]]:
    url = f"http://{OLD}/"
    here = pages.fetch(store.web, url) if source else None
    return {"shop": (KeyPage("home", here, pages.fetch(store.web, store.mapped(url))),)}


HEAD = (
    '<title>Tents</title><meta name="description" content="d"><link rel="canonical" href="{0}/">'
    '<link rel="alternate" hreflang="fr" href="https://fr.example/"><meta property="og:url" content="{0}/">'
    '<meta name="robots" content="max-image-preview:large">'
    '<script type="application/ld+json">{{"@id": "{0}/#shop", "price": "9.00"}}</script><script>G-ABC1234</script>'
)


def test_pages_that_tell_the_same_are_green(served: Served) -> None:
    served.shows(f"http://{OLD}/", HEAD.format(f"http://{OLD}"))
    served.shows(f"{SECURE}/", "<body>" + HEAD.format(SECURE) + "another theme")
    assert codes(pages.check_pages, place(served), fetched(place(served))) == []


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("<title>Tents", "<title>Tent", "page.title"),
        ('content="d"', 'content=""', "page.description"),
        ('rel="canonical"', 'rel="other"', "page.canonical"),
        ('href="https://shop.example/"', 'href="http://old.example/"', "page.canonical"),
        ('hreflang="fr"', 'hreflang="de"', "page.hreflang"),
        ("og:url", "og:image", "page.social"),
        ('"9.00"', '"9.50"', "page.structured-data"),
        ("G-ABC1234", "G-ABC9999", "page.analytics"),
        ("max-image-preview:large", "noindex", "page.robots"),
    ],
)
def test_each_tag_that_differs_is_named(served: Served, before: str, after: str, code: str) -> None:
    served.shows(f"http://{OLD}/", HEAD.format(f"http://{OLD}"))
    served.shows(f"{SECURE}/", HEAD.format(SECURE).replace(before, after, 1))
    assert codes(pages.check_pages, place(served), fetched(place(served))) == [code]


def test_a_page_that_is_lost_or_leads_elsewhere(served: Served) -> None:
    served.shows(f"http://{OLD}/", HEAD.format(f"http://{OLD}"))
    assert codes(pages.check_pages, place(served), fetched(place(served))) == ["page.status"]
    served.shows(f"http://{OLD}/", status=302, Location=f"http://{OLD}/cart/")
    served.shows(f"{SECURE}/", status=302, Location="/cart/")
    assert codes(pages.check_pages, place(served), fetched(place(served))) == []
    served.shows(f"{SECURE}/", status=302, Location="/other/")
    assert codes(pages.check_pages, place(served), fetched(place(served))) == ["page.redirect"]


def test_a_header_counts_as_robots_too(served: Served) -> None:
    served.shows(f"http://{OLD}/", HEAD.format(f"http://{OLD}"))
    served.shows(f"{SECURE}/", HEAD.format(SECURE), X_Robots_Tag="noindex")
    assert codes(pages.check_pages, place(served), fetched(place(served))) == ["page.robots"]
    staging = place(served, public=False)
    assert codes(pages.check_indexing, staging, fetched(staging)) == []
    served.shows(f"{SECURE}/", HEAD.format(SECURE))
    assert codes(pages.check_indexing, staging, fetched(staging)) == ["page.indexed"]


def test_without_the_source_the_pages_must_answer_all_the_same(served: Served) -> None:
    store = place(served)
    found = [*pages.check_pages(cast(Any, None), store, fetched(store, source=False))]
    assert [one.code for one in found] == ["page.status", "site.skipped"]


def test_mixed_content(served: Served) -> None:
    served.shows(f"{SECURE}/", "<a href='http://x.example/'>x</a><img src='https://x.example/a.png'>")
    assert codes(pages.check_mixed_content, place(served), fetched(place(served))) == []
    served.shows(f"{SECURE}/", "<img src='http://x.example/a.png'>")
    assert codes(pages.check_mixed_content, place(served), fetched(place(served))) == ["page.mixed-content"]


def test_hreflang_is_mutual(served: Served) -> None:
    there = f"https://www.{HOST}/"
    mine, other = place(served), place(served, f"https://www.{HOST}")
    facts = cast(SiteFacts, type("Facts", (), {"stores": (mine, other)}))
    served.shows(f"{SECURE}/", f'<link rel="alternate" hreflang="fr" href="{there}">')
    served.shows(there, f'<link rel="alternate" hreflang="en" href="{SECURE}/">')
    assert codes(pages.check_hreflang, mine, fetched(mine), facts=facts) == []
    served.shows(there, "nothing")
    assert codes(pages.check_hreflang, mine, fetched(mine), facts=facts) == ["hreflang.one-way"]
    del served.replies[there]
    assert codes(pages.check_hreflang, mine, fetched(mine), facts=facts) == ["hreflang.lost"]


# -- signing in ------------------------------------------------------------------------------------------------------

LOGIN, ADMIN = f"{SECURE}/wp-login.php", f"{SECURE}/wp-admin/"
SET = (
    "wordpress_sec_x=a%7Cb; path=/wp-content/plugins; secure; HttpOnly\n"
    "wordpress_sec_x=a%7Cb; path=/wp-admin; secure; HttpOnly\nwordpress_logged_in_x=a%7Cb; path=/; secure; HttpOnly"
)


def signing_in(
    served: Served, cookies: str, status: int = 302, dashboard: int = 200, *, plain: bool = True
) -> list[str]:
    """`plain`: nothing but WordPress runs there, so that the dashboard is asked for."""
    served.shows(LOGIN, status=status, Location=ADMIN, Set_Cookie=cookies)
    served.shows(ADMIN, status=dashboard)
    account = probes.Account("probe", cast(Any, "secret"))
    there = type("Facts", (), {"upgrade_due": False, "plugins": () if plain else ("shop/shop.php",)})
    return codes(probes.check_login, replace(place(served), there=cast(Any, there)), account)


def test_signing_in(served: Served) -> None:
    assert signing_in(served, SET) == []
    assert "log=probe&pwd=secret" in served.posted[0]
    assert signing_in(served, SET, status=200) == ["login.refused"]
    assert signing_in(served, SET.replace("logged_in", "logged_out")) == ["login.refused"]
    assert signing_in(served, SET.replace("secure; ", "")) == ["login.cookie-insecure"]
    assert signing_in(served, SET.replace("path=/wp-admin", "domain=.net.example; path=/wp-admin")) == [
        "login.cookie-domain"
    ]
    assert signing_in(served, SET.replace("path=/", f"domain=.{HOST}; path=/")) == []
    assert signing_in(served, SET, dashboard=302) == ["login.dashboard"]


def test_where_plugins_run_the_dashboard_is_left_alone(served: Served) -> None:
    assert signing_in(served, SET, dashboard=500, plain=False) == []


def test_no_account_is_red_and_no_silent_pass(served: Served) -> None:
    account = probes.Account(why_not="its number is taken")
    assert codes(probes.check_login, place(served), account) == ["login.untried"]
