# Loads under a policy: the opcodes that name, call or change something.
#
# The Guard of rules/enforcement.py decides, which is Python code, so no window is open while it
# runs. It is not asked about containers that the load makes itself, nor about instances of approved
# classes: those that the user lists and this load has found by name, whose instances are made by
# object.__new__ and get their state without a call (a plan of load_instances.pxi). What the opcodes
# that are not here make is new, and nobody else has it.

from enum import EnumMeta

from ..format.costs import COUNTED, OBJECT_SIZE as _object_size

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(PyObject*, int*) noexcept

cdef Py_ssize_t OBJECT_SIZE = _object_size
cdef uint8_t counted[256]
cdef Py_ssize_t _counted_code
for _counted_code in range(256):
    counted[_counted_code] = COUNTED[_counted_code]

cdef object enforcement = None  # the module, when there is a policy


cdef int use_policy(Loader self, object policy) except -1:
    global enforcement
    if enforcement is None:
        from ..rules import enforcement as imported
        enforcement = imported
    self.guard = enforcement.Guard(enforcement.check_policy(policy))
    self.approved = self.guard.approved
    self.last_approved = NULL
    self.is_hooked = self.has_foreign = self.has_foreign_containers = False
    limits = self.guard.policy.limits
    self.most_objects = limits.objects
    self.most_memory = limits.memory
    return 0


cdef PyObject* load_under_policy(Loader self) except NULL:
    self.close_window()
    self.guard.begin()
    self.objects = self.copied = self.offset = 0
    self.most_copied = self.most_memory
    self.open_window()
    try:
        return load_pickle(self, <long>0)
    except enforcement.PolicyError as error:
        self.close_window()
        if error.offset is None:
            error.offset = self.offset
        error.path = find_path(self, error.offset)
        raise


cdef object find_path(Loader self, Py_ssize_t offset):
    """Where in the object what the opcode makes would have been. No window is open."""
    cdef const uint8_t* end = self.end if self.frame_end == NULL else self.data_end
    from ..scanning import places
    from .inspection import Scanner
    if self.is_file:
        return places.path_in_file(
            Scanner, self.file_read, self.base + (end - self.start) - self.ahead, offset
        )
    view = PyMemoryView_FromMemory(<char*>self.start, end - self.start, PyBUF_READ)
    return places.path_in_data(Scanner, view, offset)


cdef int refuse_more(Loader self) except -1:
    self.close_window()
    self.guard.too_many(self.objects)
    return 0


cdef inline bint is_approved(Loader self, PyTypeObject* cls) except -1:
    if cls == self.last_approved:
        return True
    if <size_t>cls not in self.approved:
        return False
    self.last_approved = cls  # the Guard keeps it alive
    return True


cdef object ask(Loader self):
    """The Guard, when no window is open any more, and it knows what was copied here."""
    self.close_window()
    if self.copied:
        self.guard.copied += self.copied
        self.copied = 0
    return self.guard


cdef int was_asked(Loader self) except -1:
    self.most_copied = self.most_memory - <Py_ssize_t>self.guard.copied
    self.open_window()
    return 0


cdef int is_foreign(Loader self, object obj) except -1:
    """An object of somebody else. No window is open."""
    self.guard.foreign(obj)
    return may_be_foreign(self, obj)


cdef int may_be_foreign(Loader self, object obj) except -1:
    # Instances of types of C are not built here, nor members of enums.
    if (
        PyType_HasFeature(Py_TYPE(<PyObject*>obj), Py_TPFLAGS_HEAPTYPE)
        and type(type(obj)) is not EnumMeta
    ):
        self.has_foreign = True
    if type(obj) is list or type(obj) is dict or type(obj) is set:
        self.has_foreign_containers = True
    return 0


cdef int push_result(Loader self, Py_ssize_t count, object obj) except -1:
    """What a call has returned takes the place of the topmost objects."""
    if Py_REFCNT(<PyObject*>obj) > 1:  # the Guard has it too, or somebody else
        may_be_foreign(self, obj)
    if count == 0:
        return push_new(self, obj)
    return self.replace(count, obj)


cdef int load_guarded(Loader self, uint8_t code) except -1:
    """In the place of load_other."""
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
        if self.top - self.fence < 2:
            self.underflow(2)
        obj = ask(self).reduce(<object>self.top[-2], <object>self.top[-1])
        was_asked(self)
        return push_result(self, 2, obj)
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
            weigh(self, self.marks[self.mark_count - 1], 1)
        return load_frozenset(self)
    elif code == OP_DICT:
        if self.mark_count and not (
            self.top - self.bottom - self.marks[self.mark_count - 1]
        ) & 1:
            weigh(self, self.marks[self.mark_count - 1], 2)
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
    load_other(self, code)
    if (
        code == OP_PERSID or code == OP_BINPERSID or code == OP_NEXT_BUFFER
        or code == OP_READONLY_BUFFER
    ):
        self.close_window()
        is_foreign(self, <object>self.top[-1])
        self.open_window()
    return 0


cdef object find_guarded(Loader self, object module, object name):
    guard = ask(self)
    found = guard.find(
        module, name, self.proto, self.fix_imports, partial_find_class(self), self.is_hooked
    )
    if not PyType_Check(<PyObject*>found):
        may_be_foreign(self, found)
    was_asked(self)
    return found


cdef int guarded_extension(Loader self, long code) except -1:
    guard = ask(self)
    obj = guard.extension(
        code, self.proto, self.fix_imports, partial_find_class(self), self.is_hooked
    )
    if not PyType_Check(<PyObject*>obj):
        may_be_foreign(self, obj)
    was_asked(self)
    return push_new(self, obj)


# Calls


cdef int guarded_newobj(Loader self) except -1:
    cdef PyObject* args
    cdef PyObject* cls
    if self.top - self.fence < 2:
        self.underflow(2)
    args = self.top[-1]
    cls = self.top[-2]
    if (
        PyType_Check(cls) and PyTuple_CheckExact_(args) and PyTuple_GET_SIZE(args) == 0
        and is_approved(self, <PyTypeObject*>cls)
        and quickpickle_is_plainly_made(<PyTypeObject*>cls)
    ):
        return load_newobj(self)
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
    ask(self).build(<object>self.top[-2], <object>self.top[-1])
    was_asked(self)
    return self.drop_in_window(self.top - self.bottom - 1)


cdef int guarded_appends(Loader self, Py_ssize_t height) except -1:
    cdef PyObject** items = self.bottom + height
    if items > self.top or items <= self.fence:
        self.underflow(self.top - items + 1)
        items = self.bottom + height
    if Py_TYPE(items[-1]) == &PyList_Type and not self.has_foreign_containers:
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
        if items > self.bottom and is_object(items[-1]) and PySet_CheckExact_(items[-1]):
            weigh(self, height, 1)
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
    if is_pending and self.has_foreign:
        # Its items do not become the state of an instance, which may be somebody else's.
        self.make_pending()
        self.set_fence()
        is_pending = False
    if not is_pending:
        if items > self.top or items <= self.fence:
            self.underflow(count + 1)
            items = self.bottom + height
        if count & 1:
            raise self.fault().odd_items("SETITEMS")
        if Py_TYPE(items[-1]) != &PyDict_Type or self.has_foreign_containers:
            owner = <object>items[-1]
            listed = take_list(self, height)
            ask(self).set_items(owner, listed)
            del listed
            return was_asked(self)
    if not count & 1:
        weigh(self, height, 2)
    p = self.p
    load_setitems(self, height)
    if self.p != p:
        # Opcodes that were done as well: TUPLE2, MEMOIZE and BUILD.
        self.copied += OBJECT_SIZE * (count >> 1)
        while p < self.p:
            self.objects += counted[p[0]]
            if p[0] == OP_TUPLE2:
                self.copied += 2 * OBJECT_SIZE
            p += 1
        self.offset = self.base + (p - self.start) - 1
        if self.copied > self.most_copied:
            ask(self).check_copied()
    return 0


cdef inline bint is_light_key(PyObject* key) except -1:
    """Whether a hash of it costs nothing worth counting: as QUIET in rules/hashing.py, and ints
    of one word."""
    cdef PyTypeObject* cls = Py_TYPE(key)
    cdef int overflow
    if cls == &PyLong_Type:
        PyLong_AsLongLongAndOverflow(key, &overflow)
        return overflow == 0
    return (
        cls == &PyUnicode_Type or cls == &PyBytes_Type or cls == &PyFloat_Type or key == Py_None
        or key == Py_True or key == Py_False
    )


cdef int weigh(Loader self, Py_ssize_t height, Py_ssize_t step) except -1:
    """Before these are hashed: every object from `height` on, or every second one."""
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
        ask(self).weigh(keys)
        del keys
        was_asked(self)
    return 0
