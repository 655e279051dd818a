# Whether layout.h is right about this interpreter: its answers, and those of public functions.
#
# This runs once, at import. A layout that is not as expected is not used, so an unknown build of
# the interpreter is slower, and not wrong. Numbers that tell how far is read are compared first.

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL

cdef extern from "layout.h":
    bint quickpickle_is_head_known(PyObject*)


cdef list raw_items(PyObject* dict):
    cdef Py_ssize_t position = 0
    cdef PyObject* key
    cdef PyObject* value
    cdef list items = []
    while quickpickle_dict_next(dict, &position, &key, &value):
        items.append((<object>key, <object>value))
    return items


def sample_class(**namespace):
    return type("Sample", (), namespace)


def sample_instances():
    """Two, of a class whose instances have three attributes, set in different orders."""
    cls = sample_class()
    first, second = cls(), cls()
    first.a, first.b, first.c = 1, 2, 3
    second.b, second.c, second.d, second.a = 4, 5, 6, 7
    del second.c
    return first, second


def dicts_are_known():
    large = {str(i): i for i in range(300)}  # whose indices have two bytes
    del large["7"]
    mixed = {1: "a", "b": 2, "c": 3}
    del mixed["b"]
    for sample in (large, mixed, {"a": 1}):
        if not quickpickle_is_head_known(<PyObject*>sample):
            return False
    shared = [vars(instance) for instance in sample_instances()]
    for sample in ({}, large, mixed, {"a": 1}, *shared):
        if raw_items(<PyObject*>sample) != list(sample.items()):
            return False
        if quickpickle_has_str_keys(<PyObject*>sample) == (sample is mixed):
            return False
    return True


def values_are_known():
    cdef Py_ssize_t position
    cdef PyObject* key
    cdef PyObject* value
    cdef void* values
    for instance in sample_instances():
        position, items = 0, []
        values = quickpickle_values(<PyObject*>instance)
        if values == NULL or quickpickle_count_attributes(values) != 3:
            return False
        while quickpickle_attribute(<PyObject*>instance, values, &position, &key, &value):
            items.append((<object>key, <object>value))
        # Last, as it makes the dict.
        if items != list(vars(instance).items()) or quickpickle_values(<PyObject*>instance) != NULL:
            return False
    return True


def dict_versions_are_known():
    cdef dict sample = {"a": 1}
    cdef uint64_t version = quickpickle_dict_version(<PyObject*>sample)
    if version == 0 or "a" not in sample or quickpickle_dict_version(<PyObject*>sample) != version:
        return False
    sample["a"] = 2
    return quickpickle_dict_version(<PyObject*>sample) not in (0, version)


def type_versions_are_known():
    base = sample_class(a=1)
    cls = type("Sample", (base,), {})
    cdef PyTypeObject* pointer = <PyTypeObject*>cls
    cdef unsigned int version
    getattr(cls, "a")
    version = quickpickle_type_version(pointer)
    getattr(cls, "a")
    if version == 0 or quickpickle_type_version(pointer) != version:
        return False
    base.a = 2
    getattr(cls, "a")
    return quickpickle_type_version(pointer) != version


def sets_are_known():
    cdef PyObject* members[64]
    cdef Py_ssize_t ends[64]
    cdef Py_ssize_t position, i, count
    large = set(range(-9, 200))
    large -= {-1, 3, 150}
    for sample in (set(), {"a"}, frozenset("abc"), large):
        position, found = 0, []
        if (<PySetObject*><PyObject*>sample).mask + 1 < 4 * len(sample) // 3:
            return False
        while position <= (<PySetObject*><PyObject*>sample).mask:
            count = quickpickle_set_members(<PyObject*>sample, &position, 64, members, ends)
            for i in range(count):
                found.append(<object>members[i])
        if found != list(sample):
            return False
    return True


def digits_are_known():
    cdef const digit* digits
    cdef Py_ssize_t i, size
    cdef int negative
    cdef int64_t small
    for bits in (0, 1, 14, 15, 29, 30, 31, 59, 60, 63, 64, 89, 90, 200):
        for value in (1 << bits, (1 << bits) - 1, -(1 << bits), ~(1 << bits)):
            if quickpickle_small_long(<PyObject*>value, &small):
                if small != value:
                    return False
                continue
            size = quickpickle_digits(<PyObject*>value, &digits, &negative)
            if not 0 < size <= 20 or <size_t>digits - <size_t><PyObject*>value > 64:
                return False
            found = 0
            for i in range(size):
                found |= int(digits[i]) << (i * PyLong_SHIFT)
            if (-found if negative else found) != value:
                return False
    return True


def utf8_is_known():
    cdef Py_ssize_t size = 0, kept_size = 0
    cdef const char* text
    sample = chr(0xe4) * 3 + chr(0x20ac)
    if quickpickle_kept_utf8(<PyObject*>sample, &kept_size) != NULL:
        return False
    text = PyUnicode_AsUTF8AndSize(sample, &size)
    return quickpickle_kept_utf8(<PyObject*>sample, &kept_size) == text and kept_size == size


def slots_are_known():
    cls = sample_class(__slots__=("a", "b"))
    instance, value = cls(), object()
    instance.b = value
    cdef PyTypeObject* pointer = <PyTypeObject*>cls
    cdef Py_ssize_t a = quickpickle_slot_offset(<PyObject*>cls.a, pointer)
    cdef Py_ssize_t b = quickpickle_slot_offset(<PyObject*>cls.b, pointer)
    for offset in (a, b):
        if offset % sizeof(PyObject*) or not 0 < offset < pointer.tp_basicsize:
            return False
    return (
        quickpickle_slot(<PyObject*>instance, a) == NULL
        and quickpickle_slot(<PyObject*>instance, b) == <PyObject*>value
    )


def dates_are_known():
    """Asked for when the first date is met, as the module is imported by then."""
    from datetime import UTC, date, datetime, time
    cdef char data[16]
    cdef int size
    for sample in (
        date(2024, 2, 29), datetime(1, 2, 3, 4, 5, 6, 789000, fold=1), time(1, 2, 3, 456, fold=1),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), time(23, 59, 59, 999999, UTC),
    ):
        size = quickpickle_datetime_bytes(<PyObject*>sample, data, True)
        if data[:size] != sample.__reduce_ex__(4)[1][0]:
            return False
        if quickpickle_tzinfo(<PyObject*>sample) != (
            NULL if getattr(sample, "tzinfo", None) is None else <PyObject*>UTC
        ):
            return False
    return True


def exceptions_are_known():
    cdef PyObject* items[5]
    cdef PyObject* args
    cdef Py_ssize_t i, size
    text, others = "text", ("a", [1])
    changed = Exception(text)
    changed.args = others
    for sample in (
        Exception(), KeyError(text), ValueError(text, *others), changed, OSError(text), OSError(),
        OSError(2, text), OSError(2, text, "file"), OSError(2, text, "file", None, "other"),
        FileNotFoundError(2, text, "file"),
    ):
        if type(sample).__basicsize__ < <Py_ssize_t>sizeof(quickpickle_exception):
            return False
        size = quickpickle_exception_args(
            <PyObject*>sample, isinstance(sample, OSError), &args, items
        )
        expected = sample.__reduce__()[1]
        if size != len(expected):
            return False
        if args != NULL:
            if <object>args is not sample.args or sample.args != expected:
                return False
            continue
        for i in range(size):
            if <object>items[i] is not expected[i]:
                return False
    return True


cdef int check(int* flag, object holds) except -1:
    try:
        if flag[0] and not holds():
            flag[0] = 0
    except Exception:
        flag[0] = 0
    return 0


def forget_layouts():
    """Use public functions only from here on: for tests, before anything is pickled."""
    quickpickle_trust(False)


def known_layouts():
    """The layouts of this interpreter that are used, by their names in layout.h."""
    flags = quickpickle_known
    return {name for name, flag in flags.items() if flag}


quickpickle_trust(True)
cdef int has_digits = quickpickle_known.digits != 0
check(&quickpickle_known.dicts, dicts_are_known)
check(&quickpickle_known.values, values_are_known)
check(&quickpickle_known.dict_versions, dict_versions_are_known)
check(&quickpickle_known.type_versions, type_versions_are_known)
check(&quickpickle_known.sets, sets_are_known)
check(&has_digits, digits_are_known)
if not has_digits:
    quickpickle_known.digits = 0
check(&quickpickle_known.utf8, utf8_is_known)
check(&quickpickle_known.slots, slots_are_known)
check(&quickpickle_known.exceptions, exceptions_are_known)
