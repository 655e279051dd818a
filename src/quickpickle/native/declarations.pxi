# What the rooms need of C, of CPython, and of the Python half.

import codecs
import copyreg
from functools import partial
from pickle import DEFAULT_PROTOCOL, HIGHEST_PROTOCOL, PickleBuffer, PicklingError
from types import FunctionType

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

cimport cython
from cpython.buffer cimport (
    PyBUF_FULL_RO, PyBuffer_IsContiguous, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE, _PyBytes_Resize,
)
from cpython.dict cimport PyDict_Next, PyDict_Size
from cpython.exc cimport PyErr_CheckSignals
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from ..containers import LAST_GOES_ALONE, LIST_SIZE_IS_CHECKED
from ..errors import (
    PY313,
    bad_item, bad_newobj_ex_item, bad_newobj_ex_length, bad_optional_item, bad_reduction,
    buffer_needs_protocol_5, empty_newobj, newobj_needs_class, newobj_wrong_class, no_reduction,
    type_name,
)
from ..memo import PicklerMemoProxy, read_memo
from ..names import encode_extension, encode_names, extension_code, find_global
from .. import pickler as python
from ..pickler import already_used, check_protocol, encode_persistent_id
from ..reduction import (
    ABSENT, SINGLETON_TYPES, has_own_reduction, has_plain_class, look_up, may_be_endless,
    newobj_arguments, newobj_ex_arguments, unpack,
)
from ..writing import FEW, cyclic_error, endless_error, send

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL
    bint PyUnicode_IS_COMPACT_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void* PyUnicode_DATA(object)
    PyObject* PyIter_Next(object) except? NULL
    PyObject* PyErr_Occurred()
    long PyLong_AsLongAndOverflow(object, int*) except? -1
    PyTypeObject PyBool_Type, PyLong_Type, PyFloat_Type, PyUnicode_Type, PyBytes_Type
    PyTypeObject PyTuple_Type, PyList_Type, PyDict_Type, PySet_Type, PyFrozenSet_Type
    PyTypeObject PyByteArray_Type
    PyTypeObject* Py_TYPE(PyObject*)
    Py_ssize_t PySet_GET_SIZE(object)
    PyObject* PyObject_GenericGetDict(object, void*) except NULL
    bint PyCallable_Check(object)
    int PyDict_Contains(object, object) except -1
    PyObject* Py_None
    PyObject* Py_True
    PyObject* Py_False

    bint PyUnicode_Check(object)
    bint PyUnicode_CheckExact(object)
    bint PyType_Check(object)

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define quickpickle_long_bytes(value, bytes, size) \\
        (PyLong_AsNativeBytes((value), (bytes), (size), \\
            Py_ASNATIVEBYTES_LITTLE_ENDIAN) < 0 ? -1 : 0)
    #else
    #define quickpickle_long_bytes(value, bytes, size) \\
        _PyLong_AsByteArray((PyLongObject *)(value), (unsigned char *)(bytes), (size), 1, 1)
    #endif
    """
    int quickpickle_long_bytes(object, char*, Py_ssize_t) except -1

cdef object absent = ABSENT
cdef object function_type = FunctionType
cdef PyObject* picklebuffer_type = <PyObject*>PickleBuffer

DEF FRAME_SIZE_MIN = 4
DEF FRAME_SIZE_TARGET = 65536
DEF FAST_NESTING_LIMIT = 50
DEF BATCHSIZE = 1000
