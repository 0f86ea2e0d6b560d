"""What lives in a store's WordPress: found with its risks, and refused until each has a name behind its destination."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab

BLOCKED = 4
KEPT = "mystery-keeper"
PLUGINS = {
    "stale-badges": ("Stale Badges", "1.0", ""),
    "acme-shop-extras": ("Shop Extras", "2.0", "WC tested up to: 9.0\n"),
    KEPT: ("Mystery <b>Keeper</b>", "3.0", ""),
    "holey-forms": ("Holey Forms", "1.1", ""),
    "checked": ("Checked", "1.0", ""),
}
DIRECTORY = {
    "stale-badges": {"error": "closed", "slug": "stale-badges", "reason": "guideline-violation"},
    "acme-shop-extras": {"last_updated": "2026-05-01 1:00am GMT", "version": "2.0"},
    "holey-forms": {"last_updated": "2017-01-01 1:00am GMT", "version": "1.2"},
    "checked": {"last_updated": "2026-05-01 1:00am GMT", "version": "1.0"},
    "akismet": {"last_updated": "2026-05-01 1:00am GMT", "version": "9"},
}
BELOW = {"from_version": "*", "from_inclusive": True, "to_version": "1.2", "to_inclusive": False}
HOLE = {
    "id": "h", "title": "Holey Forms < 1.2: stored XSS", "cve": "CVE-2026-1", "cvss": {"score": 8.1},
    "software": [{
        "type": "plugin", "slug": "holey-forms", "name": "Holey Forms", "patched_versions": ["1.2"],
        "affected_versions": {"* - 1.2": BELOW},
    }],
}  # fmt: skip


def header(name: str) -> str:
    title, version, more = PLUGINS[name]
    return f"<?php\n/*\nPlugin Name: {title}\nVersion: {version}\n{more}*/\n"


@pytest.fixture(scope="module")
def troubled(lab_gateway: Lab) -> Iterator[on.Project]:
    """North as it is found in real life, and feeds that know better."""
    on.reset(lab_gateway, "staging")
    root = lab_gateway.sources["north"].wordpress.root
    content, core = root / "wp-content", root / "wp-admin/about.php"
    before = core.read_bytes()
    for name in PLUGINS:
        _write(content / f"plugins/{name}/{name}.php", header(name))
    _write(content / f"plugins/{KEPT}/db.php", '<?php $wpdb->query( "SELECT * FROM {$wpdb->prefix}mystery" );')
    _write(content / "plugins/checked/lib.php", "<?php // altered")
    _write(content / "advanced-cache.php", "<?php // who knows")
    _write(root / "wp-includes/class-wp-cachee.php", "<?php // not WordPress's")
    core.write_bytes(before + b"\n<!-- added -->")
    (content / "plugins/closed").mkdir(mode=0o700)
    project = on.new_project(lab_gateway, ["north"])
    _feeds(project, lab_gateway)
    try:
        yield project
    finally:
        core.write_bytes(before)
        for name in (*PLUGINS, "closed", "late"):
            shutil.rmtree(content / "plugins" / name, ignore_errors=True)
        (content / "advanced-cache.php").unlink()
        (root / "wp-includes/class-wp-cachee.php").unlink()
        project.close()


def _feeds(project: on.Project, lab: Lab) -> None:
    folder = lab.folder / "feeds"
    shutil.copytree(lab.folder / "checksums", folder / "checksums", dirs_exist_ok=True)
    _write(folder / "directory.json", json.dumps(DIRECTORY))
    _write(folder / "wordfence.json", json.dumps({"h": HOLE}))
    sums = {"checked.php": {"md5": _md5(header("checked"))}, "lib.php": {"md5": _md5("<?php // as published")}}
    _write(folder / "checksums/plugins/checked/1.0.json", json.dumps({"files": sums}))
    keys = 'plugin_directory = "feeds/directory.json"\nvulnerabilities = "feeds/wordfence.json"\n'
    text = project.config.read_text().replace('checksums = "checksums"', f'{keys}checksums = "feeds/checksums"')
    project.config.write_text(text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def planned(troubled: on.Project) -> tuple[str, dict[str, Any]]:
    """What `move plan` prints, and the assessment that it keeps."""
    done = troubled.run("move", "plan")
    assert done.returncode == BLOCKED, done.stdout + done.stderr
    kept: dict[str, Any] = json.loads((troubled.state / "assessment.json").read_text())
    return done.stdout, kept


def test_each_risk_is_found_and_said_where(planned: tuple[str, dict[str, Any]]) -> None:
    found = {(one["code"], one["place"].removeprefix("north: ")): one["text"] for one in planned[1]["findings"]}
    for code, place in (
        ("plugin.abandoned", "plugins/stale-badges"), ("plugin.abandoned", "plugins/holey-forms"),
        ("plugin.commerce", "plugins/acme-shop-extras"), ("plugin.own-tables", f"plugins/{KEPT}"),
        ("plugin.vulnerable", "plugins/holey-forms"), ("plugin.unlisted", f"plugins/{KEPT}"),
        ("plugin.changed", "plugins/checked"), ("core.changed", "WordPress"), ("core.unknown-file", "WordPress"),
        ("drop-in.unknown", "advanced-cache.php"), ("wordpress.old", "wordpress"),
        ("code.unreadable", "plugins/closed"),
    ):  # fmt: skip
        assert (code, place) in found, sorted(found)
    assert found["core.changed", "WordPress"].endswith("wp-admin/about.php")
    assert found["core.unknown-file", "WordPress"].endswith("wp-includes/class-wp-cachee.php")
    assert found["plugin.changed", "plugins/checked"].endswith("lib.php")
    assert "who knows" not in json.dumps(planned[1])
    assert ("core.missing", "WordPress") not in found


def test_every_item_has_a_destination_or_blocks(planned: tuple[str, dict[str, Any]]) -> None:
    printed, kept = planned
    choice = {f"{one['kind']}:{one['name']}": one["destination"] for one in kept["items"]}
    assert choice["plugin:akismet"] == {
        "choice": "dropped", "by": "Ada Berg", "reason": "comes with WordPress, and was never set up",
    }  # fmt: skip
    assert choice["theme:twentytwentythree"]["choice"] == "moved"
    assert choice[f"plugin:{KEPT}"]["choice"] == "open"
    open_ = {key for key, one in choice.items() if one["choice"] == "open"}
    assert open_ == {*(f"plugin:{name}" for name in (*PLUGINS, "closed")), "drop-in:advanced-cache.php"}
    asked = {one["place"] for one in kept["findings"] if one["code"] == "item.open"}
    assert asked == {key.replace(":", ":north:", 1) for key in open_}
    keeper = next(one for one in kept["items"] if one["name"] == KEPT)
    assert (keeper["data"]["title"], keeper["data"]["tables"]) == ("Mystery Keeper", ["mystery"])
    line = next(line for line in printed.splitlines() if line.startswith('"plugin:north:stale-badges"'))
    assert line.endswith("plugin.abandoned")


def test_the_plan_is_refused_until_each_has_a_name_behind_it_and_then_carries_what_is_kept(
    troubled: on.Project, planned: tuple[str, dict[str, Any]], lab_gateway: Lab
) -> None:
    refused = troubled.run("move", "copy", "--to", "staging")
    assert (refused.returncode, "item.open" in refused.stderr) == (BLOCKED, True), refused.stderr
    _decide(troubled, planned[0])
    troubled.green("move", "run", "--until", "files staging")
    there = lab_gateway.managed.root("staging") / "wp-content"
    assert (there / f"plugins/{KEPT}/db.php").exists()
    assert not any((there / "plugins" / name).exists() for name in PLUGINS if name != KEPT)
    assert not (there / "advanced-cache.php").exists()
    plan = json.loads((troubled.state / "plan.json").read_text())
    held = {one["key"]: (one["choice"], one["by"]) for one in plan["destinations"]}
    assert held[f"plugin:north:{KEPT}"] == ("kept", "Bo Lind")
    chain = json.loads(troubled.green("verify-evidence", "--json"))
    drawn = [one["data"] for one in chain["receipts"] if one["step"] == "plan"][-1]
    # But the one that is kept; with the closed folder, the drop-in, Akismet and Acme Badges.
    code = [key for key, (choice, _) in held.items() if choice == "dropped" and key.startswith(("plugin:", "drop-in:"))]
    assert len(code) == len(PLUGINS) - 1 + 4
    assert drawn["destinations"]["dropped"] == sum(choice == "dropped" for choice, _ in held.values())


def _decide(project: on.Project, printed: str) -> None:
    """Pastes the printed lines into crossdock.toml, filled in."""
    lines = [line for line in printed.partition("To be decided")[2].splitlines() if line.startswith('"')]
    assert len(lines) == len(PLUGINS) + 2
    filled = [
        line.replace("keep|replace|drop", "keep" if KEPT in line else "drop").replace('"..."', '"Bo Lind"')
        for line in lines
    ]
    assert len(tomllib.loads("\n".join(filled))) == len(lines)
    text = project.config.read_text()
    project.config.write_text(text.replace("[decisions]\n", "[decisions]\n" + "\n".join(filled) + "\n"))


def test_code_that_appears_later_stops_what_comes_next(troubled: on.Project, lab_gateway: Lab) -> None:
    plugins = lab_gateway.sources["north"].wordpress.root / "wp-content/plugins"
    _write(plugins / "late/late.php", header("checked"))
    refused = troubled.run("move", "files", "--to", "staging")
    assert (refused.returncode, "plugin:north:late" in refused.stderr) == (BLOCKED, True), refused.stderr
    shutil.rmtree(plugins / "late")
