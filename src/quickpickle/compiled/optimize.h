/* optimize(): a pickle that exists, without its unused memo entries. */

#ifndef QUICKPICKLE_OPTIMIZE_H
#define QUICKPICKLE_OPTIMIZE_H

#include "compact.h"

static int quickpickle_enlarge_marks(quickpickle_compaction *c, Py_ssize_t least)
{
    Py_ssize_t old = c->marks_room, room = old ? old : 64;
    uint32_t *marks;
    if (quickpickle_bytes_of(least, sizeof(uint32_t)) > (size_t)PY_SSIZE_T_MAX) {
        return QP_NO_MEMORY;
    }
    while (room < least) {
        room *= 2;
    }
    marks = (uint32_t *)PyMem_RawRealloc(
        c->marks, quickpickle_bytes_of(room, sizeof(uint32_t)));
    if (marks == NULL) {
        return QP_NO_MEMORY;
    }
    memset(marks + old, 0, (room - old) * sizeof(uint32_t));
    c->marks = marks;
    c->marks_room = room;
    return QP_DONE;
}

static inline int quickpickle_mark(quickpickle_compaction *c, Py_ssize_t number)
{
    if (number >= c->marks_room && quickpickle_enlarge_marks(c, number + 1)) {
        return QP_NO_MEMORY;
    }
    c->marks[number] = (uint32_t)QP_USED;
    return QP_DONE;
}

/* The first pass checks the pickle and finds the entries that are read. */
static int quickpickle_scan(quickpickle_compaction *c)
{
    const uint8_t *p = c->data, *end = c->end, *next;
    Py_ssize_t number;
    int memoizes = 0, is_binary = 0;
    for (;;) {
        p = quickpickle_skip(p, end, end, 0);
        if (p >= end) {
            return QP_ODD;
        }
        if (*p == OP_MEMOIZE) {
            if (c->base) {
                return QP_ODD;
            }
            memoizes = 1;
            c->stored++;
            p++;
            continue;
        }
        next = quickpickle_next(p, end);
        if (next == NULL) {
            return QP_ODD;
        }
        switch (*p) {
        case OP_BINGET: case OP_LONG_BINGET: case OP_GET:
            number = quickpickle_memo_number(p, end);
            if (number < c->base || number - c->base >= c->stored) {
                return QP_ODD;
            }
            if (quickpickle_mark(c, number)) {
                return QP_NO_MEMORY;
            }
            if (c->protocol == 0 && *p != OP_GET) {
                c->protocol = 1;
            }
            break;
        case OP_BINPUT: case OP_LONG_BINPUT: case OP_PUT:
            is_binary |= *p != OP_PUT;
            number = quickpickle_memo_number(p, end);
            if (c->stored == 0 && number == 1) {
                c->base = 1;
            }
            if (number != c->base + c->stored++) {
                return QP_ODD;
            }
            break;
        case OP_PROTO:
            if (p[1] > c->protocol) {
                c->protocol = p[1];
            }
            break;
        case OP_STOP:
            /* Not written by picklers: opcodes of a later protocol, shorter than its own. */
            if ((memoizes && c->protocol < 4) || (is_binary && c->protocol == 0)) {
                return QP_ODD;
            }
            c->end = (uint8_t *)next;
            return c->protocol > 5 || (uint64_t)c->stored >= QP_USED ? QP_ODD : QP_DONE;
        }
        p = next;
    }
}

/* Leave the next opcode out. Call this after the frame of its replacement has begun: that looks
   how much space there is before p, and may move the bytes behind it. */
static inline void quickpickle_pass(quickpickle_compaction *c)
{
    c->p = (uint8_t *)quickpickle_next(c->p, c->end);
}

/* The second pass. */
static int quickpickle_write(quickpickle_compaction *c)
{
    Py_ssize_t number = c->base;
    uint32_t next_number = 0, get, *marks;
    uint8_t *q, code;  /* how far it has been read; from p to q it is copied as it is */
    if (c->marks_room < c->base + c->stored
        && quickpickle_enlarge_marks(c, c->base + c->stored)) {
        return QP_NO_MEMORY;
    }
    marks = c->marks;
    if (*c->data == OP_PROTO) {
        c->p += 2;  /* PROTO comes before any frame */
        c->pos += 2;
    }
    q = c->p;
    for (;;) {
        uint8_t *stop;
        stop = c->end - c->p > QP_STEP ? c->p + QP_STEP : c->end;
        q = (uint8_t *)quickpickle_skip(q, stop, c->end, 0);
        if (q < stop) {
            code = *q;
            if (code == OP_MEMOIZE && marks[number] && c->protocol >= 4) {
                marks[number++] = next_number++;
                q++;
                continue;
            }
            if (code == OP_BINGET) {  /* nearly all: as long as before */
                q[1] = (uint8_t)marks[q[1]];
                q += 2;
                continue;
            }
            if (code == OP_LONG_BINGET) {
                get = marks[quickpickle_load4(q + 1)];
                if (get > 0xFF) {
                    quickpickle_store4((char *)q + 1, get);
                    q += 5;
                    continue;
                }
            }
        }
        if (quickpickle_copy_opcodes(c, q - c->p)) {
            return QP_NO_MEMORY;
        }
        q = c->p;
        if (q >= c->end) {
            break;
        }
        code = *q;
        switch (code) {
        case OP_MEMOIZE: case OP_BINPUT: case OP_LONG_BINPUT: case OP_PUT:
            if (marks[number]) {
                if (quickpickle_opcode_begins(c)) {
                    return QP_NO_MEMORY;
                }
                quickpickle_pass(c);
                if (c->protocol < 4) {
                    quickpickle_write_memo_opcode(
                        c, OP_PUT, OP_BINPUT, OP_LONG_BINPUT, next_number);
                }
                else {
                    *c->pos++ = OP_MEMOIZE;
                }
                marks[number] = next_number++;
            }
            else {
                quickpickle_pass(c);
            }
            number++;
            break;
        case OP_BINGET: case OP_LONG_BINGET: case OP_GET:
            get = marks[quickpickle_memo_number(q, c->end)];
            if (quickpickle_opcode_begins(c)) {
                return QP_NO_MEMORY;
            }
            quickpickle_pass(c);
            quickpickle_write_memo_opcode(c, OP_GET, OP_BINGET, OP_LONG_BINGET, get);
            break;
        case OP_FRAME:
            c->p += 9;
            break;
        default:
            q = (uint8_t *)quickpickle_next(q, c->end);
            continue;
        }
        q = c->p;
    }
    quickpickle_end_frame(c);
    return QP_DONE;
}

#endif
