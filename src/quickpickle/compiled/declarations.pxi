# What the rooms need of C, of CPython, and of the Python half.

import codecs
import copyreg
import sys
from collections import ChainMap
from functools import partial
from io import BufferedRandom, BufferedWriter, BytesIO, FileIO
from pickle import DEFAULT_PROTOCOL, HIGHEST_PROTOCOL, PickleBuffer, PicklingError
from time import monotonic
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

cimport cython
from cpython.buffer cimport (
    PyBuffer_IsContiguous, PyBuffer_Release, PyBUF_SIMPLE, PyObject_GetBuffer,
)
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE, _PyBytes_Resize,
)
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetInterrupt
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_RawFree, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject, traverseproc, visitproc
from cpython.ref cimport Py_INCREF

from ..optimization import OPCODE_ARGUMENTS
from ..rules.options import check_memo_is_empty
from ..optimization import optimize as optimize_odd
from ..rules.versions import LIST_SIZE_IS_CHECKED
from ..rules.order import SMALL, Failure, Order, dtype_parts, with_parts
from ..rules.versions import PY313, PY315
from ..rules.errors import buffer_needs_protocol_5, no_reduction
from ..rules.digests import PROTOCOL as DIGEST_PROTOCOL, new_hash, reduce_for_digest
from ..files.writing import is_path, write_file
from ..rules.tracebacks import make_public
from ..rules.memo_proxy import PicklerMemoProxy, read_memo
from ..rules.globals import encode_extension, encode_names, extension_code, find_global, own_name
from ..rules import plans as planning
from ..rules.options import (
    already_used,
    check_buffer_callback,
    check_protocol,
    encode_persistent_id,
    int_member,
    no_fast_mode,
    no_int_member_to_delete,
)
from ..rules.progress import INTERVAL, Reporting, check_progress
from ..rules.reductions import (
    ABSENT,
    COPYREG_TABLE as COPYREG,
    OVERRIDE,
    OWN_TABLE,
    SINGLETON_TYPES,
    find,
    has_own_reduction,
    look_up,
    may_be_endless,
    newobj_arguments,
    newobj_ex_arguments,
    unpack,
)
from ..rules.sending import DIGESTING, REPORTING, WRITING, send_rest
from ..rules.nesting import cyclic_error, endless_error
from ..rules.digests import Pieces

# All of these take and give borrowed references, as C does: an object that Cython holds in
# a variable of its own is counted up and down, and the counts are what the memo goes by.
cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(PyObject*)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject*)
    void* PyUnicode_DATA(PyObject*)
    PyObject* PyIter_Next_ "PyIter_Next"(PyObject*)
    PyObject* PyErr_Occurred()
    PyTypeObject PyBool_Type, PyLong_Type, PyFloat_Type, PyUnicode_Type, PyBytes_Type
    PyTypeObject PyTuple_Type, PyList_Type, PyDict_Type, PySet_Type, PyFrozenSet_Type
    PyTypeObject PyByteArray_Type, PyType_Type
    PyTypeObject* Py_TYPE(PyObject*)
    Py_ssize_t Py_REFCNT(PyObject*)
    void Py_INCREF_ "Py_INCREF"(PyObject*)
    void Py_XINCREF(PyObject*)
    void Py_DECREF(PyObject*)
    void Py_XDECREF(PyObject*)
    PyObject* Py_None
    PyObject* Py_True

    Py_ssize_t PyBytes_GET_SIZE_ "PyBytes_GET_SIZE"(PyObject*)
    char* PyBytes_AS_STRING_ "PyBytes_AS_STRING"(PyObject*)
    PyObject* PyBytes_FromStringAndSize_ "PyBytes_FromStringAndSize"(const char*, Py_ssize_t) except NULL
    Py_ssize_t PyTuple_GET_SIZE(PyObject*)
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t)
    Py_ssize_t PyList_GET_SIZE(PyObject*)
    PyObject* PyList_GET_ITEM(PyObject*, Py_ssize_t)
    Py_ssize_t PySet_GET_SIZE(PyObject*)
    ctypedef struct PySetObject:
        Py_ssize_t mask
    Py_ssize_t PyDict_Size(PyObject*) except -1
    Py_ssize_t PyDict_GET_SIZE(PyObject*)
    bint PyDict_Next(PyObject*, Py_ssize_t*, PyObject**, PyObject**)
    PyObject* PyDict_GetItemWithError(PyObject*, PyObject*) except? NULL
    PyObject* PyDict_SetDefault(PyObject*, PyObject*, PyObject*) except NULL
    PyObject* PyImport_GetModuleDict() except NULL
    PyObject* PyModule_GetDict(PyObject*) noexcept
    const unsigned long Py_TPFLAGS_HEAPTYPE
    PyObject* PyType_GetQualName(PyTypeObject*) except NULL

    const Py_buffer* PyPickleBuffer_GetBuffer(object) except NULL
    const Py_buffer* PyMemoryView_GET_BUFFER(object)
    PyObject* PyFunction_GET_CODE(PyObject*)
    bint PyCallable_Check(object)
    bint PyDict_CheckExact(object)
    bint PyIter_Check(object)
    bint PyUnicode_Check(object)
    bint PyUnicode_CheckExact(object)
    bint PyType_Check(object)
    PyObject* PyMethod_GET_SELF(object)
    object PyTuple_GetSlice(object, Py_ssize_t, Py_ssize_t)
    double PyFloat_AS_DOUBLE(PyObject*)
    object PyLong_FromVoidPtr(void*)
    PyObject* _PyType_Lookup(PyTypeObject*, object)
    int PyOS_InterruptOccurred()

cdef extern from *:
    """
    /* Cython leaves out the last fields of types, which newer interpreters have added. */
    #if defined(__GNUC__)
    #pragma GCC diagnostic ignored "-Wmissing-field-initializers"
    #endif

    /* The attributes of most instances lie in an array beside or within the instance, and a dict of
       them is made for whoever asks for one: which takes longer than to write them, and half of
       what a dump would add in memory. So they are read where they lie, in the order of
       quickpickle_attribute, in the versions that we have seen. */
    #if PY_VERSION_HEX < 0x03100000 && !defined(Py_GIL_DISABLED)
    #define QUICKPICKLE_VALUES
    #endif

    /* The head of a dict's keys, which the entries follow. */
    #ifdef QUICKPICKLE_VALUES
    typedef struct {
        Py_ssize_t refs;
        uint8_t log2_size, log2_index_bytes, kind;
        uint32_t version;
        Py_ssize_t usable, entries;
        char indices[1];
    } quickpickle_keys;

    typedef struct {
        PyObject *key, *value;
    } quickpickle_key;

    typedef struct {
        Py_hash_t hash;
        PyObject *key, *value;
    } quickpickle_hashed_key;

    typedef struct {  /* from 3.13 on */
        uint8_t capacity, size, embedded, valid;
        PyObject *values[1];
    } quickpickle_dict_values;
    #endif

    #include "structmember.h"
    #include "datetime.h"
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    /* Whether the references that we know of are all that there are. Without the interpreter's
       lock another thread may be about to take one. */
    #ifdef Py_GIL_DISABLED
    #define quickpickle_has_refs(obj, refs) 0
    #else
    #define quickpickle_has_refs(obj, refs) (Py_REFCNT(obj) == (refs))
    #endif

    /* Before 3.12 making an object may run the garbage collector, and so other code. */
    #if PY_VERSION_HEX < 0x030C0000
    #define quickpickle_stop_collecting() PyGC_Disable()
    #define quickpickle_go_on_collecting(was_on) if (was_on) { PyGC_Enable(); }
    #else
    #define quickpickle_stop_collecting() 0
    #define quickpickle_go_on_collecting(was_on) ((void)(was_on))
    #endif

    /* Where the attributes of an instance lie that has no dict yet; else NULL. */
    static inline void *quickpickle_values(PyObject *obj)
    {
    #ifdef QUICKPICKLE_VALUES
        if (PyType_HasFeature(Py_TYPE(obj), Py_TPFLAGS_MANAGED_DICT)) {
    #if PY_VERSION_HEX >= 0x030D0000
            if (PyType_HasFeature(Py_TYPE(obj), Py_TPFLAGS_INLINE_VALUES)) {
                quickpickle_dict_values *values =
                    (quickpickle_dict_values *)((char *)obj + Py_TYPE(obj)->tp_basicsize);
                return ((void **)obj)[-3] == NULL && values->valid ? values : NULL;
            }
    #elif PY_VERSION_HEX >= 0x030C0000
            uintptr_t held = ((uintptr_t *)obj)[-3];  /* a dict, or, with a bit set, the array */
            return held & 1 ? (void *)(held + 1) : NULL;
    #else
            return ((void **)obj)[-4];
    #endif
        }
    #endif
        (void)obj;
        return NULL;
    }

    static inline Py_ssize_t quickpickle_count_attributes(void *values)
    {
    #if !defined(QUICKPICKLE_VALUES)
        (void)values;
        return 0;
    #elif PY_VERSION_HEX >= 0x030D0000
        return ((quickpickle_dict_values *)values)->size;
    #else
        return ((const uint8_t *)values)[-2];
    #endif
    }

    #ifdef QUICKPICKLE_VALUES
    /* The value that was set as the i-th, and its place among the keys. */
    static inline PyObject *quickpickle_value(void *values, Py_ssize_t i, Py_ssize_t *place)
    {
    #if PY_VERSION_HEX >= 0x030D0000
        PyObject **items = ((quickpickle_dict_values *)values)->values;
        *place = ((const uint8_t *)&items[((quickpickle_dict_values *)values)->capacity])[i];
        return items[*place];
    #else
        /* In front of the array, from its end: its own size, how many are set, in what order. */
        *place = ((const uint8_t *)values)[-3 - i];
        return ((PyObject **)values)[*place];
    #endif
    }
    #endif

    /* As PyDict_Next, where the attributes lie in such an array. What it counts positions by, the
       order in which they were set, stays what it is when a dict is made of them. */
    static inline int quickpickle_attribute(
        PyObject *obj, void *values, Py_ssize_t *position, PyObject **key, PyObject **value)
    {
    #ifdef QUICKPICKLE_VALUES
        Py_ssize_t i = *position, place;
        if (i < quickpickle_count_attributes(values)) {
            quickpickle_keys *keys =
                (quickpickle_keys *)((PyHeapTypeObject *)Py_TYPE(obj))->ht_cached_keys;
            quickpickle_key *found =
                (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
            *position = i + 1;
            *value = quickpickle_value(values, i, &place);
            *key = found[place].key;
            return 1;
        }
    #endif
        (void)obj, (void)values, (void)position, (void)key, (void)value;
        return 0;
    }

    /* The head of a dict, whose version is deprecated, so that it is not asked for by its name. */
    typedef struct {
        PyObject_HEAD
        Py_ssize_t used;
        uint64_t version;
    } quickpickle_dict_head;

    /* What changes with every change of a dict; 0 where there is no such thing. */
    static inline uint64_t quickpickle_dict_version(PyObject *dict)
    {
    #if PY_VERSION_HEX < 0x030E0000
        uint64_t version;
        memcpy(&version, (char *)dict + offsetof(quickpickle_dict_head, version), 8);
        return version;
    #else
        (void)dict;
        return 0;
    #endif
    }

    /* The dict of an instance, borrowed; NULL where it has none (yet), and so no attributes. */
    static inline PyObject *quickpickle_instance_dict(PyObject *obj)
    {
        Py_ssize_t offset = Py_TYPE(obj)->tp_dictoffset;
        PyObject **dict;
        if (offset > 0) {  /* a class of C */
            dict = (PyObject **)((char *)obj + offset);
        }
        else {
            int was_on = quickpickle_stop_collecting();
            dict = _PyObject_GetDictPtr(obj);
            quickpickle_go_on_collecting(was_on);
        }
        return dict == NULL ? NULL : *dict;
    }

    /* Calls a method of C, or str of an object of C, that runs no other code. */
    static PyObject *quickpickle_call_quietly(PyObject *function, PyObject *obj)
    {
        int was_on = quickpickle_stop_collecting();
        PyObject *result = PyObject_CallOneArg(function, obj);
        quickpickle_go_on_collecting(was_on);
        return result;
    }

    static PyObject *quickpickle_view_quietly(char *data, Py_ssize_t size)
    {
        int was_on = quickpickle_stop_collecting();
        PyObject *result = PyMemoryView_FromMemory(data, size, PyBUF_READ);
        quickpickle_go_on_collecting(was_on);
        return result;
    }

    /* Not PyObject_Str, which lets the handlers of signals run, and from 3.12 on the collector. */
    static PyObject *quickpickle_str_quietly(PyObject *obj)
    {
        int was_on = quickpickle_stop_collecting();
        PyObject *result = Py_TYPE(obj)->tp_str(obj);
        quickpickle_go_on_collecting(was_on);
        return result;
    }

    /* Calls a method of a class of C with an object: its results are none of those to be checked. */
    static inline PyObject *quickpickle_call_method(PyObject *method, PyObject *self, PyObject *obj)
    {
        PyObject *args[] = {self, obj};
        return PyVectorcall_Function(method)(method, args, 2, NULL);
    }

    /* The same with the first `size` bytes of a bytes object that nobody else has. */
    static inline PyObject *quickpickle_write_part(
        PyObject *write, PyObject *file, PyObject *bytes, Py_ssize_t size
    ) {
        Py_ssize_t whole = PyBytes_GET_SIZE(bytes);
        PyObject *result;
        Py_SET_SIZE(bytes, size);
        result = quickpickle_call_method(write, file, bytes);
        Py_SET_SIZE(bytes, whole);
        return result;
    }

    /* Calls a hook with an object: a method without a detour by way of the bound method. */
    static inline PyObject *quickpickle_call_hook(PyObject *hook, PyObject *obj)
    {
        if (PyMethod_Check(hook)) {
            PyObject *args[] = {PyMethod_GET_SELF(hook), obj};
            PyObject *function = PyMethod_GET_FUNCTION(hook);
            if (PyFunction_Check(function)) {  /* whose results are none of those to be checked */
                return ((PyFunctionObject *)function)->vectorcall(function, args, 2, NULL);
            }
            return PyObject_Vectorcall(function, args, 2, NULL);
        }
        return PyObject_CallOneArg(hook, obj);
    }

    /* Keeps the compiler from making something of how a number comes about: branches where it may be
       one of two, or, of a copy of at most so many bytes, an instruction that takes long to start. */
    #if defined(__GNUC__)
    #define quickpickle_opaque(number) __asm__("" : "+r"(number))
    #else
    #define quickpickle_opaque(number) ((void)(number))
    #endif

    /* memcpy, which for a few bytes takes longer to be called than to copy them. */
    static inline void quickpickle_copy(char *target, const char *source, Py_ssize_t size)
    {
        if (size > 64) {
            quickpickle_opaque(size);
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

    /* Whether an int has at most 60 bits, as nearly all have; then also its value. */
    static inline int quickpickle_small_long(PyObject *obj, int64_t *value)
    {
    #if PY_VERSION_HEX >= 0x030E0000
        int overflow;
        if (PyUnstable_Long_IsCompact((PyLongObject *)obj)) {
            *value = PyUnstable_Long_CompactValue((PyLongObject *)obj);
            return 1;
        }
        *value = PyLong_AsLongLongAndOverflow(obj, &overflow);
        return !overflow;
    #else
        /* Without branches: whether numbers of 32 bits have one digit or two cannot be foreseen. */
    #if PY_VERSION_HEX >= 0x030C0000
        const digit *digits = ((PyLongObject *)obj)->long_value.ob_digit;
        uintptr_t tag = ((PyLongObject *)obj)->long_value.lv_tag;
        Py_ssize_t size = (Py_ssize_t)(tag >> _PyLong_NON_SIZE_BITS);
        int sign = 1 - (int)(tag & _PyLong_SIGN_MASK);
    #else
        const digit *digits = ((PyLongObject *)obj)->ob_digit;
        Py_ssize_t size = Py_SIZE(obj), sign = (size > 0) - (size < 0);
        size *= sign;
    #endif
        if (size > 2) {
            return 0;
        }
        *value = (digits[0] + ((int64_t)(digits[size >> 1] & -(digit)(size >> 1)) << PyLong_SHIFT)) * sign;
        return 1;
    #endif
    }

    /* Little-endian and big-endian, whatever the machine. */
    static inline void quickpickle_store4(char *target, uint32_t value)
    {
    #if PY_LITTLE_ENDIAN
        memcpy(target, &value, 4);
        return;
    #endif
        target[0] = (char)value;
        target[1] = (char)(value >> 8);
        target[2] = (char)(value >> 16);
        target[3] = (char)(value >> 24);
    }

    /* BINGET or LONG_BINGET: which of the two cannot be foreseen, so without a branch. */
    static inline char *quickpickle_put_get(char *pos, uint32_t number)
    {
        int is_long = number >= 256;
        quickpickle_opaque(is_long);
        pos[0] = (char)(0x68 + 2 * is_long);
        quickpickle_store4(pos + 1, number);
        return pos + 2 + 3 * is_long;
    }

    static inline void quickpickle_store_double(char *target, double value)
    {
        uint64_t bits;
        memcpy(&bits, &value, 8);
        target[0] = (char)(bits >> 56);
        target[1] = (char)(bits >> 48);
        target[2] = (char)(bits >> 40);
        target[3] = (char)(bits >> 32);
        target[4] = (char)(bits >> 24);
        target[5] = (char)(bits >> 16);
        target[6] = (char)(bits >> 8);
        target[7] = (char)bits;
    }

    /* The digits of an int of more than 64 bits, of PyLong_SHIFT bits each, lowest first; returns
       how many. */
    static Py_ssize_t quickpickle_digits(PyObject *obj, const digit **digits, int *negative)
    {
    #if PY_VERSION_HEX >= 0x030E0000
        PyLongExport view;
        if (PyLong_Export(obj, &view) < 0) {
            return -1;
        }
        *digits = (const digit *)view.digits;  /* the int's own, which outlive the view */
        *negative = view.negative;
        PyLong_FreeExport(&view);
        return view.ndigits;
    #elif PY_VERSION_HEX >= 0x030C0000
        *digits = ((PyLongObject *)obj)->long_value.ob_digit;
        *negative = (((PyLongObject *)obj)->long_value.lv_tag & _PyLong_SIGN_MASK) == 2;
        return (Py_ssize_t)(((PyLongObject *)obj)->long_value.lv_tag >> _PyLong_NON_SIZE_BITS);
    #else
        *digits = ((PyLongObject *)obj)->ob_digit;
        *negative = Py_SIZE(obj) < 0;
        return *negative ? -Py_SIZE(obj) : Py_SIZE(obj);
    #endif
    }

    /* Writes digits in two's complement, little-endian, and a byte that repeats the sign; returns
       what follows. May write seven bytes more than that. */
    static char *quickpickle_write_digits(
        char *pos, const digit *digits, Py_ssize_t count, int negative)
    {
        const uint64_t mask = ((uint64_t)1 << PyLong_SHIFT) - 1;
        uint64_t bits = 0, carry = 1;
        int size = 0;
        Py_ssize_t i;
        for (i = 0; i < count; i++) {
            uint64_t value = digits[i];
            if (negative) {  /* the complement, and one more */
                value = (~value & mask) + carry;
                carry = value >> PyLong_SHIFT;
                value &= mask;
            }
            bits |= value << size;
            size += PyLong_SHIFT;
            if (size >= 32) {
                quickpickle_store4(pos, (uint32_t)bits);
                pos += 4;
                bits >>= 32;
                size -= 32;
            }
        }
        if (negative) {
            bits |= ~(uint64_t)0 << size;
        }
        for (size += 8; size > 0; size -= 8) {
            *pos++ = (char)bits;
            bits = bits >> 8 | (negative ? (uint64_t)0xFF << 56 : 0);
        }
        return pos;
    }

    #define quickpickle_list_items(obj) (((PyListObject *)(obj))->ob_item)
    #define quickpickle_tuple_items(obj) (((PyTupleObject *)(obj))->ob_item)

    /* Writes a float, or an int of 32 bits, or None, True or False, from protocol 2 on, and
       returns what follows it; NULL for any other object. Needs room for nine bytes. */
    static inline char *quickpickle_scalar(char *pos, PyObject *obj)
    {
        static const uint8_t codes[] = {0, 'N', 0x88, 0x89};
        int64_t value;
        int which;
        if (PyLong_CheckExact(obj)) {
            if (!quickpickle_small_long(obj, &value)) {
                return NULL;
            }
            if ((uint64_t)value <= 0xFF) {
                pos[0] = 'K';
                pos[1] = (char)value;
                return pos + 2;
            }
            if ((uint64_t)value <= 0xFFFF) {
                pos[0] = 'M';
                pos[1] = (char)value;
                pos[2] = (char)(value >> 8);
                return pos + 3;
            }
            if (value != (int32_t)value) {
                return NULL;
            }
            pos[0] = 'J';
            quickpickle_store4(pos + 1, (uint32_t)value);
            return pos + 5;
        }
        if (PyFloat_CheckExact(obj)) {
            pos[0] = 'G';
            quickpickle_store_double(pos + 1, PyFloat_AS_DOUBLE(obj));
            return pos + 9;
        }
        /* One branch, which is foreseen where these three are mixed. */
        which = (obj == Py_None) + 2 * (obj == Py_True) + 3 * (obj == Py_False);
        quickpickle_opaque(which);
        if (which) {
            pos[0] = (char)codes[which];
            return pos + 1;
        }
        return NULL;
    }

    /* Writes as many such objects as there are at the start of an array, and sets `done` to their
       number. From `stop` on there is no room. */
    static inline char *quickpickle_scalars(
        char *pos, char *stop, PyObject **items, Py_ssize_t count, Py_ssize_t *done)
    {
        Py_ssize_t i;
        for (i = 0; i < count && pos < stop; i++) {
            char *next = quickpickle_scalar(pos, items[i]);
            if (next == NULL) {
                break;
            }
            pos = next;
        }
        *done = i;
        return pos;
    }

    /* Has the processor fetch what will be needed soon. */
    #if defined(__GNUC__)
    #define quickpickle_prefetch(obj) __builtin_prefetch(obj)
    #else
    #define quickpickle_prefetch(obj) ((void)(obj))
    #endif

    /* The members of a set behind a position, and for each the position behind it; sets `position`
       behind the last place that was looked at. Looks at `limit` places, which is how many there
       may be. Which of them are taken cannot be foreseen, so without branches; one that was freed
       has the hash -1, which no member has. */
    static Py_ssize_t quickpickle_set_members(
        PyObject *obj, Py_ssize_t *position, Py_ssize_t limit, PyObject **members, Py_ssize_t *ends)
    {
        PySetObject *set = (PySetObject *)obj;
        Py_ssize_t i = *position, last = set->mask + 1, count = 0;
        if (last - i > limit) {
            last = i + limit;
        }
        while (i < last) {
            setentry *entry = &set->table[i++];
            quickpickle_prefetch(entry->key);
            members[count] = entry->key;
            ends[count] = i;
            count += (entry->key != NULL) & (entry->hash != -1);
        }
        *position = i;
        return count;
    }

    /* PyDict_Next, of which a call takes longer than what it does. */
    static inline int quickpickle_dict_next(
        PyObject *dict, Py_ssize_t *position, PyObject **key, PyObject **value)
    {
    #ifdef QUICKPICKLE_VALUES
        if (((PyDictObject *)dict)->ma_values == NULL) {
            quickpickle_keys *keys = (quickpickle_keys *)((PyDictObject *)dict)->ma_keys;
            char *entries = keys->indices + ((size_t)1 << keys->log2_index_bytes);
            Py_ssize_t i = *position, count = keys->entries;
            if (keys->kind != 0) {  /* of strings only */
                quickpickle_key *entry = (quickpickle_key *)entries + i;
                for (; i < count; i++, entry++) {
                    if (entry->value != NULL) {
                        *position = i + 1;
                        *key = entry->key;
                        *value = entry->value;
                        return 1;
                    }
                }
            }
            else {
                quickpickle_hashed_key *entry = (quickpickle_hashed_key *)entries + i;
                for (; i < count; i++, entry++) {
                    if (entry->value != NULL) {
                        *position = i + 1;
                        *key = entry->key;
                        *value = entry->value;
                        return 1;
                    }
                }
            }
            return 0;
        }
        else {  /* it shares its keys with other instances' dicts, each has the order of its own */
            quickpickle_keys *keys = (quickpickle_keys *)((PyDictObject *)dict)->ma_keys;
            quickpickle_key *entries =
                (quickpickle_key *)(keys->indices + ((size_t)1 << keys->log2_index_bytes));
            Py_ssize_t i = *position, place;
            if (i >= ((PyDictObject *)dict)->ma_used) {
                return 0;
            }
            *value = quickpickle_value(((PyDictObject *)dict)->ma_values, i, &place);
            *position = i + 1;
            *key = entries[place].key;
            return 1;
        }
    #else
        return PyDict_Next(dict, position, key, value);
    #endif
    }

    /* The UTF-8 that a string keeps of itself once it was asked for it; NULL for none. */
    static inline const char *quickpickle_kept_utf8(PyObject *obj, Py_ssize_t *size)
    {
    #ifndef Py_GIL_DISABLED
        if (PyUnicode_IS_COMPACT(obj)) {
            *size = ((PyCompactUnicodeObject *)obj)->utf8_length;
            return ((PyCompactUnicodeObject *)obj)->utf8;
        }
    #endif
        return NULL;
    }

    /* UTF-8, with surrogates as if they were characters ("surrogatepass"). It takes at most twice
       the memory that the string does, so a size_t can count it, where no bytes object may have it. */
    static size_t quickpickle_utf8_size(PyObject *obj)
    {
        int kind = PyUnicode_KIND(obj);
        const void *data = PyUnicode_DATA(obj);
        Py_ssize_t i, length = PyUnicode_GET_LENGTH(obj);
        size_t size = (size_t)length;
        if (kind == PyUnicode_1BYTE_KIND) {
            const Py_UCS1 *text = (const Py_UCS1 *)data;
            for (i = 0; i < length; i++) {
                size += text[i] >> 7;
            }
        }
        else if (kind == PyUnicode_2BYTE_KIND) {
            const Py_UCS2 *text = (const Py_UCS2 *)data;
            for (i = 0; i < length; i++) {
                size += (text[i] >= 0x80) + (text[i] >= 0x800);
            }
        }
        else {
            const Py_UCS4 *text = (const Py_UCS4 *)data;
            for (i = 0; i < length; i++) {
                size += (text[i] >= 0x80) + (text[i] >= 0x800) + (text[i] >= 0x10000);
            }
        }
        return size;
    }

    static void quickpickle_write_utf8(PyObject *obj, char *target)
    {
        int kind = PyUnicode_KIND(obj);
        const void *data = PyUnicode_DATA(obj);
        Py_ssize_t i, length = PyUnicode_GET_LENGTH(obj);
        for (i = 0; i < length; i++) {
            Py_UCS4 c = PyUnicode_READ(kind, data, i);
            if (c < 0x80) {
                *target++ = (char)c;
            }
            else if (c < 0x800) {
                *target++ = (char)(0xC0 | (c >> 6));
                *target++ = (char)(0x80 | (c & 0x3F));
            }
            else if (c < 0x10000) {
                *target++ = (char)(0xE0 | (c >> 12));
                *target++ = (char)(0x80 | ((c >> 6) & 0x3F));
                *target++ = (char)(0x80 | (c & 0x3F));
            }
            else {
                *target++ = (char)(0xF0 | (c >> 18));
                *target++ = (char)(0x80 | ((c >> 12) & 0x3F));
                *target++ = (char)(0x80 | ((c >> 6) & 0x3F));
                *target++ = (char)(0x80 | (c & 0x3F));
            }
        }
    }

    /* The fields of a NumPy array that its C interface has made public, and not changed since. What
       they hold is compared with what an array says before they are relied on. */
    typedef struct {
        PyObject_HEAD
        char *data;
        int nd;
        Py_ssize_t *dimensions, *strides;
        PyObject *base, *descr;
        int flags;
    } quickpickle_array;

    /* Whether an object is a class that is looked for in a dict by its address. */
    static inline int quickpickle_is_plain_class(PyObject *obj)
    {
        return PyType_Check(obj) && Py_TYPE(obj)->tp_hash == PyType_Type.tp_hash &&
               Py_TYPE(obj)->tp_richcompare == PyType_Type.tp_richcompare;
    }

    /* Strings that old APIs made are not what they seem, until they are made ready; up to 3.11. */
    #if PY_VERSION_HEX < 0x030C0000
    #define quickpickle_make_ready(obj) PyUnicode_READY(obj)
    /* What a string is not yet counts as longer than any. */
    #define quickpickle_length(obj) (PyUnicode_IS_READY(obj) ? PyUnicode_GET_LENGTH(obj) : PY_SSIZE_T_MAX)
    #else
    #define quickpickle_make_ready(obj) 0
    #define quickpickle_length(obj) PyUnicode_GET_LENGTH(obj)
    #endif

    /* As _PyBytes_Resize, without an exception. */
    static inline int quickpickle_resize(PyObject **bytes, Py_ssize_t size)
    {
        int result = _PyBytes_Resize(bytes, size);
        if (result < 0) {
            PyErr_Clear();
        }
        return result;
    }

    /* Whether to look up a str in a dict runs no other code: its keys are all of type str. */
    static inline int quickpickle_has_str_keys(PyObject *dict)
    {
    #ifdef QUICKPICKLE_VALUES
        return ((PyDictObject *)dict)->ma_values != NULL ||
               ((quickpickle_keys *)((PyDictObject *)dict)->ma_keys)->kind != 0;
    #else
        (void)dict;
        return 0;
    #endif
    }

    #define quickpickle_has_generic_getattr(cls) ((cls)->tp_getattro == PyObject_GenericGetAttr)

    /* Where an instance of `cls` has a slot; -1 if the descriptor is not that of one of its slots. */
    static Py_ssize_t quickpickle_slot_offset(PyObject *descriptor, PyTypeObject *cls)
    {
        PyMemberDef *member;
        if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type) ||
            !PyType_IsSubtype(cls, PyDescr_TYPE(descriptor))) {
            return -1;
        }
        member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : -1;
    }

    #define quickpickle_slot(obj, offset) (*(PyObject **)((char *)(obj) + (offset)))

    /* The values of slots, which are all set, in a tuple that nobody else sees. */
    static PyObject *quickpickle_slot_values(PyObject *obj, Py_ssize_t *offsets, Py_ssize_t size)
    {
        int was_on = quickpickle_stop_collecting();
        PyObject *values = PyTuple_New(size);
        Py_ssize_t i;
        quickpickle_go_on_collecting(was_on);
        if (values == NULL) {
            return NULL;
        }
        for (i = 0; i < size; i++) {
            PyTuple_SET_ITEM(values, i, Py_NewRef(quickpickle_slot(obj, offsets[i])));
        }
        PyObject_GC_UnTrack(values);
        return values;
    }

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

    /* What date, datetime and time give as the first argument of their reduction. */
    static int quickpickle_datetime_bytes(PyObject *obj, char *target)
    {
        if (PyDateTime_CheckExact(obj)) {
            memcpy(target, ((PyDateTime_DateTime *)obj)->data, _PyDateTime_DATETIME_DATASIZE);
            if (PyDateTime_DATE_GET_FOLD(obj)) {
                target[2] = (char)(target[2] | 0x80);
            }
            return _PyDateTime_DATETIME_DATASIZE;
        }
        if (PyDate_CheckExact(obj)) {
            memcpy(target, ((PyDateTime_Date *)obj)->data, _PyDateTime_DATE_DATASIZE);
            return _PyDateTime_DATE_DATASIZE;
        }
        memcpy(target, ((PyDateTime_Time *)obj)->data, _PyDateTime_TIME_DATASIZE);
        if (PyDateTime_TIME_GET_FOLD(obj)) {
            target[0] = (char)(target[0] | 0x80);
        }
        return _PyDateTime_TIME_DATASIZE;
    }

    /* The time zone of a datetime or time; NULL for none. */
    static PyObject *quickpickle_tzinfo(PyObject *obj)
    {
        if (PyDateTime_CheckExact(obj)) {
            PyDateTime_DateTime *value = (PyDateTime_DateTime *)obj;
            return value->hastzinfo ? value->tzinfo : NULL;
        }
        if (PyTime_CheckExact(obj)) {
            PyDateTime_Time *value = (PyDateTime_Time *)obj;
            return value->hastzinfo ? value->tzinfo : NULL;
        }
        return NULL;
    }

    /* Whether a class, asked for its name, has one that says how it is to be pickled. */
    static int quickpickle_is_called_newobj(PyTypeObject *cls)
    {
        const char *name = strrchr(cls->tp_name, '.');
        name = name == NULL ? cls->tp_name : name + 1;
        return strncmp(name, "__newobj", 8) == 0;
    }

    static int quickpickle_is_date(PyTypeObject *cls)
    {
        return cls == PyDateTimeAPI->DateType || cls == PyDateTimeAPI->DateTimeType ||
               cls == PyDateTimeAPI->TimeType;
    }

    static int quickpickle_import_datetime(void)
    {
        PyDateTime_IMPORT;
        return PyDateTimeAPI == NULL ? -1 : 0;
    }
    """
    void quickpickle_opaque(int)
    bint quickpickle_has_refs(PyObject*, Py_ssize_t)
    void* quickpickle_values(PyObject*)
    bint quickpickle_attribute(PyObject*, void*, Py_ssize_t*, PyObject**, PyObject**)
    Py_ssize_t quickpickle_count_attributes(void*)
    uint64_t quickpickle_dict_version(PyObject*)
    PyObject* quickpickle_instance_dict(PyObject*)
    object quickpickle_call_method(object, object, object)
    object quickpickle_write_part(object, object, PyObject*, Py_ssize_t)
    object quickpickle_call_hook(object, object)
    bint unlikely(bint)
    PyObject* quickpickle_call_quietly(PyObject*, PyObject*) except NULL
    object quickpickle_view_quietly(char*, Py_ssize_t)
    PyObject* quickpickle_str_quietly(PyObject*) except NULL
    bint quickpickle_small_long(PyObject*, int64_t*)
    void quickpickle_prefetch(const void*)
    void quickpickle_copy(char*, const char*, Py_ssize_t)
    ctypedef unsigned int digit
    enum: PyLong_SHIFT
    Py_ssize_t quickpickle_digits(PyObject*, const digit**, int*) except -1
    char* quickpickle_write_digits(char*, const digit*, Py_ssize_t, int)
    char* quickpickle_scalar(char*, PyObject*)
    char* quickpickle_scalars(char*, char*, PyObject**, Py_ssize_t, Py_ssize_t*)
    PyObject** quickpickle_list_items(PyObject*)
    PyObject** quickpickle_tuple_items(PyObject*)
    Py_ssize_t quickpickle_set_members(PyObject*, Py_ssize_t*, Py_ssize_t, PyObject**, Py_ssize_t*)
    bint quickpickle_dict_next(PyObject*, Py_ssize_t*, PyObject**, PyObject**)
    const char* quickpickle_kept_utf8(PyObject*, Py_ssize_t*)
    size_t quickpickle_utf8_size(PyObject*)
    void quickpickle_write_utf8(PyObject*, char*)
    void quickpickle_store4(char*, uint32_t)
    char* quickpickle_put_get(char*, uint32_t)
    ctypedef struct quickpickle_array:
        char* data
        int nd, flags
        Py_ssize_t* dimensions
        PyObject* descr
    bint quickpickle_has_generic_getattr(PyTypeObject*)
    bint quickpickle_is_plain_class(PyObject*)
    bint quickpickle_has_str_keys(PyObject*)
    int quickpickle_make_ready(PyObject*) except -1
    Py_ssize_t quickpickle_length(PyObject*)
    int quickpickle_resize(PyObject**, Py_ssize_t)
    int Py_EnterRecursiveCall(const char*) except -1
    void Py_LeaveRecursiveCall()
    Py_ssize_t quickpickle_slot_offset(PyObject*, PyTypeObject*)
    PyObject* quickpickle_slot(PyObject*, Py_ssize_t)
    PyObject* quickpickle_slot_values(PyObject*, Py_ssize_t*, Py_ssize_t) except NULL
    void quickpickle_make_pages(char*, size_t)
    int quickpickle_datetime_bytes(PyObject*, char*)
    PyObject* quickpickle_tzinfo(PyObject*)
    bint quickpickle_is_called_newobj(PyTypeObject*)
    bint quickpickle_is_date(PyTypeObject*)
    int quickpickle_import_datetime() except -1

cdef object absent = ABSENT
cdef PyTypeObject* function_type = <PyTypeObject*>FunctionType
cdef PyTypeObject* module_type = <PyTypeObject*>ModuleType
cdef PyTypeObject* picklebuffer_type = <PyTypeObject*>PickleBuffer

cdef enum:  # flags of arrays
    ARRAY_C_CONTIGUOUS = 1
    ARRAY_F_CONTIGUOUS = 2
    ARRAY_WRITEABLE = 0x400
    ARRAY_WARN_ON_WRITE = -0x80000000
