/* Sizes of what many items take. */

#ifndef QUICKPICKLE_SIZES_H
#define QUICKPICKLE_SIZES_H

/* So many bytes; where they cannot be counted, as many as the interpreter never allocates. */
static inline size_t quickpickle_bytes_of(Py_ssize_t count, size_t item_size)
{
    return (size_t)count > (size_t)PY_SSIZE_T_MAX / item_size ? (size_t)-1
                                                              : (size_t)count * item_size;
}

/* A bytes object may have so many, and a few more. */
#define QUICKPICKLE_MOST_BYTES ((size_t)PY_SSIZE_T_MAX - 1024)

#endif
