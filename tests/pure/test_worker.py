"""A worker process's own things, with nothing behind them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crossdock.core.errors import ConnectionLost
from crossdock.move import sessions
from crossdock.move.worker import Setup, Worker


class Dying:
    """A judge whose first life ends in the middle."""

    lives = 0

    def __init__(self) -> None:
        Dying.lives += 1
        self.life = Dying.lives

    def judge(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
        if self.life == 1:
            raise ConnectionLost("PHP has ended")
        return []

    def close(self) -> None:
        """Nothing runs."""


class Nowhere:
    name = "nowhere"


def test_a_judge_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions.time, "sleep", lambda seconds: None)
    setup = Setup(sites=(), sources={}, target=Nowhere(), tables={}, people={}, judge=Dying)  # type: ignore[arg-type]
    worker = Worker(setup)

    def act() -> list[str]:
        judge = worker.judge()
        assert judge is not None
        return judge.judge([(b"a", b"b")])

    assert worker.persist(act) == []
    assert Dying.lives == 2
