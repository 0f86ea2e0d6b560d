"""Which declared lengths an edit changes: PHP-serialized data and JSON, in one another, to any depth.

Works on raw offsets: JSON strings are decoded only to find the lengths in them, never to be encoded again. Only the
parts that hold an edit are read, and nothing recurses.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from crossdock.wordpress.serialization import StringSpan, looks_serialized, scan, trimmed


class Change(NamedTuple):
    """What an edit puts in. Its change of length after n levels of JSON decoding is
    plain + slashes * ((escapes >> n) + 1): `escapes` backslashes stand before each slash."""

    text: bytes
    plain: int
    slashes: int
    escapes: int


Edit = tuple[int, int, Change]  # raw start, raw end

MOST_ESCAPES = 255  # backslashes before a slash: eight levels of JSON in JSON; more is no data anyone wrote

_ESCAPE = re.compile(rb'\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4})|)')
_EASY_ESCAPE = re.compile(rb'\\(["\\/])')
_HARD_ESCAPE = re.compile(rb'\\(?:[^"\\/]|\Z)')
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# The beginning of a JSON string that holds serialized data. No pattern begins with a run of backslashes: a long run
# would be read again from each of its bytes.
_JSON_START = re.compile(rb'"\s*+(?:\\++[nrt]\s*+)*+[aOsC]:\d{1,19}:(?:\{|\\++(?:"|u0022))')
_JSON_INSIDE = re.compile(rb':\\++(?:"|u0022)')
_JSON_BODY = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_PAYLOAD_PART = re.compile(rb'(?<!\w)[aOsSC]:\d{1,19}:["{]')
# How often a search may fail and go on; bounds the time that a hostile value takes.
_MOST_BAD_PARTS = 8  # of a C: payload, each read to its end in Python
_MOST_BAD_STRINGS = 64  # of JSON
_STRICTLY_SERIALIZED = re.compile(rb'(?:a:\d+:\{|[OsC]:\d+:")')
_LOOSELY_SERIALIZED = re.compile(rb"[aOsSCEibdN][:;]")


class _View:
    """Bytes of the value, JSON-decoded `level` times, and the way back to raw offsets."""

    def __init__(
        self, data: bytes, points: list[int], parent: _View | None, marks: tuple[list[int], list[int]]
    ) -> None:
        self.data = data
        self.points = points  # starts of the edits, in this view's offsets
        self.parent = parent
        self.level: int = parent.level + 1 if parent else 0
        self._here, self._there = marks

    def raw(self, at: int) -> int:
        if self.parent is None:
            return at
        view = self
        while view.parent is not None:
            mark = bisect_right(view._here, at) - 1
            at = view._there[mark] + at - view._here[mark]
            view = view.parent
        return at

    def has_points(self, start: int, end: int) -> bool:
        at = bisect_left(self.points, start)
        return at < len(self.points) and self.points[at] < end

    def decoded(self, start: int, end: int) -> _View | None:
        """The JSON string body at data[start:end], decoded once; None when it is none."""
        simple = not _HARD_ESCAPE.search(self.data, start, end)
        made = _decoded_simply(self.data, start, end) if simple else _decoded(self.data, start, end)
        if made is None:
            return None
        text, here, there = made
        points: list[int] = []
        for point in self.points[bisect_left(self.points, start) : bisect_left(self.points, end)]:
            mark = bisect_right(there, point) - 1
            points.append(here[mark] + point - there[mark])
        return _View(text, points, self, (here, there))


# A JSON string decoded, and the offsets after each escape: in it, and where it came from.
_Decoded = tuple[bytes, list[int], list[int]]


def _decoded_simply(data: bytes, start: int, end: int) -> _Decoded:
    """A string in which each escape is a backslash and the byte it stands for: nearly all, and much the faster way."""
    places = [escape.start() for escape in _EASY_ESCAPE.finditer(data, start, end)]
    here = [0, *[place + 1 - start - number for number, place in enumerate(places)]]
    text = data[start:end]
    if b"\0" in text:
        text = _EASY_ESCAPE.sub(rb"\1", text)
    else:  # three passes in C, where sub() makes each replacement in Python
        text = text.replace(b"\\\\", b"\0").replace(b"\\", b"").replace(b"\0", b"\\")
    return text, here, [start, *[place + 2 for place in places]]


def _decoded(data: bytes, start: int, end: int) -> _Decoded | None:
    pieces: list[bytes] = []
    here, there = [0], [start]
    size, done, high = 0, start, 0
    for escape in _ESCAPE.finditer(data, start, end):
        if high and escape.start() != done:
            return None
        text, high = _unescaped(escape, high)
        if text is None:
            return None
        pieces += data[done : escape.start()], text
        size += escape.start() - done + len(text)
        done = escape.end()
        here.append(size)
        there.append(done)
    pieces.append(data[done:end])
    return None if high else (b"".join(pieces), here, there)


def _unescaped(escape: re.Match[bytes], high: int) -> tuple[bytes | None, int]:
    """What a JSON escape stands for, and the first half of a surrogate pair that awaits its second."""
    if escape[2] is None:
        return (None if escape[1] is None or high else _LETTERS.get(escape[1], escape[1])), 0
    code = int(escape[2], 16)
    if high:
        if not 0xDC00 <= code < 0xE000:
            return None, 0
        return chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00).encode(), 0
    if 0xD800 <= code < 0xDC00:
        return b"", code
    return (None if 0xDC00 <= code < 0xE000 else chr(code).encode()), 0


class _Length(NamedTuple):
    """A declared length: its digits and the content it counts, at raw offsets, `level` JSON decodings deep."""

    start: int
    end: int
    digits: int
    digits_end: int
    declared: int
    level: int


class Structure:
    """Finds the lengths around the edits. `edits` loses those that fall on class and property names."""

    def __init__(self, value: bytes, edits: list[Edit]) -> None:
        self.edits = edits
        self.broken = False
        self._value = value
        self._lengths: dict[int, _Length] = {}  # by their digits' place: JSON may be come upon in two ways
        self._names: list[tuple[int, int]] = []
        self._todo: list[tuple[_View, int, int, bool]] = []

    def mend(self) -> list[Edit]:
        """All edits, those of lengths with them, by place."""
        start, end = trimmed(self._value, 0, len(self._value))
        may_hold_json = b"\\" in self._value and b":\\" in self._value  # the single byte is found ten times as fast
        if not may_hold_json and not looks_serialized(self._value, start):
            self.broken = _LOOSELY_SERIALIZED.match(self._value, start, end) is not None
            return self.edits
        top = _View(self._value, [edit[0] for edit in self.edits], None, ([0], [0]))
        self._todo.append((top, 0, len(self._value), False))
        while self._todo:
            view, start, end, is_payload = self._todo.pop()
            if is_payload:
                self._payload(view, start, end)
            else:
                self._region(view, start, end)
        if self._names:
            names = sorted(self._names)
            self.edits = [edit for edit in self.edits if not _within(names, edit[0])]
        if not self._lengths:
            return self.edits
        return sorted([*self.edits, *_mended(self._lengths.values(), self.edits)])

    def _region(self, view: _View, start: int, end: int) -> None:
        """A string: serialized data, or text that may hold JSON."""
        data = view.data
        begin, stop = trimmed(data, start, end)
        found = scan(data, begin, stop, view.points) if looks_serialized(data, begin) else None
        whole = found is not None and found.stop == stop
        if not whole:
            is_value = view.parent is None and start == 0 and end == len(data)
            self.broken |= bool((_LOOSELY_SERIALIZED if is_value else _STRICTLY_SERIALIZED).match(data, begin, stop))
        if found is not None:
            # unserialize() reads the value and ignores what follows it, so the lengths count even then.
            self._spans(view, found.spans)
            begin = found.stop
        if not whole:
            self._text(view, begin, end)

    def _spans(self, view: _View, spans: Iterable[StringSpan]) -> None:
        for span in spans:
            start, end = view.raw(span.start), view.raw(span.end)
            if span.role in ("class", "property"):
                self._names.append((start, end))
                continue
            count = int(view.data[span.digits : span.digits_end])
            digits, digits_end = view.raw(span.digits), view.raw(span.digits_end)
            self._lengths[digits] = _Length(start, end, digits, digits_end, count, view.level)
            if span.role == "payload" or _may_nest(view.data, span):
                self._todo.append((view, span.start, span.end, span.role == "payload"))

    def _payload(self, view: _View, start: int, end: int) -> None:
        """A class's own format: usually serialized values with something between them."""
        failures, pos, done = 0, start, start
        while failures < _MOST_BAD_PARTS:
            part = _PAYLOAD_PART.search(view.data, pos, end)
            if part is None:
                break
            found = scan(view.data, part.start(), end, view.points)
            if found is None:
                failures += 1
                pos = part.start() + 1
                continue
            self._spans(view, found.spans)
            self._text(view, done, part.start())
            pos = done = found.stop
        self._text(view, done, end)

    def _text(self, view: _View, start: int, end: int) -> None:
        """Text: look for JSON strings that hold serialized data, whatever is around them."""
        data = view.data
        if data.find(b":\\", start, end) < 0 or not view.has_points(start, end):
            return
        if not _JSON_INSIDE.search(data, start, end):
            return
        read: dict[int, int] = {}  # how far strings with so many backslashes before their quotes have been read
        for opening in _JSON_START.finditer(data, start, end):
            quote_at = opening.start()
            escapes = _backslashes(data, quote_at, start)
            # JSON in JSON has 1, 3, 7, ... backslashes before a quote.
            if (
                escapes & (escapes + 1)
                or escapes > MOST_ESCAPES
                or quote_at < max(read.get(escapes, 0), read.get(-1, 0))
            ):
                continue
            close, closed = _json_end(data, quote_at + 1, end, escapes)
            read[escapes] = close
            if closed and self._json_string(view, quote_at + 1, close, escapes):
                read[-1] = close
        self._hex_quoted(view, start, end)

    def _hex_quoted(self, view: _View, start: int, end: int) -> None:
        """JSON strings that hold JSON with its quotes written as \\u0022 (JSON_HEX_QUOT): only decoding shows them."""
        data, failures = view.data, 0
        at = data.find(b"u0022", start, end)
        while at >= 0 and failures < _MOST_BAD_STRINGS:
            opening = data.rfind(b'"', start, at)
            escapes = _backslashes(data, opening, start) if opening >= 0 else 2
            close, closed = (at, False) if escapes & (escapes + 1) else _json_end(data, at, end, escapes)
            if not closed:
                failures += 1
            elif not _JSON_START.match(data, opening, end):
                self._json_string(view, opening + 1, close, escapes)
            start = close
            at = data.find(b"u0022", max(close, at + 5), end)

    def _json_string(self, view: _View, start: int, end: int, escapes: int) -> bool:
        """Go into a JSON string; False when it can't be decoded."""
        if not view.has_points(start, end):
            return True
        inner = view.decoded(start, end)
        for _ in range((escapes + 1).bit_length() - 1):
            inner = inner and inner.decoded(0, len(inner.data))
        if inner is None:
            return False
        self._todo.append((inner, 0, len(inner.data), False))
        return True


def _may_nest(data: bytes, span: StringSpan) -> bool:
    """A cheap test whether a string may itself hold lengths."""
    start, end = span.start, span.end
    if span.escaped and data.find(b"\\", start, end) >= 0:
        return False
    return data[start] <= 0x20 or data[start + 1 : start + 2] in (b":", b";") or data.find(b":\\", start, end) >= 0


def _backslashes(data: bytes, at: int, floor: int) -> int:
    """How many backslashes stand before `at`."""
    begin = at
    while begin > floor and data[begin - 1] == 0x5C:
        begin -= 1
    return at - begin


def _json_end(data: bytes, start: int, end: int, escapes: int) -> tuple[int, bool]:
    """Where the body of a JSON string ends, whose quotes have `escapes` backslashes before them, and whether it does:
    False where a string around it ends first, or the data."""
    if not escapes:
        body = _JSON_BODY.match(data, start, end)
        at = body.end() if body else end
        return at, at < end and data[at] == 0x22
    at = data.find(b'"', start, end)
    while at >= 0:
        run = _backslashes(data, at, start)
        if run % (2 * escapes + 2) == escapes:
            return at - escapes, True
        if run < escapes:
            return at, False
        at = data.find(b'"', at + 1, end)
    return end, False


def _within(spans: list[tuple[int, int]], at: int) -> bool:
    number = bisect_right(spans, (at, len(spans) and spans[-1][1])) - 1
    return number >= 0 and spans[number][0] <= at < spans[number][1]


class _Open:
    """A length whose content is being gone through, and how much its content grows."""

    def __init__(self, length: _Length) -> None:
        self.length = length
        self.plain = 0
        self.slashes: dict[int, int] = {}  # by the backslashes before each

    def add(self, plain: int, slashes: Iterable[tuple[int, int]]) -> None:
        self.plain += plain
        for escapes, count in slashes:
            self.slashes[escapes] = self.slashes.get(escapes, 0) + count

    def closed(self) -> Edit | None:
        """The edit of the digits; None when the length stays."""
        length = self.length
        grown = self.plain + sum(count * ((escapes >> length.level) + 1) for escapes, count in self.slashes.items())
        if not grown:
            return None
        digits = b"%d" % (length.declared + grown)
        change = Change(digits, len(digits) - (length.digits_end - length.digits), 0, 0)
        return length.digits, length.digits_end, change


def _mended(lengths: Iterable[_Length], edits: list[Edit]) -> list[Edit]:
    """The edits of the digits. Lengths nest: one sweep, in which each that closes adds its growth to the outer one."""
    made: list[Edit] = []
    stack: list[_Open] = []

    def close(before: int) -> None:
        while stack and stack[-1].length.end <= before:
            inner = stack.pop()
            digits = inner.closed()
            if digits is not None:
                made.append(digits)
            if stack:
                stack[-1].add(inner.plain + (digits[2].plain if digits else 0), inner.slashes.items())

    waiting = iter(sorted(lengths, key=lambda length: (length.start, -length.end)))
    length = next(waiting, None)
    for start, _, change in edits:
        while length is not None and length.start <= start:
            close(length.start)
            stack.append(_Open(length))
            length = next(waiting, None)
        close(start)
        if stack:
            stack[-1].add(change.plain, ((change.escapes, change.slashes),))
    while stack:
        close(stack[-1].length.end)
    return made
