"""What the move needs from the world, as small Protocols. The edges satisfy them; cli and hub join the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol

from crossdock.core.evidence import Finding, Receipt
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
class Answer:
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

    def get(self, url: str) -> tuple[int, str, dict[str, str]]:
        """Status, body, headers (lower-case names). Redirects are not followed."""
        ...

    def ask(
        self, url: str, *, form: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> Answer:
        """A GET, or the POST of a form. Redirects are not followed."""
        ...

    def certificate(self, host: str) -> Certificate:
        """The certificate that a visitor of this host is shown (SNI)."""
        ...


class Journal(Protocol):
    """The run's evidence: append-only receipts and findings."""

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

    def start(self, stage: str, *, rows: int, bytes_: int) -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...
