# What other compiled modules may use of this one.

ctypedef const unsigned char* Bytes

cdef class Needle:
    cdef readonly bytes text
    cdef Bytes _text
    cdef Py_ssize_t _size
    cdef unsigned short _skip[256]

    cdef Py_ssize_t _find(self, Bytes value, Py_ssize_t size, Py_ssize_t start) noexcept
