"""The assessment on real servers: everything is told, nothing is changed, and what can't be read says so."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import projects as on
import pytest

from crossdock.lab.dns import Records
from crossdock.lab.lab import Lab

pytestmark = pytest.mark.lab


def listing(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Every file and folder of a server but what its daemons write by themselves: mode, owner, size, time of change."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if (Path(place) / one).relative_to(folder).parts[0] not in DAEMONS]
        for name in (*folders, *names):
            facts = (Path(place) / name).lstat()
            size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            found[os.path.join(place, name)] = (facts.st_mode, facts.st_uid, size, facts.st_mtime_ns)  # noqa: PTH118
    return found


#: Logs, sockets and databases are written by every visitor's request and every session.
DAEMONS = ("log", "run", "tmp", "data", "mysql", "mariadb")


def assessment(project: on.Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.state / "assessment.json").read_text(encoding="utf-8"))
    return found


def of_kind(found: dict[str, Any], kind: str, server: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found["items"] if (one["kind"], one["server"]) == (kind, server)}


def codes(found: dict[str, Any], code: str) -> dict[str, str]:
    return {one["place"]: one["text"] for one in found["findings"] if one["code"] == code}


@contextmanager
def instead(lab: Lab, server: str, name: str, script: str) -> Iterator[None]:
    """A command of that server is something else for a while."""
    place = lab.sources[server].server.bin / name
    before = place.read_text() if place.exists() else None
    lab.sources[server].server.command(name, script)
    try:
        yield
    finally:
        if before is None:
            place.unlink()
        else:
            place.write_text(before)


def test_everything_is_told_and_nothing_is_changed(project: on.Project) -> None:
    lab = project.lab
    folders = {name: source.server.folder for name, source in lab.sources.items()}
    rows = {name: on.checksums(lab, name) for name in lab.sources}
    files = {name: listing(folder) for name, folder in folders.items()}
    (folders["north"] / "home" / ".bashrc").write_text("echo 'Welcome to north!'\n")
    files["north"] = listing(folders["north"])
    printed = project.green("move", "assess")
    assert {name: listing(folder) for name, folder in folders.items()} == files
    assert {name: on.checksums(lab, name) for name in lab.sources} == rows
    (folders["north"] / "home" / ".bashrc").unlink()

    found = assessment(project)
    for name, source in lab.sources.items():
        address = source.server.address
        assert of_kind(found, "server", name)[name]["data"]["os"]
        ports = of_kind(found, "port", name)
        assert ports[f"tcp {address}:8080"]["data"]["program"] == "nginx"
        assert ports[f"tcp {address}:3306"]["data"]["program"].startswith("maria")
        hosts = of_kind(found, "vhost", name)
        assert hosts[source.spec.domain]["data"]["root"] == str(source.wordpress.root)
        assert source.spec.alias in hosts
        assert any("wp-cron.php" in one for one in of_kind(found, "cron", name))
        assert of_kind(found, "php", name)["cli"]["data"]["limits"]["memory_limit"] == "512M"
        assert "/" in of_kind(found, "volume", name)
        assert of_kind(found, "folder", name)
        # Its own WordPress and schema are told elsewhere, piece by piece.
        assert not of_kind(found, "install", name)
        assert source.database not in of_kind(found, "database", name)
    assert found["load"]["north"]["cpu_seconds"] > 0
    north = of_kind(found, "dns-record", "dns")
    assert north["www.north.example A"]["data"] == {
        "values": [lab.sources["north"].server.address], "ttl_seconds": 86_400,
    }  # fmt: skip
    assert set(codes(found, "dns.ttl-high")) == {"dns: www.north.example", "dns: north.example"}
    assert "2 SPF records" in codes(found, "mail.spf")["dns: east.example"]
    assert "The look around took" in printed
    project.green("move", "plan")
    chain = json.loads(project.green("verify-evidence", "--json"))
    looks = [one["data"] for one in chain["receipts"] if one["step"] == "assess"]
    assert len(looks) == 2
    assert looks[0] == looks[1], "a plan leans on the look that was just taken"
    assert looks[0]["items"]["vhost"] == 6
    page = (project.state / "assessment.html").read_text(encoding="utf-8")
    assert "www.north.example" in page
    assert "Lumen Outdoor" in page


def test_a_hung_mount_an_unreadable_folder_and_half_the_tools(project: on.Project) -> None:
    lab = project.lab
    closed = lab.sources["north"].server.home / "closed\nfolder"
    closed.mkdir(mode=0o700)
    hang = "trap '' TERM\nsleep 20"
    asked = lab.sources["south"].server.tmp / "sudo.log"
    try:
        with (
            instead(lab, "north", "df", hang),
            instead(lab, "north", "lsblk", 'echo "no such device" >&2; exit 32'),
            instead(lab, "south", "sudo", f'echo "with $*" >>{asked}; shift; exec "$@"'),
            instead(lab, "north", "crontab", f"seq -f '%.0f * * * * /opt/job' 1 100000; cat {closed}/x"),
        ):
            project.green("move", "assess")
        assert asked.read_text().splitlines() == ["with -n true", "with -n sh -s"] * 2
    finally:
        closed.rmdir()
        asked.unlink(missing_ok=True)
    found = assessment(project)
    unreadable = codes(found, "land.unreadable")
    assert "does not answer" in unreadable["north: /"]
    assert "no such device" in unreadable["north: blocks"]
    assert "north: space" not in unreadable
    assert "/" in of_kind(found, "volume", "north")
    assert of_kind(found, "volume", "north")["/"]["data"]["size_bytes"] is None
    assert of_kind(found, "volume", "south")["/"]["data"]["size_bytes"] > 0
    assert of_kind(found, "port", "north")
    assert any(name.endswith("closed\\nfolder") for name in of_kind(found, "folder", "north"))


def test_a_stranger_s_server_is_told_without_any_configuration(lab_gateway: Lab, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (lab_gateway.folder / "north" / "home").rglob("*")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("crossdock")), "move", "assess", "ssh://north", "--ssh-config",
         str(lab_gateway.ssh_config), "--out", str(tmp_path / "kept"), "--json"],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    root = str(lab_gateway.sources["north"].wordpress.root)
    assert [one["root"] for one in told["installations"]] == [root]
    assert "www.north.example" in of_kind(told, "vhost", "north")
    assert of_kind(told, "install", "north")[root]["data"]["prefix"] == "wp_"
    assert any(name.startswith(f"{root} ") for name in of_kind(told, "theme", "north"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kept"]
    assert sorted(one.name for one in (tmp_path / "kept").iterdir()) == ["assessment.html", "assessment.json"]
    assert {path: path.stat().st_mtime_ns for path in (lab_gateway.folder / "north" / "home").rglob("*")} == before


def test_the_checklist_of_access(project: on.Project) -> None:
    lab = project.lab
    text = project.config.read_text(encoding="utf-8")
    more = (
        f'[[access]]\nname = "relay"\npurpose = "smtp"\naddress = "smtp://{lab.sinks.server.address}:2525"\n'
        '[[access]]\nname = "panel"\npurpose = "host"\nneeded = false\nreason = "SSH is enough"\n'
    )
    project.config.write_text(f"{more}\n{text}", encoding="utf-8")
    done = project.run("move", "access", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    needs = {one["name"]: one for one in told["needs"]}
    assert {one["name"] for one in told["needs"] if one["state"] == "missing"} == {
        "dns:north.example", "dns:south.example", "dns:east.example",
    }  # fmt: skip
    assert (needs["ssh:north"]["state"], needs["ssh:north"]["who"]) == ("works", ["Chloé Garnier"])
    assert (needs["database:east"]["state"], needs["database:east"]["secret"]) == ("works", "file:east-db")
    assert needs["smtp:relay"]["state"] == "works"
    assert (needs["host:panel"]["state"], needs["host:panel"]["said"]) == ("not needed", "SSH is enough")
    assert needs["sudo:north"]["state"] == "not needed"
    assert f"TXT crossdock={told['token']}" in needs["dns:north.example"]["way_out"]

    zones = ("north.example", "south.example", "east.example")
    proof = f"crossdock={told['token']}"
    try:
        lab.dns.put(*(Records(f"_crossdock.{zone}", "TXT", (proof,)) for zone in zones))
        project.green("move", "access")
        hidden = project.config.read_text(encoding="utf-8").replace('ssh = "south"', 'ssh = "no-such-host"')
        project.config.write_text(hidden.replace("file:secrets/east-db", "file:secrets/none"), encoding="utf-8")
        told = json.loads(project.run("move", "access", "--json").stdout)
    finally:
        lab.dns.put(*(Records(f"_crossdock.{zone}", "TXT", ()) for zone in zones))
    missing = {one["name"]: one["said"] for one in told["needs"] if one["state"] == "missing"}
    assert set(missing) == {"ssh:south", "database:south", "database:east"}
    assert "can't be resolved" in missing["ssh:south"]
    assert "secret file can't be read" in missing["database:east"]
    kept = json.loads((project.state / "access.json").read_text(encoding="utf-8"))
    assert kept["missing"] == 3
    chain = json.loads(project.green("verify-evidence", "--json"))
    counts = [one["data"] for one in chain["receipts"] if one["step"] == "access"]
    assert [one["missing"] for one in counts] == [3, 0, 3]
    secrets = [path.read_text().strip() for path in (lab.folder / "secrets").iterdir() if path.is_file()]
    assert not [one for one in secrets if one in done.stdout + json.dumps(kept) + json.dumps(chain)]
