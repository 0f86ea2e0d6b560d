from __future__ import annotations

import base64
import pickle

import pytest

from crossdock.wordpress.residue import Residue

HOST = "south.example"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"http://south.example/x https://SOUTH.example", 2),
        (b"//south.example", 1),
        (rb"http:\/\/south.example\/ http:\\\/\\\/south.example", 2),
        (rb"http:\u002F\u002fsouth.example", 1),
        (b"http%3A%2F%2fsouth.example%2Fx %2F%2Fsouth.example", 2),
        (b"http://south.example. End. http://south.example:80/ https://south.example:443", 3),
        (b'"http://south.example" (http://south.example) http://south.example\xe2\x80\x9d', 3),
        (rb'"\n\/\/south.example" "\u0022:\/\/south.example"', 2),
        (b"shop@south.example http://me@south.example http://me:pw@south.example", 0),
        (b"http://south.example@evil.example http://south.example:pw@evil.example", 0),
        (b"http://south.example.org http://south.examples http://south.example-x.org http://south.example_x", 0),
        (b"http://notsouth.example http://a-south.example http://www.south.example", 0),
        (b"http://south.example:8080 http%3A%2F%2Fsouth.example%3A8080", 0),
        (rb"ftp://south.example ftp:\/\/south.example ftp%3A%2F%2Fsouth.example", 0),
        (b"south.example and / south.example", 0),
        (b"", 0),
    ],
)
def test_addresses(value: bytes, left: int) -> None:
    judge = Residue([HOST])
    assert judge.count(value) == left
    if left:
        assert judge.hits([None, b"x", value]) == [2]


def test_a_port_of_its_own() -> None:
    judge = Residue(["south.example:8080"])
    assert judge.count(b"http://south.example:8080/ http%3A%2F%2Fsouth.example%3A8080") == 2
    assert judge.count(b"http://south.example/ http://south.example:80 http://south.example:80801") == 0


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"/var/www/html", 1),
        (b'"/var/www/html/a.php" file:///var/www/html', 2),
        (rb"\/var\/www\/html\/a \n/var/www/html \u002Fvar\u002Fwww\u002Fhtml", 3),
        (b"x=%2Fvar%2Fwww%2Fhtml%2Fa", 1),
        (b"/var/www/html2 /var/www/html-old /var/www/html.bak /srv/var/www/html", 0),
        (b"http://other.example/var/www/html /VAR/www/html", 0),
    ],
)
def test_server_paths(value: bytes, left: int) -> None:
    assert Residue([], ["/var/www/html"]).count(value) == left


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
def test_base64_in_all_alignments(before: bytes) -> None:
    judge = Residue([HOST])
    held = base64.b64encode(before + b'{"u":"http://south.example/x?y>z"}')
    for value in (
        held,
        b'{"k":"' + held + b'"}',
        held.replace(b"/", rb"\/"),
        base64.urlsafe_b64encode(base64.b64decode(held)),
    ):
        assert judge.base64(value) == 1
        assert judge.base64_hits([b"", None, value]) == [2]
        assert judge.count(value) == 0
    lines = b"\r\n".join(held[at : at + 10] for at in range(0, len(held), 10))
    assert judge.base64(lines) == 1


@pytest.mark.parametrize(
    "text", [b"shop@south.example", b"http://south.example.org", b"http://notsouth.example", b"nothing"]
)
def test_base64_of_something_else(text: bytes) -> None:
    assert Residue([HOST]).base64(base64.b64encode(b"xx " + text + b" yy")) == 0


def test_base64_counts_texts() -> None:
    one = base64.b64encode(b"http://south.example/ and http://south.example/")
    assert Residue([HOST]).base64(one + b" " + one) == 2


def test_hits_of_many_values() -> None:
    judge = Residue([HOST], ["/srv/north"])
    values = [b"south", b".example", b"http://South.Example", None, b"", b"/srv/north/x", b"srv"]
    assert judge.hits(values) == [2, 5]
    assert pickle.loads(pickle.dumps(judge)).hits(values) == [2, 5]
