# Pickles without the memo entries that nothing refers to: as optimization.py.
#
# A dump with compact=True writes no MEMOIZE and no frames, and notes where its entries and the
# references to them belong. At its end it is known which entries are used. The bytes between are
# copied as they are, the rest is filled in, and frames are made.
#
# For a pickle that exists, optimize() makes two passes. The first reads every opcode, and notes
# where the memo is written and read, and which entries are read. The second copies the bytes
# between, leaves out unused entries, renumbers the others, and makes frames.
#
# Only pickles whose entries count up by one, as all picklers write them, are done here. All other
# pickles, and damaged ones, are left to optimization.py: ODD.

cdef extern from "optimize.h":
    ctypedef struct quickpickle_compaction:
        uint8_t* data
        uint8_t* end
        uint8_t* origin
        uint8_t* p
        uint8_t* pos
        uint8_t* frame
        int protocol, is_apart
        Py_ssize_t stored, base
        uint32_t* marks
        Py_ssize_t marks_room
        const quickpickle_section* section
        const quickpickle_section* sections_end
        int gap_is_taken
        uint32_t* memoize_at
        Py_ssize_t entry
        const uint32_t* get_at
        Py_ssize_t gets
        const Py_ssize_t* held_at
        const Py_ssize_t* held_end
        Py_ssize_t* cuts
        uint8_t* aside

    uint8_t[256] quickpickle_arguments
    uint8_t[256] quickpickle_is_short
    int QP_DONE, QP_ODD, QP_NO_MEMORY
    int WORDS "QP_WORDS"
    Py_ssize_t room_for_frames "quickpickle_room_for_frames"(Py_ssize_t) noexcept
    int quickpickle_scan(quickpickle_compaction*) noexcept
    int quickpickle_write(quickpickle_compaction*) noexcept
    void quickpickle_mark_anew(quickpickle_compaction*) noexcept
    void quickpickle_fill_in(quickpickle_compaction*) noexcept

cdef bytes opcode_arguments = ARGUMENT_OF
memcpy(quickpickle_arguments, PyBytes_AS_STRING(opcode_arguments), 256)
for _code in range(256):
    quickpickle_is_short[_code] = opcode_arguments[_code] == 0 and _code not in b".\x94"


cdef int begin_compaction(quickpickle_compaction* c, char* data, Py_ssize_t size) noexcept:
    # Each by itself: memset of so little takes long to start, 4 % of a small dump.
    c.protocol = c.is_apart = c.gap_is_taken = 0
    c.stored = c.base = c.marks_room = 0
    c.marks = NULL
    c.memoize_at = NULL
    c.held_at = c.held_end = NULL
    c.frame = c.aside = NULL
    c.cuts = NULL
    c.data = c.origin = c.p = c.pos = <uint8_t*>data
    c.end = c.data + size
    return 0


def optimize(data, /):
    cdef quickpickle_compaction c
    cdef Py_buffer view
    cdef PyObject* result = NULL
    cdef Py_ssize_t room
    cdef int done
    if type(data) is not bytes:
        data = memoryview(data)
        if not data.c_contiguous:
            data = bytes(data)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        room = room_for_frames(view.len)
        if view.len > PY_SSIZE_T_MAX - room:
            raise MemoryError
        result = PyBytes_FromStringAndSize_(NULL, view.len + room)
        begin_compaction(&c, PyBytes_AS_STRING_(result), view.len)
        memcpy(c.data, view.buf, view.len)
        done = quickpickle_scan(&c)
        if done == QP_DONE:
            done = quickpickle_write(&c)
        PyMem_RawFree(c.marks)
        PyMem_RawFree(c.aside)
        if done == QP_NO_MEMORY:
            raise MemoryError
        if done == QP_DONE:
            _PyBytes_Resize(&result, c.pos - c.data)
            return <bytes>result
    finally:
        Py_XDECREF(result)
        PyBuffer_Release(&view)
    return optimize_odd(data)


optimize.__doc__ = optimize_odd.__doc__


cdef int hold_back(Stream stream, object owner) except -1:
    """Note a payload, which is written at the end, from its own memory."""
    cdef Places places = stream.places
    stream.settle()
    if type(owner) is bytearray:
        owner = memoryview(owner)  # so that it keeps its size
    if places.held is None:
        places.held, places.held_at = [], []
    places.held.append(owner)
    places.held_at += (places.opcode_at, stream.pos - stream.buffer)
    stream.held_size += len(owner)
    return 0


cdef bint is_complete(Stream stream) except -1:
    """Whether nothing is to be filled in: the pickle has one frame at most and no references."""
    cdef Places places = stream.places
    if (
        places.get_count
        or places.section_count > 1
        or stream.pos - stream.buffer - stream.frame_start >= FRAME_SIZE_TARGET
        or places.held is not None
        or places.is_odd
    ):
        return False
    stream.compact = False
    stream.close_frame()
    return True


cdef bytes finish_compact(Stream stream):
    """Fill in used entries, make frames, and write all; return bytes that do not go to a file."""
    cdef Py_ssize_t count = stream.count, place, start = 0
    cdef Py_ssize_t needed = 0, size
    cdef Places places = stream.places
    cdef list held = places.held, held_at = places.held_at
    cdef bytes result
    cdef char* pos
    places.held = places.held_at = None
    if places.is_too_far:
        stream.own()
        raise OverflowError(
            "an int, persistent id or tuple in itself of 1 GB is too large for compact=True: leave "
            "it out, and use optimize()"
        )
    if stream.visible:
        stream.settle()
    else:
        stream.forget_log()
    if places.is_odd:
        result = write_odd(stream, count, held, held_at)
        stream.pos = stream.buffer
        stream.put(PyBytes_AS_STRING(result), PyBytes_GET_SIZE(result))
        held = None
    else:
        needed = fill_in(stream, count, held_at)
    size = stream.pos - stream.buffer
    if held is None:
        if stream.write is not None:
            result = stream.take_buffer()
            stream.send(result, size, False)
            return None
        if size < FRAME_SIZE_TARGET:
            return PyBytes_FromStringAndSize(stream.buffer, size)
        result = stream.take_buffer()
        history.buffer_size = min(needed, 8 * LARGE - 1024) + 1024
        return result
    if stream.write is None:
        for owner in held:
            if <Py_ssize_t>len(owner) > PY_SSIZE_T_MAX - size:
                raise MemoryError
            size += len(owner)
        result = PyBytes_FromStringAndSize(NULL, size)
        pos = PyBytes_AS_STRING(result)
        quickpickle_make_pages(pos, size)
        for owner, place in zip(held, held_at):
            memcpy(pos, stream.buffer + start, place - start)
            pos += place - start
            pos += copy_payload(pos, owner)
            start = place
        memcpy(pos, stream.buffer + start, stream.pos - stream.buffer - start)
        return result
    result = stream.take_buffer()
    view = memoryview(result)
    size = len(result)
    for owner, place in zip(held, held_at):
        piece = view[start:place] if stream.is_quiet() else result[start:place]
        stream.send(piece, place - start, False)
        stream.send(owner, len(owner), False)
        start = place
    stream.send(view[start:] if stream.is_quiet() else result[start:], size - start, False)
    return None


cdef Py_ssize_t fill_in(Stream stream, Py_ssize_t count, list held_at) except -1:
    """Make a pickle out of the bytes in the buffer, within it.

    `count` is how many entries there are; `held_at` is then where in the pickle payloads belong.
    Returns how much of the buffer that took.
    """
    cdef Places places = stream.places
    cdef quickpickle_compaction c
    cdef Py_ssize_t i, needed, held = 0 if held_at is None else len(held_at) // 2
    cdef Py_ssize_t* payloads = NULL
    begin_compaction(&c, stream.buffer, stream.pos - stream.buffer)
    c.protocol = stream.protocol if stream.protocol >= 2 else stream.bin
    c.section = places.sections
    c.sections_end = places.sections + places.section_count
    c.memoize_at = places.entry_at
    c.stored = count
    c.entry = 0
    c.get_at = places.get_at
    c.gets = places.get_count
    try:
        if held:
            payloads = <Py_ssize_t*>PyMem_Malloc(bytes_of(held, 3 * sizeof(Py_ssize_t)))
            if payloads == NULL:
                raise MemoryError
            for i in range(2 * held):
                payloads[i] = held_at[i]
            c.held_at = payloads
            c.held_end = c.cuts = payloads + 2 * held
        needed = move_away(stream, &c)
        quickpickle_fill_in(&c)
        stream.pos = <char*>c.pos
        if held:
            for i in range(held):
                held_at[i] = payloads[2 * held + i]
            del held_at[held:]
    finally:
        PyMem_Free(payloads)
    return needed


cdef Py_ssize_t move_away(Stream stream, quickpickle_compaction* c) except -1:
    """If there are references, move all bytes of the buffer behind those that replace them.

    Returns how much of the buffer is needed.
    """
    cdef Py_ssize_t size = c.end - c.origin, by = 0
    cdef Py_ssize_t room = room_for_frames(size) + WORDS
    cdef uint64_t most = 0
    if c.gets:
        if stream.places.has_undone:
            quickpickle_mark_anew(c)
        most = min(c.gets, c.stored)  # so many entries are of use, or less
        if c.protocol < 4:
            most = 12 * (most + <uint64_t>c.gets)  # in protocol 0 as many digits as there may be
        if most > <uint64_t>(PY_SSIZE_T_MAX - size):
            raise MemoryError
        most += <uint64_t>room_for_frames(size + <Py_ssize_t>most)
    if most + <uint64_t>room > <uint64_t>(PY_SSIZE_T_MAX - size):
        raise MemoryError
    by = <Py_ssize_t>most
    if stream.end - stream.pos < by + room:
        if quickpickle_resize(&stream.holder, size + by + room) < 0:
            raise MemoryError
        stream.buffer = PyBytes_AS_STRING_(stream.holder)
        stream.pos = stream.buffer + size
        stream.end = stream.pos + by + room
        c.data = c.pos = <uint8_t*>stream.buffer
    c.origin = c.p = c.data + by
    c.end = c.origin + size
    if by:
        c.is_apart = True
        memmove(c.origin, c.data, size)
    return size + by + room


cdef bytes write_odd(Stream stream, Py_ssize_t count, list held, list held_at):
    """Fill all in, as without compact=True, and let optimization.py find the entries in use.

    So the code exists once for a name with a newline in a protocol that ends it with
    one (mostly an exception), or an object that is memoized once more.
    """
    cdef Py_ssize_t at, i, number = 0, start = 0, entry, get
    cdef Py_ssize_t entry_end, get_end
    cdef list parts = [], events = []
    cdef Places places = stream.places
    cdef set again = set(places.again or ())
    for i in range(places.section_count):
        at = places.sections[i].start
        entry_end, get_end = count, places.get_count
        if i + 1 < places.section_count:
            entry_end, get_end = places.sections[i + 1].entries, places.sections[i + 1].gets
        for entry in range(places.sections[i].entries, entry_end):
            events.append((at + (places.entry_at[entry] & ~<uint32_t>QP_IS_USED), 1, entry))
        for get in range(places.sections[i].gets, get_end):
            events.append((at + places.get_at[get], 2, 0))
        if stream.protocol >= 4:
            events.append((at - 9, 3, 0))
    for i, at in enumerate(held_at[1::2] if held else ()):
        events.append((at, 0, i))
    for at, kind, i in sorted(events):
        parts.append(stream.buffer[start:at])
        start = at
        if kind == 0:
            parts.append(held[i])
        elif kind == 1:
            parts.append(
                opcodes.MEMOIZE if stream.protocol >= 4 else memo_opcode(stream.bin, PUTS, number)
            )
            number += i not in again
        elif kind == 2:
            i = int.from_bytes(stream.buffer[at + 1:at + 5], "little")
            parts.append(memo_opcode(stream.bin, GETS, i))
            start += 5
        else:
            start += 9
    parts.append(stream.buffer[start:stream.pos - stream.buffer])
    return optimize_odd(b"".join(parts))


cdef bytes PUTS = opcodes.PUT + opcodes.BINPUT + opcodes.LONG_BINPUT
cdef bytes GETS = opcodes.GET + opcodes.BINGET + opcodes.LONG_BINGET


cdef bytes memo_opcode(bint bin, bytes codes, Py_ssize_t number):
    if not bin:
        return b"%c%d\n" % (codes[0], number)
    if number < 256:
        return b"%c%c" % (codes[1], number)
    return b"%c%b" % (codes[2], number.to_bytes(4, "little"))


cdef Py_ssize_t copy_payload(char* target, object owner) except -1:
    cdef Py_buffer view
    PyObject_GetBuffer(owner, &view, PyBUF_SIMPLE)
    memcpy(target, view.buf, view.len)
    PyBuffer_Release(&view)
    return view.len
