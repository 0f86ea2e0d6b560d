"""Versions in PHP's own order."""

from __future__ import annotations

import json
import random
import subprocess

from crossdock.wordpress.versions import VersionRange, compare

_ASK = (
    "echo json_encode(array_map(function ($p) { return version_compare($p[0], $p[1]); }, "
    "json_decode(stream_get_contents(STDIN))));"
)
_KNOWN = (
    "1", "1.0", "1.0.0", "1.2.3", "1.2.10", "1.10", "2.0-beta1", "2.0beta", "2.0-RC1", "2.0rc", "2.0", "2.0pl1",
    "2.0-alpha", "2.0-dev", "1.0a", "1.0b2", "5.3.2.1", "0", "", "1.0.0-wpcom", "3.14_15", "1..2", "v1.2", "1.2v",
    "1.2.x", "10", "1.2.3+4", "6.1.9", "6.1", "6.2-alpha-54642", "2024.01.05", "1.0.1-fix", "#", "1.#.2", ".1", "1.",
)  # fmt: skip


def php(pairs: list[tuple[str, str]]) -> list[int]:
    done = subprocess.run(["php", "-r", _ASK], input=json.dumps(pairs), capture_output=True, text=True, check=True)
    found: list[int] = json.loads(done.stdout)
    return found


def test_the_order_is_phps() -> None:
    chance = random.Random(4)
    letters = "0123456789..--_abRCpldev+"
    made = ["".join(chance.choice(letters) for _ in range(chance.randrange(1, 9))) for _ in range(1500)]
    pairs = [(one, other) for one in _KNOWN for other in _KNOWN]
    pairs += list(zip(made, chance.sample(made, len(made)), strict=True))
    wrong = [
        (pair, compare(*pair), said) for pair, said in zip(pairs, php(pairs), strict=True) if compare(*pair) != said
    ]
    assert wrong == []


def test_ranges() -> None:
    assert "1.2" in VersionRange()
    assert "1.2.3" not in VersionRange("*", "1.2.3", True, False)
    assert "1.2.3" in VersionRange("1.0", "1.2.3")
    assert "1.0" not in VersionRange("1.0", "*", False)
