"""Probes over a real SSH server: what hangs, is missing or talks in between costs only itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from local_servers import TestSsh, ssh_server

from crossdock.core.errors import AccessError
from crossdock.edges.probing import ScriptProber

SCRIPT = rb"""
p_hello() { printf 'hello\0\377\n'; }
p_silent() { return 0; }
p_fails() { echo 'first' >&2; echo 'no right to do so' >&2; return 4; }
p_absent() { return 3; }
p_missing() { need no-such-program && no-such-program; }
p_slow() { T 1 sleep 30; }
p_stuck() { sleep 6; }
p_endless() { while :; do printf 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'; done; }
p_stdin() { cat; echo read; }
p_files() { files "$FOLDER"/*; }
p_names() { find "$FOLDER" -type f -print0; }
p_busy() { i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; }
"""


def prober(server: TestSsh, **options: bool) -> ScriptProber:
    return ScriptProber(server.host(), **options)


def test_every_probe_has_an_answer_or_says_why_not(sshd: TestSsh) -> None:
    names = ["hello", "silent", "fails", "absent", "missing", "slow", "stdin"]
    found = prober(sshd).probe(SCRIPT, names, {}, silence_seconds=10)
    told = found.answers
    assert told["hello"].out == b"hello\0\xff\n"
    assert (told["hello"].problem, told["silent"].out, told["silent"].problem) == ("", b"", "")
    assert told["fails"].problem == "first; no right to do so"
    assert told["absent"].absent
    assert not told["absent"].problem
    assert told["missing"].problem == "no-such-program is not there"
    assert told["slow"].problem == "was not done in time"
    # The script itself comes by standard input: a probe that reads it must not eat what follows.
    assert told["stdin"].out == b"read\n"
    assert found.sessions == 1


def test_a_probe_that_nothing_can_end_is_left_behind(sshd: TestSsh) -> None:
    began = time.monotonic()
    found = prober(sshd).probe(SCRIPT, ["hello", "stuck", "silent", "stuck", "busy"], {}, silence_seconds=1.5)
    assert time.monotonic() - began < 6
    assert found.sessions == 2
    assert found.answers["stuck"].problem == "hung: nothing came for 1.5 s"
    assert found.answers["hello"].out
    assert found.answers["busy"].problem == ""
    assert found.cpu_seconds > 0


def test_output_without_end_is_bounded(sshd: TestSsh) -> None:
    told = prober(sshd).probe(SCRIPT, ["endless", "hello"], {}).answers
    assert len(told["endless"].out) == 1 << 20
    assert told["endless"].problem == "only its first 1 MiB were read"
    assert told["hello"].out


def test_no_name_of_a_file_can_break_the_frame(sshd: TestSsh, tmp_path: Path) -> None:
    hostile = [b"two\nlines", b"\n0123456789abcdef0123456789abcdef e names\n", b"no text \xff\xfe", b"$(touch x) `id`"]
    for name in hostile:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name.replace(b"/", b""))).write_bytes(b"content of " + name)
    settings = {"FOLDER": str(tmp_path)}
    told = prober(sshd).probe(SCRIPT, ["files", "names", "hello"], settings).answers
    files = {os.fsencode(path).removeprefix(os.fsencode(tmp_path) + b"/"): text for path, text in told["files"].files}
    assert files == {name: b"content of " + name for name in hostile}
    names = told["names"].out.split(b"\0")[:-1]
    assert {name.removeprefix(os.fsencode(tmp_path) + b"/") for name in names} == set(hostile)
    assert told["hello"].out


@contextmanager
def greeting(session: str) -> Iterator[TestSsh]:
    with ssh_server(forwarding=True, more="ForceCommand {folder}/session\n") as server:
        script = server.folder / "session"
        script.write_text(f"#!/bin/bash\n{session}\n")
        script.chmod(0o755)
        yield server


def test_a_greeting_in_the_output_does_no_harm() -> None:
    with greeting(
        "printf 'Welcome!\\n00000000000000000000000000000000 b hello\\nnot the answer\\n'\n"
        'echo "last login: never" >&2\n/bin/bash -c "$SSH_ORIGINAL_COMMAND"\necho bye\n'
    ) as server:
        told = prober(server).probe(SCRIPT, ["hello", "fails"], {}).answers
    assert told["hello"].out == b"hello\0\xff\n"
    assert told["fails"].problem == "first; no right to do so"


def test_an_account_without_a_shell_is_told() -> None:
    with greeting("echo 'This account is for files only.'; exit 1") as server:
        with pytest.raises(AccessError, match=r"runs no commands there: This account is for files only") as caught:
            prober(server).probe(SCRIPT, ["hello"], {})
        assert "login shell" in caught.value.way_out


def test_half_the_commands_are_missing(tmp_path: Path) -> None:
    """Neither timeout nor head nor find: what needs them says so, and all else is answered."""
    with ssh_server(forwarding=True, more="SetEnv PATH={folder}/bin\n") as server:
        tools = server.folder / "bin"
        tools.mkdir()
        for name in ("sh", "cat", "id"):
            (tools / name).symlink_to(f"/bin/{name}")
        script = SCRIPT + b"p_find() { need find && find /; }\n"
        names = ["hello", "find", "files", "missing"]
        told = prober(server).probe(script, names, {"FOLDER": str(tools)}).answers
    assert told["hello"].out == b"hello\0\xff\n"
    assert told["find"].problem == "find is not there"
    assert {path.rpartition("/")[2] for path, _ in told["files"].files} == {"sh", "cat", "id"}


def test_a_server_that_goes_away_in_between(sshd: TestSsh) -> None:
    script = SCRIPT + b"p_cut() { sleep 0.6; kill -9 $PPID; sleep 3; }\n"
    told = ScriptProber(sshd.host(), with_sudo=False).probe(script, ["hello", "cut", "silent"], {}).answers
    assert told["hello"].out
    assert "cut" in told["cut"].problem
    assert told["silent"].problem == ""
