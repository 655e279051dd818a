"""The functions `__getstate__` of attrs and pydantic, for plans.

Both give a dict of members of the object: attrs of its slots, pydantic of its dict and three slots.
They are recognised by their code, which is compared with that of the same function here, so nothing
is known of a version whose function is another one.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any, Final

from .reductions import find

Members = tuple[tuple[str, ...], tuple[Any, ...], int]


def find_members(obj: Any, method: Any) -> Members | None:
    """The names in the state that a known `__getstate__` of an object's class gives; what is in the
    class under each, but None for the instance dict; and which one has to be None or an empty dict
    (-1: none). None for another function, or if the state is not as it should be.
    """
    if type(method) is not FunctionType:
        return None
    if _is_same(method.__code__, _ATTRS):
        (cell,) = method.__closure__ or ()
        names, vacant = cell.cell_contents, -1
    elif _is_same(method.__code__, _PYDANTIC):
        # The keys of the state are constants of the function: these objects get into the memo.
        names, vacant = _KEYS, len(_KEYS) - 1
    else:
        return None
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
    return (names if vacant < 0 else tuple(state)), slots, vacant


_KEYS: Final = (
    "__dict__",
    "__pydantic_extra__",
    "__pydantic_fields_set__",
    "__pydantic_private__",
)


# As attr._make has it. The text of the functions must stay as it is in the libraries.
def _attrs() -> Any:
    state_attr_names: Any = ()

    def slots_getstate(self: Any) -> Any:
        """Here is a text in attrs too."""
        return {name: getattr(self, name) for name in state_attr_names}

    return slots_getstate


# As pydantic.main has it.
def _getstate(self: Any) -> Any:
    private = self.__pydantic_private__
    if private:
        private = {k: v for k, v in private.items() if v is not PydanticUndefined}  # type: ignore[name-defined]  # noqa: F821
    return {
        "__dict__": self.__dict__,
        "__pydantic_extra__": self.__pydantic_extra__,
        "__pydantic_fields_set__": self.__pydantic_fields_set__,
        "__pydantic_private__": private,
    }


_DOCUMENTATION: Final = _attrs().__doc__ or object()  # which no instruction uses
_ATTRS: Final[CodeType] = _attrs().__code__
_PYDANTIC: Final[CodeType] = _getstate.__code__

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


def _is_same(code: CodeType, known: CodeType) -> bool:
    """Whether two functions do the same."""
    if any([getattr(code, name) != getattr(known, name) for name in _PARTS]):
        return False
    if (code.co_flags ^ known.co_flags) & _FLAGS or len(code.co_consts) != len(known.co_consts):
        return False
    return all(
        [
            _is_same_constant(one, other) or other == _DOCUMENTATION
            for one, other in zip(code.co_consts, known.co_consts, strict=True)
        ]
    )


def _is_same_constant(one: Any, known: Any) -> bool:
    if type(one) is not type(known):
        return False
    if isinstance(known, CodeType):
        return _is_same(one, known)
    return bool(one == known)
