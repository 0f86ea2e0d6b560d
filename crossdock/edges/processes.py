"""Worker processes that never outlive the one that started them."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from types import TracebackType
from typing import Any

_PR_SET_PDEATHSIG = 1


class _Pool(ProcessPoolExecutor):
    """After Ctrl-C nobody waits for tasks that run: their transactions roll back."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = list(self._processes.values()) if self._processes else []
        manager: Any = self._executor_manager_thread  # a thread, whatever the stubs say
        if kind is not None and not issubclass(kind, Exception):
            self.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.kill()
            # It takes leave of the same processes, and whoever comes second sees one as alive for a moment more.
            if manager is not None:
                manager.join(timeout=5)
            for process in running:
                process.join(timeout=5)
        else:
            self.shutdown(wait=True)


def worker_pool(workers: int, prepare: Callable[[Any], None], setup: object) -> Executor:
    """An executor of `workers` fresh processes (spawned: a forked one would share database sockets)."""
    return _Pool(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(), prepare, setup),
    )


def end_with_parent(parent: int) -> None:
    """From now on this process is killed when its parent ends: else it would wait for ever, or go on writing."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _begin(parent: int, prepare: Callable[[Any], None], setup: object) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Millions of short-lived row tuples and no cycles: the collector would look through them again and again.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    prepare(setup)
