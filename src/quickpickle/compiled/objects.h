/* Calls and questions about objects that the C API has no functions for. */

#ifndef QUICKPICKLE_OBJECTS_H
#define QUICKPICKLE_OBJECTS_H

#include "encode.h"
#include "layout.h"

/* Whether the references that we know of are all that there are. Without the interpreter's
   lock another thread may be about to take one. */
#ifdef Py_GIL_DISABLED
#define quickpickle_has_refs(obj, refs) 0
#else
#define quickpickle_has_refs(obj, refs) (Py_REFCNT(obj) == (refs))
#endif

#define quickpickle_is_of_heap_type(obj) \
    PyType_HasFeature(Py_TYPE((PyObject *)(obj)), Py_TPFLAGS_HEAPTYPE)

/* Whether an object is a tuple, list or dict with one reference. */
static inline int quickpickle_is_new_container(PyObject *obj)
{
    PyTypeObject *cls = Py_TYPE(obj);
    return quickpickle_has_refs(obj, 1) &&
           (cls == &PyTuple_Type || cls == &PyList_Type || cls == &PyDict_Type);
}

/* Before 3.12 making an object may run the garbage collector, and so other code. */
#if PY_VERSION_HEX < 0x030C0000
#define quickpickle_stop_collecting() PyGC_Disable()
#define quickpickle_go_on_collecting(was_on) if (was_on) { PyGC_Enable(); }
#else
#define quickpickle_stop_collecting() 0
#define quickpickle_go_on_collecting(was_on) ((void)(was_on))
#endif

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
#ifdef QUICKPICKLE_KNOWN
        dict = _PyObject_GetDictPtr(obj);
#else
        PyObject *made = offset == 0 ? NULL : PyObject_GenericGetDict(obj, NULL);
        PyErr_Clear();
        Py_XDECREF(made);  /* the instance has it */
        dict = &made;
#endif
        quickpickle_go_on_collecting(was_on);
        return dict == NULL ? NULL : *dict;
    }
    return *dict;
}

/* A slot, or at the offset 0 the dict of an instance that has one. */
static inline PyObject *quickpickle_member(PyObject *obj, Py_ssize_t offset)
{
    return offset ? quickpickle_slot(obj, offset) : quickpickle_instance_dict(obj);
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

/* Calls a hook with an object: a method directly, not by way of the bound method. That saves 12 %
   of a dump with a persistent_id, 4 % of them by the function's own vectorcall. */
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

/* Whether an object is a class that is looked for in a dict by its address. */
static inline int quickpickle_is_plain_class(PyObject *obj)
{
    return PyType_Check(obj) && Py_TYPE(obj)->tp_hash == PyType_Type.tp_hash &&
           Py_TYPE(obj)->tp_richcompare == PyType_Type.tp_richcompare;
}

/* Strings that old APIs made are not what they seem, until they are made ready; up to 3.11. */
#if PY_VERSION_HEX < 0x030C0000
#define quickpickle_make_ready(obj) PyUnicode_READY(obj)
/* A string that is not ready counts as longer than any other. */
#define quickpickle_length(obj) \
    (PyUnicode_IS_READY(obj) ? PyUnicode_GET_LENGTH(obj) : PY_SSIZE_T_MAX)
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

#define quickpickle_has_generic_getattr(cls) ((cls)->tp_getattro == PyObject_GenericGetAttr)

/* The function that classes with a __getattr__ in Python have: it looks up as object does first,
   unless there is a __getattribute__ too. */
static getattrofunc quickpickle_getattr_hook;

static int quickpickle_learn_getattr_hook(PyTypeObject *sample)
{
    quickpickle_getattr_hook = sample->tp_getattro;
    return 0;
}

static inline int quickpickle_has_plain_getattr(PyTypeObject *cls)
{
    return quickpickle_has_generic_getattr(cls) || cls->tp_getattro == quickpickle_getattr_hook;
}

/* A tuple of these objects, made while no other code runs. */
static PyObject *quickpickle_new_tuple(PyObject **items, Py_ssize_t size)
{
    int was_on = quickpickle_stop_collecting();
    PyObject *tuple = PyTuple_New(size);
    Py_ssize_t i;
    quickpickle_go_on_collecting(was_on);
    for (i = 0; tuple != NULL && i < size; i++) {
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(items[i]));
    }
    return tuple;
}

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
        PyTuple_SET_ITEM(values, i, Py_NewRef(quickpickle_member(obj, offsets[i])));
    }
    PyObject_GC_UnTrack(values);
    return values;
}

/* Whether the name of a class is one that decides how its instances are pickled. */
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

#endif
