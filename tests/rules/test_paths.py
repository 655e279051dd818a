"""Errors that say where: the path to the object at fault, and the note with it."""

from __future__ import annotations

import collections
import contextlib
import copyreg
import enum
import functools
import gc
import io
import itertools
import pickle
import re
import subprocess
import sys
import threading
import traceback
import types
import weakref
from dataclasses import dataclass, field

import pytest

import quickpickle
from differential import PYPY, only_counted, only_cpython, outcome
from models import Plain, Point
from quickpickle.rules import paths
from quickpickle.rules.versions import LIST_SIZE_IS_CHECKED

HEAD = "pickling failed at "


def lock():
    return threading.Lock()


# --- the classes of the table


class Slots:
    __slots__ = ("a", "b")


class SlotsAndDict(Slots):
    __slots__ = ("__dict__", "__private")

    def __init__(self):
        self.__private = lock()


@dataclass(frozen=True, slots=True)
class Frozen:
    first: object
    second: object


@dataclass
class Data:
    first: object = 1
    rest: list = field(default_factory=list)


class Pair(tuple):
    __slots__ = ()


class List(list):
    pass


class Dict(dict):
    pass


class Set(set):
    pass


class IndexedAnew(list):
    def __getitem__(self, index):
        raise AssertionError("not asked")


class LookedUpAnew(dict):
    def __getitem__(self, key):
        raise AssertionError("not asked")


class Reduced:
    """Hands out what nothing else has."""

    def __init__(self, *reduction):
        self.__reduction = reduction

    def __reduce_ex__(self, protocol):
        return tuple(copied(item) for item in self.__dict__["_Reduced__reduction"])


def copied(item):
    """An iterator for a list of items: each reduction needs a new one."""
    return iter(item) if type(item) is list else item


class GetState:
    def __init__(self, state):
        self.make_state = lambda: state

    def __getstate__(self):
        return self.make_state()


class CopiesDict:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __getstate__(self):
        return {**self.__dict__, "version": 3}


class NewArguments:
    def __init__(self, *args):
        self.args = args

    def __new__(cls, *args):
        return object.__new__(cls)

    def __getnewargs__(self):
        return self.args

    def __getstate__(self):
        return None


class NewKeywords:
    def __init__(self, secret=None, number=0):
        self.secret = secret

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (1, self.secret), {"number": 3}

    def __getstate__(self):
        return None


class NewKeywordsOnly(NewKeywords):
    def __getnewargs_ex__(self):
        return (), {"secret": self.secret}


class NewArgumentsEachTime(NewKeywords):
    def __getnewargs_ex__(self):
        return (1, [lock()]), {"number": 3}


class StateOfItsOwn(Reduced):
    """Its reduction has another state than its __getstate__."""

    def __getstate__(self):
        return {"other": 1}


class Shadowed:
    def __init__(self):
        self.__dict__["value"] = lock()

    @property
    def value(self):
        raise AssertionError("not asked")


class Guarded:
    """Overrides every look-up."""

    def __init__(self, value):
        self.value = value

    def __getattribute__(self, name):
        if name == "value":
            return None
        return object.__getattribute__(self, name)


class Color(enum.Enum):
    RED = 1


class LoudKey:
    """A key whose code must not run once the dump has failed."""

    armed = False

    def __hash__(self):
        assert not self.armed
        return 1

    def __eq__(self, other):
        assert not self.armed
        return self is other

    def __repr__(self):
        raise AssertionError("not asked")


class Registered:
    def __init__(self, value):
        self.value = value


def reduce_registered(obj):
    return Registered, ([obj.value],)


copyreg.pickle(Registered, reduce_registered)


def set_state(obj, state):
    pass


def slots():
    obj = Slots()
    obj.a, obj.b = 1, [lock()]
    return obj


def cyclic():
    obj = [1]
    obj.append({"self": obj, "lock": lock()})
    return obj


def shared():
    part = ["written before"]
    return [part, part, {"again": part}, lock()]


def keyed(key, value):
    return {"other": 1, key: value, "last": 2}


def counted(*items):
    return collections.Counter(dict.fromkeys(items, 1))


def ordered():
    return collections.OrderedDict(a=1, b=[lock()])


def chained(items):
    return itertools.chain(items)


FROM_2 = (2, 5)
ALL = (0, 2, 5)

# The pickled object, the path to the object at fault, and the protocols. {0} is the protocol.
TABLE = {
    "itself": (lock, "obj", ALL),
    "list": (lambda: [lock()], "obj[0]", ALL),
    "last of a list": (lambda: [*range(5), lock()], "obj[5]", ALL),
    "second batch of a list": (lambda: [*range(1500), [], lock(), 3], "obj[1501]", ALL),
    "single one after a batch": (lambda: [*([] for _ in range(1000)), lock()], "obj[1000]", ALL),
    "tuple": (lambda: (1, [], lock()), "obj[2]", ALL),
    "tuple of 4": (lambda: (1, [2], "3", lock()), "obj[3]", ALL),
    "lists and tuples": (lambda: [0, (1, [lock()], 2)], "obj[1][1][0]", ALL),
    "dict": (lambda: {"a": lock()}, "obj['a']", ALL),
    "dict of 2": (lambda: {"a": [1], "b": [lock()]}, "obj['b'][0]", ALL),
    "second batch of a dict": (
        lambda: {**{i: [i] for i in range(1500)}, 1500: lock()},
        "obj[1500]",
        ALL,
    ),
    "single item after a batch": (
        lambda: {**{i: [i] for i in range(1000)}, "k": lock()},
        "obj['k']",
        ALL,
    ),
    "key int": (lambda: keyed(-7, lock()), "obj[-7]", ALL),
    "key float": (lambda: keyed(2.5, lock()), "obj[2.5]", ALL),
    "key bytes": (lambda: keyed(b"\0", [lock()]), "obj[b'\\x00'][0]", ALL),
    "key bool": (lambda: keyed(True, lock()), "obj[True]", ALL),
    "key None": (lambda: keyed(None, lock()), "obj[None]", ALL),
    "key quoted": (lambda: keyed("it's", lock()), 'obj["it\'s"]', ALL),
    "key surrogate": (lambda: keyed("\ud800", lock()), "obj['\\ud800']", ALL),
    "key tuple": (lambda: keyed((1, ("a",), ()), lock()), "obj[(1, ('a',), ())]", ALL),
    "key nan": (lambda: keyed(float("nan"), lock()), "list(obj.values())[1]", ALL),
    "key of an enum": (lambda: keyed(Color.RED, lock()), "list(obj.values())[1]", ALL),
    "key frozenset": (lambda: keyed(frozenset([1]), lock()), "list(obj.values())[1]", ALL),
    "key long": (lambda: keyed("k" * 1000, lock()), "list(obj.values())[1]", ALL),
    "key huge": (lambda: keyed(10**100, lock()), "list(obj.values())[1]", ALL),
    "key of a str subclass": (
        lambda: keyed(type("Text", (str,), {"__reduce__": lambda self: (str, ())})("a"), lock()),
        "list(obj.values())[1]",
        ALL,
    ),
    "a key itself": (lambda: {"a": [1], lock(): 2}, "list(obj)[1]", ALL),
    "in a key": (lambda: {1: 1, (2, (lock(),)): 3}, "list(obj)[1][1][0]", ALL),
    "set": (lambda: {(1, lock())}, "list(obj)[0][1]", ALL),
    "frozenset": (lambda: frozenset([(1, lock())]), "list(obj)[0][1]", ALL),
    "set in an instance": (lambda: Plain(s={(lock(),)}), "list(obj.s)[0][0]", ALL),
    "instance": (lambda: Plain(a=1, b=lock()), "obj.b", ALL),
    "instances": (lambda: Plain(a=[1], b=Plain(c=Plain(d=[lock()]))), "obj.b.c.d[0]", ALL),
    "handlers": (
        lambda: Plain(handlers={"main": [1, 2, 3, Plain(lock=lock())]}),
        "obj.handlers['main'][3].lock",
        ALL,
    ),
    "attribute named by a keyword": (
        lambda: Plain(**{"class": [lock()]}),
        "obj.__dict__['class'][0]",
        ALL,
    ),
    "attribute without a name": (lambda: Plain(**{"a b": lock()}), "obj.__dict__['a b']", ALL),
    "attribute behind a property": (Shadowed, "obj.__dict__['value']", ALL),
    "attribute that is kept back": (
        lambda: Guarded(lock()),
        "object.__getattribute__(obj, 'value')",
        ALL,
    ),
    "slots": (slots, "obj.b[0]", FROM_2),
    "slots and a dict": (SlotsAndDict, "obj._SlotsAndDict__private", FROM_2),
    "frozen dataclass with slots": (lambda: Frozen([1], [lock()]), "obj.second[0]", ALL),
    "dataclass": (lambda: Data(1, [lock()]), "obj.rest[0]", ALL),
    "namedtuple": (lambda: Point([1], [lock()]), "obj.y[0]", ALL),
    "tuple subclass": (lambda: Pair([1, lock()]), "obj[1]", ALL),
    "list subclass": (lambda: List([1, [lock()]]), "obj[1][0]", ALL),
    "list subclass of instances": (lambda: List([Plain(a=Plain(b=lock()))]), "obj[0].a.b", ALL),
    "second batch of a list subclass": (
        lambda: List([*range(1000), [], lock(), 3]),
        "obj[1001]",
        ALL,
    ),
    "list subclass with its own operator": (
        lambda: IndexedAnew([1, lock()]),
        "list.__getitem__(obj, 1)",
        ALL,
    ),
    "attribute of a list subclass": (
        lambda: functools.reduce(lambda obj, _: vars(obj).update(a=lock()) or obj, [1], List([2])),
        "obj.a",
        ALL,
    ),
    "dict subclass": (lambda: Dict(a=[1], b=[lock()]), "obj['b'][0]", ALL),
    "key of a dict subclass": (lambda: Dict({"a": 1, lock(): 1}), "list(obj)[1]", ALL),
    "dict subclass with its own operator": (
        lambda: LookedUpAnew(a=lock()),
        "dict.__getitem__(obj, 'a')",
        ALL,
    ),
    "set subclass": (lambda: Set([(lock(),)]), "list(obj)[0][0]", ALL),
    "OrderedDict": (ordered, "obj['b'][0]", ALL),
    "OrderedDict in an OrderedDict": (
        lambda: collections.OrderedDict(x=ordered()),
        "obj['x']['b'][0]",
        ALL,
    ),
    "key of an OrderedDict": (
        lambda: collections.OrderedDict([(1, 1), ((lock(),), 1)]),
        "list(obj)[1][0]",
        ALL,
    ),
    "object as key of an OrderedDict": (
        lambda: collections.OrderedDict([(1, 1), (Color.RED, lock())]),
        "list(obj.values())[1]",
        ALL,
    ),
    "defaultdict": (
        lambda: collections.defaultdict(list, a=[lock()]),
        "obj['a'][0]",
        ALL,
    ),
    "defaultdict of a lambda": (
        lambda: collections.defaultdict(lambda: 0),
        "obj.default_factory",
        ALL,
    ),
    "Counter": (lambda: counted("a", (1, lock())), "list(obj)[1][1]", ALL),
    "deque": (lambda: collections.deque([1, [lock()]]), "obj[1][0]", ALL),
    "deque of instances": (lambda: collections.deque([1, Plain(a=lock())]), "obj[1].a", ALL),
    "ChainMap": (lambda: collections.ChainMap({}, {"a": lock()}), "obj.maps[1]['a']", ALL),
    "SimpleNamespace": (lambda: types.SimpleNamespace(a=[lock()]), "obj.a[0]", ALL),
    "partial": (lambda: functools.partial(print, 1, lock()), "obj.args[1]", ALL),
    "keyword of a partial": (lambda: functools.partial(print, a=lock()), "obj.keywords['a']", ALL),
    "function of a partial": (lambda: functools.partial(lambda: 0), "obj.func", ALL),
    "bound method": (lambda: Plain(a=[lock()]).__getstate__, "obj.__self__.a[0]", FROM_2),
    "arguments of an exception": (lambda: ValueError(1, [lock()]), "obj.args[1][0]", ALL),
    "attribute of an exception": (
        lambda: functools.reduce(lambda e, _: vars(e).update(a=lock()) or e, [1], ValueError()),
        "obj.a",
        ALL,
    ),
    "arguments of a reduction": (
        lambda: Reduced(Plain, (1, [lock()])),
        "obj.__reduce_ex__({0})[1][1][0]",
        ALL,
    ),
    "function of a reduction": (
        lambda: Reduced(lambda: 0, ()),
        "obj.__reduce_ex__({0})[0]",
        ALL,
    ),
    "state of a reduction": (
        lambda: Reduced(Plain, (), ({"a": lock()},)),
        "obj.__reduce_ex__({0})[2][0]['a']",
        ALL,
    ),
    "list items of a reduction": (
        lambda: Reduced(list, (), None, [1, lock()]),
        "list(obj.__reduce_ex__({0})[3])[1]",
        ALL,
    ),
    "single list item of a reduction": (
        lambda: Reduced(list, (), None, [(lock(),)]),
        "list(obj.__reduce_ex__({0})[3])[0][0]",
        ALL,
    ),
    "second batch of list items of a reduction": (
        lambda: Reduced(list, (), None, [*range(1001), lock(), 3]),
        "list(obj.__reduce_ex__({0})[3])[1001]",
        ALL,
    ),
    "keys of the dict items of a reduction": (
        lambda: Reduced(dict, (), None, None, [(1, 2), ((lock(),), 3)]),
        "list(obj.__reduce_ex__({0})[4])[1][0][0]",
        ALL,
    ),
    "values of the dict items of a reduction": (
        lambda: Reduced(dict, (), None, None, [(1, 2), (2, lock())]),
        "list(obj.__reduce_ex__({0})[4])[1][1]",
        ALL,
    ),
    "second batch of dict items of a reduction": (
        lambda: Reduced(
            dict, (), None, None, [*((i, i) for i in range(1001)), (1, lock()), (2, 3)]
        ),
        "list(obj.__reduce_ex__({0})[4])[1001][1]",
        ALL,
    ),
    "state setter of a reduction": (
        lambda: Reduced(Plain, (), {}, None, None, lambda obj, state: None),
        "obj.__reduce_ex__({0})[5]",
        ALL,
    ),
    "state for a setter": (
        lambda: Reduced(Plain, (), [(lock(),)][0], None, None, set_state),
        "obj.__reduce_ex__({0})[2][0]",
        ALL,
    ),
    "reduction of copyreg's table": (lambda: Registered(lock()), "obj.value", ALL),
    "__getstate__": (lambda: GetState((1, [lock()])), "obj.__getstate__()[1][0]", ALL),
    "__getstate__ that copies": (lambda: CopiesDict(a=1, b=lock()), "obj.b", ALL),
    "__getnewargs__": (
        lambda: NewArguments(1, [lock()]),
        "obj.args[1][0]",
        FROM_2,
    ),
    "__getnewargs_ex__": (lambda: NewKeywords(lock()), "obj.secret", FROM_2),
    "keywords of __getnewargs_ex__": (lambda: NewKeywordsOnly(lock()), "obj.secret", FROM_2),
    "new arguments of __getnewargs_ex__": (
        NewArgumentsEachTime,
        "obj.__reduce_ex__({0})[1][1][1][0]",
        (5,),
    ),
    "new arguments of __getnewargs_ex__ in a partial": (
        NewArgumentsEachTime,
        "functools.partial(obj.__new__, type(obj), *obj.__reduce_ex__({0})[1][1], "
        "**obj.__reduce_ex__({0})[1][2]).args[2][0]",
        (2,),
    ),
    "state beside a __getstate__": (
        lambda: StateOfItsOwn(Plain, (), {"a": [lock()]}),
        "obj.__reduce_ex__({0})[2]['a'][0]",
        ALL,
    ),
    "cyclic": (cyclic, "obj[1]['lock']", ALL),
    "after what is shared": (shared, "obj[3]", ALL),
    "lambda": (lambda: [1, lambda: 0], "obj[1]", ALL),
    "local class": (lambda: [1, type("f.<locals>.C", (), {})], "obj[1]", ALL),
    "instance of a local class": (lambda: Plain(a=[1, type("C", (), {})()]), "obj.a[1]", ALL),
    "module": (lambda: {"m": [sys]}, "obj['m'][0]", ALL),
    "generator": (lambda: Plain(g=(i for i in ())), "obj.g", ALL),
    "weak reference": (lambda: [weakref.ref(Plain)], "obj[0]", ALL),
    "file": (lambda: [io.BufferedReader(io.BytesIO())], "obj[0]", ALL),
}

if PYPY:
    # It pickles these. Of the others it does not show what they hold as attributes.
    del TABLE["module"], TABLE["weak reference"]
    for name, path in {
        "namedtuple": "obj[1][0]",
        "arguments of an exception": "obj.__reduce_ex__({0})[1][1][0]",
        "bound method": "obj.__reduce_ex__({0})[1][0].a[0]",
    }.items():
        TABLE[name] = TABLE[name][0], path, TABLE[name][2]

NAMES = {"copyreg": copyreg, "collections": collections, "functools": functools}


def failure(action):
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        action()
    return caught.value


def our_notes(error):
    return [note for note in getattr(error, "__notes__", ()) if note.startswith(HEAD)]


def text_of(error):
    return re.sub(r"0x[0-9a-f]+", "0x…", str(error))


def dumps_of(implementation, obj, number):
    """All that lets exceptions out."""
    return (
        lambda: implementation.dumps(obj, number),
        lambda: implementation.dump(obj, io.BytesIO(), number),
        lambda: implementation.Pickler(io.BytesIO(), number).dump(obj),
        lambda: type("Sub", (implementation.Pickler,), {})(io.BytesIO(), number).dump(obj),
    )


def test_the_table_is_as_long_as_promised():
    assert len(TABLE) >= 40


@pytest.mark.costly
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("number", ALL)
def test_the_path(implementation, number, row):
    make, path, protocols = row
    if number not in protocols:
        return  # the standard library pickles it, or refuses the root: see the next test
    obj = make()
    for dump in dumps_of(implementation, obj, number):
        error = failure(dump)
        assert error.path == path.format(number)
        assert (type(error), text_of(error)) == outcome(lambda: pickle.dumps(obj, number))
        assert error.__notes__ == our_notes(error)
        assert len(error.__notes__) == 1
        assert error.__notes__[0].startswith(HEAD + error.path)
    # The object at the path cannot be pickled: by itself, or because of its class.
    culprit = eval(error.path, {"obj": obj, **NAMES})
    assert (type(error), text_of(error)) == outcome(lambda: pickle.dumps(culprit, number))
    assert failure(lambda: implementation.dumps(culprit, number)).path == "obj"


@pytest.mark.parametrize("make", [slots, SlotsAndDict])
def test_slots_below_protocol_2(implementation, make):
    assert failure(lambda: implementation.dumps([make()], 0)).path == "obj[0]"


# --- hooks, and what is no member


class Unpicklable:
    def __reduce__(self):
        return Unpicklable, ()


def test_a_reducer_override(implementation):
    class Sub(implementation.Pickler):
        def reducer_override(self, obj):
            return (list, ([lock()],)) if type(obj) is Unpicklable else NotImplemented

    pickler, obj = Sub(io.BytesIO()), [Plain(a=Unpicklable())]
    path = failure(lambda: pickler.dump(obj)).path
    assert path == "pickler.reducer_override(obj[0].a)[1][0][0]"
    assert type(eval(path, {"obj": obj, "pickler": pickler})) is type(lock())


@pytest.mark.parametrize("number", ALL)
def test_an_override_that_goes_on_as_usual(implementation, number):
    class Sub(implementation.Pickler):
        def reducer_override(self, obj):
            return NotImplemented

    obj = [Plain(a=Reduced(Plain, ([lock()],)))]
    path = failure(lambda: Sub(io.BytesIO(), number).dump(obj)).path
    assert path == f"obj[0].a.__reduce_ex__({number})[1][0][0]"


def test_a_dispatch_table(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    pickler.dispatch_table = {Unpicklable: lambda obj: (list, (), None, iter([1, lock()]))}
    obj = {"k": Unpicklable()}
    path = failure(lambda: pickler.dump(obj)).path
    assert path == "list(pickler.dispatch_table[type(obj['k'])](obj['k'])[3])[1]"
    assert type(eval(path, {"obj": obj, "pickler": pickler})) is type(lock())


def test_the_table_of_copyreg(implementation, monkeypatch):
    monkeypatch.setitem(copyreg.dispatch_table, Unpicklable, lambda obj: (list, ([lock()],)))
    obj = {"k": Unpicklable()}
    path = failure(lambda: implementation.dumps(obj)).path
    assert path == "copyreg.dispatch_table[type(obj['k'])](obj['k'])[1][0][0]"
    assert type(eval(path, {"obj": obj, **NAMES})) is type(lock())


@pytest.mark.parametrize("number", [2, 5])
def test_a_persistent_id(implementation, number):
    class Sub(implementation.Pickler):
        def persistent_id(self, obj):
            return ("id", [lock]) if type(obj) is Unpicklable else None

    lock = threading.Lock()
    pickler, obj = Sub(io.BytesIO(), number), [1, {"k": Unpicklable()}]
    path = failure(lambda: pickler.dump(obj)).path
    assert path == "pickler.persistent_id(obj[1]['k'])[1][0]"
    assert eval(path, {"obj": obj, "pickler": pickler}) is lock


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_a_hook_that_fails(implementation, number, error):
    class Sub(implementation.Pickler):
        def persistent_id(self, obj):
            if type(obj) is Unpicklable:
                raise error

    raised = failure(lambda: Sub(io.BytesIO(), number).dump([1, {"k": (Unpicklable(),)}]))
    assert raised is error
    assert raised.path == "obj[1]['k'][0]"


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), MemoryError()])
def test_errors_raised_by_an_object(implementation, number, error):
    class Raises:
        def __reduce__(self):
            raise error

    for dump in dumps_of(implementation, [Plain(a={"k": Raises()})], number):
        raised = failure(dump)
        assert raised is error
        assert raised.path == "obj[0].a['k']"
        assert len(our_notes(raised)) == 1


def test_a_buffer_callback_that_fails(implementation):
    def callback(buffer):
        raise ValueError("no")

    obj = [1, pickle.PickleBuffer(b"abc")]
    error = failure(lambda: implementation.dumps(obj, 5, buffer_callback=callback))
    assert error.path == "obj[1]"


def test_a_property_of_a_subclass_that_fails(implementation):
    class Sub(implementation.Pickler):
        @property
        def dispatch_table(self):
            raise ValueError("no")

    error = failure(lambda: Sub(io.BytesIO()).dump([1]))
    assert not hasattr(error, "path")  # nothing has been asked of the object
    assert not hasattr(error, "__notes__")


class Grows:
    """Changes a container while it is pickled."""

    def __init__(self, change):
        self.change = change

    def __reduce__(self):
        self.change()
        return int, ()


@pytest.mark.parametrize("number", [2, 5])
def test_a_dict_that_changes(implementation, number):
    table = {"a": Grows(lambda: table.update({len(table): 1})), "b": [2]}
    error = failure(lambda: implementation.dumps([3, table], number))
    assert error.path == "obj[1]"
    assert "changes it meanwhile" in error.__notes__[0]


@pytest.mark.skipif(not LIST_SIZE_IS_CHECKED, reason="this interpreter's pickler lets lists change")
@pytest.mark.parametrize("number", [2, 5])
def test_a_list_that_changes(implementation, number):
    items = [1, *[2] * 998]
    items.append(Grows(lambda: items.append(1)))
    error = failure(lambda: implementation.dumps({"k": items}, number))
    assert error.path == "obj['k']"
    assert "changes it meanwhile" in error.__notes__[0]


def test_a_set_that_changes(implementation):
    members = {1}
    members.add(Grows(lambda: members.update(range(100))))
    error = failure(lambda: implementation.dumps(Plain(a=[members]), 5))
    assert error.path == "obj.a[0]"


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("position", [0, 1, 2, 1001])
@pytest.mark.parametrize("place", [3, 4])
def test_items_that_fail_by_themselves(implementation, number, position, place):
    class Iterates:
        def __reduce__(self):
            return (list, (), None, *[None] * (place - 3), self.items())

        def items(self):
            for i in range(position):
                yield (i, [i])
            raise ValueError("no more")

    assert failure(lambda: implementation.dumps([1, Iterates()], number)).path == "obj[1]"


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("position", [0, 1, 2, 1001])
def test_a_dict_item_that_is_none(implementation, number, position):
    class Iterates:
        def __reduce__(self):
            return dict, (), None, None, iter([*[(1, 2)] * position, 3])

    assert failure(lambda: implementation.dumps([1, Iterates()], number)).path == "obj[1]"


def test_an_object_changed_since_ends_the_path(implementation):
    class Leaves:
        def __reduce__(self):
            del items[:]
            raise ValueError("gone")

    items = [1, Leaves()]
    error = failure(lambda: implementation.dumps({"k": items}))
    assert error.path == "obj['k']"


def test_fast_mode(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    pickler.fast = True
    obj = [1, {"a": Plain(b=List([2, lock()]))}, 3]
    assert failure(lambda: pickler.dump(obj)).path == "obj[1]['a'].b[1]"


def test_no_code_of_the_users_runs(implementation):
    key = LoudKey()
    obj = {"a": 1, key: [Plain(b=lock())]}
    LoudKey.armed = True
    try:
        error = failure(lambda: implementation.dumps({0: [obj]}, 0))
    finally:
        LoudKey.armed = False
    assert error.path == "list(obj[0][0].values())[1][0].b"


# --- long paths


@pytest.mark.costly
@pytest.mark.parametrize(("number", "depth"), [(0, 10_000), (5, 1_000_000)])
def test_a_path_of_a_million_steps(implementation, number, depth):
    obj = lock()
    for _ in range(depth):
        obj = [1, obj]
    error = failure(lambda: implementation.dumps(obj, number))
    head, tail = error.path.split(" … ")
    assert re.fullmatch(r"obj(\[1\])+", head)
    assert re.fullmatch(r"(\[1\])+", tail)
    assert len(error.path) < 500
    while type(obj) is list:  # else its end would be a recursion
        obj = obj.pop()


@pytest.mark.costly
@only_cpython
def test_a_path_of_many_instances(implementation):
    obj = lock()
    for _ in range(100_000):
        obj = Plain(next=obj)
    error = failure(lambda: implementation.dumps(obj))
    head, tail = error.path.split(" … ")
    assert re.fullmatch(r"obj(\.next)+", head)
    assert re.fullmatch(r"(\.next)+", tail)
    assert "A lock" in error.__notes__[0]
    while type(obj) is Plain:
        obj = obj.__dict__.pop("next")


def test_a_hundred_steps_are_shown(implementation):
    obj = lock()
    for _ in range(100):
        obj = [obj]
    assert failure(lambda: implementation.dumps(obj)).path == "obj" + "[0]" * 100


def test_a_path_of_long_steps(implementation):
    obj = lock()
    for i in range(150):
        obj = {f"{i:070}": obj}
    path = failure(lambda: implementation.dumps(obj)).path
    assert len(path) < 4000
    assert path.startswith(f"obj['{149:070}']")
    assert path.endswith(f"['{0:070}']")
    assert " … " in path


def test_a_long_key_is_cut_in_the_note(implementation):
    error = failure(lambda: implementation.dumps({"key" * 100: [lock()]}))
    assert error.path == "list(obj.values())[0][0]"
    assert re.search(r"under the key 'key[key]*'…\)", error.__notes__[0])
    assert len(error.__notes__[0].split("\n")[0]) < 200


# --- exceptions


def raising(error):
    class Raises:
        def __reduce__(self):
            raise error

    return [1, Raises()]


def in_fast_mode(pickler):
    pickler.fast = True
    pickler.dump(1)


def test_no_path_for_arguments(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    for action in (
        lambda: implementation.dumps(1, 100),
        lambda: implementation.dumps(1, "2"),
        lambda: implementation.dump(1, None),
        lambda: implementation.dumps(1, 2, buffer_callback=print),
        lambda: implementation.Pickler.dump(implementation.Pickler.__new__(type(pickler)), 1),
        lambda: in_fast_mode(implementation.Pickler(io.BytesIO(), deterministic=True)),
    ):
        error = failure(action)
        assert not hasattr(error, "__notes__")
        assert not hasattr(error, "path")


def test_a_dump_inside_a_dump(implementation):
    class Archive:
        def __reduce__(self):
            return Archive, (implementation.dumps({"x": [lambda: 0]}),)

    error = failure(lambda: implementation.dumps([1, Archive()]))
    assert error.path == "obj[1]"
    (note,) = error.__notes__
    first, hint = note.split("\n")
    cls = f"{__name__}.{Archive.__qualname__}"
    inner = "obj['x'][0] (type function)"
    assert first == f"{HEAD}obj[1] (type {cls}), in whose own dump it failed at {inner}"
    assert hint.startswith("A lambda")


def test_three_dumps_inside_each_other(implementation):
    class Archive:
        def __init__(self, *items):
            self.items = items

        def __reduce__(self):
            return Archive, (implementation.dumps({"items": self.items}),)

    error = failure(lambda: implementation.dumps([Archive(0, Archive(1, 2, lock()))]))
    (note,) = error.__notes__
    assert error.path == "obj[0]"
    assert note.count("in whose own dump") == 1
    assert "obj['items'][2] (type _thread.lock)\n" in note


def test_one_exception_raised_again_and_again(implementation):
    error = ValueError("made before")
    for position in range(5):
        failure(lambda: implementation.dumps([*range(position), raising(error)[1]]))  # noqa: B023
    assert len(error.__notes__) == 1
    assert error.path == "obj[4]"


def test_notes_of_others_stay(implementation):
    error = ValueError("no")
    error.add_note("mine")
    failure(lambda: implementation.dumps(raising(error)))
    assert error.__notes__[0] == "mine"
    assert len(error.__notes__) == 2
    failure(lambda: implementation.dumps(raising(error)))
    assert len(error.__notes__) == 2


class SlotsError(Exception):
    __slots__ = ("path",)


class PropertyError(Exception):
    @property
    def path(self):
        return "its own"

    def __setattr__(self, name, value):
        raise AssertionError("not asked")


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class PathError(Exception):
    def __init__(self, path):
        self.path = path


def test_exceptions_with_a_path_of_their_own(implementation):
    for error, path in [
        (PropertyError(), "its own"),
        (PathError("/tmp"), "/tmp"),
        (ImportError("no", path="/lib"), "/lib"),
        (ImportError("no"), "obj[1]"),
    ]:
        for _ in range(2):
            assert failure(lambda: implementation.dumps(raising(error))) is error  # noqa: B023
            assert error.path == path
            assert len(error.__notes__) == 1
            assert error.__notes__[0].startswith(HEAD + "obj[1]")


def test_exceptions_that_refuse_attributes(implementation):
    for error in (FrozenError(3), SlotsError()):
        assert failure(lambda: implementation.dumps(raising(error))) is error  # noqa: B023
        assert len(error.__notes__) == 1


def test_notes_that_are_no_list(implementation):
    error = ValueError("no")
    error.__notes__ = "text"
    assert failure(lambda: implementation.dumps(raising(error))) is error
    assert error.__notes__ == "text"
    assert not hasattr(error, "path")


@only_cpython
def test_a_path_that_cannot_be_found_leaves_the_exception(implementation, monkeypatch):
    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(paths, "find_place", fail)
    error = failure(lambda: implementation.dumps([lock()]))
    assert type(error) is TypeError
    assert error.__context__ is None
    assert not hasattr(error, "__notes__")


@only_cpython
def test_ctrl_c_while_the_path_is_found(implementation, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    pickler = implementation.Pickler(file := io.BytesIO())
    kept = [1]
    pickler.dump(kept)
    with monkeypatch.context() as patch:
        patch.setattr(paths, "find_place", interrupt)
        error = failure(lambda: pickler.dump([[2], lock()]))
    assert type(error) is KeyboardInterrupt
    assert type(error.__context__) is TypeError
    # And the Pickler is as it was.
    assert len(pickler.memo.copy()) == 1
    pickler.dump([kept])
    reader = pickle.Unpickler(io.BytesIO(file.getvalue()))
    assert [reader.load(), reader.load()] == [[1], [[1]]]


@only_counted
@pytest.mark.parametrize("number", ALL)
def test_nothing_is_kept_alive(implementation, number):
    class Kept:
        pass

    gc.collect()
    gc.disable()
    try:
        obj = Kept()
        reference = weakref.ref(obj)
        holder = Plain(a=List([obj, Dict(b=lock())]))
        for dump in dumps_of(implementation, holder, number):
            with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
                dump()
        del obj, holder, dump
        assert reference() is None
    finally:
        gc.enable()


def test_it_shows_in_a_traceback(implementation):
    error = failure(lambda: implementation.dumps([lock()]))
    text = traceback.format_exception_only(error)
    assert "".join(text).split("\n")[1] == "pickling failed at obj[0] (type _thread.lock)"


def test_the_modules_are_imported_when_a_dump_fails():
    code = (
        "import sys, quickpickle; quickpickle.dumps([1]);"
        "assert not {'quickpickle.rules.paths', 'quickpickle.rules.hints'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_module():
    assert failure(lambda: quickpickle.dumps([1, lock()])).path == "obj[1]"


@only_cpython
def test_a_dump_that_fails_at_the_end_of_a_program():
    code = (
        "import sys, threading, pickle, quickpickle\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        for dumps in self.dumps:\n"
        "            try: dumps([self.lock])\n"
        "            except Exception as error: self.write(repr(error) + chr(10))\n"
        "late = Late()\n"
        "late.dumps, late.lock = [quickpickle.dumps, pickle.dumps], threading.Lock()\n"
        "late.write = sys.stdout.write\n"
        "late.self = late\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    ours, theirs = result.stdout.splitlines()
    assert ours == theirs


# --- with options


@pytest.mark.costly
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("number", ALL)
def test_the_path_of_a_deterministic_pickle(implementation, number, row):
    make, path, protocols = row
    if number in protocols:
        error = failure(lambda: implementation.dumps(make(), number, deterministic=True))
        assert error.path == path.format(number)


@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_member_that_has_to_be_put_in_order(implementation, kind):
    members = kind([Plain(a=1), Plain(a=2), Plain(a=kind([Plain(b=1), Plain(lock=lock())]))])
    error = failure(lambda: implementation.dumps([members], 5, deterministic=True))
    assert isinstance(eval(error.path, {"obj": [members]}), type(lock()))
    error = failure(lambda: implementation.object_digest({Plain(): 1, Plain(lock=lock()): 2}))
    assert re.fullmatch(r"list\(obj\)\[[01]\]\.lock", error.path)
    error = failure(lambda: implementation.object_digest(Dict({2: Plain(), 1: lock()})))
    assert error.path == "obj[1]"


def test_a_member_that_fails_only_once(implementation):
    class Flaky:
        failures = 1

        def __reduce__(self):
            Flaky.failures -= 1
            if Flaky.failures == 0:
                raise ValueError("this time")
            return Plain, ()

    error = failure(
        lambda: implementation.dumps({Flaky(), Plain(), Plain(a=1)}, deterministic=True)
    )
    assert str(error) == "this time"


@only_cpython
def test_the_object_is_not_changed(implementation):
    """Looking for attributes makes no instance dict: what has none pickles differently with one."""

    def make():
        return [
            ValueError(1, threading.Lock()),
            functools.partial(print, threading.Lock()),
            functools.partial(print, key=threading.Lock()),
        ]

    for obj in [*make(), [ValueError(1), threading.Lock()]]:
        reductions = [made.__reduce_ex__(2) for made in (obj, obj[0] if type(obj) is list else obj)]
        with pytest.raises(TypeError):
            implementation.dumps(obj)
        after = [made.__reduce_ex__(2) for made in (obj, obj[0] if type(obj) is list else obj)]
        assert [part[1:3] for part in after] == [part[1:3] for part in reductions]
    error = ValueError(1)
    error.lock = threading.Lock()
    expected = [".args[1]", ".args[0]", ".keywords['key']", ".lock"]
    for obj, path in zip([*make(), error], expected, strict=True):
        with pytest.raises(TypeError) as caught:
            implementation.dumps(obj)
        assert caught.value.path == f"obj{path}"
