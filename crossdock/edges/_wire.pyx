# cython: language_level=3, boundscheck=False, wraparound=False
"""The wire's inner loops, compiled: rows fetched one by one, and LOAD DATA's form of rows (mysql_values.py says what it
is). Types for callers: _wire.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

cdef enum:
    FIELD = 0x1D
    LINE = 0x1E
    ESCAPE = 0x10


cdef inline Py_ssize_t _specials(const unsigned char* text, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at, found = 0
    for at in range(size):
        found += (text[at] == FIELD) | (text[at] == LINE) | (text[at] == ESCAPE)
    return found


def encoded(rows):
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
