"""What templates need beyond Django's own: a query string with one value changed, and sizes."""

from __future__ import annotations

import json
from typing import Any

from django import template
from rich.filesize import decimal

register = template.Library()


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changed: object) -> str:
    """The page's query string with these values instead; an empty one leaves its name out."""
    values = context["request"].GET.copy()
    for name, value in changed.items():
        values.pop(name, None)
        if value not in ("", None):
            values[name] = str(value)
    return f"?{values.urlencode()}"


@register.filter
def size(count: int) -> str:
    return decimal(count)


@register.filter
def thousands(count: float) -> str:
    return f"{count:,.0f}"


@register.filter
def pairs(text: str) -> list[tuple[str, str]]:
    """A receipt's data for people: name and value, deeper ones as JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return [("", text)]
    if not isinstance(found, dict):
        return [("", text)]
    return [(name, one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) for name, one in found.items()]


@register.filter
def duration(seconds: float | None) -> str:
    """h:mm:ss, or seconds."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}" if minutes else f"{rest} s"
