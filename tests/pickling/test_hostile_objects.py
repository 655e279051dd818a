"""Objects and hooks that do harm while they are pickled: the outcome is the standard pickler's.

Where that crashes or mixes its stream (containers that change, a dump within a dump), see
test_containers.py and test_pickler.py; reductions of every wrong shape are in test_reductions.py.
"""

from __future__ import annotations

import copyreg
import gc
import pickle
import sys
import threading
import weakref

import pytest

from cases import for_each
from differential import assert_same, assert_same_dumps, only_c, only_cpython, outcome


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None


class Other(Plain):
    pass


class Acts(Plain):
    """Does something in its __reduce__."""

    def __reduce__(self):
        self.act()
        return int, (7,)


# --- hooks that let go what they were given


class Owner:
    """Mixed into a Pickler: a hook that empties a list once its last member is asked for."""

    place = "persistent_id"
    items: list

    def let_go(self, obj):
        if type(obj) is Plain and getattr(obj, "last", False):
            self.items.clear()
            gc.collect()

    def persistent_id(self, obj):
        if self.place == "persistent_id":
            self.let_go(obj)

    def reducer_override(self, obj):
        if self.place == "reducer_override":
            self.let_go(obj)
        return NotImplemented


@pytest.mark.parametrize("place", ["persistent_id", "reducer_override"])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_hook_that_drops_its_argument(implementation, protocol, place, depth):
    """The object lies in nothing any more when its hook returns, and neither does its list."""

    def use(cls, file):
        items = [Plain(a=["x" * 10] * 3, n=1), Plain(last=True, b=[2.5] * 50, c={"k": (1,)})]
        pickler = cls(file, protocol)
        pickler.place, pickler.items = place, items
        # The last member of a tuple, so that no list is written that changes its size.
        obj = (tuple(items),)
        for _ in range(depth):
            obj = (obj,)
        del items[:-1]
        pickler.dump(obj)
        return pickle.loads(file.getvalue())

    assert_same_dumps(implementation, use, Owner)


def test_members_that_are_replaced_once_they_were_written(implementation, protocol):
    """The memo keeps its objects alive: another object may get the address of one that is freed."""

    def make():
        def act():
            for i in range(50):
                items[i] = Plain(number=-i)
            items.append(None)
            items.pop()
            gc.collect()

        items = [Plain(number=i, data=[str(i)] * 2) for i in range(50)]
        fresh = [Plain(number=i) for i in range(200)]
        return (items[:], items, Acts(act=act), fresh, items)

    data = assert_same(implementation, make, protocol)
    first, second, _, fresh, last = pickle.loads(data)
    assert [a is b for a, b in zip(first, second, strict=True)] == [True] * 50
    assert [obj.number for obj in fresh] == list(range(200))
    assert last is second


def test_the_last_reference_to_a_part_of_a_reduction(implementation, protocol):
    class HandsOut(Plain):
        def __reduce__(self):
            made, self.made = self.made, None
            return list, (), None, iter(made)

    def make():
        return [HandsOut(made=[Plain(i=i, s=[str(i)]) for i in range(20)]) for _ in range(10)]

    loaded = pickle.loads(assert_same(implementation, make, protocol))
    assert loaded == [[Plain(i=i, s=[str(i)]) for i in range(20)] for _ in range(10)]


# --- classes and tables that change


class ChangesClass(Plain):
    def __getstate__(self):
        self.__class__ = Other
        return {"changed": True}


class ChangesOthers(Plain):
    def __getstate__(self):
        for other in self.others:
            other.__class__ = Other
            other.more = [1]
        return {}


def test_instances_that_change_their_class(implementation, protocol):
    assert_same(implementation, lambda: [ChangesClass(a=1), ChangesClass(b=2)], protocol)

    def make():
        others = [Plain(a=1), Plain(b=[2])]
        return [others[0], ChangesOthers(others=others), others[1], others]

    assert_same(implementation, make, protocol)


def test_dispatch_table_entries_that_come_and_go(implementation, protocol):
    def make():
        def first(obj):
            copyreg.dispatch_table[Plain] = second
            return int, (1,)

        def second(obj):
            del copyreg.dispatch_table[Plain]
            return int, (2,)

        copyreg.dispatch_table[Plain] = first
        return [Plain(), Plain(), Plain(a=3), Plain(b=4)]

    try:
        data = assert_same(implementation, make, protocol)
    finally:
        copyreg.dispatch_table.pop(Plain, None)
    assert pickle.loads(data) == [1, 2, Plain(a=3), Plain(b=4)]


def test_a_private_dispatch_table_that_changes(implementation, protocol):
    def use(cls, file):
        def reduce(obj):
            pickler.dispatch_table.clear()
            pickler.dispatch_table[Other] = lambda obj: (int, (5,))
            return str, ("reduced",)

        pickler = cls(file, protocol)
        pickler.dispatch_table = {Plain: reduce}
        pickler.dump([Plain(), Plain(a=1), Other()])
        return pickle.loads(file.getvalue())

    assert assert_same_dumps(implementation, use)[0][0] == "reduced"


# --- hooks that raise, each call in turn


class Counts:
    """Mixed into a Pickler: its hooks, and the methods of what it pickles, count their calls."""

    def persistent_id(self, obj):
        Tells.tell()
        return ["id"] if type(obj) is complex else None

    def reducer_override(self, obj):
        Tells.tell()
        return NotImplemented


class Tells:
    calls = fail_at = 0
    error: type = ValueError

    @classmethod
    def tell(cls):
        cls.calls += 1
        if cls.calls == cls.fail_at:
            raise cls.error

    def __reduce_ex__(self, protocol):
        self.tell()
        return dict, (), {"state": State()}, self.each([1, State()]), self.each([("k", 2)])

    def each(self, items):
        self.tell()
        for item in items:
            self.tell()
            yield item

    def append(self, item):
        pass

    def __setitem__(self, key, value):
        pass


class State:
    def __getstate__(self):
        Tells.tell()
        return {"a": [1j]}


class NewArguments:
    def __new__(cls, *arguments):
        return super().__new__(cls)

    def __getnewargs_ex__(self):
        Tells.tell()
        return (State(),), {}


@pytest.mark.costly
@pytest.mark.parametrize("error", [ValueError, StopIteration, KeyboardInterrupt, RecursionError])
@pytest.mark.parametrize("hooks", [(), (Counts,)], ids=["no hooks", "hooks"])
def test_raising_at_each_call_in_turn(implementation, protocol, hooks, error, monkeypatch):
    monkeypatch.setattr(Tells, "error", error)

    def make():
        Tells.calls = 0
        return [
            "before",
            State(),
            Tells(),
            {"k": (State(), NewArguments())},
            (State(), [1j, len]),
            "after",
        ]

    def use(cls, file):
        pickler = cls(file, protocol)
        obj = make()
        results = []
        Tells.fail_at = 0
        Tells.calls = 0
        pickler.dump(obj)
        calls = Tells.calls
        for at in range(1, calls + 1):
            pickler.clear_memo()
            file.seek(0)
            file.truncate()
            Tells.calls, Tells.fail_at = 0, at
            try:
                pickler.dump(obj)
            except BaseException as raised:
                results.append((type(raised), Tells.calls))
            Tells.fail_at = 0
            file.seek(0)
            file.truncate()
            # The standard pickler's memo is left with what was never written.
            pickler.clear_memo()
            pickler.dump(obj)
            results.append(file.getvalue())
        return calls, results

    calls, results = assert_same_dumps(implementation, use, *hooks)[0]
    assert calls > 8
    assert len(results) == 2 * calls


def test_iterators_that_raise_at_each_step(implementation, protocol):
    for at in range(6):

        def items(at=at):
            for i in range(5):
                if i == at:
                    raise ZeroDivisionError(i)
                yield (f"key {i}", [i])

        class Iterates(Plain):
            def __reduce__(self):
                return dict, (), None, None, items()

        assert_same(implementation, lambda cls=Iterates: ["a", cls(), "b"], protocol)


# --- threads


def test_a_reduce_that_starts_threads(implementation, protocol):
    """They pickle and collect garbage while the dump that started them waits for them."""

    def make():
        def work():
            results.append(implementation.dumps([Plain(a=[i]) for i in range(50)], protocol))
            gc.collect()

        def act():
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return [["shared"] * 2, [Plain(a=1), Acts(act=act), Plain(b=2)], Acts(act=act)]

    results = []
    data = assert_same(implementation, make, protocol)
    assert pickle.loads(data) == [["shared"] * 2, [Plain(a=1), 7, Plain(b=2)], 7]
    expected = pickle.dumps([Plain(a=[i]) for i in range(50)], protocol)
    assert results == [expected] * 12


# --- buffers


@only_cpython
@pytest.mark.parametrize("how", ["extend", "clear", "release", "delete"])
def test_a_buffer_that_is_to_change_in_its_callback(implementation, how):
    """A bytearray that is looked at refuses to be resized; a view that is released is empty."""

    def run(module):
        data = bytearray(b"x" * 100)
        buffer = pickle.PickleBuffer(data)
        seen = []

        def callback(given):
            if how == "release":
                given.release()
            elif how == "delete":
                seen.append(outcome(lambda: data.__delitem__(slice(10, None))))
            else:
                seen.append(
                    outcome(lambda: getattr(data, how)(*([b"y" * 99_999] * (how[0] == "e"))))
                )
            return how == "extend"  # in the stream

        result = outcome(lambda: module.dumps([buffer, b"end"], 5, buffer_callback=callback))
        buffer.release()
        data.extend(b"free again")
        return result, seen, bytes(data)

    assert run(implementation) == run(pickle)


def test_a_bytearray_that_is_resized_by_a_write(implementation, protocol):
    """A large one is handed to write() as it is, which is looking at it meanwhile."""
    data = bytearray(b"x" * 100_000)
    written, refused = [], []

    class File:
        def write(self, given):
            written.append(bytes(given))
            try:
                data.append(1)
            except BufferError:
                refused.append(len(data))
            else:
                del data[-1]

    implementation.dump(["a", data, "b"], File(), protocol)
    assert b"".join(written) == pickle.dumps(["a", bytearray(b"x" * 100_000), "b"], protocol)


# --- subclasses that lie


def liar(base, **methods):
    return type(f"Lying{base.__name__}", (base,), {"__module__": __name__, **methods})


def _raises(*arguments):
    raise ZeroDivisionError


LIES = {
    "len 0": {"__len__": lambda self: 0},
    "len huge": {"__len__": lambda self: sys.maxsize},
    "len raises": {"__len__": _raises},
    "iter empty": {"__iter__": lambda self: iter(())},
    "iter other": {"__iter__": lambda self: iter([1, "two"])},
    "iter raises": {"__iter__": _raises},
    "eq True": {"__eq__": lambda self, other: True, "__hash__": lambda self: 1},
    "eq raises": {"__eq__": _raises, "__hash__": _raises},
    "unhashable": {"__hash__": None},
    "bool": {"__bool__": lambda self: False},
    "getattr": {"__getattribute__": lambda self, name: object.__getattribute__(self, name)},
    "items": {"items": lambda self: iter([("a", "b")]), "keys": _raises, "values": _raises},
    "getitem": {"__getitem__": _raises, "__contains__": _raises},
    "class": {"__class__": int},
    "str": {"__str__": _raises, "__repr__": _raises, "encode": _raises, "__format__": _raises},
    "int": {"__int__": _raises, "__index__": _raises, "to_bytes": _raises, "bit_length": _raises},
}
VALUES = {
    str: ("text",),
    int: (70_000,),
    float: (1.5,),
    bytes: (b"bytes",),
    bytearray: (b"array",),
    tuple: ((1, "two", 3.5, None),),
    list: ([1, "two"],),
    dict: ({"a": 1, "b": [2]},),
    set: ({1, 2},),
    frozenset: ({1, 2},),
}


@for_each("lie", LIES)
@pytest.mark.parametrize("base", VALUES, ids=lambda base: base.__name__)
def test_subclasses_that_lie(implementation, protocol, base, lie, monkeypatch):
    """Two of them, once as they are and once in what the type's reduction is made of."""
    cls = liar(base, **LIES[lie])
    monkeypatch.setattr(sys.modules[__name__], cls.__name__, cls, raising=False)

    def make():
        first = cls(*VALUES[base])
        return [first, "between", (cls(*VALUES[base]), first), {"key": first}]

    assert_same(implementation, make, protocol)


@only_c
@pytest.mark.parametrize("lie", ["len 0", "len huge", "iter empty", "iter other", "eq True"])
def test_reductions_that_lie(implementation, protocol, lie, monkeypatch):
    """They are arguments, state and name of a reduction."""
    classes = {base: liar(base, **LIES[lie]) for base in (str, tuple, dict)}
    for cls in classes.values():
        monkeypatch.setattr(sys.modules[__name__], cls.__name__, cls, raising=False)

    class Reduces(Plain):
        def __reduce__(self):
            return self.reduction

    reductions = {
        "name": classes[str]("Plain"),
        "reduction": classes[tuple]((int, (1,))),
        "arguments": (Plain, classes[tuple](())),
        "state": (Plain, (), classes[dict](a=1)),
        "state of two": (Plain, (), classes[tuple](({"a": 1}, {"b": 2}))),
    }
    for reduction in reductions.values():
        assert_same(implementation, lambda r=reduction: ["a", Reduces(reduction=r), "b"], protocol)


def test_an_object_that_drops_its_holders_in_its_own_reduce(implementation, protocol):
    """Nothing but the pickler holds it then."""

    class Vanishes(Plain):
        def __reduce__(self):
            del self.holder.held
            gc.collect()
            freed.append(weakref.ref(self))
            return list, (), None, iter([vars(self).pop("data")])

    freed = []
    holder = Plain()
    holder.held = Vanishes(data=["a", [1]], holder=holder)
    data = implementation.dumps((weakref.proxy(holder).held, "b"), protocol)
    assert pickle.loads(data) == ([["a", [1]]], "b")
    gc.collect()
    assert freed[0]() is None
