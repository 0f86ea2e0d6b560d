"""The way to a database where the SSH server forbids forwarding: a small PHP program run over SSH carries the bytes.

Each connection to the local socket is one SSH session, whose stdin and stdout ARE that connection: no byte passes
through Python. Managed hosts cut sessions after some minutes: then the database connection is lost, and the next one
is a new session.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from importlib import resources
from types import TracebackType
from typing import Self

from crossdock.core.errors import AccessError, ConnectionLost
from crossdock.edges.scratch import scratch_folder
from crossdock.edges.ssh import SshHost, dying_with_us

_REAP_SECONDS = 2.0
_LOG_BYTES = 64 << 10


def php_code(name: str) -> str:
    """A script of crossdock/edges/php as `php -r` takes it: without its opening tag."""
    text = resources.files("crossdock.edges").joinpath("php", name).read_text(encoding="utf-8")
    return text.removeprefix("<?php\n")


class Relay:
    """Listens on the unix socket `path`; opens on entering. `target`: `host:port` or a socket's absolute path, as seen
    from the server. Ends its sessions and removes the socket on leaving."""

    def __init__(self, host: SshHost, target: str, *, php: str = "php") -> None:
        self.host = host
        self.target = target
        self.php = php
        self._folder = scratch_folder()
        self.path = self._folder / "db.sock"
        self._log = self._folder / "ssh.log"
        self._children: list[subprocess.Popen[bytes]] = []
        self._closing = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, name=f"relay-{host.name}", daemon=True)
        self._last_status = 0
        self.sessions = 0

    def open(self) -> Self:
        """Listens. A session is only started by the first connection: use `refusal` when that fails."""
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._listener.settimeout(_REAP_SECONDS)
        self._thread.start()
        return self

    def refusal(self) -> AccessError:
        """Why the last session ended, from ssh's or the remote PHP's own words."""
        self._reap()
        text = self._log_text()
        marked = [line for line in text.splitlines() if "crossdock-relay:" in line]
        if marked:
            return AccessError(f"nothing answers at {self.target} on the server: {marked[-1]}", where=self.host.where)
        if self._last_status == 127:
            return AccessError(f"{self.php} is not there: {text.strip()[-200:]}", where=self.host.where)
        known = self.host.failure(self._last_status, text.encode())
        return known or ConnectionLost(f"the relay's session ended: {text.strip()[-300:]}", where=self.host.where)

    def close(self) -> None:
        """Ends the listener and every session."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        for child in self._children:
            child.terminate()
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        command = dying_with_us(self.host.command(self._remote(), options=("-T", "-S", "none")))
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                self._reap()
                continue
            except OSError:
                return
            with connection:
                self._start(command, connection)
            self._reap()

    def _start(self, command: list[str], connection: socket.socket) -> None:
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.unlink()
        connection.setblocking(True)
        with self._log.open("ab") as log:
            child = subprocess.Popen(command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=log)
        self._children.append(child)
        self.sessions += 1

    def _remote(self) -> list[str]:
        address = f"unix://{self.target}" if self.target.startswith("/") else f"tcp://{self.target}"
        return [self.php, "-d", "display_errors=stderr", "-r", php_code("relay.php"), address]

    def _reap(self) -> None:
        ended = [child for child in self._children if child.poll() is not None]
        for child in ended:
            self._last_status = child.returncode
            self._children.remove(child)

    def _log_text(self) -> str:
        with contextlib.suppress(OSError):
            return self._log.read_text(encoding="utf-8", errors="replace")
        return ""
