"""A MariaDB server of its own, on one address, run by the lab's account."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection

from crossdock.core.errors import AccessError
from crossdock.lab.account import Account
from crossdock.lab.addresses import MYSQL_PORT
from crossdock.lab.passwords import kept
from crossdock.lab.processes import Daemon, Part
from crossdock.lab.server import Server, program


@dataclass(frozen=True)
class MariaDbOptions:
    """How one server differs from another. Sizes are MariaDB's own notation (64M)."""

    binlog: bool = False
    networking: bool = True
    local_infile: bool = True
    max_allowed_packet: str = "256M"
    buffer_pool: str = "64M"
    trust_function_creators: bool = False
    server_id: int = 1
    extra: tuple[str, ...] = ()


def make_template(folder: Path, account: Account) -> None:
    """Runs mariadb-install-db once; servers copy the result. Errors: AccessError with its output."""
    folder.mkdir(parents=True, exist_ok=True)
    account.own(folder)
    done = account.run(
        [program("mariadb-install-db"), "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
         f"--datadir={folder}"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder)}, cwd=folder,
    )  # fmt: skip
    if done.returncode != 0:
        raise AccessError(f"mariadb-install-db failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}", where=str(folder))


class MariaDb(Part):
    """A server in `server.folder`; as a context manager it makes its data folder, starts, and stops.

    `setup`: SQL statements (one line each) that run before the first connection. `template`: a data folder to copy.
    The password of root@localhost (socket only when networking is off) lies in `root_password_file`, 0600.
    """

    def __init__(
        self,
        server: Server,
        options: MariaDbOptions | None = None,
        *,
        setup: Sequence[str] = (),
        template: Path | None = None,
        root_password_file: Path | None = None,
    ) -> None:
        self.server = server
        self.options = options or MariaDbOptions()
        self.setup = list(setup)
        self.template = template
        self.root_password_file = root_password_file or server.folder / "root-password"

    @property
    def data(self) -> Path:
        return self.server.folder / "mysql"

    @property
    def socket(self) -> Path:
        return self.server.mysql_socket

    def prepare(self) -> None:
        """Data folder, settings and first statements; an existing data folder stays as it is."""
        self.server.prepare()
        fresh = not self.data.exists()
        if fresh:
            self._make_data()
            self._write_setup(kept(self.root_password_file))
        self.server.write(self.server.etc / "my.cnf", self._settings(fresh))
        self.server.account.own(self.data, self.server.run, self.server.log, self.server.tmp)

    def daemons(self) -> list[Daemon]:
        where = f"{self.server.address}:{MYSQL_PORT}" if self.options.networking else str(self.socket)
        daemon = Daemon(
            server=self.server.name,
            name="mariadbd",
            address=where,
            argv=[program("mariadbd"), f"--defaults-file={self.server.etc / 'my.cnf'}"],
            log=self.server.log / "mariadbd.log",
            ready=self._answers,
        )
        return [daemon]

    def _answers(self) -> bool:
        """Whether root can log in. A socket that accepts is not enough: it does so before the first statements (the
        accounts) have run, and whoever takes their file away then leaves a server without accounts."""
        try:
            self.connect(connect_timeout=5).close()
        except (pymysql.Error, OSError):
            return False
        return True

    def connect(self, database: str | None = None, **arguments: Any) -> Connection[Any]:
        """A connection as root by socket, utf8mb4, autocommit on unless `autocommit=False` is given."""
        settings: dict[str, Any] = {"autocommit": True, "charset": "utf8mb4", "max_allowed_packet": 1 << 30}
        return pymysql.connect(
            unix_socket=str(self.socket),
            user="root",
            password=kept(self.root_password_file),
            database=database,
            **{**settings, **arguments},
        )

    def _make_data(self) -> None:
        if self.template is None:
            make_template(self.data, self.server.account)
            return
        # The redo log is nearly all holes: a sparse copy takes a tenth of the time.
        subprocess.run(
            ["cp", "--archive", "--sparse=always", "--reflink=auto", str(self.template), str(self.data)], check=True
        )

    def _write_setup(self, password: str) -> None:
        statements = [
            "DELETE FROM mysql.global_priv WHERE User = ''",
            "FLUSH PRIVILEGES",
            f"ALTER USER root@localhost IDENTIFIED BY '{password}'",
            *self.setup,
        ]
        text = "".join(statement + ";\n" for statement in statements)
        self.server.write(self.data / "setup.sql", text, mode=0o600)

    def _settings(self, fresh: bool) -> str:
        wanted = self.options
        lines = [
            "[mariadbd]",
            f"datadir={self.data}",
            f"socket={self.socket}",
            f"pid-file={self.server.run / 'mariadbd.pid'}",
            f"tmpdir={self.server.tmp}",
            "skip-networking" if not wanted.networking else f"bind-address={self.server.address}",
            f"port={MYSQL_PORT}",
            "skip-name-resolve",
            "character-set-server=utf8mb4",
            f"server-id={wanted.server_id}",
            f"local-infile={int(wanted.local_infile)}",
            f"max-allowed-packet={wanted.max_allowed_packet}",
            f"innodb-buffer-pool-size={wanted.buffer_pool}",
            # A lab's data may be lost with the machine's power; an fsync for each commit only costs time.
            "innodb-flush-log-at-trx-commit=2",
            "sync-binlog=0",
            f"log-bin-trust-function-creators={int(wanted.trust_function_creators)}",
            *wanted.extra,
        ]
        if wanted.binlog:
            lines += [f"log-bin={self.data / 'binlog'}", "binlog-format=ROW", "binlog-row-image=FULL"]
        if fresh:
            lines.append(f"init-file={self.data / 'setup.sql'}")
        return "\n".join(lines) + "\n"

    def forget_setup(self) -> None:
        """Takes the first statements (they hold passwords) away once they have run."""
        (self.data / "setup.sql").unlink(missing_ok=True)
        self.server.write(self.server.etc / "my.cnf", self._settings(False))

    def remove(self) -> None:
        """Deletes the data folder of a stopped server."""
        shutil.rmtree(self.data, ignore_errors=True)
