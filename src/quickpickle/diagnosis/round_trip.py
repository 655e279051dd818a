"""Which parts of an object do not load, or come back different: for diagnose(round_trip=True)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from .. import _implementation
from ..rules.steps import Step
from ..rules.tracebacks import drop_frames
from .checks import COMPARED, HASH, advice_of_exceptions, is_made_of_args
from .classes import function_of
from .load_advice import advice_about
from .members import members
from .surprises import KEYED, keys_of

_DIFFERENT: Final = (
    "It comes back different: its pickle is not that of what is loaded from it. See its "
    "__reduce__, __getstate__ and __setstate__."
)
_OTHER_TYPE: Final = "It comes back as another type, {0}."
_args_of: Final = vars(BaseException)["args"].__get__


class Fault(NamedTuple):
    """A part that fails, and the steps that lead to it."""

    steps: list[Step]
    obj: Any
    error: Exception | None
    hint: str | None


def find_faults(root: Any, protocol: int) -> Iterator[Fault]:
    """The innermost parts of an object that pickle, and do not load or come back different.

    Whatever is inside a part that comes back as it was is not looked at.
    """
    seen: dict[int, _Part] = {}  # kept, so that no other object gets the address
    # The parts on the way, each with its members still to come and whether one of them failed.
    way: list[_Part] = []
    part = _try(root, [], protocol)
    while True:
        if part is not None and id(part.obj) not in seen:
            seen[id(part.obj)] = part
            way.append(part)
        part = None
        if not way:
            return
        steps = next(way[-1].members, None)
        if steps is not None:
            child = steps[-1].child
            before = seen.get(id(child))
            if before is None:
                part = _try(child, steps, protocol)
            elif before.is_done and (before.is_fault or before.has_inner):
                way[-1].has_inner = True
                if not before.has_inner:  # it is there twice
                    yield _fault(before, steps, way)
            continue
        done = way.pop()
        done.is_done = True
        if done.is_fault and not done.has_inner:
            yield _fault(done, done.steps, way)
        if way and (done.is_fault or done.has_inner):
            way[-1].has_inner = True


def _fault(part: _Part, steps: list[Step], way: list[_Part]) -> Fault:
    """The fault of a part; of a set that is in its own member, that of the member."""
    of_way = [step for one in way for step in one.steps]
    if part.hint in (HASH, COMPARED) and isinstance(part.obj, KEYED):
        keys = set(map(id, keys_of(part.obj)))
        for one in reversed(way):
            if id(one.obj) in keys:
                return Fault(of_way, one.obj, part.error, part.hint)
            of_way = of_way[: len(of_way) - len(one.steps)]
        of_way = [step for one in way for step in one.steps]
    return Fault([*of_way, *steps], part.obj, part.error, part.hint)


class _Part:
    __slots__ = ("error", "has_inner", "hint", "is_done", "is_fault", "members", "obj", "steps")

    def __init__(self, obj: Any, steps: list[Step], protocol: int) -> None:
        self.obj = obj
        self.steps = steps  # from the part before
        self.members = members(obj, protocol)
        self.has_inner = self.is_done = False
        self.is_fault = True
        self.error: Exception | None = None
        self.hint: str | None = None


def _try(obj: Any, steps: list[Step], protocol: int) -> _Part | None:
    """The part, if it does not come back as it was."""
    part = _Part(obj, steps, protocol)
    try:
        data = _implementation.dumps(obj, protocol)
        before = _implementation.dumps(obj, protocol, deterministic=True)
    except MemoryError:
        raise
    except Exception:  # the walk tells of it
        part.is_fault = False
        return part
    try:
        copy = _implementation.loads(data)
        after = _implementation.dumps(copy, protocol, deterministic=True)
    except MemoryError:
        raise
    except Exception as error:
        drop_frames(error)
        part.hint = advice_about(obj, error, protocol)
        part.error = error.with_traceback(None)
        return part
    if type(copy) is not type(obj):
        part.hint = _OTHER_TYPE.format(type(copy).__qualname__)
    elif before != after:
        part.hint = _DIFFERENT
        if isinstance(obj, BaseException) and _has_other_args(obj, copy, protocol):
            part.hint = advice_of_exceptions(type(obj))
    else:
        return None
    return part


def _has_other_args(error: Any, copy: Any, protocol: int) -> bool:
    """Whether the code of its class has changed the args of an exception that was loaded."""
    cls = type(error)
    has_code = function_of(cls, "__init__") or function_of(cls, "__new__")
    if not has_code or not is_made_of_args(cls):
        return False
    held, made = (_args_of(one) for one in (error, copy))
    try:
        loaded = _implementation.loads(_implementation.dumps(held, protocol))
        before, after = (
            _implementation.dumps(one, protocol, deterministic=True) for one in (loaded, made)
        )
    except MemoryError:
        raise
    except Exception:  # one of its args does not load, which is another fault
        return False
    return before != after
