# The files of the standard library, whose `write` runs no Python code.

cdef object buffered_write = BufferedWriter.write
cdef object bytesio_write = BytesIO.write
cdef PyTypeObject* buffered_type = <PyTypeObject*>BufferedWriter
cdef PyTypeObject* bytesio_type = <PyTypeObject*>BytesIO


cdef inline object plain_write(object file):
    """The unbound `write` of a file's class, or None. To bind it takes longer than a small dump.

    Nobody can change these classes; an instance may have a `write` of its own.
    """
    cdef PyTypeObject* cls = Py_TYPE(<PyObject*>file)
    cdef PyObject* own
    if cls != buffered_type and cls != bytesio_type:
        return None
    own = quickpickle_instance_dict(<PyObject*>file)
    if own != NULL and PyDict_Size(own):
        return None
    return buffered_write if cls == buffered_type else bytesio_write


cdef bint is_quiet(object write, object file) except -1:
    """Whether a `write` is that of a file of the standard library, and runs no Python code."""
    if file is None:
        if type(write) is not BuiltinFunctionType:
            return False
        file = write.__self__
    if type(file) is BytesIO:
        return True
    return type(file) in (BufferedWriter, BufferedRandom) and type(file.raw) is FileIO
