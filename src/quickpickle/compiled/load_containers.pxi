# Tuples, lists, dicts and sets of what lies on the stack.

cdef PyObject* new_tuple(PyObject** items, Py_ssize_t count) noexcept:
    """A tuple that takes over the references; NULL without memory, and then it takes none."""
    cdef PyObject* made = PyTuple_New(count)
    cdef Py_ssize_t i
    if made != NULL:
        for i in range(count):
            PyTuple_SET_ITEM_(made, i, items[i])
    return made


cdef int load_tuple(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark()
    cdef PyObject** items = self.bottom + height
    cdef PyObject* made
    if self.calls_at_once and call_at_once(self, self.top - items):
        return 0
    made = new_tuple(items, self.top - items)
    if made == NULL:
        return -1
    self.top = items
    self.push(made)
    if self.calls_at_once and self.policy is None:
        return reduce_at_once(self)
    return 0


cdef int load_list(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark()
    cdef PyObject** items = self.bottom + height
    cdef PyObject* made = PyList_New(0)
    if made == NULL:
        return -1
    if self.top > items:
        try:
            quickpickle_fill_list(made, items, self.top - items)
        except BaseException:
            Py_DECREF(made)
            raise
    self.top = items
    return self.push(made)


cdef int load_appends(Loader self, Py_ssize_t height) except -1:
    """Items from `height` on go to the object below."""
    cdef PyObject** items = self.bottom + height
    cdef PyObject* target
    cdef Py_ssize_t count = self.top - items
    if items > self.top or items <= self.fence:
        self.underflow(count + 1)
        items = self.bottom + height
    target = items[-1]
    if Py_TYPE(target) == &PyList_Type:
        if count == 0:
            return 0
        quickpickle_fill_list(target, items, count)
        self.top = items
        return 0
    listed = take_list(self, height)
    owner = <object>target
    self.close_window()
    extend = getattr(owner, "extend", None) if count else None
    if extend is not None:
        extend(listed)
    else:
        objects.append_items(owner, listed)
    del extend
    del listed
    self.open_window()
    return 0


cdef list take_list(Loader self, Py_ssize_t height):
    """Take the objects above `height` off the stack, in a list."""
    cdef PyObject** items = self.bottom + height
    cdef list result = []
    if self.top > items:
        quickpickle_fill_list(<PyObject*>result, items, self.top - items)
        self.top = items
    return result


cdef int load_dict(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark()
    cdef Py_ssize_t count = self.top - self.bottom - height
    cdef PyObject* made
    if count & 1:
        raise self.fault().odd_items("DICT")
    made = new_dict(self, self.bottom + height, count >> 1)
    if made == NULL:
        return -1
    if made == Py_None:
        made = PyDict_New()
        if made == NULL:
            return -1
        self.push(made)
        set_items(self, made, height, 1)
        # The dict lies on top of its items.
        self.top -= 1
        self.drop_in_window(height)
        return self.push(made)
    self.top = self.bottom + height
    return self.push(made)


cdef enum:
    LARGEST_KEY_TABLE = 128

cdef inline bint is_quiet_key(PyObject* key) noexcept:
    """Whether to hash and to compare it runs no other code."""
    cdef PyTypeObject* cls = Py_TYPE(key)
    return (
        cls == &PyUnicode_Type or cls == &PyLong_Type or cls == &PyBytes_Type
        or cls == &PyFloat_Type
    )


cdef bint are_quiet_keys(PyObject** keys, Py_ssize_t count, int step) noexcept:
    """The same of every object, or of every second one."""
    cdef Py_ssize_t i = 0
    while i < count:  # Cython would make a range object for a step that it does not know
        if not is_quiet_key(keys[i]):
            return False
        i += step
    return True


cdef PyObject* new_dict(Loader self, PyObject** items, Py_ssize_t count) noexcept:
    """A dict of keys and values in turn, whose references it takes over.

    NULL without memory; None where other code may run: then nothing was taken over.
    """
    cdef PyObject* made
    cdef PyObject** table = NULL
    cdef Py_ssize_t i
    cdef size_t place = 0
    if 2 <= count <= LARGEST_KEY_TABLE:
        if self.key_tables == NULL and self.dict_count:
            self.key_tables = <PyObject**>PyMem_Malloc(KEY_TABLES * sizeof(PyObject*))
            if self.key_tables != NULL:
                memset(self.key_tables, 0, KEY_TABLES * sizeof(PyObject*))
        if self.key_tables != NULL:
            place = (<size_t>items[0] >> 4) ^ (<size_t>items[2 * count - 2] >> 5) ^ <size_t>count
            table = &self.key_tables[place % KEY_TABLES]
            if table[0] != NULL:
                made = quickpickle_dict_like(table[0], items, count)
                if made != NULL:
                    return made
    if not are_quiet_keys(items, 2 * count, 2):
        return Py_None
    # A dict that is made for more keys than five has a table for keys of any type, which is larger
    # and slower than one for strings.
    if count > 5 and Py_TYPE(items[0]) != &PyUnicode_Type:
        made = _PyDict_NewPresized(count)
    else:
        made = PyDict_New()
    if made == NULL:
        return NULL
    if quickpickle_fill_dict_quietly(made, items, count) < 0:
        Py_DECREF(made)
        return NULL
    if PyDict_GET_SIZE(made) < count:
        # A value that came first may be freed now.
        Py_DECREF(made)
        return Py_None
    for i in range(2 * count):
        Py_DECREF(items[i])
    self.dict_count = 1
    if table != NULL and table[0] == NULL:
        Py_INCREF_(made)
        table[0] = made
        self.used_tables[self.used_table_count] = place % KEY_TABLES
        self.used_table_count += 1
    elif table != NULL and Py_REFCNT(table[0]) > 1:
        Py_DECREF(table[0])
        Py_INCREF_(made)
        table[0] = made
    return made


cdef int set_items(Loader self, PyObject* target, Py_ssize_t height, Py_ssize_t above) except -1:
    """Keys and values from `height` on, but for the last `above` objects, go to a dict.

    They stay on the stack meanwhile, where other code cannot free them.
    """
    cdef Py_ssize_t i, count = self.top - self.bottom - height - above
    cdef bint is_quiet = (
        PyDict_GET_SIZE(target) == 0 or quickpickle_has_str_keys(target)
    ) and are_quiet_keys(self.bottom + height, count, 2)
    if is_quiet:
        return quickpickle_fill_dict(target, self.bottom + height, count >> 1)
    self.close_window()
    for i in range(0, count, 2):
        PyDict_SetItem_(target, self.bottom[height + i], self.bottom[height + i + 1])
    self.open_window()
    return 0


cdef int load_setitems(Loader self, Py_ssize_t height) except -1:
    """Keys and values from `height` on go to the object below."""
    cdef PyObject** items = self.bottom + height
    cdef PyObject* target
    cdef Py_ssize_t count = self.top - items, i
    if self.pending_count and self.pending[self.pending_count - 1].place == height - 1 and not (
        self.mark_count and self.marks[self.mark_count - 1] == height
    ):
        if count and not count & 1:
            return fill_pending(self, height)
        self.make_pending()
        self.set_fence()
    if items > self.top or items <= self.fence:
        self.underflow(count + 1)
        items = self.bottom + height
    if count == 0:
        return 0
    if count & 1:
        raise self.fault().odd_items("SETITEMS")
    target = items[-1]
    if Py_TYPE(target) == &PyDict_Type:
        set_items(self, target, height, 0)
        return self.drop_in_window(height)
    if (
        Py_TYPE(target) == &PyODict_Type and PyDict_GET_SIZE(target) == 0
        and are_quiet_keys(items, count, 2)
    ):
        # To hash and to compare the keys runs no other code, and values that others replace stay
        # on the stack.
        for i in range(0, count, 2):
            PyODict_SetItem(target, items[i], items[i + 1])
        return self.drop_in_window(height)
    owner = <object>target
    self.close_window()
    for i in range(height, height + count, 2):
        owner[<object>self.bottom[i]] = <object>self.bottom[i + 1]
    self.open_window()
    return self.drop_in_window(height)


cdef int fill_pending(Loader self, Py_ssize_t height) except -1:
    """A pending dict gets its items; or they become the state of an instance right away."""
    if self.pending[self.pending_count - 1].number < 0 and build_at_once(self, height):
        return 0
    return make_filled(self, height)


cdef int make_filled(Loader self, Py_ssize_t height) except -1:
    """A pending dict gets its items."""
    cdef Py_ssize_t count = self.top - self.bottom - height
    cdef Py_ssize_t number
    cdef PyObject* made
    if self.bottom[height - 1] != PENDING:  # other code has seen it meanwhile
        set_items(self, self.bottom[height - 1], height, 0)
        return self.drop_in_window(height)
    number = self.pending[self.pending_count - 1].number
    made = new_dict(self, self.bottom + height, count >> 1)
    if made == NULL:
        return -1
    if made == Py_None:
        self.make_pending()
        self.set_fence()
        set_items(self, self.bottom[height - 1], height, 0)
        return self.drop_in_window(height)
    self.pending_count -= 1
    self.top = self.bottom + height
    self.top[-1] = made
    self.set_fence()
    self.memo_has_it(number, made)
    return 0


cdef int load_additems(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark(), i
    cdef PyObject** items = self.bottom + height
    cdef PyObject* target
    cdef bint is_quiet
    if items > self.top or items <= self.fence:
        self.underflow(self.top - items + 1)
        items = self.bottom + height
    target = items[-1]
    if PySet_CheckExact_(target):
        is_quiet = PySet_GET_SIZE(target) == 0 and are_quiet_keys(items, self.top - items, 1)
        if not is_quiet:
            self.close_window()
        for i in range(height, self.top - self.bottom):
            PySet_Add_(target, self.bottom[i])
        if not is_quiet:
            self.open_window()
        return self.drop_in_window(height)
    owner = <object>target
    listed = take_list(self, height)
    self.close_window()
    objects.add_items(owner, listed)
    del listed
    self.open_window()
    return 0


cdef int load_frozenset(Loader self) except -1:
    cdef bint is_quiet
    items = take_args(self, self.pop_mark())
    is_quiet = are_quiet_keys(quickpickle_tuple_items(<PyObject*>items), len(items), 1)
    if not is_quiet:
        self.close_window()
    made = frozenset(items)
    del items
    if not is_quiet:
        self.open_window()
    return push_new(self, made)
