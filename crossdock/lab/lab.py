"""The whole lab: three sources, one managed host, a front and sinks, up and down as one thing."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymysql.connections import Connection

from crossdock.core.errors import ConfigError, LockedError
from crossdock.lab import account as accounts
from crossdock.lab import addresses
from crossdock.lab.access import write_config, write_ssh_config
from crossdock.lab.account import Account
from crossdock.lab.checksums import CHECKSUMS, write_checksums
from crossdock.lab.dns import SERVER_NAME as DNS_NAME
from crossdock.lab.dns import Dns, store_records
from crossdock.lab.files import WOOCOMMERCE_DECISION
from crossdock.lab.filling import EMPTY, answered_by_company, data_decisions, fill, sizes
from crossdock.lab.front import SERVER_NAME, Front
from crossdock.lab.managed import ENVIRONMENTS, Managed, ManagedOptions, Profile
from crossdock.lab.mariadb import MariaDb, make_template
from crossdock.lab.processes import Daemon, Process, run, stop
from crossdock.lab.server import Server
from crossdock.lab.sinks import SERVER_NAME as SINKS_NAME
from crossdock.lab.sinks import Sinks
from crossdock.lab.sources import SPECS, Code, Source, find_code
from crossdock.lab.sshd import make_key

MANAGED_HOST_NUMBER = 4
FRONT_HOST_NUMBER = 5
SINKS_HOST_NUMBER = 6
DNS_HOST_NUMBER = 7
COMMON_PATHS = ("/", "/?p=1", "/wp-content/uploads/2021/05/hero.png", "/gone-since-2019/")
Progress = Callable[[str], None]


def default_folder() -> Path:
    """crossdock-lab-<user> in the folder for temporary files."""
    return Path(tempfile.gettempdir()) / f"crossdock-lab-{Path('/proc/self').owner()}"


@dataclass
class State:
    """What state.json keeps of a lab; enough to find it again from another process."""

    profile: Profile
    size: str
    seed: int
    session_limit_seconds: int
    max_allowed_packet: str
    big_row_bytes: int
    buffer_pool: str
    block: str
    account: str
    sources_port: int
    target_port: int
    not_real: list[str]
    processes: list[dict[str, Any]]


class Lab:
    """A lab in `folder` (default: `default_folder()`).

    `profile`: what the managed host allows, "gateway" or "tunnel". `size`, `seed`: the data of the stores; size
    "empty" leaves the bare installs, `big_row_bytes` adds one row of that size to north. `session_limit_seconds`
    counts for the gateway's SSH sessions, `max_allowed_packet` for the managed database, `buffer_pool` (MariaDB
    notation) for each. `decisions` goes into crossdock.toml (default: the answers that the data needs; {} for none).
    As a context manager: up on entry, down (folder removed) on exit.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        profile: Profile = "gateway",
        size: str = "small",
        seed: int = 1,
        session_limit_seconds: int = 600,
        max_allowed_packet: str = "256M",
        big_row_bytes: int = 0,
        buffer_pool: str = "64M",
        decisions: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = Path(folder or default_folder()).absolute()
        if size not in sizes():
            raise ConfigError(f"no size {size}", where="size", way_out=f"one of {', '.join(sizes())}")
        self.decisions = (data_decisions() if size != EMPTY else {}) if decisions is None else decisions
        self.state = State(
            profile=profile, size=size, seed=seed, session_limit_seconds=session_limit_seconds,
            max_allowed_packet=max_allowed_packet,
            big_row_bytes=big_row_bytes, buffer_pool=buffer_pool,
            block="", account="", sources_port=0, target_port=0, not_real=[],
            processes=[],
        )  # fmt: skip
        self.sources: dict[str, Source] = {}
        self.up_seconds = 0.0

    @classmethod
    def open(cls, folder: Path | str | None = None) -> Lab:
        """Attaches to a lab that is up. Errors: ConfigError when the folder holds none."""
        lab = cls(folder)
        try:
            lab.state = State(**json.loads((lab.folder / "state.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ConfigError("no lab here", where=str(lab.folder), way_out="crossdock lab up") from None
        except (ValueError, TypeError) as error:
            raise ConfigError(f"state.json can't be used: {error}", where=str(lab.folder)) from error
        lab._assemble(Account.named(lab.state.account), lab.folder / "wp-cli.phar")
        return lab

    @property
    def config(self) -> Path:
        """The project's crossdock.toml."""
        return self.folder / "crossdock.toml"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def not_real(self) -> list[str]:
        """What in this lab is made up instead of real, one sentence each."""
        return self.state.not_real

    @property
    def sources_proxy(self) -> str:
        """HTTP proxy that leads to the sources, host:port."""
        return f"127.0.0.1:{self.state.sources_port}"

    @property
    def target_proxy(self) -> str:
        """HTTP proxy that leads to the managed host, host:port."""
        return f"127.0.0.1:{self.state.target_port}"

    def mariadb(self, server: str) -> MariaDb:
        """The database server of north, south, east or managed."""
        return self.managed.mariadb if server == self.managed.server.name else self.sources[server].mariadb

    def connect(self, server: str, database: str | None = None, **arguments: Any) -> Connection[Any]:
        """A root connection to that server's database (a source's own schema by default)."""
        if database is None and server in self.sources:
            database = self.sources[server].database
        return self.mariadb(server).connect(database, **arguments)

    def up(self, progress: Progress = lambda _: None) -> None:
        """Builds and starts everything. After an error nothing is left running and the folder is gone.

        Errors: ConfigError, LockedError, SourceError (no WordPress), AccessError (a daemon does not start).
        """
        begin = time.monotonic()
        self._create_folder()
        with self._lock():
            try:
                self._up(progress)
            except BaseException:
                self._down(keep=False)
                raise
        self.up_seconds = time.monotonic() - begin

    def down(self, *, keep: bool = False) -> None:
        """Stops the lab's processes, gives its addresses back and removes its folder, unless it is to be kept."""
        if self.folder.exists():
            with self._lock():
                self._down(keep=keep)

    def status(self) -> list[dict[str, Any]]:
        """One row a daemon: server, daemon, address, pid, alive."""
        return [
            {"server": p.server, "daemon": p.daemon, "address": p.address, "pid": p.pid, "alive": p.alive()}
            for p in self._processes()
        ]

    def get(self, address: str, host: str, path: str = "/", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """GET by address with a Host header; redirects are not followed: status, headers (lower case), body."""
        connection = http.client.HTTPConnection(address, addresses.HTTP_PORT, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": host, "User-Agent": "crossdock-lab", **headers})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _create_folder(self) -> None:
        if (self.folder / "state.json").exists():
            raise LockedError("a lab is here already", where=str(self.folder), way_out="crossdock lab down")
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ConfigError("folder is not empty", where=str(self.folder), way_out="choose another with --folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.folder.stat().st_uid != os.geteuid() or self.folder.is_symlink():
            raise ConfigError("folder is not yours", where=str(self.folder), way_out="choose another with --folder")
        self.folder.chmod(0o755)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise LockedError("another command works on this lab", where=str(self.folder)) from error
        finally:
            os.close(handle)

    def _up(self, progress: Progress) -> None:
        progress("Account and addresses")
        account = Account.ensure()
        self.state.account = account.name
        account.require_reach(self.folder / "state.json")
        self.state.block = addresses.claim(self.folder, account.name)
        self.state.sources_port, self.state.target_port = addresses.free_port(), addresses.free_port()
        self._save()
        progress("WordPress, WP-CLI and WooCommerce")
        code, self.state.not_real = find_code()
        shutil.copyfile(code.wp_cli, self.folder / "wp-cli.phar")
        write_checksums(self.folder / CHECKSUMS, (code.newest, code.old))
        (self.folder / "secrets").mkdir(mode=0o700, exist_ok=True)
        make_key(self.folder / "id_ed25519")
        self._assemble(account, self.folder / "wp-cli.phar")
        progress("Files and settings of four servers")
        self._prepare(account, code)
        progress("Databases, SSH, PHP and nginx")
        self._start(account)
        write_ssh_config(self.folder, [*(source.ssh for source in self.sources.values()), self.managed.ssh])
        if self.decisions and self.sources["south"].has_woocommerce:
            self.decisions = {**self.decisions, **answered_by_company(WOOCOMMERCE_DECISION)}
        write_config(self.folder, list(self.sources.values()), self.managed, self.decisions, self.dns.address)
        progress("WordPress installs")
        self._install()
        self._fill(progress)
        progress("First visitors")
        self._visit()
        self._save()

    def _assemble(self, account: Account, wp_cli: Path) -> None:
        def server(name: str, number: int) -> Server:
            return Server(name, f"{self.state.block}.{number}", self.folder / name, account)

        key, hidden = self.folder / "id_ed25519", self.folder / "secrets"
        for spec in SPECS:
            where = server(spec.name, spec.host_number)
            self.sources[spec.name] = Source(spec, where, key, hidden, wp_cli, self.state.buffer_pool)
        self.sinks = Sinks(server(SINKS_NAME, SINKS_HOST_NUMBER))
        published = {
            source.spec.name: (
                source.server.address, *(blog.domain for blog in source.spec.blogs), source.spec.alias
            )
            for source in self.sources.values()
        }  # fmt: skip
        self.dns = Dns(server(DNS_NAME, DNS_HOST_NUMBER), store_records(published))
        options = ManagedOptions(
            self.state.profile, self.state.session_limit_seconds, self.state.max_allowed_packet, self.state.buffer_pool,
            self.sinks.server.address,
        )  # fmt: skip
        self.managed = Managed(options, server("managed", MANAGED_HOST_NUMBER), key, hidden, wp_cli)
        routes = {
            domain: source.server.address
            for source in self.sources.values()
            for domain in (*(blog.domain for blog in source.spec.blogs), source.spec.alias)
        }
        self.front = Front(
            server(SERVER_NAME, FRONT_HOST_NUMBER), self.state.sources_port, self.state.target_port, routes,
            self.managed.server.address,
        )  # fmt: skip

    def _prepare(self, account: Account, code: Code) -> None:
        make_template(self.folder / "template", account)
        with ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(source.prepare, code) for source in self.sources.values()]
            jobs += [pool.submit(self.managed.prepare, code.newest), pool.submit(self.front.prepare)]
            jobs += [pool.submit(self.sinks.prepare), pool.submit(self.dns.prepare)]
            for job in jobs:
                job.result()
        shutil.rmtree(self.folder / "template")

    def _start(self, account: Account) -> None:
        places: list[Source | Managed] = [*self.sources.values(), self.managed]
        daemons: list[Daemon] = [daemon for place in places for daemon in place.mariadb.daemons()]
        for place in places:
            daemons += [*place.ssh.daemons(), *place.web.daemons()]
        run([*daemons, self.front.daemon(), *self.sinks.daemons(), *self.dns.daemons()], account, self._remember)

    def _install(self) -> None:
        with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
            jobs = [pool.submit(source.install) for source in self.sources.values()]
            jobs += [pool.submit(self.managed.install, name) for name in ENVIRONMENTS]
            for job in jobs:
                job.result()
        self.managed.keep_fresh()

    def _fill(self, progress: Progress) -> None:
        self._first_admin_visit()
        if self.state.size != EMPTY:
            progress(f"Data, size {self.state.size}")
            fill(list(self.sources.values()), self.state.size, self.state.seed, self.state.big_row_bytes)

    def _first_admin_visit(self) -> None:
        """WooCommerce makes its order tables at the first visit of an admin page."""
        for source in self.sources.values():
            if source.has_woocommerce:
                self.get(source.server.address, source.spec.domain, "/wp-admin/admin-ajax.php")

    def _visit(self) -> None:
        """A few requests on each source, so that its access log has something to harvest."""
        for source in self.sources.values():
            for blog in source.spec.blogs:
                for path in (*COMMON_PATHS, *source.spec.old_paths):
                    self.get(source.server.address, blog.domain, path, Referer=f"http://{blog.domain}/")
            self.get(source.server.address, source.spec.alias, "/sale/")

    def _remember(self, process: Process) -> None:
        self.state.processes.append(asdict(process))
        self._save()

    def _save(self) -> None:
        path = self.folder / "state.json"
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self.state), indent=1), encoding="utf-8")
        scratch.rename(path)

    def _processes(self) -> list[Process]:
        return [Process(**facts) for facts in self.state.processes]

    def _down(self, *, keep: bool) -> None:
        # Data that goes away with the folder needs no slow shutdown of its database.
        stop(self._processes(), patience_seconds=60 if keep else 3)
        self.state.processes = []
        if self.state.block:
            addresses.release(self.state.block)
        if keep:
            (self.folder / "state.json").unlink(missing_ok=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=False)
        if self.state.account not in addresses.accounts_in_use():
            accounts.remove()
