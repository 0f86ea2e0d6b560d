"""Pictures of a staging behind its login, source beside target: killed and resumed, and a changed page is told."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time

import projects as on
import pytest

from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab


def test_pictures_resume_hold_by_their_hashes_and_show_what_changed(lab_gateway: Lab) -> None:
    on.reset(lab_gateway)
    project = on.new_project(lab_gateway, ["south"])
    try:
        project.green("bridge", "install", "staging")
        project.green("move", "run", "--until", "copy staging")
        folder = project.state / "screenshots/staging"
        first = _killed_half_way(project)
        told = json.loads(project.green("move", "screenshots", "--in", "staging", "--pages", "1", "--json"))
        assert {path: path.stat().st_mtime_ns for path in first} == first
        assert (told["pairs"], told["pictures"], told["failed"], told["differing"]) == (2, 6, 0, 0)
        assert {one["width"] for one in told["pages"]} == {390, 1280}
        assert all(one["statuses"] == {"source": 200, "target": 200} for one in told["pages"])
        _hashes_hold(project)
        for path in folder.glob("*.png"):
            assert path.stat().st_size > 1000

        with lab_gateway.connect(*on.schema_of(lab_gateway, "staging")) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE wp_2_options SET option_value = 'Another name' WHERE option_name = 'blogname'")
            connection.commit()
        lab_gateway.managed.web.clear_cache()
        told = json.loads(project.green("move", "screenshots", "--in", "staging", "--pages", "1", "--json"))
        assert all(one["different_percent"] > 0 for one in told["pages"])
        _hashes_hold(project)
    finally:
        project.close()
        on.reset(lab_gateway)


def _killed_half_way(project: on.Project) -> dict[object, int]:
    """Kills a run after its first page; returns when its pictures were written."""
    process = project.start("move", "screenshots", "--in", "staging", "--pages", "1")
    folder = project.state / "screenshots/staging"
    end = time.monotonic() + 120
    while not (done := list(folder.glob("*-difference.png"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    while len(json.loads((folder / "index.json").read_text())["views"]) < 1:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(done) == 1
    return {path: path.stat().st_mtime_ns for path in done}


def _hashes_hold(project: on.Project) -> None:
    """Every picture is the one that the newest receipt names."""
    chain = json.loads(project.green("verify-evidence", "--json", "--all"))
    data = [one["data"] for one in chain["receipts"] if one["step"] == "screenshots"][-1]
    for page in data["pages"]:
        assert set(page["pictures"]) == {"source", "target", "difference"}
        for picture in page["pictures"].values():
            body = (project.state / "screenshots/staging" / picture["file"]).read_bytes()
            assert hashlib.sha256(body).hexdigest() == picture["sha256"]
