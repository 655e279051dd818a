/* Tracebacks without frames of this package. */

#ifndef QUICKPICKLE_TRACEBACKS_H
#define QUICKPICKLE_TRACEBACKS_H

#define QUICKPICKLE_MOST_CHAINED 1000  /* exceptions; there may be a cycle */

/* The beginning of the file names of our Python code. NULL: frames are shown. */
static PyObject *quickpickle_place = NULL;

static int
quickpickle_is_ours(PyObject *traceback)
{
    PyCodeObject *code = PyFrame_GetCode(((PyTracebackObject *)traceback)->tb_frame);
    Py_ssize_t found = PyUnicode_Tailmatch(
        code->co_filename, quickpickle_place, 0, PY_SSIZE_T_MAX, -1);
    Py_DECREF(code);
    return found > 0;
}

/* Steals a reference to a traceback, and returns one to what is left of it. No exception may be
   set: a frame that is freed may run other code. */
static PyObject *
quickpickle_without_ours(PyObject *traceback)
{
    PyObject *first = traceback, *last = NULL, **link = &first;
    while (*link != NULL && PyTraceBack_Check(*link)) {
        PyObject *found = *link, *next;
        if (quickpickle_is_ours(found)) {
            next = (PyObject *)((PyTracebackObject *)found)->tb_next;
            Py_XINCREF(next);
            *link = next;
            Py_DECREF(found);
        }
        else {
            Py_INCREF(found);  /* `link` lies in it */
            Py_XDECREF(last);
            last = found;
            link = (PyObject **)&((PyTracebackObject *)found)->tb_next;
        }
    }
    Py_XDECREF(last);
    return first;
}

static void
quickpickle_drop_frames_of(PyObject *error)
{
    PyObject *traceback = PyException_GetTraceback(error);
    if (traceback != NULL) {
        traceback = quickpickle_without_ours(traceback);
        PyException_SetTraceback(error, traceback != NULL ? traceback : Py_None);
        Py_XDECREF(traceback);
    }
}

/* Of the exceptions that one was raised from. */
static void
quickpickle_drop_frames_before(PyObject *error)
{
    int i;
    Py_INCREF(error);
    for (i = 0; error != NULL && i < QUICKPICKLE_MOST_CHAINED; i++) {
        PyObject *chained = PyException_GetCause(error);
        if (chained == NULL) {
            chained = PyException_GetContext(error);
        }
        Py_DECREF(error);
        error = chained;
        if (error != NULL) {
            quickpickle_drop_frames_of(error);
        }
    }
    Py_XDECREF(error);
}

/* Of the exception that is set. */
static void
quickpickle_drop_frames(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyObject *error = PyErr_GetRaisedException();
    quickpickle_drop_frames_of(error);
    quickpickle_drop_frames_before(error);
    PyErr_SetRaisedException(error);
#else
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    traceback = quickpickle_without_ours(traceback);
    if (error != NULL && PyExceptionInstance_Check(error)) {
        quickpickle_drop_frames_before(error);
    }
    PyErr_Restore(type, error, traceback);
#endif
}

/* Cython adds a frame where an exception leaves a function. */
static int
quickpickle_leave(PyFrameObject *frame)
{
    if (quickpickle_place == NULL) {
        return PyTraceBack_Here(frame);
    }
    quickpickle_drop_frames();
    return 0;
}
#define PyTraceBack_Here(frame) quickpickle_leave(frame)

#endif
