# Classes and functions by name: as pickling/globals.py. rules/globals.py finds them.

cdef dict EXTENSION_REGISTRY = copyreg._extension_registry
cdef PyObject* import_function = <PyObject*>__import__
cdef dict BUILTINS = __import__("builtins").__dict__
cdef dict SYS = __import__("sys").__dict__
# Python 2's names for modules, and for what is in them.
cdef dict OLD_MODULES = REVERSE_IMPORT_MAPPING
cdef dict OLD_NAMES = REVERSE_NAME_MAPPING
cdef tuple known_old_names = tuple(OLD_NAMES)
cdef dict may_be_renamed = {name: None for _, name in known_old_names}
cdef uint64_t old_names_epoch = 0
cdef bint old_names_are_known = False


cdef int save_global(Dump dump, object obj, object name) except -1:
    """Write a class or function by its name, see rules/globals.py."""
    if name is None:
        if save_global_here(dump, <PyObject*>obj):
            return 0
        name = own_name(obj)
    dump.settle()
    if type(name) is str and is_plain_name(<str>name):
        # Asked once only, and after find_global would have refused the name.
        module_name = getattr(obj, "__module__", None)
        dump.settle()
        if save_if_found(dump, <PyObject*>obj, module_name, name):
            return 0
        found = find_global(obj, name, module_name)
    else:
        found = find_global(obj, name)
    if dump.protocol >= 2:
        code = extension_code(obj, found.module_name, found.full_name)
        if code is not None:
            return dump.put_bytes(encode_extension(code))
    return push_generator(dump, save_found(dump, obj, found), <PyObject*>obj)


cdef inline PyObject* find_quietly(PyObject* names, str name) except? NULL:
    """The value for a name in a dict; NULL too where a key with its own `__eq__` may be asked."""
    if not quickpickle_has_str_keys(names):
        return NULL
    return PyDict_GetItemWithError(names, <PyObject*>name)


cdef bint save_global_here(Dump dump, PyObject* obj) except -1:
    """Write a class or function if no other code is needed; return whether it was written."""
    cdef PyObject* module_name = NULL
    if PyType_Check(<object>obj):
        if Py_TYPE(obj) != &PyType_Type and not is_plain_metaclass(Py_TYPE(obj)):
            return False
        if (<PyTypeObject*>obj).tp_flags & Py_TPFLAGS_HEAPTYPE:
            module_name = find_quietly((<PyTypeObject*>obj).tp_dict, "__module__")
        elif Py_TYPE(obj) != &PyType_Type:
            return False
        else:
            own_module = (<object>obj).__module__  # a class of C has the module in its name
            module_name = <PyObject*>own_module
        # The same as the attribute, which type itself defines, without a look-up.
        name = <object>PyType_GetQualName(<PyTypeObject*>obj)
        Py_DECREF(<PyObject*>name)
    elif Py_TYPE(obj) == function_type:
        own_module = (<object>obj).__module__
        module_name = <PyObject*>own_module
        name = (<object>obj).__qualname__
    # A class without a module is an exception.
    return module_name != NULL and save_if_found(dump, obj, <object>module_name, name)


cdef bint is_plain_metaclass(PyTypeObject* metaclass) except -1:
    """Whether a metaclass leaves the names and the identity of its classes as they are."""
    cdef PyObject* found
    for name in ("__getattribute__", "__class__", "__qualname__", "__hash__", "__eq__"):
        if _PyType_Lookup(metaclass, name) != _PyType_Lookup(&PyType_Type, name):
            return False
    # A str is the module of the metaclass itself; its classes have their own.
    found = _PyType_Lookup(metaclass, "__module__")
    return found == _PyType_Lookup(&PyType_Type, "__module__") or (
        found != NULL and Py_TYPE(found) == &PyUnicode_Type
    )


cdef bint save_if_found(Dump dump, PyObject* obj, object module_name, object name) except -1:
    """Write an object by this module and name, if it is found there without other code; return
    whether it was written.

    That is so if its module is imported and has it under a name without dots, and nothing
    overrides these look-ups. Then find_global would find the same with two look-ups in dicts, none
    of whose keys has an `__eq__` of its own.
    """
    cdef PyObject* module
    cdef PyObject* its_name
    if (
        dump.careful
        or type(name) is not str
        or type(module_name) is not str
        or not is_plain_name(<str>name)
        or PyDict_Size(<PyObject*>EXTENSION_REGISTRY)
    ):
        return False
    module = find_module(module_name)
    if module == NULL:
        return False
    if dump.reducer_override is not absent:  # see only_globals in rules/reductions.py
        its_name = find_quietly(PyModule_GetDict(module), "__name__")
        if <str>module_name == "__main__":
            return False
        if its_name == NULL or Py_TYPE(its_name) != &PyUnicode_Type:
            return False
    found = find_quietly(PyModule_GetDict(module), name)
    if found != obj or not fits(dump, <PyObject*>module_name, <PyObject*>name):
        return False
    if dump.protocol < 4:
        return save_lines(dump, obj, <PyObject*>module_name, <PyObject*>name)
    save(dump, <PyObject*>module_name, 0)
    save(dump, <PyObject*>name, 0)
    dump.own()  # a type of C makes its name anew for each request
    dump.put_memoized(OP_STACK_GLOBAL, obj, False)
    return True


cdef PyObject* find_module(str name) except? NULL:
    """The module that an import of this name would find without other code; NULL if there is none.

    It is imported, then, and of the type of modules. An import of "a.b" asks for "a" too.
    """
    cdef PyObject* package
    cdef PyObject* module
    cdef Py_ssize_t dot = name.find(".")
    modules = <object>PyImport_GetModuleDict()
    if (
        type(modules) is not dict
        or find_quietly(<PyObject*>BUILTINS, "__import__") != import_function
    ):
        return NULL
    if dot >= 0:
        package = find_quietly(<PyObject*>modules, name[:dot])
        if package == NULL or package == Py_None or dot == 0:
            return NULL
    module = find_quietly(<PyObject*>modules, name)
    return NULL if module == NULL or Py_TYPE(module) != module_type or not name else module


cdef bint save_lines(
    Dump dump, PyObject* obj, PyObject* module_name, PyObject* name
) except -1:
    """Write GLOBAL, if no other code is needed to know its two lines; return whether it is."""
    cdef PyObject* old
    if dump.fix_imports:
        # With the keys that it had at first, the table has none for another name.
        if (
            not has_known_old_names(dump)
            or find_quietly(<PyObject*>may_be_renamed, <str>name)
            or not quickpickle_has_str_keys(<PyObject*>OLD_MODULES)
        ):
            return False
        old = find_quietly(<PyObject*>OLD_MODULES, <str>module_name)
        if old != NULL:
            module_name = old
    if not is_line(module_name) or not is_line(name) or not fits(dump, module_name, name):
        return False
    dump.put1(OP_GLOBAL)
    put_line(dump, module_name)
    put_line(dump, name)
    dump.memoize(obj, False)
    return True


cdef bint has_known_old_names(Dump dump) noexcept:
    """Whether the table of Python 2's names has the same keys as at first, in this epoch."""
    global old_names_epoch, old_names_are_known
    cdef Py_ssize_t i = 0, position = 0, count = PyTuple_GET_SIZE(<PyObject*>known_old_names)
    cdef PyObject* key
    cdef PyObject* value
    if old_names_epoch != dump.epoch:
        old_names_epoch = dump.epoch
        while (
            quickpickle_dict_next(<PyObject*>OLD_NAMES, &position, &key, &value)
            and i < count
            and key == PyTuple_GET_ITEM(<PyObject*>known_old_names, i)
        ):
            i += 1
        old_names_are_known = i == count == PyDict_GET_SIZE(<PyObject*>OLD_NAMES)
    return old_names_are_known


cdef inline bint is_line(PyObject* text) noexcept:
    """Whether a text is ASCII, and one line."""
    return (
        Py_TYPE(text) == &PyUnicode_Type
        and PyUnicode_IS_COMPACT_ASCII(text)
        and memchr(PyUnicode_DATA(text), b"\n", PyUnicode_GET_LENGTH(text)) == NULL
    )


cdef inline int put_line(Dump dump, PyObject* text) except -1:
    dump.put(<const char*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))
    return dump.put1(NEWLINE)


cdef inline bint is_plain_name(str name):
    """Whether a module can have an object of this name in its dict only.

    A dot leads into a class; what modules have beside their dict begins and ends with underscores.
    """
    cdef bint is_private = bool(name) and name[0] == "_"  # the calls take longer
    return (
        "." not in name
        and not (is_private and name.startswith("__") and name.endswith("__"))
        and name != "<locals>"
    )


cdef inline bint fits(Dump dump, PyObject* first, PyObject* second) noexcept:
    """Whether two strings go into the frame without an end of it, or of the buffer."""
    cdef size_t length = <size_t>PyUnicode_GET_LENGTH(first) + <size_t>PyUnicode_GET_LENGTH(second)
    return (
        length < FRAME_SIZE_TARGET
        and dump.stop - dump.pos > 4 * <Py_ssize_t>length + 2 * SLACK
    )


def save_found(Dump dump, obj, found):
    if dump.protocol >= 4:
        yield found.module_name
        yield found.name
        dump.put1(OP_STACK_GLOBAL)
    elif len(found.path) == 1:
        write_global(dump, found)
    elif PY313:
        # getattr(getattr(<global>, part), part), of which only the whole is memoized.
        for _ in found.path[1:]:
            yield getattr
            if dump.protocol < 2:
                dump.put1(OP_MARK)
        write_global(dump, found)
        for part in found.path[1:]:
            yield part
            dump.put2(OP_TUPLE if dump.protocol < 2 else OP_TUPLE2, OP_REDUCE)
    else:
        # getattr(<parent>, part), where the parent may be such an expression in its turn.
        yield getattr
        yield found.parent, found.path[-1]
        dump.put1(OP_REDUCE)
    dump.memoize(<PyObject*>obj, False)


cdef int write_global(Dump dump, found) except -1:
    module_line, name_line = encode_names(found, dump.protocol, dump.fix_imports)
    if b"\n" in module_line or b"\n" in name_line:  # no reader can load that
        if dump.compact:
            dump.places.is_odd = True
    return dump.put_bytes(b"%b%b\n%b\n" % (opcodes.GLOBAL, module_line, name_line))
