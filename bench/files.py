"""How fast a store's files move and are proved, beside rsync alone.

    python bench/files.py [--small 100000] [--large-gib 5] [--runs 3] [--json out.json]

Starts an sshd of its own, makes a tree of small and large files, and carries it over SSH, source -> spool -> target:
by Crossdock (with every file of both sides read and compared by SHA-256) and by rsync's two runs, each into empty
folders. Then again, when nothing has changed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import Quiet
from rich.console import Console
from rich.table import Table
from stage import home

from crossdock.edges.files import RemoteFiles
from crossdock.edges.spool import SpoolFolder
from crossdock.edges.ssh import SshHost
from crossdock.lab import addresses
from crossdock.lab.access import write_ssh_config
from crossdock.lab.account import Account
from crossdock.lab.server import Server
from crossdock.lab.sshd import SshServer
from crossdock.move.files import FilesOrder, carry, prove
from crossdock.move.trees import Tree

OURS, CARRIED = "crossdock", "crossdock-carry"
TITLES = {
    OURS: "crossdock: carry, compare; then prove, all of the target read anew",
    CARRIED: "crossdock: carry and compare both sides by SHA-256",
    "rsync": "rsync -a, twice: to the spool, to the target (proves nothing)",
    "rsync-c": "rsync -ac, twice",
    "rsync-proved": "rsync -a, twice, then rsync -acn, twice: both sides compared",
}
_SMALL_BYTES = (500, 12_000)
_LARGE_BYTES = 64 << 20
_FOLDER_FILES = 500


@dataclass(frozen=True)
class Stage:
    """One server over SSH that holds the source's and the target's folder, and a local spool."""

    folder: Path
    host: SshHost

    @property
    def source(self) -> Path:
        return self.folder / "server" / "source"

    @property
    def target(self) -> Path:
        return self.folder / "server" / "target"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def empty(self) -> None:
        for place in (self.target, self.spool):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        account = Account.ensure()
        account.own(self.target)
        os.sync()


@dataclass
class Figures:
    """Wall seconds by way: into empty folders, and again when nothing has changed."""

    first: dict[str, list[float]] = field(default_factory=dict)
    again: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: dict[str, list[float]], name: str, seconds: float) -> None:
        what.setdefault(name, []).append(seconds)
        print(f"  {TITLES[name]}: {seconds:.1f} s", file=sys.stderr, flush=True)


def main() -> None:
    wanted = _arguments()
    figures = Figures()
    with _stage(wanted) as stage:
        files, bytes_ = _count(stage.source)
        print(f"{files:,} files, {bytes_ / 1e9:.2f} GB", file=sys.stderr, flush=True)
        for number in range(wanted.runs):
            print(f"run {number + 1} of {wanted.runs}", file=sys.stderr, flush=True)
            _ours(stage, figures)
            for name in ("rsync", "rsync-c", "rsync-proved"):
                _peer(stage, figures, name)
    result = _result(figures, files, bytes_)
    _show(result)
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=100_000, help="files of 0.5 to 12 KB")
    parser.add_argument("--large-gib", type=float, default=5, help="GiB in files of 64 MiB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


# -- the stage -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _stage(wanted: argparse.Namespace) -> Iterator[Stage]:
    folder = home() / "files"
    shutil.rmtree(folder, ignore_errors=True)
    account = Account.ensure()
    (folder / "server").mkdir(parents=True)
    account.require_reach(folder / "server" / "x")
    block = addresses.claim(folder, account.name)
    try:
        server = SshServer(Server("server", f"{block}.1", folder / "server", account), folder / "key")
        with server:
            stage = Stage(folder, SshHost("server", "server", str(write_ssh_config(folder, [server]))))
            _make(stage.source, wanted)
            account.own(stage.source)
            yield stage
    finally:
        addresses.release(block)
        shutil.rmtree(folder, ignore_errors=True)


def _make(source: Path, wanted: argparse.Namespace) -> None:
    chance = random.Random(wanted.seed)
    for number in range(wanted.small):
        folder = source / f"{2015 + number // _FOLDER_FILES // 12}" / f"{number // _FOLDER_FILES % 12 + 1:02d}"
        if number % _FOLDER_FILES == 0:
            folder.mkdir(parents=True)
        (folder / f"photo-{number}-300x200.jpg").write_bytes(chance.randbytes(chance.randint(*_SMALL_BYTES)))
    (source / "large").mkdir(parents=True)
    for number in range(int(wanted.large_gib * (1 << 30) // _LARGE_BYTES)):
        (source / "large" / f"video-{number}.mp4").write_bytes(chance.randbytes(_LARGE_BYTES))


def _count(folder: Path) -> tuple[int, int]:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


# -- running ---------------------------------------------------------------------------------------------------------


def _ours(stage: Stage, figures: Figures) -> None:
    stage.empty()
    for what in (figures.first, figures.again):
        begin = time.perf_counter()
        _require(carry(_order(stage), Quiet(), Quiet()))
        figures.add(what, CARRIED, time.perf_counter() - begin)
        _require(prove(_order(stage), Quiet(), Quiet(), {}, full=False))
        figures.add(what, OURS, time.perf_counter() - begin)


def _order(stage: Stage) -> FilesOrder:
    # As in crossdock.hub.moves.files, but for the configuration.
    tree = Tree("server/uploads/store", "server", "uploads", str(stage.source), str(stage.target), "store")
    servers = {"server": RemoteFiles(stage.host)}
    return FilesOrder("bench", "staging", [tree], [], servers, RemoteFiles(stage.host), SpoolFolder(stage.spool))


def _require(result: Any) -> None:
    if not result.green or not result.figures()["files_total"]:
        raise RuntimeError(f"the files are not the same: {result.figures()}")


def _peer(stage: Stage, figures: Figures, name: str) -> None:
    stage.empty()
    shell = f"ssh -F {shlex.quote(str(stage.host.config_file))}"
    kind = "-ac" if name == "rsync-c" else "-a"
    folder = stage.spool / "rsync"
    hops = ((f"server:{stage.source}/", f"{folder}/"), (f"{folder}/", f"server:{stage.target}/"))

    def run(options: str) -> None:
        for here, there in hops:
            subprocess.run(["rsync", options, "-e", shell, here, there], check=True, stdout=subprocess.DEVNULL)

    for what in (figures.first, figures.again):
        begin = time.perf_counter()
        run(kind)
        if name == "rsync-proved":
            run("-acn")
        figures.add(what, name, time.perf_counter() - begin)


# -- telling ---------------------------------------------------------------------------------------------------------


def _result(figures: Figures, files: int, bytes_: int) -> dict[str, Any]:
    def medians(what: dict[str, list[float]]) -> dict[str, float]:
        return {name: round(statistics.median(all_), 2) for name, all_ in what.items()}

    first, again = medians(figures.first), medians(figures.again)
    return {
        "ratios": {f"{name}/rsync": round(first[name] / first["rsync"], 2) for name in first if name != "rsync"},
        "ratios_again": {f"{name}/rsync": round(again[name] / again["rsync"], 2) for name in again if name != "rsync"},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "cpu": platform.processor()},
        "files": files,
        "bytes": bytes_,
        "medians": first,
        "medians_again": again,
        "seconds": {"first": figures.first, "again": figures.again},
    }


def _show(result: dict[str, Any]) -> None:
    shown = Table(title="Wall time, median", title_justify="left")
    for title in ("way", "of rsync -a", "seconds", "again, of rsync -a", "again, seconds"):
        shown.add_column(title, justify="left" if title == "way" else "right")
    for name in TITLES:
        cells = []
        for medians in (result["medians"], result["medians_again"]):
            cells += [f"{medians[name] / medians['rsync']:.2f}", f"{medians[name]:.1f}"]
        shown.add_row(TITLES[name], *cells)
    Console(width=None if sys.stdout.isatty() else 140).print(shown)


if __name__ == "__main__":
    main()
