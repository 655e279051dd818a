/* Opcodes of a pickle that exists, one after the other. */

#ifndef QUICKPICKLE_READING_H
#define QUICKPICKLE_READING_H

#include "opcodes.h"

static inline uint64_t quickpickle_load(const uint8_t *from, int size)
{
    uint64_t value = 0;
    while (size-- > 0) {
        value = value << 8 | from[size];
    }
    return value;
}

/* The same for 4: written like that, it becomes one instruction. */
static inline uint32_t quickpickle_load4(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* How long the argument of an opcode is: a number of bytes; in a count of 1, 4 or 8 bytes in
   front of it (of 4, where a negative one is refused); a line, or two; 0xFF: no such opcode. */
static uint8_t quickpickle_arguments[256];
static uint8_t quickpickle_is_short[256];  /* without an argument, and of no interest here */

/* Where the opcode after this one begins; NULL if it is damaged, or unknown. */
static inline const uint8_t *quickpickle_next(const uint8_t *p, const uint8_t *end)
{
    uint8_t kind = quickpickle_arguments[*p++];
    int width;
    uint64_t size;
    if (kind <= 8) {
        return end - p < kind ? NULL : p + kind;
    }
    if (kind == ARG_NO_OPCODE) {
        return NULL;
    }
    if (kind >= ARG_LINE) {
        for (int lines = kind - ARG_LINE; lines >= 0; lines--) {
            p = (const uint8_t *)memchr(p, '\n', end - p);
            if (p == NULL) {
                return NULL;
            }
            p++;
        }
        return p;
    }
    width = kind & 0xF;
    if (end - p < width) {
        return NULL;
    }
    size = quickpickle_load(p, width);
    p += width;
    if (size > (uint64_t)(end - p) || (kind == ARG_COUNTED4_SIGNED && size > 0x7FFFFFFF)) {
        return NULL;
    }
    return p + size;
}

/* The number of a PUT or GET in decimal; -1 if it is written in another way than picklers do. */
static Py_ssize_t quickpickle_decimal(const uint8_t *p, const uint8_t *end)
{
    int64_t number = 0;  /* as it may have more than 32 bits */
    int digits = 0;
    for (; p < end && *p >= '0' && *p <= '9' && digits < 10; p++, digits++) {
        number = number * 10 + (*p - '0');
    }
    if (p == end || *p != '\n' || digits == 0 || number > PY_SSIZE_T_MAX) {
        return -1;
    }
    return (Py_ssize_t)number;
}

static inline Py_ssize_t quickpickle_memo_number(const uint8_t *p, const uint8_t *end)
{
    switch (*p) {
    case OP_BINGET: case OP_BINPUT: return p[1];
    case OP_LONG_BINGET: case OP_LONG_BINPUT: return quickpickle_load4(p + 1);
    default: return quickpickle_decimal(p + 1, end);
    }
}

/* Go over what most pickles are made of, to another opcode or to `stop`, or behind it. A branch
   for each of these, which can be predicted, is faster than a look into a table. */
static inline const uint8_t *quickpickle_skip(
    const uint8_t *p, const uint8_t *stop, const uint8_t *end, int memoize_too)
{
    while (p < stop) {
        switch (*p) {
        case OP_BINFLOAT:
            do {
                p += 9;
            } while (p < stop && *p == OP_BINFLOAT);
            continue;
        case OP_BININT:
            do {
                p += 5;
            } while (p < stop && *p == OP_BININT);
            continue;
        case OP_BININT2:
            do {
                p += 3;
            } while (p < stop && *p == OP_BININT2);
            continue;
        case OP_BININT1:
            do {
                p += 2;
            } while (p < stop && *p == OP_BININT1);
            continue;
        case OP_NONE: case OP_NEWTRUE: case OP_NEWFALSE: case OP_MARK:
        case OP_EMPTY_TUPLE: case OP_EMPTY_LIST: case OP_EMPTY_DICT: case OP_EMPTY_SET:
        case OP_TUPLE: case OP_TUPLE1: case OP_TUPLE2: case OP_TUPLE3: case OP_FROZENSET:
        case OP_APPEND: case OP_APPENDS: case OP_SETITEM: case OP_SETITEMS: case OP_ADDITEMS:
        case OP_REDUCE: case OP_NEWOBJ: case OP_BUILD: case OP_STACK_GLOBAL:
            do {
                p++;
            } while (p < stop && quickpickle_is_short[*p]);
            continue;
        case OP_SHORT_BINUNICODE: case OP_SHORT_BINBYTES:
            if (end - p < 2) {
                return p;
            }
            p += 2 + p[1];
            if (!memoize_too) {
                return p;  /* most likely to a MEMOIZE */
            }
            continue;
        case OP_MEMOIZE:
            if (!memoize_too) {
                return p;
            }
            p++;
            continue;
        default:
            return p;
        }
    }
    return p;
}

#endif
