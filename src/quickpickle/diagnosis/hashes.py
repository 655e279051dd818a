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

SELF: Final = "self"  # stands for the instance, in what a hash is made of

_NUMBERS: Final = (bool, int, float, complex)
_RANDOM: Final = (str, bytes, dt.date, dt.time, dt.datetime)  # their hashes are of one process
_TEXTS: Final = ("tuple", "str", "bytes")  # those with a __hash__ that asks for nothing else
_MOST_LEVELS: Final = 5  # of tuples in one another
_Steps = list[dis.Instruction]

_CALLS: Final = ("CALL", "CALL_FUNCTION", "CALL_METHOD")
_ATTRIBUTES: Final = ("LOAD_ATTR", "LOAD_METHOD")
# These leave open neither what is hashed nor whether the result is a hash.
_PLAIN: Final = {
    *("CACHE", "PUSH_NULL", "PRECALL", "LOAD_CONST"),
    *("LOAD_COMMON_CONSTANT", "LOAD_SMALL_INT", "BUILD_TUPLE"),
    *("COPY", "RESUME", "NOP", "RETURN_VALUE"),
}


def sources_of_hashes(cls: type, read: Iterable[str]) -> dict[str, set[str]]:
    """The attributes, of those that its __hash__ reads, to which a hash is assigned.

    Each has the names of the attributes that the hash is made of, or SELF.
    """
    found: dict[str, set[str]] = {}
    for base in mro_of(cls)[:-1]:
        for value in dict_of(base).values():
            is_cached = type(value) is functools.cached_property
            function = value.func if is_cached else value
            if type(function) is not FunctionType or "hash" in function.__globals__:
                continue
            if not function.__code__.co_argcount:
                continue
            steps = [one for one in dis.get_instructions(function) if one.opname != "CACHE"]
            if is_cached and type(value.attrname) is str:
                stores = [(value.attrname, _used(steps, function.__code__, {}))]
            else:
                stores = list(_stores(steps, function.__code__))
            for name, used in stores:
                found.setdefault(name, set()).update(used)
    return {name: found[name] for name in read if found.get(name)}


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


def _stores(steps: _Steps, code: CodeType) -> Iterator[tuple[str, set[str]]]:
    """The attributes that a method sets to a hash, and what that is made of."""
    values = list(_values(steps, code))
    variables = {
        _variables(value[0])[0]: name
        for name, value in values
        if len(value) == 1 and len(_variables(value[0])) == 1
    }
    changed = {name for name, _ in _locals(steps)}
    aliases = {name: attribute for name, attribute in variables.items() if name not in changed}
    for name, value in values:
        if len(value) == 1:
            for local, of_local in _locals(steps):
                if (local,) == _variables(value[0]):
                    yield name, _used(of_local, code, aliases)
        else:
            yield name, _used(value, code, aliases)


def _values(steps: _Steps, code: CodeType) -> Iterator[tuple[str, _Steps]]:
    """The attributes of the instance that a method sets, and the expressions for the values."""
    owner = code.co_varnames[0]
    for i, step in enumerate(steps):
        name = step.argval
        if step.opname == "STORE_ATTR" and _variables(steps[i - 1])[-1:] == (owner,):
            others = _variables(steps[i - 1])[:-1]
            if others:  # in one instruction with the owner
                value = [steps[i - 1]._replace(argval=others[-1])]
            else:
                value = _expression_to(steps[: i - 1])
            yield name, value
        elif step.opname == "LOAD_CONST" and type(name) is str and i:
            # object.__setattr__(self, "name", value), as in frozen dataclasses
            before = [one.argval for one in steps[max(i - 4, 0) : i]]
            if _variables(steps[i - 1])[-1:] == (owner,) and "__setattr__" in before:
                yield name, _expression_from(steps[i + 1 :])


def _locals(steps: _Steps) -> Iterator[tuple[str, _Steps]]:
    """The variables that a function sets, and the expressions for the values."""
    for i, step in enumerate(steps):
        if step.opname.startswith("STORE_FAST"):
            names = step.argval if type(step.argval) is tuple else (step.argval,)
            yield names[0], _expression_to(steps[:i])
            for name in names[1:]:  # maybe only loaded
                yield name, []


def _variables(step: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction puts on the stack."""
    if not step.opname.startswith("LOAD_FAST"):
        return ()
    return step.argval if type(step.argval) is tuple else (step.argval,)


def _is_kept(step: dis.Instruction) -> bool:
    """Whether a value is assigned to a variable, and stays on the stack."""
    return step.opname == "STORE_FAST_LOAD_FAST" and len(set(step.argval)) == 1


def _effect(step: dis.Instruction) -> int:
    argument = step.arg if step.opcode >= dis.HAVE_ARGUMENT else None
    return dis.stack_effect(step.opcode, argument, jump=False)


def _expression_to(steps: _Steps) -> _Steps:
    """The instructions of the expression whose value is on the stack after some; [] if unsure."""
    while steps and (steps[-1].opname == "COPY" or _is_kept(steps[-1])):
        steps = steps[:-1]
    depth = 0
    for i in reversed(range(len(steps))):
        if "JUMP" in steps[i].opname:
            return []
        depth += _effect(steps[i])
        if depth == 1:
            return steps[i:]
    return []


def _expression_from(steps: _Steps) -> _Steps:
    """The instructions of the expression that is the last argument of a call."""
    depth = 0
    for i, step in enumerate(steps[:-1]):
        if "JUMP" in step.opname:
            return []
        depth += _effect(step)
        if depth == 1 and steps[i + 1].opname in ("PRECALL", *_CALLS):
            return steps[: i + 1]
    return []


def _used(steps: _Steps, code: CodeType, aliases: dict[str, str]) -> set[str]:
    """The names that an expression takes for a hash; none if it takes no hash, or is not sure."""
    owner = code.co_varnames[0]
    used: set[str] = set()
    hashes = calls = 0
    for i, step in enumerate(steps):
        following = steps[i + 1] if i + 1 < len(steps) else None
        name, is_self = step.opname, i > 0 and _variables(steps[i - 1])[-1:] == (owner,)
        if name in _CALLS:
            calls += 1
        elif name == "LOAD_GLOBAL" and (
            step.argval == "hash" or (step.argval in _TEXTS and _loads_hash(following))
        ):
            hashes += 1
        elif name in _ATTRIBUTES and is_self:
            used.add(step.argval)
        elif _variables(step):
            is_owner = following is not None and following.opname in _ATTRIBUTES
            names = _variables(step)[:-1] if is_owner else _variables(step)
            for one in names:
                if one != owner and one not in aliases:
                    return set()
                used.add(SELF if one == owner else aliases[one])
        elif name not in _PLAIN and not _loads_hash(step) and not _is_operation(step):
            return set()
    return used if hashes and hashes == calls else set()


def _loads_hash(step: dis.Instruction | None) -> bool:
    return step is not None and step.opname in _ATTRIBUTES and step.argval == "__hash__"


def _is_operation(step: dis.Instruction) -> bool:
    return step.opname == "BINARY_OP" and step.argrepr != "[]"
