/* Constants of the scanner that are larger than an int. */

#ifndef QUICKPICKLE_SCAN_H
#define QUICKPICKLE_SCAN_H

/* Cython leaves out the last fields of types, which newer interpreters have added. */
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif

#define NOTHING 0xFFFFFFFFu
#define OWNED 0xFFFFFFFFu
#define USED 0x80000000u

#endif
