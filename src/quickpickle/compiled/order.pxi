# deterministic=True: as pickling/deterministic.py. Order in rules/order.py serves both.
#
# Other code may run before any object in this mode (see `careful`). So all objects in the log are
# owned, and in the table, wherever something is written here.

cdef enum:
    PART_SIZE = 9  # the bytes that a key has of one item, at most

cdef Py_ssize_t small_tuple = SMALL
cdef PyTypeObject* pieces_type = <PyTypeObject*>Pieces
cdef PyTypeObject* failure_type = <PyTypeObject*>Failure


@cython.final
@cython.binding(False)  # see PicklerCore
cdef class Values:
    """As Representatives in rules/. Its results are borrowed: it keeps them alive."""

    cdef dict strings, byte_strings, integers, values, aliases
    cdef readonly dict parts
    cdef bint buffers_are_values

    def __cinit__(self, int protocol, bint buffers_are_values):
        self.strings = {}
        self.byte_strings = {}
        self.integers = {}
        self.values = {}
        self.aliases = {}
        self.parts = with_parts(protocol)
        self.buffers_are_values = buffers_are_values

    def clear(self):
        """Forget every value."""
        for known in (self.strings, self.byte_strings, self.integers, self.values, self.aliases):
            known.clear()

    def replace(self, objects):
        """Forget every value; those among `objects` come first."""
        self.clear()
        for obj in objects:
            self.find(<PyObject*>obj)

    def representative(self, obj):
        """The object that stands for all that have this value; `obj` itself if it is no value."""
        return <object>self.find(<PyObject*>obj)

    cdef PyObject* find(self, PyObject* obj) except NULL:
        cdef PyTypeObject* cls = Py_TYPE(obj)
        cdef PyObject* parts_of
        cdef PyObject* known
        cdef PyObject* found
        if cls == &PyUnicode_Type:
            return PyDict_SetDefault(<PyObject*>self.strings, obj, obj)
        if cls == &PyBytes_Type:
            return PyDict_SetDefault(<PyObject*>self.byte_strings, obj, obj)
        if cls == &PyTuple_Type:
            return self.find_container(obj) if PyTuple_GET_SIZE(obj) else obj
        if cls == &PyFrozenSet_Type:
            return self.find_container(obj)
        if cls == &PyList_Type or cls == &PyDict_Type:
            return obj
        if cls == picklebuffer_type:
            return self.find_buffer(<object>obj) if self.buffers_are_values else obj
        if Py_TYPE(<PyObject*>cls).tp_hash != PyType_Type.tp_hash:
            return obj  # its metaclass may run code of its own
        parts_of = PyDict_GetItemWithError(<PyObject*>self.parts, <PyObject*>cls)
        if parts_of == NULL:
            return obj
        if self.aliases:
            address = PyLong_FromVoidPtr(obj)
            known = PyDict_GetItemWithError(<PyObject*>self.aliases, <PyObject*>address)
            if known != NULL:
                return PyTuple_GET_ITEM(known, 1)
        parts = (<object>parts_of)(<object>obj)
        if type(parts) is not tuple:  # None, or somebody has changed the class
            return obj
        Py_EnterRecursiveCall(" while looking for equal objects")
        try:
            key = self.make_key(<PyObject*>parts, b"p", None) + PyBytes_FromStringAndSize(
                <char*>&parts_of, sizeof(parts_of)
            )
        finally:
            Py_LeaveRecursiveCall()
        found = PyDict_SetDefault(<PyObject*>self.values, <PyObject*>key, obj)
        if parts_of == <PyObject*>dtype_parts or parts and type((<tuple>parts)[0]) in self.parts:
            # A dtype or a time zone, which many refer to, and which takes long to be asked.
            self.aliases[PyLong_FromVoidPtr(obj)] = <object>obj, <object>found
        return found

    cdef char* put_part(self, char* pos, PyObject* item, list waiting) except NULL:
        """The part of a key for an item, or its place on `waiting`: see _key_parts."""
        cdef PyTypeObject* cls = Py_TYPE(item)
        cdef PyObject* known = NULL
        cdef char* end = NULL
        if cls == &PyFloat_Type:
            if PyFloat_AS_DOUBLE(item) != PyFloat_AS_DOUBLE(item):
                return put_address(pos, item)  # a NaN
            return quickpickle_scalar(pos, item)
        if cls == &PyUnicode_Type:
            return put_address(pos, self.find(item))
        end = quickpickle_scalar(pos, item)
        if end != NULL:
            return end
        if cls == &PyLong_Type:
            return put_address(pos, PyDict_SetDefault(<PyObject*>self.integers, item, item))
        if cls == &PyTuple_Type and PyTuple_GET_SIZE(item) == 0:
            pos[0] = c")"
            return pos + 1
        if waiting is not None and (cls == &PyTuple_Type or cls == &PyFrozenSet_Type):
            if self.aliases:
                address = PyLong_FromVoidPtr(item)
                known = PyDict_GetItemWithError(<PyObject*>self.aliases, <PyObject*>address)
            if known == NULL:
                waiting.append(<object>item)
                return pos
            return put_address(pos, PyTuple_GET_ITEM(known, 1))
        return put_address(pos, self.find(item))

    cdef bytes make_key(self, PyObject* items, char kind, list waiting):
        """The key of a tuple of such a kind; None where items are `waiting`."""
        cdef Py_ssize_t i, size = PyTuple_GET_SIZE(items)
        cdef char here[1 + 32 * PART_SIZE]
        cdef char* start = here
        cdef char* pos
        cdef bytes key = None
        if size > 32:
            start = <char*>PyMem_Malloc(bytes_of(size + 1, PART_SIZE))
            if start == NULL:
                raise MemoryError
        try:
            start[0] = kind
            pos = start + 1
            for i in range(size):
                pos = self.put_part(pos, PyTuple_GET_ITEM(items, i), waiting)
            if not waiting:
                key = PyBytes_FromStringAndSize(start, pos - start)
        finally:
            if start != here:
                PyMem_Free(start)
        return key

    cdef bytes make_set_key(self, object members, list waiting):
        cdef char part[PART_SIZE]
        cdef char* end
        parts = []
        for member in members:
            end = self.put_part(part, <PyObject*>member, waiting)
            parts.append(PyBytes_FromStringAndSize(part, end - part))
        if waiting:
            return None
        parts.sort()
        return b"{" + b"".join(parts)

    cdef PyObject* find_container(self, PyObject* obj) except NULL:
        cdef PyObject* found = obj
        cdef PyObject* known
        cdef bint is_small = Py_TYPE(obj) == &PyTuple_Type and PyTuple_GET_SIZE(obj) <= small_tuple
        if is_small:
            waiting = []
            key = self.make_key(obj, b"(", waiting)
            if not waiting:
                return PyDict_SetDefault(<PyObject*>self.values, <PyObject*>key, obj)
        else:
            address = PyLong_FromVoidPtr(obj)
            known = PyDict_GetItemWithError(<PyObject*>self.aliases, <PyObject*>address)
            if known != NULL:
                return PyTuple_GET_ITEM(known, 1)
        stack = [<object>obj]
        while stack:
            top = stack[-1]
            address = PyLong_FromVoidPtr(<PyObject*>top)
            if address in self.aliases:
                stack.pop()
                continue
            waiting = []
            if type(top) is tuple:
                key = self.make_key(<PyObject*>top, b"(", waiting)
            else:
                key = self.make_set_key(top, waiting)
            if waiting:
                stack += waiting
                continue
            stack.pop()
            found = PyDict_SetDefault(<PyObject*>self.values, <PyObject*>key, <PyObject*>top)
            if stack or not is_small:
                self.aliases[address] = top, <object>found
        return found

    cdef PyObject* find_buffer(self, object obj) except NULL:
        view = memoryview(obj)
        try:  # no `with`: see tracebacks.pxi
            if not view.readonly or not view.contiguous:
                return <PyObject*>obj
            data = (view if view.c_contiguous else obj.raw()).tobytes()
        finally:
            view.release()
        return PyDict_SetDefault(<PyObject*>self.byte_strings, <PyObject*>data, <PyObject*>data)


cdef inline char* put_address(char* pos, PyObject* obj) noexcept:
    pos[0] = c"@"
    memcpy(pos + 1, &obj, sizeof(obj))
    return pos + 1 + sizeof(obj)


cdef int save_in_order(Dump dump, PyObject* obj) except -1:
    """Write an object; the caller has a reference to it, and other code may have run before."""
    cdef PyTypeObject* cls = Py_TYPE(obj)
    cdef MemoEntry* entry
    if save_scalar(dump, obj):
        return 0
    obj = dump.values.find(obj)
    cls = Py_TYPE(obj)
    if cls == &PyUnicode_Type:
        return save_str(dump, obj, 0)
    if cls == &PyList_Type or cls == &PyTuple_Type:
        return save_container(dump, obj, 0)
    if (
        cls == &PyBytes_Type
        or cls == &PyByteArray_Type
        or cls == picklebuffer_type
        or cls == &PyLong_Type
        or cls == &PyFloat_Type
        or cls == &PyBool_Type
        or obj == Py_None
    ):
        return save_other(dump, obj, 0)
    entry = dump.find(obj)
    if entry.key != NULL and entry.number >= 0:
        return dump.get(entry.number)
    if cls == &PyDict_Type:
        if not dump.sort_dicts:
            return save_dict(dump, obj, False, 0)
        dump.put1(OP_EMPTY_DICT if dump.bin else OP_MARK)
        if not dump.bin:
            dump.put1(OP_DICT)
        dump.memoize(obj, False)
        return save_sorted_items(dump, obj, 0)
    if cls == &PySet_Type or cls == &PyFrozenSet_Type:
        return save_set_in_order(dump, obj)
    if cls == pieces_type:
        return save_pieces(dump, <object>obj)
    if cls == failure_type:
        raise (<object>obj).error
    return save_object_in_order(dump, obj)


cdef int save_pieces(Dump dump, object obj) except -1:
    """Bytes that are not in one place, as those of a bytearray."""
    cdef Py_ssize_t size = obj.size
    cdef const Py_buffer* view
    cdef bint is_large = size >= FRAME_SIZE_TARGET
    dump.settle()
    dump.close_frame_if_large(size)
    dump.put_opcode8(OP_BYTEARRAY8, <uint64_t>size)
    if is_large and dump.write is not None:
        dump.flush(False)
    for piece in obj.pieces:
        if is_large and dump.write is not None:
            dump.send(piece, len(piece), False)
        else:
            held = memoryview(piece)
            view = PyMemoryView_GET_BUFFER(held)
            dump.put(<const char*>view.buf, view.len)
    return dump.begin_frame() if is_large else 0


cdef int save_set_in_order(Dump dump, PyObject* obj) except -1:
    cdef Work* work
    cdef bint is_set = Py_TYPE(obj) == &PySet_Type
    if dump.protocol >= 4:
        if is_set:
            dump.put_memoized(OP_EMPTY_SET, obj, False)
            if PySet_GET_SIZE(obj) == 0:
                return 0
        else:
            dump.put1(OP_MARK)
    dump.settle()
    members = dump.order.members(list(<object>obj), dump.number)
    if dump.protocol < 4:
        return save_reduction(dump, <object>obj, (type(<object>obj), (members,)), False)
    return push_members(dump, obj, members, 0)


cdef int push_members(Dump dump, PyObject* obj, list members, char opcode) except -1:
    cdef Work* work = dump.push(ORDERED_WORK, obj)
    Py_INCREF(members)
    work.first = <PyObject*>members
    work.opcode = opcode
    if Py_TYPE(obj) == &PyDict_Type:
        work.size = PyDict_Size(obj)
    else:
        work.size = PySet_GET_SIZE(obj)
    if Py_TYPE(obj) == &PyFrozenSet_Type:
        work.step = IN_BATCH
        work.done = work.size
    return 1


cdef int save_sorted_items(Dump dump, PyObject* obj, char opcode) except -1:
    """Write the items of a dict, sorted by their keys, and `opcode` after them, if it is not 0."""
    cdef Py_ssize_t position = 0
    cdef PyObject* key
    cdef PyObject* value
    cdef bint are_strings = True
    cdef list arranged
    if PyDict_Size(obj) == 0:
        return dump.put1(<uint8_t>opcode) if opcode else 0
    dump.settle()
    held = <object>obj  # an instance may get another dict meanwhile
    arranged = []
    while PyDict_Next(obj, &position, &key, NULL):
        if Py_TYPE(key) != &PyUnicode_Type:
            are_strings = False
            break
        arranged.append(<object>key)
    if are_strings:
        arranged.sort()
        keys, arranged = arranged, []
        for name in keys:  # to find one runs no other code: all are strings
            value = PyDict_GetItemWithError(obj, <PyObject*>name)
            if value == NULL:
                raise changed_size(dump, "dictionary")
            arranged.append(name)
            arranged.append(<object>value)
    else:
        arranged = []
        for item in dump.order.items(list((<dict>obj).items()), dump.number):
            arranged += item
    return push_members(dump, obj, arranged, opcode)


cdef int continue_ordered(Dump dump) except -1:
    """Go on with a set, frozenset or sorted dict: the list has its members, or keys and values."""
    cdef Work* work = &dump.stack[dump.height - 1]
    cdef PyTypeObject* cls = Py_TYPE(work.obj)
    cdef bint is_dict = cls == &PyDict_Type
    cdef Py_ssize_t size, total = PyList_GET_SIZE(work.first)
    cdef MemoEntry* entry
    while True:
        if work.step != BETWEEN:
            while work.position < work.done:
                work.position += 1
                if save(dump, PyList_GET_ITEM(work.first, work.position - 1), 0):
                    return 1
            if cls == &PyFrozenSet_Type:
                return end_frozenset(dump, work)
            if is_dict:
                dump.put1(OP_SETITEM if work.step == ALONE else OP_SETITEMS)
            else:
                dump.put1(OP_ADDITEMS)
            size = PyDict_Size(work.obj) if is_dict else PySet_GET_SIZE(work.obj)
            if size != work.size:
                if is_dict:
                    raise changed_size(dump, "dictionary")
                raise changed_size(dump, "set")
            # A last batch that is full is followed by an empty one, but not in protocol 0.
            if work.position == total and (work.step == ALONE or work.count < BATCHSIZE):
                if work.opcode:
                    dump.put1(<uint8_t>work.opcode)
                return dump.pop()
        if is_dict and (total == 2 or dump.protocol == 0):
            work.step = ALONE
            work.count = 1
        else:
            work.step = IN_BATCH
            work.count = min(BATCHSIZE, (total - work.position) // (1 + is_dict))
            dump.put1(OP_MARK)
        work.done = work.position + work.count * (1 + is_dict)


cdef int end_frozenset(Dump dump, Work* work) except -1:
    cdef MemoEntry* entry = dump.find(work.obj)
    if entry.key == NULL or entry.number < 0:
        dump.put_memoized(OP_FROZENSET, work.obj, False)
    else:  # as with tuples
        dump.put1(OP_POP_MARK)
        dump.get(entry.number)
    return dump.pop()


cdef int save_object_in_order(Dump dump, PyObject* obj) except -1:
    """Write an object of none of the types that have their own function."""
    cdef Plan plan
    cdef int result
    if (
        dump.persistent_id is None
        and (dump.reducer_override is absent or dump.sort_dicts)
        and dump.dispatch_table is absent
        and dump.bin
        and dump.protocol >= 2
    ):
        plan = make_plan(dump, <object>obj)
        if plan.kind == PLAIN:
            result = save_plain_in_order(dump, obj, plan)
            if result != ASK:
                return result
        elif not plan.has_dict and push_planned(dump, obj, plan):
            return 1
    return ask(dump, <object>obj)


cdef bint push_planned(Dump dump, PyObject* obj, Plan plan) except -1:
    """Put the reduction of an instance without a dict on the stack, if the plan says what it is."""
    cdef Py_ssize_t i
    cdef PyObject* value
    if plan.kind == NAMEDTUPLE:
        items = PyTuple_GetSlice(<object>obj, 0, PyTuple_GET_SIZE(obj))
        push_reduction(dump, <object>obj, <object>plan.cls, items, None, <char>OP_NEWOBJ)
        return True
    if plan.kind != SLOTS and plan.kind != FIELDS:
        return False
    values = []
    for i in range(plan.size):
        value = quickpickle_slot(obj, plan.offsets[i])
        if value == NULL:
            return False  # it is not set
        values.append(<object>value)
    state = values if plan.kind == FIELDS else (None, dict(zip(plan.names, values)))
    push_reduction(dump, <object>obj, <object>plan.cls, (), state, <char>OP_NEWOBJ)
    return True


cdef int save_plain_in_order(Dump dump, PyObject* obj, Plan plan) except -1:
    """Write an instance whose state is its dict; or return ASK.

    The dict gets a number, but is not known by it: see _without_own_dict.
    """
    cdef Attributes attributes = attributes_of(obj)
    cdef MemoEntry* entry
    cdef PyObject* state
    cdef Work* work
    if has_special_keys(&attributes, 0) or _PyType_Lookup(plan.cls, "__setstate__") != NULL:
        return ASK
    state = quickpickle_instance_dict(obj)
    if is_odd_dict(state) or (state != NULL and may_have_cache(state)):
        return ASK
    entry = dump.find(<PyObject*>plan.cls)
    if dump.stop - dump.pos < SLACK or entry.key == NULL or entry.number < 0:
        return ASK
    dump.get(entry.number)
    dump.put2(OP_EMPTY_TUPLE, OP_NEWOBJ)
    dump.memoize(obj, False)
    if state == NULL or PyDict_Size(state) == 0:
        return 0
    dump.put1(OP_EMPTY_DICT)
    dump.memoize(NULL, True)
    if dump.sort_dicts:
        return save_sorted_items(dump, state, OP_BUILD)
    work = dump.push(DICT_WORK, state)
    work.size = PyDict_Size(state)
    work.opcode = OP_BUILD
    return 1


cdef inline bint may_have_cache(PyObject* state) except -1:
    """Whether an instance's dict has what pandas keeps a cache under: see _without_cache."""
    return PyDict_GetItemWithError(state, <PyObject*>"_cache") != NULL


cdef object reduce_in_order(Dump dump, object obj, object reduction):
    """A reduction without the parts that may differ for an equal object."""
    cdef Py_ssize_t i
    cdef bint is_plain = type(reduction) is tuple
    if is_plain and len(<tuple>reduction) == 2:
        return reduction  # a function and its arguments only
    # Most others have nothing that Order.reduction changes: it is asked where they may.
    is_plain = is_plain and not issubclass(type(obj), (set, frozenset))
    if is_plain:
        for i in range(3, len(<tuple>reduction)):
            is_plain = is_plain and (<tuple>reduction)[i] is None
        state = (<tuple>reduction)[2] if len(<tuple>reduction) > 2 else None
        if type(state) is tuple:
            is_plain = is_plain and len(<tuple>state) <= 2  # not an array, for example
            if len(<tuple>state) == 2:
                state = (<tuple>state)[0]
        if is_plain and type(state) is not dict:
            return reduction
    return dump.order.reduction(obj, unpack(reduction), dump.number)


cdef int put_in_order(Dump dump, object order) except -1:
    """Make a dump deterministic; it has its hooks already."""
    limit = Pickler.reduction_limit if dump.reduction_limit < 0 else dump.reduction_limit
    order.begin(dump, partial(write_alone, dump), limit)
    set_order(dump, order)
    return 0


cdef int set_order(Dump dump, object order) except -1:
    dump.order = order
    dump.values = order.values
    dump.sort_dicts = order.sort_dicts
    dump.last_goes_alone = False
    return 0


def write_alone(Dump outer, obj):
    """The pickle of one object, with the hooks of a dump that is running and a memo of its own."""
    cdef Dump dump = Dump.__new__(Dump)
    set_up(dump, outer.protocol, None, None, outer.fix_imports, None)
    dump.bin = outer.bin
    dump.reduction_limit = outer.reduction_limit
    dump.persistent_id = outer.persistent_id
    dump.reducer_override = outer.reducer_override
    dump.dispatch_table = outer.dispatch_table
    set_order(dump, outer.order)
    try:
        return write_pickle(dump, obj)
    except BaseException:
        dump.unwind()  # generators on the stack have a reference to it
        raise


def new_order(protocol, callback):
    return Order(Values(protocol, protocol >= 5 and callback is None), protocol)


def object_digest(obj, digest="sha256", *, sort_dicts=True):
    made = new_hash(digest)
    order = Order(Values(DIGEST_PROTOCOL, False), DIGEST_PROTOCOL, sort_dicts=bool(sort_dicts))
    dump_once(
        obj, DIGEST_PROTOCOL, made.update, None, False, None, order, False, None, reduce_for_digest
    )
    return made


object_digest.__doc__ = OBJECT_DIGEST_DOC
