"""Commands on a server through the system's OpenSSH client: the user's config, keys, agent and jump hosts just work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from crossdock.core.errors import AccessError, ConnectionLost, CrossdockError
from crossdock.core.ports import Completed

_SSH_FAILED = 255
_TAIL_BYTES = 2000
_PIECE_BYTES = 256 << 10
_ALIVE_INTERVAL_SECONDS = 15
_OFFENDING = re.compile(r"Offending \S+ key in (\S+?):(\d+)")

# ssh's own lines, in the order in which one rules out the next; (pattern, class, what, way out).
_FAILURES: tuple[tuple[re.Pattern[str], type[AccessError], str, str], ...] = (
    (
        re.compile(r"Host key verification failed|No \S+ host key is known for|host key is not in", re.IGNORECASE),
        AccessError,
        "the server's host key is not known",
        "compare its fingerprint with the owner's, then log in once by hand with the same ssh config",
    ),
    (
        re.compile(r"Permission denied \([\w,\-]+\)|Too many authentication failures|no mutual signature"),
        AccessError,
        "the server refused our key",
        "add our public key to the account's authorized keys, or set IdentityFile and User in the ssh config",
    ),
    (
        re.compile(r"Could not resolve hostname"),
        AccessError,
        "the server's name can't be resolved",
        "check HostName in the ssh config and DNS",
    ),
    (
        re.compile(r"connect to .*Connection refused|No route to host|Network is unreachable"),
        AccessError,
        "no SSH server answers there",
        "check HostName and Port, and that the firewall lets this machine in",
    ),
    (
        re.compile(r"(Connection|Operation) timed out|timed out during banner exchange|Connection to .* timed out"),
        AccessError,
        "the SSH server did not answer in time",
        "check HostName and Port, and that the firewall lets this machine in",
    ),
    (
        re.compile(r"Bad configuration option|Can't open user config file|terminating, \d+ bad configuration"),
        AccessError,
        "the ssh config can't be used",
        "mend the file that ssh names",
    ),
    (
        re.compile(
            r"closed by (remote host|\S+ port)|Broken pipe|Connection reset|Connection closed|"
            r"not responding|client_loop|Connection to \S+ closed|kex_exchange_identification"
        ),
        ConnectionLost,
        "the SSH session was cut",
        "connect again and resume",
    ),
)


@dataclass(frozen=True)
class SshHost:
    """One server as the system's `ssh` knows it. Picklable; opens a connection a command, or uses the one that listens
    at `control`.

    Nothing is ever asked: under BatchMode ssh refuses an unknown host key unless the user's own config accepts it.
    """

    name: str
    destination: str
    config_file: str | None = None
    connect_timeout_seconds: int = 10
    control: str | None = None

    @property
    def where(self) -> str:
        return f"{self.name} (ssh {self.destination})"

    def command(self, argv: Sequence[str], *, options: Sequence[str] = ()) -> list[str]:
        """The local argument list that runs `argv` there; words reach the remote program exactly as given."""
        config = ["-F", self.config_file] if self.config_file else []
        remote = [shlex.join(argv)] if argv else []
        return ["ssh", *config, *self._settings(), *options, "--", self.destination, *remote]

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float = 120, check: bool = True
    ) -> Completed:
        """Runs one command. Errors: AccessError (no connection, host key, timeout), ConnectionLost (cut while it ran);
        with check, a status other than 0 is a CrossdockError that carries stderr's last lines."""
        try:
            done = subprocess.run(
                self.command(argv, options=("-T",)),
                input=input,
                capture_output=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AccessError(
                f"{argv[0]} did not end within {timeout_seconds:g} s",
                where=self.where,
                way_out="look at the server's load, or allow it more time",
            ) from error
        except FileNotFoundError as error:
            raise AccessError("OpenSSH's client `ssh` is not installed here", way_out="install it") from error
        completed = Completed(done.returncode, done.stdout, done.stderr)
        if failure := self.failure(completed.status, completed.stderr):
            raise failure
        if check and completed.status != 0:
            raise CrossdockError(
                f"{argv[0]} ended with status {completed.status}: {_tail(completed.stderr)}", where=self.where
            )
        return completed

    def popen(
        self, argv: Sequence[str], *, stdin: int | IO[bytes] = subprocess.PIPE, stderr: int | IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        """A running remote command with pipes for stdin and stdout, for streaming."""
        return subprocess.Popen(
            self.command(argv, options=("-T",)), stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, bufsize=0
        )

    def stream(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        refusal: Callable[[int, str], CrossdockError] | None = None,
    ) -> Iterator[bytes]:
        """A command's output piece by piece, whatever its size; closing the iterator ends the command.

        Errors: AccessError, ConnectionLost (also in the middle); a status other than 0 is a CrossdockError, or what
        `refusal` makes of it and of what the command said."""
        with tempfile.TemporaryFile() as complaints:
            process = self.popen(argv, stdin=stdin, stderr=complaints)
            out = process.stdout
            assert out is not None  # noqa: S101  popen always opens it
            try:
                while piece := out.read(_PIECE_BYTES):
                    yield piece
                status = process.wait()
            finally:
                out.close()
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            complaints.seek(0)
            said = complaints.read(_PIECE_BYTES)
        if failure := self.failure(status, said):
            raise failure
        if status != 0 and refusal:
            raise refusal(status, said.decode("utf-8", "replace").strip())
        if status != 0:
            raise CrossdockError(f"{argv[0]} ended with status {status}: {_tail(said)}", where=self.where)

    def failure(self, status: int, stderr: bytes) -> AccessError | None:
        """ssh's own failure, told from the remote command's: both may end with 255 (PHP does after a fatal error)."""
        if status < 0:
            return ConnectionLost(f"the local ssh was ended by signal {-status}", where=self.where)
        if status != _SSH_FAILED:
            return None
        text = stderr.decode("utf-8", "replace")
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in text:
            return self._changed_key(text)
        for pattern, kind, what, way_out in _FAILURES:
            if found := pattern.search(text):
                line = next((line for line in text.splitlines() if found.group(0) in line), found.group(0))
                return kind(f"{what}: {line.strip()}", where=self.where, way_out=way_out)
        if not text.strip():
            return ConnectionLost("the SSH session was cut", where=self.where, way_out="connect again and resume")
        return None

    def _settings(self) -> list[str]:
        return [
            "-o", "BatchMode=yes",
            "-o", f"ConnectTimeout={self.connect_timeout_seconds}",
            "-o", f"ServerAliveInterval={_ALIVE_INTERVAL_SECONDS}",
            "-o", "ServerAliveCountMax=4",
            "-o", "EscapeChar=none",
            *(["-o", f"ControlPath={self.control}"] if self.control else []),
        ]  # fmt: skip

    def _changed_key(self, text: str) -> AccessError:
        found = _OFFENDING.search(text)
        line = f"line {found.group(2)} of {found.group(1)}" if found else "the known hosts file"
        remove = f"sed -i '{found.group(2)}d' {shlex.quote(found.group(1))}" if found else "ssh-keygen -R HOST"
        return AccessError(
            f"the server's host key has CHANGED from the one in {line}: another machine may be answering",
            where=self.where,
            way_out=f"ask the server's owner whether the key was replaced; only then remove the old one: {remove}",
        )


def dying_with_us(argv: Sequence[str]) -> list[str]:
    """The command, on Linux made to end with the thread that starts it, so that a killed run leaves nothing behind."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else list(argv)


def _tail(stderr: bytes) -> str:
    return stderr[-_TAIL_BYTES:].decode("utf-8", "replace").strip() or "nothing on stderr"
