# The tree of nodes, and the sums over it: as scanning/tree.py.

@cython.binding(False)
cdef class Tree:
    cdef uint64_t size  # of the file
    cdef Node *nodes
    cdef Py_ssize_t count, room
    cdef Column name_node_, name_module_, name_name_
    cdef Column row_count, row_bytes
    cdef dict row_in
    cdef Column type_count_, type_own_, type_total_, pickles_

    def __cinit__(self):
        self.name_node_ = Column(4)
        self.name_module_ = Column(4)
        self.name_name_ = Column(4)
        self.row_count = Column(8, KINDS)
        self.row_bytes = Column(8, KINDS)
        self.row_in = {}
        self.type_count_ = Column(8)
        self.type_own_ = Column(8)
        self.type_total_ = Column(8)
        self.pickles_ = Column(8)

    def __dealloc__(self):
        PyMem_RawFree(self.nodes)

    # The columns as others see them.
    @property
    def kind(self): return Field(self, "kind")
    @property
    def role(self): return Field(self, "role")
    @property
    def offset(self): return Field(self, "offset")
    @property
    def own(self): return Field(self, "own")
    @property
    def total(self): return Field(self, "total")
    @property
    def parent(self): return Field(self, "parent")
    @property
    def step(self): return Field(self, "step")
    @property
    def type(self): return Field(self, "type")
    @property
    def length(self): return Field(self, "length")
    @property
    def name_node(self): return memoryview(self.name_node_)
    @property
    def name_module(self): return memoryview(self.name_module_)
    @property
    def name_name(self): return memoryview(self.name_name_)
    @property
    def type_count(self): return memoryview(self.type_count_)
    @property
    def type_own(self): return memoryview(self.type_own_)
    @property
    def type_total(self): return memoryview(self.type_total_)
    @property
    def pickles(self): return memoryview(self.pickles_)

    @cython.final
    cdef int grow(self) except -1:
        cdef Py_ssize_t room = self.room + (self.room >> 1)
        cdef Node *nodes
        if self.room < 1 << 18:  # larger blocks grow without a copy
            room = 4 * self.room + 1024
        if self.count >= MOST_NODES:
            raise MemoryError("more objects than can be counted")
        room = min(room, <Py_ssize_t>MOST_NODES)
        nodes = <Node *>PyMem_RawRealloc(self.nodes, bytes_of(room, sizeof(Node)))
        if nodes == NULL:
            raise MemoryError
        self.nodes = nodes
        self.room = room
        return 0

    @cython.final
    cdef inline int64_t new(
        self, uint8_t kind, uint64_t offset, uint64_t own, uint32_t type_
    ) except -1:
        cdef Node *node
        if self.count == self.room:
            self.grow()
        node = self.nodes + self.count
        node.offset_low = <uint32_t>offset
        node.offset_high = <uint16_t>(offset >> 32)
        node.kind = kind
        node.role = NOWHERE
        node.size = own
        node.parent = NOTHING
        node.step = 0
        node.type = type_
        node.length = 0
        node.first = node.next = 0
        self.count += 1
        return self.count - 1

    @cython.final
    cdef inline uint64_t own_of(self, Node *node) noexcept:
        cdef uint64_t own = node.size
        cdef uint32_t child = node.first
        while child:
            own -= self.nodes[child].size
            child = self.nodes[child].next
        return own

    @cython.final
    cdef inline uint8_t kind_of(self, uint32_t node) noexcept:
        return self.nodes[node].kind

    @cython.final
    cdef inline uint8_t role_of(self, uint32_t node) noexcept:
        return self.nodes[node].role

    @cython.final
    cdef inline void set_role(self, uint32_t node, uint8_t role) noexcept:
        self.nodes[node].role = role

    @cython.final
    cdef inline void add_length(self, uint32_t node, uint64_t count) noexcept:
        cdef uint64_t length = self.nodes[node].length + count
        self.nodes[node].length = <uint32_t>(length if length < NOTHING else NOTHING)

    @cython.final
    cdef inline void truncate(self, Py_ssize_t count) noexcept:
        self.count = count

    def retype(self, dict changed):
        cdef Py_ssize_t names = self.name_node_.count
        cdef Py_ssize_t i
        cdef Column becomes = Column(4, names)
        cdef uint32_t *numbers = becomes.as4()
        cdef Node *node
        for i in range(names):
            numbers[i] = <uint32_t>i
        for old, new in changed.items():
            if not 0 <= <Py_ssize_t>old < names or not 0 <= <Py_ssize_t>new < names:
                raise IndexError(old)
            numbers[<Py_ssize_t>old] = <uint32_t>new
            row = self.row_in.pop(KINDS + old, 0)
            if row:
                self.row_in[KINDS + new] = self.row_in.get(KINDS + new, 0) + row
        for i in range(self.count):
            node = self.nodes + i
            if node.kind == OBJECT and node.type != NOTHING:
                node.type = numbers[node.type]

    def finish(self):
        self.link_children()
        self.sum_nodes()
        self.sum_rows()

    @cython.final
    cdef void link_children(self) noexcept:
        cdef Node *nodes = self.nodes
        cdef Node *parent
        cdef uint32_t number
        # Backwards, so that the children come in the order of the file.
        for number in range(self.count - 1, 0, -1):
            parent = nodes + nodes[number].parent
            nodes[number].next = parent.first
            parent.first = number

    @cython.final
    cdef int sum_nodes(self) except -1:
        """The totals of nodes, the sums by type, and the depths of pickles."""
        cdef Node *nodes = self.nodes
        cdef Node *node = nodes
        cdef Py_ssize_t keys = KINDS + self.name_node_.count
        cdef Column on_the_way = Column(4, keys)
        cdef uint32_t *active = on_the_way.as4()
        cdef uint64_t *type_count
        cdef uint64_t *type_own
        cdef uint64_t *type_total
        cdef uint64_t *pickles = self.pickles_.as8()
        cdef uint64_t depth = 0, deepest = 0, pickle = 0, key
        self.type_count_ = Column(8, keys)
        self.type_own_ = Column(8, keys)
        self.type_total_ = Column(8, keys)
        type_count = self.type_count_.as8()
        type_own = self.type_own_.as8()
        type_total = self.type_total_.as8()
        while True:  # `node` is new
            key = key_of(node)
            type_count[key] += 1
            type_own[key] += node.size
            if node.first:
                active[key] += 1
                depth += 1
                node = nodes + node.first
                continue
            if depth > deepest:
                deepest = depth
            while True:  # `node` is complete
                if not active[key]:  # else it is counted with what it is in
                    type_total[key] += node.size
                if node.kind == PICKLE:
                    pickles[pickle * P_FIELDS + P_DEPTH] = deepest - 1
                    pickle += 1
                    deepest = 0
                if node == nodes:
                    return 0
                nodes[node.parent].size += node.size
                if node.next:
                    node = nodes + node.next
                    break
                node = nodes + node.parent
                depth -= 1
                key = key_of(node)
                active[key] -= 1

    @cython.final
    cdef int sum_rows(self) except -1:
        """Rows of scalars, which are no nodes, are added to the sums by type."""
        cdef uint64_t *type_count = self.type_count_.as8()
        cdef uint64_t *type_own = self.type_own_.as8()
        cdef uint64_t *type_total = self.type_total_.as8()
        cdef uint64_t key
        for key in range(<uint64_t>KINDS):
            type_count[key] += self.row_count.as8()[key]
            type_own[key] += self.row_bytes.as8()[key]
            type_total[key] += self.row_bytes.as8()[key]
        for row_key, row in self.row_in.items():
            type_own[<Py_ssize_t>row_key] -= <uint64_t>row
        return 0

    @cython.final
    cdef int check(self, uint32_t node) except -1:
        if node >= <size_t>self.count:
            raise IndexError(node)
        return 0

    def children(self, uint32_t node, most=None):
        self.check(node)
        cdef uint32_t child = self.nodes[node].first
        cdef Py_ssize_t room = 0 if most is None else most
        found = []
        if most is None:
            while child:
                found.append(child)
                child = self.nodes[child].next
            return found
        while child and room > 0:
            if len(found) < room:
                heapq.heappush(found, (self.nodes[child].size, -<int64_t>child))
            elif self.nodes[child].size > <uint64_t>found[0][0]:
                heapq.heapreplace(found, (self.nodes[child].size, -<int64_t>child))
            child = self.nodes[child].next
        return numbers_of(found)

    def way(self, uint32_t node, Py_ssize_t ends):
        self.check(node)
        cdef Py_ssize_t length = 1
        cdef Py_ssize_t i
        cdef uint32_t at = node
        cdef uint8_t role
        while at:
            role = self.role_of(at)
            if role == NUMBERED or role == REST or role == ROOT or role == LOOSE:
                break
            at = self.nodes[at].parent
            length += 1
        nodes = []
        for i in range(length):
            if i <= ends or i >= length - ends - 1:
                nodes.append(node)
            node = self.nodes[node].parent
        return nodes[::-1], length - 1 - ends > ends  # not 2 * ends, as `ends` may be any number

    def count_children(self, uint32_t node):
        self.check(node)
        cdef uint32_t child = self.nodes[node].first
        cdef Py_ssize_t count = 0
        while child:
            count += 1
            child = self.nodes[child].next
        return count

    def largest(self, column, Py_ssize_t count):
        cdef bint is_own = column == "own"
        cdef uint64_t value
        cdef uint64_t least = 0
        cdef Py_ssize_t i
        best = []
        if count <= 0:
            return best
        for i in range(self.count):
            value = self.own_of(self.nodes + i) if is_own else self.nodes[i].size
            if len(best) < count:
                heapq.heappush(best, (value, -i))
                least = best[0][0]
            elif value > least:
                heapq.heapreplace(best, (value, -i))
                least = best[0][0]
        return numbers_of(best)


cdef list numbers_of(list heap):
    """Of pairs with what they are sorted by, and less than their number; the largest first."""
    cdef list numbers = []
    for _, number in sorted(heap, reverse=True):
        numbers.append(-number)
    return numbers
