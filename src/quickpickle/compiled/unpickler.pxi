# The class Unpickler, and load() and loads().

cdef object absent = object()
cdef int HIGHEST_PROTOCOL = _highest_protocol
cdef enum:
    SMALL_PICKLE = 4096
cdef Loader spare = None  # of a load that has ended: a new one costs as much as a small load


cdef object run(Loader loader):
    """Load one pickle."""
    cdef PyObject* made = NULL
    cdef bint is_loaded = False
    try:
        loader.begin()
        loader.open_window()
        made = load_pickle(loader)
        loader.close_window()
        obj = <object>made
        Py_DECREF(made)
        is_loaded = True
        if loader.frame_end != NULL:
            loader.end = loader.data_end
            loader.frame_end = NULL
        finish_input(loader)
    finally:
        if loader.window.is_open:
            loader.close_window()
        if not is_loaded:
            loader.forget_pending()
        loader.clear()
    return obj


cdef object loads_once(
    object data, bint fix_imports, object encoding, object errors, object buffers
):
    cdef Loader loader
    cdef Py_buffer view
    global spare
    loader, spare = spare, None
    if loader is None:
        loader = Loader()
    set_up(loader, fix_imports, encoding, errors, buffers)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        loader.p = loader.start = <const uint8_t*>view.buf
        loader.end = loader.p + view.len
        if view.len > SMALL_PICKLE and loader.window.marker == NULL:
            loader.window.marker = quickpickle_new_marker()
        obj = run(loader)
    finally:
        loader.p = loader.end = loader.frame_end = NULL
        PyBuffer_Release(&view)
    loader.encoding = loader.errors = loader.buffers = None
    spare = loader
    return obj


cdef int set_up(
    Loader loader, bint fix_imports, object encoding, object errors, object buffers
) except -1:
    loader.fix_imports = fix_imports
    loader.encoding = encoding
    loader.errors = errors
    loader.buffers = None if buffers is None else iter(buffers)
    return 0


cdef class UnpicklerCore:
    """The compiled base class of `Unpickler`."""

    cdef object _persistent_load  # set on the instance; absent: it was not
    cdef bint _is_loading
    cdef Loader _loader  # None: not initialized

    def __cinit__(self):
        self._persistent_load = absent

    def __init__(
        self, file, *, fix_imports=True, str encoding not None="ASCII",
        str errors not None="strict", buffers=None
    ):
        cdef Loader loader = Loader(), old
        loader.memo_is_seen = True
        use_file(loader, file)
        set_up(loader, fix_imports, encoding, errors, buffers)
        loader.window.marker = quickpickle_new_marker()
        self.refuse_while_loading()  # last, as the lines before may run other code
        old, self._loader = self._loader, loader  # held until it is replaced

    def load(self):
        cdef Loader loader = self._loader
        if loader is None:
            raise faults.not_initialized(self)
        self.refuse_while_loading()
        self._is_loading = True
        try:
            self.take_hooks(loader)
            return run(loader)
        finally:
            loader.find_class = loader.persistent_load = None
            self._is_loading = False

    cdef int take_hooks(self, Loader loader) except -1:
        if type(self) is not Unpickler:
            find_class = self.find_class
            if getattr(find_class, "__func__", None) is not core_find_class or (
                find_class.__self__ is not self
            ):
                loader.find_class = find_class
        if (
            self._persistent_load is not absent
            or type(self).persistent_load is not core_persistent_load
            or (
                quickpickle_instance_dict(<PyObject*>self) != NULL
                and "persistent_load" in self.__dict__
            )
        ):
            loader.persistent_load = self.persistent_load
        return 0

    def find_class(self, module_name, global_name, /):
        if self._loader is None:
            raise faults.not_initialized(self)
        return find_class(self._loader, module_name, global_name)

    def persistent_load(self, pid, /):
        raise faults.no_persistent_load()

    @property
    def memo(self):
        return UnpicklerMemoProxy(
            partial(memo_contents, self), partial(clear_memo, self)
        )

    @memo.setter
    def memo(self, memo):
        cdef Loader loader
        contents = read_unpickler_memo(memo)
        if self._loader is None:
            raise faults.not_initialized(self)
        self.refuse_while_loading()
        loader = self._loader
        loader.clear_memo()
        for number, obj in contents.items():
            loader.put(number, <PyObject*>obj)

    @memo.deleter
    def memo(self):
        raise TypeError("attribute deletion is not supported")

    cdef int refuse_while_loading(self) except -1:
        if self._is_loading:
            raise faults.unpickler_already_used()
        return 0

    def __getstate__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


def memo_contents(UnpicklerCore unpickler not None):
    cdef Loader loader = unpickler._loader
    cdef Py_ssize_t i
    cdef PyObject* found
    contents = {}
    if loader is None:
        return contents
    loader.make_pending()  # it may be called by a hook
    loader.set_fence()
    for i in range(loader.memo_room):
        found = loader.memo[i]
        if found != NULL:
            contents[i] = <object>found
    if loader.sparse is not None:
        contents.update(loader.sparse)
    return contents


def clear_memo(UnpicklerCore unpickler not None):
    cdef Loader loader = unpickler._loader
    if loader is not None:
        unpickler.refuse_while_loading()
        loader.clear_memo()


@cython.final
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
cdef object core_find_class = UnpicklerCore.find_class


class Unpickler(UnpicklerCore):
    __slots__ = ()
    __module__ = "quickpickle"
    persistent_load = PersistentLoad()


def loads(
    data, /, *, bint fix_imports=True, str encoding not None="ASCII", str errors not None="strict",
    buffers=None
):
    return loads_once(data, fix_imports, encoding, errors, buffers)


def load(
    file, *, bint fix_imports=True, str encoding not None="ASCII", str errors not None="strict",
    buffers=None
):
    cdef Loader loader = Loader()
    use_file(loader, file)
    set_up(loader, fix_imports, encoding, errors, buffers)
    loader.window.marker = quickpickle_new_marker()
    return run(loader)


make_public(load, loads)
