# The opcodes under a policy that call or change something. Those that a QuickRule covers are done
# here, the Guard is asked for all others. load_policy.pxi says how.

cdef uint8_t is_guarded[256]  # by opcode
memset(is_guarded, 0, sizeof(is_guarded))
cdef Py_ssize_t _guarded_code
for _guarded_code in (
    OP_APPENDS, OP_SETITEMS, OP_EMPTY_DICT, OP_BUILD, OP_NEWOBJ, OP_REDUCE, OP_SETITEM, OP_APPEND,
    OP_STACK_GLOBAL, OP_GLOBAL, OP_ADDITEMS, OP_FROZENSET, OP_DICT, OP_NEWOBJ_EX, OP_INST, OP_OBJ,
    OP_EXT1, OP_EXT2, OP_EXT4, OP_PERSID, OP_BINPERSID, OP_NEXT_BUFFER, OP_READONLY_BUFFER,
):
    is_guarded[_guarded_code] = True


cdef int load_guarded(Loader self, uint8_t code) except -1:
    """In the place of load_other, for these opcodes: all others only make new objects."""
    self.offset = self.base + (self.p - self.start) - 1
    if code == OP_APPENDS:
        return guarded_appends(self, self.pop_mark())
    elif code == OP_SETITEMS:
        return guarded_setitems(self, self.pop_mark())
    elif code == OP_EMPTY_DICT:
        return guarded_empty_dict(self)
    elif code == OP_BUILD:
        know_reads(self)
        return guarded_build(self)
    elif code == OP_NEWOBJ:
        know_reads(self)
        return guarded_newobj(self)
    elif code == OP_REDUCE:
        know_reads(self)
        return guarded_reduce(self)
    elif code == OP_SETITEM:
        if self.top - self.fence < 2:
            self.underflow(2)
        return guarded_setitems(self, self.top - self.bottom - 2)
    elif code == OP_APPEND:
        if self.top - self.fence < 1:
            self.underflow(1)
        return guarded_appends(self, self.top - self.bottom - 1)
    elif code == OP_STACK_GLOBAL:
        if self.top - self.fence < 2:
            self.underflow(2)
        if Py_TYPE(self.top[-1]) != &PyUnicode_Type or Py_TYPE(self.top[-2]) != &PyUnicode_Type:
            raise self.fault().names_not_str()
        return self.replace(2, find_guarded(self, <object>self.top[-2], <object>self.top[-1]))
    elif code == OP_GLOBAL:
        module = take_name(self, "utf-8")
        name = take_name(self, "utf-8")
        return push_new(self, find_guarded(self, module, name))
    elif code == OP_ADDITEMS:
        return guarded_additems(self)
    elif code == OP_FROZENSET:
        if self.mark_count:
            weigh(self, self.marks[self.mark_count - 1], 1, NULL)
        return load_frozenset(self)
    elif code == OP_DICT:
        if self.mark_count and not (
            self.top - self.bottom - self.marks[self.mark_count - 1]
        ) & 1:
            weigh(self, self.marks[self.mark_count - 1], 2, NULL)
        return load_dict(self)
    elif code == OP_NEWOBJ_EX:
        if self.top - self.fence < 3:
            self.underflow(3)
        obj = ask(self).newobj_ex(
            <object>self.top[-3], <object>self.top[-2], <object>self.top[-1]
        )
        was_asked(self)
        return push_result(self, 3, obj)
    elif code == OP_INST:
        return guarded_inst(self)
    elif code == OP_OBJ:
        return guarded_obj(self)
    elif code == OP_EXT1:
        need(self, 1)
        self.p += 1
        return guarded_extension(self, self.p[-1])
    elif code == OP_EXT2:
        need(self, 2)
        self.p += 2
        return guarded_extension(self, quickpickle_load2(self.p - 2))
    elif code == OP_EXT4:
        need(self, 4)
        self.p += 4
        return guarded_extension(self, <int32_t>quickpickle_load4(self.p - 4))
    load_other(self, code)  # a persistent id or a buffer
    self.close_window()
    is_foreign(self, <object>self.top[-1])
    self.open_window()
    return 0


# Calls


cdef int guarded_reduce(Loader self) except -1:
    cdef PyObject* args
    cdef PyObject* function
    cdef int kinds
    cdef bint is_held
    if self.top - self.fence < 2:
        self.underflow(2)
    args = self.top[-1]
    function = self.top[-2]
    if PyTuple_CheckExact_(args) and may_call(
        self, function, quickpickle_tuple_items(args), PyTuple_GET_SIZE(args), OP_REDUCE
    ):
        self.copied += self.cost
        kinds = quick_rule(self, function).call
        self.close_window()
        obj = <object>PyObject_Call_(function, args, NULL)
        Py_DECREF(<PyObject*>obj)
        is_held = kinds & (ANYTHING | SCALAR | ARRAY | BUFFER) and Py_REFCNT(<PyObject*>obj) > 1
        if kinds & ARRAY:
            wait_for_state(self, obj)
        if is_held:
            ask(self)  # which hands over what waits
            is_foreign(self, obj)
        self.open_window()
    elif reduce_by_check(self):
        return 0
    else:
        obj = ask(self).reduce(<object>function, <object>args)
        was_asked(self)
    return push_result(self, 2, obj)


cdef int guarded_newobj(Loader self) except -1:
    cdef PyObject* args
    cdef PyObject* cls
    cdef bint is_new
    if self.top - self.fence < 2:
        self.underflow(2)
    args = self.top[-1]
    cls = self.top[-2]
    if PyType_Check(cls) and PyTuple_CheckExact_(args) and may_call(
        self, cls, quickpickle_tuple_items(args), PyTuple_GET_SIZE(args), OP_NEWOBJ
    ):
        self.copied += self.cost
        is_new = quickpickle_is_plainly_made(<PyTypeObject*>cls)
        if is_new and PyTuple_GET_SIZE(args) == 0:
            return make_plainly(self)
        load_newobj(self)
        if not is_new and Py_REFCNT(self.top[-1]) > 1:
            obj = <object>self.top[-1]
            self.close_window()
            is_foreign(self, obj)
            self.open_window()
        return 0
    if newobj_by_check(self):
        return 0
    obj = ask(self).newobj(<object>cls, <object>args)
    was_asked(self)
    return push_result(self, 2, obj)


cdef int guarded_inst(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark()
    args = take_args(self, height)
    module = take_name(self, "ascii")
    name = take_name(self, "ascii")
    cls = find_guarded(self, module, name)
    obj = ask(self).instantiate(cls, args)
    del cls, args
    was_asked(self)
    return push_result(self, 0, obj)


cdef int guarded_obj(Loader self) except -1:
    cdef Py_ssize_t height = self.pop_mark()
    if self.top - self.bottom < height + 1:
        raise self.underflow_error()
    args = take_args(self, height + 1)
    obj = ask(self).instantiate(<object>self.top[-1], args)
    del args
    was_asked(self)
    return push_result(self, 1, obj)


# Changes


cdef int guarded_build(Loader self) except -1:
    if self.top - self.fence < 2:
        self.underflow(2)
    if not build_here(self) and not build_by_check(self):
        self.close_window()
        forget_tables(self)  # the Guard looks at the references to the __dict__ of an instance
        ask(self).build(<object>self.top[-2], <object>self.top[-1])
        was_asked(self)
    learn_dtype(self, Py_TYPE(self.top[-2]), self.top[-1])
    return self.drop_in_window(self.top - self.bottom - 1)


cdef bint build_here(Loader self) except -1:
    """A state for an instance of a class that the user lists; False where the Guard is to be asked.
    """
    cdef PyObject* state = self.top[-1]
    cdef PyObject* obj = self.top[-2]
    cdef PyTypeObject* cls = Py_TYPE(obj)
    cdef PyObject* found
    cdef Py_ssize_t cost = cost_of_one(state)
    cdef bint is_done = False
    if obj == <PyObject*>self.waiting:
        return build_array(self, state)
    if self.has_foreign or self.has_fresh or not is_approved(self, cls):
        return False
    if PyTuple_CheckExact_(state):
        cost = cost_of(quickpickle_tuple_items(state), PyTuple_GET_SIZE(state))
    if self.copied + cost > self.most_copied:
        return False
    self.copied += cost
    if Py_TYPE(state) == &PyList_Type:
        is_done = set_fields(self, obj, state)
    elif Py_TYPE(state) == &PyDict_Type:
        is_done = build_from(self, obj, state, False)
    if is_done:  # by names that are str, which cost nothing to hash
        return True
    if Py_TYPE(state) == &PyDict_Type and not are_light_keys(state):
        self.copied -= cost
        return False
    if self.has_foreign or Py_TYPE(obj) != cls or not quickpickle_has_plain_attributes(cls):
        self.copied -= cost
        return False
    found = _PyType_Lookup(cls, SETSTATE)
    if found != NULL and Py_TYPE(found) == function_type:
        method = <object>found  # that of the class, whatever the pickle has put into the instance
        self.close_window()
        method(<object>obj, <object>state)
        self.open_window()
        return True
    if found == NULL and Py_TYPE(state) == &PyDict_Type:
        self.close_window()
        is_done = fill_own_dict(self, <object>obj, <object>state)
        self.open_window()
        if is_done:
            return True
    self.copied -= cost
    return False


cdef bint are_light_keys(PyObject* state) except -1:
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t position = 0
    while PyDict_Next(state, &position, &key, &value):
        if not is_light_key(key):
            return False
    return True


cdef int guarded_appends(Loader self, Py_ssize_t height) except -1:
    cdef PyObject** items = self.bottom + height
    if items > self.top or items <= self.fence:
        self.underflow(self.top - items + 1)
        items = self.bottom + height
    if not self.has_foreign_containers and (
        Py_TYPE(items[-1]) == &PyList_Type
        or Py_TYPE(items[-1]) == deque_type and not has_nesting(self, height, 1)
    ):
        return load_appends(self, height)
    owner = <object>items[-1]
    listed = take_list(self, height)
    ask(self).append_items(owner, listed)
    del listed
    return was_asked(self)


cdef int guarded_additems(Loader self) except -1:
    cdef Py_ssize_t height
    cdef PyObject** items
    if self.mark_count and not self.has_foreign_containers:
        height = self.marks[self.mark_count - 1]
        items = self.bottom + height
        if (
            items > self.bottom and is_object(items[-1]) and PySet_CheckExact_(items[-1])
            # Else a mark lies between, which is an error.
            and not (self.mark_count > 1 and self.marks[self.mark_count - 2] == height)
        ):
            weigh(self, height, 1, items[-1])
            return load_additems(self)
    height = self.pop_mark()
    items = self.bottom + height
    if items > self.top or items <= self.fence:
        self.underflow(self.top - items + 1)
        items = self.bottom + height
    owner = <object>items[-1]
    listed = take_list(self, height)
    ask(self).add_items(owner, listed)
    del listed
    return was_asked(self)


cdef int guarded_empty_dict(Loader self) except -1:
    cdef const uint8_t* p = self.p
    cdef PyObject* made
    if is_near_limits(self, 1):
        made = PyDict_New()
        return -1 if made == NULL else self.push(made)
    load_empty_dict(self)
    if self.p != p:
        self.objects += 1  # the PUT behind it
    return 0


cdef int guarded_setitems(Loader self, Py_ssize_t height) except -1:
    cdef PyObject** items = self.bottom + height
    cdef const uint8_t* p
    cdef Py_ssize_t count = self.top - items
    cdef bint is_pending = (
        self.pending_count and self.pending[self.pending_count - 1].place == height - 1
        and not (self.mark_count and self.marks[self.mark_count - 1] == height)
    )
    if is_pending and (self.has_foreign or self.has_fresh):
        # Its items do not become the state of an instance, which may be somebody else's.
        self.make_pending()
        self.set_fence()
        is_pending = False
    if is_pending and is_near_limits(self, 4):
        self.make_pending()
        self.set_fence()
        is_pending = False
    if not is_pending:
        if items > self.top or items <= self.fence:
            self.underflow(count + 1)
            items = self.bottom + height
        if count & 1:
            raise self.fault().odd_items("SETITEMS")
        if not takes_items(self, items[-1], height):
            owner = <object>items[-1]
            listed = take_list(self, height)
            ask(self).set_items(owner, listed)
            del listed
            return was_asked(self)
    p = self.p
    # Attributes of an instance get the names that are str, and are hashed as such: nothing to weigh.
    if is_pending and count and not count & 1:
        if self.pending[self.pending_count - 1].number >= 0 or not build_at_once(self, height):
            weigh(self, height, 2, NULL)
            make_filled(self, height)
    else:
        if not count & 1:
            weigh(self, height, 2, NULL if is_pending else self.bottom[height - 1])
        load_setitems(self, height)
    if self.p != p:
        # Opcodes that were done as well: TUPLE2, MEMOIZE and BUILD.
        self.copied += OBJECT_SIZE * (count >> 1)
        if p[0] == OP_TUPLE2:
            self.copied += 2 * OBJECT_SIZE
        if self.is_counted:
            while p < self.p:
                self.objects += counted[p[0]]
                p += 1
        self.offset = self.base + (self.p - self.start) - 1
        if self.copied > self.most_copied:
            ask(self).check_copied()
    return 0


cdef bint takes_items(Loader self, PyObject* obj, Py_ssize_t height) except -1:
    """Whether items may be set in a container, but for what their hashes cost."""
    cdef PyTypeObject* cls = Py_TYPE(obj)
    if cls == &PyDict_Type or cls == &PyODict_Type:
        return not self.has_foreign_containers
    if cls == defaultdict_type:
        return not self.has_foreign_containers and not has_nesting(self, height + 1, 2)
    return (
        PyDict_Check_(obj) and not self.has_foreign and not self.has_fresh
        and is_approved(self, cls)
    )


cdef bint has_nesting(Loader self, Py_ssize_t height, Py_ssize_t step) noexcept:
    """Whether a deque or defaultdict is among these: see Guard._nest."""
    cdef PyObject** place = self.bottom + height
    while place < self.top:
        if is_object(place[0]) and (
            Py_TYPE(place[0]) == deque_type or Py_TYPE(place[0]) == defaultdict_type
        ):
            return True
        place += step
    return False
