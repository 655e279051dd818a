"""quickpickle.cloud: what cloudpickle writes, by our Pickler; in real processes too."""

from __future__ import annotations

import abc
import collections
import dataclasses
import datetime as dt
import enum
import functools
import gzip
import importlib
import inspect
import io
import logging
import os
import pickle
import pickletools
import random
import re
import subprocess
import sys
import threading
import types
import typing

import pytest

import quickpickle

cloudpickle = pytest.importorskip("cloudpickle", reason="for the interpreter of make test alone")


@pytest.fixture
def cloud(implementation, monkeypatch):
    """The module, on top of each implementation."""
    for name in ("Pickler", "dumps_with_hooks"):
        monkeypatch.setattr(quickpickle._implementation, name, getattr(implementation, name))
    for name in ("quickpickle.cloud_copies", "quickpickle.cloud"):
        spec = importlib.util.find_spec(name)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    assert implementation.Pickler in module.Pickler.__mro__
    return module


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def add(x, y=1):
    return x + y


def make_local_things():
    factor = 3

    def times(x):
        """Doc."""
        return x * factor

    def recursive(n):
        return 1 if n == 0 else n * recursive(n - 1)

    class Base(abc.ABC):
        attribute: typing.ClassVar[list] = [1]

        @abc.abstractmethod
        def method(self): ...

    class Local(Base):
        __slots__ = ("a",)

        def method(self):
            return super().attribute, factor

        @classmethod
        def of_class(cls):
            return cls

        @staticmethod
        def static():
            return factor

        @property
        def prop(self):
            return self.a

    @dataclasses.dataclass(frozen=True)
    class Data:
        a: int
        b: list = dataclasses.field(default_factory=list)

    class Color(enum.Enum):
        RED = 1
        GREEN = "g"

    class Named(typing.NamedTuple):
        first: int
        second: str = "s"

    local = Local()
    local.a = 5
    return {
        "lambda": lambda x: x + factor,
        "closure": times,
        "recursive": recursive,
        "class": Local,
        "instances": [local, Data(1, [2]), Data(1), Color.RED, Color.GREEN, Named(1)],
        "more instances": [Data(i, [local]) for i in range(50)],
        "method": local.method,
        "class method": Local.of_class,
        "partial": functools.partial(times, 2),
        "generic": typing.TypeVar("T"),
        "globals": [
            add,
            Point,
            Plain,
            Point(1),
            len,
            int,
            type(None),
            types.FunctionType,
        ],
        "cell": (lambda: factor).__closure__[0],
        "code": times.__code__,
        "views": [
            {1: 2}.keys(),
            {1: 2}.values(),
            {1: 2}.items(),
            collections.OrderedDict(a=1).keys(),
        ],
        "modules": [sys, pickle, types.ModuleType("made_here")],
        "logger": logging.getLogger("a.b"),
        "memoryview": memoryview(b"abc"),
        "proxy": types.MappingProxyType({1: 2}),
        "property": Local.__dict__["prop"],
        "static": Local.__dict__["static"],
    }


THINGS = make_local_things()
DATA = {
    "numbers": list(range(300)),
    "text": {f"key{i}": [str(i), i / 7, None] for i in range(50)},
    "objects": [Point(i, Plain(a=Point(i))) for i in range(50)],
    "dates": [dt.date.fromordinal(i) for i in range(1, 50)],
    "others": [
        collections.deque([1]),
        collections.Counter("abc"),
        random.Random(1),
    ],
    "exceptions": [ValueError(1), KeyError("a")],
}


@pytest.mark.parametrize("name", THINGS)
def test_the_bytes_are_those_of_cloudpickle(cloud, protocol, name):
    thing = THINGS[name]

    def dump_to_file(module):
        file = io.BytesIO()
        module.dump(thing, file, protocol)
        return file.getvalue()

    def outcome(action):
        try:
            return action()
        except Exception as error:
            return type(error), str(error)

    outcome(lambda: cloudpickle.dumps(thing, protocol))  # leaves __slotnames__ in local classes
    theirs = outcome(lambda: cloudpickle.dumps(thing, protocol))
    for _ in range(2):  # without plans, and with
        assert outcome(lambda: cloud.dumps(thing, protocol)) == theirs
        assert outcome(lambda: dump_to_file(cloud)) == theirs


@pytest.mark.parametrize("name", DATA)
def test_data(cloud, protocol, name):
    data = DATA[name]
    for _ in range(2):
        assert cloud.dumps(data, protocol) == cloudpickle.dumps(data, protocol)
    copy = pickle.loads(pickle.dumps(data))
    assert pickle.dumps(cloud.loads(cloud.dumps(data))) == pickle.dumps(copy)


class Outer:
    class Inner:
        pass


class Lost:
    pass


class WithoutModule:
    pass


def double(x):
    return 2 * x


def of_no_module_at_all():
    pass


of_no_module_at_all.__module__ = None


class Shape(collections.abc.Sized):
    def __len__(self):
        return 4


class Color(enum.Enum):
    RED = 1


class MetaOfProperties(type):
    """Its classes are not what, and not from where, they seem."""

    @property
    def __module__(cls):
        return "collections"


class MetaOfClasses(type):
    @property
    def __class__(cls):
        raise ZeroDivisionError


class MetaWithoutHash(type):
    __hash__ = None


class MetaOfEquals(type):
    def __eq__(cls, other):
        return other is type(None) or cls is other

    def __hash__(cls):
        cls.asked += 1
        return hash(type(None))


class MetaOfAttributes(type):
    def __getattribute__(cls, name):
        return "OrderedDict" if name == "__qualname__" else type.__getattribute__(cls, name)


class OfProperties(metaclass=MetaOfProperties):
    pass


class OfClasses(metaclass=MetaOfClasses):
    pass


class WithoutHash(metaclass=MetaWithoutHash):
    pass


class OfEquals(metaclass=MetaOfEquals):
    asked = 0


class OfAttributes(metaclass=MetaOfAttributes):
    pass


CLASSES = [
    *[double, of_no_module_at_all, os.path.join, dt.date.today, len],
    *[Shape, Color, Color.RED, OfProperties, OfClasses, WithoutHash, OfEquals, OfAttributes],
    *[int, str, type, object, Exception, dt.date, dt.tzinfo, collections.OrderedDict, Point, Plain],
    *[Outer, Outer.Inner, Lost, WithoutModule, random.Random, logging.Logger, abc.ABC, enum.Enum],
    *[type(None), type(...), type(NotImplemented), types.SimpleNamespace, types.FunctionType],
    *[types.MappingProxyType, types.GenericAlias, type(len), type(sys), type({}.keys())],
]


def as_it_is(monkeypatch):
    pass


def not_in_its_module(monkeypatch):
    for name in ("Lost", "double", "Shape"):
        monkeypatch.setitem(globals(), name, Plain)


def of_no_module(monkeypatch):
    monkeypatch.setattr(WithoutModule, "__module__", None)


def of_the_main_module(monkeypatch):
    for cls in (Plain, Outer, Outer.Inner, Shape, double):
        monkeypatch.setattr(cls, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Plain", Plain, raising=False)


def of_a_module_that_is_not_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, __name__)


def of_other_modules(monkeypatch):
    modules = {name: module for name, module in sys.modules.items() if name != __name__}
    monkeypatch.setattr(sys, "modules", modules)


def of_a_type_of_its_own(monkeypatch):
    monkeypatch.setitem(cloudpickle.cloudpickle._BUILTIN_TYPE_NAMES, Plain, "SimpleNamespace")


def with_another_registry(monkeypatch):
    registry = {__name__}
    monkeypatch.setattr(cloudpickle.cloudpickle, "_PICKLE_BY_VALUE_MODULES", registry)


def with_another_rule(monkeypatch):
    def rule(obj, name=None):
        return obj not in (Plain, Shape, double) and original(obj, name)

    original = cloudpickle.cloudpickle._should_pickle_by_reference
    monkeypatch.setattr(cloudpickle.cloudpickle, "_should_pickle_by_reference", rule)


def with_a_reducer_for_metaclasses(monkeypatch):
    monkeypatch.setitem(cloudpickle.Pickler.dispatch_table, abc.ABCMeta, lambda cls: cls.__name__)


def with_another_hook(monkeypatch):
    def hook(self, obj):
        is_ours = obj is Plain or obj is Shape or obj is double
        return (str, (obj.__name__,)) if is_ours else original(self, obj)

    original = cloudpickle.Pickler.reducer_override
    monkeypatch.setattr(cloudpickle.Pickler, "reducer_override", hook)


def with_a_local_name(monkeypatch):
    odd = type("Odd", (), {"__module__": __name__, "__qualname__": "<locals>"})
    monkeypatch.setitem(globals(), "<locals>", odd)
    monkeypatch.setitem(globals(), "Lost", odd)  # of which an instance is made


def of_a_module_without_a_name(monkeypatch):
    module = types.ModuleType("module_without_a_name")
    del module.__name__
    module.Plain = Plain
    monkeypatch.setattr(Plain, "__module__", "module_without_a_name")
    monkeypatch.setitem(sys.modules, "module_without_a_name", module)


def of_a_module_without_a_package(monkeypatch):
    module = types.ModuleType("no_such_package.module")
    module.Plain = Plain
    monkeypatch.setattr(Plain, "__module__", "no_such_package.module")
    monkeypatch.setitem(sys.modules, "no_such_package.module", module)


@pytest.mark.parametrize(
    "change",
    [
        *[as_it_is, not_in_its_module, of_no_module, of_the_main_module],
        *[of_a_module_that_is_not_imported, of_other_modules, of_a_type_of_its_own],
        *[with_another_registry, with_another_rule, with_another_hook, with_a_local_name],
        *[of_a_module_without_a_name, of_a_module_without_a_package],
        with_a_reducer_for_metaclasses,
    ],
)
def test_classes_by_name_and_by_value(cloud, monkeypatch, change):
    change(monkeypatch)
    for cls in CLASSES:
        assert outcome(cloud, cls) == outcome(cloudpickle, cls)
    instances = [Plain(a=1), Lost(), WithoutModule(), Outer.Inner(), Point(1), dt.date(2024, 1, 1)]
    for _ in range(3):  # without a plan, and with one
        for obj in (*instances, instances):
            assert outcome(cloud, obj) == outcome(cloudpickle, obj)


def test_modules_by_value(cloud):
    objs = [
        [cls for cls in CLASSES if cls not in (OfClasses, WithoutHash)],
        Plain(),
        dt.date(2024, 1, 1),
    ]
    plain = cloud.dumps(objs)
    for module in (pytest, sys.modules[__name__]):
        cloudpickle.register_pickle_by_value(module)
        try:
            assert cloud.dumps(objs) == cloudpickle.dumps(objs)
            assert (cloud.dumps(objs) == plain) == (module is pytest)
        finally:
            cloudpickle.unregister_pickle_by_value(module)
        assert cloud.dumps(objs) == plain


def outcome(module, obj):
    try:
        return module.dumps(obj)
    except Exception as error:
        return type(error)


def test_a_subclass_is_asked_for_each(cloud):
    class Sub(cloud.Pickler):
        def reducer_override(self, obj):
            asked.append(obj)
            return super().reducer_override(obj)

    asked = []
    for _ in range(2):  # without a plan, and with one
        Sub(io.BytesIO()).dump([Plain(), dt.date(2024, 1, 1), Point])
    assert [asked.count(cls) for cls in (Plain, dt.date, Point)] == [2, 2, 2]


class Calls:
    """An object that does something while it is pickled."""

    def __init__(self, action):
        self.action = action

    def __reduce__(self):
        self.action()
        return list, ()


@pytest.mark.parametrize("change", [with_another_rule, with_another_registry, of_other_modules])
def test_rules_that_change_during_a_dump(cloud, change):
    results = []
    for module in (cloudpickle, cloudpickle, cloud):  # the first pickle of a class differs
        with pytest.MonkeyPatch.context() as monkeypatch:
            later = Calls(functools.partial(change, monkeypatch))
            results.append(outcome(module, [Outer, Color, later, double, Shape, Plain, Plain()]))
    assert results[1] == results[2]
    assert results[2] != cloudpickle.dumps(
        [Outer, Color, Calls(int), double, Shape, Plain, Plain()]
    )


def test_a_metaclass_is_asked_as_often(cloud):
    counts = []
    for module in (cloudpickle, cloud):
        OfEquals.asked = 0
        outcome(module, [OfEquals, OfEquals])
        counts.append(OfEquals.asked)
    assert counts[0] == counts[1] > 0


def test_a_subclass_with_rules_of_its_own_for_functions(cloud):
    def by_text(pickler, obj):
        return str, (f"{type(pickler).__name__}: {obj.__name__}",)

    class OfClass:
        def _function_reduce(self, obj):
            return by_text(self, obj)

    class OfInstance:
        def begin(self):
            self._function_reduce = lambda obj: by_text(self, obj)

    class Asked:
        def __getattribute__(self, name):
            if name == "_function_reduce":
                return lambda obj: by_text(self, obj)
            return super().__getattribute__(name)

    class Changed:
        """Between two functions."""

        def persistent_id(self, obj):
            if obj == "change":
                self._function_reduce = lambda obj: by_text(self, obj)

    class Later:
        """The same, for all of the class."""

        def reducer_override(self, obj):
            if type(obj) is complex:
                type(self)._function_reduce = by_text
            return super().reducer_override(obj)

    class LaterByATable:
        def __init__(self, file):
            self.dispatch_table = {complex: self.change}
            super().__init__(file)

        def change(self, obj):
            type(self)._function_reduce = by_text
            return complex, (obj.real, obj.imag)

    for hooks in (OfClass, OfInstance, Asked, Changed, Later, LaterByATable):
        written = []
        for module in (cloudpickle, cloud):
            cls = type("Sub", (hooks, module.Pickler), {})
            file = io.BytesIO()
            pickler = cls(file)
            if hasattr(pickler, "begin"):
                pickler.begin()
            pickler.dump([double, "change", 1j, os.path.join])
            written.append(file.getvalue())
        assert written[0] == written[1]
        assert b"Sub: join" in written[0]


@pytest.mark.parametrize("pure", ["", "1"])
def test_cloudpickle_is_not_asked_about_importable_objects(pure):
    """In a process of its own: where any key of `sys.modules` is no str, it is asked."""
    script = """
import abc, datetime, os.path, sys, cloudpickle, quickpickle, quickpickle.cloud

def spy(frame, event, argument):
    if event == "call" and frame.f_code is code:
        asked.append(frame.f_locals["obj"])

asked = []
code = cloudpickle.Pickler.reducer_override.__code__
sys.setprofile(spy)
for _ in range(2):
    things = [datetime.date(2024, 1, 1), quickpickle.PicklingError, os.path.join, abc.ABC]
    quickpickle.cloud.dumps([*things, lambda: 1])
sys.setprofile(None)
counts = [asked.count(thing) for thing in (datetime.date, os.path.join, abc.ABC)]
print(quickpickle.implementation, *counts, sum(map(callable, asked)) > 2)
"""
    environment = {**os.environ, "QUICKPICKLE_PURE": pure}
    run = [sys.executable, "-c", script]
    result = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() in (
        ["native", "0", "0", "0", "True"],
        ["python", "2", "2", "2", "True"],
    )


def test_wrong_options_are_refused_before_the_file_is_opened(cloud, tmp_path):
    path = tmp_path / "no such directory" / "things.pkl"
    with pytest.raises(ValueError, match="protocol"):
        cloud.dump([], path, 99)
    with pytest.raises(ValueError, match="buffer_callback"):
        cloud.dump([], path, 4, print)


def test_loading_in_a_process_without_these_modules(cloud, tmp_path):
    """The functions and classes are in the file, by value; plain cloudpickle and pickle read it."""
    local = {name: THINGS[name] for name in ("closure", "recursive", "instances", "class method")}
    cloud.dump(local, tmp_path / "things.pkl")
    script = (
        "import pickle, sys\n"
        "with open(sys.argv[1], 'rb') as file: things = pickle.load(file)\n"
        "assert 'test_cloud' not in sys.modules and 'quickpickle' not in sys.modules\n"
        "local, data, *_ = things['instances']\n"
        "print(things['closure'](2), things['recursive'](5), local.method(), data, local.prop)\n"
        "assert type(local) is things['class method']()\n"
    )
    run = [sys.executable, "-c", script, str(tmp_path / "things.pkl")]
    result = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.stderr == ""
    (point,) = re.findall(r"\S*Data\(.*\)", result.stdout)
    assert result.stdout == f"6 120 ([1], 3) {point} 5\n"
    assert point.endswith("Data(a=1, b=[2])")


def test_classes_by_value_are_one_class_again(cloud):
    """In the process that it is from, the same class is loaded, as with cloudpickle."""
    cls = THINGS["class"]
    assert cloud.loads(cloud.dumps(cls)) is cls
    assert cloudpickle.loads(cloud.dumps(cls)) is cls
    assert cloud.loads(cloudpickle.dumps(cls)) is cls


def test_functions_of_one_pickler_share_their_globals(cloud):
    def use(module):
        namespace = {"__name__": "__main__"}
        exec("def put(x):\n    global y\n    y = x\ndef get(): return y", namespace)
        file = io.BytesIO()
        pickler = module.Pickler(file)
        pickler.dump(namespace["put"])
        pickler.dump(namespace["get"])
        unpickler = pickle.Unpickler(io.BytesIO(file.getvalue()))
        put, get = unpickler.load(), unpickler.load()
        put(42)
        return get(), file.getvalue()

    assert use(cloud) == use(cloudpickle)
    assert use(cloud)[0] == 42


def test_register_pickle_by_value(cloud):
    """One registry, cloudpickle's."""
    module = sys.modules[__name__]
    assert b"co_" not in cloud.dumps(add)
    by_name = cloud.dumps(add)
    cloud.register_pickle_by_value(module)
    try:
        by_value = cloud.dumps(add)
        assert by_value == cloudpickle.dumps(add) != by_name
    finally:
        cloud.unregister_pickle_by_value(module)
    assert cloud.dumps(add) == by_name


def test_a_registered_reducer_counts_for_both(cloud, monkeypatch):
    """The dispatch table is cloudpickle's own, as Ray and others register their types there."""
    assert cloud.Pickler.dispatch_table is cloudpickle.Pickler.dispatch_table
    points = [Point(1), Point(2)]
    before = cloud.dumps(points)
    monkeypatch.setitem(cloud.CloudPickler.dispatch_table, Point, lambda p: (int, (p.x,)))
    assert cloud.dumps(points) == cloudpickle.dumps(points) != before
    assert cloud.loads(cloud.dumps(points)) == [1, 2]
    monkeypatch.undo()
    assert cloud.dumps(points) == before


def test_subclasses(cloud):
    def use(module):
        class Sub(module.CloudPickler):
            dispatch_table = module.CloudPickler.dispatch_table.new_child()
            dispatch_table[complex] = lambda c: (complex, (0, 0))

            def reducer_override(self, obj):
                if type(obj) is Point:
                    return int, (obj.x,)
                return super().reducer_override(obj)

            def persistent_id(self, obj):
                return "the plain one" if type(obj) is Plain else None

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, pid):
                return pid

        file = io.BytesIO()
        Sub(file, protocol=4).dump([Point(1), 1j, Plain(), THINGS["closure"], Point(2)])
        assert Unpickler(io.BytesIO(file.getvalue())).load()[:3] == [1, 0j, "the plain one"]
        return file.getvalue()

    assert use(cloud) == use(cloudpickle)


def test_buffers_stay_out_of_band(cloud):
    def use(module):
        buffers = []
        data = [pickle.PickleBuffer(bytearray(b"a" * 50)), lambda: 0]
        file = io.BytesIO()
        module.dump(data, file, 5, buffers.append)  # positional, as cloudpickle has it
        results = [file.getvalue(), module.dumps(data, buffer_callback=buffers.append)]
        return len(buffers), [len(result) for result in results]

    assert use(cloud) == use(cloudpickle)
    with pytest.raises(ValueError, match="protocol >= 5"):
        cloud.dumps(1, 4, [].append)


def test_deep_graphs_have_no_limit(cloud):
    deep = Point(0)
    for i in range(20_000):
        deep = Point(i, deep)
    with pytest.raises(pickle.PicklingError):
        cloudpickle.dumps(deep)
    copy, zero = cloud.loads(cloud.dumps([deep, lambda: 0]))
    for _ in range(20_000):
        assert copy.x == deep.x
        copy, deep = copy.y, deep.y
    assert (copy, zero()) == (Point(0), 0)


class Endless:
    def __reduce__(self):
        return list, ([Endless()],)


class Recursive:
    def __reduce__(self):
        return self.__reduce__()


@pytest.mark.parametrize("cls", [Endless, Recursive])
def test_without_end_is_a_pickling_error(cloud, implementation, monkeypatch, cls):
    """It is with cloudpickle too; here it has our message and the path."""
    monkeypatch.setattr(implementation.Pickler, "reduction_limit", 1000)
    for dump in (cloud.dumps, cloud.Pickler(io.BytesIO()).dump):
        with pytest.raises(pickle.PicklingError) as caught:
            dump({"key": cls()})
        assert type(caught.value.__cause__) is RecursionError
        assert caught.value.path.startswith("obj['key']")
        assert caught.value.__notes__ == caught.value.__cause__.__notes__


def test_errors_say_where(cloud):
    thing = [1, {"a": Point(1, (lambda: 0, open(__file__, "rb")))}]  # noqa: SIM115
    with thing[1]["a"].y[1], pytest.raises(TypeError) as caught:
        cloud.dumps(thing)
    assert caught.value.path == "obj[1]['a'].y[1]"


def written(cloud, thing, protocol, tmp_path, **options):
    """The pickle of a thing, by each way to write one; they have to be the same."""
    data = cloud.dumps(thing, protocol, **options)
    file = io.BytesIO()
    cloud.dump(thing, file, protocol, **options)
    assert file.getvalue() == data
    file = io.BytesIO()
    cloud.Pickler(file, protocol, **options).dump(thing)
    assert file.getvalue() == data
    cloud.dump(thing, tmp_path / "file", protocol, **options)
    assert (tmp_path / "file").read_bytes() == data
    return data


@pytest.mark.parametrize("name", ["lambda", "closure", "class", "partial", "globals"])
def test_compact(cloud, protocol, name, tmp_path):
    thing = THINGS[name]
    cloudpickle.dumps(thing, protocol)  # leaves __slotnames__ in local classes
    expected = pickletools.optimize(cloudpickle.dumps(thing, protocol))
    assert written(cloud, thing, protocol, tmp_path, compact=True) == expected
    pickler = cloud.Pickler(io.BytesIO(), protocol, compact=True)
    pickler.dump([thing])
    with pytest.raises(ValueError, match="clear_memo"):
        pickler.dump(thing)


def test_progress(cloud, protocol, tmp_path):
    thing = [THINGS["closure"], DATA]
    reports = []
    data = written(
        cloud, thing, protocol, tmp_path, progress=lambda *report: reports.append(report)
    )
    assert data == cloudpickle.dumps(thing, protocol)
    assert len(reports) == 4
    assert {size for _, size in reports} == {len(data)}
    assert len(set(reports)) == 1
    for dump in (cloud.dumps, cloud.Pickler, cloud.dump):
        with pytest.raises(TypeError, match="progress must be True"):
            dump(io.BytesIO(), *[io.BytesIO()] * (dump is cloud.dump), progress=5)


FUNCTIONS = """
import functools, json, os

NAMES = {"b", "a", "c"}

def make():
    names = {"x", "y", "z"}
    others = {"1", "2", "3"}
    shared = ("a", 1)

    def closure(value):
        return value in names or value in NAMES or value in {"p", "q", "r"}, shared

    def defaults(a, b={"k", "l"}, *, c=frozenset({"m", "n"})) -> {"o", "p"}:
        return a, os.path.join, json.dumps

    def recursive(n):
        return n and recursive(n - 1)

    defaults.attribute = {"u", "v"}
    return [
        closure, defaults, recursive, lambda x: x + 1, functools.partial(defaults, {"g", "h"}),
        closure.__code__, {(lambda: 1), (lambda: 2), (lambda: others)}, {"a", "b"}, shared,
    ]
"""


def make_functions():
    module = types.ModuleType("made")
    exec(compile(FUNCTIONS, "made.py", "exec"), vars(module))
    return module.make()


def test_deterministic_functions(cloud, protocol, tmp_path):
    """The same bytes: of functions made anew, before and after a round trip."""
    data = written(cloud, make_functions(), protocol, tmp_path, deterministic=True)
    for again in (make_functions(), cloud.loads(data), cloud.loads(cloud.dumps(make_functions()))):
        assert cloud.dumps(again, protocol, deterministic=True) == data
    closure, *_ = cloud.loads(data)
    assert closure("x") == closure("a") == closure("p") == (True, ("a", 1))
    assert closure("d") == (False, ("a", 1))
    assert len(cloud.loads(data)[6]) == 3


def test_deterministic_functions_in_other_processes():
    """The hash seed and the implementation make no difference."""
    program = (
        "import hashlib, quickpickle.cloud as cloud, test_cloud\n"
        "data = cloud.dumps(test_cloud.make_functions(), 5, deterministic=True)\n"
        "print(hashlib.sha256(data).hexdigest())"
    )
    digests = set()
    for seed, pure in (("1", "1"), ("2", "0"), ("3", "0")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "QUICKPICKLE_PURE": pure}
        environment["PYTHONPATH"] = os.path.dirname(__file__)
        digests.add(
            subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
        )
    assert len(digests) == 1


def test_deterministic_classes_by_value(cloud):
    """cloudpickle gives each a random name, so a class is the same only where it has that name."""

    def make():
        class Local:
            tags = frozenset({"s", "t", "w"})

        return [Local, {Local: 1}]

    things = make()
    data = cloud.dumps(things, deterministic=True)
    assert cloud.dumps(things, deterministic=True) == data
    assert cloud.dumps(cloud.loads(data), deterministic=True) == data
    assert cloud.dumps(make(), deterministic=True) != data


def test_deterministic_data(cloud, protocol):
    one, other = [{"a", "b", "c"}, ("x", 1), ("x", 1)], [{"c", "b", "a"}, *[("".join("x"), 1)] * 2]
    data = cloud.dumps([DATA, one], protocol, deterministic=True)
    assert data == cloud.dumps([DATA, other], protocol, deterministic=True)
    assert data == quickpickle.dumps([DATA, one], protocol, deterministic=True)


def test_the_names_are_those_of_cloudpickle(cloud):
    assert {*cloud.__all__, "__version__"} == {*cloudpickle.__all__, "diagnose", "of"}
    assert cloud.CloudPickler is cloud.Pickler
    assert cloud.load is quickpickle.load
    assert cloud.loads is quickpickle.loads
    assert cloud.register_pickle_by_value is cloudpickle.register_pickle_by_value
    for name in ("dump", "dumps", "Pickler"):
        ours, theirs = (
            inspect.signature(getattr(module, name)).parameters for module in (cloud, cloudpickle)
        )
        only_ours = ["deterministic", "compact", "progress"]
        only_ours += ["compression", "level"] * (name == "dump")
        assert list(ours) == [*theirs, *only_ours]
        assert {ours[name].kind for name in only_ours} == {inspect.Parameter.KEYWORD_ONLY}
    for name in ("__version__", "DEFAULT_PROTOCOL", "cloudpickle", "subimport"):
        assert getattr(cloud, name) is getattr(cloudpickle, name)
    for name in ("__path__", "no_name"):
        with pytest.raises(AttributeError, match=name):
            getattr(cloud, name)


def test_the_hook_of_cloudpickle_is_for_classes_and_functions_only(cloud):
    """For all others it is NotImplemented, and no more: what cloud.py declares of it."""
    pickler = cloud.Pickler(io.BytesIO())
    for obj in (*DATA.values(), Point(1), Plain(), 1j, re.compile("a"), functools.partial(add)):
        assert cloudpickle.Pickler.reducer_override(pickler, obj) is NotImplemented
    assert pickler.globals_ref == {}
    # It looks at no more than the type, and what the object says that its class is.
    names = cloudpickle.Pickler.reducer_override.__code__.co_names
    assert set(names) <= {
        "type", "issubclass", "TypeError", "_class_reduce", "isinstance", "types", "FunctionType",
        "_function_reduce", "NotImplemented",
    }  # fmt: skip


def test_an_interpreter_without_the_hook_of_cloudpickle():
    """PyPy is such an interpreter."""
    script = """
import cloudpickle
del cloudpickle.Pickler.reducer_override
import quickpickle.cloud
"""
    run = [sys.executable, "-c", script]
    result = subprocess.run(run, capture_output=True, text=True, check=False)
    assert "ImportError: quickpickle.cloud needs CPython" in result.stderr
    assert result.returncode == 1


def test_nothing_is_imported_until_asked_for():
    script = "import sys, quickpickle; assert 'cloudpickle' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


# --- loky and joblib: real processes

POOL = """
import os
import {loky} as loky
if "LOKY_PICKLER" not in os.environ:
    loky.set_loky_pickler("quickpickle.cloud")
import quickpickle.cloud

def main():
    factor = 3
    class Local:
        def __init__(self, value):
            self.value = value
    def work(local):
        import sys
        from {loky}.backend import reduction
        return type(local)(local.value * factor), reduction.get_loky_pickler_name()
    executor = loky.get_reusable_executor(max_workers=2)
    results = list(executor.map(work, [Local(i) for i in range(20)]))
    assert [local.value for local, _ in results] == [3 * i for i in range(20)]
    assert {{type(local) for local, _ in results}} == {{Local}}
    from {loky}.backend import reduction
    assert issubclass(reduction.get_loky_pickler(), quickpickle.cloud.Pickler)
    print({{name for _, name in results}})
    executor.shutdown()

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("loky", "environment"),
    [("loky", {}), ("joblib.externals.loky", {"LOKY_PICKLER": "quickpickle.cloud"})],
)
def test_loky(tmp_path, monkeypatch, loky, environment):
    """The workers take over the choice, for what they send back."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pytest.importorskip(loky)
    script = tmp_path / "script.py"
    script.write_text(POOL.format(loky=loky))
    run = [sys.executable, str(script)]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == ("{'quickpickle.cloud'}\n", "")


# --- diagnose


def test_diagnose_knows_what_is_pickled_by_value(cloud):
    lock = threading.Lock()

    def with_lock():
        return lock

    class Local:
        held = lock

    obj = {"a": [lambda: 0, with_lock], "b": Local(), "c": memoryview(b""), "d": [lock]}
    problems = cloud.diagnose(obj)
    assert [problem.path for problem in problems] == [
        "obj['a'][1].__closure__[0].cell_contents",
        "type(obj['b']).held",
        "obj['d'][0]",
    ]
    for problem in problems:
        assert eval(problem.path, {"obj": obj}) is lock
    with pytest.raises(TypeError) as caught:
        cloud.dumps(obj)
    assert caught.value.path == problems[0].path
    assert cloud.diagnose([lambda: 0, Local.__init__]) == []
    assert len(quickpickle.diagnose(obj)) > 3


class OwnLock:
    """Its instances can leave the lock out themselves."""

    def __init__(self):
        self.lock = threading.Lock()


def functions_with_a_lock():
    lock = threading.Lock()
    held = {"a": [lock]}
    owner = OwnLock()

    def in_a_default(lock=lock):
        pass

    def in_an_attribute():
        pass

    in_an_attribute.lock = lock
    space = {"LOCK": lock}
    exec("def in_globals(): return LOCK", space)

    class InAClass:
        locks = held

    class InAMethod:
        def method(self):
            return lock

    class InAnInstance:
        def __init__(self):
            self.lock = threading.Lock()

    function, method, state = "inside the function", "inside a method", "in __getstate__"
    return [
        *((function, one) for one in (lambda: lock, lambda: held, in_a_default, in_an_attribute)),
        *((function, one) for one in (space["in_globals"], InAMethod, InAMethod())),
        *((method, one) for one in (InAClass, InAClass())),
        *((state, one) for one in (InAnInstance(), lambda: owner, [lock])),
    ]


def test_the_hint_for_what_functions_and_classes_hold(cloud):
    """They have no __getstate__."""
    for text, obj in functions_with_a_lock():
        with pytest.raises(TypeError) as caught:
            cloud.dumps(obj)
        (note,) = caught.value.__notes__
        hint = note.split("\n")[1]
        assert hint.startswith("A lock works in the process that made it: ")
        assert text in hint
        assert [problem.hint for problem in cloud.diagnose(obj)] == [hint]


OTHER_NAMES = """if True:
    import collections, enum, typing

    class Again:
        pass

    def again():
        return 42

    Pair = collections.namedtuple("Couple", "a b")
    Hue = enum.Enum("Colour", "RED")
    T = typing.TypeVar("U")
"""


def test_names_that_lead_elsewhere_load_in_another_process(cloud, tmp_path, monkeypatch):
    """Plain pickling refuses these, and says that quickpickle.cloud pickles them."""
    module = types.ModuleType("other_names")
    monkeypatch.setitem(sys.modules, "other_names", module)
    exec(OTHER_NAMES, vars(module))
    old = [module.Again(), module.Again, module.again]
    exec(OTHER_NAMES, vars(module))
    for obj in (*old, module.Pair(1, 2), module.Hue.RED, module.T):
        with pytest.raises(pickle.PicklingError) as caught:
            quickpickle.dumps(obj)
        assert "quickpickle.cloud pickles " in caught.value.__notes__[0]
        script = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()))"
        run = [sys.executable, "-c", script]
        data = cloud.dumps(obj)
        result = subprocess.run(run, input=data, capture_output=True, cwd=tmp_path, check=False)
        assert result.stderr == b""


def test_the_limits_of_diagnose(cloud):
    obj = [threading.Lock(), threading.Lock()]
    problems = cloud.diagnose(obj, max_problems=1)
    assert len(problems) == 1
    assert not problems.complete
    with pytest.raises(ValueError, match="pickle protocol must be"):
        cloud.diagnose(obj, protocol=99)
    assert len(cloud.diagnose(obj, protocol=2)) == 2


def test_compression(cloud, tmp_path):
    """As with quickpickle.dump: by the name, or as it is asked for."""
    function = THINGS["closure"]
    for name, options in (("f.gz", {"level": 1}), ("f", {"compression": "gzip", "level": 1})):
        cloud.dump(function, tmp_path / name, **options)
        data = (tmp_path / name).read_bytes()
        assert gzip.decompress(data) == cloudpickle.dumps(function)
        assert data[8] == 4  # what gzip says of its fastest level
    with pytest.raises(ValueError, match="need the path of a file"):
        cloud.dump(function, io.BytesIO(), compression="gzip")
