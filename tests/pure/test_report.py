"""What the evidence says: only of the plan in force, only of this environment, only the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from report_evidence import OTHER_PLAN, PLAN, ROWS, moved, planned

from crossdock.core.errors import BlockedError, CrossdockError
from crossdock.core.evidence import Finding, Level, Receipt
from crossdock.move.report import Report, Told, proofs, read

Made = tuple[str, str, dict[str, Any]]


def chain(*runs: Sequence[Made]) -> list[Receipt]:
    """Receipts, each list of them of a run of its own: run-0, run-1, ..."""
    told = [(f"run-{number}", *one) for number, run in enumerate(runs) for one in run]
    return [
        Receipt(number, run, step, subject, f"2026-11-25T10:00:{number % 60:02}.000Z", data, "p", f"{number:064x}")
        for number, (run, step, subject, data) in enumerate(told, 1)
    ]


def report(receipts: list[Receipt], told: Sequence[Told] = (), environment: str = "production") -> Report:
    return read("Lumen", environment, receipts, told)


def finding(code: str = "row.missing", level: Level = Level.FAIL, place: str = "north", **data: Any) -> Finding:
    return Finding(code, level, place, "a text", "a way out", data)


def test_a_whole_move_is_proved() -> None:
    made = report(chain([planned(), *moved()]))
    assert (made.verdict, made.open, made.plan) == ("proved", 0, PLAN)
    assert [(one.server, one.source, one.moved, one.declared, one.wrong) for one in made.rows] == [
        ("north", 16, 10, 6, 0)
    ]
    assert made.declared == [("session", 2)]
    states = {one.name: one.state for one in proofs(made)}
    assert states["rows"] == states["files"] == states["addresses"] == states["sites"] == "good"
    assert states["backups"] == states["pictures"] == states["staging"] == "none"


def test_nothing_to_report_is_refused() -> None:
    for receipts in ([], chain([("assess", "Lumen", {})])):
        with pytest.raises(BlockedError, match="crossdock move plan"):
            report(receipts)


def test_a_plan_alone_is_no_proof() -> None:
    assert report(chain([planned()])).verdict == "unproved"
    copied = report(chain([planned(), moved()[0], ("copy.store", "production/north", {"by_table": {"a": ROWS}})]))
    assert copied.verdict == "unproved"
    assert [(one.server, one.proved) for one in copied.rows] == [("north", False)]


def test_only_receipts_of_the_plan_in_force_count() -> None:
    later = report(chain([planned(), *moved()], [planned(OTHER_PLAN)]))
    assert (later.plan, later.verdict, later.rows) == (OTHER_PLAN, "unproved", ())
    back = report(chain([planned()], [planned(OTHER_PLAN), *moved(plan=OTHER_PLAN)], moved()))
    assert (back.plan, back.verdict) == (PLAN, "proved")


def test_what_was_discarded_counts_no_more_and_only_there() -> None:
    receipts = chain([planned(), *moved("staging"), *moved()], [("discard", "production", {"begun": True})])
    assert report(receipts).verdict == "unproved"
    assert report(receipts, environment="staging").verdict == "proved"


def test_a_red_validation_is_red_until_a_newer_one() -> None:
    first = [planned(), *moved(green=False, rows_missing=1)]
    assert report(chain(first)).verdict == "red"
    assert {one.name: one.state for one in proofs(report(chain(first)))}["rows"] == "bad"
    assert report(chain(first, moved())).verdict == "proved"


def test_findings_of_an_earlier_run_of_the_step_are_gone() -> None:
    receipts = chain([planned(), *moved()], moved())
    told = [Told("validate production", "run-0", finding())]
    assert report(receipts, told).open == 0
    assert report(receipts, [Told("bridge.prove staging", "run-1", finding())], "staging").open == 1
    assert report(receipts, [Told("validate production", "killed", finding())]).open == 1


def test_what_was_mended_within_one_run_is_not_told() -> None:
    """A green receipt has no red findings: what is red beside it is of the step's turn before."""
    told = [Told("validate production", "run-0", one) for one in (finding(), finding("a.b", Level.WARN))]
    mended = report(chain([planned(), *moved(green=False), *moved()]), told)
    assert (mended.verdict, [one.code for one in mended.groups]) == ("proved", ["a.b"])
    broken = report(chain([planned(), *moved(), *moved(green=False)]), told)
    assert (broken.verdict, broken.open) == ("red", 1)


def test_a_proof_older_than_the_last_transfer_is_none() -> None:
    def later(step: str, **data: Any) -> Report:
        return report(chain([planned(), *moved()], [(step, "production", {"plan": PLAN, **data})]))

    assert later("files", green=True, carried_files=3).verdict == "stale"
    assert later("copy", tables=2).verdict == "stale"
    assert later("files", green=True, carried_files=0).verdict == "proved"
    assert report(chain([planned(), *moved(), ("copy", "production", {"plan": PLAN})], moved())).verdict == "proved"


def test_findings_of_the_other_environment_are_not_told() -> None:
    told = [Told("validate staging", "run-0", finding()), Told("assess", "run-0", finding("a.b", Level.WARN))]
    made = report(chain([planned(), *moved()]), told)
    assert [one.code for one in made.groups] == ["a.b"]


def test_findings_are_grouped_worst_first_and_told_once() -> None:
    found = [finding("w.w", Level.WARN, str(number)) for number in range(9)]
    found += [finding("b.b", Level.BLOCK), finding("b.b", Level.BLOCK), finding("a.a", Level.INFO)]
    made = report(chain([planned(), *moved()]), [Told("assess", "run-0", one) for one in found])
    assert [(one.code, len(one.findings), one.more) for one in made.groups] == [
        ("b.b", 1, 0), ("w.w", 9, 6), ("a.a", 1, 0)
    ]  # fmt: skip
    assert made.levels == {"block": 1, "fail": 0, "warn": 9, "info": 1}


def test_decisions_are_those_that_were_made() -> None:
    open_ = finding("table.unknown", Level.BLOCK, decision="table:north:x")
    made = finding("table.unknown", Level.INFO, "x", decision="table:north:y", by="Ada", choice="carry", reason="ours")
    waived = finding("backup.waived", Level.WARN)
    told = [Told("assess", "run-0", one) for one in (open_, made, waived)]
    assert report(chain([planned(), *moved()]), told).decisions == (made, waived)


def test_backups_are_told_by_server_and_only_a_proof_proves() -> None:
    made = [("backup", "north", {"bytes": 9}), ("backup", "south", {"bytes": 9})]
    proof = [("backup.proof", "north", {"proved": True}), ("backup.proof", "south", {"proved": False})]
    found = report(chain([planned(), *moved(), *made, *proof])).backups
    assert [(one.server, one.proved) for one in found] == [("north", True), ("south", False)]
    assert not report(chain([planned(), *moved(), *made])).backups_proved


def test_reports_and_signatures_change_nothing() -> None:
    before = chain([planned(), *moved()])
    after = chain([planned(), *moved()], [("report", "production", {"html": "x"}), ("milestone", "m", {})])
    assert report(before) == report(after)
    assert report(after).head == before[-1].digest


def test_a_receipt_of_another_shape_is_told_plainly() -> None:
    spoilt = [planned(), ("validate.site", "production", {"plan": PLAN})]
    with pytest.raises(CrossdockError, match="another shape"):
        report(chain(spoilt))
