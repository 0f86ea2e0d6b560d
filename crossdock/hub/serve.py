"""Serves the screens with granian, until it is told to stop."""

from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.log import LogLevels

from crossdock.core.errors import AccessError, ConfigError

THREADS = 8
_ANY = ("0.0.0.0", "::")  # noqa: S104 - the wildcard is recognised here, not bound


@dataclass(frozen=True)
class Listen:
    """Where the screens are served. `url`: where people reach them, if by another name or through a proxy."""

    host: str = "127.0.0.1"
    port: int = 8000
    url: str = ""
    certificate: Path | None = None
    key: Path | None = None

    @property
    def address(self) -> str:
        """For a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.url or f"{'https' if self.certificate else 'http'}://{host}:{self.port}"

    @property
    def names(self) -> tuple[str, ...]:
        """Host names that are answered: a page of a stranger must not reach us under its own name."""
        given = {urlsplit(self.url).hostname or "", self.host}
        return tuple(
            sorted({"localhost", "127.0.0.1", "[::1]"} | {_bracketed(one) for one in given - {""} - set(_ANY)})
        )

    @property
    def in_clear(self) -> bool:
        """Whether passwords would cross a network unencrypted."""
        return self.address.startswith("http://") and urlsplit(self.address).hostname not in (
            "127.0.0.1",
            "localhost",
            "::1",
        )


def serve(state: Path, config: Path, listen: Listen, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM; `ready` is called when it answers. The hub must have been booted.

    Errors: ConfigError (nobody could reach it), AccessError (the port is taken, or may not be used).
    """
    parts = urlsplit(listen.url)
    if listen.url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path):
        raise ConfigError(
            "is no address of a site", where=listen.url, way_out="scheme and host: https://hub.example.com"
        )
    if listen.host in _ANY and not listen.url:
        way_out = "say by which address people reach it: --url http://hub.example.com:8000"
        raise ConfigError("every address of this machine, but no name to answer to", where="--host", way_out=way_out)
    _refuse_bad_certificate(listen)
    _refuse_taken(listen)
    os.environ |= {
        "CROSSDOCK_STATE": str(state),
        "CROSSDOCK_CONFIG": str(config),
        "CROSSDOCK_HOSTS": ",".join(listen.names),
        "CROSSDOCK_URL": listen.address if listen.address.startswith("https") else listen.url,
        "CROSSDOCK_SERVE_PID": str(os.getpid()),
    }
    # A forked worker would share this process's settings and database connections.
    multiprocessing.set_start_method("spawn", force=True)
    server = Granian(
        "crossdock.hub.wsgi:made",
        factory=True,
        address=listen.host,
        port=listen.port,
        interface=Interfaces.WSGI,
        loop=Loops.asyncio,
        workers=1,
        blocking_threads=THREADS,
        websockets=False,
        log_level=LogLevels.error,
        workers_kill_timeout=5,
        ssl_cert=listen.certificate,
        ssl_key=listen.key,
    )
    server.on_startup(ready)
    server.serve()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refuse_bad_certificate(listen: Listen) -> None:
    if listen.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(listen.certificate, listen.key)
    except OSError as error:  # ssl.SSLError is one
        way_out = "a certificate and its own key, both PEM, the key without a password"
        raise ConfigError(f"can't be used: {error}", where=str(listen.certificate), way_out=way_out) from None


def _refuse_taken(listen: Listen) -> None:
    # granian shares its port with any other process that does the same: two projects would answer by turns.
    where = f"{listen.host}:{listen.port}"
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[0][4])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            way_out = "stop the other program, or take another port: --port 8001"
            raise AccessError("this port is in use", where=where, way_out=way_out) from None
        way_out = "an address of this machine, and a port from 1024 on: --host, --port"
        raise AccessError(f"can't be listened to: {error.strerror}", where=where, way_out=way_out) from None
