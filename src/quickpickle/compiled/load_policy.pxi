# Loads under a policy: the opcodes that name, call or change something.
#
# The Guard of rules/enforcement.py decides, which is Python code, so no window is open while it
# runs. It is asked once in a load what an object may do (QuickRule). The code here then does what the
# answer covers: calls whose arguments are of the kinds in policy_names.Quick, the states of
# instances whose class the user lists, and items of containers that the load has made. All other
# opcodes make new objects, which nobody else has.

from collections import defaultdict, deque
from enum import EnumMeta

from ..format.costs import COUNTED, OBJECT_SIZE as _object_size

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(PyObject*, int*) noexcept
    PyTypeObject PyODict_Type, PyRange_Type, PyByteArray_Type, PySet_Type, PyFrozenSet_Type
    PyTypeObject PyBaseObject_Type
    bint PyDict_Check_ "PyDict_Check"(PyObject*) noexcept
    Py_ssize_t PyDict_GET_SIZE_ "PyDict_GET_SIZE"(object) noexcept
    bint PyObject_IS_GC(PyObject*) noexcept
    Py_ssize_t Py_SIZE_ "Py_SIZE"(PyObject*) noexcept
    int PyObject_RichCompareBool_ "PyObject_RichCompareBool"(PyObject*, PyObject*, int) except -1
    int Py_LT
    long long LLONG_MIN

cdef extern from *:
    bint quickpickle_is_timezone(PyObject*) noexcept
    bint quickpickle_is_moment(const uint8_t*, Py_ssize_t) noexcept

cdef enum:
    QUICK_RULES = 64
    SHORT_TEXT = 200

cdef Py_ssize_t OBJECT_SIZE = _object_size
cdef uint8_t counted[256]
cdef Py_ssize_t _counted_code
for _counted_code in range(256):
    counted[_counted_code] = COUNTED[_counted_code]

cdef object uuid_limit = 1 << 128
cdef PyTypeObject* defaultdict_type = <PyTypeObject*>defaultdict
cdef PyTypeObject* deque_type = <PyTypeObject*>deque

# Set when there is a policy for the first time.
cdef object enforcement = None  # the module
cdef int ANYTHING, NOTHING, TEXT, TEXTS, NUMBER, INTS_2, INTS_3, FLOATS_2, BYTES, LATIN1, DICT
cdef int EMPTY, INSTANCE, MOMENT_4, MOMENT_6, MOMENT_10, FACTORY, PARTS_3
cdef int SCALAR, ARRAY, BUFFER

cdef object last_policy = None  # whose limits these are
cdef Py_ssize_t last_objects, last_memory, last_depth
cdef bint last_has_renames = False
cdef object spare_guard = None  # of a loads() that has ended


cdef int import_enforcement() except -1:
    global enforcement, ANYTHING, NOTHING, TEXT, TEXTS, NUMBER, INTS_2, INTS_3, FLOATS_2, BYTES
    global SCALAR, ARRAY, BUFFER, itemsize_of
    global LATIN1, DICT, EMPTY, INSTANCE, MOMENT_4, MOMENT_6, MOMENT_10, FACTORY, PARTS_3
    from ..rules import enforcement as imported
    from ..rules.policy_names import Quick
    from ..rules.presets.numpy_dtypes import itemsize_of
    ANYTHING = Quick.ANYTHING
    NOTHING = Quick.NOTHING
    TEXT = Quick.TEXT
    TEXTS = Quick.TEXTS
    NUMBER = Quick.NUMBER
    INTS_2 = Quick.INTS_2
    INTS_3 = Quick.INTS_3
    FLOATS_2 = Quick.FLOATS_2
    BYTES = Quick.BYTES
    LATIN1 = Quick.LATIN1
    DICT = Quick.DICT
    EMPTY = Quick.EMPTY
    INSTANCE = Quick.INSTANCE
    MOMENT_4 = Quick.MOMENT_4
    MOMENT_6 = Quick.MOMENT_6
    MOMENT_10 = Quick.MOMENT_10
    FACTORY = Quick.FACTORY
    PARTS_3 = Quick.PARTS_3
    SCALAR = Quick.SCALAR
    ARRAY = Quick.ARRAY
    BUFFER = Quick.BUFFER
    enforcement = imported
    return 0


cdef int use_policy(Loader self, object policy) except -1:
    global last_policy, last_objects, last_memory, last_depth, last_has_renames
    if policy is not last_policy:
        if enforcement is None:
            import_enforcement()
        limits = enforcement.check_policy(policy).limits
        last_has_renames = bool(policy.renames)
        last_policy = policy
        last_objects = limits.objects
        last_memory = limits.memory
        last_depth = limits.depth
    self.policy = policy
    self.guard = None
    self.keeps_guard = False
    self.is_hooked = self.has_foreign = self.has_foreign_containers = False
    self.has_fresh = self.has_unfinished = False
    self.most_objects = last_objects
    self.most_memory = last_memory
    self.may_hash_tuples = last_depth > 0
    if last_has_renames:
        use_renames(self, None, policy)
    return 0


cdef int keep_guard(Loader self) except -1:
    global spare_guard
    guard = self.guard
    self.guard = None
    if guard.begin_anew():
        spare_guard = guard
    return 0


cdef object guard_of(Loader self):
    """The Guard. No window is open."""
    global spare_guard
    if self.guard is None:
        # That of the last loads(), if it was under the same policy.
        if self.missing is not None:
            self.guard = self.missing
        elif self.keeps_guard and spare_guard is not None and spare_guard.policy is self.policy:
            self.guard, spare_guard = spare_guard, None
        else:
            self.guard = enforcement.Guard(self.policy)
    return self.guard


cdef PyObject* load_under_policy(Loader self) except NULL:
    cdef PyObject* made
    if self.guard is not None:  # of the last load of an Unpickler
        self.close_window()
        self.guard.begin()
        self.open_window()
    if self.quick_rules == NULL:
        self.quick_rules = <QuickRule*>allocate(QUICK_RULES, sizeof(QuickRule))
        self.has_quick_rules = True
    forget_quick_rules(self)
    self.dtype_count = 0
    self.objects = self.copied = self.offset = 0
    self.most_copied = self.most_memory
    # Each byte is an object at most.
    self.is_counted = self.is_file or (
        self.end - self.p > self.most_objects
        or self.end - self.p > self.most_memory // (OBJECT_SIZE + 1)
    )
    try:
        if self.is_counted:
            made = load_pickle(self, <long>0)
        else:
            made = load_pickle(self, <short>0)
        if self.waiting is not None:
            hand_over(self)
        if self.guard is not None and PyDict_GET_SIZE_(self.guard.unfinished):
            result = <object>made
            Py_DECREF(made)
            self.offset = self.base + (self.p - self.start) - 1
            self.close_window()
            self.guard.finish()
            self.open_window()
            made = <PyObject*>result
            Py_INCREF_(made)
        return made
    except enforcement.PolicyError as error:
        self.close_window()
        if error.offset is None:
            error.offset = self.offset
        error.path = find_path(self, error.offset)
        raise


cdef object find_path(Loader self, Py_ssize_t offset):
    """Where in the object what the opcode makes would have been. No window is open."""
    cdef const uint8_t* end = end_of_data(self)
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
    guard_of(self).too_many(self.objects)
    return 0


cdef inline bint is_near_limits(Loader self, Py_ssize_t count) noexcept:
    """Whether so many opcodes more might reach a limit: then they are done one by one."""
    return self.is_counted and (
        self.objects + count > self.most_objects
        or OBJECT_SIZE * (self.objects + count) + self.offset + 300 > self.most_memory
    )


cdef object ask(Loader self):
    """The Guard, when no window is open any more, and it knows what was copied here."""
    self.close_window()
    if self.copied:
        guard_of(self).copied += self.copied
        self.copied = 0
    if self.waiting is not None:
        hand_over(self)
    return guard_of(self)


cdef int was_asked(Loader self) except -1:
    self.most_copied = self.most_memory - <Py_ssize_t>self.guard.copied
    self.has_fresh = PyDict_GET_SIZE_(self.guard.fresh) > 0
    self.has_unfinished = PyDict_GET_SIZE_(self.guard.unfinished) > 0
    self.open_window()
    return 0


# Objects of somebody else

cdef int is_foreign(Loader self, object obj) except -1:
    """An object of somebody else. No window is open."""
    guard_of(self).foreign(obj)
    return may_be_foreign(self, obj)


cdef int may_be_foreign(Loader self, object obj) except -1:
    # Instances of types of C are not built here, nor members of enums.
    if PyType_HasFeature(Py_TYPE(<PyObject*>obj), Py_TPFLAGS_HEAPTYPE):
        if type(type(obj)) is not EnumMeta:
            self.has_foreign = True
    elif PyObject_IS_GC(<PyObject*>obj):
        self.has_foreign_containers = True
    return 0


cdef int push_result(Loader self, Py_ssize_t count, object obj) except -1:
    """Put the result of a call in the place of the topmost objects."""
    if Py_REFCNT(<PyObject*>obj) > 1:  # the Guard has it too, or somebody else
        may_be_foreign(self, obj)
    if count == 0:
        return push_new(self, obj)
    return self.replace(count, obj)


cdef int load_guarded(Loader self, uint8_t code) except -1:
    """In the place of load_other."""
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
    if self.renames is not None:
        module, name = new_names(self, module, name)
    if self.guard is None:
        self.close_window()
        guard_of(self)
        self.open_window()
    # With Placeholders it may not be found any more, which is for the Guard to answer.
    if not self.is_hooked and self.missing is None and (self.proto >= 3 or not self.fix_imports):
        known = self.guard.approved.get(module)
        known = None if known is None else (<dict?>known).get(name)
        if known is not None:
            # The object that was approved under this name before, if it is still the same.
            obj = known.obj
            found = find_named(self, module, name)
            if found is obj and knows_by(self, known):
                if not PyType_Check(<PyObject*>found):
                    may_be_foreign(self, found)
                return found
            return approve(self, module, name, found)
    return approve(self, module, name, absent)


cdef bint knows_by(Loader self, object known) except -1:
    """This load knows the object by this name; or False where it has found it by another one."""
    cdef dict all_known = self.guard.known
    address = <size_t><PyObject*>known.obj
    current = all_known.get(address)
    if current is not known:
        if current is not None and current.load == self.guard.load:
            return False
        all_known[address] = known
    known.load = self.guard.load
    return True


@cython.final
@cython.binding(False)
cdef class Found:
    """In the place of find_class() for what was found already."""
    cdef object obj

    def __cinit__(self, obj):
        self.obj = obj

    def __call__(self, module, name):
        return self.obj


cdef object approve(Loader self, object module, object name, object found):
    """Ask the Guard for an object with this name, which may have been found already."""
    find = partial_find_class(self) if found is absent else Found(found)
    obj = ask(self).find(module, name, self.proto, self.fix_imports, find, self.is_hooked)
    if not PyType_Check(<PyObject*>obj):
        may_be_foreign(self, obj)
    if self.is_hooked:
        forget_quick_rules(self)  # an object with two names may do what both may
    was_asked(self)
    return obj


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
        self.copied += cost_of(quickpickle_tuple_items(args), PyTuple_GET_SIZE(args))
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
        self.copied += cost_of(quickpickle_tuple_items(args), PyTuple_GET_SIZE(args))
        is_new = quickpickle_is_plainly_made(<PyTypeObject*>cls)
        load_newobj(self)
        if not is_new and Py_REFCNT(self.top[-1]) > 1:
            obj = <object>self.top[-1]
            self.close_window()
            is_foreign(self, obj)
            self.open_window()
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
    if not build_here(self):
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
    if Py_TYPE(state) == &PyDict_Type and not are_light_keys(state):
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
    if is_done:
        return True
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
    if not count & 1:
        weigh(self, height, 2, NULL if is_pending else self.bottom[height - 1])
    p = self.p
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
