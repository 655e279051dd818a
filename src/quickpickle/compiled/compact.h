/* compact=True: a dump is written in sections, from which unused memo entries are removed. */

#ifndef QUICKPICKLE_COMPACT_H
#define QUICKPICKLE_COMPACT_H

#include "encode.h"
#include "sizes.h"

/* A dump with compact=True is written in sections: frames, or what would be frames. Behind a gap
   of 9 bytes each, from protocol 4 on. No place in one lies 2 GB behind its start: large payloads
   end one, and for what else may be as large, see is_too_far. */
typedef struct {
    Py_ssize_t start;
    Py_ssize_t opcode;  /* where one begins not long before the end, counted from there; or 0 */
    Py_ssize_t entries, gets;  /* of the memo, and references to it, before this one */
} quickpickle_section;

typedef struct {
    uint8_t *data, *end;  /* the pickle; once it is scanned, it ends behind STOP */
    int protocol;  /* the highest that is declared, or that a GET needs */
    Py_ssize_t stored;  /* entries, numbered from `base` on */
    Py_ssize_t base;  /* 1 in Python 2's pickles */
    uint32_t *marks;  /* by number: 0, USED, or its new number */
    Py_ssize_t marks_room;
    /* Of a dump, see above. */
    const quickpickle_section *section, *sections_end;
    int gap_is_taken;  /* the next one, and what was before it has moved to where it was */
    uint32_t *memoize_at;  /* where in its section an entry belongs, perhaps USED; or its number */
    Py_ssize_t entry;  /* the first that has no number yet */
    const uint32_t *get_at;  /* where in its section a reference is */
    Py_ssize_t gets;
    const Py_ssize_t *held_at, *held_end;  /* see Stream; from the beginning */
    Py_ssize_t *cuts;  /* where in what is written their payloads belong */
    /* The second pass. */
    uint8_t *origin;  /* what offsets in the pickle are counted from */
    uint8_t *p;  /* the next to be copied */
    uint8_t *pos;  /* the next to be written: before p, or there */
    uint8_t *frame;  /* where the frame's opcodes begin, behind its header's place; or NULL */
    uint8_t *aside;  /* what was to be read yet, when a header would have come to lie on it */
    int is_apart;  /* what is read does not lie where it is written */
} quickpickle_compaction;

enum { QP_USED = 0xFFFFFFFF, QP_IS_USED = 0x80000000 };
enum { QP_DONE = 0, QP_ODD = 1, QP_NO_MEMORY = 2 };
#define QP_TARGET QUICKPICKLE_FRAME_SIZE_TARGET
#define QP_WORDS 32  /* bytes that are copied at once, of shorter opcodes too */
typedef struct { uint64_t words[QP_WORDS / 8]; } quickpickle_words;
#define QP_STEP 2048  /* what is copied at once, at most: so much is read twice for a frame */

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

/* How much longer the headers of frames may make a pickle of this size, and the bytes behind its
   end that are copied with the last opcode. */
static size_t quickpickle_room_for_frames(size_t size)
{
    return 9 * (2 * (size / QP_TARGET) + 2) + QP_WORDS;  /* a large opcode ends one too early */
}

static int quickpickle_begin_frame(quickpickle_compaction *c)
{
    if (c->frame != NULL || c->protocol < 4) {
        return QP_DONE;
    }
    if (!c->is_apart && c->memoize_at != NULL) {
        if (c->pos + 9 > c->p) {
            /* Into the next gap moves what is before it; there is none near the end, or where
               more than a frame of opcodes ends objects, so all moves. */
            int takes_gap = c->section + 1 < c->sections_end && !c->gap_is_taken;
            uint8_t *end = takes_gap ? c->origin + c->section[1].start - 9 : c->end;
            size_t by = takes_gap ? 9 : quickpickle_room_for_frames(end - c->p);
            memmove(c->p + by, c->p, end - c->p);
            c->p += by;
            c->origin += by;
            if (takes_gap) {
                c->gap_is_taken = 1;
            }
            else {
                c->end += by;
                c->is_apart = 1;
            }
        }
    }
    else if (!c->is_apart && c->pos + 9 > c->p) {
        /* The frames were longer, and less has been left out than this header takes. */
        size_t size = c->end - c->p;
        c->aside = (uint8_t *)PyMem_RawMalloc(size + QP_WORDS);
        if (c->aside == NULL) {
            return QP_NO_MEMORY;
        }
        c->is_apart = 1;
        memcpy(c->aside, c->p, size);
        memset(c->aside + size, 0, QP_WORDS);
        c->origin = c->aside - (c->p - c->origin);
        c->p = c->aside;
        c->end = c->aside + size;
    }
    c->frame = c->pos += 9;
    return QP_DONE;
}

/* As CPython does: a short frame has no header. */
static void quickpickle_end_frame(quickpickle_compaction *c)
{
    uint64_t size;
    if (c->frame == NULL) {
        return;
    }
    size = c->pos - c->frame;
    if (size < 4) {
        memmove(c->frame - 9, c->frame, size);
        c->pos -= 9;
    }
    else {
        c->frame[-9] = OP_FRAME;
        for (int i = 0; i < 8; i++) {
            c->frame[i - 8] = (uint8_t)(size >> 8 * i);
        }
    }
    c->frame = NULL;
}

/* Where an opcode begins, a full frame ends. */
static inline int quickpickle_opcode_begins(quickpickle_compaction *c)
{
    if (c->frame != NULL) {
        if (c->pos - c->frame < QP_TARGET) {
            return QP_DONE;
        }
        quickpickle_end_frame(c);
    }
    return quickpickle_begin_frame(c);
}

static inline void quickpickle_copy_part(quickpickle_compaction *c, size_t size)
{
    const uint8_t *from = c->p;
    uint8_t *to = c->pos;
    c->p += size;
    c->pos += size;
    if (size <= QP_WORDS && (c->is_apart || from - to >= QP_WORDS)) {
        /* The bytes too many come to lie where all has been read, or there is nothing. */
        uint64_t words[QP_WORDS / 8];
        memcpy(words, from, QP_WORDS);
        memcpy(to, words, QP_WORDS);
    }
    else if (to != from) {
        memmove(to, from, size);
    }
}

/* The last place where an opcode is known to begin, from `from` to `last`. */
static const uint8_t *quickpickle_last_before(
    const quickpickle_compaction *c, const uint8_t *from, const uint8_t *last)
{
    const quickpickle_section *section = c->section;
    const uint8_t *start = c->origin + section->start;
    Py_ssize_t limit = last - start, found = section->opcode <= limit ? section->opcode : 0;
    Py_ssize_t low = section->entries > c->entry ? section->entries : c->entry, begin = low;
    Py_ssize_t high = section + 1 < c->sections_end ? section[1].entries : c->stored;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if ((Py_ssize_t)(c->memoize_at[middle] & ~(uint32_t)QP_IS_USED) <= limit) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low > begin && (Py_ssize_t)(c->memoize_at[low - 1] & ~(uint32_t)QP_IS_USED) > found) {
        found = c->memoize_at[low - 1] & ~(uint32_t)QP_IS_USED;
    }
    return start + found > from ? start + found : from;
}

/* Copy opcodes, of so many bytes, as they are. */
static inline int quickpickle_copy_opcodes(quickpickle_compaction *c, Py_ssize_t size)
{
    while (size > 0) {
        Py_ssize_t part = size;
        if (quickpickle_opcode_begins(c)) {
            return QP_NO_MEMORY;
        }
        if (c->frame != NULL && c->pos - c->frame + size > QP_TARGET) {
            /* A frame ends here, or an opcode is too large for one: find out which. */
            Py_ssize_t used = c->pos - c->frame;
            const uint8_t *from = c->p, *next;
            const uint8_t *last = from + (size < QP_TARGET - used ? size : QP_TARGET - used);
            if (c->memoize_at != NULL) {
                from = quickpickle_last_before(c, from, last);
            }
            while ((from = quickpickle_skip(from, last, c->end, 1)) < last) {
                next = quickpickle_next(from, c->end);
                if (next - from > QP_TARGET) {
                    if (from == c->p) {
                        from = next;
                        quickpickle_end_frame(c);
                    }
                    break;
                }
                from = next;
            }
            part = from - c->p;
        }
        quickpickle_copy_part(c, part);
        size -= part;
    }
    return QP_DONE;
}

/* Leave the next opcode out. Call this after the frame of its replacement has begun: that looks
   how much space there is before p, and may move the bytes behind it. */
static inline void quickpickle_pass(quickpickle_compaction *c)
{
    c->p = (uint8_t *)quickpickle_next(c->p, c->end);
}

static void quickpickle_write_memo_opcode(
    quickpickle_compaction *c, uint8_t text, uint8_t short_one, uint8_t long_one,
    uint32_t number)
{
    if (c->protocol == 0) {
        char digits[16];  /* one more than may be written is put there */
        int size = sprintf(digits, "%u\n", (unsigned)number);
        *c->pos++ = text;
        memcpy(c->pos, digits, size);
        c->pos += size;
    }
    else if (number < 256) {
        *c->pos++ = short_one;
        *c->pos++ = (uint8_t)number;
    }
    else {
        *c->pos++ = long_one;
        for (int i = 0; i < 4; i++) {
            *c->pos++ = (uint8_t)(number >> 8 * i);
        }
    }
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
                    quickpickle_write_memo_opcode(c, OP_PUT, OP_BINPUT, OP_LONG_BINPUT, next_number);
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

/* Mark the entries that a dump's references are to, and no others. */
static void quickpickle_mark_anew(quickpickle_compaction *c)
{
    const quickpickle_section *section;
    Py_ssize_t get = 0;
    for (Py_ssize_t entry = 0; entry < c->stored; entry++) {
        c->memoize_at[entry] &= ~(uint32_t)QP_IS_USED;
    }
    for (section = c->section; section < c->sections_end; section++) {
        Py_ssize_t end = section + 1 < c->sections_end ? section[1].gets : c->gets;
        const uint8_t *start = c->origin + section->start + 1;
        for (; get < end; get++) {
            c->memoize_at[quickpickle_load4(start + c->get_at[get])] |= QP_IS_USED;
        }
    }
}

/* Fill in a section of what a dump has written; c->p is at its gap. */
static void quickpickle_fill_in_section(
    quickpickle_compaction *c, Py_ssize_t *next_get, uint32_t *next_number)
{
    const quickpickle_section *section = c->section;
    int is_last = section + 1 == c->sections_end, gap = c->protocol < 4 ? 0 : 9;
    Py_ssize_t get = *next_get, get_end = is_last ? c->gets : section[1].gets;
    Py_ssize_t entry = c->entry, entry_end = is_last ? c->stored : section[1].entries;
    const uint32_t *get_at = c->get_at, *memoize_at = c->memoize_at;
    if (c->gap_is_taken) {
        c->gap_is_taken = 0;
        c->origin -= gap;
    }
    else {
        c->p += gap;
    }
    if (c->gets == 0) {
        entry = entry_end;
    }
    for (;;) {
        const uint8_t *start = c->origin + section->start, *p = c->p, *next, *q;
        const uint8_t *end = is_last ? c->end : c->origin + section[1].start - gap;
        uint8_t *pos = c->pos;
        int is_held = c->held_at < c->held_end && c->origin + *c->held_at < end;
        int is_memoize;
        Py_ssize_t few_end;
        while (entry < entry_end && memoize_at[entry] < QP_IS_USED) {
            entry++;
        }
        next = is_held ? c->origin + *c->held_at : end;
        is_memoize = entry < entry_end && start + (memoize_at[entry] - QP_IS_USED) <= next;
        if (is_memoize) {
            next = start + (memoize_at[entry] - QP_IS_USED);
        }
        /* References that go into this frame, a few bytes from one to the next. */
        few_end = get_end;
        if (c->protocol == 0 || (c->protocol >= 4 && c->frame == NULL)) {
            few_end = get;
        }
        else if (c->protocol >= 4) {
            Py_ssize_t few = (QP_TARGET - (pos - c->frame)) / (QP_WORDS + 5);
            few_end = few < get_end - get ? get + few : get_end;
        }
        for (; get < few_end; get++) {
            quickpickle_words words;
            q = start + get_at[get];
            if (q >= next || q - p > QP_WORDS) {
                break;
            }
            memcpy(&words, p, QP_WORDS);
            memcpy(pos, &words, QP_WORDS);
            pos = (uint8_t *)quickpickle_put_get(
                (char *)pos + (q - p), memoize_at[quickpickle_load4(q + 1)]);
            p = q + 5;
        }
        c->p = (uint8_t *)p;
        c->pos = pos;
        if (get < get_end && (q = start + get_at[get]) < next) {
            quickpickle_copy_opcodes(c, q - p);
            quickpickle_opcode_begins(c);
            quickpickle_write_memo_opcode(
                c, OP_GET, OP_BINGET, OP_LONG_BINGET, memoize_at[quickpickle_load4(c->p + 1)]);
            c->p += 5;
            get++;
            continue;
        }
        quickpickle_copy_opcodes(c, next - p);
        if (is_memoize) {
            quickpickle_opcode_begins(c);
            if (c->protocol < 4) {
                quickpickle_write_memo_opcode(c, OP_PUT, OP_BINPUT, OP_LONG_BINPUT, *next_number);
            }
            else {
                *c->pos++ = OP_MEMOIZE;
            }
            c->memoize_at[entry++] = (*next_number)++;
            c->entry = entry;
        }
        else if (is_held) {
            quickpickle_end_frame(c);
            quickpickle_copy_part(c, c->held_at[1] - c->held_at[0]);
            *c->cuts++ = c->pos - c->data;
            c->held_at += 2;
        }
        else {
            *next_get = get;
            return;
        }
    }
}

/* The second pass for a dump. If there are references, its bytes were moved so far that the new
   ones do not reach them; else only the frames may differ. */
static void quickpickle_fill_in(quickpickle_compaction *c)
{
    Py_ssize_t get = 0;
    uint32_t number = 0;
    if (c->protocol >= 2) {
        quickpickle_copy_part(c, 2);  /* PROTO comes before any frame */
    }
    for (; c->section < c->sections_end; c->section++) {
        quickpickle_fill_in_section(c, &get, &number);
    }
    quickpickle_end_frame(c);
}

#endif
