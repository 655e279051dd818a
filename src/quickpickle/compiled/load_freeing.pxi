# How a Loader frees its objects, and how the collector sees and frees them.

cdef void free_memo(PyObject** memo, Py_ssize_t room) noexcept:
    cdef Py_ssize_t i
    cdef PyObject* obj
    for i in range(room):
        obj = memo[i]
        if is_object(obj):
            Py_DECREF(obj)
    PyMem_Free(memo)


cdef void forget_plans(Loader self) noexcept:
    """Give up what was learned of classes and keys. May run other code."""
    cdef ClassPlan plan
    cdef int place
    while self.used_plan_count:
        self.used_plan_count -= 1
        place = self.used_plans[self.used_plan_count]
        plan = self.plans[place]
        memset(&self.plans[place], 0, sizeof(ClassPlan))
        forget_plan(&plan)
    forget_tables(self)


cdef void forget_tables(Loader self) noexcept:
    """Give up the dicts whose keys may be used again. May run other code."""
    cdef PyObject* table
    cdef int place
    while self.used_table_count:
        self.used_table_count -= 1
        place = self.used_tables[self.used_table_count]
        table, self.key_tables[place] = self.key_tables[place], NULL
        Py_DECREF(table)


cdef void give_up_all(Loader self) noexcept:
    cdef PyObject* obj
    while self.top > self.bottom:
        self.top -= 1
        obj = self.top[0]
        if is_object(obj):
            Py_DECREF(obj)
    forget_plans(self)
    quickpickle_forget_reads(&self.reads)
    cdef PyObject** memo = self.memo
    cdef Py_ssize_t room = self.memo_room
    self.memo = NULL
    self.memo_room = 0
    free_memo(memo, room)


# Cython shows the collector only attributes that are Python objects.
cdef traverseproc traverse_attributes = (<PyTypeObject*>Loader).tp_traverse
cdef inquiry clear_attributes = (<PyTypeObject*>Loader).tp_clear


cdef int traverse_loader(PyObject* obj, visitproc visit, void* arg) noexcept:
    cdef Loader self = <Loader>obj
    cdef PyObject** place = self.bottom
    cdef Py_ssize_t i
    cdef int result = traverse_attributes(obj, visit, arg)
    while result == 0 and place < self.top:
        if is_object(place[0]):
            result = visit(place[0], arg)
        place += 1
    for i in range(self.memo_room):
        if result:
            return result
        if is_object(self.memo[i]):
            result = visit(self.memo[i], arg)
    if self.key_tables != NULL:
        for i in range(KEY_TABLES):
            if result == 0 and self.key_tables[i] != NULL:
                result = visit(self.key_tables[i], arg)
    if self.plans != NULL:
        for i in range(CLASS_PLANS):
            if result == 0 and self.plans[i].cls != NULL:
                result = visit(<PyObject*>self.plans[i].cls, arg)
    return result


cdef int clear_loader(PyObject* obj) noexcept:
    give_up_all(<Loader>obj)
    return clear_attributes(<object>obj)


(<PyTypeObject*>Loader).tp_traverse = <traverseproc>traverse_loader
(<PyTypeObject*>Loader).tp_clear = <inquiry>clear_loader
