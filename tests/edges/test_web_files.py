"""Settings and logs of a web server over a real sshd: found by globs, unpacked, streamed, and never a shell's words."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from local_servers import TestSsh

from crossdock.core.errors import ConnectionLost, CrossdockError
from crossdock.edges.web_files import find_files, find_logs, read_log, read_settings, read_text


def test_logs_are_found_and_read_plain_or_packed(sshd: TestSsh, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(b"one\n" * 200_000)
    (tmp_path / "access.log.1").write_bytes(b"two\n")
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(b"three\n"))
    host = sshd.host()
    found = find_logs(host, None, [str(tmp_path / "access.log")])
    assert found == [str(tmp_path / name) for name in ("access.log", "access.log.1", "access.log.2.gz")]
    assert find_logs(host, [str(tmp_path / "*.gz"), str(tmp_path / "none*")], []) == found[2:]
    assert b"".join(read_log(host, found[0])) == b"one\n" * 200_000
    assert b"".join(read_log(host, found[2])) == b"three\n"
    assert list(read_log(host, str(tmp_path / "gone.log"))) == []


def test_names_are_names_and_no_commands(sshd: TestSsh, tmp_path: Path) -> None:
    odd = tmp_path / "a b; touch x; $(touch y).log"
    odd.write_text("odd")
    host = sshd.host()
    assert find_files(host, [str(tmp_path / "a b*.log"), f"{tmp_path}/$(touch {tmp_path}/z)"]) == [str(odd)]
    assert b"".join(read_log(host, str(odd))) == b"odd"
    assert read_text(host, str(odd)) == "odd"
    assert [path.name for path in tmp_path.iterdir()] == [odd.name]


def test_settings_are_marked_with_their_files(sshd: TestSsh, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("server {}")
    text, where = read_settings(sshd.host(), [str(tmp_path / "*.conf")])
    assert text == f"# configuration file {tmp_path}/a.conf:\nserver {{}}\n"
    assert where == "1 files"
    assert read_settings(sshd.host(), [str(tmp_path / "none")]) == ("", "")


def test_a_stream_that_is_cut_or_fails_says_so(sshd: TestSsh) -> None:
    pieces = sshd.host().stream(["sh", "-c", "echo first; sleep 30"])
    assert next(pieces) == b"first\n"
    sshd.cut_sessions()
    with pytest.raises(ConnectionLost):
        list(pieces)
    with pytest.raises(CrossdockError, match="status 3: no such thing"):
        list(sshd.host().stream(["sh", "-c", "echo no such thing >&2; exit 3"]))
    begun = sshd.host().stream(["sh", "-c", "yes"])
    assert next(begun)
    begun.close()
