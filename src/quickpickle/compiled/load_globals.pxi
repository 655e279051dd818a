# Classes and functions by their names.
#
# The rules are in rules/loading.py. A name is looked up here if no other code runs but a hook of
# `sys.audit`: its module is imported, and has the name in its dict.

cdef object original_import = builtins.__import__
cdef dict builtins_dict = vars(builtins)
cdef dict IMPORT_MAPPING = loading.IMPORT_MAPPING, NAME_MAPPING = loading.NAME_MAPPING


cdef object find_global(Loader self, object module, object name):
    """The object that an opcode names."""
    if self.renames is not None:
        module, name = new_names(self, module, name)
    if self.missing is not None:
        return find_or_replace(self, module, name)
    return find_named(self, module, name)


cdef object find_or_replace(Loader self, object module, object name):
    """The object with this name, or a Placeholder."""
    self.close_window()
    found = self.missing.find(
        module, name, self.proto, self.fix_imports, partial_find_class(self), False
    )
    self.open_window()
    return found


cdef tuple new_names(Loader self, object module, object name):
    self.close_window()
    found = self.renames(module, name)
    self.open_window()
    return found


cdef object find_named(Loader self, object module, object name):
    """The object with this name, by find_class() of the Unpickler."""
    self.close_window()
    if self.owner is not None:
        found = self.owner.find_class(module, name)
    else:
        found = find_class(self, module, name)
    self.open_window()
    return found


cdef object find_class(Loader self, object module, object name):
    """Unpickler.find_class. Runs other code."""
    cdef PyObject* value
    if (
        type(module) is str and type(name) is str
        and (self.proto >= 3 or not self.fix_imports or not is_renamed(module, name))
        # `__dict__` and the like are the module's own, which comes before what its dict has.
        and not is_special(<PyObject*>name) and not (self.proto >= 4 and "." in name)
    ):
        found = imported_module(module)
        if found is not None and name in <dict>PyModule_GetDict(<PyObject*>found):
            PySys_Audit("pickle.find_class", "OO", <PyObject*>module, <PyObject*>name)
            if PyModule_CheckExact(<PyObject*>found):  # a hook may have changed all
                value = PyDict_GetItemWithError(
                    PyModule_GetDict(<PyObject*>found), <PyObject*>name
                )
                if value != NULL:
                    return <object>value
            return getattr(found, name)
    return loading.find_class(module, name, self.proto, self.fix_imports, self.renames)


cdef object imported_module(str name):
    """The module that __import__ would only look up, and getattr would ask its dict; else None.

    An import of "a.b" asks for "a" too.
    """
    cdef PyObject* found
    cdef Py_ssize_t dot
    if builtins_dict.get("__import__") is not original_import:
        return None
    dot = name.find(".")
    if dot >= 0 and imported_module(name[:dot]) is None:
        return None
    found = PyDict_GetItemWithError(PyImport_GetModuleDict(), <PyObject*>name)
    if found == NULL or not PyModule_CheckExact(found):
        return None
    module = <object>found
    spec = (<dict>PyModule_GetDict(found)).get("__spec__")
    if spec is not None and getattr(spec, "_initializing", False):
        return None  # it may not be complete: __import__ waits for the other thread
    return module


cdef bint is_renamed(str module, str name) except -1:
    """Whether the names of Python 2 stand for others."""
    return module in IMPORT_MAPPING or (module, name) in NAME_MAPPING


cdef inline bint is_special(PyObject* name) noexcept:
    return (
        PyUnicode_GET_LENGTH(name) >= 2
        and PyUnicode_READ_CHAR(name, 0) == c"_" and PyUnicode_READ_CHAR(name, 1) == c"_"
    )


cdef int load_stack_global(Loader self) except -1:
    if self.top - self.fence < 2:
        self.underflow(2)
    if Py_TYPE(self.top[-1]) != &PyUnicode_Type or Py_TYPE(self.top[-2]) != &PyUnicode_Type:
        raise self.fault().names_not_str()
    return self.replace(2, find_global(self, <object>self.top[-2], <object>self.top[-1]))


cdef int push_new(Loader self, object obj) except -1:
    Py_INCREF(obj)
    self.push(<PyObject*>obj)
    return 0


cdef int load_global(Loader self) except -1:
    module = take_name(self, "utf-8")
    name = take_name(self, "utf-8")
    return push_new(self, find_global(self, module, name))


cdef object take_name(Loader self, str encoding):
    cdef Py_ssize_t size
    cdef const char* text = next_line(self, &size)
    cdef PyObject* made
    if size and quickpickle_is_ascii(<const uint8_t*>text, size):  # the same in both encodings
        made = quickpickle_make_str(<const uint8_t*>text, size)
        if made == NULL:
            raise MemoryError
        name = <object>made
        Py_DECREF(made)
        return name
    line = text[:size]
    self.close_window()
    name = loading.parse_name(line, encoding)
    self.open_window()
    return name


cdef int load_extension(Loader self, long code) except -1:
    self.close_window()
    get = loading.get_extension if self.missing is None else self.missing.extension
    obj = get(code, partial_find_class(self))
    self.open_window()
    push_new(self, obj)
    return 0


cdef object partial_find_class(Loader self):
    if self.owner is not None:
        return self.owner.find_class
    return FindClass(self)


@cython.final
@cython.binding(False)
cdef class FindClass:
    """find_class() for a load without an Unpickler."""
    cdef Loader loader

    def __cinit__(self, Loader loader):
        self.loader = loader

    def __call__(self, module, name):
        return find_class(self.loader, module, name)
