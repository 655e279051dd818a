# Arrays, scalars and dtypes of NumPy in loads under a policy.
#
# rules/presets/numpy_arrays.py has the checks. Here are those of the commonest kind: numbers, whose
# bytes are as many as the shape says. The Guard is asked once about each dtype; about all else, and
# where this code says False, it is asked as ever.

cdef enum:
    DTYPES = 8
    MOST_DIMENSIONS = 64

cdef object itemsize_of = None  # of rules/presets/numpy_dtypes.py


cdef Py_ssize_t number_size(Loader self, PyObject* dtype) except -1:
    """The bytes of an item of a dtype of numbers; 0 for another object."""
    cdef int place
    cdef Py_ssize_t size = known_size(self, dtype)
    if size >= 0:
        return size
    if self.has_fresh:  # it may be one that waits for its state
        return 0
    size = itemsize_of(ask(self), <object>dtype)  # which keeps the dtype alive
    was_asked(self)
    place = self.dtype_count % DTYPES
    self.dtype_count += 1
    self.dtypes[place] = dtype
    self.dtype_sizes[place] = size
    return size


cdef inline Py_ssize_t known_size(Loader self, PyObject* dtype) noexcept:
    """The same; -1 for a dtype that the Guard was not asked about."""
    cdef int i
    for i in range(min(self.dtype_count, <int>DTYPES)):
        if self.dtypes[i] == dtype:
            return self.dtype_sizes[i]
    return -1


cdef Py_ssize_t bytes_of_shape(Loader self, PyObject* shape, Py_ssize_t itemsize) except -2:
    """The bytes of an array of this shape; -1 if that is none, or too large for the policy."""
    cdef Py_ssize_t i, length, count = itemsize, padded = itemsize
    cdef int overflow
    cdef long long value
    if not PyTuple_CheckExact_(shape) or PyTuple_GET_SIZE(shape) > MOST_DIMENSIONS:
        return -1
    for i in range(PyTuple_GET_SIZE(shape)):
        if Py_TYPE(PyTuple_GET_ITEM(shape, i)) != &PyLong_Type:
            return -1
        value = PyLong_AsLongLongAndOverflow(PyTuple_GET_ITEM(shape, i), &overflow)
        if overflow or value < 0 or value > LARGEST:
            return -1
        length = <Py_ssize_t>value
        if length > 1:
            if padded > self.most_memory // length:
                return -1
            padded *= length
        count *= length
    return count if padded <= self.most_memory else -1


cdef bint is_zero_or_one(PyObject* obj) noexcept:
    return obj == Py_False or obj == Py_True or is_number(obj, 0) and (
        PyLong_AsLongLongAndOverflow(obj, &ignored_overflow) <= 1
    )


cdef int ignored_overflow = 0  # of numbers that are known to have none


cdef inline bint is_letter(PyObject* obj, const char* letters) noexcept:
    """Whether a str or bytes is one of these letters."""
    cdef Py_UCS4 found
    if Py_TYPE(obj) == &PyUnicode_Type and PyUnicode_GET_LENGTH(obj) == 1:
        found = PyUnicode_READ_CHAR(obj, 0)
    elif Py_TYPE(obj) == &PyBytes_Type and PyBytes_GET_SIZE_(obj) == 1:
        found = <unsigned char>PyBytes_AS_STRING_(obj)[0]
    else:
        return False
    return found == <Py_UCS4>letters[0] or found == <Py_UCS4>letters[1]


cdef bint is_scalar(Loader self, PyObject** args) except -1:
    """scalar(dtype, data)"""
    cdef Py_ssize_t size
    if Py_TYPE(args[1]) != &PyBytes_Type:
        return False
    size = number_size(self, args[0])
    return size > 0 and size == PyBytes_GET_SIZE_(args[1])


cdef bint is_buffer(Loader self, PyObject** args) except -1:
    """_frombuffer(data, dtype, shape, order)"""
    cdef Py_ssize_t size
    cdef PyTypeObject* cls = Py_TYPE(args[0])
    if cls != &PyBytes_Type and cls != &PyByteArray_Type:
        return False
    if Py_TYPE(args[3]) != &PyUnicode_Type or not is_letter(args[3], b"CF"):
        return False
    size = number_size(self, args[1])
    return (
        size > 0 and bytes_of_shape(self, args[2], size) == Py_SIZE_(args[0])
        and <size_t>args[0] not in <dict>self.guard.known
    )


cdef bint is_empty_array(Loader self, PyObject** args) except -1:
    """_reconstruct(ndarray, (0,), b'b')"""
    return (
        quick_rule(self, args[0]).state == ARRAY
        and PyTuple_CheckExact_(args[1]) and PyTuple_GET_SIZE(args[1]) == 1
        and Py_TYPE(PyTuple_GET_ITEM(args[1], 0)) == &PyLong_Type
        and is_number(PyTuple_GET_ITEM(args[1], 0), 0)
        and PyLong_AsLongLongAndOverflow(PyTuple_GET_ITEM(args[1], 0), &ignored_overflow) == 0
        and is_letter(args[2], b"bb")
    )


cdef int wait_for_state(Loader self, object array) except -1:
    """An array was made that is not whole before it has its state: the next one, as a rule.

    The Guard gets it from ask() before it is asked anything.
    """
    if self.waiting is not None:
        hand_over(self)
    self.waiting = array
    self.has_unfinished = True
    return 0


cdef int learn_dtype(Loader self, PyTypeObject* cls, PyObject* state) except -1:
    """After the Guard has given an object its state: ask about the dtype of an array."""
    if (
        quick_rule(self, <PyObject*>cls).state == ARRAY
        and PyTuple_CheckExact_(state) and PyTuple_GET_SIZE(state) == 5
    ):
        number_size(self, PyTuple_GET_ITEM(state, 2))
    return 0


cdef bint build_array(Loader self, PyObject* state) except -1:
    """The state of the array that waits for it; False where the Guard is to be asked."""
    cdef PyObject** parts
    cdef Py_ssize_t size, cost
    if not PyTuple_CheckExact_(state) or PyTuple_GET_SIZE(state) != 5:
        return False
    parts = quickpickle_tuple_items(state)
    cost = cost_of(parts, 5)
    if (
        not is_zero_or_one(parts[0]) or Py_TYPE(parts[0]) != &PyLong_Type
        or not is_zero_or_one(parts[3]) or Py_TYPE(parts[4]) != &PyBytes_Type
        or self.copied + cost > self.most_copied
    ):
        return False
    size = known_size(self, parts[2])
    if size <= 0:
        return False
    if bytes_of_shape(self, parts[1], size) != PyBytes_GET_SIZE_(parts[4]):
        return False
    self.copied += cost
    array, self.waiting = self.waiting, None
    self.has_unfinished = self.guard is not None and PyDict_GET_SIZE_(self.unfinished) > 0
    given = <object>state
    self.close_window()
    array.__setstate__(given)
    self.open_window()
    return True


cdef int hand_over(Loader self) except -1:
    """Let the Guard know what waits for its state. No window is open."""
    guard_of(self)
    array, self.waiting = self.waiting, None
    self.unfinished[<size_t><PyObject*>array] = array
    return 0
