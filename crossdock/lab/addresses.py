"""Blocks of loopback addresses: each lab owns a free 127.x.y.0/24, so that labs can run side by side."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossdock.core.errors import AccessError

SSH_PORT = 2222
MYSQL_PORT = 3306
HTTP_PORT = 8080
PREFIX = "crossdock-lab-block-"


def claim(folder: Path, account: str) -> str:
    """A free block's first three numbers, `127.x.y`, recorded as this folder's. Errors: AccessError if none is free."""
    with _registry() as registry:
        taken = _entries(registry)
        for x in range(20, 120):
            for y in range(1, 255):
                block = f"127.{x}.{y}"
                if block not in taken and is_free(block):
                    text = json.dumps({"folder": str(folder), "account": account})
                    _claim_file(registry, block).write_text(text, encoding="utf-8")
                    return block
    raise AccessError("no free block of loopback addresses", way_out="stop other labs: crossdock lab down")


def release(block: str) -> None:
    """Gives the block back. Unknown blocks are fine."""
    with _registry() as registry:
        _claim_file(registry, block).unlink(missing_ok=True)


def accounts_in_use() -> set[str]:
    """The accounts of all labs that hold a block."""
    with _registry() as registry:
        return {account for _, account in _entries(registry).values()}


def is_free(block: str, hosts: int = 4) -> bool:
    """Whether the lab's ports can be bound on the first addresses of the block."""
    return all(
        _can_bind(f"{block}.{host}", port) for host in range(1, hosts + 1) for port in (SSH_PORT, MYSQL_PORT, HTTP_PORT)
    )


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _can_bind(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the daemons do: connections of a lab that just ended must not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


@contextmanager
def _registry() -> Iterator[Path]:
    """The folder that holds one small file for each lab. Its own lock serves: no lock file is left behind. It is the
    machine's and not TMPDIR: labs with another TMPDIR want the same addresses."""
    folder = Path("/tmp")  # noqa: S108
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)


def _claim_file(registry: Path, block: str) -> Path:
    return registry / f"{PREFIX}{block}"


def _entries(registry: Path) -> dict[str, tuple[str, str]]:
    """block -> (folder, account) of labs that still have their folder; entries left by dead labs are dropped."""
    found = {}
    for entry in registry.glob(f"{PREFIX}127.*"):
        block = entry.name.removeprefix(PREFIX)
        try:
            facts = json.loads(entry.read_text(encoding="utf-8"))
            if Path(facts["folder"]).is_dir():
                found[block] = (facts["folder"], facts["account"])
            else:
                entry.unlink()
        except (PermissionError, ValueError, KeyError):
            found[block] = ("", "")  # another person's lab
    return found
