"""What can be pickled, but does not load, or comes back as a surprise: found without loading."""

from __future__ import annotations

import copyreg
import re
from collections.abc import Callable, Iterable
from functools import partial
from types import FunctionType
from typing import Any, Final, NamedTuple

from ..round_trip import EXCEPTION, GETATTR, HASH, NEW
from ..rules.globals import find_global
from ..rules.hints import full_name
from ..rules.reductions import ABSENT, find, mro_of
from .classes import (
    always_raises,
    attributes_of,
    function_of,
    has_plain_state,
    is_frozen,
    is_reduced_by_object,
    is_reduced_to_a_call,
    needs_attribute,
    new_arguments,
    slot_names,
    takes,
)
from .copies import BUFFERS, CONTAINERS, COUNTS, LARGE, MANY, STRINGS, Copies
from .testing import (
    BUFFER,
    CHECKED,
    HELD,
    LATE,
    NAMED,
    NOTHING,
    TEXT,
    count_between,
    numbers_of,
    those,
)

_MAIN: Final = ("__main__", "__mp_main__")
_FROM_MAIN: Final = (
    "It is pickled by its name in __main__, so only this program reads it: move it to a module."
)
_OTHER_NAME: Final = "It is pickled as {0}, so whoever reads it gets what is there under that name."
_LOST: Final = "Pickling loses its {0}: keep traceback.format_exception(error), too."
_NOTES_LOST: Final = "Its __reduce__ leaves out __notes__: let it return vars(self) as the state."
_ONE_PLATFORM: Final = (
    "It loads on systems of this kind only, Windows or the others: keep str(path), or a pure path."
)
_FROM_313: Final = "Its module, pathlib._local, is not there before Python 3.13."
_FROZEN: Final = (
    "It refuses that a load sets its slots: write @dataclass(frozen=True, slots=True), also for "
    "its bases, or a __setstate__."
)
_SLOTS: Final = (
    "A load sets its slots one by one, which its __setattr__ refuses: write a __setstate__ that "
    "uses object.__setattr__."
)
_CALLED: Final = (
    "A load calls its class with {0} argument{1}, which it does not take: write a __reduce__ that "
    "returns those it takes."
)
_ITEMS: Final = (
    "A load gives it its items before its attributes, with {0}, which fails: write a __reduce__ "
    "that gives the items to __init__."
)
_CACHED_HASH: Final = (
    "It keeps its hash in {0}, which is another one in the next process: leave that out in "
    "__getstate__."
)
_SENTINEL: Final = (
    "A load makes another object(), so that `is` does not find it: take a member of an Enum."
)
_ARROW: Final = (
    "It is a slice, with which all of its buffers are pickled: copy it before, "
    "as it.take(range(len(it)))."
)

_NOT_PICKLED: Final = ("__cause__", "__context__", "__traceback__")
_PATHS: Final = ("pathlib.PosixPath", "pathlib.WindowsPath")
_LOCAL_PATHS: Final = ("pathlib._local.PosixPath", "pathlib._local.WindowsPath")
_ARROWS: Final = {
    f"pyarrow.lib.{name}" for name in ("Array", "ChunkedArray", "RecordBatch", "Table")
}
_HASH_NAME: Final = re.compile(r"_\w*hash\w*|hash_?(?:code|value|cache)")
_NUMBERS: Final = (bool, int, float, complex)
_PLAIN: Final = {type(None), *_NUMBERS, *BUFFERS, type(...), type(NotImplemented)}
_KEYED: Final = (dict, set, frozenset)

_args_of: Final = vars(BaseException)["args"].__get__
_name_of: Final = type.__dict__["__name__"].__get__
_qualname_of: Final = type.__dict__["__qualname__"].__get__


class Surprise(NamedTuple):
    """Something to be said about an object."""

    hint: str
    key: Any = None  # it is said once for each of these
    original: Any = ABSENT  # of what is a copy
    inner: Iterable[Any] = ()  # it is said of the one of these that the object is in, if any


_Check = Callable[[Any], "Surprise | None"]


class Surprises:
    """Finds what surprises; of each class it is decided once what there is to be looked at."""

    def __init__(self, protocol: int) -> None:
        self.protocol = protocol
        self.copies = Copies()
        self.said: set[Any] = set()
        self.checks: dict[type, _Check | None] = dict.fromkeys((*_PLAIN, *CONTAINERS))
        self.late: dict[type, bool] = {}
        self.open: set[int] = set()  # of such classes, the objects that the walk has met
        self.fine: dict[int, Any] = {}  # classes and functions, by address

    def look(self, obj: Any) -> Surprise | None:
        """What there is to say about an object that is to be walked now."""
        cls = type(obj)
        check = self._check(cls)
        found = None if check is None else check(obj)
        if found is not None and found.key not in self.said:
            return found
        if self._is_late(cls):
            self.open.add(id(obj))
        if issubclass(cls, _KEYED):
            late = [one for one in _keys(obj) if id(one) in self.open]
            if late:
                return Surprise(HASH, inner=late)
        return self.look_for_copy(obj)

    def look_for_copy(self, obj: Any) -> Surprise | None:
        """Whether an object is a copy of a large one."""
        original = obj
        if type(obj) in CONTAINERS or type(obj) in BUFFERS:
            original = self.copies.original(obj)
            self.copies.note(obj)
        return None if original is obj else Surprise("", original=original)

    def code(self, cls: type) -> int:
        """What there is to be done about the objects of a type."""
        if cls in CONTAINERS:
            return HELD
        if cls in BUFFERS:
            return TEXT if cls in STRINGS else BUFFER
        if self._is_late(cls):
            return LATE
        if cls is FunctionType or issubclass(cls, type):
            return NAMED
        return NOTHING if self._check(cls) is None else CHECKED

    def find(self, met: list[Any], codes: bytes, flagged: set[Any]) -> list[int]:
        """The numbers of the objects with surprises, of those that a dump has met.

        `codes` has the code of each. `flagged` has the keys of what was found before, and need not
        be found again.
        """
        found = []
        for i in self._numbers_to_check(met, codes):
            check = self._check(type(met[i]))
            about = None if check is None else check(met[i])
            if about is None or about.key in self.said or about.key in flagged:
                continue
            if about.key is not None:
                flagged.add(about.key)
            found.append(i)
        if LATE in codes:
            found += self._find_late(met)
        return found + self._find_copies(met, codes)

    def _numbers_to_check(self, met: list[Any], codes: bytes) -> list[int]:
        wanted = [code for code in (CHECKED, LATE) if code in codes]
        if NAMED in codes and not self.fine.keys() >= set(map(id, those(met, codes, NAMED))):
            wanted.append(NAMED)
        return numbers_of(codes, *wanted) if wanted else []

    def _find_late(self, met: list[Any]) -> list[int]:
        """Sets and dicts that may be in what is in them."""
        seen = set(self.open)
        found = []
        for i, obj in enumerate(met):
            cls = type(obj)
            if self._is_late(cls):
                seen.add(id(obj))
            if issubclass(cls, _KEYED) and not seen.isdisjoint(map(id, _keys(obj))):
                found.append(i)
        return found

    def _find_copies(self, met: list[Any], codes: bytes) -> list[int]:
        copies = self.copies
        addresses = list(map(id, filter(None, those(met, codes, HELD))))
        longest = max(map(len, those(met, codes, TEXT)), default=0)
        most = count_between(codes)
        single = set(addresses)
        # A container leads to at most so many objects, if none of them is shared.
        if (
            most < MANY
            and most * longest < LARGE
            and BUFFER not in codes
            and len(single) == len(addresses)
            and single.isdisjoint(copies.written)
        ):
            copies.written |= single
            if longest >= COUNTS:
                texts = those(met, codes, TEXT)
                copies.written.update([id(text) for text in texts if len(text) >= COUNTS])
            return []
        numbers = numbers_of(codes, HELD, TEXT, BUFFER)
        return [i for i in numbers if self.look_for_copy(met[i]) is not None]

    # --- what there is to be looked at, of each class

    def _check(self, cls: type) -> _Check | None:
        try:
            return self.checks[cls]
        except KeyError:
            check = self.checks[cls] = self._new_check(cls)
            return check

    def _new_check(self, cls: type) -> _Check | None:
        if cls is FunctionType or issubclass(cls, type):
            return self._check_global
        if issubclass(cls, BaseException):
            return _check_of_exceptions(cls, self.protocol)
        names = {full_name(base) for base in mro_of(cls)}
        if full_name(cls) in _PATHS:
            return lambda obj: Surprise(_ONE_PLATFORM)
        if full_name(cls) in _LOCAL_PATHS:
            return lambda obj: Surprise(f"{_ONE_PLATFORM} {_FROM_313}")
        if not names.isdisjoint(_ARROWS):
            return _check_arrow
        if cls is object:
            return lambda obj: Surprise(_SENTINEL)
        checks = list(_checks_of_instances(cls, self.protocol))
        if not checks:
            return None

        def check(obj: Any) -> Surprise | None:
            for one in checks:
                if (hint := one(obj)) is not None:
                    return Surprise(hint, (cls, hint))
            return None

        return check

    def _check_global(self, obj: Any) -> Surprise | None:
        if id(obj) in self.fine:
            return None
        try:
            found = find_global(obj)
        except Exception:
            return None  # it cannot be pickled, or its own code decides
        hint = None
        if found.module_name in _MAIN:
            hint = _FROM_MAIN
        elif issubclass(type(obj), type) and _name_of(obj) != found.name.rpartition(".")[2]:
            hint = _OTHER_NAME.format(f"{found.module_name}.{found.name}")
        if hint is None:
            self.fine[id(obj)] = obj
            return None
        return Surprise(hint, (id(obj), hint))

    def _is_late(self, cls: type) -> bool:
        """Whether new instances, without their attributes, have no hash."""
        late = self.late.get(cls)
        if late is None:
            late = self.late[cls] = (
                is_reduced_by_object(cls)
                and new_arguments(cls) == 0
                and needs_attribute(cls, "__hash__")
            )
        return late


def _keys(obj: Any) -> list[Any]:
    base: Any = next(base for base in _KEYED if isinstance(obj, base))
    return list(base.__iter__(obj))


# --- exceptions


def _check_of_exceptions(cls: type, protocol: int) -> _Check:
    held = vars(BaseException)
    names = ("__reduce__", "__reduce_ex__")
    is_made_of_args = cls not in copyreg.dispatch_table and all(
        find(cls, name) is find(BaseException, name) for name in names
    )
    fits = takes(function_of(cls, "__init__"), function_of(cls, "__new__"))

    def check(error: Any) -> Surprise | None:
        args = _args_of(error)
        if is_made_of_args and type(args) is tuple and not fits(len(args)):
            return Surprise(EXCEPTION)
        lost = [name for name in _NOT_PICKLED if held[name].__get__(error) is not None]
        if lost:
            return Surprise(_LOST.format(" and ".join(lost)))
        if not is_made_of_args and _loses_notes(error, protocol):
            return Surprise(_NOTES_LOST)
        return None

    return check


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


def _checks_of_instances(cls: type, protocol: int) -> Iterable[Callable[[Any], str | None]]:
    """What may be wrong with the instances of a class; each gives the hint, or None."""
    init, new = function_of(cls, "__init__"), function_of(cls, "__new__")
    if is_reduced_to_a_call(cls):
        if init is not None or new is not None:
            yield _check_of_a_call(takes(init, new), protocol)
        return
    if not is_reduced_by_object(cls):
        return
    count = new_arguments(cls)
    if protocol >= 2 and count is not None and not takes(new)(count):
        yield lambda obj: NEW
    if not has_plain_state(cls):
        return
    if needs_attribute(cls, "__getattr__"):
        yield lambda obj: GETATTR if attributes_of(obj) else None
    names = slot_names(cls)
    setter = function_of(cls, "__setattr__")
    if names and setter is not None:
        if is_frozen(cls):
            yield lambda obj: _FROZEN if _has_any(obj, names) else None
        elif always_raises(setter) or needs_attribute(cls, "__setattr__"):
            yield lambda obj: _SLOTS if _has_any(obj, names) else None
    for base, name in ((dict, "__setitem__"), (list, "extend")) if protocol >= 2 else ():
        if issubclass(cls, base) and (
            needs_attribute(cls, name) or always_raises(function_of(cls, name))
        ):
            hint = _ITEMS.format(name)
            yield partial(_hint_of_items, base, hint)
    hashes = function_of(cls, "__hash__")
    kept = [] if hashes is None else list(filter(_HASH_NAME.fullmatch, hashes.__code__.co_names))
    if kept:
        yield lambda obj: _hint_of_hash(obj, kept)


def _hint_of_items(base: type, hint: str, obj: Any) -> str | None:
    return hint if vars(base)["__len__"](obj) else None


def _has_any(obj: Any, names: Iterable[str]) -> bool:
    return not attributes_of(obj).keys().isdisjoint(names)


def _check_of_a_call(fits: Callable[[int], bool], protocol: int) -> Callable[[Any], str | None]:
    def check(obj: Any) -> str | None:
        try:
            args = obj.__reduce_ex__(protocol)[1]
        except Exception:  # it cannot be pickled
            return None
        count = len(args)
        return None if fits(count) else _CALLED.format(count or "no", "" if count == 1 else "s")

    return check


def _hint_of_hash(obj: Any, names: list[str]) -> str | None:
    """The advice where an object keeps its hash, and has another one in another process."""
    attributes = attributes_of(obj)
    kept = [name for name in names if type(attributes.get(name)) is int]
    if not kept or all(isinstance(value, _NUMBERS) for value in attributes.values()):
        return None
    return _CACHED_HASH.format(kept[0])


def _check_arrow(obj: Any) -> Surprise | None:
    try:
        total, needed = obj.get_total_buffer_size(), obj.nbytes
    except Exception:  # of an earlier version, or of a type that does not know
        return None
    return Surprise(_ARROW) if total >= max(LARGE, 2 * needed) else None
