# cython: language_level=3, boundscheck=False, wraparound=False
"""The wire's inner loops, compiled: rows fetched one by one, and LOAD DATA's form of rows (mysql_values.py says what it
is). Types for callers: _wire.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy
from libc.stdint cimport uint64_t

cdef enum:
    FIELD = 0x1D
    LINE = 0x1E
    ESCAPE = 0x10


cdef inline Py_ssize_t _specials(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at, found = 0
    for at in range(size):
        found += (text[at] == FIELD) | (text[at] == LINE) | (text[at] == ESCAPE)
    return found


def encoded(list rows not None):
    """The rows (tuples of bytes or None) as lines of LOAD DATA's file."""
    cdef Py_ssize_t made = 0, size, at, specials, all_specials = 0
    cdef const unsigned char* text
    cdef bytes result
    for row in rows:
        for value in <tuple?> row:
            if value is None:
                made += 3
            else:
                text, size = <const unsigned char*> PyBytes_AS_STRING(<bytes?> value), PyBytes_GET_SIZE(value)
                specials = _specials(text, size)
                made += size + specials + 1
                all_specials += specials
        if not row:
            made += 1
    result = PyBytes_FromStringAndSize(NULL, made)
    cdef unsigned char* to = <unsigned char*> PyBytes_AS_STRING(result)
    for row in rows:
        for value in <tuple> row:
            if value is None:
                to[0], to[1] = ESCAPE, b"N"
                to += 2
            else:
                text, size = <const unsigned char*> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
                if not all_specials or not _specials(text, size):
                    memcpy(to, text, size)
                    to += size
                else:
                    for at in range(size):
                        if text[at] == FIELD or text[at] == LINE or text[at] == ESCAPE:
                            to[0] = ESCAPE
                            to += 1
                        to[0] = text[at]
                        to += 1
            to[0] = FIELD
            to += 1
        if row:
            to -= 1
        to[0] = LINE
        to += 1
    return result


cdef inline Py_ssize_t _prefixed(Py_ssize_t size) noexcept nogil:
    """Bytes of a string with its length before it (Protocol::LengthEncodedString)."""
    return size + (1 if size < 251 else 3 if size < 1 << 16 else 4 if size < 1 << 24 else 9)


cdef inline unsigned char* _put(unsigned char* to, const unsigned char* text, Py_ssize_t size) noexcept nogil:
    cdef int width = 0 if size < 251 else 2 if size < 1 << 16 else 3 if size < 1 << 24 else 8
    cdef uint64_t left = size
    cdef int at
    if width:
        to[0] = 0xFC if width == 2 else 0xFD if width == 3 else 0xFE
        to += 1
    for at in range(width or 1):
        to[at] = left & 0xFF
        left >>= 8
    to += width or 1
    memcpy(to, text, size)
    return to + size


def bulk(list rows not None, Py_ssize_t first, Py_ssize_t most_bytes, Py_ssize_t largest_row):
    """COM_STMT_BULK_EXECUTE's parameters of the rows from `first` on, at least one and at most `most_bytes` of them, and
    the number of the row after them. None in their place for a row of more than `largest_row` bytes, alone."""
    cdef Py_ssize_t made = 0, size, last = first
    cdef unsigned char* to
    cdef bytes result
    if not 0 <= first < len(rows):
        raise IndexError("no row there")
    while last < len(rows):
        size = 0
        for value in <tuple?> rows[last]:
            size += 1 if value is None else 1 + _prefixed(PyBytes_GET_SIZE(<bytes?> value))
        if size > largest_row and last == first:
            return None, first + 1
        if size > largest_row or (made and made + size > most_bytes):
            break
        made += size
        last += 1
    result = PyBytes_FromStringAndSize(NULL, made)
    to = <unsigned char*> PyBytes_AS_STRING(result)
    while first < last:
        for value in <tuple> rows[first]:
            to[0] = value is None
            to += 1
            if value is not None:
                to = _put(to, <const unsigned char*> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        first += 1
    return result, last


def fetch(result, Py_ssize_t most_rows, Py_ssize_t most_bytes):
    """Rows of an unbuffered mysqlclient result: at most `most_rows`, and none after `most_bytes` are passed. The driver
    can't stop inside one fetch, so each row is one: a row of 16 MB among short ones comes alone."""
    cdef list rows = []
    cdef Py_ssize_t size = 0
    fetch_row = result.fetch_row
    while len(rows) < most_rows and size <= most_bytes:
        fetched = <tuple?> fetch_row(1)
        if not fetched:
            break
        row = <tuple?> fetched[0]
        for value in <tuple> row:
            if value is not None:
                size += PyBytes_GET_SIZE(<bytes?> value)
        rows.append(row)
    return rows
