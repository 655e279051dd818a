"""Which members of a container need to be walked: the compiled implementation pickles all others.

It pickles much faster than the walk goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from time import perf_counter
from typing import Any, Final, NamedTuple

from ..rules.notes import DUMP_HEAD
from .copies import CONTAINERS, COUNTS, members_of

AT_ONCE: Final = 4096  # members of a container that are tested in one dump
_ITEM_IN_A_NOTE: Final = re.compile(rf"{DUMP_HEAD}\W*(?:[a-z_.]+\()*obj\[(\d+)\]")

# The work that the objects of a type need, after a dump has met them.
NOTHING: Final = 0
_BETWEEN: Final = 1  # it is no object of the user's
HELD: Final = 2  # a container
TEXT: Final = 3  # a string
BUFFER: Final = 4
NAMED: Final = 5  # a class or function
CHECKED: Final = 6
LATE: Final = 7  # checked, and it may be asked for its hash too early


class Mark:
    """The class of the object that is written between two members of a container."""


_MARK: Final = Mark()


class _Codes(dict[type, int]):
    def __init__(self, code: Callable[[type], int]) -> None:
        super().__init__({Mark: _BETWEEN})
        self.code = code

    def __missing__(self, cls: type) -> int:
        code = self[cls] = self.code(cls)
        return code


def numbers_of(codes: bytes, *wanted: int) -> list[int]:
    """Where some codes are."""
    return list(compress(range(len(codes)), _is_one_of(codes, *wanted)))


def those(met: Met, wanted: int) -> Iterator[Any]:
    """The objects with a code."""
    return compress(met.objects, _is_one_of(met.codes, wanted))


def _is_one_of(codes: bytes, *wanted: int) -> bytes:
    return codes.translate(bytes([code in wanted for code in range(256)]))


class Met(NamedTuple):
    """The objects that a dump has met, in its order; without numbers, None and short strings."""

    objects: list[Any]
    codes: bytes  # of each
    most: int  # objects that a member has led to, at most
    longest: int  # length of a string
    shared: list[Any]  # containers to which more than one object refers


class Nowhere:
    """A file that keeps nothing."""

    def write(self, data: Any) -> None:
        """Throw it away."""


class PartsError(Exception):
    """Raised at a container of which only some items need to be walked."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers


class Tester:
    """Pickles the members of containers, to find those that need not be walked one by one.

    Objects that can be pickled count as written: they are in the walk's memo. Members
    in which there is what `finder` looks for are walked too: see Surprises.find.
    """

    def __init__(self, numbers: dict[int, int], pickler: Any, finder: Any = None) -> None:
        self.numbers = numbers
        self.pickler = pickler
        self.finder = finder
        self.kept: list[Any] = []  # so that nothing else gets the addresses in the memo
        self.inside: set[int] = set()  # the addresses of what is in members to be walked
        self.limit: float | None = None
        self.lost = 0.0  # seconds, in dumps of what is to be walked all the same
        if finder is not None:
            from ..compiled.core import MetObjects  # there is no `pickler` without it

            self.codes = _Codes(finder.code)
            self.met = MetObjects(Mark, COUNTS)
            pickler.persistent_id = self.met.note  # which returns None: it has no id

    def watch(self, obj: Any) -> None:
        """Test the members of an object, as a Pickler's persistent_id, before it is walked."""
        if type(obj) not in CONTAINERS or id(obj) in self.numbers:
            return
        if self.limit is not None and self.lost >= self.limit:
            return
        failing = self.test(members_of(obj))
        if failing is not None and (type(obj) is list or not failing):
            self.kept.append(obj)
            self.numbers[id(obj)] = 0
            raise PartsError(failing)

    def test(self, members: list[Any]) -> list[int] | None:
        """The numbers of the members to be walked; None if to find them would take too long."""
        failing: list[int] = []
        flagged: set[Any] = set()
        start = 0
        while start < len(members):
            part = members[start : start + AT_ONCE]
            began = perf_counter()
            failed = self._dump(part)
            if failed is not None:
                if not self._spend(began) or not 0 <= failed < len(part):
                    return None
                del part[failed:]
            found = self._find(part, flagged)
            if found and not self._spend(began):
                return None
            clean = [part[i] for i in range(len(part)) if i not in found] if found else part
            self.kept.append(clean)
            addresses: Iterable[int] = map(id, clean)
            if self.inside:
                addresses = set(addresses) - self.inside
            self.numbers.update(dict.fromkeys(addresses, 0))
            failing += [start + number for number in sorted(found)]
            start += len(part)
            if failed is not None:
                failing.append(start)
                start += 1
        return failing

    def _spend(self, began: float) -> bool:
        """Count the time of a dump that may be repeated at every level; whether there is more."""
        spent = perf_counter() - began
        self.lost += spent
        if self.limit is None:
            self.limit = 3 * spent + 0.05
        return self.lost < self.limit

    def _dump(self, part: list[Any]) -> int | None:
        """The number of the member that cannot be pickled, -1 if that is not known; else None."""
        written: Any = part
        if self.finder is not None:
            self.met.clear()
            written = [_MARK] * (2 * len(part))
            written[::2] = part
        try:
            self.pickler.dump(written)
        except MemoryError:
            raise
        except Exception as error:
            number = _failed_item(error)
            return number if self.finder is None else number // 2
        return None

    def _find(self, part: list[Any], flagged: set[Any]) -> set[int]:
        """The numbers of the members in which there is what is looked for."""
        if self.finder is None or not part:
            return set()
        met = self.met.kept
        whole = met.pop(0)  # the list of them all
        shared = [one for one in self.met.shared if one is not whole]
        codes = bytes(map(self.codes.__getitem__, map(type, met)))
        if codes.count(_BETWEEN) != len(part):  # the one behind could not be pickled
            end = _ends_of(codes)[len(part) - 1]
            del met[end:]
            codes = codes[:end]
            left = set(map(id, met))
            shared = [one for one in shared if id(one) in left]
        about = Met(met, codes, self.met.most, self.met.longest, shared)
        found = self.finder.find(about, flagged)
        if not found:
            return set()
        numbers = {codes.count(_BETWEEN, 0, number) for number in found}
        # The walk is to meet the contents of these members again, and so are the tests of them.
        self.pickler.clear_memo()
        ends = [-1, *_ends_of(codes), len(met)]
        for number in numbers:
            inside = met[ends[number] + 1 : ends[number + 1]]
            self.kept.append(inside)
            self.inside.update(map(id, inside))
        return numbers


def _ends_of(codes: bytes) -> list[int]:
    """Where the members end."""
    return numbers_of(codes, _BETWEEN)


def _failed_item(error: Exception) -> int:
    """The number of the item at which the dump of a list has failed, from the note; -1 without."""
    notes = vars(error).get("__notes__")
    for note in notes if type(notes) is list else ():
        found = _ITEM_IN_A_NOTE.match(note) if type(note) is str else None
        if found is not None:
            return int(found[1])
    return -1
