# The objects that a generator or an iterator gives: other code runs to make each.

cdef int push_generator(Dump dump, object generator, PyObject* obj) except -1:
    cdef Work* work = dump.push(GENERATOR_WORK, <PyObject*>generator)
    Py_INCREF_(obj)
    work.first = obj
    return 1


cdef PyObject* next_item(Dump dump, PyObject* items) except? NULL:
    cdef PyObject* item
    dump.settle()
    item = PyIter_Next_(items)
    if item == NULL and PyErr_Occurred() != NULL:
        dump.is_at_fault = True
    return item


cdef int continue_generator(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* item
    while True:
        item = next_item(dump, work.obj)
        if item == NULL:
            return dump.pop()
        if save_owned(dump, item):
            return 1


cdef int save_pair(Dump dump, Work* work, PyObject* item) except -1:
    """Write the key and the value of an item, and give up our reference to the item."""
    cdef PyObject* key
    cdef PyObject* value
    if Py_TYPE(item) != &PyTuple_Type or PyTuple_GET_SIZE(item) != 2:
        dump.settle()
    try:
        pair = check_pair(dump, <object>item)
    finally:
        Py_DECREF(item)
    key = PyTuple_GET_ITEM(<PyObject*>pair, 0)
    value = PyTuple_GET_ITEM(<PyObject*>pair, 1)
    Py_INCREF_(key)
    Py_INCREF_(value)
    work.second = value
    pair = None
    if save_owned(dump, key):
        return 1
    return save_second(dump, work)


cdef int save_second(Dump dump, Work* work) except -1:
    cdef PyObject* value = work.second
    work.second = NULL
    return save_owned(dump, value)


cdef object check_pair(Dump dump, object item):
    if type(item) is tuple and len(<tuple>item) == 2:
        return item
    # A subclass of tuple may lie about its items, so ask tuple.
    if not issubclass(type(item), tuple) or tuple.__len__(item) != 2:
        dump.is_at_fault = True
        raise TypeError("dict items iterator must return 2-tuples")
    return tuple(tuple.__iter__(item))


cdef inline int count_items(Work* work, Py_ssize_t more) noexcept:
    """How many there were, for the path of an error: an iterator has no length that bounds it."""
    if work.done <= PY_SSIZE_T_MAX - BATCHSIZE - more:
        work.done += more
    return 0


cdef int continue_items(Dump dump) except -1:
    """The list or dict items of a reduction: from any iterator, so how many is not known before."""
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef bint is_dict = work.kind == DICT_ITEMS_WORK
    cdef PyObject* item
    if work.second != NULL:  # the value of the key that was on the stack
        if save_second(dump, work):
            return 1
    while True:
        if work.step == IN_BATCH:
            if work.first == NULL and work.count < BATCHSIZE:
                work.first = next_item(dump, work.obj)
            if work.first != NULL:
                item = work.first
                work.first = NULL
                work.count += 1
                if save_pair(dump, work, item) if is_dict else save_owned(dump, item):
                    return 1
                continue
            dump.put1(OP_SETITEMS if is_dict else OP_APPENDS)
            if work.count < BATCHSIZE:
                return dump.pop()
            count_items(work, work.count)
            work.step = BETWEEN
        elif work.step == ALONE:
            dump.put1(OP_SETITEM if is_dict else OP_APPEND)
            if dump.protocol:
                return dump.pop()
            count_items(work, 1)
            work.step = BETWEEN
        item = next_item(dump, work.obj)
        if item == NULL:
            return dump.pop()
        if dump.protocol:
            work.third = item  # held by the work, should what follows fail
            if is_dict:  # that it is a pair is found out before the next is asked for
                pair = check_pair(dump, <object>item)
                Py_INCREF(pair)
                work.third = <PyObject*>pair
                Py_DECREF(item)
                pair = None
            work.first = next_item(dump, work.obj)
            item = work.third
            work.third = NULL
        if work.first == NULL:
            work.step = ALONE
        else:
            work.step = IN_BATCH
            work.count = 1
            dump.put1(OP_MARK)
        if save_pair(dump, work, item) if is_dict else save_owned(dump, item):
            return 1
