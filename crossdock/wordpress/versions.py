"""Versions of WordPress, plugins and themes, in the order that PHP's version_compare() gives them."""

from __future__ import annotations

from dataclasses import dataclass

# Parts in ascending order, by how they begin; whatever begins with none of them comes before all.
_FORMS = (
    ("dev", 0),
    ("alpha", 1),
    ("a", 1),
    ("beta", 2),
    ("b", 2),
    ("RC", 3),
    ("rc", 3),
    ("#", 4),
    ("pl", 5),
    ("p", 5),
)
_NUMBER = "#N#"
_MOST = 200


def compare(one: str, other: str) -> int:
    """-1, 0 or 1, as version_compare(one, other)."""
    return _compare(one[:_MOST], other[:_MOST])


def _compare(one: str, other: str) -> int:
    if not one or not other:
        return bool(one) - bool(other)
    left, right = (text.split(".") if text[0] == "#" else _parts(text) for text in (one, other))
    at = 0
    while True:
        if found := _by_part(left[at], right[at]):
            return found
        at += 1
        more = len(left) > at, len(right) > at
        if not all(more) or not left[at] or not right[at]:
            break
    if more[0]:
        rest = ".".join(left[at:])
        return 1 if _is_digit(rest[:1]) else _compare(rest, _NUMBER)
    if more[1]:
        rest = ".".join(right[at:])
        return -1 if _is_digit(rest[:1]) else _compare(_NUMBER, rest)
    return 0


def _parts(version: str) -> list[str]:
    """The parts: cut at each character that is no letter or digit, and between letters and digits."""
    made, last = version[0], version[0]
    for character in version[1:]:
        turns = _is_digit(character) != _is_digit(last) and character != "." and last != "."
        is_word = character.isascii() and character.isalnum()
        if (turns or not is_word) and not made.endswith("."):
            made += "."
        if is_word or (turns and character not in "-_+"):
            made += character
        last = character
    return made.split(".")


def _by_part(left: str, right: str) -> int:
    if _is_digit(left[:1]) and _is_digit(right[:1]):
        one, other = int(left), int(right)
        return (one > other) - (one < other)
    one, other = (_form(_NUMBER if _is_digit(part[:1]) else part) for part in (left, right))
    return (one > other) - (one < other)


def _form(part: str) -> int:
    return next((rank for name, rank in _FORMS if part.startswith(name)), -1)


def _is_digit(character: str) -> bool:
    return character.isascii() and character.isdigit()


@dataclass(frozen=True)
class VersionRange:
    """Versions from `low` to `high`; `*` is open to that side."""

    low: str = "*"
    high: str = "*"
    with_low: bool = True
    with_high: bool = True

    def __contains__(self, version: str) -> bool:
        above = self.low == "*" or compare(version, self.low) >= (0 if self.with_low else 1)
        below = self.high == "*" or compare(version, self.high) <= (0 if self.with_high else -1)
        return above and below
