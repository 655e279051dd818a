"""The faults that the instances of a class may have, and the advice for each."""

from __future__ import annotations

import builtins
import copyreg
import enum
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from ..rules.hints import library_of
from ..rules.reductions import find, mro_of
from .classes import (
    attributes_of,
    function_of,
    has_plain_state,
    is_frozen,
    is_reduced_by_object,
    is_reduced_to_a_call,
    new_arguments,
    slot_names,
    takes,
    wants_names,
)
from .copies import LARGE
from .hashes import SELF, are_numbers, content_of, depends_on_process, sources_of_hashes
from .methods import always_raises, gives_no_method, needs_attribute

Check = Callable[[Any], "str | None"]  # gives the hint about an instance, if there is one

EXCEPTION: Final = (
    "An exception is made again with its args: let __init__ hand all its arguments to "
    "super().__init__(), or write a __reduce__."
)
EXCEPTION_OF_A_LIBRARY: Final = (
    "An exception is made again with its args, which its class does not take: say with "
    "copyreg.pickle() how it is made, or keep its text."
)
EXCEPTION_OF_NAMES: Final = (
    "An exception is made again with its args, and takes some by name only: let its __reduce__ "
    "return functools.partial(its class, name=value), ()."
)
GETATTR: Final = (
    "Its __getattr__ is asked before there are attributes: let it raise AttributeError for names "
    "that begin with two underscores."
)
NEW: Final = "Its __new__ takes arguments: return them from __getnewargs__."
HASH: Final = (
    "It is in a set, or a key of a dict, that it holds itself, so its hash is asked before its "
    "attributes are there: make the set anew in __setstate__."
)
COMPARED: Final = (
    "It is in a set, or a key of a dict, that it holds itself, so it is compared before its "
    "attributes are there: make the set anew in __setstate__."
)
ENUM: Final = (
    "A member of an Enum is found again by its value, of which a load makes another one: take "
    "numbers or texts, or write an __eq__."
)
_LOST: Final = "Pickling loses its {0}: keep traceback.format_exception(error), too."
_NOTES_LOST: Final = "Its __reduce__ leaves out __notes__: let it return vars(self) as the state."
_FROZEN: Final = (
    "It refuses that a load sets its slots: write @dataclass(frozen=True, slots=True), also for "
    "its bases, or a __setstate__."
)
SLOTS: Final = (
    "A load sets its slots one by one, which its __setattr__ refuses: write a __setstate__ that "
    "uses object.__setattr__."
)
REFUSED: Final = (
    "A load sets its attributes one by one, which its __setattr__ refuses: write a __setstate__ "
    "that uses object.__setattr__."
)
_CALLED: Final = (
    "A load calls its class with {0} argument{1}, which it does not take: write a __reduce__ that "
    "returns those it takes."
)
ITEMS: Final = (
    "A load gives it its items before its attributes, with {0}, which fails: write a __reduce__ "
    "that gives the items to __init__."
)
_CACHED_HASH: Final = (
    "It keeps its hash in {0}, which is another one in the next process: leave that out in "
    "__getstate__."
)
_ARROW: Final = (
    "It is a slice, with which all of its buffers are pickled: copy it before, "
    "as it.take(list(range(len(it))))."
)
_NOT_PICKLED: Final = ("__cause__", "__context__", "__traceback__")
_HASH_NAME: Final = re.compile(r"_\w*hash\w*|hash_?(?:code|value|cache)")


def advice_of(obj: Any, protocol: int) -> str | None:
    """The advice about an object that does not load, if its class shows why."""
    cls = type(obj)
    if issubclass(cls, BaseException):
        return _fault_of_exceptions(cls)(obj)
    hints = [check(obj) for check in checks_of_loads(cls, protocol)]
    return next((hint for hint in hints if hint is not None), None)


def advice_of_exceptions(cls: type) -> str:
    """The advice about exceptions that are not made again as they were."""
    if library_of(cls) is not None:
        return EXCEPTION_OF_A_LIBRARY
    made_by = function_of(cls, "__init__"), function_of(cls, "__new__")
    return EXCEPTION_OF_NAMES if wants_names(*made_by) else EXCEPTION


def check_exception(cls: type, protocol: int) -> Check:
    """A check of the exceptions of a class: it returns the advice for the fault it finds."""
    held = vars(BaseException)
    fault = _fault_of_exceptions(cls)
    is_of_the_user = library_of(cls) is None

    def check(error: Any) -> str | None:
        hint = fault(error)
        if hint is not None:
            return hint
        lost = [name for name in _NOT_PICKLED if held[name].__get__(error) is not None]
        if _loses_notes(error, protocol):
            if not lost and is_of_the_user:
                return _NOTES_LOST
            lost.append("__notes__")
        return _LOST.format(" and ".join(lost)) if lost else None

    return check


def _fault_of_exceptions(cls: type) -> Check:
    """A check of whether the exceptions of a class are made again."""
    fits = _fits_of_exceptions(cls)
    refuses = _refuses_attributes(cls)

    def check(error: Any) -> str | None:
        if not fits(error):
            return advice_of_exceptions(cls)
        return REFUSED if refuses and vars(BaseException)["__dict__"].__get__(error) else None

    return check


def _refuses_attributes(cls: type) -> bool:
    """Whether the exceptions of a class refuse the attributes that a load sets."""
    setter = function_of(cls, "__setattr__")
    if setter is None or not is_made_of_args(cls):
        return False
    own = vars(BaseException)["__setstate__"]
    return find(cls, "__setstate__") is own and (is_frozen(cls) or always_raises(setter))


def _fits_of_exceptions(cls: type) -> Callable[[Any], bool]:
    """Whether a class can be called with the args of its exceptions, as a load does."""
    reduce = find(cls, "__reduce__")
    if not is_made_of_args(cls):
        return lambda error: True
    fits = takes(function_of(cls, "__init__"), function_of(cls, "__new__"))
    return lambda error: fits(len(reduce(error)[1]))


def is_made_of_args(cls: type) -> bool:
    """Whether exceptions are pickled as a call of their class, as Python's own have it."""
    reduce = find(cls, "__reduce__")
    return (
        any(find(base, "__reduce__") is reduce for base in _builtin_bases(cls))
        and find(cls, "__reduce_ex__") is find(object, "__reduce_ex__")
        and cls not in copyreg.dispatch_table
    )


def _builtin_bases(cls: type) -> list[Any]:
    bases: tuple[Any, ...] = mro_of(cls)
    return [base for base in bases if vars(builtins).get(base.__name__) is base]


def _loses_notes(error: Any, protocol: int) -> bool:
    attributes = find(type(error), "__dict__").__get__(error)
    if not isinstance(attributes, dict) or "__notes__" not in attributes:
        return False
    try:
        reduction = error.__reduce_ex__(protocol)
    except Exception:  # it cannot be pickled
        return False
    state = reduction[2] if type(reduction) is tuple and len(reduction) > 2 else None
    return state is None or (type(state) is dict and "__notes__" not in state)


# --- other instances


def checks_of_loads(cls: type, protocol: int) -> Iterator[Check]:
    """Checks for faults that keep the instances of a class from being loaded."""
    init, new = function_of(cls, "__init__"), function_of(cls, "__new__")
    if is_reduced_to_a_call(cls):
        if init is not None or new is not None:
            yield _check_of_a_call(takes(init, new), protocol)
        yield from _checks_of_items(cls, made_by_init=True)
    elif is_reduced_by_object(cls):
        count = new_arguments(cls)
        if protocol >= 2 and count is not None and not takes(new)(count):
            yield lambda obj: NEW
        if protocol >= 2:
            yield from _checks_of_items(cls)
        if has_plain_state(cls):
            yield from _checks_of_attributes(cls)


def _checks_of_attributes(cls: type) -> Iterator[Check]:
    if needs_attribute(cls, "__getattr__") or gives_no_method(cls):
        yield lambda obj: GETATTR if attributes_of(obj) else None
    names = slot_names(cls)
    setter = function_of(cls, "__setattr__")
    if names and setter is not None:
        if is_frozen(cls):
            yield lambda obj: _FROZEN if _has_any(obj, names) else None
        elif always_raises(setter) or needs_attribute(cls, "__setattr__"):
            yield lambda obj: SLOTS if _has_any(obj, names) else None


def _checks_of_items(cls: type, made_by_init: bool = False) -> Iterator[Check]:
    for base, name in ((dict, "__setitem__"), (list, "extend")):
        if issubclass(cls, base) and (
            always_raises(function_of(cls, name))
            or (not made_by_init and needs_attribute(cls, name))
        ):
            yield partial(_hint_of_items, base, ITEMS.format(name))


def check_hash(cls: type) -> Check | None:
    """The check for a hash that is kept, of what has another one in another process."""
    function = function_of(cls, "__hash__")
    if function is None or not is_reduced_by_object(cls) or not has_plain_state(cls):
        return None
    names = list(filter(_HASH_NAME.fullmatch, function.__code__.co_names))
    sources = sources_of_hashes(cls, function.__code__.co_names)
    return partial(_hint_of_hash, names, sources) if names or sources else None


def _hint_of_items(base: type, hint: str, obj: Any) -> str | None:
    return hint if vars(base)["__len__"](obj) else None


def _has_any(obj: Any, names: Iterable[str]) -> bool:
    return not attributes_of(obj).keys().isdisjoint(names)


def _check_of_a_call(fits: Callable[[int], bool], protocol: int) -> Check:
    def check(obj: Any) -> str | None:
        try:
            args = obj.__reduce_ex__(protocol)[1]
        except Exception:  # it cannot be pickled
            return None
        return None if fits(len(args)) else advice_of_a_call(len(args))

    return check


def advice_of_a_call(count: int) -> str:
    """The advice about a class that does not take as many arguments as a load gives."""
    return _CALLED.format(count or "no", "" if count == 1 else "s")


def check_enum(cls: type) -> Check | None:
    """The check for members of an Enum that are not found again by their values."""
    by_value = find(enum.Enum, "__reduce_ex__")
    is_looked_for = find(cls, "_missing_") is not find(enum.Enum, "_missing_")
    if find(cls, "__reduce_ex__") is not by_value or is_looked_for:
        return None
    return lambda obj: ENUM if _is_made_anew(obj._value_) else None


def _is_made_anew(value: Any) -> bool:
    """Whether a value is an instance that a load makes anew, and that equals only itself."""
    cls = type(value)
    is_alone = find(cls, "__eq__") is find(object, "__eq__") and is_reduced_by_object(cls)
    return is_alone and function_of(cls, "__new__") is None and not issubclass(cls, type)


def _hint_of_hash(names: list[str], sources: dict[str, set[str]], obj: Any) -> str | None:
    attributes = attributes_of(obj)
    content = content_of(obj)
    kept = [name for name in names if type(attributes.get(name)) is int]
    if kept and not are_numbers([*attributes.values(), *content]):
        return _CACHED_HASH.format(kept[0])
    for name, used in sources.items():
        if type(attributes.get(name)) is int:
            values = [attributes[one] for one in used if one in attributes]
            if depends_on_process([*values, *(content if SELF in used else ())]):
                return _CACHED_HASH.format(name)
    return None


def check_arrow(obj: Any) -> str | None:
    """Whether an array or table of Arrow is a slice."""
    try:
        total, needed = obj.get_total_buffer_size(), obj.nbytes
    except Exception:  # of an earlier version, or of a type that does not know
        return None
    return _ARROW if total >= max(LARGE, 2 * needed) else None
