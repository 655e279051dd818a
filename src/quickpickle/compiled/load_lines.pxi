# Opcodes whose argument is a line of text, as protocol 0 writes them, and strings of Python 2.


cdef int load_line(Loader self, uint8_t code) except -1:
    if code == OP_PERSID:
        check_persistent_load(self, False)
    line = take_line(self)
    if code == OP_INT:
        obj = loading.parse_int(line)
    elif code == OP_LONG:
        obj = loading.parse_long(line)
    elif code == OP_FLOAT:
        obj = loading.parse_float(line)
    elif code == OP_UNICODE:
        obj = loading.parse_unicode(line)
    elif code == OP_STRING:
        return load_string(self, loading.parse_string(line))
    elif code == OP_PERSID:
        push_new(self, loading.parse_persistent_id(line))
        return load_persistent(self)
    elif code == OP_GET:
        obj = <object>self.get(loading.parse_memo_index(line))
    else:  # OP_PUT
        if line and self.top - self.fence < 1:
            self.underflow(1)
        return load_put(self, put_number(loading.parse_memo_index(line)))
    return push_new(self, obj)


cdef Py_ssize_t put_number(Py_ssize_t number) except -1:
    if number < 0:
        raise faults.negative_put()
    return number


cdef int load_string(Loader self, bytes data) except -1:
    """A str of Python 2."""
    self.close_window()  # a codec may be written in Python
    obj = loading.decode_string(data, self.encoding, self.errors)
    self.open_window()
    return push_new(self, obj)


cdef int load_counted_string(Loader self, uint64_t count) except -1:
    need(self, count)
    data = self.p[:<Py_ssize_t>count]
    self.p += count
    return load_string(self, data)


cdef int load_put(Loader self, Py_ssize_t number) except -1:
    if self.top - self.fence < 1:
        self.underflow(1)
    return self.memoize_read(number, self.top[-1])
