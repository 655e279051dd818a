# Which objects were written already, and under what number: the twin of memo.py.
#
# A hash table from addresses to numbers. It owns nothing: the list `objects` keeps the objects
# alive, in their order, and shows them to the garbage collector.

cdef struct MemoEntry:
    PyObject* key  # NULL: free
    Py_ssize_t number


@cython.final
@cython.freelist(8)
cdef class Memo:
    cdef MemoEntry* table
    cdef size_t mask  # the table's size, a power of two, less one
    cdef int shift  # leaves as many bits of a hash as there are in the mask
    cdef Py_ssize_t used  # entries that are not free
    cdef list objects

    def __cinit__(self):
        self.objects = []
        self.allocate(16)

    def __dealloc__(self):
        PyMem_Free(self.table)

    cdef int allocate(self, size_t size) except -1:
        cdef MemoEntry* table = <MemoEntry*>PyMem_Malloc(size * sizeof(MemoEntry))
        cdef size_t i
        if table == NULL:
            raise MemoryError
        for i in range(size):
            table[i].key = NULL
        self.table = table
        self.mask = size - 1
        self.shift = 64
        while size > 1:
            size >>= 1
            self.shift -= 1
        return 0

    cdef inline MemoEntry* find(self, PyObject* key) noexcept:
        """The entry of an object, or the free one where it would be."""
        # Addresses are multiples of 16. Multiplied by 2**64 over the golden ratio, those that
        # follow each other come to lie far apart, by their highest bits (Knuth 6.4).
        cdef size_t i = <size_t>(
            ((<uint64_t><size_t>key >> 4) * <uint64_t>0x9E3779B97F4A7C15) >> self.shift
        )
        cdef MemoEntry* entry = &self.table[i]
        while entry.key != key and entry.key != NULL:
            i += 1
            entry = &self.table[i & self.mask]
        return entry

    cdef Py_ssize_t add(self, object obj) except -1:
        """Give an object the next number and return it."""
        cdef MemoEntry* entry
        cdef Py_ssize_t number = self.used
        if <size_t>(self.used + 1) * 2 > self.mask + 1:
            self.grow()
        self.objects.append(obj)
        entry = self.find(<PyObject*>obj)
        if entry.key == NULL:
            entry.key = <PyObject*>obj
            self.used += 1
        entry.number = number
        return number

    cdef int grow(self) except -1:
        cdef MemoEntry* old = self.table
        cdef size_t i, size = self.mask + 1
        self.allocate(size * 4 if size < 1 << 20 else size * 2)
        for i in range(size):
            if old[i].key != NULL:
                self.find(old[i].key)[0] = old[i]
        PyMem_Free(old)
        return 0

    cdef int remove(self, PyObject* key) noexcept:
        """Free an object's entry, and close the gap for those that were displaced by it."""
        cdef MemoEntry* entry = self.find(key)
        cdef MemoEntry moved
        cdef size_t i
        if entry.key == NULL:
            return 0
        entry.key = NULL
        self.used -= 1
        i = entry - self.table
        while True:
            i = (i + 1) & self.mask
            moved = self.table[i]
            if moved.key == NULL:
                return 0
            self.table[i].key = NULL
            self.find(moved.key)[0] = moved

    cdef int rollback(self, Py_ssize_t length) except -1:
        """Forget every object but the first `length` ones."""
        cdef Py_ssize_t i
        for i in range(length, len(self.objects)):
            self.remove(<PyObject*>self.objects[i])
        del self.objects[length:]
        return 0

    cdef int reset(self) except -1:
        """Forget every object, and give back what a large memo took."""
        cdef size_t i
        if self.mask < 256:
            for i in range(self.mask + 1):
                self.table[i].key = NULL
        else:
            PyMem_Free(self.table)
            self.table = NULL
            self.mask = 0
            self.allocate(16)
        self.used = 0
        self.objects = []
        return 0

    def clear(self):
        """Forget every object."""
        self.rollback(0)

    def contents(self):
        """The memo as `pickle` shows it: for each address the number and the object."""
        return {id(obj): (self.find(<PyObject*>obj).number, obj) for obj in self.objects}

    def replace(self, contents):
        """Take over another memo, see memo.py."""
        numbers, objects = read_memo(contents)
        self.rollback(0)
        for number, obj in zip(numbers, objects):
            self.add(obj)
            self.find(<PyObject*>obj).number = number

    def __sizeof__(self):
        return object.__sizeof__(self) + (self.mask + 1) * sizeof(MemoEntry)
