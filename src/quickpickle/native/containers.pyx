# The stack of work, and tuple, list, dict, set and frozenset on it: the twin of containers.py.
#
# Where containers.py has a generator, here is a Work: which container, how far, and in which step.
# A function `continue_…` goes on with the topmost Work until a member needs one of its own, or
# until all is written, and then takes it off the stack. Its pointer to the Work holds as long as
# save() returns 0: then nothing was pushed, and the stack has not moved.

cdef enum Kind:
    TUPLE_WORK
    LIST_WORK
    DICT_WORK
    SET_WORK
    FROZENSET_WORK
    REDUCTION_WORK
    PERSISTENT_ID_WORK
    GENERATOR_WORK

cdef enum Step:
    BETWEEN  # no batch is open
    ALONE  # an item without a batch
    IN_BATCH

cdef struct Work:
    Kind kind
    int step
    PyObject* obj  # this and the next three are owned; NULL where there is none
    PyObject* first
    PyObject* second
    PyObject* third
    Py_ssize_t position
    Py_ssize_t count  # in this batch
    Py_ssize_t done  # in the batches before
    Py_ssize_t size  # of the container when it began


@cython.final
@cython.freelist(8)
cdef class Dump:
    """One dump(): the stream, the hooks, and the stack of work."""

    cdef Stream stream
    cdef object persistent_id  # None: there is none
    cdef bint is_persistent_id  # the next object is one
    cdef object reducer_override, dispatch_table  # ABSENT: there is none
    cdef Work* stack
    cdef Py_ssize_t height, allocated

    def __dealloc__(self):
        while self.height:
            self.pop()
        PyMem_Free(self.stack)

    cdef Work* push(self, Kind kind, object obj) except NULL:
        cdef Work* work
        if self.height == self.allocated:
            self.enlarge()
        work = &self.stack[self.height]
        work.kind = kind
        work.step = 0
        work.first = work.second = work.third = NULL
        work.position = work.count = work.done = work.size = 0
        Py_INCREF(obj)
        work.obj = <PyObject*>obj
        self.height += 1
        return work

    cdef int enlarge(self) except -1:
        cdef Py_ssize_t size = self.allocated * 2 if self.allocated else 16
        cdef Work* stack = <Work*>PyMem_Realloc(self.stack, size * sizeof(Work))
        if stack == NULL:
            raise MemoryError
        self.stack = stack
        self.allocated = size
        return 0

    cdef int pop(self) noexcept:
        # Off the stack before it is freed: freeing may run other code.
        cdef Work work = self.stack[self.height - 1]
        self.height -= 1
        Py_XDECREF(work.first)
        Py_XDECREF(work.second)
        Py_XDECREF(work.third)
        Py_XDECREF(work.obj)
        return 0


cdef int save_tuple(Dump dump, object obj) except -1:
    cdef Stream stream = dump.stream
    cdef Py_ssize_t size = PyTuple_GET_SIZE(obj)
    if size == 0:
        stream.put(b")" if stream.protocol else b"(t", 1 if stream.protocol else 2)
        return 0
    if size > 3 or stream.protocol < 2:
        stream.put1(b"(")
    dump.push(TUPLE_WORK, obj).size = size
    return 1


cdef int continue_tuple(Dump dump) except -1:
    cdef Stream stream = dump.stream
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef MemoEntry* entry
    cdef Py_ssize_t i
    obj = <object>work.obj
    while work.position < work.size:
        item = <object>PyTuple_GET_ITEM(obj, work.position)
        work.position += 1
        if save(dump, item):
            return 0
    # A tuple that is in the memo by now contains itself, see containers.py.
    entry = stream.memo.find(<PyObject*>obj)
    if entry.key == NULL:
        if work.size > 3 or stream.protocol < 2:
            stream.put1(b"t")
        else:
            stream.put1(<char>(0x84 + work.size))
        stream.memoize(obj)
    else:
        if work.size <= 3 and stream.protocol >= 2:
            for i in range(work.size):
                stream.put1(b"0")
        elif stream.bin:
            stream.put1(b"1")
        else:
            for i in range(work.size + 1):
                stream.put1(b"0")
        stream.get(entry.number)
    return dump.pop()


cdef int save_list(Dump dump, object obj) except -1:
    cdef Stream stream = dump.stream
    stream.put(b"]" if stream.bin else b"(l", 1 if stream.bin else 2)
    stream.memoize(obj)
    if PyList_GET_SIZE(obj) == 0:
        return 0
    if stream.fast or stream.protocol == 0:
        dump.push(GENERATOR_WORK, list_items(stream, obj))
    else:
        dump.push(LIST_WORK, obj).size = PyList_GET_SIZE(obj)
    return 1


cdef int continue_list(Dump dump) except -1:
    cdef Stream stream = dump.stream
    cdef Work* work = &dump.stack[dump.height - 1]
    obj = <object>work.obj
    while True:
        if work.step == IN_BATCH:
            while work.count < BATCHSIZE and work.position < PyList_GET_SIZE(obj):
                item = <object>PyList_GET_ITEM(obj, work.position)
                work.position += 1
                work.count += 1
                if save(dump, item):
                    return 0
            stream.put1(b"e")
            if list_size_is_checked and PyList_GET_SIZE(obj) != work.size:
                raise RuntimeError("list changed size during iteration")
        elif work.step == ALONE:
            stream.put1(b"a")
            return dump.pop()
        if work.position >= PyList_GET_SIZE(obj):
            return dump.pop()
        if PyList_GET_SIZE(obj) - work.position == 1 and (work.position == 0 or last_goes_alone):
            work.step = ALONE
            item = <object>PyList_GET_ITEM(obj, work.position)
            if save(dump, item):
                return 0
        else:
            work.step = IN_BATCH
            work.count = 0
            stream.put1(b"(")


def list_items(Stream stream, list obj):
    """The items in protocol 0, and in fast mode, which are not hot."""
    if stream.fast:
        stream.enter_fast(obj)
    if stream.protocol == 0:
        for item in obj:
            yield item
            stream.put1(b"a")
    else:
        size = len(obj)
        done = 0
        while done < len(obj):
            if len(obj) - done == 1 and (done == 0 or last_goes_alone):
                yield obj[done]
                stream.put1(b"a")
                break
            stream.put1(b"(")
            count = 0
            while count < BATCHSIZE and done < len(obj):
                done += 1
                count += 1
                yield obj[done - 1]
            stream.put1(b"e")
            if list_size_is_checked and len(obj) != size:
                raise RuntimeError("list changed size during iteration")
    if stream.fast:
        stream.leave_fast(obj)


cdef int save_dict(Dump dump, object obj) except -1:
    cdef Stream stream = dump.stream
    stream.put(b"}" if stream.bin else b"(d", 1 if stream.bin else 2)
    stream.memoize(obj)
    if PyDict_Size(obj) == 0:
        return 0
    if stream.protocol == 0:
        dump.push(GENERATOR_WORK, dict_items(stream, obj))
        return 1
    if stream.fast:
        stream.enter_fast(obj)
    dump.push(DICT_WORK, obj).size = PyDict_Size(obj)
    return 1


cdef int continue_dict(Dump dump) except -1:
    cdef Stream stream = dump.stream
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* key_pointer
    cdef PyObject* value_pointer
    obj = <object>work.obj
    while True:
        if work.first != NULL:  # the value of the key that was just written
            value = <object>work.first
            Py_DECREF(value)
            work.first = NULL
            work.count += 1
            if save(dump, value):
                return 0
        if work.step == ALONE:
            stream.put1(b"s")
            break
        if work.step == IN_BATCH:
            if work.count < BATCHSIZE and PyDict_Next(
                obj, &work.position, &key_pointer, &value_pointer
            ):
                key = <object>key_pointer
                Py_INCREF(<object>value_pointer)
                work.first = value_pointer
                if save(dump, key):
                    return 0
                continue
            stream.put1(b"u")
            if PyDict_Size(obj) != work.size:
                raise RuntimeError("dictionary changed size during iteration")
            work.done += work.count
            if work.done >= work.size and (work.count < BATCHSIZE or last_goes_alone):
                break
            work.step = BETWEEN
        if work.size - work.done == 1 and (work.done == 0 or last_goes_alone):
            work.step = ALONE
            if not PyDict_Next(obj, &work.position, &key_pointer, &value_pointer):
                raise RuntimeError("dictionary changed size during iteration")
            key = <object>key_pointer
            Py_INCREF(<object>value_pointer)
            work.first = value_pointer
            if save(dump, key):
                return 0
        else:
            work.step = IN_BATCH
            work.count = 0
            stream.put1(b"(")
    if stream.fast:
        stream.leave_fast(obj)
    return dump.pop()


def dict_items(Stream stream, dict obj):
    """The items in protocol 0, which is not hot."""
    if stream.fast:
        stream.enter_fast(obj)
    # Of the iterator that Python code gets, which is the one that CPython's pickler uses here.
    items = iter(dict.items(obj))
    for key, value in items:
        yield key
        yield value
        stream.put1(b"s")
    if stream.fast:
        stream.leave_fast(obj)


cdef int save_set(Dump dump, object obj) except -1:
    cdef Work* work
    dump.stream.put1(b"\x8f")
    dump.stream.memoize(obj)
    if PySet_GET_SIZE(obj) == 0:
        return 0
    items = iter(obj)
    work = dump.push(SET_WORK, obj)
    Py_INCREF(items)
    work.first = <PyObject*>items
    work.size = PySet_GET_SIZE(obj)
    return 1


cdef int continue_set(Dump dump) except -1:
    cdef Stream stream = dump.stream
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* pointer
    obj = <object>work.obj
    while True:
        if work.step == BETWEEN:
            stream.put1(b"(")
            work.count = 0
            work.step = IN_BATCH
        while work.count < BATCHSIZE and PySet_GET_SIZE(obj) == work.size:
            pointer = PyIter_Next(<object>work.first)
            if pointer == NULL:
                break
            item = <object>pointer
            Py_DECREF(item)
            work.count += 1
            if save(dump, item):
                return 0
        stream.put1(b"\x90")
        if PySet_GET_SIZE(obj) != work.size:
            raise RuntimeError("set changed size during iteration")
        work.done += work.count
        if work.done >= work.size and (work.count < BATCHSIZE or last_goes_alone):
            return dump.pop()
        work.step = BETWEEN


cdef int save_frozenset(Dump dump, object obj) except -1:
    cdef Work* work
    dump.stream.put1(b"(")
    items = iter(obj)
    work = dump.push(FROZENSET_WORK, obj)
    Py_INCREF(items)
    work.first = <PyObject*>items
    return 1


cdef int continue_frozenset(Dump dump) except -1:
    cdef Stream stream = dump.stream
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* pointer
    cdef MemoEntry* entry
    while True:
        pointer = PyIter_Next(<object>work.first)
        if pointer == NULL:
            break
        item = <object>pointer
        Py_DECREF(item)
        if save(dump, item):
            return 0
    obj = <object>work.obj
    entry = stream.memo.find(<PyObject*>obj)
    if entry.key == NULL:
        stream.put1(b"\x91")
        stream.memoize(obj)
    else:  # as with tuples
        stream.put1(b"1")
        stream.get(entry.number)
    return dump.pop()


cdef int continue_generator(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* pointer
    generator = <object>work.obj
    while True:
        pointer = PyIter_Next(generator)
        if pointer == NULL:
            return dump.pop()
        item = <object>pointer
        Py_DECREF(item)
        if save(dump, item):
            return 0


def append_items(Stream stream, items):
    """The list items of a reduction: from any iterator, so their number is not known before."""
    if stream.protocol == 0:
        while True:
            item = next(items, END)
            if item is END:
                return
            yield item
            stream.put1(b"a")
    count = BATCHSIZE
    while count == BATCHSIZE:
        first = next(items, END)
        if first is END:
            return
        item = next(items, END)
        if item is END:
            yield first
            stream.put1(b"a")
            return
        stream.put1(b"(")
        yield first
        count = 1
        while item is not END:
            yield item
            count += 1
            item = next(items, END) if count < BATCHSIZE else END
        stream.put1(b"e")


def set_items(Stream stream, items):
    """The dict items of a reduction, in the same way."""
    if stream.protocol == 0:
        while True:
            item = next(items, END)
            if item is END:
                return
            key, value = pair(item)
            yield key
            yield value
            stream.put1(b"s")
    count = BATCHSIZE
    while count == BATCHSIZE:
        first = next(items, END)
        if first is END:
            return
        first_key, first_value = pair(first)
        item = next(items, END)
        if item is END:
            yield first_key
            yield first_value
            stream.put1(b"s")
            return
        stream.put1(b"(")
        yield first_key
        yield first_value
        count = 1
        while item is not END:
            key, value = pair(item)
            yield key
            yield value
            count += 1
            item = next(items, END) if count < BATCHSIZE else END
        stream.put1(b"u")


cdef object END = object()
cdef bint last_goes_alone = LAST_GOES_ALONE
cdef bint list_size_is_checked = LIST_SIZE_IS_CHECKED
