# NEWOBJ, REDUCE and their kin: calls of classes and functions.
#
# A few of the calls that are made most often run no other code, and are done here.

cdef PyTypeObject* function_type = <PyTypeObject*>FunctionType


cdef inline object maker_of(Loader self):
    """The module or object whose functions make objects with other code: see rules/objects.py."""
    return objects if self.missing is None else self.missing


cdef inline int make_plainly(Loader self) except -1:
    """An instance by object.__new__, in the place of its class and of no arguments."""
    cdef PyObject* args = self.top[-1]
    cdef PyObject* cls = self.top[-2]
    cdef PyObject* made = quickpickle_new_instance(<PyTypeObject*>cls, args)
    if made == NULL:
        return -1
    self.top -= 1
    Py_DECREF(args)  # the empty tuple, which stays
    self.top[-1] = made
    return self.let_go(cls)


cdef int load_newobj(Loader self) except -1:
    cdef PyObject* cls
    cdef PyObject* args
    cdef PyObject* made
    if self.top - self.fence < 2:
        self.underflow(2)
    args = self.top[-1]
    cls = self.top[-2]
    if PyType_Check(cls) and PyTuple_CheckExact_(args):
        if PyTuple_GET_SIZE(args) == 0 and quickpickle_is_plainly_made(<PyTypeObject*>cls):
            return make_plainly(self)
        if quickpickle_is_tuple_class(<PyTypeObject*>cls) and (
            is_namedtuple(self, <PyTypeObject*>cls, PyTuple_GET_SIZE(args))
        ):
            made = quickpickle_tuple_of(
                <PyTypeObject*>cls, quickpickle_tuple_items(args), PyTuple_GET_SIZE(args)
            )
            obj = <object>made
            Py_DECREF(made)
            return self.replace(2, obj)
        if (<PyTypeObject*>cls).tp_new != NULL and self.missing is None:
            self.close_window()
            made = quickpickle_tp_new(cls, args)
            if made == NULL:
                return -1
            return self.replace_called(2, made)
    self.close_window()
    obj = maker_of(self).newobj(<object>cls, <object>args)
    Py_INCREF(obj)
    return self.replace_called(2, <PyObject*>obj)


cdef int load_newobj_ex(Loader self) except -1:
    if self.top - self.fence < 3:
        self.underflow(3)
    self.close_window()
    obj = maker_of(self).newobj_ex(
        <object>self.top[-3], <object>self.top[-2], <object>self.top[-1]
    )
    Py_INCREF(obj)
    return self.replace_called(3, <PyObject*>obj)


cdef int load_reduce(Loader self) except -1:
    cdef PyObject* args
    cdef PyObject* function
    cdef PyObject* made
    if self.top - self.fence < 2:
        self.underflow(2)
    args = self.top[-1]
    function = self.top[-2]
    if PyTuple_CheckExact_(args):
        made = call_quietly(self, function, quickpickle_tuple_items(args), PyTuple_GET_SIZE(args))
        if made != NULL:
            obj = <object>made
            Py_DECREF(made)
            return self.replace(2, obj)
        if self.missing is None:
            self.close_window()
            made = PyObject_Call_(function, args, NULL)
            if made == NULL:
                return -1
            return self.replace_called(2, made)
    self.close_window()
    obj = maker_of(self).reduce(<object>function, <object>args)
    Py_INCREF(obj)
    return self.replace_called(2, <PyObject*>obj)


cdef inline PyObject* call_quietly(
    Loader self, PyObject* function, PyObject** args, Py_ssize_t count
) except? NULL:
    """The result of a call that runs no other code; NULL where it might."""
    if (
        (count == 1 or count == 2) and PyType_Check(function) and PyBytes_CheckExact_(args[0])
        and makes_dates(self, <PyTypeObject*>function)
        and (count == 1 or quickpickle_is_tzinfo(args[1]))
    ):
        return quickpickle_make_date(
            <PyTypeObject*>function,
            <const uint8_t*>PyBytes_AS_STRING_(args[0]), PyBytes_GET_SIZE_(args[0]),
            args[1] if count == 2 else NULL,
        )
    if count == 0 and function == <PyObject*>&PyODict_Type:
        return PyODict_New()  # a static type, which no code can change
    return NULL


cdef bint date_at_once(Loader self, Py_ssize_t size) except -1:
    """The next `size` bytes become a date, if the opcodes behind them make one of them.

    Returns False where the bytes have to be made.
    """
    cdef const uint8_t* p
    cdef PyObject* cls
    cdef PyObject* made
    cdef PyObject* tzinfo = NULL
    cdef Py_ssize_t numbered = 0
    if self.top == self.fence or not PyType_Check(self.top[-1]):
        return False
    cls = self.top[-1]
    if not makes_dates(self, <PyTypeObject*>cls):
        return False
    p = self.p + size
    if self.end - self.p < size + 6:
        return False
    if p[0] == OP_MEMOIZE:
        numbered = 1
        p += 1
    if p[0] == OP_BINGET and p[1] < self.memo_room:
        tzinfo = self.memo[p[1]]
        if not is_object(tzinfo) or not quickpickle_is_tzinfo(tzinfo):
            return False
        p += 2
    if p[0] != (OP_TUPLE1 if tzinfo == NULL else OP_TUPLE2):
        return False
    p += 1
    if p[0] == OP_MEMOIZE:
        numbered += 1
        p += 1
    if p[0] != OP_REDUCE or numbered and (
        self.is_read(self.memo_count) or self.is_read(self.memo_count + numbered - 1)
    ):
        return False
    if self.policy is not None and not may_make_date(self, cls, size, tzinfo, 4):
        return False
    made = quickpickle_make_date(<PyTypeObject*>cls, self.p, size, tzinfo)
    if made == NULL:
        return False
    if self.policy is not None:
        self.copied += size + OBJECT_SIZE * (1 if tzinfo == NULL else 2)
        self.objects += numbered + (2 if tzinfo == NULL else 3)
    while numbered:
        self.put_unread(self.memo_count)
        numbered -= 1
    move_on(self, p + 1)
    self.top[-1] = made
    return self.let_go(cls) == 0


cdef int reduce_at_once(Loader self) except -1:
    """Run REDUCE, if it comes next and nobody reads the tuple of arguments from the memo."""
    cdef const uint8_t* p = self.p
    cdef Py_ssize_t left = self.end - p, number = self.memo_count
    if left < 2:
        return 0
    if p[0] == OP_MEMOIZE and p[1] == OP_REDUCE:
        p += 1
    elif p[0] == OP_BINPUT and left > 2 and p[2] == OP_REDUCE and p[1] == number:
        p += 2
    elif (
        p[0] == OP_LONG_BINPUT and left > 5 and p[5] == OP_REDUCE
        and quickpickle_load4(p + 1) == <size_t>number
    ):
        p += 5
    if p[0] != OP_REDUCE:
        return 0
    if p != self.p:
        if self.is_read(number):
            return 0
        self.put_unread(number)
    move_on(self, p + 1)
    return load_reduce(self)


cdef bint call_at_once(Loader self, Py_ssize_t count) except -1:
    """The topmost `count` objects are the arguments of a call, if REDUCE comes next.

    Returns False where the tuple has to be made.
    """
    cdef const uint8_t* p = self.p
    cdef PyObject* made
    cdef PyObject* function
    cdef bint numbered = False
    if self.end - p < 2:
        return False
    if p[0] == OP_MEMOIZE:
        if self.is_read(self.memo_count):
            return False
        numbered = True
        p += 1
    if self.top - self.fence < count + 1:
        return False
    function = self.top[-1 - count]
    if not PyType_Check(function) or not (
        quickpickle_is_of_datetime(<PyTypeObject*>function) if p[0] == OP_REDUCE
        else p[0] == OP_NEWOBJ and quickpickle_is_tuple_class(<PyTypeObject*>function)
    ):
        return False
    if self.policy is not None and (
        is_near_limits(self, 2) or not may_call(self, function, self.top - count, count, p[0])
    ):
        return False
    if p[0] == OP_REDUCE:
        made = call_quietly(self, function, self.top - count, count)
    elif is_namedtuple(self, <PyTypeObject*>function, count):
        made = quickpickle_tuple_of(<PyTypeObject*>function, self.top - count, count)
    else:
        return False
    if made == NULL:
        return False
    if self.policy is not None:
        self.copied += self.cost
        self.objects += numbered + 1
    move_on(self, p + 1)
    obj = <object>made
    Py_DECREF(made)
    if numbered:
        self.put_unread(self.memo_count)
    self.replace(count + 1, obj)
    return True


cdef int load_inst(Loader self) except -1:
    cdef Py_ssize_t height
    # The names come first, as the interpreter has it.
    height = self.pop_mark()
    args = take_args(self, height)
    module = take_name(self, "ascii")
    name = take_name(self, "ascii")
    cls = find_global(self, module, name)
    self.close_window()
    obj = maker_of(self).instantiate(cls, args)
    del cls, args
    self.open_window()
    return push_new(self, obj)


cdef int load_obj(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark()
    if self.top - self.bottom < height + 1:
        raise self.underflow_error()
    args = take_args(self, height + 1)
    self.close_window()
    obj = maker_of(self).instantiate(<object>self.top[-1], args)
    del args
    self.open_window()
    return self.replace(1, obj)


cdef tuple take_args(Loader self, Py_ssize_t height):
    """Take the objects above `height` off the stack, in a tuple."""
    cdef PyObject** items = self.bottom + height
    cdef PyObject* made = new_tuple(items, self.top - items)
    if made == NULL:
        raise MemoryError
    self.top = items
    args = <object>made
    Py_DECREF(made)
    return args


cdef int check_persistent_load(Loader self, bint later) except -1:
    """Whether there is one: from 3.13 on after the pid is known."""
    if self.persistent_load is absent and later == PY313:
        raise self.fault().no_persistent_load()
    return 0


cdef int load_persistent(Loader self) except -1:
    """The object with the persistent id on top of the stack."""
    check_persistent_load(self, True)
    self.close_window()
    obj = self.persistent_load(<object>self.top[-1])
    self.open_window()
    return self.replace(1, obj)


cdef int load_binpersid(Loader self) except -1:
    check_persistent_load(self, False)
    if self.top - self.fence < 1:
        self.underflow(1)
    return load_persistent(self)


cdef int load_next_buffer(Loader self) except -1:
    self.close_window()
    buffer = loading.next_buffer(self.buffers)
    self.open_window()
    return push_new(self, buffer)


cdef int load_readonly_buffer(Loader self) except -1:
    if self.top - self.fence < 1:
        self.underflow(1)
    buffer = <object>self.top[-1]
    self.close_window()
    buffer = loading.readonly_buffer(buffer)
    self.open_window()
    return self.replace(1, buffer)


# Dates are checked when the first one is met, as their module is imported by then.
cdef int dates_are_known = -1


cdef bint makes_dates(Loader loader, PyTypeObject* cls) except -1:
    """Whether dates of this class can be made of their bytes."""
    global dates_are_known
    if dates_are_known < 0:
        if not quickpickle_is_of_datetime(cls):
            return False
        loader.close_window()
        quickpickle_import_datetime()
        dates_are_known = "slots" in layouts_of_core() and check_dates()
        loader.open_window()
    return dates_are_known and quickpickle_is_date(cls)


cdef bint check_dates() except -1:
    cdef PyObject* made
    from datetime import UTC, date, datetime
    for sample in (
        date(2024, 2, 29), datetime(1, 2, 3, 4, 5, 6, 789000), datetime(9999, 12, 31, fold=1),
        datetime(2024, 1, 2, tzinfo=UTC),
    ):
        data = sample.__reduce_ex__(4)[1][0]
        tz = getattr(sample, "tzinfo", None)
        made = quickpickle_make_date(
            Py_TYPE(<PyObject*>sample), <const uint8_t*>PyBytes_AS_STRING(data), len(data),
            <PyObject*>tz if tz is not None else NULL,
        )
        if made == NULL:
            return False
        obj = <object>made
        Py_DECREF(made)
        if obj != sample or hash(obj) != hash(sample):
            return False
        if obj.__reduce_ex__(4) != sample.__reduce_ex__(4):
            return False
    return True
