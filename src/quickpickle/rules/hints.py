"""Hints for objects that cannot be pickled: a line for each of the most frequent causes."""

from __future__ import annotations

import errno
import gc
import io
import re
import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from types import (
    CellType,
    FunctionType,
    GetSetDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final

from .advice import BY_TYPE, POINTER, STANDARD_STREAM
from .reductions import ABSENT, dict_of, find, mro_of

_module_of: Final = type.__dict__["__module__"].__get__
_qualname_of: Final = type.__dict__["__qualname__"].__get__
_name_of: Final = type.__dict__["__name__"].__get__
_dict_of_module: Final = vars(ModuleType)["__dict__"].__get__

_INSTALLED: Final = re.compile(r"[/\\\\](?:site|dist)-packages[/\\\\]")

_LAMBDA: Final = (
    "A lambda has no name to be found under: write a function with def at the top of a module. "
    "quickpickle.cloud pickles functions by value."
)
_LOCAL_FUNCTION: Final = (
    "Functions are pickled by name, and this one is inside another: move it to the top of its "
    "module. quickpickle.cloud pickles functions by value."
)
_LOCAL_CLASS: Final = (
    "Classes are pickled by name, and this one is inside a function: move it to the top of its "
    "module. quickpickle.cloud pickles classes by value."
)
_OF_A_LIBRARY: Final = (
    "{0} makes it inside a function, so that it has no name: leave out what holds it in "
    "__getstate__. quickpickle.cloud pickles it by value."
)
_BY_VALUE: Final = " quickpickle.cloud pickles it by value."
_HIDDEN_BY_FUNCTION: Final = (
    "It is pickled by its name, under which is what a decorator has made of it: pickle that."
)
_HIDDEN_BY_OBJECT: Final = (
    "It is pickled by its name, under which is the {0} that wraps it: let {0}.__reduce__ "
    "return that name, {1!r}."
)
_HIDDEN_BY_LIBRARY: Final = (
    "It is pickled by its name, under which is the {0} that wraps it: write it with a name of its "
    "own, and wrap it after that."
)
_HIDDEN_CLASS: Final = (
    "A decorator has put something else under the name of this class: let it return the class "
    "itself."
)
_DERIVED_CLASS: Final = (
    "Another class, made of this one, as by a decorator, has its name: use that one."
)
_MADE_AGAIN_CLASS: Final = (
    "Its class was made again, by a reload of the module or a second run of a cell: make the "
    "object anew, of the class that has the name now."
)
_MADE_AGAIN: Final = (
    "It was made again, by a reload of the module or a second run of a cell: use the one that has "
    "the name now."
)
_OLD_BY_VALUE: Final = " quickpickle.cloud pickles the old one by value."
_OTHER_VARIABLE: Final = (
    "It is pickled by its own name, {0!r}, and its module has it as {1!r}: make both names the "
    "same."
)
_MADE_AT_RUN_TIME: Final = (
    "The class was made at run time: assign it to {0!r} at the top of the module that its "
    "__module__ names."
)
_MADE_WITHOUT_MODULE: Final = (
    "The class was made at run time: assign it to {0!r} at the top of a module, and the name of "
    "that to its __module__."
)
_NOT_ASSIGNED: Final = "It is pickled by its name: assign it to {0!r} at the top of its module."
_NO_MODULE: Final = (
    "Its module, {0!r}, cannot be imported: put that into sys.modules under this name, or let its "
    "__module__ say where it is."
)
_REDUCED_TO_A_NAME: Final = (
    "Its __reduce__ returns a name, under which it is not found: return the name that it has in "
    "its module."
)
_NAMED_IN_TYPES: Final = (
    "builtins does not have it: keep {0!r}, the name that it has in types. quickpickle.cloud "
    "pickles it."
)
_MADE_BY_LIBRARY: Final = (
    "{0} makes the class at run time, so that no module has it: keep what the object was made "
    "from, and make it anew."
)
_MADE_BY_EXEC: Final = (
    "The function was made at run time, as by exec(), so that no module has it: leave it out in "
    "__getstate__, and make it anew."
)
_IN_FUNCTION: Final = (
    "{0}: make or import it inside the function, which is pickled with all that it refers to."
)
_IN_CLASS: Final = (
    "{0}: make or import it inside a method, as the class is pickled with its attributes."
)
_TYPE_PARAMETER: Final = (
    "A type parameter has no name in a module: leave out what refers to it, or make it with "
    "typing.{0}() at the top of the module."
)
_OTHER_NAME: Final = (
    "It is pickled by its name, which leads elsewhere: let its __module__ and __qualname__ say "
    "where it is, or keep the name it had."
)
_ENDLESS: Final = (
    "Some __reduce__ hands out a new object each time: return only what the object holds, or give "
    "the Pickler a higher reduction_limit."
)
_CHANGED: Final = (
    "Another thread, or a __reduce__, changes it meanwhile: pickle a copy, or hold a lock."
)

# Of these, what they hold is pickled by value too.
_HOLDERS: Final = (FunctionType, CellType, property, staticmethod, classmethod)
_MAIN: Final = ("__main__", "__mp_main__")
# Classes of these are written, but cannot be loaded; neither can those of ctypes.
_NOT_BY_VALUE: Final = ("typing._TypedDictMeta", "typing_extensions._TypedDictMeta")
_MOST_SEEN: Final = 1000  # objects

_NOT_FOUND: Final = re.compile(
    r"not found as|not the same object as|attribute lookup .* failed$|Can't (?:pickle|get) local "
    r"|Can't pickle .*: (?:import of module .* failed$|No module named )"
)
_HAS_POINTERS: Final = "ctypes objects containing pointers cannot be pickled"
# These take care of the pickling of a class's instances.
_OWN_WAYS: Final = frozenset(("__reduce_ex__", "__reduce__", "__getstate__"))
_TYPE_PARAMETERS: Final = ("typing.TypeVar", "typing.ParamSpec", "typing.TypeVarTuple")
# Types, not from a module of the user, whose instances say under what name they are to be found.
_NAMED: Final = (*_TYPE_PARAMETERS, "typing.NewType", "functools._lru_cache_wrapper")


def find_hint(obj: Any, error: BaseException, around: Iterable[Any] = ()) -> str | None:
    """A line that says what to do about an object that could not be pickled, if there is one.

    `around` are the objects that it is in, beginning with the outermost. The first of them that
    is of a known type decides: it could not be pickled even without what it holds.

    >>> import threading
    >>> find_hint(threading.Lock(), TypeError("cannot pickle '_thread.lock' object"))
    'A lock works in the process that made it: leave it out in __getstate__, and make a new one in \
__setstate__.'
    """
    if not isinstance(error, Exception):
        return None  # Ctrl-C is nobody's fault
    message = error.args[0] if error.args and type(error.args[0]) is str else ""
    if type(error) is RecursionError and "nested reductions" in message:
        return _ENDLESS
    if type(error) is RuntimeError and message.endswith("changed size during iteration"):
        return _CHANGED
    holder: Any = None  # a function or class, in whose reduction is all that comes after it
    for outer in around:
        hint = _advice(outer)
        if hint is not None:
            return _hint_in(holder, hint)
        if type(outer) is FunctionType or issubclass(type(outer), type):
            holder = outer
        elif library_of(type(outer)) is None:  # others have no __getstate__ that the user writes
            holder = None
    hint = POINTER if message == _HAS_POINTERS else _advice(obj)
    if hint is not None:
        return _hint_in(holder, hint)
    return _name_hint(obj) if _NOT_FOUND.search(message) else None


def _advice(obj: Any) -> str | None:
    """The advice for an object that is known."""
    hint = _known(type(obj))
    if hint is not None:
        for name in ("stdin", "stdout", "stderr"):
            if obj is vars(sys).get(name):
                text = STANDARD_STREAM.format(name)
                # Of Python's own, cloudpickle writes two by their names.
                is_written = name != "stdin" and obj is vars(sys).get(f"__{name}__")
                return text if is_written else text.partition(" quick")[0]
    return hint


def _known(cls: type) -> str | None:
    """The advice for the instances of a class, unless it pickles them in a way of its own."""
    own_way: Any = None  # the module of the classes that have one
    for base in mro_of(cls):
        hint = BY_TYPE.get(_full_name(base))
        if hint is not None:
            # The subclasses in the same module refuse as well, as multiprocessing.JoinableQueue.
            return hint if own_way in (None, _module_of(base)) else None
        if base is not object and not _OWN_WAYS.isdisjoint(dict_of(base)):
            if own_way not in (None, _module_of(base)):
                return None
            own_way = _module_of(base)
    return None


def _hint_in(holder: Any, hint: str) -> str | None:
    """The advice for what a function or class holds that is pickled by value."""
    if type(holder) is FunctionType and _library_of_code(holder) is not None:
        return None  # as that of functools.singledispatch: nobody can change it
    if holder is None or "__getstate__" not in hint:
        return hint
    text = _IN_FUNCTION if type(holder) is FunctionType else _IN_CLASS
    return text.format(hint.partition(":")[0])


# --- what is not found by its name


def _name_hint(obj: Any) -> str | None:
    """The advice for what is not found under its name, or for an instance of such a class."""
    named = obj if _has_name(obj) else type(obj)
    if named is not obj and _goes_by_name(named):
        own = find(named, "__reduce__"), find(named, "__reduce_ex__")
        return _REDUCED_TO_A_NAME if FunctionType in map(type, own) else None
    hint = _hint_of_name(named)
    if hint is None or not _is_pickled_by_value(named, obj):
        return hint and hint.partition(" quick")[0]
    if "quickpickle.cloud" in hint:
        return hint
    return hint + (_OLD_BY_VALUE if hint in (_MADE_AGAIN, _MADE_AGAIN_CLASS) else _BY_VALUE)


def _hint_of_name(named: Any) -> str | None:
    is_class = issubclass(type(named), type)
    name, module_name = _names_of(named)
    if name is None:
        return _OTHER_NAME
    library = _library(module_name)
    is_lambda = name.rpartition(".")[2] == "<lambda>"
    if is_lambda or "<locals>" in name:
        if library is not None:
            return _OF_A_LIBRARY.format(library)
        return _LAMBDA if is_lambda else _LOCAL_CLASS if is_class else _LOCAL_FUNCTION
    if _full_name(type(named)) in _TYPE_PARAMETERS and module_name == "typing":
        # Of PEP 695; what typing.TypeVar() makes says in which module.
        return _TYPE_PARAMETER.format(_name_of(type(named)))
    if module_name is None and type(named) is FunctionType:
        return _MADE_BY_EXEC
    if module_name is not None and module_name not in sys.modules:
        return _NO_MODULE.format(module_name)
    found = _look_up(_attributes_of_module(module_name), name)
    if found is not ABSENT:
        return _hint_for_another(named, found, name, module_name)
    variable = _variable_of(named, module_name)
    if variable is not None:
        return _OTHER_VARIABLE.format(name, variable)
    return _hint_of_the_new(named, name, module_name)


def _hint_of_the_new(named: Any, name: str, module_name: str | None) -> str | None:
    """The advice for what a module that is there has under no name."""
    library = _library(module_name)
    if issubclass(type(named), type) and name.replace(".", "_").isidentifier() and module_name:
        if module_name == "builtins":
            known = [one for one, value in vars(types).items() if value is named]
            return _NAMED_IN_TYPES.format(known[0]) if known else None
        if module_name == "types":  # as types.new_class() has it, before 3.12
            return _MADE_WITHOUT_MODULE.format(name)
        if library is None:
            return _MADE_AT_RUN_TIME.format(name)
        if _is_in_python(named):
            return _MADE_BY_LIBRARY.format(library)
    if library is None and _full_name(type(named)) in _NAMED and name.isidentifier():
        return _NOT_ASSIGNED.format(name)
    return _OTHER_NAME if _is_of_the_user(named, module_name) else None


def _variable_of(named: Any, module_name: str | None) -> str | None:
    """The name under which a module has an object."""
    for variable, value in _attributes_of_module(module_name).items():
        if value is named and type(variable) is str:
            return variable
    return None


def _hint_for_another(obj: Any, found: Any, name: str, module_name: str | None) -> str | None:
    """The advice where another object has the name."""
    is_class = issubclass(type(obj), type)
    if _wraps(found, obj):
        if is_class:
            return _HIDDEN_CLASS
        if _has_name(found):
            return _HIDDEN_BY_FUNCTION
        if _library(_text(_module_of(type(found)))) is None:
            return _HIDDEN_BY_OBJECT.format(_name_of(type(found)), name)
        return _HIDDEN_BY_LIBRARY.format(_name_of(type(found)))
    variable = None if _library(module_name) else _variable_of(obj, module_name)
    is_around = type(obj) is FunctionType and obj.__dict__.get("__wrapped__") is found
    if _is_same(found, obj) and not (is_around and variable):
        return _MADE_AGAIN_CLASS if is_class else _MADE_AGAIN
    if _is_made_of(found, obj):
        return _DERIVED_CLASS
    if variable is not None:
        return _OTHER_VARIABLE.format(name, variable)
    if type(obj) is FunctionType and "<locals>" in obj.__code__.co_qualname:
        library = _library_of_code(obj)
        if library is not None:  # under functools.wraps(), maybe anew for each access
            return _OF_A_LIBRARY.format(library)
    return _OTHER_NAME if _is_of_the_user(obj, module_name) else None


def _is_same(found: Any, obj: Any) -> bool:
    """Whether both are of one `class` or `def`, that has run twice."""
    if issubclass(type(obj), type):
        # A subclass that goes by its base's name is made by some library.
        is_class = issubclass(type(found), type) and not _is_in(found, mro_of(obj))
        both = is_class and not _is_made_of(found, obj)
    else:
        both = type(found) is type(obj) is FunctionType
        both = both and found.__code__.co_name == obj.__code__.co_name
    return both and _names_of(found) == _names_of(obj)


def _is_made_of(found: Any, cls: Any) -> bool:
    """Whether a class is a subclass of another one, or has functions of its body."""
    if not (issubclass(type(found), type) and issubclass(type(cls), type)):
        return False
    name = f"{_qualname_of(cls)}."
    functions = [
        value
        for value in dict_of(cls).values()
        if type(value) is FunctionType and value.__qualname__.startswith(name)
    ]
    return _is_in(cls, mro_of(found)) or any(
        _is_in(value, functions) for value in dict_of(found).values()
    )


def _has_name(obj: Any) -> bool:
    """Whether an object is pickled by a name of its own."""
    cls = type(obj)
    return _is_named(obj) or _full_name(cls) in _NAMED or _is_native_function(obj)


def _is_native_function(obj: Any) -> bool:
    """Whether an object is a function in C, as those that Cython makes."""
    cls = type(obj)
    if _is_named(obj):
        return False
    kinds = type(find(cls, "__qualname__")), type(find(cls, "__call__"))
    return kinds == (GetSetDescriptorType, WrapperDescriptorType)


def _is_in_python(cls: type) -> bool:
    """Whether a class is written in Python, as far as its functions show that."""
    values = [value for base in mro_of(cls) for value in dict_of(base).values()]
    return any(type(value) is FunctionType for value in values)


def _is_of_the_user(obj: Any, module_name: str | None) -> bool:
    """Whether the user's code is to be changed: it gives the name, or is in the function."""
    if _is_native_function(obj):
        return False
    if type(obj) is FunctionType:
        within = _text(obj.__globals__.get("__name__"))
        if within is not None and _library_of_code(obj) is None:
            return True  # as under functools.wraps(a function of a library)
    return _library(module_name) is None


def _names_of(obj: Any) -> tuple[str | None, str | None]:
    """The qualified name of a class, a function or an instance of one of _NAMED, and its module."""
    cls = type(obj)
    if issubclass(cls, type):
        return _text(_qualname_of(obj)), _text(_module_of(obj))
    name = getattr(obj, "__qualname__", None)
    if type(name) is not str:
        name = getattr(obj, "__name__", None)
    return _text(name), _text(getattr(obj, "__module__", None))


def _text(name: Any) -> str | None:
    return name if type(name) is str else None


def _attributes_of_module(name: str | None) -> dict[Any, Any]:
    module = sys.modules.get(name) if name is not None else None
    return _dict_of_module(module) if isinstance(module, ModuleType) else {}


def _look_up(attributes: dict[Any, Any], name: str) -> Any:
    """The object under a dotted name, found without a call of any __getattr__."""
    first, *others = name.split(".")
    found = attributes.get(first, ABSENT)
    for part in others:
        if not issubclass(type(found), type):
            return ABSENT
        found = find(found, part)
    return found


def _wraps(wrapper: Any, obj: Any) -> bool:
    """Whether an object holds another in the ways of a decorator."""
    if issubclass(type(wrapper), type):
        return False
    if type(wrapper) is FunctionType:
        held = list(wrapper.__dict__.values())
        for cell in wrapper.__closure__ or ():
            with suppress(ValueError):  # empty
                held.append(cell.cell_contents)
    else:
        # To ask an object for its dict may make one: see rules/paths.py.
        held = gc.get_referents(wrapper)
        for inner in held[:]:
            if type(inner) is dict:
                held += inner.values()
    if _is_in(obj, held):
        return True
    # The module was reloaded: what holds it now is of the same `def`.
    return _is_named(obj) and any(_is_named(one) and _is_same(one, obj) for one in held)


def _is_named(obj: Any) -> bool:
    """Whether an object is a class, or a function in Python."""
    return type(obj) is FunctionType or issubclass(type(obj), type)


def _is_in(obj: Any, objects: Iterable[Any]) -> bool:
    return any(other is obj for other in objects)


# --- whether quickpickle.cloud pickles it


def _is_pickled_by_value(named: Any, obj: Any) -> bool:
    """Whether cloudpickle takes what is not found by its name, or an instance of such a class.

    Their contents are looked through for what is known to be refused, as far as that is quick.
    """
    kind = _full_name(type(named))
    if kind in _NOT_BY_VALUE or not (_is_named(named) or kind == "typing.TypeVar"):
        return False
    if _module_of(type(named)) == "_ctypes":
        return False
    seen: set[int] = set()
    found = [named, obj]
    for one in found:
        if id(one) in seen or len(seen) == _MOST_SEEN:
            continue
        seen.add(id(one))
        hint = _known(type(one))
        if hint is not None and "quickpickle.cloud" not in hint:
            return False
        if hint is None or type(one) in _HOLDERS:
            found += _held_by_value(one)
    return True


def _held_by_value(obj: Any) -> list[Any]:
    """Some of the objects that cloudpickle pickles with an object."""
    if isinstance(obj, ModuleType) or (_is_named(obj) and _goes_by_name(obj)):
        return []
    if issubclass(type(obj), type):
        values = [*dict_of(obj).values()]
        known = [one for one in values if type(one) in _HOLDERS or _known(type(one))]
        return [*known, *mro_of(obj)[1:]]
    if type(obj) is FunctionType:
        used = [name for name in obj.__code__.co_names if name in obj.__globals__]
        held = [*map(obj.__globals__.get, used), *(obj.__defaults__ or ())]
        return [*held, *(obj.__kwdefaults__ or {}).values(), *(obj.__closure__ or ())]
    if any(type(find(type(obj), name)) is FunctionType for name in _OWN_WAYS):
        return []  # it may leave out anything
    return gc.get_referents(obj)


def _goes_by_name(obj: Any) -> bool:
    """Whether cloudpickle writes a class or function as its name."""
    name, module_name = _names_of(obj)
    if name is None or module_name in _MAIN:
        return False
    return _look_up(_attributes_of_module(module_name), name) is obj


def _library(module_name: str | None) -> str | None:
    """The package that a module is of, where it is not the user's own but an installed one."""
    if module_name is None:
        return None
    package = module_name.partition(".")[0]
    if package in sys.stdlib_module_names:
        return package
    file = _attributes_of_module(module_name).get("__file__")
    return package if type(file) is str and _INSTALLED.search(file) else None


def _library_of_code(function: FunctionType) -> str | None:
    """The package that the code of a function is of, whatever its name says."""
    return _library(_text(function.__globals__.get("__name__")))


def library_of(cls: type) -> str | None:
    """The installed package that a class is of; None for one of the user's.

    >>> library_of(re.Pattern)
    're'
    """
    return _library(_text(_module_of(cls)))


_TEXT_FILE: Final = (
    'The file takes text, and a pickle is bytes: open it in binary mode, with "wb" (or use '
    "sys.stdout.buffer, io.BytesIO)."
)
_READ_ONLY: Final = 'The file is not open for writing: open it with "wb".'
_CLOSED: Final = "The file is closed: let dump() run before that, inside its `with`."
_NO_ROOM: Final = "There is no room left where the file is: make some, or write elsewhere."
_NO_READER: Final = "The reader at the other end has gone."
_DOES_NOT_BLOCK: Final = (
    "The file does not wait until there is room: use os.set_blocking(fd, True) or "
    "sock.setblocking(True)."
)
_BY_ERRNO: Final = {
    errno.ENOSPC: _NO_ROOM,
    getattr(errno, "EDQUOT", errno.ENOSPC): _NO_ROOM,
    errno.EBADF: _READ_ONLY,
    errno.EPIPE: _NO_READER,
    errno.ECONNRESET: _NO_READER,
    errno.EAGAIN: _DOES_NOT_BLOCK,
}

_WANTS_TEXT: Final = re.compile(
    r"must be str, not |(?:string|unicode) argument expected|can only concatenate str "
)


def find_file_hint(error: BaseException) -> str | None:
    """A line that says what to do about a file whose `write` has failed, if there is one.

    >>> find_file_hint(ValueError("write to closed file"))
    'The file is closed: let dump() run before that, inside its `with`.'
    """
    message = error.args[0] if error.args and type(error.args[0]) is str else ""
    if isinstance(error, TypeError) and _WANTS_TEXT.search(message):
        return _TEXT_FILE
    if isinstance(error, io.UnsupportedOperation):
        return _READ_ONLY
    if isinstance(error, ValueError):
        return _CLOSED if "closed" in message else None
    if isinstance(error, OSError) and len(error.args) > 1:
        hint = _BY_ERRNO.get(error.args[0]) if type(error.args[0]) is int else None
        # The exception of send_rest has it in its message.
        return None if hint is _DOES_NOT_BLOCK and "set_blocking" in str(error.args[1]) else hint
    return None


def full_name(cls: type) -> str:
    """The module and the name of a class, without "builtins".

    >>> full_name(int), full_name(re.Pattern)
    ('int', 're.Pattern')
    """
    return _full_name(cls).removeprefix("builtins.")


def _full_name(cls: type) -> str:
    # Asked of type: a metaclass may have another answer.
    module = _module_of(cls)
    return f"{module}.{_qualname_of(cls)}" if type(module) is str else str(_qualname_of(cls))
