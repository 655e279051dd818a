/* compact=True: a dump is written in sections, from which unused memo entries are removed. */

#ifndef QUICKPICKLE_COMPACT_H
#define QUICKPICKLE_COMPACT_H

#include "encode.h"
#include "reading.h"
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
