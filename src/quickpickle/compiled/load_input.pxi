# The bytes of a pickle: in memory, or read from a file as they are needed.
#
# From a file not one byte more is read than the pickle has, as another one may follow. Only what
# `peek` shows, which stays in the file, is looked at before it is known to belong to the pickle:
# of the bytes from p to end the last `ahead` are still in the file, and so are those of `ahead`
# that lie before p.
#
# A BytesIO shows all it has. The reference reads it opcode by opcode, so other code finds it where
# the load is, or behind the frame: close_window() puts it there, and open_window() looks whether
# that code has changed it; where the load is in a frame, it does so behind the frame.

cdef enum:
    PEEKED = 128 * 1024
    PIECE = 1024 * 1024  # so much is read at most before there is more room than that


cdef uint8_t no_bytes = 0  # where `p` is as long as there is no buffer: NULL has a meaning


cdef inline const uint8_t* end_of_data(Loader self) noexcept:
    """Where the bytes end that are there: `end` may be that of the frame."""
    return self.end if self.frame_end == NULL else self.data_end


cdef bint is_plain(Loader self) except -1:
    """Whether the file runs no code but that of the io module."""
    if not self.is_plain_file:
        return False
    file = self.file_read.__self__
    if type(file) is BufferedReader and type(file.raw) is not FileIO:
        self.is_plain_file = False
    return self.is_plain_file


cdef bint find_reads_of_file(Loader self, Py_ssize_t distance) except -1:
    """Look through what the file has `distance` bytes from p on; its position stays.

    Returns False where that cannot be done.
    """
    # From the file's position.
    cdef Py_ssize_t here = self.ahead - (end_of_data(self) - self.p) + distance
    cdef bint is_found = False
    self.close_window()
    try:
        if is_plain(self):
            file = self.file_read.__self__
            if type(file) is BytesIO:
                is_found = find_reads_in(self, file.getbuffer(), file.tell() + here)
            else:
                is_found = quickpickle_find_reads_of_file(
                    &self.reads, file.fileno(), file.tell() + here
                )
                if not is_found and self.mapping is not None:  # the system has no pread
                    quickpickle_begin_reads(&self.reads, self.memo_count)
                    is_found = find_reads_in(self, self.mapping.data, file.tell() + here)
    except (OSError, ValueError):  # a pipe; a file that was closed
        pass
    self.open_window()
    return is_found


cdef bint find_reads_in(Loader self, object data, Py_ssize_t offset) except -1:
    cdef Py_buffer view
    cdef uint64_t skip
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    if 0 <= offset <= view.len:
        quickpickle_find_reads(
            &self.reads, <const uint8_t*>view.buf + offset,
            <const uint8_t*>view.buf + view.len, &skip
        )
    PyBuffer_Release(&view)
    return True


cdef int use_file(Loader self, object file) except -1:
    """Take the methods of a file. Those that are optional may be None."""
    self.is_file = True
    if type(file) is BytesIO or type(file) is BufferedReader or type(file) is FileIO:
        # Their other methods are looked up when they are needed.
        self.is_plain_file = self.looks_up_later = True
        self.is_bytes_io = type(file) is BytesIO
        self.file_read = file.read
        self.file_peek = file.peek if type(file) is BufferedReader else None
        self.file_readinto = self.file_readline = None
        return 0
    self.is_plain_file = self.looks_up_later = self.is_bytes_io = False
    self.file_peek = getattr(file, "peek", None)
    self.file_readinto = getattr(file, "readinto", None)
    read = getattr(file, "read", absent)
    readline = getattr(file, "readline", absent)
    if read is absent or readline is absent:
        raise TypeError("file must have 'read' and 'readline' attributes")
    self.file_read = read
    self.file_readline = readline
    return 0


cdef int look_up_rest(Loader self) except -1:
    """The methods of a file of the io module that are not always needed."""
    if self.looks_up_later:
        self.looks_up_later = False
        file = self.file_read.__self__
        self.file_readline = file.readline
        self.file_readinto = file.readinto
    return 0


cdef inline int need(Loader self, uint64_t count) except -1:
    """Have so many bytes from p on."""
    if unlikely(<uint64_t>(self.end - self.p) < count):
        return read_more(self, count)
    return 0


cdef int read_more(Loader self, uint64_t count) except -1:
    if count > <uint64_t>(LARGEST - (self.p - self.start)):
        raise self.fault().read_overflow()
    leave_frame(self)
    if <uint64_t>(self.end - self.p) >= count:
        return 0
    if not self.is_file:
        raise self.fault().truncated()
    self.close_window()
    if self.policy is not None:
        guard_of(self).check_length(count)
    fill_buffer(self, count)
    self.open_window()
    return 0


cdef int leave_frame(Loader self) except -1:
    """In a frame `end` is that of the frame where frames are checked, or a BytesIO shows its bytes.

    Where they are checked no opcode may go on behind it; else it goes on there, as in drop_rest().
    """
    if self.frame_end != NULL:
        if self.p < self.frame_end:
            if frames_are_checked:
                raise self.fault().frame_exhausted()
            self.p = self.frame_end
        self.frame_end = NULL
        self.end = self.data_end
        if self.in_place == MAY_BE_CHANGED:
            check_shown(self)
    return 0


cdef int fill_buffer(Loader self, Py_ssize_t count) except -1:
    """Read until there are `count` bytes. Runs other code."""
    cdef Py_ssize_t have
    if self.ahead:
        skip_consumed(self)
    drop_rest(self)
    if self.file_peek is not None and count < PEEKED:
        peek(self)
    elif self.is_bytes_io:
        show(self)
    if self.ahead:
        if self.end - self.p >= count:
            look_for_many(self)
            return 0
        skip_consumed(self)
    content = read_file(self, min(count, PIECE))
    take(self, content)
    while self.end - self.p < count:
        if len(content) == 0:
            raise self.fault().truncated()
        have = self.end - self.p
        content = read_file(self, min(count - have, max(have, PIECE)))
        append(self, content)
    look_for_many(self)
    return 0


cdef inline void move_on(Loader self, const uint8_t* p) noexcept:
    """The opcodes up to p are done. Other code may have run since they were looked at, after which
    the bytes of a BytesIO end before."""
    self.p = p
    if unlikely(self.end < p):
        self.end = p


cdef int look_for_many(Loader self) except -1:
    """Whether the pickle is of some size. No window is open."""
    if self.window.marker == NULL and self.end - self.p > SMALL_PICKLE:
        self.use_marker()
    return 0


cdef void drop_rest(Loader self) noexcept:
    """An opcode that begins in a frame and goes on behind it: as the interpreter does up to 3.13,
    it goes on with what is in the file, and the rest of the frame is lost."""
    self.base += self.end - self.start
    self.p = self.end = self.start = (
        &no_bytes if self.buffer == NULL else <const uint8_t*>self.buffer
    )
    self.shown = None


cdef int skip_consumed(Loader self) except -1:
    """Read from the file what was used of the bytes that `peek` has shown; forget the others."""
    cdef Py_ssize_t used
    if self.in_place:
        move_file(self, self.p)
        used = 0
    else:
        used = self.ahead - min(self.ahead, self.end - self.p)
    forget_ahead(self)
    if used:
        read_file(self, used)
    return 0


cdef void forget_ahead(Loader self) noexcept:
    """Forget the bytes that are still in the file."""
    cdef Py_ssize_t unused = min(self.ahead, end_of_data(self) - self.p)
    if self.frame_end == NULL:
        self.end -= unused
    else:
        self.data_end -= unused
    self.ahead = 0
    self.in_place = 0


cdef bytes read_file(Loader self, Py_ssize_t count):
    """Bytes of the file. While it is asked it is known that a fault is its own."""
    self.is_reading = True
    data = self.file_read(count)
    content = data if type(data) is bytes else loading.as_bytes(data)
    self.is_reading = False
    return content


cdef int peek(Loader self) except -1:
    """Look at what the file shows. There are no bytes from p on."""
    self.is_reading = True
    try:
        shown = self.file_peek(PEEKED)
    except NotImplementedError:
        self.is_reading = False
        self.file_peek = None
        return 0
    content = shown if type(shown) is bytes else loading.as_bytes(shown)
    self.is_reading = False
    look_at(self, content, 0)  # in place: from 3.14 on that may be 128 KiB
    return 0


cdef int show(Loader self) except -1:
    """Look at what a BytesIO has. As its bytes object is held here, no other code can change it:
    a BytesIO writes to a copy then."""
    cdef Py_ssize_t position
    self.is_reading = True
    file = self.file_read.__self__
    position = file.tell()
    content = <bytes>file.getvalue()
    if file.getvalue() is not content:  # a view of it is open, so that each value is a copy
        self.is_bytes_io = False
    elif position < len(content):
        look_at(self, content, position)
        self.in_place = SHOWN
    self.is_reading = False
    return 0


cdef void look_at(Loader self, bytes content, Py_ssize_t position) noexcept:
    """Have bytes where they are, from a position on; they are still in the file."""
    self.base += self.p - self.start
    self.start = self.p = <const uint8_t*>PyBytes_AS_STRING(content) + position
    self.ahead = len(content) - position
    self.end = self.p + self.ahead
    self.shown = content


cdef void take(Loader self, bytes content) noexcept:
    """Have bytes that were read from the file, where they are. There are no others from p on."""
    look_at(self, content, 0)
    self.ahead = 0


cdef int move_file(Loader self, const uint8_t* place) except -1:
    """Let the BytesIO be at a place in the bytes it has shown, if it is not behind it."""
    cdef Py_ssize_t unused = end_of_data(self) - place
    if unused < self.ahead:
        self.file_read.__self__.seek(place_in_file(self, unused))
        self.ahead = unused
    return 0


cdef inline Py_ssize_t place_in_file(Loader self, Py_ssize_t unused) noexcept:
    """The position of a BytesIO in front of the last `unused` bytes."""
    return end_of_data(self) - unused - <const uint8_t*>PyBytes_AS_STRING(self.shown)


cdef void give_position(Loader self) noexcept:
    """Before other code runs."""
    self.in_place = MAY_BE_CHANGED
    try:
        move_file(self, self.p)
    except MemoryError:  # it stays behind until the next call
        pass


cdef void check_shown(Loader self) noexcept:
    """After other code, which may have written to the BytesIO, or have moved or closed it."""
    cdef bint is_same = False
    self.in_place = SHOWN
    try:
        file = self.file_read.__self__
        is_same = (
            file.getvalue() is self.shown and file.tell() == place_in_file(self, self.ahead)
        )
    except Exception:
        pass
    if not is_same:
        forget_ahead(self)


cdef int append(Loader self, bytes content) except -1:
    cdef Py_ssize_t size = len(content)
    make_room(self, size)
    if size:
        memcpy(<char*>self.end, PyBytes_AS_STRING(content), size)
    self.end += size
    return 0


cdef int make_room(Loader self, Py_ssize_t count) except -1:
    """Room for `count` bytes behind `end`."""
    cdef Py_ssize_t have = self.end - self.p, room
    cdef char* buffer
    if (
        self.shown is None and self.buffer != NULL
        and self.buffer + self.buffer_room - <char*>self.end >= count
    ):
        return 0
    self.base += self.p - self.start
    if have + count <= self.buffer_room:
        if have:
            memmove(self.buffer, self.p, have)
    else:
        if count > LARGEST // 2 - have:
            raise MemoryError
        room = max(have + count, min(self.buffer_room * 2, have + count + PIECE))
        buffer = <char*>PyMem_Malloc(room)
        if buffer == NULL:
            raise MemoryError
        if have:
            memcpy(buffer, self.p, have)
        PyMem_Free(self.buffer)
        self.buffer = buffer
        self.buffer_room = room
    self.start = self.p = <uint8_t*>self.buffer
    self.end = self.p + have
    self.shown = None
    return 0


cdef int finish_input(Loader self) except -1:
    """After STOP: the file is right behind it. Runs other code."""
    if self.ahead:
        skip_consumed(self)
    forget_shown(self)
    return 0


cdef void forget_shown(Loader self) noexcept:
    """Hold no bytes for a BytesIO, which would copy them when it is written to."""
    if self.shown is not None and self.p == self.end:
        drop_rest(self)


cdef const char* next_line(Loader self, Py_ssize_t* size) except NULL:
    """The line that begins at p, without its end, as it lies in the data until more is read."""
    cdef const uint8_t* found = NULL
    cdef const uint8_t* line
    if self.end > self.p:
        found = <const uint8_t*>memchr(self.p, c"\n", self.end - self.p)
    if found == NULL:
        leave_frame(self)
        if self.end > self.p:
            found = <const uint8_t*>memchr(self.p, c"\n", self.end - self.p)
    if found == NULL:
        if not self.is_file:
            raise self.fault().truncated()
        self.close_window()
        read_line(self)
        self.open_window()
        if self.end > self.p:
            found = <const uint8_t*>memchr(self.p, c"\n", self.end - self.p)
        if found == NULL:
            raise self.fault().truncated()
    line = self.p
    size[0] = found - line
    self.p = found + 1
    return <const char*>line


cdef int read_line(Loader self) except -1:
    skip_consumed(self)
    drop_rest(self)
    look_up_rest(self)
    self.is_reading = True
    line = self.file_readline()
    content = line if type(line) is bytes else loading.as_bytes(line)
    self.is_reading = False
    take(self, content)
    return 0
