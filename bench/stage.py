"""Two MariaDB servers of the bench's own: a source that holds the generated store, a target with default durability."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import data
import engine

from crossdock.core.secrets import Masked
from crossdock.edges.mysql import Endpoint
from crossdock.lab.account import Account
from crossdock.lab.mariadb import MariaDb, MariaDbOptions
from crossdock.lab.passwords import kept
from crossdock.lab.server import Server

SOURCE_DATABASE, TARGET_DATABASE = "store", "network"
USER = "bench"
_BUFFER_POOL = "1G"
# The lab's own default is 2: this line comes after it and wins.
_DURABILITY = ("innodb-flush-log-at-trx-commit=1",)
_SETTLED_PAGES = 200
_SETTLE_SECONDS = 120


def home() -> Path:
    """$CROSSDOCK_BENCH, or a folder on disk: /tmp may be memory."""
    parent = os.environ.get("TMPDIR", "/var/tmp")
    return Path(os.environ.get("CROSSDOCK_BENCH", f"{parent}/crossdock-bench-{getpass.getuser()}"))


@dataclass(frozen=True)
class Stage:
    """Both servers, running."""

    folder: Path
    account: Account
    source: MariaDb
    target: MariaDb
    made: data.Made

    def endpoint(self, server: MariaDb) -> Endpoint:
        """Crossdock's way into one of the two, by its socket."""
        database = SOURCE_DATABASE if server is self.source else TARGET_DATABASE
        return Endpoint(
            server.server.name, database, USER, Masked(kept(self.folder / "password")), unix_socket=str(server.socket)
        )

    def options(self, server: MariaDb) -> Path:
        """A client option file for one of the two: no password ever stands in a command line."""
        path = self.folder / f"{server.server.name}.cnf"
        text = f"[client]\nuser={USER}\npassword={kept(self.folder / 'password')}\nsocket={server.socket}\n"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def fresh_target(self) -> None:
        """Drops and makes the target database, and waits until the server has nothing left to write of the last run."""
        with connected(self.target) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {TARGET_DATABASE}")
            cursor.execute(f"CREATE DATABASE {TARGET_DATABASE}")
            cursor.execute("SELECT @@global.innodb_max_dirty_pages_pct")
            usual = cursor.fetchone()[0]
            cursor.execute("SET GLOBAL innodb_max_dirty_pages_pct = 0")
            end = time.monotonic() + _SETTLE_SECONDS
            while time.monotonic() < end and _unsettled(cursor):
                time.sleep(0.2)
            cursor.execute(f"SET GLOBAL innodb_max_dirty_pages_pct = {usual}")
        os.sync()

    def install_network(self) -> None:
        """The empty multisite that Crossdock's target is, in the fresh target database."""
        engine.install_network(lambda: self.target.connect(TARGET_DATABASE))

    def versions(self) -> dict[str, str]:
        with connected(self.target) as cursor:
            names = ("version", "innodb_flush_log_at_trx_commit", "innodb_buffer_pool_size", "innodb_doublewrite")
            cursor.execute(f"SELECT {', '.join('@@' + name for name in names)}")
            return dict(zip(names, map(str, cursor.fetchone()), strict=True))


@contextlib.contextmanager
def open_stage(rows: int, seed: int, *, keep: bool) -> Iterator[Stage]:
    """Starts both servers, with the store generated unless an earlier bench kept it; stops them, and deletes all of it
    unless `keep`."""
    folder = home()
    account = Account.ensure()
    folder.mkdir(parents=True, exist_ok=True)
    account.require_reach(folder / "x")
    wanted = {"rows": rows, "seed": seed, "generator": _generator()}
    note = folder / "made.json"
    known = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {}
    if known.get("wanted") != wanted:
        shutil.rmtree(folder)
        folder.mkdir()
        known = {}
    try:
        with _server("source", folder, account) as source, _server("target", folder, account) as target:
            for server in (source, target):
                _await(server)
                server.forget_setup()
            made = data.Made(**known["made"]) if known else _generate(source, folder, rows, seed)
            note.write_text(json.dumps({"wanted": wanted, "made": asdict(made)}), encoding="utf-8")
            yield Stage(folder, account, source, target, made)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _server(name: str, folder: Path, account: Account) -> MariaDb:
    options = MariaDbOptions(networking=False, buffer_pool=_BUFFER_POOL, extra=_DURABILITY)
    password = kept(folder / "password")
    setup = (f"CREATE USER {USER}@localhost IDENTIFIED BY '{password}'", f"GRANT ALL ON *.* TO {USER}@localhost")
    return MariaDb(Server(name, "127.0.0.1", folder / name, account), options, setup=setup)


def _generate(source: MariaDb, folder: Path, rows: int, seed: int) -> data.Made:
    with connected(source) as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {SOURCE_DATABASE}")
        cursor.execute(f"CREATE DATABASE {SOURCE_DATABASE}")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return data.generate(
            lambda: source.connect(SOURCE_DATABASE, local_infile=True, read_timeout=3600), Path(scratch), rows, seed
        )


def _generator() -> str:
    texts = (Path(__file__).with_name(name).read_bytes() for name in ("data.py", "values.py"))
    return hashlib.sha256(b"".join(texts)).hexdigest()[:16]


@contextlib.contextmanager
def connected(server: MariaDb) -> Iterator[Any]:
    """A cursor as root on one of the servers."""
    connection = server.connect()
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _await(server: MariaDb) -> None:
    """Returns when the first statements have run: a connection is not let in before."""
    with connected(server) as cursor:
        cursor.execute("SELECT 1")


def _unsettled(cursor: Any) -> bool:
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
    return int(cursor.fetchone()[1]) > _SETTLED_PAGES
