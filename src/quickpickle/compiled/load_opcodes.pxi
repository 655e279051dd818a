# The opcodes that come less often than those in load_loop.pxi, or take longer.

cdef int load_other(Loader self, uint8_t code) except -1:
    cdef PyObject* made
    if code == OP_APPENDS:
        return load_appends(self, self.pop_mark())
    elif code == OP_SETITEMS:
        return load_setitems(self, self.pop_mark())
    elif code == OP_EMPTY_DICT:
        return load_empty_dict(self)
    elif code == OP_BUILD:
        know_reads(self)
        return load_build(self)
    elif code == OP_NEWOBJ:
        know_reads(self)
        return load_newobj(self)
    elif code == OP_REDUCE:
        know_reads(self)
        return load_reduce(self)
    elif code == OP_TUPLE:
        return load_tuple(self)
    elif code == OP_SETITEM:
        if self.top - self.fence < 2:
            self.underflow(2)
        return load_setitems(self, self.top - self.bottom - 2)
    elif code == OP_APPEND:
        if self.top - self.fence < 1:
            self.underflow(1)
        return load_appends(self, self.top - self.bottom - 1)
    elif code == OP_BINUNICODE8:
        return load_str(self, long_count(self, "BINUNICODE"))
    elif code == OP_SHORT_BINBYTES:
        need(self, 1)
        self.p += 1
        if self.calls_at_once and date_at_once(self, self.p[-1]):
            return 0
        return load_bytes(self, self.p[-1])
    elif code == OP_BINBYTES:
        return load_bytes(self, short_count(self, "BINBYTES"))
    elif code == OP_BINBYTES8:
        return load_bytes(self, long_count(self, "BINBYTES"))
    elif code == OP_BYTEARRAY8:
        return push_new(self, take_bytearray(self, long_count(self, "BYTEARRAY8")))
    elif code == OP_LONG1:
        need(self, 1)
        self.p += 1
        return load_long(self, self.p[-1])
    elif code == OP_LONG4:
        need(self, 4)
        self.p += 4
        return load_long(self, signed_count(self, "LONG"))
    elif code == OP_PROTO:
        return load_proto(self)
    elif code == OP_FRAME:
        return load_frame(self)
    elif code == OP_STACK_GLOBAL:
        return load_stack_global(self)
    elif code == OP_GLOBAL:
        return load_global(self)
    elif code == OP_EMPTY_SET:
        made = PySet_New(NULL)
        return -1 if made == NULL else self.push(made)
    elif code == OP_ADDITEMS:
        return load_additems(self)
    elif code == OP_FROZENSET:
        return load_frozenset(self)
    elif code == OP_LIST:
        return load_list(self)
    elif code == OP_DICT:
        return load_dict(self)
    elif code == OP_POP:
        return load_pop(self)
    elif code == OP_POP_MARK:
        return self.drop_in_window(self.pop_mark())
    elif code == OP_DUP:
        if self.top - self.fence < 1:
            self.underflow(1)
        Py_INCREF_(self.top[-1])
        return self.push(self.top[-1])
    elif code == OP_NEWOBJ_EX:
        return load_newobj_ex(self)
    elif code == OP_INST:
        return load_inst(self)
    elif code == OP_OBJ:
        return load_obj(self)
    elif code == OP_EXT1:
        need(self, 1)
        self.p += 1
        return load_extension(self, self.p[-1])
    elif code == OP_EXT2:
        need(self, 2)
        self.p += 2
        return load_extension(self, quickpickle_load2(self.p - 2))
    elif code == OP_EXT4:
        need(self, 4)
        self.p += 4
        return load_extension(self, <int32_t>quickpickle_load4(self.p - 4))
    elif code == OP_BINPERSID:
        return load_binpersid(self)
    elif code == OP_SHORT_BINSTRING:
        need(self, 1)
        self.p += 1
        return load_counted_string(self, self.p[-1])
    elif code == OP_BINSTRING:
        if not binstring_is_signed:
            return load_counted_string(self, short_count(self, "BINSTRING"))
        need(self, 4)
        self.p += 4
        return load_counted_string(self, signed_count(self, "BINSTRING"))
    elif code == OP_NEXT_BUFFER:
        return load_next_buffer(self)
    elif code == OP_READONLY_BUFFER:
        return load_readonly_buffer(self)
    elif (
        code == OP_INT or code == OP_LONG or code == OP_FLOAT or code == OP_UNICODE
        or code == OP_STRING or code == OP_PERSID or code == OP_GET or code == OP_PUT
    ):
        return load_line(self, code)
    raise self.fault().unknown_opcode(code)


cdef inline int know_reads(Loader self) except -1:
    """Before the first instance: from here on it pays to know which objects nobody will read."""
    if not self.reads_are_known:
        self.find_reads()
    return 0


cdef uint64_t long_count(Loader self, str what) except? 0xFFFF:
    cdef uint64_t count
    need(self, 8)
    self.p += 8
    count = quickpickle_load8(self.p - 8)
    if count > <uint64_t>LARGEST:
        raise self.fault().too_large(what)
    return count


cdef uint64_t short_count(Loader self, str what) except? 0xFFFF:
    cdef uint64_t count
    need(self, 4)
    self.p += 4
    count = quickpickle_load4(self.p - 4)
    if count > <uint64_t>LARGEST:  # on 32 bits
        raise self.fault().too_large(what)
    return count


cdef uint32_t signed_count(Loader self, str what) except? 0xFFFF:
    cdef uint32_t count = quickpickle_load4(self.p - 4)
    if count > 0x7FFFFFFF:
        raise self.fault().negative_count(what)
    return count


cdef int load_str(Loader self, uint64_t size) except -1:
    cdef PyObject* made
    if size > PIECE and <uint64_t>(self.end - self.p) < size:
        data = read_large_str(self, size)
        if data is not None:
            made = quickpickle_make_str(
                <const uint8_t*>PyBytes_AS_STRING(data), <Py_ssize_t>size
            )
            return -1 if made == NULL else self.push(made)
    need(self, size)
    self.p += size  # also of a str that is not valid: the next load() goes on behind it
    made = quickpickle_make_str(self.p - size, <Py_ssize_t>size)
    return -1 if made == NULL else self.push(made)


cdef int load_bytes(Loader self, uint64_t count) except -1:
    cdef PyObject* made
    if not have_payload(self, count):
        return push_new(self, read_large(self, <Py_ssize_t>count, False))
    made = quickpickle_make_bytes(self.p, <Py_ssize_t>count)
    if made == NULL:
        return -1
    self.p += count
    return self.push(made)


cdef int load_long(Loader self, uint32_t size) except -1:
    cdef PyObject* made
    need(self, size)
    made = quickpickle_make_long(self.p, size)
    if made == NULL:
        return -1
    self.p += size
    return self.push(made)


cdef int load_proto(Loader self) except -1:
    need(self, 1)
    self.p += 1
    if self.p[-1] > HIGHEST_PROTOCOL:
        raise self.fault().bad_protocol(self.p[-1])
    self.proto = self.p[-1]
    return 0


cdef bint frames_are_checked = FRAMES_ARE_CHECKED
cdef bint binstring_is_signed = BINSTRING_IS_SIGNED


cdef int load_frame(Loader self) except -1:
    cdef uint64_t count
    need(self, 8)
    self.p += 8
    count = quickpickle_load8(self.p - 8)
    if frames_are_checked and self.frame_end != NULL and self.p < self.frame_end:
        raise self.fault().frame_in_frame()
    if count > <uint64_t>LARGEST:
        raise self.fault().too_large("FRAME")
    need(self, count)
    self.known = self.base + (self.p - self.start)
    # Where frames are not checked, one may lie in another.
    if (frames_are_checked or self.in_place) and self.p >= self.frame_end:
        leave_frame(self)
        if self.in_place:
            move_file(self, self.p + count)
        self.data_end = self.end
        self.frame_end = self.end = self.p + count
    self.close_window()
    PyErr_CheckSignals()
    self.open_window()
    return 0


cdef int load_pop(Loader self) except -1:
    if self.mark_count and self.marks[self.mark_count - 1] == self.top - self.bottom:
        self.mark_count -= 1
        self.set_fence()
        return 0
    if self.top == self.fence:
        self.underflow(1)
    self.top -= 1
    return self.let_go(self.top[0])


cdef int load_short_tuple(Loader self, Py_ssize_t count) except -1:
    cdef PyObject* made
    if self.top - self.fence < count:
        self.underflow(count)
    if self.calls_at_once and call_at_once(self, count):
        return 0
    made = new_tuple(self.top - count, count)
    if made == NULL:
        return -1
    self.top -= count - 1
    self.top[-1] = made
    if self.calls_at_once and self.policy is None:
        return reduce_at_once(self)
    return 0


cdef int load_empty_dict(Loader self) except -1:
    """An empty dict; or, where it can be, a pending one, which waits for its items."""
    cdef PyObject* made
    cdef Py_ssize_t number = -1
    cdef const uint8_t* p = self.p
    if self.end - p >= 6:
        if p[0] == OP_MEMOIZE:
            number = self.memo_count
            p += 1
        elif p[0] == OP_BINPUT:
            number = p[1]
            p += 2
            self.has_puts = True
        elif p[0] == OP_LONG_BINPUT and quickpickle_load4(p + 1) <= 0x7FFFFFFF:
            self.has_puts = True
            number = quickpickle_load4(p + 1)
            p += 5
        if number < DENSE or number < self.memo_room and self.sparse is None:
            self.make_room_for_pending()
            if number >= 0:
                if self.is_read(number):
                    self.put(number, PENDING)
                else:
                    self.put_unread(number)
                    number = -1
            self.p = p
            self.push_pending(number)
            return 0
    made = PyDict_New()
    if made == NULL:
        return -1
    return self.push(made)
