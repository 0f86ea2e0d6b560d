"""Checksums of the WordPress that the lab installs, as wordpress.org would publish them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from crossdock.lab.wordpress import version_of

CHECKSUMS = "checksums"


def write_checksums(folder: Path, codes: Sequence[Path]) -> None:
    """`core/VERSION.json` for each WordPress folder; what Debian adds is none of it."""
    (folder / "core").mkdir(parents=True, exist_ok=True)
    for code in codes:
        sums = {
            str(path.relative_to(code)): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in sorted(code.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        target = folder / "core" / f"{version_of(code)}.json"
        target.write_text(json.dumps({"checksums": sums}), encoding="utf-8")
