# cython: language_level=3, initializedcheck=False, boundscheck=False, wraparound=False
# cython: cdivision=True
"""The compiled scanner: the class of inspection/scan.py, with the same methods and columns in C.

It makes the same checks. There are two differences: a column is a block of memory that grows, and
an entry of the memo with a very high number goes into a dict.
"""

import heapq

cimport cython
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from ..format import table
from ..format.decode import ARGUMENT_OF
from ..rules.errors import InspectionError, too_many_objects

include "sizes.pxi"
include "tracebacks.pxi"

cdef extern from "scan.h":
    const uint32_t NOTHING
    const uint32_t OWNED  # as the cost of an entry of the stack
    const uint32_t USED  # in an entry of the memo

include "table.pxi"

cdef extern from "opcodes.h":
    enum: OP_INT, OP_MEMOIZE

cdef struct Opcode:
    uint8_t action
    uint8_t argument
    uint8_t kind
    uint8_t protocol
    uint8_t fixed  # so many bytes at least, with the opcode

cdef Opcode OPCODES[256]
for _code in range(256):
    OPCODES[_code].action = table.ACTION_OF[_code]
    OPCODES[_code].argument = ARGUMENT_OF[_code] % NO_OPCODE  # 0 where no opcode is
    OPCODES[_code].kind = table.KIND_OF[_code]
    OPCODES[_code].protocol = table.PROTOCOL_OF[_code]
    OPCODES[_code].fixed = 1 + (ARGUMENT_OF[_code] & 0xF) * (ARGUMENT_OF[_code] < LINE)


cdef inline uint64_t little_endian(const unsigned char *data, int width) noexcept:
    cdef uint64_t value = data[0]
    cdef int i
    for i in range(1, width):
        value |= <uint64_t>data[i] << (8 * i)
    return value


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

cdef struct Entry:
    uint32_t node
    uint32_t cost  # the bytes of a reference, or OWNED


cdef object far_number(const unsigned char *line, uint64_t length):
    """The number in a line, of any size; ValueError where there is none."""
    text = bytes(line[:min(length, <uint64_t>LONGEST_NUMBER + 1)])
    return int(text.partition(b"\0")[0])  # an Unpickler sees a C string


@cython.final
cdef class Field:
    """One member of all nodes, as a sequence."""

    cdef Scanner scanner
    cdef str name

    def __cinit__(self, Scanner scanner, str name):
        self.scanner = scanner
        self.name = name

    def __len__(self):
        return self.scanner.count

    def __getitem__(self, Py_ssize_t i):
        cdef Node *node
        if not 0 <= i < self.scanner.count:
            raise IndexError(i)
        node = self.scanner.nodes + i
        if self.name == "kind":
            return node.kind
        if self.name == "role":
            return node.role
        if self.name == "offset":
            return offset_of(node)
        if self.name == "own":
            return self.scanner.own_of(node)
        if self.name == "total":
            return node.size
        if self.name == "parent":
            return node.parent
        if self.name == "step":
            return node.step
        if self.name == "type":
            return node.type
        return node.length


cdef inline const unsigned char *find_newline(
    const unsigned char *data, const unsigned char *end
) noexcept:
    cdef const unsigned char *near = data + min(16, end - data)
    while data < near:  # most lines are short
        if data[0] == c"\n":
            return data
        data += 1
    return <const unsigned char *>memchr(data, b"\n", end - data)


cdef inline bint is_bool(const unsigned char *line, uint64_t length) noexcept:
    """At protocols 0 and 1 INT is also how bools are written."""
    return length == 2 and line[0] == c"0" and (line[1] == c"0" or line[1] == c"1")


cdef inline uint64_t key_of(Node *node) noexcept:
    if node.kind == OBJECT and node.type != NOTHING:
        return KINDS + <uint64_t>node.type
    return node.kind


cdef inline uint64_t offset_of(Node *node) noexcept:
    return node.offset_low | <uint64_t>node.offset_high << 32


@cython.final
@cython.binding(False)
cdef class Scanner:
    """See inspection/scan.py."""

    cdef uint64_t size
    cdef object is_rebuilder
    cdef bint shared
    cdef object max_objects
    cdef int64_t most_nodes
    cdef Node *nodes
    cdef Py_ssize_t count, room
    cdef Column name_node_, name_module_, name_name_, rebuilds
    cdef Column row_count, row_bytes
    cdef dict row_in
    cdef Column type_count_, type_own_, type_total_, pickles_
    cdef public bint unknown_reference
    cdef public unsigned long long line_end

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

    def __init__(self, size, is_rebuilder, shared, max_objects):
        self.size = size
        self.is_rebuilder = is_rebuilder
        self.shared = shared
        self.max_objects = max_objects
        self.most_nodes = max(0, min(max_objects, MOST_NODES)) + 2
        self.name_node_ = Column(4)
        self.name_module_ = Column(4)
        self.name_name_ = Column(4)
        self.rebuilds = Column(4)  # 0: not asked yet, 1: no, 2: yes
        self.row_count = Column(8, KINDS)
        self.row_bytes = Column(8, KINDS)
        self.row_in = {}
        self.type_count_ = Column(8)
        self.type_own_ = Column(8)
        self.type_total_ = Column(8)
        self.pickles_ = Column(8)
        self.memo = Column(4)
        self.memo_far = {}
        self.loose = Column(4)
        self.first = NOTHING
        self.reset_counts()
        self.new(FILE, 0, 0, NOTHING)

    def __dealloc__(self):
        PyMem_RawFree(self.nodes)
        PyMem_RawFree(self.stack)
        PyMem_RawFree(self.marks)

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

    @property
    def is_open(self):
        return self.first != NOTHING

    cdef void reset_counts(self) noexcept:
        self.protocol = NOTHING
        self.seen_protocol = 0
        self.frames = self.opcodes = self.objects = self.references = 0
        self.puts = self.unused = self.buffers = self.persistent = self.frame_end = 0

    # --- nodes

    cdef int grow(self) except -1:
        cdef Py_ssize_t room = self.room + (self.room >> 1)
        cdef Node *nodes
        if not room:  # what is not used of it is not paid for
            room = 64 + min(self.size // 2, <uint64_t>1 << 18)
        if self.count >= MOST_NODES:
            raise MemoryError("more objects than can be counted")
        room = min(room, <Py_ssize_t>MOST_NODES)
        nodes = <Node *>PyMem_RawRealloc(self.nodes, bytes_of(room, sizeof(Node)))
        if nodes == NULL:
            raise MemoryError
        self.nodes = nodes
        self.room = room
        return 0

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

    cdef inline uint64_t own_of(self, Node *node) noexcept:
        cdef uint64_t own = node.size
        cdef uint32_t child = node.first
        while child:
            own -= self.nodes[child].size
            child = self.nodes[child].next
        return own

    cdef inline uint8_t kind_of(self, uint32_t node) noexcept:
        return self.nodes[node].kind

    cdef inline uint8_t role_of(self, uint32_t node) noexcept:
        return self.nodes[node].role

    cdef inline void set_role(self, uint32_t node, uint8_t role) noexcept:
        self.nodes[node].role = role

    cdef inline int push_entry(self, uint32_t node, uint32_t cost) except -1:
        if self.height == self.stack_room:
            self.grow_stack()
        self.stack[self.height].node = node
        self.stack[self.height].cost = cost
        self.height += 1
        return 0

    cdef inline int64_t push(
        self, uint8_t kind, uint64_t offset, uint64_t own, uint32_t type_
    ) except -1:
        cdef int64_t node = self.new(kind, offset, own, type_)
        self.objects += 1
        self.push_entry(node, OWNED)
        return node

    cdef inline void charge(self, uint32_t node, uint64_t own) noexcept:
        self.nodes[node if node >= self.first else self.first].size += own

    cdef inline void place(self, Py_ssize_t i, uint32_t parent, uint8_t role, uint64_t step) noexcept:
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

    cdef inline void cut(self, Py_ssize_t height) noexcept:
        self.height = height

    cdef inline void add_length(self, uint32_t node, uint64_t count) noexcept:
        cdef uint64_t length = self.nodes[node].length + count
        self.nodes[node].length = <uint32_t>(length if length < NOTHING else NOTHING)

    cdef inline uint32_t name_of(self, Py_ssize_t i) noexcept:
        cdef uint32_t node = self.stack[i].node
        return self.nodes[node].type if self.kind_of(node) == GLOBAL else NOTHING

    cdef inline uint32_t first_name_of(self, Py_ssize_t i) noexcept:
        cdef uint32_t node = self.stack[i].node
        return self.nodes[node].type if self.kind_of(node) == TUPLE else NOTHING

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

    cdef inline void truncate(self, Py_ssize_t count) noexcept:
        self.count = count

    # --- reading

    def feed(self, const unsigned char[::1] data, unsigned long long base):
        cdef uint64_t i = 0
        cdef uint64_t end = data.shape[0]
        cdef bint is_last = base + end >= self.size
        cdef const unsigned char *start
        cdef const unsigned char *at  # behind the opcode
        cdef const unsigned char *stop
        cdef Opcode *opcode
        cdef uint64_t here, size, value
        cdef const unsigned char *line = NULL  # of an opcode with a line
        cdef uint64_t line_length = 0
        cdef int code, action, argument
        cdef uint32_t node
        cdef bint is_empty
        if not end:
            return base
        if (base + end) >> 48:
            raise MemoryError("more bytes than can be counted")
        start = &data[0]
        while i < end:
            here = base + i
            code = start[i]
            at = start + i + 1
            opcode = OPCODES + code
            action = opcode.action
            argument = opcode.argument
            size = opcode.fixed
            if size > end - i:
                break
            if argument <= 8:
                pass
            elif argument < LINE:
                value = at[0] if argument == COUNTED1 else little_endian(at, opcode.fixed - 1)
                if argument == COUNTED4_SIGNED and value > 0x7FFFFFFF:
                    raise InspectionError(here, f"{table.OPCODE_NAMES[code]} has a negative length")
                if value > self.size - here - size:  # what was found of it is inside
                    raise InspectionError(
                        here,
                        f"{table.OPCODE_NAMES[code]} is {value:,} bytes long, "
                        f"the file has {self.size - here - size:,}",
                    )
                size += value
            elif self.line_end > here:
                size = self.line_end - here
                if action == GET or action == PUT:
                    raise InspectionError(here, f"{table.OPCODE_NAMES[code]} has a number too long")
                self.line_end = 0
                line = at
                line_length = 0  # of those that are looked at
            else:
                line = at
                stop = find_newline(at, start + end)
                if stop == NULL:
                    break
                line_length = stop - line
                is_empty = line_length == 0
                if argument == TWO_LINES:
                    line = stop + 1
                    stop = find_newline(line, start + end)
                    if stop == NULL:
                        break
                    is_empty |= stop == line
                if is_empty and opcode.kind != STR and opcode.kind != STRING and action != PERSID:
                    raise InspectionError(here, f"{table.OPCODE_NAMES[code]} has an empty line")
                size = stop + 1 - (at - 1)
            if action != UNKNOWN:
                if self.first == NOTHING:
                    self.begin(here)
                if self.count > self.most_nodes:
                    raise too_many_objects(here, self.max_objects)
            if self.loose_cost and action != POP and action != POP_MARK and action != GET:
                self.settle_loose()
            # The most frequent opcodes are here, the others in `do`.
            if action == PUSH:
                node = self.push(
                    BOOL if code == OP_INT and is_bool(line, line_length) else opcode.kind,
                    here, size, NOTHING,
                )
                # From protocol 4 on MEMOIZE follows nearly always: in the same turn of the loop.
                if (
                    i + size < end and start[i + size] == OP_MEMOIZE
                    and self.count <= self.most_nodes
                ):
                    self.put(self.memo_count, node, 1)
                    self.opcodes += 1
                    self.seen_protocol = max(self.seen_protocol, OPCODES[<int>OP_MEMOIZE].protocol)
                    size += 1
            elif action == MEMOIZE or (action == PUT and argument <= 8):
                if self.height == <Py_ssize_t>self.marks[self.mark_count]:
                    self.too_little(here, code)
                value = self.memo_count if action == MEMOIZE else little_endian(at, argument)
                self.put(value, self.stack[self.height - 1].node, size)
            elif action == GET and argument <= 8:
                self.get(little_endian(at, argument), here, size, code)
            elif action == MARK:
                if self.mark_count + 1 == self.marks_room:
                    self.grow_marks()
                self.mark_count += 1
                self.marks[self.mark_count] = self.height
            else:
                self.do(action, code, here, size, at, line, line_length)
            self.opcodes += 1
            if opcode.protocol > self.seen_protocol:
                self.seen_protocol = opcode.protocol
            i += size
            if action == STOP:
                self.end(base + i)
        if i < end and is_last:
            name = table.OPCODE_NAMES[start[i]]
            raise InspectionError(base + i, f"the file ends in the middle of {name}")
        return base + i

    cdef int do(
        self, int action, int code, uint64_t here, uint64_t size, const unsigned char *at,
        const unsigned char *line, uint64_t line_length,
    ) except -1:
        cdef Py_ssize_t height = self.height
        cdef Py_ssize_t fence = self.marks[self.mark_count]
        cdef Py_ssize_t count
        cdef Entry *stack = self.stack  # not after a push
        cdef uint32_t node, type_, module, name
        cdef uint64_t index
        if action == PUT:
            if height - 1 < fence:
                self.too_little(here, code)
            node = stack[height - 1].node
            index = self.number(line, line_length, here, code)
            if index > 0xFFFFFFFF:
                self.put_far(far_number(line, line_length), node, size)
            else:
                self.put(index, node, size)
        elif action == GET:
            index = self.number(line, line_length, here, code)
            if index > 0xFFFFFFFF:
                self.get_far(far_number(line, line_length), here, size, code)
            else:
                self.get(index, here, size, code)
        elif action == COLLECT:
            self.collect(OPCODES[code].kind, here, size, code)
        elif action == TUPLE1 or action == TUPLE2 or action == TUPLE3:
            count = action - TUPLE1 + 1
            if height - count < fence:
                self.too_little(here, code)
            self.objects += 1
            node = self.new(TUPLE, here, size, self.name_of(height - count))
            self.nodes[node].length = count
            self.place_all(height - count, node, ITEM, 0)
            self.replace(height - count, node)
        elif action == APPEND:
            if height - 2 < fence:
                self.too_little(here, code)
            node = stack[height - 2].node
            self.charge(node, size)
            self.place(height - 1, node, ITEM, self.nodes[node].length)
            self.add_length(node, 1)
            self.cut(height - 1)
        elif action == SETITEM:
            if height - 3 < fence:
                self.too_little(here, code)
            node = stack[height - 3].node
            self.charge(node, size)
            self.place(height - 2, node, KEY, self.nodes[node].length)
            self.place(height - 1, node, VALUE, stack[height - 2].node)
            self.add_length(node, 1)
            self.cut(height - 2)
        elif action == APPENDS or action == SETITEMS or action == ADDITEMS:
            self.add_items(action, size, here, code)
        elif action == FIND:
            type_ = self.add_name(NOTHING, NOTHING)
            self.push(GLOBAL, here, size, type_)
        elif action == FIND_ON_STACK:
            if height - 2 < fence:
                self.too_little(here, code)
            module, name = stack[height - 2].node, stack[height - 1].node
            if not (STR <= self.kind_of(module) <= STRING and STR <= self.kind_of(name) <= STRING):
                raise InspectionError(here, "STACK_GLOBAL needs two strings")
            self.objects += 1
            type_ = self.add_name(module, name)
            node = self.new(GLOBAL, here, size, type_)
            self.place(height - 2, node, MODULE, 0)
            self.place(height - 1, node, NAME, 0)
            self.replace(height - 2, node)
        elif action == INST or action == OBJ:
            self.instantiate(action, here, size, code)
        elif action == REDUCE or action == NEWOBJ:
            if height - 2 < fence:
                self.too_little(here, code)
            self.need_tuple(stack[height - 1].node, here, code)
            self.reduce(action, here, size)
        elif action == NEWOBJ_EX:
            if height - 3 < fence:
                self.too_little(here, code)
            self.need_tuple(stack[height - 2].node, here, code)
            self.objects += 1
            node = self.new(OBJECT, here, size, self.name_of(height - 3))
            self.place(height - 3, node, CLASS, 0)
            self.place(height - 2, node, EX_ARGUMENTS, 0)
            self.place(height - 1, node, EX_KEYWORDS, 0)
            self.replace(height - 3, node)
        elif action == BUILD:
            if height - 2 < fence:
                self.too_little(here, code)
            self.charge(stack[height - 2].node, size)
            self.place(height - 1, stack[height - 2].node, STATE, 0)
            self.cut(height - 1)
        elif action == POP:
            if self.mark_count and fence == height:
                self.mark_count -= 1
                self.loose_cost += 1
            else:
                if height - 1 < fence:
                    self.too_little(here, code)
                self.discard(height - 1)
            self.loose_cost += size
        elif action == POP_MARK:
            if not self.mark_count:
                self.no_mark(here, code)
            self.discard(fence)
            self.mark_count -= 1
            self.loose_cost += size + 1
        elif action == DUP:
            if height - 1 < fence:
                self.too_little(here, code)
            node = stack[height - 1].node
            if self.role_of(node) == NOWHERE:
                self.set_role(node, SHARED)
            self.references += 1
            self.push_entry(node, size)
        elif action == STOP:
            if height - 1 < fence:
                self.too_little(here, code)
            self.nodes[self.first].size += size
        elif action == PERSID:
            self.push(PERSISTENT, here, size, NOTHING)
            self.persistent += 1
        elif action == BINPERSID:
            if height - 1 < fence:
                self.too_little(here, code)
            self.objects += 1
            node = self.new(PERSISTENT, here, size, NOTHING)
            self.place(height - 1, node, PERSISTENT_ID, 0)
            self.replace(height - 1, node)
            self.persistent += 1
        elif action == NEXT_BUFFER:
            self.push(BUFFER, here, size, NOTHING)
            self.buffers += 1
        elif action == READONLY_BUFFER:
            if height - 1 < fence:
                self.too_little(here, code)
            self.charge(stack[height - 1].node, size)
        elif action == PROTO:
            if at[0] > HIGHEST_PROTOCOL:
                raise InspectionError(here, f"protocol {at[0]} is not known")
            self.protocol = at[0]
            self.nodes[self.first].size += size
        elif action == FRAME:
            self.frames += 1
            # A number that is cut short here is beyond the end of any file.
            index = min(little_endian(at, 8), <uint64_t>1 << 62) + here + size
            if index > self.frame_end:
                self.frame_end = index
            self.nodes[self.first].size += size
        else:
            raise InspectionError(here, f"no opcode is 0x{code:02x}")
        return 0

    cdef int too_little(self, uint64_t here, int code) except -1:
        raise InspectionError(here, f"{table.OPCODE_NAMES[code]} finds too little on the stack")

    cdef int no_mark(self, uint64_t here, int code) except -1:
        raise InspectionError(here, f"{table.OPCODE_NAMES[code]} finds no mark on the stack")

    cdef int need_tuple(self, uint32_t node, uint64_t here, int code) except -1:
        cdef uint8_t kind = self.kind_of(node)
        if kind != TUPLE and kind != OBJECT and kind != PERSISTENT:
            raise InspectionError(here, f"{table.OPCODE_NAMES[code]} needs a tuple of arguments")
        return 0

    # --- the memo

    cdef uint64_t number(
        self, const unsigned char *line, uint64_t length, uint64_t here, int code
    ) except? 0xFFFFFFFFFFFFFFFE:
        """The number in a line; one that is larger than any entry's comes back as 2 ** 64 - 1."""
        cdef uint64_t value = 0
        cdef uint64_t i
        if length <= 9:
            for i in range(length):
                if not c"0" <= line[i] <= c"9":
                    break
                value = value * 10 + (line[i] - c"0")
            else:
                return value
        try:
            number = far_number(line, length)
        except ValueError:
            number = -1
        if number < 0:
            raise InspectionError(here, f"{table.OPCODE_NAMES[code]} needs a number")
        return number if number <= 0xFFFFFFFF else 0xFFFFFFFFFFFFFFFF

    cdef inline int put(self, uint64_t index, uint32_t node, uint64_t size) except -1:
        # The next number, the most frequent: none that is far away can be it, while there are none.
        if index == <uint64_t>self.memo.count and index == self.memo_count and not self.has_far:
            self.memo.add4(node + 1)
            self.memo_count += 1
        else:
            self.put_anywhere(index, node)
        return self.after_put(node, size)

    cdef inline int after_put(self, uint32_t node, uint64_t size) except -1:
        if self.role_of(node) == NOWHERE:
            self.set_role(node, SHARED)
        self.puts += 1
        self.unused += 1
        self.charge(node, size)
        return 0

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

    cdef int put_far(self, object index, uint32_t node, uint64_t size) except -1:
        """Under a number that is larger than 32 bits."""
        if index not in self.memo_far:
            self.memo_count += 1
        self.memo_far[index] = node + 1
        self.has_far = True
        return self.after_put(node, size)

    cdef inline int get(self, uint64_t index, uint64_t here, uint64_t size, int code) except -1:
        cdef uint32_t entry = 0
        if index < <uint64_t>self.memo.count:
            entry = self.memo.as4()[index]
        if not entry:
            return self.get_far(index, here, size, code)
        self.memo.as4()[index] = entry | USED
        return self.refer(entry, size)

    cdef int get_far(self, object index, uint64_t here, uint64_t size, int code) except -1:
        cdef uint32_t entry = self.memo_far.get(index, 0)
        if not entry:
            self.unknown_reference = True
            raise InspectionError(
                here, f"{table.OPCODE_NAMES[code]} refers to {index}, not in the memo"
            )
        self.memo_far[index] = entry | USED
        return self.refer(entry, size)

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

    cdef void forget_memo(self) noexcept:
        self.memo.count = 0
        if self.has_far:
            self.memo_far = {}
            self.has_far = False
        self.memo_count = 0

    cdef inline int replace(self, Py_ssize_t height, uint32_t node) except -1:
        self.cut(height)
        self.push_entry(node, OWNED)
        return 0

    cdef uint32_t add_name(self, uint32_t module, uint32_t name) except? 0xFFFFFFFE:
        self.name_module_.add4(module)
        self.name_name_.add4(name)
        self.rebuilds.add4(0)
        self.name_node_.add4(self.count)
        return self.name_node_.count - 1

    cdef int collect(self, uint8_t kind, uint64_t here, uint64_t size, int code) except -1:
        cdef Py_ssize_t bottom, count, i
        cdef uint32_t node
        cdef uint32_t type_ = NOTHING
        cdef uint64_t row = 0
        cdef uint8_t role
        if not self.mark_count:
            self.no_mark(here, code)
        bottom = self.marks[self.mark_count]
        count = self.height - bottom
        if kind == DICT and count % 2:
            raise InspectionError(here, "DICT finds a key without a value")
        self.mark_count -= 1
        self.objects += 1
        if kind == TUPLE and count:
            type_ = self.name_of(bottom)
        if kind != DICT:
            row = self.drop_row(bottom, kind)
        node = self.new(kind, here, size + 1 + row, type_)
        if kind == DICT:
            self.place_pairs(bottom, node)
            count //= 2
        else:
            role = MEMBER if kind == FROZENSET else ITEM
            self.place_all(bottom, node, role, 0)
        self.add_length(node, count)
        self.replace(bottom, node)
        return 0

    cdef void place_pairs(self, Py_ssize_t bottom, uint32_t node) noexcept:
        cdef uint64_t number = self.nodes[node].length
        cdef Py_ssize_t i = bottom
        while i < self.height:
            self.place(i, node, KEY, number + (i - bottom) // 2)
            self.place(i + 1, node, VALUE, self.stack[i].node)
            i += 2

    cdef int add_items(self, int action, uint64_t size, uint64_t here, int code) except -1:
        cdef Py_ssize_t bottom, below, count, i
        cdef uint32_t node, home
        cdef uint64_t number
        cdef uint8_t role
        if not self.mark_count:
            self.no_mark(here, code)
        bottom = self.marks[self.mark_count]
        below = self.marks[self.mark_count - 1]
        if bottom - 1 < below:
            self.too_little(here, code)
        count = self.height - bottom
        if action == SETITEMS and count % 2:
            raise InspectionError(here, "SETITEMS finds a key without a value")
        self.mark_count -= 1
        node = self.stack[bottom - 1].node
        self.charge(node, size + 1)
        if action == SETITEMS:
            self.place_pairs(bottom, node)
            count //= 2
        else:
            home = node if node >= self.first else self.first
            self.charge(node, self.drop_row(bottom, key_of(self.nodes + home)))
            role = ITEM if action == APPENDS else MEMBER
            self.place_all(bottom, node, role, self.nodes[node].length)
        self.add_length(node, count)
        self.cut(bottom)
        return 0

    cdef int instantiate(self, int action, uint64_t here, uint64_t size, int code) except -1:
        cdef Py_ssize_t bottom, first, i
        cdef uint32_t type_, node
        if not self.mark_count:
            self.no_mark(here, code)
        bottom = self.marks[self.mark_count]
        if action == OBJ and bottom == self.height:
            raise InspectionError(here, "OBJ finds no class")
        self.mark_count -= 1
        self.objects += 1
        if action == INST:
            type_ = self.add_name(NOTHING, NOTHING)
            first = bottom
        else:
            type_ = self.name_of(bottom)
            first = bottom + 1
        node = self.new(OBJECT, here, size + 1, type_)
        if first > bottom:
            self.place(bottom, node, CALLABLE, 0)
        self.place_all(first, node, ARGUMENT, 0)
        self.replace(bottom, node)
        return 0

    cdef int reduce(self, int action, uint64_t here, uint64_t size) except -1:
        cdef Py_ssize_t top = self.height
        cdef uint32_t type_ = self.name_of(top - 2)
        cdef uint32_t first, node
        self.objects += 1
        if action == REDUCE and type_ != NOTHING:
            if not self.rebuilds.as4()[type_]:
                self.rebuilds.as4()[type_] = 2 if self.is_rebuilder(self, type_) else 1
            first = self.first_name_of(top - 1)
            if self.rebuilds.as4()[type_] == 2 and first != NOTHING:
                type_ = first
        node = self.new(OBJECT, here, size, type_)
        self.place(top - 2, node, CALLABLE if action == REDUCE else CLASS, 0)
        self.place(top - 1, node, ARGUMENTS if action == REDUCE else NEW_ARGUMENTS, 0)
        self.replace(top - 2, node)
        return 0

    # --- what is discarded

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

    cdef void settle_loose(self) noexcept:
        cdef Py_ssize_t i = self.loose.count
        while i > 0:
            i -= 1
            if self.loose.as4()[i] != NOTHING:
                self.place_loose(self.loose.as4()[i], self.first)
        self.loose.count = 0
        self.nodes[self.first].size += self.loose_cost
        self.loose_cost = 0

    cdef void place_loose(self, uint32_t node, uint32_t parent) noexcept:
        self.nodes[node].parent = parent
        self.set_role(node, LOOSE)

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

    # --- pickles

    cdef int begin(self, uint64_t here) except -1:
        cdef uint64_t number = self.pickles_.count // P_FIELDS
        cdef uint32_t node
        if number:
            self.most_nodes -= 19  # its figures take so much; with its own node it is twenty
        node = self.new(PICKLE, here, 0, NOTHING)
        self.first = node
        self.nodes[node].parent = 0
        self.set_role(node, NUMBERED)
        self.nodes[node].step = <uint32_t>(number if number < NOTHING else NOTHING)
        return 0

    cdef int end(self, uint64_t offset) except -1:
        cdef Py_ssize_t i
        cdef uint64_t frame_end
        if self.loose_cost:
            self.settle_loose()
        self.place(self.height - 1, self.first, ROOT, 0)
        for i in range(self.height - 1):
            self.place(i, self.first, LOOSE, 0)
        self.nodes[self.first].size += self.mark_count
        frame_end = self.frame_end
        self.note_pickle(offset)
        if frame_end > self.size:
            raise InspectionError(
                offset, f"a FRAME goes on to offset {frame_end:,}, the file ends at {self.size:,}"
            )
        return 0

    cdef int note_pickle(self, uint64_t offset) except -1:
        cdef uint64_t start = offset_of(self.nodes + self.first)
        cdef uint64_t fields[P_FIELDS]
        cdef int i
        fields[0] = start
        fields[1] = offset - start
        fields[2] = self.seen_protocol if self.protocol == NOTHING else self.protocol
        fields[3] = self.frames
        fields[4] = self.opcodes
        fields[5] = self.objects
        fields[6] = self.references
        fields[7] = self.puts
        fields[8] = self.unused
        fields[9] = self.buffers
        fields[10] = self.persistent
        fields[11] = 0
        fields[12] = self.first
        for i in range(P_FIELDS):
            self.pickles_.add8(fields[i])
        self.cut(0)
        self.mark_count = 0
        if not self.shared:
            self.forget_memo()
        self.first = NOTHING
        self.opcodes_before += self.opcodes
        self.reset_counts()
        return 0

    def abandon(self, unsigned long long offset):
        cdef Py_ssize_t i
        cdef uint32_t rest
        if self.first != NOTHING and offset_of(self.nodes + self.first) == offset:
            self.truncate(self.first)
            self.first = NOTHING
        if self.first != NOTHING:
            self.settle_loose()
            while self.mark_count:
                self.mark_count -= 1
                self.place_unfinished(self.marks[self.mark_count + 1])
            for i in range(self.height):
                self.place(i, self.first, LOOSE if i else ROOT, 0)
            self.note_pickle(offset)
        if offset < self.size:
            rest = self.new(UNREAD, offset, self.size - offset, NOTHING)
            self.nodes[rest].parent = 0
            self.set_role(rest, REST)

    cdef void place_unfinished(self, Py_ssize_t bottom) noexcept:
        cdef Py_ssize_t fence = self.marks[self.mark_count]
        cdef uint32_t node = self.stack[bottom - 1].node if bottom > fence else self.first
        cdef uint8_t kind = self.kind_of(node)
        cdef uint64_t number = self.nodes[node].length
        cdef uint64_t count = 0
        cdef Py_ssize_t i
        self.nodes[self.first].size += 1
        for i in range(bottom, self.height):
            if kind == LIST or kind == SET:
                self.place(i, node, ITEM if kind == LIST else MEMBER, number + i - bottom)
                count += 1
            elif kind == DICT and (i - bottom) % 2:
                self.place(i, node, VALUE, self.stack[i - 1].node)
            elif kind == DICT:
                self.place(i, node, KEY, number + (i - bottom) // 2)
                count += 1
            else:
                self.place(i, self.first, LOOSE, 0)
        self.add_length(node, count)
        self.cut(bottom)

    # --- sums

    def finish(self):
        cdef Node *nodes = self.nodes
        cdef Node *node
        cdef Node *parent
        cdef Py_ssize_t keys = KINDS + self.name_node_.count
        cdef uint64_t *type_count
        cdef uint64_t *type_own
        cdef uint64_t *type_total
        cdef uint64_t *pickles = self.pickles_.as8()
        cdef uint32_t *active
        cdef uint32_t number
        cdef uint64_t depth, deepest, pickle, key
        self.type_count_ = Column(8, keys)
        self.type_own_ = Column(8, keys)
        self.type_total_ = Column(8, keys)
        type_count = self.type_count_.as8()
        type_own = self.type_own_.as8()
        type_total = self.type_total_.as8()
        on_the_way = Column(4, keys)
        active = (<Column>on_the_way).as4()
        # Backwards, so that the children come in the order of the file.
        for number in range(self.count - 1, 0, -1):
            parent = nodes + nodes[number].parent
            nodes[number].next = parent.first
            parent.first = number
        depth = deepest = pickle = 0
        node = nodes
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
                    break
                parent = nodes + node.parent
                parent.size += node.size
                if node.next:
                    node = nodes + node.next
                    break
                node = parent
                depth -= 1
                key = key_of(node)
                active[key] -= 1
            if node == nodes:
                break
        for key in range(<uint64_t>KINDS):
            type_count[key] += self.row_count.as8()[key]
            type_own[key] += self.row_bytes.as8()[key]
            type_total[key] += self.row_bytes.as8()[key]
        for row_key, row in self.row_in.items():
            type_own[<Py_ssize_t>row_key] -= <uint64_t>row

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
