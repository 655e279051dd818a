# Imports and declarations for the other files: of C, of CPython, and of our Python modules.

import codecs
import copyreg
import sys
from _compat_pickle import REVERSE_IMPORT_MAPPING, REVERSE_NAME_MAPPING
from collections import ChainMap
from functools import partial
from io import BufferedRandom, BufferedWriter, BytesIO, FileIO
from pickle import DEFAULT_PROTOCOL, HIGHEST_PROTOCOL, PickleBuffer, PicklingError
from time import monotonic
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

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

from ..format.decode import ARGUMENT_OF
from ..optimization import optimize as optimize_odd
from ..rules.order import Failure, Order
from ..rules.representatives import SMALL, dtype_parts, with_parts
from ..rules.versions import LIST_SIZE_IS_CHECKED, PY313, PY315
from ..rules.errors import buffer_needs_protocol_5, no_reduction
from ..rules.digests import PROTOCOL as DIGEST_PROTOCOL, Pieces, new_hash, reduce_for_digest
from ..files.writing import dump_to_path
from ..rules.tracebacks import make_public
from ..rules.memo_proxy import PicklerMemoProxy, read_memo
from ..rules.globals import encode_extension, encode_names, extension_code, find_global, own_name
from ..format import opcodes
from ..rules import plans as planning
from ..rules.options import (
    already_used,
    check_buffer_callback,
    check_memo_is_empty,
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

# All of these take and give borrowed references, as C does. Cython changes the reference count of
# every `object` variable, and the memo depends on the counts.
cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(PyObject*)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject*)
    void* PyUnicode_DATA(PyObject*)
    PyObject* PyIter_Next_ "PyIter_Next"(PyObject*)
    PyObject* PyErr_Occurred()
    PyTypeObject PyBool_Type, PyLong_Type, PyFloat_Type, PyUnicode_Type, PyBytes_Type
    PyTypeObject PyTuple_Type, PyList_Type, PyDict_Type, PySet_Type, PyFrozenSet_Type
    PyTypeObject PyByteArray_Type, PyType_Type, PyComplex_Type
    PyTypeObject* Py_TYPE(PyObject*)
    Py_ssize_t Py_REFCNT(PyObject*)
    void Py_INCREF_ "Py_INCREF"(PyObject*)
    void Py_XINCREF(PyObject*)
    void Py_DECREF(PyObject*)
    void Py_XDECREF(PyObject*)
    PyObject* Py_None
    PyObject* Py_True
    PyObject* Py_False

    Py_ssize_t PyBytes_GET_SIZE_ "PyBytes_GET_SIZE"(PyObject*)
    char* PyBytes_AS_STRING_ "PyBytes_AS_STRING"(PyObject*)
    PyObject* PyBytes_FromStringAndSize_ "PyBytes_FromStringAndSize"(
        const char*, Py_ssize_t
    ) except NULL
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
    PyObject* PyFunction_GET_GLOBALS(PyObject*)
    PyObject* PyFunction_GET_CLOSURE(PyObject*)
    PyObject* PyCell_GET(PyObject*)
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

cdef extern from "objects.h":
    bint quickpickle_has_refs(PyObject*, Py_ssize_t)
    bint quickpickle_is_of_heap_type(PyObject*)
    bint quickpickle_is_new_container(PyObject*)
    ctypedef struct quickpickle_layouts:
        int dicts, values, dict_versions, type_versions, sets, utf8, slots, dates, exceptions
        Py_ssize_t digits
    quickpickle_layouts quickpickle_known
    void quickpickle_trust(bint)
    void* quickpickle_values(PyObject*)
    bint quickpickle_attribute(PyObject*, void*, Py_ssize_t*, PyObject**, PyObject**)
    Py_ssize_t quickpickle_count_attributes(void*)
    uint64_t quickpickle_dict_version(PyObject*)
    unsigned int quickpickle_type_version(PyTypeObject*)
    PyObject* quickpickle_instance_dict(PyObject*)
    object quickpickle_call_method(object, object, object)
    object quickpickle_write_part(object, object, PyObject*, Py_ssize_t)
    object quickpickle_call_hook(object, object)
    bint unlikely(bint)
    PyObject* quickpickle_call_quietly(PyObject*, PyObject*) except NULL
    object quickpickle_view_quietly(char*, Py_ssize_t)
    PyObject* quickpickle_str_quietly(PyObject*) except NULL
    bint quickpickle_small_long(PyObject*, int64_t*)
    void quickpickle_copy(char*, const char*, Py_ssize_t)
    ctypedef unsigned int digit
    enum: PyLong_SHIFT
    Py_ssize_t quickpickle_digits(PyObject*, const digit**, int*) except -1
    Py_ssize_t quickpickle_int_size(PyObject*)
    void quickpickle_write_int(PyObject*, char*, Py_ssize_t)
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
    Py_ssize_t quickpickle_count_high(const char*, Py_ssize_t)
    void quickpickle_write_latin1(char*, const char*, Py_ssize_t)
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
    PyObject* quickpickle_member(PyObject*, Py_ssize_t)
    PyObject* quickpickle_slot_values(PyObject*, Py_ssize_t*, Py_ssize_t) except NULL
    void quickpickle_make_pages(char*, size_t)
    int quickpickle_datetime_bytes(PyObject*, char*, bint)
    PyObject* quickpickle_tzinfo(PyObject*)
    ctypedef struct quickpickle_exception "PyBaseExceptionObject":
        pass
    Py_ssize_t quickpickle_exception_args(PyObject*, bint, PyObject**, PyObject**)
    PyObject* quickpickle_new_tuple(PyObject**, Py_ssize_t) except NULL
    bint quickpickle_has_plain_getattr(PyTypeObject*)
    int quickpickle_learn_getattr_hook(PyTypeObject*)
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

cdef extern from "decimal.h":
    const int QUICKPICKLE_DECIMAL_BITS
    char* quickpickle_write_large_decimal(char*, const digit*, Py_ssize_t, int) noexcept

cdef extern from "text.h":
    char* quickpickle_old_scalar(char*, PyObject*, int, bint)
    char* quickpickle_write_reference(char*, uint8_t, uint64_t)
    size_t quickpickle_text_size(PyObject*)
    void quickpickle_write_text(char*, PyObject*, size_t)
    char* quickpickle_write_latin1_line(char*, const char*, Py_ssize_t)
