# The memory of a Loader: arrays that grow, and the plans of classes, see load_instances.pxi.

cdef Py_ssize_t LARGEST = sys.maxsize

cdef struct Field:  # of a class: one key of the states of its instances
    PyObject* key  # as it comes from the pickle; owned
    PyObject* name  # the same, interned; owned
    Py_ssize_t place  # among the attributes, or the offset of the slot

cdef struct ClassPlan:
    PyTypeObject* cls  # owned; NULL: the place in the table is free
    unsigned int version
    int kind, seen  # `seen`: how many of its instances were asked for their state
    int failures  # how many states the plan did not fit
    Py_ssize_t tuple_items  # of a namedtuple; NOT_KNOWN, SEEN_ONCE, or NO_TUPLE
    void* shared
    PyObject* constant  # owned
    Field* fields
    Py_ssize_t count, room

cdef struct QuickRule:  # load_quick.pxi
    PyObject* obj  # a callable, which the Guard or `name` keeps alive
    PyObject* name  # its Name, which Names.met keeps alive; NULL: it has none
    int64_t number  # that of the rules of this load, as Loader.rules: else the place is free
    int call, new, state, itself


cdef void* allocate(Py_ssize_t count, Py_ssize_t size) except NULL:
    cdef void* result = PyMem_Malloc(count * size)
    if result == NULL:
        raise MemoryError
    return result


cdef void* reallocate(
    void* old, Py_ssize_t room, Py_ssize_t size, Py_ssize_t* new_room
) except NULL:
    """Room for half as many again, and some more."""
    cdef Py_ssize_t more = room + (room >> 1) + 16
    cdef void* result = NULL
    if more <= LARGEST // size:
        result = PyMem_Realloc(old, more * size)
    if result == NULL:
        raise MemoryError
    new_room[0] = more
    return result


cdef void forget_plan(ClassPlan* plan) noexcept:
    cdef Py_ssize_t i
    cdef Field* fields = plan.fields
    cdef Py_ssize_t count = plan.count
    cdef PyTypeObject* cls = plan.cls
    plan.cls = NULL
    plan.fields = NULL
    plan.count = plan.room = 0
    for i in range(count):
        Py_DECREF(fields[i].key)
        Py_DECREF(fields[i].name)
    PyMem_Free(fields)
    Py_XDECREF(plan.constant)
    Py_XDECREF(<PyObject*>cls)
