"""assessment.json as tables for a screen: whatever it holds is shown, also what a later version adds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MOST_ROWS = 500
_MOST_TEXT = 400
# These have their own screens, or are for programs.
_LEFT_OUT = frozenset({"findings", "facts", "version"})


@dataclass(frozen=True)
class Section:
    """A table. `more` is how many rows are not shown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


def sections(facts: Any) -> list[Section]:
    """Sources, targets, then everything else that assessment.json has. Errors: ValueError where it is no object."""
    if not isinstance(facts, dict):
        raise ValueError("assessment.json is not an object")  # noqa: TRY004 - as json.loads for what can't be read
    first = [name for name in ("sources", "targets") if name in facts]
    names = [*first, *sorted(set(facts) - set(first) - _LEFT_OUT)]
    return [section for name in names for section in _sections(name, facts[name])]


def _sections(name: str, value: Any) -> Iterator[Section]:
    """A list of objects, or an object of objects, is a table; anything else a table of names and values."""
    title = name.replace("_", " ").capitalize()
    rows = [{"name": key, **one} for key, one in value.items()] if _all_objects(value) else value
    if isinstance(rows, list) and rows and all(isinstance(one, dict) for one in rows):
        columns = tuple(dict.fromkeys(key for one in rows[:_MOST_ROWS] for key in one))
        cells = tuple(tuple(_text(one.get(key)) for key in columns) for one in rows[:_MOST_ROWS])
        heads = tuple(key.replace("_", " ") for key in columns)
        yield Section(title, heads, cells, max(0, len(rows) - _MOST_ROWS))
    elif isinstance(value, dict) and value:
        pairs = [(str(key), _text(one)) for key, one in value.items()]
        yield Section(title, ("", ""), tuple(pairs[:_MOST_ROWS]), max(0, len(pairs) - _MOST_ROWS))
    elif value not in (None, [], {}, ""):
        yield Section(title, ("",), ((_text(value),),))


def _all_objects(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(one, dict) for one in value.values())


def _text(value: Any) -> str:
    """Flat: the counts of what is nested deeper, or its first members."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            inner = {key: one for key, one in value.items() if not isinstance(one, dict | list)}
            told = ", ".join(f"{key} {_text(one)}" for key, one in inner.items())
            deeper = len(value) - len(inner)
            return _short(f"{told}{'; ' if told and deeper else ''}{f'{deeper} more' if deeper else ''}")
        case list():
            return _short(", ".join(_text(one) for one in value[:20]) + (" ..." if len(value) > 20 else ""))
        case _:
            return _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} ..."
