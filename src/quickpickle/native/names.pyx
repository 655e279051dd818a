# Classes and functions by name: the twin of save_global in names.py.

cdef dict EXTENSION_REGISTRY = copyreg._extension_registry
cdef PyObject* import_function = <PyObject*>__import__
cdef dict BUILTINS = __import__("builtins").__dict__


cdef int save_global(Dump dump, object obj, object name) except -1:
    """Write a class or function by its name, see names.py."""
    if name is None and save_global_here(dump, <PyObject*>obj):
        return 0
    dump.settle()
    found = find_global(obj, name)
    if dump.protocol >= 2:
        code = extension_code(obj, found.module_name, found.full_name)
        if code is not None:
            return dump.put_bytes(encode_extension(code))
    return push_generator(dump, save_found(dump, obj, found), <PyObject*>obj)


cdef inline PyObject* find_quietly(PyObject* names, str name) except? NULL:
    """What a dict has under a name; NULL too where a key with an `__eq__` of its own may be asked."""
    return PyDict_GetItemWithError(names, <PyObject*>name) if quickpickle_has_str_keys(names) else NULL


cdef bint save_global_here(Dump dump, PyObject* obj) except -1:
    """Write a class or function if that takes no other code; return whether it was written.

    That is so where its module is imported and has it under a name without dots, and nobody
    has a word in it: then find_global would find the same with two look-ups in dicts, of whose
    keys none has an `__eq__` of its own. Of "a.b" an import asks for "a" too.
    """
    cdef PyObject* module
    cdef PyObject* package
    cdef Py_ssize_t dot
    cdef PyObject* found
    cdef PyObject* own_name
    if (
        dump.careful
        or dump.protocol < 4
        or (Py_TYPE(obj) != &PyType_Type and Py_TYPE(obj) != function_type)
        or PyDict_Size(<PyObject*>EXTENSION_REGISTRY)
        or find_quietly(<PyObject*>BUILTINS, "__import__") != import_function
    ):
        return False
    if Py_TYPE(obj) == &PyType_Type:
        if (
            (<PyTypeObject*>obj).tp_flags & Py_TPFLAGS_HEAPTYPE  # one of C has it in its name
            and find_quietly((<PyTypeObject*>obj).tp_dict, "__module__") == NULL
        ):
            return False  # it may have none, which is an exception
        # As the attribute, which type itself defines, without a look-up.
        name = <object>PyType_GetQualName(<PyTypeObject*>obj)
        Py_DECREF(<PyObject*>name)
    else:
        name = (<object>obj).__qualname__
    module_name = (<object>obj).__module__
    if type(name) is not str or type(module_name) is not str:
        return False
    modules = <object>PyImport_GetModuleDict()
    if type(modules) is not dict:
        return False
    dot = (<str>module_name).find(".")
    if dot >= 0:
        package = find_quietly(<PyObject*>modules, (<str>module_name)[:dot])
        if package == NULL or package == Py_None or dot == 0:
            return False
    module = find_quietly(<PyObject*>modules, module_name)
    # What a module has beside its dict begins with two underscores; a dot leads into a class.
    if (
        module == NULL
        or Py_TYPE(module) != module_type
        or not module_name
        or (<str>name).startswith("__")
        or "." in <str>name
        or <str>name == "<locals>"
    ):
        return False
    if dump.reducer_override is not absent:  # see only_globals in reduction.py
        own_name = find_quietly(PyModule_GetDict(module), "__name__")
        if <str>module_name == "__main__" or own_name == NULL or Py_TYPE(own_name) != &PyUnicode_Type:
            return False
    found = find_quietly(PyModule_GetDict(module), name)
    if found != obj or not fits(dump, <PyObject*>module_name, <PyObject*>name):
        return False
    save(dump, <PyObject*>module_name, 0)
    save(dump, <PyObject*>name, 0)
    dump.own()  # what a type of C says of itself it makes for whoever asks
    dump.put_memoized(0x93, obj, False)
    return True


cdef inline bint fits(Dump dump, PyObject* first, PyObject* second) noexcept:
    """Whether two strings go into the frame without an end of it, or of the buffer."""
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(first) + PyUnicode_GET_LENGTH(second)
    return dump.stop - dump.pos > 4 * length + 2 * SLACK


def save_found(Dump dump, obj, found):
    if dump.protocol >= 4:
        yield found.module_name
        yield found.name
        dump.put1(0x93)
    elif len(found.path) == 1:
        write_global(dump, found)
    elif PY313:
        # getattr(getattr(<global>, part), part), of which only the whole is memoized.
        for _ in found.path[1:]:
            yield getattr
            if dump.protocol < 2:
                dump.put1(b"(")
        write_global(dump, found)
        for part in found.path[1:]:
            yield part
            dump.put_bytes(b"tR" if dump.protocol < 2 else b"\x86R")
    else:
        # getattr(<parent>, part), where the parent may be such an expression in its turn.
        yield getattr
        yield found.parent, found.path[-1]
        dump.put1(b"R")
    dump.memoize(<PyObject*>obj, False)


cdef int write_global(Dump dump, found) except -1:
    module_line, name_line = encode_names(
        found.module_name, found.path[0], dump.protocol, dump.fix_imports
    )
    if b"\n" in module_line or b"\n" in name_line:  # no one can read that
        dump.is_odd = True
    return dump.put_bytes(b"c%b\n%b\n" % (module_line, name_line))
