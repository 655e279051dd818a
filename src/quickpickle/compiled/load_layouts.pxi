# Whether filling.h, making.h and collector.h are right about this interpreter: as layouts.pxi for layout.h.

from .core import known_layouts as layouts_of_core

cdef extern from "layout.h":
    ctypedef struct quickpickle_layouts:
        int dicts, values, type_versions, slots
    quickpickle_layouts quickpickle_known

cdef extern from "filling.h":
    struct quickpickle_filled:
        int lists, dicts, values
    quickpickle_filled quickpickle_fills
    void quickpickle_fill_in_place(int)

cdef extern from "making.h":
    struct quickpickle_heads_known "quickpickle_heads":
        int strs, floats, ints
    quickpickle_heads_known quickpickle_heads
    void quickpickle_learn_heads()


cdef bint makes_strs() except -1:
    cdef PyObject* made
    cdef bytes data
    for expected in ("".join(["sample", " ", "text"]), "x" * 300):
        data = expected.encode()
        made = quickpickle_make_str(<const uint8_t*>PyBytes_AS_STRING(data), len(data))
        if made == NULL:
            raise MemoryError
        result = <object>made
        Py_DECREF(made)
        if not (
            result == expected and hash(result) == hash(expected) and result.isascii()
            and sys.getsizeof(result) == sys.getsizeof(expected) and {result: 1}[expected] == 1
            and result.upper() == expected.upper() and Py_REFCNT(<PyObject*>result) == 1
        ):
            return False
    return True


cdef bint makes_floats() except -1:
    cdef bytes data = b"\x3f\xf8" + bytes(6)
    cdef PyObject* made = quickpickle_make_float(<const uint8_t*>PyBytes_AS_STRING(data))
    if made == NULL:
        raise MemoryError
    result = <object>made
    Py_DECREF(made)
    return type(result) is float and result == 1.5 and Py_REFCNT(<PyObject*>result) == 1


cdef bint makes_ints() except -1:
    cdef PyObject* made
    cdef long number
    for expected in (2048, -2048, 100_003, -100_003, (1 << 30) - 1, 1 - (1 << 30), 1 << 30):
        number = expected
        made = quickpickle_make_int(number)
        if made == NULL:
            raise MemoryError
        result = <object>made
        Py_DECREF(made)
        if not (
            type(result) is int and result == expected and hash(result) == hash(expected)
            and sys.getsizeof(result) == sys.getsizeof(expected) and str(result) == str(expected)
            and result + 1 - expected == 1 and Py_REFCNT(<PyObject*>result) == 1
        ):
            return False
    return True


cdef bint fills_lists() except -1:
    cdef PyObject* items[40]
    cdef list sample = [], values = [object() for _ in range(40)]
    cdef Py_ssize_t i, count
    for i in range(40):
        items[i] = <PyObject*>values[i]
    for count in (1, 30, 9):
        for i in range(count):
            Py_INCREF_(items[i + len(sample)])
        quickpickle_fill_list(<PyObject*>sample, items + len(sample), count)
    sample.append(values[0])
    return sample == values + values[:1]


cdef bint fills_dicts() except -1:
    cdef PyObject* items[8]
    cdef PyObject* made
    cdef list keys = ["a", "b", "c", "d"], values = [[], 1, None, ()]
    cdef dict sample = dict(zip(keys, [5, 6, 7, 8]))
    cdef Py_ssize_t i
    for i in range(4):
        items[2 * i] = <PyObject*>keys[i]
        items[2 * i + 1] = <PyObject*>values[i]
        Py_INCREF_(items[2 * i])
        Py_INCREF_(items[2 * i + 1])
    made = quickpickle_dict_like(<PyObject*>sample, items, 4)
    if made == NULL:
        return False
    result = <object>made
    Py_DECREF(made)
    return (
        list(result.items()) == list(zip(keys, values)) and result["a"] is values[0]
        and list(sample.values()) == [5, 6, 7, 8]
        and adds_keys([f"key {i}" for i in range(300)]) and adds_keys([i << 7 for i in range(300)])
    )


cdef bint adds_keys(list keys) except -1:
    """The last of these keys comes twice."""
    cdef PyObject* items[600]
    cdef dict sample = {}, expected = dict.fromkeys(keys[:-1] + keys[:1])
    cdef Py_ssize_t i
    keys[299] = keys[0]
    for i in range(300):
        items[2 * i] = PyList_GET_ITEM(<PyObject*>keys, i)
        items[2 * i + 1] = Py_None
    quickpickle_fill_dict(<PyObject*>sample, items, 300)
    if list(sample) != list(expected) or sys.getsizeof(sample) != sys.getsizeof(expected):
        return False
    for key in keys[:100]:
        del sample[key]
    for key in keys:
        if (key in sample) != (key in keys[100:299]):
            return False
    return len(sample) == 199


cdef bint fills_values() except -1:
    """Attributes in another order than that of the names which the class has met first."""
    cdef Py_ssize_t i
    cdef void* values
    cdef Py_ssize_t place
    names = [sys.intern(name) for name in ("first", "second", "third")]
    cls = type("Sample", (), {})
    first, sample = cls(), cls()
    for name in names:
        setattr(first, name, 1)
    values = quickpickle_empty_values(<PyObject*>sample)
    if values == NULL or not 3 <= quickpickle_values_room(<PyObject*>sample, values) < 256:
        return False
    for i, name in enumerate((names[2], names[0])):
        place = quickpickle_shared_place(
            quickpickle_shared_keys(<PyTypeObject*>cls), <PyObject*>name
        )
        if place < 0:
            return False
        obj = [name]
        Py_INCREF(obj)
        quickpickle_set_value(values, i, place, <PyObject*>obj)
        if quickpickle_value_at(values, place) != <PyObject*>obj:
            return False
    return sample.third == ["third"] and list(vars(sample).items()) == [
        ("third", ["third"]), ("first", ["first"])
    ]


cdef int check_fill(int* flag, bint holds) except -1:
    if not holds:
        flag[0] = 0
    return 0


def forget_layouts():
    """Use public functions only from here on: for tests, before anything is loaded."""
    quickpickle_known.dicts = quickpickle_known.values = quickpickle_known.type_versions = 0
    global dates_are_known
    quickpickle_known.slots = dates_are_known = 0
    quickpickle_heads.strs = quickpickle_heads.floats = quickpickle_heads.ints = 0
    quickpickle_fill_in_place(False)
    quickpickle_forget_generations()


def known_layouts():
    """The names of the layouts that are relied on."""
    flags = dict(quickpickle_fills) | dict(quickpickle_heads)
    names = {name for name, flag in flags.items() if flag}
    return names | ({"generations"} if quickpickle_has_generations() else set())


cdef set known = layouts_of_core()
quickpickle_known.dicts = "dicts" in known
quickpickle_known.values = "values" in known
quickpickle_known.type_versions = "type_versions" in known
quickpickle_known.slots = "slots" in known
quickpickle_fill_in_place(True)
if quickpickle_fills.lists:
    check_fill(&quickpickle_fills.lists, fills_lists())
if quickpickle_fills.dicts:
    check_fill(&quickpickle_fills.dicts, fills_dicts())
if quickpickle_fills.values:
    check_fill(&quickpickle_fills.values, fills_values())
quickpickle_learn_heads()
if quickpickle_heads.strs:
    check_fill(&quickpickle_heads.strs, makes_strs())
if quickpickle_heads.floats:
    check_fill(&quickpickle_heads.floats, makes_floats())
if quickpickle_heads.ints:
    check_fill(&quickpickle_heads.ints, makes_ints())
quickpickle_find_generations()
