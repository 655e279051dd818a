/* Differences between compilers and systems. */

#ifndef QUICKPICKLE_MACHINE_H
#define QUICKPICKLE_MACHINE_H

/* Cython leaves out the last fields of types, which newer interpreters have added. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Hides from the compiler how a number is computed. Otherwise it makes branches if the number is
   one of two, or, for a copy of at most so many bytes, an instruction with a slow start. */
#if defined(__GNUC__)
#define quickpickle_opaque(number) __asm__("" : "+r"(number))
#else
#define quickpickle_opaque(number) ((void)(number))
#endif

/* A condition that is false nearly always. */
#if defined(__GNUC__)
#define quickpickle_rarely(condition) __builtin_expect(!!(condition), 0)
#else
#define quickpickle_rarely(condition) (condition)
#endif

/* Makes the processor fetch memory that is needed soon. */
#if defined(__GNUC__)
#define quickpickle_prefetch(obj) __builtin_prefetch(obj)
#else
#define quickpickle_prefetch(obj) ((void)(obj))
#endif

/* The page faults of fresh memory, one for every 4 KiB, cost more than the copy. So all pages that
   are about to be filled are made at once, which saves 10 % of a dump of 50 MB. Large pages would
   cost still less, but sometimes, where the system has to free memory for one, a hundred times as
   much. */
static inline void quickpickle_make_pages(char *start, size_t size)
{
#if defined(__linux__)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
    uintptr_t first = ((uintptr_t)start + 0xFFF) & ~(uintptr_t)0xFFF;
    uintptr_t last = ((uintptr_t)start + size) & ~(uintptr_t)0xFFF;
    unsigned char is_there = 0;
    /* If the last page is there, most are, and asking for them takes as long as the copy. */
    if (last > first &&
        !(mincore((void *)(last - 0x1000), 0x1000, &is_there) == 0 && is_there & 1)) {
        (void)madvise((void *)first, last - first, MADV_POPULATE_WRITE);  /* may be unknown */
    }
#else
    (void)start;
    (void)size;
#endif
}

/* As memcpy; for a few bytes its call takes longer than the copy. Dicts with short keys take 22 %
   less time. */
static inline void quickpickle_copy(char *target, const char *source, Py_ssize_t size)
{
    if (size > 64) {
        memcpy(target, source, size);
    }
    else if (size > 32) {
        char first[32], last[32];
        memcpy(first, source, 32);
        memcpy(last, source + size - 32, 32);
        memcpy(target, first, 32);
        memcpy(target + size - 32, last, 32);
    }
    else if (size >= 16) {
        char first[16], last[16];
        memcpy(first, source, 16);
        memcpy(last, source + size - 16, 16);
        memcpy(target, first, 16);
        memcpy(target + size - 16, last, 16);
    }
    else if (size >= 8) {
        uint64_t first, last;
        memcpy(&first, source, 8);
        memcpy(&last, source + size - 8, 8);
        memcpy(target, &first, 8);
        memcpy(target + size - 8, &last, 8);
    }
    else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, source, 4);
        memcpy(&last, source + size - 4, 4);
        memcpy(target, &first, 4);
        memcpy(target + size - 4, &last, 4);
    }
    else {
        Py_ssize_t i;
        for (i = 0; i < size; i++) {
            target[i] = source[i];
        }
    }
}

#endif
