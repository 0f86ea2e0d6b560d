"""Databases dumped on their server over SSH, and dumps loaded here. Passwords travel in an option file on a pipe there,
and in one that only this account can read here; never in an argument list."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossdock.core.errors import AccessError, CrossdockError, SourceError, TargetError
from crossdock.edges.database import DatabaseAccount, parse_host
from crossdock.edges.mysql import Endpoint
from crossdock.edges.scratch import scratch_folder
from crossdock.edges.ssh import SshHost, dying_with_us
from crossdock.edges.transfer import full_disk

_PIECE_BYTES = 256 << 10
_TAIL = 1500
_COMMON = (
    "--quick", "--hex-blob", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--no-tablespaces",
)  # fmt: skip
_HEAD_BYTES = 8 << 10
_MODE = b"SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;"
_MODE_WITH_INVALID_DATES = b"SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES' */;"
# The option file comes through a pipe: a socket, which sshd may give as stdin, can't be opened by its name.
_REMOTE = """
for name in mariadb-dump mysqldump; do
  if command -v "$name" >/dev/null 2>&1; then cat | "$name" --defaults-file=/dev/stdin "$@"; exit $?; fi
done
echo 'crossdock: no mariadb-dump' >&2; exit 127
"""


class RemoteDump:
    """One account's databases on a server."""

    def __init__(self, host: SshHost, account: DatabaseAccount) -> None:
        self.host = host
        self.account = account

    def tables(
        self, database: str, *, without: Sequence[str], events: bool, routines: bool, position: bool
    ) -> Iterator[bytes]:
        """All but the tables `without`, in one consistent view that locks nothing, with triggers and views.

        Errors: SourceError with the dump's own words, AccessError; ConnectionLost when it was cut.
        """
        argv = [
            *_COMMON, "--single-transaction", "--skip-lock-tables", "--triggers",
            *(["--events"] if events else []), *(["--routines"] if routines else []),
            *(["--master-data=2"] if position else []),
            *(f"--ignore-table={database}.{name}" for name in without), "--", database,
        ]  # fmt: skip
        return _exact(self._run(argv, database))

    def locked_table(self, database: str, table: str) -> Iterator[bytes]:
        """One table alone, read-locked as long as it takes. Errors: as `tables`."""
        argv = [*_COMMON, "--lock-tables", "--triggers", "--", database, table]
        return _exact(self._run(argv, f"{database}.{table}"))

    def _run(self, argv: Sequence[str], what: str) -> Iterator[bytes]:
        where = f"{self.host.name}: database {what}"
        with tempfile.TemporaryFile() as options:
            options.write(_option_file(*_address(self.account.host), self.account.user, str(self.account.password)))
            options.seek(0)
            yield from self.host.stream(
                ["sh", "-c", _REMOTE, "sh", *argv],
                stdin=options,
                refusal=lambda status, said: _refusal(status, said, where),
            )


def _exact(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A dump whose head lets invalid dates (2024-02-30) in, which its server took: as it is written they would load as
    0000-00-00 without a word."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) > _HEAD_BYTES:
            break
    yield head.replace(_MODE, _MODE_WITH_INVALID_DATES, 1)
    yield from pieces


def _refusal(status: int, said: str, where: str) -> CrossdockError:
    if status == 127:
        return AccessError("there is no mariadb-dump or mysqldump", where=where, way_out="install mariadb-client there")
    way_out = "mend what it names; a dump needs SELECT, SHOW VIEW, TRIGGER and, for MyISAM, LOCK TABLES"
    return SourceError(f"the dump ended with status {status}: {said[-_TAIL:]}", where=where, way_out=way_out)


def _address(host: str) -> tuple[str, int, str | None]:
    return parse_host(host)


def _option_file(host: str, port: int, socket: str | None, user: str, password: str) -> bytes:
    lines = ["[client]", f"user={_quoted(user)}", f"password={_quoted(password)}"]
    if socket:
        lines.append(f"socket={_quoted(socket)}")
    elif host == "localhost":
        pass  # the client's own socket
    else:
        lines += [f"host={_quoted(host)}", f"port={port}", "protocol=tcp"]
    return ("\n".join(lines) + "\n").encode()


def _quoted(value: str) -> str:
    """A value of an option file, in which a backslash escapes, also within quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- here ------------------------------------------------------------------------------------------------------------


@contextmanager
def option_file(endpoint: Endpoint) -> Iterator[Path]:
    """An option file of this account alone, as long as it is needed."""
    folder = scratch_folder()
    path = folder / "client.cnf"
    try:
        path.touch(mode=0o600)
        socket = endpoint.unix_socket
        path.write_bytes(_option_file(endpoint.host, endpoint.port, socket, endpoint.user, str(endpoint.password)))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load_dump(endpoint: Endpoint, pieces: Iterable[bytes]) -> None:
    """Loads a dump into the endpoint's database by the `mariadb` client.

    Errors: whatever `pieces` raises; TargetError with the client's words; AccessError without a client."""
    with option_file(endpoint) as options, tempfile.TemporaryFile() as told:
        argv = [_client("mariadb", "mysql"), f"--defaults-file={options}", "--max-allowed-packet=1G",
                "--default-character-set=utf8mb4", "--", endpoint.database]  # fmt: skip
        process = subprocess.Popen(dying_with_us(argv), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told)
        try:
            assert process.stdin is not None  # noqa: S101  asked for
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.close()
            status = process.wait()
        except BrokenPipeError:
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        told.seek(0)
        said = told.read().decode("utf-8", "replace").strip()
    if status != 0:
        raise full_disk(said, endpoint.place) or TargetError(
            f"the dump can't be loaded: {said[-_TAIL:]}", where=endpoint.place
        )


def dump_rows(endpoint: Endpoint) -> Iterator[bytes]:
    """The rows of all tables of the endpoint's database, in the words of a dump. Errors: TargetError, AccessError."""
    with option_file(endpoint) as options, tempfile.TemporaryFile() as told:
        argv = [_client("mariadb-dump", "mysqldump"), f"--defaults-file={options}", *_COMMON, "--single-transaction",
                "--no-create-info", "--skip-triggers", "--", endpoint.database]  # fmt: skip
        process = subprocess.Popen(dying_with_us(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told)
        assert process.stdout is not None  # noqa: S101  asked for
        try:
            while piece := process.stdout.read(_PIECE_BYTES):
                yield piece
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
        told.seek(0)
        said = told.read().decode("utf-8", "replace").strip()
    if status != 0:
        raise TargetError(f"the restored rows can't be read: {said[-_TAIL:]}", where=endpoint.place)


def _client(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise AccessError(f"{names[0]} is not installed here", way_out="apt-get install mariadb-client")
