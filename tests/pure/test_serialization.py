from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.wordpress.serialization import (
    Malformed,
    PhpEnum,
    PhpObject,
    PhpReference,
    parse,
    scan,
)


def is_serialized(value: bytes) -> bool:
    try:
        parse(value)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"N;", None),
        (b"b:1;", True),
        (b"i:-7;", -7),
        (b"d:1.0E+25;", 1e25),
        (b"d:-INF;", float("-inf")),
        (b's:5:"a";s:";', b'a";s:'),
        (b' \t\n\x0b\0s:1:"a";\r\n', b"a"),
        (rb'S:3:"a\41\00";', b"aA\0"),
        (b'a:2:{i:0;a:0:{}s:1:"k";b:0;}', {0: {}, b"k": False}),
        (b'E:9:"Kind:Easy";', PhpEnum(b"Kind:Easy")),
        (b'C:1:"X":4:{a};}}', PhpObject(b"X", payload=b"a};}")),
        (
            b'O:1:"X":2:{s:4:"\0X\0p";i:1;s:1:"q";r:1;}',
            PhpObject(b"X", {b"\0X\0p": 1, b"q": PhpReference("r", 1)}),
        ),
    ],
)
def test_every_type_is_read(text: bytes, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a",
        b"N",
        b"b:2;",
        b"i:;",
        b"i:1",
        b"d:;",
        b's:2:"a";',
        b's:0:"a";',
        b's:-1:"";',
        b's:99999999999:"a";',
        b's:99999999999999999999999999:"a";',
        b's:1:"a"',
        b"a:1:{i:0;}",
        b"a:1:{i:0;N;",
        b"a:2:{i:0;N;}",
        b"a:0:{i:0;N;}",
        b"a:1:{N;N;}",
        b"a:1:{a:0:{}N;}",
        b"a:1:{R:1;N;}",
        b"a:-1:{}",
        b'O:1:"X":1:{}',
        b'O:2:"X":0:{}',
        b'O:1:"X":0:{',
        b'C:1:"X":9:{a}',
        b'C:1:"X":0:{a}',
        rb'S:2:"\4";',
        rb'S:1:"\zz";',
        b'E:2:"X";',
        b"a:1:{i:0;N;}}",
        b'"http://south.example"',
        b"see: text",
    ],
)
def test_what_php_can_not_read_is_not_serialized(text: bytes) -> None:
    with pytest.raises(Malformed):
        parse(text)


def test_scan_names_each_strings_role_and_place() -> None:
    data = b'O:1:"X":2:{s:1:"p";a:1:{s:1:"k";s:2:"vv";}s:1:"q";C:1:"Y":3:{abc}}tail'
    found = scan(data)
    assert found is not None
    assert data[found.stop :] == b"tail"
    assert [(span.role, data[span.start : span.end]) for span in found.spans] == [
        ("class", b"X"),
        ("property", b"p"),
        ("key", b"k"),
        ("value", b"vv"),
        ("property", b"q"),
        ("class", b"Y"),
        ("payload", b"abc"),
    ]
    assert all(int(data[span.digits : span.digits_end]) == span.end - span.start for span in found.spans)


def test_scan_returns_only_the_strings_that_hold_a_point() -> None:
    data = b's:3:"abc";'
    nested = b"a:3:{" + b"".join(b"i:%d;%s" % (number, data) for number in range(3)) + b"}"
    middle = nested.index(b"abc", nested.index(b"abc") + 1)
    found = scan(nested, points=[0, middle + 1, len(nested) - 1])
    assert found is not None
    assert [span.start for span in found.spans] == [middle]


def test_depth_costs_neither_the_stack_nor_quadratic_time() -> None:
    deep = b"a:1:{i:0;" * 100_000 + b"N;" + b"}" * 100_000
    started = time.perf_counter()
    assert is_serialized(deep)
    assert time.perf_counter() - started < 5
    assert not is_serialized(deep[:-1])


@given(st.binary(max_size=80))
def test_any_bytes_are_answered(data: bytes) -> None:
    for value in (
        data,
        b"a:1:{i:0;" + data,
        b's:5:"' + data,
        b'O:1:"X":1:{' + data,
        b'C:1:"X":3:{' + data,
        b'S:9:"' + data,
    ):
        is_serialized(value)
