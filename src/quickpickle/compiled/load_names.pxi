# The names that the Guard has approved, for the loads that follow under the same policy.
#
# A name stands for what was approved only while a new lookup finds the same object: find_guarded()
# makes that lookup in each load. The Guard is told of the names of a load when it is asked for the
# first time. Until then nobody needs to know them, as a load that asks nothing calls no Guard.

cdef enum:
    MOST_NAMES = 1000  # as _MOST_KNOWN in rules/enforcement.py


@cython.final
@cython.binding(False)
cdef class Name:
    cdef object obj
    cdef object known  # the Known of rules/enforcement.py
    cdef object rule
    cdef int call, new, state, itself  # Guard.quick_rules
    cdef unsigned int version  # of a class, when the Guard was asked for these; 0: it was not
    cdef int64_t load  # the last one that has found it
    cdef bint is_checked  # a preset's checks decide how it is used
    cdef bint is_shared  # another name leads to the same object: the Guard is asked each time


@cython.final
@cython.binding(False)
cdef class Names:
    cdef object policy
    cdef object guard  # of the loads; None before it is asked
    cdef dict by_module  # the names of each module
    cdef dict by_address
    cdef list met  # those that this load has found, which keeps them alive until it ends
    cdef Py_ssize_t count

    def __cinit__(self, policy):
        self.policy = policy
        self.by_module = {}
        self.by_address = {}
        self.met = []


cdef inline Name name_of(Names names, object module, object name):
    found = names.by_module.get(module)
    return None if found is None else <Name>(<dict>found).get(name)


cdef int add_name(Names names, object module, object name, Name new) except -1:
    """Remember a name. If its object has another one, neither is used without the Guard."""
    cdef dict of_module = names.by_module.setdefault(module, {})
    cdef Name old = of_module.get(name), other
    if old is not None:
        if old.obj is new.obj:
            return 0
        address = <size_t><PyObject*>old.obj
        if names.by_address.get(address) is old:
            del names.by_address[address]
    address = <size_t><PyObject*>new.obj
    other = names.by_address.get(address)
    if other is None:
        names.by_address[address] = new
    else:
        other.is_shared = new.is_shared = True
        other.version = 0
    of_module[name] = new
    names.count += 1
    return 0


cdef int share_name(Names names, object obj) except -1:
    """A hook has found an object: its own name alone no longer says what it may do."""
    cdef Name known = names.by_address.get(<size_t><PyObject*>obj)
    if known is not None:
        known.is_shared = True
        known.version = 0
    return 0
