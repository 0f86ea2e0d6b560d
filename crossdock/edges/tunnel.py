"""`ssh -L` as a local unix socket that comes back by itself when the session is cut."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from types import TracebackType
from typing import Self

from crossdock.core.errors import AccessError, ConnectionLost
from crossdock.edges.scratch import scratch_folder
from crossdock.edges.ssh import SshHost, dying_with_us

_LONGEST_PAUSE_SECONDS = 30.0
_TERM_SECONDS = 0.5
_POLL_SECONDS = 0.02
_COMPLAINT_TRIES = 10
_NO_ANSWER = "open failed: connect failed"
_PROHIBITED = ("administratively prohibited", "open failed: unknown channel type")


class Tunnel:
    """Forwards the unix socket `path` to `target` as seen from the server: `host:port` or a socket's absolute path.

    Opens on entering; a thread starts ssh again, at the same path, whenever it ends. Only this account can
    use the socket.
    """

    def __init__(self, host: SshHost, target: str) -> None:
        self.host = host
        self.target = target
        self._folder = scratch_folder()
        self.path = self._folder / "db.sock"
        self._log = self._folder / "ssh.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._failure: AccessError | None = None
        self._thread = threading.Thread(target=self._keep, name=f"tunnel-{host.name}", daemon=True)
        self.starts = 0

    def open(self) -> Self:
        """Waits until the local socket listens. Errors: AccessError."""
        self._thread.start()
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def wait_ready(self, timeout_seconds: float | None = None) -> None:
        """Returns when the socket listens (again). Errors: AccessError with ssh's reason."""
        patience = timeout_seconds or self.host.connect_timeout_seconds * 2
        with self._changed:
            if not self._changed.wait_for(lambda: self._failure or self._listens(), patience):
                raise AccessError(f"ssh -L did not open within {patience:g} s", where=self.host.where)
            if self._failure:
                raise self._failure

    def probe(self, timeout_seconds: float = 10) -> None:
        """Waits for the first byte from the far end (a MySQL server speaks first). Errors: AccessError saying whether
        the SSH server forbids forwarding or nothing listens behind it."""
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            probe.settimeout(timeout_seconds)
            try:
                probe.connect(str(self.path))
                if probe.recv(1, socket.MSG_PEEK):
                    return
            except OSError:
                pass
        raise self.refusal()

    def refusal(self) -> AccessError:
        """Why connections through the tunnel fail, from ssh's log."""
        text = self._complaint()
        if any(mark in text for mark in _PROHIBITED):
            return AccessError(
                "the SSH server does not allow port forwarding",
                where=self.host.where,
                way_out='use transport = "relay", or ask the host to allow forwarding',
            )
        if _NO_ANSWER in text:
            line = next(line for line in reversed(text.splitlines()) if _NO_ANSWER in line)
            what = f"nothing answers at {self.target} on the server: {line.strip()}"
            return AccessError(what, where=self.host.where)
        return ConnectionLost(f"the tunnel to {self.target} gave no answer", where=self.host.where)

    def _complaint(self) -> str:
        """ssh's log once it says why: ssh closes the connection a moment before it writes the reason."""
        text = ""
        for _ in range(_COMPLAINT_TRIES):
            text = self._log_text()
            if any(mark in text for mark in (*_PROHIBITED, _NO_ANSWER)):
                break
            self._closing.wait(0.1)
        return text

    def close(self) -> None:
        """Ends ssh and removes the socket."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            if self._process is not None:
                self._process.terminate()
        if self._thread.is_alive():
            # [M] ssh now and then sleeps over a SIGTERM that comes while a channel is being refused.
            self._thread.join(timeout=_TERM_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(timeout=10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self) -> None:
        """Runs in the thread: one ssh after the other. The first failure is told; later ones are tried again."""
        pause = 0.5
        while not self._closing.is_set():
            worked = self._run_once()
            if self._closing.is_set():
                return
            if not worked and self.starts == 1:
                return
            pause = 0.5 if worked else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            self._closing.wait(pause)

    def _run_once(self) -> bool:
        with self._changed:
            self.path.unlink(missing_ok=True)
            with self._log.open("wb") as log:
                self._process = process = subprocess.Popen(
                    dying_with_us(self._command()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
                )
            self.starts += 1
            self._failure = None
            if self._closing.is_set():
                process.terminate()
        while process.poll() is None and not self._listens():
            self._closing.wait(_POLL_SECONDS)
        worked = self._listens()
        with self._changed:
            self._changed.notify_all()
        status = process.wait()
        with self._changed:
            self.path.unlink(missing_ok=True)
            if not worked:
                self._failure = self._reason(status)
            self._changed.notify_all()
        return worked

    def _reason(self, status: int) -> AccessError:
        text = self._log_text()
        known = self.host.failure(status, text.encode())
        return known or AccessError(f"ssh -L ended with status {status}: {text.strip()[-500:]}", where=self.host.where)

    def _listens(self) -> bool:
        return self._process is not None and self._process.poll() is None and self.path.exists()

    def _command(self) -> list[str]:
        # -S none: a shared master connection would keep the forwarding after we end.
        options = ["-N", "-S", "none", "-o", "ExitOnForwardFailure=yes", "-L", f"{self.path}:{self.target}"]
        return self.host.command((), options=options)

    def _log_text(self) -> str:
        with contextlib.suppress(OSError):
            return self._log.read_text(encoding="utf-8", errors="replace")
        return ""
