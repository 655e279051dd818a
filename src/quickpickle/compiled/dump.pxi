# Dump: the memo, the stream, the hooks and the stack of work of one dump() after the other.
#
# In place of a generator of the pure implementation there is a Work here: the container, the
# position in it, and the step.

cdef enum Kind:
    TUPLE_WORK
    LIST_WORK
    DICT_WORK
    SET_WORK
    FROZENSET_WORK
    ATTRIBUTES_WORK
    REDUCTION_WORK
    SLOTS_WORK
    LIST_ITEMS_WORK
    DICT_ITEMS_WORK
    ORDERED_WORK
    PERSISTENT_ID_WORK
    GENERATOR_WORK

cdef enum Step:
    BETWEEN  # no batch is open
    ALONE  # an item without a batch
    IN_BATCH
    ONE_BY_ONE  # each item with its opcode, in protocol 0

cdef struct Work:
    Kind kind
    int step
    PyObject* obj  # this and the next three are owned; NULL where there is none
    PyObject* first
    PyObject* second
    PyObject* third
    Py_ssize_t position
    Py_ssize_t count  # in this batch
    Py_ssize_t done  # in the batches before
    Py_ssize_t size  # of the container when it began
    uint64_t epoch  # when it began
    char opcode  # for what is made of it; 0: none


cdef enum:
    TABLES = 4  # dicts in a dispatch table that is a ChainMap


@cython.final
@cython.binding(False)  # see PicklerCore
cdef class Dump(Stream):
    """One dump() after the other: the memo, the stream, the hooks, and the stack of work."""

    cdef object persistent_id  # None: there is none
    cdef MetObjects met  # whose method persistent_id is; None for most
    cdef bint careful  # other code may run before any object
    cdef object reducer_override, dispatch_table  # ABSENT: there is none
    cdef tuple override  # the hook's arguments of only_globals in rules/reductions.py; or None
    cdef uint64_t override_epoch  # in which it was seen whether ...
    cdef bint leaves_classes, leaves_functions  # ... it leaves alone what goes by its name
    cdef uint64_t override_version  # of the code that it consists of; 0: none was seen
    cdef uint64_t table_epoch  # in which the dispatch table was looked at
    # The dicts that it consists of, borrowed, in that epoch; none, where looking a class up may
    # run other code.
    cdef PyObject* tables[TABLES]
    cdef uint64_t table_versions[TABLES]  # in which their keys were seen to be fit
    cdef int table_count
    cdef object order  # None: not deterministic
    cdef Values values
    cdef bint sort_dicts
    cdef bint last_goes_alone  # a single item that is left over goes without a batch
    cdef Work* stack
    cdef Py_ssize_t height, allocated
    # Should the dump fail (see steps.pxi): the object that could not be written (owned), where the
    # topmost work does not have it; or that it is the topmost work, not a member, that has failed.
    cdef PyObject* culprit
    cdef bint is_at_fault

    def __dealloc__(self):
        self.forget_culprit()
        self.unwind()
        PyMem_Free(self.stack)

    def number(self, obj):
        """The number that an object has in the memo; a very high one if it is not there."""
        cdef MemoEntry* entry = self.find(<PyObject*>obj)
        return PY_SSIZE_T_MAX if entry.key == NULL or entry.number < 0 else entry.number

    cdef inline Work* push(self, Kind kind, PyObject* obj) except NULL:
        cdef Work* work
        if self.height == self.allocated:
            self.enlarge_stack()
        work = &self.stack[self.height]
        work.kind = kind
        work.step = 0
        work.first = work.second = work.third = NULL
        work.position = work.count = work.done = work.size = 0
        work.epoch = self.epoch
        work.opcode = 0
        Py_INCREF_(obj)
        work.obj = obj
        self.height += 1
        return work

    cdef int enlarge_stack(self) except -1:
        cdef Py_ssize_t size = self.allocated * 2 if self.allocated else 16
        cdef Work* stack = <Work*>PyMem_Realloc(self.stack, bytes_of(size, sizeof(Work)))
        if stack == NULL:
            self.own()
            raise MemoryError
        self.stack = stack
        self.allocated = size
        return 0

    cdef inline int pop(self) noexcept:
        # Off the stack before it is freed: freeing may run other code.
        cdef Work* work = &self.stack[self.height - 1]
        cdef PyObject* obj = work.obj
        self.height -= 1
        if work.first != NULL or work.kind > ATTRIBUTES_WORK:
            self.pop_rest(work)
        self.release(obj)
        return 0

    cdef int pop_rest(self, Work* work) noexcept:
        cdef PyObject* first = work.first
        cdef PyObject* second = work.second
        cdef PyObject* third = work.third
        if first != NULL:
            self.release(first)
        if second != NULL:
            self.release(second)
        if third != NULL:
            self.release(third)
        return 0

    cdef int forget_culprit(self) noexcept:
        cdef PyObject* culprit = self.culprit
        self.culprit = NULL
        self.is_at_fault = False
        Py_XDECREF(culprit)
        return 0

    cdef int forget_call(self) noexcept:
        """Give up what is of one dump() only."""
        self.endless_types = self.report = None
        if self.places is not None:
            self.places.held = self.places.held_at = None
        self.fast_ids = None
        self.fast_nesting = 0
        self.persistent_id = self.reducer_override = self.dispatch_table = self.met = None
        self.order = self.values = None
        return 0

    cdef int unwind(self) noexcept:
        """Give up the work of a dump that has failed."""
        cdef Work* work
        while self.height:
            work = &self.stack[self.height - 1]
            if self.table != NULL and self.find(work.obj).number == OPEN:
                self.remove(work.obj)
            self.pop()
        return 0
