"""One SSH connection that many short commands share: each then needs no handshake of its own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from crossdock.edges.scratch import scratch_folder
from crossdock.edges.ssh import SshHost, dying_with_us


class SharedConnection:
    """Open between entering and leaving. `host` is the server by way of it; where the connection is refused or cut,
    each command makes its own instead."""

    def __init__(self, host: SshHost) -> None:
        self._folder = scratch_folder()
        path = self._folder / "ssh.sock"
        self._path = path
        self._direct = host
        self.host = replace(host, control=str(path))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        argv = self._direct.command([], options=("-N", "-T", "-M", "-S", str(self._path)))
        self._process = subprocess.Popen(
            dying_with_us(argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + self._direct.connect_timeout_seconds
        # Why it does not come about is told by the first command, in ssh's own words.
        while not self._path.exists() and self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)
