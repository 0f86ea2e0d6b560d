"""Writes rows fast: big multi-row INSERTs, built here and sent by threads while the next ones are being built."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

STATEMENT_BYTES = 768 * 1024  # below the smallest max_allowed_packet in the field (1 MB)
STATEMENTS_PER_COMMIT = 16
# Strict, so that nothing is cut in silence; zero dates and explicit zero IDs allowed, as WordPress needs.
SESSION = (
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION time_zone = '+00:00'",
)


def literal(value: Any) -> str:
    """An SQL literal: bytes become hexadecimal, so that no character set touches them."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        if "\\" in value or "'" in value or "\0" in value:
            value = value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
        return f"'{value}'"
    if value is None:
        return "NULL"
    if kind is bytes:
        return f"x'{value.hex()}'"
    return repr(int(value)) if kind is bool else repr(value)


@dataclass
class _Table:
    name: str
    head: str
    rows: list[str] = field(default_factory=list)
    size: int = 0


class _Sender:
    """One connection with its thread: sends statements in the order it got them."""

    def __init__(self, connection: Any) -> None:
        prepare(connection)
        self.failure: Exception | None = None
        self._connection = connection
        self._jobs: queue.Queue[str | None] = queue.Queue(maxsize=8)
        self._thread = threading.Thread(target=self._run, name="lab-data-sender", daemon=True)
        self._thread.start()

    def put(self, statement: str) -> None:
        if self.failure:
            raise self.failure
        self._jobs.put(statement)

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        sent = 0
        while (statement := self._jobs.get()) is not None:
            if self.failure:
                continue  # keep taking, or the producer would wait for ever
            try:
                self._connection.query(statement.encode())
                sent += 1
                if sent % STATEMENTS_PER_COMMIT == 0:
                    self._connection.commit()
            except Exception as error:
                self.failure = error
        if not self.failure:
            self._commit()

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except Exception as error:
            self.failure = error


class Sink:
    """Buffered writer; a context manager. An error of a sending thread is raised at the next call or at exit.

    A table always has the same sender, so its rows (and what AUTO_INCREMENT gives them) keep their order.
    `counts` holds the rows by full table name, complete once the sink is closed.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.counts: Counter[str] = Counter()
        self._tables: dict[str, _Table] = {}
        self._connect = connect

    def __enter__(self) -> Sink:
        # The server spends three times as long on a row as this side does: two connections keep two cores busy.
        self._metas, self._others = _Sender(self._connect()), _Sender(self._connect())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                for table in self._tables.values():
                    self._hand_over(table)
        finally:
            self._metas.close()
            self._others.close()
        failure = self._metas.failure or self._others.failure
        if kind is None and failure:
            raise failure

    def add(self, table: str, columns: str, row: Iterable[Any]) -> None:
        """One row; `columns` is the comma-separated column list and the same text at each call for one table."""
        self.extend(table, columns, ["(" + ",".join(map(literal, row)) + ")"])

    def extend(self, table: str, columns: str, texts: list[str]) -> None:
        """Rows that are SQL already: `(1,'a')`. For meta tables, where going cell by cell costs most."""
        entry = self._tables.get(table)
        if entry is None:
            entry = self._tables[table] = _Table(table, f"INSERT INTO `{table}` ({columns}) VALUES ")
        entry.rows += texts
        entry.size += sum(map(len, texts))
        if entry.size >= STATEMENT_BYTES // 3:  # characters: most take one byte, none of the texts three on average
            self._hand_over(entry)

    def _hand_over(self, table: _Table) -> None:
        if table.rows:
            sender = self._metas if table.name.endswith("meta") else self._others
            sender.put(table.head + ",".join(table.rows))
            self.counts[table.name] += len(table.rows)
            table.rows, table.size = [], 0


def prepare(connection: Any) -> None:
    """Puts a session into the modes this data needs."""
    for statement in SESSION:
        connection.query(statement)
    connection.autocommit(False)
