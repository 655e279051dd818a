"""The walk through an object, as `dumps` goes, which goes on where something is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, Protocol

from ..pickling.loop import write_pickle
from ..pickling.memo import Memo
from ..pickling.pickler import Pickler
from ..pickling.steps import read_steps
from ..pickling.stream import Stream
from ..rules.paths import Place, find_place, place_hint
from ..rules.reductions import ABSENT
from ..rules.steps import UNKNOWN, Step
from ..rules.tracebacks import drop_frames
from .copies import BUFFERS, CONTAINERS, Copies, outline
from .problems import Problem, Problems
from .surprises import Surprise, Surprises
from .testing import HELD, NOTHING, Met, PartsError, Tester, numbers_of

_COPY: Final = "It equals {0}: let both be one object, and it is written once."

_set_context: Final = vars(BaseException)["__context__"].__set__


class EndError(Exception):
    """There is no need to search on."""


class Finder(Protocol):
    """Says which objects are looked for: see Surprises."""

    def look(self, obj: Any) -> Surprise | None: ...
    def find(self, met: Met, flagged: set[Any]) -> list[int]: ...
    def code(self, cls: type) -> int: ...


class _FoundError(Exception):
    """Raised at an object that can be pickled, so as to get to know where it is."""

    def __init__(self, surprise: Surprise) -> None:
        self.surprise = surprise


class Walk:
    """A walk through an object. Its subclasses say what to do with what is found.

    `pickler` is a compiled one, which tests what need not be walked; None to walk everything.
    """

    def __init__(self, number: int, finder: Finder | None, pickler: Any) -> None:
        self.stream = Stream(
            lambda data: None,
            Memo(),
            number,
            fix_imports=number < 3,
            buffer_callback=None,
            reduction_limit=Pickler.reduction_limit,
        )
        self.finder = finder
        self.tester: Tester | None = None
        if pickler is not None:
            self.tester = Tester(self.stream.memo.numbers, pickler, finder)
        self.looked_at: Any = ABSENT  # to be written now

    def run(self, root: Any, reducer_override: Any = ABSENT, dispatch_table: Any = ABSENT) -> None:
        """Walk through an object."""
        is_watched = self.finder is not None or self.tester is not None
        watch: Any = self.watch if is_watched else ABSENT
        write_pickle(self.stream, root, watch, reducer_override, dispatch_table, self.on_failure)

    def watch(self, obj: Any) -> None:
        """Look at an object, as a Pickler's persistent_id, before it is written."""
        if obj is self.looked_at:
            self.looked_at = ABSENT
        elif self.finder is not None and id(obj) not in self.stream.memo.numbers:
            surprise = self.finder.look(obj)
            if surprise is not None:
                raise _FoundError(surprise)
        if self.tester is not None:
            self.tester.watch(obj)

    def on_failure(
        self,
        stream: Stream,
        root: Any,
        error: BaseException,
        stack: list[Iterator[Any]],
        work: Iterator[Any],
        obj: Any,
    ) -> Iterator[Any] | None:
        """Note what was found; what it returns is written in place of the object."""
        if not isinstance(error, Exception) or isinstance(error, MemoryError):
            return None
        if isinstance(error, PartsError):
            return _save_list_items(obj, error.numbers)
        steps = read_steps(error, stack, work, obj)
        if isinstance(error, _FoundError):
            self.looked_at = obj
            return self.on_surprise(error.surprise, root, steps, obj)
        # Where a reduction fails on its way the count of those around stays one too high.
        stream.reduction_limit += 1
        self.on_problem(root, steps, _without_frames(error))
        return iter(())

    def on_problem(self, root: Any, steps: list[Step], error: Exception) -> None:
        """Something cannot be pickled."""

    def on_surprise(
        self, surprise: Surprise, root: Any, steps: list[Step], obj: Any
    ) -> Iterator[Any]:
        """Something was found that can; what to write in its place."""
        raise NotImplementedError


class Search(Walk):
    """The walk that notes all problems."""

    def __init__(
        self, number: int, max_problems: int | None, strict: bool = False, pickler: Any = None
    ) -> None:
        if max_problems is not None and max_problems < 1:
            raise ValueError("max_problems must be at least 1, or None")
        self.surprises = Surprises(number) if strict else None
        super().__init__(number, self.surprises, pickler)
        self.found = Problems()
        self.paths: set[str] = set()
        self.max_problems = max_problems
        self.copies: list[tuple[Problem, Any]] = []  # and what they are copies of

    def add(
        self,
        path: str,
        obj: Any,
        error: Exception | None,
        hint: str | None,
        on_load: bool = False,
    ) -> Problem | None:
        """Note a problem, unless one with this path was."""
        if path in self.paths:
            return None  # a reduction that hands out the same thing twice
        if " … " not in path:
            self.paths.add(path)
        if len(self.found) == self.max_problems:
            raise EndError
        cls = None if obj is UNKNOWN else type(obj)
        problem = Problem(path, cls, error, hint, on_load)
        self.found.append(problem)
        return problem

    def on_problem(self, root: Any, steps: list[Step], error: Exception) -> None:
        place = find_place(root, steps, self.stream.protocol)
        self.add(place.text, place.obj, error, place_hint(root, steps, place, error))

    def on_surprise(
        self, surprise: Surprise, root: Any, steps: list[Step], obj: Any
    ) -> Iterator[Any]:
        if surprise.original is not ABSENT:
            return self.on_copy(surprise.original, root, steps, obj)
        if surprise.inner:
            around = _around(root, steps, surprise.inner)
            if around is None:
                return iter((obj,))
            steps = steps[:around]
        if surprise.key is not None and self.surprises is not None:
            self.surprises.said.add(surprise.key)
        place = find_place(root, steps, self.stream.protocol)
        self.add(place.text, place.obj, None, surprise.hint)
        return iter(() if surprise.is_all else (obj,))

    def on_copy(self, original: Any, root: Any, steps: list[Step], obj: Any) -> Iterator[Any]:
        place = _owner(find_place(root, steps, self.stream.protocol), obj)
        if place is None:
            return iter((obj,))
        problem = self.add(place.text, place.obj, None, None)
        if problem is not None:
            self.copies.append((problem, original))
        return iter(())  # its members are those of the first

    def name_copies(self, root: Any, pickler: Any) -> None:
        """Say of the copies where the others are."""
        if not self.copies or self.surprises is None:
            return
        originals = [original for _, original in self.copies]
        locator = Locator(self.stream.protocol, self.surprises.copies, originals, pickler)
        with suppress(EndError):
            locator.run(root)
        for problem, original in self.copies:
            first, *others = locator.paths[id(original)] or [problem.path]
            if first == problem.path:
                # It was met before the other, in what cannot be pickled as a whole; or its owner
                # makes it anew each time, and it was taken for a copy of itself.
                problem.path = next(iter(others), first)
            if first == problem.path:
                self.found.remove(problem)
            else:
                problem.hint = _COPY.format(first)


class Locator(Walk):
    """The walk that finds the first two places of some large objects.

    They are known by their contents: one that is made by a __reduce__ is another one each time.
    """

    def __init__(self, number: int, copies: Copies, objects: list[Any], pickler: Any) -> None:
        super().__init__(number, self, pickler)
        self.copies = copies
        self.wanted: dict[Any, dict[Any, int]] = {}
        for obj in objects:
            self.wanted.setdefault(outline(obj), {})[copies.digest(obj)] = id(obj)
        self.paths: dict[int, list[str]] = {id(obj): [] for obj in objects}

    def look(self, obj: Any) -> Surprise | None:
        return Surprise("") if self.wanted_by(obj) is not None else None

    def wanted_by(self, obj: Any) -> int | None:
        """The address of the object with the content of another one, if it is wanted still."""
        if type(obj) not in CONTAINERS and type(obj) not in BUFFERS:
            return None
        digests = self.wanted.get(outline(obj))
        return None if digests is None else digests.get(self.copies.digest(obj))

    def code(self, cls: type) -> int:
        return HELD if cls in CONTAINERS or cls in BUFFERS else NOTHING

    def find(self, met: Met, flagged: set[Any]) -> list[int]:
        held = numbers_of(met.codes, HELD)
        return [i for i in held if self.wanted_by(met.objects[i]) is not None]

    def on_surprise(
        self, surprise: Surprise, root: Any, steps: list[Step], obj: Any
    ) -> Iterator[Any]:
        place = _owner(find_place(root, steps, self.stream.protocol), obj)
        address = self.wanted_by(obj)
        if place is not None and address is not None:
            self.paths[address].append(place.text)
            if len(self.paths[address]) == 2:
                self.forget(obj)
        return iter((obj,))

    def forget(self, obj: Any) -> None:
        """Look no more for a content."""
        key = outline(obj)
        del self.wanted[key][self.copies.digest(obj)]
        if not self.wanted[key]:
            del self.wanted[key]
        if not self.wanted:
            raise EndError


def _owner(place: Place, obj: Any) -> Place | None:
    """The place to name for a large object; None if the object is only a part of its owner."""
    if place.owner is not None and type(obj) in CONTAINERS:
        return None
    while place.owner is not None:  # what the bytes are of
        place = place.owner
    return place


def _around(root: Any, steps: list[Step], inner: Any) -> int | None:
    """The number of steps to the innermost object on the way that is one of some."""
    addresses = {id(one) for one in inner}
    way = [root, *[step.child for step in steps]]
    return next((i for i in reversed(range(len(way))) if id(way[i]) in addresses), None)


def _save_list_items(obj: Any, numbers: list[int]) -> Iterator[Any]:
    """Some items of a list; by this name pickling/steps.py reads which one it is at."""
    for done in numbers:
        if done < len(obj):  # a __reduce__ may take some away
            yield obj[done]


def _without_frames(error: Exception) -> Exception:
    """An exception without what its traceback keeps alive: the whole walk."""
    drop_frames(error)  # also of what it was raised from
    error = error.with_traceback(None)
    _set_context(error, None)
    return error
