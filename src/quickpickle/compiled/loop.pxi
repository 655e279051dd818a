# The loop over the stack of work: as pickling/loop.py.

cdef inline int save(Dump dump, PyObject* obj, Py_ssize_t refs) except -1:
    """Write an object, and return 0; or, where it has members, put it on the stack, and return 1.

    `refs` is the number of references that are known, usually its container's: if there are no
    others it cannot be met again. 0 says nothing.
    """
    cdef PyTypeObject* cls = Py_TYPE(obj)
    if dump.pos >= dump.stop or dump.careful:
        if dump.met is None or dump.pos >= dump.stop:
            return save_carefully(dump, obj, False)
        note_met(dump.met, obj)
    if cls == &PyUnicode_Type:
        return save_str(dump, obj, refs)
    if cls == &PyList_Type or cls == &PyTuple_Type or cls == &PyDict_Type:
        return save_container(dump, obj, refs)
    if save_scalar(dump, obj):
        return 0
    return save_other(dump, obj, refs)


cdef int save_container(Dump dump, PyObject* obj, Py_ssize_t refs) except -1:
    """Write a list, tuple or dict, or a reference to it."""
    cdef PyTypeObject* cls = Py_TYPE(obj)
    cdef MemoEntry* entry = NULL
    if not dump.is_unique(obj, refs):
        entry = dump.find_or_make_room(obj)
        if entry.key != NULL:
            if entry.number >= 0:
                return dump.get(entry.number)
            dump.met_again()
            entry = dump.find_or_make_room(obj)
    if cls == &PyTuple_Type:
        return save_tuple(dump, obj, entry == NULL)
    # No other code runs before `entry` is filled.
    return save_list(dump, obj, entry) if cls == &PyList_Type else save_found_dict(dump, obj, entry)


cdef int save_carefully(Dump dump, PyObject* obj, bint is_id) except -1:
    """Write an object while other code may run before it; a persistent id has no id of its own."""
    cdef PyTypeObject* cls
    Py_INCREF_(obj)
    try:
        dump.object_begins()
        if unlikely(dump.met is not None):
            note_met(dump.met, obj)
        elif dump.careful:
            dump.settle()
            if dump.persistent_id is not None and not is_id:
                pid = quickpickle_call_hook(dump.persistent_id, <object>obj)
                if unlikely(pid is not None):
                    return save_persistent_id(dump, <object>obj, pid)
        if unlikely(dump.order is not None):
            return save_in_order(dump, obj)
        cls = Py_TYPE(obj)
        if cls == &PyUnicode_Type:
            return save_str(dump, obj, 0)
        if cls == &PyList_Type or cls == &PyTuple_Type or cls == &PyDict_Type:
            return save_container(dump, obj, 0)
        if save_scalar(dump, obj):
            return 0
        return save_other(dump, obj, 0)
    finally:
        dump.release(obj)


cdef int save_other(Dump dump, PyObject* obj, Py_ssize_t refs) except -1:
    cdef PyTypeObject* cls = Py_TYPE(obj)
    cdef MemoEntry* entry
    cdef bint unique
    if is_scalar(obj):
        return save_rare_scalar(dump, <object>obj)

    unique = dump.is_unique(obj, refs)
    if not unique:
        entry = dump.find(obj)
        if entry.key != NULL:
            if entry.number >= 0:
                return dump.get(entry.number)
            dump.met_again()

    if cls == &PyBytes_Type and dump.protocol >= 3:
        return save_bytes(dump, obj, unique)
    if cls == &PySet_Type and dump.protocol >= 4:
        return save_set(dump, obj, unique)
    if cls == &PyFrozenSet_Type and dump.protocol >= 4:
        return save_frozenset(dump, obj, unique)
    if cls == &PyByteArray_Type and dump.protocol >= 5:
        return save_bytearray(dump, obj)
    if cls == picklebuffer_type:
        return save_picklebuffer(dump, obj)
    if (
        cls == &PyBytes_Type
        or cls == &PySet_Type
        or cls == &PyFrozenSet_Type
        or cls == &PyByteArray_Type
    ):
        return save_without_opcode(dump, obj, unique)
    return save_object(dump, obj, unique)


cdef int save_without_opcode(Dump dump, PyObject* obj, bint unique) except -1:
    cdef int result
    if Py_TYPE(obj) == &PyBytes_Type:
        result = save_latin1(dump, obj, unique)
        if result != ASK:
            return result
    held = <object>obj  # making its reduction may run the garbage collector
    dump.settle()
    return save_reduction(dump, held, without_opcode(held), False)


cdef object encode_function = codecs.encode
cdef str latin1 = "latin1", name_of_encode = "encode"


cdef int save_latin1(Dump dump, PyObject* obj, bint unique) except -1:
    """Write bytes by the reduction that they have below protocol 3, codecs.encode(str, "latin1").

    Or return ASK, having written nothing: so where other code is needed to know how the function
    goes by its name. The str for a single byte is one object in the interpreter, so the memo may
    have it.
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE_(obj)
    if size < 2 or dump.careful:
        return ASK
    if size > FRAME_SIZE_TARGET >> 3 and (
        not dump.bin or dump.write is not None or dump.compact or size > PY_SSIZE_T_MAX >> 1
    ):
        return ASK
    if dump.write is not None and not dump.may_have_parts(6 * size + SLACK):
        return ASK
    if is_encode_known(dump):
        dump.get(dump.number_of(<PyObject*>encode_function))
    elif not (
        dump.reducer_override is absent
        and is_not_reduced(dump, <PyObject*>encode_function)
        and save_if_found(
            dump, <PyObject*>encode_function, encode_function.__module__, name_of_encode
        )
    ):
        return ASK
    return put_latin1(dump, PyBytes_AS_STRING_(obj), size, obj, unique)


cdef int put_latin1(
    Dump dump, const char* data, Py_ssize_t size, PyObject* obj, bint unique
) except -1:
    """Write the rest of it, behind the function."""
    if dump.protocol < 2:
        dump.put1(OP_MARK)
    dump.part_begins()
    if not dump.bin:
        dump.room(2 + 6 * size)
        dump.pos = quickpickle_write_latin1_line(dump.pos, data, size)
    else:
        put_latin1_str(dump, data, size)
    dump.memoize(NULL, True)
    dump.part_begins()
    save_str(dump, <PyObject*>latin1, 0)
    dump.part_begins()
    dump.put_memoized(OP_TUPLE if dump.protocol < 2 else OP_TUPLE2, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef int put_latin1_str(Dump dump, const char* data, Py_ssize_t size) except -1:
    cdef Py_ssize_t encoded = size + quickpickle_count_high(data, size)
    put_str_header(dump, encoded)
    dump.room(<size_t>encoded)
    if encoded == size:
        memcpy(dump.pos, data, size)
    else:
        quickpickle_write_latin1(dump.pos, data, size)
    dump.pos += encoded
    if encoded >= FRAME_SIZE_TARGET:
        dump.begin_frame()
    return 0


cdef inline bint is_encode_known(Dump dump) noexcept:
    """Whether save_latin1() needs no name for its function any more."""
    return dump.number_of(<PyObject*>encode_function) >= 0


cdef inline int save_new_bytes(Dump dump, const char* data, Py_ssize_t size) except -1:
    """Write two or more bytes that are no object, in one piece with what is around them.

    Below protocol 3 is_encode_known() has to hold. Large ones are not for a file.
    """
    if dump.protocol < 3:
        dump.get(dump.number_of(<PyObject*>encode_function))
        return put_latin1(dump, data, size, NULL, True)
    put_bytes_header(dump, size)
    dump.put(data, size)
    if size >= FRAME_SIZE_TARGET:
        dump.begin_frame()
    return dump.memoize(NULL, True)


cdef object without_opcode(object obj):
    """The reduction of an object for which an old protocol has no opcode."""
    if type(obj) is bytes:
        return (encode_function, (str(obj, latin1), latin1)) if obj else (bytes, ())
    if type(obj) is bytearray:
        return (bytearray, (bytes(obj),) if obj else ())
    return (type(obj), (list(obj),))


cdef int run(Dump dump, object root) except -1:
    """Write `root` and all objects that it leads to."""
    cdef Kind kind
    save(dump, <PyObject*>root, 0)
    while dump.height:
        kind = dump.stack[dump.height - 1].kind
        if kind == DICT_WORK:
            continue_dict(dump)
        elif kind == LIST_WORK:
            continue_list(dump)
        elif kind == TUPLE_WORK:
            continue_tuple(dump)
        elif kind == ATTRIBUTES_WORK:
            continue_attributes(dump)
        elif kind == REDUCTION_WORK:
            continue_reduction(dump)
        elif kind == SLOTS_WORK:
            continue_slots(dump)
        elif kind == SET_WORK:
            continue_set(dump)
        elif kind == FROZENSET_WORK:
            continue_frozenset(dump)
        elif kind == LIST_ITEMS_WORK or kind == DICT_ITEMS_WORK:
            continue_items(dump)
        elif kind == GENERATOR_WORK:
            continue_generator(dump)
        elif kind == ORDERED_WORK:
            continue_ordered(dump)
        else:
            continue_persistent_id(dump)
    return 0


cdef int save_persistent_id(Dump dump, object obj, object pid) except -1:
    if dump.bin:
        dump.enter_user_code(obj)  # an id that holds the object itself has no end
        dump.push(PERSISTENT_ID_WORK, <PyObject*>pid)
        return 1
    return dump.put_bytes(b"%b%b\n" % (opcodes.PERSID, encode_persistent_id(pid)))


cdef int continue_persistent_id(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    if work.step == 0:
        work.step = 1
        if save_carefully(dump, work.obj, True):
            return 1
    dump.put1(OP_BINPERSID)
    dump.nested_user_code -= 1
    return dump.pop()


cdef bytes write_pickle(Dump dump, object obj):
    """Write a whole pickle; return the bytes that did not go to a file."""
    cdef bint compact
    dump.outside = NOTHING
    dump.settle()
    dump.first_epoch = dump.epoch
    # In fast mode making an opcode may run the garbage collector, and so other code. The speed of
    # that does not matter, nor of a `bin` that is not the protocol's own.
    dump.careful = (
        dump.persistent_id is not None
        or dump.bin != (dump.protocol > 0)
        or dump.fast
        or dump.order is not None
    )
    dump.logging = not dump.fast
    dump.plain_gets = <uint64_t>1 << 32 if dump.bin and not dump.compact else 0
    dump.has_short_str = dump.protocol >= 4 and dump.bin and not dump.fast
    dump.has_memoize = (dump.protocol >= 4 or dump.compact) and not dump.fast
    dump.memoize_length = not dump.compact
    if dump.compact:
        begin_compact(dump)
    dump.begin()
    if dump.report is not None:
        begin_report(dump)
    run(dump, obj)
    compact = dump.compact
    if dump.allocated > 1024:  # of a deep structure, maybe the only one
        PyMem_Free(dump.stack)
        dump.stack = NULL
        dump.allocated = 0
    result = dump.finish()
    if compact:
        forget_places(dump)
    if dump.report is not None:
        end_report(dump, result)
    return result


cdef bytes write_reported(Dump dump, object obj, object progress):
    """Write a whole pickle, and tell how far that is."""
    reporting = Reporting(progress)
    dump.report = reporting.__enter__()
    try:  # no `with`: see tracebacks.pxi
        return write_pickle(dump, obj)
    finally:
        reporting.__exit__(None, None, None)


cdef int begin_report(Dump dump) except -1:
    dump.first_used = dump.used
    dump.held_size = 0
    dump.next_report = monotonic() + INTERVAL
    return 0


cdef int end_report(Dump dump, bytes result) except -1:
    if dump.visible:
        dump.settle()
    # Else the memo is not needed any more.
    dump.outside = IN_PROGRESS
    dump.report(dump.used - dump.first_used, dump.sent if result is None else len(result))
    return 0
