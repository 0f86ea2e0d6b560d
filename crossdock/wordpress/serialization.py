"""PHP's serialize() format, read byte-exactly: where its strings lie, and what it says.

PHP counts bytes, so everything here works on bytes. The grammar is the one of PHP 8's unserialize(), checked against
the real one in tests/edges/test_rewriting_oracle.py. Nothing recurses, so that depth is bounded by the value's size
only, and a declared length is compared with the data before anything is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crossdock.wordpress import _native

# WordPress trims a value with PHP's trim() before it unserializes it.
WHITESPACE = b" \t\n\r\0\x0b"

_FLOAT = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|-?INF|NAN"
# One token. The number of the group that matched tells its kind; at most 19 digits, so that no length is a huge int.
_TOKEN = re.compile(
    rb's:(\d{1,19}):"'
    rb"|i:[+-]?\d+(;)"
    rb"|(?:b:[01]|N|d:(?:" + _FLOAT + rb"))(;)"
    rb"|a:(\d{1,19}):\{"
    rb'|O:(\d{1,19}):"'
    rb"|[rR]:\d+(;)"
    rb'|S:(\d{1,19}):"'
    rb'|C:(\d{1,19}):"'
    rb'|E:(\d{1,19}):"'
)
_STRING, _INT, _SCALAR, _ARRAY, _OBJECT, _REFERENCE, _ESCAPED, _CUSTOM, _ENUM = range(1, 10)
_BODY = re.compile(rb'":(\d{1,19}):\{')
_ESCAPE = re.compile(rb"\\([0-9a-fA-F]{2})")
_START = re.compile(rb"[aOsSCE]:\d{1,19}:|[ibd]:[-+.\dIN]|N;|[rR]:\d")


class StringSpan(NamedTuple):
    """One string token: its length's digits are data[digits:digits_end], its content data[start:end].

    role: 'value', 'key' (of an array), 'property' (an object's), 'class' (a class or enum case) or 'payload' (of C:).
    """

    role: str
    digits: int
    digits_end: int
    start: int
    end: int
    escaped: bool = False  # S: the length counts each \\xx as one byte


class Scan(NamedTuple):
    stop: int  # where the serialized value ends
    spans: list[StringSpan]


class Malformed(ValueError):  # noqa: N818 - an answer about data, not a failure of ours
    """The bytes are not PHP-serialized data."""


def looks_serialized(data: bytes, start: int = 0) -> bool:
    """Whether the data at `start` begins like serialized data (a cheap test before scan())."""
    return _START.match(data, start) is not None


def trimmed(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The span data[start:end] without the whitespace that PHP's trim() removes."""
    while start < end and data[start] in WHITESPACE:
        start += 1
    while end > start and data[end - 1] in WHITESPACE:
        end -= 1
    return start, end


def scan(data: bytes, start: int = 0, end: int | None = None, points: Sequence[int] | None = None) -> Scan | None:
    """The serialized value that begins at `start`, or None when there is none that ends by `end`.

    With `points` (sorted offsets) only the strings that hold one of them are returned; without, all of them.
    """
    wanted = points if points is None or isinstance(points, list) else list(points)
    found = _native.scan(data, start, len(data) if end is None else end, wanted)
    return None if found is None else Scan(found[0], [StringSpan._make(span) for span in found[1]])


def _escaped_end(data: bytes, pos: int, count: int, end: int) -> int:
    """Offset after `count` bytes of an S: string, in which \\xx is one byte."""
    while True:
        if pos + count > end:
            raise Malformed
        escape = data.find(b"\\", pos, pos + count)
        if escape < 0:
            return pos + count
        if not _ESCAPE.match(data, escape, end):
            raise Malformed
        count -= escape - pos + 1
        pos = escape + 3


@dataclass
class PhpObject:
    """An object as parse() returns it: its class, and either its properties (raw names) or its C: payload."""

    name: bytes
    properties: dict[PhpKey, PhpValue] = field(default_factory=dict)
    payload: bytes | None = None


class PhpReference(NamedTuple):
    kind: str  # 'R' or 'r'
    slot: int


class PhpEnum(NamedTuple):
    case: bytes  # b'Class:Case'


PhpKey = int | bytes
PhpValue = None | bool | int | float | bytes | dict[PhpKey, "PhpValue"] | PhpObject | PhpReference | PhpEnum


def parse(value: bytes) -> PhpValue:
    """The PHP value, trimmed as WordPress does: arrays as dicts (in order), strings as bytes. Malformed otherwise."""
    start, end = trimmed(value, 0, len(value))
    found = scan(value, start, end, ())
    if found is None or found.stop != end:
        raise Malformed("not PHP-serialized data")
    return _build(value, start)


@dataclass
class _Open:
    """A container that is still being filled."""

    items: dict[PhpKey, PhpValue]
    left: int  # items still due; a key is due where it is even
    key: PhpKey = 0


def _build(data: bytes, pos: int) -> PhpValue:
    """Build what scan() has proved to be well formed."""
    top = _Open({}, 1)
    stack = [top]
    while len(stack) > 1 or top.left:
        into = stack[-1]
        if not into.left:
            stack.pop()
            pos += 1
            continue
        token = _TOKEN.match(data, pos)
        if token is None:
            raise Malformed
        item, opened, pos = _item(data, token)
        is_key = len(stack) > 1 and not into.left & 1
        into.left -= 1
        if not is_key:
            into.items[into.key] = item
        elif isinstance(item, int | bytes):
            into.key = item
        if opened is not None:
            stack.append(opened)
    return top.items[0]


def _item(data: bytes, token: re.Match[bytes]) -> tuple[PhpValue, _Open | None, int]:
    """The value that `token` begins, the container to fill if it opened one, and the offset after it."""
    kind, pos, text = token.lastindex, token.end(), token[0]
    if kind == _STRING:
        stop = pos + int(token[1])
        return data[pos:stop], None, stop + 2
    if kind == _INT:
        return int(text[2:-1]), None, pos
    if kind == _SCALAR:
        if text == b"N;":
            return None, None, pos
        return (text == b"b:1;" if text[:1] == b"b" else float(text[2:-1])), None, pos
    if kind == _REFERENCE:
        return PhpReference(text[:1].decode(), int(text[2:-1])), None, pos
    if kind == _ARRAY:
        items: dict[PhpKey, PhpValue] = {}
        return items, _Open(items, 2 * int(token[4])), pos
    return _rare_item(data, token)


def _rare_item(data: bytes, token: re.Match[bytes]) -> tuple[PhpValue, _Open | None, int]:
    kind, pos = token.lastindex, token.end()
    if kind == _ESCAPED:
        stop = _escaped_end(data, pos, int(token[7]), len(data))
        return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), data[pos:stop]), None, stop + 2
    stop = pos + int(token[kind or 0])
    name = data[pos:stop]
    if kind == _ENUM:
        return PhpEnum(name), None, stop + 2
    body = _BODY.match(data, stop)
    if body is None:
        raise Malformed
    begin, count = body.end(), int(body[1])
    if kind == _CUSTOM:
        return PhpObject(name, payload=data[begin : begin + count]), None, begin + count + 1
    made = PhpObject(name)
    return made, _Open(made.properties, 2 * count), begin
