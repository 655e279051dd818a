# MetObjects: the objects that a dump meets, for diagnosis/testing.py.


@cython.final
@cython.binding(False)  # a hook that is called for each object
cdef class MetObjects:
    """Its method `note` is the persistent_id of a Pickler, and keeps the objects in `kept`.

    Numbers, None and strings of less than `least` bytes or characters are only counted. `most` has
    the most objects between two of the type `separator`, and `longest` the greatest length of a
    string.
    """

    cdef readonly list kept
    cdef readonly Py_ssize_t longest
    cdef object separator
    cdef Py_ssize_t least, count, greatest_count

    def __init__(self, type separator not None, Py_ssize_t least):
        self.kept = []
        self.separator = separator
        self.least = least
        self.clear()

    def note(self, obj, /):
        cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
        cdef Py_ssize_t size
        self.count += 1
        if (
            cls == &PyLong_Type or cls == &PyFloat_Type or cls == &PyBool_Type or obj is None
            or cls == &PyComplex_Type
        ):
            return
        if cls == &PyUnicode_Type or cls == &PyBytes_Type or cls == &PyByteArray_Type:
            size = len(obj)
            self.longest = max(self.longest, size)
            if size < self.least:
                return
        elif <PyObject*>cls == <PyObject*>self.separator:
            self.greatest_count = max(self.greatest_count, self.count)
            self.count = 0
        self.kept.append(obj)

    @property
    def most(self):
        return max(self.greatest_count, self.count)

    def clear(self):
        self.longest = self.count = self.greatest_count = 0
        self.kept.clear()
