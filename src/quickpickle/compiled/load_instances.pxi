# BUILD: the state of an instance.
#
# Most states are a dict, and become the instance's attributes; no other code takes part. One look
# at a class gives its plan: that it has no __setstate__, and that its instances have an ordinary
# __dict__, or slots. A plan counts while the class has the version that it had then. All else is
# asked of the object, as the interpreter does.

cdef enum:
    ASK = 1
    BY_ATTRIBUTES  # a dict that becomes the attributes of an instance which keeps them without one
    BY_DICT  # a dict that becomes the __dict__ of an instance
    BY_SLOTS  # (None, a dict), whose keys are slots
    BY_FIELDS  # a list with the values of slots
    BY_UUID  # {"int": ...}, for two slots

cdef enum:  # not a count
    NOT_KNOWN = -1
    NO_TUPLE = -2
    SEEN_ONCE = -3

cdef enum:
    MOST_FAILURES = 4

class Example:
    pass

cdef object example_descriptor = vars(Example)["__dict__"]
cdef PyObject* dict_descriptor = <PyObject*>example_descriptor
cdef object setstate_name = "__setstate__", dict_name = "__dict__"
cdef PyObject* SETSTATE = <PyObject*>setstate_name
cdef PyObject* DICT_NAME = <PyObject*>dict_name


cdef ClassPlan* plan_of(Loader self, PyTypeObject* cls) except NULL:
    """The plan of a class."""
    cdef ClassPlan* plan
    cdef ClassPlan old
    cdef size_t place
    if self.plans == NULL:
        self.plans = <ClassPlan*>allocate(CLASS_PLANS, sizeof(ClassPlan))
        memset(self.plans, 0, CLASS_PLANS * sizeof(ClassPlan))
    place = plan_place(cls)
    plan = &self.plans[place]
    if plan.cls == cls and plan.version == quickpickle_type_version(cls):
        return plan
    if plan.kind == 0:
        self.used_plans[self.used_plan_count] = place
        self.used_plan_count += 1
    old = plan[0]
    memset(plan, 0, sizeof(ClassPlan))
    Py_INCREF_(<PyObject*>cls)
    plan.cls = cls
    plan.tuple_items = NOT_KNOWN
    plan.kind = ASK
    if self.policy is None or may_learn(self, cls):
        learn_class(plan, cls)
    if old.kind:
        self.close_window()
        forget_plan(&old)
        self.open_window()
    return plan


cdef bint may_learn(Loader self, PyTypeObject* cls) except -1:
    """Whether states of its instances are let through; those of a UUID are looked at."""
    cdef int state = quick_rule(self, <PyObject*>cls).state
    return state == ANYTHING or state == NUMBER and _PyType_Lookup(cls, SETSTATE) != NULL


cdef int learn_class(ClassPlan* plan, PyTypeObject* cls) except -1:
    cdef PyObject* setstate
    cdef PyObject* found
    # The lookup gives the class a version, where it can have one.
    setstate = _PyType_Lookup(cls, SETSTATE)
    plan.version = quickpickle_type_version(cls)
    if plan.version == 0 or not quickpickle_has_plain_attributes(cls) or setstate != NULL:
        return 0
    found = _PyType_Lookup(cls, DICT_NAME)
    if found == NULL:
        plan.kind = BY_SLOTS
    elif quickpickle_is_dict_descriptor(found, dict_descriptor):
        if quickpickle_has_own_dict(cls):
            plan.kind = BY_DICT
        elif PyType_HasFeature(cls, Py_TPFLAGS_HEAPTYPE):
            plan.shared = quickpickle_shared_keys(cls)
            if plan.shared != NULL:
                plan.kind = BY_ATTRIBUTES
    return 0


cdef ClassPlan* find_plan(Loader self, PyTypeObject* cls) except? NULL:
    """The plan for the states of instances of a class; NULL where they are to be asked."""
    cdef ClassPlan* plan = plan_of(self, cls)
    if plan.kind != ASK:
        return plan
    plan.seen += 1
    if plan.seen == 2 and plan.version != 0 and quickpickle_has_plain_attributes(cls):
        learn_setstate(self, <object>cls)
        plan = plan_of(self, cls)
    return NULL if plan.kind == ASK else plan


cdef int note_failure(Loader self, PyObject* obj) except -1:
    """A plan that does not fit is given up: the instances of some classes have attributes before."""
    cdef ClassPlan* plan = plan_of(self, Py_TYPE(obj))
    plan.failures += 1
    if plan.failures == MOST_FAILURES and plan.kind < BY_FIELDS:
        plan.kind = ASK
        plan.seen = 2
    return 0


cdef int learn_setstate(Loader self, object cls) except -1:
    """At its second instance: whether it is known what the __setstate__ of a class does."""
    cdef ClassPlan* plan
    cdef PyObject* descriptor
    cdef Py_ssize_t i, place
    if self.policy is not None and not may_learn(self, <PyTypeObject*>cls):
        return 0
    self.close_window()
    found = loading_plans.plan_setstate(cls)
    self.open_window()
    plan = plan_of(self, <PyTypeObject*>cls)
    if found is None or plan.kind != ASK:
        return 0
    kind, names, constant = found
    plan.room = len(names)
    plan.fields = <Field*>allocate(plan.room + 1, sizeof(Field))
    for name in names:
        descriptor = _PyType_Lookup(plan.cls, <PyObject*>name)
        place = -1 if descriptor == NULL else quickpickle_slot_offset(descriptor, plan.cls)
        for i in range(plan.count):
            if plan.fields[i].place == place:
                place = -1
        if place < 0:
            return 0
        Py_INCREF(name)
        Py_INCREF(name)
        plan.fields[plan.count].key = plan.fields[plan.count].name = <PyObject*>name
        plan.fields[plan.count].place = place
        plan.count += 1
    Py_INCREF(constant)
    plan.constant = <PyObject*>constant
    plan.kind = BY_FIELDS if kind == loading_plans.FIELDS else BY_UUID
    return 0


cdef bint is_namedtuple(Loader self, PyTypeObject* cls, Py_ssize_t count) except -1:
    """Whether a call of the __new__ of a class with so many arguments makes a tuple of them.

    That is learned at the second call.
    """
    cdef ClassPlan* plan = plan_of(self, cls)
    if plan.tuple_items == NOT_KNOWN and plan.version:
        plan.tuple_items = SEEN_ONCE
    elif plan.tuple_items == SEEN_ONCE:
        self.close_window()
        items = loading_plans.count_of_namedtuple(<object>cls)
        self.open_window()
        plan = plan_of(self, cls)
        plan.tuple_items = NO_TUPLE if items is None else items
    return plan.tuple_items == count


cdef bint learn_field(ClassPlan* plan, Py_ssize_t i, PyObject* key, Py_ssize_t room) except -1:
    """Learn which attribute the i-th key of a state is; what was known of later ones is forgotten.

    Returns False where there is no place for it yet.
    """
    cdef PyObject* name = key
    cdef PyObject* descriptor
    cdef Field* field
    cdef Py_ssize_t place = -1, k
    if Py_TYPE(key) != &PyUnicode_Type:
        return False
    while plan.count > i:
        # Its key is a str, which frees no other object.
        plan.count -= 1
        Py_DECREF(plan.fields[plan.count].key)
        Py_DECREF(plan.fields[plan.count].name)
    Py_INCREF_(name)
    PyUnicode_InternInPlace(&name)
    try:
        if plan.kind == BY_DICT:
            place = i
        elif plan.kind == BY_ATTRIBUTES:
            place = quickpickle_shared_place(plan.shared, name)
        else:
            descriptor = _PyType_Lookup(plan.cls, name)
            if descriptor != NULL:
                place = quickpickle_writable_slot(descriptor, plan.cls)
        if place < 0 or place >= room:
            return False
        for k in range(i):
            if plan.fields[k].place == place:
                return False
        if i == plan.room:
            plan.fields = <Field*>reallocate(plan.fields, plan.room, sizeof(Field), &plan.room)
    except BaseException:
        Py_DECREF(name)
        raise
    field = &plan.fields[i]
    Py_INCREF_(key)
    field.key = key
    field.name = name
    field.place = place
    plan.count = i + 1
    return True


cdef bint learn_fields(
    ClassPlan* plan, PyObject** items, Py_ssize_t count, Py_ssize_t room
) except -1:
    """Learn the keys of a state that are not known from the last one.

    Returns False where one has no place.
    """
    cdef Py_ssize_t i
    for i in range(count):
        if i >= plan.count or plan.fields[i].key != items[2 * i]:
            if not learn_field(plan, i, items[2 * i], room):
                return False
    return True


cdef bint set_attributes(
    ClassPlan* plan, PyObject* obj, PyObject** items, Py_ssize_t count
) except -1:
    """Keys and values in turn become the attributes of an instance that has none.

    Takes over the references to the values. Returns False where that is not possible, and then
    nothing was changed.
    """
    cdef Py_ssize_t i, room
    cdef Field* fields
    cdef void* values = quickpickle_empty_values(obj)
    if values == NULL or quickpickle_shared_keys(plan.cls) != plan.shared:
        return False
    room = quickpickle_values_room(obj, values)
    if count > room or not learn_fields(plan, items, count, room):
        return False
    fields = plan.fields
    for i in range(count):
        quickpickle_set_value(values, i, fields[i].place, items[2 * i + 1])
    return True


cdef bint set_slots(ClassPlan* plan, PyObject* obj, PyObject** items, Py_ssize_t count) except -1:
    """The same with slots, none of which may be set."""
    cdef Py_ssize_t i
    cdef Field* fields
    if not learn_fields(plan, items, count, LARGEST):
        return False
    fields = plan.fields
    for i in range(count):
        if quickpickle_slot_at(obj, fields[i].place)[0] != NULL:
            return False
    for i in range(count):
        quickpickle_slot_at(obj, fields[i].place)[0] = items[2 * i + 1]
    return True


cdef bint set_dict(
    Loader self, ClassPlan* plan, PyObject* obj, PyObject** items, Py_ssize_t count
) except -1:
    """The same with a dict that is made for the instance. Takes over all references."""
    cdef Py_ssize_t i
    cdef PyObject* made
    cdef PyObject* name
    cdef PyObject** place = quickpickle_own_dict(obj)
    if place[0] != NULL or not learn_fields(plan, items, count, LARGEST):
        return False
    for i in range(count):
        name = plan.fields[i].name
        Py_INCREF_(name)
        Py_DECREF(items[2 * i])  # the plan has it
        items[2 * i] = name
    made = new_dict(self, items, count)
    if made == NULL:
        return -1
    if made == Py_None:
        return False  # a name comes twice
    place[0] = made
    quickpickle_put_behind(obj, made)
    return True


cdef bint set_uuid(
    Loader self, ClassPlan* plan, PyObject* obj, PyObject** items, Py_ssize_t count
) except -1:
    """Takes over the reference to the value."""
    cdef PyObject** number = quickpickle_slot_at(obj, plan.fields[0].place)
    cdef PyObject** is_safe = quickpickle_slot_at(obj, plan.fields[1].place)
    if (
        count != 1 or number[0] != NULL or is_safe[0] != NULL
        or Py_TYPE(items[0]) != &PyUnicode_Type
        or PyUnicode_CompareWithASCIIString(items[0], b"int")
        or self.policy is not None and not is_uuid_number(items[1])
    ):
        return False
    number[0] = items[1]
    Py_INCREF_(plan.constant)
    is_safe[0] = plan.constant
    return True


cdef bint set_fields(Loader self, PyObject* obj, PyObject* state) except -1:
    """The values of a list go to the slots of an instance."""
    cdef ClassPlan* plan = find_plan(self, Py_TYPE(obj))
    cdef Py_ssize_t i
    cdef PyObject* value
    if plan == NULL or plan.kind != BY_FIELDS or PyList_GET_SIZE(state) != plan.count:
        return False
    if Py_TYPE(obj) != plan.cls or plan.version != quickpickle_type_version(plan.cls):
        return False
    for i in range(plan.count):
        if quickpickle_slot_at(obj, plan.fields[i].place)[0] != NULL:
            return False
    for i in range(plan.count):
        value = PyList_GET_ITEM(state, i)
        Py_INCREF_(value)
        quickpickle_slot_at(obj, plan.fields[i].place)[0] = value
    return True


cdef bint set_state(Loader self, ClassPlan* plan, PyObject* obj, Py_ssize_t height) except -1:
    """The keys and values from `height` on are the state. Removes them, or returns False."""
    cdef PyObject** items = self.bottom + height
    cdef Py_ssize_t i, count = (self.top - items) >> 1
    # Making the plan has run other code: the instance may have another class by now.
    if Py_TYPE(obj) != plan.cls or plan.version != quickpickle_type_version(plan.cls):
        return False
    if plan.kind == BY_DICT:
        if not set_dict(self, plan, obj, items, count):
            return False
        self.top = items
        return True
    if (
        set_attributes(plan, obj, items, count) if plan.kind == BY_ATTRIBUTES
        else set_slots(plan, obj, items, count) if plan.kind == BY_SLOTS
        else set_uuid(self, plan, obj, items, count)
    ):
        if plan.kind == BY_UUID:
            self.top = items + 1
            return self.drop_in_window(height) == 0
        # The plan has the keys too, so they are not freed here.
        for i in range(count):
            Py_DECREF(items[2 * i])
        self.top = items
        return True
    if plan.kind == BY_ATTRIBUTES and set_new_names(self, plan, obj, height):
        self.drop_in_window(height)
        return True
    return False


cdef inline size_t plan_place(PyTypeObject* cls) noexcept:
    return ((<size_t>cls >> 5) ^ (<size_t>cls >> 11)) % CLASS_PLANS


cdef bint set_new_names(Loader self, ClassPlan* plan, PyObject* obj, Py_ssize_t height) except -1:
    """The attributes of the first instance of a class, whose names have no place yet.

    Keys and values from `height` on stay on the stack. Returns False, with nothing changed, where
    the state is not simply a set of attributes.
    """
    cdef Py_ssize_t i, count = (self.top - self.bottom - height) >> 1
    cdef PyObject* found
    cdef PyTypeObject* cls = plan.cls
    if quickpickle_empty_values(obj) == NULL:
        return False
    for i in range(count):
        found = self.bottom[height + 2 * i]
        if Py_TYPE(found) != &PyUnicode_Type:
            return False
        found = _PyType_Lookup(cls, found)
        # A property of this name would be called, while its name in a __dict__ is just set.
        if found != NULL and quickpickle_is_data_descriptor(found):
            return False
    for i in range(count):
        # Its names are strings, and nothing is replaced that could run other code.
        set_one(obj, self.bottom[height + 2 * i], self.bottom[height + 2 * i + 1])
    return True


cdef int set_one(PyObject* obj, PyObject* name, PyObject* value) except -1:
    known = interned(<object>name)
    return PyObject_GenericSetAttr_(obj, <PyObject*>known, value)


cdef object interned(object name):
    cdef PyObject* known = <PyObject*>name
    Py_INCREF_(known)
    PyUnicode_InternInPlace(&known)
    result = <object>known
    Py_DECREF(known)
    return result


cdef bint build_at_once(Loader self, Py_ssize_t height) except -1:
    """The items from `height` on are the state of the instance below them, if BUILD comes next.

    Below them is a pending dict, which nobody reads from the memo. Returns False where it has to be
    made.
    """
    cdef const uint8_t* p = self.p
    cdef const uint8_t* start
    cdef PyObject* obj
    cdef bint is_slots = False, numbered = False
    cdef Py_ssize_t base = 0, place = height - 2
    cdef ClassPlan* plan
    cdef Pending pending
    # Below a mark, or another pending dict, is nothing of these opcodes.
    if self.mark_count:
        base = self.marks[self.mark_count - 1]
    if self.pending_count > 1 and self.pending[self.pending_count - 2].place >= base:
        base = self.pending[self.pending_count - 2].place + 1
    if self.end - p < 3 or place < base:
        return False
    if p[0] == OP_TUPLE2:  # (None, slots)
        if self.bottom[place] != Py_None or place - 1 < base:
            return False
        is_slots = True
        p += 1
        place -= 1
        if p[0] == OP_MEMOIZE:
            if self.is_read(self.memo_count):
                return False
            numbered = True
            p += 1
    if p[0] != OP_BUILD:
        return False
    start, self.p = self.p, p + 1  # where a BytesIO is when that runs other code
    obj = self.bottom[place]
    plan = find_plan(self, Py_TYPE(obj))
    if plan == NULL or (plan.kind == BY_SLOTS) != is_slots or plan.kind == BY_FIELDS:
        self.p = start
        return False
    # That may have run other code, which sees the memo, and so the dict.
    if self.pending_count == 0 or self.pending[self.pending_count - 1].place != height - 1:
        self.p = start
        return False
    pending = self.pending[self.pending_count - 1]
    self.pending_count -= 1  # now nobody makes it
    if not set_state(self, plan, obj, height):
        self.pending[self.pending_count] = pending
        self.pending_count += 1
        note_failure(self, obj)
        self.p = start
        return False
    if numbered:
        self.put_unread(self.memo_count)
    self.top -= 2 if is_slots else 1
    if is_slots:
        Py_DECREF(Py_None)
    self.set_fence()
    return True


cdef bint build_from(Loader self, PyObject* obj, PyObject* state, bint is_slots) except -1:
    """As above, where the state is a dict."""
    cdef ClassPlan* plan
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t height = self.top - self.bottom, position = 0
    plan = find_plan(self, Py_TYPE(obj))
    if plan == NULL or (plan.kind == BY_SLOTS) != is_slots or plan.kind == BY_FIELDS:
        return False
    while PyDict_Next(state, &position, &key, &value):
        Py_INCREF_(key)
        self.push(key)
        Py_INCREF_(value)
        self.push(value)
    if set_state(self, plan, obj, height):
        return True
    note_failure(self, obj)
    self.drop_in_window(height)
    return False


cdef int load_build(Loader self) except -1:
    cdef PyObject* obj
    cdef PyObject* state
    cdef bint is_done = False
    if self.top - self.fence < 2:
        self.underflow(2)
    state = self.top[-1]
    obj = self.top[-2]
    if Py_TYPE(state) == &PyDict_Type:
        is_done = build_from(self, obj, state, False)
    elif Py_TYPE(state) == &PyList_Type:
        is_done = set_fields(self, obj, state)
    elif (
        PyTuple_CheckExact_(state) and PyTuple_GET_SIZE(state) == 2
        and PyTuple_GET_ITEM(state, 0) == Py_None
        and Py_TYPE(PyTuple_GET_ITEM(state, 1)) == &PyDict_Type
    ):
        is_done = build_from(self, obj, PyTuple_GET_ITEM(state, 1), True)
    if not is_done:
        build_by_asking(self, <object>obj, <object>state)
    return self.drop_in_window(self.top - self.bottom - 1)


cdef int build_by_asking(Loader self, object obj, object state) except -1:
    cdef PyObject* found
    self.close_window()
    if quickpickle_has_plain_attributes(Py_TYPE(<PyObject*>obj)):
        found = _PyType_Lookup(Py_TYPE(<PyObject*>obj), SETSTATE)
        # Of these the attribute is always there, so that build() would do no more than this call.
        if found != NULL and (
            Py_TYPE(found) == function_type or Py_TYPE(found) == &PyMethodDescr_Type
        ):
            obj.__setstate__(state)
            self.open_window()
            return 0
        if found == NULL and type(state) is dict and fill_own_dict(self, obj, state):
            self.open_window()
            return 0
    objects.build(obj, state)
    self.open_window()
    return 0


cdef bint fill_own_dict(Loader self, object obj, dict state) except -1:
    """A state of attributes for an instance with an ordinary __dict__; False for any other."""
    cdef PyObject* found = _PyType_Lookup(Py_TYPE(<PyObject*>obj), DICT_NAME)
    cdef PyObject* found_key
    cdef PyObject* found_value
    cdef Py_ssize_t position = 0
    if not quickpickle_is_dict_descriptor(found, dict_descriptor):
        return False
    attributes = obj.__dict__
    if type(attributes) is not dict:
        return False
    if self.policy is not None and Py_REFCNT(<PyObject*>attributes) > 2:
        return False  # somebody else has it beside the instance: the Guard refuses that
    # The end of a value that is replaced may change the state: key and value are owned, and
    # PyDict_Next checks its position against the table as it is then.
    while PyDict_Next(<PyObject*>state, &position, &found_key, &found_value):
        key = <object>found_key
        value = <object>found_value
        (<dict>attributes)[interned(key) if type(key) is str else key] = value
    return True
