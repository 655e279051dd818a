# The objects written so far and their numbers: as pickling/memo.py. docs/architecture.md has the
# rules of ownership.
#
# A log of the objects in the order of their numbers, and a hash table from addresses to numbers.
#
# An object whose only reference is that of its container cannot be met again, so it is logged and
# not entered into the table, and nobody's count is touched. That holds for as long as nothing but
# our own code runs. Before any other code does, settle() enters these objects into the table and
# takes a reference to each, since that code may hand such an object back, or free it. An object can
# be met twice without other code only if it is reached from its own members before it has a number:
# it is OPEN in the table meanwhile (see met_again).

cdef struct MemoEntry:
    PyObject* key  # NULL: free
    Py_ssize_t number

# In the log: the dict of the instance before it, which is not made before other code runs.
cdef PyObject* ITS_DICT = <PyObject*>1

cdef enum:
    SMALLEST = 16  # entries of the table
    KEPT_AT_LEAST = 1 << 14  # entries, 256 KiB: from here on page faults count
    KEPT_AT_MOST = 1 << 16  # 1 MiB

cdef enum:
    OPEN = -1  # for a number: being written, and not memoized before its members are

cdef uint64_t last_epoch = 0

cdef struct History:
    # The sizes that the last dump needed: the next may need as much.
    size_t table_size
    MemoEntry* spare_table  # of a dump that has ended, for the next one
    size_t spare_size
    Py_ssize_t entries, gets  # of the last compact dump
    # Of the last large dumps(): malloc has memory of the size that was freed last ready.
    Py_ssize_t buffer_size

cdef History history
history.table_size = SMALLEST


cdef int free_table(MemoEntry* table, size_t size) noexcept:
    """Free a table, or keep it for the next dump."""
    if KEPT_AT_LEAST <= size <= KEPT_AT_MOST and (
        history.spare_table == NULL or history.spare_size < size
    ):
        PyMem_Free(history.spare_table)
        history.spare_table = table
        history.spare_size = size
    else:
        PyMem_Free(table)
    return 0


@cython.binding(False)  # see PicklerCore
cdef class Memo:
    cdef PyObject** log  # NULL for what we wrote without making it; or ITS_DICT
    cdef Py_ssize_t count, capacity
    cdef Py_ssize_t owned  # so many objects of the log we have a reference to
    cdef Py_ssize_t filed  # so many are in the table; behind them, those that may be met again
    cdef Py_ssize_t used  # the next number
    cdef MemoEntry* table
    cdef size_t mask  # the table's size, a power of two, less one
    cdef int shift  # leaves as many bits of a hash as there are in the mask
    cdef Py_ssize_t entries  # that are not free
    cdef bint compact  # see places.pxi: all stays in the buffer to the end
    cdef Places places  # of this dump, if it is compact, or of the last that was; None before
    cdef bint logging  # whether objects may be left out of the table
    cdef bint visible  # it belongs to a Pickler, which shows it
    cdef uint64_t epoch  # changes whenever other code may have run
    cdef uint64_t first_epoch  # of this dump

    def __cinit__(self):
        self.allocate(SMALLEST)  # it is cleared after each dumps()

    def __dealloc__(self):
        self.release_log(0)
        PyMem_Free(self.log)
        free_table(self.table, self.mask + 1)

    cdef int allocate(self, size_t size) except -1:
        if not self.try_allocate(size):
            self.own()  # to raise an exception may run the garbage collector
            raise MemoryError
        return 0

    cdef bint try_allocate(self, size_t size) noexcept:
        """Take an empty table in place of the one that there is; return whether there is memory."""
        cdef MemoEntry* table = NULL
        if history.spare_table != NULL and history.spare_size == size:
            table = history.spare_table
            history.spare_table = NULL
        else:
            table = <MemoEntry*>PyMem_Malloc(bytes_of(size, sizeof(MemoEntry)))
        if table == NULL:
            return False
        memset(table, 0, size * sizeof(MemoEntry))
        self.table = table
        self.mask = size - 1
        self.shift = 64
        while size > 1:
            size >>= 1
            self.shift -= 1
        return True

    @cython.final
    cdef inline size_t place(self, PyObject* key) noexcept:
        # Addresses are multiples of 16, or of 8 where they have 32 bits. Multiplied by 2**64 over
        # the golden ratio, those that follow each other come to lie far apart, by their highest
        # bits (Knuth 6.4).
        return <size_t>(
            ((<uint64_t><size_t>key >> 4) * <uint64_t>0x9E3779B97F4A7C15) >> self.shift
        )

    @cython.final
    cdef inline MemoEntry* find(self, PyObject* key) noexcept:
        """The entry of an object, or the free one where it would be."""
        cdef size_t i = self.place(key)
        # The processor cannot predict whether it is in its place or in the next: so no branch. This
        # saves 15 % where nearly all are references, and costs 5 % of a tree of new objects.
        cdef int beside = self.table[(i + 1) & self.mask].key == key
        cdef MemoEntry* entry
        i += beside
        entry = &self.table[i & self.mask]
        while entry.key != key and entry.key != NULL:
            i += 1
            entry = &self.table[i & self.mask]
        return entry

    @cython.final
    cdef inline Py_ssize_t number_of(self, PyObject* key) noexcept:
        """The number of an object; below 0 if it has none."""
        cdef MemoEntry* entry = self.find(key)
        return OPEN if entry.key == NULL else entry.number

    @cython.final
    cdef inline MemoEntry* claim(self, PyObject* key) except NULL:
        """The entry of an object, which is OPEN if it had none."""
        cdef MemoEntry* entry = self.find_or_make_room(key)
        if entry.key == NULL:
            entry.key = key
            entry.number = OPEN
            self.entries += 1
        return entry

    @cython.final
    cdef inline MemoEntry* find_or_make_room(self, PyObject* key) except NULL:
        """The entry of an object, or a free one for it. The next call has to be fill()."""
        if <size_t>(self.entries + 1) * 2 > self.mask + 1:
            self.grow()
        return self.find(key)

    @cython.final
    cdef inline Py_ssize_t fill(self, MemoEntry* entry, PyObject* obj) except -1:
        """Give an object the next number and return it; `entry` is from find_or_make_room()."""
        if self.count == self.capacity:
            self.enlarge_log()
        if entry.key == NULL:
            entry.key = obj
            self.entries += 1
        entry.number = self.used
        self.log[self.count] = obj
        if self.filed == self.count:
            self.filed += 1
        self.count += 1
        if self.epoch != self.first_epoch:
            # Other code may have moved the object before it got its number, to a place where it is
            # met again with one reference. A second reference, ours, shows that it is known.
            self.own()
        self.used += 1
        return self.used - 1

    @cython.final
    cdef int grow(self) except -1:
        cdef MemoEntry* old = self.table
        cdef size_t i, size = self.mask + 1
        if KEPT_AT_LEAST <= size * 4 and size * 2 <= history.table_size:
            self.allocate(history.table_size)
        else:
            self.allocate(size * 4 if size < 1 << 20 else size * 2)
        for i in range(size):
            if old[i].key != NULL:
                self.find(old[i].key)[0] = old[i]
        PyMem_Free(old)
        return 0

    @cython.final
    cdef int enlarge_log(self) except -1:
        # By one half only: unused memory counts too.
        cdef Py_ssize_t capacity = self.capacity + (self.capacity >> 1) + 64
        cdef PyObject** log = <PyObject**>PyMem_Realloc(
            self.log, bytes_of(capacity, sizeof(PyObject*))
        )
        if log == NULL:
            self.own()
            raise MemoryError
        self.log = log
        self.capacity = capacity
        return make_room_for_entries(self) if self.compact else 0

    @cython.final
    cdef inline bint is_unique(self, PyObject* obj, Py_ssize_t refs) noexcept:
        """Whether an object cannot be met again: all its references are known, which are `refs`."""
        return quickpickle_has_refs(obj, refs) and self.logging

    @cython.final
    cdef inline Py_ssize_t add(self, PyObject* obj, bint unique) except -1:
        """Give an object (NULL: one that we never made) the next number and return it."""
        if not unique or self.count == self.capacity:
            return self.add_with_care(obj, unique)
        self.log[self.count] = obj
        self.count += 1
        self.used += 1
        return self.used - 1

    @cython.final
    cdef Py_ssize_t add_with_care(self, PyObject* obj, bint unique) except -1:
        cdef MemoEntry* entry
        if not unique:
            entry = self.find_or_make_room(obj)
            if entry.key != NULL and entry.number >= 0:
                return self.add_again(obj)
            return self.fill(entry, obj)
        self.enlarge_log()
        return self.add(obj, True)

    @cython.final
    cdef Py_ssize_t add_again(self, PyObject* obj) except -1:
        """The next number for an object that has one, see docs/architecture.md."""
        self.settle()  # the numbers in the log have a gap here
        if self.compact:
            self.places.is_odd = True  # there are more entries than numbers
            if self.places.again is None:
                self.places.again = []
            self.places.again.append(self.count)
        if self.count == self.capacity:
            self.enlarge_log()
        self.find(obj).number = self.used
        self.log[self.count] = obj
        self.count += 1
        self.settle()
        return self.used

    @cython.final
    cdef int own(self) noexcept:
        """Take a reference to all objects in the log, as their containers may be freed."""
        cdef Py_ssize_t i
        for i in range(self.owned, self.count):
            if self.log[i] != ITS_DICT:
                Py_XINCREF(self.log[i])
        self.owned = self.count
        return 0

    @cython.final
    cdef inline int settle(self) except -1:
        """Prepare for other code, which may free the objects in the log, or hand them back."""
        global last_epoch
        last_epoch += 1
        self.epoch = last_epoch
        return 0 if self.filed == self.count == self.owned else self.settle_log()

    @cython.final
    cdef int retain(self) except -1:
        """Own what is in the log, so that it can be entered into the table at any time."""
        cdef Py_ssize_t i
        self.own()
        for i in range(self.filed, self.count):
            if self.log[i] == ITS_DICT:
                # The dict is made now, since other code may hand it to us.
                self.log[i] = quickpickle_instance_dict(self.log[i - 1])
                Py_XINCREF(self.log[i])
        return 0

    @cython.final
    cdef int settle_log(self) except -1:
        cdef Py_ssize_t i
        cdef MemoEntry* entry
        self.retain()
        for i in range(self.filed, self.count):
            if self.log[i] == NULL:
                if not self.visible:
                    continue
                # A copy of this memo needs as many entries as there are numbers.
                stand_in = object()
                Py_INCREF(stand_in)
                self.log[i] = <PyObject*>stand_in
            entry = self.claim(self.log[i])
            if entry.number < 0:
                entry.number = self.used - (self.count - i)
        self.filed = self.count
        return 0

    @cython.final
    cdef int met_again(self) except -1:
        """Give up the log: an object was reached from its own members, so these may be too."""
        self.settle()
        self.logging = False
        return 0

    @cython.final
    cdef inline int release(self, PyObject* obj) noexcept:
        """Give up a reference to an object that was written."""
        if Py_REFCNT(obj) == 1:
            self.prepare_for_end(obj)
        Py_DECREF(obj)
        return 0

    @cython.final
    cdef int prepare_for_end(self, PyObject* obj) noexcept:
        """Prepare for the end of an object, if it is to be freed; an exception may be set."""
        self.own()  # it may be in the log, and objects that only it refers to
        if Py_REFCNT(obj) == 1:
            try:
                self.settle()  # a finalizer is other code
            except MemoryError:
                pass  # the log has all, and the next call goes on

    @cython.final
    cdef int release_log(self, Py_ssize_t length) noexcept:
        """Give up the references to all but the first `length` objects of the log."""
        # The log is taken away meanwhile: freeing an object may run code that uses this memo.
        cdef PyObject** log = self.log
        cdef Py_ssize_t i, owned = self.owned, capacity = self.capacity
        self.count = length
        self.filed = min(self.filed, length)  # the kept objects need not be in the table yet
        if owned <= length:
            return 0
        self.owned = length
        if length == 0:  # else a dump is running, and nobody else can use it
            self.log = NULL
            self.capacity = 0
        for i in range(length, owned):
            if log[i] != ITS_DICT:
                Py_XDECREF(log[i])
        if self.log == NULL:
            self.log = log
            self.capacity = capacity
        elif self.log != log:
            PyMem_Free(log)
        return 0

    @cython.final
    cdef int remove(self, PyObject* key) noexcept:
        """Free an object's entry, and close the gap for those that were displaced by it."""
        cdef MemoEntry* entry = self.find(key)
        cdef MemoEntry moved
        cdef size_t i
        if entry.key == NULL:
            return 0
        entry.key = NULL
        self.entries -= 1
        i = entry - self.table
        while True:
            i = (i + 1) & self.mask
            moved = self.table[i]
            if moved.key == NULL:
                return 0
            self.table[i].key = NULL
            self.find(moved.key)[0] = moved

    @cython.final
    cdef int rollback(self, Py_ssize_t length, Py_ssize_t used) noexcept:
        """Forget every object but the first `length` ones."""
        cdef Py_ssize_t i
        for i in range(length, self.count):
            self.remove(self.log[i])  # only its address is used
        self.used = used
        return self.release_log(length)

    @cython.final
    cdef int reset(self) noexcept:
        """Forget every object, and free the memory of a large memo."""
        cdef MemoEntry* old = self.table
        cdef size_t i, j, size = self.mask + 1
        if self.entries:
            if self.mask < 64:  # memset has a high cost for so little: 10 % of a small dump
                i = 0
                while i <= self.mask:
                    for j in range(<size_t>SMALLEST):  # so many that no loop is left of it
                        self.table[i + j].key = NULL
                    i += SMALLEST
            else:
                history.table_size = min(size, <size_t>KEPT_AT_MOST)
                while history.table_size >= <size_t>self.entries * 4:
                    history.table_size >>= 1
                if self.try_allocate(SMALLEST):
                    free_table(old, size)
                else:
                    memset(old, 0, size * sizeof(MemoEntry))
            self.entries = 0
        self.used = 0
        self.release_log(0)
        if self.capacity > 1024 and self.count == 0:  # a finalizer may have used it again
            PyMem_Free(self.log)
            self.log = NULL
            self.capacity = 0
        return 0

    def contents(self):
        """The memo as `pickle` shows it: for each address the number and the object."""
        cdef Py_ssize_t i = 0
        cdef list numbers = [], objects = []
        self.settle()
        while i < self.count:  # nothing in it runs the garbage collector, which may clear the memo
            numbers.append(self.find(self.log[i]).number)
            objects.append(<object>self.log[i])
            i += 1
        return {id(obj): (number, obj) for number, obj in zip(numbers, objects)}

    def fill_in(self, numbers, objects):
        """Take over the numbers and objects of another memo, see read_memo(), into an empty one."""
        for number, obj in zip(numbers, objects):
            self.add(<PyObject*>obj, False)
            self.own()
            self.find(<PyObject*>obj).number = number
        self.settle()

    def __sizeof__(self):
        size = object.__sizeof__(self) + (self.mask + 1) * sizeof(MemoEntry)
        return size + self.capacity * sizeof(PyObject*)


cdef int traverse_memo(PyObject* memo, visitproc visit, void* arg) noexcept:
    """Show the garbage collector what the log keeps alive; Cython shows it the rest."""
    cdef Py_ssize_t i
    cdef int result = traverse_rest(memo, visit, arg)
    if result:
        return result
    for i in range((<Memo>memo).owned):
        if (<Memo>memo).log[i] != NULL and (<Memo>memo).log[i] != ITS_DICT:
            result = visit((<Memo>memo).log[i], arg)
            if result:
                return result
    return 0
