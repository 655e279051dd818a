/* Which entries of the memo the rest of a pickle reads.

   An entry that nobody reads need not be made an object: the dict of an instance's state, the tuple
   of a function's arguments. Opcodes come one after the other, so all that will read the memo is
   what a GET, BINGET or LONG_BINGET says from here to STOP. */

#ifndef QUICKPICKLE_READS_H
#define QUICKPICKLE_READS_H

#include "making.h"
#include "opcodes.h"

#ifndef _WIN32
#include <sys/stat.h>
#include <unistd.h>
#define QUICKPICKLE_PREAD
#endif

#define QUICKPICKLE_FEW_READS 512  /* so many flags have a place of their own */
#define QUICKPICKLE_SCANNED 0x10000  /* bytes of a file at once */

typedef struct {
    uint8_t *is_read;  /* by number: `few`, or memory of its own; NULL if nothing is known */
    Py_ssize_t room;
    Py_ssize_t size;  /* numbers from here on count as read */
    Py_ssize_t count;  /* of the entries up to here */
    Py_ssize_t limit;  /* the least number that was too large for a flag */
    int has_put;  /* whether there are numbers that do not come in turn */
    uint8_t few[QUICKPICKLE_FEW_READS];
} quickpickle_reads;

#define QUICKPICKLE_IS_READ(reads, number) \
    ((Py_ssize_t)(number) >= (reads)->size || (reads)->is_read[number])

static void quickpickle_forget_reads(quickpickle_reads *reads)
{
    if (reads->is_read != reads->few) {
        PyMem_Free(reads->is_read);
    }
    reads->is_read = NULL;
    reads->size = 0;
    reads->has_put = 0;
}

/* Begins: nobody reads any of the `count` entries. */
static void quickpickle_begin_reads(quickpickle_reads *reads, Py_ssize_t count)
{
    quickpickle_forget_reads(reads);
    reads->is_read = reads->few;
    reads->room = QUICKPICKLE_FEW_READS;
    reads->count = count;
    reads->limit = PY_SSIZE_T_MAX;
    memset(reads->few, 0, QUICKPICKLE_FEW_READS);
}

/* Makes room for flags up to `number`; returns 0 without memory. */
static int quickpickle_grow_reads(quickpickle_reads *reads, Py_ssize_t number)
{
    Py_ssize_t room = number + (number >> 1) + 1;
    int is_first = reads->is_read == reads->few;
    uint8_t *grown = PyMem_Realloc(is_first ? NULL : reads->is_read, (size_t)room);
    if (grown == NULL) {
        return 0;
    }
    if (is_first) {
        memcpy(grown, reads->few, QUICKPICKLE_FEW_READS);
    }
    memset(grown + reads->room, 0, (size_t)(room - reads->room));
    reads->is_read = grown;
    reads->room = room;
    return 1;
}

/* Whether a number may be that of an entry, and not a lie that would cost memory. */
static inline int quickpickle_is_likely(quickpickle_reads *reads, uint32_t number)
{
    return (uint64_t)number <= (uint64_t)reads->count * 4 + 0x10000;
}

static void quickpickle_mark_read(quickpickle_reads *reads, uint32_t number)
{
    if ((uint64_t)number >= (uint64_t)reads->room) {
        if ((uint64_t)number >= (uint64_t)reads->limit) {
            return;
        }
        if (!quickpickle_is_likely(reads, number) ||
            !quickpickle_grow_reads(reads, (Py_ssize_t)number)) {
            reads->limit = (Py_ssize_t)number;
            return;
        }
    }
    reads->is_read[number] = 1;
}

static inline void quickpickle_note_put(quickpickle_reads *reads, uint32_t number)
{
    if ((uint64_t)number == (uint64_t)reads->count) {
        reads->count++;  /* the same as MEMOIZE */
        return;
    }
    reads->has_put = 1;
    if ((uint64_t)number > (uint64_t)reads->count && quickpickle_is_likely(reads, number)) {
        reads->count = (Py_ssize_t)number + 1;
    }
}

/* Ends: from now on `size` counts. */
static void quickpickle_end_reads(quickpickle_reads *reads)
{
    if (reads->count > reads->room && !quickpickle_grow_reads(reads, reads->count)) {
        reads->count = reads->room;
    }
    reads->size = reads->count < reads->limit ? reads->count : reads->limit;
}

/* The end of `count` lines; NULL if it is not there. */
static inline const uint8_t *quickpickle_lines_end(const uint8_t *p, const uint8_t *end, int count)
{
    while (count-- > 0) {
        p = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        if (p == NULL) {
            return NULL;
        }
        p++;
    }
    return p;
}

/* Opcodes that are not wholly there are left, but for a counted argument, the rest of which is to
   be skipped. */
#define QUICKPICKLE_ARGUMENT(width)    \
    if (end - p < (width)) {           \
        return p - 1;                  \
    }                                  \
    p += (width)

#define QUICKPICKLE_COUNTED(width, load)          \
    if (end - p < (width)) {                      \
        return p - 1;                             \
    }                                             \
    count = (load);                               \
    p += (width);                                 \
    if ((uint64_t)(end - p) < count) {            \
        *skip = count - (uint64_t)(end - p);      \
        return end;                               \
    }                                             \
    p += count;                                   \
    break

#define QUICKPICKLE_LINES(lines)                            \
    found = quickpickle_lines_end(p, end, (lines));         \
    if (found == NULL) {                                    \
        return p - 1;                                       \
    }                                                       \
    p = found

/* How far it is to the next opcode, for those of a fixed length that have nothing to do with the
   memo; 0 for all others. */
static const uint8_t quickpickle_steps[256] = {
    [OP_BININT1] = 2, [OP_BININT2] = 3, [OP_BININT] = 5, [OP_BINFLOAT] = 9,
    [OP_NONE] = 1, [OP_NEWTRUE] = 1, [OP_NEWFALSE] = 1, [OP_MARK] = 1,
    [OP_EMPTY_TUPLE] = 1, [OP_TUPLE1] = 1, [OP_TUPLE2] = 1, [OP_TUPLE3] = 1, [OP_TUPLE] = 1,
    [OP_EMPTY_LIST] = 1, [OP_APPEND] = 1, [OP_APPENDS] = 1,
    [OP_EMPTY_DICT] = 1, [OP_SETITEM] = 1, [OP_SETITEMS] = 1, [OP_EMPTY_SET] = 1, [OP_ADDITEMS] = 1,
    [OP_NEWOBJ] = 1, [OP_REDUCE] = 1, [OP_BUILD] = 1, [OP_STACK_GLOBAL] = 1,
};

/* So many bytes has an opcode with an argument of up to 255 bytes, at most. */
#define QUICKPICKLE_SHORT 260

/* The opcodes that come most often, while their ends need not be checked. Returns the first one
   that is another, or that is too near to the end. */
static inline const uint8_t *quickpickle_find_quickly(
    quickpickle_reads *reads, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *last = end - p > QUICKPICKLE_SHORT ? end - QUICKPICKLE_SHORT : p;
    while (p < last) {
        uint8_t code = *p, step = quickpickle_steps[code];
        if (step) {
            p += step;
            continue;
        }
        if (code == OP_MEMOIZE) {
            reads->count++;
            p++;
            continue;
        }
        switch (code) {
        case OP_SHORT_BINUNICODE: case OP_SHORT_BINBYTES:
            p += 2 + p[1];
            continue;
        case OP_BINGET:
            reads->is_read[p[1]] = 1;  /* there are more flags than that from the beginning */
            p += 2;
            continue;
        case OP_LONG_BINGET:
            quickpickle_mark_read(reads, quickpickle_load4(p + 1));
            p += 5;
            continue;
        case OP_BINPUT:
            quickpickle_note_put(reads, p[1]);
            p += 2;
            continue;
        case OP_LONG_BINPUT:
            quickpickle_note_put(reads, quickpickle_load4(p + 1));
            p += 5;
            continue;
        case OP_BINUNICODE: case OP_BINBYTES:
            if (quickpickle_load4(p + 1) < 256) {
                p += 5 + quickpickle_load4(p + 1);
                continue;
            }
            return p;
        default:
            return p;
        }
    }
    return p;
}

/* Notes what is read from `p` on. Returns the first opcode that is not wholly there, or NULL at
   STOP or where the pickle is damaged, as nothing after that runs. */
static const uint8_t *quickpickle_find_reads(
    quickpickle_reads *reads, const uint8_t *p, const uint8_t *end, uint64_t *skip)
{
    *skip = 0;
    while (p < end) {
        uint64_t count;
        const uint8_t *found;
        p = quickpickle_find_quickly(reads, p, end);
        switch (*p++) {
        case OP_BINGET:
            QUICKPICKLE_ARGUMENT(1);
            quickpickle_mark_read(reads, p[-1]);
            break;
        case OP_LONG_BINGET:
            QUICKPICKLE_ARGUMENT(4);
            quickpickle_mark_read(reads, quickpickle_load4(p - 4));
            break;
        case OP_MEMOIZE:
            reads->count++;
            break;
        case OP_BINPUT:
            QUICKPICKLE_ARGUMENT(1);
            quickpickle_note_put(reads, p[-1]);
            break;
        case OP_LONG_BINPUT:
            QUICKPICKLE_ARGUMENT(4);
            quickpickle_note_put(reads, quickpickle_load4(p - 4));
            break;
        case OP_GET:  /* the text may be written in many ways, so let all entries be read */
            reads->limit = 0;
            reads->has_put = 1;
            return NULL;
        case OP_BININT1: case OP_PROTO: case OP_EXT1:
            QUICKPICKLE_ARGUMENT(1);
            break;
        case OP_BININT2: case OP_EXT2:
            QUICKPICKLE_ARGUMENT(2);
            break;
        case OP_BININT: case OP_EXT4:
            QUICKPICKLE_ARGUMENT(4);
            break;
        case OP_BINFLOAT: case OP_FRAME:
            QUICKPICKLE_ARGUMENT(8);
            break;
        case OP_SHORT_BINUNICODE: case OP_SHORT_BINBYTES: case OP_SHORT_BINSTRING: case OP_LONG1:
            QUICKPICKLE_COUNTED(1, *p);
        case OP_BINUNICODE: case OP_BINBYTES: case OP_BINSTRING: case OP_LONG4:
            QUICKPICKLE_COUNTED(4, quickpickle_load4(p));
        case OP_BINUNICODE8: case OP_BINBYTES8: case OP_BYTEARRAY8:
            QUICKPICKLE_COUNTED(8, quickpickle_load8(p));
        case OP_GLOBAL: case OP_INST:
            QUICKPICKLE_LINES(2);
            break;
        case OP_PUT:
            reads->has_put = 1;
            QUICKPICKLE_LINES(1);
            break;
        case OP_INT: case OP_FLOAT: case OP_LONG: case OP_STRING: case OP_UNICODE: case OP_PERSID:
            QUICKPICKLE_LINES(1);
            break;
        case OP_STOP:
            return NULL;
        default:
            break;  /* no argument, or no opcode, at which the load fails */
        }
    }
    return p;
}

/* The same in a file, from an offset on, whose position stays. Returns 0 where that cannot be done;
   what was found so far does not count then. */
static int quickpickle_find_reads_of_file(quickpickle_reads *reads, int fd, int64_t offset)
{
#ifdef QUICKPICKLE_PREAD
    struct stat status;
    uint8_t *buffer;
    const uint8_t *left = NULL;
    uint64_t skip = 0;
    ssize_t size = 0;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return 0;
    }
    buffer = PyMem_Malloc(QUICKPICKLE_SCANNED);
    if (buffer == NULL) {
        return 0;
    }
    do {
        size = offset < 0 || offset > status.st_size ? 0
             : pread(fd, buffer, QUICKPICKLE_SCANNED, (off_t)offset);
        if (size <= 0) {
            break;  /* nothing more will run, or fail to be read */
        }
        left = quickpickle_find_reads(reads, buffer, buffer + size, &skip);
        if (left == buffer && skip == 0) {
            size = -1;  /* a line that is longer than the buffer, or not whole */
            break;
        }
        if (skip > (uint64_t)(INT64_MAX - offset - size)) {
            break;
        }
        offset += (left == NULL ? 0 : left - buffer) + (int64_t)skip;
    } while (left != NULL);
    PyMem_Free(buffer);
    return size >= 0;
#else
    (void)reads, (void)fd, (void)offset;
    return 0;
#endif
}

#endif
