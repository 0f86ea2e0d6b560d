"""Passwords of the lab: made up once, kept in files that only the lab's owner can read."""

from __future__ import annotations

import secrets
from pathlib import Path


def kept(path: Path) -> str:
    """The password in this file; a new one is written when the file is missing (0600)."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
