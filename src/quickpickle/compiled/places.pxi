# The places that a dump with compact=True notes: of its entries, of the references to them, and of
# payloads that are not in the buffer. compact.pxi makes the pickle of them.

cdef extern from "compact.h":
    ctypedef struct quickpickle_section:
        Py_ssize_t start, opcode, entries, gets

    enum:
        QP_IS_USED


@cython.final
@cython.binding(False)  # see PicklerCore
cdef class Places:
    """The memory is kept for the next such dump, unless it is much."""

    cdef quickpickle_section* sections  # of the buffer
    cdef Py_ssize_t section_count, section_room
    cdef uint32_t* entry_at  # where in its section each entry belongs, in the order of the log
    cdef Py_ssize_t entry_room
    cdef uint32_t* get_at  # where in its section each reference is
    cdef Py_ssize_t get_count, get_room
    cdef list held  # payloads of the pickle that are not in the buffer, and ...
    cdef list held_at  # ... two places for each: of its opcode, and of its bytes
    cdef Py_ssize_t opcode_at  # where the last large opcode begins
    cdef list again  # places in the log of objects that were in the memo before
    cdef bint is_odd  # see write_odd() in compact.pxi
    cdef bint has_undone  # some references
    cdef bint is_too_far  # a place may be too far off, behind a large opcode

    def __dealloc__(self):
        PyMem_Free(self.sections)
        PyMem_Free(self.entry_at)
        PyMem_Free(self.get_at)

    cdef inline quickpickle_section* newest(self) noexcept:
        return &self.sections[self.section_count - 1]


cdef int begin_compact(Stream stream) except -1:
    """Forget the places of the dump before, and begin to note those of this one."""
    cdef Places places = stream.places
    if places is None:
        places = stream.places = Places()
    places.held = places.held_at = places.again = None
    places.is_odd = places.has_undone = places.is_too_far = False
    places.get_count = places.section_count = 0
    if stream.capacity == 0:
        return stream.enlarge_log()
    return make_room_for_entries(stream)


cdef int make_room_for_entries(Memo memo) except -1:
    """Have a place for each entry of the log."""
    cdef Places places = memo.places
    cdef Py_ssize_t size = memo.capacity
    if places.entry_room < size:
        if 1024 < size < history.entries:
            size = history.entries
        places.entry_at = <uint32_t*>enlarge(memo, places.entry_at, size, sizeof(uint32_t))
        places.entry_room = size
    return 0


cdef int begin_section(Stream stream) except -1:
    cdef Places places = stream.places
    cdef quickpickle_section* section
    cdef Py_ssize_t room = places.section_room
    if places.section_count == room:
        room += (room >> 1) + 16
        places.sections = <quickpickle_section*>enlarge(
            stream, places.sections, room, sizeof(quickpickle_section)
        )
        places.section_room = room
    places.section_count += 1
    section = places.newest()
    section.start = stream.frame_start
    section.opcode = 0
    section.entries = stream.count
    section.gets = places.get_count
    return 0


cdef int enlarge_references(Stream stream) except -1:
    cdef Places places = stream.places
    cdef Py_ssize_t room = places.get_room
    if 1024 < room < history.gets // 2:
        room = history.gets // 2
    room += (room >> 1) + 16
    places.get_at = <uint32_t*>enlarge(stream, places.get_at, room, sizeof(uint32_t))
    places.get_room = room
    return 0


cdef void* enlarge(Memo memo, void* items, Py_ssize_t room, size_t item_size) except NULL:
    items = PyMem_Realloc(items, bytes_of(room, item_size))
    if items == NULL:
        memo.own()  # to raise an exception may run the garbage collector
        raise MemoryError
    return items


cdef int undo_references(Stream stream, Py_ssize_t start) noexcept:
    """The opcodes from here on are undone: of leaves, among which no frame ends."""
    cdef Places places = stream.places
    if stream.compact:
        start -= stream.frame_start
        while (
            places.get_count > places.newest().gets
            and <Py_ssize_t>places.get_at[places.get_count - 1] >= start
        ):
            places.get_count -= 1
            places.has_undone = True  # perhaps the only one to its entry
    return 0


cdef int forget_places(Stream stream) noexcept:
    """Give up large notes of a compact dump."""
    cdef Places places = stream.places
    if places is None:
        return 0
    history.entries = min(stream.used, 1 << 23)
    history.gets = min(places.get_count, 1 << 23)
    PyMem_Free(places.get_at)
    places.get_at = NULL
    places.get_room = 0
    if places.entry_room > 1024:
        PyMem_Free(places.entry_at)
        places.entry_at = NULL
        places.entry_room = 0
    if places.section_room > 64:
        PyMem_Free(places.sections)
        places.sections = NULL
        places.section_room = 0
    return 0
