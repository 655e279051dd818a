/* Differences between compilers and systems. */

#ifndef QUICKPICKLE_MACHINE_H
#define QUICKPICKLE_MACHINE_H

/* Cython leaves out the last fields of types, which newer interpreters have added. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

#include "structmember.h"
#include "datetime.h"
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Keeps the compiler from making something of how a number comes about: branches where it may be
   one of two, or, of a copy of at most so many bytes, an instruction that takes long to start. */
#if defined(__GNUC__)
#define quickpickle_opaque(number) __asm__("" : "+r"(number))
#else
#define quickpickle_opaque(number) ((void)(number))
#endif

/* Has the processor fetch what will be needed soon. */
#if defined(__GNUC__)
#define quickpickle_prefetch(obj) __builtin_prefetch(obj)
#else
#define quickpickle_prefetch(obj) ((void)(obj))
#endif

/* Fresh memory costs more in page faults, one for every 4 KiB, than in copying: has all pages
   made at once that are about to be filled. Large pages would cost less still, and now and
   then, where the system has to make room for one, a hundred times as much. */
static inline void quickpickle_make_pages(char *start, size_t size)
{
#if defined(__linux__)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
    uintptr_t first = ((uintptr_t)start + 0xFFF) & ~(uintptr_t)0xFFF;
    uintptr_t last = ((uintptr_t)start + size) & ~(uintptr_t)0xFFF;
    unsigned char is_there = 0;
    /* Where the last one is there, so are most, and asking for them takes as long as the copy. */
    if (last > first && !(mincore((void *)(last - 0x1000), 0x1000, &is_there) == 0 && is_there & 1)) {
        (void)madvise((void *)first, last - first, MADV_POPULATE_WRITE);  /* may be unknown */
    }
#else
    (void)start;
    (void)size;
#endif
}

#endif
