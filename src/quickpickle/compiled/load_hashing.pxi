# The cost of hashing keys, in loads under a policy: as Guard.weigh.
#
# Keys that cost nothing worth counting are passed by here, and tuples of them are counted here. The
# Guard is asked about all others.

cdef enum:
    FEW_KEYS = 256  # as _FEW_KEYS in rules/policy_costs.py


cdef inline bint is_light_key(PyObject* key) except -1:
    """Whether a hash of it costs nothing worth counting: as QUIET in rules/hashing.py, and ints
    of one word."""
    cdef PyTypeObject* cls = Py_TYPE(key)
    cdef int overflow
    if cls == &PyUnicode_Type or cls == &PyBytes_Type or cls == &PyFloat_Type:
        return True
    if cls == &PyLong_Type:
        PyLong_AsLongLongAndOverflow(key, &overflow)
        return overflow == 0
    return key == Py_None or key == Py_True or key == Py_False


cdef inline Py_ssize_t tuple_cost(PyObject* key) except -1:
    """The cost of a tuple of light keys, as Hashes.cost; 0 for all else."""
    cdef Py_ssize_t i
    if not PyTuple_CheckExact_(key):
        return 0
    for i in range(PyTuple_GET_SIZE(key)):
        if not is_light_key(PyTuple_GET_ITEM(key, i)):
            return 0
    return 1 + PyTuple_GET_SIZE(key)


cdef int weigh(Loader self, Py_ssize_t height, Py_ssize_t step, PyObject* target) except -1:
    """Before these are hashed: every object from `height` on, or every second one.

    They become keys of `target`, or of a new container.
    """
    cdef PyObject** place = self.bottom + height
    cdef Py_ssize_t cost, count = 0, total = 0
    while place < self.top:  # a range() with a variable step would be an object
        if is_object(place[0]) and not is_light_key(place[0]):
            cost = tuple_cost(place[0])
            if cost == 0 or not self.may_hash_tuples:
                return weigh_any(self, height, step, target)
            total += cost
            count += 1
        place += step
    if count == 0:
        return 0
    if self.hashed + total > self.most_hashed:
        ask(self).spend(total)
        return was_asked(self)
    self.hashed += total
    if count + length_of(target) > FEW_KEYS:
        ask(self)
        count_equal_hashes(self, height, step, target)
        return was_asked(self)
    return 0


cdef inline Py_ssize_t length_of(PyObject* target) noexcept:
    if target == NULL:
        return 0
    return PyDict_GET_SIZE_(<object>target) if PyDict_Check_(target) else PySet_GET_SIZE(target)


cdef int count_equal_hashes(
    Loader self, Py_ssize_t height, Py_ssize_t step, PyObject* target
) except -1:
    """As Costs._count_equal_hashes, of tuples of light keys: no other code runs for their hashes.

    No window is open.
    """
    cdef PyObject** place = self.bottom + height
    cdef Py_ssize_t cost, found, spent = 0
    cdef dict counts = self.guard.counts_of(() if target == NULL else <object>target)
    while place < self.top:
        if is_object(place[0]) and not is_light_key(place[0]):
            number = hash(<object>place[0])
            before = counts.get(number)
            found = 0 if before is None else before
            counts[number] = found + 1
            spent += found * tuple_cost(place[0])
        place += step
    self.guard.spend(spent)
    return 0


cdef int weigh_any(
    Loader self, Py_ssize_t height, Py_ssize_t step, PyObject* target
) except -1:
    """The same for all kinds of keys, by the Guard."""
    cdef PyObject** place = self.bottom + height
    cdef PyObject* key
    cdef list keys = None
    while place < self.top:  # a range() with a variable step would be an object
        key = place[0]
        place += step
        if is_object(key) and not is_light_key(key):
            if keys is None:
                keys = []
            keys.append(<object>key)
    if keys is not None:
        if target == NULL:
            ask(self).weigh(keys)
        else:
            ask(self).weigh(keys, <object>target)
        del keys
        was_asked(self)
    return 0
