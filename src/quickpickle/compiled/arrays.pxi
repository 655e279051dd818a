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
        func.key == NULL or func.number < 0
        or dtype.key == NULL or dtype.number < 0
        or (dump.protocol < 3 and (plan.size < 2 or not is_encode_known(dump)))
    ):
        return ASK
    dump.get(func.number)
    dump.part_begins()
    dump.get(dtype.number)
    dump.part_begins()
    save_short_bytes(dump, number_data(obj), plan.size)
    dump.put_memoized(OP_TUPLE2, NULL, True)
    return dump.put_memoized(OP_REDUCE, obj, unique)
