"""What the move needs from the world, as small Protocols. The edges satisfy them; cli and hub join the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol

from crossdock.core.evidence import Finding, Receipt
from crossdock.core.files import Entry, Known, Listing
from crossdock.core.tables import Column, Row, Schema


@dataclass(frozen=True)
class Completed:
    """A finished remote command: exit status and both streams, whole."""

    status: int
    stdout: bytes
    stderr: bytes


class Shell(Protocol):
    """Runs commands on one server."""

    @property
    def name(self) -> str: ...

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout_seconds: float = 120, check: bool = True
    ) -> Completed:
        """Runs one command. Errors: AccessError (no connection, host key, timeout); with check, a status other than 0
        is a CrossdockError that carries stderr's last lines."""
        ...


class StreamingShell(Shell, Protocol):
    """A shell that also runs commands whose output is larger than memory."""

    def stream(self, argv: Sequence[str]) -> Iterator[bytes]:
        """A command's output piece by piece. Errors: AccessError; CrossdockError for a status other than 0."""
        ...


@dataclass(frozen=True)
class ServerFacts:
    """What one database session sees of its server. `variables` hold the ones asked for."""

    version: str
    user: str
    grants: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


class Session(Protocol):
    """One connection to a MariaDB or MySQL server. Values are bytes or None, never converted."""

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Rows of a small result, whole in memory. `%s` marks an argument."""
        ...

    def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """Runs a statement; returns the affected rows."""
        ...

    def stream(self, sql: str, *, batch_rows: int = 2000) -> Iterator[list[Row]]:
        """Unbuffered rows in batches. The session can do nothing else until the iterator is exhausted or closed."""
        ...

    def select_list(self, columns: Sequence[Column]) -> str:
        """The select list that reads these columns exactly, as `load` wants them."""
        ...

    def load(self, table: str, columns: Sequence[Column], batches: Iterable[list[Row]]) -> int:
        """Bulk-inserts rows, by LOAD DATA LOCAL where allowed, else multi-row INSERT, in the open transaction.
        Returns the rows inserted. Errors: TargetError on any warning, or a count that differs."""
        ...

    def schema(self, like: str = "%") -> Schema:
        """Facts of the session's database: tables, views, triggers."""
        ...

    def server(self, variables: Sequence[str] = ()) -> ServerFacts: ...

    def close(self) -> None: ...


class Database(Protocol):
    """Where a database is. Picklable: a worker process opens its own sessions."""

    @property
    def name(self) -> str: ...

    def open_source(self) -> Session:
        """A reading session: READ ONLY, UTC, each column in its own character set."""
        ...

    def open_target(self) -> Session:
        """A writing session: UTC, NO_AUTO_VALUE_ON_ZERO, utf8mb4."""
        ...


@dataclass(frozen=True)
class Reply:
    """What a web server answered. `headers` by lower-case name; `cookies` are its Set-Cookie lines, one each."""

    status: int
    body: str
    headers: dict[str, str]
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """A host's certificate. `problem` says why a browser would not trust it for that host, else empty; `days_left`:
    until it ends; None where it could not be read."""

    problem: str = ""
    days_left: int | None = None


class Web(Protocol):
    """Fetches pages from one environment's address by the mapped domain."""

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        """Status, body, headers (lower-case names). Redirects are not followed. `headers` are sent besides our own."""
        ...

    def ask(
        self, url: str, *, form: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> Reply:
        """A GET, or the POST of a form. Redirects are not followed."""
        ...

    def certificate(self, host: str) -> Certificate:
        """The certificate that a visitor of this host is shown (SNI)."""
        ...


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, whole. `mode` holds the permission bits; `like` names a file there whose group and mode a
    written one takes over instead."""

    content: bytes = field(repr=False)
    mode: int = 0o644
    like: str = ""


class Files(Protocol):
    """Small files on one server, by absolute path."""

    def read(self, paths: Sequence[str]) -> dict[str, RemoteFile]:
        """Those of the files that are there; a folder is told without content."""
        ...

    def digests(self, folder: str) -> dict[str, str]:
        """SHA-256 of each file below a folder, by its path relative to it; nothing where there is no such folder."""
        ...

    def write(self, files: Mapping[str, RemoteFile]) -> None:
        """Writes files in this order, each whole or not at all, and the folders they need.

        Errors: TargetError naming the path and why; what was written before it stays."""
        ...

    def remove(self, paths: Sequence[str]) -> None:
        """Removes files, and folders that are empty, in this order. What is not there is fine. Errors: TargetError."""
        ...


class FileServer(Protocol):
    """The files of one server, over its command line. Roots are absolute folders; names are relative to a root."""

    @property
    def name(self) -> str: ...

    def listings(self, roots: Sequence[str]) -> dict[str, Listing | None]:
        """What is in each folder, at any depth; None where there is no such folder. Links are not followed, but a root
        may be one. Errors: AccessError."""
        ...

    def hashes(self, paths: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        """SHA-256 of files by absolute path, in any order. What is gone or can't be read is left out."""
        ...

    def pull(self, root: str, entries: Mapping[bytes, Entry], folder: str, advance: Callable[[int], None]) -> None:
        """Brings files and folders into a local folder; a file appears there whole or not at all. Calls `advance` with
        the bytes of each file. Errors: AccessError; CrossdockError when the local disk is full."""
        ...

    def prepare(self, roots: Sequence[str]) -> None:
        """Makes these folders where they are missing. Errors: AccessError; TargetError as of `push`."""
        ...

    def push(
        self,
        folder: str,
        entries: Mapping[bytes, Entry],
        root: str,
        advance: Callable[[int], None],
        *,
        anew: bool = False,
    ) -> None:
        """The opposite, into a root that `prepare` has made; `entries` may hold links too. `anew` carries also what
        looks the same by size and time.

        Errors: AccessError; TargetError when the server's disk is full or it refuses to write.
        """
        ...

    def remove(self, root: str, names: Sequence[bytes]) -> None:
        """Removes files and links; what is gone already is fine."""
        ...

    def clean(self, roots: Sequence[str]) -> None:
        """Removes what transfers, broken ones too, have left in these folders."""
        ...


class Spool(Protocol):
    """The local folder that files pass through, and what is known of files elsewhere. `tree` is a tree's key.

    Errors of all: CrossdockError when the disk is full.
    """

    def folder(self, tree: str) -> str:
        """Its local folder, absolute; made if need be."""
        ...

    def listing(self, tree: str) -> Listing: ...

    def settle(self, tree: str, wanted: Mapping[bytes, Entry]) -> None:
        """Makes the links that are wanted, gives files their modes, and removes what is not wanted."""
        ...

    def clean(self, tree: str) -> None:
        """Removes what transfers have left."""
        ...

    def drop(self, tree: str, names: Sequence[bytes]) -> None:
        """Removes files, so that they are brought anew."""
        ...

    def known(self, place: str) -> dict[bytes, Known]:
        """What is known of the files of a server or environment, by absolute path."""
        ...

    def learn(self, place: str, found: Mapping[bytes, Known]) -> None:
        """Adds to what is known, durably."""
        ...

    def forget_all_but(self, place: str, found: Mapping[bytes, Known]) -> None:
        """From now on nothing else is known."""
        ...

    def placed(self, environment: str, tree: str) -> dict[bytes, str] | None:
        """What we put into a target's folder: content by name. None where we put nothing."""
        ...

    def place(self, environment: str, tree: str, contents: Mapping[bytes, str]) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What one address answered. `status` 0: nothing, and `problem` says why (slow, blocked, or an error's words).

    `location` as the server wrote it; `body` only its beginning; `content_type` without parameters, lower case.
    """

    url: str
    status: int = 0
    location: str = ""
    content_type: str = ""
    body: bytes = b""
    seconds: float = 0.0
    problem: str = ""
    retry_after: str = ""


class Crawler(Protocol):
    """Asks many addresses of one environment, at its pace."""

    def ask(self, urls: Iterable[str], tell: Callable[[Answer], None]) -> None:
        """Calls `tell` with each answer as it comes. Never follows a redirect, never leaves the environment's hosts."""
        ...


class Journal(Protocol):
    """The run's evidence: append-only receipts and findings. `run` is its ID."""

    @property
    def run(self) -> str: ...

    def receipt(self, step: str, subject: str, data: dict[str, Any]) -> Receipt: ...

    def receipts(self, step: str = "", subject: str = "") -> list[Receipt]:
        """Receipts of this project, oldest first."""
        ...

    def finding(self, finding: Finding, *, step: str) -> None: ...


class Judge(Protocol):
    """PHP's own verdict on rewritten values."""

    def judge(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
        """What is wrong with each (before, after) pair that PHP finds broken or of another shape; else empty."""
        ...

    def close(self) -> None: ...


class JudgeFactory(Protocol):
    """Opens a judge in a worker process. Picklable."""

    def __call__(self) -> Judge: ...


class PoolFactory(Protocol):
    """Makes an executor of `workers` processes, each of which calls `prepare(setup)` once before its first task, and
    which die with this process."""

    def __call__(self, workers: int, prepare: Callable[[Any], None], setup: object) -> Executor: ...


class Progress(Protocol):
    """Live progress of one stage. Called from the coordinating process only."""

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None:
        """`noun` names what is counted."""
        ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...
