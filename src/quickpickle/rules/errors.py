"""The running interpreter's messages, where CPython 3.13 and 3.14 reworded them.

`_pickle` of the running interpreter is the reference for exceptions, so each function here builds
the exception that this interpreter's own pickler would raise.
"""

from pickle import PicklingError, UnpicklingError

from .versions import HEAP_TYPE, IMMUTABLE_TYPE, PY313, PY314


def type_name(cls: type) -> str:
    """The name of a type as most messages of the running interpreter show it.

    C types go by module and name. Classes made in Python go by their name alone up to 3.13,
    and by module and qualified name from 3.14 on.

    >>> type_name(int)
    'int'
    """
    if not PY314:
        return c_type_name(cls)
    name = cls.__qualname__ if cls.__flags__ & HEAP_TYPE else cls.__name__
    return name if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{name}"


def c_type_name(cls: type) -> str:
    """The name of a type as C code has it: classes made in Python go by their name alone.

    >>> import collections
    >>> c_type_name(collections.OrderedDict), c_type_name(collections.Counter)
    ('collections.OrderedDict', 'Counter')
    """
    flags = cls.__flags__
    if (flags & HEAP_TYPE and not flags & IMMUTABLE_TYPE) or cls.__module__ == "builtins":
        return cls.__name__
    return f"{cls.__module__}.{cls.__name__}"


def bad_item(position: str, what: str, value: object) -> PicklingError:
    """An item of a reduction that has the wrong type."""
    text = f"{position} item of the tuple returned by __reduce__ must be {what}"
    return PicklingError(f"{text}, not {type_name(type(value))}" if PY314 else text)


def bad_optional_item(position: str, what: str, value: object) -> PicklingError:
    """One of the fourth to sixth items of a reduction that has the wrong type."""
    if PY314:
        return bad_item(position, "callable" if what == "a function" else what, value)
    text = f"{position} element of the tuple returned by __reduce__ must be {what}"
    return PicklingError(f"{text}, not {type_name(type(value))}")


def bad_reduction(value: object) -> PicklingError:
    """A `__reduce__` that returned neither a string nor a tuple."""
    text = "__reduce__ must return a string or tuple"
    return PicklingError(f"{text}, not {type_name(type(value))}" if PY314 else text)


def no_reduction(obj: object) -> PicklingError:
    """An object that has neither `__reduce_ex__` nor `__reduce__`."""
    if PY314:
        return PicklingError(f"Can't pickle {type_name(type(obj))} object")
    return PicklingError(f"can't pickle '{type_name(type(obj)):.200}' object: {obj!r}")


def bad_newobj_ex_length(length: int) -> PicklingError:
    """A `__newobj_ex__` reduction whose arguments are not three."""
    if PY314:
        return PicklingError(f"__newobj_ex__ expected 3 arguments, got {length}")
    return PicklingError(f"length of the NEWOBJ_EX argument tuple must be exactly 3, not {length}")


def bad_newobj_ex_item(position: str, what: str, value: object) -> PicklingError:
    """A `__newobj_ex__` reduction one of whose arguments has the wrong type."""
    if PY314:
        return PicklingError(
            f"{position} argument to __newobj_ex__() must be {what}, not {type_name(type(value))}"
        )
    return PicklingError(
        f"{position} item from NEWOBJ_EX argument tuple must be {what}, "
        f"not {type_name(type(value)):.200}"
    )


def empty_newobj() -> PicklingError:
    """A `__newobj__` reduction without a class."""
    if PY314:
        return PicklingError("__newobj__ expected at least 1 argument, got 0")
    return PicklingError("__newobj__ arglist is empty")


def newobj_needs_class(value: object) -> PicklingError:
    """A `__newobj__` reduction whose first argument is no class."""
    if PY314:
        return PicklingError(
            f"first argument to __newobj__() must be a class, not {type_name(type(value))}"
        )
    return PicklingError("args[0] from __newobj__ args is not a type")


def newobj_wrong_class(expected: object, cls: object) -> PicklingError:
    """A `__newobj__` reduction for another class than the object's own."""
    if PY314:
        return PicklingError(f"first argument to __newobj__() must be {expected!r}, not {cls!r}")
    return PicklingError("args[0] from __newobj__ args has the wrong class")


def local_object(obj: object, name: str) -> Exception:
    """A class or function that was defined inside a function."""
    if PY314:
        return PicklingError(f"Can't pickle local object {obj!r}")
    verb = "get" if PY313 else "pickle"
    return AttributeError(f"Can't {verb} local object {name!r}")


def import_failed(obj: object, module_name: object, reason: BaseException) -> PicklingError:
    """A class or function whose module cannot be imported."""
    if PY314:
        return PicklingError(f"Can't pickle {obj!r}: {reason}")
    return PicklingError(f"Can't pickle {obj!r}: import of module {module_name!r} failed")


def not_found(obj: object, module_name: object, name: str) -> PicklingError:
    """A class or function whose module lacks it."""
    if PY314:
        return PicklingError(f"Can't pickle {obj!r}: it's not found as {module_name}.{name}")
    return PicklingError(f"Can't pickle {obj!r}: attribute lookup {name} on {module_name} failed")


def not_same(obj: object, module_name: object, name: str) -> PicklingError:
    """A class or function whose module holds something else under its name."""
    return PicklingError(f"Can't pickle {obj!r}: it's not the same object as {module_name}.{name}")


def bad_identifier(kind: str, identifier: str, protocol: int) -> PicklingError:
    """A module or a name that an old protocol cannot encode."""
    shown = repr(identifier) if PY314 else f"'{identifier}'"
    return PicklingError(f"can't pickle {kind} identifier {shown} using pickle protocol {protocol}")


def extension_code_not_integer(obj: object, code: object) -> Exception:
    """A code in copyreg's extension registry that is no integer."""
    if PY313:
        return TypeError(f"'{type_name(type(code))}' object cannot be interpreted as an integer")
    return PicklingError(f"Can't pickle {obj!r}: extension code {code!r} isn't an integer")


def extension_code_out_of_range(obj: object, code: int) -> Exception:
    """A code in copyreg's extension registry outside 1 to 0x7fffffff."""
    if PY313:
        return RuntimeError(f"extension code {code} is out of range")
    return PicklingError(f"Can't pickle {obj!r}: extension code {code} is out of range")


def buffer_needs_protocol_5() -> PicklingError:
    """A PickleBuffer in a protocol that has no buffers."""
    be = "be " if PY313 else ""
    return PicklingError(f"PickleBuffer can only {be}pickled with protocol >= 5")


class InspectionError(UnpicklingError):
    """Raised for bytes that are no pickle; `offset` says where.

    `is_foreign` says that they are something else from their beginning on.
    """

    is_foreign = False

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(offset, message)
        self.offset = offset
        self.message = message

    def __str__(self) -> str:
        return self.message


def too_many_objects(offset: int, max_objects: int) -> InspectionError:
    """More objects than `inspect` was told to keep track of."""
    return InspectionError(
        offset, f"there are more than {max_objects:,} objects (set max_objects higher for them)"
    )
