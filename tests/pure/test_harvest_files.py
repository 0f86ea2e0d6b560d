"""Access logs and sitemaps as servers write them, and as they should not."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator

import pytest

from crossdock.core.redirects import Address
from crossdock.formats.access_log import Traffic, read_log
from crossdock.formats.sitemap_files import parse_robots, parse_sitemap

WANTED = frozenset({"p", "product_id"})
TAIL = '"http://a.example/" "Mozilla/5.0 \\"quoted\\""'


def traffic(*lines: str, most: int = 1000) -> Traffic:
    made = Traffic()
    read_log([("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")], made, wanted=WANTED, most=most)
    return made


def line(request: str, status: int = 200, before: str = "") -> str:
    return f'{before}203.0.113.9 - - [25/Nov/2026:08:57:01 +0000] "{request}" {status} 512 {TAIL}'


def test_the_combined_format_with_and_without_a_host() -> None:
    made = traffic(
        line("GET /a/ HTTP/1.1"),
        line("HEAD /a/ HTTP/2.0", 301),
        line("GET /b HTTP/1.1", 404, "east.example:8080 "),
        line("GET http://www.A.example:80/c?x=1 HTTP/1.1"),
        '::1 - ada [25/Nov/2026:08:57:01 +0000] "GET /v6 HTTP/1.1" 200 - "-" "-"',
    )
    assert {str(address): (one.hits, one.status) for address, one in made.seen.items()} == {
        "/a/": (2, 200), "east.example/b": (1, 404), "www.a.example/c": (1, 200), "/v6": (1, 200),
    }  # fmt: skip
    assert (made.lines, made.foreign) == (5, 0)


def test_only_what_a_visitor_could_see_counts() -> None:
    made = traffic(
        line("POST /checkout HTTP/1.1"), line("GET /broken HTTP/1.1", 500), line("GET /login HTTP/1.1", 403),
        line("OPTIONS * HTTP/1.0"), line("GET * HTTP/1.0"),
    )  # fmt: skip
    ours = line("GET /asked-by-us HTTP/1.1").replace("Mozilla/5.0", "Crossdock/0.1.0")
    assert traffic(ours).seen == made.seen == {}
    assert made.foreign == 0


def test_queries_keep_what_makes_another_address_and_no_personal_data() -> None:
    made = traffic(line("GET /?utm_source=x&p=17&email=ada@a.example HTTP/1.1"), line("GET /s/?q=secret#x HTTP/1.1"))
    assert list(map(str, made.seen)) == ["/?p=17", "/s/"]


def test_escapes_and_foreign_bytes_have_one_spelling() -> None:
    made = traffic(
        line(r"GET /gr\xC3\xB6\xC3\x9Fe HTTP/1.1"), line("GET /größe HTTP/1.1"), line("GET /gr%c3%b6%c3%9fe HTTP/1.1")
    )
    assert {address.path: one.hits for address, one in made.seen.items()} == {"/gr%C3%B6%C3%9Fe": 3}
    assert list(map(str, traffic(line("GET /\udcff HTTP/1.1")).seen)) == ["/%FF"]


def test_what_is_no_log_is_counted() -> None:
    made = traffic(
        "<?xml version='1.0'?>",
        "",
        "\x16\x03\x01",
        line(r"\x16\x03 HTTP/1.1", 400),
        line("GET /" + "a" * 5000 + " HTTP/1.1"),
    )
    assert made.seen == {}
    assert made.foreign == 4


def test_millions_of_lines_stay_small() -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(20_000):
            yield (
                line(f"GET /bot-{number} HTTP/1.1", 404).encode() + b"\n" + line("GET /home/ HTTP/1.1").encode() + b"\n"
            )

    made = Traffic()
    tracemalloc.start()
    read_log(pieces(), made, wanted=WANTED, most=500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.lines == 40_000
    assert made.seen[Address("", "/home/")].hits == 20_000
    assert len(made.seen) <= 500
    assert made.dropped > 15_000
    assert peak < 4 << 20


def test_a_line_without_an_end_is_cut() -> None:
    made = Traffic()
    read_log([b"x" * (1 << 20)] * 8 + [b"\n", line("GET /a HTTP/1.1").encode()], made, wanted=WANTED)
    assert list(map(str, made.seen)) == ["/a"]


# -- sitemaps --------------------------------------------------------------------------------------------------------


def test_sitemaps_and_indexes() -> None:
    index = b"<?xml version='1.0'?><sitemapindex xmlns='x'><sitemap><loc>http://a.example/s.xml</loc></sitemap></sitemapindex>"
    assert parse_sitemap(index) == (("http://a.example/s.xml",), ())
    pages = "<urlset><url><loc>\n http://a.example/?a=1&amp;p=2 </loc><image:loc><![CDATA[http://a.example/ö.jpg]]></image:loc></url></urlset>"
    assert parse_sitemap(pages.encode()).pages == ("http://a.example/?a=1&p=2", "http://a.example/ö.jpg")
    assert parse_sitemap(gzip.compress(pages.encode())).pages[0] == "http://a.example/?a=1&p=2"
    assert parse_sitemap(b"<urlset></urlset>") == ((), ())


def test_sitemaps_that_are_none_or_bombs() -> None:
    with pytest.raises(ValueError, match="no sitemap"):
        parse_sitemap(b"<html><title>Not found</title></html>")
    with pytest.raises(ValueError, match="more than 50 MB"):
        parse_sitemap(gzip.compress(b"\0" * (60 << 20), 9))
    with pytest.raises(ValueError, match="gzip"):
        parse_sitemap(b"\x1f\x8b\x08broken")
    bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><urlset><url><loc>http://a.example/&b;</loc></url></urlset>"
    assert parse_sitemap(bomb).pages == ("http://a.example/&b;",)


def test_robots_names_its_sitemaps() -> None:
    text = "User-agent: *\nDisallow: /wp-admin/\nSitemap: http://a.example/one.xml\n sitemap :http://a.example/two.xml.gz\r\n"
    assert parse_robots(text) == ("http://a.example/one.xml", "http://a.example/two.xml.gz")
