"""Hints for objects that cannot be pickled: a line for each of the most frequent causes."""

from __future__ import annotations

import errno
import gc
import io
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any, Final

from .advice import BY_TYPE, POINTER
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
_HIDDEN_BY_FUNCTION: Final = (
    "It is pickled by its name, under which is what a decorator has made of it: pickle that. "
    "quickpickle.cloud pickles it by value."
)
_HIDDEN_BY_OBJECT: Final = (
    "It is pickled by its name, under which is the {0} that wraps it: let {0}.__reduce__ "
    "return that name, {1!r}. quickpickle.cloud pickles it by value."
)
_HIDDEN_CLASS: Final = (
    "A decorator has put something else under the name of this class: let it return the class "
    "itself. quickpickle.cloud pickles it by value."
)
_MADE_AGAIN_CLASS: Final = (
    "Its class was made again, by a reload of the module or a second run of a cell: make the "
    "object anew, of the class that has the name now."
)
_MADE_AGAIN: Final = (
    "It was made again, by a reload of the module or a second run of a cell: use the one that has "
    "the name now."
)
_OTHER_VARIABLE: Final = (
    "It is pickled by its own name, {0!r}, and its module has it as {1!r}: make both names the "
    "same."
)
_MADE_AT_RUN_TIME: Final = (
    "The class was made at run time: assign it to {0!r} at the top of the module that its "
    "__module__ names. quickpickle.cloud pickles it by value."
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

_NOT_FOUND: Final = re.compile(
    r"not found as|not the same object as|attribute lookup .* failed$|Can't (?:pickle|get) local "
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
    for outer in (*around, obj):
        hint = _known(type(outer))
        if hint is not None:
            return hint
    if message == _HAS_POINTERS:
        return POINTER
    return _name_hint(obj) if _NOT_FOUND.search(message) else None


def _known(cls: type) -> str | None:
    """The advice for the instances of a class, unless it pickles them in a way of its own."""
    for base in mro_of(cls):
        hint = BY_TYPE.get(_full_name(base))
        if hint is not None:
            return hint
        if base is not object and not _OWN_WAYS.isdisjoint(dict_of(base)):
            return None
    return None


# --- what is not found by its name


def _name_hint(obj: Any) -> str | None:
    """The advice for what is not found under its name, or for an instance of such a class."""
    cls = type(obj)
    has_name = issubclass(cls, type) or cls is FunctionType or _full_name(cls) in _NAMED
    named: Any = obj if has_name else cls
    is_class = issubclass(type(named), type)
    name, module_name = _names_of(named)
    if name is None:
        return _OTHER_NAME
    library = _library(module_name)
    is_lambda = name.rpartition(".")[2] == "<lambda>"
    if is_lambda or "<locals>" in name:
        if library is not None:
            hint = _OF_A_LIBRARY.format(library)
        else:
            hint = _LAMBDA if is_lambda else _LOCAL_CLASS if is_class else _LOCAL_FUNCTION
        # Of other kinds cloudpickle takes the name too.
        return hint if is_class or type(named) is FunctionType else hint.partition(" quick")[0]
    if _full_name(type(named)) in _TYPE_PARAMETERS and module_name == "typing":
        # Of PEP 695; what typing.TypeVar() makes says in which module.
        return _TYPE_PARAMETER.format(_name_of(type(named)))
    attributes = _attributes_of_module(module_name)
    found = _look_up(attributes, name)
    if found is not ABSENT:
        return _hint_for_another(named, found, name, module_name)
    for variable, value in attributes.items():
        if value is named and type(variable) is str:
            return _OTHER_VARIABLE.format(name, variable)
    # Classes made by the standard library's types.new_class() are of this module, before 3.12.
    if is_class and "." not in name and (library is None or module_name == "types"):
        return _MADE_AT_RUN_TIME.format(name)
    return _OTHER_NAME if library is None else None


def _hint_for_another(obj: Any, found: Any, name: str, module_name: str | None) -> str | None:
    """The advice where another object has the name."""
    is_class = issubclass(type(obj), type)
    if _wraps(found, obj):
        if is_class:
            return _HIDDEN_CLASS
        if type(found) is FunctionType:
            return _HIDDEN_BY_FUNCTION
        if _library(_text(_module_of(type(found)))) is None:
            return _HIDDEN_BY_OBJECT.format(_name_of(type(found)), name)
    elif _is_another(found, obj) and _names_of(found) == (name, module_name):
        return _MADE_AGAIN_CLASS if is_class else _MADE_AGAIN
    return _OTHER_NAME if _library(module_name) is None else None


def _is_another(found: Any, obj: Any) -> bool:
    """Whether both are classes, or both made by one `def`."""
    if issubclass(type(obj), type):
        # A subclass that goes by its base's name is made by some library.
        return issubclass(type(found), type) and not _is_in(found, mro_of(obj))
    both = type(found) is type(obj) is FunctionType
    return both and bool(found.__code__.co_name == obj.__code__.co_name)


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
    return _is_in(obj, held)


def _is_in(obj: Any, objects: Iterable[Any]) -> bool:
    return any(other is obj for other in objects)


def _library(module_name: str | None) -> str | None:
    """The package that a module is of, where it is not the user's own but an installed one."""
    if module_name is None:
        return None
    package = module_name.partition(".")[0]
    if package in sys.stdlib_module_names:
        return package
    file = _attributes_of_module(module_name).get("__file__")
    return package if type(file) is str and _INSTALLED.search(file) else None


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
