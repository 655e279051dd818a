# dump() and dumps(): as pickling/functions.py.

cdef int set_up(
    Dump dump, int protocol, object write, object file, bint fix_imports, object callback
) except -1:
    """Make a Dump ready for one dump()."""
    dump.protocol = protocol
    dump.bin = protocol > 0
    dump.fast = False
    dump.write = write
    dump.file = file
    dump.write_is_quiet = -1
    dump.outside = IN_OPTIONS
    dump.sent = 0
    dump.compact = False
    dump.fix_imports = fix_imports
    dump.buffer_callback = callback
    dump.last_goes_alone = last_goes_alone
    dump.reduction_limit = dump.few = -1  # asked for when needed
    dump.nested_user_code = 0
    dump.table_epoch = 0
    return 0


cdef Dump new_dump():
    """A Dump without hooks."""
    cdef Dump dump = Dump.__new__(Dump)
    dump.reducer_override = dump.dispatch_table = absent
    return dump


cdef tuple only_globals(object reducer_override):
    """The arguments of @only_globals for a `reducer_override` as it was found on a Pickler."""
    if type(reducer_override) is not MethodType:
        return None
    function = reducer_override.__func__
    if type(function) is not FunctionType:
        return None
    declared = function.__dict__.get("_quickpickle_only_globals")
    return declared if declared is not None and declared[0] is function else None


cdef int take_hooks(Dump dump, object reducer_override, object dispatch_table) except -1:
    dump.reducer_override = reducer_override
    dump.override = only_globals(reducer_override)
    dump.override_version = 0
    dump.dispatch_table = dispatch_table
    return 0


cdef object callable_write(object write):
    """A file's `write`. None has a meaning here, so a function that fails as it stands for it."""
    return not_callable if write is None else write


def not_callable(data):
    raise TypeError("'NoneType' object is not callable")


cdef bint last_goes_alone = PY315
cdef int default_protocol = DEFAULT_PROTOCOL
cdef int highest_protocol = HIGHEST_PROTOCOL
cdef Dump spare = None  # of a dump that has ended: a new one costs as much as a small dump


cdef inline int protocol_number(object protocol) except -1:
    cdef int64_t number = -1
    if protocol is None:
        return default_protocol
    if type(protocol) is int and quickpickle_small_long(<PyObject*>protocol, &number):
        if 0 <= number <= highest_protocol:
            return <int>number
    return check_protocol(protocol)


cdef bytes dump_once(
    object obj, int protocol, object write, object file, bint fix_imports, object callback,
    object order, bint compact, object progress, object reducer_override=absent,
    object dispatch_table=absent
):
    """Write a pickle with a memo that nobody sees."""
    cdef Dump dump
    cdef bint is_written
    global spare
    # It is taken while in use, so a dumps() inside this one, or in another thread, has its own.
    dump, spare = spare, None
    if dump is None:
        dump = new_dump()
    set_up(dump, protocol, write, file, fix_imports, callback)
    dump.compact = compact
    if reducer_override is not absent:
        take_hooks(dump, reducer_override, dispatch_table)
    if order is not None:
        put_in_order(dump, order)
    result = None
    is_written = False
    try:
        if progress is None:
            result = write_pickle(dump, obj)
        else:
            result = write_reported(dump, obj, progress)
            dump.report = None
        is_written = True
    finally:  # not `except`, which costs time without an exception
        if not is_written:
            try:
                note_path(dump, obj, sys.exc_info()[1])
            finally:
                dump.unwind()  # generators on the stack have a reference to it
                dump.order = dump.values = None  # as has `order`
    # After an exception it is not used again.
    if write is not None:
        dump.write = dump.file = None
    if callback is not None:
        dump.buffer_callback = None
    if reducer_override is not absent:
        dump.reducer_override = dump.dispatch_table = absent
        dump.override = None
    if dump.endless_types is not None:
        dump.endless_types = None
    if order is not None:
        order.forget()
        dump.order = dump.values = None
    dump.reset()
    if dump.end - dump.buffer <= FRAME_SIZE_TARGET * 2:
        spare = dump
    return result


def dump(
    obj, file, protocol=None, *, bint fix_imports=True, buffer_callback=None,
    bint deterministic=False, bint compact=False, progress=None, compression=None, level=None
):
    cdef int number = protocol_number(protocol)
    write = plain_write(file)
    is_plain = write is not None
    if not is_plain:
        write = getattr(file, "write", absent)
    if write is absent or compression is not None or level is not None:
        if not dump_to_path(
            file, dump, obj, number, buffer_callback,
            {"fix_imports": fix_imports, "deterministic": deterministic, "compact": compact,
             "progress": progress},
            compression, level,
        ):
            raise TypeError("file must have a 'write' attribute")
        return
    if buffer_callback is not None:
        check_buffer_callback(number)
    dump_once(
        obj, number, callable_write(write), file if is_plain else None, number < 3 and fix_imports,
        buffer_callback, new_order(number, buffer_callback) if deterministic else None, compact,
        progress
    )


dump.__doc__ = DUMP_DOC


def dumps(
    obj, protocol=None, *, bint fix_imports=True, buffer_callback=None, bint deterministic=False,
    bint compact=False, progress=None
):
    cdef int number = protocol_number(protocol)
    if buffer_callback is not None:
        check_buffer_callback(number)
    return dump_once(
        obj, number, None, None, number < 3 and fix_imports, buffer_callback,
        new_order(number, buffer_callback) if deterministic else None, compact, progress
    )


dumps.__doc__ = DUMPS_DOC
make_public(dump, dumps, object_digest, optimize)


def dumps_with_hooks(
    obj, protocol, buffer_callback, reducer_override, dispatch_table, bint deterministic,
    bint compact, progress
):
    cdef int number = protocol_number(protocol)
    if buffer_callback is not None:
        check_buffer_callback(number)
    return dump_once(
        obj, number, None, None, number < 3, buffer_callback,
        new_order(number, buffer_callback) if deterministic else None, compact, progress,
        reducer_override, dispatch_table
    )


dumps_with_hooks.__doc__ = DUMPS_WITH_HOOKS_DOC
