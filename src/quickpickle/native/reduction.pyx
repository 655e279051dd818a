# Any other object, by its reduction: the twin of reduction.py.

cdef object NEWOBJ = copyreg.__newobj__
cdef dict COPYREG_TABLE = copyreg.dispatch_table


cdef int save_object(Dump dump, object obj) except -1:
    """Write an object of none of the types that have their own function, see reduction.py."""
    cdef Stream stream = dump.stream
    cdef object cls = type(obj)
    cdef bint endless = True
    cdef PyObject* pointer
    reduction = NotImplemented
    if dump.reducer_override is not absent:
        reduction = dump.reducer_override(obj)
    if reduction is NotImplemented:
        if cls is type and obj in SINGLETON_TYPES:
            reduction = type, (SINGLETON_TYPES[obj],)
        elif cls is type or cls is function_type:
            return save_global(dump, obj, None)
        else:
            if dump.dispatch_table is absent:
                reduce = COPYREG_TABLE.get(cls, absent)
            else:
                reduce = look_up(dump.dispatch_table, cls)
            if reduce is not absent:
                reduction = reduce(obj)
            elif PyType_Check(obj):
                return save_global(dump, obj, None)
            else:
                if is_plain(stream.protocol, cls, obj):
                    pointer = PyObject_GenericGetDict(obj, NULL)
                    state = <object>pointer
                    Py_DECREF(state)
                    if not has_own_methods(state):
                        return save_plain(dump, obj, cls, state)
                reduce = getattr(obj, "__reduce_ex__", absent)
                if reduce is not absent:
                    reduction = reduce(stream.protocol)
                    if stream.nested_user_code >= stream.few:
                        if stream.endless_types is None:
                            stream.endless_types = {}
                        known = may_be_endless(stream.endless_types, stream.protocol, cls)
                        endless = known or stream.fast or has_own_reduction(obj, reduce)
                else:
                    reduce = getattr(obj, "__reduce__", absent)
                    if reduce is absent:
                        raise no_reduction(obj)
                    reduction = reduce()
    if PyUnicode_Check(reduction):
        return save_global(dump, obj, reduction)
    return save_reduction(dump, obj, reduction, endless)


cdef int push_generator(Dump dump, object generator) except -1:
    dump.push(GENERATOR_WORK, generator)
    return 1


cdef int save_reduction(Dump dump, object obj, object reduction, bint endless) except -1:
    """Write a reduction of `obj`, and memoize `obj`."""
    cdef Stream stream = dump.stream
    cdef Work* work
    cdef char opcode = b"R"
    state = list_items = dict_items = state_setter = None
    cdef Py_ssize_t size = PyTuple_GET_SIZE(reduction) if type(reduction) is tuple else 0
    # What is wrong is found, and said, by the Python half; so are the rarer items checked.
    if 2 <= size <= 6 and PyCallable_Check((<tuple>reduction)[0]) and type((<tuple>reduction)[1]) is tuple:
        func = (<tuple>reduction)[0]
        args = (<tuple>reduction)[1]
        if size > 2:
            state = (<tuple>reduction)[2]
        if size > 3:
            list_items = (<tuple>reduction)[3]
        if size > 4:
            dict_items = (<tuple>reduction)[4]
        if size > 5:
            state_setter = (<tuple>reduction)[5]
        if list_items is not None or dict_items is not None or state_setter is not None:
            unpack(reduction)
    else:
        func, args, state, list_items, dict_items, state_setter = unpack(reduction)
    if endless:
        stream.enter_user_code(obj)
    if stream.protocol >= 2:
        name = "__newobj__" if func is NEWOBJ else getattr(func, "__name__", None)
        if PyUnicode_Check(name):
            if is_name(name, "__newobj_ex__"):
                new = newobj_ex_arguments(args, stream.protocol)
                rest = reduction_rest(stream, obj, state, list_items, dict_items, state_setter)
                return push_generator(dump, newobj_ex(stream, obj, new, rest, endless))
            if is_name(name, "__newobj__"):
                if size and PyTuple_GET_SIZE(args) and (<tuple>args)[0] is getattr(obj, "__class__", type(obj)) and PyType_Check((<tuple>args)[0]):
                    func = (<tuple>args)[0]
                    args = (<tuple>args)[1:]
                else:
                    func, args = newobj_arguments(obj, args)
                opcode = b"\x81"
    work = dump.push(REDUCTION_WORK, obj)
    work.count = opcode
    work.size = endless
    Py_INCREF(func)
    work.first = <PyObject*>func
    Py_INCREF(args)
    work.second = <PyObject*>args
    rest = None
    if list_items is not None or dict_items is not None or state_setter is not None:
        if list_items is not None or dict_items is not None or state is not None:
            rest = reduction_rest(stream, obj, state, list_items, dict_items, state_setter)
            work.done = 1  # the rest is a generator
    elif state is not None:
        rest = state
    if rest is not None:
        Py_INCREF(rest)
        work.third = <PyObject*>rest
    return 1


cdef inline bint is_name(object name, str wanted) except -1:
    return <str>name == wanted if PyUnicode_CheckExact(name) else str.__eq__(name, wanted)


cdef int continue_reduction(Dump dump) except -1:
    cdef Stream stream = dump.stream
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef MemoEntry* entry
    obj = <object>work.obj
    if work.step == 0:
        work.step = 1
        part = <object>work.first
        if save(dump, part):
            return 0
    if work.step == 1:
        work.step = 2
        part = <object>work.second
        if save(dump, part):
            return 0
    if work.step == 2:
        work.step = 3
        stream.put1(<char>work.count)
        # In the memo by now: reached again from its own arguments, see reduction.py.
        entry = stream.memo.find(<PyObject*>obj)
        if entry.key != NULL:
            stream.put1(b"0")
            stream.get(entry.number)
            return end_reduction(dump)
        stream.memoize(obj)
        if work.third == NULL:
            return end_reduction(dump)
        part = <object>work.third
        if work.done:
            return push_generator(dump, part) - 1
        if save(dump, part):
            return 0
    if not work.done:
        stream.put1(b"b")
    return end_reduction(dump)


cdef int end_reduction(Dump dump) except -1:
    if dump.stack[dump.height - 1].size:
        dump.stream.nested_user_code -= 1
    return dump.pop()


def reduction_rest(Stream stream, obj, state, list_items, dict_items, state_setter):
    """What comes after the object itself, where that is more than a state."""
    if list_items is not None:
        yield from append_items(stream, list_items)
    if dict_items is not None:
        yield from set_items(stream, dict_items)
    if state is not None:
        if state_setter is None:
            yield state
            stream.put1(b"b")
        else:
            # Called for its effect on the object: what it returns is thrown away.
            yield state_setter
            yield obj
            yield state
            stream.put_bytes(b"\x86R0")


def newobj_ex(Stream stream, obj, new, rest, endless):
    """A reduction by __newobj_ex__, which is not hot."""
    for part in new:
        yield part
    stream.put1(b"\x92" if stream.protocol >= 4 else b"R")
    if in_memo(stream, obj):
        stream.put1(b"0")
        stream.get(stream.memo.find(<PyObject*>obj).number)
    else:
        stream.memoize(obj)
        for part in rest:
            yield part
    if endless:
        stream.nested_user_code -= 1


cdef bint in_memo(Stream stream, object obj):
    return stream.memo.find(<PyObject*>obj).key != NULL


cdef object pair(object item):
    # A subclass of tuple may lie about its items, so ask tuple.
    if not issubclass(type(item), tuple) or tuple.__len__(item) != 2:
        raise TypeError("dict items iterator must return 2-tuples")
    return tuple(tuple.__iter__(item))


# --- a plan for instances of ordinary classes

cdef struct Plan:
    PyTypeObject* cls  # borrowed: the version says whether it is still that class
    unsigned int version
    bint plain

cdef Plan plans[512]


cdef inline bint is_plain(int protocol, object cls, object obj) except -1:
    """Whether object.__reduce_ex__ would give (copyreg.__newobj__, (cls,), instance dict).

    Every change of a class or of one of its bases gives it a new version tag (0: none yet), so
    a plan found under the same class and tag was made for the class as it is now.
    """
    cdef PyTypeObject* pointer = <PyTypeObject*>cls
    cdef Plan* plan = &plans[(<size_t>pointer >> 4) & 511]
    if protocol < 2:
        return False
    if plan.cls == pointer and plan.version == pointer.tp_version_tag and plan.version != 0:
        return plan.plain
    return make_plan(plan, cls, obj)


cdef bint make_plan(Plan* plan, object cls, object obj) except -1:
    cdef PyTypeObject* pointer = <PyTypeObject*>cls
    plain = has_plain_class(obj)
    plan.cls = pointer
    plan.version = pointer.tp_version_tag
    plan.plain = plain
    return plain


cdef inline bint has_own_methods(object state) except -1:
    """Whether an instance dict has what would be found before the class's method."""
    return PyDict_Size(state) != 0 and (
        PyDict_Contains(state, "__reduce_ex__")
        or PyDict_Contains(state, "__reduce__")
        or PyDict_Contains(state, "__getstate__")
    )


cdef int save_plain(Dump dump, object obj, object cls, object state) except -1:
    """Write an instance whose reduction is known, without making it."""
    cdef Stream stream = dump.stream
    cdef MemoEntry* entry = stream.memo.find(<PyObject*>cls)
    cdef Py_ssize_t number = entry.number
    cdef bint has_state = PyDict_Size(state) != 0
    cdef Work* work
    if dump.persistent_id is not None or entry.key == NULL:
        work = dump.push(REDUCTION_WORK, obj)
        work.count = b"\x81"
        Py_INCREF(cls)
        work.first = <PyObject*>cls
        Py_INCREF(())
        work.second = <PyObject*>()
        if has_state:
            Py_INCREF(state)
            work.third = <PyObject*>state
        return 1
    # Each of these is an object that begins here, so a frame may end before it.
    stream.object_begins()
    stream.get(number)
    stream.object_begins()
    stream.put(b")\x81", 2)
    stream.memoize(obj)
    if not has_state:
        return 0  # and nothing was pushed: the caller's Work has not moved
    work = dump.push(REDUCTION_WORK, obj)
    work.step = 3
    stream.object_begins()
    save_dict(dump, state)
    return 1
