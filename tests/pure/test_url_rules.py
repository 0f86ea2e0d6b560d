from __future__ import annotations

import pytest

from crossdock.core.errors import ConfigError
from crossdock.wordpress.rewriting import Rewriter, UrlRule
from crossdock.wordpress.url_rules import parsed_address, url_rules


def rewritten(text: str, *urls: str) -> str:
    return Rewriter(url_rules(urls)).rewrite(text.encode()).value.decode()


def test_a_pair_is_a_rule() -> None:
    assert url_rules(["http://WWW.Shop.example:8080/a/b/", "HTTPS://there.example:443/"]) == [
        UrlRule("www.shop.example:8080", "/a/b", "https", "there.example", "", any_scheme=True)
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://shop.example/x", "https://n.example/s/x"),
        ("HTTPS://SHOP.example", "https://n.example/s"),
        ("//shop.example:443?a", "//n.example/s?a"),
        (r"http:\/\/shop.example\/x", r"https:\/\/n.example\/s\/x"),
        ("http%3A%2F%2Fshop.example%2Fx", "https%3A%2F%2Fn.example%2Fs%2Fx"),
        ("ann@shop.example http://shop.example.org http://shop.example:8080", None),
    ],
)
def test_what_is_an_address(before: str, after: str | None) -> None:
    assert rewritten(before, "https://shop.example", "https://n.example/s") == (after or before)


def test_hosts_that_are_not_ascii_are_found_in_both_forms() -> None:
    for given in ("https://bücher.example", "https://xn--bcher-kva.example"):
        text = "//bücher.example //xn--bcher-kva.example"
        assert rewritten(text, given, "https://a.example") == "//a.example //a.example"
    assert rewritten("//a.example", "https://a.example", "https://bücher.example") == "//xn--bcher-kva.example"


def test_paths_that_are_not_ascii_are_found_in_each_form() -> None:
    text = "//a.example/größe/ //a.example/gr%C3%B6%C3%9Fe/ //a.example/gr%c3%b6%c3%9fe/ //a.example/andere/"
    expected = "//b.example/ " * 3 + "//a.example/andere/"
    for path in ("größe", "gr%C3%B6%C3%9Fe", "gr%c3%b6%c3%9fe"):
        assert rewritten(text, f"https://a.example/{path}", "https://b.example") == expected
    assert rewritten("//b.example", "http://b.example", "http://a.example/größe") == "//a.example/gr%C3%B6%C3%9Fe"


@pytest.mark.parametrize(
    "url",
    [
        "", "shop.example", "//shop.example", "ftp://shop.example", "https://", "https:///x", "https://a b.example",
        "https://a.example?x=1", "https://a.example/#x", "https://a.example/?", "https://me@a.example",
        "https://a.example:http", "https://a.example:99999", "https://[::1]/", "https://-a.example", "https://a..example",
        "https://a.example/x'y", "https://a.example/\\x", "https://a.example/\n", "https://a.example/<b>", "https://..",
        "mailto:a@a.example", "https://ü\u200d.example", "https://" + "a" * 300 + ".example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    for pair in ((url, "https://n.example"), ("https://n.example", url)):
        with pytest.raises(ConfigError) as told:
            url_rules(pair)
        assert repr(url) in str(told.value)
        assert told.value.way_out


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        ([], "each FROM needs its TO"),
        (["https://a.example"], "each FROM needs its TO"),
        (["https://a.example", "https://a.example/"], "the same"),
        (["https://a.example", "https://b.example", "http://A.example/", "https://c.example"], "given twice"),
        (["https://a.example:443", "https://b.example", "http://a.example:80", "https://c.example"], "given twice"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(urls: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        url_rules(urls)


def test_only_the_scheme_may_change() -> None:
    assert rewritten("http://a.example/x", "http://a.example", "https://a.example") == "https://a.example/x"
    assert str(parsed_address("HTTP://A.example:80/x/")) == "http://a.example/x"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ftp://shop.example/a", b"https://new.example/a"),
        (b'{"a":"wss:\\/\\/SHOP.example\\/s"}', b'{"a":"https:\\/\\/new.example\\/s"}'),
        (b"x=sftp%3A%2F%2Fshop.example%2Fa", b"x=https%3A%2F%2Fnew.example%2Fa"),
        (rb"line\nftp://shop.example", rb"line\nhttps://new.example"),
        (rb"\u0022git+ssh://shop.example", rb"\u0022https://new.example"),
        (b"a%22ws://shop.example", b"a%22https://new.example"),
        (b"12ws://shop.example", b"12https://new.example"),
        (b's:20:"ftp://shop.example/a";', b's:21:"https://new.example/a";'),
        (b"//shop.example/a", b"//new.example/a"),
        (b"'://shop.example/a", b"'://new.example/a"),
        (b"mailto:ann@shop.example", b"mailto:ann@shop.example"),
        (b"ftp://other.shop.example", b"ftp://other.shop.example"),
        (b"x" * 40 + b"://shop.example", b"x" * 40 + b"://shop.example"),
    ],
)
def test_any_scheme_before_the_host_is_a_match(before: bytes, after: bytes) -> None:
    rewriter = Rewriter(url_rules(["http://shop.example", "https://new.example"]))
    for _ in range(2):
        assert rewriter.rewrite(before).value == after
