"""The wire's compiled loops against their meaning, written plainly."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.edges import _wire
from crossdock.edges.mysql_load import _offers_bulk, bulk_parts
from crossdock.edges.mysql_values import ESCAPE, FIELD, LINE, NULL_FIELD

VALUES = (
    st.none() | st.binary(max_size=40) | st.lists(st.sampled_from([FIELD, LINE, ESCAPE, b"N", b"\\"])).map(b"".join)
)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8)


def escaped(value: bytes | None) -> bytes:
    if value is None:
        return NULL_FIELD
    return value.replace(ESCAPE, ESCAPE * 2).replace(FIELD, ESCAPE + FIELD).replace(LINE, ESCAPE + LINE)


def parameters(packet: bytes, columns: int) -> list[tuple[bytes | None, ...]]:
    """Rows read back from COM_STMT_BULK_EXECUTE's parameters."""
    values: list[bytes | None] = []
    at = 0
    while at < len(packet):
        kind, at = packet[at], at + 1
        if kind == 1:
            values.append(None)
            continue
        assert kind == 0
        first, at = packet[at], at + 1
        width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
        size = int.from_bytes(packet[at : at + width], "little") if width else first
        at += width
        values.append(packet[at : at + size])
        at += size
    assert len(values) % columns == 0
    return [tuple(values[start : start + columns]) for start in range(0, len(values), columns)]


@given(ROWS)
def test_load_data_s_lines(rows: list[tuple[bytes | None, ...]]) -> None:
    assert _wire.encoded(rows) == b"".join(FIELD.join(map(escaped, row)) + LINE for row in rows)


@given(ROWS, st.integers(0, 200), st.integers(20, 400))
def test_bulk_packets_hold_every_row_once_and_in_order(
    rows: list[tuple[bytes | None, ...]], most: int, largest: int
) -> None:
    at, seen = 0, []
    while at < len(rows):
        packet, end = _wire.bulk(rows, at, most, largest)
        assert end > at
        if packet is None:
            assert end == at + 1
            seen += rows[at:end]
        else:
            assert len(packet) <= most or end == at + 1
            assert parameters(packet, 3) == rows[at:end]
            seen += parameters(packet, 3)
        at = end
    assert seen == rows


@pytest.mark.parametrize("size", [0, 1, 250, 251, 65_535, 65_536, (1 << 24) - 1, 1 << 24])
def test_lengths_at_the_borders_of_their_encodings(size: int) -> None:
    packet, end = _wire.bulk([(b"x" * size, b"y")], 0, 1, 1 << 30)
    assert end == 1
    assert packet is not None
    assert parameters(packet, 2) == [(b"x" * size, b"y")]


def test_a_row_too_large_for_a_packet_stands_alone() -> None:
    big = (b"x" * 3_000_000, None)
    parts = list(bulk_parts([[(b"1", b"a"), big, (b"2", None)]], 1 << 20))
    assert parts == [(b"\0\x011\0\x01a", [(b"1", b"a")]), (None, [big]), (b"\0\x012\x01", [(b"2", None)])]


def test_what_is_no_row_of_bytes_is_refused() -> None:
    for rows in ([("text",)], [(1,)], [[b"list"]]):
        with pytest.raises(TypeError):
            _wire.encoded(rows)
        with pytest.raises(TypeError):
            _wire.bulk(rows, 0, 100, 100)


def greeting(flags: int, extended: int) -> bytes:
    return (
        b"\x0a5.5.5-10.11.6-MariaDB\0" + b"\0" * 13 + struct.pack("<HBHHB", flags, 45, 2, 0, 21) + b"\0" * 6
        + struct.pack("<I", extended) + b"salt" * 3 + b"\0"
    )  # fmt: skip


def test_bulk_is_used_only_where_the_server_offers_it() -> None:
    assert _offers_bulk(greeting(0xF7FE, 0b111))
    assert not _offers_bulk(greeting(0xF7FF, 0b111))  # MySQL: these bytes mean nothing
    assert not _offers_bulk(greeting(0xF7FE, 0b011))
    for length in range(len(greeting(0, 0))):
        _offers_bulk(greeting(0xF7FE, 0b111)[:length])
    assert not _offers_bulk(b"\xff\x10\x04Too many connections")
