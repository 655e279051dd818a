# Imports and declarations for the other files of unpickling: of C, of CPython, of our modules.

import builtins
import sys
from functools import partial, update_wrapper
from io import BufferedReader, BytesIO, FileIO
from operator import itemgetter
from pickle import HIGHEST_PROTOCOL as _highest_protocol, UnpicklingError
from types import FunctionType

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memmove, memset

cimport cython
from cpython.buffer cimport PyBuffer_Release, PyBUF_SIMPLE, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject, inquiry, traverseproc, visitproc
from cpython.ref cimport Py_INCREF

from ..rules import loading, loading_errors, loading_plans, objects
from ..rules.memo_proxy import UnpicklerMemoProxy, read_unpickler_memo
from ..rules.options import check_text
from ..rules.tracebacks import make_public
from ..rules.versions import BINSTRING_IS_SIGNED, FRAMES_ARE_CHECKED, PY313

# All of these take and give borrowed references, as C does, but for those that are said to give a
# new one.
cdef extern from "Python.h":
    PyTypeObject PyUnicode_Type, PyList_Type, PyDict_Type, PyBytes_Type, PyLong_Type, PyFloat_Type
    PyTypeObject PyMethodDescr_Type
    PyTypeObject* Py_TYPE(PyObject*)
    Py_ssize_t Py_REFCNT(PyObject*)
    void Py_INCREF_ "Py_INCREF"(PyObject*)
    void Py_DECREF(PyObject*)
    void Py_XDECREF(PyObject*)
    PyObject* Py_None
    PyObject* Py_True
    PyObject* Py_False
    void PyErr_Clear()
    bint PyType_Check(PyObject*)
    bint PyBytes_CheckExact_ "PyBytes_CheckExact"(PyObject*)
    void PyUnicode_InternInPlace(PyObject**)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject*)
    Py_UCS4 PyUnicode_READ_CHAR(PyObject*, Py_ssize_t)
    bint PyTuple_CheckExact_ "PyTuple_CheckExact"(PyObject*)
    Py_ssize_t PyTuple_GET_SIZE(PyObject*)
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t)
    Py_ssize_t PyList_GET_SIZE(PyObject*)
    PyObject* PyList_GET_ITEM(PyObject*, Py_ssize_t)
    int PyUnicode_CompareWithASCIIString(PyObject*, const char*) noexcept
    Py_ssize_t PyDict_GET_SIZE(PyObject*)
    Py_ssize_t PySet_GET_SIZE(PyObject*)
    bint PySet_CheckExact_ "PySet_CheckExact"(PyObject*)
    double PyOS_string_to_double(const char*, char**, PyObject*) except? -1.0
    PyObject* PyFloat_FromDouble_ "PyFloat_FromDouble"(double) except NULL
    PyObject* PyDict_GetItemWithError(PyObject*, PyObject*) except? NULL
    int PyDict_SetItem_ "PyDict_SetItem"(PyObject*, PyObject*, PyObject*) except -1
    int PySet_Add_ "PySet_Add"(PyObject*, PyObject*) except -1
    bint PyDict_Next(PyObject*, Py_ssize_t*, PyObject**, PyObject**)
    PyObject* PyImport_GetModuleDict() except NULL
    PyObject* PyModule_GetDict(PyObject*) noexcept
    bint PyModule_CheckExact(PyObject*)
    PyObject* _PyType_Lookup(PyTypeObject*, PyObject*) noexcept
    int PySys_Audit(const char*, const char*, ...) except -1
    const unsigned long Py_TPFLAGS_HEAPTYPE
    bint PyType_HasFeature(PyTypeObject*, unsigned long)

    # New references; NULL with an exception, which Cython does not check.
    PyObject* PyList_New(Py_ssize_t) noexcept
    PyObject* PyDict_New() noexcept
    PyObject* PyODict_New() noexcept
    int PyODict_SetItem(PyObject*, PyObject*, PyObject*) except -1
    PyTypeObject PyODict_Type
    PyObject* PySet_New(PyObject*) noexcept
    PyObject* PyTuple_New(Py_ssize_t) noexcept
    void PyTuple_SET_ITEM_ "PyTuple_SET_ITEM"(PyObject*, Py_ssize_t, PyObject*)
    PyObject* PyLong_FromLong(long) noexcept
    PyObject* PyLong_FromLongLong(long long) noexcept
    PyObject* PyBytes_FromStringAndSize_ "PyBytes_FromStringAndSize"(
        const char*, Py_ssize_t
    ) noexcept
    char* PyBytes_AS_STRING_ "PyBytes_AS_STRING"(PyObject*)
    Py_ssize_t PyBytes_GET_SIZE_ "PyBytes_GET_SIZE"(PyObject*)
    object PyMemoryView_FromMemory(char*, Py_ssize_t, int)
    const int PyBUF_READ
    const int PyBUF_WRITE
    PyObject* PyObject_Call_ "PyObject_Call"(PyObject*, PyObject*, PyObject*) except NULL
    int PyObject_GenericSetAttr_ "PyObject_GenericSetAttr"(
        PyObject*, PyObject*, PyObject*
    ) except -1
    PyObject* _PyDict_NewPresized(Py_ssize_t) noexcept
    int _PyBytes_Resize_ "_PyBytes_Resize"(PyObject**, Py_ssize_t) except -1

cdef extern from "objects.h":
    bint quickpickle_is_date(PyTypeObject*)
    int quickpickle_import_datetime() except -1
    PyObject** quickpickle_tuple_items(PyObject*)
    PyObject* quickpickle_instance_dict(PyObject*)

cdef extern from "decimal.h":
    const int QUICKPICKLE_DECIMAL_DIGITS
    enum: QUICKPICKLE_DECIMAL_WORDS
    size_t quickpickle_read_large_decimal(const char*, Py_ssize_t, uint8_t*) noexcept

cdef extern from "making.h":
    bint unlikely(bint)
    bint likely(bint)
    uint32_t quickpickle_load2(const uint8_t*)
    uint32_t quickpickle_load4(const uint8_t*)
    uint64_t quickpickle_load8(const uint8_t*)
    bint quickpickle_is_ascii(const uint8_t*, Py_ssize_t) noexcept
    PyObject* quickpickle_make_str(const uint8_t*, Py_ssize_t) noexcept
    PyObject* quickpickle_make_bytes(const uint8_t*, Py_ssize_t)
    PyObject* quickpickle_make_int(long) noexcept
    PyObject* quickpickle_make_long(const uint8_t*, size_t) noexcept
    PyObject* quickpickle_make_float(const uint8_t*) noexcept

cdef extern from "collector.h":
    ctypedef struct quickpickle_window:
        bint is_open
        PyObject* marker
    void quickpickle_find_generations()
    void quickpickle_open_window(quickpickle_window*)
    void quickpickle_close_window(quickpickle_window*)
    void quickpickle_put_behind(PyObject*, PyObject*)
    PyObject* quickpickle_new_marker()
    void quickpickle_forget_generations()
    bint quickpickle_has_generations()

cdef extern from "reads.h":
    ctypedef struct quickpickle_reads:
        uint8_t* is_read
        Py_ssize_t size
        bint has_put
    bint QUICKPICKLE_IS_READ(quickpickle_reads*, Py_ssize_t)
    void quickpickle_begin_reads(quickpickle_reads*, Py_ssize_t)
    void quickpickle_end_reads(quickpickle_reads*)
    void quickpickle_forget_reads(quickpickle_reads*)
    const uint8_t* quickpickle_find_reads(
        quickpickle_reads*, const uint8_t*, const uint8_t*, uint64_t*
    )
    bint quickpickle_find_reads_of_file(quickpickle_reads*, int, int64_t)

cdef extern from "filling.h":
    int quickpickle_fill_list(PyObject*, PyObject**, Py_ssize_t) except -1
    PyObject* quickpickle_dict_like(PyObject*, PyObject**, Py_ssize_t) noexcept
    void* quickpickle_shared_keys(PyTypeObject*)
    Py_ssize_t quickpickle_shared_place(void*, PyObject*)
    void* quickpickle_empty_values(PyObject*)
    Py_ssize_t quickpickle_values_room(PyObject*, void*)
    void quickpickle_set_value(void*, Py_ssize_t, Py_ssize_t, PyObject*)
    PyObject* quickpickle_new_instance(PyTypeObject*, PyObject*) noexcept
    bint quickpickle_is_plainly_made(PyTypeObject*)
    bint quickpickle_has_plain_attributes(PyTypeObject*)
    unsigned int quickpickle_type_version(PyTypeObject*)
    bint quickpickle_is_of_datetime(PyTypeObject*)
    bint quickpickle_is_dict_descriptor(PyObject*, PyObject*)
    bint quickpickle_is_data_descriptor(PyObject*)
    Py_ssize_t quickpickle_slot_offset(PyObject*, PyTypeObject*)
    bint quickpickle_has_own_dict(PyTypeObject*)
    PyObject** quickpickle_own_dict(PyObject*)
    Py_ssize_t quickpickle_writable_slot(PyObject*, PyTypeObject*)
    PyObject** quickpickle_slot_at(PyObject*, Py_ssize_t)
    bint quickpickle_has_str_keys(PyObject*)
    int quickpickle_fill_dict(PyObject*, PyObject**, Py_ssize_t) except -1
    int quickpickle_fill_dict_quietly "quickpickle_fill_dict"(PyObject*, PyObject**, Py_ssize_t) noexcept
    PyObject* quickpickle_tp_new(PyObject*, PyObject*) except NULL
    bint quickpickle_is_tuple_class(PyTypeObject*)
    PyObject* quickpickle_tuple_of(PyTypeObject*, PyObject**, Py_ssize_t) except NULL
    PyObject* quickpickle_value_at(void*, Py_ssize_t)
    bint quickpickle_is_tzinfo(PyObject*)
    PyObject* quickpickle_make_date(
        PyTypeObject*, const uint8_t*, Py_ssize_t, PyObject*
    ) except? NULL

