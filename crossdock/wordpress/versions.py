"""Versions of WordPress, plugins and themes, in the order that PHP's version_compare() gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest

# Parts in ascending order; whatever is no number and not listed comes before all of them.
_FORMS = {"dev": 0, "alpha": 1, "a": 1, "beta": 2, "b": 2, "RC": 3, "rc": 3, "#": 4, "pl": 5, "p": 5}
_UNKNOWN = -1
_MOST = 200


def compare(one: str, other: str) -> int:
    """-1, 0 or 1, as version_compare(one, other)."""
    if not one or not other:
        return bool(one) - bool(other)
    for left, right in zip_longest(_parts(one), _parts(other)):
        found = _compare_parts(left, right)
        if found:
            return found
    return 0


def _parts(version: str) -> list[str]:
    spaced = re.sub(r"[-_+]", ".", version[:_MOST])
    spaced = re.sub(r"(?<=\d)(?=[^\d.])|(?<=[^\d.])(?=\d)", ".", spaced)
    return [part for part in re.split(r"[.]+|[^0-9A-Za-z.#]+", spaced) if part]


def _compare_parts(left: str | None, right: str | None) -> int:
    """A missing part is `#`: below a number, above a release candidate."""
    if left is None or right is None:
        there = left if right is None else right
        sign = 1 if right is None else -1
        return sign if there is not None and there.isdigit() else sign * _by_form(there or "", "#")
    if left.isdigit() and right.isdigit():
        return (int(left) > int(right)) - (int(left) < int(right))
    return _by_form("#" if left.isdigit() else left, "#" if right.isdigit() else right)


def _by_form(left: str, right: str) -> int:
    one, other = _form(left), _form(right)
    return (one > other) - (one < other)


def _form(part: str) -> int:
    return next((rank for name, rank in _FORMS.items() if part.startswith(name)), _UNKNOWN)


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
