"""The scanner: reads opcodes as an Unpickler would, but makes a tree of nodes instead of objects.

Nothing is imported and nothing is called. A node is an object that the pickle makes; each byte
belongs to exactly one node: an opcode's to the object it makes or changes, that of a reference
(GET, DUP) to what the reference is put into, that of PROTO, FRAME and STOP to the pickle. Payloads
are passed over, not read; what a name or key says is read later, by the offset of its node.

compiled/inspection.pyx is the same in C, with the same names.
"""

from __future__ import annotations

from collections.abc import Callable

from ..format import table
from ..format.decode import ARGUMENT_OF, COUNTED4_SIGNED, LINE, TWO_LINES
from ..format.table import ACTION_OF, KIND_OF, NOTHING, OPCODE_NAMES, PROTOCOL_OF
from ..rules.errors import InspectionError, too_many_objects
from .state import OWNED, State


class Scanner(State):
    """The columns of the tree, filled by `feed` with a piece of the file after the other.

    `size` is that of the whole file. `is_rebuilder(scanner, type)` is asked once for each callable
    that a REDUCE calls: whether the object is of the class that is its first argument. With
    `shared` the memo goes on from one pickle to the next, as in one Unpickler. With more than
    `max_objects` nodes, of which each further pickle counts as twenty, reading ends with an error.
    """

    def __init__(
        self,
        size: int,
        is_rebuilder: Callable[[Scanner, int], bool],
        shared: bool,
        max_objects: int,
    ) -> None:
        super().__init__()
        self.size = size
        self.is_rebuilder = is_rebuilder
        self.shared = shared
        self.max_objects = max_objects
        self._most_nodes = max_objects + 2  # with those of the file and the first pickle
        self._rebuilds: dict[int, bool] = {}
        self.line_end = 0  # where the line ends that is longer than a piece, with its newline

        self._new(table.FILE, 0, 0)

    @property
    def is_open(self) -> bool:
        """Whether a pickle has begun and not ended."""
        return self._first != NOTHING

    # --- reading

    def feed(self, data: bytes | memoryview, base: int) -> int:
        """Read what is whole of a piece of the file; return the offset to go on from.

        `base` is the piece's offset. Raises InspectionError; all before that is in the tree.
        """
        data = bytes(data)  # which has find()
        i, end = 0, len(data)
        is_last = base + end >= self.size
        while i < end:
            here = base + i
            code = data[i]
            action = ACTION_OF[code]
            if action == table.UNKNOWN:
                raise InspectionError(here, f"no opcode is 0x{code:02x}")
            if ARGUMENT_OF[code] < LINE:
                size, value = self._measure(code, data, i, here)
                line = b""
            else:
                size, line = self._measure_lines(code, data, i, here)
                value = 0
            if not size:
                break
            if self._first == NOTHING:
                self._begin(here)
            if len(self.kind) > self._most_nodes:
                raise too_many_objects(here, self.max_objects)
            self._do(action, code, here, size, value, line)
            self._opcodes += 1
            if PROTOCOL_OF[code] > self._seen_protocol:
                self._seen_protocol = PROTOCOL_OF[code]
            i += size
            if action == table.STOP:
                self._end(base + i)
        if i < end and is_last:
            raise InspectionError(
                base + i, f"the file ends in the middle of {OPCODE_NAMES[data[i]]}"
            )
        return base + i

    def _measure(self, code: int, data: bytes, i: int, here: int) -> tuple[int, int]:
        """The size of an opcode without lines, and the number behind it.

        The size is 0 where the number is not read yet.
        """
        argument = ARGUMENT_OF[code]
        width = argument & 0xF
        if i + 1 + width > len(data):
            return 0, 0
        signed = argument == COUNTED4_SIGNED
        value = int.from_bytes(data[i + 1 : i + 1 + width], "little", signed=signed)
        if argument <= 8:
            return 1 + width, value
        if value < 0:
            raise InspectionError(here, f"{OPCODE_NAMES[code]} has a negative length")
        has = self.size - here - 1 - width
        if value > has:
            raise InspectionError(
                here, f"{OPCODE_NAMES[code]} is {value:,} bytes long, the file has {has:,}"
            )
        return 1 + width + value, value

    def _measure_lines(self, code: int, data: bytes, i: int, here: int) -> tuple[int, bytes]:
        """The size of an opcode with lines, and the line where it is a number.

        The size is 0 where the end of a line is not read yet.
        """
        action = ACTION_OF[code]
        is_number = action == table.GET or action == table.PUT
        if self.line_end > here:
            if is_number:
                raise InspectionError(here, f"{OPCODE_NAMES[code]} has a number too long")
            size = self.line_end - here
            self.line_end = 0
            return size, b""
        stop = data.find(b"\n", i + 1)
        if stop < 0:
            return 0, b""
        line = b""
        if is_number or code == table.INT_CODE:
            line = data[i + 1 : min(stop, i + 2 + table.LONGEST_NUMBER)]
        is_empty = stop == i + 1
        if ARGUMENT_OF[code] == TWO_LINES:
            second = data.find(b"\n", stop + 1)
            if second < 0:
                return 0, b""
            is_empty |= second == stop + 1
            stop = second
        may_be_empty = KIND_OF[code] in (table.STR, table.STRING) or action == table.PERSID
        if is_empty and not may_be_empty:
            raise InspectionError(here, f"{OPCODE_NAMES[code]} has an empty line")
        return stop + 1 - i, line

    def _do(self, action: int, code: int, here: int, size: int, value: int, line: bytes) -> None:
        """One opcode. It raises before it changes anything."""
        stack, costs = self._stack, self._costs
        height = len(stack)
        fence = self._marks[-1] if self._marks else 0
        # Every POP costs something, so this is more than 0 where something was discarded.
        if self._loose_cost and action not in (table.POP, table.POP_MARK, table.GET):
            self._settle_loose()
        if action == table.PUSH:
            # At protocols 0 and 1 INT is also how bools are written.
            is_bool = code == table.INT_CODE and line in (b"00", b"01")
            self._push(table.BOOL if is_bool else KIND_OF[code], here, size)
        elif action == table.MEMOIZE or action == table.PUT:
            self._need(1, height, fence, here, code)
            index = len(self._memo)
            if action == table.PUT:
                index = value if ARGUMENT_OF[code] <= 8 else self._number(line, here, code)
            node = stack[-1]
            if self.role[node] == table.NOWHERE:
                self.role[node] = table.SHARED
            self._memo[index] = node * 2
            self._puts += 1
            self._unused += 1
            self._charge(node, size)
        elif action == table.GET:
            index = value if ARGUMENT_OF[code] <= 8 else self._number(line, here, code)
            entry = self._memo.get(index)
            if entry is None:
                self.unknown_reference = True
                raise InspectionError(
                    here, f"{OPCODE_NAMES[code]} refers to {index}, not in the memo"
                )
            node = entry >> 1
            if not entry & 1:
                self._memo[index] = entry | 1
                if node >= self._first:
                    self._unused -= 1
            self._references += 1
            if self._loose and self._take_back(node, size):
                return
            if self._loose_cost:
                self._settle_loose()
            stack.append(node)
            costs.append(size)
        elif action == table.MARK:
            self._marks.append(height)
        else:
            self._do_container(action, code, here, size, value)

    def _do_container(self, action: int, code: int, here: int, size: int, value: int) -> None:
        """An opcode that makes a container or fills it."""
        stack = self._stack
        height = len(stack)
        fence = self._marks[-1] if self._marks else 0
        if action == table.COLLECT:
            self._collect(KIND_OF[code], here, size, code)
        elif table.TUPLE1 <= action <= table.TUPLE3:
            count = action - table.TUPLE1 + 1
            self._need(count, height, fence, here, code)
            self._objects += 1
            node = self._new(table.TUPLE, here, size, self._name_of(height - count))
            self.length[node] = count
            for i in range(count):
                self._place(height - count + i, node, table.ITEM, i)
            self._replace(height - count, node)
        elif action == table.APPEND:
            self._need(2, height, fence, here, code)
            node = stack[-2]
            self._charge(node, size)
            self._place(height - 1, node, table.ITEM, self.length[node])
            self._add_length(node, 1)
            self._cut(height - 1)
        elif action == table.SETITEM:
            self._need(3, height, fence, here, code)
            node = stack[-3]
            self._charge(node, size)
            self._place(height - 2, node, table.KEY, self.length[node])
            self._place(height - 1, node, table.VALUE, stack[-2])
            self._add_length(node, 1)
            self._cut(height - 2)
        elif table.APPENDS <= action <= table.ADDITEMS:
            self._add_items(action, size, here, code)
        elif table.FIND <= action <= table.BUILD:
            self._do_object(action, code, here, size)
        else:
            self._do_rest(action, code, here, size, value)

    def _do_object(self, action: int, code: int, here: int, size: int) -> None:
        """An opcode that finds a class, or makes an instance or fills it."""
        stack, costs = self._stack, self._costs
        height = len(stack)
        fence = self._marks[-1] if self._marks else 0
        if action == table.FIND:
            self._push(table.GLOBAL, here, size, self._name(NOTHING, NOTHING))
        elif action == table.FIND_ON_STACK:
            self._need(2, height, fence, here, code)
            module, name = stack[-2:]
            if not {self.kind[module], self.kind[name]} <= {table.STR, table.STRING}:
                raise InspectionError(here, "STACK_GLOBAL needs two strings")
            self._objects += 1
            node = self._new(table.GLOBAL, here, size, self._name(module, name))
            self._place(height - 2, node, table.MODULE)
            self._place(height - 1, node, table.NAME)
            self._replace(height - 2, node)
        elif action == table.INST or action == table.OBJ:
            self._instantiate(action, here, size, code)
        elif action == table.REDUCE or action == table.NEWOBJ:
            self._need(2, height, fence, here, code)
            self._need_tuple(-1, here, code)
            self._reduce(action, here, size)
        elif action == table.NEWOBJ_EX:
            self._need(3, height, fence, here, code)
            self._need_tuple(-2, here, code)
            self._objects += 1
            type_ = self._name_of(height - 3)
            node = self._new(table.OBJECT, here, size, type_)
            self._place(height - 3, node, table.CLASS)
            self._place(height - 2, node, table.EX_ARGUMENTS)
            self._place(height - 1, node, table.EX_KEYWORDS)
            self._replace(height - 3, node)
        else:  # BUILD
            self._need(2, height, fence, here, code)
            self._charge(stack[-2], size)
            self._place(height - 1, stack[-2], table.STATE)
            if costs[-2] == OWNED:
                self.step[stack[-2]] = 1  # until it has its place: it got its state
            self._cut(height - 1)

    def _do_rest(self, action: int, code: int, here: int, size: int, value: int) -> None:
        stack = self._stack
        height = len(stack)
        fence = self._marks[-1] if self._marks else 0
        if action == table.POP:
            if self._marks and fence == height:
                self._marks.pop()
                self._loose_cost += 1
            else:
                self._need(1, height, fence, here, code)
                self._discard(height - 1)
            self._loose_cost += size
        elif action == table.POP_MARK:
            self._need_mark(here, code)
            self._discard(self._marks.pop())
            self._loose_cost += size + 1
        elif action == table.DUP:
            self._need(1, height, fence, here, code)
            if self.role[stack[-1]] == table.NOWHERE:
                self.role[stack[-1]] = table.SHARED
            self._references += 1
            stack.append(stack[-1])
            self._costs.append(size)
        elif action == table.STOP:
            self._need(1, height, fence, here, code)
            self.own[self._first] += size
        elif action == table.PERSID:
            self._push(table.PERSISTENT, here, size)
            self._persistent += 1
        elif action == table.BINPERSID:
            self._need(1, height, fence, here, code)
            self._objects += 1
            node = self._new(table.PERSISTENT, here, size)
            self._place(height - 1, node, table.PERSISTENT_ID)
            self._replace(height - 1, node)
            self._persistent += 1
        elif action == table.NEXT_BUFFER:
            self._push(table.BUFFER, here, size)
            self._buffers += 1
        elif action == table.READONLY_BUFFER:
            self._need(1, height, fence, here, code)
            self._charge(stack[-1], size)
        elif action == table.PROTO:
            if value > table.HIGHEST_PROTOCOL:
                raise InspectionError(here, f"protocol {value} is not known")
            self._protocol = value
            self.own[self._first] += size
        else:  # FRAME
            self._frames += 1
            # No file is longer than this, and it fits into 64 bits.
            self._frame_end = max(self._frame_end, here + size + min(value, 1 << 62))
            self.own[self._first] += size

    def _need(self, count: int, height: int, fence: int, here: int, code: int) -> None:
        if height - count < fence:
            raise InspectionError(here, f"{OPCODE_NAMES[code]} finds too little on the stack")

    def _need_mark(self, here: int, code: int) -> None:
        if not self._marks:
            raise InspectionError(here, f"{OPCODE_NAMES[code]} finds no mark on the stack")

    def _need_tuple(self, i: int, here: int, code: int) -> None:
        if self.kind[self._stack[i]] not in (table.TUPLE, table.OBJECT, table.PERSISTENT):
            raise InspectionError(here, f"{OPCODE_NAMES[code]} needs a tuple of arguments")

    def _number(self, line: bytes, here: int, code: int) -> int:
        try:
            number = int(line.partition(b"\0")[0])  # an Unpickler sees a C string
        except ValueError:
            number = -1
        if number < 0:
            raise InspectionError(here, f"{OPCODE_NAMES[code]} needs a number")
        return number

    def _name(self, module: int, name: int) -> int:
        """Note that the node that comes next looks up a name."""
        self.name_node.append(len(self.kind))
        self.name_module.append(module)
        self.name_name.append(name)
        return len(self.name_node) - 1

    def _collect(self, kind: int, here: int, size: int, code: int) -> None:
        self._need_mark(here, code)
        bottom = self._marks[-1]
        count = len(self._stack) - bottom
        if kind == table.DICT and count % 2:
            raise InspectionError(here, "DICT finds a key without a value")
        self._marks.pop()
        self._objects += 1
        type_ = self._name_of(bottom) if kind == table.TUPLE and count else NOTHING
        row = self._drop_row(bottom, kind) if kind != table.DICT else 0
        node = self._new(kind, here, size + 1 + row, type_)
        if kind == table.DICT:
            self._place_pairs(bottom, node)
            count //= 2
        else:
            role = table.MEMBER if kind == table.FROZENSET else table.ITEM
            for i in range(bottom, len(self._stack)):
                self._place(i, node, role, i - bottom)
        self.length[node] = count
        self._replace(bottom, node)

    def _place_pairs(self, bottom: int, node: int) -> None:
        number = self.length[node]
        for i in range(bottom, len(self._stack), 2):
            self._place(i, node, table.KEY, number + (i - bottom) // 2)
            self._place(i + 1, node, table.VALUE, self._stack[i])

    def _add_items(self, action: int, size: int, here: int, code: int) -> None:
        """APPENDS, SETITEMS and ADDITEMS."""
        self._need_mark(here, code)
        bottom = self._marks[-1]
        below = self._marks[-2] if len(self._marks) > 1 else 0
        self._need(1, bottom, below, here, code)
        count = len(self._stack) - bottom
        if action == table.SETITEMS and count % 2:
            raise InspectionError(here, "SETITEMS finds a key without a value")
        self._marks.pop()
        node = self._stack[bottom - 1]
        self._charge(node, size + 1)
        if action == table.SETITEMS:
            self._place_pairs(bottom, node)
            count //= 2
        else:
            home = node if node >= self._first else self._first
            self._charge(node, self._drop_row(bottom, self._key(home)))
            role = table.ITEM if action == table.APPENDS else table.MEMBER
            number = self.length[node]
            for i in range(bottom, len(self._stack)):
                self._place(i, node, role, number + i - bottom)
        self._add_length(node, count)
        self._cut(bottom)

    def _instantiate(self, action: int, here: int, size: int, code: int) -> None:
        """INST and OBJ."""
        self._need_mark(here, code)
        bottom = self._marks[-1]
        if action == table.OBJ and bottom == len(self._stack):
            raise InspectionError(here, "OBJ finds no class")
        self._marks.pop()
        self._objects += 1
        if action == table.INST:
            type_ = self._name(NOTHING, NOTHING)
            first = bottom
        else:
            type_ = self._name_of(bottom)
            first = bottom + 1
        node = self._new(table.OBJECT, here, size + 1, type_)
        if first > bottom:
            self._place(bottom, node, table.CALLABLE)
        for i in range(first, len(self._stack)):
            self._place(i, node, table.ARGUMENT, i - first)
        self._replace(bottom, node)

    def _reduce(self, action: int, here: int, size: int) -> None:
        """REDUCE and NEWOBJ."""
        self._objects += 1
        top = len(self._stack)
        type_ = self._name_of(top - 2)
        if action == table.REDUCE and type_ != NOTHING:
            if type_ not in self._rebuilds:
                self._rebuilds[type_] = self.is_rebuilder(self, type_)
            first = self._first_name_of(top - 1)
            if self._rebuilds[type_] and first != NOTHING:
                type_ = first
        node = self._new(table.OBJECT, here, size, type_)
        is_reduce = action == table.REDUCE
        self._place(top - 2, node, table.CALLABLE if is_reduce else table.CLASS)
        self._place(top - 1, node, table.ARGUMENTS if is_reduce else table.NEW_ARGUMENTS)
        self._replace(top - 2, node)

    # --- pickles

    def _begin(self, here: int) -> None:
        if self.pickles:
            self._most_nodes -= 19  # its figures take so much; with its own node it is twenty
        self._first = self._new(table.PICKLE, here, 0)
        self.parent[self._first] = 0
        self.role[self._first] = table.NUMBERED
        self.step[self._first] = min(len(self.pickles) // table.P_FIELDS, NOTHING)

    def _end(self, offset: int) -> None:
        """After a STOP."""
        self._settle_loose()
        self._place(len(self._stack) - 1, self._first, table.ROOT)
        for i in range(len(self._stack) - 1):
            self._place(i, self._first, table.LOOSE)
        self.own[self._first] += len(self._marks)
        frame_end = self._frame_end
        self._note_pickle(offset)
        if frame_end > self.size:
            raise InspectionError(
                offset, f"a FRAME goes on to offset {frame_end:,}, the file ends at {self.size:,}"
            )

    def _note_pickle(self, offset: int) -> None:
        start = self.offset[self._first]
        protocol = self._seen_protocol if self._protocol == NOTHING else self._protocol
        self.pickles.extend(
            (
                start,
                offset - start,
                protocol,
                self._frames,
                self._opcodes,
                self._objects,
                self._references,
                self._puts,
                self._unused,
                self._buffers,
                self._persistent,
                0,
                self._first,
            )
        )
        self._cut(0)
        self._marks.clear()
        if not self.shared:
            self._memo = {}
        self._first = NOTHING
        self._opcodes_before += self._opcodes
        self._reset_counts()

    def abandon(self, offset: int) -> None:
        """Give a place to what was read of a pickle that breaks off at `offset`."""
        if self._first != NOTHING and self.offset[self._first] == offset:
            self._truncate(self._first)
            self._first = NOTHING
        if self._first != NOTHING:
            self._settle_loose()
            while self._marks:
                self._place_unfinished(self._marks.pop())
            for i in range(len(self._stack)):
                self._place(i, self._first, table.LOOSE if i else table.ROOT)
            self._note_pickle(offset)
        if offset < self.size:
            rest = self._new(table.UNREAD, offset, self.size - offset)
            self.parent[rest] = 0
            self.role[rest] = table.REST

    def _place_unfinished(self, bottom: int) -> None:
        """Put what lies above a mark into what lies below it, where that takes items."""
        self.own[self._first] += 1
        fence = self._marks[-1] if self._marks else 0
        node = self._stack[bottom - 1] if bottom > fence else self._first
        kind = self.kind[node]
        number = self.length[node]
        count = 0
        for i in range(bottom, len(self._stack)):
            if kind == table.LIST or kind == table.SET:
                role = table.ITEM if kind == table.LIST else table.MEMBER
                self._place(i, node, role, number + i - bottom)
                count += 1
            elif kind == table.DICT and (i - bottom) % 2:
                self._place(i, node, table.VALUE, self._stack[i - 1])
            elif kind == table.DICT:
                self._place(i, node, table.KEY, number + (i - bottom) // 2)
                count += 1
            else:
                self._place(i, self._first, table.LOOSE)
        self._add_length(node, count)
        self._cut(bottom)
