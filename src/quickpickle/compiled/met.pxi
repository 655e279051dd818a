# MetObjects: the objects that a dump meets, for diagnosis/testing.py.


@cython.final
@cython.binding(False)  # a hook that is called for each object
cdef class MetObjects:
    """Its method `note` is the persistent_id of a Pickler, and keeps the objects in `kept`.

    Numbers, None and strings of less than `least` bytes or characters are only counted. `most` has
    the most objects between two of the type `separator`, and `longest` the greatest length of a
    string. `shared` has the containers, not empty, to which more than one other object refers: the
    others are not met again.

    A Pickler knows the method. It calls note_met() in its place, before which it need not be ready
    for other code.
    """

    cdef readonly list kept, shared
    cdef readonly Py_ssize_t longest
    cdef object separator
    cdef Py_ssize_t least, count, greatest_count

    def __init__(self, type separator not None, Py_ssize_t least):
        self.kept = []
        self.shared = []
        self.separator = separator
        self.least = least
        self.clear()

    def note(self, obj, /):
        note_met(self, <PyObject*>obj)

    @property
    def most(self):
        return max(self.greatest_count, self.count)

    def clear(self):
        self.longest = self.count = self.greatest_count = 0
        self.kept.clear()
        self.shared.clear()


cdef int note_met(MetObjects self, PyObject* obj) except -1:
    """As `note`. Runs no other code."""
    cdef PyTypeObject* cls = Py_TYPE(obj)
    cdef Py_ssize_t size
    self.count += 1
    if (
        cls == &PyLong_Type or cls == &PyFloat_Type or cls == &PyBool_Type or obj == Py_None
        or cls == &PyComplex_Type
    ):
        return 0
    if cls == &PyUnicode_Type or cls == &PyBytes_Type or cls == &PyByteArray_Type:
        size = len(<object>obj)
        self.longest = max(self.longest, size)
        if size < self.least:
            return 0
    elif (
        cls == &PyList_Type or cls == &PyDict_Type or cls == &PyTuple_Type or cls == &PySet_Type
        or cls == &PyFrozenSet_Type
    ):
        if Py_REFCNT(obj) > 1 and len(<object>obj):
            self.shared.append(<object>obj)
    elif <PyObject*>cls == <PyObject*>self.separator:
        self.greatest_count = max(self.greatest_count, self.count)
        self.count = 0
    self.kept.append(<object>obj)
    return 0
