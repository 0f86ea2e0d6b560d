"""The managed host: one address, staging and production, two profiles of what the host allows."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crossdock.core.errors import TargetError
from crossdock.lab.addresses import MYSQL_PORT
from crossdock.lab.installation import Installation
from crossdock.lab.mariadb import MariaDb, MariaDbOptions
from crossdock.lab.passwords import kept
from crossdock.lab.server import Server, program
from crossdock.lab.sshd import SshOptions, SshServer
from crossdock.lab.web import VirtualHost, Web, WebOptions

Profile = Literal["gateway", "tunnel"]
ENVIRONMENTS: Mapping[str, str] = {"staging": "network.staging.lumen.example", "production": "network.lumen.example"}
TITLE = "Lumen Outdoor"


@dataclass(frozen=True)
class ManagedOptions:
    """`gateway`: no port forwarding, database by socket only, sessions cut, pages cached. `tunnel`: the opposite.
    `outside`: the address of the sinks, which stand for every other host."""

    profile: Profile = "gateway"
    session_limit_seconds: int = 600
    max_allowed_packet: str = "256M"
    buffer_pool: str = "64M"
    outside: str = ""


class Managed:
    """The target server. Order: prepare, daemons started, install, keep_fresh; then reset at any time."""

    def __init__(
        self, options: ManagedOptions, server: Server, client_key: Path, secrets_folder: Path, wp_cli: Path
    ) -> None:
        gateway = options.profile == "gateway"
        self.options = options
        self.server = server
        self.fresh = server.folder / "fresh"
        self._passwords = {name: kept(secrets_folder / f"managed-{name}-db") for name in ENVIRONMENTS}
        self.admin_password_file = secrets_folder / "managed-wordpress-admin"
        self.mariadb = MariaDb(
            server,
            MariaDbOptions(
                binlog=True, networking=not gateway, local_infile=not gateway, trust_function_creators=True,
                max_allowed_packet=options.max_allowed_packet, server_id=14, buffer_pool=options.buffer_pool,
            ),
            setup=[line for name in ENVIRONMENTS for line in self._accounts(name)],
            template=secrets_folder.parent / "template",
            root_password_file=secrets_folder / f"{server.name}-db-root",
        )  # fmt: skip
        limit = options.session_limit_seconds if gateway else None
        self.ssh = SshServer(server, client_key, SshOptions(forwarding=not gateway, session_limit_seconds=limit))
        self.web = Web(
            server,
            self._hosts(),
            WebOptions(page_cache=gateway, proxy=options.outside, missing_php="/index.php?$args"),
        )
        self.wordpress = {name: self._installation(name, wp_cli) for name in ENVIRONMENTS}

    def root(self, environment: str) -> Path:
        """The WordPress folder of staging or production."""
        return self.server.home / "sites/lumen" / environment

    @property
    def mailbox(self) -> Path:
        """What PHP's mail() sent, as an mbox file."""
        return self.server.log / "mail.mbox"

    def database(self, environment: str) -> str:
        return f"lumen_{environment}"

    def prepare(self, code: Path) -> None:
        """Writes all settings and copies WordPress's code. The settings are not the SSH account's to change."""
        self.mariadb.prepare()
        self.ssh.prepare()
        self.web.prepare()
        self.server.command("wp", f'exec {program("php")} {self.wordpress["staging"].wp_cli} "$@"')
        self.server.command("crontab", 'echo "crontab is not available on this plan" >&2; exit 1')
        for installation in self.wordpress.values():
            installation.place(code)
        self.server.account.own(self.server.home)

    def install(self, environment: str) -> None:
        """Sets up the empty multisite by WP-CLI; needs the database."""
        domain = ENVIRONMENTS[environment]
        installation = self.wordpress[environment]
        installation.cli(
            "core", "multisite-install", "--subdomains", f"--title={TITLE} {environment}", "--admin_user=lumen",
            "--admin_email=host@lumen.example", f"--admin_password={kept(self.admin_password_file)}", "--skip-email",
            url=f"http://{domain}",
        )  # fmt: skip
        # Without it WordPress sets every store's cookies for the network's domain, and browsers drop them.
        installation.cli("config", "set", "COOKIE_DOMAIN", "false", "--raw")
        if environment == "staging":
            installation.cli("eval", "update_option('blog_public', '0');", url=domain)

    def keep_fresh(self) -> None:
        """Keeps what reset goes back to: files and a dump of each environment."""
        self.mariadb.forget_setup()
        self.fresh.mkdir(exist_ok=True)
        for name in ENVIRONMENTS:
            _mirror(self.root(name), self.fresh / name)
            with (self.fresh / f"{name}.sql").open("wb") as out:
                dump = [program("mariadb-dump", "mysqldump"), *self._client(), "--skip-dump-date", self.database(name)]
                self._database_tool(dump, out=out)

    def reset(self, environment: str) -> None:
        """Back to the empty multisite: files, database, page cache. Errors: TargetError."""
        if environment not in ENVIRONMENTS:
            raise TargetError(f"no environment {environment}", way_out=f"one of {', '.join(ENVIRONMENTS)}")
        _mirror(self.fresh / environment, self.root(environment))
        with self.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{self.database(environment)}`")
            cursor.execute(f"CREATE DATABASE `{self.database(environment)}` CHARACTER SET utf8mb4")
        with (self.fresh / f"{environment}.sql").open("rb") as dump:
            client = [program("mariadb", "mysql"), *self._client(), self.database(environment)]
            self._database_tool(client, into=dump)
        self.web.clear_cache()

    def _client(self) -> list[str]:
        return ["--no-defaults", f"--socket={self.mariadb.socket}", "--user=root", "--max-allowed-packet=1G"]

    def _database_tool(self, argv: list[str], *, into: object = None, out: object = None) -> None:
        password = kept(self.mariadb.root_password_file)
        done = subprocess.run(
            argv, stdin=into, stdout=out, stderr=subprocess.PIPE, check=False,  # type: ignore[call-overload]
            env={"PATH": "/usr/bin:/bin", "MYSQL_PWD": password},
        )  # fmt: skip
        if done.returncode != 0:
            raise TargetError(f"{Path(argv[0]).name} failed: {done.stderr.decode(errors='replace')}", where="managed")

    def _accounts(self, environment: str) -> list[str]:
        name = self.database(environment)
        user = f"'{name}'@'{'localhost' if self.options.profile == 'gateway' else '%'}'"
        pattern = name.replace("_", "\\_")
        return [
            f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4",
            f"CREATE USER {user} IDENTIFIED BY '{self._passwords[environment]}'",
            f"GRANT ALL PRIVILEGES ON `{pattern}`.* TO {user}",
        ]

    def _hosts(self) -> list[VirtualHost]:
        staging = VirtualHost("staging", self.root("staging"), (".staging.lumen.example",), pool="staging")
        # Whatever domain is pointed here belongs to production.
        production = VirtualHost("production", self.root("production"), ("_",), is_default=True, pool="production")
        return [staging, production]

    def _installation(self, environment: str, wp_cli: Path) -> Installation:
        gateway = self.options.profile == "gateway"
        host = f"localhost:{self.server.mysql_socket}" if gateway else f"{self.server.address}:{MYSQL_PORT}"
        name = self.database(environment)
        return Installation(
            server=self.server, root=self.root(environment), database=name, db_user=name,
            db_password=self._passwords[environment], db_host=host, prefix="wp_", wp_cli=wp_cli,
        )  # fmt: skip


def _mirror(source: Path, target: Path) -> None:
    subprocess.run([program("rsync"), "--archive", "--delete", f"{source}/", str(target)], check=True)
