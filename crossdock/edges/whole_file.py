"""Files of ours on this machine, each written whole or not at all: a killed process leaves the former one."""

from __future__ import annotations

import os
from pathlib import Path

from crossdock.core.errors import CrossdockError


def write_whole(path: Path, content: bytes | str, *, is_secret: bool = False) -> bytes:
    """Puts a file in place of the former and returns its bytes; text as UTF-8. A secret one is readable by this account
    alone from its first byte on, and so is the folder that is made for it.

    Errors: CrossdockError naming the file, where it can't be written.
    """
    body = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    fresh = path.with_name(f"{path.name}.new")
    try:
        if is_secret:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        mode = 0o600 if is_secret else 0o666
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(body)
        fresh.replace(path)
    except OSError as error:
        way_out = "make room there, or let this account write, then start it again"
        raise CrossdockError(f"can't be written: {error.strerror}", where=str(path), way_out=way_out) from error
    return body
