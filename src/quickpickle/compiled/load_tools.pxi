# Functions that checks of rules/presets/ call in the place of their own: Guard.tools.
#
# Each does the same as the function in Python that it stands for, which is named with it.

cdef enum:
    DEEPEST_TREE = 10_000  # as _DEEPEST in rules/presets/sklearn_trees.py


cdef struct Column:  # signed integers in a table of records, in the order of bytes of the machine
    Py_ssize_t offset, size


cdef int take_column(object given, Column* column, Py_ssize_t itemsize) except -1:
    column.offset, column.size = given
    if column.offset < 0 or column.size not in (1, 2, 4, 8) or column.offset > itemsize - column.size:
        raise ValueError("a column outside of its record")
    return 0


cdef inline int64_t number_at(const uint8_t* record, Column* column) noexcept:
    cdef const uint8_t* place = record + column.offset
    cdef int64_t eight
    cdef int32_t four
    cdef int16_t two
    if column.size == 8:
        memcpy(&eight, place, 8)
        return eight
    elif column.size == 4:
        memcpy(&four, place, 4)
        return four
    elif column.size == 2:
        memcpy(&two, place, 2)
        return two
    return <int8_t>place[0]


@cython.final
@cython.binding(False)
cdef class Tools:
    def shape_of_tree(self, nodes, Py_ssize_t itemsize, left, right, feature):
        """As shape_of in rules/presets/sklearn_trees.py."""
        cdef Py_buffer view
        cdef Column columns[3]
        for i, given in enumerate((left, right, feature)):
            take_column(given, &columns[i], itemsize)
        PyObject_GetBuffer(nodes, &view, PyBUF_SIMPLE)
        try:
            return shape_of_tree(
                <const uint8_t*>view.buf, view.len // itemsize, itemsize, columns
            )
        finally:
            PyBuffer_Release(&view)

    def version_of(self, cls):
        """That of a class with all its bases, which it loses when one of them changes; 0 for none."""
        if not PyType_Check(<PyObject*>cls):
            raise TypeError
        _PyType_Lookup(<PyTypeObject*>cls, SETSTATE)  # gives it one, where it can have one
        return quickpickle_type_version(<PyTypeObject*>cls)

    def are_known(self, dict state, set known):
        """As _are_known in rules/presets/states.py."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t position = 0
        while PyDict_Next(<PyObject*>state, &position, &key, &value):
            if Py_TYPE(key) != &PyUnicode_Type or <object>key not in known:
                return False
        return True


cdef object shape_of_tree(
    const uint8_t* record, Py_ssize_t count, Py_ssize_t itemsize, Column* columns
):
    cdef int32_t* depths = <int32_t*>allocate(count + 1, sizeof(int32_t))
    cdef Py_ssize_t i, inner = 0
    cdef int64_t child, feature, least = 0, greatest = -1
    cdef int side, depth = 0
    try:
        memset(depths, 0, (count + 1) * sizeof(int32_t))
        for i in range(count):
            feature = number_at(record, &columns[2])
            if number_at(record, &columns[0]) != -1:  # no leaf
                for side in range(2):
                    child = number_at(record, &columns[side])
                    # Behind its parent, and of one parent: so it is the child of a node that is in
                    # the tree itself.
                    if child <= i or child >= count or depths[child]:
                        return None
                    depths[child] = depths[i] + 1
                    if depths[child] > depth:
                        depth = depths[child]
                if depth > DEEPEST_TREE:
                    return None
                if not inner or feature < least:
                    least = feature
                if not inner or feature > greatest:
                    greatest = feature
                inner += 1
            record += itemsize
        if 2 * inner != count - 1:  # a node without a parent
            return None
        return depth, least, greatest
    finally:
        PyMem_Free(depths)


cdef Tools tools = Tools()
