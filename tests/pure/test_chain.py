"""The chain's law, without a database: every change but a cut end is seen, and that one by the head that was kept."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import EvidenceError
from crossdock.core.evidence import GENESIS, Receipt, digest_of
from crossdock.hub.runs.rules import LARGEST_INTEGER, canonical_text, checked, linked

SCALARS = st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.text(max_size=5)
DATA = st.dictionaries(st.text(max_size=5), SCALARS | st.lists(SCALARS, max_size=3), max_size=3)


def chain_of(contents: list[dict[str, Any]]) -> list[Receipt]:
    receipts: list[Receipt] = []
    for data in contents:
        last = (receipts[-1].number, receipts[-1].digest) if receipts else None
        content = {"run": "r", "step": "copy", "subject": "wp_posts", "at": "2026-11-23T08:00:00.000Z", "data": data}
        receipts.append(linked(last, content))
    return receipts


CHAINS = st.lists(DATA, min_size=1, max_size=6).map(chain_of)


@given(CHAINS)
def test_an_untouched_chain_holds(receipts: list[Receipt]) -> None:
    assert checked(receipts).holds
    assert checked(receipts).head == receipts[-1].digest
    for position, receipt in enumerate(receipts):
        assert checked(receipts, receipt.digest.upper()).since == len(receipts) - position - 1
    assert checked(receipts, GENESIS).since == len(receipts)


@given(CHAINS, st.data(), st.sampled_from(["run", "step", "subject", "at", "previous", "digest", "data"]))
def test_a_changed_field_is_seen(receipts: list[Receipt], draw: st.DataObject, field: str) -> None:
    at = draw.draw(st.integers(0, len(receipts) - 1))
    value: Any = {**receipts[at].data, "more": 1} if field == "data" else "f" * 64
    receipts[at] = replace(receipts[at], **{field: value})
    assert checked(receipts).bad_number == at + 1


@given(CHAINS, st.data())
def test_a_receipt_written_anew_breaks_the_next_link(receipts: list[Receipt], draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(receipts) - 1))
    head = checked(receipts).head
    forged = {**receipts[at].content(), "step": "forged"}
    receipts[at] = Receipt(**forged, digest=digest_of(forged))
    assert not checked(receipts, head).holds
    if at + 1 < len(receipts):
        assert checked(receipts).bad_number == at + 2
        assert "not linked" in checked(receipts).fault


@given(CHAINS, st.data())
def test_removed_doubled_and_swapped_receipts_are_seen(receipts: list[Receipt], draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(receipts) - 1))
    head = checked(receipts).head
    removed = receipts[:at] + receipts[at + 1 :]
    assert not checked(removed, head).holds
    assert checked(removed).holds == (at == len(receipts) - 1)
    doubled = [*receipts[: at + 1], *receipts[at:]]
    assert "twice" in checked(doubled).fault
    if at:
        swapped = [*receipts[: at - 1], receipts[at], receipts[at - 1], *receipts[at + 1 :]]
        assert checked(swapped).bad_number == at + 1
        moved = [*receipts[at:], *receipts[:at]]
        assert not checked(moved).holds


def test_order_and_gaps_are_named() -> None:
    one, two, three, four = chain_of([{}, {}, {}, {}])
    assert checked([one, four]).fault == "receipt 2 to 3 before it is missing"
    assert checked([one, two, three, one]).fault == "it stands after receipt 3: the order was changed"


@given(DATA)
def test_canonical_text_is_what_the_digest_covers(data: dict[str, Any]) -> None:
    receipt = chain_of([data])[0]
    assert canonical_text(receipt.content(), "x").startswith('{"at":')
    assert receipt.digest == digest_of(receipt.content())


def test_data_that_another_program_spoilt_is_a_fault_not_a_crash() -> None:
    receipts = chain_of([{"rows": 1}, {"rows": 2}])
    receipts[1] = replace(receipts[1], data={"rows": 2**70, "share": float("nan")})
    assert checked(receipts).bad_number == 2
    with pytest.raises(EvidenceError):
        canonical_text(receipts[1].data, "x")


def test_nothing_here_needs_django() -> None:
    module = sys.modules["crossdock.hub.runs.rules"]
    assert not any("django" in name for name in vars(module))
