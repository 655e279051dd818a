# Calls and states that a preset's checks decide: Guard.reduce, Guard.newobj and Guard.build for names
# that this load has found itself.
#
# The checks are those of rules/presets/, and the steps and their order those of the Guard. Where
# these functions return False they have changed nothing, and the Guard does it all. The tests of
# tests/policies/test_alike*.py compare each refusal with that of the pure implementation.

cdef int RULE_CALL, RULE_NEW, RULE_BUILT, RULE_MADE, RULE_MAY_BE_HELD, RULE_IS_IDLE
cdef object takes_nothing, waits_for_state  # checks that are made here


cdef inline object rule_part(Name name, int part):
    return <object>PyTuple_GET_ITEM(<PyObject*>name.rule, part)


cdef inline Name checked_name(Loader self, PyObject* obj):
    """The name of a preset that this load has found an object by; None for others."""
    cdef PyObject* found = quick_rule(self, obj).name
    if found == NULL or self.missing is not None or not (<Name>found).is_checked:
        return None
    return <Name>found


cdef inline int forget_fresh(Loader self, Name name) except -1:
    """As the Guard at each call and state: what is fresh may be used from here on."""
    if self.has_fresh and not rule_part(name, RULE_IS_IDLE):
        self.fresh.clear()
        self.has_fresh = False
    return 0


cdef bint reduce_by_check(Loader self) except -1:
    cdef PyObject* args = self.top[-1]
    cdef PyObject* function = self.top[-2]
    cdef Name name
    cdef Py_ssize_t cost
    if not PyTuple_CheckExact_(args):
        return False
    name = checked_name(self, function)
    if name is None:
        return False
    check = rule_part(name, RULE_CALL)
    cost = cost_of(quickpickle_tuple_items(args), PyTuple_GET_SIZE(args))
    if check is None or self.copied + cost > self.most_copied:
        return False
    self.copied += cost
    guard = ask(self)
    forget_fresh(self, name)
    complaint = check(guard, <object>args)
    if complaint is not None:
        guard.refuse_arguments(name.known, complaint)
    obj = <object>PyObject_Call_(function, args, NULL)
    Py_DECREF(<PyObject*>obj)
    end_of_call(self, guard, name, obj, rule_part(name, RULE_MAY_BE_HELD))
    return self.replace(2, obj) == 0


cdef int end_of_call(Loader self, object guard, Name name, object obj, bint may_be_held) except -1:
    if may_be_held and Py_REFCNT(<PyObject*>obj) > 1:  # somebody else has it
        is_foreign(self, obj)
    made = rule_part(name, RULE_MADE)
    if made is not None:
        made(guard, obj)
    return was_asked(self)


cdef bint newobj_by_check(Loader self) except -1:
    cdef PyObject* args = self.top[-1]
    cdef PyObject* cls = self.top[-2]
    cdef Name name
    cdef Py_ssize_t cost
    if not PyTuple_CheckExact_(args) or not PyType_Check(cls):
        return False
    name = checked_name(self, cls)
    if name is None:
        return False
    check = rule_part(name, RULE_NEW)
    cost = cost_of(quickpickle_tuple_items(args), PyTuple_GET_SIZE(args))
    if check is None or self.copied + cost > self.most_copied:
        return False
    if (
        check is takes_nothing and PyTuple_GET_SIZE(args) == 0
        and rule_part(name, RULE_MADE) is waits_for_state
        and quickpickle_is_plainly_made(<PyTypeObject*>cls)
    ):
        # Such a call makes a new object, so nobody has to be asked.
        forget_fresh(self, name)
        load_newobj(self)
        self.close_window()
        if self.waiting is not None:
            hand_over(self)
        guard_of(self)
        self.unfinished[<size_t>self.top[-1]] = <object>self.top[-1]
        self.has_unfinished = True
        self.open_window()
        return True
    self.copied += cost
    guard = ask(self)
    forget_fresh(self, name)
    complaint = check(guard, <object>args)
    if complaint is not None:
        guard.refuse_arguments(name.known, complaint)
    obj = objects.newobj(<object>cls, <object>args)
    end_of_call(
        self, guard, name, obj, not quickpickle_is_plainly_made(<PyTypeObject*>cls)
    )
    return self.replace(2, obj) == 0


cdef bint build_by_check(Loader self) except -1:
    cdef PyObject* obj = self.top[-2]
    cdef PyTypeObject* cls = Py_TYPE(obj)
    cdef Name name = checked_name(self, <PyObject*>cls)
    if name is None:
        return False
    built = rule_part(name, RULE_BUILT)
    if built is None:
        return False
    guard = ask(self)
    forget_tables(self)  # the Guard looks at the references to the __dict__ of an instance
    if guard.is_foreign(<object>obj):
        return False
    forget_fresh(self, name)
    state = <object>self.top[-1]
    if type(state) is dict:
        state = (<dict>state).copy()  # a __setstate__ may keep it, and the pickle change it
    complaint = built(guard, <object>obj, state)
    if complaint is not None:
        guard.refuse_state(<object>cls, complaint)
    self.copied += cost_of_state(<PyObject*>state)
    if self.copied > self.most_copied:
        ask(self).check_copied()
    if type(state) is dict and not are_light_keys(<PyObject*>state):
        guard.weigh(state)
    set_checked_state(self, guard, <object>obj, state)
    was_asked(self)
    return True


cdef Py_ssize_t cost_of_state(PyObject* state) noexcept:
    if PyTuple_CheckExact_(state):
        return cost_of(quickpickle_tuple_items(state), PyTuple_GET_SIZE(state))
    return cost_of_one(state)


cdef int set_checked_state(Loader self, object guard, object obj, object state) except -1:
    """As policy_objects.set_state. No window is open."""
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>obj)
    cdef PyObject* found
    if quickpickle_has_plain_attributes(cls):
        found = _PyType_Lookup(cls, SETSTATE)
        if found != NULL and (
            Py_TYPE(found) == function_type or Py_TYPE(found) == &PyMethodDescr_Type
        ):
            method = <object>found  # that of the class, whatever the pickle has put into the instance
            method(obj, state)
            return 0
        if found == NULL and type(state) is dict and fill_own_dict(self, obj, state):
            return 0
    guard.set_state(obj, state)
    return 0
