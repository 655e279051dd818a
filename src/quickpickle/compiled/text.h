/* How values become lines of text, as in protocol 0: numbers, and strings in raw-unicode-escape. */

#ifndef QUICKPICKLE_TEXT_H
#define QUICKPICKLE_TEXT_H

#include "encode.h"

static char *quickpickle_write_decimal(char *pos, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (count) {
        *pos++ = digits[--count];
    }
    return pos;
}

/* PUT or GET with a number of the memo. Needs space for 22 bytes. */
static char *quickpickle_write_reference(char *pos, char code, uint64_t number)
{
    *pos++ = code;
    pos = quickpickle_write_decimal(pos, number);
    *pos++ = '\n';
    return pos;
}

/* INT; or LONG, which has an L behind its digits too. */
static char *quickpickle_write_int_line(char *pos, int64_t value)
{
    int is_long = value != (int32_t)value;
    *pos++ = is_long ? OP_LONG : OP_INT;
    if (value < 0) {
        *pos++ = '-';
    }
    pos = quickpickle_write_decimal(pos, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
    if (is_long) {
        *pos++ = 'L';
    }
    *pos++ = '\n';
    return pos;
}

/* FLOAT; NULL where there is no memory. */
static char *quickpickle_write_float_line(char *pos, double value)
{
    char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    size_t size;
    if (text == NULL) {
        PyErr_Clear();
        return NULL;
    }
    size = strlen(text);
    *pos++ = OP_FLOAT;
    memcpy(pos, text, size);
    PyMem_Free(text);
    pos += size;
    *pos++ = '\n';
    return pos;
}

/* Writes a scalar in protocols 0 and 1, or as text, and returns the place behind it; NULL for a
   large int, and for any other object. Needs space for 32 bytes. */
static char *quickpickle_old_scalar(char *pos, PyObject *obj, int protocol, int is_binary)
{
    int64_t value;
    if (protocol < 2 && (obj == Py_True || obj == Py_False)) {
        memcpy(pos, obj == Py_True ? "I01\n" : "I00\n", 4);
        return pos + 4;
    }
    if (is_binary || obj == Py_None || PyBool_Check(obj)) {
        char *next = quickpickle_scalar(pos, obj);
        if (next != NULL) {
            return next;
        }
    }
    if (PyLong_CheckExact(obj) && quickpickle_small_long(obj, &value)) {
        if (value == (int32_t)value ? !is_binary : protocol < 2) {
            return quickpickle_write_int_line(pos, value);
        }
    }
    if (PyFloat_CheckExact(obj)) {
        return quickpickle_write_float_line(pos, PyFloat_AS_DOUBLE(obj));
    }
    return NULL;
}

/* Characters that a line cannot hold as they are: the escape sign itself, the end of the line, and
   those that Windows takes for the end of a line or of a text file. */
#define QUICKPICKLE_IS_ESCAPED(c) \
    (((c) == '\\') + ((c) == 0) + ((c) == '\n') + ((c) == '\r') + ((c) == 0x1A))

static char *quickpickle_write_escape(char *pos, Py_UCS4 c)
{
    int shift = c >= 0x10000 ? 32 : 16;
    *pos++ = '\\';
    *pos++ = c >= 0x10000 ? 'U' : 'u';
    while (shift) {
        shift -= 4;
        *pos++ = "0123456789abcdef"[(c >> shift) & 15];
    }
    return pos;
}

/* Of characters of one byte: how many are escaped. */
static size_t quickpickle_count_escaped(const uint8_t *text, Py_ssize_t length)
{
    size_t count = 0;
    Py_ssize_t i;
    for (i = 0; i < length; i++) {
        count += QUICKPICKLE_IS_ESCAPED(text[i]);
    }
    return count;
}

static char *quickpickle_write_escaped(char *pos, const uint8_t *text, Py_ssize_t length)
{
    Py_ssize_t i;
    for (i = 0; i < length; i++) {
        if (QUICKPICKLE_IS_ESCAPED(text[i])) {
            pos = quickpickle_write_escape(pos, text[i]);
        }
        else {
            *pos++ = (char)text[i];
        }
    }
    return pos;
}

/* The bytes of a string on a line, at most ten for a character. */
static size_t quickpickle_text_size(PyObject *obj)
{
    Py_ssize_t i, length = PyUnicode_GET_LENGTH(obj);
    size_t size = length;
    int kind = PyUnicode_KIND(obj);
    const void *data = PyUnicode_DATA(obj);
    if (kind == PyUnicode_1BYTE_KIND) {
        return size + 5 * quickpickle_count_escaped((const uint8_t *)data, length);
    }
    for (i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        size += c >= 0x10000 ? 9 : c >= 0x100 || QUICKPICKLE_IS_ESCAPED(c) ? 5 : 0;
    }
    return size;
}

/* Writes a string; `size` is its quickpickle_text_size(). */
static void quickpickle_write_text(char *pos, PyObject *obj, size_t size)
{
    Py_ssize_t i, length = PyUnicode_GET_LENGTH(obj);
    int kind = PyUnicode_KIND(obj);
    const void *data = PyUnicode_DATA(obj);
    if (kind == PyUnicode_1BYTE_KIND) {
        if (size == (size_t)length) {
            memcpy(pos, data, size);
        }
        else {
            quickpickle_write_escaped(pos, (const uint8_t *)data, length);
        }
        return;
    }
    for (i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c >= 0x100 || QUICKPICKLE_IS_ESCAPED(c)) {
            pos = quickpickle_write_escape(pos, c);
        }
        else {
            *pos++ = (char)c;
        }
    }
}

/* Writes UNICODE for the characters of Latin-1, and returns the place behind it. */
static char *quickpickle_write_latin1_line(char *pos, const char *data, Py_ssize_t size)
{
    *pos++ = OP_UNICODE;
    pos = quickpickle_write_escaped(pos, (const uint8_t *)data, size);
    *pos++ = '\n';
    return pos;
}

#endif
