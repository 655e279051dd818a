/* The memory that many items take. */

#ifndef QUICKPICKLE_SIZES_H
#define QUICKPICKLE_SIZES_H

/* Returns the bytes of so many items; where they cannot be counted, more than the interpreter ever
   allocates. */
static inline size_t quickpickle_bytes_of(Py_ssize_t count, size_t item_size)
{
    return (size_t)count > (size_t)PY_SSIZE_T_MAX / item_size ? (size_t)-1
                                                              : (size_t)count * item_size;
}

/* The length that a bytes object may have; it may be a few bytes more. */
#define QUICKPICKLE_MOST_BYTES ((size_t)PY_SSIZE_T_MAX - 1024)

#endif
