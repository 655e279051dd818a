# Instances of the standard library's classes, and of subclasses of list, tuple and dict, written by
# their plan: see plans.pxi.

cdef bint datetime_is_imported = False


cdef bint is_known_date(PyTypeObject* cls) except -1:
    """Whether a class is one of those in C whose fields are known."""
    global datetime_is_imported
    if not datetime_is_imported:
        quickpickle_import_datetime()
        datetime_is_imported = True
        check(&quickpickle_known.dates, dates_are_known)
    return quickpickle_known.dates and quickpickle_is_date(cls)


cdef int save_namedtuple(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef Py_ssize_t done, size = PyTuple_GET_SIZE(obj)
    if not save_class(dump, plan):
        return ASK
    dump.part_begins()
    if size == 0:
        dump.put1(OP_EMPTY_TUPLE)
        return dump.put_memoized(OP_NEWOBJ, obj, unique)
    if size > 3:
        dump.put1(OP_MARK)
    done = save_leaves(dump, quickpickle_tuple_items(obj), size)
    if done < size:
        return push_tuple(dump, obj, unique, done, <char>OP_NEWOBJ)
    put_tuple(dump, size, NULL, True)
    return dump.put_memoized(OP_NEWOBJ, obj, unique)


cdef int end_namedtuple(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef MemoEntry* entry = NULL
    put_tuple(dump, work.size, NULL, True)
    dump.put1(OP_NEWOBJ)
    if not is_new(dump, work):
        entry = dump.find(work.obj)
        if entry.key != NULL and entry.number >= 0:
            dump.put1(OP_POP)
            dump.get(entry.number)
            return dump.pop()
    dump.memoize(work.obj, entry == NULL)
    return dump.pop()


cdef int save_datetime(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef PyObject* tzinfo = quickpickle_tzinfo(obj)
    cdef MemoEntry* entry = NULL
    cdef Py_ssize_t number = 0
    cdef char data[16]
    cdef int size
    if tzinfo != NULL:
        entry = dump.find(tzinfo)
        if entry.key == NULL or entry.number < 0:
            return ASK
    size = quickpickle_datetime_bytes(obj, data, dump.protocol >= 4)
    if tzinfo != NULL:
        number = entry.number
    if (dump.protocol < 3 and not is_encode_known(dump)) or not save_class(dump, plan):
        return ASK
    open_tuple(dump)
    dump.part_begins()
    save_new_bytes(dump, data, size)
    if tzinfo != NULL:
        dump.part_begins()
        dump.get(number)
    put_tuple(dump, 1 if tzinfo == NULL else 2, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef int save_decimal(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef MemoEntry* entry = dump.find(<PyObject*>plan.cls)
    cdef PyObject* pointer
    if entry.key == NULL or entry.number < 0:
        return ASK
    pointer = quickpickle_str_quietly(obj)
    text = <object>pointer
    Py_DECREF(pointer)
    if not PyUnicode_IS_COMPACT_ASCII(pointer) or PyUnicode_GET_LENGTH(pointer) >= 1024:
        return ASK
    dump.get(entry.number)
    open_tuple(dump)
    dump.part_begins()
    put_str_header(dump, PyUnicode_GET_LENGTH(pointer))
    dump.put(<const char*>PyUnicode_DATA(pointer), PyUnicode_GET_LENGTH(pointer))
    dump.memoize(NULL, True)
    put_tuple(dump, 1, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef int save_uuid(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef PyObject* number = quickpickle_slot(obj, plan.offsets[0])
    cdef PyObject* is_safe = quickpickle_slot(obj, plan.offsets[1])
    # A UUID that is not said to be safe or unsafe has the number only.
    if (
        number == NULL
        or Py_TYPE(number) != &PyLong_Type
        or is_safe != PyTuple_GET_ITEM(<PyObject*>plan.names, 1)
        or not save_class(dump, plan)
    ):
        return ASK
    dump.part_begins()
    dump.put1(OP_EMPTY_TUPLE)
    dump.put_memoized(OP_NEWOBJ, obj, unique)
    dump.part_begins()
    dump.put_memoized(OP_EMPTY_DICT, NULL, True)
    dump.part_begins()
    save_str(dump, PyTuple_GET_ITEM(<PyObject*>plan.names, 0), 0)
    dump.part_begins()
    if not save_scalar(dump, number):
        save_rare_int(dump, <object>number)
    return dump.put2(OP_SETITEM, OP_BUILD)


cdef int save_exception(
    Dump dump, PyObject* obj, Attributes* attributes, bint unique, Plan plan
) except -1:
    """Write an exception as its class, its arguments, and its dict where it has one.

    These are fields of the object, so nothing else runs before they are written.
    """
    cdef PyObject* items[5]
    cdef PyObject* args = NULL
    cdef PyObject* state = attributes.dict
    cdef bint unique_args = True
    cdef Py_ssize_t number = OPEN, done = 0, size
    size = quickpickle_exception_args(obj, bool(plan.names), &args, items)
    if args != NULL and size > 0 and not dump.is_unique(args, 1):
        unique_args = False
        number = dump.number_of(args)
    if (
        size < 0
        or (number < 0 and not unique_args and dump.find(args).key != NULL)  # it is being written
        or dump.nested_user_code >= dump.reduction_limit
        or not save_class(dump, plan)
    ):
        return ask_planned(dump, obj, unique, plan)
    dump.part_begins()
    if number >= 0:
        dump.get(number)
    elif size == 0:
        save_tuple(dump, args, False)
    else:
        if size > 3 or dump.protocol < 2:
            dump.put1(OP_MARK)
        if args != NULL:
            done = save_leaves(dump, quickpickle_tuple_items(args), size)
        else:
            done = save_leaves(dump, items, size)
        if done < size:
            return push_exception(dump, obj, args, items, size, unique, unique_args, done, plan)
        put_tuple(dump, size, args, unique_args)
    dump.put_memoized(OP_REDUCE, obj, unique)
    return 0 if state == NULL else save_state_dict(dump, state)


cdef int push_exception(
    Dump dump, PyObject* obj, PyObject* args, PyObject** items, Py_ssize_t size, bint unique,
    bint unique_args, Py_ssize_t done, Plan plan,
) except -1:
    """Go on with an exception of whose arguments so many are written."""
    cdef PyObject* state = quickpickle_instance_dict(obj)
    cdef PyObject* made = quickpickle_new_tuple(items, size) if args == NULL else args
    cdef Work* work
    held = <object>made
    if args == NULL:
        Py_DECREF(made)
    dump.enter_user_code(<object>obj)  # an exception that is its own argument has no end
    given = None if state == NULL else <object>state
    work = push_reduction(dump, <object>obj, <object>plan.cls, held, given, <char>OP_REDUCE)
    work.step = MADE
    work.size = 1
    work.count = unique
    return push_tuple(dump, made, unique_args, done, 0)


cdef int save_state_dict(Dump dump, PyObject* state) except -1:
    """Write the dict of an instance, or a reference to it, and BUILD."""
    cdef bint unique = dump.is_unique(state, 1)
    cdef Py_ssize_t number = OPEN if unique else dump.number_of(state)
    dump.part_begins()
    if number < 0:
        return save_dict(dump, state, unique, OP_BUILD)
    dump.get(number)
    return dump.put1(OP_BUILD)


cdef int save_deque(Dump dump, PyObject* obj, Plan plan) except -1:
    maxlen = (<object>obj).maxlen
    if not save_class(dump, plan):
        return ASK
    if maxlen is not None:
        open_tuple(dump)
    dump.part_begins()
    dump.put1(OP_EMPTY_TUPLE)
    if maxlen is not None:
        dump.part_begins()
        if not save_scalar(dump, <PyObject*>maxlen):
            save_rare_int(dump, maxlen)
        put_tuple(dump, 2, NULL, True)
    dump.put_memoized(OP_REDUCE, obj, False)
    dump.settle()
    items = iter(<object>obj)
    dump.push(LIST_ITEMS_WORK, <PyObject*>items)
    return 1


cdef int save_odict(Dump dump, PyObject* obj, Plan plan) except -1:
    if not save_class(dump, plan):
        return ASK
    dump.part_begins()
    dump.put1(OP_EMPTY_TUPLE)
    dump.put_memoized(OP_REDUCE, obj, False)
    dump.settle()
    items = iter((<object>obj).items())
    dump.push(DICT_ITEMS_WORK, <PyObject*>items)
    return 1


cdef int save_items(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write an instance of a subclass of list or dict: in batches, as items from an iterator."""
    cdef bint is_dict = plan.kind != LIST
    cdef Py_ssize_t size = PyDict_Size(obj) if is_dict else PyList_GET_SIZE(obj)
    cdef Py_ssize_t position = 0, count = 0
    cdef PyObject* value = NULL
    if plan.kind == DEFAULTDICT:
        if not save_factory(dump, (<object>obj).default_factory, plan):
            return ASK
        dump.put_memoized(OP_REDUCE, obj, unique)
    else:
        if not save_class(dump, plan):
            return ASK
        dump.part_begins()
        dump.put1(OP_EMPTY_TUPLE)
        dump.put_memoized(OP_NEWOBJ, obj, unique)
    if size == 0:
        return 0
    if size >= BATCHSIZE:
        return push_items(dump, obj, is_dict, BETWEEN, 0, NULL)
    if size > 1:
        dump.put1(OP_MARK)
    if is_dict:
        count = save_leaf_items(dump, obj, &position, &value)
    else:
        count = save_leaves_here(dump, quickpickle_list_items(obj), size)
    if count < size or value != NULL:
        return push_items(
            dump, obj, is_dict, IN_BATCH if size > 1 else ALONE if count else BETWEEN, count, value
        )
    if is_dict:
        return dump.put1(OP_SETITEMS if size > 1 else OP_SETITEM)
    return dump.put1(OP_APPENDS if size > 1 else OP_APPEND)


cdef bint save_factory(Dump dump, object factory, Plan plan) except -1:
    """Write the class of a defaultdict and its argument, if that is known; return whether it is."""
    cdef MemoEntry* entry
    cdef Py_ssize_t number = -1
    if factory is not None:
        entry = dump.find(<PyObject*>factory)
        if entry.key == NULL or entry.number < 0:
            return False
        number = entry.number
    if not save_class(dump, plan):
        return False
    dump.part_begins()
    if number < 0:
        dump.put1(OP_EMPTY_TUPLE)
    else:
        open_tuple(dump)
        dump.get(number)
        put_tuple(dump, 1, NULL, True)
    return True


cdef int push_items(
    Dump dump, PyObject* obj, bint is_dict, int step, Py_ssize_t count, PyObject* value
) except -1:
    """Go on with an iterator behind `count` items, but for the `value` of the last one."""
    cdef Work* work
    held = None if value == NULL else <object>value  # should the dict give it up meanwhile
    dump.settle()  # making an iterator may run the garbage collector
    items = iter(dict.items(<object>obj) if is_dict else list.__iter__(<object>obj))
    for _ in range(count):
        next(items, None)  # the collector's callbacks may have made it shorter
    work = dump.push(DICT_ITEMS_WORK if is_dict else LIST_ITEMS_WORK, <PyObject*>items)
    work.step = step
    work.count = count
    if value != NULL:
        Py_INCREF_(value)
        work.second = value
    return 1
