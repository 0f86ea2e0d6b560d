"""One server by itself, for tests that need a daemon or two and no whole lab.

with lone_server() as server, MariaDb(server, MariaDbOptions(binlog=True)) as database:
    database.connect()
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossdock.lab import account as accounts
from crossdock.lab import addresses
from crossdock.lab.account import Account
from crossdock.lab.server import Server


@contextmanager
def lone_server(name: str = "alone", *, folder: Path | None = None) -> Iterator[Server]:
    """A server with an address and a folder (default: a new one for temporary files), both given back at the end."""
    account = Account.ensure()
    place = folder or Path(tempfile.mkdtemp(prefix="crossdock-server-"))
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    account.require_reach(place / name)
    block = addresses.claim(place, account.name)
    try:
        server = Server(name, f"{block}.1", place / name, account)
        server.prepare()
        account.own(server.folder)
        yield server
    finally:
        addresses.release(block)
        shutil.rmtree(place, ignore_errors=True)
        if account.name not in addresses.accounts_in_use():
            accounts.remove()
