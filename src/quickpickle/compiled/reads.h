/* Which entries of the memo the rest of a pickle reads.

   An entry that nobody reads need not be made an object: the dict of an instance's state, the tuple
   of a function's arguments. Opcodes come one after the other, so all that will read the memo is
   what a GET, BINGET or LONG_BINGET says from here to STOP. */

#ifndef QUICKPICKLE_READS_H
#define QUICKPICKLE_READS_H

#include "making.h"
#include "opcodes.h"

typedef struct {
    uint8_t *is_read;  /* by number */
    Py_ssize_t size;  /* entries from here on count as read; 0 if nothing is known */
    int has_put;  /* whether there are numbers that are not in turn */
} quickpickle_reads;

#define QUICKPICKLE_IS_READ(reads, number) \
    ((Py_ssize_t)(number) >= (reads)->size || (reads)->is_read[number])

static inline const uint8_t *quickpickle_line_end(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *found = memchr(p, '\n', (size_t)(end - p));
    return found == NULL ? end : found + 1;
}

/* Skips `count` bytes of an argument, or goes to the end if there are fewer. */
#define QUICKPICKLE_SKIP(count)                    \
    if ((uint64_t)(end - p) < (uint64_t)(count)) { \
        return;                                    \
    }                                              \
    p += (count);                                  \
    break

#define QUICKPICKLE_SKIP_COUNTED(width, load)                                    \
    if (end - p < (width) || (uint64_t)(end - p - (width)) < (uint64_t)(load)) { \
        return;                                                                  \
    }                                                                            \
    p += (width) + (uint64_t)(load);                                                       \
    break

/* Marks what is read from `p` on. Where the pickle is damaged it ends: nothing after that runs. */
static void quickpickle_find_reads(
    const uint8_t *p, const uint8_t *end, quickpickle_reads *reads, Py_ssize_t size)
{
    uint8_t *is_read = reads->is_read;
    while (p < end) {
        uint64_t number;
        switch (*p++) {
        case OP_BINGET:
            if (p == end) {
                return;
            }
            number = *p++;
            if (number < (uint64_t)size) {
                is_read[number] = 1;
            }
            break;
        case OP_LONG_BINGET:
            if (end - p < 4) {
                return;
            }
            number = quickpickle_load4(p);
            p += 4;
            if (number < (uint64_t)size) {
                is_read[number] = 1;
            }
            break;
        case OP_GET: {
            /* The text may be written in many ways, so let all entries be read. */
            memset(is_read, 1, (size_t)size);
            reads->has_put = 1;
            return;
        }
        case OP_BINPUT:
            reads->has_put = 1;
            QUICKPICKLE_SKIP(1);
        case OP_BININT1: case OP_PROTO: case OP_EXT1:
            QUICKPICKLE_SKIP(1);
        case OP_BININT2: case OP_EXT2:
            QUICKPICKLE_SKIP(2);
        case OP_LONG_BINPUT:
            reads->has_put = 1;
            QUICKPICKLE_SKIP(4);
        case OP_BININT: case OP_EXT4:
            QUICKPICKLE_SKIP(4);
        case OP_BINFLOAT: case OP_FRAME:
            QUICKPICKLE_SKIP(8);
        case OP_SHORT_BINUNICODE: case OP_SHORT_BINBYTES: case OP_SHORT_BINSTRING: case OP_LONG1:
            QUICKPICKLE_SKIP_COUNTED(1, *p);
        case OP_BINUNICODE: case OP_BINBYTES: case OP_BINSTRING: case OP_LONG4:
            QUICKPICKLE_SKIP_COUNTED(4, quickpickle_load4(p));
        case OP_BINUNICODE8: case OP_BINBYTES8: case OP_BYTEARRAY8:
            QUICKPICKLE_SKIP_COUNTED(8, quickpickle_load8(p));
        case OP_GLOBAL: case OP_INST:
            p = quickpickle_line_end(p, end);
            p = quickpickle_line_end(p, end);
            break;
        case OP_PUT:
            reads->has_put = 1;
            p = quickpickle_line_end(p, end);
            break;
        case OP_INT: case OP_FLOAT: case OP_LONG: case OP_STRING: case OP_UNICODE: case OP_PERSID:
            p = quickpickle_line_end(p, end);
            break;
        case OP_STOP:
            return;
        default:
            break;  /* no argument, or no opcode, at which the load fails */
        }
    }
}

#endif
