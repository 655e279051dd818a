"""Checks of states that several libraries need: attributes of instances."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

_MEMBER: Final = type(vars(type("S", (), {"__slots__": ("slot",)}))["slot"])


def words(text: str) -> list[str]:
    """The names of a list."""
    return text.split()


Built = Callable[[Any, Any, Any], "str | None"]


def attributes(guard: Any, obj: Any, state: Any) -> str | None:
    """A dict of attributes, none of which takes the place of a method."""
    if type(state) is not dict:
        return "expected a dict of attributes"
    cls = type(obj)
    for key in state:
        if type(key) is not str:
            return "an attribute whose name is no str"
        if key.startswith("__"):
            return f"an attribute {key[:100]}"
        for base in cls.__mro__:
            found = vars(base).get(key)
            if found is not None:
                if type(found) is FunctionType or hasattr(type(found), "__get__"):
                    return f"{key[:100]} is no attribute but a part of the class"
                break
    return None


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
