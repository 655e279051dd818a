"""The presets of several libraries need this: rules of calls, states given once, attributes."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from ..policy_names import Check, Rule


def words(text: str) -> list[str]:
    """The names of a list."""
    return text.split()


Built = Callable[[Any, Any, Any], "str | None"]
"""The check of a state: it gets the Guard, the object and the state, and returns what is wrong."""


def called(check: Check, **others: Any) -> Rule:
    """The rule of what a library's reductions call. Others may hold what it returns."""
    return Rule(check, may_be_held=True, **others)


def wait_for_state(guard: Any, obj: Any) -> None:
    """An object that is not whole before it has its state."""
    guard.unfinished[id(obj)] = obj


def is_done(guard: Any, obj: Any) -> bool:
    """Whether an object does not wait for its state."""
    return id(obj) not in guard.unfinished


def once(check: Built) -> Built:
    """The state of an object that waits for it."""

    def built(guard: Any, obj: Any, state: Any) -> str | None:
        if guard.unfinished.get(id(obj)) is not obj:
            return "it has its state"
        complaint = check(guard, obj, state)
        if complaint is None:
            del guard.unfinished[id(obj)]
        return complaint

    return built


def attributes(guard: Any, obj: Any, state: Any) -> str | None:
    """A dict of attributes, none of which takes the place of a method."""
    if type(state) is not dict:
        return "expected a dict of attributes"
    cls = type(obj)
    # Names that were looked at before: a class has many instances, and many bases.
    note = "attributes", cls
    known = guard.notes.get(note)
    if known is None:
        known = guard.notes[note] = guard.names_without_a_meaning(cls).copy()
    if guard.tools is not None and guard.tools.are_known(state, known):
        return None
    for key in state:
        if type(key) is not str:
            return "an attribute whose name is no str"
        if key in known:
            continue
        if key.startswith("__"):
            return f"an attribute {key[:100]}"
        for base in cls.__mro__:
            found = vars(base).get(key)
            if found is not None:
                if type(found) is FunctionType or hasattr(type(found), "__get__"):
                    return f"{key[:100]} is no attribute but a part of the class"
                break
        else:
            _remember(guard.names_without_a_meaning(cls), key)
        known.add(key)
    return None


_MOST_NAMES: Final = 1000  # of a class, as they come from the pickles


def _remember(names: set[str], key: str) -> None:
    if len(names) < _MOST_NAMES:
        names.add(key)


def only(**checks: Callable[[Any], bool]) -> Built:
    """A dict of these attributes, each of which is optional, with values that pass a check."""

    def check(guard: Any, obj: Any, state: Any) -> str | None:
        if type(state) is not dict or not all(type(key) is str for key in state):
            return "expected a dict of attributes"
        for key, value in state.items():
            if key not in checks:
                return f"an attribute {key[:100]}"
            if not checks[key](value):
                return f"{key} of type {type(value).__name__}"
        return None

    return check
