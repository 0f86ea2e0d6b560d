"""Writes rows fast: big multi-row INSERTs, built here and sent by one thread while the next ones are being built."""

# ruff: noqa: S608 - table names come from the lab itself; values pass through literal()
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
    head: str
    rows: list[str] = field(default_factory=list)
    size: int = 0


class Sink:
    """Buffered writer; a context manager. An error of the sending thread is raised at the next call or at exit.

    `counts` holds the rows handed over, by full table name.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.counts: Counter[str] = Counter()
        self._tables: dict[str, _Table] = {}
        self._jobs: queue.Queue[str | None] = queue.Queue(maxsize=8)
        self._failure: Exception | None = None
        self._connection = connect()
        prepare(self._connection)
        self._sender = threading.Thread(target=self._send, name="lab-data-sender", daemon=True)

    def __enter__(self) -> Sink:
        self._sender.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                for table in self._tables.values():
                    self._hand_over(table)
        finally:
            self._jobs.put(None)
            self._sender.join()
            self._connection.close()
        if kind is None and self._failure:
            raise self._failure

    def add(self, table: str, columns: str, row: Iterable[Any]) -> None:
        """One row; `columns` is the comma-separated column list and the same text at each call for one table."""
        entry = self._tables.get(table)
        if entry is None:
            entry = self._tables[table] = _Table(f"INSERT INTO `{table}` ({columns}) VALUES ")
        text = "(" + ",".join(map(literal, row)) + ")"
        entry.rows.append(text)
        entry.size += len(text)
        self.counts[table] += 1
        if entry.size >= STATEMENT_BYTES // 3:  # characters; a character takes three bytes at most in most of the texts
            self._hand_over(entry)

    def _hand_over(self, table: _Table) -> None:
        if self._failure:
            raise self._failure
        if table.rows:
            self._jobs.put(table.head + ",".join(table.rows))
            table.rows, table.size = [], 0

    def _send(self) -> None:
        sent = 0
        while (statement := self._jobs.get()) is not None:
            if self._failure:
                continue  # keep taking, or the producer would wait for ever
            try:
                self._connection.query(statement.encode())
                sent += 1
                if sent % STATEMENTS_PER_COMMIT == 0:
                    self._connection.commit()
            except Exception as error:
                self._failure = error
        if not self._failure:
            self._connection.commit()


def prepare(connection: Any) -> None:
    """Puts a session into the modes this data needs."""
    for statement in SESSION:
        connection.query(statement)
    connection.autocommit(False)
