# The pickle data stream: the twin of writing.py.
#
# The header of a frame is left free in front of it, and filled in when the frame ends.

@cython.final
@cython.freelist(8)
cdef class Stream:
    cdef object write  # None: everything stays in the buffer, for dumps
    cdef Memo memo
    cdef int protocol
    cdef bint bin, fast, fix_imports
    cdef object buffer_callback
    cdef Py_ssize_t reduction_limit
    cdef Py_ssize_t few  # reductions that are counted without asking whether they may be endless
    cdef Py_ssize_t nested_user_code
    cdef dict endless_types
    cdef PyObject* holder  # the bytes object that has the buffer: what dumps returns
    cdef char* buffer
    cdef Py_ssize_t size  # of what is in the buffer
    cdef Py_ssize_t allocated
    cdef Py_ssize_t frame_start  # where the current frame's opcodes begin
    cdef Py_ssize_t fast_nesting
    cdef set fast_ids

    def __cinit__(self):
        self.hold(PyBytes_FromStringAndSize(NULL, 1024))

    def __dealloc__(self):
        Py_XDECREF(self.holder)

    cdef int hold(self, bytes holder) except -1:
        Py_INCREF(holder)
        self.holder = <PyObject*>holder
        self.buffer = PyBytes_AS_STRING(holder)
        self.allocated = PyBytes_GET_SIZE(holder)
        return 0

    cdef int begin(self) except -1:
        """Write what comes before the first frame."""
        if self.protocol >= 2:
            self.put1(b"\x80")
            self.put1(<char>self.protocol)
        return self.begin_frame()

    cdef int begin_frame(self) except -1:
        if self.protocol >= 4:
            self.room(9)
            self.size += 9
        self.frame_start = self.size
        return 0

    cdef inline int object_begins(self) except -1:
        """The place where a frame may end."""
        if self.size - self.frame_start >= FRAME_SIZE_TARGET:
            self.end_frame()
            PyErr_CheckSignals()
        return 0

    # --- opcodes

    cdef inline int room(self, Py_ssize_t size) except -1:
        """Make sure that so many bytes fit into the buffer."""
        if self.allocated - self.size < size:
            return self.enlarge(size)
        return 0

    cdef int enlarge(self, Py_ssize_t size) except -1:
        cdef Py_ssize_t wanted = self.size + size
        if size < FRAME_SIZE_TARGET:
            wanted += wanted >> 1
        else:
            wanted += 1024  # most likely the largest part of the pickle, and its last
        _PyBytes_Resize(&self.holder, wanted)
        self.buffer = PyBytes_AS_STRING(<object>self.holder)
        self.allocated = wanted
        return 0

    cdef inline int put1(self, char code) except -1:
        self.room(1)
        self.buffer[self.size] = code
        self.size += 1
        return 0

    cdef inline int put(self, const char* data, Py_ssize_t size) except -1:
        self.room(size)
        memcpy(self.buffer + self.size, data, size)
        self.size += size
        return 0

    cdef int put_bytes(self, bytes data) except -1:
        return self.put(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef inline int put_opcode1(self, char code, uint8_t argument) except -1:
        self.room(2)
        self.buffer[self.size] = code
        self.buffer[self.size + 1] = <char>argument
        self.size += 2
        return 0

    cdef inline int put_opcode4(self, char code, uint32_t argument) except -1:
        self.room(5)
        self.buffer[self.size] = code
        store4(self.buffer + self.size + 1, argument)
        self.size += 5
        return 0

    cdef inline int put_opcode8(self, char code, uint64_t argument) except -1:
        self.room(9)
        self.buffer[self.size] = code
        store4(self.buffer + self.size + 1, <uint32_t>argument)
        store4(self.buffer + self.size + 5, <uint32_t>(argument >> 32))
        self.size += 9
        return 0

    # --- the memo

    cdef inline int memoize(self, object obj) except -1:
        """Give `obj`, the topmost item of the unpickler's stack, the memo's next number."""
        cdef Py_ssize_t number
        if self.fast:
            return 0
        number = self.memo.add(obj)
        if self.protocol >= 4:
            return self.put1(b"\x94")
        if not self.bin:
            return self.put_bytes(b"p%d\n" % number)
        if number < 256:
            return self.put_opcode1(b"q", <uint8_t>number)
        if <uint64_t>number >> 32 == 0:
            return self.put_opcode4(b"r", <uint32_t>number)
        raise PicklingError("memo id too large for LONG_BINPUT")

    cdef inline int get(self, Py_ssize_t number) except -1:
        """Write a reference to an object by its number in the memo."""
        if not self.bin:
            return self.put_bytes(b"g%d\n" % number)
        if 0 <= number < 256:
            return self.put_opcode1(b"h", <uint8_t>number)
        if <uint64_t>number >> 32 == 0:
            return self.put_opcode4(b"j", <uint32_t>number)
        raise PicklingError("memo id too large for LONG_BINGET")

    # --- frames and the file

    cdef int close_frame_if_large(self, Py_ssize_t size) except -1:
        """Close the frame where the opcode about to be put has a payload of its own write."""
        if size >= FRAME_SIZE_TARGET:
            self.close_frame()
        return 0

    cdef int payload(self, const char* data, Py_ssize_t size, object owner) except -1:
        """Write the `size` bytes of an opcode's last argument; `owner` has them for the file."""
        if size < FRAME_SIZE_TARGET:
            return self.put(data, size)
        if self.write is None:
            self.put(data, size)
        else:
            self.flush()
            send(self.write, owner, size)
        return self.begin_frame()

    cdef int close_frame(self) except -1:
        """Fill in the header of the current frame, or take it out."""
        cdef Py_ssize_t size = self.size - self.frame_start
        cdef char* header
        if self.protocol < 4:
            return 0
        header = self.buffer + self.frame_start - 9
        if size >= FRAME_SIZE_MIN:
            header[0] = b"\x95"
            store4(header + 1, <uint32_t>size)
            store4(header + 5, <uint32_t>(<uint64_t>size >> 32))
        else:
            memmove(header, header + 9, size)
            self.size -= 9
        return 0

    cdef int end_frame(self) except -1:
        """Close the current frame, send it to the file, if any, and begin the next."""
        self.close_frame()
        if self.write is not None:
            self.flush()
        return self.begin_frame()

    cdef int flush(self) except -1:
        cdef bytes data
        if self.size:
            data = PyBytes_FromStringAndSize(self.buffer, self.size)
            self.size = 0
            send(self.write, data, len(data))
        return 0

    cdef bytes finish(self):
        """Write STOP and close the last frame; return what has not gone to a file."""
        self.put1(b".")
        self.close_frame()
        if self.write is not None:
            self.flush()
            return None
        if self.size < FRAME_SIZE_TARGET:
            return PyBytes_FromStringAndSize(self.buffer, self.size)
        return self.take_buffer()

    cdef bytes take_buffer(self):
        """Return what is in the buffer, without a copy, and begin a new one."""
        cdef bytes result
        _PyBytes_Resize(&self.holder, self.size)
        result = <bytes>self.holder
        Py_DECREF(result)
        self.holder = NULL
        self.hold(PyBytes_FromStringAndSize(NULL, 1024))
        return result

    # --- what may never end

    cdef int enter_user_code(self, object obj) except -1:
        self.nested_user_code += 1
        if self.nested_user_code > self.reduction_limit:
            raise endless_error(self.reduction_limit, obj)
        return 0

    # --- fast mode

    cdef int enter_fast(self, object obj) except -1:
        self.fast_nesting += 1
        if self.fast_nesting >= FAST_NESTING_LIMIT:
            if self.fast_ids is None:
                self.fast_ids = set()
            if id(obj) in self.fast_ids:
                raise cyclic_error(obj)
            self.fast_ids.add(id(obj))
        return 0

    cdef int leave_fast(self, object obj) except -1:
        if self.fast_nesting >= FAST_NESTING_LIMIT:
            self.fast_ids.remove(id(obj))
        self.fast_nesting -= 1
        return 0


cdef inline void store4(char* target, uint32_t value) noexcept:
    """Store little-endian, whatever the machine."""
    target[0] = <char>(value & 0xFF)
    target[1] = <char>((value >> 8) & 0xFF)
    target[2] = <char>((value >> 16) & 0xFF)
    target[3] = <char>((value >> 24) & 0xFF)
