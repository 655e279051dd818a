"""The attributes in which a class keeps a hash, read from its code, and what that is a hash of.

Only the plain forms are known: hash() of attributes of the instance, or of tuples of them.
"""

from __future__ import annotations

import datetime as dt
import dis
import functools
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

from ..rules.reductions import dict_of, mro_of
from .code import (
    ATTRIBUTES,
    Steps,
    effect,
    expression_to,
    in_order,
    instructions,
    is_item,
    variable,
)

SELF: Final = "self"  # stands for the instance, in what a hash is made of

_NUMBERS: Final = (bool, int, float, complex)
_RANDOM: Final = (str, bytes, dt.date, dt.time, dt.datetime)  # their hashes are of one process
_TEXTS: Final = ("tuple", "str", "bytes")  # those with a __hash__ that asks for nothing else
_MOST_LEVELS: Final = 5  # of tuples in one another

_CALLS: Final = ("CALL", "CALL_FUNCTION", "CALL_METHOD")
# These leave open neither what is hashed nor whether the result is a hash.
_PLAIN: Final = {
    *("PUSH_NULL", "PRECALL", "LOAD_CONST"),
    *("LOAD_COMMON_CONSTANT", "LOAD_SMALL_INT", "BUILD_TUPLE"),
    *("COPY", "RESUME", "NOP", "RETURN_VALUE"),
}


def sources_of_hashes(cls: type, read: Iterable[str]) -> dict[str, set[str]]:
    """The attributes, of those that its __hash__ reads, to which a hash is assigned.

    Each has the names of the attributes that the hash is made of, or SELF.
    """
    found: dict[str, set[str]] = {}
    for value in _members_in_use(cls):
        is_cached = type(value) is functools.cached_property
        function = value.func if is_cached else value
        if type(function) is not FunctionType or "hash" in function.__globals__:
            continue
        if not function.__code__.co_argcount:
            continue
        steps = in_order(instructions(function.__code__))
        if is_cached and type(value.attrname) is str:
            stores = [(value.attrname, _used(steps, function.__code__, {}))]
        else:
            stores = list(_stores(steps, function.__code__))
        for name, used in stores:
            found.setdefault(name, set()).update(used)
    return {name: found[name] for name in read if found.get(name)}


def _members_in_use(cls: type) -> Iterator[Any]:
    """The functions and others of a class and its bases, without those that are replaced."""
    replaced: set[str] = set()
    for base in mro_of(cls)[:-1]:
        members = dict_of(base)
        yield from [value for name, value in members.items() if name not in replaced]
        for name, value in members.items():
            # A function that calls the one of a base has its name in its code.
            if type(value) is not FunctionType or name not in value.__code__.co_names:
                replaced.add(name)


def content_of(obj: Any) -> list[Any]:
    """The value of an instance of a builtin type, as far as it has members or is a text."""
    if isinstance(obj, tuple):
        return list(tuple.__iter__(obj))
    if isinstance(obj, list):
        return list(list.__iter__(obj))
    if isinstance(obj, (str, bytes)):
        text: Any = str if isinstance(obj, str) else bytes
        return ["a"] if text.__len__(obj) else []  # any will do
    return [*dict.keys(obj), *dict.values(obj)] if isinstance(obj, dict) else []


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether all values have the same hash in each process."""
    return all(isinstance(value, _NUMBERS) for value in values)


def depends_on_process(values: Iterable[Any], levels: int = _MOST_LEVELS) -> bool:
    """Whether the hash of one of some values is sure to be another one in another process."""
    for value in values:
        if type(value) in _RANDOM and value:  # of an empty one it is 0
            return True
        if type(value) in (tuple, frozenset) and levels and depends_on_process(value, levels - 1):
            return True
    return False


# --- the code


def _stores(steps: Steps, code: CodeType) -> Iterator[tuple[str, set[str]]]:
    """The attributes that a method sets to a hash, and what that is made of."""
    values = list(_values(steps, code))
    variables = {variable(value[0]): name for name, value in values if len(value) == 1}
    changed = {name for name, _ in _locals(steps)}
    aliases = {
        name: attribute
        for name, attribute in variables.items()
        if name is not None and name not in changed
    }
    for name, value in values:
        if len(value) == 1:
            for local, of_local in _locals(steps):
                if local == variable(value[0]):
                    yield name, _used(of_local, code, aliases)
        else:
            yield name, _used(value, code, aliases)


def _values(steps: Steps, code: CodeType) -> Iterator[tuple[str, Steps]]:
    """The attributes of the instance that a method sets, and the expressions for the values."""
    owner = code.co_varnames[0]
    for i, step in enumerate(steps):
        name = step.argval
        if step.opname == "STORE_ATTR" and variable(steps[i - 1]) == owner:
            yield name, _expression_to(steps[: i - 1])
        elif step.opname == "LOAD_CONST" and type(name) is str and i:
            # object.__setattr__(self, "name", value), as in frozen dataclasses
            before = [one.argval for one in steps[max(i - 4, 0) : i]]
            if variable(steps[i - 1]) == owner and "__setattr__" in before:
                yield name, _expression_from(steps[i + 1 :])


def _locals(steps: Steps) -> Iterator[tuple[str, Steps]]:
    """The variables that a function sets, and the expressions for the values."""
    for i, step in enumerate(steps):
        if step.opname.startswith("STORE_FAST"):
            yield step.argval, _expression_to(steps[:i])


def _expression_to(steps: Steps) -> Steps:
    """The expression whose value is on the stack, which may be stored elsewhere, too."""
    while kept := _size_of_copy(steps):
        steps = steps[:-kept]
    return expression_to(steps)


def _size_of_copy(steps: Steps) -> int:
    """How many instructions store a value, and leave it on the stack, or only copy it."""
    names = [one.opname for one in steps[-3:]]
    if names[-1:] == ["COPY"]:
        return 1
    if names[-2:] == ["COPY", "STORE_FAST"]:
        return 2
    if names[-2:-1] == ["STORE_FAST"] and variable(steps[-1]) == steps[-2].argval:
        return 2
    is_attribute = names[:1] == ["COPY"] and names[2:] == ["STORE_ATTR"]
    return 3 if is_attribute and variable(steps[-2]) else 0


def _expression_from(steps: Steps) -> Steps:
    """The instructions of the expression that is the last argument of a call."""
    depth = 0
    for i, step in enumerate(steps[:-1]):
        if "JUMP" in step.opname:
            return []
        depth += effect(step)
        if depth == 1 and steps[i + 1].opname in ("PRECALL", *_CALLS):
            return steps[: i + 1]
    return []


def _used(steps: Steps, code: CodeType, aliases: dict[str, str]) -> set[str]:
    """The names that an expression takes for a hash; none if it takes no hash, or is not sure."""
    owner = code.co_varnames[0]
    used: set[str] = set()
    hashes = calls = 0
    for i, step in enumerate(steps):
        following = steps[i + 1] if i + 1 < len(steps) else None
        name, loaded = step.opname, variable(step)
        if name in _CALLS:
            calls += 1
        elif name == "LOAD_GLOBAL" and (
            step.argval == "hash" or (step.argval in _TEXTS and _loads_hash(following))
        ):
            hashes += 1
        elif name in ATTRIBUTES and i > 0 and variable(steps[i - 1]) == owner:
            used.add(step.argval)
        elif loaded is not None:
            if following is not None and following.opname in ATTRIBUTES and loaded == owner:
                continue
            if loaded != owner and loaded not in aliases:
                return set()
            used.add(SELF if loaded == owner else aliases[loaded])
        elif name not in _PLAIN and not _loads_hash(step) and not _is_operation(step):
            return set()
    return used if hashes and hashes == calls else set()


def _loads_hash(step: dis.Instruction | None) -> bool:
    return step is not None and step.opname in ATTRIBUTES and step.argval == "__hash__"


def _is_operation(step: dis.Instruction) -> bool:
    return step.opname == "BINARY_OP" and not is_item(step)
