# Classes and functions by name: the twin of save_global in names.py.

cdef int save_global(Dump dump, object obj, object name) except -1:
    """Write a class or function by its name, see names.py."""
    found = find_global(obj, name)
    if dump.stream.protocol >= 2:
        code = extension_code(obj, found.module_name, found.full_name)
        if code is not None:
            return dump.stream.put_bytes(encode_extension(code))
    return push_generator(dump, save_found(dump.stream, obj, found))


def save_found(Stream stream, obj, found):
    if stream.protocol >= 4:
        yield found.module_name
        yield found.name
        stream.put1(b"\x93")
    elif len(found.path) == 1:
        write_global(stream, found)
    elif PY313:
        # getattr(getattr(<global>, part), part), of which only the whole is memoized.
        for _ in found.path[1:]:
            yield getattr
            if stream.protocol < 2:
                stream.put1(b"(")
        write_global(stream, found)
        for part in found.path[1:]:
            yield part
            stream.put_bytes(b"tR" if stream.protocol < 2 else b"\x86R")
    else:
        # getattr(<parent>, part), where the parent may be such an expression in its turn.
        yield getattr
        yield found.parent, found.path[-1]
        stream.put1(b"R")
    stream.memoize(obj)


cdef int write_global(Stream stream, found) except -1:
    module_line, name_line = encode_names(
        found.module_name, found.path[0], stream.protocol, stream.fix_imports
    )
    return stream.put_bytes(b"c%b\n%b\n" % (module_line, name_line))
