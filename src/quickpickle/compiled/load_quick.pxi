# The uses of an object that a policy allows: the answers of Guard.quick_rules, and the arguments of
# the kinds in policy_names.Quick, which need no question.

cdef void forget_quick_rules(Loader self) noexcept:
    self.rules = next_number()


cdef inline size_t place_of(PyObject* obj) noexcept:
    return ((<size_t>obj >> 4) ^ (<size_t>obj >> 10)) % QUICK_RULES


cdef inline unsigned int version_of(PyObject* obj) noexcept:
    return quickpickle_type_version(<PyTypeObject*>obj) if PyType_Check(obj) else 1


cdef inline QuickRule* quick_rule(Loader self, PyObject* obj) except NULL:
    """The answer of Guard.quick_rules, which is asked once."""
    cdef QuickRule* rule = &self.quick_rules[place_of(obj)]
    if unlikely(rule.obj != obj or rule.number != self.rules):
        learn_quick_rule(self, rule, obj)
    return rule


cdef void use_numbers(Loader self, QuickRule* rule, Name name) noexcept:
    rule.call = name.call
    rule.new = name.new
    rule.state = name.state
    rule.itself = name.itself
    rule.obj = <PyObject*>name.obj
    rule.name = <PyObject*>name
    rule.number = self.rules


cdef int learn_quick_rule(Loader self, QuickRule* rule, PyObject* obj) except -1:
    cdef unsigned int version
    cdef Name name = self.names.by_address.get(<size_t>obj)
    if name is not None and (name.load != self.load or name.is_shared):
        name = None  # this load has not found it by this name
    if name is not None:
        version = version_of(obj)
        if name.version == 0 or name.version != version:
            name.call, name.new, name.state, name.itself = ask(self).quick_rules(name.known)
            was_asked(self)
            name.version = version
        use_numbers(self, rule, name)
        return 0
    known = None if self.guard is None else (<dict>self.guard.known).get(<size_t>obj)
    if known is None or known.load != self.guard.load:
        rule.obj = rule.name = NULL  # it may be freed, and another object get its address
        rule.call = rule.new = rule.state = rule.itself = 0
        return 0
    rule.call, rule.new, rule.state, rule.itself = ask(self).quick_rules(known)
    was_asked(self)
    rule.obj = obj
    rule.name = NULL
    rule.number = self.rules
    return 0


cdef inline bint is_approved(Loader self, PyTypeObject* cls) except -1:
    """Whether the user lists this class, and it is none of C."""
    return quick_rule(self, <PyObject*>cls).state == ANYTHING


cdef bint may_call(
    Loader self, PyObject* function, PyObject** args, Py_ssize_t count, uint8_t code
) except -1:
    """Whether the Guard lets any such arguments through, and the limits allow a copy of them."""
    cdef QuickRule* rule = quick_rule(self, function)
    cdef int kinds = rule.new if code == OP_NEWOBJ else rule.call if code == OP_REDUCE else 0
    if (
        kinds == 0 or self.has_fresh
        # With Placeholders a call that fails may become one.
        or kinds & ANYTHING and (self.has_unfinished or self.missing is not None)
    ):
        return False
    if count == 0:
        self.cost = 0
        return kinds & (ANYTHING | NOTHING | TEXTS) and self.copied <= self.most_copied
    if not are_quick(self, kinds, args, count):
        return False
    self.cost = cost_of(args, count)
    return self.copied + self.cost <= self.most_copied


cdef inline bint is_text(PyObject* obj, Py_ssize_t most) noexcept:
    return Py_TYPE(obj) == &PyUnicode_Type and PyUnicode_GET_LENGTH(obj) <= most


cdef inline bint is_number(PyObject* obj, long long least) noexcept:
    """An int of one word."""
    cdef int overflow
    cdef long long value
    if Py_TYPE(obj) != &PyLong_Type:
        return False
    value = PyLong_AsLongLongAndOverflow(obj, &overflow)
    return overflow == 0 and value >= least


cdef inline bint is_size(PyObject* number) noexcept:
    """On 32 bits a number may be larger."""
    cdef int overflow
    return PyLong_AsLongLongAndOverflow(number, &overflow) <= LARGEST


cdef inline bint are_numbers(PyObject** args, Py_ssize_t count) noexcept:
    cdef Py_ssize_t i
    for i in range(count):
        if not is_number(args[i], LLONG_MIN):
            return False
    return True


cdef bint are_quick(Loader self, int kinds, PyObject** args, Py_ssize_t count) except -1:
    """Whether arguments are of one of these kinds: see policy_names.Quick."""
    cdef Py_ssize_t i
    cdef PyTypeObject* first
    if count == 0:
        return kinds & (ANYTHING | NOTHING | TEXTS) != 0
    if kinds & ANYTHING:
        for i in range(count):
            if Py_TYPE(args[i]) == &PyRange_Type:
                return False
        return True
    if kinds & TEXTS:
        for i in range(count):
            if Py_TYPE(args[i]) != &PyUnicode_Type:
                return False
        return True
    first = Py_TYPE(args[0])
    if count == 1:
        return (
            kinds & TEXT and is_text(args[0], SHORT_TEXT)
            or kinds & NUMBER and is_number(args[0], 0)
            or kinds & BYTES and first == &PyBytes_Type
            or kinds & DICT and first == &PyDict_Type
            or kinds & EMPTY and is_empty(args[0])
            or kinds & FACTORY and quick_rule(self, args[0]).itself == FACTORY
            or is_moment(kinds, args[0], NULL)
        )
    if count == 2:
        return (
            kinds & INTS_2 and are_numbers(args, 2)
            or kinds & SCALAR and is_scalar(self, args)
            or kinds & FLOATS_2 and first == &PyFloat_Type and Py_TYPE(args[1]) == &PyFloat_Type
            or kinds & EMPTY and is_empty(args[0]) and (
                args[1] == Py_None or is_number(args[1], 0) and is_size(args[1])
            )
            or kinds & LATIN1 and first == &PyUnicode_Type and (
                Py_TYPE(args[1]) == &PyUnicode_Type
                and PyUnicode_CompareWithASCIIString(args[1], b"latin1") == 0
            )
            or is_moment(kinds, args[0], args[1])
        )
    if count == 3:
        return kinds & INTS_3 and are_numbers(args, 3) or (
            kinds & ARRAY and is_empty_array(self, args)
        ) or kinds & PARTS_3 and (
            is_part(args[0]) and is_part(args[1]) and is_part(args[2])
        ) or (
            kinds & INSTANCE and PyType_Check(args[0]) and is_approved(self, <PyTypeObject*>args[0])
            and args[1] == <PyObject*>&PyBaseObject_Type and args[2] == Py_None
        )
    return count == 4 and kinds & BUFFER and is_buffer(self, args)


cdef inline bint is_part(PyObject* obj) noexcept:
    return (
        obj == Py_None or Py_TYPE(obj) == &PyUnicode_Type or is_number(obj, LLONG_MIN)
    )


cdef inline bint is_empty(PyObject* obj) noexcept:
    return PyTuple_CheckExact_(obj) and PyTuple_GET_SIZE(obj) == 0


cdef inline bint is_moment(int kinds, PyObject* data, PyObject* tzinfo) noexcept:
    cdef Py_ssize_t size
    if not kinds & (MOMENT_4 | MOMENT_6 | MOMENT_10) or Py_TYPE(data) != &PyBytes_Type:
        return False
    size = PyBytes_GET_SIZE_(data)
    return (
        kinds & (MOMENT_4 if size == 4 else MOMENT_6 if size == 6 else MOMENT_10 if size == 10 else 0)
        # The module is imported by makes_dates(), which was asked about the first such bytes.
        and (tzinfo == NULL or size != 4 and dates_are_known > 0 and quickpickle_is_timezone(tzinfo))
        and quickpickle_is_moment(<const uint8_t*>PyBytes_AS_STRING_(data), size)
    )


cdef bint may_make_date(
    Loader self, PyObject* cls, Py_ssize_t size, PyObject* tzinfo, Py_ssize_t count
) except -1:
    """The same for the next bytes, of which a date is made by `count` opcodes more."""
    cdef int kinds = quick_rule(self, cls).call
    return (
        not self.has_fresh and kinds & (MOMENT_4 if size == 4 else MOMENT_10 if size == 10 else 0)
        and (tzinfo == NULL or quickpickle_is_timezone(tzinfo))
        and quickpickle_is_moment(self.p, size)
        and not is_near_limits(self, count)
        and self.copied + size + 2 * OBJECT_SIZE <= self.most_copied
    )


cdef bint is_uuid_number(PyObject* obj) except -1:
    if Py_TYPE(obj) != &PyLong_Type:
        return False
    is_small = PyLong_Type.tp_richcompare(<object>obj, uuid_limit, Py_LT)
    is_positive = PyLong_Type.tp_richcompare(<object>obj, 0, Py_GE)
    return is_small is True and is_positive is True


cdef inline Py_ssize_t cost_of_one(PyObject* obj) noexcept:
    """As Guard._charge."""
    cdef PyTypeObject* cls = Py_TYPE(obj)
    if cls == &PyLong_Type or cls == &PyFloat_Type:
        return 0
    elif cls == &PyUnicode_Type:
        return PyUnicode_GET_LENGTH(obj)
    elif cls == &PyBytes_Type or cls == &PyByteArray_Type:
        return Py_SIZE_(obj)
    elif PyTuple_CheckExact_(obj):
        return OBJECT_SIZE * PyTuple_GET_SIZE(obj)
    elif cls == &PyList_Type:
        return OBJECT_SIZE * PyList_GET_SIZE(obj)
    elif cls == &PyDict_Type:
        return OBJECT_SIZE * PyDict_GET_SIZE(obj)
    elif cls == &PySet_Type or cls == &PyFrozenSet_Type:
        return OBJECT_SIZE * PySet_GET_SIZE(obj)
    return 0


cdef inline Py_ssize_t cost_of(PyObject** args, Py_ssize_t count) noexcept:
    """A copy of the arguments of a call: as Guard._arguments. At most the memory that is there."""
    cdef Py_ssize_t i, cost = OBJECT_SIZE * count
    for i in range(count):
        cost += cost_of_one(args[i])
    return cost
