# Instances written by the plan for their class, which rules/plans.py makes.
#
# Every change of a class or of one of its bases gives it a new version tag (0: none yet), and
# tags are not used again. So a plan that is found under the same class and tag was made for the
# class as it is now. is_valid checks everything else that a plan depends on: again whenever other
# code may have run, and only then, as nothing can change before.
#
# save_planned writes without running other code. If that is not possible it returns ASK, having
# written nothing, and the object is asked. The functions that it calls are in
# instances.pxi, standard.pxi and arrays.pxi.

cdef enum:
    ASK = 2
    PLANS = 1024  # places in the table
    PLAN_PROBES = 8
    PLAN_KEYS = 16


cdef struct Attributes:
    # Of an instance: in a dict, or where they lie while there is none.
    PyObject* obj
    PyObject* dict
    void* values


@cython.final
cdef class Plan:
    cdef PyTypeObject* cls  # borrowed: the version says whether it is still that class
    cdef unsigned int version, metaclass_version
    cdef int kind
    cdef bint has_dict
    cdef bint is_asked_plainly  # also where it is UNPLANNED
    cdef int lowest  # the protocol from which on it holds
    cdef uint64_t epoch  # in which it was valid
    cdef uint64_t copyreg_version  # of copyreg's table, when it was last looked at; 0: never
    cdef uint64_t dump  # in which the class has this number in the memo
    cdef Py_ssize_t class_number
    cdef tuple names
    cdef Py_ssize_t* offsets  # of the slots
    cdef Py_ssize_t size
    cdef object method, code
    cdef dict fields  # for NDARRAY
    cdef tuple rebuild  # for NDARRAY and NUMBER
    cdef PyObject* own_fields  # for FIELDS: borrowed from the class, which has them in this version
    cdef PyObject* own_method  # for MEMBERS: in the same way
    cdef Py_ssize_t vacant  # for MEMBERS: which has to be None or an empty dict; -1: none
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
    plan = plan_of(cls)
    if plan == NULL or (<Plan>plan).lowest > dump.protocol:
        return NULL
    if (<Plan>plan).epoch == dump.epoch:
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
    cdef uint64_t version
    if plan.version != quickpickle_type_version(cls):
        return False
    if plan.kind == FIELDS:
        dump.settle()  # other code may run
        fields = <object>plan.own_fields
        if plan.names != planning.field_names(fields):
            return False
        if plan.version != quickpickle_type_version(cls):
            return False
    if plan.kind != UNPLANNED:
        if plan.metaclass_version != quickpickle_type_version(Py_TYPE(<PyObject*>cls)):
            return False
        # Nobody has registered the class since it was last looked for.
        version = quickpickle_dict_version(<PyObject*>COPYREG_TABLE)
        if version == 0 or plan.copyreg_version != version:
            if not is_unregistered(dump, cls):
                return False
            plan.copyreg_version = version
        # Not by the attribute: audit hooks are told of that.
        if (
            plan.method is not None
            and plan.code is not None
            and PyFunction_GET_CODE(<PyObject*>plan.method) != <PyObject*>plan.code
        ):
            return False
        if (
            plan.kind == NDARRAY
            and find_quietly(<PyObject*>plan.fields, "_frombuffer") != <PyObject*>plan.method
        ):
            return False
        if plan.kind == MEMBERS and not has_same_members(plan):
            return False
        if plan.kind == EXCEPTION and quickpickle_is_called_newobj(cls):
            return False
    if plan.rebuild and not is_rebuilt_so(plan):
        return False
    plan.epoch = dump.epoch
    return True


cdef object builtin_getattr = getattr
cdef str name_of_getattr = "getattr", name_of_builtins = "__builtins__"


cdef bint has_same_members(Plan plan) except -1:
    """Whether a known __getstate__ still is what it was: all that it depends on can be changed."""
    cdef PyObject* closure
    cdef PyObject* names
    cdef PyObject* builtin_names
    if PyFunction_GET_CODE(plan.own_method) != <PyObject*>plan.code:
        return False
    closure = PyFunction_GET_CLOSURE(plan.own_method)
    if closure == NULL:  # that of pydantic, which uses constants only
        return True
    names = PyFunction_GET_GLOBALS(plan.own_method)
    builtin_names = find_quietly(names, name_of_builtins)
    return (
        PyCell_GET(PyTuple_GET_ITEM(closure, 0)) == <PyObject*>plan.names
        and builtin_names != NULL
        and Py_TYPE(builtin_names) == &PyDict_Type
        and find_quietly(names, name_of_getattr) == NULL
        and find_quietly(builtin_names, name_of_getattr) == <PyObject*>builtin_getattr
    )


cdef bint is_rebuilt_so(Plan plan) except -1:
    """Whether NumPy would find the function that it found for the plan."""
    cdef PyObject* module = find_module(<str>plan.rebuild[1])
    if module == NULL:
        return False
    return find_quietly(PyModule_GetDict(module), <str>plan.rebuild[2]) == (
        PyTuple_GET_ITEM(<PyObject*>plan.rebuild, 0)
    )


cdef inline bint holds(Dump dump, Plan plan) noexcept:
    """Whether a plan says how instances are written in the protocol of this dump."""
    return plan.kind != UNPLANNED and dump.protocol >= plan.lowest


cdef object reduce_below_2 = copyreg._reduce_ex, reconstructor = copyreg._reconstructor
cdef object code_below_2 = reduce_below_2.__code__
cdef uint64_t reconstructor_epoch = 0
cdef bint reconstructor_was_known = False


cdef bint reconstructor_is_known(Dump dump) except -1:
    """Whether copyreg has the same functions for protocols 0 and 1 as at first, in this epoch."""
    global reconstructor_epoch, reconstructor_was_known
    cdef PyObject* module
    cdef PyObject* names
    if reconstructor_epoch != dump.epoch:
        module = find_module("copyreg")
        names = NULL if module == NULL else PyModule_GetDict(module)
        reconstructor_was_known = (
            names != NULL
            and find_quietly(names, "_reduce_ex") == <PyObject*>reduce_below_2
            and PyFunction_GET_CODE(<PyObject*>reduce_below_2) == <PyObject*>code_below_2
            and find_quietly(names, "_reconstructor") == <PyObject*>reconstructor
        )
        reconstructor_epoch = dump.epoch
    return reconstructor_was_known


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


cdef object class_with_getattr = sample_class(__getattr__=getattr)
quickpickle_learn_getattr_hook(<PyTypeObject*>class_with_getattr)


cdef Plan make_plan(Dump dump, object obj):
    """The plan for an object's class, made now if need be. Other code may run."""
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
    cdef PyObject* known = plan_of(cls)
    cdef Plan plan
    held = <object>cls  # other code may give the object another class
    if known != NULL:
        plan = <Plan>known  # owned while other code may run, and put another in its place
        if (
            plan.lowest > dump.protocol  # it is not used, so whether it is valid does not matter
            and plan.version == quickpickle_type_version(cls)
            and plan.metaclass_version == quickpickle_type_version(Py_TYPE(<PyObject*>cls))
        ):
            return plan
        if (plan.epoch == dump.epoch or is_valid(dump, plan)) and Py_TYPE(<PyObject*>obj) == cls:
            return plan
    dump.settle()
    plan = Plan.__new__(Plan)
    plan.cls = cls
    plan.epoch = plan.dump = 0
    if not quickpickle_has_plain_getattr(cls):
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
    (
        kind, plan.names, slots, plan.method, fields, plan.code, plan.rebuild,
        plan.is_asked_plainly, plan.lowest, plan.vacant,
    ) = planning.find_plan(obj)
    plan.kind = kind
    plan.has_dict = (<object>cls).__dictoffset__ != 0
    plan.size = len(slots)
    if slots:
        plan.offsets = <Py_ssize_t*>PyMem_Malloc(bytes_of(plan.size, sizeof(Py_ssize_t)))
        if plan.offsets == NULL:
            raise MemoryError
        for i in range(plan.size):
            slot = PyTuple_GET_ITEM(<PyObject*>slots, i)
            plan.offsets[i] = 0 if slot == Py_None else quickpickle_slot_offset(slot, cls)
            if plan.offsets[i] < 0:
                plan.kind = UNPLANNED if kind == SLOTS else GETSTATE
    if kind == FIELDS:
        plan.own_fields = <PyObject*>fields
    elif kind == MEMBERS:
        plan.own_method = <PyObject*>plan.method
        plan.method = None  # it may hold the class
        if not has_same_members(plan):
            plan.kind = GETSTATE
    elif kind == EXCEPTION:
        if not quickpickle_known.exceptions or quickpickle_is_called_newobj(cls):
            plan.kind = REDUCE
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


cdef int keep_plan(Plan plan) except -1:
    """Put a plan into the table: in place of the class's last one, or of another."""
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
    if dump.careful or not dump.may_have_parts(0):
        if plan.kind == EXCEPTION or plan.kind == MEMBERS:
            return ask_planned(dump, obj, unique, plan)
        return ASK
    if plan.kind == EXCEPTION:
        return save_exception(dump, obj, &attributes, unique, plan)
    if plan.kind == MEMBERS:
        return save_as_members(dump, obj, unique, plan)
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
        if dump.protocol < 5:
            return save_old_ndarray(dump, obj, unique, plan)
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
        if plan.kind == REDUCE or plan.kind == EXCEPTION:
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
