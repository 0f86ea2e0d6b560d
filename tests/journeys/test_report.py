"""Pictures and report of a real move: from the stores' own servers, resumed after a kill, and checked by its reader."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def moved(lab_gateway: Lab) -> Iterator[on.Project]:
    """One store on a guarded staging, and nothing on production."""
    on.reset(lab_gateway)
    project = on.new_project(lab_gateway, ["north"])
    project.green("move", "run", "--until", "validate staging")
    project.green("bridge", "install", "staging")
    yield project
    project.close()


def receipts(project: on.Project, step: str) -> list[dict[str, Any]]:
    told = json.loads(project.green("verify-evidence", "--json", "--all"))
    return [one for one in told["receipts"] if one["step"] == step]


def kept(project: on.Project) -> dict[str, Any]:
    path = project.state / "screenshots" / "staging" / "index.json"
    views: dict[str, Any] = json.loads(path.read_text())["views"] if path.exists() else {}
    return views


def wait_until(ready: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_pictures_are_taken_through_the_guard_and_go_on_after_a_kill(moved: on.Project) -> None:
    process = moved.start("move", "screenshots", "--in", "staging", "--pages", "1")
    wait_until(lambda: kept(moved), 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not on.processes_of(moved), 20)
    folder = moved.state / "screenshots" / "staging"
    first = next(iter(kept(moved)))
    before = (folder / f"{first}-source.png").stat().st_mtime_ns
    told = json.loads(moved.green("move", "screenshots", "--in", "staging", "--pages", "1", "--json"))
    assert (told["pairs"], told["pictures"], told["failed"]) == (2, 6, 0)
    assert (folder / f"{first}-source.png").stat().st_mtime_ns == before
    assert {one["width"] for one in told["pages"]} == {390, 1280}
    assert all(one["statuses"] == {"source": 200, "target": 200} for one in told["pages"])
    (receipt,) = receipts(moved, "screenshots")
    for page in receipt["data"]["pages"]:
        for one in page["pictures"].values():
            assert hashlib.sha256((folder / one["file"]).read_bytes()).hexdigest() == one["sha256"]


def test_a_place_without_a_copy_has_no_pictures(moved: on.Project) -> None:
    done = moved.run("move", "screenshots", "--in", "production")
    assert done.returncode == 4
    assert "crossdock move copy --to production" in done.stderr


def test_the_report_is_made_of_the_evidence_and_says_how_to_check_it(moved: on.Project) -> None:
    told = json.loads(moved.green("move", "report", "--in", "staging", "--language", "de", "--json"))
    html = Path(told["html"]).read_text(encoding="utf-8")
    assert told["verdict"] == "proved"
    assert "Bewiesen: Alles ist angekommen." in html
    assert "http://north.staging.lumen.example" in html
    assert Path(told["pdf"]).read_bytes().startswith(b"%PDF")
    (receipt,) = receipts(moved, "report")
    assert receipt["data"]["html"] == hashlib.sha256(html.encode()).hexdigest()
    assert f"crossdock verify-evidence --expect-head {receipt['data']['head']}" in html
    moved.green("verify-evidence", "--expect-head", receipt["data"]["head"])


def test_a_changed_picture_is_not_reported(moved: on.Project) -> None:
    picture = next((moved.state / "screenshots" / "staging").glob("*-target.png"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    done = moved.run("move", "report", "--in", "staging")
    assert done.returncode == 8
    assert str(picture) in done.stderr
