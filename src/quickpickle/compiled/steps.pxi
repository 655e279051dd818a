# The steps to the object at fault, read from the stack of work: as pickling/steps.py.
#
# Nothing here runs before a dump has failed. Then other code may run, so the log is owned.

cdef object add_fault, add_path, kinds, PathStep, UNKNOWN, part_of


cdef int import_steps() except -1:
    """Only now: most programs have no use for it."""
    global add_fault, add_path, kinds, PathStep, UNKNOWN, part_of
    from ..rules import paths, steps

    add_fault, add_path, kinds = paths.add_fault, paths.add_path, steps
    PathStep, UNKNOWN, part_of = steps.Step, steps.UNKNOWN, steps.part_of
    return 0


cdef int note_path(Dump dump, object root, object error) except -1:
    """Let an exception out with the path to the object at fault."""
    dump.own()
    try:
        import_steps()
        if dump.outside == IN_WRITE:
            is_digest = dump.reducer_override is reduce_for_digest
            add_fault(error, DIGESTING if is_digest else WRITING, dump.sent)
        elif dump.outside == IN_PROGRESS:
            add_fault(error, REPORTING, dump.sent)
        elif dump.outside == NOTHING:
            add_path(error, root, partial(read_steps, dump), dump.protocol)
    except Exception:  # no import at the end of a program, or no memory: what matters is the error
        pass
    finally:
        dump.forget_culprit()
    return 0


def read_steps(Dump dump):
    cdef Py_ssize_t i
    cdef list steps = []
    head, tail = kinds.shown_levels(dump.height)
    for i in range(head):
        read_level(dump, i, steps)
    if tail:
        # Over the gap, to what the first level behind it is about.
        i = dump.height - tail
        while i < dump.height - 1 and subject(dump, i) is UNKNOWN:
            i += 1
        steps.append(PathStep(kinds.GAP, subject(dump, i)))
        for i in range(i, dump.height):
            read_level(dump, i, steps)
    return steps


cdef object subject(Dump dump, Py_ssize_t level):
    """The object that a level of the stack is about, where the level has it."""
    cdef Work* work = &dump.stack[level]
    if work.kind == GENERATOR_WORK:
        return <object>work.first
    if (
        work.kind == LIST_ITEMS_WORK
        or work.kind == DICT_ITEMS_WORK
        or work.kind == PERSISTENT_ID_WORK
        or ((work.kind == DICT_WORK or work.kind == ORDERED_WORK) and work.opcode)
    ):
        return UNKNOWN
    return <object>work.obj


cdef int read_level(Dump dump, Py_ssize_t level, list steps) except -1:
    """Add the step, or the steps, that a level of the stack stands for."""
    cdef Work* work = &dump.stack[level]
    cdef Kind kind = work.kind
    cdef bint is_last = level == dump.height - 1
    cdef object child
    if not is_last:
        child = subject(dump, level + 1)
    elif dump.is_at_fault:
        return 0
    else:
        child = UNKNOWN if dump.culprit == NULL else <object>dump.culprit
    if kind == TUPLE_WORK:
        read_item(steps, <object>work.obj, work.position - 1, child)
    elif kind == LIST_WORK:
        read_item(
            steps, <object>work.obj, work.position - (0 if work.step == ALONE else 1), child
        )
    elif kind == DICT_WORK:
        if work.opcode:  # of an instance
            steps.append(PathStep(kinds.STATE, <object>work.obj))
        read_dict(steps, work, child)
    elif kind == ATTRIBUTES_WORK:
        read_attributes(steps, work, child)
    elif kind == SLOTS_WORK:
        if work.position:
            name = None if work.second == NULL else (<tuple>work.second)[work.position - 1]
            value = (<tuple>work.first)[work.position - 1]
            if name == "__dict__":  # no slot, but of a state that has the dict too
                steps.append(PathStep(kinds.STATE, value))
            else:
                steps.append(PathStep(kinds.ATTRIBUTE, value, None, name))
    elif kind == SET_WORK or kind == FROZENSET_WORK:
        read_set(steps, work, child)
    elif kind == ORDERED_WORK:
        read_ordered(steps, work, child)
    elif kind == REDUCTION_WORK:
        read_reduction(steps, work, is_last)
    elif kind == LIST_ITEMS_WORK:
        steps.append(PathStep(kinds.LIST_ITEM, child, item_number(work), None, source(dump, level)))
    elif kind == DICT_ITEMS_WORK:
        steps.append(
            PathStep(
                kinds.DICT_KEY if work.second != NULL else kinds.DICT_VALUE,
                child,
                None if dump.order is not None and dump.sort_dicts else item_number(work),
                None,
                source(dump, level),
            )
        )
    elif kind == PERSISTENT_ID_WORK:
        steps.append(PathStep(kinds.PERSISTENT_ID, <object>work.obj))
    else:
        read_generator(steps, <object>work.first, child)
    return 0


cdef int read_item(list steps, object items, Py_ssize_t index, object child) except -1:
    if 0 <= index < len(items):
        if child is UNKNOWN:
            child = (list if isinstance(items, list) else tuple).__getitem__(items, index)
        steps.append(PathStep(kinds.ITEM, child, index))
    return 0


cdef int read_dict(list steps, Work* work, object child) except -1:
    cdef Py_ssize_t position = 0, number = -1
    cdef PyObject* key = NULL
    cdef PyObject* value = NULL
    while position < work.position and PyDict_Next(work.obj, &position, &key, &value):
        number += 1
    if number < 0:
        return 0
    name = <object>key
    if work.first != NULL:  # the value, which waits for its key to be written
        steps.append(PathStep(kinds.KEY, name, number))
    else:
        found = <object>value if child is UNKNOWN else child
        steps.append(PathStep(kinds.VALUE, found, number, name))
    return 0


cdef int read_attributes(list steps, Work* work, object child) except -1:
    cdef Py_ssize_t position = 0
    cdef void* values = quickpickle_values(work.obj)
    cdef PyObject* key = NULL
    cdef PyObject* value = NULL
    if values == NULL:  # a dict was made of them, but they are the same
        if quickpickle_instance_dict(work.obj) == NULL:
            return 0  # taken away since
        attributes = <object>quickpickle_instance_dict(work.obj)
        for number, (name, found) in enumerate(attributes.items()):
            if number == work.position - 1:
                steps.append(PathStep(kinds.ATTRIBUTE, found, None, name))
        return 0
    while position < work.position:
        if not quickpickle_attribute(work.obj, values, &position, &key, &value):
            break
    if value != NULL:
        name = <object>key
        steps.append(
            PathStep(kinds.ATTRIBUTE, <object>value if child is UNKNOWN else child, None, name)
        )
    return 0


cdef int read_set(list steps, Work* work, object child) except -1:
    cdef PyObject* members[SET_PLACES]
    cdef Py_ssize_t ends[SET_PLACES]
    cdef Py_ssize_t position = 0, number = -1, count
    cdef PyObject* item = NULL
    if work.first != NULL:  # an iterator: the member is the child, if it is known
        if work.position and child is not UNKNOWN:
            steps.append(PathStep(kinds.MEMBER, child, work.position - 1))
        return 0
    while position < work.position and position <= (<PySetObject*>work.obj).mask:
        count = quickpickle_set_members(
            work.obj, &position, min(SET_PLACES, work.position - position), members, ends
        )
        number += count
        if count:
            item = members[count - 1]
    if item != NULL:
        steps.append(PathStep(kinds.MEMBER, <object>item if child is UNKNOWN else child, number))
    return 0


cdef int read_ordered(list steps, Work* work, object child) except -1:
    # In this order an item has another number than in its container.
    cdef list members = <list>work.first
    cdef Py_ssize_t last = work.position - 1
    if work.opcode:  # of an instance
        steps.append(PathStep(kinds.STATE, <object>work.obj))
    if last < 0:
        return 0
    if child is UNKNOWN:
        child = members[last]
    if type(<object>work.obj) is not dict:
        steps.append(PathStep(kinds.MEMBER, child))
    elif last % 2:
        steps.append(PathStep(kinds.VALUE, child, None, members[last - 1]))
    else:
        steps.append(PathStep(kinds.KEY, child))
    return 0


cdef int read_reduction(list steps, Work* work, bint is_last) except -1:
    # The part that is being written is that of the step before: see continue_reduction.
    cdef int origin = <int>work.position
    cdef bytes opcode = b"%c" % <uint8_t>work.opcode
    cdef object rest = None if work.third == NULL else <object>work.third
    cdef int step = work.step
    if step == ARGUMENTS:
        steps.append(PathStep(kinds.PART, <object>work.first, None, part_of(opcode, 0), origin))
    elif step == KEYWORDS or (step == MADE and work.opcode != <char>OP_NEWOBJ_EX):
        steps.append(PathStep(kinds.PART, <object>work.second, None, part_of(opcode, 1), origin))
    elif step == MADE:
        steps.append(PathStep(kinds.PART, (<tuple>rest)[6], None, part_of(opcode, 2), origin))
    elif step == BUILD or step == SETTER:
        state = (<tuple>rest)[2] if work.done else rest
        steps.append(PathStep(kinds.STATE, state, None, None, origin))
    elif step == SETTER_OBJECT:
        steps.append(PathStep(kinds.PART, (<tuple>rest)[5], None, "[5]", origin))
    # Of list and dict items the level above tells.
    return 0


cdef Py_ssize_t item_number(Work* work) noexcept:
    """The number of a list or dict item of a reduction."""
    return work.done + (work.count - 1 if work.step == IN_BATCH else 0)


cdef int source(Dump dump, Py_ssize_t level) noexcept:
    """Where the reduction is from that a level gives the items of."""
    if level and dump.stack[level - 1].kind == REDUCTION_WORK:
        return <int>dump.stack[level - 1].position
    return 0


cdef int read_generator(list steps, object container, object child) except -1:
    if child is UNKNOWN:
        return 0
    if type(container) is list:
        steps.append(PathStep(kinds.ITEM, child))
    elif type(container) is dict:
        for number, (key, value) in enumerate(container.items()):
            if key is child:
                steps.append(PathStep(kinds.KEY, child, number))
                break
            if value is child:
                steps.append(PathStep(kinds.VALUE, child, number, key))
                break
    return 0
