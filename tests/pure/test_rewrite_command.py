"""crossdock rewrite as a process: streams, counts, exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

RUN = [sys.executable, "-c", "from crossdock.cli.main import main; main()", "rewrite"]
PAIR = ["https://south.example", "https://www.n.example/s"]
DUMP = (
    b"/*!40101 SET NAMES utf8mb4 */;\nINSERT INTO `wp_options` VALUES (1,'siteurl','http://south.example','yes'),\n"
    b"(2,'x','a:1:{i:0;s:20:\\\"http://south.example\\\";}','no');\n"
    b"INSERT INTO `wp_users` VALUES (1,'ann@south.example');\n"
)
DONE = DUMP.replace(b"'http://south.example'", b"'https://www.n.example/s'").replace(
    b's:20:\\"http://south.example', b's:23:\\"https://www.n.example/s'
)


def rewrite(*arguments: str, given: bytes = DUMP) -> tuple[int, bytes, str]:
    done = subprocess.run([*RUN, *arguments], input=given, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def test_the_dump_goes_to_stdout_and_the_counts_to_stderr() -> None:
    code, out, told = rewrite(*PAIR)
    assert (code, out) == (0, DONE)
    lines = told.splitlines()
    assert lines[0].split() == ["Table", "Rows", "Values", "Addresses", "Broken", "before", "Left", "Too", "long"]
    assert lines[1].split() == ["wp_options", "2", "2", "2", "0", "0", "0"]
    assert lines[2].startswith("2 addresses in 2 values of 1 tables rewritten; 2 tables, 3 rows,")
    assert len(lines) == 3


def test_json() -> None:
    code, out, told = rewrite(*PAIR, "--json")
    assert (code, out) == (0, DONE)
    counts = json.loads(told)
    assert counts["bytes_read"] == len(DUMP)
    assert counts["bytes_written"] == len(DONE)
    assert counts["total"] == {"rows": 3, "values": 2, "addresses": 2, "broken": 0, "left": 0, "too_long": 0}
    assert list(counts["tables"]) == ["wp_options", "wp_users"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Missing argument"),
        (["https://a.example"], "each FROM needs its TO"),
        (["a.example", "https://b.example"], "does not begin with https:// or http://"),
        (["https://a.example?x", "https://b.example"], "has a query or fragment"),
        ([*PAIR, *PAIR], "given twice"),
    ],
)
def test_wrong_command_lines(arguments: list[str], told: str) -> None:
    code, out, error = rewrite(*arguments)
    assert (code, out) == (2, b"")
    assert told in " ".join(error.replace("│", " ").split())


def test_what_can_not_be_read_ends_with_10() -> None:
    code, out, told = rewrite(*PAIR, "--json", given=DUMP[:-10])
    assert code == 10
    assert not out or DONE.startswith(out)
    assert told.splitlines()[0].startswith("table wp_users, row 1, line 4, byte ")
    assert told.splitlines()[1].startswith("Way out: ")
    code, _, told = rewrite(*PAIR, given=b"\x1f\x8b\x08" + DUMP)
    assert code == 10
    assert "zcat dump.sql | crossdock rewrite" in told


def test_a_full_disk_ends_with_9() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*RUN, *PAIR], input=DUMP, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 9
    assert b"No space left on device" in done.stderr


def test_a_reader_that_leaves_ends_with_9(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_bytes(DUMP * 10_000)
    with dump.open("rb") as file:
        process = subprocess.Popen([*RUN, *PAIR], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout
        process.stdout.read(10)
        process.stdout.close()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 9
    assert b"Broken pipe" in told


def peak_mib(pieces: Iterable[bytes]) -> float:
    """Of the process that rewrites them."""
    process = subprocess.Popen([*RUN, *PAIR, "--json"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    for piece in pieces:
        process.stdin.write(piece)
    process.stdin.close()
    peak = 0.0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if (found := re.search(r"VmHWM:\s+(\d+) kB", status)) is not None:
            peak = int(found[1]) / 1024
    assert process.returncode == 0
    assert peak
    return peak


def test_memory_holds_the_largest_value_not_the_dump() -> None:
    text = b"x" * (1 << 20)
    row = b"INSERT INTO t VALUES ('" + b"http://south.example/ it\\'s\\n" * 100 + b"%b');\n"
    assert peak_mib(row % text for _ in range(200)) < 100
    big = [b"INSERT INTO t VALUES (1,'a:1:{i:0;s:104857620:\\\"", *[text] * 100, b"http://south.example\\\";}');\n"]
    assert peak_mib(big) < 800


def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_bytes(DUMP * 1000)
    terminal, its_end = pty.openpty()
    with dump.open("rb") as file:
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
        process = subprocess.Popen(
            [*RUN, *PAIR], stdin=file, stdout=subprocess.DEVNULL, stderr=its_end, env=environment
        )
        os.close(its_end)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the other side has closed
                break
            shown += piece
        assert process.wait(60) == 0
    os.close(terminal)
    assert b"rewrite" in shown
    assert b"2,000 addresses" in shown


def test_it_asks_for_a_dump_on_a_terminal() -> None:
    terminal, its_end = pty.openpty()
    done = subprocess.run([*RUN, *PAIR], stdin=its_end, capture_output=True, check=False)
    os.close(its_end)
    os.close(terminal)
    assert done.returncode == 2
    assert b"give a dump on standard input" in done.stderr


def test_a_closed_standard_input_is_told_as_none() -> None:
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *RUN, *PAIR], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"give a dump on standard input" in done.stderr
