"""Worker processes end with the one that started them, and at once after Ctrl-C."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from crossdock.edges.processes import worker_pool


def test_ctrl_c_does_not_wait_for_a_long_task() -> None:
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), worker_pool(2, str, "setup") as pool:  # noqa: PT012
        assert pool.submit(abs, -3).result() == 3
        pool.submit(time.sleep, 60)
        pool.submit(time.sleep, 60)
        raise KeyboardInterrupt
    assert time.monotonic() - begin < 30
    assert multiprocessing.active_children() == []


def test_after_an_error_what_runs_is_finished() -> None:
    with pytest.raises(ValueError, match="ours"), worker_pool(1, str, "setup") as pool:  # noqa: PT012
        running = pool.submit(time.sleep, 0.5)
        raise ValueError("ours")
    assert running.exception() is None
