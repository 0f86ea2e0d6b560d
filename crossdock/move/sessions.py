"""Database sessions that may be lost at any time: opened when asked for, opened again after a loss, with patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from crossdock.core.errors import AccessError, ConnectionLost, LockWaitError
from crossdock.core.ports import Session

T = TypeVar("T")
PAUSES_SECONDS = (0.1, 0.3, 1, 2, 4, 8, 15, 30)
RESUME = "see that the server is up, then start the same command again: it goes on where it stopped"


class Sessions:
    """One process's sessions by name."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._opening = False

    def session(self, name: str, open_: Callable[[], Session]) -> Session:
        """The session of this name. Errors: AccessError when it can't be opened."""
        if name not in self._sessions:
            self._opening = True
            self._sessions[name] = open_()
            self._opening = False
        return self._sessions[name]

    def drop_sessions(self) -> None:
        """Closes everything: after a loss nobody knows what the sessions hold."""
        self._opening = False
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def persist(self, act: Callable[[], T], *, give_up_after: int = len(PAUSES_SECONDS)) -> T | None:
        """Runs `act` again after each loss, so it must be safe to repeat; None after `give_up_after` losses.

        A server that does not answer at all is no such loss: it is waited for, a minute long. Errors: AccessError
        after that minute, or at once where we are refused from the beginning.
        """
        lost = waited = refused = 0
        while True:
            try:
                return act()
            except LockWaitError:
                self.drop_sessions()
                waited += 1
                if waited >= len(PAUSES_SECONDS):
                    raise
                time.sleep(PAUSES_SECONDS[waited])
            except AccessError as error:
                opening = self._opening
                self.drop_sessions()
                if opening:
                    _wait_for_answer(error, refused, known=lost > 0)
                    refused += 1
                    continue
                if not isinstance(error, ConnectionLost):
                    raise
                lost, refused = lost + 1, 0
                if lost >= give_up_after:
                    return None
                time.sleep(PAUSES_SECONDS[0])
            except BaseException:
                self.drop_sessions()
                raise


def _wait_for_answer(error: AccessError, refused: int, *, known: bool) -> None:
    """Sleeps before the next try to connect. A server that we were in before may refuse us while it starts."""
    if not isinstance(error, ConnectionLost) and not known:
        raise error
    if refused >= len(PAUSES_SECONDS):
        what = f"no answer for {sum(PAUSES_SECONDS):.0f} s: {error.what}"
        raise type(error)(what, where=error.where, way_out=RESUME) from error
    time.sleep(PAUSES_SECONDS[refused])


def over(open_: Callable[[], Session], act: Callable[[Session], T]) -> T:
    """Runs `act` over a session of its own, again after each loss. Errors: AccessError when that does not help."""
    line = Sessions()
    try:
        done = line.persist(lambda: (act(line.session("one", open_)),))
    finally:
        line.drop_sessions()
    return kept(done)[0]


def kept(result: T | None, where: str = "") -> T:
    """What `persist` gave. Errors: ConnectionLost where it gave up."""
    if result is None:
        raise ConnectionLost("the connection was lost again and again", where=where, way_out=RESUME)
    return result
