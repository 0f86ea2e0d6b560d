"""Carrying and proving whole folders over a real sshd: what differs is named, what is ours is kept in step."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from local_servers import TestSsh

from crossdock.core.evidence import Finding, Level, Receipt
from crossdock.edges.files import RemoteFiles
from crossdock.edges.shared import SharedConnection
from crossdock.edges.spool import SpoolFolder
from crossdock.edges.ssh import SshHost
from crossdock.move.files import FilesOrder, FilesResult, carry, prove
from crossdock.move.trees import Tree


@dataclass
class Kept:
    """A journal and a progress in memory."""

    kept: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def receipt(self, step: str, subject: str, data: dict[str, Any]) -> Receipt:
        self.kept.append((step, subject, data))
        return Receipt(1, "run", step, subject, "", data, "", "")

    def receipts(self, step: str = "", subject: str = "") -> list[Receipt]:
        return []

    def finding(self, finding: Finding, *, step: str) -> None: ...

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


@dataclass
class Place:
    """Servers north and south with uploads and a theme each, and an empty target."""

    host: SshHost
    root: Path
    exclude: Sequence[str] = ()
    approved: Sequence[str] = ()

    def uploads(self, server: str) -> Path:
        return self.root / server / "uploads"

    def theme(self, server: str) -> Path:
        return self.root / server / "themes" / "acme"

    def order(self) -> FilesOrder:
        trees = []
        for number, server in enumerate(("north", "south"), 2):
            there = self.root / "target"
            trees.append(
                Tree(f"{server}/uploads/{server}", server, "uploads", str(self.uploads(server)),
                     str(there / "uploads" / str(number)), server)
            )  # fmt: skip
            trees.append(
                Tree(f"{server}/theme/acme", server, "theme", str(self.theme(server)), str(there / "themes" / "acme"),
                     approved=server in self.approved)
            )  # fmt: skip
        servers = {name: RemoteFiles(replace(self.host, name=name)) for name in ("north", "south")}
        spool = SpoolFolder(self.root / "state")
        return FilesOrder("plan", "staging", trees, [], servers, RemoteFiles(self.host), spool, self.exclude)

    def carry(self) -> FilesResult:
        return carry(self.order(), Kept(), Kept())

    def prove(self, *, full: bool = False, **attachments: list[bytes]) -> FilesResult:
        return prove(self.order(), Kept(), Kept(), attachments, full=full)

    def target(self, *names: str) -> Path:
        return self.root.joinpath("target", *names)


@pytest.fixture
def place(sshd: TestSsh, tmp_path: Path) -> Iterator[Place]:
    with SharedConnection(sshd.host()) as connection:
        yield made_place(connection.host, tmp_path)


def made_place(host: SshHost, root: Path) -> Place:
    made = Place(host, root)
    for server in ("north", "south"):
        for name in ("2020/a.png", "2021/b c.png", ".htaccess"):
            path = made.uploads(server) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{server} {name}")
        made.theme(server).mkdir(parents=True)
        (made.theme(server) / "style.css").write_text("a theme")
    return made


def codes(result: FilesResult, *levels: Level) -> dict[str, str]:
    return {one.code: one.text for one in result.findings if one.level in (levels or (Level.FAIL, Level.WARN))}


def overwrite(path: Path, content: str) -> None:
    """The same size and times as before."""
    facts = path.stat()
    assert facts.st_size == len(content)
    path.write_text(content)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_everything_arrives_and_is_proved(place: Place) -> None:
    journal = Kept()
    result = carry(place.order(), journal, Kept())
    assert (result.green, codes(result)) == (True, {})
    assert result.figures()["files_total"] == 7
    assert (result.carried_files, place.prove().green) == (7, True)
    assert place.target("uploads/3/2021/b c.png").read_text() == "south 2021/b c.png"
    assert place.target("themes/acme/style.css").exists()
    receipts = {subject: data for step, subject, data in journal.kept if step == "files.store"}
    assert receipts["staging/north/uploads/north"]["files"] == 3
    assert [subject for step, subject, _ in journal.kept if step == "files"] == ["staging"]
    assert place.carry().carried_files == 0


def test_what_somebody_alters_at_the_target_is_named_and_mended(place: Place) -> None:
    place.carry()
    overwrite(place.target("uploads/2/2020/a.png"), "north 2020/A.png")
    place.target("uploads/2/2021/b c.png").unlink()
    place.target("uploads/2/intruder").write_text("x")
    result = place.prove(north=[b"2021/b c.png", b"2020/a.png", b"never.png"])
    assert not result.green
    assert "2020/a.png" in codes(result)["file.different"]
    assert "2021/b c.png" in codes(result)["file.missing"]
    assert "intruder" in codes(result)["file.extra"]
    figures = result.figures()
    assert [figures[f"files_{kind}"] for kind in ("missing", "extra", "different")] == [1, 1, 1]
    assert (figures["attachments_missing"], figures["attachments_missing_at_source"]) == (1, 1)
    result = place.carry()
    assert codes(result, Level.FAIL).keys() == {"file.extra"}
    place.target("uploads/2/intruder").unlink()
    assert place.carry().green
    assert place.target("uploads/2/2020/a.png").read_text() == "north 2020/a.png"


def test_a_spool_that_rots_is_mended_from_the_source(place: Place) -> None:
    place.carry()
    overwrite(Path(place.order().spool.folder("north/uploads/north")) / "2020/a.png", "north 2020/X.png")
    place.target("uploads/2/2020/a.png").unlink()
    assert place.carry().green
    assert place.target("uploads/2/2020/a.png").read_text() == "north 2020/a.png"


def test_what_is_gone_at_the_source_goes_only_where_it_is_ours(place: Place) -> None:
    place.carry()
    for name in ("2020/a.png", "2021/b c.png"):
        (place.uploads("north") / name).unlink()
    place.target("uploads/2/2021/b c.png").write_text("somebody's own work")
    result = place.carry()
    assert not place.target("uploads/2/2020/a.png").exists()
    assert "b c.png" in codes(result)["file.extra"]
    assert place.target("uploads/2/2021/b c.png").read_text() == "somebody's own work"


def test_a_name_that_becomes_a_folder_or_a_link(place: Place) -> None:
    place.carry()
    (place.uploads("north") / ".htaccess").unlink()
    (place.uploads("north") / ".htaccess").symlink_to("2020/a.png")
    (place.uploads("north") / "2021/b c.png").rename(place.uploads("north") / "b c.png")
    (place.uploads("north") / "2021").rmdir()
    (place.uploads("north") / "2021").symlink_to("2020")
    result = place.carry()
    assert place.target("uploads/2/.htaccess").readlink() == Path("2020/a.png")
    assert place.target("uploads/2/b c.png").exists()
    assert result.green, codes(result)


def test_links_outside_pipes_code_and_exclusions_are_told(place: Place) -> None:
    uploads = place.uploads("north")
    (uploads / "out").symlink_to("/etc/hostname")
    (uploads / "in").symlink_to(uploads / "2020/a.png")
    os.mkfifo(uploads / "pipe")
    (uploads / "shell.php").write_text("<?php system('id');")
    (uploads / "index.php").write_text("<?php\n// Silence is golden.\n")
    (uploads / "cache").mkdir()
    (uploads / "cache/x").write_text("x")
    place.exclude = ("cache",)
    result = place.carry()
    assert result.green
    told = codes(result)
    assert told.keys() == {"file.link-outside", "file.special", "file.php-in-uploads"}
    assert told["file.php-in-uploads"].startswith("1 PHP files")
    assert result.figures()["files_excluded"] == 1
    assert place.target("uploads/2/in").readlink() == Path("2020/a.png")
    assert not place.target("uploads/2/cache").exists()
    assert not place.target("uploads/2/out").is_symlink()


def test_what_the_target_made_itself_is_declared(place: Place) -> None:
    place.target("uploads/2/2026/11").mkdir(parents=True)
    place.target("uploads/2/index.php").write_text("<?php // Silence is golden.")
    result = place.carry()
    assert result.green
    assert result.figures()["files_of_target"] == 1
    assert "index.php" in codes(result, Level.INFO)["file.of-target"]


def test_the_targets_own_theme_stays_until_ours_is_approved(place: Place) -> None:
    place.target("themes/acme").mkdir(parents=True)
    place.target("themes/acme/style.css").write_text("the host's")
    result = place.carry()
    assert result.green
    assert codes(result).keys() == {"file.theme-differs"}
    assert place.target("themes/acme/style.css").read_text() == "the host's"
    place.approved = ("north", "south")
    assert codes(place.carry()) == {}
    assert place.target("themes/acme/style.css").read_text() == "a theme"


def test_one_name_with_two_contents_waits_for_a_person(place: Place) -> None:
    (place.theme("south") / "style.css").write_text("south's")
    result = place.carry()
    assert "north, south" in codes(result, Level.FAIL)["file.conflict"]
    assert not place.target("themes").exists()
    place.approved = ("south",)
    result = place.carry()
    assert (result.green, codes(result).keys()) == (True, {"file.conflict"})
    assert place.target("themes/acme/style.css").read_text() == "south's"


def test_a_file_where_a_folder_must_be_is_told_with_its_name(place: Place) -> None:
    place.target("uploads/2/2020/a.png/in the way").mkdir(parents=True)
    with pytest.raises(Exception, match=r"a\.png") as caught:
        place.carry()
    assert "in the way" in getattr(caught.value, "way_out", "")
