# The columns of the tree: as the arrays of scanning/tree.py, and what others see of them.

@cython.final
cdef class Column:
    """A block of unsigned integers of 1, 4 or 8 bytes that grows; others see it as a buffer."""

    cdef char *memory
    cdef Py_ssize_t count  # of entries
    cdef Py_ssize_t room
    cdef Py_ssize_t width
    cdef Py_ssize_t views
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]

    def __cinit__(self, Py_ssize_t width, Py_ssize_t count=0):
        self.width = width
        self.views = 0
        if count:
            self.make_room(count)
            memset(self.memory, 0, count * width)
        self.count = count

    def __dealloc__(self):
        PyMem_RawFree(self.memory)

    cdef int make_room(self, Py_ssize_t room) except -1:
        cdef char *memory
        if self.views:
            raise BufferError("a column that others look at does not grow")
        memory = <char *>PyMem_RawRealloc(self.memory, bytes_of(room, self.width))
        if memory == NULL:
            raise MemoryError
        self.memory = memory
        self.room = room
        return 0

    cdef inline int one_more(self) except -1:
        """Room for an entry, which is counted."""
        if self.count == self.room:
            self.make_room(self.room + (self.room >> 1) + 64)
        self.count += 1
        return 0

    cdef inline int add4(self, uint32_t value) except -1:
        self.one_more()
        (<uint32_t *>self.memory)[self.count - 1] = value
        return 0

    cdef inline int add8(self, uint64_t value) except -1:
        self.one_more()
        (<uint64_t *>self.memory)[self.count - 1] = value
        return 0

    cdef inline uint32_t *as4(self) noexcept:
        return <uint32_t *>self.memory

    cdef inline uint64_t *as8(self) noexcept:
        return <uint64_t *>self.memory

    def __len__(self):
        return self.count

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.shape[0] = self.count
        self.strides[0] = self.width
        if self.memory == NULL:
            self.make_room(1)  # a view of nothing still has an address
        buffer.buf = self.memory
        buffer.format = 'B' if self.width == 1 else 'I' if self.width == 4 else 'Q'
        buffer.internal = NULL
        buffer.itemsize = self.width
        buffer.len = self.count * self.width
        buffer.ndim = 1
        buffer.obj = self
        buffer.readonly = 1
        buffer.shape = self.shape
        buffer.strides = self.strides
        buffer.suboffsets = NULL
        self.views += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.views -= 1


cdef struct Node:
    uint32_t offset_low
    uint16_t offset_high
    uint8_t kind
    uint8_t role
    uint64_t size  # its own bytes; from finish() on with all below
    uint32_t parent
    uint32_t step
    uint32_t type
    uint32_t length
    uint32_t first  # of the children, 0 for none
    uint32_t next  # of the parent's


cdef inline uint64_t key_of(Node *node) noexcept:
    if node.kind == OBJECT and node.type != NOTHING:
        return KINDS + <uint64_t>node.type
    return node.kind


cdef inline uint64_t offset_of(Node *node) noexcept:
    return node.offset_low | <uint64_t>node.offset_high << 32


cdef class Tree


@cython.final
cdef class Field:
    """One member of all nodes, as a sequence."""

    cdef Tree tree
    cdef str name

    def __cinit__(self, Tree tree, str name):
        self.tree = tree
        self.name = name

    def __len__(self):
        return self.tree.count

    def __getitem__(self, Py_ssize_t i):
        cdef Node *node
        if not 0 <= i < self.tree.count:
            raise IndexError(i)
        node = self.tree.nodes + i
        if self.name == "kind":
            return node.kind
        if self.name == "role":
            return node.role
        if self.name == "offset":
            return offset_of(node)
        if self.name == "own":
            return self.tree.own_of(node)
        if self.name == "total":
            return node.size
        if self.name == "parent":
            return node.parent
        if self.name == "step":
            return node.step
        if self.name == "type":
            return node.type
        return node.length
