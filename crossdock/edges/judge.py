"""PHP as judge of rewritten values: a process that unserializes them, before and after."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from crossdock.core.errors import ConnectionLost
from crossdock.edges.ssh import SshHost, dying_with_us


class PhpJudge:
    """A running PHP that answers pairs in order. Satisfies core.ports.Judge."""

    def __init__(self, process: subprocess.Popen[bytes], where: str) -> None:
        self._process = process
        self._where = where

    def judge(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
        """What is wrong with each pair that PHP finds broken or of another shape. Errors: ConnectionLost."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ConnectionLost("PHP's pipes are closed", where=self._where)
        # Written by a thread of its own: with both pipes full, PHP and we would wait for each other for ever.
        writer = threading.Thread(target=_write, args=(self._process, pairs), daemon=True)
        writer.start()
        found: list[str] = []
        for _ in pairs:
            (length,) = struct.unpack(">I", self._read(4))
            if length:
                found.append(self._read(length).decode("utf-8", "replace"))
        writer.join()
        return found

    def close(self) -> None:
        """Ends PHP."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self, length: int) -> bytes:
        stdout = self._process.stdout
        data = bytearray()
        while stdout is not None and len(data) < length:
            piece = stdout.read(length - len(data))
            if not piece:
                raise ConnectionLost("the PHP that judges values has ended", where=self._where)
            data += piece
        return bytes(data)


@dataclass(frozen=True)
class JudgeAt:
    """Where PHP runs: on this machine when it is installed here, else on a server. A picklable JudgeFactory."""

    host: SshHost | None = None
    php: str = "php"

    @classmethod
    def local_or_over(cls, host: SshHost) -> JudgeAt:
        """This machine's PHP if there is one: values then need no second way over the network."""
        return cls(None if shutil.which("php") else host)

    def __call__(self) -> PhpJudge:
        script = resources.files("crossdock.edges.php").joinpath("judge.php").read_bytes()
        if self.host is None:
            process = subprocess.Popen(
                dying_with_us([self.php, "-r", "?>" + script.decode()]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            return PhpJudge(process, "php on this machine")
        process = self.host.popen([self.php, "-r", "?>" + script.decode()], stderr=subprocess.DEVNULL)
        return PhpJudge(process, self.host.where)


def _write(process: subprocess.Popen[bytes], pairs: Sequence[tuple[bytes, bytes]]) -> None:
    stdin = process.stdin
    if stdin is None:
        return
    try:
        for before, after in pairs:
            stdin.write(struct.pack(">II", len(before), len(after)))
            stdin.write(before)
            stdin.write(after)
        stdin.flush()
    except (OSError, ValueError):
        # The reading side tells that PHP has gone.
        return
