"""Bulk loading over PyMySQL's socket: MariaDB's bulk protocol; LOAD DATA LOCAL fed from memory; multi-row INSERT where
that is refused."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql.connections
from pymysql.connections import MAX_PACKET_LEN
from pymysql.constants import CLIENT, COMMAND
from pymysql.protocol import OKPacketWrapper

from crossdock.core.errors import ConnectionLost, TargetError
from crossdock.core.tables import Column, Row
from crossdock.edges import _wire
from crossdock.edges.mysql_values import encode_fields, insert_head, tuple_encoder

_PACKET_BYTES = 256 << 10  # a server whose max_allowed_packet is 1 MB refuses one of 1 MB
_SMALL_BYTES = 64 << 10
_INSERT_BYTES = 4 << 20
_BULK_BYTES = 2 << 20
_LARGEST_BULK_ROW = 8 << 20
# https://mariadb.com/kb/en/connection/ and https://mariadb.com/kb/en/com_stmt_bulk_execute/
_CLIENT_MYSQL = 1  # not set by MariaDB, which says more about itself then
_BULK_OPERATIONS = 1 << 2  # of the extended capabilities
_STMT_PREPARE, _STMT_CLOSE, _STMT_BULK_EXECUTE = 0x16, 0x19, 0xFA
_SEND_TYPES = 128
_BLOB = b"\xfc\0"
_WARNING_COUNT_LIMIT = 65_535
_DATA_TRUNCATED = 1265
_DATA_TOO_LONG = 1406


@dataclass(frozen=True)
class Loaded:
    """The server's answer to a LOAD DATA LOCAL. `failure` is what the caller's iterator raised half way."""

    affected: int
    warnings: int
    failure: BaseException | None


@dataclass
class Sent:
    """What has been sent, or pulled from the caller: rows, and how many ENUM values among them are the invalid one."""

    rows: int = 0
    invalid_enums: int = 0


# The stubs leave out the protocol's inner half, which feeding LOAD DATA from memory needs.
_Connection: Any = pymysql.connections.Connection


class Wire(_Connection):  # type: ignore[misc]
    """PyMySQL's connection with MariaDB's bulk INSERT, and LOAD DATA LOCAL from an iterator. The server can never ask
    for a file of this machine: outside `load_local` such a request is refused."""

    def __init__(self, **settings: Any) -> None:
        self._next_seq_id: int = 0
        self._greeting = b""
        self._introduces_itself = False
        self.speaks_bulk = False
        super().__init__(
            **settings,
            charset="utf8mb4",
            use_unicode=False,
            conv={},
            autocommit=True,
            local_infile=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )
        self._local_infile = False

    @property
    def in_transaction(self) -> bool:
        return bool(self.server_status & 1)

    def load_local(self, sql: bytes, pieces: Iterator[bytes]) -> Loaded:
        """Runs the LOAD DATA LOCAL statement with `pieces` as its file. Errors: the driver's.

        An error of `pieces` is told in the answer: the server has taken what was sent, so the caller must roll back.
        """
        self._execute_command(COMMAND.COM_QUERY, sql)
        if not self._read_packet().is_load_local_packet():
            raise TargetError("the server did not ask for the rows of LOAD DATA LOCAL")
        try:
            failure = self._send_pieces(pieces)
            self.write_packet(b"")
        except BaseException:
            # Stopped in the middle of the file: nothing but closing is understood now, and closing rolls back.
            self._force_close()
            raise
        answer = OKPacketWrapper(self._read_packet())
        self.server_status = answer.server_status
        return Loaded(int(answer.affected_rows), int(answer.warning_count), failure)

    def prepare(self, sql: bytes) -> BulkInsert:
        """Prepares an INSERT. Errors: the driver's."""
        self._execute_command(_STMT_PREPARE, sql)
        number, results, found = struct.unpack_from("<xIHH", self._read_packet().get_all_data())
        for described in (found, results):
            for _ in range(described + 1 if described else 0):
                self._read_packet()
        return BulkInsert(self, number, found)

    def _read_packet(self, *kind: Any) -> Any:
        packet = super()._read_packet(*kind)
        if not self._greeting:
            self._greeting = packet.get_all_data()
            self.speaks_bulk = _offers_bulk(self._greeting)
        return packet

    def _request_authentication(self) -> None:
        self._introduces_itself = self.speaks_bulk
        try:
            super()._request_authentication()
        finally:
            self._introduces_itself = False

    def write_packet(self, payload: bytes) -> None:
        if self._introduces_itself and payload[4:8] == struct.pack("<I", MAX_PACKET_LEN):
            flags = struct.unpack_from("<I", payload)[0] & ~_CLIENT_MYSQL
            payload = struct.pack("<I", flags) + payload[4:28] + struct.pack("<I", _BULK_OPERATIONS) + payload[32:]
        super().write_packet(payload)

    def _write_bytes(self, data: bytes) -> None:
        try:
            super()._write_bytes(data)
        except BaseException:
            # Stopped in the middle of a packet (Ctrl-C): the server waits for the rest and would take whatever comes
            # next for it, so that even a ROLLBACK would wait for ever. Closing rolls back.
            self._force_close()
            raise

    def _send_pieces(self, pieces: Iterator[bytes]) -> BaseException | None:
        """Sends all; small pieces travel together. Returns what the iterator raised, so that the protocol can end."""
        waiting = bytearray()
        while True:
            try:
                piece = next(pieces, None)
            except BaseException as error:  # told in Loaded
                return error
            if piece is None:
                break
            if len(piece) < _SMALL_BYTES:
                waiting += piece
                if len(waiting) < _SMALL_BYTES:
                    continue
                piece, waiting = bytes(waiting), bytearray()
            elif waiting:
                self._send_data(bytes(waiting))
                waiting = bytearray()
            self._send_data(piece)
        self._send_data(bytes(waiting))
        return None

    def _send_data(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _PACKET_BYTES):
            part = view[start : start + _PACKET_BYTES]
            self._send_all(memoryview(struct.pack("<I", len(part))[:3] + bytes([self._next_seq_id])))
            self._send_all(part)
            self._next_seq_id = (self._next_seq_id + 1) % 256

    def _send_all(self, data: memoryview) -> None:
        """Sends, and stops as soon as the server speaks: in the middle of a file it only does so to end the session. A
        plain sendall would wait for minutes on a server that has closed its side with its window full."""
        sock = self._sock
        if isinstance(sock, ssl.SSLSocket):
            sock.sendall(data)  # TLS takes no flags, and its own messages would look like the server's answer
            return
        while data:
            try:
                data = data[sock.send(data, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(sock, select.POLLIN | select.POLLOUT)
                if any(event & ~select.POLLOUT for _, event in poll.poll()):
                    self._read_packet()
                    raise ConnectionLost("the server answered before it had all rows") from None


def _offers_bulk(greeting: bytes) -> bool:
    """Whether the server's greeting (Protocol::HandshakeV10) tells of MariaDB's bulk operations."""
    at = greeting.find(b"\0") + 1
    if greeting[:1] != b"\x0a" or len(greeting) < at + 31:
        return False
    (flags,) = struct.unpack_from("<H", greeting, at + 13)
    (extended,) = struct.unpack_from("<I", greeting, at + 27)
    return not flags & _CLIENT_MYSQL and bool(extended & _BULK_OPERATIONS)


class BulkInsert:
    """A prepared INSERT that takes many rows a packet. While the server works on one, the caller makes the next."""

    def __init__(self, wire: Wire, number: int, parameters: int) -> None:
        self._wire = wire
        self._number = number
        self._head = struct.pack("<IH", number, _SEND_TYPES) + _BLOB * parameters
        self._pending = False

    def send(self, rows: bytes) -> None:
        """Sends rows in the form of _wire.bulk; take() must have taken the answer to the last ones."""
        self._wire._execute_command(_STMT_BULK_EXECUTE, self._head + rows)
        self._pending = True

    def take(self) -> Loaded | None:
        """The server's answer to what was sent last; None when there is none to come. Errors: the driver's."""
        if not self._pending:
            return None
        self._pending = False
        answer = OKPacketWrapper(self._wire._read_packet())
        self._wire.server_status = answer.server_status
        return Loaded(int(answer.affected_rows), int(answer.warning_count), None)

    def close(self) -> None:
        """Ends the statement, whatever became of it. Errors: the driver's."""
        try:
            self.take()
        finally:
            if self._wire.open:
                self._wire._execute_command(_STMT_CLOSE, struct.pack("<I", self._number))


def bulk_parts(batches: Iterable[list[Row]], max_packet_bytes: int) -> Iterator[tuple[bytes | None, list[Row]]]:
    """Packets for BulkInsert.send and their rows; None in a packet's place for a row too large for one, alone."""
    largest = min(max_packet_bytes - 64 * 1024, _LARGEST_BULK_ROW)
    most = min(largest, _BULK_BYTES)
    for batch in batches:
        at = 0
        while at < len(batch):
            first = at
            packet, at = _wire.bulk(batch, first, most, largest)
            yield packet, batch[first:at]


def counted(batches: Iterable[list[Row]], columns: Sequence[Column], sent: Sent) -> Iterator[list[Row]]:
    """The batches as they pass, counted into `sent`."""
    enums = enum_places(columns)
    for batch in batches:
        if not batch:
            continue
        sent.rows += len(batch)
        sent.invalid_enums += invalid_enums(batch, enums)
        yield batch


def enum_places(columns: Sequence[Column]) -> list[int]:
    return [number for number, column in enumerate(columns) if column.type_name == "enum"]


def invalid_enums(rows: list[Row], enums: Sequence[int]) -> int:
    """How many of the values at these places are an ENUM's invalid one."""
    return sum(row[number] == b"0" for number in enums for row in rows)


def load_pieces(batches: Iterable[list[Row]]) -> Iterator[bytes]:
    """LOAD DATA's file, lazily: at most one batch is encoded at a time."""
    for batch in batches:
        yield from encode_fields(batch)


def insert_statements(
    table: str,
    columns: Sequence[Column],
    batches: Iterable[list[Row]],
    *,
    max_packet_bytes: int,
    php_charset: str,
) -> Iterator[bytes]:
    """Multi-row INSERTs of at most min(max_packet_bytes / 2, 4 MB); a larger row goes alone.

    Errors: TargetError for a row that max_allowed_packet can't hold.
    """
    head, write = insert_head(table, columns), tuple_encoder(columns, php_charset)
    limit = min(max_packet_bytes // 2, _INSERT_BYTES)
    parts: list[bytes] = []
    size = len(head)
    for batch in batches:
        for row in batch:
            text = write(row)
            if parts and size + len(text) + 1 > limit:
                yield head + b",".join(parts)
                parts, size = [], len(head)
            if len(head) + len(text) >= max_packet_bytes:
                raise _too_large(table, len(text), max_packet_bytes)
            parts.append(text)
            size += len(text) + 1
    if parts:
        yield head + b",".join(parts)


def check_warnings(count: int, expected: int, ask: Callable[[], list[Row]], table: str, where: str) -> None:
    """Raises TargetError for any warning, but those that storing an ENUM's invalid value always causes (`expected`)."""
    if not count:
        return
    shown = ask()
    if expected and count == min(expected, _WARNING_COUNT_LIMIT) and all(_is_truncation(row) for row in shown):
        return
    lines = "; ".join(f"{_text(code)} {_text(message)}" for _level, code, message in shown[:3])
    # The target's column is as wide as the source's: what does not fit has grown, by a longer address or in utf8mb4.
    way_out = "the table's columns on the target must hold what the source's hold"
    if any(int(row[1] or 0) in (_DATA_TRUNCATED, _DATA_TOO_LONG) for row in shown):
        way_out = (
            "a value is longer after the move (a longer address in it?) and does not fit: widen the column at the "
            "source (ALTER TABLE), or shorten the value there, then plan again"
        )
    raise TargetError(
        f"{count} warning(s) while loading {table}: {lines}",
        where=where,
        way_out=f"{way_out}; nothing of this load was kept",
    )


def _is_truncation(row: Row) -> bool:
    return row[1] == b"%d" % _DATA_TRUNCATED


def _too_large(table: str, size: int, limit: int) -> TargetError:
    return TargetError(
        f"a row of {table} takes {size:,} bytes as a statement, more than max_allowed_packet = {limit:,}",
        way_out=f"raise max_allowed_packet on the target to at least {1 << (size + 1024).bit_length():,}",
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
