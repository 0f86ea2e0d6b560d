"""Files by rsync over the system's OpenSSH client. Only what is named is carried: no pattern is involved."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from crossdock.core.errors import AccessError, ConnectionLost, CrossdockError, TargetError
from crossdock.core.files import PARTIAL, Entry
from crossdock.edges.ssh import SshHost, dying_with_us
from crossdock.edges.transfer import Counted, full_disk, full_spool, persist

#: Below a target's root. Within PARTIAL, but not PARTIAL itself: rsync removes that one when it is empty.
TEMPORARY = f"{PARTIAL}/temporary"
_SETTINGS = (
    "--links", "--perms", "--times", "--omit-dir-times", "--chmod=Du+rwx,Fu+rw,o-w,u-s,g-s",
    "--protect-args", "--from0", f"--partial-dir={PARTIAL}", "--out-format=%i %l", "--outbuf=L", "--timeout=120",
)  # fmt: skip
_VANISHED, _PARTLY, _CUT = 24, 23, (10, 12, 20, 30, 35, 255)
_TAIL = 4000


def rsync_is_here() -> bool:
    """Whether this machine has rsync."""
    return shutil.which("rsync") is not None


class Rsync:
    """Satisfies edges.transfer.Transfer. A file that was cut goes on where it stopped. `bandwidth_kib`: a second's."""

    def __init__(self, host: SshHost, bandwidth_kib: int | None = None) -> None:
        self.host = host
        self.bandwidth_kib = bandwidth_kib

    def pull(self, root: str, entries: Mapping[bytes, Entry], folder: str, advance: Callable[[int], None]) -> None:
        """Errors: AccessError; CrossdockError when the local disk is full."""
        told = Counted(advance)
        persist(
            lambda: self._run(entries, f"server:{root}/", f"{folder}/", (), told, self._pull_failure),
            lambda: told.files,
        )

    def push(
        self,
        folder: str,
        entries: Mapping[bytes, Entry],
        root: str,
        advance: Callable[[int], None],
        *,
        anew: bool = False,
    ) -> None:
        """`root` must hold the folder TEMPORARY. Errors: AccessError; TargetError (disk full, refused writing)."""
        # What a killed receiver leaves lies in there, and not under a name of its own beside the files.
        more, told = [f"--temp-dir={TEMPORARY}", *(["--ignore-times"] if anew else [])], Counted(advance)
        persist(
            lambda: self._run(entries, f"{folder}/", f"server:{root}/", more, told, self._push_failure),
            lambda: told.files,
        )

    def _run(
        self,
        entries: Mapping[bytes, Entry],
        source: str,
        target: str,
        more: Sequence[str],
        advance: Callable[[int], None],
        failure: Callable[[int, str, str], CrossdockError | None],
    ) -> None:
        with tempfile.NamedTemporaryFile() as names, tempfile.TemporaryFile() as told:
            # It takes a name that begins with # or ; for a comment, whatever ends the names.
            names.write(b"".join(b"./" + name + b"\0" for name in entries))
            names.flush()
            limit = [f"--bwlimit={self.bandwidth_kib}"] if self.bandwidth_kib else []
            argv = [
                "rsync", *_SETTINGS, *limit, *more, f"--files-from={names.name}", f"--rsh={self._shell()}", "--",
                source, target,
            ]  # fmt: skip
            status = _watched(argv, told, advance)
            told.seek(0)
            text = told.read().decode("utf-8", "replace")
        if status not in (0, _VANISHED):
            place = target if source.startswith("server:") else target.removeprefix("server:")
            if problem := failure(status, text, place.rstrip("/")):
                raise problem

    def _shell(self) -> str:
        """rsync's --rsh: our ssh, whatever rsync believes the host to be called. Its words are split at spaces, and a
        quote within quotes is written twice."""
        script = f'shift; exec {shlex.join(self.host.command([], options=("-T",)))} "$@"'
        return "sh -c '{}' sh".format(script.replace("'", "''"))

    def _pull_failure(self, status: int, told: str, folder: str) -> CrossdockError | None:
        return full_spool(told, folder) or self._common_failure(status, told)

    def _push_failure(self, status: int, told: str, root: str) -> CrossdockError | None:
        where = f"{self.host.where}: {root}"
        if problem := full_disk(told, where):
            return problem
        if status == _PARTLY:
            line = next((line for line in told.splitlines() if " failed: " in line or "make way" in line), told[-300:])
            way_out = "mend its permissions, or take away what is in the way"
            return TargetError(f"it can't be written to: {line.strip()}", where=where, way_out=way_out)
        return self._common_failure(status, told)

    def _common_failure(self, status: int, told: str) -> CrossdockError | None:
        if problem := self.host.failure(255, told.encode()) if status in _CUT else None:
            return problem
        tail = told.strip()[-_TAIL:]
        if status in _CUT:
            return ConnectionLost(f"rsync was cut (status {status}): {tail[-300:]}", where=self.host.where)
        if status == _PARTLY:
            # Files that are gone or closed to us: whoever asked compares, and tells them by name.
            return None
        return AccessError(f"rsync ended with status {status}: {tail[-1000:]}", where=self.host.where)


def _watched(argv: Sequence[str], told: IO[bytes], advance: Callable[[int], None]) -> int:
    """Runs rsync and tells each file's bytes as it is done; returns its status."""
    environment = {**os.environ, "LC_ALL": "C"}
    process = subprocess.Popen(
        dying_with_us(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told, env=environment
    )
    try:
        for line in process.stdout or ():
            # As in ">f+++++++++ 4096": a file that came or went; folders and links begin otherwise.
            what, _, size = line.partition(b" ")
            if what[:2] in (b">f", b"<f") and size.strip().isdigit():
                advance(int(size))
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if process.poll() is None:
        process.kill()
        process.wait()
