"""A script of small read-only probes on a server, over SSH: what fails, is missing or hangs costs only itself.

The script goes to `sh -s` by standard input, as root where sudo asks for no password. Each probe's output stands
between marks that hold a random number of ours, so neither a login's greeting nor a file's name can pass for one. A
probe that outlives even `timeout` (a process that waits for a dead disk can't be killed) is left behind: the session is
given up, and another goes on with those that follow.
"""

from __future__ import annotations

import re
import secrets
import selectors
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources

from crossdock.core.errors import AccessError
from crossdock.core.observed import Probed, Probing
from crossdock.edges.ssh import SshHost

_MOST_BYTES = 64 << 20
_MOST_COMPLAINTS = 1 << 20
_PROBE_BYTES = 1 << 20
_PIECE_BYTES = 256 << 10
_GOODBYE_SECONDS = 10
_MISSING, _ABSENT, _LATE = 127, 3, (124, 137)
_TIMES = re.compile(rb"(\d+)m([\d.]+)s")
# A sudo that asks its directory service must not hold us up; one that refuses costs nothing.
_AS_ROOT_WHERE_ALLOWED = (
    'if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null 2>&1 && timeout 10 sudo -n true >/dev/null 2>&1;'
    " then exec sudo -n sh -s; fi; exec sh -s"
)


@dataclass(frozen=True)
class ScriptProber:
    """Probes one server. `with_sudo` False stays with the account's own rights. Satisfies core.observed.Prober."""

    ssh: SshHost
    with_sudo: bool = True

    @property
    def name(self) -> str:
        return self.ssh.name

    def probe(
        self, script: bytes, names: Sequence[str], settings: Mapping[str, str], *, silence_seconds: float = 45
    ) -> Probing:
        """One answer for each name. Nothing for `silence_seconds` gives up the probe that is under way.

        Errors: AccessError (no connection; an account that runs no commands).
        """
        began = time.monotonic()
        found: dict[str, Probed] = {}
        seconds, sessions = 0.0, 0
        while waiting := [name for name in names if name not in found]:
            try:
                said = self._session(script, waiting, settings, silence_seconds)
            except AccessError as error:
                if not found:
                    raise
                said = _Said(why=error.what)  # what was told before it went away is worth keeping
            sessions, seconds = sessions + 1, seconds + said.cpu_seconds
            found |= said.answers
            if said.stuck:
                found[said.stuck] = Probed(problem=said.why)
            elif not said.answers and not found:
                raise self._no_answer(said)
            elif len(said.answers) < len(waiting):
                found |= {name: Probed(problem=said.why) for name in waiting if name not in found}
        return Probing(found, time.monotonic() - began, round(seconds, 3), sessions)

    def _session(
        self, script: bytes, names: Sequence[str], settings: Mapping[str, str], silence_seconds: float
    ) -> _Said:
        mark = secrets.token_hex(16)
        argv = ["sh", "-c", _AS_ROOT_WHERE_ALLOWED] if self.with_sudo else ["sh", "-s"]
        with tempfile.TemporaryFile() as complaints:
            process = self.ssh.popen(argv, stderr=complaints)
            try:
                _feed(process, _whole(script, names, settings, mark))
                out, is_silent = _read(process, silence_seconds)
                if not is_silent:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_GOODBYE_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()
            complaints.seek(0)
            said = complaints.read(_MOST_COMPLAINTS)
        made = _parsed(out, said, mark.encode(), names)
        is_empty = not made.answers and not made.stuck and not is_silent
        if is_empty and (failure := self.ssh.failure(process.returncode, said)):
            raise failure
        if is_silent:
            made.why = f"hung: nothing came for {silence_seconds:g} s"
        return made

    def _no_answer(self, said: _Said) -> AccessError:
        words = said.rest.decode("utf-8", "replace").strip()[-300:]
        return AccessError(
            f"the account runs no commands there: {words or said.why or 'nothing came back'}",
            where=self.ssh.where,
            way_out="ask for an account whose login shell runs `sh`",
        )


@dataclass
class _Said:
    """One session. `stuck`: the probe that was under way when it ended before its time; `rest`: what is not ours."""

    answers: dict[str, Probed] = field(default_factory=dict)
    stuck: str = ""
    why: str = "the session was cut"
    cpu_seconds: float = 0.0
    rest: bytes = b""


def _whole(script: bytes, names: Sequence[str], settings: Mapping[str, str], mark: str) -> bytes:
    """In braces, so that the shell has read all of it before a probe could read from the same input."""
    given = {"N": mark, "PROBES": " ".join(names), **settings}
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items())
    frame = resources.files("crossdock.edges.sh").joinpath("probes.sh").read_bytes()
    loop = b'for name in $PROBES; do probe "$name"; done\nexit 0\n'
    return b"{\n" + head.encode("utf-8", "surrogateescape") + frame + script + loop + b"}\n"


def _feed(process: subprocess.Popen[bytes], text: bytes) -> None:
    # A pipe holds 64 KiB and our scripts are shorter; a server that is gone is told of by its silence or its status.
    stdin = process.stdin
    if stdin is None:
        return
    try:
        stdin.write(text)
        stdin.close()
    except BrokenPipeError:
        pass


def _read(process: subprocess.Popen[bytes], silence_seconds: float) -> tuple[bytes, bool]:
    """What it prints, and whether it fell silent, or went on without end, before its end."""
    out, stdout = bytearray(), process.stdout
    if stdout is None:
        return b"", False
    with selectors.DefaultSelector() as waiting:
        waiting.register(stdout, selectors.EVENT_READ)
        while len(out) < _MOST_BYTES:
            if not waiting.select(silence_seconds):
                return bytes(out), True
            piece = stdout.read(_PIECE_BYTES)
            if not piece:
                return bytes(out), False
            out += piece
    return bytes(out), True


def _parsed(out: bytes, complaints: bytes, mark: bytes, names: Sequence[str]) -> _Said:
    said = _Said()
    begun: dict[str, bytes] = {}
    frames = _frames(out, mark)
    said.rest = next(frames)[2]
    files: dict[str, list[tuple[str, bytes]]] = {}
    current, ended = "", set[str]()
    for kind, name, content in frames:
        if kind == "b":
            current = name
            begun[name] = content
            files[name] = []
        elif kind == "f":
            path, _, text = content.partition(b"\0")
            files[current].append((path.decode("utf-8", "surrogateescape"), text))
        elif kind == "e":
            ended.add(name)
    statuses, words, said.cpu_seconds = _complaints(complaints, mark)
    for name in names:
        if name in ended:
            said.answers[name] = _answer(begun[name], files[name], statuses.get(name), words.get(name, b""))
        elif name in begun:
            said.stuck = name
    said.rest = said.rest or complaints[:_PIECE_BYTES]
    return said


def _frames(text: bytes, mark: bytes) -> Iterator[tuple[str, str, bytes]]:
    """(kind, word, what follows) of each mark; first ('', '', what stands before any). A file's name follows, too."""
    first, *others = text.split(b"\n" + mark + b" ")
    yield "", "", first
    for one in others:
        kind = one[:1].decode("ascii", "replace")
        if kind == "f":
            yield kind, "", one[2:]
        else:
            word, _, content = one[2:].partition(b"\n")
            yield kind, word.decode("utf-8", "replace").strip(), content


def _complaints(text: bytes, mark: bytes) -> tuple[dict[str, int], dict[str, bytes], float]:
    """Each probe's status, its standard error, and the processor seconds until the last one's end."""
    statuses: dict[str, int] = {}
    words: dict[str, bytes] = {}
    seconds, current = 0.0, ""
    for kind, word, content in _frames(text, mark):
        if kind == "b":
            current, words[word] = word, content
        elif kind == "s" and word.isdigit():
            statuses[current] = int(word)
        elif kind == "t":
            seconds = sum(int(minutes) * 60 + float(rest) for minutes, rest in _TIMES.findall(content)) or seconds
    return statuses, words, seconds


def _answer(out: bytes, files: list[tuple[str, bytes]], status: int | None, words: bytes) -> Probed:
    lines = words.decode("utf-8", "replace").strip().splitlines()
    size = len(out) + sum(len(content) for _, content in files)
    problem = ""
    if status == _ABSENT:
        return Probed(absent=True)
    if size >= _PROBE_BYTES - 4096:
        problem = f"only its first {_PROBE_BYTES >> 20} MiB were read"
    elif status in _LATE:
        problem = "was not done in time"
    elif status != 0:
        problem = "; ".join(dict.fromkeys(line.strip() for line in lines[-3:])) or f"ended with status {status}"
    return Probed(out, problem[:300], files=tuple(files))
