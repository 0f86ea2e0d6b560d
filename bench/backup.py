"""How fast a server is backed up and proved, beside the tools that only copy: mariadb-dump | zstd, and rsync.

    python bench/backup.py [--size medium] [--files 4000] [--runs 3] [--json out.json]

Starts a lab and backs up one of its sources: dump over SSH into restic with every row hashed, files by SHA-256 and
rsync into a spool and from there into restic. Beside it, over the same SSH: mariadb-dump | zstd into a file, rsync -a
into a folder. A B, A B, each into an empty place; the files then once more, when nothing has changed. The time of the
proof stands alone: neither tool has one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crossdock.core.config import Config, load
from crossdock.hub.boot import booted
from crossdock.hub.moves.backups import Backups, Outcome
from crossdock.lab.lab import Lab
from crossdock.lab.passwords import kept

SOURCE = "south"
_FILE_BYTES = (10_000, 400_000)
_TITLES = {
    "dump": "database: dump over SSH into restic / mariadb-dump | zstd",
    "files": "files: read, rsync, into restic / rsync -a",
    "files_again": "files again, nothing changed",
}


@dataclass
class Stopwatch:
    """core.ports.Progress that keeps the seconds of every stage, by what it is."""

    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = ""
    _began: float = 0.0

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None:
        self.finish()
        self._stage, self._began = stage, time.perf_counter()

    def advance(self, place: str, *, rows: int, bytes_: int) -> None:
        """Only stages are timed."""

    def finish(self) -> None:
        if self._stage:
            spent = time.perf_counter() - self._began
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent
            self._stage = ""

    def of(self, *beginnings: str) -> float:
        """Seconds of the stages that begin so."""
        return sum(spent for stage, spent in self.seconds.items() if stage.startswith(beginnings))


def main() -> None:
    wanted = _arguments()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _TITLES}
    proofs: list[float] = []
    with Lab(Path(tempfile.mkdtemp(prefix="cd-bench-")), size=wanted.size) as lab:
        _add_files(lab, wanted.files)
        config = load(lab.config)
        for _ in range(wanted.runs):
            shutil.rmtree(config.state / "backup", ignore_errors=True)
            first, made = _back_up(config)
            again, _ = _back_up(config)
            dump, files, files_again = _peers(lab, config.state / "peer")
            found["dump"].append((first.of(_stage("database")), dump))
            found["files"].append((_files(first), files))
            found["files_again"].append((_files(again), files_again))
            proofs.append(made.checked.seconds if made.checked else 0.0)
    result = _result(found, proofs, made)
    _tell(result)
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="medium", help="data of the store: tiny, small, medium or large")
    parser.add_argument("--files", type=int, default=4000, help="files of 10 to 400 KB besides WordPress's own")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _add_files(lab: Lab, count: int) -> None:
    chance = random.Random(20261125)
    folder = lab.sources[SOURCE].wordpress.root / "wp-content/uploads/bench"
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"photo-{number}.jpg").write_bytes(chance.randbytes(chance.randint(*_FILE_BYTES)))
    lab.sources[SOURCE].server.account.own(folder)


# -- running ---------------------------------------------------------------------------------------------------------


def _back_up(config: Config) -> tuple[Stopwatch, Outcome]:
    watch = Stopwatch()
    with booted(config.state) as hub, hub.running("backup", subject=SOURCE) as journal:
        (made,) = Backups(config, journal, watch).make([SOURCE])
    if not made.proved:
        raise RuntimeError(f"not proved: {made.findings}")
    return watch, made


def _stage(what: str) -> str:
    return f"backup {SOURCE}: {what}"


def _files(watch: Stopwatch) -> float:
    return watch.of(_stage("read the files"), _stage("files"), _stage("into the repository"))


def _peers(lab: Lab, folder: Path) -> tuple[float, float, float]:
    """Seconds of mariadb-dump | zstd, of rsync -a, and of rsync -a once more."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = lab.sources[SOURCE]
    source.server.write(
        source.server.home / "bench.cnf",
        f"[client]\nuser=wp_{SOURCE}\npassword={kept(source.own_password_file)}\nhost={source.server.address}\n",
    )
    dump = f"mariadb-dump --defaults-file={source.server.home / 'bench.cnf'} --single-transaction --quick --hex-blob"
    shell = ["ssh", "-F", str(lab.folder / "ssh_config")]
    remote = shlex.join([*shell, SOURCE, f"{dump} {source.database}"])
    copy = ["rsync", "-a", "-e", shlex.join(shell), f"{SOURCE}:{source.wordpress.root}/", f"{folder}/www/"]
    return (
        _timed(["bash", "-c", f"set -o pipefail; {remote} | zstd -q -o {shlex.quote(str(folder / 'dump.zst'))}"]),
        _timed(copy),
        _timed(copy),
    )


def _timed(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


# -- telling ---------------------------------------------------------------------------------------------------------


def _result(found: dict[str, list[tuple[float, float]]], proofs: list[float], made: Outcome) -> dict[str, object]:
    assert made.manifest is not None
    sizes = {"dump": sum(one.bytes for one in made.manifest.databases), "files": made.manifest.file_bytes}
    sizes["files_again"] = sizes["files"]
    rows = {}
    for name, pairs in found.items():
        ours, theirs = (statistics.median(one) for one in zip(*pairs, strict=True))
        mb = sizes[name] / 1e6
        rows[name] = {
            "ratio": round(ours / theirs, 2), "mb": round(mb, 1), "seconds": round(ours, 2), "peer": round(theirs, 2),
            "mb_per_second": round(mb / ours, 1), "peer_mb_per_second": round(mb / theirs, 1),
        }  # fmt: skip
    facts = {"rows": made.manifest.rows, "files": made.manifest.files, "cores": os.cpu_count()}
    return {"ways": rows, "proof_seconds": round(statistics.median(proofs), 2), **facts, "load": os.getloadavg()[0]}


def _tell(result: dict[str, object]) -> None:
    table = Table("ours / theirs", "times its seconds", "seconds", "theirs", "MB/s", "theirs", box=None)
    for name, one in result["ways"].items():  # type: ignore[attr-defined]
        table.add_row(
            _TITLES[name], f"{one['ratio']:.2f}", f"{one['seconds']:.1f}", f"{one['peer']:.1f}",
            f"{one['mb_per_second']:.0f}", f"{one['peer_mb_per_second']:.0f}",
        )  # fmt: skip
    Console(width=140).print(table)
    print(f"proof: {result['proof_seconds']} s for {result['rows']:,} rows and a sample of {result['files']:,} files")


if __name__ == "__main__":
    main()
