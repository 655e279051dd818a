/* Large ints as decimal text and back, for protocols 0 and 1. In a radix of 10**9 the work grows
   with the square of the length, as the interpreter's own does, so very long ones are left to it;
   it may also be told to refuse those (sys.set_int_max_str_digits), of 640 digits or more. */

#ifndef QUICKPICKLE_DECIMAL_H
#define QUICKPICKLE_DECIMAL_H

#include <Python.h>

#define QUICKPICKLE_DECIMAL_BITS 1980
#define QUICKPICKLE_DECIMAL_DIGITS 600  /* of at least that many bits */
#define QUICKPICKLE_DECIMAL_RADIX 1000000000u
#define QUICKPICKLE_DECIMAL_GROUPS (QUICKPICKLE_DECIMAL_DIGITS / 9 + 1)
#define QUICKPICKLE_DECIMAL_WORDS 64  /* of 32 bits: for so many digits, and a sign */

static const char quickpickle_two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Nine decimal digits, or for the first group as many as the number has. */
static char *quickpickle_write_group(char *pos, uint32_t group, int is_first)
{
    char digits[9];
    int i, first = 0;
    for (i = 7; i > 0; i -= 2) {
        memcpy(digits + i, quickpickle_two_digits + 2 * (group % 100), 2);
        group /= 100;
    }
    digits[0] = (char)('0' + group);
    if (is_first) {
        while (first < 8 && digits[first] == '0') {
            first++;
        }
    }
    memcpy(pos, digits + first, 9 - first);
    return pos + 9 - first;
}

/* The text of an int from its digits of PyLong_SHIFT bits, lowest first, of at most
   QUICKPICKLE_DECIMAL_BITS bits together. Needs space for ten bytes for each of them, and one. */
static inline char *quickpickle_write_large_decimal(
    char *pos, const digit *digits, Py_ssize_t count, int negative)
{
    uint32_t groups[QUICKPICKLE_DECIMAL_GROUPS];  /* lowest first */
    int size = 0, j;
    Py_ssize_t i;
    for (i = count - 1; i >= 0; i--) {
        uint32_t carry = digits[i];
        for (j = 0; j < size; j++) {
            uint64_t value = (uint64_t)groups[j] << PyLong_SHIFT | carry;
            carry = (uint32_t)(value / QUICKPICKLE_DECIMAL_RADIX);
            groups[j] = (uint32_t)(value - (uint64_t)carry * QUICKPICKLE_DECIMAL_RADIX);
        }
        while (carry) {
            groups[size++] = carry % QUICKPICKLE_DECIMAL_RADIX;
            carry /= QUICKPICKLE_DECIMAL_RADIX;
        }
    }
    if (negative) {
        *pos++ = '-';
    }
    for (j = size - 1; j >= 0; j--) {
        pos = quickpickle_write_group(pos, groups[j], j == size - 1);
    }
    return pos;
}

/* Reads at most QUICKPICKLE_DECIMAL_DIGITS decimal digits behind an optional minus, and writes
   the int in two's complement, little-endian; returns how many bytes that takes. */
static inline size_t quickpickle_read_large_decimal(
    const char *text, Py_ssize_t length, uint8_t data[4 * QUICKPICKLE_DECIMAL_WORDS])
{
    uint32_t words[QUICKPICKLE_DECIMAL_WORDS];  /* lowest first */
    int size = 0, j;
    const char *end = text + length;
    int negative = *text == '-';
    int left = (int)(length - negative - 1) % 9 + 1;  /* of the first group; the others have nine */
    uint32_t carry_of_negation = 1;
    for (text += negative; text < end; left = 9) {
        uint64_t carry;
        uint32_t group = 0;
        for (; left > 0; left--) {
            group = group * 10 + (uint32_t)(*text++ - '0');
        }
        carry = group;
        for (j = 0; j < size; j++) {
            carry += (uint64_t)words[j] * QUICKPICKLE_DECIMAL_RADIX;
            words[j] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry) {
            words[size++] = (uint32_t)carry;
        }
    }
    words[size] = 0;  /* for the sign */
    for (j = 0; j <= size; j++) {
        uint32_t word = words[j];
        if (negative) {
            word = ~word + carry_of_negation;
            carry_of_negation &= word == 0;
        }
        data[4 * j] = (uint8_t)word;
        data[4 * j + 1] = (uint8_t)(word >> 8);
        data[4 * j + 2] = (uint8_t)(word >> 16);
        data[4 * j + 3] = (uint8_t)(word >> 24);
    }
    return 4 * ((size_t)size + 1);
}

#endif
