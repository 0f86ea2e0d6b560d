"""The report's own words, numbers and dates in each language. Which language it is, Django's translation says."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from django.utils import dateformat, formats, translation

LANGUAGES = ("en", "de", "el", "ja")
_UNITS = ("B", "kB", "MB", "GB", "TB")


@cache
def words(language: str) -> dict[str, str]:
    """All words of a language, by key."""
    file = resources.files("crossdock.hub.moves").joinpath("words", f"{language}.toml")
    found: dict[str, str] = tomllib.loads(file.read_text(encoding="utf-8"))
    return found


def say(key: str, **values: Any) -> str:
    """A text with its values put in, numbers in the language's form. Errors: KeyError for a key that is not there."""
    known = words(translation.get_language() or LANGUAGES[0])
    found = known.get(f"{key}_one") if values.get("n") == 1 or values.get("stores") == 1 else None
    return (found or known[key]).format_map({name: shown(value) for name, value in values.items()})


def shown(value: Any) -> str:
    """A value as a reader of the language writes it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(formats.number_format(value, force_grouping=True))
    return str(formats.number_format(round(value, 2), force_grouping=True))


def percent(value: float) -> str:
    return say("percent", n=str(formats.number_format(value, decimal_pos=2)))


def size(count: int) -> str:
    """Bytes in powers of 1000, with one decimal from kB on."""
    amount, unit = float(count), 0
    while amount >= 999.95 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{formats.number_format(amount, decimal_pos=1 if unit else 0)} {_UNITS[unit]}"


def day(at: str) -> str:
    """The date of an RFC 3339 timestamp, in UTC."""
    return dateformat.format(_moment(at), words(translation.get_language() or LANGUAGES[0])["date"])


def moment(at: str) -> str:
    """Date and time of an RFC 3339 timestamp, in UTC."""
    return f"{day(at)}, {_moment(at):%H:%M} UTC"


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC)
