"""Our hold on a target: one session with the target's lock, taken again when the session is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from crossdock.core.ports import Session
from crossdock.move import ledger
from crossdock.move.order import Order
from crossdock.move.sessions import Sessions, kept

T = TypeVar("T")
PULSE_SECONDS = 5.0


class Hold(Sessions):
    """Claims the target at the first step. `generation` is ours from then on; a newer one ends us with LockedError."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order
        self.generation = 0
        self._connection = 0
        self._proved = time.monotonic()

    def act(self, step: Callable[[Session], T]) -> T:
        """Runs a step while we hold the lock, and again after a loss: it must be safe to repeat.

        Errors: LockedError (another run), TargetError (another plan's copy), AccessError (lost for good)."""
        done = self.persist(lambda: (step(self.session("target", self._taken)),))
        self._proved = time.monotonic()
        return kept(done, f"environment {self.order.environment}")[0]

    def pulse(self) -> None:
        """Called now and then during a long wait: keeps the session busy and finds out when it was lost."""
        if time.monotonic() - self._proved > PULSE_SECONDS:
            self.act(lambda session: session.query("SELECT 1"))

    def close(self) -> None:
        """Gives the target back."""
        self.drop_sessions()

    def _taken(self) -> Session:
        session = self.order.target.database.open_target()
        try:
            if self.generation:
                ledger.take_again(session, self.order.environment, self.generation, self._connection)
            else:
                self.generation = ledger.take(
                    session,
                    plan=self.order.plan.digest,
                    environment=self.order.environment,
                    first_blog=self.order.plan.network(self.order.environment).first_blog,
                    largest_host_user=self.order.target_facts.largest_user,
                )
            self._connection = int(session.query("SELECT CONNECTION_ID()")[0][0] or 0)
        except BaseException:
            session.close()
            raise
        return session
