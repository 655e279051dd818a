# Any other object, by its reduction: as pickling/reductions.py.

cdef object NEWOBJ = copyreg.__newobj__
cdef object none_type = type(None)
cdef object ellipsis_type = type(...)
cdef object not_implemented_type = type(NotImplemented)
cdef dict COPYREG_TABLE = copyreg.dispatch_table
cdef PyTypeObject* chain_map_type = <PyTypeObject*>ChainMap
cdef tuple chain_map_lookup = chain_map_methods()
cdef unsigned int chain_map_version = 0  # of the class, when its methods were last looked at
cdef str name_of_maps = "maps"
cdef int FROM_OVERRIDE = OVERRIDE
cdef int FROM_OWN_TABLE = OWN_TABLE
cdef int FROM_COPYREG = COPYREG


cdef int save_object(Dump dump, PyObject* pointer, bint unique) except -1:
    """Write an object of none of the types that have their own function, as in pickling/."""
    cdef PyTypeObject* cls = Py_TYPE(pointer)
    cdef PyObject* plan
    cdef PyObject* listed
    cdef int result
    # A hook for classes and functions only need not be called where there is a plan: that is no
    # class, no function, and cannot claim to be one, its `__class__` being object's (see
    # rules/plans.py).
    if dump.reducer_override is absent or dump.override is not None:
        if PyType_Check(<object>pointer) or cls == function_type:
            if (
                is_left_alone(dump, pointer)
                and is_not_reduced(dump, pointer)
                and save_global_here(dump, pointer)
            ):
                return 0
        elif dump.dispatch_table is absent or is_unlisted(dump, cls, &listed):
            plan = find_plan(dump, cls)
            if plan != NULL and holds(dump, <Plan>plan):
                result = save_planned(dump, pointer, unique, <Plan>plan)
                if result != ASK:
                    return result
    # Other code runs from here on, and may give up the object.
    Py_INCREF_(pointer)
    try:
        dump.settle()
        return ask(dump, <object>pointer)
    finally:
        dump.release(pointer)


cdef bint is_not_reduced(Dump dump, PyObject* obj) except -1:
    """Whether a class or function goes by its name unless a hook says otherwise."""
    cdef PyObject* listed
    if Py_TYPE(obj) == &PyType_Type:
        return not is_singleton_type(obj)
    if Py_TYPE(obj) == function_type:
        return True
    # A metaclass may have a reduction function.
    if dump.dispatch_table is absent:
        return is_unregistered(dump, Py_TYPE(obj))
    return is_unlisted(dump, Py_TYPE(obj), &listed)


cdef inline bint is_unregistered(Dump dump, PyTypeObject* cls) except -1:
    """Whether copyreg's table lacks a class; False if other code is needed to know."""
    return (
        quickpickle_is_plain_class(<PyObject*>cls)
        and copyreg_is_quiet(dump)
        and PyDict_GetItemWithError(<PyObject*>COPYREG_TABLE, <PyObject*>cls) == NULL
    )


cdef bint is_left_alone(Dump dump, PyObject* obj) except -1:
    """Whether no hook decides about a class or function that save_global_here() finds."""
    if dump.reducer_override is absent:
        return True
    if dump.override is None:
        return False
    if dump.override_epoch != dump.epoch:
        dump.override_epoch = dump.epoch
        look_at_override(dump)
    if Py_TYPE(obj) == function_type:
        return dump.leaves_functions
    return (
        dump.leaves_classes
        and quickpickle_is_plain_class(obj)
        and PyDict_GetItemWithError(<PyObject*>dump.override[1], obj) == NULL
    )


cdef int look_at_override(Dump dump) except -1:
    """See whether the hook still is as only_globals in rules/reductions.py was told."""
    # No object is made here, as that may run the garbage collector.
    classes, modules = dump.override[1], dump.override[2]
    code, methods = dump.override[3], dump.override[4]
    dump.leaves_classes = (
        type(classes) is dict
        and type(modules) is set
        and type(code) is dict
        and type(methods) is dict
        and len(<set>modules) == 0
        # save_if_found() looks into the interpreter's modules, the hook into those of sys.
        and find_quietly(<PyObject*>SYS, "modules") == PyImport_GetModuleDict()
        and is_as_known(dump, <dict>code)
    )
    dump.leaves_functions = dump.leaves_classes and has_methods(
        PyMethod_GET_SELF(dump.reducer_override), <dict>methods
    )
    return 0


cdef bint is_as_known(Dump dump, dict code) except -1:
    """Whether modules and classes still have the same objects under these names."""
    cdef PyObject* names
    cdef uint64_t version, newest = 0
    for owner in code:
        version = quickpickle_dict_version(names_of(owner))
        newest = max(newest, version)
    # A dict that is changed gets a greater version than any dict had before.
    if newest != 0 and newest == dump.override_version:
        return True
    for owner, known in code.items():
        names = names_of(owner)
        for name, value in (<dict>known).items():
            if find_quietly(names, name) != <PyObject*>value:
                return False
    dump.override_version = newest
    return True


cdef inline PyObject* names_of(object owner):
    if PyType_Check(owner):
        return (<PyTypeObject*>owner).tp_dict
    return PyModule_GetDict(<PyObject*>owner)


cdef bint has_methods(PyObject* obj, dict methods) except -1:
    """Whether an object has these methods; False if other code is needed to know."""
    cdef Attributes attributes
    cdef PyObject* key = NULL
    cdef PyObject* value = NULL
    cdef Py_ssize_t position = 0
    if not quickpickle_has_generic_getattr(Py_TYPE(obj)):
        return False
    for name, function in methods.items():
        if _PyType_Lookup(Py_TYPE(obj), name) != <PyObject*>function:
            return False
    attributes = attributes_of(obj)
    while next_attribute(&attributes, &position, &key, &value):
        if (
            Py_TYPE(key) != &PyUnicode_Type
            or PyDict_GetItemWithError(<PyObject*>methods, key) != NULL
        ):
            return False
    return True


cdef inline bint is_unlisted(Dump dump, PyTypeObject* cls, PyObject** listed) except -1:
    """Whether a Pickler's own dispatch table lacks a class; False if other code is needed to know.

    `listed` is the entry of the table (borrowed), NULL if other code is needed to know.
    """
    cdef int i
    listed[0] = NULL
    if dump.table_epoch != dump.epoch:
        dump.table_epoch = dump.epoch
        find_tables(dump)
    if not dump.table_count or not quickpickle_is_plain_class(<PyObject*>cls):
        return False
    for i in range(dump.table_count):
        listed[0] = PyDict_GetItemWithError(dump.tables[i], <PyObject*>cls)
        if listed[0] != NULL:
            return False
    return True


cdef int find_tables(Dump dump) except -1:
    """Find the dicts of a dispatch table: a dict, or a ChainMap of dicts, as cloudpickle has."""
    cdef PyObject* table = <PyObject*>dump.dispatch_table
    cdef PyObject* attributes
    cdef PyObject* key
    cdef PyObject* maps
    cdef Py_ssize_t i, position = 0
    dump.table_count = 0
    if Py_TYPE(table) == &PyDict_Type:
        return add_table(dump, table)
    # ChainMap looks a key up in one of its maps after the other. This holds as long as nobody has
    # changed the methods of the class, and the instance has no attribute but its maps.
    if (
        Py_TYPE(table) != chain_map_type
        or chain_map_version == 0
        or quickpickle_type_version(chain_map_type) != chain_map_version
    ):
        return 0
    attributes = quickpickle_instance_dict(table)
    if attributes == NULL or PyDict_Size(attributes) != 1:
        return 0
    PyDict_Next(attributes, &position, &key, &maps)
    if Py_TYPE(key) != &PyUnicode_Type or <str>key != name_of_maps:
        return 0
    if Py_TYPE(maps) != &PyList_Type or len(<list>maps) > TABLES:
        return 0
    for i in range(len(<list>maps)):
        if not add_table(dump, PyList_GET_ITEM(maps, i)):
            dump.table_count = 0
            break
    return 0


cdef tuple chain_map_methods():
    """The methods that a look-up in a ChainMap uses."""
    cdef list methods = []
    for name in ("__getitem__", "__missing__", "__getattribute__", "__getattr__", "maps"):
        methods.append(find(ChainMap, name))
    return tuple(methods)


cdef int look_at_chain_map() except -1:
    """See whether ChainMap looks a key up as it did at first. Other code may run."""
    global chain_map_version
    if chain_map_version == 0 or quickpickle_type_version(chain_map_type) != chain_map_version:
        # The version also changes with other attributes: copyreg sets one.
        for was, method in zip(chain_map_lookup, chain_map_methods()):
            if method is not was:
                return 0
        getattr(ChainMap, "__getitem__")  # now it has a version tag
        chain_map_version = quickpickle_type_version(chain_map_type)
    return 0


cdef int add_table(Dump dump, PyObject* table) except -1:
    """Take a dict whose keys run no code when a class is looked up; return whether it is one.

    Plain classes are like that; functions too, of which cloudpickle has one in its table.
    """
    cdef Py_ssize_t position = 0
    cdef uint64_t version
    cdef PyObject* key
    cdef PyObject* value
    if Py_TYPE(table) != &PyDict_Type:
        return 0
    version = quickpickle_dict_version(table)  # no other dict has it, nor this one after a change
    if version == 0 or version != dump.table_versions[dump.table_count]:
        while quickpickle_dict_next(table, &position, &key, &value):
            if not quickpickle_is_plain_class(key) and Py_TYPE(key) != function_type:
                return 0
            # Another metaclass may change, and a key may have been put in with another hash.
            if Py_TYPE(key) != &PyType_Type and Py_TYPE(key) != function_type:
                version = 0
        dump.table_versions[dump.table_count] = version
    dump.tables[dump.table_count] = table
    dump.table_count += 1
    return 1


cdef inline bint is_singleton_type(PyObject* cls) noexcept:
    return (
        cls == <PyObject*>none_type
        or cls == <PyObject*>ellipsis_type
        or cls == <PyObject*>not_implemented_type
    )


cdef object find_reducer(Dump dump, object cls):
    """The entry of a Pickler's own dispatch table for a class, or ABSENT. Other code may run."""
    cdef PyObject* listed
    look_at_chain_map()
    if is_unlisted(dump, <PyTypeObject*>cls, &listed):
        return absent
    return look_up(dump.dispatch_table, cls) if listed == NULL else <object>listed


cdef int ask(Dump dump, object obj) except -1:
    """Find out how an object wants to be rebuilt, and write that."""
    cdef object cls = type(obj)
    cdef bint endless = True
    cdef int result, origin = 0  # of the reduction, see rules/reductions.py
    array_reduction = None
    reduction = NotImplemented
    if dump.reducer_override is not absent and not (
        dump.override is not None and is_plainly_no_global(dump, obj)
    ):
        reduction = quickpickle_call_hook(dump.reducer_override, obj)
        origin = FROM_OVERRIDE
    if reduction is NotImplemented:
        origin = 0
        if cls is type and obj in SINGLETON_TYPES:
            reduction = type, (SINGLETON_TYPES[obj],)
        elif cls is type or cls is FunctionType:
            return save_global(dump, obj, None)
        else:
            if dump.dispatch_table is absent:
                reduce = COPYREG_TABLE.get(cls, absent)
            else:
                reduce = find_reducer(dump, cls)
            if reduce is not absent:
                reduction = reduce(obj)
                origin = FROM_COPYREG if dump.dispatch_table is absent else FROM_OWN_TABLE
            elif PyType_Check(obj):
                return save_global(dump, obj, None)
            else:
                if dump.order is None:
                    plan = make_plan(dump, obj)
                    if holds(dump, plan):
                        result = save_planned(dump, <PyObject*>obj, False, plan)
                        if result != ASK:
                            return result
                        dump.settle()
                    if plan.kind == NDARRAY:
                        array_reduction = reduce_array(dump, obj, plan)
                if array_reduction is not None:
                    reduction = array_reduction
                    endless = False
                elif (reduce := getattr(obj, "__reduce_ex__", absent)) is not absent:
                    reduction = reduce(dump.protocol)
                    if dump.nested_user_code >= read_few(dump):
                        endless = is_endless(dump, obj, reduce)
                else:
                    reduce = getattr(obj, "__reduce__", absent)
                    if reduce is absent:
                        raise no_reduction(obj)
                    reduction = reduce()
    dump.settle()  # the other code may have changed objects that were looked up
    if PyUnicode_Check(reduction):
        return save_global(dump, obj, reduction)
    if dump.order is not None:
        reduction = reduce_in_order(dump, obj, reduction)
    save_reduction(dump, obj, reduction, endless)
    dump.stack[dump.height - 1].position = origin
    return 1


cdef Py_ssize_t read_few(Dump dump) except -1:
    if dump.few < 0:
        if dump.reduction_limit < 0:
            dump.reduction_limit = Pickler.reduction_limit
        dump.few = min(FEW, dump.reduction_limit // 2)
    return dump.few


cdef bint is_endless(Dump dump, object obj, object reduce) except -1:
    if dump.endless_types is None:
        dump.endless_types = {}
    known = may_be_endless(dump.endless_types, dump.protocol, type(obj))
    return known or dump.fast or has_own_reduction(obj, reduce)


cdef int save_reduction(Dump dump, object obj, object reduction, bint endless) except -1:
    """Write a reduction of `obj`, and memoize `obj`."""
    cdef Work* work
    cdef char opcode = OP_REDUCE
    cdef bint rare = False
    cdef bint is_tuple = type(reduction) is tuple
    cdef Py_ssize_t i, size = PyTuple_GET_SIZE(<PyObject*>reduction) if is_tuple else 0
    state = kwargs = None
    # unpack() finds the fault and raises the exception.
    if size < 2 or size > 6 or not has_good_items(<tuple>reduction):
        reduction = unpack(reduction)
        size = 6
    func = (<tuple>reduction)[0]
    args = (<tuple>reduction)[1]
    if size > 2:
        state = (<tuple>reduction)[2]
    for i in range(3, size):
        rare = rare or (<tuple>reduction)[i] is not None
    if endless:
        dump.enter_user_code(obj)
    if dump.protocol >= 2 and not (
        Py_TYPE(<PyObject*>func) == &PyType_Type
        and not quickpickle_is_called_newobj(<PyTypeObject*>func)
    ):
        name = "__newobj__" if func is NEWOBJ else getattr(func, "__name__", None)
        if PyUnicode_Check(name):
            if is_name(name, "__newobj_ex__"):
                func, args, *rest = newobj_ex_arguments(args, dump.protocol)
                if rest:
                    opcode = <char>OP_NEWOBJ_EX
                    kwargs = rest[0]
                    rare = True
            elif is_name(name, "__newobj__"):
                if (
                    type(args) is tuple
                    and args
                    and PyType_Check((<tuple>args)[0])
                    and (<tuple>args)[0] is getattr(obj, "__class__", type(obj))
                ):
                    func = (<tuple>args)[0]
                    args = (<tuple>args)[1:]
                else:
                    func, args = newobj_arguments(obj, args)
                opcode = <char>OP_NEWOBJ
    if rare:
        state = <tuple>reduction + (None,) * (6 - size) + (kwargs,)
    work = push_reduction(dump, obj, func, args, state, opcode)
    work.size = endless
    work.done = rare
    return 1


cdef bint has_good_items(tuple reduction) except -1:
    """Whether the items of a reduction are of the types that they have to be of."""
    cdef Py_ssize_t i, size = len(reduction)
    if not PyCallable_Check(reduction[0]) or type(reduction[1]) is not tuple:
        return False
    for i in range(3, min(size, 5)):
        if reduction[i] is not None and not PyIter_Check(reduction[i]):
            return False
    return size < 6 or reduction[5] is None or PyCallable_Check(reduction[5])


cdef Work* push_reduction(
    Dump dump, object obj, object func, object args, object state, char opcode
) except NULL:
    cdef Work* work = dump.push(REDUCTION_WORK, <PyObject*>obj)
    work.opcode = opcode
    Py_INCREF(func)
    work.first = <PyObject*>func
    Py_INCREF(args)
    work.second = <PyObject*>args
    if state is not None:
        Py_INCREF(state)
        work.third = <PyObject*>state
    return work


cdef inline bint is_name(object name, str wanted) except -1:
    return <str>name == wanted if PyUnicode_CheckExact(name) else str.__eq__(name, wanted)


cdef enum:
    # The steps of a reduction's work. A part that only the Work has, refs 1, cannot be met again.
    FUNCTION, ARGUMENTS, KEYWORDS, MADE, LIST_ITEMS, DICT_ITEMS, STATE
    BUILD, SETTER_OBJECT, SETTER_STATE, SETTER


cdef int continue_reduction(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef MemoEntry* entry
    if work.step == FUNCTION:
        work.step = ARGUMENTS
        if save(dump, work.first, 0):
            return 1
    if work.step == ARGUMENTS:
        work.step = KEYWORDS if work.opcode == <char>OP_NEWOBJ_EX else MADE
        if save(dump, work.second, 1):
            return 1
    if work.step == KEYWORDS:
        work.step = MADE
        if save(dump, PyTuple_GET_ITEM(work.third, 6), 0):
            return 1
    if work.step == MADE:
        dump.put1(<uint8_t>work.opcode)
        # In the memo by now: reached again from its own arguments, see
        # pickling/reductions.py.
        if work.count and work.epoch == dump.epoch and dump.logging:
            dump.memoize(work.obj, True)  # it was unique, and nothing can have changed that
        else:
            entry = dump.find(work.obj)
            if entry.key != NULL and entry.number >= 0:
                dump.put1(OP_POP)
                dump.get(entry.number)
                return end_reduction(dump)
            dump.memoize(work.obj, False)
        if work.third == NULL:
            return end_reduction(dump)
        if not work.done:
            work.step = BUILD
            if save(dump, work.third, 1):
                return 1
        else:
            work.step = LIST_ITEMS
    if work.step == BUILD:
        dump.put1(OP_BUILD)
        return end_reduction(dump)
    return continue_rest(dump, work)


cdef int continue_rest(Dump dump, Work* work) except -1:
    """Write the parts after the object itself, if these may be more than a state."""
    cdef PyObject* items = work.third
    cdef PyObject* state = PyTuple_GET_ITEM(items, 2)
    cdef PyObject* setter = PyTuple_GET_ITEM(items, 5)
    if work.step == LIST_ITEMS:
        work.step = DICT_ITEMS
        if PyTuple_GET_ITEM(items, 3) != Py_None:
            dump.push(LIST_ITEMS_WORK, PyTuple_GET_ITEM(items, 3))
            return 1
    if work.step == DICT_ITEMS:
        work.step = STATE
        if PyTuple_GET_ITEM(items, 4) != Py_None:
            dump.push(DICT_ITEMS_WORK, PyTuple_GET_ITEM(items, 4))
            return 1
    if work.step == STATE:
        if state == Py_None:
            return end_reduction(dump)
        if setter == Py_None:
            work.step = BUILD
            if save(dump, state, 0):
                return 1
            dump.put1(OP_BUILD)
            return end_reduction(dump)
        # Called for its effect on the object: what it returns is thrown away.
        work.step = SETTER_OBJECT
        if save(dump, setter, 0):
            return 1
    if work.step == SETTER_OBJECT:
        work.step = SETTER_STATE
        if save(dump, work.obj, 0):
            return 1
    if work.step == SETTER_STATE:
        work.step = SETTER
        if save(dump, state, 0):
            return 1
    dump.put2(OP_TUPLE2, OP_REDUCE)
    dump.put1(OP_POP)
    return end_reduction(dump)


cdef int end_reduction(Dump dump) except -1:
    if dump.stack[dump.height - 1].size:
        dump.nested_user_code -= 1
    return dump.pop()
