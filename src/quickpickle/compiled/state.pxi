# The stack and the memo of an Unpickler, with nodes in place of objects: as scanning/state.py.

cdef struct Entry:
    uint32_t node
    uint32_t cost  # the bytes of a reference, or OWNED


@cython.binding(False)
cdef class State(Tree):
    cdef public bint unknown_reference
    cdef Entry *stack
    cdef Py_ssize_t height, stack_room
    cdef uint32_t *marks  # heights of the stack; the first is 0 and no mark
    cdef Py_ssize_t mark_count, marks_room
    cdef Column memo  # 0 where there is none, else the node plus 1, and USED
    cdef dict memo_far
    cdef bint has_far
    cdef uint64_t memo_count
    cdef Column loose
    cdef uint64_t loose_cost, walked
    cdef uint32_t first
    cdef uint64_t opcodes_before
    cdef uint32_t protocol, seen_protocol
    cdef uint64_t frames, opcodes, objects, references, puts, unused, buffers, persistent
    cdef uint64_t frame_end
    cdef int64_t last_unused

    def __cinit__(self):
        self.grow_marks()
        self.marks[0] = 0
        self.memo = Column(4)
        self.memo_far = {}
        self.loose = Column(4)
        self.first = NOTHING
        self.reset_counts()

    def __dealloc__(self):
        PyMem_RawFree(self.stack)
        PyMem_RawFree(self.marks)

    @cython.final
    cdef void reset_counts(self) noexcept:
        self.protocol = NOTHING
        self.seen_protocol = 0
        self.frames = self.opcodes = self.objects = self.references = 0
        self.puts = self.unused = self.buffers = self.persistent = self.frame_end = 0

    @cython.final
    cdef int grow_stack(self) except -1:
        cdef Py_ssize_t room = self.stack_room + (self.stack_room >> 1) + 64
        cdef Entry *stack
        if self.height >= MOST_NODES:  # `marks` has heights of 32 bits
            raise MemoryError("more on the stack than can be counted")
        stack = <Entry *>PyMem_RawRealloc(self.stack, bytes_of(room, sizeof(Entry)))
        if stack == NULL:
            raise MemoryError
        self.stack = stack
        self.stack_room = room
        return 0

    @cython.final
    cdef int grow_marks(self) except -1:
        cdef Py_ssize_t room = self.marks_room + (self.marks_room >> 1) + 64
        cdef uint32_t *marks = <uint32_t *>PyMem_RawRealloc(
            self.marks, bytes_of(room, sizeof(uint32_t))
        )
        if marks == NULL:
            raise MemoryError
        self.marks = marks
        self.marks_room = room
        return 0

    @cython.final
    cdef inline int push_entry(self, uint32_t node, uint32_t cost) except -1:
        if self.height == self.stack_room:
            self.grow_stack()
        self.stack[self.height].node = node
        self.stack[self.height].cost = cost
        self.height += 1
        return 0

    @cython.final
    cdef inline int64_t push(
        self, uint8_t kind, uint64_t offset, uint64_t own, uint32_t type_
    ) except -1:
        cdef int64_t node = self.new(kind, offset, own, type_)
        self.objects += 1
        self.push_entry(node, OWNED)
        return node

    @cython.final
    cdef inline void charge(self, uint32_t node, uint64_t own) noexcept:
        self.nodes[node if node >= self.first else self.first].size += own

    @cython.final
    cdef inline void place(
        self, Py_ssize_t i, uint32_t parent, uint8_t role, uint64_t step
    ) noexcept:
        cdef uint32_t cost = self.stack[i].cost
        cdef uint32_t node
        if cost != OWNED:
            self.charge(parent, cost)
            return
        node = self.stack[i].node
        if parent < self.first:
            parent, role = self.first, LOOSE
        self.nodes[node].parent = parent
        self.set_role(node, role)
        self.nodes[node].step = <uint32_t>(step if step < NOTHING else NOTHING)

    @cython.final
    cdef void place_all(
        self, Py_ssize_t bottom, uint32_t parent, uint8_t role, uint64_t step
    ) noexcept:
        """Place what lies from `bottom` up; their steps begin with `step`."""
        cdef Node *nodes = self.nodes
        cdef Node *node
        cdef Entry *entry = self.stack + bottom
        cdef Entry *end = self.stack + self.height
        if parent < self.first:
            parent, role = self.first, LOOSE
        while entry < end:
            if entry.cost != OWNED:
                nodes[parent].size += entry.cost
            else:
                node = nodes + entry.node
                node.parent = parent
                node.role = role
                node.step = <uint32_t>(step if step < NOTHING else NOTHING)
            entry += 1
            step += 1

    @cython.final
    cdef inline void cut(self, Py_ssize_t height) noexcept:
        self.height = height

    @cython.final
    cdef inline uint32_t name_of(self, Py_ssize_t i) noexcept:
        cdef uint32_t node = self.stack[i].node
        return self.nodes[node].type if self.kind_of(node) == GLOBAL else NOTHING

    @cython.final
    cdef inline uint32_t first_name_of(self, Py_ssize_t i) noexcept:
        cdef uint32_t node = self.stack[i].node
        return self.nodes[node].type if self.kind_of(node) == TUPLE else NOTHING

    @cython.final
    cdef int64_t drop_row(self, Py_ssize_t bottom, uint64_t key) except -1:
        cdef Py_ssize_t i = self.height
        cdef Py_ssize_t last = self.count - 1
        cdef Py_ssize_t node
        cdef uint64_t own = 0
        cdef uint8_t kind
        if i - bottom < LONG_ROW:
            return 0
        while (
            i > bottom
            and self.stack[i - 1].node == <uint32_t>last
            and self.stack[i - 1].cost == OWNED
            and NONE <= self.kind_of(last) <= FLOAT
            and self.role_of(last) == NOWHERE
        ):
            i -= 1
            last -= 1
        if self.height - i < LONG_ROW:
            return 0
        for node in range(last + 1, self.count):
            own += self.nodes[node].size
        self.row_in[key] = self.row_in.get(key, 0) + own
        for node in range(last + 1, self.count):
            kind = self.kind_of(node)
            self.row_count.as8()[kind] += 1
            self.row_bytes.as8()[kind] += self.nodes[node].size
        self.cut(i)
        self.truncate(last + 1)
        return own

    # --- the memo

    @cython.final
    cdef inline int put(self, uint64_t index, uint32_t node, uint64_t size) except -1:
        # The next number, the most frequent: none that is far away can be it, while there are none.
        if index == <uint64_t>self.memo.count and index == self.memo_count and not self.has_far:
            self.memo.add4(node + 1)
            self.memo_count += 1
        else:
            self.put_anywhere(index, node)
        return self.after_put(node, size)

    @cython.final
    cdef inline int after_put(self, uint32_t node, uint64_t size) except -1:
        if self.role_of(node) == NOWHERE:
            self.set_role(node, SHARED)
        self.puts += 1
        self.unused += 1
        self.charge(node, size)
        return 0

    @cython.final
    cdef int put_anywhere(self, uint64_t index, uint32_t node) except -1:
        cdef Py_ssize_t room
        cdef uint64_t index_room
        if index >= <uint64_t>self.memo.count:
            if index > 2 * self.memo_count + 1024:  # an index of a stranger's choice
                if index not in self.memo_far:
                    self.memo_count += 1
                self.memo_far[index] = node + 1
                self.has_far = True
                return 0
            if index >= <uint64_t>self.memo.room:
                index_room = index + (index >> 1) + 64
                if index_room > <uint64_t>PY_SSIZE_T_MAX:
                    raise MemoryError
                self.memo.make_room(<Py_ssize_t>index_room)
            room = self.memo.count
            memset(self.memo.as4() + room, 0, (index + 1 - room) * 4)
            self.memo.count = index + 1
            if self.has_far:  # what has come near
                for room in range(room, <Py_ssize_t>index + 1):
                    entry = self.memo_far.pop(room, 0)
                    self.memo.as4()[room] = entry
        if not self.memo.as4()[index]:
            self.memo_count += 1
        self.memo.as4()[index] = node + 1
        return 0

    @cython.final
    cdef int put_far(self, object index, uint32_t node, uint64_t size) except -1:
        """Under a number that is larger than 32 bits."""
        if index not in self.memo_far:
            self.memo_count += 1
        self.memo_far[index] = node + 1
        self.has_far = True
        return self.after_put(node, size)

    @cython.final
    cdef inline int get(self, uint64_t index, uint64_t here, uint64_t size, int code) except -1:
        cdef uint32_t entry = 0
        if index < <uint64_t>self.memo.count:
            entry = self.memo.as4()[index]
        if not entry:
            return self.get_far(index, here, size, code)
        self.memo.as4()[index] = entry | USED
        return self.refer(entry, size)

    @cython.final
    cdef int get_far(self, object index, uint64_t here, uint64_t size, int code) except -1:
        cdef uint32_t entry = self.memo_far.get(index, 0)
        if not entry:
            self.unknown_reference = True
            raise InspectionError(
                here, f"{table.OPCODE_NAMES[code]} refers to {index}, not in the memo"
            )
        self.memo_far[index] = entry | USED
        return self.refer(entry, size)

    @cython.final
    cdef inline int refer(self, uint32_t entry, uint64_t size) except -1:
        """Push what an entry of the memo refers to; `entry` is as it was."""
        cdef uint32_t node = (entry & ~USED) - 1
        if not entry & USED and node >= self.first:
            self.unused -= 1
        self.references += 1
        if self.loose_cost:
            if self.loose.count and self.take_back(node, size):
                return 0
            self.settle_loose()
        return self.push_entry(node, size)

    @cython.final
    cdef void forget_memo(self) noexcept:
        self.memo.count = 0
        if self.has_far:
            self.memo_far = {}
            self.has_far = False
        self.memo_count = 0

    @cython.final
    cdef inline int replace(self, Py_ssize_t height, uint32_t node) except -1:
        self.cut(height)
        self.push_entry(node, OWNED)
        return 0

    def entries(self):
        """The contents of the stack: see scanning/state.py."""
        cdef Py_ssize_t i
        nodes, owned, marks = [], [], []
        for i in range(self.height):
            nodes.append(self.stack[i].node)
            owned.append(self.stack[i].cost == OWNED)
        for i in range(1, self.mark_count + 1):
            marks.append(self.marks[i])
        return nodes, owned, marks, self.seen_protocol

    def target(self, int action):
        """The node that an opcode is about: see scanning/state.py."""
        cdef Py_ssize_t depth = table.TARGET_DEPTH.get(action, 0)
        cdef Py_ssize_t place
        if depth:
            place = self.height - depth
        else:
            place = (self.marks[self.mark_count] if self.mark_count else self.height) - 1
        return self.stack[place].node if place >= 0 else NOTHING

    # --- what is discarded

    @cython.final
    cdef int discard(self, Py_ssize_t height) except -1:
        cdef Py_ssize_t i = self.height
        cdef uint32_t cost
        while i > height:
            i -= 1
            cost = self.stack[i].cost
            self.loose.add4(NOTHING if cost != OWNED else self.stack[i].node)
            if cost != OWNED:
                self.loose_cost += cost
        self.cut(height)
        return 0

    @cython.final
    cdef void settle_loose(self) noexcept:
        cdef Py_ssize_t i = self.loose.count
        while i > 0:
            i -= 1
            if self.loose.as4()[i] != NOTHING:
                self.place_loose(self.loose.as4()[i], self.first)
        self.loose.count = 0
        self.nodes[self.first].size += self.loose_cost
        self.loose_cost = 0

    @cython.final
    cdef void place_loose(self, uint32_t node, uint32_t parent) noexcept:
        self.nodes[node].parent = parent
        self.set_role(node, LOOSE)

    @cython.final
    cdef int take_back(self, uint32_t node, uint64_t size) except -1:
        cdef Node *nodes = self.nodes
        cdef uint32_t top = node
        cdef uint32_t item
        cdef uint64_t limit = 1000 + 4 * (self.opcodes_before + self.opcodes)
        cdef Py_ssize_t i
        cdef Py_ssize_t count = self.loose.count
        cdef uint8_t role = NOWHERE
        while nodes[top].parent != NOTHING and self.walked < limit:
            top = nodes[top].parent
            self.walked += 1
        if nodes[top].parent != NOTHING:
            return False
        for i in range(count):
            if self.loose.as4()[i] == top:
                break
        else:
            return False
        self.push_entry(node, OWNED)
        nodes[node].parent = NOTHING
        self.set_role(node, SHARED)
        if self.kind_of(node) == TUPLE:
            role = ITEM
        elif self.kind_of(node) == FROZENSET:
            role = MEMBER
        for i in range(count):
            item = self.loose.as4()[count - 1 - i]
            if item == NOTHING or item == node:
                continue
            if role and self.role_of(item) == SHARED and <size_t>i < self.nodes[node].length:
                nodes[item].parent = node
                self.set_role(item, role)
                self.nodes[item].step = i
            else:
                self.place_loose(item, node)
        self.loose.count = 0
        self.nodes[node].size += size + self.loose_cost
        self.loose_cost = 0
        return True
