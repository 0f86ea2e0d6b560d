"""A database server of our own, started to load a dump into, and gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from crossdock.core.errors import AccessError, TargetError
from crossdock.core.secrets import Masked
from crossdock.edges.mysql import Endpoint
from crossdock.edges.scratch import scratch_folder
from crossdock.edges.ssh import dying_with_us
from crossdock.edges.transfer import full_disk
from crossdock.wordpress.ddl import quoted

_PATIENCE_SECONDS = 60.0
# It holds nothing that is not in the backup: no write has to reach the disk.
_CARELESS = ("--innodb-flush-method=nosync", "--innodb-doublewrite=0", "--innodb-flush-log-at-trx-commit=0")


def mariadbd_is_here() -> bool:
    """Whether this machine can start a server of its own."""
    return _program("mariadbd") is not None and shutil.which("mariadb-install-db") is not None


class ScratchServer:
    """mariadbd on a socket in a folder of its own, below `folder`; as a context manager it starts and goes.

    `lower_case_table_names` is the source's: names that differ there in case alone must not meet here.
    """

    def __init__(self, folder: Path, *, lower_case_table_names: str = "0") -> None:
        self.folder = folder.absolute()
        self.lower_case_table_names = lower_case_table_names
        self._sockets = scratch_folder()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            # Its data are about to be removed: there is nothing to shut down in order.
            self._process.kill()
            self._process.wait()
        for place in (self.folder, self._sockets):
            shutil.rmtree(place, ignore_errors=True)

    def database(self, name: str) -> Endpoint:
        """A new, empty database of this name; one that was there is dropped."""
        session = self._endpoint("mysql").open_target()
        try:
            session.execute(f"DROP DATABASE IF EXISTS {quoted(name)}")
            session.execute(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4")
        finally:
            session.close()
        return self._endpoint(name)

    def _endpoint(self, database: str) -> Endpoint:
        socket = str(self._sockets / "db.sock")
        return Endpoint("scratch", database, "root", Masked(""), unix_socket=socket)

    def _begin(self) -> None:
        # What a killed run left: it held no lock on this folder that we could be disturbing.
        shutil.rmtree(self.folder, ignore_errors=True)
        data = self.folder / "data"
        data.mkdir(mode=0o700, parents=True)
        log = self.folder / "log"
        account = ["--user=root"] if os.geteuid() == 0 else []
        argv = [
            "mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
            "--skip-name-resolve", *account, f"--datadir={data}", *_CARELESS,
        ]  # fmt: skip
        with log.open("wb") as out:
            if subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode != 0:
                raise self._failure("mariadb-install-db failed")
            argv = [
                str(_program("mariadbd")), "--no-defaults", *account, f"--datadir={data}", *_CARELESS,
                f"--socket={self._sockets / 'db.sock'}", "--skip-networking", f"--pid-file={self.folder / 'pid'}",
                f"--tmpdir={self.folder}", "--max-allowed-packet=1G", "--skip-log-bin", "--event-scheduler=OFF",
                f"--lower-case-table-names={self.lower_case_table_names}", "--innodb-strict-mode=OFF",
                "--log-bin-trust-function-creators=1", "--default-time-zone=+00:00",
            ]  # fmt: skip
            self._process = subprocess.Popen(dying_with_us(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._endpoint("mysql").open_target().close()
            except AccessError:
                dead = self._process is not None and self._process.poll() is not None
                if dead or time.monotonic() > end:
                    raise self._failure("mariadbd does not answer") from None
                time.sleep(0.05)
            else:
                return

    def _failure(self, what: str) -> TargetError:
        said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-1500:]
        where = str(self.folder)
        way_out = "mend what it says, or name a database for proofs: [backup.scratch]"
        return full_disk(said, where) or TargetError(f"{what}: {said.strip()}", where=where, way_out=way_out)


class GivenDatabase:
    """The database that crossdock.toml names for proofs. Everything that a proof puts there is removed again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def __enter__(self) -> Self:
        refuse_full(self.endpoint)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def database(self, name: str) -> Endpoint:
        """The database, emptied; `name` is not ours to choose here."""
        self._clear()
        return self.endpoint

    def _clear(self) -> None:
        session = self.endpoint.open_target()
        try:
            session.execute(f"DROP DATABASE {quoted(self.endpoint.database)}")
            session.execute(f"CREATE DATABASE {quoted(self.endpoint.database)} CHARACTER SET utf8mb4")
        finally:
            session.close()


def refuse_full(endpoint: Endpoint) -> None:
    """Errors: TargetError when the database holds anything; AccessError."""
    session = endpoint.open_target()
    try:
        schema = session.schema()
    finally:
        session.close()
    names = [table.name for table in schema.tables] + [code.name for code in schema.stored_code]
    if names:
        text = f"the database is not empty: {len(names)} things are in it, such as {names[0]}"
        raise TargetError(text, where=endpoint.place, way_out="name an empty database; nothing is ever written over")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
