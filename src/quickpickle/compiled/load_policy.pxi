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
    PyTypeObject PyRange_Type, PyByteArray_Type, PySet_Type, PyFrozenSet_Type
    PyTypeObject PyBaseObject_Type
    bint PyDict_Check_ "PyDict_Check"(PyObject*) noexcept
    Py_ssize_t PyDict_GET_SIZE_ "PyDict_GET_SIZE"(object) noexcept
    bint PyObject_IS_GC(PyObject*) noexcept
    Py_ssize_t Py_SIZE_ "Py_SIZE"(PyObject*) noexcept
    int Py_LT, Py_GE
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
cdef Py_ssize_t most_hashes

cdef object last_policy = None  # whose limits these are
cdef Py_ssize_t last_objects, last_memory, last_depth
cdef bint last_has_renames = False
cdef Names spare_names = None  # of a load that has ended
cdef int64_t load_number = 0  # of the last load, or the last change of its QuickRules


cdef int import_enforcement() except -1:
    global enforcement, ANYTHING, NOTHING, TEXT, TEXTS, NUMBER, INTS_2, INTS_3, FLOATS_2, BYTES
    global SCALAR, ARRAY, BUFFER, itemsize_of
    global RULE_CALL, RULE_NEW, RULE_BUILT, RULE_MADE, RULE_MAY_BE_HELD, RULE_IS_IDLE
    global most_hashes, takes_nothing, waits_for_state
    global LATIN1, DICT, EMPTY, INSTANCE, MOMENT_4, MOMENT_6, MOMENT_10, FACTORY, PARTS_3
    from ..rules import enforcement as imported
    from ..rules.policy_costs import MOST_HASHES
    from ..rules.policy_names import Quick, Rule, nothing
    from ..rules.presets.states import wait_for_state
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
    RULE_CALL, RULE_NEW, RULE_BUILT, RULE_MADE, RULE_MAY_BE_HELD, RULE_IS_IDLE = map(
        Rule._fields.index, ("call", "new", "built", "made", "may_be_held", "is_idle")
    )
    most_hashes = MOST_HASHES
    takes_nothing = nothing
    waits_for_state = wait_for_state
    enforcement = imported
    return 0


cdef int use_policy(Loader self, object policy) except -1:
    global last_policy, last_objects, last_memory, last_depth, last_has_renames, spare_names
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
    self.load = self.rules = next_number()
    self.is_hooked = self.has_foreign = self.has_foreign_containers = False
    self.has_fresh = self.has_unfinished = False
    self.most_objects = last_objects
    self.most_memory = last_memory
    self.may_hash_tuples = last_depth > 0
    if last_has_renames:
        use_renames(self, None, policy)
    # Last: the end of other names may run a load under another policy.
    self.names, spare_names = spare_names, None
    if self.names is None or self.names.policy is not policy:
        self.names = Names(policy)
    return 0


cdef int64_t next_number() noexcept:
    global load_number
    load_number += 1
    return load_number


cdef int keep_names(Loader self) except -1:
    """After a load that shares nothing with those that follow but its names."""
    global spare_names
    cdef Names names = self.names
    self.names = None
    self.fresh = self.unfinished = self.noted = None
    guard, self.guard = self.guard, None
    if guard is not None and (guard is not names.guard or not guard.begin_anew()):
        return 0
    if PyList_GET_SIZE(<PyObject*>names.met):
        names.met.clear()
    if names.count < MOST_NAMES:
        spare_names = names
    return 0


cdef object guard_of(Loader self):
    """The Guard. No window is open."""
    cdef Name name
    if self.guard is None:
        guard = self.missing
        if guard is None:
            guard = self.names.guard
            if guard is None:
                guard = self.names.guard = enforcement.Guard(self.policy)
                guard.tools = tools
        self.fresh = guard.fresh
        self.unfinished = guard.unfinished
        self.noted = guard.noted
        self.guard = guard
        for name in self.names.met:
            knows_by(self, name.known)
    return self.guard


cdef PyObject* load_under_policy(Loader self) except NULL:
    cdef PyObject* made
    if self.guard is not None:  # of the last load of an Unpickler
        self.close_window()
        self.guard.begin()
        self.open_window()
    if self.quick_rules == NULL:
        self.quick_rules = <QuickRule*>allocate(QUICK_RULES, sizeof(QuickRule))
        memset(self.quick_rules, 0, QUICK_RULES * sizeof(QuickRule))
    forget_quick_rules(self)
    self.dtype_count = 0
    self.objects = self.copied = self.hashed = self.offset = 0
    self.most_copied = self.most_memory
    self.most_hashed = most_hashes
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
            self.close_window()
            hand_over(self)
            self.open_window()
        if self.guard is not None and PyDict_GET_SIZE_(self.unfinished):
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
        self.most_copied -= self.copied
        self.copied = 0
    if self.hashed:
        guard_of(self).hashed += self.hashed
        self.most_hashed -= self.hashed
        self.hashed = 0
    if self.waiting is not None:
        hand_over(self)
    return guard_of(self)


cdef int was_asked(Loader self) except -1:
    self.most_copied = self.most_memory - <Py_ssize_t>self.guard.copied
    self.most_hashed = most_hashes - <Py_ssize_t>self.guard.hashed
    self.has_fresh = PyDict_GET_SIZE_(self.fresh) > 0
    self.has_unfinished = PyDict_GET_SIZE_(self.unfinished) > 0
    if PyDict_GET_SIZE_(self.noted):  # a preset has said that an object stays as it is
        for obj in self.noted.values():
            may_be_foreign(self, obj)
        self.noted.clear()
    self.open_window()
    return 0


# Objects of somebody else

cdef int is_foreign(Loader self, object obj) except -1:
    """An object of somebody else. No window is open."""
    guard_of(self).foreign(obj)
    return may_be_foreign(self, obj)


cdef int may_be_foreign(Loader self, object obj) except -1:
    # Instances of types of C are not built here, nor members of enums. Only containers of the
    # types below get items here, whatever else is foreign, as the function that a name stands for.
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
    if (
        cls == &PyList_Type or cls == &PyDict_Type or cls == &PySet_Type or cls == &PyODict_Type
        or cls == deque_type or cls == defaultdict_type
    ):
        self.has_foreign_containers = True
    elif PyType_HasFeature(cls, Py_TPFLAGS_HEAPTYPE) and type(type(obj)) is not EnumMeta:
        self.has_foreign = True
    return 0


cdef int push_result(Loader self, Py_ssize_t count, object obj) except -1:
    """Put the result of a call in the place of the topmost objects."""
    if Py_REFCNT(<PyObject*>obj) > 1:  # the Guard has it too, or somebody else
        may_be_foreign(self, obj)
    if count == 0:
        return push_new(self, obj)
    return self.replace(count, obj)


cdef object find_guarded(Loader self, object module, object name):
    cdef Name known
    if self.renames is not None:
        module, name = new_names(self, module, name)
    # With Placeholders it may not be found any more, which is for the Guard to answer.
    if not self.is_hooked and self.missing is None and is_own_name(self, module, name):
        known = name_of(self.names, module, name)
        if known is not None and not known.is_shared:
            # The object that was approved under this name before, if it is still the same.
            found = find_named(self, module, name)
            if found is known.obj and (self.guard is None or knows_by(self, known.known)):
                meet(self, known)
                if not PyType_Check(<PyObject*>found):
                    may_be_foreign(self, found)
                return found
            return approve(self, module, name, found)
    return approve(self, module, name, absent)


cdef bint is_own_name(Loader self, object module, object name) except -1:
    """Whether the names of the pickle are those that the Guard is asked for."""
    return type(module) is str and type(name) is str and (
        self.proto >= 3 or not self.fix_imports or not is_renamed(module, name)
    )


cdef int meet(Loader self, Name known) except -1:
    """This load has found an approved object by its name."""
    if known.load != self.load:
        known.load = self.load
        self.names.met.append(known)
    if known.version and known.version == version_of(<PyObject*>known.obj):
        use_numbers(self, &self.quick_rules[place_of(<PyObject*>known.obj)], known)
    return 0


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
        share_name(self.names, obj)
        forget_quick_rules(self)  # an object with two names may do what both may
    elif self.missing is None and is_own_name(self, module, name):
        remember_name(self, module, name, obj)
    was_asked(self)
    return obj


cdef int remember_name(Loader self, object module, object name, object obj) except -1:
    """After the Guard has approved it: for the next time."""
    cdef Name new
    known = self.guard.approved.get(module)
    known = None if known is None else known.get(name)
    if known is None or known.obj is not obj:
        return 0
    new = Name()
    new.obj = obj
    new.known = known
    new.rule = known.rule
    new.is_checked = not known.rule.is_any and known.full not in enforcement.MEMBERS
    add_name(self.names, module, name, new)
    if new.is_shared:
        forget_quick_rules(self)  # as above
    elif name_of(self.names, module, name) is new:
        meet(self, new)
    return 0


cdef int guarded_extension(Loader self, long code) except -1:
    guard = ask(self)
    obj = guard.extension(
        code, self.proto, self.fix_imports, partial_find_class(self), self.is_hooked
    )
    if not PyType_Check(<PyObject*>obj):
        may_be_foreign(self, obj)
    was_asked(self)
    return push_new(self, obj)
