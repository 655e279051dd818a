"""quickpickle.cloud.of: what a copy of cloudpickle writes, by our Pickler, with its registries."""

from __future__ import annotations

import dataclasses
import importlib
import io
import os
import pickle
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import quickpickle
from conftest import IMPLEMENTATIONS

cloudpickle = pytest.importorskip("cloudpickle", reason="for the interpreter of make test alone")
NAME = "a_library.vendored_cloudpickle"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a library that has a copy of cloudpickle in it."""
    folder = tmp_path_factory.mktemp("copies")
    shutil.copytree(Path(cloudpickle.__file__).parent, folder / NAME.replace(".", "/"))
    (folder / "a_library" / "__init__.py").touch()
    return folder


@pytest.fixture
def copy(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.startswith("a_library")]:
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module(NAME)


def is_installed(name):
    return importlib.util.find_spec(name.partition(".")[0]) and importlib.util.find_spec(name)


OTHERS = (
    "apache_beam.internal.cloudpickle",
    "joblib.externals.cloudpickle",
    "pyspark.cloudpickle",
    "ray.cloudpickle",
)


@pytest.fixture(params=["copy", *filter(is_installed, OTHERS)])
def theirs(request):
    """The copy above; those of other libraries where they are installed."""
    if request.param == "copy":
        return request.getfixturevalue("copy")
    return importlib.import_module(request.param)


def make(implementation, module, monkeypatch):
    """The result of `of`, on top of each implementation."""
    for name in ("Pickler", "dumps_with_hooks"):
        monkeypatch.setattr(quickpickle._implementation, name, getattr(implementation, name))
    spec = importlib.util.find_spec("quickpickle.cloud_copies")
    copies = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copies)
    cloud = copies.of(module)
    assert implementation.Pickler in cloud.Pickler.__mro__
    return cloud


@pytest.fixture
def cloud(implementation, theirs, monkeypatch):
    return make(implementation, theirs, monkeypatch)


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


def add(x, y=1):
    return x + y


def things():
    factor = 3

    class Local:
        def __init__(self, value):
            self.value = value

        def times(self):
            return self.value * factor

    return {
        "lambda": lambda x: x * factor,
        "class": Local,
        "instances": [Local(i) for i in range(20)],
        "method": Local(2).times,
        "names": [add, Point, len, os.path.join, type(None), int],
        "data": [Point(i, {"key": (i, str(i), i / 7)}) for i in range(300)],
        "modules": [sys, types.ModuleType("made_here")],
    }


THINGS = things()


@pytest.mark.parametrize("name", THINGS)
def test_the_bytes_are_those_of_the_copy(cloud, theirs, protocol, name):
    thing = THINGS[name]
    theirs.dumps(thing, protocol)  # leaves __slotnames__ in local classes
    data = theirs.dumps(thing, protocol)
    for _ in range(2):  # without plans, and with
        file = io.BytesIO()
        cloud.dump(thing, file, protocol)
        assert cloud.dumps(thing, protocol) == file.getvalue() == data
    if name in ("lambda", "class"):
        assert theirs.__name__.encode() in data


def test_functions_come_back(cloud):
    times, total = cloud.loads(cloud.dumps([THINGS["lambda"], THINGS["method"]]))
    assert (times(5), total()) == (15, 6)


def test_the_registries_are_those_of_the_copy(cloud, theirs, monkeypatch):
    """Of modules by value, and of reducers; those of cloudpickle itself do not count."""
    module = sys.modules[__name__]
    before = cloud.dumps([add, Point(1)])
    cloudpickle.register_pickle_by_value(module)
    monkeypatch.setitem(cloudpickle.Pickler.dispatch_table, Point, lambda p: (int, (p.x,)))
    try:
        assert cloud.dumps([add, Point(1)]) == before
        cloud.register_pickle_by_value(module)
        try:
            assert cloud.list_registry_pickle_by_value() == {__name__}
            assert cloud.dumps(add) == theirs.dumps(add) != cloudpickle.dumps(add)
        finally:
            cloud.unregister_pickle_by_value(module)
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    monkeypatch.setitem(theirs.CloudPickler.dispatch, Point, lambda p: (float, (p.x,)))
    assert cloud.dumps([add, Point(1)]) == theirs.dumps([add, Point(1)]) != before
    assert cloud.loads(cloud.dumps(Point(1))) == 1.0


def test_subclasses(cloud, theirs):
    def use(base):
        class Sub(base):
            def reducer_override(self, obj):
                return (int, (obj.x,)) if type(obj) is Point else super().reducer_override(obj)

        file = io.BytesIO()
        Sub(file, protocol=4).dump([Point(1), THINGS["lambda"], Point(2)])
        return file.getvalue()

    assert use(cloud.CloudPickler) == use(theirs.CloudPickler)


def test_buffers_and_options(cloud, theirs):
    data = [pickle.PickleBuffer(bytearray(b"a" * 50)), THINGS["lambda"]]
    ours, other = [], []
    assert cloud.dumps(data, 5, ours.append) == theirs.dumps(data, 5, other.append)
    assert len(ours) == len(other) == 1
    assert cloud.dumps({"b", "a", "c"}, deterministic=True) == quickpickle.dumps(
        {"c", "a", "b"}, 5, deterministic=True
    )
    problems = cloud.diagnose([THINGS["lambda"], io.StringIO(), sys.stdout.buffer])
    assert [problem.path for problem in problems] == ["obj[2]"]


@pytest.mark.parametrize("change", ["registry", "rule", "hook"])
def test_code_of_a_copy_that_is_changed_after_the_fact(cloud, theirs, monkeypatch, change):
    """As with cloudpickle itself: nothing is known of it any more."""
    module = sys.modules[theirs.CloudPickler.__module__]
    if change == "registry":
        monkeypatch.setattr(module, "_PICKLE_BY_VALUE_MODULES", {__name__})
    elif change == "rule":
        rule = module._should_pickle_by_reference
        monkeypatch.setattr(
            module,
            "_should_pickle_by_reference",
            lambda obj, *args, **options: obj is not add and rule(obj, *args, **options),
        )
    else:
        override = theirs.CloudPickler.reducer_override
        monkeypatch.setattr(
            theirs.CloudPickler,
            "reducer_override",
            lambda self, obj: (str, (obj.__name__,)) if obj is add else override(self, obj),
        )
    theirs.dumps([add, Point(1)])
    assert cloud.dumps([add, Point(1)]) == theirs.dumps([add, Point(1)])
    assert cloud.dumps(add) != cloudpickle.dumps(add)


@pytest.mark.parametrize(
    ("line", "of_the_copy"),
    [
        (
            "    if isinstance(obj, types.FunctionType) or issubclass(type(obj), type):\n",
            "    if getattr(obj, '__name__', '') == 'add': return False\n",
        ),
        ("            t = type(obj)\n", "            if obj is len: return str, ('len',)\n"),
    ],
)
def test_a_copy_with_rules_of_its_own(
    implementation, folder, tmp_path, monkeypatch, line, of_the_copy
):
    """Its own word on its version is not asked for."""
    shutil.copytree(folder / "a_library" / "vendored_cloudpickle", tmp_path / "changed")
    path = tmp_path / "changed" / "cloudpickle.py"
    text = path.read_text("utf-8")
    assert text.count(line) == 1
    path.write_text(text.replace(line, of_the_copy + line), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "changed", False)
    monkeypatch.delitem(sys.modules, "changed.cloudpickle", False)
    changed = importlib.import_module("changed")
    assert changed.dumps([add, len]) != cloudpickle.dumps([add, len])
    cloud = make(implementation, changed, monkeypatch)
    assert cloud.dumps([add, len]) == changed.dumps([add, len])


def test_the_known_code_is_known(copy, monkeypatch):
    """So that a release of cloudpickle with other code, which costs its speed, is seen here."""
    from quickpickle import cloud_copies

    for module in (cloudpickle, copy):
        assert len(cloud_copies._known(module.CloudPickler)) == 4
    monkeypatch.setattr("inspect.getsource", lambda obj: (_ for _ in ()).throw(OSError()))
    assert cloud_copies._known(copy.CloudPickler) is None


def test_one_for_each_module(copy):
    import quickpickle.cloud as cloud

    assert cloud.of(copy) is cloud.of(copy) is not cloud.of(cloudpickle)
    assert cloud.dumps == cloud.of(cloudpickle).dumps
    assert cloud.Pickler is cloud.of(cloudpickle).Pickler
    assert repr(cloud.of(copy)) == f"quickpickle.cloud.of({NAME})"
    ours = cloud.of(copy)
    for name in ("cloudpickle", "subimport", "DEFAULT_PROTOCOL", "register_pickle_by_value"):
        assert getattr(ours, name) is getattr(copy, name)
    for module in (pickle, quickpickle):
        assert module.loads(module.dumps(ours)) is ours
        assert module.loads(module.dumps(ours.dumps)) == ours.dumps
        assert module.loads(module.dumps(cloud.dumps)) == cloud.dumps
    for name in ("__path__", "no_name"):
        with pytest.raises(AttributeError, match=name):
            getattr(ours, name)
    for module in (pickle, quickpickle, cloud, None):
        with pytest.raises(TypeError, match="no copy of cloudpickle"):
            cloud.of(module)


WITHOUT = """
import sys
sys.modules["cloudpickle"] = None  # as where it is not installed
import pickle
import quickpickle.cloud
import a_library.vendored_cloudpickle as copy

cloud = quickpickle.cloud.of(copy)
answer = lambda: 42
assert cloud.dumps(answer) == copy.dumps(answer)
assert cloud.loads(cloud.dumps(answer))() == 42
for name, kind in (("dumps", ImportError), ("Pickler", ImportError), ("subimport", AttributeError)):
    try:
        getattr(quickpickle.cloud, name)
    except kind as error:
        print(error)
try:
    from quickpickle.cloud import dumps
except ModuleNotFoundError as error:
    print(error.name)
"""


@pytest.mark.parametrize("pure", [""] * ("native" in IMPLEMENTATIONS) + ["1"])
def test_without_cloudpickle(folder, pure):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={**os.environ, "QUICKPICKLE_PURE": pure, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    needs = "quickpickle.cloud.{} needs cloudpickle: pip install 'quickpickle[cloud]'\n"
    names = ("dumps", "Pickler", "subimport")
    assert result.stderr == ""
    assert result.stdout == "".join(map(needs.format, names)) + "cloudpickle\n"
