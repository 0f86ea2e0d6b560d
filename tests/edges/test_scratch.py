"""Folders of open ways: a killed process's are removed by the next one, a living one's are not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from crossdock.edges.scratch import scratch_folder


def test_only_what_the_dead_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead, alive = tmp_path / f"crossdock-way-{gone.pid}-x", tmp_path / f"crossdock-way-{os.getppid()}-x"
    other = tmp_path / "crossdock-way-notes"
    for folder in (dead, alive, other):
        folder.mkdir()
    made = scratch_folder()
    assert sorted(tmp_path.iterdir()) == sorted([alive, other, made])
    assert made.stat().st_mode & 0o777 == 0o700
