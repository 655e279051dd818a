"""Classes and functions: under which module and name they are found.

`find_global` and `extension_code` are what both implementations use. They check, as pickle
documents it, that a class or function can be found again where its name says.
"""

from __future__ import annotations

import copyreg
import struct
import sys
from _compat_pickle import REVERSE_IMPORT_MAPPING, REVERSE_NAME_MAPPING
from itertools import pairwise
from pickle import PicklingError
from typing import Any, Final, NamedTuple, NoReturn

from ..format.opcodes import EXT1, EXT2, EXT4
from .errors import (
    bad_identifier,
    c_type_name,
    extension_code_not_integer,
    extension_code_out_of_range,
    import_failed,
    local_object,
    not_found,
    not_same,
    type_name,
)
from .placeholders import Placeholder
from .versions import PY314, PY315

_MISSING: Final = object()
_MOST_DOTS: Final = 1000  # in the name of a Placeholder

# Up to 3.13 CPython's pickler calls every failure of an import or attribute lookup a
# PicklingError; from 3.14 on only those that mean that there is no such module or attribute.
_IMPORT_ERRORS: tuple[type[Exception], ...] = (ImportError, ValueError) if PY314 else (Exception,)
_LOOKUP_ERRORS: tuple[type[Exception], ...] = (AttributeError,) if PY314 else (Exception,)


# The main module goes by `__mp_main__` too in a child of multiprocessing.
_NOT_SEARCHED: Final = ("__main__", "__mp_main__") if PY315 else ("__main__",)


class Global(NamedTuple):
    """Where a class or function is found: as `name` in the module `module_name`.

    `path` is the name split at its dots, and `parent` the object that has its last part for an
    attribute. `full_name`, which the extension registry goes by, differs from the name where
    CPython leaves out a detour back to the module. `is_missing` says that it is a Placeholder's;
    if that stands for an extension code, `parent` is the code.
    """

    module_name: str
    full_name: str
    name: str
    path: list[str]
    parent: Any
    is_missing: bool = False


def own_name(obj: Any) -> str:
    """The name that a class or function says it has.

    Raises TypeError where that is no string, AttributeError where it has none.
    """
    name: Any = getattr(obj, "__qualname__", _MISSING)
    if name is _MISSING:
        name = obj.__name__
    if not isinstance(name, str):
        raise TypeError(f"must be str, not {type_name(type(name))}")
    return name


def find_global(obj: Any, name: str | None = None, module_name: Any = _MISSING) -> Global:
    """Where `obj` is found, by its own word or under the `name` that its reduction gave.

    `module_name` is what its `__module__` was, if that has been asked for already.

    Raises PicklingError (before 3.14 AttributeError for local objects) where an import of
    that module and a lookup of that name do not lead to `obj`.
    """
    if type(obj) is Placeholder:
        return _name_of(obj)
    if name is None:
        name = own_name(obj)
    path = str.split(name, ".")
    if "<locals>" in path:
        raise local_object(obj, name)
    if PY315 and ".__" in name and (mangled := _mangle(path)) != path:
        path = mangled
        name = ".".join(path)
    if module_name is _MISSING:
        module_name = getattr(obj, "__module__", None)
    if module_name is None:
        module_name, parent = search_modules(obj, path)
        if PY314 and parent is not None:  # found there just now, so it is not imported
            return Global(module_name, name, name, path, parent)
    try:
        __import__(module_name)
        module = sys.modules.get(module_name, _MISSING)
        if module is _MISSING:
            raise ImportError(f"{module_name!r} is not in sys.modules after its import")
    except _IMPORT_ERRORS as error:
        _raise(import_failed(obj, module_name, error))
    try:
        found, parent = _lookup(module, path)
    except _LOOKUP_ERRORS:
        _raise(not_found(obj, module_name, name))
    if found is not obj:
        raise not_same(obj, module_name, name)
    if not PY314 and parent is module:
        return Global(module_name, name, path[-1], path[-1:], parent)
    return Global(module_name, name, name, path, parent)


def _name_of(placeholder: Placeholder) -> Global:
    """The name in the pickle that a Placeholder is from, which is not found here."""
    module_name: Any = placeholder.module
    name: Any = placeholder.qualname
    path = name.split(".")
    code = placeholder.extension_code
    if code is not None:
        return Global(module_name, name, name, path, code, is_missing=True)
    if len(path) > _MOST_DOTS:  # below protocol 4 each of the classes around it is written
        raise PicklingError(f"Can't pickle {name[:100]!r}...: a name of {len(path)} parts")
    parent = Placeholder(module_name, name.rpartition(".")[0]) if path[1:] else None
    return Global(module_name, name, name, path, parent, is_missing=True)


def _mangle(path: list[str]) -> list[str]:
    """The parts of a dotted name, the private ones with their class's name before them."""
    mangled = path[:1]
    for parent, part in pairwise(path):
        class_name = parent.lstrip("_")
        if class_name and part.startswith("__") and not part.endswith("__"):
            part = f"_{class_name}{part}"
        mangled.append(part)
    return mangled


def _raise(error: Exception) -> NoReturn:
    """Raise in place of the exception being handled, which shows from 3.14 on."""
    if not PY314:
        raise error from None
    raise error


def _lookup(module: Any, path: list[str]) -> tuple[Any, Any]:
    """The object under a dotted name, and its parent."""
    obj = module
    for part in path:
        parent, obj = obj, getattr(obj, part)
    return obj, parent


def search_modules(obj: Any, path: list[str]) -> tuple[str, Any]:
    """The name of a module that has an object without a `__module__`, and the parent of the
    object there; `__main__` and None if no module has it."""
    for module_name, module in sys.modules.copy().items():
        if module_name in _NOT_SEARCHED or module is None:
            continue
        try:
            found, parent = _lookup(module, path)
        except AttributeError:
            continue
        if found is obj:
            return module_name, parent
    return "__main__", None


def extension_code(obj: Any, module_name: str, name: str) -> int | None:
    """The code under which copyreg's extension registry has a class or function, if any.

    Raises what the running interpreter raises for a code that is none: see rules/errors.py.
    """
    if type(obj) is Placeholder and obj.extension_code is not None:
        return obj.extension_code
    registry: dict[tuple[str, str], Any] = copyreg._extension_registry  # type: ignore[attr-defined]
    code = registry.get((module_name, name), _MISSING)
    if code is _MISSING:
        return None
    if not isinstance(code, int):
        raise extension_code_not_integer(obj, code)
    if not -sys.maxsize - 1 <= code <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C long")
    if not 0 < code <= 0x7FFFFFFF:
        raise extension_code_out_of_range(obj, code)
    return code


def encode_names(found: Global, protocol: int, fix_imports: bool) -> tuple[bytes, bytes]:
    """The two lines of a GLOBAL opcode: under Python 2's names where `fix_imports` says so.

    Raises PicklingError for a name that is not ASCII, from protocol 3 on UTF-8; and for one of a
    Placeholder that is no line. The reference writes such names of classes, which do not load.
    """
    if found.is_missing and type(found.parent) is int:
        raise PicklingError(f"extension codes, such as {found.parent}, need protocol 2 or later")
    module_name, name = found.module_name, found.path[0]
    if fix_imports:
        module_name, name = _old_names(module_name, name)
    encoding = "utf-8" if protocol >= 3 else "ascii"
    lines = []
    for kind, text in (("module", module_name), ("global", name)):
        if found.is_missing and ("\n" in text or not text):
            raise bad_identifier(kind, text, protocol)
        try:
            lines.append(str.encode(text, encoding))
        except UnicodeEncodeError:
            _raise(bad_identifier(kind, text, protocol))
    return lines[0], lines[1]


def _old_names(module_name: str, name: str) -> tuple[str, str]:
    """Python 2's names for a module and for what is in it.

    Raises RuntimeError, as the reference, where somebody has put other values into the tables.
    """
    table = "_compat_pickle.REVERSE_NAME_MAPPING values should be"
    pair: Any = REVERSE_NAME_MAPPING.get((module_name, name), _MISSING)
    if pair is not _MISSING:
        if not issubclass(type(pair), tuple) or tuple.__len__(pair) != 2:
            raise RuntimeError(f"{table} 2-tuples, not {c_type_name(type(pair))}")
        first, second = tuple.__iter__(pair)
        if not (issubclass(type(first), str) and issubclass(type(second), str)):
            types = f"{c_type_name(type(first))}, {c_type_name(type(second))}"
            raise RuntimeError(f"{table} pairs of str, not ({types})")
        return first, second
    found: Any = REVERSE_IMPORT_MAPPING.get(module_name, module_name)
    if not issubclass(type(found), str):
        raise RuntimeError(
            "_compat_pickle.REVERSE_IMPORT_MAPPING values should be strings, "
            f"not {c_type_name(type(found))}"
        )
    return found, name


def encode_extension(code: int) -> bytes:
    """The opcode for a code of the extension registry."""
    if code <= 0xFF:
        return EXT1 + struct.pack("<B", code)
    if code <= 0xFFFF:
        return EXT2 + struct.pack("<H", code)
    return EXT4 + struct.pack("<i", code)
