"""PHP itself judges the rewriting: it makes the values, says what they must become, and reads what came out."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from crossdock.wordpress.residue import Residue
from crossdock.wordpress.rewriting import PathRule, Rewriter, UrlRule
from crossdock.wordpress.serialization import Malformed, looks_serialized, parse, scan, trimmed

pytestmark = pytest.mark.skipif(shutil.which("php") is None, reason="needs the php command")

SCRIPT = Path(__file__).with_name("rewriting_oracle.php")
RULES = (
    UrlRule("south.example", "", "https", "sued.target-network.example", "/de"),
    UrlRule(
        "south.example",
        "/wp-content/uploads",
        "https",
        "sued.target-network.example",
        "/de/wp-content/uploads/sites/3",
    ),
    UrlRule("www.north.example", "", "https", "n.example"),
    PathRule("/var/www/html", "/sites/lumen", "server"),
)


def php(*arguments: str, lines: str = "") -> list[str]:
    done = subprocess.run(
        ["php", "-d", "memory_limit=512M", str(SCRIPT), *arguments],
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def generated(seed: int, count: int) -> list[tuple[bytes, bytes]]:
    made = []
    for line in php("generate", str(seed), str(count)):
        before, after = line.split(" ")
        made.append((base64.b64decode(before), base64.b64decode(after)))
    return made


def read_by_php(*columns: list[bytes]) -> list[tuple[bool, ...]]:
    rows = zip(*columns, strict=True)
    lines = "".join(" ".join(base64.b64encode(value).decode() for value in row) + "\n" for row in rows)
    return [tuple(one == "1" for one in line.split(" ")) for line in php("check", lines=lines)]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[bytes, bytes]]:
    return generated(20_000, 2_500)


def test_values_become_what_php_makes_of_the_replaced_texts(pairs: list[tuple[bytes, bytes]]) -> None:
    rewriter = Rewriter(RULES)
    assert sum(before != after for before, after in pairs) > 2_000
    for before, expected in pairs:
        assert rewriter.rewrite(before).value == expected, before


def test_php_reads_after_whatever_it_read_before(pairs: list[tuple[bytes, bytes]]) -> None:
    rewriter = Rewriter(RULES)
    befores = [before for before, _ in pairs if looks_serialized(before.strip())]
    verdicts = read_by_php(befores, [rewriter.rewrite(before).value for before in befores])
    assert sum(before for before, _ in verdicts) > 1_000
    assert [value for value, (before, after) in zip(befores, verdicts, strict=True) if before and not after] == []


def test_the_scanner_reads_all_that_php_reads_even_in_damaged_values(pairs: list[tuple[bytes, bytes]]) -> None:
    chance = random.Random(7)
    damaged = [damage(before.strip(), chance) for before, _ in pairs if is_serialized(before)]
    rewriter = Rewriter(RULES)
    rewritten = [rewriter.rewrite(value) for value in damaged]
    verdicts = read_by_php(damaged, [one.value for one in rewritten])
    readable = 0
    for value, (before, after) in zip(damaged, verdicts, strict=True):
        if not before:
            continue
        readable += 1
        start, end = trimmed(value, 0, len(value))
        assert scan(value, start, end) is not None, value
        assert after, value
    assert readable > 30


def is_serialized(value: bytes) -> bool:
    try:
        parse(value)
    except Malformed:
        return False
    return True


def damage(value: bytes, chance: random.Random) -> bytes:
    made = bytearray(value)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(made)) if made else 0
        match chance.randrange(5):
            case 0:
                made[at : at + 1] = b""
            case 1:
                made[at:at] = chance.choice((b"0", b'"', b";", b"}", b"s:3:", b"-", b"\\", b"N;", b"i:1;"))
            case 2:
                made[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                del made[chance.randrange(len(made) + 1) :]
            case _:
                made += chance.choice((b";", b"}", b" x", b'";'))
    return bytes(made)


def test_the_independent_judge_agrees(pairs: list[tuple[bytes, bytes]]) -> None:
    rewriter, residue = Rewriter(RULES), Residue(["south.example", "www.north.example"], ["/var/www/html"])
    for before, expected in pairs:
        result = rewriter.rewrite(before)
        # Enum cases and names stay, so nothing else may.
        assert residue.count(result.value) == 0, result.value
        assert residue.count(before) == result.changes, before
        assert residue.count(expected) == 0
