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
    # Instances of types of C are not built here, nor members of enums. From 3.12 on deque and
    # defaultdict are heap types, and they get items here.
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
    if cls == deque_type or cls == defaultdict_type:
        self.has_foreign_containers = True
    elif PyType_HasFeature(cls, Py_TPFLAGS_HEAPTYPE):
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
