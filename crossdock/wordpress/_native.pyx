# cython: language_level=3, boundscheck=False, wraparound=False
"""The inner loops of rewriting, compiled: what they mean stands with their callers, in serialization.py and
rewriting.py. Types for callers: _native.pyi, and _native.pxd for compiled ones. Nothing here recurses, and no length is believed before it is checked."""

from bisect import bisect_left

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <string.h>
    extern void *memmem(const void *, size_t, const void *, size_t);
    """
    void* memmem(const void*, size_t, const void*, size_t) nogil


# -- searching in any letter case ------------------------------------------------------------------------------------

cdef unsigned char _lower[256]
cdef int _code
for _code in range(256):
    _lower[_code] = _code + 32 if 65 <= _code <= 90 else _code


cdef class Needle:
    """A byte string in lower case that is found in any letter case (of ASCII, as bytes.lower() has it)."""

    def __init__(self, bytes text):
        if not text or text != text.lower() or len(text) > 0xFFFF:
            raise ValueError("a needle is a non-empty byte string in lower case")
        cdef Py_ssize_t at
        self.text = text
        self._text = <Bytes> PyBytes_AS_STRING(text)
        self._size = PyBytes_GET_SIZE(text)
        for at in range(256):
            self._skip[at] = <unsigned short> self._size
        for at in range(self._size - 1):
            self._skip[self._text[at]] = <unsigned short> (self._size - 1 - at)
        for at in range(65, 91):
            self._skip[at] = self._skip[at + 32]

    def __reduce__(self):
        return Needle, (self.text,)

    # Horspool's search: a byte that is not in the needle is passed with all that stand before it.
    cdef Py_ssize_t _find(self, Bytes value, Py_ssize_t size, Py_ssize_t start) noexcept:
        """Where the needle first stands at or after `start`; -1 where it does not."""
        cdef Py_ssize_t last = self._size - 1, at = start + last, back
        cdef unsigned char end = self._text[last], byte
        while at < size:
            byte = value[at]
            if _lower[byte] == end:
                back = last
                while back and _lower[value[at - last + back - 1]] == self._text[back - 1]:
                    back -= 1
                if not back:
                    return at - last
            at += self._skip[byte]
        return -1


def hits(values, tuple needles not None):
    """Indexes, ascending, of the values (bytes or None) that hold one of the needles."""
    cdef list found = []
    cdef Py_ssize_t number = 0, size
    cdef Bytes text
    cdef Needle needle
    for value in values:
        if value is not None:
            text, size = <Bytes> PyBytes_AS_STRING(<bytes?> value), PyBytes_GET_SIZE(value)
            for one in needles:
                needle = <Needle?> one
                if size >= needle._size and needle._find(text, size, 0) >= 0:
                    found.append(number)
                    break
        number += 1
    return found


def host_edits(bytes value not None, Needle needle not None, Py_ssize_t before, dict known not None, look):
    """The edits at a host's needle. `known` has what becomes of a needle in usual surroundings (rewriting._Known), by
    value[at - before : at + len(needle) + 1], shorter where the value begins; `look(value, at)` tells it for others."""
    cdef list found = []
    cdef Bytes text = <Bytes> PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value), at = needle._find(text, size, 0), first, end
    while at >= 0:
        edit = None
        end = at + needle._size
        if end < size:
            first = at - before if at > before else 0
            usual = known.get(PyBytes_FromStringAndSize(<char*> text + first, end + 1 - first))
            if usual is not None:
                edit = _usual_edit(value, at, end, <tuple> usual)
        if edit is None:
            edit = look(value, at)
        if edit is not None:
            found.append(edit)
        at = needle._find(text, size, end)
    return found


cdef object _usual_edit(bytes value, Py_ssize_t at, Py_ssize_t end, tuple usual):
    back, root, paths, deep, slash = usual
    for path in <tuple> paths:
        if _starts(value, <bytes> path, end):
            break
    else:
        return None if root is None else (at - <Py_ssize_t> back, end, root)
    if deep is None:
        return None
    path = (<tuple> paths)[0]
    if _starts(value, <bytes> path, end) and _starts(value, <bytes> slash, end + PyBytes_GET_SIZE(path)):
        return at - <Py_ssize_t> back, end + PyBytes_GET_SIZE(path), deep
    return None


cdef bint _starts(bytes value, bytes part, Py_ssize_t at):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(part)
    if at + size > PyBytes_GET_SIZE(value):
        return False
    return memcmp(PyBytes_AS_STRING(value) + at, PyBytes_AS_STRING(part), size) == 0


#: Bytes that go on with a name: a path that stands behind one of them is part of a longer one.
NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~-")
cdef bint _name[256]
for _code in range(256):
    _name[_code] = _code in NAME_BYTES


def path_places(
    bytes value not None,
    tuple probes not None,
    bytes plain not None,
    bytes escaped not None,
    Needle encoded not None,
):
    """Where a path may begin, in each of its three forms; those within an address or a longer path are left out.
    `probes`: needles of which one stands in every value that holds the path."""
    cdef list found = []
    cdef Bytes text = <Bytes> PyBytes_AS_STRING(value)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value), at
    for probe in probes:
        if (<Needle?> probe)._find(text, size, 0) >= 0:
            break
    else:
        return found
    for form in (plain, escaped) if memchr(text, 92, size) != NULL else (plain,):
        at = _find_exactly(text, size, <bytes> form, 0)
        while at >= 0:
            if not _is_inside(text, at):
                found.append(at)
            at = _find_exactly(text, size, <bytes> form, at + 1)
    at = encoded._find(text, size, 0) if memchr(text, 37, size) != NULL else -1
    while at >= 0:
        if not _is_inside(text, at):
            found.append(at)
        at = encoded._find(text, size, at + 1)
    return found


cdef Py_ssize_t _find_exactly(Bytes value, Py_ssize_t size, bytes part, Py_ssize_t start):
    cdef Bytes at = <Bytes> memmem(value + start, size - start, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
    return -1 if at == NULL else at - value


cdef bint _is_inside(Bytes value, Py_ssize_t at):
    """Most often a path is that of an address, and what stands before it no escape (\\n, %2F, \\u0022)."""
    return at > 6 and _name[value[at - 1]] and value[at - 2] != 92 and value[at - 3] != 37 and value[at - 6] != 92


def applied(bytes value not None, list edits not None):
    """The value with its edits done: (start, end, change) by place, without overlaps; change[0] is the text."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value), made = size, done = 0, start, end
    cdef bytes text, result
    for edit in edits:
        start, end = (<tuple> edit)[0], (<tuple> edit)[1]
        text = <bytes?> (<tuple> (<tuple> edit)[2])[0]
        if not done <= start <= end <= size:
            raise ValueError("edits overlap, or lie outside the value")
        made += PyBytes_GET_SIZE(text) - (end - start)
        done = end
    result = PyBytes_FromStringAndSize(NULL, made)
    cdef char* to = PyBytes_AS_STRING(result)
    cdef const char* source = PyBytes_AS_STRING(value)
    done = 0
    for edit in edits:
        start, end = (<tuple> edit)[0], (<tuple> edit)[1]
        text = <bytes> (<tuple> (<tuple> edit)[2])[0]
        memcpy(to, source + done, start - done)
        to += start - done
        memcpy(to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        to += PyBytes_GET_SIZE(text)
        done = end
    memcpy(to, source + done, size - done)
    return result


def may_hold_lengths(bytes value not None):
    """Whether a length may stand in the value: it begins like serialized data, perhaps after whitespace, or holds some
    within JSON, where an escaped quote follows a length (the backslash of an address is none: http:\\/\\/)."""
    cdef const char* text = PyBytes_AS_STRING(value)  # ends in a NUL of its own
    cdef const char* end = text + PyBytes_GET_SIZE(value)
    cdef const char* at = <const char*> memchr(text, 92, end - text)
    if text == end:
        return False
    if text[1] == b":" or text[1] == b";" or text[0] in b" \t\n\r\0\x0b":
        return True
    while at != NULL:
        if at > text and (at - 1)[0] == b":" and at[1] in b'"\\u':
            return True
        at = <const char*> memchr(at + 1, 92, end - at - 1)
    return False


# -- PHP's serialize() -----------------------------------------------------------------------------------------------

cdef enum:
    MOST_DIGITS = 19  # so that no length is beyond 64 bits

cdef struct Container:
    uint64_t left  # items still due; keys stand where it is even
    bint is_object


cdef class _Scan:
    """One pass over a serialized value."""

    cdef Bytes data
    cdef Py_ssize_t end
    cdef list points, spans
    cdef Py_ssize_t next_point
    cdef Container* stack
    cdef Py_ssize_t depth, room

    def __cinit__(self):
        self.stack = NULL

    def __dealloc__(self):
        free(self.stack)

    cdef Py_ssize_t run(self, Py_ssize_t pos) except -2:
        """Offset after the value at `pos`; -1 when it is none."""
        cdef Container here
        cdef bint is_key
        here.left, here.is_object = 1, False
        while True:
            if not here.left:
                if not self.depth:
                    return pos
                if pos >= self.end or self.data[pos] != b"}":
                    return -1
                pos += 1
                self.depth -= 1
                here = self.stack[self.depth]
                continue
            is_key = not here.left & 1
            here.left -= 1
            pos = self.token(pos, &here, is_key)
            if pos < 0:
                return -1

    cdef Py_ssize_t token(self, Py_ssize_t pos, Container* here, bint is_key) except -2:
        """Offset after the token at `pos`, a container's opening brace included, which then is `here`."""
        cdef unsigned char kind
        if pos + 2 > self.end:
            return -1
        kind = self.data[pos]
        if kind == b"N":
            return pos + 2 if self.data[pos + 1] == b";" and not is_key else -1
        if self.data[pos + 1] != b":":
            return -1
        pos += 2
        if kind == b"s":
            return self.string(pos, _role(here, is_key))
        if kind == b"i":
            return self.integer(pos, True)
        if kind == b"S":
            return self.escaped_string(pos, _role(here, is_key))
        if is_key:
            return -1
        if kind == b"a":
            return self.opened(pos, pos, here, False)
        if kind == b"b":
            return pos + 2 if pos + 2 <= self.end and self.data[pos] in b"01" and self.data[pos + 1] == b";" else -1
        if kind == b"d":
            return self.number(pos)
        if kind == b"r" or kind == b"R":
            return self.integer(pos, False)
        if kind == b"O":
            pos = self.name(pos)
            return -1 if pos < 0 else self.opened(pos + 2, pos, here, True)
        if kind == b"C":
            return self.payload(pos)
        if kind == b"E":
            pos = self.name(pos)
            return pos + 2 if 0 <= pos < self.end - 1 and self.data[pos + 1] == b";" else -1
        return -1

    cdef Py_ssize_t length(self, Py_ssize_t pos, unsigned char opening, uint64_t* length) noexcept:
        """Offset after 'digits:' and the opening byte, which begin at `pos`; -1 where they do not stand there, or where
        the length is more than there are bytes."""
        cdef Py_ssize_t first = pos
        length[0] = 0
        while pos < self.end and 48 <= self.data[pos] <= 57 and pos - first < MOST_DIGITS:
            length[0] = length[0] * 10 + self.data[pos] - 48
            pos += 1
        if pos == first or pos + 2 > self.end or self.data[pos] != b":" or self.data[pos + 1] != opening:
            return -1
        pos += 2
        return pos if length[0] <= <uint64_t> (self.end - pos) else -1

    cdef Py_ssize_t string(self, Py_ssize_t pos, str role) except -2:
        cdef uint64_t length
        cdef Py_ssize_t begin = self.length(pos, b'"', &length), stop
        if begin < 0:
            return -1
        stop = begin + <Py_ssize_t> length
        if stop + 2 > self.end or self.data[stop] != b'"' or self.data[stop + 1] != b";":
            return -1
        self.keep(role, pos, begin - 2, begin, stop, False)
        return stop + 2

    cdef Py_ssize_t escaped_string(self, Py_ssize_t pos, str role) except -2:
        """S:, in which \\xx is one byte of the length."""
        cdef uint64_t length
        cdef Py_ssize_t begin = self.length(pos, b'"', &length), stop, left = <Py_ssize_t> length
        cdef Bytes escape
        if begin < 0:
            return -1
        stop = begin
        while True:
            if left > self.end - stop:
                return -1
            escape = <Bytes> memchr(self.data + stop, 92, left)
            if escape == NULL:
                break
            left -= escape - (self.data + stop) + 1
            stop = escape - self.data + 3
            if stop > self.end or not _is_hex(escape[1]) or not _is_hex(escape[2]):
                return -1
        stop += left
        if stop + 2 > self.end or self.data[stop] != b'"' or self.data[stop + 1] != b";":
            return -1
        self.keep(role, pos, begin - 2, begin, stop, True)
        return stop + 2

    cdef Py_ssize_t name(self, Py_ssize_t pos) except -2:
        """Offset of the quote that ends a class name."""
        cdef uint64_t length
        cdef Py_ssize_t begin = self.length(pos, b'"', &length), stop
        if begin < 0:
            return -1
        stop = begin + <Py_ssize_t> length
        if stop >= self.end or self.data[stop] != b'"':
            return -1
        self.keep("class", pos, begin - 2, begin, stop, False)
        return stop

    cdef Py_ssize_t opened(self, Py_ssize_t pos, Py_ssize_t quote, Container* here, bint is_object) except -2:
        """Go into an array or object whose count begins at `pos`; an object's comes after its name's quote and ':'."""
        cdef uint64_t count
        cdef Container* more
        if is_object and (quote + 1 >= self.end or self.data[quote + 1] != b":"):
            return -1
        pos = self.length(pos, b"{", &count)
        if pos < 0:
            return -1
        if self.depth == self.room:
            more = <Container*> realloc(self.stack, (2 * self.room + 16) * sizeof(Container))
            if more == NULL:
                raise MemoryError
            self.stack, self.room = more, 2 * self.room + 16
        self.stack[self.depth] = here[0]
        self.depth += 1
        here.left, here.is_object = 2 * count, is_object
        return pos

    cdef Py_ssize_t payload(self, Py_ssize_t pos) except -2:
        """C:, a class's own format."""
        cdef uint64_t length
        cdef Py_ssize_t digits, begin
        pos = self.name(pos)
        if pos < 0 or pos + 1 >= self.end or self.data[pos + 1] != b":":
            return -1
        digits = pos + 2
        begin = self.length(digits, b"{", &length)
        if begin < 0:
            return -1
        pos = begin + <Py_ssize_t> length
        self.keep("payload", digits, begin - 2, begin, pos, False)
        return pos + 1 if pos < self.end and self.data[pos] == b"}" else -1

    cdef Py_ssize_t digits(self, Py_ssize_t pos) noexcept:
        while pos < self.end and 48 <= self.data[pos] <= 57:
            pos += 1
        return pos

    cdef Py_ssize_t integer(self, Py_ssize_t pos, bint signed) noexcept:
        cdef Py_ssize_t first
        if signed and pos < self.end and (self.data[pos] == b"+" or self.data[pos] == b"-"):
            pos += 1
        first = pos
        pos = self.digits(pos)
        return pos + 1 if first < pos < self.end and self.data[pos] == b";" else -1

    cdef Py_ssize_t number(self, Py_ssize_t pos) noexcept:
        """A float: digits with a point and an exponent, INF, -INF or NAN."""
        cdef Py_ssize_t first, second
        if self.end - pos >= 4 and memcmp(self.data + pos, b"NAN;", 4) == 0:
            return pos + 4
        first = pos + 1 if pos < self.end and self.data[pos] == b"-" else pos
        if self.end - first >= 4 and memcmp(self.data + first, b"INF;", 4) == 0:
            return first + 4
        if pos < self.end and (self.data[pos] == b"+" or self.data[pos] == b"-"):
            pos += 1
        first = pos
        pos = self.digits(pos)
        second = pos - first
        if pos < self.end and self.data[pos] == b".":
            first = pos + 1
            pos = self.digits(first)
            second += pos - first
        if not second:
            return -1
        if pos < self.end and (self.data[pos] == b"e" or self.data[pos] == b"E"):
            return self.integer(pos + 1, True)
        return pos + 1 if pos < self.end and self.data[pos] == b";" else -1

    cdef int keep(
        self, str role, Py_ssize_t digits, Py_ssize_t digits_end, Py_ssize_t start, Py_ssize_t stop, bint escaped
    ) except -1:
        """Note a string, if it holds a point or all are wanted. Strings come in order, so points are passed once."""
        cdef Py_ssize_t last
        if self.points is not None:
            last = len(self.points)
            while self.next_point < last and <Py_ssize_t> self.points[self.next_point] < start:
                self.next_point += 1
            if self.next_point == last or <Py_ssize_t> self.points[self.next_point] >= stop:
                return 0
        self.spans.append((role, digits, digits_end, start, stop, escaped))
        return 0


cdef inline str _role(Container* here, bint is_key):
    return "value" if not is_key else "property" if here.is_object else "key"


cdef inline bint _is_hex(unsigned char byte) noexcept:
    return 48 <= byte <= 57 or 97 <= _lower[byte] <= 102


def scan(bytes data not None, Py_ssize_t start, Py_ssize_t end, list points):
    """serialization.scan: (stop, spans as tuples), or None. `points` ascend; None: all strings."""
    cdef _Scan one = _Scan.__new__(_Scan)
    if not 0 <= start <= end <= PyBytes_GET_SIZE(data):
        raise ValueError("outside the value")
    one.data, one.end, one.points, one.spans = <Bytes> PyBytes_AS_STRING(data), end, points, []
    # A value of many strings is scanned many times, each time with all points: none is passed one by one to get here.
    one.next_point = 0 if points is None else bisect_left(points, start)
    cdef Py_ssize_t stop = one.run(start)
    return None if stop < 0 else (stop, one.spans)
