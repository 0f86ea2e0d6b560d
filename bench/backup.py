"""How fast a server's backup is, and its proof, beside a dump through zstd and a plain rsync.

    python bench/backup.py [--rows 400000] [--files-mib 400] [--runs 3] [--json out.json]

Starts a MariaDB and an sshd of its own, fills them, and backs them up over SSH by Crossdock's own parts: the dump into
restic beside `ssh mariadb-dump | zstd`, the files into spool and restic beside `rsync -a`, into empty places. Then the
proof: the dump out of the repository into a scratch server, all rows compared, and the whole repository checked.
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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import Quiet
from rich.console import Console
from rich.table import Table
from stage import home

from crossdock.core.secrets import Masked
from crossdock.edges.database import DatabaseAccount
from crossdock.edges.dump import RemoteDump, dump_rows, load_dump
from crossdock.edges.files import RemoteFiles
from crossdock.edges.restic import Restic
from crossdock.edges.scratch_database import ScratchServer
from crossdock.edges.spool import SpoolFolder
from crossdock.edges.ssh import SshHost
from crossdock.formats.dump_rows import DumpRows
from crossdock.lab.access import write_ssh_config
from crossdock.lab.mariadb import MariaDb
from crossdock.lab.sshd import SshServer
from crossdock.lab.standalone import lone_server
from crossdock.move.backup_files import pull

_PASSWORD = "bench"
_MB = 1e6


@dataclass(frozen=True)
class Stage:
    """A server with a database and a folder, reached by SSH, and a place of ours."""

    folder: Path
    host: SshHost
    account: DatabaseAccount
    source: Path

    def empty(self) -> Path:
        place = self.folder / "here"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        os.sync()
        return place

    def restic(self, place: Path) -> Restic:
        made = Restic(str(place / "repository"), Masked("bench"), place / "cache")
        made.init()
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000, help="rows of about 250 bytes")
    parser.add_argument("--files-mib", type=int, default=400, help="MiB of files of 4 KB to 4 MB")
    parser.add_argument("--runs", type=int, default=3, help="how often each way runs; medians are told")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    times: dict[str, list[float]] = {}
    with _stage(wanted.rows, wanted.files_mib) as stage:
        bytes_ = {"files_mb": sum(one.stat().st_size for one in stage.source.rglob("*") if one.is_file()) / _MB}
        for _ in range(wanted.runs):
            bytes_["dump_mb"] = _run(stage, times)
    result = _result(times, bytes_)
    _show(result)
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _run(stage: Stage, times: dict[str, list[float]]) -> float:
    """All ways once; returns the dump's MB."""

    def timed(name: str, act: Callable[[], Any]) -> Any:
        began = time.monotonic()
        made = act()
        times.setdefault(name, []).append(time.monotonic() - began)
        return made

    place = stage.empty()
    restic, rows = stage.restic(place), DumpRows()
    dump = RemoteDump(stage.host, stage.account)

    def pieces() -> Iterator[bytes]:
        return rows.passing(dump.tables("shop", without=[], events=True, routines=True, position=False))

    timed("dump: crossdock", lambda: restic.store_stream(pieces(), "shop.sql", "bench", ["server:bench"]))
    timed("dump: mariadb-dump | zstd", lambda: _peer_dump(stage, place))
    spool = SpoolFolder(place / "spool")

    def files() -> None:
        pull(RemoteFiles(stage.host), [str(stage.source)], (), spool, Quiet())
        restic.store_folder(spool.root, ["files"], "bench", ["server:bench", "kind:files"], lambda count, size: None)

    timed("files: crossdock", files)
    timed("files: crossdock, nothing changed", files)
    timed("files: rsync -a", lambda: _peer_files(stage, place))
    timed("files: rsync -a, nothing changed", lambda: _peer_files(stage, place))
    snapshot = restic.snapshots(["server:bench"])[0].id
    timed("proof", lambda: _prove(restic, snapshot, rows, place))
    return rows.bytes / _MB


def _prove(restic: Restic, snapshot: str, rows: DumpRows, place: Path) -> None:
    there = DumpRows()
    with ScratchServer(place / "scratch") as scratch:
        endpoint = scratch.database("shop")
        load_dump(endpoint, restic.read(snapshot, "shop.sql"))
        for _ in there.passing(dump_rows(endpoint)):
            pass
    if there.tables != rows.tables or restic.check("100%"):
        raise SystemExit("the restored rows are not those that were dumped")


def _peer_dump(stage: Stage, place: Path) -> None:
    user = shlex.quote(f"-u{stage.account.user}")
    there = f"MYSQL_PWD={_PASSWORD} mariadb-dump {user} -h {stage.account.host} --single-transaction --quick shop"
    command = shlex.join(stage.host.command(["sh", "-c", there]))
    subprocess.run(f"{command} | zstd -q -f -o {place / 'shop.sql.zst'}", shell=True, check=True)


def _peer_files(stage: Stage, place: Path) -> None:
    shell = shlex.join(["ssh", "-F", str(stage.host.config_file)])
    subprocess.run(["rsync", "-a", "-e", shell, f"bench:{stage.source}/", str(place / "rsync")], check=True)


@contextmanager
def _stage(rows: int, files_mib: int) -> Iterator[Stage]:
    folder = home() / "backup"
    shutil.rmtree(folder, ignore_errors=True)
    setup = [
        "CREATE DATABASE shop CHARACTER SET utf8mb4",
        f"CREATE USER bench@'%' IDENTIFIED BY '{_PASSWORD}'",
        "GRANT ALL ON *.* TO bench@'%'",
    ]
    with lone_server("bench", folder=folder) as server:
        ssh = SshServer(server, folder / "client")
        with MariaDb(server, setup=setup) as database, ssh:
            host = SshHost("bench", "bench", str(write_ssh_config(folder, [ssh])))
            source = server.folder / "files"
            _fill(source, files_mib)
            server.account.own(source)
            with database.connect("shop") as connection, connection.cursor() as cursor:
                cursor.execute("CREATE TABLE post (id int PRIMARY KEY, title varchar(200), body text, n double)")
                cursor.execute(
                    "INSERT INTO post SELECT seq, MD5(seq), "
                    "CONCAT(SHA2(seq, 512), ' it''s a line\\n', MD5(-seq)), seq / 7 "
                    f"FROM seq_1_to_{rows}"
                )
            yield Stage(folder, host, DatabaseAccount("shop", "bench", Masked(_PASSWORD), server.address), source)


def _fill(source: Path, files_mib: int) -> None:
    chance = random.Random(1)
    left, number = files_mib << 20, 0
    while left > 0:
        size = min(left, int(4096 * 2 ** chance.uniform(0, 10)))
        path = source / f"{number // 500}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(size))
        left, number = left - size, number + 1


def _result(times: dict[str, list[float]], bytes_: dict[str, float]) -> dict[str, Any]:
    median = {name: round(statistics.median(found), 3) for name, found in times.items()}
    again = "nothing changed"
    return {
        "ratios": {
            "dump: time of mariadb-dump | zstd": round(
                median["dump: crossdock"] / median["dump: mariadb-dump | zstd"], 2
            ),
            "files: time of rsync -a": round(median["files: crossdock"] / median["files: rsync -a"], 2),
            "files again: time of rsync -a": round(
                median[f"files: crossdock, {again}"] / median[f"files: rsync -a, {again}"], 2
            ),
            "proof: time of the dump": round(median["proof"] / median["dump: crossdock"], 2),
        },
        "mb_per_second": {
            name: round(bytes_["dump_mb" if name.startswith("dump") else "files_mb"] / seconds, 1)
            for name, seconds in median.items()
            if again not in name and name != "proof"
        },
        "seconds": median,
        **{name: round(size, 1) for name, size in bytes_.items()},
        "cores": os.cpu_count(),
    }


def _show(result: dict[str, Any]) -> None:
    table = Table("", "", box=None)
    for part in ("ratios", "mb_per_second", "seconds"):
        for name, value in result[part].items():
            table.add_row(f"{part}: {name}", f"{value:,}")
    Console().print(table)


if __name__ == "__main__":
    main()
