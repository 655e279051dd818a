# cython: language_level=3, initializedcheck=False, boundscheck=False, wraparound=False
# cython: cdivision=True
"""The compiled scanner: the class of scanning/scan.py, with the same methods and columns in C.

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
include "columns.pxi"
include "tree.pxi"
include "state.pxi"
include "decoding.pxi"

cdef extern from "opcodes.h":
    enum: OP_INT, OP_MEMOIZE

@cython.final
@cython.binding(False)
cdef class Scanner(State):
    """See scanning/scan.py."""

    cdef object is_rebuilder
    cdef bint shared
    cdef object max_objects
    cdef int64_t most_nodes
    cdef Column rebuilds
    cdef public unsigned long long line_end

    def __init__(self, size, is_rebuilder, shared, max_objects):
        self.size = size
        self.is_rebuilder = is_rebuilder
        self.shared = shared
        self.max_objects = max_objects
        self.most_nodes = max(0, min(max_objects, MOST_NODES)) + 2
        self.rebuilds = Column(4)  # 0: not asked yet, 1: no, 2: yes
        self.new(FILE, 0, 0, NOTHING)

    @property
    def is_open(self):
        return self.first != NOTHING

    # --- reading

    def feed(self, const unsigned char[::1] data, unsigned long long base):
        cdef uint64_t i = 0
        cdef uint64_t end = data.shape[0]
        cdef bint is_last = base + end >= self.size
        cdef const unsigned char *start
        cdef Argument argument
        cdef Opcode *opcode
        cdef uint64_t here, size
        cdef int code
        if not end:
            return base
        if (base + end) >> 48:
            raise MemoryError("more bytes than can be counted")
        start = &data[0]
        argument.stop = start + end
        while i < end:
            here = base + i
            code = start[i]
            opcode = OPCODES + code
            argument.at = start + i + 1
            size = opcode.fixed
            if size > end - i:
                break
            if opcode.argument > 8:
                size = self.measure(code, here, &argument)
                if not size:
                    break
            if opcode.action != UNKNOWN:
                if self.first == NOTHING:
                    self.begin(here)
                if self.count > self.most_nodes:
                    raise too_many_objects(here, self.max_objects)
            i += size + self.do(opcode.action, code, here, size, &argument)
            self.opcodes += 1
            if opcode.protocol > self.seen_protocol:
                self.seen_protocol = opcode.protocol
            if opcode.action == STOP:
                self.end(base + i)
        if i < end and is_last:
            name = table.OPCODE_NAMES[start[i]]
            raise InspectionError(base + i, f"the file ends in the middle of {name}")
        return base + i

    cdef inline uint64_t measure(self, int code, uint64_t here, Argument *argument) except? 0:
        """The size of an opcode with a length or lines; 0 where the end of a line is not read yet."""
        cdef int action = OPCODES[code].action
        cdef uint64_t size = OPCODES[code].fixed
        cdef uint64_t value
        if OPCODES[code].argument < LINE:
            value = little_endian(argument.at, size - 1)
            if OPCODES[code].argument == COUNTED4_SIGNED and value > 0x7FFFFFFF:
                raise InspectionError(here, f"{table.OPCODE_NAMES[code]} has a negative length")
            if value > self.size - here - size:  # what was found of it is inside
                raise InspectionError(
                    here,
                    f"{table.OPCODE_NAMES[code]} is {value:,} bytes long, "
                    f"the file has {self.size - here - size:,}",
                )
            return size + value
        if self.line_end > here:
            if action == GET or action == PUT:
                raise InspectionError(here, f"{table.OPCODE_NAMES[code]} has a number too long")
            size = self.line_end - here
            self.line_end = 0
            argument.line = argument.at
            argument.line_length = 0  # of those that are looked at
            return size
        return self.measure_lines(code, here, argument)

    cdef inline uint64_t measure_lines(self, int code, uint64_t here, Argument *argument) except? 0:
        cdef const unsigned char *stop = find_newline(argument.at, argument.stop)
        cdef bint is_empty
        if stop == NULL:
            return 0
        argument.line = argument.at
        argument.line_length = stop - argument.at
        is_empty = argument.line_length == 0
        if OPCODES[code].argument == TWO_LINES:
            argument.line = stop + 1
            stop = find_newline(argument.line, argument.stop)
            if stop == NULL:
                return 0
            is_empty |= stop == argument.line
        if (
            is_empty and OPCODES[code].kind != STR and OPCODES[code].kind != STRING
            and OPCODES[code].action != PERSID
        ):
            raise InspectionError(here, f"{table.OPCODE_NAMES[code]} has an empty line")
        return stop + 1 - (argument.at - 1)

    cdef inline int do(
        self, int action, int code, uint64_t here, uint64_t size, Argument *argument
    ) except -1:
        """One opcode, and the MEMOIZE behind it: the bytes that were read beside it, 0 or 1."""
        cdef uint32_t node
        cdef uint64_t value
        if self.loose_cost and action != POP and action != POP_MARK and action != GET:
            self.settle_loose()
        # The most frequent opcodes are here, the others in `do_container`.
        if action == PUSH:
            node = self.push(
                BOOL if code == OP_INT and is_bool(argument.line, argument.line_length)
                else OPCODES[code].kind,
                here, size, NOTHING,
            )
            # From protocol 4 on MEMOIZE follows nearly always: in the same turn of the loop.
            if (
                argument.at - 1 + size < argument.stop
                and (argument.at - 1)[size] == OP_MEMOIZE
                and self.count <= self.most_nodes
            ):
                self.put(self.memo_count, node, 1)
                self.opcodes += 1
                self.seen_protocol = max(self.seen_protocol, OPCODES[<int>OP_MEMOIZE].protocol)
                return 1
        elif action == MEMOIZE or (action == PUT and OPCODES[code].argument <= 8):
            if self.height == <Py_ssize_t>self.marks[self.mark_count]:
                self.too_little(here, code)
            value = (
                self.memo_count if action == MEMOIZE
                else little_endian(argument.at, OPCODES[code].argument)
            )
            self.put(value, self.stack[self.height - 1].node, size)
        elif action == GET and OPCODES[code].argument <= 8:
            self.get(little_endian(argument.at, OPCODES[code].argument), here, size, code)
        elif action == MARK:
            if self.mark_count + 1 == self.marks_room:
                self.grow_marks()
            self.mark_count += 1
            self.marks[self.mark_count] = self.height
        else:
            self.do_container(action, code, here, size, argument)
        return 0

    cdef int do_container(
        self, int action, int code, uint64_t here, uint64_t size, Argument *argument
    ) except -1:
        """An opcode that makes a container or fills it, or has a number of the memo as text."""
        cdef Py_ssize_t height = self.height
        cdef Py_ssize_t fence = self.marks[self.mark_count]
        cdef Py_ssize_t count
        cdef Entry *stack = self.stack  # not after a push
        cdef uint32_t node
        cdef uint64_t index
        if action == PUT:
            if height - 1 < fence:
                self.too_little(here, code)
            node = stack[height - 1].node
            index = self.number(argument, here, code)
            if index > 0xFFFFFFFF:
                self.put_far(far_number(argument.line, argument.line_length), node, size)
            else:
                self.put(index, node, size)
        elif action == GET:
            index = self.number(argument, here, code)
            if index > 0xFFFFFFFF:
                self.get_far(far_number(argument.line, argument.line_length), here, size, code)
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
        else:
            self.do_object(action, code, here, size, argument)
        return 0

    cdef int do_object(
        self, int action, int code, uint64_t here, uint64_t size, Argument *argument
    ) except -1:
        """An opcode that finds a class, or makes an instance or fills it."""
        cdef Py_ssize_t height = self.height
        cdef Py_ssize_t fence = self.marks[self.mark_count]
        cdef Entry *stack = self.stack  # not after a push
        cdef uint32_t node, type_, module, name
        if action == FIND:
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
            if stack[height - 2].cost == OWNED:
                self.nodes[stack[height - 2].node].step = 1  # as in scanning/scan.py
            self.cut(height - 1)
        else:
            self.do_rest(action, code, here, size, argument)
        return 0

    cdef int do_rest(
        self, int action, int code, uint64_t here, uint64_t size, Argument *argument
    ) except -1:
        cdef Py_ssize_t height = self.height
        cdef Py_ssize_t fence = self.marks[self.mark_count]
        cdef Entry *stack = self.stack  # not after a push
        cdef uint32_t node
        cdef uint64_t index
        if action == POP:
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
            if argument.at[0] > HIGHEST_PROTOCOL:
                raise InspectionError(here, f"protocol {argument.at[0]} is not known")
            self.protocol = argument.at[0]
            self.nodes[self.first].size += size
        elif action == FRAME:
            self.frames += 1
            # A number that is cut short here is beyond the end of any file.
            index = min(little_endian(argument.at, 8), <uint64_t>1 << 62) + here + size
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

    cdef uint64_t number(
        self, Argument *argument, uint64_t here, int code
    ) except? 0xFFFFFFFFFFFFFFFE:
        """The number in a line; one that is larger than any entry's comes back as 2 ** 64 - 1."""
        cdef uint64_t value = 0
        cdef uint64_t i
        if argument.line_length <= 9:
            for i in range(argument.line_length):
                if not c"0" <= argument.line[i] <= c"9":
                    break
                value = value * 10 + (argument.line[i] - c"0")
            else:
                return value
        try:
            number = far_number(argument.line, argument.line_length)
        except ValueError:
            number = -1
        if number < 0:
            raise InspectionError(here, f"{table.OPCODE_NAMES[code]} needs a number")
        return number if number <= 0xFFFFFFFF else 0xFFFFFFFFFFFFFFFF

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
