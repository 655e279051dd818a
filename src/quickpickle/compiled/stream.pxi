# The pickle data stream: as pickling/stream.py.
#
# The space for the header of a frame is left free in front of it, and filled in when the frame
# ends. Where an object begins there is space for SLACK bytes. `stop` is the place from which there
# is none, or where the frame is full, so most objects cost one comparison only.

cdef enum:
    SLACK = 64
    WRITE_SIZE = 1 << 21  # bytes in one write to a file whose writes nobody can see
    LOOKED_THROUGH = 4096  # at the end of a frame, to find where a compact one ends
    LARGE = 4 << 20  # from this size on page faults cost more than copies

# These may fail and are not the object, so there is no path: see steps.pxi.
cdef enum Outside:
    NOTHING
    IN_OPTIONS  # code of a Pickler's subclass, before anything is written
    IN_WRITE
    IN_PROGRESS

cdef class Stream(Memo):
    cdef object write  # None: everything stays in the buffer, for dumps
    cdef object file  # the file, if `write` is an unbound method; else None
    cdef int write_is_quiet  # it runs no code of Python; -1: not looked at yet
    cdef int protocol
    cdef bint bin, fast, fix_imports
    cdef bint has_memoize  # the opcode, or compact; and not fast mode
    cdef bint has_short_str  # the opcode, and not fast mode
    cdef Py_ssize_t memoize_length  # 1, or 0 with compact=True, where it is not written yet
    cdef uint64_t plain_gets  # up to this number references are binary and not noted
    cdef object buffer_callback
    cdef Py_ssize_t reduction_limit
    cdef Py_ssize_t few  # so many reductions are counted without a look at their classes
    cdef Py_ssize_t nested_user_code
    cdef dict endless_types
    cdef PyObject* holder  # the bytes object that has the buffer: the result of dumps()
    cdef char* buffer
    cdef char* pos  # the end of the bytes in the buffer
    cdef char* stop
    cdef char* end
    cdef Py_ssize_t frame_start  # where in the buffer the current frame's opcodes begin
    cdef object report  # the function for progress, or None
    cdef double next_report
    cdef Py_ssize_t first_used  # the next number when the dump began
    cdef uint64_t sent, held_size  # bytes that have left the buffer, or have never been in it
    cdef Outside outside  # what is running that is not about an object
    cdef Py_ssize_t fast_nesting
    cdef set fast_ids

    def __cinit__(self):
        self.hold(PyBytes_FromStringAndSize(NULL, 1024))

    def __dealloc__(self):
        Py_XDECREF(self.holder)

    @cython.final
    cdef int hold(self, bytes holder) except -1:
        Py_INCREF(holder)
        self.holder = <PyObject*>holder
        self.buffer = self.pos = PyBytes_AS_STRING(holder)
        self.end = self.buffer + PyBytes_GET_SIZE(holder)
        return 0

    @cython.final
    cdef int begin(self) except -1:
        """Write PROTO, which comes before the first frame."""
        if self.holder == NULL:  # lost when it could not be enlarged
            self.hold(PyBytes_FromStringAndSize(NULL, 1024))
        self.pos = self.buffer
        if self.protocol >= 2:
            self.pos[0] = <char>OP_PROTO
            self.pos[1] = <char>self.protocol
            self.pos += 2
        return self.begin_frame()

    @cython.final
    cdef int begin_frame(self) except -1:
        if self.protocol >= 4:
            self.room(9)
            self.pos += 9
        self.frame_start = self.pos - self.buffer
        if self.compact:
            begin_section(self)
        return self.set_stop()

    @cython.final
    cdef int set_stop(self) noexcept:
        cdef Py_ssize_t stop = FRAME_SIZE_TARGET
        if self.compact and self.places.newest().opcode < FRAME_SIZE_TARGET - LOOKED_THROUGH:
            stop -= LOOKED_THROUGH
        # No pointer that lies beyond the buffer.
        stop = min(stop, self.end - self.buffer - self.frame_start - SLACK)
        self.stop = self.buffer + (self.frame_start + stop)
        return 0

    @cython.final
    cdef int note_opcode(self) noexcept:
        """Note that an opcode begins here: see quickpickle_section."""
        self.places.newest().opcode = self.pos - self.buffer - self.frame_start
        return 0

    @cython.final
    cdef inline int object_begins(self) except -1:
        """End the frame, if it is full: called where an object begins."""
        return self.at_stop() if self.pos >= self.stop else 0

    @cython.final
    cdef int at_stop(self) except -1:
        if self.pos - self.buffer - self.frame_start >= FRAME_SIZE_TARGET:
            self.end_frame()
        elif self.compact:
            self.note_opcode()
        self.check_signals()
        self.set_stop()
        if self.report is not None:
            self.look_at_progress()
        return self.room(SLACK)

    @cython.final
    cdef inline int part_begins(self) except -1:
        """The same within an object that is written without other code in between.

        The bytes for the file go with the next frame, so this is for files that do not see that.
        """
        return self.at_part_stop() if self.pos >= self.stop else 0

    @cython.final
    cdef int at_part_stop(self) except -1:
        if self.pos - self.buffer - self.frame_start >= FRAME_SIZE_TARGET:
            self.close_frame()
            self.begin_frame()
        elif self.compact:
            self.note_opcode()
        self.room(SLACK)
        self.stop = self.pos  # so that signals are looked at when the next object begins
        return 0

    @cython.final
    cdef inline bint may_have_parts(self, Py_ssize_t size) except -1:
        """Whether an object may be written in one go, with part_begins() for each of its parts.

        These have `size` bytes at most, and some more: SLACK.
        """
        if self.stop - self.pos >= SLACK + size or self.write is None:
            return True
        return self.pos - self.buffer < 2 * WRITE_SIZE and self.is_quiet()

    @cython.final
    cdef int check_signals(self) except -1:
        """Let Ctrl-C through. Handlers of other signals have to wait, as with C code elsewhere."""
        if PyOS_InterruptOccurred():  # which forgets it
            PyErr_SetInterrupt()
            self.settle()
            PyErr_CheckSignals()
        return 0

    @cython.final
    cdef int look_at_progress(self) except -1:
        """Tell how far this has come, if it is time.

        The function may do the same as another thread while a file is written, see send().
        """
        global last_epoch
        if monotonic() < self.next_report:
            return 0
        last_epoch += 1
        self.epoch = last_epoch
        self.own()
        self.outside = IN_PROGRESS
        self.report(
            self.used - self.first_used,
            self.sent + self.held_size + <uint64_t>(self.pos - self.buffer),
        )
        self.outside = NOTHING
        self.next_report = monotonic() + INTERVAL
        return 0

    # --- opcodes

    @cython.final
    cdef inline int room(self, size_t size) except -1:
        """Make sure that so many bytes fit into the buffer."""
        if <size_t>(self.end - self.pos) < size:
            return self.enlarge(size)
        return 0

    @cython.final
    cdef int enlarge(self, size_t size) except -1:
        cdef size_t used = self.pos - self.buffer
        cdef size_t wanted
        if used > MOST_BYTES or size > MOST_BYTES - used:
            self.own()  # to raise an exception may run the garbage collector
            raise MemoryError
        wanted = used + size
        if size < FRAME_SIZE_TARGET:
            wanted += wanted if wanted < LARGE else wanted >> 1
        else:
            # Maybe the largest part of the pickle, and its last.
            wanted += 1024 + (used >> 1)
        wanted = min(wanted, MOST_BYTES)  # half as much again is still counted
        if self.write is None and FRAME_SIZE_TARGET < wanted < <size_t>history.buffer_size:
            wanted = history.buffer_size
        if quickpickle_resize(&self.holder, wanted) < 0:
            self.own()  # as above
            raise MemoryError
        self.buffer = PyBytes_AS_STRING_(self.holder)
        self.pos = self.buffer + used
        self.end = self.buffer + wanted
        if size >= LARGE >> 2:
            quickpickle_make_pages(self.pos, size)
        return self.set_stop()

    @cython.final
    cdef inline int put1(self, uint8_t code) except -1:
        self.room(1)
        self.pos[0] = <char>code
        self.pos += 1
        return 0

    @cython.final
    cdef inline int put2(self, uint8_t code, uint8_t argument) except -1:
        """Write an opcode and an argument of one byte, or two opcodes."""
        self.room(2)
        self.pos[0] = <char>code
        self.pos[1] = <char>argument
        self.pos += 2
        return 0

    @cython.final
    cdef inline int put(self, const char* data, Py_ssize_t size) except -1:
        self.room(size)
        memcpy(self.pos, data, size)
        self.pos += size
        return 0

    @cython.final
    cdef int look_how_far(self, Py_ssize_t size) noexcept:
        """Note a large size that is no payload's: with compact=True no place may be 2 GB off."""
        if size >= 1 << 30 and self.compact:
            self.places.is_too_far = True
        return 0

    @cython.final
    cdef int put_bytes(self, bytes data) except -1:
        self.look_how_far(PyBytes_GET_SIZE(data))
        return self.put(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    @cython.final
    cdef inline int put_opcode4(self, uint8_t code, uint32_t argument) except -1:
        self.room(5)
        self.pos[0] = <char>code
        quickpickle_store4(self.pos + 1, argument)
        self.pos += 5
        return 0

    @cython.final
    cdef inline int put_opcode8(self, uint8_t code, uint64_t argument) except -1:
        self.room(9)
        self.pos[0] = <char>code
        quickpickle_store4(self.pos + 1, <uint32_t>argument)
        quickpickle_store4(self.pos + 5, <uint32_t>(argument >> 32))
        self.pos += 9
        return 0

    # --- the memo

    @cython.final
    cdef inline int memoize(self, PyObject* obj, bint unique) except -1:
        """Give `obj`, the topmost item of the unpickler's stack, the memo's next number."""
        if not self.has_memoize:
            return self.memoize_by_number(obj, unique)
        self.room(1)
        self.pos[0] = <char>OP_MEMOIZE
        self.pos += self.memoize_length
        self.add(obj, unique)
        return self.memoized()

    @cython.final
    cdef inline int put_with_memoize(self, uint8_t code) except -1:
        self.room(2)
        self.pos[0] = <char>code
        self.pos[1] = <char>OP_MEMOIZE
        self.pos += 1 + self.memoize_length
        return 0

    @cython.final
    cdef inline int put_memoized(self, uint8_t code, PyObject* obj, bint unique) except -1:
        """Write the opcode that makes `obj`, and memoize it."""
        if not self.has_memoize:
            self.put1(code)
            return self.memoize_by_number(obj, unique)
        self.put_with_memoize(code)
        self.add(obj, unique)
        return self.memoized()

    @cython.final
    cdef inline int put_found(self, uint8_t code, PyObject* obj, MemoEntry* entry) except -1:
        """put_memoized() with the `entry` of find_or_make_room(); NULL for a unique object."""
        if not self.has_memoize:
            return self.put_memoized(code, obj, entry == NULL)
        self.put_with_memoize(code)
        if entry == NULL:
            self.add(obj, True)
        else:
            self.fill(entry, obj)
        return self.memoized()

    @cython.final
    cdef inline int memoized(self) noexcept:
        """Note the place of the MEMOIZE of the newest entry, if it is not written."""
        if unlikely(self.compact):
            self.places.entry_at[self.count - 1] = <uint32_t>(
                self.pos - self.buffer - self.frame_start
            )
        return 0

    @cython.final
    cdef int memoize_by_number(self, PyObject* obj, bint unique) except -1:
        return 0 if self.fast else self.put_memoize(self.add(obj, unique))

    @cython.final
    cdef int put_memoize(self, Py_ssize_t number) except -1:
        """Write the opcode that memoizes below protocol 4."""
        if not self.bin:
            return self.put_reference(OP_PUT, number)
        if number < 256:
            return self.put2(OP_BINPUT, <uint8_t>number)
        if <uint64_t>number >> 32 == 0:
            return self.put_opcode4(OP_LONG_BINPUT, <uint32_t>number)
        raise PicklingError("memo id too large for LONG_BINPUT")

    @cython.final
    cdef inline int put_reference(self, uint8_t code, Py_ssize_t number) except -1:
        """Write a line with a number of the memo."""
        self.room(22)
        self.pos = quickpickle_write_reference(self.pos, code, <uint64_t>number)
        return 0

    @cython.final
    cdef inline int get(self, Py_ssize_t number) except -1:
        """Write a reference to an object by its number in the memo."""
        if <uint64_t>number >= self.plain_gets:
            return self.get_and_note(number)
        self.room(5)
        self.pos = quickpickle_put_get(self.pos, <uint32_t>number)
        return 0

    @cython.final
    cdef inline int get_and_note(self, Py_ssize_t number) except -1:
        """Write a reference of the greatest length, with the number that the entry has so far."""
        cdef Places places = self.places
        if (
            not self.compact
            or places.get_count == places.get_room
            or <uint64_t>number >> 32
            or self.end - self.pos < 5
        ):
            return self.get_rarely(number)
        places.entry_at[number] |= <uint32_t>QP_IS_USED
        places.get_at[places.get_count] = <uint32_t>(self.pos - self.buffer - self.frame_start)
        places.get_count += 1
        self.pos[0] = <char>OP_LONG_BINGET
        quickpickle_store4(self.pos + 1, <uint32_t>number)
        self.pos += 5
        return 0

    @cython.final
    cdef int get_rarely(self, Py_ssize_t number) except -1:
        if self.compact and not <uint64_t>number >> 32:
            self.room(5)
            if self.places.get_count == self.places.get_room:
                enlarge_references(self)
            return self.get_and_note(number)
        if not self.bin and not self.compact:
            return self.put_reference(OP_GET, number)
        self.own()
        raise PicklingError("memo id too large for LONG_BINGET")

    # --- frames and the file

    @cython.final
    cdef inline int close_frame_if_large(self, Py_ssize_t size) except -1:
        """Close the frame before an opcode whose payload is large enough for its own write."""
        return self.close_frame() if size >= FRAME_SIZE_TARGET else 0

    @cython.final
    cdef int payload(self, const char* data, Py_ssize_t size, object owner) except -1:
        """Write the `size` bytes of an opcode's last argument; `owner` has them for the file."""
        if size < FRAME_SIZE_TARGET:
            return self.put(data, size)
        if self.compact and self.bin:
            hold_back(self, owner)
        elif self.write is None or self.compact:
            self.put(data, size)
        else:
            self.flush(False)
            self.send(owner, size, False)
        self.begin_frame()
        if self.report is not None:
            self.stop = self.pos  # where the next object begins
        return 0

    @cython.final
    cdef int close_frame(self) except -1:
        """Fill in the header of the current frame, or take it out."""
        cdef Py_ssize_t size = self.pos - self.buffer - self.frame_start
        cdef char* header = self.buffer + self.frame_start - 9
        if self.compact:
            self.places.opcode_at = self.pos - self.buffer
            return 0
        if self.protocol < 4:
            return 0
        if size >= FRAME_SIZE_MIN:
            header[0] = <char>OP_FRAME
            quickpickle_store4(header + 1, <uint32_t>size)
            quickpickle_store4(header + 5, <uint32_t>(<uint64_t>size >> 32))
        else:
            memmove(header, header + 9, size)
            self.pos -= 9
        return 0

    @cython.final
    cdef int end_frame(self) except -1:
        """Close the current frame, send it to the file, if any, and begin the next.

        Each write may let other threads run, so the log has to be owned before it. That costs more
        than the write does, so a quiet file gets several frames in one write.
        """
        self.close_frame()
        if self.write is not None and not self.compact and (
            self.pos - self.buffer >= WRITE_SIZE or not self.is_quiet()
        ):
            self.flush(False)
        return self.begin_frame()

    @cython.final
    cdef int flush(self, bint is_last) except -1:
        cdef Py_ssize_t size = self.pos - self.buffer
        if size:
            self.pos = self.buffer
            if self.file is not None:
                self.send(None, size, is_last)
            elif size >= 4096 and self.is_quiet():
                # Such a file takes the bytes and does not keep the object.
                self.send(quickpickle_view_quietly(self.buffer, size), size, is_last)
            else:
                self.send(PyBytes_FromStringAndSize(self.buffer, size), size, is_last)
        return 0

    @cython.final
    cdef int send(self, object data, Py_ssize_t size, bint is_last) except -1:
        """Hand bytes to the file: see send() in pickling/stream.py. None: those in the buffer.

        Then the buffer's holder is handed over, as the bytes that it has so far. Such a file copies
        them, and shows the object to nobody. `is_last` is the write of a dump whose memo nobody
        sees and nobody needs any more.
        """
        global last_epoch
        cdef int64_t count = -1
        self.check_signals()  # the write may block, and does not look for earlier signals
        if is_last:
            pass
        elif self.is_quiet():
            # It may let other threads run. They may free objects in the log, so these are owned.
            # They may also move an object to a place where it is met again: that is their race
            # with this dump, as with any pickler.
            last_epoch += 1
            self.epoch = last_epoch
            self.own()
        else:
            self.settle()
        self.outside = IN_WRITE
        if self.file is None:
            taken = self.write(data)
        elif data is None:
            taken = quickpickle_write_part(self.write, self.file, self.holder, size)
        else:
            taken = quickpickle_call_method(self.write, self.file, data)
        if not (
            type(taken) is int
            and quickpickle_small_long(<PyObject*>taken, &count)
            and count == size
        ):
            if not is_last:
                self.settle()
            if data is None:
                data = PyBytes_FromStringAndSize(self.buffer, size)
            self.send_rest(data, size, taken)
        self.outside = NOTHING
        self.sent += size
        return 0

    @cython.final
    cdef int send_rest(self, object data, Py_ssize_t size, object taken) except -1:
        cdef list parts = []
        try:
            write = self.write if self.file is None else self.file.write
            send_rest(write, data, size, taken, parts)
        except BaseException:
            self.sent += sum(parts)
            raise
        return 0

    @cython.final
    cdef inline bint is_quiet(self) except -1:
        if self.write_is_quiet < 0:
            self.write_is_quiet = is_quiet(self.write, self.file)
        return self.write_is_quiet

    @cython.final
    cdef bytes finish(self):
        """Write STOP and close the last frame; return the bytes that did not go to a file."""
        self.put1(OP_STOP)
        self.close_frame()
        if self.compact and not is_complete(self):
            return finish_compact(self)
        if not self.visible:
            self.forget_log()
        if self.write is not None:
            self.flush(not self.visible)
            return None
        if self.pos - self.buffer < FRAME_SIZE_TARGET:
            return PyBytes_FromStringAndSize(self.buffer, self.pos - self.buffer)
        return self.take_buffer()

    @cython.final
    cdef int forget_log(self) noexcept:
        """Forget the log: the last write, or the last call of progress, may free its objects."""
        self.count = self.owned
        self.filed = min(self.filed, self.count)
        return 0

    @cython.final
    cdef bytes take_buffer(self):
        """Return the bytes in the buffer, without a copy, and begin a new one."""
        cdef bytes result
        history.buffer_size = min(self.pos - self.buffer, 8 * LARGE - 1024) + 1024
        _PyBytes_Resize(&self.holder, self.pos - self.buffer)
        result = <bytes>self.holder
        self.lose_buffer()
        self.hold(PyBytes_FromStringAndSize(NULL, 1024))
        return result

    @cython.final
    cdef int lose_buffer(self) noexcept:
        """Free the buffer; begin() makes another."""
        Py_XDECREF(self.holder)
        self.holder = NULL
        self.buffer = self.pos = self.end = NULL
        return 0

    # --- limits against endless dumps

    @cython.final
    cdef int enter_user_code(self, object obj) except -1:
        self.nested_user_code += 1
        if self.reduction_limit < 0:  # not asked for yet
            self.settle()
            self.reduction_limit = Pickler.reduction_limit
        if self.nested_user_code > self.reduction_limit:
            raise endless_error(self.reduction_limit, obj)
        return 0

    # --- fast mode

    @cython.final
    cdef int enter_fast(self, object obj) except -1:
        self.fast_nesting += 1
        if self.fast_nesting >= FAST_NESTING_LIMIT:
            if self.fast_ids is None:
                self.fast_ids = set()
            if id(obj) in self.fast_ids:
                raise cyclic_error(obj)
            self.fast_ids.add(id(obj))
        return 0

    @cython.final
    cdef int leave_fast(self, object obj) except -1:
        if self.fast_nesting >= FAST_NESTING_LIMIT:
            self.fast_ids.remove(id(obj))
        self.fast_nesting -= 1
        return 0
