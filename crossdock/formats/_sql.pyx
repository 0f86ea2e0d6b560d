# cython: language_level=3, boundscheck=False, wraparound=False
"""The inner loops of reading SQL dumps, compiled: what they mean stands with their caller, sql_dump.py. Types for
callers: _sql.pyi. Nothing here recurses, and no byte beyond the data is read."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy

from crossdock.wordpress._native cimport Bytes, Needle

cdef extern from *:
    """
    #include <stddef.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif
    /* Where one of two bytes first stands in text[at:size]; `size` where none does. */
    static inline ptrdiff_t either(
        const unsigned char *text, ptrdiff_t at, ptrdiff_t size, unsigned char one, unsigned char other)
    {
    #if defined(__SSE2__)
        const __m128i first = _mm_set1_epi8((char) one), second = _mm_set1_epi8((char) other);
        for (; at + 16 <= size; at += 16) {
            __m128i block = _mm_loadu_si128((const __m128i *) (text + at));
            int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, first), _mm_cmpeq_epi8(block, second)));
            if (found) {
                return at + __builtin_ctz(found);
            }
        }
    #endif
        while (at < size && text[at] != one && text[at] != other) {
            at++;
        }
        return at;
    }
    """
    Py_ssize_t either(Bytes text, Py_ssize_t at, Py_ssize_t size, unsigned char one, unsigned char other) noexcept nogil


cdef enum Event:
    NEEDS_MORE
    ENDED
    WRONG

cdef enum Kind:
    NO_STRING = -1  # after this word stands none
    IS_TEXT
    IS_BINARY
    IS_HEX
    IS_BITS

cdef enum Escapes:
    NO_ESCAPES = 0
    HAS_ESCAPES = 1
    HAS_ODD = 2

#: What Scanner.run() ends with.
MORE, END, BAD = NEEDS_MORE, ENDED, WRONG
#: Kinds of literals.
TEXT, BINARY, HEX = IS_TEXT, IS_BINARY, IS_HEX
#: A bit of a literal's escapes: a backslash before a byte that needs none. No dump program writes that.
ODD = HAS_ODD

cdef enum Due:  # in a statement's rows
    ROW  # an opening parenthesis
    VALUE
    WORD  # what follows a word: its string, a call's parenthesis, or as AFTER
    AFTER  # a comma or a closing parenthesis
    TAIL  # what follows a row
    REST  # ON DUPLICATE KEY UPDATE and the like: anything, to the delimiter

cdef enum Inside:
    NOTHING
    STRING
    NAME  # in backticks
    LINE  # a comment, to the line's end
    COMMENT
    LETTERS  # a word or a number

cdef bint _letter[256]  # of words and numbers
cdef bint _usual[256]  # after a backslash: what dump programs write there
cdef int _code
for _code in range(256):
    _letter[_code] = (
        48 <= _code <= 57 or 65 <= _code <= 90 or 97 <= _code <= 122 or _code >= 128 or bytes((_code,)) in b"_.+-@"
    )
    _usual[_code] = bytes((_code,)) in b"0nrtbZ\\'\"%_"


cdef class Scanner:
    """Goes through statements and tells the literals in rows that may hold a needle.

    `backslash`: whether a backslash escapes in strings. `delimiter` ends statements. `rows`: how many have ended.
    `at`: where the pass stands; `begin`: where the token that it stands in began.
    """

    cdef public bint backslash
    cdef public Py_ssize_t rows
    cdef readonly Py_ssize_t at, begin
    cdef readonly str fault
    cdef bytes _delimiter, _head
    cdef tuple _needles
    cdef Py_ssize_t* _places  # of each needle: where it stands next
    cdef Py_ssize_t _shortest, _depth, _column
    cdef int _count, _due, _inside, _kind, _escapes
    cdef unsigned char _quote
    cdef bint _in_rows, _is_unit, _is_compound, _is_conditional, _after_end

    def __cinit__(self, tuple needles):
        self._needles = needles
        self._count = <int> len(needles)
        self._shortest = min([len(one.text) for one in needles], default=1)
        self._places = <Py_ssize_t*> malloc((self._count + 1) * sizeof(Py_ssize_t))
        if self._places == NULL:
            raise MemoryError
        self.backslash, self._delimiter, self._head = True, b";", b""

    def __dealloc__(self):
        free(self._places)

    @property
    def delimiter(self):
        return self._delimiter

    @delimiter.setter
    def delimiter(self, bytes delimiter):
        if not delimiter:
            raise ValueError("a delimiter is not empty")
        self._delimiter = delimiter

    @property
    def is_in_token(self):
        """Whether the pass stands in a literal, name or comment."""
        return self._inside != NOTHING

    def begin_rows(self, bytes head):
        """What comes next are rows. A statement that begins with the same bytes, `head`, is then part of this one."""
        self._in_rows, self._inside, self._due, self._depth, self._head = True, NOTHING, ROW, 0, head

    def begin_other(self, *, bint unit, bint compound):
        """What comes next is a statement without rows, or (`unit`) a conditional comment. `compound`: it may hold
        statements that end in the delimiter too, between BEGIN and END."""
        self._in_rows, self._inside, self._depth = False, NOTHING, 0
        self._is_unit, self._is_compound, self._is_conditional, self._after_end = unit, compound, False, False

    def run(self, bytes data, Py_ssize_t at, bint final, Py_ssize_t begin = 0):
        """Goes on at data[at]: (MORE, END or BAD, literals). `begin`: where the token that the last pass ended in begins
        in these data. A literal: (start, end, kind, escapes, number of its column), quotes not
        included."""
        cdef Bytes text = <Bytes> PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef list found = []
        cdef int number
        if not 0 <= begin <= at <= size:
            raise ValueError("outside the data")
        self.at, self.begin = at, begin
        for number in range(self._count):
            self._places[number] = -1
        if self._in_rows:
            return self._through_rows(text, size, final, found), found
        return self._through_other(text, size, final), found

    # -- what both go through --------------------------------------------------------------------------------------

    cdef bint _passed(self, Bytes text, Py_ssize_t size, bint final) noexcept:
        """Goes to the end of what the pass stands in; False where the data end before."""
        cdef Bytes found
        if self._inside == STRING:
            return self._passed_string(text, size, final)
        if self._inside == LETTERS:
            while self.at < size and _letter[text[self.at]]:
                self.at += 1
            return self.at < size or final
        if self._inside == COMMENT:
            while self.at < size:
                found = <Bytes> memchr(text + self.at, 42, size - self.at)
                self.at = size if found == NULL else found - text
                if size - self.at < 2:
                    return False
                self.at += 1
                if text[self.at] == 47:
                    self.at += 1
                    return True
            return False
        found = <Bytes> memchr(text + self.at, 96 if self._inside == NAME else 10, size - self.at)
        self.at = size if found == NULL else found - text + 1
        return found != NULL or (final and self._inside == LINE)

    cdef bint _passed_string(self, Bytes text, Py_ssize_t size, bint final) noexcept:
        cdef Py_ssize_t at = self.at
        cdef unsigned char quote = self._quote, escape = 92 if self.backslash else quote
        while True:
            at = either(text, at, size, quote, escape)
            if at + 1 >= size:
                if at < size and final and text[at] == quote:
                    break
                self.at = at
                return False
            if text[at] == quote:
                if text[at + 1] != quote:
                    break
            elif not _usual[text[at + 1]]:
                self._escapes |= HAS_ODD
            self._escapes |= HAS_ESCAPES
            at += 2
        self.at = at + 1
        return True

    cdef void _enter(self, int inside, Py_ssize_t past) noexcept:
        self.begin = self.at
        self._inside = inside
        self.at += past

    cdef void _enter_string(self, unsigned char quote) noexcept:
        self._quote, self._escapes = quote, NO_ESCAPES
        self._enter(STRING, 1)
        self.begin += 1

    cdef int _delimiter_at(self, Bytes text, Py_ssize_t size, bint final) noexcept:
        """1 where it stands here; -1 where the data end before that can be told."""
        cdef Py_ssize_t length = PyBytes_GET_SIZE(self._delimiter), left = size - self.at
        if memcmp(text + self.at, PyBytes_AS_STRING(self._delimiter), length if length < left else left) != 0:
            return 0
        return 1 if length <= left else 0 if final else -1

    cdef int _comment_at(self, Bytes text, Py_ssize_t size) noexcept:
        """What kind of comment begins here, or NOTHING."""
        cdef unsigned char byte = text[self.at]
        if byte == 35:
            return LINE
        if size - self.at < 2:
            return NOTHING
        if byte == 47 and text[self.at + 1] == 42:
            return COMMENT
        if byte == 45 and text[self.at + 1] == 45 and (size - self.at < 3 or text[self.at + 2] <= 32):
            return LINE
        return NOTHING

    # -- rows --------------------------------------------------------------------------------------------------------

    cdef int _through_rows(self, Bytes text, Py_ssize_t size, bint final, list found) except -1:
        cdef unsigned char byte
        cdef unsigned char ends = (<Bytes> PyBytes_AS_STRING(self._delimiter))[0]
        cdef int said
        while True:
            if self._inside != NOTHING:
                if not self._passed(text, size, final):
                    return NEEDS_MORE
                if self._inside == STRING:
                    self._note(text, size, self.begin, self.at - 1, self._kind, found)
                elif self._inside == LETTERS and not self._word(text, size, found):
                    return WRONG
                self._inside = NOTHING
            if self.at >= size:
                return NEEDS_MORE
            byte = text[self.at]
            if byte == 44 and (self._due == AFTER or self._due == WORD):
                self._due = VALUE
                self._column += self._depth == 1
                self.at += 1
            elif byte == 39 or byte == 34:
                if not self._string(byte):
                    return WRONG
            elif byte == ends and (self._due == TAIL or self._due == REST) and (
                said := self._delimiter_at(text, size, final)
            ):
                if said < 0:
                    return NEEDS_MORE
                self.at += PyBytes_GET_SIZE(self._delimiter)
                if not self._goes_on(text, size):
                    return ENDED
            elif byte == 45 or byte == 47 or byte == 35:
                if size - self.at < 3 and not final:
                    return NEEDS_MORE
                said = self._comment_at(text, size)
                if said:
                    self._enter(said, 2 if byte != 35 else 1)
                elif byte == 45:
                    self._enter(LETTERS, 1)
                elif not self._other_byte(byte):
                    return WRONG
            elif _letter[byte]:
                self._enter(LETTERS, 1)
            elif not self._other_byte(byte):
                return WRONG

    cdef bint _string(self, unsigned char quote) noexcept:
        if self._due == VALUE or self._due == REST:
            self._kind = IS_TEXT
        elif self._due != WORD or self._kind == NO_STRING:
            self.fault = "a string stands where none can"
            return False
        if self._due != REST:
            self._due = AFTER
        self._enter_string(quote)
        return True

    cdef bint _other_byte(self, unsigned char byte) noexcept:
        """Parentheses, commas between rows, blanks."""
        if byte == 32 or 9 <= byte <= 13:
            pass
        elif self._due == REST:
            if byte == 96:
                self._enter(NAME, 1)
                return True
        elif byte == 40 and (self._due == ROW or self._due == VALUE or self._due == WORD):
            self._column = self._column if self._depth else 0
            self._depth += 1
            self._due = VALUE
        elif byte == 41 and self._depth and self._due != ROW:
            self._depth -= 1
            self._due = AFTER if self._depth else TAIL
            self.rows += not self._depth
        elif byte == 44 and self._due == TAIL:
            self._due = ROW
        else:
            self.fault = "what stands here is no part of a row"
            return False
        self.at += 1
        return True

    cdef bint _word(self, Bytes text, Py_ssize_t size, list found) except -1:
        """A word or number has ended; False where none may stand."""
        cdef Bytes word = text + self.begin
        cdef Py_ssize_t length = self.at - self.begin
        if self._due == VALUE:
            if length > 2 and word[0] == 48 and word[1] | 32 == 120:
                self._due = AFTER
                self._note(text, size, self.begin + 2, self.at, IS_HEX, found)
                return True
            self._due, self._kind = WORD, NO_STRING
            if word[0] == 95:
                self._kind = IS_BINARY if length == 7 and _is_word(word, 7, b"_binary") else IS_TEXT
            elif length == 1:  # x'..', b'..'
                self._kind = IS_HEX if word[0] | 32 == 120 else IS_BITS if word[0] | 32 == 98 else NO_STRING
            return True
        if self._due == REST:
            return True
        if (self._due == AFTER or self._due == WORD) and self._depth > 1:  # within a function's arguments
            self._due, self._kind = WORD, NO_STRING
            return True
        if self._due == TAIL and length == 2 and (_is_word(word, 2, b"on") or _is_word(word, 2, b"as")):
            self._due = REST
            return True
        self.at = self.begin
        self.fault = "a word stands where none can"
        return False

    cdef bint _goes_on(self, Bytes text, Py_ssize_t size) noexcept:
        """Whether the next statement begins like this one, and only then go into it."""
        cdef Py_ssize_t at = self.at, length = PyBytes_GET_SIZE(self._head)
        while at < size and (text[at] == 10 or text[at] == 13 or text[at] == 32):
            at += 1
        if size - at < length or memcmp(text + at, PyBytes_AS_STRING(self._head), length) != 0:
            return False
        self.at, self._due, self._depth = at + length, ROW, 0
        return True

    cdef int _note(self, Bytes text, Py_ssize_t size, Py_ssize_t start, Py_ssize_t end, int kind, list found) except -1:
        """Keep a literal that may hold a needle. One search goes on from literal to literal."""
        cdef int number
        cdef Py_ssize_t place
        if kind == IS_HEX:
            if end - start >= 2 * self._shortest:
                found.append((start, end, kind, NO_ESCAPES, self._column))
            return 0
        if self._escapes & HAS_ODD:
            found.append((start, end, kind, self._escapes, self._column))
            return 0
        if kind == IS_BITS or end - start < self._shortest:
            return 0
        for number in range(self._count):
            place = self._places[number]
            if place < start:
                place = (<Needle> self._needles[number])._find(text, size, start)
                self._places[number] = place = size if place < 0 else place
            if place < end:
                found.append((start, end, kind, self._escapes, self._column))
                return 0
        return 0

    # -- other statements --------------------------------------------------------------------------------------------

    cdef int _through_other(self, Bytes text, Py_ssize_t size, bint final) noexcept:
        cdef unsigned char byte
        cdef unsigned char ends = (<Bytes> PyBytes_AS_STRING(self._delimiter))[0]
        cdef int said
        while True:
            if self._inside != NOTHING:
                if not self._passed(text, size, final):
                    return NEEDS_MORE
                self._inside = NOTHING
            if self.at >= size or (size - self.at < 4 and not final):
                return NEEDS_MORE
            byte = text[self.at]
            if byte == ends and not self._is_conditional and self._depth <= 0 and not self._is_unit:
                said = self._delimiter_at(text, size, final)
                if said:
                    if said > 0:
                        self.at += PyBytes_GET_SIZE(self._delimiter)
                    return ENDED if said > 0 else NEEDS_MORE
            if byte == 39 or byte == 34:
                self._enter_string(byte)
            elif byte == 96:
                self._enter(NAME, 1)
            elif byte == 47 or byte == 45 or byte == 35:
                said = self._comment_at(text, size)
                if said == COMMENT and _opens_condition(text + self.at, size - self.at):
                    self._is_conditional = True
                    self.at += 3
                elif said:
                    self._enter(said, 2 if byte != 35 else 1)
                else:
                    self.at += 1
            elif byte == 42 and self._is_conditional and size - self.at > 1 and text[self.at + 1] == 47:
                self._is_conditional = False
                self.at += 2
                if self._is_unit:
                    return ENDED
            elif self._is_compound and _letter[byte]:
                if not self._compound_word(text, size, final):
                    return NEEDS_MORE
            else:
                self._after_end = self._after_end and byte != 59
                self.at += 1

    cdef bint _compound_word(self, Bytes text, Py_ssize_t size, bint final) noexcept:
        """Counts BEGIN, CASE and END; False where the data end before the word does."""
        cdef Py_ssize_t begin = self.at, length
        cdef Bytes word = text + begin
        while self.at < size and _letter[text[self.at]]:
            self.at += 1
        if self.at == size and not final:
            self.at = begin
            return False
        length = self.at - begin
        if length == 3 and _is_word(word, 3, b"end"):
            self._depth -= 1
            self._after_end = True
            return True
        if length == 5 and _is_word(word, 5, b"begin"):
            self._depth += 1
        elif length == 4 and _is_word(word, 4, b"case"):
            self._depth += not self._after_end
        elif self._after_end and (
            (length == 2 and _is_word(word, 2, b"if"))
            or (length == 4 and _is_word(word, 4, b"loop"))
            or (length == 5 and _is_word(word, 5, b"while"))
            or (length == 6 and _is_word(word, 6, b"repeat"))
        ):
            self._depth += 1  # what END IF ends was not counted
        self._after_end = False
        return True


cdef bint _is_word(Bytes word, Py_ssize_t length, const char* lower) noexcept:
    cdef Py_ssize_t at
    for at in range(length):
        if word[at] | 32 != <unsigned char> lower[at] | 32:
            return False
    return True


cdef bint _opens_condition(Bytes text, Py_ssize_t left) noexcept:
    return left > 2 and (text[2] == 33 or (text[2] == 77 and left > 3 and text[3] == 33))


# -- escapes -----------------------------------------------------------------------------------------------------------

cdef unsigned char _meant[256]  # by a byte after a backslash
for _code in range(256):
    _meant[_code] = {48: 0, 110: 10, 114: 13, 116: 9, 98: 8, 90: 26}.get(_code, _code)


cdef inline bint _stays(Bytes at) noexcept:
    """\\% and \\_ stand for themselves, backslash included."""
    return at[0] == 92 and (at[1] == 37 or at[1] == 95)


def unescaped(bytes data, Py_ssize_t start, Py_ssize_t end, bint backslash):
    """What the string data[start:end] stands for; the quote before it is its own."""
    if not 0 < start <= end <= PyBytes_GET_SIZE(data):
        raise ValueError("outside the data")
    cdef Bytes text = <Bytes> PyBytes_AS_STRING(data)
    cdef unsigned char quote = text[start - 1], escape = 92 if backslash else quote
    cdef Py_ssize_t at = start, next, size = end - start
    while (at := either(text, at, end, quote, escape)) + 1 < end:
        size -= not _stays(text + at)
        at += 2
    cdef bytes made = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned char* to = <unsigned char*> PyBytes_AS_STRING(made)
    at = start
    while True:
        next = either(text, at, end, quote, escape)
        if next + 1 >= end:
            memcpy(to, text + at, end - at)
            return made
        memcpy(to, text + at, next - at)
        to += next - at
        if _stays(text + next):
            to[0] = 92
            to += 1
        to[0] = _meant[text[next + 1]] if text[next] == 92 and escape == 92 else text[next + 1]
        to += 1
        at = next + 2


def placed(bytes data, Py_ssize_t start, Py_ssize_t end, bint backslash, list edits):
    """Edits of what a string stands for as edits of `data`, which holds the string at data[start:end]."""
    if not 0 < start <= end <= PyBytes_GET_SIZE(data):
        raise ValueError("outside the data")
    cdef Bytes text = <Bytes> PyBytes_AS_STRING(data)
    cdef unsigned char quote = text[start - 1]
    cdef Py_ssize_t raw = start, done = 0, first, last, begin
    cdef list made = []
    for edit in edits:
        first, last = (<tuple> edit)[0], (<tuple> edit)[1]
        begin = raw = _forward(text, raw, end, first - done, quote, backslash)
        raw = _forward(text, raw, end, last - first, quote, backslash)
        done = last
        made.append((begin, raw, (_escaped((<tuple> (<tuple> edit)[2])[0], quote, backslash),)))
    return made


cdef Py_ssize_t _forward(
    Bytes text, Py_ssize_t at, Py_ssize_t end, Py_ssize_t count, unsigned char quote, bint backslash
) noexcept:
    """The offset `count` bytes of meaning after `at`."""
    cdef Py_ssize_t next
    while count > 0 and at < end:
        next = either(text, at, at + count if at + count < end else end, quote, 92 if backslash else quote)
        count -= next - at
        at = next
        if count > 0 and at < end:
            if not backslash or not _stays(text + at):
                at += 2
                count -= 1
            else:
                at += 2 if count > 1 else 1
                count -= 2
    return at


cdef bytes _escaped(bytes text, unsigned char quote, bint backslash):
    if backslash and b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    mark = bytes((quote,))
    return text.replace(mark, mark + mark) if mark in text else text
