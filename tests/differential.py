"""The reference of the tests: the outcome of the running interpreter's own pickler."""

from __future__ import annotations

import io
import pickle
import re
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final

import pytest

import pypy_reference

# There pickle.Pickler is that of pypy_reference.py.
PYPY: Final = sys.implementation.name == "pypy"
only_counted: Final = pytest.mark.skipif(PYPY, reason="PyPy does not count references")
only_c: Final = pytest.mark.skipif(
    PYPY, reason="pickle.py, the reference on PyPy, looks at other attributes, and believes lies"
)
only_cpython: Final = pytest.mark.skipif(PYPY, reason="PyPy's objects are not the same here")


class Refusal(tuple[Any, ...]):
    """A refusal by pypy_reference.py itself, for which `_pickle` has other types and words."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and isinstance(other[0], type)

    def __ne__(self, other: object) -> bool:
        return not self == other


def outcome(action: Callable[[], Any]) -> Any:
    """The result of `action`, or the type and message of its exception, without addresses."""
    try:
        return action()
    except Exception as error:
        result = type(error), re.sub(r"0x[0-9a-f]+", "0x…", str(error))
        if is_refusal(error):
            return Refusal(result)
        return result


def is_refusal(error: Exception) -> bool:
    """Whether pypy_reference.py raised it; on CPython only in test_pypy_reference.py."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    reference = pypy_reference.__file__
    is_of_reference = reference in files and files[-1] in (reference, pickle.__file__)
    return is_of_reference and not isinstance(error, RecursionError)


def assert_same(
    implementation: ModuleType, make: Callable[[], Any], protocol: int, **options: Any
) -> Any:
    """Assert that both picklers give the same for an object, made anew for each; return it."""
    ours = outcome(lambda: implementation.dumps(make(), protocol, **options))
    theirs = outcome(lambda: pickle.dumps(make(), protocol, **options))
    assert ours == theirs
    return ours


def assert_same_when_it_changes(
    implementation: ModuleType,
    make: Callable[[], list[Any]],
    protocol: int,
    changes: tuple[Callable[[], None], Callable[[], None]],
    acting: Callable[[Callable[[], None]], Any],
) -> None:
    """Before a change, after it, when it is undone, and when it comes in the middle of a dump.

    `changes` are the change and what undoes it; `acting` makes an object that runs the change.
    """
    change, undo = changes
    assert_same(implementation, make, protocol)
    change()
    assert_same(implementation, make, protocol)
    undo()
    assert_same(implementation, make, protocol)

    def change_in_the_middle() -> list[Any]:
        undo()
        return [*make(), acting(change), *make()]

    assert_same(implementation, change_in_the_middle, protocol)


def assert_same_hooks(
    implementation: ModuleType,
    objects: list[Any],
    protocol: int,
    cls: type,
    table: dict[type, Any] | None = None,
) -> None:
    """Assert that each hook is asked for the same, in the same order. Only `cls` has an answer.

    With a `table`, a second dump has this dispatch_table.
    """

    class Reduces:
        def reducer_override(self: Any, obj: Any) -> Any:
            self.asked.append(type(obj))
            return (str, ("over",)) if type(obj) is cls else NotImplemented

    class Knows:
        def persistent_id(self: Any, obj: Any) -> Any:
            self.asked.append(type(obj))
            return "1" if type(obj) is cls else None

    for base in (Reduces, Knows):
        seen = []
        for module in (implementation, pickle):
            file = io.BytesIO()
            pickler = type("Sub", (base, module.Pickler), {})(file, protocol)
            pickler.asked = []
            pickler.dump(objects)
            if table is not None:
                pickler.dispatch_table = table
                pickler.dump(objects)
            seen.append((file.getvalue(), pickler.asked))
        assert seen[0] == seen[1]


def assert_same_dumps(
    implementation: ModuleType, use: Callable[[Any, io.BytesIO], Any], *bases: type
) -> Any:
    """Assert that `use` has the same outcome with either Pickler class; return it.

    `use` gets the class, mixed with `bases`, and a file. The file's contents are compared too.
    """
    results = []
    for module in (implementation, pickle):
        cls = type("Sub", (*bases, module.Pickler), {})
        file = io.BytesIO()
        result = outcome(lambda: use(cls, file))  # noqa: B023
        results.append((result, file.getvalue()))
    assert results[0] == results[1]
    return results[0]


# --- loading


def describe(obj: Any) -> list[str]:
    """The parts of an object, in the order in which they are met; a part met again by its number.

    Objects are equal in type, structure and identity where their descriptions are equal. It asks
    instances for nothing but their class and what they hold.
    """
    numbers: dict[int, int] = {}
    met: list[Any] = []  # so that no address is used twice
    result: list[str] = []
    work = [obj]
    while work:
        obj = work.pop()
        number = numbers.get(id(obj))
        if number is not None:
            result.append(f"#{number}")
            continue
        numbers[id(obj)] = len(met)
        met.append(obj)
        # Most are of these types; what _parts does takes long.
        cls = type(obj)
        if cls is int:
            result.append(f"builtins.int {obj!r}")
        elif cls is list or cls is tuple:
            result.append(f"builtins.{cls.__name__} {len(obj)} {len(obj)}")
            work += reversed(obj)
        elif cls is dict:
            result.append(f"builtins.dict {2 * len(obj)} {2 * len(obj)}")
            for pair in reversed(obj.items()):
                work += reversed(pair)
        else:
            label, children = _parts(obj, numbers)
            result.append(label)
            work += reversed(children)
    return result


def _parts(obj: Any, numbers: dict[int, int]) -> tuple[str, list[Any]]:
    cls = type(obj)
    if cls is str:
        return f"builtins.str {without_addresses(repr(obj))}", []
    label = f"{cls.__module__}.{cls.__qualname__}"
    children: list[Any] = []
    if cls in (int, float, complex, bool, type(None), bytes, str, bytearray):
        return f"{label} {without_addresses(repr(obj))}", []
    if issubclass(cls, (type, type(outcome), type(len), ModuleType, type(list.append))):
        return f"{label} {without_addresses(repr(obj))}", []
    if issubclass(cls, memoryview):
        return f"{label} {obj.readonly} {bytes(obj)!r}", []
    if issubclass(cls, tuple):
        children += tuple.__iter__(obj)
    elif issubclass(cls, list):
        children += list.__iter__(obj)
    elif issubclass(cls, dict):
        for pair in dict.items(obj):
            children += pair
    elif issubclass(cls, deque):
        label += f" {obj.maxlen}"
        children += deque.__iter__(obj)
    elif issubclass(cls, set):
        children += _in_order(set.__iter__(obj), numbers)
    elif issubclass(cls, frozenset):
        children += _in_order(frozenset.__iter__(obj), numbers)
    elif issubclass(cls, (int, float, str, bytes, bytearray)):
        base = next(c for c in (int, float, str, bytes, bytearray) if issubclass(cls, c))
        label += f" {without_addresses(base.__repr__(obj))}"
    elif "__reduce_ex__" not in vars(cls) and cls.__flags__ & 1 << 9 == 0:  # no class statement
        label += f" {without_addresses(repr(obj))}"
    size = len(children)
    state = _try(lambda: obj.__dict__)
    if isinstance(state, dict):
        children.append(state)
    for base in cls.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{base.__name__.lstrip('_')}{name}"
            if name not in ("__dict__", "__weakref__") and hasattr(obj, name):
                children += name, getattr(obj, name)
    return f"{label} {size} {len(children)}", children


def _in_order(members: Iterable[Any], numbers: dict[int, int]) -> list[Any]:
    """The members of a set, in an order that does not depend on their addresses.

    Of those that look alike, and have not been met, only how they look.
    """
    pairs = sorted(((_look(obj, numbers), obj) for obj in members), key=lambda pair: pair[0])
    alike = Counter(look for look, _ in pairs)
    return [obj if alike[look] == 1 else look for look, obj in pairs]


def _look(obj: Any, numbers: dict[int, int]) -> tuple[int, str]:
    number = numbers.get(id(obj), sys.maxsize)
    attributes = _try(lambda: repr(obj.__dict__))
    text = without_addresses(f"{type(obj)} {obj!r} {attributes}")
    # Sets in it are shown in an order that depends on addresses.
    return number, "".join(sorted(text)) if "{" in text else text


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x…", text) if "0x" in text else text


def load_outcome(load: Callable[[], Any]) -> Any:
    """The description of what `load` returns, or the type and message of its exception."""
    try:
        result = load()
    except Exception as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            error.__traceback__ = None
        return type(error), without_addresses(str(error))
    return describe(result)


def assert_same_load(unpickling: ModuleType, data: Any, **options: Any) -> Any:
    """Assert that a pickle has the same outcome with `_pickle`; return its description.

    It goes by `loads`, and by `load` of a BytesIO, whose position is compared too. An iterator of
    buffers is to be given as a function that makes it.
    """
    return assert_all_load_the_same([unpickling], data, **options)


def assert_all_load_the_same(modules: Iterable[ModuleType], data: Any, **options: Any) -> Any:
    """The same for several of our modules, with one outcome of `_pickle` for all of them."""
    # The strings that the first load has interned stay interned: that decides which strings of the
    # next loads are one object.
    kept = _try(lambda: pickle.loads(data, **_options(options)))
    theirs = load_outcome(lambda: pickle.loads(data, **_options(options)))
    for module in modules:
        ours = load_outcome(lambda: module.loads(data, **_options(options)))  # noqa: B023
        assert ours == theirs or is_without_the_memory(ours, theirs), (module.__name__, data)
    theirs_of_file = _load_file_outcome(pickle, data, options)
    for module in modules:
        ours_of_file = _load_file_outcome(module, data, options)
        is_same = ours_of_file == theirs_of_file
        assert is_same or is_without_the_memory(ours_of_file[0], theirs_of_file[0]), (
            module.__name__,
            data,
        )
    del kept
    return ours_of_file[0]


def _load_file_outcome(module: ModuleType, data: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    file = io.BytesIO(data)
    result = load_outcome(lambda: module.load(file, **_options(options)))
    return result, file.tell() if type(result) is list else None


NOT_THERE: Final = (
    (pickle.UnpicklingError, "pickle data was truncated"),
    (pickle.UnpicklingError, "pickle exhausted before end of frame"),
)


def is_without_the_memory(ours: Any, theirs: Any) -> bool:
    """Whether `_pickle` has asked for the memory of bytes that are not there: up to 3.14."""
    return (
        type(ours) is type(theirs) is tuple
        and ours in NOT_THERE
        and theirs in ((MemoryError, ""), (OverflowError, "byte string is too large"))
    )


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in options.items()}


def _try(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception:
        return None
