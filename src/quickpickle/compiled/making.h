/* Strings, ints and floats made of the bytes of a pickle. */

#ifndef QUICKPICKLE_MAKING_H
#define QUICKPICKLE_MAKING_H

#include <stddef.h>

#include "machine.h"

/* Little-endian numbers on any machine. */
static inline uint32_t quickpickle_load2(const uint8_t *source)
{
    return source[0] | (uint32_t)source[1] << 8;
}

static inline uint32_t quickpickle_load4(const uint8_t *source)
{
    return source[0] | (uint32_t)source[1] << 8 | (uint32_t)source[2] << 16 |
           (uint32_t)source[3] << 24;
}

static inline uint64_t quickpickle_load8(const uint8_t *source)
{
    return quickpickle_load4(source) | (uint64_t)quickpickle_load4(source + 4) << 32;
}

static inline uint64_t quickpickle_word(const uint8_t *source)
{
    uint64_t word;
    memcpy(&word, source, 8);
    return word;
}

/* The first bytes of a new object, copied from one that the interpreter has made. Making it so is
   quicker than the functions of the C API, which ask first what kind of string it will be, and look
   for freed floats. Where a flag is 0 they are called. */
static struct quickpickle_heads {
    int strs, floats, ints;
} quickpickle_heads;

#if !defined(PYPY_VERSION) && !defined(Py_GIL_DISABLED) && !defined(Py_REF_DEBUG) && \
    !defined(Py_TRACE_REFS) && !defined(QUICKPICKLE_UNKNOWN) && PY_VERSION_HEX < 0x03100000
#define QUICKPICKLE_HEADS

static PyASCIIObject quickpickle_ascii_head;
static PyFloatObject quickpickle_float_head;
static PyLongObject quickpickle_int_heads[2][2];  /* by the sign, and whether there are two digits */

#if PY_VERSION_HEX >= 0x030C0000
#define QUICKPICKLE_DIGIT_FIELD long_value.ob_digit
#else
#define QUICKPICKLE_DIGIT_FIELD ob_digit
#endif
#define QUICKPICKLE_DIGITS(number) ((PyLongObject *)(number))->QUICKPICKLE_DIGIT_FIELD

/* Ints nearer to 0 may be shared by the whole process. */
#define QUICKPICKLE_SHARED_INTS 2048
#endif

static void quickpickle_learn_heads(void)
{
#ifdef QUICKPICKLE_HEADS
    PyObject *text = PyUnicode_New(2, 127), *number = PyFloat_FromDouble(1.5);
    int i;
    if (text != NULL && Py_REFCNT(text) == 1 && ((PyASCIIObject *)text)->hash == -1 &&
        PyUnicode_IS_COMPACT_ASCII(text)) {
        memcpy(&quickpickle_ascii_head, text, sizeof(PyASCIIObject));
        quickpickle_heads.strs = 1;
    }
    if (number != NULL && Py_REFCNT(number) == 1 &&
        PyFloat_Type.tp_basicsize == sizeof(PyFloatObject)) {
        memcpy(&quickpickle_float_head, number, sizeof(PyFloatObject));
        quickpickle_heads.floats = 1;
    }
    Py_XDECREF(text);
    Py_XDECREF(number);
    quickpickle_heads.ints = PyLong_SHIFT == 30;
    for (i = 0; i < 4; i++) {
        long size = i & 1 ? 1L << 30 : QUICKPICKLE_SHARED_INTS;
        number = PyLong_FromLong(i & 2 ? -size : size);
        if (number == NULL || Py_REFCNT(number) != 1 ||
            QUICKPICKLE_DIGITS(number)[0] != (digit)(size & (PyLong_BASE - 1))) {
            quickpickle_heads.ints = 0;
        }
        else {
            memcpy(&quickpickle_int_heads[i >> 1][i & 1], number, sizeof(PyLongObject));
        }
        Py_XDECREF(number);
    }
    PyErr_Clear();
#endif
}

/* An int of the range of a C int. */
static inline PyObject *quickpickle_make_int(long value)
{
#ifdef QUICKPICKLE_HEADS
    unsigned long size = value < 0 ? -(unsigned long)value : (unsigned long)value;
    if (quickpickle_heads.ints && size >= QUICKPICKLE_SHARED_INTS) {
        int is_long = size >= PyLong_BASE;
        PyLongObject *made = PyObject_Malloc(
            offsetof(PyLongObject, QUICKPICKLE_DIGIT_FIELD) + 2 * sizeof(digit));
        digit *digits;
        if (made == NULL) {
            return PyErr_NoMemory();
        }
        *made = quickpickle_int_heads[value < 0][is_long];
        digits = QUICKPICKLE_DIGITS(made);
        digits[0] = (digit)(size & (PyLong_BASE - 1));
        if (is_long) {
            digits[1] = (digit)(size >> PyLong_SHIFT);
        }
        return (PyObject *)made;
    }
#endif
    return PyLong_FromLong(value);
}

/* A str of `size` ASCII characters, at least two, which are yet to be written. */
static inline PyObject *quickpickle_new_ascii(Py_ssize_t size)
{
#ifdef QUICKPICKLE_HEADS
    if (!quickpickle_rarely(!quickpickle_heads.strs) &&
        size < PY_SSIZE_T_MAX - (Py_ssize_t)sizeof(PyASCIIObject)) {
        PyASCIIObject *made = PyObject_Malloc(sizeof(PyASCIIObject) + (size_t)size + 1);
        if (made == NULL) {
            return PyErr_NoMemory();
        }
        *made = quickpickle_ascii_head;
        made->length = size;
        ((char *)(made + 1))[size] = 0;
        return (PyObject *)made;
    }
#endif
    return PyUnicode_New(size, 127);
}

#define QUICKPICKLE_HIGH_BITS UINT64_C(0x8080808080808080)

/* Whether all bytes are ASCII. */
static inline int quickpickle_is_ascii(const uint8_t *data, Py_ssize_t size)
{
    uint64_t bits = 0;
    Py_ssize_t i;
    if (size < 8) {
        uint8_t high = 0;
        for (i = 0; i < size; i++) {
            high |= data[i];
        }
        return high < 0x80;
    }
    for (i = 0; i + 32 <= size; i += 32) {
        bits = quickpickle_word(data + i) | quickpickle_word(data + i + 8) |
               quickpickle_word(data + i + 16) | quickpickle_word(data + i + 24);
        if (bits & QUICKPICKLE_HIGH_BITS) {
            return 0;
        }
    }
    bits = quickpickle_word(data + size - 8);  /* may overlap with what was looked at */
    for (; i + 8 <= size; i += 8) {
        bits |= quickpickle_word(data + i);
    }
    return (bits & QUICKPICKLE_HIGH_BITS) == 0;
}

/* Decodes UTF-8 whose every sequence is as long as its first byte says; returns whether it is
   valid, without surrogates. */
#define QUICKPICKLE_DECODE(name, unit)                                                             \
    static int name(unit *target, const uint8_t *data, const uint8_t *end)                         \
    {                                                                                              \
        while (data < end) {                                                                       \
            uint32_t first = *data;                                                                \
            if (first < 0x80) {                                                                    \
                *target++ = (unit)first;                                                           \
                data++;                                                                            \
            }                                                                                      \
            else if (first < 0xE0) {                                                               \
                if (first < 0xC2 || end - data < 2 || (data[1] & 0xC0) != 0x80) {                  \
                    return 0;                                                                      \
                }                                                                                  \
                *target++ = (unit)((first & 0x1F) << 6 | (data[1] & 0x3F));                        \
                data += 2;                                                                         \
            }                                                                                      \
            else if (first < 0xF0) {                                                               \
                uint32_t code;                                                                     \
                if (end - data < 3 || (data[1] & 0xC0) != 0x80 || (data[2] & 0xC0) != 0x80) {      \
                    return 0;                                                                      \
                }                                                                                  \
                code = (first & 0xF) << 12 | (uint32_t)(data[1] & 0x3F) << 6 | (data[2] & 0x3F);   \
                if (code < 0x800 || (code & 0xF800) == 0xD800) {                                   \
                    return 0;                                                                      \
                }                                                                                  \
                *target++ = (unit)code;                                                            \
                data += 3;                                                                         \
            }                                                                                      \
            else {                                                                                 \
                uint32_t code;                                                                     \
                if (end - data < 4 || (data[1] & 0xC0) != 0x80 || (data[2] & 0xC0) != 0x80 ||      \
                    (data[3] & 0xC0) != 0x80) {                                                    \
                    return 0;                                                                      \
                }                                                                                  \
                code = (first & 7) << 18 | (uint32_t)(data[1] & 0x3F) << 12 |                      \
                       (uint32_t)(data[2] & 0x3F) << 6 | (data[3] & 0x3F);                         \
                if (first > 0xF4 || code < 0x10000 || code > 0x10FFFF) {                           \
                    return 0;                                                                      \
                }                                                                                  \
                *target++ = (unit)code;                                                            \
                data += 4;                                                                         \
            }                                                                                      \
        }                                                                                          \
        return 1;                                                                                  \
    }

QUICKPICKLE_DECODE(quickpickle_decode1, Py_UCS1)
QUICKPICKLE_DECODE(quickpickle_decode2, Py_UCS2)
QUICKPICKLE_DECODE(quickpickle_decode4, Py_UCS4)

/* A string of UTF-8 that is not ASCII only, as PyUnicode_DecodeUTF8 with "surrogatepass". That
   function decides where anything is unusual, so errors are its own. */
static PyObject *quickpickle_make_wide_str(const uint8_t *data, Py_ssize_t size)
{
    Py_ssize_t i = 0, length = 0;
    const uint8_t *end;
    uint8_t largest = 0;
    int is_valid;
    PyObject *result;
    /* Long parts in ASCII are copied faster there. */
    if (size >= 128 && quickpickle_is_ascii(data, 64)) {
        return PyUnicode_DecodeUTF8((const char *)data, size, "surrogatepass");
    }
    while (i < size) {
        Py_ssize_t stop = size - i < 128 ? size : i + 128;
        uint8_t count = 0;  /* so narrow that the compiler counts many at once */
        for (; i < stop; i++) {
            count += (data[i] & 0xC0) != 0x80;
            largest = data[i] > largest ? data[i] : largest;
        }
        length += count;
    }
    /* One character may be a shared object. */
    if (length < 2 || (size >= 64 && size - length < size / 16)) {
        return PyUnicode_DecodeUTF8((const char *)data, size, "surrogatepass");
    }
    /* The first byte of a sequence tells how large the character is. */
    result = PyUnicode_New(length, largest < 0xC4 ? 0xFF : largest < 0xF0 ? 0xFFFF : 0x10FFFF);
    if (result == NULL) {
        return NULL;
    }
    /* Each unit is behind a byte that is no continuation, or decoding fails before: so there are
       at most `length` of them. */
    end = data + size;
    is_valid = largest < 0xC4 ? quickpickle_decode1(PyUnicode_1BYTE_DATA(result), data, end)
             : largest < 0xF0 ? quickpickle_decode2(PyUnicode_2BYTE_DATA(result), data, end)
                              : quickpickle_decode4(PyUnicode_4BYTE_DATA(result), data, end);
    if (!is_valid) {
        Py_DECREF(result);
        return PyUnicode_DecodeUTF8((const char *)data, size, "surrogatepass");
    }
    return result;
}

/* A string of UTF-8; as the interpreter does, the empty one and those of one character below
   U+0100 are shared. */
static inline PyObject *quickpickle_make_str(const uint8_t *data, Py_ssize_t size)
{
    PyObject *result;
    if (size < 2) {
        return size == 0 ? PyUnicode_New(0, 0)
                         : PyUnicode_DecodeUTF8((const char *)data, size, "surrogatepass");
    }
    if (!quickpickle_is_ascii(data, size)) {
        return quickpickle_make_wide_str(data, size);
    }
    result = quickpickle_new_ascii(size);
    if (result != NULL) {
        quickpickle_copy((char *)PyUnicode_1BYTE_DATA(result), (const char *)data, size);
    }
    return result;
}

/* An int in two's complement, little-endian. */
static PyObject *quickpickle_make_long(const uint8_t *data, size_t size)
{
    if (size <= 8) {
        uint64_t value = 0;
        size_t i;
        for (i = 0; i < size; i++) {
            value |= (uint64_t)data[i] << (8 * i);
        }
        if (size > 0 && size < 8 && data[size - 1] & 0x80) {
            value |= ~UINT64_C(0) << (8 * size);
        }
        return PyLong_FromLongLong((long long)value);
    }
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_FromNativeBytes(data, size, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    return _PyLong_FromByteArray(data, size, 1, 1);
#endif
}

static inline PyObject *quickpickle_make_float(const uint8_t *data)
{
    uint64_t bits = 0;
    double value;
    int i;
    for (i = 0; i < 8; i++) {
        bits = bits << 8 | data[i];
    }
    memcpy(&value, &bits, 8);
#ifdef QUICKPICKLE_HEADS
    if (!quickpickle_rarely(!quickpickle_heads.floats)) {
        PyFloatObject *made = PyObject_Malloc(sizeof(PyFloatObject));
        if (made == NULL) {
            return PyErr_NoMemory();
        }
        *made = quickpickle_float_head;
        made->ob_fval = value;
        return (PyObject *)made;
    }
#endif
    return PyFloat_FromDouble(value);
}

/* Bytes; not one of those of one byte that the interpreter shares, as its own unpickler does it. */
static inline PyObject *quickpickle_make_bytes(const uint8_t *data, Py_ssize_t size)
{
    PyObject *made = PyBytes_FromStringAndSize(NULL, size);
    if (made != NULL && size != 0) {
        memcpy(PyBytes_AS_STRING(made), data, size);
    }
    return made;
}

#endif
