# class Pickler, and the loop over the stack of work: the twin of pickler.py.

cdef int save(Dump dump, object obj) except -1:
    """Write an object, and return 0; or, where it has members, put it on the stack, and return 1."""
    cdef Stream stream = dump.stream
    cdef PyObject* pointer = <PyObject*>obj
    cdef PyTypeObject* cls = Py_TYPE(pointer)
    cdef MemoEntry* entry

    stream.object_begins()

    if dump.persistent_id is not None:
        if dump.is_persistent_id:
            dump.is_persistent_id = False  # an id has no id of its own
        else:
            pid = dump.persistent_id(obj)
            if pid is not None:
                return save_persistent_id(dump, obj, pid)

    if pointer == Py_None:
        return stream.put1(b"N")
    if cls == &PyLong_Type:
        return save_int(stream, obj)
    if cls == &PyBool_Type:
        return save_bool(stream, pointer == Py_True)
    if cls == &PyFloat_Type:
        return save_float(stream, obj)

    entry = stream.memo.find(pointer)
    if entry.key != NULL:
        return stream.get(entry.number)

    if cls == &PyUnicode_Type:
        return save_str(stream, obj)
    if cls == &PyTuple_Type:
        return save_tuple(dump, obj)
    if cls == &PyDict_Type:
        return save_dict(dump, obj)
    if cls == &PyList_Type:
        return save_list(dump, obj)
    if cls == &PyBytes_Type:
        if stream.protocol >= 3:
            return save_bytes(stream, obj)
        if not obj:
            return save_reduction(dump, obj, (bytes, ()), False)
        arguments = str(obj, "latin1"), "latin1"
        return save_reduction(dump, obj, (codecs.encode, arguments), False)
    if cls == &PySet_Type:
        if stream.protocol >= 4:
            return save_set(dump, obj)
        return save_reduction(dump, obj, (set, (list(obj),)), False)
    if cls == &PyFrozenSet_Type:
        if stream.protocol >= 4:
            return save_frozenset(dump, obj)
        return save_reduction(dump, obj, (frozenset, (list(obj),)), False)
    if cls == &PyByteArray_Type:
        if stream.protocol >= 5:
            return save_bytearray(stream, obj)
        return save_reduction(dump, obj, (bytearray, (bytes(obj),) if obj else ()), False)
    if <PyObject*>cls == picklebuffer_type:
        return save_picklebuffer(stream, obj)
    return save_object(dump, obj)


cdef int run(Dump dump, object root) except -1:
    """Write `root` and everything that hangs on it."""
    cdef Kind kind
    save(dump, root)
    while dump.height:
        kind = dump.stack[dump.height - 1].kind
        if kind == REDUCTION_WORK:
            continue_reduction(dump)
        elif kind == DICT_WORK:
            continue_dict(dump)
        elif kind == LIST_WORK:
            continue_list(dump)
        elif kind == TUPLE_WORK:
            continue_tuple(dump)
        elif kind == GENERATOR_WORK:
            continue_generator(dump)
        elif kind == SET_WORK:
            continue_set(dump)
        elif kind == FROZENSET_WORK:
            continue_frozenset(dump)
        else:
            continue_persistent_id(dump)
    return 0


cdef int save_persistent_id(Dump dump, object obj, object pid) except -1:
    if dump.stream.bin:
        dump.stream.enter_user_code(obj)  # an id that holds the object itself has no end
        dump.push(PERSISTENT_ID_WORK, pid)
        return 1
    return dump.stream.put_bytes(b"P%b\n" % encode_persistent_id(pid))


cdef int continue_persistent_id(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    pid = <object>work.obj
    if work.step == 0:
        work.step = 1
        dump.is_persistent_id = True
        if save(dump, pid):
            return 0
    dump.stream.put1(b"Q")
    dump.stream.nested_user_code -= 1
    return dump.pop()


cdef class PicklerCore:
    """What is compiled of `Pickler`."""

    cdef object _write, _buffer_callback
    cdef int _protocol
    cdef bint _fix_imports, _dumping
    cdef Memo _memo
    cdef public int bin, fast

    def __init__(self, file, protocol=None, *, fix_imports=True, buffer_callback=None):
        number = check_protocol(protocol)
        write = getattr(file, "write", absent)
        if write is absent:
            raise TypeError("file must have a 'write' attribute")
        if buffer_callback is not None and number < 5:
            raise ValueError("buffer_callback needs protocol >= 5")
        self.refuse_while_dumping()
        self._write = write
        self._protocol = number
        self._fix_imports = bool(fix_imports) and number < 3
        self._buffer_callback = buffer_callback
        self._memo = Memo()
        self.bin = number > 0
        self.fast = 0

    def dump(self, obj):
        if self._memo is None:
            cls = type(self).__name__
            raise PicklingError(f"Pickler.__init__() was not called by {cls}.__init__()")
        self.refuse_while_dumping()
        cdef Py_ssize_t length = len(self._memo.objects)
        self._dumping = True
        try:
            self.dump_to_stream(obj)
        except BaseException:
            self._memo.rollback(length)
            raise
        finally:
            self._dumping = False

    cdef bytes dump_to_stream(self, object obj):
        cdef Dump dump = new_dump(self._write, self._memo, self._protocol)
        dump.stream.bin = self.bin
        dump.stream.fast = self.fast
        dump.stream.fix_imports = self._fix_imports
        dump.stream.buffer_callback = self._buffer_callback
        dump.stream.reduction_limit = self.reduction_limit
        dump.stream.few = min(FEW, dump.stream.reduction_limit // 2)
        if (
            type(self).persistent_id is not PicklerCore.persistent_id
            or "persistent_id" in getattr(self, "__dict__", ())
        ):
            dump.persistent_id = self.persistent_id
            if dump.persistent_id is None:
                raise TypeError("'NoneType' object is not callable")
        dump.reducer_override = getattr(self, "reducer_override", absent)
        dump.dispatch_table = getattr(self, "dispatch_table", absent)
        dump.stream.begin()
        run(dump, obj)
        return dump.stream.finish()

    def persistent_id(self, obj):
        return None

    @property
    def memo(self):
        return PicklerMemoProxy(self._memo, partial(PicklerCore.clear_memo, self))

    @memo.setter
    def memo(self, memo):
        self.refuse_while_dumping()
        self._memo.replace(memo)

    def clear_memo(self):
        self.refuse_while_dumping()
        self._memo.clear()

    cdef int refuse_while_dumping(self) except -1:
        if self._dumping:
            raise already_used()
        return 0

    def __getstate__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __sizeof__(self):
        size = object.__sizeof__(self)
        if self._memo is not None:
            size += self._memo.__sizeof__() + self._memo.objects.__sizeof__()
        return size


cdef int default_protocol = DEFAULT_PROTOCOL


cdef Dump new_dump(object write, Memo memo, int protocol):
    cdef Dump dump = Dump.__new__(Dump)
    cdef Stream stream = Stream.__new__(Stream)
    stream.write = write
    stream.memo = memo
    stream.protocol = protocol
    stream.bin = protocol > 0
    dump.stream = stream
    dump.reducer_override = dump.dispatch_table = absent
    return dump


class Pickler(PicklerCore):
    __doc__ = python.Pickler.__doc__
    reduction_limit = python.Pickler.reduction_limit

    def __init__(self, file, protocol=None, *, fix_imports=True, buffer_callback=None):
        PicklerCore.__init__(
            self, file, protocol, fix_imports=fix_imports, buffer_callback=buffer_callback
        )


def dump(obj, file, protocol=None, *, fix_imports=True, buffer_callback=None):
    Pickler(file, protocol, fix_imports=fix_imports, buffer_callback=buffer_callback).dump(obj)


dump.__doc__ = python.dump.__doc__


cdef Dump spare = None  # of a dumps() that has ended: making a new one is what a small one costs


def dumps(obj, protocol=None, *, fix_imports=True, buffer_callback=None):
    cdef int number = default_protocol if protocol is None else check_protocol(protocol)
    cdef Dump dump
    global spare
    if buffer_callback is not None and number < 5:
        raise ValueError("buffer_callback needs protocol >= 5")
    # Taken while in use, so a dumps() inside this one, or in another thread, has its own.
    dump, spare = spare, None
    if dump is None:
        dump = new_dump(None, Memo(), number)
    stream = dump.stream
    stream.protocol = number
    stream.bin = number > 0
    stream.fix_imports = number < 3 and bool(fix_imports)
    stream.buffer_callback = buffer_callback
    stream.reduction_limit = Pickler.reduction_limit
    stream.few = min(FEW, stream.reduction_limit // 2)
    stream.begin()
    run(dump, obj)
    result = stream.finish()
    # After an exception it is not used again.
    stream.size = 0
    stream.buffer_callback = None
    stream.endless_types = None
    stream.memo.reset()
    if stream.allocated <= FRAME_SIZE_TARGET * 2:
        spare = dump
    return result


dumps.__doc__ = python.dumps.__doc__
