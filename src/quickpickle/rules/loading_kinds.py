"""Hints for names that lead to something else than when the pickle was written.

A class may have become a function, be abstract now, derive from another builtin class, or lack a
method. The types and messages of the loader's own errors decide, and no code of the user's is run.
"""

from __future__ import annotations

import copyreg
import re
from pickle import UnpicklingError
from typing import Any, Final

from .errors import c_type_name
from .hints import full_name
from .load_facts import CHANGED, Facts, message_of
from .loading_names import named, renamed_elsewhere
from .reductions import ABSENT, find

_RECONSTRUCTOR: Final = copyreg._reconstructor  # type: ignore[attr-defined]

_NO_TYPE: Final = re.compile(r"class argument must be a type|X is not a type object")
_NO_ITEMS: Final = re.compile(
    r"does not support item assignment|has no attribute '(?:append|extend|add|update)'"
)
_METHODS: Final = {
    "APPEND": ("list", "append"),
    "APPENDS": ("list", "append"),
    "ADDITEMS": ("set", "add"),
    "SETITEM": ("dict", "__setitem__"),
    "SETITEMS": ("dict", "__setitem__"),
}


def of_another_kind(error: Exception, facts: Facts, target: Any, frames: list[Any]) -> str | None:
    """A call of what was a class or function once, or lacks what it had."""
    if any(frame.f_code is not _RECONSTRUCTOR.__code__ for frame in frames):
        return None
    message = message_of(error)
    if target is getattr:
        return _of_member(error)
    if facts.module is None or facts.name is None:
        return None
    name = f"{facts.module}.{facts.name}".removeprefix("builtins.")
    if type(error) in (UnpicklingError, TypeError) and _NO_TYPE.search(message):
        obj = named(facts) if target is _RECONSTRUCTOR else target
        return _of_no_class(name, "class", obj, facts)
    if type(error) is not TypeError:
        return None
    if message == f"'{c_type_name(type(target))}' object is not callable":
        return _of_no_class(name, "class or function", target, facts)
    if isinstance(target, type) or target is _RECONSTRUCTOR:
        if message.startswith("Can't instantiate abstract class "):
            return (
                f"{name} is abstract: it was changed {CHANGED}. Load with a class that has all the "
                f"methods, {renamed_elsewhere(facts)}, or give it those."
            )
        if message.startswith("object.__new__(") and "is not safe" in message:
            return (
                f"{name} derives from another builtin class than it did: it was changed {CHANGED}. "
                f"Load with a class like the old one, {renamed_elsewhere(facts)}."
            )
    return None


def _of_no_class(name: str, what: str, obj: Any, facts: Facts) -> str | None:
    if obj is ABSENT or isinstance(obj, type):
        return None
    return (
        f"{name} is no {what} any more, but of type {full_name(type(obj))}: it was changed "
        f"{CHANGED}. If what was there is elsewhere now, load with {renamed_elsewhere(facts)}."
    )


def _of_member(error: Exception) -> str | None:
    """getattr(obj, name): a method, or below protocol 4 a class in a class."""
    name = getattr(error, "name", None) if type(error) is AttributeError else None
    if type(name) is not str:
        return None
    obj = error.obj  # type: ignore[attr-defined]
    cls = obj if isinstance(obj, type) else type(obj)
    return (
        f"{full_name(cls)} has no {name}: it was renamed or removed {CHANGED}. To load this "
        "pickle, let it have one under this name too."
    )


def of_items_of_others(error: Exception, facts: Facts) -> str | None:
    """Items for an object that takes none."""
    if facts.opcode not in _METHODS or type(error) not in (TypeError, AttributeError):
        return None
    cls = named(facts)
    base, method = _METHODS[facts.opcode]
    if not isinstance(cls, type) or find(cls, method) is not ABSENT:
        return None
    if not _NO_ITEMS.search(message_of(error)):
        return None
    return (
        f"{full_name(cls)} has no {method}(), and the pickle has items for it, as for a {base}: it "
        f"was changed {CHANGED}. Let it derive from {base} again, or give it the method."
    )
