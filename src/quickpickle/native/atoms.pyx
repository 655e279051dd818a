# None, bool, int, float, str, bytes, bytearray and buffers: the twin of atoms.py.
#
# The first four rely on the room that there is where an object begins.

cdef inline int save_bool(Stream stream, bint value) except -1:
    if stream.protocol >= 2:
        return stream.put1(0x88 if value else 0x89)
    return stream.put(b"I01\n" if value else b"I00\n", 4)


cdef inline int save_int(Stream stream, PyObject* obj) except -1:
    cdef int64_t value
    cdef char* pos = stream.pos
    if not stream.bin or not quickpickle_small_long(obj, &value):
        return save_other_int(stream, <object>obj)
    if 0 <= value <= 0xFF:
        pos[0] = b"K"
        pos[1] = <char>value
        stream.pos = pos + 2
    elif 0 <= value <= 0xFFFF:
        pos[0] = b"M"
        pos[1] = <char>(value & 0xFF)
        pos[2] = <char>(value >> 8)
        stream.pos = pos + 3
    else:  # a digit has 30 bits at most
        pos[0] = b"J"
        quickpickle_store4(pos + 1, <uint32_t>value)
        stream.pos = pos + 5
    return 0


cdef int save_other_int(Stream stream, object obj) except -1:
    cdef int overflow = 0
    cdef long value = PyLong_AsLongAndOverflow(<PyObject*>obj, &overflow)
    cdef Py_ssize_t size
    cdef uint64_t bits
    if not overflow and <int64_t>value == <int64_t><int32_t>value:
        if not stream.bin:
            return stream.put_bytes(b"I%d\n" % value)
        return stream.put_opcode4(b"J", <uint32_t><int64_t>value)
    if stream.protocol < 2:
        return stream.put_bytes(b"L%bL\n" % repr(obj).encode("ascii"))
    # Little-endian two's complement, in as few bytes as keep the sign. For a negative value
    # ~value needs as many bits.
    if not overflow:
        bits = <uint64_t>(<int64_t>value if value >= 0 else ~<int64_t>value)
        size = 1
        while bits > 0x7F:
            bits >>= 8
            size += 1
    else:
        size = (obj if obj > 0 else ~obj).bit_length() // 8 + 1
        if size > 0x7FFFFFFF:
            raise OverflowError("int too large to pickle")
    if size < 256:
        stream.put_opcode1(0x8A, <uint8_t>size)
    else:
        stream.put_opcode4(0x8B, <uint32_t>size)
    stream.room(size)
    quickpickle_long_bytes(<PyObject*>obj, stream.pos, size)
    stream.pos += size
    return 0


cdef inline int save_float(Stream stream, PyObject* obj) except -1:
    if not stream.bin:
        return stream.put_bytes(b"F%b\n" % repr(<object>obj).encode("ascii"))
    stream.pos[0] = b"G"
    quickpickle_store_double(stream.pos + 1, PyFloat_AS_DOUBLE(obj))
    stream.pos += 9
    return 0


cdef int save_str(Stream stream, PyObject* obj, bint unique) except -1:
    cdef const char* data
    cdef Py_ssize_t size
    if not stream.bin:
        return save_text(stream, <object>obj)
    if PyUnicode_IS_COMPACT_ASCII(obj):  # the characters are their own UTF-8
        data = <const char*>PyUnicode_DATA(obj)
        size = PyUnicode_GET_LENGTH(obj)
    else:
        data = quickpickle_kept_utf8(obj, &size)
        if data == NULL:
            size = quickpickle_utf8_size(obj)
    if size >= FRAME_SIZE_TARGET and stream.write is not None:
        stream.settle()
        encoded = str.encode(<object>obj, "utf-8", "surrogatepass")
        put_str_header(stream, size)
        stream.payload(NULL, size, encoded)
        return stream.memoize(obj, unique)
    put_str_header(stream, size)
    stream.room(size + 6)
    if data == NULL:
        quickpickle_write_utf8(obj, stream.pos)
    else:
        memcpy(stream.pos, data, size)
    stream.pos += size
    if size >= FRAME_SIZE_TARGET:
        stream.begin_frame()
    return stream.memoize(obj, unique)


cdef inline int put_str_header(Stream stream, Py_ssize_t size) except -1:
    stream.close_frame_if_large(size)
    if size <= 0xFF and stream.protocol >= 4:
        return stream.put_opcode1(0x8C, <uint8_t>size)
    if <uint64_t>size >> 32 == 0:
        return stream.put_opcode4(b"X", <uint32_t>size)
    if stream.protocol >= 4:
        return stream.put_opcode8(0x8D, <uint64_t>size)
    raise OverflowError(
        "serializing a string larger than 4 GiB requires pickle protocol 4 or higher"
    )


cdef int save_text(Stream stream, object obj) except -1:
    """A string in protocol 0."""
    text = str.replace(obj, "\\", "\\u005c")
    for character in "\0\n\r\x1a":
        text = text.replace(character, f"\\u{ord(character):04x}")
    encoded = text.encode("raw-unicode-escape") + b"\n"
    stream.put1(b"V")
    stream.close_frame_if_large(len(encoded))
    stream.payload(PyBytes_AS_STRING(encoded), len(encoded), encoded)
    return stream.memoize(<PyObject*>obj, False)


cdef inline int put_bytes_header(Stream stream, Py_ssize_t size) except -1:
    stream.close_frame_if_large(size)
    if size <= 0xFF:
        return stream.put_opcode1(b"C", <uint8_t>size)
    if <uint64_t>size >> 32 == 0:
        return stream.put_opcode4(b"B", <uint32_t>size)
    if stream.protocol >= 4:
        return stream.put_opcode8(0x8E, <uint64_t>size)
    raise OverflowError(
        "serializing a bytes object larger than 4 GiB requires pickle protocol 4 or higher"
    )


cdef int save_bytes(Stream stream, PyObject* obj, bint unique) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE_(obj)
    put_bytes_header(stream, size)
    stream.payload(PyBytes_AS_STRING_(obj), size, <object>obj)
    return stream.memoize(obj, unique)


cdef int save_bytearray(Stream stream, object obj) except -1:
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(obj)
    stream.close_frame_if_large(size)
    stream.put_opcode8(0x96, <uint64_t>size)
    stream.payload(PyByteArray_AS_STRING(obj), size, obj)
    return stream.memoize(<PyObject*>obj, False)


cdef int save_picklebuffer(Stream stream, object obj) except -1:
    """In band as bytes or bytearray, out of band as a reference to the next buffer (PEP 574)."""
    cdef Py_buffer view
    if stream.protocol < 5:
        raise buffer_needs_protocol_5()
    stream.settle()
    PyObject_GetBuffer(obj, &view, PyBUF_FULL_RO)
    try:
        if view.suboffsets != NULL or not PyBuffer_IsContiguous(&view, c"A"):
            raise PicklingError(
                "PickleBuffer can not be pickled when pointing to a non-contiguous buffer"
            )
        if stream.buffer_callback is not None and not stream.buffer_callback(obj):
            stream.put1(0x97)
            if view.readonly:
                stream.put1(0x98)
            return 0
        if view.readonly:
            put_bytes_header(stream, view.len)
        else:
            stream.close_frame_if_large(view.len)
            stream.put_opcode8(0x96, <uint64_t>view.len)
        owner = None
        if view.len >= FRAME_SIZE_TARGET and stream.write is not None:
            owner = memoryview(obj) if PyBuffer_IsContiguous(&view, c"C") else obj.raw()
            owner = owner.cast("B")
        stream.payload(<const char*>view.buf, view.len, owner)
    finally:
        PyBuffer_Release(&view)
    return stream.memoize(<PyObject*>obj, False)
