# class Pickler, dump() and dumps(), and the loop over the stack of work: as pickling/pickler.py,
# pickling/functions.py and pickling/loop.py.

cdef inline int save(Dump dump, PyObject* obj, Py_ssize_t refs) except -1:
    """Write an object, and return 0; or, where it has members, put it on the stack, and return 1.

    `refs` is the number of references that are known, usually its container's: if there are no
    others it cannot be met again. 0 says nothing.
    """
    cdef PyTypeObject* cls = Py_TYPE(obj)
    if dump.pos >= dump.stop or dump.careful:
        return save_carefully(dump, obj, False)
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
        if dump.careful:
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
    if cls == &PyBytes_Type or cls == &PySet_Type or cls == &PyFrozenSet_Type or cls == &PyByteArray_Type:
        return save_without_opcode(dump, obj)
    return save_object(dump, obj, unique)


cdef int save_without_opcode(Dump dump, PyObject* obj) except -1:
    held = <object>obj  # making its reduction may run the garbage collector
    dump.settle()
    return save_reduction(dump, held, without_opcode(held), False)


cdef object without_opcode(object obj):
    """The reduction of an object for which an old protocol has no opcode."""
    if type(obj) is bytes:
        return (codecs.encode, (str(obj, "latin1"), "latin1")) if obj else (bytes, ())
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
    declared = function.__dict__.get("_quickpickle_only_globals") if type(function) is FunctionType else None
    return declared if declared is not None and declared[0] is function else None


cdef int take_hooks(Dump dump, object reducer_override, object dispatch_table) except -1:
    dump.reducer_override = reducer_override
    dump.override = only_globals(reducer_override)
    dump.override_version = 0
    dump.dispatch_table = dispatch_table
    return 0


cdef bytes write_pickle(Dump dump, object obj):
    """Write a whole pickle; return the bytes that did not go to a file."""
    cdef bint compact
    dump.outside = NOTHING
    dump.settle()
    dump.first_epoch = dump.epoch
    # In protocol 0 and in fast mode making an opcode may run the garbage collector, and so other
    # code. The speed of both does not matter.
    dump.careful = (
        dump.persistent_id is not None or not dump.bin or dump.fast or dump.order is not None
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


@cython.binding(False)  # so that the interpreter asks whether `self` is one
cdef class PicklerCore:
    """The compiled base class of `Pickler`."""

    cdef object _write  # None: not initialized
    cdef object _buffer_callback, _progress
    cdef object _persistent_id  # set on the instance; ABSENT: it was not
    cdef object _order  # None: not deterministic
    cdef int _protocol, _bin, _fast
    cdef bint _fix_imports, _dumping, _compact
    cdef Dump _dump

    def __cinit__(self):
        self._persistent_id = absent
        self._dump = new_dump()
        self._dump.visible = True

    def __init__(
        self, file, protocol=None, *, fix_imports=True, buffer_callback=None, deterministic=False,
        compact=False, progress=None
    ):
        cdef bint fixes_imports = fix_imports, is_compact = compact
        cdef int number = protocol_number(protocol)
        cdef Dump dump, old_dump
        write = getattr(file, "write", absent)
        if write is absent:
            raise TypeError("file must have a 'write' attribute")
        if buffer_callback is not None:
            check_buffer_callback(number)
        check_progress(progress)
        order = new_order(number, buffer_callback) if deterministic else None
        dump = self._dump
        if self._write is not None or dump.used:  # else it is the first call, and has its Dump
            dump = new_dump()
            dump.visible = True
        # The old values are held until all are replaced: to free one may run other code.
        old_write, old_callback, old_progress = self._write, self._buffer_callback, self._progress
        old_order, old_dump = self._order, self._dump
        self.refuse_while_dumping()  # last, as the lines before may run other code
        self._write = callable_write(write)
        self._protocol = number
        self._fix_imports = number < 3 and fixes_imports
        self._buffer_callback = buffer_callback
        self._order = order
        self._compact = is_compact
        self._progress = progress
        self._dump = dump
        self._bin = number > 0
        self._fast = 0

    def dump(self, obj):
        if self._write is None:
            cls = type(self).__name__
            raise PicklingError(f"Pickler.__init__() was not called by {cls}.__init__()")
        self.refuse_while_dumping()
        if self._compact:
            check_memo_is_empty(self._dump.count)
            self.refuse_while_dumping()  # again: that may have run other code
        self._dumping = True
        try:
            self.dump_once(self._dump, obj)
        finally:
            self._dumping = False

    cdef int dump_once(self, Dump dump, object obj) except -1:
        """One dump. The memo then has its objects, or, if it fails, the objects of before."""
        cdef Py_ssize_t length = dump.count, used = dump.used
        cdef bint is_complete = False
        try:
            dump.settle()
            self.take_options(dump)
            if self._progress is None:
                write_pickle(dump, obj)
            else:
                write_reported(dump, obj, self._progress)
            dump.retain()  # most Picklers have one dump, so the table can wait
            if self._order is not None:
                self._order.forget()
            is_complete = True
        finally:
            try:
                if not is_complete:
                    note_path(dump, obj, sys.exc_info()[1])
            finally:
                if not is_complete:
                    dump.unwind()
                    dump.rollback(length, used)
                    if self._compact:
                        forget_places(dump)
                        dump.lose_buffer()  # which has all that was written
                dump.forget_call()
                if not is_complete and self._order is not None:
                    self._order.forget()
                    # The old one knows objects that were not written.
                    old = self._order  # freed at the end
                    self._order = new_order(self._protocol, self._buffer_callback)
        return 0

    cdef int take_options(self, Dump dump) except -1:
        set_up(
            dump, self._protocol, self._write, None, self._fix_imports, self._buffer_callback
        )
        dump.bin = self._bin
        dump.fast = self._fast
        dump.compact = self._compact
        dump.reduction_limit = self.reduction_limit
        dump.persistent_id = dump.order = None
        if (
            self._persistent_id is not absent
            or type(self).persistent_id is not core_persistent_id
            or (
                quickpickle_instance_dict(<PyObject*>self) != NULL
                and "persistent_id" in self.__dict__
            )
        ):
            dump.persistent_id = self.persistent_id
            if dump.persistent_id is None:
                raise TypeError("'NoneType' object is not callable")
        reducer_override = getattr(self, "reducer_override", absent)
        take_hooks(dump, reducer_override, getattr(self, "dispatch_table", absent))
        if self._order is not None:
            if self._fast:
                raise no_fast_mode()
            put_in_order(dump, self._order)
        return 0

    def persistent_id(self, obj):
        return None

    @property
    def bin(self):
        return self._bin

    @bin.setter
    def bin(self, value):
        self._bin = int_member(value)

    @bin.deleter
    def bin(self):
        raise no_int_member_to_delete()

    @property
    def fast(self):
        return self._fast

    @fast.setter
    def fast(self, value):
        self._fast = int_member(value)

    @fast.deleter
    def fast(self):
        raise no_int_member_to_delete()

    @property
    def memo(self):
        return PicklerMemoProxy(
            partial(memo_contents, self), partial(PicklerCore.clear_memo, self)
        )

    @memo.setter
    def memo(self, memo):
        cdef Dump dump = new_dump(), old_dump
        dump.visible = True
        dump.fill_in(*read_memo(memo))
        old_order, order = self._order, self.fresh_order()
        self.refuse_while_dumping()  # last, as the lines before may run other code
        old_dump = self._dump  # held, as in __init__
        self._order = order
        self._dump = dump

    @memo.deleter
    def memo(self):
        raise TypeError("attribute deletion is not supported")

    def clear_memo(self):
        old_order, order = self._order, self.fresh_order()
        self.refuse_while_dumping()  # as above
        self._order = order
        self._dump.reset()

    cdef object fresh_order(self):
        return None if self._order is None else new_order(self._protocol, self._buffer_callback)

    cdef int refuse_while_dumping(self) except -1:
        if self._dumping:
            raise already_used()
        return 0

    def __getstate__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __sizeof__(self):
        return object.__sizeof__(self) + self._dump.__sizeof__()


def memo_contents(PicklerCore pickler not None):
    return pickler._dump.contents()


cdef object callable_write(object write):
    """A file's `write`. None has a meaning here, so a function that fails as it stands for it."""
    return not_callable if write is None else write


def not_callable(data):
    raise TypeError("'NoneType' object is not callable")


@cython.final
cdef class PersistentId:
    """The method `persistent_id`, which may be set on a Pickler that has no dict too."""

    def __get__(self, PicklerCore pickler, cls):
        if pickler is None:
            return core_persistent_id
        if pickler._persistent_id is absent:
            return core_persistent_id.__get__(pickler)
        return pickler._persistent_id

    def __set__(self, PicklerCore pickler not None, value):
        old = pickler._persistent_id  # freed after it is replaced
        pickler._persistent_id = value

    def __delete__(self, PicklerCore pickler not None):
        if pickler._persistent_id is absent:
            raise AttributeError("persistent_id")
        old = pickler._persistent_id
        pickler._persistent_id = absent


cdef object core_persistent_id = PicklerCore.persistent_id


class Signature:
    """Shows `inspect` the parameters of the pure Pickler; a compiled __init__ has none."""

    def __get__(self, obj, cls):
        if cls.__init__ is not PicklerCore.__init__:  # a subclass has its own
            raise AttributeError
        import inspect

        return inspect.signature(pickler_parameters)


class Pickler(PicklerCore):
    __slots__ = ("dispatch_table",)  # so that a plain Pickler takes no other attribute
    __module__ = "quickpickle"
    persistent_id = PersistentId()
    __doc__ = PICKLER_DOC
    __signature__ = Signature()
    reduction_limit = REDUCTION_LIMIT


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
    bint deterministic=False, bint compact=False, progress=None
):
    cdef int number = protocol_number(protocol)
    write = plain_write(file)
    is_plain = write is not None
    if not is_plain:
        write = getattr(file, "write", absent)
        if write is absent:
            if not dump_to_path(
                file, dump, obj, number, buffer_callback,
                {"fix_imports": fix_imports, "deterministic": deterministic, "compact": compact,
                 "progress": progress},
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


# Cython cannot show the log of a memo to the garbage collector, as it is no Python attribute.
cdef traverseproc traverse_rest = (<PyTypeObject*>Dump).tp_traverse
(<PyTypeObject*>Dump).tp_traverse = <traverseproc>traverse_memo
