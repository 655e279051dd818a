# NumPy's arrays and numbers, written by the plan for their class: see plans.pxi.

cdef str c_order = chr(67), f_order = chr(70)  # of an array: one string each in the interpreter


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
    cdef Py_ssize_t func = dump.number_of(<PyObject*>plan.method)
    cdef Py_ssize_t dtype = dump.number_of(array.descr), i, size = item_size(plan, array.descr)
    cdef Py_ssize_t layout
    cdef uint64_t total
    if func < 0 or dtype < 0 or size == 0 or dump.buffer_callback is not None or array.nd > 3:
        return ASK
    if not array.flags & ARRAY_C_CONTIGUOUS:
        if not array.flags & ARRAY_F_CONTIGUOUS:
            return ASK
        order = <PyObject*>f_order
    layout = dump.number_of(order)
    if layout < 0:
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
    dump.get(layout)
    dump.put_memoized(OP_TUPLE, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)


cdef int save_old_ndarray(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """The same below protocol 5: an array of no size is made, and gets all else as its state.

    A large one too, if no file is to see its bytes. Single bytes are one object each in the
    interpreter, so the memo may have them.
    """
    cdef quickpickle_array* array = <quickpickle_array*>obj
    cdef Py_ssize_t func, cls, typecode, i
    cdef Py_ssize_t dtype = dump.number_of(array.descr)
    cdef uint64_t size = item_size(plan, array.descr)
    if not plan.rebuild or dtype < 0 or array.nd > 3 or not (
        array.flags & (ARRAY_C_CONTIGUOUS | ARRAY_F_CONTIGUOUS)
    ):
        return ASK
    func = dump.number_of(PyTuple_GET_ITEM(<PyObject*>plan.rebuild, 0))
    typecode = dump.number_of(PyTuple_GET_ITEM(<PyObject*>plan.rebuild, 3))
    cls = dump.number_of(<PyObject*>plan.cls)
    if func < 0 or typecode < 0 or cls < 0 or (dump.protocol < 3 and not is_encode_known(dump)):
        return ASK
    for i in range(array.nd):
        if array.dimensions[i] > 0x7FFFFFFF:
            return ASK
        size *= array.dimensions[i]  # it is in memory, so this has less than 64 bits
    if size < 2 or (size >= FRAME_SIZE_TARGET and (dump.write is not None or dump.compact)):
        return ASK
    # Below protocol 3 a byte may take two, and there are parts behind them.
    if dump.protocol < 3 and dump.write is not None and not dump.may_have_parts(
        <Py_ssize_t>size * 2 + SLACK
    ):
        return ASK
    dump.get(func)
    open_tuple(dump)
    dump.part_begins()
    dump.get(cls)
    open_tuple(dump)
    dump.part_begins()
    dump.put2(OP_BININT1, 0)
    put_tuple(dump, 1, NULL, True)
    dump.part_begins()
    dump.get(typecode)
    put_tuple(dump, 3, NULL, True)
    dump.put_memoized(OP_REDUCE, obj, unique)
    dump.part_begins()
    dump.put1(OP_MARK)
    dump.part_begins()
    dump.put2(OP_BININT1, 1)
    save_shape(dump, array)
    dump.part_begins()
    dump.get(dtype)
    dump.part_begins()
    save_scalar(dump, Py_False if array.flags & ARRAY_C_CONTIGUOUS else Py_True)
    dump.part_begins()
    save_new_bytes(dump, array.data, <Py_ssize_t>size)
    dump.put_memoized(OP_TUPLE, NULL, True)
    return dump.put1(OP_BUILD)


cdef int save_shape(Dump dump, quickpickle_array* array) except -1:
    """Write a tuple of up to three small ints."""
    cdef Py_ssize_t i
    dump.part_begins()
    if array.nd == 0:
        return dump.put1(OP_EMPTY_TUPLE)
    open_tuple(dump)
    for i in range(array.nd):
        dump.part_begins()
        put_small_int(dump, array.dimensions[i])
    return put_tuple(dump, array.nd, NULL, True)


cdef inline char* number_data(PyObject* obj) noexcept:
    """Where a NumPy number has its value."""
    return <char*>obj + sizeof(PyObject)


cdef bytes number_bytes(PyObject* obj, Py_ssize_t size):
    if <Py_ssize_t>sizeof(PyObject) + size > Py_TYPE(obj).tp_basicsize:
        return b""
    return PyBytes_FromStringAndSize(number_data(obj), size)


cdef int save_number(Dump dump, PyObject* obj, bint unique, Plan plan) except -1:
    """Write a NumPy number whose dtype was met before, as was the function that rebuilds it."""
    cdef Py_ssize_t func = dump.number_of(PyTuple_GET_ITEM(<PyObject*>plan.names, 0))
    cdef Py_ssize_t dtype = dump.number_of(PyTuple_GET_ITEM(<PyObject*>plan.names, 1))
    if func < 0 or dtype < 0 or (dump.protocol < 3 and not is_encode_known(dump)):
        return ASK
    dump.get(func)
    open_tuple(dump)
    dump.part_begins()
    dump.get(dtype)
    dump.part_begins()
    save_new_bytes(dump, number_data(obj), plan.size)
    put_tuple(dump, 2, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)
