"""MariaDB's bulk protocol where things go wrong: what the server refuses, what is cut in the middle, what is odd."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time

import pytest

from crossdock.core.errors import ConnectionLost, LockWaitError, TargetError

BIG = b"x" * (9 << 20)  # too large for a packet of the bulk protocol


@pytest.fixture
def target(mariadb):
    session = mariadb.endpoint().open_target()
    assert session.uses_bulk
    session.execute("CREATE OR REPLACE TABLE b (id INT PRIMARY KEY, e ENUM('a','b'), v VARCHAR(5), w LONGBLOB)")
    yield session
    session.close()


@pytest.fixture
def columns(target):
    return target.schema("b").table("b").columns


def rows_of(session, table="b"):
    return int(session.query(f"SELECT COUNT(*) FROM {table}")[0][0])


def test_an_invalid_enum_is_told_apart_from_a_loss_in_every_packet(target, columns):
    """Each packet may warn as often as it has invalid ENUMs, and no packet for another one."""
    odd, plain, big, cut = (b"0", b"", b""), (b"1", b"", b""), (b"0", b"", BIG), (b"1", b"longer", b"")

    def batch(*rows):
        return [(b"%d" % number, *row) for number, row in enumerate(rows)]

    assert target.load("b", columns, [batch(odd, plain, odd, big, odd, big, plain)]) == 7
    for rows in ([cut, big], [big, cut], [odd, big, cut], [plain, (b"1", b"longer", BIG), odd]):
        target.execute("TRUNCATE b")
        with pytest.raises(TargetError, match=r"too long|truncated"):
            target.load("b", columns, [batch(*rows)])
        assert rows_of(target) == 0


def test_a_row_too_large_for_a_packet_where_load_data_is_refused(mariadb, target, columns):
    assert target.uses_local_infile
    mariadb.root("SET GLOBAL local_infile=0")
    try:
        assert (
            target.load("b", columns, [[(b"1", None, b"", b""), (b"2", None, b"", BIG), (b"3", None, b"", b"")]]) == 3
        )
    finally:
        mariadb.root("SET GLOBAL local_infile=1")
    assert target.query("SELECT id, LENGTH(w) FROM b ORDER BY id") == [
        (b"1", b"0"), (b"2", b"%d" % len(BIG)), (b"3", b"0"),
    ]  # fmt: skip


def test_a_server_without_room_for_prepared_statements_is_loaded_otherwise(mariadb, target, columns):
    mariadb.root("SET GLOBAL max_prepared_stmt_count=0")
    try:
        assert target.load("b", columns, [[(b"1", None, b"", b"")]]) == 1
        assert not target.uses_bulk
    finally:
        mariadb.root("SET GLOBAL max_prepared_stmt_count=16382")


def test_no_prepared_statement_is_left_behind(mariadb, target, columns):
    def prepared():
        return int(mariadb.root("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").split()[1])

    def broken():
        yield [(b"2", None, b"", b"")]
        raise OSError("the source broke")

    before = prepared()
    for number in range(50):
        target.execute("TRUNCATE b")
        target.load("b", columns, [[(b"1", None, b"", b"")]] if number % 2 else [])
        with pytest.raises(OSError, match="the source broke"):
            target.load("b", columns, broken())
        with pytest.raises(TargetError):
            target.load("b", columns, [[(b"3", None, b"", b""), (b"3", None, b"", b"")]])
    assert prepared() == before


def test_what_breaks_in_the_second_packet_keeps_nothing_of_the_first(mariadb, target, columns):
    def batches():
        yield [(b"%d" % number, None, b"", b"x" * 100_000) for number in range(30)]  # more than a packet
        yield [(b"29", None, b"", b"")]

    with pytest.raises(TargetError, match="Duplicate"):
        target.load("b", columns, batches())
    assert rows_of(target) == 0
    other = mariadb.endpoint().open_target()
    other.execute("START TRANSACTION")
    other.execute("INSERT INTO b VALUES (40, NULL, '', '')")
    with pytest.raises(LockWaitError):
        target.load("b", columns, [[(b"%d" % number, None, b"", b"x" * 100_000) for number in range(60)]])
    other.close()
    assert target.load("b", columns, [[(b"40", None, b"", b"")]]) == 1


def test_ctrl_c_in_the_middle_of_a_packet_does_not_hang(mariadb, target, columns):
    """A server that has stopped reading leaves us in the middle of a packet; what we send then is part of it."""
    way = Stalling(mariadb.port)
    session = mariadb.endpoint(port=way.port).open_target()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

    def batches():
        yield [(b"1", None, b"", b"")]
        way.stopped.set()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        yield [(b"2", None, b"", b"x" * 8_000_000)]  # more than the sockets on the way hold

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.load("b", columns, batches())
    signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 5
    session.close()
    way.closed.set()
    assert rows_of(target) == 0


class Stalling:
    """A way to a server, which takes nothing more once `stopped` is set, until `closed` is."""

    def __init__(self, server_port: int) -> None:
        self.stopped, self.closed = threading.Event(), threading.Event()
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        there = socket.create_connection(("127.0.0.1", self._server_port))
        with self._listener, there, self._listener.accept()[0] as here:
            ends = {here: there, there: here}
            while not self.stopped.is_set():
                for end in select.select(list(ends), [], [], 0.05)[0]:
                    ends[end].sendall(end.recv(65536))
            self.closed.wait(20)


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("local_infile", [True, False])
def test_over_tls_and_with_packets_of_one_megabyte(strict, bulk, local_infile):
    session = strict.endpoint(bulk=bulk, local_infile=local_infile).open_target()
    assert session.uses_bulk == bulk
    session.execute("CREATE OR REPLACE TABLE b (id INT PRIMARY KEY, w LONGBLOB)")
    columns = session.schema("b").table("b").columns
    sizes = [
        0,
        900_000,
        (1 << 20) - 64 * 1024 - 13,
        (1 << 20) - 64 * 1024 - 6,
        (1 << 20) - 100,
        5_000_000 * local_infile,
    ]
    rows = [(b"%d" % number, b"x" * size) for number, size in enumerate(sizes)]
    rows += [(b"%d" % number, b"y" * 3_000) for number in range(100, 2_000)]
    assert session.load("b", columns, [rows]) == len(rows)
    assert session.query("SELECT id, LENGTH(w) FROM b ORDER BY id") == [(key, b"%d" % len(w)) for key, w in rows]
    session.close()


def test_a_greater_row_than_the_server_takes_says_the_way_out(strict):
    session = strict.endpoint(local_infile=False).open_target()
    session.execute("CREATE OR REPLACE TABLE b (id INT PRIMARY KEY, w LONGBLOB)")
    with pytest.raises(TargetError, match="max_allowed_packet"):
        session.load("b", session.schema("b").table("b").columns, [[(b"1", b"x" * 5_000_000)]])
    assert rows_of(session) == 0
    session.close()


@pytest.mark.parametrize("binlog_format", ["STATEMENT", "MIXED", "ROW"])
def test_whatever_the_server_s_binary_log_holds(strict, binlog_format):
    strict.root(f"SET GLOBAL binlog_format='{binlog_format}'")
    session = strict.endpoint().open_target()
    session.execute("CREATE OR REPLACE TABLE b (id INT PRIMARY KEY, w LONGBLOB)")
    columns = session.schema("b").table("b").columns
    assert session.load("b", columns, [[(b"1", b"x"), (b"2", b"x" * 2_000_000), (b"3", None)]]) == 3
    assert session.uses_bulk == (binlog_format != "STATEMENT")
    session.close()


def test_a_connection_cut_with_an_answer_on_its_way(mariadb, target, columns):
    number = int(target.query("SELECT CONNECTION_ID()")[0][0])

    def batches():
        yield [(b"1", None, b"", b"x" * 3_000_000)]
        mariadb.root(f"KILL {number}")
        raise OSError("the source broke, too")

    with pytest.raises(OSError, match="the source broke, too"):
        target.load("b", columns, batches())
    with pytest.raises(ConnectionLost):
        target.query("SELECT 1")
    again = mariadb.endpoint().open_target()
    assert rows_of(again) == 0
    assert again.load("b", columns, [[(b"1", None, b"", b"")]]) == 1
    again.close()
