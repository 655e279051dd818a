"""The instructions of a function in Python, in one form for all versions of CPython."""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from types import CodeType
from typing import Final

ATTRIBUTES: Final = ("LOAD_ATTR", "LOAD_METHOD", "LOOKUP_METHOD")  # that load one

_OF_VARIABLES: Final = re.compile("LOAD_FAST|STORE_FAST")

Steps = list[dis.Instruction]


def instructions(code: CodeType) -> Steps:
    """The instructions, each with one variable: from 3.13 on one may have two.

    >>> [one.argval for one in instructions((lambda a, b: (a, b)).__code__)][1:3]
    ['a', 'b']
    """
    return list(_instructions(code))


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    for one in dis.get_instructions(code):
        if one.opname == "CACHE":
            continue
        kinds = _OF_VARIABLES.findall(one.opname)
        if len(kinds) != 2:
            yield one
            continue
        for kind, name in zip(kinds, one.argval, strict=True):
            yield one._replace(opname=kind, opcode=dis.opmap[kind], arg=0, argval=name)


def variable(step: dis.Instruction | None) -> str | None:
    """The variable that an instruction puts on the stack."""
    is_load = step is not None and step.opname.startswith("LOAD_FAST")
    return step.argval if is_load else None  # type: ignore[union-attr]


def is_item(step: dis.Instruction) -> bool:
    """Whether an instruction is the [] of an expression."""
    name = step.opname
    return name == "BINARY_SUBSCR" or (name == "BINARY_OP" and step.argrepr == "[]")


def effect(step: dis.Instruction) -> int:
    """The number of objects that an instruction adds to the stack."""
    argument = step.arg if step.opcode >= dis.HAVE_ARGUMENT else None
    return dis.stack_effect(step.opcode, argument, jump=False)


def expression_to(steps: Steps) -> Steps:
    """The instructions of the expression whose value is on the stack after some; [] if unsure."""
    depth = 0
    for i in reversed(range(len(steps))):
        if "JUMP" in steps[i].opname:
            return []
        depth += effect(steps[i])
        if depth == 1:
            return steps[i:]
    return []


def in_order(steps: Steps) -> Steps:
    """The same with each value of a tuple assignment before its own target.

    `a, b = 1, 2` loads both, turns them round, and stores both.
    """
    i = 0
    while i < len(steps):
        count, size = _turned(steps[i : i + 2])
        targets = _targets(steps[i + size :], count)
        values = _values(steps[:i], len(targets))
        if targets and values:
            pairs = zip(values, targets, strict=True)
            made = [one for value, target in pairs for one in (*value, *target)]
            start = i - sum(map(len, values))
            steps = [*steps[:start], *made, *steps[i + size + sum(map(len, targets)) :]]
            i = start + len(made)
        else:
            i += 1
    return steps


def _turned(steps: Steps) -> tuple[int, int]:
    """How many values are turned round, and by how many instructions; those of PyPy are older."""
    names = tuple(step.opname for step in steps)
    if names[0] == "SWAP":
        return steps[0].arg or 0, 1
    if names == ("BUILD_TUPLE", "UNPACK_SEQUENCE"):
        return steps[0].arg or 0, 2
    if names == ("ROT_THREE", "ROT_TWO"):
        return 3, 2
    return (2, 1) if names[0] == "ROT_TWO" else (0, 1)


def _targets(steps: Steps, count: int) -> list[Steps]:
    """The instructions that store each of so many values; [] if they do anything else."""
    targets = []
    for _ in range(count):
        if steps and steps[0].opname == "STORE_FAST":
            size = 1
        elif len(steps) > 1 and variable(steps[0]) and steps[1].opname == "STORE_ATTR":
            size = 2
        else:
            return []
        targets.append(steps[:size])
        steps = steps[size:]
    return targets


def _values(steps: Steps, count: int) -> list[Steps]:
    """The last so many expressions; [] if unsure."""
    values: list[Steps] = []
    for _ in range(count):
        value = expression_to(steps)
        if not value:
            return []
        values.insert(0, value)
        steps = steps[: len(steps) - len(value)]
    return values
