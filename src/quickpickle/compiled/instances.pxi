# Instances with attributes or slots, written by their plan: see plans.pxi.

cdef inline bint is_special(PyObject* key) noexcept:
    """Whether a key of an instance dict may be found before the class's __reduce_ex__, or be asked
    for by it."""
    cdef const char* text
    if Py_TYPE(key) != &PyUnicode_Type:
        return True  # whatever it may claim to equal
    if not PyUnicode_IS_COMPACT_ASCII(key) or PyUnicode_GET_LENGTH(key) < 9:  # "__slots__"
        return False
    text = <const char*>PyUnicode_DATA(key)
    if text[0] != b"_" or text[1] != b"_":
        return False
    # The notes of an exception, of which no reduction knows.
    return PyUnicode_GET_LENGTH(key) != 9 or memcmp(text, b"__notes__", 9) != 0


cdef inline Attributes attributes_of(PyObject* obj) noexcept:
    cdef Attributes attributes
    attributes.obj = obj
    attributes.values = quickpickle_values(obj)
    attributes.dict = NULL if attributes.values != NULL else quickpickle_instance_dict(obj)
    return attributes


cdef inline bint is_odd_dict(PyObject* dict) noexcept:
    """Whether an instance's dict is of a subclass, which is written by its own reduction."""
    return dict != NULL and Py_TYPE(dict) != &PyDict_Type


cdef inline Py_ssize_t count_attributes(Attributes* attributes) except -1:
    if attributes.values != NULL:
        return quickpickle_count_attributes(attributes.values)
    return 0 if attributes.dict == NULL else PyDict_Size(attributes.dict)


cdef inline bint next_attribute(
    Attributes* attributes, Py_ssize_t* position, PyObject** key, PyObject** value
) noexcept:
    """As PyDict_Next."""
    if attributes.values != NULL:
        return quickpickle_attribute(attributes.obj, attributes.values, position, key, value)
    return attributes.dict != NULL and quickpickle_dict_next(attributes.dict, position, key, value)


cdef inline bint has_special_keys(Attributes* attributes, Py_ssize_t position) noexcept:
    """Whether an instance has a special key behind a position."""
    cdef PyObject* key = NULL
    cdef PyObject* value = NULL
    while next_attribute(attributes, &position, &key, &value):
        if is_special(key):
            return True
    return False


cdef int push_plain(Dump dump, PyObject* obj, Plan plan) except -1:
    cdef char opcode = <char>(OP_REDUCE if plan.kind == AST else OP_NEWOBJ)
    cdef PyObject* state = quickpickle_instance_dict(obj)
    if plan.kind != AST and (state == NULL or PyDict_Size(state) == 0):
        state = NULL
    given = None if state == NULL else <object>state
    func, args = <object>plan.cls, ()
    if plan.kind != AST and dump.protocol < 2:
        func, args, opcode = reconstructor, (func, object, None), <char>OP_REDUCE
    push_reduction(dump, <object>obj, func, args, given, opcode)
    return 1


cdef bint save_new(Dump dump, Plan plan) except -1:
    """Write the opcodes that make an instance, if they are known; return whether they are."""
    cdef Py_ssize_t func, cls, base
    if plan.kind == AST or dump.protocol >= 2:
        if not save_class(dump, plan):
            return False
        dump.put2(OP_EMPTY_TUPLE, OP_REDUCE if plan.kind == AST else OP_NEWOBJ)
        return True
    func = dump.number_of(<PyObject*>reconstructor)
    cls = dump.number_of(<PyObject*>plan.cls)
    base = dump.number_of(<PyObject*>object)
    if func < 0 or cls < 0 or base < 0:
        return False
    dump.get(func)
    dump.put1(OP_MARK)
    dump.get(cls)
    dump.get(base)
    dump.put2(OP_NONE, OP_TUPLE)
    dump.memoize(NULL, True)
    dump.put1(OP_REDUCE)
    return True


cdef int save_plain(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef Attributes attributes = attributes_of(obj)
    cdef Py_ssize_t start = dump.pos - dump.buffer, count = dump.count, used = dump.used
    cdef Py_ssize_t size = count_attributes(&attributes)
    cdef int result
    if plan.kind == AST and attributes.dict == NULL:
        return ASK  # which makes one
    if is_odd_dict(attributes.dict):
        return ASK
    if dump.protocol < 2 and plan.kind != AST and not reconstructor_is_known(dump):
        return ASK
    if (
        dump.careful or not dump.protocol or dump.stop - dump.pos < SLACK
        or not save_new(dump, plan)
    ):
        return ASK if has_special_keys(&attributes, 0) else push_plain(dump, obj, plan)
    dump.memoize(obj, unique)
    if size == 0 and plan.kind != AST:
        return 0
    result = save_attributes(dump, plan, &attributes, size)
    if result == ASK:
        # Undone; nothing of it has left the buffer.
        plan.keys_dump = 0
        undo_references(dump, start)
        dump.pos = dump.buffer + start
        dump.rollback(count, used)
    return result


cdef int save_attributes(Dump dump, Plan plan, Attributes* attributes, Py_ssize_t size) except -1:
    """Write an instance dict, and BUILD; or return ASK where it has a special key.

    Instances of a class have the same keys in the same order, nearly always: so the plan has
    the last one's, and what numbers they have in the memo of this dump.
    """
    cdef Py_ssize_t i = 0, position = 0, number, place
    cdef PyObject* state = attributes.dict
    cdef PyObject* key
    cdef PyObject* value
    cdef MemoEntry* entry
    cdef bint unique = True
    if state != NULL:
        unique = dump.is_unique(state, 1)
        if not unique:
            entry = dump.find(state)
            if entry.key != NULL and entry.number >= 0:
                dump.get(entry.number)
                dump.put1(OP_BUILD)
                return ASK if has_special_keys(attributes, 0) else 0
        if size >= BATCHSIZE:
            if has_special_keys(attributes, 0):
                return ASK
            return save_dict(dump, state, unique, OP_BUILD)
    if plan.keys_dump != dump.first_epoch:
        forget_key_numbers(dump, plan)
    dump.put_memoized(OP_EMPTY_DICT, ITS_DICT if state == NULL else state, unique)
    place = dump.count - 1
    if size > 1:
        dump.put1(OP_MARK)
    while dump.pos < dump.stop and next_attribute(attributes, &position, &key, &value):
        if i < plan.key_count and plan.keys[i] == key:
            number = plan.key_numbers[i]
            if number < 0:
                plan.key_numbers[i] = number = save_key(dump, key)
            else:
                dump.get(number)
        elif is_special(key) or PyUnicode_GET_LENGTH(key) >= 1024:
            return ASK
        else:
            save_new_key(dump, plan, i, key)
        i += 1
        if not save_leaf(dump, value):
            break
    else:
        if i == size:
            dump.put1(OP_SETITEMS if size > 1 else OP_SETITEM if size else OP_BUILD)
            return dump.put1(OP_BUILD) if size else 0
        value = NULL
    if has_special_keys(attributes, position):
        return ASK
    if state != NULL:
        return push_dict(dump, state, OP_BUILD, position, i, value)
    return push_attributes(dump, attributes.obj, size, place, position, i, value)


cdef void forget_key_numbers(Dump dump, Plan plan) noexcept:
    """Those of an earlier dump."""
    cdef Py_ssize_t i
    plan.keys_dump = dump.first_epoch
    for i in range(plan.key_count):
        plan.key_numbers[i] = OPEN


cdef int save_new_key(Dump dump, Plan plan, Py_ssize_t i, PyObject* key) except -1:
    """Write a key that is not the plan's at this place, and make it the plan's."""
    cdef Py_ssize_t number = save_key(dump, key)
    if i < PLAN_KEYS and i <= plan.key_count:
        Py_INCREF_(key)
        if i == plan.key_count:
            plan.key_count += 1
        else:
            Py_DECREF(plan.keys[i])
        plan.keys[i] = key
        plan.key_numbers[i] = number
    return 0


cdef int push_attributes(
    Dump dump, PyObject* obj, Py_ssize_t size, Py_ssize_t place, Py_ssize_t position,
    Py_ssize_t count, PyObject* value,
) except -1:
    """The attributes from `position` on are left, after `value`, which may be NULL."""
    work = dump.push(ATTRIBUTES_WORK, obj)
    work.size = size
    work.position = position
    work.count = count
    work.done = place
    work.opcode = OP_BUILD
    work.step = IN_BATCH if size > 1 else ALONE if count else BETWEEN
    Py_XINCREF(value)
    work.first = value
    return 1


cdef int continue_attributes(Dump dump) except -1:
    """Go on with attributes that lie beside their instance."""
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef void* values = quickpickle_values(work.obj)
    cdef PyObject* key
    cdef PyObject* value
    while True:
        if values == NULL or work.epoch != dump.epoch or work.step == BETWEEN:
            return continue_as_dict(dump, work)
        if work.first != NULL:
            value = work.first
            work.first = NULL
            Py_DECREF(value)  # the instance has it
            if save(dump, value, 1):
                return 1
        elif quickpickle_attribute(work.obj, values, &work.position, &key, &value):
            work.count += 1
            if save_item(dump, work, key, value):
                return 1
        else:
            break
    dump.put1(OP_SETITEMS if work.size > 1 else OP_SETITEM)
    dump.put1(OP_BUILD)
    return dump.pop()


cdef int continue_as_dict(Dump dump, Work* work) except -1:
    """Go on with the dict that the attributes were in when other code began to run."""
    cdef PyObject* obj = work.obj
    dump.settle()
    if dump.log[work.done] == NULL:  # it was taken away before it was made
        raise changed_size(dump, "dictionary")
    work.obj = dump.log[work.done]
    Py_INCREF_(work.obj)
    work.done = 0
    work.kind = DICT_WORK
    work.epoch = 0
    dump.release(obj)
    if not PyDict_CheckExact(<object>work.obj):  # another thread has taken it away
        raise changed_size(dump, "dictionary")
    return continue_dict(dump)


cdef inline Py_ssize_t save_key(Dump dump, PyObject* key) except -1:
    """Write a short string and return its number in the memo."""
    cdef MemoEntry* entry = dump.find(key)
    if entry.key != NULL:
        dump.get(entry.number)
        return entry.number
    save_new_str(dump, key, False)
    return dump.used - 1


cdef int save_slots(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write an instance with slots: their names and values, or the values of the fields."""
    cdef Py_ssize_t i
    cdef PyObject* values
    cdef Work* work
    for i in range(plan.size):
        if quickpickle_slot(obj, plan.offsets[i]) == NULL:
            return ASK  # it is not set
    return save_values(dump, obj, unique, plan)


cdef int save_as_members(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write an instance whose state is a dict of its slots, or of these and its dict."""
    cdef Py_ssize_t i
    cdef PyObject* value
    cdef int result
    for i in range(plan.size):
        value = quickpickle_member(obj, plan.offsets[i])
        # One that is not set is asked of a __getattr__; others than None may be made anew.
        if value == NULL or (
            i == plan.vacant
            and value != Py_None
            and (Py_TYPE(value) != &PyDict_Type or PyDict_GET_SIZE(value))
        ):
            return ask_planned(dump, obj, unique, plan)
    result = save_values(dump, obj, unique, plan)
    return ask_planned(dump, obj, unique, plan) if result == ASK else result


cdef int save_values(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef Py_ssize_t i
    cdef bint named = plan.kind != FIELDS
    if not save_class(dump, plan):
        return ASK
    dump.part_begins()
    dump.put1(OP_EMPTY_TUPLE)
    dump.put_memoized(OP_NEWOBJ, obj, unique)
    dump.part_begins()
    if plan.kind == SLOTS:
        dump.put1(OP_NONE)
        dump.part_begins()
    dump.put_memoized(OP_EMPTY_DICT if named else OP_EMPTY_LIST, NULL, True)
    if plan.size > 1:
        dump.put1(OP_MARK)
    for i in range(plan.size):
        if named and not save_leaf(dump, PyTuple_GET_ITEM(<PyObject*>plan.names, i)):
            return push_slots(dump, obj, plan, i, 0)
        if not save_leaf(dump, quickpickle_member(obj, plan.offsets[i])):
            return push_slots(dump, obj, plan, i, 1)
    return end_slots(dump, plan.kind, plan.size)


cdef int push_slots(Dump dump, PyObject* obj, Plan plan, Py_ssize_t position, int step) except -1:
    cdef Work* work = dump.push(SLOTS_WORK, obj)
    work.done = plan.kind
    if plan.kind != FIELDS:
        work.step = step  # 1: the name is written
        Py_INCREF(plan.names)
        work.second = <PyObject*>plan.names
    # All values as they are now: other code that a value runs may set another.
    work.first = quickpickle_slot_values(obj, plan.offsets, plan.size)
    work.size = plan.size
    work.position = position
    return 1


cdef inline int end_slots(Dump dump, Py_ssize_t kind, Py_ssize_t size) except -1:
    if kind != FIELDS:
        if size:
            dump.put1(OP_SETITEMS if size > 1 else OP_SETITEM)
        if kind == SLOTS:
            dump.put_memoized(OP_TUPLE2, NULL, True)
    elif size:
        dump.put1(OP_APPENDS if size > 1 else OP_APPEND)
    return dump.put1(OP_BUILD)


cdef int continue_slots(Dump dump) except -1:
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyObject* values = work.first
    cdef PyObject* names = work.second
    while work.position < work.size:
        if names != NULL and work.step == 0:
            work.step = 1
            if save(dump, PyTuple_GET_ITEM(names, work.position), 0):
                return 1
        work.step = 0
        work.position += 1
        # Two references are known while nobody can have changed the slot: its own and ours.
        if save(
            dump,
            PyTuple_GET_ITEM(values, work.position - 1),
            2 if work.epoch == dump.epoch else 0,
        ):
            return 1
    end_slots(dump, work.done, work.size)
    if work.epoch == dump.epoch:  # the slots have them still, so nothing is freed
        work.first = NULL
        Py_DECREF(values)
    return dump.pop()
