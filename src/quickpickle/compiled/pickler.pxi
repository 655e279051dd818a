# class Pickler: as pickling/pickler.py.

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
        """dump($self, obj, /)\n--\n\nWrite the pickle of `obj` to the file.

        Objects that an earlier dump() of this Pickler wrote are only referred to. If dump()
        fails, they still are, and nothing of this one is remembered: the memo is as it was.

        Raises PicklingError, or whatever the object's own code or the file's `write` raises;
        RecursionError where reductions nest deeper than `reduction_limit`; RuntimeError when
        called while a dump() of this Pickler is running; with `compact`, ValueError where the memo
        is not empty.
        """
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
        dump.persistent_id = dump.order = dump.met = None
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
            if type(dump.persistent_id) is BuiltinFunctionType and not self._fast:
                owner = dump.persistent_id.__self__
                if type(owner) is MetObjects:
                    dump.met = owner
        reducer_override = getattr(self, "reducer_override", absent)
        take_hooks(dump, reducer_override, getattr(self, "dispatch_table", absent))
        if self._order is not None:
            if self._fast:
                raise no_fast_mode()
            put_in_order(dump, self._order)
        return 0

    def persistent_id(self, obj):
        """persistent_id($self, obj, /)\n--\n\nThe persistent id of `obj`, or None to pickle it as usual: for subclasses to override.

        Called with every object before anything else is done with it. With protocol 0 the id
        is written as a line of text, so that its str() has to be ASCII without a newline.
        """
        return None

    @property
    def bin(self):
        """1 from protocol 1 on: opcodes have binary arguments."""
        return self._bin

    @bin.setter
    def bin(self, value):
        self._bin = int_member(value)

    @bin.deleter
    def bin(self):
        raise no_int_member_to_delete()

    @property
    def fast(self):
        """If true, nothing is memoized: shared objects are written anew each time, and recursive
        ones are a ValueError. Deprecated in the standard library too.
        """
        return self._fast

    @fast.setter
    def fast(self, value):
        self._fast = int_member(value)

    @fast.deleter
    def fast(self):
        raise no_int_member_to_delete()

    @property
    def memo(self):
        """The objects written so far; can be copied, cleared, and assigned to another Pickler."""
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
        """clear_memo($self, /)\n--\n\nForget what was written so far, so that the next dump() stands on its own."""
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


# Cython cannot show the log of a memo to the garbage collector, as it is no Python attribute.
cdef traverseproc traverse_rest = (<PyTypeObject*>Dump).tp_traverse
(<PyTypeObject*>Dump).tp_traverse = <traverseproc>traverse_memo
