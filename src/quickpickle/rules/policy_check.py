"""class Checker: a Guard that notes what it refuses, and goes on.

The same Guard decides. Objects of a preset's types are made as in a load, as they are only data.
Doubles stand for the classes that the user lists, which are not called (rules/policy_doubles.py).
Nothing is known of what was refused, or what a function of the user would have made: nothing more
of that is refused.
"""

from __future__ import annotations

from typing import Any, Final

from ..format import opcodes as op
from .enforcement import Guard
from .policy import Policy, PolicyError
from .policy_doubles import UNKNOWN, Doubles

_VIOLATION_SIZE: Final = 1024  # bytes of memory

# Opcodes that leave something on the stack when they are refused: on top, or in place of the top.
_PUSHING: Final = op.GLOBAL + op.STACK_GLOBAL + op.EXT1 + op.EXT2 + op.EXT4 + op.INST + op.OBJ
_REPLACING: Final = op.REDUCE + op.NEWOBJ + op.NEWOBJ_EX


class Checker(Guard):
    """The Guard of a pickle that is only checked."""

    __slots__ = ("_unknown", "violations")

    finds_path = False

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy, Doubles())
        self.violations: list[PolicyError] = []
        # By address: of these nothing is known.
        self._unknown: dict[int, Any] = {id(UNKNOWN): UNKNOWN}

    def goes_on(self, error: PolicyError, code: int, stack: list[Any]) -> bool:
        """An opcode was refused: note that, and mend the stack. A limit ends the check too."""
        self.violations.append(error.with_traceback(None))
        error.__context__ = None
        if error.is_limit or code == op.STOP[0]:
            return False
        if code in _PUSHING:
            stack.append(UNKNOWN)
        elif code in _REPLACING:
            stack[-1] = UNKNOWN
        elif stack and not self.is_foreign(stack[-1]):
            self._unknown[id(stack[-1])] = stack[-1]  # it did not get its state
        self.copied += _VIOLATION_SIZE
        return self.copied <= self.policy.limits.memory

    def finish(self) -> None:
        if not self.violations:  # else it may have been refused the state
            super().finish()

    # --- names: doubles stand for what the user lists

    def find(
        self, module: str, name: str, proto: int, fix_imports: bool, find: Any, is_hook: bool
    ) -> Any:
        return self._double(super().find(module, name, proto, fix_imports, find, is_hook))

    def _member(self, args: tuple[Any, ...], known: Any) -> Any:
        return self._double(super()._member(args, known))

    def _double(self, obj: Any) -> Any:
        known = self.known.get(id(obj))
        if known is not None and not known.rule.is_any:
            return obj
        double = self._objects.double(obj)
        if known is None:  # a member of an enum
            self.foreign(double)
        else:
            self.known[id(double)] = known
        return double

    # --- what is not known

    def reduce(self, function: Any, args: Any) -> Any:
        return UNKNOWN if self._is_open(function, args) else super().reduce(function, args)

    def newobj(self, cls: Any, args: Any) -> Any:
        return UNKNOWN if self._is_open(cls, args) else super().newobj(cls, args)

    def newobj_ex(self, cls: Any, args: Any, kwargs: Any) -> Any:
        if self._is_open(cls, args) or self._reaches(kwargs):
            return UNKNOWN
        return super().newobj_ex(cls, args, kwargs)

    def instantiate(self, cls: Any, args: Any) -> Any:
        return UNKNOWN if self._is_open(cls, args) else super().instantiate(cls, args)

    def build(self, obj: Any, state: Any) -> None:
        if id(obj) in self._unknown or id(state) in self._unknown:
            return
        if self._reaches(state) and self._objects.class_of(type(obj)) is None:
            self._unknown[id(obj)] = obj
            return
        super().build(obj, state)

    def append_items(self, obj: Any, items: list[Any]) -> None:
        if id(obj) not in self._unknown:
            super().append_items(obj, items)

    def set_items(self, obj: Any, items: list[Any]) -> None:
        if id(obj) not in self._unknown:
            super().set_items(obj, items)

    def add_items(self, obj: Any, items: list[Any]) -> None:
        if id(obj) not in self._unknown:
            super().add_items(obj, items)

    def _is_open(self, function: Any, args: Any) -> bool:
        """Whether nothing is known of the result of a call; what is called is looked at."""
        if id(function) in self._unknown:
            return True
        if not self._reaches(args):
            return False
        self._callable(function)
        return True

    def _reaches(self, value: Any) -> bool:
        """Whether something that is not known is among the arguments, or in one of them."""
        unknown = self._unknown
        if id(value) in unknown:
            return True
        for part in _parts(value):
            if id(part) in unknown or any(id(inner) in unknown for inner in _parts(part)):
                return True
        return False


def _parts(value: Any) -> Any:
    if type(value) is dict:
        return value.values()
    return value if type(value) in (tuple, list) else ()
