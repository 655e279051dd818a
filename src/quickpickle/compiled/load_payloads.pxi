# The bytes of large objects, which are read straight to where they stay.
#
# The length that a pickle declares may be a lie: there is room for all of it only where the file is
# known to have so much. Else it grows with what was read.

cdef object take_bytearray(Loader self, uint64_t count):
    cdef Py_ssize_t size = <Py_ssize_t>count
    if have_payload(self, count):
        data = bytearray()
        PyByteArray_Resize(data, size)
        if size:
            memcpy(PyByteArray_AS_STRING(data), self.p, size)
        self.p += size
        return data
    return read_large(self, size, True)


cdef bint have_payload(Loader self, uint64_t count) except -1:
    """Whether there are `count` bytes from p on. If not there is a file, which may have them."""
    cdef const uint8_t* p = self.p
    if <uint64_t>(self.end - p) >= count and p < self.end:
        return True
    leave_frame(self)
    self.p = p  # up to 3.13 a payload may begin in a frame, and end behind it
    # Of no bytes at the very end of the data the interpreter says that they are not there.
    if <uint64_t>(self.end - self.p) >= count and (self.p < self.end or self.is_file):
        return True
    if not self.is_file:
        raise self.fault().truncated()
    return False


cdef object read_large(Loader self, Py_ssize_t count, bint as_bytearray):
    """Read bytes straight to where they stay, in pieces, so that no length is believed."""
    cdef Py_ssize_t have
    if self.mapping is not None and count >= LEAST_MAPPED:
        mapped = read_mapped(self, count, as_bytearray)
        if mapped is not None:
            return mapped
    self.close_window()
    if self.policy is not None:
        guard_of(self).check_length(count)
    look_up_rest(self)
    skip_consumed(self)
    have = self.end - self.p
    if self.file_readinto is None or not (as_bytearray or is_plain(self)):
        result = read_pieces(self, have, count)
        if as_bytearray:
            result = bytearray(result)
    elif as_bytearray:
        result = read_bytearray(self, have, count)
    else:
        result = read_bytes(self, have, count)
    count_passed(self)
    self.open_window()
    return result


cdef bytearray read_bytearray(Loader self, Py_ssize_t have, Py_ssize_t count):
    cdef Py_ssize_t size
    target = bytearray()
    PyByteArray_Resize(target, have)
    if have:
        memcpy(PyByteArray_AS_STRING(target), self.p, have)
    self.p = self.end
    while have < count:
        PyByteArray_Resize(target, room_for_payload(self, have, count))
        view = memoryview(target)
        part = view[have:]
        self.is_reading = True
        try:
            size = self.file_readinto(part)
        finally:
            part.release()
            view.release()
        if size < 0:
            raise ValueError("readinto() returned negative size")
        if size > len(target) - have:
            raise ValueError("readinto() returned too much")
        self.is_reading = False
        if size == 0:
            raise self.fault().truncated()
        have += size
        self.passed += size
    PyByteArray_Resize(target, count)
    return target


cdef bytes read_pieces(Loader self, Py_ssize_t have, Py_ssize_t count):
    """By the file's `read`."""
    cdef PyObject* made
    cdef Py_ssize_t size
    pieces = [self.p[:have]] if have else []
    self.p = self.end
    while have < count:
        data = read_file(self, min(count - have, max(have, PIECE)))
        if not data:
            raise self.fault().truncated()
        size = len(data)
        if size > count - have:
            append(self, data[count - have:])
            data = data[:count - have]
            size = count - have
        pieces.append(data)
        have += size
        self.passed += size
    result = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if len(result) != 1:
        return result
    made = quickpickle_make_bytes(<const uint8_t*>PyBytes_AS_STRING(result), 1)
    if made == NULL:
        raise MemoryError
    result = <object>made
    Py_DECREF(made)
    return result


cdef bytes read_large_str(Loader self, uint64_t count):
    """The UTF-8 of a large str in a plain file, without a copy in the buffer; or None."""
    if count > <uint64_t>(LARGEST - (self.p - self.start)):
        return None  # which is an error
    leave_frame(self)
    if not self.is_file or <uint64_t>(self.end - self.p) >= count:
        return None
    self.close_window()
    data = None
    if is_plain(self):
        if self.policy is not None:
            guard_of(self).check_length(count)
        look_up_rest(self)
        skip_consumed(self)
        drop_rest(self)
        data = read_bytes(self, 0, <Py_ssize_t>count)
        count_passed(self)
    self.open_window()
    return data


cdef Py_ssize_t room_for_payload(Loader self, Py_ssize_t have, Py_ssize_t count) except -1:
    """The room to make for a payload of which `have` bytes are there."""
    cdef Py_ssize_t room = min(count, have + max(have, PIECE))
    if room < count and is_plain(self) and loading.has_bytes(
        self.file_read.__self__, count - have
    ):
        return count
    return room


cdef void count_passed(Loader self) noexcept:
    """A payload is whole, of which so many bytes did not go through the buffer."""
    self.base += self.passed
    self.passed = 0


cdef object read_mapped(Loader self, Py_ssize_t count, bint as_bytearray):
    """The same as a view of the mapped file; None where they have to be read."""
    cdef Py_ssize_t start, number
    cdef bint is_read
    if not self.mark_count or self.marks[self.mark_count - 1] != self.top - self.bottom:
        return None
    if self.top == self.bottom or not is_object(self.top[-1]):
        return None
    self.close_window()
    skip_consumed(self)
    file = self.mapping.file
    start = file.tell() - (self.end - self.p)
    entries = self.mapping.entries(<object>self.top[-1], start, count)
    if entries is not None:
        drop_rest(self)
        file.seek(start + count)
    self.open_window()
    if entries is None:
        return None
    know_reads(self)
    is_read = self.reads.has_put or self.sparse is not None
    for number in entries:
        is_read = is_read or self.is_read(self.memo_count + number)
    self.close_window()
    result = None
    if is_read:
        file.seek(start)
    else:
        result = self.mapping.view(start, count, as_bytearray)
    self.open_window()
    return result


cdef bytes read_bytes(Loader self, Py_ssize_t have, Py_ssize_t count):
    """Read bytes into the object that has them: of a plain file, which keeps no view of it."""
    cdef Py_ssize_t room = room_for_payload(self, have, count), size
    cdef PyObject* made = PyBytes_FromStringAndSize_(NULL, room)
    if made == NULL:
        raise MemoryError
    if have:
        memcpy(PyBytes_AS_STRING_(made), self.p, have)
    self.p = self.end
    try:
        while have < count:
            if have == room:
                room = room_for_payload(self, have, count)
                _PyBytes_Resize_(&made, room)
            view = PyMemoryView_FromMemory(
                PyBytes_AS_STRING_(made) + have, room - have, PyBUF_WRITE
            )
            self.is_reading = True
            try:
                size = self.file_readinto(view)
            finally:
                view.release()
            self.is_reading = False
            if size == 0:
                raise self.fault().truncated()
            have += size
            self.passed += size
    except BaseException:
        Py_XDECREF(made)
        raise
    result = <bytes>made
    Py_DECREF(made)
    return result
