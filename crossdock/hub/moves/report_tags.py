"""What the report's templates may call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from crossdock.hub.moves import report_words
from crossdock.move.report import Proof

register = template.Library()
register.simple_tag(report_words.say, name="say")
register.filter("number", report_words.shown)
register.filter("size", report_words.size)
register.filter("moment", report_words.moment)


@register.simple_tag
def proof_name(proof: Proof) -> str:
    return report_words.say(f"proof_{proof.name}")


@register.simple_tag
def proof_state(proof: Proof) -> str:
    return report_words.say(f"state_{proof.state}")


@register.simple_tag
def proof_text(proof: Proof) -> str:
    if proof.state == "none":
        return report_words.say("none_yet")
    counts = {name: value for name, value in proof.counts.items() if name != "n"}
    return report_words.say(f"proof_{proof.name}_text", **counts)


@register.simple_tag
def page_name(page: str) -> str:
    """A key page's name in the reader's language; one that is not known, as it is."""
    known = f"page_{page}"
    return report_words.say(known) if known in report_words.words("en") else page


@register.filter
def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


@register.filter
def minus(number: int, less: int) -> int:
    return number - less


@register.filter
def total(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


@register.filter
def wrong(table: Mapping[str, Any]) -> int:
    return sum(int(table[name]) for name in ("missing", "extra", "different"))
