# Instances written by the plan for their class, which rules/plans.py makes.
#
# Every change of a class or of one of its bases gives it a new version tag (0: none yet), and
# tags are not used again. So a plan that is found under the same class and tag was made for the
# class as it is now. is_valid checks everything else that a plan depends on: again whenever other
# code may have run, and only then, as nothing can change before.
#
# save_planned writes without running other code. If that is not possible it returns ASK, having
# written nothing, and the object is asked.

cdef enum:
    ASK = 2
    PLANS = 1024  # places in the table
    PLAN_PROBES = 8
    PLAN_KEYS = 16


@cython.final
cdef class Plan:
    cdef PyTypeObject* cls  # borrowed: the version says whether it is still that class
    cdef unsigned int version, metaclass_version
    cdef int kind
    cdef bint has_dict
    cdef bint is_asked_plainly  # also where it is UNPLANNED
    cdef uint64_t epoch  # in which it was valid
    cdef uint64_t copyreg_version  # of copyreg's table, when it was last looked at; 0: never
    cdef uint64_t dump  # in which the class has this number in the memo
    cdef Py_ssize_t class_number
    cdef tuple names
    cdef Py_ssize_t* offsets  # of the slots
    cdef Py_ssize_t size
    cdef object method, code
    cdef dict fields  # for NDARRAY
    cdef PyObject* own_fields  # for FIELDS: borrowed from the class, which has them in this version
    cdef PyObject* keys[PLAN_KEYS]  # of the last instance; owned
    cdef Py_ssize_t key_numbers[PLAN_KEYS]
    cdef Py_ssize_t key_count
    cdef uint64_t keys_dump  # in which they have these numbers

    def __dealloc__(self):
        cdef Py_ssize_t i
        PyMem_Free(self.offsets)
        for i in range(self.key_count):
            Py_DECREF(self.keys[i])


cdef PyObject* plans[PLANS]  # owned
cdef str c_order = chr(67), f_order = chr(70)  # of an array: one string each in the interpreter
cdef bint datetime_is_imported = False


cdef inline size_t plan_place(PyTypeObject* cls) noexcept:
    return <size_t>((<uint64_t><size_t>cls >> 4) * <uint64_t>0x9E3779B97F4A7C15 >> 54)


cdef inline PyObject* plan_of(PyTypeObject* cls) noexcept:
    """The plan that was made for a class (borrowed), valid or not; NULL where there is none."""
    cdef int i
    cdef size_t place = plan_place(cls)
    cdef PyObject* plan
    for i in range(PLAN_PROBES):
        plan = plans[(place + i) & (PLANS - 1)]
        if plan == NULL or (<Plan>plan).cls == cls:
            return plan
    return NULL


cdef inline PyObject* find_plan(Dump dump, PyTypeObject* cls) except? NULL:
    """The plan for a class (borrowed: other code may drop it); NULL where there is none yet, or
    other code may have to run to see whether it is valid."""
    cdef PyObject* plan
    if dump.protocol < 2:
        return NULL
    plan = plan_of(cls)
    if plan == NULL or (<Plan>plan).epoch == dump.epoch:
        return plan
    return plan if (<Plan>plan).kind != FIELDS and is_valid(dump, <Plan>plan) else NULL


cdef bint is_plainly_no_global(Dump dump, object obj) except -1:
    """Whether an object is no class and no function, and cannot claim to be one."""
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
    cdef PyObject* plan = plan_of(cls)
    if (
        plan != NULL
        and (<Plan>plan).version == quickpickle_type_version(cls)
        and (<Plan>plan).metaclass_version == quickpickle_type_version(Py_TYPE(<PyObject*>cls))
    ):
        return (<Plan>plan).is_asked_plainly  # without a look at the rest
    return make_plan(dump, obj).is_asked_plainly


cdef bint is_valid(Dump dump, Plan plan) except -1:
    cdef PyTypeObject* cls = plan.cls
    if plan.version != quickpickle_type_version(cls):
        return False
    if plan.kind == FIELDS:
        dump.settle()  # other code may run
        fields = <object>plan.own_fields
        if plan.names != planning.field_names(fields) or plan.version != quickpickle_type_version(cls):
            return False
    if plan.kind != UNPLANNED:
        if plan.metaclass_version != quickpickle_type_version(Py_TYPE(<PyObject*>cls)):
            return False
        # Nobody has registered the class since it was last looked for.
        if plan.copyreg_version == 0 or plan.copyreg_version != quickpickle_dict_version(<PyObject*>COPYREG_TABLE):
            if not is_unregistered(dump, cls):
                return False
            plan.copyreg_version = quickpickle_dict_version(<PyObject*>COPYREG_TABLE)
        # Not by the attribute: audit hooks are told of that.
        if plan.code is not None and PyFunction_GET_CODE(<PyObject*>plan.method) != <PyObject*>plan.code:
            return False
        if plan.kind == NDARRAY and (
            find_quietly(<PyObject*>plan.fields, "_frombuffer") != <PyObject*>plan.method
        ):
            return False
    plan.epoch = dump.epoch
    return True


cdef uint64_t copyreg_epoch = 0
cdef bint copyreg_was_quiet = False


cdef bint copyreg_is_quiet(Dump dump) noexcept:
    """Whether to look up a class in copyreg's table, in this epoch, runs no other code."""
    global copyreg_epoch, copyreg_was_quiet
    cdef Py_ssize_t position = 0
    cdef PyObject* key
    cdef PyObject* value
    if copyreg_epoch != dump.epoch:
        copyreg_epoch = dump.epoch
        copyreg_was_quiet = True
        while quickpickle_dict_next(<PyObject*>COPYREG_TABLE, &position, &key, &value):
            if not quickpickle_is_plain_class(key):
                copyreg_was_quiet = False
                break
    return copyreg_was_quiet


cdef Plan make_plan(Dump dump, object obj):
    """The plan for an object's class, made now if need be. Other code may run."""
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
    cdef PyObject* known = plan_of(cls)
    cdef Plan plan
    held = <object>cls  # other code may give the object another class
    if known != NULL and dump.protocol >= 2:
        plan = <Plan>known  # owned while other code may run, and put another in its place
        if (plan.epoch == dump.epoch or is_valid(dump, plan)) and Py_TYPE(<PyObject*>obj) == cls:
            return plan
    dump.settle()
    plan = Plan.__new__(Plan)
    plan.cls = cls
    plan.epoch = plan.dump = 0
    if dump.protocol < 2 or not quickpickle_has_generic_getattr(cls):
        return plan
    try:
        find_out(plan, obj)
    except Exception:  # in doubt the object is asked
        return Plan.__new__(Plan)
    if plan.size >= BATCHSIZE:
        plan.kind = UNPLANNED
    if (
        plan.version != quickpickle_type_version(cls)
        or plan.metaclass_version != quickpickle_type_version(Py_TYPE(<PyObject*>cls))
    ):
        plan.version = 0  # it has changed meanwhile
    if plan.version == 0 or plan.metaclass_version == 0:
        plan.kind = UNPLANNED  # until it has a tag, if ever
        plan.is_asked_plainly = False
    keep_plan(plan)
    # An object that has got another class meanwhile is to be asked.
    return plan if Py_TYPE(<PyObject*>obj) == cls else Plan.__new__(Plan)


cdef int find_out(Plan plan, object obj) except -1:
    """Fill in what an object's class says of its instances."""
    cdef PyTypeObject* cls = plan.cls
    cdef PyObject* slot
    cdef Py_ssize_t i
    getattr(<object>cls, "__reduce_ex__", None)  # now it has a tag
    plan.version = quickpickle_type_version(cls)
    plan.metaclass_version = quickpickle_type_version(Py_TYPE(<PyObject*>cls))
    kind, plan.names, slots, plan.method, fields, plan.code, plan.is_asked_plainly = (
        planning.find_plan(obj)
    )
    plan.kind = kind
    plan.has_dict = (<object>cls).__dictoffset__ != 0
    plan.size = len(slots)
    if slots:
        plan.offsets = <Py_ssize_t*>PyMem_Malloc(bytes_of(plan.size, sizeof(Py_ssize_t)))
        if plan.offsets == NULL:
            raise MemoryError
        for i in range(plan.size):
            plan.offsets[i] = quickpickle_slot_offset(PyTuple_GET_ITEM(<PyObject*>slots, i), cls)
            if plan.offsets[i] < 0:
                plan.kind = UNPLANNED if kind == SLOTS else GETSTATE
    if kind == FIELDS:
        plan.own_fields = <PyObject*>fields
    elif kind == NDARRAY:
        plan.fields = fields
        if cls.tp_basicsize < <Py_ssize_t>sizeof(quickpickle_array):
            plan.kind = UNPLANNED
        else:
            sample = (<object>cls)((2, 3))
            if planning.describe_array(sample) != describe_array(<PyObject*>sample):
                plan.kind = UNPLANNED  # an unknown future NumPy layout
    elif kind == NUMBER:
        plan.size = plan.names[2]
        for sample in ((<object>cls)(0), (<object>cls)(1), obj):
            if number_bytes(<PyObject*>sample, plan.size) != sample.tobytes():
                plan.kind = UNPLANNED  # as above
    elif kind == DATETIME and not is_known_date(cls):
        plan.kind = UNPLANNED
    return 0


cdef bint is_known_date(PyTypeObject* cls) except -1:
    """Whether a class is one of those in C whose fields are known."""
    global datetime_is_imported
    if not datetime_is_imported:
        quickpickle_import_datetime()
        datetime_is_imported = True
        check(&quickpickle_known.dates, dates_are_known)
    return quickpickle_known.dates and quickpickle_is_date(cls)


cdef int keep_plan(Plan plan) except -1:
    """Put a plan into the table: in place of the class's last one, or of one that is out of date."""
    cdef int i
    cdef size_t home = plan_place(plan.cls) & (PLANS - 1), place = home
    cdef PyObject* old
    for i in range(PLAN_PROBES):
        place = (home + i) & (PLANS - 1)
        if plans[place] == NULL or (<Plan>plans[place]).cls == plan.cls:
            break
    else:
        place = home
    old = plans[place]
    Py_INCREF(plan)
    plans[place] = <PyObject*>plan
    Py_XDECREF(old)
    return 0


cdef inline bint is_special(PyObject* key) noexcept:
    """Whether a key of an instance dict may be what is found before the class's __reduce_ex__."""
    cdef const char* text
    if Py_TYPE(key) != &PyUnicode_Type:
        return True  # whatever it may claim to equal
    if not PyUnicode_IS_COMPACT_ASCII(key) or PyUnicode_GET_LENGTH(key) < 10:
        return False
    text = <const char*>PyUnicode_DATA(key)
    return text[0] == b"_" and text[1] == b"_"


cdef struct Attributes:
    # Of an instance: in a dict, or where they lie while there is none.
    PyObject* obj
    PyObject* dict
    void* values


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


cdef int save_planned(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write an instance by the plan of its class, or return ASK."""
    cdef Attributes attributes
    if plan.kind <= AST:
        return save_plain(dump, obj, unique, plan)
    if plan.has_dict:
        attributes = attributes_of(obj)
        if is_odd_dict(attributes.dict) or has_special_keys(&attributes, 0):
            return ASK
    if plan.kind == GETSTATE or plan.kind == REDUCE or plan.kind == QUIET:
        return ask_planned(dump, obj, unique, plan)
    if dump.careful or not dump.may_have_parts():
        return ASK
    if plan.kind == NAMEDTUPLE:
        return save_namedtuple(dump, obj, unique, plan)
    if plan.kind == DATETIME:
        return save_datetime(dump, obj, unique, plan)
    if plan.kind == DECIMAL:
        return save_decimal(dump, obj, unique, plan)
    if plan.kind == ODICT:
        if count_attributes(&attributes):
            return ASK
        return save_odict(dump, obj, plan)
    if plan.kind >= LIST:
        if plan.has_dict and count_attributes(&attributes):
            return ASK
        return save_items(dump, obj, unique, plan)
    if plan.kind == UUID:
        return save_uuid(dump, obj, unique, plan)
    if plan.kind == NDARRAY:
        return save_ndarray(dump, obj, unique, plan)
    if plan.kind == NUMBER:
        return save_number(dump, obj, unique, plan)
    if plan.kind == DEQUE:
        return save_deque(dump, obj, plan)
    return save_slots(dump, obj, unique, plan)


cdef inline bint save_class(Dump dump, Plan plan) except -1:
    """Write a reference to the class, or its name; return whether that went."""
    cdef MemoEntry* entry
    if plan.dump != dump.first_epoch:
        entry = dump.find(<PyObject*>plan.cls)
        if entry.key == NULL or entry.number < 0:
            return (
                is_left_alone(dump, <PyObject*>plan.cls)
                and is_not_reduced(dump, <PyObject*>plan.cls)
                and save_global_here(dump, <PyObject*>plan.cls)
            )
        plan.class_number = entry.number
        plan.dump = dump.first_epoch
    dump.get(plan.class_number)
    return True


cdef int push_plain(Dump dump, PyObject* obj, Plan plan) except -1:
    cdef char opcode = <char>(OP_REDUCE if plan.kind == AST else OP_NEWOBJ)
    cdef PyObject* state = quickpickle_instance_dict(obj)
    if plan.kind != AST and (state == NULL or PyDict_Size(state) == 0):
        state = NULL
    given = None if state == NULL else <object>state
    push_reduction(dump, <object>obj, <object>plan.cls, (), given, opcode)
    return 1


cdef int save_plain(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef Attributes attributes = attributes_of(obj)
    cdef Py_ssize_t start = dump.pos - dump.buffer, count = dump.count, used = dump.used
    cdef Py_ssize_t size = count_attributes(&attributes)
    cdef int result
    if plan.kind == AST and attributes.dict == NULL:
        return ASK  # which makes one
    if is_odd_dict(attributes.dict):
        return ASK
    if dump.careful or dump.stop - dump.pos < SLACK or not save_class(dump, plan):
        return ASK if has_special_keys(&attributes, 0) else push_plain(dump, obj, plan)
    dump.put2(OP_EMPTY_TUPLE, OP_REDUCE if plan.kind == AST else OP_NEWOBJ)
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
        plan.keys_dump = dump.first_epoch
        for i in range(plan.key_count):
            plan.key_numbers[i] = OPEN
        i = 0
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
            number = save_key(dump, key)
            if i < PLAN_KEYS and i <= plan.key_count:
                Py_INCREF_(key)
                if i == plan.key_count:
                    plan.key_count += 1
                else:
                    Py_DECREF(plan.keys[i])
                plan.keys[i] = key
                plan.key_numbers[i] = number
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
    work = dump.push(ATTRIBUTES_WORK, attributes.obj)
    work.size = size
    work.position = position
    work.count = i
    work.done = place
    work.opcode = OP_BUILD
    work.step = IN_BATCH if size > 1 else ALONE if i else BETWEEN
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
    if dump.protocol < 4:
        return ASK
    if tzinfo != NULL:
        entry = dump.find(tzinfo)
        if entry.key == NULL or entry.number < 0:
            return ASK
    size = quickpickle_datetime_bytes(obj, data)
    if tzinfo != NULL:
        number = entry.number
    if not save_class(dump, plan):
        return ASK
    dump.part_begins()
    dump.put2(OP_SHORT_BINBYTES, <uint8_t>size)
    dump.put(data, size)
    dump.memoize(NULL, True)
    if tzinfo != NULL:
        dump.part_begins()
        dump.get(number)
        dump.put1(OP_TUPLE2)
    else:
        dump.put1(OP_TUPLE1)
    dump.memoize(NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef int save_decimal(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    cdef MemoEntry* entry = dump.find(<PyObject*>plan.cls)
    cdef PyObject* pointer
    if dump.protocol < 4 or entry.key == NULL or entry.number < 0:
        return ASK
    pointer = quickpickle_str_quietly(obj)
    text = <object>pointer
    Py_DECREF(pointer)
    if not PyUnicode_IS_COMPACT_ASCII(pointer) or PyUnicode_GET_LENGTH(pointer) >= 1024:
        return ASK
    dump.get(entry.number)
    dump.part_begins()
    put_str_header(dump, PyUnicode_GET_LENGTH(pointer))
    dump.put(<const char*>PyUnicode_DATA(pointer), PyUnicode_GET_LENGTH(pointer))
    dump.memoize(NULL, True)
    dump.put_memoized(OP_TUPLE1, NULL, True)
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


cdef object describe_array(PyObject* obj):
    """See planning.describe_array."""
    cdef quickpickle_array* array = <quickpickle_array*>obj
    cdef list shape = []
    for i in range(array.nd):
        shape.append(array.dimensions[i])
    return <size_t>array.data, tuple(shape), <object>array.descr, array.flags


cdef tuple reduce_array(Dump dump, object obj, Plan plan):
    """NumPy's reduction of an array of numbers, without its look-ups; None where it is asked."""
    cdef quickpickle_array* array = <quickpickle_array*>obj
    if (
        dump.protocol < 5
        or not array.flags & (ARRAY_C_CONTIGUOUS | ARRAY_F_CONTIGUOUS)
        or array.flags & ARRAY_WARN_ON_WRITE
        or item_size(plan, array.descr) == 0
    ):
        return None
    descr = <object>array.descr
    if array.flags & ARRAY_C_CONTIGUOUS:
        return plan.method, (PickleBuffer(obj), descr, obj.shape, c_order)
    # In the order of Fortran it is the buffer of a view that is in the order of C.
    return plan.method, (PickleBuffer(obj.T), descr, obj.shape, f_order)


cdef inline Py_ssize_t item_size(Plan plan, PyObject* descr) noexcept:
    """How many bytes an item of an array has, for a dtype of numbers; 0: another one."""
    cdef Py_ssize_t i
    for i in range(0, PyTuple_GET_SIZE(<PyObject*>plan.names), 2):
        if PyTuple_GET_ITEM(<PyObject*>plan.names, i) == descr:
            return plan.names[i + 1]
    return 0


cdef int save_ndarray(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write a small array of numbers, all of it known: its types, and where NumPy rebuilds it."""
    cdef quickpickle_array* array = <quickpickle_array*>obj
    cdef PyObject* order = <PyObject*>c_order
    cdef MemoEntry* entry = dump.find(<PyObject*>plan.method)
    cdef Py_ssize_t func, dtype, i, size
    cdef uint64_t total
    if dump.protocol < 5 or dump.buffer_callback is not None or array.nd > 3:
        return ASK
    if entry.key == NULL or entry.number < 0:
        return ASK
    func = entry.number
    size = item_size(plan, array.descr)
    entry = dump.find(array.descr)
    if size == 0 or entry.key == NULL or entry.number < 0:
        return ASK
    dtype = entry.number
    if not array.flags & ARRAY_C_CONTIGUOUS:
        if not array.flags & ARRAY_F_CONTIGUOUS:
            return ASK
        order = <PyObject*>f_order
    entry = dump.find(order)
    if entry.key == NULL or entry.number < 0:
        return ASK
    # Where a frame may end is not thought of here, so it all goes into this one.
    total = size
    for i in range(array.nd):  # three at most, so the product has less than 64 bits
        if array.dimensions[i] > FRAME_SIZE_TARGET:
            return ASK
        total *= array.dimensions[i]
    if total == 0 or total > FRAME_SIZE_TARGET:
        return ASK
    size = <Py_ssize_t>total
    if dump.stop - dump.pos <= size + SLACK:
        return ASK
    dump.get(func)
    dump.put1(OP_MARK)
    if array.flags & ARRAY_WRITEABLE and not array.flags & ARRAY_WARN_ON_WRITE:
        dump.put_opcode8(OP_BYTEARRAY8, <uint64_t>size)
    else:
        put_bytes_header(dump, size)
    dump.put(array.data, size)
    dump.memoize(NULL, True)
    dump.get(dtype)
    for i in range(array.nd):
        put_small_int(dump, array.dimensions[i])
    dump.put1(OP_EMPTY_TUPLE if array.nd == 0 else <uint8_t>(OP_TUPLE1 - 1 + array.nd))
    if array.nd:
        dump.memoize(NULL, True)
    dump.get(entry.number)
    dump.put_memoized(OP_TUPLE, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef inline char* number_data(PyObject* obj) noexcept:
    """Where a NumPy number has its value."""
    return <char*>obj + sizeof(PyObject)


cdef bytes number_bytes(PyObject* obj, Py_ssize_t size):
    if <Py_ssize_t>sizeof(PyObject) + size > Py_TYPE(obj).tp_basicsize:
        return b""
    return PyBytes_FromStringAndSize(number_data(obj), size)


cdef int save_number(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write a NumPy number whose dtype was met before, as was the function that rebuilds it."""
    cdef MemoEntry* func = dump.find(PyTuple_GET_ITEM(<PyObject*>plan.names, 0))
    cdef MemoEntry* dtype = dump.find(PyTuple_GET_ITEM(<PyObject*>plan.names, 1))
    if (
        dump.protocol < 3
        or func.key == NULL or func.number < 0
        or dtype.key == NULL or dtype.number < 0
    ):
        return ASK
    dump.get(func.number)
    dump.part_begins()
    dump.get(dtype.number)
    dump.part_begins()
    put_bytes_header(dump, plan.size)
    dump.put(number_data(obj), plan.size)
    dump.memoize(NULL, True)
    dump.put_memoized(OP_TUPLE2, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef int save_deque(Dump dump, PyObject* obj, Plan plan) except -1:
    maxlen = (<object>obj).maxlen
    if not save_class(dump, plan):
        return ASK
    dump.part_begins()
    dump.put1(OP_EMPTY_TUPLE)
    if maxlen is not None:
        dump.part_begins()
        if not save_scalar(dump, <PyObject*>maxlen):
            save_rare_int(dump, maxlen)
        dump.put_memoized(OP_TUPLE2, NULL, True)
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
        dump.get(number)
        dump.put1(OP_TUPLE1)
        dump.memoize(NULL, True)
    return True


cdef int push_items(
    Dump dump, PyObject* obj, bint is_dict, int step, Py_ssize_t count, PyObject* value
) except -1:
    """Go on with an iterator behind the first `count` items, but for the `value` of the last one."""
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


cdef int save_slots(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write an instance with slots: their names and values, or the values of the fields."""
    cdef Py_ssize_t i
    cdef PyObject* values
    cdef Work* work
    for i in range(plan.size):
        if quickpickle_slot(obj, plan.offsets[i]) == NULL:
            return ASK  # it is not set
    if not save_class(dump, plan):
        return ASK
    dump.part_begins()
    dump.put1(OP_EMPTY_TUPLE)
    dump.put_memoized(OP_NEWOBJ, obj, unique)
    dump.part_begins()
    if plan.kind == SLOTS:
        dump.put1(OP_NONE)
        dump.part_begins()
    dump.put_memoized(OP_EMPTY_DICT if plan.kind == SLOTS else OP_EMPTY_LIST, NULL, True)
    if plan.size > 1:
        dump.put1(OP_MARK)
    for i in range(plan.size):
        if plan.kind == SLOTS and not save_leaf(dump, PyTuple_GET_ITEM(<PyObject*>plan.names, i)):
            return push_slots(dump, obj, plan, i, 0)
        if not save_leaf(dump, quickpickle_slot(obj, plan.offsets[i])):
            return push_slots(dump, obj, plan, i, 1)
    return end_slots(dump, plan.kind == SLOTS, plan.size)


cdef int push_slots(Dump dump, PyObject* obj, Plan plan, Py_ssize_t position, int step) except -1:
    cdef Work* work = dump.push(SLOTS_WORK, obj)
    if plan.kind == SLOTS:
        work.step = step  # 1: the name is written
        Py_INCREF(plan.names)
        work.second = <PyObject*>plan.names
    # All values as they are now: other code that a value runs may set another.
    work.first = quickpickle_slot_values(obj, plan.offsets, plan.size)
    work.size = plan.size
    work.position = position
    return 1


cdef inline int end_slots(Dump dump, bint named, Py_ssize_t size) except -1:
    if named:
        dump.put1(OP_SETITEMS if size > 1 else OP_SETITEM)
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
    end_slots(dump, names != NULL, work.size)
    if work.epoch == dump.epoch:  # the slots have them still, so nothing is freed
        work.first = NULL
        Py_DECREF(values)
    return dump.pop()


cdef int ask_planned(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Call the one method that decides."""
    cdef PyObject* result
    cdef object cls = <object>plan.cls
    if plan.kind == QUIET:
        held = <object>obj  # whatever save_reduction asks for
        result = quickpickle_call_quietly(<PyObject*>plan.method, obj)
        reduction = <object>result
        Py_DECREF(result)
        if (
            dump.nested_user_code >= dump.reduction_limit
            or Py_TYPE(<PyObject*>plan.cls) != &PyType_Type
            or quickpickle_is_called_newobj(plan.cls)
        ):
            dump.settle()  # the limit, the class's name or an error is asked for
            unique = False
        save_reduction(dump, held, reduction, True)
        dump.stack[dump.height - 1].count = unique
        return 1
    dump.settle()
    Py_INCREF_(obj)
    try:
        if plan.kind == REDUCE:
            reduction = (<object>obj).__reduce__()
            if PyUnicode_Check(reduction):
                return save_global(dump, <object>obj, reduction)
            return save_reduction(dump, <object>obj, reduction, True)
        state = (<object>obj).__getstate__()
        if type(<object>obj) is not cls:  # it has changed its class
            return save_reduction(dump, <object>obj, (copyreg.__newobj__, (cls,), state), True)
        dump.enter_user_code(<object>obj)
        push_reduction(dump, <object>obj, cls, (), state, <char>OP_NEWOBJ).size = 1
    finally:
        dump.release(obj)
    return 1
