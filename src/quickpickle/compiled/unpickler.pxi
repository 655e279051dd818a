# The class Unpickler, and load() and loads().

cdef int HIGHEST_PROTOCOL = _highest_protocol
cdef enum:
    KEPT_BUFFER = 0x20000
cdef object ascii_encoding = "ASCII", strict = "strict", error = "error"  # what these options are by default
cdef Loader spare = None  # of a load that has ended: a new one costs as much as a small load
cdef Loader unused = Loader()  # of all Unpicklers that were not initialized yet


cdef object run(Loader loader):
    """Load one pickle."""
    cdef PyObject* made = NULL
    cdef bint is_loaded = False
    try:
        loader.begin()
        if loader.missing is not None:
            loader.missing.start()
        loader.open_window()
        if loader.policy is None:
            made = load_pickle(loader, <int>0)
        else:
            made = load_under_policy(loader)
        loader.close_window()
        obj = <object>made
        Py_DECREF(made)
        if loader.frame_end != NULL:
            loader.end = loader.data_end
            loader.frame_end = NULL
        finish_input(loader)
        if loader.missing is not None:
            if not loader.memo_is_seen:
                loader.clear_memo()
            loader.missing.give_states()
        is_loaded = True
    finally:
        loader.close_window()  # if it is open
        try:
            if not is_loaded:
                note_fault(loader)
        finally:
            if not is_loaded:
                if loader.in_place:
                    forget_ahead(loader)
                    forget_shown(loader)
                loader.window.marker = NULL
                loader.forget_pending()
                loader.forget_new()
            loader.clear()
    if loader.window.marker != NULL:
        # The collector looks at its counts where an object is made, and lists may be taken from
        # those that were freed. So one is made that cannot.
        loader.window.marker = NULL
        try:
            Example()
        except MemoryError:  # the load is over
            pass
    return obj


cdef object loads_once(
    object data, bint fix_imports, object encoding, object errors, object buffers, object policy,
    object renames, object missing
):
    cdef Loader loader
    cdef Py_buffer view
    global spare
    loader, spare = spare, None
    if loader is None:
        loader = Loader()
    loader.fix_imports = fix_imports
    loader.encoding = encoding
    loader.errors = errors
    loader.buffers = buffers
    if policy is not None:
        use_policy(loader, policy)
    if renames is not None:
        use_renames(loader, renames, policy)
    if missing is not error:
        use_missing(loader, missing)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        loader.p = loader.start = <const uint8_t*>view.buf
        loader.end = loader.p + view.len
        if view.len > SMALL_PICKLE:
            loader.use_marker()
        obj = run(loader)
    finally:
        loader.p = loader.end = loader.frame_end = NULL
        PyBuffer_Release(&view)
        if loader.policy is not None:
            keep_names(loader)
    loader.encoding = loader.errors = loader.buffers = loader.policy = None
    loader.renames = loader.missing = None
    spare = loader
    return obj


@cython.binding(False)  # so that the interpreter asks whether `self` is one
cdef class UnpicklerCore:
    """The compiled base class of `Unpickler`."""

    cdef object _persistent_load  # set on the instance; absent: it was not
    cdef bint _is_loading
    cdef Loader _loader

    def __cinit__(self):
        self._persistent_load = absent
        self._loader = unused

    def __init__(
        self, file, *, fix_imports=True, encoding="ASCII", errors="strict", buffers=None,
        policy=None, renames=None, missing="error"
    ):
        cdef Loader loader, old
        loader = Loader()
        open_file(
            loader, "Unpickler", file, fix_imports, encoding, errors, buffers, policy, renames, missing
        )
        loader.memo_is_seen = True
        if self._is_loading:  # last, as the lines before may run other code
            raise loading_errors.unpickler_already_used()
        old, self._loader = self._loader, loader  # held until it is replaced

    def load(self):
        """load($self, /)\n--\n\nRead a pickle from the file, and return the object that it describes.

        The memo is kept, so that the next pickle may refer to objects in this one, as the pickles
        of one Pickler do. If load() fails, the memo loses what was new, and the next load() goes on
        behind the opcode that failed.

        Raises UnpicklingError or EOFError where the pickle is damaged, and whatever is raised by
        the classes and functions in it or by the file; RuntimeError when called while a load() of
        this Unpickler is running.
        """
        cdef Loader loader = self._loader
        if loader.file_read is None:
            raise loading_errors.not_initialized(self)
        if self._is_loading:
            raise loading_errors.unpickler_already_used()
        self._is_loading = True
        try:
            self.take_hooks(loader)
            return run(loader)
        finally:
            loader.owner = None
            loader.persistent_load = absent
            self._is_loading = False

    cdef int take_hooks(self, Loader loader) except -1:
        if type(self) is not Unpickler:
            loader.owner = self
        if (
            self._persistent_load is not absent
            or type(self).persistent_load is not core_persistent_load
            or (
                quickpickle_instance_dict(<PyObject*>self) != NULL
                and "persistent_load" in self.__dict__
            )
        ):
            loader.persistent_load = self.persistent_load
        if loader.policy is not None:
            loader.is_hooked = loader.owner is not None and (
                type(self).find_class is not UnpicklerCore.find_class
                or (
                    quickpickle_instance_dict(<PyObject*>self) != NULL
                    and "find_class" in self.__dict__
                )
            )
        return 0

    def find_class(self, module_name, global_name, /):
        """find_class($self, module_name, global_name, /)\n--\n\nFind a class or function by its module and name: for subclasses to override.

        The module is imported if necessary. A subclass may refuse what it does not know.
        """
        return find_class(self._loader, module_name, global_name)

    def persistent_load(self, pid):
        """persistent_load($self, pid, /)\n--\n\nThe object for a persistent id: for subclasses to override.

        Called with what the Pickler's `persistent_id` returned; a str if that is protocol 0.
        """
        raise loading_errors.no_persistent_load()

    @property
    def memo(self):
        """The objects read so far; can be copied, cleared, and assigned to another Unpickler."""
        return UnpicklerMemoProxy(partial(memo_contents, self), partial(clear_memo, self))

    @memo.setter
    def memo(self, memo):
        cdef Loader loader
        contents = read_unpickler_memo(memo)
        if self._loader is unused:
            self._loader = Loader()
            self._loader.memo_is_seen = True
        loader = self._loader
        loader.clear_memo()
        for number, obj in contents.items():
            if loader.policy is not None:  # these are not of its loads
                is_foreign(loader, obj)
            loader.keep(number, <PyObject*>obj)

    @memo.deleter
    def memo(self):
        raise TypeError("attribute deletion is not supported")

    def __getstate__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __sizeof__(self):
        return object.__sizeof__(self) + self._loader.__sizeof__()


def memo_contents(UnpicklerCore unpickler not None):
    cdef Loader loader = unpickler._loader
    cdef Py_ssize_t i
    cdef PyObject* found
    contents = {}
    loader.make_pending()  # it may be called by a hook
    loader.set_fence()
    for i in range(loader.memo_room):
        found = loader.memo[i]
        if is_object(found):
            contents[i] = <object>found
    if loader.sparse is not None:
        contents.update(loader.sparse)
        contents = dict(sorted(contents.items(), key=itemgetter(0)))
    return contents


def clear_memo(UnpicklerCore unpickler not None):
    unpickler._loader.clear_memo()


@cython.final
@cython.binding(False)
cdef class PersistentLoad:
    """The method `persistent_load`, which may be set on an Unpickler that has no dict too."""

    def __get__(self, UnpicklerCore unpickler, cls):
        if unpickler is None:
            return core_persistent_load
        if unpickler._persistent_load is absent:
            return core_persistent_load.__get__(unpickler)
        return unpickler._persistent_load

    def __set__(self, UnpicklerCore unpickler not None, value):
        old = unpickler._persistent_load  # freed after it is replaced
        unpickler._persistent_load = value

    def __delete__(self, UnpicklerCore unpickler not None):
        if unpickler._persistent_load is absent:
            raise AttributeError("persistent_load")
        old = unpickler._persistent_load
        unpickler._persistent_load = absent


cdef object core_persistent_load = UnpicklerCore.persistent_load


class Signature:
    """Shows `inspect` the parameters of the pure Unpickler; a compiled __init__ has none."""

    def __get__(self, obj, cls):
        if cls.__init__ is not UnpicklerCore.__init__:  # a subclass has its own
            raise AttributeError
        import inspect

        return inspect.signature(unpickler_parameters)


class Unpickler(UnpicklerCore):
    __slots__ = ()
    __module__ = "quickpickle"
    __doc__ = UNPICKLER_DOC
    __signature__ = Signature()
    persistent_load = PersistentLoad()


cdef int open_file(
    Loader loader, str function, object file, object fix_imports, object encoding, object errors,
    object buffers, object policy, object renames, object missing
) except -1:
    """Let a Loader read a file; `function` was called with these options."""
    loader.fix_imports = fix_imports
    if encoding is not ascii_encoding or errors is not strict:
        check_text(function, "encoding", encoding)
        check_text(function, "errors", errors)
    use_file(loader, file)
    loader.p = loader.end = loader.start = <const uint8_t*>loader.buffer
    loader.shown = None
    loader.encoding = encoding
    loader.errors = errors
    loader.buffers = None if buffers is None else iter(buffers)
    if policy is not None:
        use_policy(loader, policy)
    if renames is not None:
        use_renames(loader, renames, policy)
    if missing is not error:
        use_missing(loader, missing)
    return 0


cdef int use_missing(Loader loader, object missing) except -1:
    """After use_policy()."""
    from ..rules.missing import Missing, check_missing  # most programs have no use for it

    if missing != error:
        check_missing(missing)
        if loader.policy is None:
            loader.missing = Missing()
        else:
            from ..rules.missing_guard import PlaceholderGuard

            loader.missing = PlaceholderGuard(loader.policy)
    return 0


cdef int use_renames(Loader loader, object renames, object policy) except -1:
    from ..rules.renames import make_renames  # most programs have no use for it

    loader.renames = make_renames(renames, None if policy is None else policy.renames)
    return 0


cdef int forget_file(Loader loader) except -1:
    loader.file_read = loader.file_readline = loader.file_readinto = loader.file_peek = None
    loader.encoding = loader.errors = loader.buffers = loader.mapping = None
    loader.policy = loader.guard = loader.renames = loader.missing = None
    loader.is_file = loader.is_plain_file = loader.looks_up_later = loader.is_bytes_io = False
    loader.p = loader.end = loader.start = NULL
    loader.shown = None
    loader.ahead = 0
    if loader.buffer_room > KEPT_BUFFER:
        PyMem_Free(loader.buffer)
        loader.buffer = NULL
        loader.buffer_room = 0
    return 0


cdef object load_once(
    object file, object fix_imports, object encoding, object errors, object buffers, object policy,
    object renames, object missing
):
    cdef Loader loader
    global spare
    loader, spare = spare, None
    if loader is None:
        loader = Loader()
    open_file(loader, "load", file, fix_imports, encoding, errors, buffers, policy, renames, missing)
    try:
        obj = run(loader)
    finally:
        if policy is not None:
            keep_names(loader)
    forget_file(loader)
    spare = loader
    return obj


def load(
    file, *, fix_imports=True, encoding="ASCII", errors="strict", buffers=None, policy=None,
    renames=None, missing="error"
):
    return load_once(file, fix_imports, encoding, errors, buffers, policy, renames, missing)


load.__doc__ = LOAD_DOC
cdef object load_by_path = None  # see make_load()


def load_quickly(
    file, *, fix_imports=True, encoding="ASCII", errors="strict", buffers=None, mmap=False,
    policy=None, renames=None, missing="error"
):
    cls = type(file)
    if (cls is BytesIO or cls is BufferedReader or cls is FileIO) and mmap is False:
        return load_once(file, fix_imports, encoding, errors, buffers, policy, renames, missing)
    return load_by_path(
        file, fix_imports=fix_imports, encoding=encoding, errors=errors, buffers=buffers,
        mmap=mmap, policy=policy, renames=renames, missing=missing,
    )


def make_load(load):
    global load_by_path
    load_by_path = load
    return update_wrapper(load_quickly, load)


make_load.__doc__ = MAKE_LOAD_DOC


def load_mapped(
    mapping, *, fix_imports=True, encoding="ASCII", errors="strict", buffers=None, renames=None,
    missing="error"
):
    cdef Loader loader = Loader()
    open_file(
        loader, "load", mapping.file, fix_imports, encoding, errors, buffers, None, renames, missing
    )
    loader.mapping = mapping
    return run(loader)


load_mapped.__doc__ = LOAD_MAPPED_DOC


def loads(
    data, /, *, bint fix_imports=True, encoding="ASCII", errors="strict", buffers=None,
    policy=None, renames=None, missing="error"
):
    if encoding is not ascii_encoding or errors is not strict:
        check_text("loads", "encoding", encoding)
        check_text("loads", "errors", errors)
    return loads_once(
        data, fix_imports, encoding, errors, None if buffers is None else iter(buffers), policy,
        renames, missing,
    )


loads.__doc__ = LOADS_DOC
make_public(load, loads)
