"""Lost connections: what is tried again, for how long, and what is not done twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from crossdock.core.errors import AccessError, ConnectionLost, LockedError, LockWaitError, TargetError
from crossdock.core.tables import Row
from crossdock.move import ledger, sessions, worker
from crossdock.move.chunks import Chunk
from crossdock.move.sessions import PAUSES_SECONDS, Sessions, kept, over


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(sessions.time, "sleep", found.append)
    return found


class Line:
    """A session whose statements answer from a script; an exception in it is raised."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.answers = answers or {}
        self.said: list[str] = []
        self.closed = False

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        self.said.append(sql)
        found = next((value for key, value in self.answers.items() if key in sql), [])
        if isinstance(found, list) and found and isinstance(found[0], Exception):
            raise found.pop(0)
        return found  # type: ignore[no-any-return]

    def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        return len(self.query(sql, args)) or 1

    def close(self) -> None:
        self.closed = True


def opener(*outcomes: Line | Exception) -> Callable[[], Line]:
    script = list(outcomes)

    def open_() -> Line:
        one = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(one, Exception):
            raise one
        return one

    return open_


def failing(*errors: Exception) -> Callable[[], str]:
    script = list(errors)

    def act() -> str:
        if script:
            raise script.pop(0)
        return "done"

    return act


def test_a_loss_is_tried_again_with_new_sessions() -> None:
    first, second = Line(), Line()
    lines = Sessions()
    open_ = opener(first, second)
    script = [ConnectionLost("cut")]

    def act() -> Line:
        session = lines.session("one", open_)  # type: ignore[arg-type]
        if script:
            raise script.pop()
        return session  # type: ignore[return-value]

    assert lines.persist(act) is second
    assert first.closed


def test_a_loss_again_and_again_is_told_to_the_caller() -> None:
    assert Sessions().persist(failing(*[ConnectionLost("cut")] * 3), give_up_after=3) is None
    assert Sessions().persist(failing(*[ConnectionLost("cut")] * 2), give_up_after=3) == "done"
    with pytest.raises(ConnectionLost, match="again and again"):
        kept(None, "north")


def test_a_server_that_is_away_is_waited_for_a_minute(slept: list[float]) -> None:
    away = [ConnectionLost("nobody answers")] * len(PAUSES_SECONDS)
    assert over(opener(*away, Line()), lambda session: "there") == "there"  # type: ignore[arg-type]
    assert sum(slept) == pytest.approx(sum(PAUSES_SECONDS))


def test_a_server_that_stays_away_ends_it(slept: list[float]) -> None:
    with pytest.raises(ConnectionLost, match="no answer for 60 s") as caught:
        over(opener(ConnectionLost("nobody answers")), lambda session: "there")  # type: ignore[arg-type]
    assert "goes on where it stopped" in caught.value.way_out
    assert sum(slept) == pytest.approx(sum(PAUSES_SECONDS))


def test_who_is_refused_from_the_beginning_does_not_wait(slept: list[float]) -> None:
    with pytest.raises(AccessError, match="password"):
        over(opener(AccessError("wrong password")), lambda session: "there")  # type: ignore[arg-type]
    assert slept == []


def test_a_lock_wait_is_tried_again_other_errors_are_not() -> None:
    assert Sessions().persist(failing(LockWaitError("deadlock"))) == "done"
    with pytest.raises(TargetError, match="full"):
        Sessions().persist(failing(TargetError("full")))


def test_a_chunk_whose_commit_went_through_unheard_is_not_loaded_again() -> None:
    done: list[Row] = [(b"7", b"6", b'{"kind": "none"}', b'{"spam": 1}', b'[["c", "9"]]')]
    found = ledger.result_of(Line({"done = 1": done}), Chunk("north", "wp_posts", 0, None, None))  # type: ignore[arg-type]
    assert found == ledger.ChunkResult(7, 6, {"kind": "none"}, {"spam": 1}, (("c", "9"),))
    assert ledger.result_of(Line(), Chunk("north", "wp_posts", 0, None, None)) is None  # type: ignore[arg-type]


def test_keys_that_a_lost_statement_built_after_all_are_taken() -> None:
    class Late(Line):
        def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
            self.answers["SHOW INDEX"] = [(b"t", b"1", b"author")]
            raise TargetError("Duplicate key name 'author' (error 1061)")

    statement = "ALTER TABLE `t` ADD KEY `author` (`a`)"
    worker._alter(Late(), "t", statement)  # type: ignore[arg-type]
    with pytest.raises(TargetError):
        worker._alter(Line({"ALTER": [TargetError("full")]}), "t", statement)  # type: ignore[arg-type]


def test_a_zombie_is_refused_and_its_transaction_rolled_back() -> None:
    line = Line({"FROM crossdock_claim": []})
    with pytest.raises(LockedError, match="newer run"):
        ledger.fence(line, 1)  # type: ignore[arg-type]
    assert line.said[-1] == "ROLLBACK"
