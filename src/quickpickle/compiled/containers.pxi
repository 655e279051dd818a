# tuple, list and dict on the stack of work: as pickling/containers.py.
#
# A function `continue_…` goes on with the topmost Work until a member needs one of its own, or
# until all is written, and then takes it off the stack. Its pointer to the Work holds as long as
# save() returns 0: then nothing was pushed, and the stack has not moved.

cdef object changed_size(Dump dump, str kind):
    """The error for a container that changed while it was written."""
    dump.own()  # making it may run the garbage collector
    return RuntimeError(f"{kind} changed size during iteration")


cdef inline bint is_new(Dump dump, Work* work) noexcept:
    """Whether what was not in the memo when its work began still cannot be there."""
    return work.done and work.epoch == dump.epoch and dump.logging


cdef int save_tuple(Dump dump, PyObject* obj, bint unique) except -1:
    cdef Py_ssize_t done, size = PyTuple_GET_SIZE(obj)
    if size == 0:
        if dump.protocol:
            return dump.put1(OP_EMPTY_TUPLE)
        dump.put1(OP_MARK)
        return dump.put1(OP_TUPLE)
    if size > 3 or dump.protocol < 2:
        dump.put1(OP_MARK)
    done = save_leaves(dump, quickpickle_tuple_items(obj), size)
    if done == size:
        return put_tuple(dump, size, obj, unique)
    return push_tuple(dump, obj, unique, done, 0)


cdef int push_tuple(
    Dump dump, PyObject* obj, bint unique, Py_ssize_t done, char opcode
) except -1:
    """Put a tuple on the stack of which so many items are written."""
    cdef Work* work = dump.push(TUPLE_WORK, obj)
    work.size = PyTuple_GET_SIZE(obj)
    work.position = done
    work.done = unique
    work.opcode = opcode
    if not unique and not dump.fast:
        dump.claim(obj)  # OPEN; on the stack by now, so that unwind() finds it
    return 1


cdef inline int continue_tuple(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef MemoEntry* entry = NULL
    cdef Py_ssize_t i, size = work.size
    cdef PyObject* obj = work.obj
    i = work.position
    while i < size:
        i += save_leaves(dump, quickpickle_tuple_items(obj) + i, size - i)
        if i < size:
            i += 1
            work.position = i
            if save(dump, PyTuple_GET_ITEM(obj, i - 1), 1):
                return 1
    if work.opcode:
        return end_namedtuple(dump)
    # A tuple that is in the memo by now contains itself, see pickling/containers.py.
    if not is_new(dump, work):
        entry = dump.find(obj)
    if entry == NULL or entry.key == NULL or entry.number < 0:
        put_tuple(dump, size, obj, entry == NULL)
    else:
        if size <= 3 and dump.protocol >= 2:
            for i in range(size):
                dump.put1(OP_POP)
        elif dump.bin:
            dump.put1(OP_POP_MARK)
        else:
            dump.look_how_far(size)
            for i in range(size + 1):
                dump.put1(OP_POP)
        dump.get(entry.number)
    return dump.pop()


cdef inline int open_tuple(Dump dump) except -1:
    """Begin a tuple of one to three items, which put_tuple() ends."""
    return dump.put1(OP_MARK) if dump.protocol < 2 else 0


cdef inline int put_tuple(Dump dump, Py_ssize_t size, PyObject* obj, bint unique) except -1:
    """Write the opcode that makes a tuple, and memoize it."""
    return dump.put_memoized(
        OP_TUPLE if size > 3 or dump.protocol < 2 else <uint8_t>(OP_TUPLE1 - 1 + size), obj, unique
    )


cdef int save_list(Dump dump, PyObject* obj, MemoEntry* entry) except -1:
    cdef Py_ssize_t done = 0, size = PyList_GET_SIZE(obj)
    cdef Step step = BETWEEN
    cdef Work* work
    if not dump.bin:
        dump.put1(OP_MARK)
    dump.put_found(OP_EMPTY_LIST if dump.bin else OP_LIST, obj, entry)
    if size == 0:
        return 0
    if dump.fast:
        return push_generator(dump, list_items(dump, <object>obj), obj)
    if dump.protocol == 0:
        step = ONE_BY_ONE
    elif 1 < size <= BATCHSIZE:
        dump.put1(OP_MARK)
        done = save_leaves(dump, quickpickle_list_items(obj), size)
        if done == size:
            return dump.put1(OP_APPENDS)
        step = IN_BATCH
    work = dump.push(LIST_WORK, obj)
    work.size = size
    work.step = step
    work.position = done
    return 1


cdef int continue_list(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* obj = work.obj
    cdef Py_ssize_t position = work.position, last
    if work.step == ONE_BY_ONE:
        return continue_old_list(dump)
    while True:
        if work.step == IN_BATCH:
            last = work.done + BATCHSIZE
            while position < last and position < PyList_GET_SIZE(obj):
                # A new container is no leaf: so save_leaves() would write nothing.
                if not quickpickle_is_new_container(PyList_GET_ITEM(obj, position)):
                    position += save_leaves(
                        dump,
                        quickpickle_list_items(obj) + position,
                        min(last, PyList_GET_SIZE(obj)) - position,
                    )
                work.position = position + 1
                if position < last and position < PyList_GET_SIZE(obj):
                    position += 1
                    if save(dump, PyList_GET_ITEM(obj, position - 1), 1):
                        return 1
            dump.put1(OP_APPENDS)
            if list_size_is_checked and PyList_GET_SIZE(obj) != work.size:
                dump.is_at_fault = True
                raise changed_size(dump, "list")
        elif work.step == ALONE:
            dump.put1(OP_APPEND)
            return dump.pop()
        if position >= PyList_GET_SIZE(obj):
            return dump.pop()
        if PyList_GET_SIZE(obj) - position == 1 and (position == 0 or dump.last_goes_alone):
            work.step = ALONE
            if save(dump, PyList_GET_ITEM(obj, position), 1):
                return 1
        else:
            work.step = IN_BATCH
            work.done = position
            dump.put1(OP_MARK)


cdef int continue_old_list(Dump dump) except -1:
    """The items in protocol 0."""
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* obj = work.obj
    while True:
        if work.done < work.position:  # an item is written, but for its opcode
            work.done = work.position
            dump.put1(OP_APPEND)
        if work.position >= PyList_GET_SIZE(obj):
            return dump.pop()
        work.position += 1
        if save(dump, PyList_GET_ITEM(obj, work.position - 1), 1):
            return 1


cdef inline bint save_leaf(Dump dump, PyObject* obj) except -1:
    """Write a scalar, a string or a reference, if nothing but our code runs; return whether."""
    cdef MemoEntry* entry
    if dump.pos >= dump.stop:
        return False
    if Py_TYPE(obj) == &PyUnicode_Type:
        if quickpickle_length(obj) >= 1024:
            return False
        save_str(dump, obj, 1)
        return True
    if save_scalar(dump, obj):
        return True
    if Py_TYPE(obj) == &PyLong_Type and dump.protocol >= 2:
        save_rare_int(dump, <object>obj)
        return True
    if dump.protocol < 2 and is_scalar(obj):
        return False  # not looked up, as a memo that was assigned may have it
    if not dump.is_unique(obj, 1):
        entry = dump.find(obj)
        if entry.key != NULL and entry.number >= 0:
            dump.get(entry.number)
            return True
    return False


cdef inline Py_ssize_t save_leaves(Dump dump, PyObject** items, Py_ssize_t count) except -1:
    """Write the leaves that an array begins with; return how many."""
    return 0 if dump.careful else save_leaves_here(dump, items, count)


cdef Py_ssize_t save_leaves_here(Dump dump, PyObject** items, Py_ssize_t count) except -1:
    cdef Py_ssize_t i = 0, scalars = 0
    cdef MemoEntry* entry
    while i < count:
        if dump.protocol >= 2:
            if not quickpickle_is_of_heap_type(items[i]):  # none of the scalars is
                dump.pos = quickpickle_scalars(dump.pos, dump.stop, items + i, count - i, &scalars)
                i += scalars
            if i == count:
                break
            # No scalar, so it is not asked again whether it is one.
            if Py_TYPE(items[i]) != &PyUnicode_Type and Py_TYPE(items[i]) != &PyLong_Type:
                if dump.pos >= dump.stop or dump.is_unique(items[i], 1):
                    break
                entry = dump.find(items[i])
                if entry.key == NULL or entry.number < 0:
                    break
                dump.get(entry.number)
                i += 1
                continue
        if not save_leaf(dump, items[i]):
            break
        i += 1
    return i


def list_items(Dump dump, list obj):
    """The items in fast mode, which are not hot."""
    dump.enter_fast(obj)
    if dump.protocol == 0:
        for item in obj:
            yield item
            dump.put1(OP_APPEND)
    else:
        size = len(obj)
        done = 0
        while done < len(obj):
            if len(obj) - done == 1 and (done == 0 or dump.last_goes_alone):
                yield obj[done]
                dump.put1(OP_APPEND)
                break
            dump.put1(OP_MARK)
            count = 0
            while count < BATCHSIZE and done < len(obj):
                done += 1
                count += 1
                yield obj[done - 1]
            dump.put1(OP_APPENDS)
            if list_size_is_checked and len(obj) != size:
                raise changed_size(dump, "list")
    dump.leave_fast(obj)


cdef int save_dict(Dump dump, PyObject* obj, bint unique, char opcode) except -1:
    """Write a dict, and `opcode` after it, if it is not 0."""
    if not dump.bin:
        dump.put1(OP_MARK)
    dump.put_memoized(OP_EMPTY_DICT if dump.bin else OP_DICT, obj, unique)
    return save_dict_items(dump, obj, opcode)


cdef int save_found_dict(Dump dump, PyObject* obj, MemoEntry* entry) except -1:
    if not dump.bin:
        dump.put1(OP_MARK)
    dump.put_found(OP_EMPTY_DICT if dump.bin else OP_DICT, obj, entry)
    return save_dict_items(dump, obj, 0)


cdef inline int save_dict_items(Dump dump, PyObject* obj, char opcode) except -1:
    cdef Py_ssize_t position = 0, count = 0, size = PyDict_GET_SIZE(obj)
    cdef PyObject* value = NULL
    cdef Work* work
    if size == 0:
        return dump.put1(<uint8_t>opcode) if opcode else 0
    if dump.fast:
        dump.enter_fast(<object>obj)
    if size < BATCHSIZE and not dump.careful and dump.protocol:
        if size > 1:
            dump.put1(OP_MARK)
        count = save_leaf_items(dump, obj, &position, &value)
        if count == size and value == NULL:
            dump.put1(OP_SETITEMS if size > 1 else OP_SETITEM)
            return dump.put1(<uint8_t>opcode) if opcode else 0
        return push_dict(dump, obj, opcode, position, count, value)
    work = dump.push(DICT_WORK, obj)
    work.step = BETWEEN if dump.protocol else ONE_BY_ONE
    work.size = size
    work.opcode = opcode
    return 1


cdef int push_dict(
    Dump dump, PyObject* obj, char opcode, Py_ssize_t position, Py_ssize_t count, PyObject* value
) except -1:
    """Put a small dict on the stack: its first keys are written, and their values but `value`."""
    cdef Work* work = dump.push(DICT_WORK, obj)
    work.size = PyDict_GET_SIZE(obj)
    work.opcode = opcode
    if work.size > 1:
        work.step = IN_BATCH
    elif count:
        work.step = ALONE
    work.position = position
    work.count = count
    Py_XINCREF(value)
    work.first = value
    return 1


cdef inline Py_ssize_t save_leaf_items(
    Dump dump, PyObject* obj, Py_ssize_t* position, PyObject** value
) except -1:
    """Write the items that a dict begins with, as far as they are leaves; return how many.

    The last one may lack its value, which is then in `value`.
    """
    cdef Py_ssize_t count = 0, previous = 0
    cdef PyObject* key
    while quickpickle_dict_next(obj, position, &key, value):
        if not save_leaf(dump, key):
            position[0] = previous
            break
        count += 1
        if not save_leaf(dump, value[0]):
            return count
        previous = position[0]
    value[0] = NULL
    return count


cdef inline int save_item(Dump dump, Work* work, PyObject* key, PyObject* value) except -1:
    """Write the key and the value of a dict; 1 where one of them is on the stack now."""
    # A short string or a scalar goes into the buffer, and no other code runs, so the value is
    # still there.
    if dump.pos < dump.stop and not dump.careful:
        if Py_TYPE(key) == &PyUnicode_Type:
            if PyUnicode_GET_LENGTH(key) < 1024:
                save_str(dump, key, 1)
                return save(dump, value, 1)
        elif save_scalar(dump, key):
            return save(dump, value, 1)
    return save_any_item(dump, work, key, value)


cdef int save_any_item(Dump dump, Work* work, PyObject* key, PyObject* value) except -1:
    cdef uint64_t epoch = dump.epoch
    cdef PyObject* kept
    Py_INCREF_(value)
    work.first = value  # should the key be put on the stack, or run code that frees it
    if save(dump, key, 1):
        return 1
    kept = work.first
    work.first = NULL
    if epoch == dump.epoch:
        Py_DECREF(kept)  # the dict has it
        return save(dump, kept, 1)
    return save_owned(dump, kept)


cdef int save_owned(Dump dump, PyObject* obj) except -1:
    """Write an object that we have a reference to, and give that up."""
    cdef int result = -1
    try:
        result = save(dump, obj, 0)
    finally:
        if result == -1:
            dump.forget_culprit()
            Py_INCREF_(obj)
            dump.culprit = obj
        dump.release(obj)
    return result


cdef int continue_dict(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* obj = work.obj
    cdef PyObject* key
    cdef PyObject* value
    if work.first != NULL:  # the value of the key that was on the stack
        value = work.first
        work.first = NULL
        if work.epoch == dump.epoch:
            Py_DECREF(value)  # the dict has it
            if save(dump, value, 1):
                return 1
        elif save_owned(dump, value):
            return 1
    if work.step == ONE_BY_ONE:
        return continue_old_dict(dump)
    while True:
        if work.step == IN_BATCH:
            while work.count < BATCHSIZE and quickpickle_dict_next(
                obj, &work.position, &key, &value
            ):
                work.count += 1
                if save_item(dump, work, key, value):
                    return 1
            dump.put1(OP_SETITEMS)
            if PyDict_GET_SIZE(obj) != work.size:
                dump.is_at_fault = True
                raise changed_size(dump, "dictionary")
            work.done += work.count
            if work.done >= work.size and (work.count < BATCHSIZE or dump.last_goes_alone):
                break
            work.step = BETWEEN
        elif work.step == ALONE:
            dump.put1(OP_SETITEM)
            break
        if work.size - work.done == 1 and (work.done == 0 or dump.last_goes_alone):
            work.step = ALONE
            if not quickpickle_dict_next(obj, &work.position, &key, &value):
                dump.is_at_fault = True
                raise changed_size(dump, "dictionary")
            if save_item(dump, work, key, value):
                return 1
        else:
            work.step = IN_BATCH
            work.count = 0
            dump.put1(OP_MARK)
    return end_dict(dump, work)


cdef int end_dict(Dump dump, Work* work) except -1:
    if dump.fast:
        dump.leave_fast(<object>work.obj)
    if work.opcode:
        dump.put1(<uint8_t>work.opcode)
    return dump.pop()


cdef int continue_old_dict(Dump dump) except -1:
    """The items in protocol 0, where CPython's pickler asks the iterator that Python code gets."""
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* key
    cdef PyObject* value
    while True:
        if work.done < work.count:  # an item is written, but for its opcode
            work.done = work.count
            dump.put1(OP_SETITEM)
        if PyDict_GET_SIZE(work.obj) != work.size:
            dump.is_at_fault = True
            raise changed_size(dump, "dictionary")
        if not quickpickle_dict_next(work.obj, &work.position, &key, &value):
            return end_dict(dump, work)
        if work.count == work.size:
            dump.own()  # as in changed_size()
            dump.is_at_fault = True
            raise RuntimeError("dictionary keys changed during iteration")
        work.count += 1
        if save_item(dump, work, key, value):
            return 1


cdef bint list_size_is_checked = LIST_SIZE_IS_CHECKED
