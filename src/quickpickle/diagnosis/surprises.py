"""Objects that can be pickled, but do not load, or load as others: found without loading."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, Final, NamedTuple

from ..rules.globals import find_global
from ..rules.hints import full_name
from ..rules.reductions import ABSENT, mro_of
from .checks import (
    HASH,
    Check,
    check_arrow,
    check_enum,
    check_exception,
    check_hash,
    checks_of_loads,
)
from .classes import is_reduced_by_object, new_arguments
from .copies import BUFFERS, CONTAINERS, LARGE, MANY, STRINGS, Copies
from .methods import needs_attribute
from .testing import (
    BUFFER,
    CHECKED,
    HELD,
    LATE,
    NAMED,
    NOTHING,
    TEXT,
    Met,
    numbers_of,
    those,
)

_MAIN: Final = ("__main__", "__mp_main__")
_FROM_MAIN: Final = (
    "It is pickled by its name in __main__, so only this program reads it: move it to a module."
)
_OTHER_NAME: Final = "It is pickled as {0}, so whoever reads it gets what is there under that name."
_ONE_PLATFORM: Final = (
    "It loads on systems of this kind only, Windows or the others: keep str(path), or a pure path."
)
_FROM_313: Final = "Its module, pathlib._local, is not there before Python 3.13."
_SENTINEL: Final = (
    "A load makes another object(), so that `is` does not find it: take a member of an Enum."
)
_PATHS: Final = ("pathlib.PosixPath", "pathlib.WindowsPath")
_LOCAL_PATHS: Final = ("pathlib._local.PosixPath", "pathlib._local.WindowsPath")
_ARROWS: Final = {
    f"pyarrow.lib.{name}" for name in ("Array", "ChunkedArray", "RecordBatch", "Table")
}
_PLAIN: Final = {type(None), bool, int, float, complex, *BUFFERS, type(...), type(NotImplemented)}
KEYED: Final = (dict, set, frozenset)
_NESTED: Final = {tuple, frozenset}  # they ask what they hold for its hash
_MOST_KEYS: Final = 1_000_000
_name_of: Final = type.__dict__["__name__"].__get__


class Surprise(NamedTuple):
    """Something to be said about an object."""

    hint: str
    key: Any = None  # it is said once for each of these
    original: Any = ABSENT  # of what is a copy
    is_all: bool = False  # what the object holds need not be looked at
    inner: Iterable[Any] = ()  # it is said of the one of these that the object is in, if any


_Check = Callable[[Any], "Surprise | None"]


def _each(check: Check, is_all: bool = False) -> _Check:
    """The check that is said of each object."""

    def look(obj: Any) -> Surprise | None:
        hint = check(obj)
        return None if hint is None else Surprise(hint, is_all=is_all)

    return look


class Surprises:
    """Finds what surprises; of each class it is decided once what there is to be looked at."""

    def __init__(self, protocol: int) -> None:
        self.protocol = protocol
        self.copies = Copies()
        self.said: set[Any] = set()
        self.checks: dict[type, _Check | None] = dict.fromkeys((*_PLAIN, *CONTAINERS))
        self.late: dict[type, bool] = {}
        self.open: set[int] = set()  # of such classes, the objects that the walk has met
        self.fine: dict[int, Any] = {}  # classes and functions that need no word, by address
        self.named: dict[int, tuple[Any, Surprise]] = {}  # the others

    def look(self, obj: Any) -> Surprise | None:
        """The surprise of an object that is to be walked now; None for none."""
        cls = type(obj)
        check = self._check(cls)
        found = None if check is None else check(obj)
        if found is not None and found.key not in self.said:
            return found
        if self._is_late(cls):
            self.open.add(id(obj))
        if issubclass(cls, KEYED):
            late = [one for one in keys_of(obj) if id(one) in self.open]
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
        """The number of the work that the objects of a type need: see testing.py."""
        if cls in CONTAINERS:
            return HELD
        if cls in BUFFERS:
            return TEXT if cls in STRINGS else BUFFER
        if self._is_late(cls):
            return LATE
        if cls is FunctionType or issubclass(cls, type):
            return NAMED
        return NOTHING if self._check(cls) is None else CHECKED

    def find(self, met: Met, flagged: set[Any]) -> list[int]:
        """The numbers of the objects with surprises, of those that a dump has met.

        `flagged` has the keys of what was found before, and need not be found again.
        """
        found = []
        for i in self._numbers_to_check(met, flagged):
            obj = met.objects[i]
            check = self._check(type(obj))
            about = None if check is None else check(obj)
            if about is None or about.key in self.said or about.key in flagged:
                continue
            if about.key is not None:
                flagged.add(about.key)
            found.append(i)
        if LATE in met.codes:
            found += self._find_late(met.objects)
        return found + self._find_copies(met)

    def _numbers_to_check(self, met: Met, flagged: set[Any]) -> list[int]:
        wanted = [code for code in (CHECKED, LATE) if code in met.codes]
        if NAMED in met.codes:
            addresses = set(map(id, those(met, NAMED))) - self.fine.keys()
            noted = [self.named[one][1].key for one in addresses if one in self.named]
            if len(noted) < len(addresses) or not (self.said | flagged).issuperset(noted):
                wanted.append(NAMED)
        return numbers_of(met.codes, *wanted) if wanted else []

    def _find_late(self, met: list[Any]) -> list[int]:
        """Sets and dicts that may be in what is in them."""
        seen = set(self.open)
        found = []
        for i, obj in enumerate(met):
            cls = type(obj)
            if self._is_late(cls):
                seen.add(id(obj))
            if issubclass(cls, KEYED) and not seen.isdisjoint(map(id, keys_of(obj))):
                found.append(i)
        return found

    def _find_copies(self, met: Met) -> list[int]:
        copies = self.copies
        single = set(map(id, met.shared))
        # A container leads to at most so many objects, if none of them is shared.
        if (
            met.most < MANY
            and met.most * met.longest < LARGE
            and BUFFER not in met.codes
            and len(single) == len(met.shared)
            and single.isdisjoint(copies.written)
        ):
            copies.written |= single
            copies.written.update(map(id, those(met, TEXT)))
            return []
        numbers = numbers_of(met.codes, HELD, TEXT, BUFFER)
        return [i for i in numbers if self.look_for_copy(met.objects[i]) is not None]

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
            return _each(check_exception(cls, self.protocol))
        names = {full_name(base) for base in mro_of(cls)}
        if full_name(cls) in _PATHS:
            return lambda obj: Surprise(_ONE_PLATFORM)
        if full_name(cls) in _LOCAL_PATHS:
            return lambda obj: Surprise(f"{_ONE_PLATFORM} {_FROM_313}")
        if not names.isdisjoint(_ARROWS):
            return _each(check_arrow, is_all=True)
        if cls is object:
            return lambda obj: Surprise(_SENTINEL)
        if issubclass(cls, enum.Enum):
            of_enum = check_enum(cls)
            return None if of_enum is None else _each(of_enum, is_all=True)
        checks = list(checks_of_loads(cls, self.protocol))
        kept = check_hash(cls)
        if kept is not None:
            checks.append(kept)
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
        if id(obj) in self.named:
            return self.named[id(obj)][1]
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
        surprise = Surprise(hint, (id(obj), hint))
        self.named[id(obj)] = obj, surprise
        return surprise

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


def keys_of(obj: Any) -> list[Any]:
    """The objects that are asked for their hash when a set or dict is loaded."""
    base: Any = next(base for base in KEYED if isinstance(obj, base))
    keys = list(base.__iter__(obj))
    if not _NESTED.isdisjoint(map(type, keys)):
        for key in keys:  # which grows
            if type(key) in _NESTED and len(keys) < _MOST_KEYS:
                keys += key
    return keys
