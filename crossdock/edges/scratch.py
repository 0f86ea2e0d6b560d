"""Folders for sockets and logs of ways that are open, which go when the ways are closed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "crossdock-way-"


def scratch_folder() -> Path:
    """A new folder that only this account can enter. What a killed process of this account left is removed: it could
    not do so itself."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        # Another process may sweep at the same time.
        with contextlib.suppress(FileNotFoundError):
            if pid.isdigit() and not Path("/proc", pid).exists() and left.lstat().st_uid == os.getuid():
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
