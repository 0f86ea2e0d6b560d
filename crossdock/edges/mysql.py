"""MariaDB and MySQL sessions whose values are bytes or None: mysqlclient reads sources, PyMySQL loads targets."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import MySQLdb
import pymysql
from MySQLdb import _mysql
from pymysql.constants import CLIENT

from crossdock.core.errors import ConnectionLost, SourceError, TargetError
from crossdock.core.ports import ServerFacts, Session
from crossdock.core.secrets import Masked
from crossdock.core.tables import Column, Row, Schema
from crossdock.edges import _wire
from crossdock.edges.mysql_errors import BULK_REFUSED, LOCAL_INFILE_REFUSED, code_of, translate
from crossdock.edges.mysql_load import (
    BulkInsert,
    Loaded,
    Sent,
    Wire,
    bulk_parts,
    check_warnings,
    counted,
    enum_places,
    insert_statements,
    invalid_enums,
    load_pieces,
)
from crossdock.edges.mysql_schema import read_schema, read_server
from crossdock.edges.mysql_values import (
    bind,
    bulk_statement,
    load_expression,
    load_statement,
    select_expression,
    select_list,
)

__all__ = ["Endpoint", "SourceSession", "TargetSession", "load_expression", "select_expression", "select_list"]

_BATCH_BYTES = 8 << 20
_WIDE_BYTES = 16 << 10
_LEAST_BULK_BYTES = 256 << 10  # max_allowed_packet; with less, many a row would be too large for a packet
_DRIVER_ERRORS = (MySQLdb.Error, pymysql.Error, OSError)
_WIRE_SETTINGS = (
    "SET SESSION time_zone='+00:00', net_write_timeout=3600, net_read_timeout=3600, wait_timeout=86400,"
    " group_concat_max_len=1048576, sql_select_limit=18446744073709551615"
)
_OPTIONAL_SETTINGS = ("SET SESSION max_statement_time=0", "SET SESSION max_execution_time=0")
_SOURCE_SETTINGS = (
    "SET SESSION sql_mode='', character_set_results=NULL",
    "SET SESSION TRANSACTION READ ONLY",
)
_MYSQL8_FRESH_STATISTICS = "SET SESSION information_schema_stats_expiry=0"

_connect: Any = _mysql.connect

Statement = str | tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class Endpoint:
    """Where a database is and who logs in. Picklable. Either `unix_socket` or `host` and `port` is used.

    `bulk=False` forbids MariaDB's bulk protocol and `local_infile=False` LOAD DATA LOCAL, even where the server offers
    them. `php_charset` is wp-config's DB_CHARSET: what PHP sees the text in.
    """

    name: str
    database: str
    user: str
    password: Masked = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 3306
    unix_socket: str | None = None
    connect_timeout_seconds: int = 20
    local_infile: bool = True
    php_charset: str = "utf8mb4"
    bulk: bool = True

    @property
    def place(self) -> str:
        """How errors name it: never with the password."""
        return f"{self.name} ({self.user}@{self.unix_socket or f'{self.host}:{self.port}'}/{self.database})"

    def open_source(self) -> SourceSession:
        """A reading session: READ ONLY, UTC, each column in its own character set. Errors: AccessError."""
        return SourceSession(self)

    def open_target(self) -> TargetSession:
        """A writing session: UTC, NO_AUTO_VALUE_ON_ZERO, utf8mb4, foreign_key_checks off. Errors: AccessError."""
        return TargetSession(self)

    def address(self) -> dict[str, Any]:
        """Both drivers' arguments for the place alone."""
        if self.unix_socket:
            return {"unix_socket": self.unix_socket}
        return {"host": self.host, "port": self.port}


@dataclass(frozen=True)
class Outcome:
    """One statement's result in a packet of several."""

    affected: int
    rows: list[Row]


class _DriverSession(ABC):
    """What both drivers' sessions do alike."""

    endpoint: Endpoint
    _target = False

    def query(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Rows of a small result, whole in memory. `%s` marks an argument."""
        with self._translated():
            return self._run(bind(sql, args)).rows

    def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """Runs a statement; returns the affected rows."""
        with self._translated():
            return self._run(bind(sql, args)).affected

    @abstractmethod
    def multi(self, statements: Sequence[Statement]) -> list[Outcome]:
        """Several statements in one packet and one round trip. The first error ends them and is raised."""

    @abstractmethod
    def _run(self, sql: bytes) -> Outcome:
        """One statement, its rows whole in memory."""

    def queries(self, statements: Sequence[str]) -> list[list[Row]]:
        """The rows of several statements sent in one packet."""
        return [outcome.rows for outcome in self.multi(statements)] if statements else []

    def schema(self, like: str = "%") -> Schema:
        """Facts of the session's database: tables, views, triggers."""
        return read_schema(self, like)

    def server(self, variables: Sequence[str] = ()) -> ServerFacts:
        return read_server(self, variables)

    def select_list(self, columns: Sequence[Column]) -> str:
        """The select list that reads these columns exactly, as `load` wants them."""
        return select_list(columns, self.endpoint.php_charset)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _DRIVER_ERRORS as error:
            raise translate(error, where=self.endpoint.place, target=self._target) from error

    def _settle(self, settings: Iterable[str], run: Callable[[str], object]) -> None:
        for statement in settings:
            with self._translated():
                run(statement)
        for statement in (*_OPTIONAL_SETTINGS, _MYSQL8_FRESH_STATISTICS):
            with contextlib.suppress(*_DRIVER_ERRORS):
                run(statement)


class SourceSession(_DriverSession):
    """A reading session on mysqlclient's low level: no conversion, about 2 CPU seconds a gigabyte."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        with self._translated():
            self._connection: Any = _connect(
                **endpoint.address(),
                user=endpoint.user,
                password=str(endpoint.password),
                database=endpoint.database,
                connect_timeout=endpoint.connect_timeout_seconds,
                charset="utf8mb4",
                client_flag=CLIENT.MULTI_STATEMENTS,
                conv={},
            )
        self._settle((_WIRE_SETTINGS, *_SOURCE_SETTINGS), lambda sql: self._run(sql.encode()))

    def multi(self, statements: Sequence[Statement]) -> list[Outcome]:
        """Several statements in one packet and one round trip. The first error ends them and is raised."""
        with self._translated():
            outcomes = [self._run(_packet(statements))]
            while self._connection.next_result() == 0:
                outcomes.append(self._outcome())
            return outcomes

    def stream(self, sql: str, *, batch_rows: int = 2000) -> Iterator[list[Row]]:
        """Unbuffered rows in batches of at most `batch_rows` rows and about 8 MB; a larger row comes alone."""
        with self._translated():
            self._connection.query(sql.encode("utf-8", "surrogateescape"))
            result = self._connection.use_result()
        if result is None:
            raise SourceError("the statement to stream has no rows", where=self.endpoint.place)
        done = False
        try:
            wide = _may_be_wide(result)
            while rows := self._fetch(result, batch_rows, wide):
                yield rows
            done = True
        except (SourceError, ConnectionLost):
            done = True
            raise
        finally:
            if not done:
                self._abandon(result)

    def load(self, table: str, columns: Sequence[Column], batches: Iterable[list[Row]]) -> int:
        raise SourceError(f"a reading session can't load {table}", where=self.endpoint.place)

    def close(self) -> None:
        with contextlib.suppress(*_DRIVER_ERRORS):
            self._connection.close()

    def _fetch(self, result: Any, rows: int, wide: bool) -> list[Row]:
        with self._translated():
            return _wire.fetch(result, rows, _BATCH_BYTES) if wide else list(result.fetch_row(rows))

    def _run(self, sql: bytes) -> Outcome:
        self._connection.query(sql)
        return self._outcome()

    def _outcome(self) -> Outcome:
        result = self._connection.store_result()
        rows = list(result.fetch_row(0)) if result is not None else []
        return Outcome(self._connection.affected_rows(), rows)

    def _abandon(self, result: Any) -> None:
        """Ends a stream nobody reads on: the server is told to stop, else the rest would have to arrive."""
        with contextlib.suppress(*_DRIVER_ERRORS, Exception):
            killer = SourceSession(self.endpoint)
            killer.execute(f"KILL QUERY {self._connection.thread_id()}")
            killer.close()
        with contextlib.suppress(*_DRIVER_ERRORS):
            result.discard()


class TargetSession(_DriverSession):
    """A writing session on PyMySQL, whose socket LOAD DATA LOCAL is fed through from memory."""

    _target = True

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        with self._translated():
            self._connection: Any = Wire(
                **endpoint.address(),
                user=endpoint.user,
                password=str(endpoint.password),
                database=endpoint.database,
                connect_timeout=endpoint.connect_timeout_seconds,
            )
        self._settle(
            (_WIRE_SETTINGS, "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', foreign_key_checks=0"),
            self._connection.query,
        )
        facts = self.query("SELECT @@session.max_allowed_packet, @@global.local_infile")[0]
        self._max_packet_bytes = int(facts[0] or 0)
        self.uses_local_infile = endpoint.local_infile and facts[1] == b"1"
        self.uses_bulk: bool = endpoint.bulk and self._connection.speaks_bulk and self._takes_bulk()

    def multi(self, statements: Sequence[Statement]) -> list[Outcome]:
        """Several statements in one packet and one round trip. The first error ends them and is raised."""
        with self._translated():
            outcomes = [self._run(_packet(statements))]
            while self._connection._result is not None and self._connection._result.has_next:
                self._connection.next_result()
                outcomes.append(self._outcome())
            return outcomes

    def stream(self, sql: str, *, batch_rows: int = 2000) -> Iterator[list[Row]]:
        """Unbuffered rows in batches. About ten times slower than a source session's: for results of moderate size."""
        with self._translated():
            self._connection.query(sql, unbuffered=True)
        result: Any = self._connection._result
        batch: list[Row] = []
        size = 0
        try:
            while (row := self._next_row(result)) is not None:
                batch.append(row)
                size += sum(map(len, filter(None, row)))
                if len(batch) >= batch_rows or size > _BATCH_BYTES:
                    yield batch
                    batch, size = [], 0
            if batch:
                yield batch
        finally:
            with contextlib.suppress(*_DRIVER_ERRORS):
                result._finish_unbuffered_query()

    def load(
        self,
        table: str,
        columns: Sequence[Column],
        batches: Iterable[list[Row]],
        *,
        php_charset: str = "utf8mb4",
    ) -> int:
        """Bulk-inserts rows in the wire form of mysql_values, in the open transaction (its own where none is open).

        Batches are pulled as they are sent, so memory holds about one batch. Returns the rows inserted.
        Errors: TargetError on any warning or a count that differs, ConnectionLost, LockWaitError, and whatever
        `batches` raises; after each of them the transaction is rolled back.
        """
        own = not self._connection.in_transaction
        try:
            if own:
                self.execute("START TRANSACTION")
            rows = self._load(table, columns, batches, php_charset)
            if own:
                self.execute("COMMIT")
        except BaseException:
            self.roll_back()
            raise
        return rows

    def roll_back(self) -> None:
        """Rolls back what is open. On a lost connection the server has done so itself."""
        with contextlib.suppress(*_DRIVER_ERRORS):
            self._connection.query("ROLLBACK")

    def close(self) -> None:
        with contextlib.suppress(*_DRIVER_ERRORS):
            self._connection.close()

    def _takes_bulk(self) -> bool:
        """Whether MariaDB takes what it offers: a log of statements has no form for many rows."""
        logged = self.query("SELECT @@global.log_bin AND @@session.binlog_format = 'STATEMENT'")[0][0]
        return logged != b"1" and self._max_packet_bytes >= _LEAST_BULK_BYTES

    def _load(self, table: str, columns: Sequence[Column], batches: Iterable[list[Row]], php_charset: str) -> int:
        loaded = self._load_bulk(table, columns, batches, php_charset) if self.uses_bulk else None
        return self._load_rows(table, columns, batches, php_charset) if loaded is None else loaded

    def _load_bulk(
        self, table: str, columns: Sequence[Column], batches: Iterable[list[Row]], php_charset: str
    ) -> int | None:
        """Rows too large for a packet go the other way, between the packets. None where the server refuses the
        statement: no row has been pulled then."""
        statement = bulk_statement(table, columns, php_charset).encode()
        try:
            insert: BulkInsert = self._connection.prepare(statement)
        except _DRIVER_ERRORS as error:
            if code_of(error) in BULK_REFUSED:
                self.uses_bulk = False
                return None
            raise translate(error, where=f"{self.endpoint.place}, table {table}", target=True) from error
        loaded, pending, enums = 0, Sent(), enum_places(columns)
        try:
            for packet, rows in bulk_parts(batches, self._max_packet_bytes):
                loaded += self._take(insert, pending, table)
                pending = Sent()
                if packet is None:
                    loaded += self._load_rows(table, columns, [rows], php_charset)
                    continue
                with self._loading(table):
                    insert.send(packet)
                pending = Sent(len(rows), invalid_enums(rows, enums))
            return loaded + self._take(insert, pending, table)
        finally:
            with contextlib.suppress(*_DRIVER_ERRORS):
                insert.close()

    def _take(self, insert: BulkInsert, pending: Sent, table: str) -> int:
        """Waits for what became of the packet sent last, and checks it."""
        with self._loading(table):
            answer = insert.take()
        loaded = answer.affected if answer else 0
        self._check_warnings(answer.warnings if answer else 0, pending.invalid_enums, table)
        self._check_count(loaded, pending, table)
        return loaded

    def _load_rows(self, table: str, columns: Sequence[Column], batches: Iterable[list[Row]], php_charset: str) -> int:
        sent = Sent()
        stream = counted(batches, columns, sent)
        loaded = self._load_data(table, columns, stream, sent, php_charset) if self.uses_local_infile else None
        if loaded is None:
            loaded = self._load_inserts(table, columns, stream, sent, php_charset)
        self._check_count(loaded, sent, table)
        return loaded

    @contextlib.contextmanager
    def _loading(self, table: str) -> Iterator[None]:
        try:
            yield
        except _DRIVER_ERRORS as error:
            raise translate(error, where=f"{self.endpoint.place}, table {table}", target=True) from error

    def _load_data(
        self, table: str, columns: Sequence[Column], batches: Iterator[list[Row]], sent: Sent, php_charset: str
    ) -> int | None:
        """None where the server refuses LOAD DATA LOCAL: no row has been pulled then."""
        statement = load_statement(table, columns, php_charset).encode()
        try:
            loaded: Loaded = self._connection.load_local(statement, load_pieces(batches))
        except _DRIVER_ERRORS as error:
            if code_of(error) in LOCAL_INFILE_REFUSED and sent.rows == 0:
                self.uses_local_infile = False
                return None
            raise translate(error, where=f"{self.endpoint.place}, table {table}", target=True) from error
        if loaded.failure is not None:
            raise loaded.failure
        self._check_warnings(loaded.warnings, sent.invalid_enums, table)
        return loaded.affected

    def _load_inserts(
        self, table: str, columns: Sequence[Column], batches: Iterator[list[Row]], sent: Sent, php_charset: str
    ) -> int:
        loaded = warned = 0
        statements = insert_statements(
            table, columns, batches, max_packet_bytes=self._max_packet_bytes, php_charset=php_charset
        )
        for statement in statements:
            try:
                loaded += self._run(statement).affected
            except _DRIVER_ERRORS as error:
                raise translate(error, where=f"{self.endpoint.place}, table {table}", target=True) from error
            warnings = int(self._connection._result.warning_count or 0)
            warned += warnings
            self._check_warnings(warnings, warnings if warned <= sent.invalid_enums else 0, table)
        return loaded

    def _check_count(self, loaded: int, sent: Sent, table: str) -> None:
        if loaded != sent.rows:
            raise TargetError(f"{table}: {sent.rows} rows were sent but {loaded} stored", where=self.endpoint.place)

    def _check_warnings(self, count: int, expected: int, table: str) -> None:
        check_warnings(count, expected, lambda: self.query("SHOW WARNINGS"), table, self.endpoint.place)

    def _next_row(self, result: Any) -> Row | None:
        with self._translated():
            return result._read_rowdata_packet_unbuffered()  # type: ignore[no-any-return]

    def _run(self, sql: bytes) -> Outcome:
        self._connection.query(sql)
        return self._outcome()

    def _outcome(self) -> Outcome:
        result: Any = self._connection._result
        return Outcome(int(result.affected_rows or 0), list(result.rows or ()))


def _packet(statements: Sequence[Statement]) -> bytes:
    if not statements:
        raise ValueError("no statements")
    return b"; ".join(bind(s) if isinstance(s, str) else bind(*s) for s in statements)


def _may_be_wide(result: Any) -> bool:
    """Whether a column may hold more than 16 KB, by the server's own length."""
    return any(not 0 <= int(column[3]) <= _WIDE_BYTES for column in result.describe())


_check_source: Callable[[Endpoint], Session] = Endpoint.open_source
_check_target: Callable[[Endpoint], Session] = Endpoint.open_target
