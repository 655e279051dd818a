# None, bool, int, float, str, bytes, bytearray and buffers: the twin of atoms.py.

cdef inline int save_bool(Stream stream, bint value) except -1:
    if stream.protocol >= 2:
        return stream.put1(b"\x88" if value else b"\x89")
    return stream.put(b"I01\n" if value else b"I00\n", 4)


cdef int save_int(Stream stream, object obj) except -1:
    cdef int overflow = 0
    cdef long value = PyLong_AsLongAndOverflow(obj, &overflow)
    cdef Py_ssize_t size
    cdef uint64_t bits
    if not overflow and <int64_t>value == <int64_t><int32_t>value:
        if not stream.bin:
            return stream.put_bytes(b"I%d\n" % value)
        if 0 <= value <= 0xFF:
            return stream.put_opcode1(b"K", <uint8_t>value)
        if 0 <= value <= 0xFFFF:
            stream.room(3)
            stream.buffer[stream.size] = b"M"
            stream.buffer[stream.size + 1] = <char>(value & 0xFF)
            stream.buffer[stream.size + 2] = <char>(value >> 8)
            stream.size += 3
            return 0
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
        stream.put_opcode1(b"\x8a", <uint8_t>size)
    else:
        stream.put_opcode4(b"\x8b", <uint32_t>size)
    stream.room(size)
    quickpickle_long_bytes(obj, stream.buffer + stream.size, size)
    stream.size += size
    return 0


cdef int save_float(Stream stream, object obj) except -1:
    cdef double value = PyFloat_AS_DOUBLE(obj)
    cdef uint64_t bits
    cdef char* target
    cdef int i
    if not stream.bin:
        return stream.put_bytes(b"F%b\n" % repr(obj).encode("ascii"))
    memcpy(&bits, &value, 8)
    stream.room(9)
    target = stream.buffer + stream.size
    target[0] = b"G"
    for i in range(8):
        target[1 + i] = <char>((bits >> (56 - 8 * i)) & 0xFF)
    stream.size += 9
    return 0


cdef int save_str(Stream stream, object obj) except -1:
    cdef const char* data
    cdef Py_ssize_t size
    cdef bytes encoded = None
    if not stream.bin:
        text = str.replace(obj, "\\", "\\u005c")
        for character in "\0\n\r\x1a":
            text = text.replace(character, f"\\u{ord(character):04x}")
        encoded = text.encode("raw-unicode-escape") + b"\n"
        stream.put1(b"V")
        stream.close_frame_if_large(len(encoded))
        stream.payload(PyBytes_AS_STRING(encoded), len(encoded), encoded)
        return stream.memoize(obj)
    if PyUnicode_IS_COMPACT_ASCII(obj):  # the characters are their own UTF-8
        data = <const char*>PyUnicode_DATA(obj)
        size = PyUnicode_GET_LENGTH(obj)
    else:
        encoded = str.encode(obj, "utf-8", "surrogatepass")
        data = PyBytes_AS_STRING(encoded)
        size = PyBytes_GET_SIZE(encoded)
    stream.close_frame_if_large(size)
    if size <= 0xFF and stream.protocol >= 4:
        stream.put_opcode1(b"\x8c", <uint8_t>size)
    elif <uint64_t>size >> 32 == 0:
        stream.put_opcode4(b"X", <uint32_t>size)
    elif stream.protocol >= 4:
        stream.put_opcode8(b"\x8d", <uint64_t>size)
    else:
        raise OverflowError(
            "serializing a string larger than 4 GiB requires pickle protocol 4 or higher"
        )
    if size >= FRAME_SIZE_TARGET and stream.write is not None and encoded is None:
        encoded = str.encode(obj)
    stream.payload(data, size, encoded)
    return stream.memoize(obj)


cdef int put_bytes_header(Stream stream, Py_ssize_t size) except -1:
    stream.close_frame_if_large(size)
    if size <= 0xFF:
        return stream.put_opcode1(b"C", <uint8_t>size)
    if <uint64_t>size >> 32 == 0:
        return stream.put_opcode4(b"B", <uint32_t>size)
    if stream.protocol >= 4:
        return stream.put_opcode8(b"\x8e", <uint64_t>size)
    raise OverflowError(
        "serializing a bytes object larger than 4 GiB requires pickle protocol 4 or higher"
    )


cdef int save_bytes(Stream stream, object obj) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(obj)
    put_bytes_header(stream, size)
    stream.payload(PyBytes_AS_STRING(obj), size, obj)
    return stream.memoize(obj)


cdef int save_bytearray(Stream stream, object obj) except -1:
    cdef Py_ssize_t size = PyByteArray_GET_SIZE(obj)
    stream.close_frame_if_large(size)
    stream.put_opcode8(b"\x96", <uint64_t>size)
    stream.payload(PyByteArray_AS_STRING(obj), size, obj)
    return stream.memoize(obj)


cdef int save_picklebuffer(Stream stream, object obj) except -1:
    """In band as bytes or bytearray, out of band as a reference to the next buffer (PEP 574)."""
    cdef Py_buffer view
    if stream.protocol < 5:
        raise buffer_needs_protocol_5()
    PyObject_GetBuffer(obj, &view, PyBUF_FULL_RO)
    try:
        if view.suboffsets != NULL or not PyBuffer_IsContiguous(&view, c"A"):
            raise PicklingError(
                "PickleBuffer can not be pickled when pointing to a non-contiguous buffer"
            )
        if stream.buffer_callback is not None and not stream.buffer_callback(obj):
            stream.put1(b"\x97")
            if view.readonly:
                stream.put1(b"\x98")
            return 0
        if view.readonly:
            put_bytes_header(stream, view.len)
        else:
            stream.close_frame_if_large(view.len)
            stream.put_opcode8(b"\x96", <uint64_t>view.len)
        owner = None
        if view.len >= FRAME_SIZE_TARGET and stream.write is not None:
            owner = memoryview(obj) if PyBuffer_IsContiguous(&view, c"C") else obj.raw()
            owner = owner.cast("B")
        stream.payload(<const char*>view.buf, view.len, owner)
    finally:
        PyBuffer_Release(&view)
    return stream.memoize(obj)
