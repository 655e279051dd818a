"""diagnose(obj): all the places that keep an object from being pickled, not just the first."""

from __future__ import annotations

import copyreg
import hashlib
import html
import inspect
import marshal
import re
from collections.abc import Callable, Iterator
from itertools import repeat
from pickle import PickleBuffer
from time import perf_counter
from types import FunctionType
from typing import Any, Final, NamedTuple

from . import _implementation
from ._implementation import implementation
from .pickling.loop import write_pickle
from .pickling.memo import Memo
from .pickling.pickler import Pickler
from .pickling.steps import read_steps
from .pickling.stream import Stream
from .round_trip import EXCEPTION, find_faults
from .rules.globals import find_global
from .rules.hints import full_name
from .rules.notes import DUMP_HEAD
from .rules.options import check_protocol
from .rules.paths import Place, find_place, place_hint
from .rules.reductions import ABSENT, find
from .rules.steps import UNKNOWN
from .rules.tracebacks import drop_frames, drops_frames, make_public

_LARGE: Final = 64 * 1024  # bytes: equal copies of what is smaller are not worth a word
_MANY: Final = 1000  # items of a container and of those in it, the same
_MOST_NOTED: Final = 10_000  # large objects whose paths are kept, to be compared with
_AT_ONCE: Final = 4096  # members of a container that are tested in one dump
_ITEM_IN_A_NOTE: Final = re.compile(rf"{DUMP_HEAD}\W*(?:[a-z_.]+\()*obj\[(\d+)\]")
_MAIN: Final = ("__main__", "__mp_main__")

_FROM_MAIN: Final = (
    "It is pickled by its name in __main__, so only this program reads it: move it to a module."
)
_OTHER_NAME: Final = "It is pickled as {0}, so whoever reads it gets what is there under that name."
_COPY: Final = "It equals {0}: let both be one object, and it is written once."


_LOST: Final = "Pickling loses its {0}: keep traceback.format_exception(error), too."
_ONE_PLATFORM: Final = (
    "It loads on systems of this kind only, Windows or the others: keep str(path), or a pure path."
)
_FROM_313: Final = "Its module, pathlib._local, is not there before Python 3.13."

_NOT_PICKLED: Final = ("__cause__", "__context__", "__traceback__")
_PATHS: Final = ("pathlib.PosixPath", "pathlib.WindowsPath")
_LOCAL_PATHS: Final = ("pathlib._local.PosixPath", "pathlib._local.WindowsPath")

_args_of: Final = vars(BaseException)["args"].__get__
name_of: Final = type.__dict__["__name__"].__get__

_Type = type


class Problem:
    """One place that keeps an object from being pickled, or makes it come back as a surprise.

    Attributes
    ----------
    path : str
        Where it is, an expression in which `obj` is what diagnose() was given:
        https://example.org/quickpickle/blob/main/docs/errors.md
    type : type or None
        The type of the object at that place; None where it is not at hand.
    exception : Exception or None
        Raised by pickling or loading it, without its traceback; None if neither fails, but it
        comes back as a surprise.
    on_load : bool
        Whether it can be pickled, and was found by loading that: see `round_trip`.
    hint : str or None
        The advice for it.
    """

    __slots__ = ("exception", "hint", "on_load", "path", "type")

    def __init__(
        self,
        path: str,
        cls: _Type | None,
        exception: Exception | None,
        hint: str | None,
        on_load: bool = False,
    ) -> None:
        self.path = path
        self.type: _Type | None = cls
        self.exception = exception
        self.hint = hint
        self.on_load = on_load

    def _lines(self) -> list[str]:
        kind = "" if self.type is None else f"  (type {full_name(self.type)})"
        lines = [f"{self.path}{kind}"]
        if self.exception is not None:
            message = _message(self.exception)
            lines.append(f"{full_name(type(self.exception))}: {message}".removesuffix(": "))
        return [*lines, self.hint] if self.hint else lines

    def __repr__(self) -> str:
        first, *others = self._lines()
        return "\n    ".join([first, *others])


class Problems(list[Problem]):
    """The Problems that diagnose() has found, shown as text or, in a notebook, as a table.

    `complete` is false where there are more than `max_problems`, at which the search has ended.
    """

    complete: bool = True

    def _summary(self) -> str:
        if not self:
            return "No problems: it can be pickled."
        failing = [problem.on_load for problem in self if problem.exception is not None]
        surprises = len(self) - len(failing)
        counts = []
        for number, what in (
            (failing.count(False), "cannot be pickled"),
            (failing.count(True), f"do{'es' if failing.count(True) == 1 else ''} not load"),
        ):
            if number:
                counts.append(f"{number} place{'' if number == 1 else 's'} that {what}")
        if surprises:
            counts.append(f"{surprises} surprise{'' if surprises == 1 else 's'}")
        more = "" if self.complete else ", and more (see max_problems)"
        return f"{', '.join(counts[:-1])}{' and ' if counts[1:] else ''}{counts[-1]}{more}:"

    def __repr__(self) -> str:
        return "\n".join([self._summary(), *map(repr, self)])

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(self._summary())}</p>"]
        if self:
            parts.append("<table><thead><tr>")
            parts += [f"<th>{name}</th>" for name in ("path", "type", "exception", "what to do")]
            parts.append("</tr></thead><tbody>")
            for problem in self:
                kind = "" if problem.type is None else full_name(problem.type)
                error = problem.exception
                raised = "" if error is None else f"{full_name(type(error))}: {_message(error)}"
                cells = [f"<code>{html.escape(problem.path)}</code>"]
                cells += [html.escape(text) for text in (kind, raised, problem.hint or "")]
                parts.append("<tr>")
                parts += [f'<td style="text-align:left">{cell}</td>' for cell in cells]
                parts.append("</tr>")
            parts.append("</tbody></table>")
        return "".join(parts)


def _message(error: Exception) -> str:
    try:
        message = str(error)
    except Exception as reason:  # its own code
        message = f"<its str() raises {full_name(type(reason))}>"
    return message if len(message) <= 500 else message[:500] + "…"


@drops_frames
def diagnose(
    obj: Any,
    *,
    max_problems: int | None = 100,
    strict: bool = False,
    protocol: int | None = None,
    round_trip: bool = False,
) -> Problems:
    """Find every place in an object that keeps it from being pickled.

    The object is walked as `dumps` walks it, and what would be written is thrown away. Where
    something cannot be pickled, that is noted and the walk goes on behind it. The object stays
    as it is; its own `__reduce__`, `__getstate__` and the like are called, as pickling does,
    maybe more than once.

    Parameters
    ----------
    obj
        The object to be pickled.
    max_problems
        To end the search at so many; None for no limit.
    strict
        Also find what can be pickled, but may surprise: classes and functions from `__main__`,
        those that are found under another name than their own, equal copies of one large object
        (from 64 KiB on, or 1000 items with those of the containers in it), exceptions that lose
        their cause, context or traceback, or whose `args` their `__init__` does not take, and
        paths, which load on one kind of system. That takes about 250 bytes of memory for each
        container.
    protocol
        As for `dumps`: what can be pickled may depend on it.
    round_trip
        Also load what was pickled, part by part, and find what does not load, comes back as
        another type, or comes back with another pickle. This runs the code that a load runs, and
        takes several dumps and loads. It does not miss what a `__getstate__` leaves out.

    Returns
    -------
    Problems
        A list of `Problem`s in the order in which they are met, empty where `obj` can be pickled.

    Raises
    ------
    TypeError, ValueError
        For a protocol that does not exist, or a limit that is no positive number.
    KeyboardInterrupt, MemoryError, SystemExit
        As they come: they are no property of the object.

    Example
    -------
    >>> import threading
    >>> diagnose({"a": [lambda: 0, 1], "b": threading.Lock()})
    2 places that cannot be pickled:
    obj['a'][0]  (type function)
        ...
    obj['b']  (type _thread.lock)
        TypeError: cannot pickle '_thread.lock' object
        A lock works in the process that made it: leave it out in __getstate__, and make a new one \
in __setstate__.
    """
    number = check_protocol(protocol)
    search = _new_search(number, max_problems)
    watch: Any = search.watch if strict else ABSENT
    if not strict and implementation == "native":
        watch = _Tester(search.stream, _implementation.Pickler(Nowhere(), number)).watch
    try:
        write_pickle(search.stream, obj, watch, ABSENT, ABSENT, search.on_failure)
        if round_trip:
            for steps, part, error, hint in find_faults(obj, number):
                search.add(find_place(obj, steps, number).text, part, error, hint, True)
    except _EndError:
        search.found.complete = False
    return search.found


def diagnose_with(
    pickler: Any, obj: Any, number: int, max_problems: int | None, reducers: Any
) -> Problems:
    """The Problems of an object for a Pickler with hooks, for quickpickle.cloud.

    `reducers` has the hooks for the walk; `pickler` writes to a Nowhere, and tests what to walk.
    """
    search = _new_search(number, max_problems)
    watch: Any = ABSENT
    if implementation == "native":
        watch = _Tester(search.stream, pickler).watch
    hook, table = reducers.reducer_override, reducers.dispatch_table
    try:
        write_pickle(search.stream, obj, watch, hook, table, search.on_failure)
    except _EndError:
        search.found.complete = False
    return search.found


def _new_search(number: int, max_problems: int | None) -> _Search:
    if max_problems is not None and max_problems < 1:
        raise ValueError("max_problems must be at least 1, or None")
    stream = Stream(
        lambda data: None,
        Memo(),
        number,
        fix_imports=number < 3,
        buffer_callback=None,
        reduction_limit=Pickler.reduction_limit,
    )
    return _Search(stream, max_problems)


make_public(Problem, diagnose)


class _EndError(Exception):
    """There are more problems than were asked for."""


class _SurpriseError(Exception):
    """Raised at an object that can be pickled, so as to get to know where it is."""

    def __init__(self, hint: str = "", key: Any = None) -> None:
        self.hint = hint
        self.key = key  # of a large object: what its equals have too


class _PartsError(Exception):
    """Raised at a list of which only some items need to be walked."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers


class _Search:
    def __init__(self, stream: Stream, max_problems: int | None) -> None:
        self.found = Problems()
        self.paths: set[str] = set()
        self.stream = stream
        self.max_problems = max_problems
        self.looked_at: Any = ABSENT  # to be written now
        self.large: dict[Any, str] = {}  # the paths of large objects, by what they hold
        self.copies: dict[int, Any] = {}  # of them, by their addresses
        self.contents = _Contents()

    def add(
        self,
        path: str,
        obj: Any,
        error: Exception | None,
        hint: str | None,
        on_load: bool = False,
    ) -> None:
        if path in self.paths:
            return  # a reduction that hands out the same thing twice
        if " … " not in path:
            self.paths.add(path)
        if len(self.found) == self.max_problems:
            raise _EndError
        cls = None if obj is UNKNOWN else type(obj)
        self.found.append(Problem(path, cls, error, hint, on_load))

    def on_failure(
        self,
        stream: Stream,
        root: Any,
        error: BaseException,
        stack: list[Iterator[Any]],
        work: Iterator[Any],
        obj: Any,
    ) -> Iterator[Any] | None:
        """Note a problem; what it returns is written in place of the object at fault."""
        if not isinstance(error, Exception) or isinstance(error, MemoryError):
            return None
        if isinstance(error, _PartsError):
            return _save_list_items(obj, error.numbers)
        steps = read_steps(error, stack, work, obj)
        place = find_place(root, steps, stream.protocol)
        if isinstance(error, _SurpriseError):
            return self.on_surprise(error, place, obj)
        # Where a reduction fails on its way the count of those around stays one too high.
        stream.reduction_limit += 1
        self.add(
            place.text, place.obj, _without_frames(error), place_hint(root, steps, place, error)
        )
        return iter(())

    def on_surprise(self, error: _SurpriseError, place: Place, obj: Any) -> Iterator[Any]:
        self.looked_at = obj
        if error.key is None:
            self.add(place.text, place.obj, None, error.hint)
            return iter((obj,))
        if place.owner is not None and type(obj) in _CONTAINERS:
            return iter((obj,))  # only a part of what it is the state or an argument of
        while place.owner is not None:  # what the bytes are of
            place = place.owner
        first = self.large.setdefault(error.key, place.text)
        if first is place.text:
            return iter((obj,))
        self.copies[id(obj)] = obj
        self.add(place.text, place.obj, None, _COPY.format(first))
        return iter(())  # its members are those of the first

    def watch(self, obj: Any) -> None:
        """Look at an object, as a Pickler's persistent_id, before it is written."""
        if obj is self.looked_at:
            self.looked_at = ABSENT
            return
        cls = type(obj)
        if id(obj) in self.stream.memo.numbers:
            return
        if cls is FunctionType or issubclass(cls, type):
            self.watch_global(obj)
        elif cls in _CONTAINERS:
            content = self.contents.of(obj)
            if content is not None and content.is_large and id(obj) not in self.copies:
                self.watch_large(obj, content.digest)
        elif cls in _MEASURES:
            if _MEASURES[cls](obj) and id(obj) not in self.copies:
                self.watch_large(obj, _digest(obj))
        elif issubclass(cls, BaseException):
            _watch_exception(obj)
        elif full_name(cls) in _PATHS:
            raise _SurpriseError(_ONE_PLATFORM)
        elif full_name(cls) in _LOCAL_PATHS:
            raise _SurpriseError(f"{_ONE_PLATFORM} {_FROM_313}")

    def watch_large(self, obj: Any, digest: Any) -> None:
        key = (type(obj), digest)
        if digest is None or (len(self.large) >= _MOST_NOTED and key not in self.large):
            return
        # A copy of what has the same large members writes references to them, no second time.
        if key not in self.large or type(obj) not in _CONTAINERS or self.writes_much(obj):
            raise _SurpriseError(key=key)

    def writes_much(self, obj: Any) -> bool:
        """Whether what is large in a container is not written yet."""
        numbers = self.stream.memo.numbers
        seen: set[int] = set()
        todo = [obj]
        items = size = 0
        while todo:
            members = _members(todo.pop())
            items += len(members)
            if items >= _MANY:
                return True
            for member in members:
                if id(member) in numbers or id(member) in seen:
                    continue
                seen.add(id(member))
                if type(member) in _CONTAINERS:
                    todo.append(member)
                elif type(member) in (str, bytes, bytearray):
                    size += len(member)
        return size >= _LARGE

    def watch_global(self, obj: Any) -> None:
        try:
            found = find_global(obj)
        except Exception:
            return  # it cannot be pickled, or its own code decides
        if found.module_name in _MAIN:
            raise _SurpriseError(_FROM_MAIN)
        if issubclass(type(obj), type) and name_of(obj) != found.name.rpartition(".")[2]:
            raise _SurpriseError(_OTHER_NAME.format(f"{found.module_name}.{found.name}"))


def _watch_exception(error: BaseException) -> None:
    cls = type(error)
    if _is_made_of_args(cls):
        init = find(cls, "__init__")
        args = _args_of(error)
        if type(init) is FunctionType and type(args) is tuple:
            try:
                inspect.signature(init).bind(error, *args)
            except (TypeError, ValueError):
                raise _SurpriseError(EXCEPTION) from None
    held = vars(BaseException)
    lost = [name for name in _NOT_PICKLED if held[name].__get__(error) is not None]
    if lost:
        raise _SurpriseError(_LOST.format(" and ".join(lost)))


def _is_made_of_args(cls: type) -> bool:
    """Whether the exceptions of a class are loaded by a call of it with their args."""
    names = ("__reduce__", "__reduce_ex__")
    is_plain = all(find(cls, name) is find(BaseException, name) for name in names)
    return is_plain and cls not in copyreg.dispatch_table


class Nowhere:
    """A file that keeps nothing."""

    def write(self, data: Any) -> None:
        """Throw it away."""


class _Tester:
    """Pickles the members of containers, to find those that need not be walked one by one.

    That is for the compiled implementation, which pickles much faster than the walk goes. Objects
    that can be pickled count as written: they are in the walk's memo.
    """

    def __init__(self, stream: Stream, pickler: Any) -> None:
        self.numbers = stream.memo.numbers
        self.pickler = pickler
        self.kept: list[Any] = []  # so that nothing else gets the addresses in the memo
        self.limit: float | None = None
        self.lost = 0.0  # seconds, in dumps that have failed

    def watch(self, obj: Any) -> None:
        """Test the members of an object, as a Pickler's persistent_id, before it is walked."""
        if type(obj) not in _CONTAINERS or id(obj) in self.numbers:
            return
        if self.limit is not None and self.lost >= self.limit:
            return
        failing = self.test(_members(obj))
        if type(obj) is list and failing is not None:
            self.kept.append(obj)
            self.numbers[id(obj)] = 0
            raise _PartsError(failing)

    def test(self, members: list[Any]) -> list[int] | None:
        """The numbers of the members that cannot be pickled; None if that would take too long."""
        failing = []
        start = 0
        while start < len(members):
            part = members[start : start + _AT_ONCE]
            began = perf_counter()
            try:
                self.pickler.dump(part)
            except MemoryError:
                raise
            except Exception as error:
                spent = perf_counter() - began
                self.lost += spent
                if self.limit is None:  # such a dump may be repeated at every level
                    self.limit = 3 * spent + 0.05
                clean = _failed_item(error)
                if not 0 <= clean < len(part) or self.lost >= self.limit:
                    return None
                failing.append(start + clean)
                del part[clean:]
                start += 1
            self.kept.append(part)
            self.numbers.update(zip(map(id, part), repeat(0)))
            start += len(part)
        return failing


def _failed_item(error: Exception) -> int:
    """The number of the item at which the dump of a list has failed, from the note; -1 without."""
    notes = vars(error).get("__notes__")
    for note in notes if type(notes) is list else ():
        found = _ITEM_IN_A_NOTE.match(note) if type(note) is str else None
        if found is not None:
            return int(found[1])
    return -1


def _save_list_items(obj: list[Any], numbers: list[int]) -> Iterator[Any]:
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


_set_context: Final = vars(BaseException)["__context__"].__set__


def _is_long(obj: Any) -> bool:
    return len(obj) >= _LARGE


def _is_large(obj: Any) -> bool:
    with memoryview(obj) as view:
        return view.nbytes >= _LARGE


_MEASURES: Final[dict[type, Callable[[Any], bool]]] = {
    **dict.fromkeys((str, bytes, bytearray), _is_long),
    PickleBuffer: _is_large,
}
_CONTAINERS: Final = {tuple, list, dict, set, frozenset}
_PLAIN: Final = {type(None), bool, int, float, str, bytes}


def _digest(obj: Any) -> Any:
    """A key that two strings or buffers of a type share if they are equal."""
    about: Any = None
    data: Any = obj
    if type(obj) is PickleBuffer:
        with memoryview(obj) as view:
            if not view.c_contiguous:
                return None
            about, data = (view.format, view.shape), view.tobytes()
    elif type(obj) is str:
        data = obj.encode("utf-8", "surrogatepass")
    return about, hashlib.blake2b(data).digest()


def _members(obj: Any) -> list[Any]:
    return [*obj, *obj.values()] if type(obj) is dict else list(obj)


class _Content(NamedTuple):
    """The content of a container, with all nested ones; numbers beyond large are cut."""

    digest: bytes
    items: int
    size: int  # bytes of strings

    @property
    def is_large(self) -> bool:
        return self.items >= _MANY or self.size >= _LARGE


class _Contents:
    """The contents of containers, each found once, however often it is referred to.

    They are known where there is nothing but scalars, strings and other such containers, and none
    that contains itself.
    """

    def __init__(self) -> None:
        # By the address of the container, which is kept, so that no other gets its address.
        self.known: dict[int, tuple[Any, _Content | None]] = {}

    def of(self, root: Any) -> _Content | None:
        known = self.known
        todo = [root]
        open_ones: set[int] = set()  # from the root to the last of `todo`
        while todo:
            obj = todo[-1]
            if id(obj) not in known and id(obj) not in open_ones:
                open_ones.add(id(obj))
                todo += [
                    member
                    for member in _members(obj)
                    if type(member) in _CONTAINERS
                    and id(member) not in known
                    and id(member) not in open_ones
                ]
                continue
            todo.pop()
            if id(obj) not in known:
                open_ones.remove(id(obj))
                known[id(obj)] = obj, self._read(obj)
        return known[id(root)][1]

    def _read(self, obj: Any) -> _Content | None:
        members = _members(obj)
        items = len(members) if type(obj) is not dict else len(obj)
        size = 0
        types = set(map(type, members))
        if not types <= _PLAIN:
            for i, member in enumerate(members):
                if type(member) is bytearray:
                    size += len(member)
                    members[i] = (_digest(member),)
                elif type(member) not in _PLAIN:
                    content = self.known.get(id(member), (None, None))[1]
                    if content is None:
                        return None
                    items += content.items
                    size += content.size
                    members[i] = (content.digest,)
        if str in types or bytes in types:
            size += sum(len(member) for member in members if type(member) in (str, bytes))
        if type(obj) in (set, frozenset):
            members = sorted(marshal.dumps(member, 2) for member in members)
        # 2: without references, which depend on who else has an item
        data = marshal.dumps([type(obj).__name__, *members], 2)
        digest = hashlib.blake2b(data, digest_size=16).digest()
        return _Content(digest, min(items, _MANY), min(size, _LARGE))
