# The memory that many items take, for the extensions `core` and `inspection`.

cdef extern from "sizes.h":
    const size_t MOST_BYTES "QUICKPICKLE_MOST_BYTES"
    const Py_ssize_t PY_SSIZE_T_MAX
    size_t bytes_of "quickpickle_bytes_of"(Py_ssize_t, size_t) noexcept
