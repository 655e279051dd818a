# The loop over the opcodes.
#
# `p` and `top` are copies of those of the Loader, which the compiler keeps in registers. They are
# written back before any function that takes the Loader is called, and read again after it.

cdef PyObject* constants[256]  # by opcode
memset(constants, 0, sizeof(constants))
constants[<int>OP_NONE] = Py_None
constants[<int>OP_NEWTRUE] = Py_True
constants[<int>OP_NEWFALSE] = Py_False

# Those of one byte, which are shared by the whole process.
cdef PyObject* small_ints[256]
cdef list kept_ints = list(range(256))
cdef Py_ssize_t _i
for _i in range(256):
    small_ints[_i] = <PyObject*>kept_ints[_i]


ctypedef fused Watched:  # the loop is compiled three times
    int  # without a policy
    short  # under one, for a pickle that is too short to reach a limit
    long  # under one


cdef PyObject* load_pickle(Loader self, Watched watched) except NULL:
    """Load one pickle, from PROTO to STOP. Returns a new reference.

    A window is open at the beginning and, without an exception, at the end.
    """
    cdef const uint8_t* p = self.p
    cdef PyObject** top = self.top
    cdef PyObject* made
    cdef uint8_t code
    cdef int32_t number
    cdef uint32_t size
    cdef Py_ssize_t index
    while True:
        if unlikely(p == self.end):
            self.p = p
            self.top = top
            read_opcode(self)
            p = self.p
        code = p[0]
        p += 1
        if unlikely(top == self.full):
            self.p = p
            self.top = top
            self.grow_stack()
            top = self.top

        if Watched is long:
            self.offset = self.base + (p - self.start) - 1
            self.objects += counted[code]
            if unlikely(
                self.objects > self.most_objects
                or OBJECT_SIZE * self.objects + self.offset > self.most_memory
            ):
                self.p = p
                self.top = top
                refuse_more(self)

        if code == OP_MEMOIZE:
            if unlikely(top == self.fence):
                self.p = p
                self.top = top
                self.underflow(1)
            index = self.memo_count
            made = top[-1]
            if index < self.reads.size and not self.reads.is_read[index] and not self.reads.has_put:
                self.memo_count = index + 1
            elif (
                index < self.memo_room and self.memo[index] == NULL and self.sparse is None
                and not self.reads.has_put and not self.notes_numbers
            ):
                Py_INCREF_(made)
                self.memo[index] = made
                self.memo_count = index + 1
            else:
                self.p = p
                self.top = top
                self.memoize_read(index, made)
            continue
        elif code == OP_BINGET:
            if unlikely(p == self.end):
                self.p = p
                self.top = top
                need(self, 1)
                p = self.p
            index = p[0]
            p += 1
        elif code == OP_LONG_BINGET:
            if unlikely(self.end - p < 4):
                self.p = p
                self.top = top
                need(self, 4)
                p = self.p
            index = quickpickle_load4(p)
            p += 4
        elif code == OP_SHORT_BINUNICODE:
            if likely(self.end - p >= 1 and self.end - p - 1 >= p[0]):
                size = p[0]
                p += 1
                made = quickpickle_make_str(p, size)
                p += size
                if unlikely(made == NULL):
                    break
                top[0] = made
                top += 1
                continue
            self.p = p
            self.top = top
            need(self, 1)
            size = self.p[0]
            self.p += 1
            load_str(self, size)
            p = self.p
            top = self.top
            continue
        elif code == OP_BININT1:
            if unlikely(p == self.end):
                self.p = p
                self.top = top
                need(self, 1)
                p = self.p
            made = small_ints[p[0]]
            Py_INCREF_(made)
            p += 1
            top[0] = made
            top += 1
            continue
        elif code == OP_BINUNICODE:
            if likely(self.end - p >= 4 and <size_t>(self.end - p - 4) >= quickpickle_load4(p)):
                size = quickpickle_load4(p)
                p += 4
                made = quickpickle_make_str(p, size)
                p += size
                if unlikely(made == NULL):
                    break
                top[0] = made
                top += 1
                continue
            self.p = p
            self.top = top
            load_str(self, short_count(self, "BINUNICODE"))
            p = self.p
            top = self.top
            continue
        elif code == OP_BINPUT or code == OP_LONG_BINPUT:
            size = 1 if code == OP_BINPUT else 4
            if likely(self.end - p >= size and top > self.fence):
                index = p[0] if size == 1 else quickpickle_load4(p)
                if (
                    index == self.memo_count and index < self.reads.size
                    and not self.reads.is_read[index] and not self.reads.has_put
                ):
                    p += size
                    self.memo_count = index + 1  # as with MEMOIZE
                    continue
                # On 32 bits the number may be negative.
                if (
                    <size_t>index < <size_t>self.memo_room and self.memo[index] == NULL
                    and self.sparse is None and not self.notes_numbers
                ):
                    p += size
                    self.has_puts = True
                    made = top[-1]
                    if self.is_read(index):
                        Py_INCREF_(made)
                    else:
                        made = UNREAD
                    self.memo[index] = made
                    self.memo_count += 1
                    continue
            self.p = p
            self.top = top
            need(self, size)
            index = self.p[0] if size == 1 else quickpickle_load4(self.p)
            self.p += size
            load_put(self, index)
            p = self.p
            top = self.top
            continue
        elif code == OP_BININT2:
            if unlikely(self.end - p < 2):
                self.p = p
                self.top = top
                need(self, 2)
                p = self.p
            made = quickpickle_make_int(<long>quickpickle_load2(p))
            p += 2
            if unlikely(made == NULL):
                break
            top[0] = made
            top += 1
            continue
        elif code == OP_BININT:
            if unlikely(self.end - p < 4):
                self.p = p
                self.top = top
                need(self, 4)
                p = self.p
            number = <int32_t>quickpickle_load4(p)
            made = quickpickle_make_int(number)
            p += 4
            if unlikely(made == NULL):
                break
            top[0] = made
            top += 1
            continue
        elif code == OP_BINFLOAT:
            if unlikely(self.end - p < 8):
                self.p = p
                self.top = top
                need(self, 8)
                p = self.p
            made = quickpickle_make_float(p)
            p += 8
            if unlikely(made == NULL):
                break
            top[0] = made
            top += 1
            continue
        elif code == OP_NONE or code == OP_NEWTRUE or code == OP_NEWFALSE:
            # The processor cannot predict which of them comes, so a run of them has no branches.
            made = constants[code]
            while True:
                Py_INCREF_(made)
                top[0] = made
                top += 1
                if Watched is long:
                    break  # each is counted
                if top == self.full or p == self.end:
                    break
                made = constants[p[0]]
                if made == NULL:
                    break
                p += 1
            continue
        elif code == OP_SHORT_BINBYTES or code == OP_BINBYTES:
            index = 1 if code == OP_SHORT_BINBYTES else 4
            # Behind a class, they may become a date: see date_at_once().
            if likely(self.end - p > index) and not (
                self.calls_at_once and top > self.fence and PyType_Check(top[-1])
            ):
                size = p[0] if index == 1 else quickpickle_load4(p)
                if likely(<size_t>(self.end - p - index) >= size):
                    p += index
                    made = quickpickle_make_bytes(p, <Py_ssize_t>size)
                    p += size
                    if unlikely(made == NULL):
                        break
                    top[0] = made
                    top += 1
                    continue
            self.p = p
            self.top = top
            load_other(self, code)
            p = self.p
            top = self.top
            continue
        elif code == OP_EMPTY_LIST:
            made = PyList_New(0)
            if unlikely(made == NULL):
                break
            top[0] = made
            top += 1
            continue
        elif code == OP_EMPTY_TUPLE:
            made = PyTuple_New(0)
            if unlikely(made == NULL):
                break
            top[0] = made
            top += 1
            continue
        elif code == OP_MARK:
            if likely(self.mark_count < self.mark_room):
                self.marks[self.mark_count] = top - self.bottom
                self.mark_count += 1
                self.fence = top
            else:
                self.p = p
                self.top = top
                self.push_mark()
            continue
        elif code == OP_TUPLE2:
            if likely(top - self.fence >= 2) and not self.reads_are_known:
                made = new_tuple(top - 2, 2)
                if unlikely(made == NULL):
                    break
                top -= 1
                top[-1] = made
                continue
            self.p = p
            self.top = top
            load_short_tuple(self, 2)
            p = self.p
            top = self.top
            continue
        elif code == OP_TUPLE1 or code == OP_TUPLE3:
            self.p = p
            self.top = top
            load_short_tuple(self, 1 if code == OP_TUPLE1 else 3)
            p = self.p
            top = self.top
            continue
        elif code == OP_STOP:
            self.p = p
            self.top = top
            if top == self.fence:
                self.underflow(1)
            self.top -= 1
            made = self.top[0]
            try:
                self.make_pending()
            except BaseException:
                Py_DECREF(made)
                raise
            return made
        else:
            self.p = p
            self.top = top
            if Watched is int or not is_guarded[code]:
                load_other(self, code)
            else:
                load_guarded(self, code)
            p = self.p
            top = self.top
            continue

        # BINGET, LONG_BINGET
        if likely(<size_t>index < <size_t>self.memo_room):
            made = self.memo[index]
            if likely(is_object(made)):
                Py_INCREF_(made)
                top[0] = made
                top += 1
                continue
        self.p = p
        self.top = top
        made = self.get(index if index >= 0 else -1)  # on 32 bits it may be negative
        Py_INCREF_(made)
        self.push(made)
        top = self.top

    self.p = p
    self.top = top
    return NULL


cdef int read_opcode(Loader self) except -1:
    """The next byte of the file. The end is an EOFError here, as there is no pickle at all."""
    self.is_between = True
    try:
        read_more(self, 1)
        self.is_between = False
        self.known = self.base + (self.p - self.start)
        return 0
    except UnpicklingError:
        pass
    raise self.fault().end_of_file()
