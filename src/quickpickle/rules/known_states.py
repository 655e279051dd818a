"""The functions `__getstate__` of attrs and pydantic, for plans.

Both give a dict of members of the object: attrs of its slots, pydantic of its dict and three slots.
They are recognised by a digest of their code, so nothing is known of a release with another
function, or of an interpreter that compiles it in another way. `tools/known-states` prints the
digests.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any, Final

from .reductions import find

Members = tuple[tuple[str, ...], tuple[Any, ...], int]

ATTRS: Final = "attrs"  # {name: getattr(self, name)} for the names in a cell of the function
PYDANTIC: Final = "pydantic"  # of these names, but a copy of the last one where that is not empty
_NAMES_OF_PYDANTIC: Final = (
    "__dict__",
    "__pydantic_extra__",
    "__pydantic_fields_set__",
    "__pydantic_private__",
)

KNOWN: Final[dict[str, str]] = {
    "f14d4a6398b4f6146901c274110525ef": ATTRS,  # 3.11
    "e4eda1833a8182375c8fc41e408fbaef": PYDANTIC,  # 3.11
    "0ae488a36464b1258d9b54bfeee366a0": ATTRS,  # 3.12
    "c1c4ee17729f95508c9d7d6cc0f1c79c": PYDANTIC,  # 3.12
    "292445b0fe188e619897def5715df5e8": ATTRS,  # 3.13
    "0cf3a1304e2ba6e91e0901b574d19387": PYDANTIC,  # 3.13
    "67934f5649d3d45775785110e824732c": ATTRS,  # 3.14
    "0f1952144f0cd9042c4b12db6b24d22f": PYDANTIC,  # 3.14
    "06c96836447c526d9c98c3506e1c0b36": ATTRS,  # 3.15
    "9c0bfedadfc4d49cbdaad1cbd7944b33": PYDANTIC,  # 3.15
}
"""The digests: those of attrs 22.2 to 26.1 and of pydantic 2.0 to 2.14, by interpreter."""


def find_members(obj: Any, method: Any) -> Members | None:
    """The names in the state that a known `__getstate__` of an object's class gives; what is in the
    class under each, but None for the instance dict; and which one has to be None or an empty dict
    (-1: none). None for another function, or if the state is not as it should be.
    """
    if type(method) is not FunctionType:
        return None
    library = _library_of(method.__code__)
    if library is None:
        return None
    vacant = -1
    names: Any = _NAMES_OF_PYDANTIC
    if library == PYDANTIC:
        vacant = len(names) - 1
    else:
        (cell,) = method.__closure__ or ()
        names = cell.cell_contents
    if type(names) is not tuple or not all([type(name) is str for name in names]):
        return None
    slots = tuple([None if name == "__dict__" else find(type(obj), name) for name in names])
    if not all([slot is None or type(slot) is MemberDescriptorType for slot in slots]):
        return None
    try:
        values = [slot and slot.__get__(obj) for slot in slots]
    except AttributeError:
        return None  # one is not set: the function would ask a __getattr__ for it
    if vacant >= 0 and (values[vacant] is not None and values[vacant] != {}):
        return None  # the function would use more than the members
    state = method(obj)
    if type(state) is not dict or tuple(state) != names:
        return None
    # The keys of pydantic are constants of its function: these objects get into the memo.
    return (names if library == ATTRS else tuple(state)), slots, vacant


def _library_of(code: CodeType) -> str | None:
    # Others have no such names, and need no digest.
    if code.co_freevars != ("state_attr_names",) and "__pydantic_private__" not in code.co_names:
        return None
    return KNOWN.get(digest_of(code))


_PARTS: Final = (
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_exceptiontable",
)
_FLAGS: Final = 0x3BF  # those that decide how a function is called and what it returns


def digest_of(code: CodeType) -> str:
    """A digest of all that decides what a function does: equal ones do the same."""
    from hashlib import sha256  # takes milliseconds to import

    return sha256(repr(_parts_of(code)).encode()).hexdigest()[:32]


def _parts_of(code: CodeType) -> list[Any]:
    return [
        *[getattr(code, name) for name in _PARTS],
        code.co_flags & _FLAGS,
        *[_parts_of(one) if isinstance(one, CodeType) else one for one in code.co_consts],
    ]
