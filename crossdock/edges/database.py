"""From what wp-config.php says to an open way into the database: directly, through `ssh -L`, or by the PHP relay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from crossdock.core.errors import AccessError, ConfigError, ConnectionLost
from crossdock.core.secrets import Masked
from crossdock.edges.mysql import Endpoint
from crossdock.edges.relay import Relay
from crossdock.edges.ssh import SshHost
from crossdock.edges.tunnel import Tunnel

_DEFAULT_PORT = 3306
_HOST = re.compile(r"^(?:p:)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?(?::?(/.*))?$")
_USUAL_SOCKETS = (
    "/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",  # noqa: S108  a path that servers use, not one of ours
)
_FIND_SOCKET = (
    "foreach (array_merge([(string) ini_get('mysqli.default_socket')], array_slice($argv, 1)) as $path)"
    " if ($path !== '' && @file_exists($path)) { echo $path; break; }"
)


@dataclass(frozen=True)
class DatabaseAccount:
    """wp-config's DB_NAME, DB_USER, DB_PASSWORD and DB_HOST, or what [servers.database] says instead.

    `host` in WordPress's form: `localhost`, `127.0.0.1:3307`, `localhost:/path.sock`, `:/path.sock`.
    """

    database: str
    user: str
    password: Masked
    host: str = "localhost"


class Connected(NamedTuple):
    """A proved way in: the endpoint, the transport that worked (direct, tunnel or relay), and what ends it."""

    endpoint: Endpoint
    transport: str
    close: Callable[[], None]


def parse_host(host: str) -> tuple[str, int, str | None]:
    """Host, port and socket path from DB_HOST, read as WordPress reads it. Errors: ConfigError."""
    found = _HOST.match(host.strip())
    if not found:
        raise ConfigError(f"DB_HOST {host!r} has no form WordPress knows")
    name, port, path = found.groups()
    return name.strip("[]") or "localhost", int(port or _DEFAULT_PORT), path


def connect_database(
    ssh: SshHost, account: DatabaseAccount, *, transport: str = "auto", php: str = "php", local_infile: bool = True
) -> Connected:
    """Opens and proves a way into the database, as seen from the server. `auto` tries ssh -L, then the relay.

    Errors: AccessError (refused login, unknown database, no way in; with every attempt's reason), ConfigError.
    """
    if transport == "direct":
        return _direct(ssh.name, account, local_infile)
    if transport not in ("auto", "tunnel", "relay"):
        raise ConfigError(f"transport {transport!r} is not known", way_out="auto, tunnel, relay or direct")
    reasons: list[str] = []
    for kind, target in _ways(ssh, account, transport, php):
        try:
            return _through(ssh, account, kind, target, php, local_infile)
        except _LoginRefusedError as refused:
            raise refused.error from refused
        except AccessError as error:
            reasons.append(f"{kind} to {target}: {error.what}")
            last = error
    if len(reasons) == 1:
        raise last
    raise AccessError("no way into the database:\n  " + "\n  ".join(reasons), where=ssh.where, way_out=last.way_out)


class _LoginRefusedError(Exception):
    """The database itself answered and refused: other ways lead to the same server."""

    def __init__(self, error: AccessError) -> None:
        super().__init__(str(error))
        self.error = error


def _ways(ssh: SshHost, account: DatabaseAccount, transport: str, php: str) -> Iterator[tuple[str, str]]:
    name, port, path = parse_host(account.host)
    kinds = ("tunnel", "relay") if transport == "auto" else (transport,)
    # PHP takes `localhost` for "the socket", whatever the port says.
    if path is None and name == "localhost":
        path = _default_socket(ssh, php)
        targets = [path, f"127.0.0.1:{port}"] if path else [f"127.0.0.1:{port}"]
    else:
        targets = [path or f"{_bracketed(name)}:{port}"]
    for kind in kinds:
        for target in targets:
            yield kind, target


def with_socket(ssh: SshHost, account: DatabaseAccount, php: str = "php") -> DatabaseAccount:
    """The account as a program there must use it: for `localhost` PHP may know another socket than that program."""
    name, _, path = parse_host(account.host)
    found = _default_socket(ssh, php) if path is None and name == "localhost" else None
    return replace(account, host=f"localhost:{found}") if found else account


def _default_socket(ssh: SshHost, php: str) -> str | None:
    done = ssh.run([php, "-r", _FIND_SOCKET, *_USUAL_SOCKETS], check=False)
    return done.stdout.decode("utf-8", "replace").strip() or None


def _through(ssh: SshHost, account: DatabaseAccount, kind: str, target: str, php: str, local_infile: bool) -> Connected:
    way: Tunnel | Relay = Tunnel(ssh, target) if kind == "tunnel" else Relay(ssh, target, php=php)
    endpoint = Endpoint(
        name=f"{ssh.name} by {kind}",
        database=account.database,
        user=account.user,
        password=account.password,
        unix_socket=str(way.path),
        local_infile=local_infile,
    )
    way.open()
    try:
        if isinstance(way, Tunnel):
            way.probe(timeout_seconds=ssh.connect_timeout_seconds)
        _prove(endpoint, way)
    except BaseException:
        way.close()
        raise
    return Connected(endpoint, kind, way.close)


def _prove(endpoint: Endpoint, way: Tunnel | Relay) -> None:
    try:
        endpoint.open_source().close()
    except ConnectionLost as error:
        raise way.refusal() from error
    except AccessError as error:
        raise _LoginRefusedError(error) from error


def _direct(name: str, account: DatabaseAccount, local_infile: bool) -> Connected:
    host, port, path = parse_host(account.host)
    endpoint = Endpoint(
        name=name,
        database=account.database,
        user=account.user,
        password=account.password,
        host="127.0.0.1" if host == "localhost" else host,
        port=port,
        unix_socket=path,
        local_infile=local_infile,
    )
    endpoint.open_source().close()
    return Connected(endpoint, "direct", _nothing)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _nothing() -> None:
    """A direct endpoint holds nothing open."""


__all__ = ["Connected", "DatabaseAccount", "connect_database", "parse_host", "with_socket"]
