"""The journal on SQLite: the chain, its guards, findings, and what can't be written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from crossdock.core.errors import EvidenceError
from crossdock.core.evidence import GENESIS, Finding, Level
from crossdock.core.ports import Journal
from crossdock.core.secrets import Masked
from crossdock.hub.boot import Hub, boot

MYSTERY = Finding("table.unknown", Level.BLOCK, "north:wp_mystery", "nobody knows this table", "decide", {"rows": 3})


def fill(hub: Hub, count: int = 3) -> None:
    with hub.running("copy", subject="staging") as journal:
        for number in range(count):
            journal.receipt("copy", f"wp_{number}_posts", {"rows": number, "sha256": "ab" * 32})


def fail(hub: Hub, act: Callable[[Journal], object]) -> None:
    """A run that does something and then fails."""

    with suppress(ZeroDivisionError), hub.running("assess") as journal:
        act(journal)
        raise ZeroDivisionError


def sql(state: Path, *statements: str) -> None:
    connection = sqlite3.connect(state / "hub.sqlite3")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


UNGUARD = tuple(f"DROP TRIGGER runs_receipt_{name}" for name in ("no_update", "no_delete", "only_next"))


def test_receipts_are_chained(hub: Hub) -> None:
    with hub.running("copy") as journal:
        port: Journal = journal
        first = port.receipt("copy", "wp_posts", {"rows": 7, "ä": [1, None, True, "x"]})
        second = port.receipt("verify", "wp_posts", {})
    assert (first.number, first.previous) == (1, GENESIS)
    assert (second.number, second.previous) == (2, first.digest)
    assert first.data == {"rows": 7, "ä": [1, None, True, "x"]}
    assert journal.receipts() == [first, second]
    assert journal.receipts("verify") == [second]
    assert journal.receipts("copy", "wp_options") == []
    chain = hub.chain()
    assert chain.holds
    assert chain.receipts == (first, second)
    assert chain.head == second.digest


def test_an_empty_chain_holds(hub: Hub) -> None:
    assert hub.chain().holds
    assert hub.chain().head == GENESIS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs_receipt SET data = '{}' WHERE number = 2",
        "DELETE FROM runs_receipt WHERE number = 3",
        "DELETE FROM runs_receipt",
        "INSERT OR REPLACE INTO runs_receipt SELECT number, step, subject, at, '{}', previous, digest, run_id"
        " FROM runs_receipt WHERE number = 2",
        "INSERT OR REPLACE INTO runs_receipt SELECT 4, r.step, r.subject, r.at, r.data, l.digest, r.digest, r.run_id"
        " FROM runs_receipt r, runs_receipt l WHERE r.number = 2 AND l.number = 3",
        "INSERT INTO runs_receipt SELECT 9, step, subject, at, data, 'x', 'y', run_id FROM runs_receipt LIMIT 1",
    ],
)
def test_the_database_refuses_changes(hub: Hub, state: Path, statement: str) -> None:
    fill(hub)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sql(state, statement)
    assert hub.chain().holds
    assert len(hub.chain().receipts) == 3


@pytest.mark.parametrize(
    ("statements", "number", "why"),
    [
        (["UPDATE runs_receipt SET data = '{\"rows\":9}' WHERE number = 2"], 2, "content was changed"),
        (["UPDATE runs_receipt SET at = '2020-01-01T00:00:00.000Z' WHERE number = 1"], 1, "content was changed"),
        (["UPDATE runs_receipt SET data = 'oops' WHERE number = 2"], 2, "not a JSON object"),
        (["UPDATE runs_receipt SET data = '[1]' WHERE number = 3"], 3, "not a JSON object"),
        (["DELETE FROM runs_receipt WHERE number = 2"], 3, "receipt 2 before it is missing"),
        (["DELETE FROM runs_receipt WHERE number = 1"], 2, "receipt 1 before it is missing"),
        (
            [
                "UPDATE runs_receipt SET number = 9 WHERE number = 2",
                "UPDATE runs_receipt SET number = 2 WHERE number = 3",
                "UPDATE runs_receipt SET number = 3 WHERE number = 9",
            ],
            2,
            "content was changed",
        ),
    ],
)
def test_changes_past_the_guards_are_found(hub: Hub, state: Path, statements: list[str], number: int, why: str) -> None:
    fill(hub)
    sql(state, *UNGUARD, *statements)
    chain = hub.chain()
    assert not chain.holds
    assert chain.bad_number == number
    assert why in chain.fault


def test_a_cut_tail_is_found_by_the_head_that_was_printed(hub: Hub, state: Path) -> None:
    fill(hub)
    head = hub.chain().head
    fill(hub, 1)
    assert hub.chain(head).since == 1
    sql(state, *UNGUARD, "DELETE FROM runs_receipt WHERE number >= 3")
    assert hub.chain().holds
    assert "cut off" in hub.chain(head).fault
    assert hub.chain(head).bad_number == 3


def test_concurrent_writers_do_not_fork_the_chain(hub: Hub) -> None:
    with hub.running("copy") as journal, ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda number: journal.receipt("copy", str(number), {"n": number}), range(80)))
    chain = hub.chain()
    assert chain.holds
    assert sorted(receipt.number for receipt in written) == list(range(1, 81))
    assert {receipt.digest for receipt in written} == {receipt.digest for receipt in chain.receipts}


WRITER = """
import sys
from pathlib import Path
from crossdock.hub.boot import boot
hub = boot(Path(sys.argv[1]))
from crossdock.hub.runs.models import Run
from crossdock.hub.runs.actions import RunJournal
journal = RunJournal(Run.objects.get(id=sys.argv[2]), None)
for number in range(25):
    journal.receipt("copy", sys.argv[3], {"n": number})
"""


def test_concurrent_processes_do_not_fork_the_chain(hub: Hub, state: Path) -> None:
    with hub.running("copy") as journal:
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(state), journal.run, str(number)]) for number in (1, 2)
        ]
        assert [writer.wait(60) for writer in writers] == [0, 0]
    assert hub.chain().holds
    assert len(hub.chain().receipts) == 50


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"rows": 2**53}, r"data\.rows: an integer beyond 2\^53"),
        ({"a": [{"b": -(2**60)}]}, r"data\.a\[0\]\.b: an integer"),
        ({"share": float("nan")}, "NaN"),
        ({"share": float("inf")}, "NaN"),
        ({"key": b"x"}, "a bytes is no JSON value"),
        ({"key": {1: 2}}, "the key 1 is not text"),
        ({"key": "\ud83d"}, "surrogate"),
        ({"key": Masked("hunter2")}, "is a secret"),
    ],
)
def test_what_a_receipt_can_not_hold(hub: Hub, data: dict[str, object], told: str) -> None:
    with hub.running("copy") as journal:
        with pytest.raises(EvidenceError, match=told) as caught:
            journal.receipt("copy", "wp_posts", data)
        with pytest.raises(EvidenceError, match=told):
            journal.finding(Finding("x", Level.INFO, "y", "z", data=data), step="copy")
        assert journal.receipts() == []
    assert "hunter2" not in str(caught.value)


def test_what_it_can(hub: Hub) -> None:
    data = {"largest": 2**53 - 1, "share": 0.25, "level": Level.WARN, "pair": (1, 2), "nul": "a\x00b", "smile": "😀"}
    with hub.running("copy") as journal:
        journal.receipt("copy", "wp_posts", data)
    assert hub.chain().holds
    assert hub.chain().receipts[0].data == {**data, "pair": [1, 2]}


def test_a_closed_run_writes_nothing(hub: Hub) -> None:
    journal = hub.open_run("copy")
    hub.close_run(journal)
    with pytest.raises(EvidenceError, match="is closed"):
        journal.receipt("copy", "wp_posts", {})


def test_findings_stand_until_the_step_is_done_again(hub: Hub) -> None:
    other = Finding("table.unknown", Level.BLOCK, "north:wp_other", "nobody knows this table")
    with hub.running("assess") as journal:
        for finding in (MYSTERY, MYSTERY, other):
            journal.finding(finding, step="assess")
        assert journal.findings() == [MYSTERY, other]
    assert hub.findings("assess") == [MYSTERY, other]
    with hub.running("validate") as journal:
        journal.receipt("validate", "all", {})
    assert hub.findings() == [MYSTERY, other]
    with hub.running("assess") as journal:
        journal.finding(other, step="assess")
    assert hub.findings() == [other]
    with hub.running("assess") as journal:
        journal.receipt("assess", "all", {})
    assert hub.findings() == []


def test_a_failed_run_resolves_nothing_but_does_not_repeat(hub: Hub) -> None:
    with hub.running("assess") as journal:
        journal.finding(MYSTERY, step="assess")
    fail(hub, lambda journal: journal.receipt("assess", "all", {}))
    assert hub.findings() == [MYSTERY]
    fail(hub, lambda journal: journal.finding(MYSTERY, step="assess"))
    assert hub.findings() == [MYSTERY]


def test_findings_about_one_environment_outlive_runs_about_the_other(hub: Hub) -> None:
    with hub.running("validate", subject="staging") as journal:
        journal.finding(MYSTERY, step="validate")
    with hub.running("validate", subject="production") as journal:
        journal.receipt("validate", "all", {})
    assert hub.findings("validate", subject="staging") == [MYSTERY]
    assert hub.findings("validate", subject="production") == []


def test_the_database_is_durable_and_private(hub: Hub, state: Path) -> None:
    from django.db import connection  # noqa: PLC0415 - Django is set up by the fixture

    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
    assert state.stat().st_mode & 0o077 == 0
    assert (state / ".gitignore").read_text() == "*\n"


def test_booting_another_folder(hub: Hub, tmp_path: Path) -> None:
    fill(hub)
    assert boot(tmp_path / "other").runs() == []
    assert len(boot(tmp_path / ".crossdock").chain().receipts) == 3


def test_booting_at_once(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from crossdock.hub.boot import boot; boot(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "fresh")]
    boots = [subprocess.Popen(command, env={**os.environ, "CROSSDOCK_DATABASE_URL": ""}) for _ in range(3)]
    assert [process.wait(60) for process in boots] == [0, 0, 0]
