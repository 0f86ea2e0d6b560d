"""The entries of a JSON object or array, one after another: a feed of any size in the memory of its largest entry."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

MOST_CHARACTERS = 32 << 20
_SPACE = " \t\r\n"
_BEHIND = (*_SPACE, ",", ":", "]", "}")


class Broken(ValueError):  # noqa: N818  an answer about data, not a failure of ours
    """The text is no whole JSON object or array; says where and why."""


def entries(pieces: Iterable[bytes], *, most_characters: int = MOST_CHARACTERS) -> Iterator[tuple[str, Any]]:
    """(key, value) of the outermost object, or (position, value) of the outermost array.

    Errors: Broken (no JSON, truncated, no UTF-8, an entry larger than `most_characters`).
    """
    text = _Text(pieces, most_characters)
    opening = text.peek()
    if opening not in ("{", "["):
        raise Broken(f"begins with {opening!r}, not with an object or array" if opening else "is empty")
    text.take(opening)
    closing = "}" if opening == "{" else "]"
    position = 0
    while text.peek() != closing:
        if position:
            text.take(",")
        key = str(position)
        if closing == "}":
            key = text.value()
            if not isinstance(key, str):
                raise Broken(f"entry {position} has no name")
            text.take(":")
        yield key, text.value()
        position += 1
    text.take(closing)
    if rest := text.peek():
        raise Broken(f"goes on with {rest!r} behind its end")


class _Text:
    """The text that is not read yet."""

    def __init__(self, pieces: Iterable[bytes], most: int) -> None:
        self._pieces, self._most = iter(pieces), most
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._buffer, self._at, self._passed = "", 0, 0

    def peek(self) -> str:
        """The next character that is no space, '' at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        found = self.peek()
        if found != character:
            there = repr(found) if found else "the end: it is cut off"
            raise Broken(f"character {self._passed + self._at}: {character!r} was due, there is {there}")
        self._at += 1

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if not self._more():
                    raise Broken(f"character {self._passed + self._at}: cut off, or no JSON ({error})") from None
                continue
            if self._buffer[end : end + 1] not in _BEHIND and self._more():
                continue  # the next piece goes on with this number
            self._at = end
            return value

    def _more(self) -> bool:
        for piece in self._pieces:
            try:
                text = self._decoder.decode(piece)
            except UnicodeDecodeError:
                raise Broken(f"is not UTF-8 behind character {self._passed + len(self._buffer)}") from None
            self._passed += self._at
            self._buffer, self._at = self._buffer[self._at :] + text, 0
            if len(self._buffer) > self._most:
                raise Broken(f"character {self._passed}: one entry is longer than {self._most} characters")
            return True
        return False
