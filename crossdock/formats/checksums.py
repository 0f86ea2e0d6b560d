"""Published checksums of WordPress's and its plugins' files, as wordpress.org gives them."""

from __future__ import annotations

import json
import re
from typing import Any

from crossdock.formats.json_entries import Broken

_MD5 = re.compile(r"[0-9a-f]{32}")


def read_checksums(content: bytes) -> dict[str, frozenset[str]]:
    """File -> the MD5s it may have: of `{"checksums": {...}}` (WordPress) or `{"files": {...}}` (a plugin).

    Errors: Broken (no JSON, or none of the two)."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Broken(f"is no JSON ({error})") from None
    files = (told.get("checksums") or told.get("files")) if isinstance(told, dict) else None
    if isinstance(files, dict) and len(files) == 1 and isinstance(only := next(iter(files.values())), dict):
        files = files if "md5" in only else only  # an older answer wraps them once more, by version
    if not isinstance(files, dict) or not files:
        raise Broken("holds no checksums")
    found = {str(name): _sums(one) for name, one in files.items()}
    if not all(found.values()):
        raise Broken("holds a file without an MD5")
    return found


def _sums(one: Any) -> frozenset[str]:
    value = one.get("md5") if isinstance(one, dict) else one
    values = value if isinstance(value, list) else [value]
    return frozenset(text for each in values if _MD5.fullmatch(text := str(each).lower()))
