# set and frozenset on the stack of work: as pickling/containers.py.

cdef enum:
    SET_PLACES = 64  # of a set's table, that are looked at in one go


cdef int save_set(Dump dump, PyObject* obj, bint unique) except -1:
    dump.put_memoized(OP_EMPTY_SET, obj, unique)
    if PySet_GET_SIZE(obj) == 0:
        return 0
    push_set(dump, SET_WORK, obj)
    return 1


cdef Work* push_set(Dump dump, Kind kind, PyObject* obj) except NULL:
    cdef Work* work = dump.push(kind, obj)
    work.size = PySet_GET_SIZE(obj)
    if not quickpickle_known.sets:
        dump.settle()  # making an iterator may run the garbage collector
        members = iter(<object>obj)
        Py_INCREF(members)
        work.first = <PyObject*>members
    return work


cdef int save_iterated_members(Dump dump, Work* work, Py_ssize_t limit) except -1:
    """The same as save_members() where the table of a set is not known."""
    cdef PyObject* member
    while work.count < limit and PySet_GET_SIZE(work.obj) == work.size:
        member = next_item(dump, work.first)
        if member == NULL:
            break
        work.count += 1
        work.position += 1
        if save_owned(dump, member):
            return 1
    return 0


cdef int save_members(Dump dump, Work* work, Py_ssize_t limit) except -1:
    """Write the members of a set or frozenset, up to so many; 1 where one is on the stack now."""
    cdef PyObject* members[SET_PLACES]
    cdef Py_ssize_t ends[SET_PLACES]
    cdef Py_ssize_t position, i, count
    cdef uint64_t epoch
    if work.first != NULL:
        return save_iterated_members(dump, work, limit)
    while work.count < limit and PySet_GET_SIZE(work.obj) == work.size:
        position = work.position
        count = quickpickle_set_members(
            work.obj, &position, min(SET_PLACES, limit - work.count), members, ends
        )
        if count == 0 and position == work.position:
            break
        epoch = dump.epoch
        i = 0
        while i < count and epoch == dump.epoch:  # else the set may have other members by now
            i += save_leaves(dump, members + i, count - i)
            if i < count:
                i += 1
                work.position = ends[i - 1]
                work.count += i
                if save(dump, members[i - 1], 1):
                    return 1
                work.count -= i
        work.count += i
        if i == count:
            work.position = position
    return 0


cdef int continue_set(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    while True:
        if work.step == BETWEEN:
            dump.put1(OP_MARK)
            work.count = 0
            work.step = IN_BATCH
        if save_members(dump, work, BATCHSIZE):
            return 1
        dump.put1(OP_ADDITEMS)
        if PySet_GET_SIZE(work.obj) != work.size:
            dump.is_at_fault = True
            raise changed_size(dump, "set")
        work.done += work.count
        if work.done >= work.size and (work.count < BATCHSIZE or dump.last_goes_alone):
            return dump.pop()
        work.step = BETWEEN


cdef int save_frozenset(Dump dump, PyObject* obj, bint unique) except -1:
    cdef Work* work
    dump.put1(OP_MARK)
    work = push_set(dump, FROZENSET_WORK, obj)
    work.done = unique
    if not unique and not dump.fast:
        dump.claim(obj)  # as with tuples
    return 1


cdef int continue_frozenset(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef MemoEntry* entry = NULL
    cdef PyObject* obj = work.obj
    if save_members(dump, work, work.size):
        return 1
    if not is_new(dump, work):
        entry = dump.find(obj)
    if entry == NULL or entry.key == NULL or entry.number < 0:
        dump.put_memoized(OP_FROZENSET, obj, entry == NULL)
    else:  # as with tuples
        dump.put1(OP_POP_MARK)
        dump.get(entry.number)
    return dump.pop()
