"""The chain's law: how a receipt is linked, and how a whole chain is checked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from crossdock.core.errors import EvidenceError
from crossdock.core.evidence import GENESIS, Json, Receipt, canonical, digest_of
from crossdock.core.secrets import Masked

# RFC 8785 numbers are IEEE doubles: beyond this an integer would silently become another one.
LARGEST_INTEGER = 2**53 - 1


@dataclass(frozen=True)
class Chain:
    """A chain as it was found. `fault` is empty where it holds; `bad_number` is then 0. `since` counts the receipts
    after the expected head."""

    receipts: tuple[Receipt, ...]
    head: str
    fault: str = ""
    bad_number: int = 0
    since: int = 0

    @property
    def holds(self) -> bool:
        return not self.fault


@dataclass(frozen=True)
class Stage:
    """How far a run's present stage is. `total` is 0 where unknown, else an estimate."""

    stage: str
    noun: str
    done: int
    total: int
    bytes_done: int
    began: datetime
    updated: datetime
    finished: bool

    @property
    def rate(self) -> float:
        """Things a second since the stage began."""
        return self.done / max((self.updated - self.began).total_seconds(), 0.001)

    @property
    def percent(self) -> int | None:
        """None where nobody knows the total. Never 100 before the end."""
        if self.finished:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else None

    @property
    def seconds_left(self) -> int | None:
        if self.finished or not self.total or not self.done:
            return None
        return round(max(self.total - self.done, 0) / self.rate)


def canonical_text(data: Json, what: str) -> str:
    """The canonical JSON of `data`. Errors: EvidenceError naming the place that can't be written exactly."""
    for place, why in _unfit(data, "data"):
        raise EvidenceError(f"{place}: {why}", where=what, way_out="evidence holds keys, counts, hashes; write text")
    return canonical(data).decode("utf-8")


def plain_text(text: str, what: str) -> str:
    """`text`, if it can be a receipt's step or subject: one printable line. Errors: EvidenceError."""
    if not text.isprintable():
        raise EvidenceError(f"{text!r} can't be a receipt's {what}", way_out="use printable text without line breaks")
    return text


def _unfit(value: Any, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case None | bool():
            pass
        case Masked():
            yield place, "is a secret"
        case str():
            if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
                yield place, "holds half of a surrogate pair, which is no Unicode text"
        case int():
            if abs(value) > LARGEST_INTEGER:
                yield place, "an integer beyond 2^53 loses digits in JSON"
        case float():
            if not isfinite(value):
                yield place, "NaN and infinity are no JSON numbers"
        case dict():
            for key, inner in value.items():
                if not isinstance(key, str):
                    yield place, f"the key {key!r} is not text"
                yield from _unfit(key, f"{place}.{key}") if isinstance(key, str) else ()
                yield from _unfit(inner, f"{place}.{key}")
        case list() | tuple():
            for position, inner in enumerate(value):
                yield from _unfit(inner, f"{place}[{position}]")
        case _:
            yield place, f"a {type(value).__name__} is no JSON value"


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def linked(last: tuple[int, str] | None, content: Json) -> Receipt:
    """The receipt after `last` (its number and digest). `content` has run, step, subject, at and data."""
    number, previous = last or (0, GENESIS)
    body = {**content, "number": number + 1, "previous": previous}
    return Receipt(**body, digest=digest_of(body))


def checked(receipts: Iterable[Receipt], expected_head: str = "") -> Chain:
    """Checks receipts in the order in which they are stored. `expected_head` is the digest of a receipt that must
    still be there: the head printed by an earlier check, or by a report. Without it a cut tail can't be seen."""
    found = tuple(receipts)
    head = found[-1].digest if found else GENESIS
    for position, receipt in enumerate(found):
        why = _fault(receipt, found[position - 1] if position else None)
        if why:
            return Chain(found, head, why, receipt.number)
    digests = [GENESIS, *(receipt.digest for receipt in found)]
    if expected_head and expected_head.lower() not in digests:
        why = f"the expected head {expected_head} is not in the chain: its end was cut off or written anew"
        return Chain(found, head, why, len(found) + 1)
    since = len(found) - digests.index(expected_head.lower()) if expected_head else 0
    return Chain(found, head, since=since)


def _fault(receipt: Receipt, before: Receipt | None) -> str:
    number, previous = (before.number, before.digest) if before else (0, GENESIS)
    if receipt.number == number:
        return "its number is there twice"
    if receipt.number < number:
        return f"it stands after receipt {number}: the order was changed"
    if receipt.number > number + 1:
        missing = str(number + 1) if receipt.number == number + 2 else f"{number + 1} to {receipt.number - 1}"
        return f"receipt {missing} before it is missing"
    if _digest(receipt) != receipt.digest:
        return "its content was changed: the digest does not match"
    if receipt.previous != previous:
        return f"it is not linked to receipt {number}: one of the two was replaced"
    return ""


def _digest(receipt: Receipt) -> str:
    return "" if next(_unfit(receipt.content(), ""), None) else digest_of(receipt.content())
