# None, bool, int, float, str, bytes, bytearray and buffers: as pickling/scalars.py.
#
# The first four, the scalars, rely on the free space in the buffer where an object begins.

cdef enum:  # in lines of text
    NEWLINE = 0x0A
    LONG_END = 0x4C  # L


cdef inline bint save_scalar(Stream stream, PyObject* obj) noexcept:
    """Write None, a bool, a float or an int as nearly all are; return whether it was one."""
    cdef char* pos
    if stream.protocol >= 2 and stream.bin:
        pos = quickpickle_scalar(stream.pos, obj)
    else:
        pos = quickpickle_old_scalar(stream.pos, obj, stream.protocol, stream.bin)
    if pos == NULL:
        return False
    stream.pos = pos
    return True


cdef inline bint is_scalar(PyObject* obj) noexcept:
    cdef PyTypeObject* cls = Py_TYPE(obj)
    return cls == &PyLong_Type or cls == &PyFloat_Type or cls == &PyBool_Type or obj == Py_None


cdef inline int put_small_int(Stream stream, Py_ssize_t value) except -1:
    """Write an int of 31 bits that need not be a Python object."""
    if value <= 0xFF:
        return stream.put2(OP_BININT1, <uint8_t>value)
    if value <= 0xFFFF:
        stream.put2(OP_BININT2, <uint8_t>value)
        return stream.put1(<uint8_t>(value >> 8))
    return stream.put_opcode4(OP_BININT, <uint32_t>value)


cdef int save_rare_scalar(Stream stream, object obj) except -1:
    """Write a scalar that save_scalar() has left: an int."""
    if type(obj) is int:
        return save_rare_int(stream, obj)
    stream.own()  # to raise an exception may run the garbage collector
    raise MemoryError  # for the text of a float


cdef int save_rare_int(Stream stream, object obj) except -1:
    cdef int64_t value = 0
    cdef Py_ssize_t size
    cdef const uint8_t* data
    cdef const digit* digits
    cdef int negative = 0
    cdef bint is_small = quickpickle_small_long(<PyObject*>obj, &value)
    if is_small and value == <int32_t>value:
        if value >= 0:
            return put_small_int(stream, <Py_ssize_t>value)
        return stream.put_opcode4(OP_BININT, <uint32_t>value)
    if stream.protocol < 2:
        return save_long_line(stream, obj)
    # Little-endian two's complement, in as few bytes as keep the sign: behind the longer of the
    # headers, then what the highest byte only repeats of the sign is taken off.
    if is_small:
        stream.room(5 + 8)
        quickpickle_store4(stream.pos + 5, <uint32_t>value)
        quickpickle_store4(stream.pos + 9, <uint32_t>(value >> 32))
        size = 8
    elif not quickpickle_known.digits:
        size = quickpickle_int_size(<PyObject*>obj)
        stream.room(5 + size)
        quickpickle_write_int(<PyObject*>obj, stream.pos + 5, size)
    else:
        size = quickpickle_digits(<PyObject*>obj, &digits, &negative)
        # At least so many bytes, and fewer than the digits have, so they can be counted.
        stream.room(5 + ((size >> 3) + 1) * PyLong_SHIFT + 2 + 8)
        size = quickpickle_write_digits(stream.pos + 5, digits, size, negative) - stream.pos - 5
    data = <const uint8_t*>stream.pos + 5
    while size > 1 and data[size - 1] == (0xFF if data[size - 2] & 0x80 else 0):
        size -= 1
    if size > 0x7FFFFFFF:
        stream.own()
        raise OverflowError("int too large to pickle")
    if size < 256:
        memmove(stream.pos + 2, stream.pos + 5, size)
        stream.put2(OP_LONG1, <uint8_t>size)
    else:
        stream.put_opcode4(OP_LONG4, <uint32_t>size)
        stream.look_how_far(size)
    stream.pos += size
    return 0


cdef int save_long_line(Stream stream, object obj) except -1:
    """A large int in protocols 0 and 1."""
    cdef Py_ssize_t size
    cdef const digit* digits
    cdef int negative = 0
    if quickpickle_known.digits:
        size = quickpickle_digits(<PyObject*>obj, &digits, &negative)
        if 0 < size <= QUICKPICKLE_DECIMAL_BITS // PyLong_SHIFT:
            stream.room(10 * size + 4)
            stream.put1(OP_LONG)
            stream.pos = quickpickle_write_large_decimal(stream.pos, digits, size, negative)
            return stream.put2(LONG_END, NEWLINE)
    held = obj
    stream.settle()  # repr lets the handlers of signals run
    text = repr(held)
    size = len(text)
    stream.room(size + 3)
    stream.put1(OP_LONG)
    stream.put(<const char*>PyUnicode_DATA(<PyObject*>text), size)
    stream.look_how_far(size)
    return stream.put2(LONG_END, NEWLINE)


cdef inline int save_str(Stream stream, PyObject* obj, Py_ssize_t refs) except -1:
    """Write a string, or a reference to it; for `refs` see save()."""
    cdef MemoEntry* entry = NULL
    cdef Py_ssize_t size
    cdef char* pos
    if not stream.is_unique(obj, refs):
        entry = stream.find_or_make_room(obj)
        if entry.key != NULL:
            return stream.get(entry.number)
    size = quickpickle_length(obj)
    if size > 0xFF or not PyUnicode_IS_COMPACT_ASCII(obj) or not stream.has_short_str:
        return save_new_str(stream, obj, entry == NULL)
    # Most strings, with one look at the free space.
    stream.room(size + 3)
    pos = stream.pos
    pos[0] = <char>OP_SHORT_BINUNICODE
    pos[1] = <char>size
    quickpickle_copy(pos + 2, <const char*>PyUnicode_DATA(obj), size)
    pos[size + 2] = <char>OP_MEMOIZE
    stream.pos = pos + size + 2 + stream.memoize_length
    if entry == NULL:
        stream.add(obj, True)
    else:
        stream.fill(entry, obj)
    return stream.memoized()


cdef int save_new_str(Stream stream, PyObject* obj, bint unique) except -1:
    cdef const char* data
    cdef Py_ssize_t size
    cdef size_t encoded_size
    quickpickle_make_ready(obj)
    if not stream.bin:
        return save_text(stream, obj, unique)
    if PyUnicode_IS_COMPACT_ASCII(obj):  # the characters are their own UTF-8
        data = <const char*>PyUnicode_DATA(obj)
        size = PyUnicode_GET_LENGTH(obj)
    else:
        data = quickpickle_kept_utf8(obj, &size)
        if data == NULL:
            encoded_size = quickpickle_utf8_size(obj)
            if encoded_size > MOST_BYTES:
                stream.own()
                raise MemoryError
            size = <Py_ssize_t>encoded_size
    if size >= FRAME_SIZE_TARGET and stream.write is not None:
        return save_large_str(stream, obj, size)
    put_str_header(stream, size)
    stream.room(<size_t>size + 6)
    if data == NULL:
        quickpickle_write_utf8(obj, stream.pos)
    else:
        memcpy(stream.pos, data, size)
    stream.pos += size
    if size >= FRAME_SIZE_TARGET:
        stream.begin_frame()
    return stream.memoize(obj, unique)


cdef int save_large_str(Stream stream, PyObject* obj, Py_ssize_t size) except -1:
    held = <object>obj  # a write may free it, or move it to a place where it is met again
    stream.settle()
    encoded = str.encode(held, "utf-8", "surrogatepass")
    put_str_header(stream, size)
    stream.payload(NULL, size, encoded)
    return stream.memoize(obj, False)


cdef inline int put_str_header(Stream stream, Py_ssize_t size) except -1:
    stream.close_frame_if_large(size)
    if size <= 0xFF and stream.protocol >= 4:
        return stream.put2(OP_SHORT_BINUNICODE, <uint8_t>size)
    if <uint64_t>size >> 32 == 0:
        return stream.put_opcode4(OP_BINUNICODE, <uint32_t>size)
    if stream.protocol >= 4:
        return stream.put_opcode8(OP_BINUNICODE8, <uint64_t>size)
    stream.own()
    raise OverflowError(
        "serializing a string larger than 4 GiB requires pickle protocol 4 or higher"
    )


cdef int save_text(Stream stream, PyObject* obj, bint unique) except -1:
    """A string in protocol 0."""
    cdef size_t size = quickpickle_text_size(obj)
    if size >= FRAME_SIZE_TARGET - 1:
        return save_large_text(stream, obj, size)
    stream.room(size + 2)
    stream.pos[0] = <char>OP_UNICODE
    quickpickle_write_text(stream.pos + 1, obj, size)
    stream.pos[size + 1] = b"\n"
    stream.pos += size + 2
    return stream.memoize(obj, unique)


cdef int save_large_text(Stream stream, PyObject* obj, size_t size) except -1:
    cdef bytes line
    held = <object>obj  # as in save_large_str
    stream.settle()
    if size >= MOST_BYTES:
        raise MemoryError
    line = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size + 1)
    quickpickle_write_text(PyBytes_AS_STRING(line), obj, size)
    PyBytes_AS_STRING(line)[size] = b"\n"
    if stream.protocol >= 4:  # with `bin` set to 0: part of its frame, however long it is
        stream.put_bytes(opcodes.UNICODE + line)
    else:
        stream.put1(OP_UNICODE)
        stream.payload(PyBytes_AS_STRING(line), len(line), line)
    return stream.memoize(<PyObject*>held, False)


cdef inline int put_bytes_header(Stream stream, Py_ssize_t size) except -1:
    stream.close_frame_if_large(size)
    if size <= 0xFF:
        return stream.put2(OP_SHORT_BINBYTES, <uint8_t>size)
    if <uint64_t>size >> 32 == 0:
        return stream.put_opcode4(OP_BINBYTES, <uint32_t>size)
    if stream.protocol >= 4:
        return stream.put_opcode8(OP_BINBYTES8, <uint64_t>size)
    stream.own()
    raise OverflowError(
        "serializing a bytes object larger than 4 GiB requires pickle protocol 4 or higher"
    )


cdef int save_bytes(Stream stream, PyObject* obj, bint unique) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE_(obj)
    if size >= FRAME_SIZE_TARGET:
        return save_large_bytes(stream, obj)
    put_bytes_header(stream, size)
    stream.put(PyBytes_AS_STRING_(obj), size)
    return stream.memoize(obj, unique)


cdef int save_large_bytes(Stream stream, PyObject* obj) except -1:
    held = <object>obj  # as in save_large_str
    put_bytes_header(stream, PyBytes_GET_SIZE_(obj))
    stream.payload(PyBytes_AS_STRING_(obj), PyBytes_GET_SIZE_(obj), held)
    return stream.memoize(obj, False)


cdef int save_bytearray(Stream stream, PyObject* obj) except -1:
    held = <object>obj  # as in save_large_str
    if PyByteArray_GET_SIZE(held) >= FRAME_SIZE_TARGET:
        stream.settle()
        view = memoryview(held)  # so that it keeps its size until it is written
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(held)
    stream.close_frame_if_large(size)
    stream.put_opcode8(OP_BYTEARRAY8, <uint64_t>size)
    stream.payload(PyByteArray_AS_STRING(held), size, held)
    return stream.memoize(obj, False)


cdef int save_picklebuffer(Stream stream, PyObject* pointer) except -1:
    """In band as bytes or bytearray, out of band as a reference to the next buffer (PEP 574)."""
    cdef const Py_buffer* view
    cdef bint readonly
    obj = <object>pointer  # owned, whatever the callback or a write does
    stream.settle()
    if stream.protocol < 5:
        raise buffer_needs_protocol_5()
    # The PickleBuffer's own view is there until other code releases it.
    held = None
    view = PyPickleBuffer_GetBuffer(obj)
    if stream.buffer_callback is not None or view.len >= FRAME_SIZE_TARGET:
        held = memoryview(obj)
        view = PyMemoryView_GET_BUFFER(held)
    if view.suboffsets != NULL or not PyBuffer_IsContiguous(<Py_buffer*>view, c"A"):
        raise PicklingError(
            "PickleBuffer can not be pickled when pointing to a non-contiguous buffer"
        )
    readonly = view.readonly
    if stream.buffer_callback is not None and not stream.buffer_callback(obj):
        stream.put1(OP_NEXT_BUFFER)
        return stream.put1(OP_READONLY_BUFFER) if readonly else 0
    owner = None
    if view.len >= FRAME_SIZE_TARGET and (stream.write is not None or stream.compact):
        owner = held if PyBuffer_IsContiguous(<Py_buffer*>view, c"C") else obj.raw()
        owner = owner.cast("B")
    if readonly:
        put_bytes_header(stream, view.len)
    else:
        stream.close_frame_if_large(view.len)
        stream.put_opcode8(OP_BYTEARRAY8, <uint64_t>view.len)
    stream.payload(<const char*>view.buf, view.len, owner)
    return stream.memoize(pointer, False)
