"""Files of all four stores: carried, proved, and whatever is altered afterwards is named."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.files import (
    LINK_INSIDE,
    LINK_OUTSIDE,
    MUST_USE,
    PLUGIN,
    STRANGE_FOLDER,
    STRANGE_NAMES,
    THEME,
)
from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab

STORES = {
    "north": ("north", "", 2),
    "south": ("south", "", 3),
    "east": ("east", "", 4),
    "east-fr": ("east", "sites/2", 5),
}
ZEROS = ("files_missing", "files_extra", "files_different", "files_changing", "attachments_missing")
BIG_BYTES = 20 << 20


def source_uploads(lab: Lab, store: str) -> Path:
    server, below, _ = STORES[store]
    return lab.sources[server].wordpress.root / "wp-content/uploads" / below


def target_uploads(lab: Lab, store: str, environment: str = "staging") -> Path:
    return lab.managed.root(environment) / f"wp-content/uploads/sites/{STORES[store][2]}"


def as_json(project: on.Project, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = project.run(*arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def codes(found: dict[str, Any], level: str = "fail") -> dict[str, str]:
    """Findings of a level: code -> text."""
    return {one["code"]: one["text"] for one in found["findings"] if one["level"] == level}


@pytest.fixture(scope="module")
def carried(lab_gateway: Lab) -> Iterator[tuple[on.Project, dict[str, Any]]]:
    """Rows and files of all stores on staging."""
    on.reset(lab_gateway)
    big = source_uploads(lab_gateway, "north") / "big.bin"
    big.write_bytes(os.urandom(BIG_BYTES))
    (source_uploads(lab_gateway, "north") / "gone.txt").write_text("for a while")
    lost = source_uploads(lab_gateway, "south") / "2025/02/photo-1.jpg"
    shutil.move(lost, lab_gateway.folder / "photo-1.away")
    project = on.new_project(lab_gateway)
    project.green("move", "run", "--until", "copy staging")
    code, found = as_json(project, "move", "files", "--to", "staging")
    assert code == 0, found
    yield project, found
    big.unlink()
    for name in ("gone.txt", "new name.txt"):
        (source_uploads(lab_gateway, "north") / name).unlink(missing_ok=True)
    shutil.move(lab_gateway.folder / "photo-1.away", lost)
    project.close()


def test_every_file_is_at_its_blogs_place(lab_gateway: Lab, carried: tuple[on.Project, dict[str, Any]]) -> None:
    _, found = carried
    assert {name: found[name] for name in ZEROS} == dict.fromkeys(ZEROS, 0)
    assert found["files_total"] > 4 * len(STRANGE_NAMES)
    assert found["file_bytes"] > BIG_BYTES
    for store in STORES:
        here, there = source_uploads(lab_gateway, store), target_uploads(lab_gateway, store)
        for path in here.rglob("*"):
            name = path.relative_to(here)
            if store == "east" and name.parts[0] == "sites":
                assert not (there / name).exists()
            elif path.is_symlink():
                assert (there / name).is_symlink() is (os.fsencode(path.name) == LINK_INSIDE)
            elif path.is_dir():
                assert (there / name).is_dir()
            else:
                assert (there / name).read_bytes() == path.read_bytes()
    strange = os.listdir(os.fsencode(target_uploads(lab_gateway, "north") / STRANGE_FOLDER))  # noqa: PTH208
    assert set(STRANGE_NAMES) <= set(strange)
    assert LINK_OUTSIDE not in strange


def test_only_approved_code_came_along(lab_gateway: Lab, carried: tuple[on.Project, dict[str, Any]]) -> None:
    project, found = carried
    content = lab_gateway.managed.root("staging") / "wp-content"
    assert (content / "themes" / THEME / "style.css").exists()
    assert (content / "mu-plugins" / MUST_USE).exists()
    assert not (content / "plugins" / PLUGIN).exists()
    told = {one["place"] for one in found["findings"] if one["code"] == "file.plugin-unapproved"}
    assert f"south: plugins/{PLUGIN}" in told
    chain = json.loads(project.green("verify-evidence", "--json"))
    receipts = {one["subject"]: one["data"] for one in chain["receipts"] if one["step"] == "files.store"}
    assert {f"staging/{STORES[store][0]}/uploads/{store}" for store in STORES} <= set(receipts)
    north = receipts["staging/north/uploads/north"]
    assert north["bytes"] > BIG_BYTES
    assert len(north["manifest"]) == 64


def test_a_later_run_keeps_step_with_the_source(lab_gateway: Lab, carried: tuple[on.Project, dict[str, Any]]) -> None:
    project, before = carried
    here, there = source_uploads(lab_gateway, "north"), target_uploads(lab_gateway, "north")
    assert (there / "gone.txt").exists()
    (here / "gone.txt").unlink()
    (here / "new name.txt").write_text("new")
    code, found = as_json(project, "move", "files", "--to", "staging")
    assert (code, found["files_total"]) == (0, before["files_total"])
    assert (there / "new name.txt").read_text() == "new"
    assert not (there / "gone.txt").exists()


def test_validate_names_each_file_that_was_altered_and_files_mends_them(
    lab_gateway: Lab, carried: tuple[on.Project, dict[str, Any]]
) -> None:
    project, _ = carried
    code, found = as_json(project, "move", "validate", "--in", "staging")
    assert (code, codes(found)) == (0, {})
    assert found["attachments_missing_at_source"] == 1
    assert "photo-1.jpg" in codes(found, "warn")["file.attachment-missing"]
    assert found["attachment_files"] > 20
    there = target_uploads(lab_gateway, "north")
    facts = (there / "big.bin").stat()
    with (there / "big.bin").open("r+b") as stream:
        stream.seek(BIG_BYTES // 2)
        byte = stream.read(1)
        stream.seek(BIG_BYTES // 2)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(there / "big.bin", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (there / "2025/02/photo-1.jpg").unlink()
    (there / "intruder.php").write_text("<?php")
    code, found = as_json(project, "move", "validate", "--in", "staging")
    told = codes(found)
    assert (code, found["green"]) == (1, False)
    assert "1 differ from the source's: big.bin" in told["file.different"]
    assert "1 are missing at the target: 2025/02/photo-1.jpg" in told["file.missing"]
    assert "intruder.php" in told["file.extra"]
    assert "2025/02/photo-1.jpg" in told["file.attachment-missing"]
    assert (found["files_different"], found["files_missing"], found["files_extra"]) == (1, 1, 1)
    code, found = as_json(project, "move", "files", "--to", "staging")
    assert (code, set(codes(found))) == (1, {"file.extra"})
    (there / "intruder.php").unlink()
    assert (there / "big.bin").read_bytes() == (source_uploads(lab_gateway, "north") / "big.bin").read_bytes()


def test_a_file_that_keeps_growing_is_told_and_waits(
    lab_gateway: Lab, carried: tuple[on.Project, dict[str, Any]]
) -> None:
    project, _ = carried
    log = source_uploads(lab_gateway, "east-fr") / "debug.log"
    process = project.start("move", "files", "--to", "staging", "--json")
    try:
        while process.poll() is None:
            with log.open("a") as out:
                out.write("one more line\n")
            time.sleep(0.02)
        told, _ = process.communicate()
    finally:
        found = json.loads(told)
        log.unlink()
    assert process.returncode == 0
    assert found["files_changing"] == 1
    assert "debug.log" in codes(found, "warn")["file.changing"]


def test_a_killed_run_goes_on(lab_gateway: Lab, carried: tuple[on.Project, dict[str, Any]]) -> None:
    project, _ = carried
    there = target_uploads(lab_gateway, "north")
    shutil.rmtree(there)
    config = project.config.read_text()
    project.config.write_text(config.replace("[files]\n", "[files]\nbandwidth_kib_per_second = 4000\n"))
    try:
        process = project.start("move", "files", "--to", "staging")
        end = time.monotonic() + 60
        while not list(there.glob(".crossdock-partial/**/*big*")) and time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None
        process.kill()
        process.communicate()
    finally:
        project.config.write_text(config)
    assert not (there / "big.bin").exists()
    code, found = as_json(project, "move", "files", "--to", "staging")
    assert (code, codes(found)) == (0, {})
    assert (there / "big.bin").stat().st_size == BIG_BYTES
    assert not list(there.rglob(".crossdock-partial"))
