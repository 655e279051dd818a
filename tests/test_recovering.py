"""recover: what is left of pickles that are cut off, damaged, or name what is not there."""

from __future__ import annotations

import bz2
import collections
import dataclasses
import datetime as dt
import doctest
import gzip
import io
import os
import pickle
import pickletools
import random
import sys
import types
import uuid

import pytest

import quickpickle
from conftest import UNPICKLERS
from inspection_checks import SCANNERS
from quickpickle import Policy, PolicyError, recover
from quickpickle import recovering as recovering_module

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="the errors of PyPy's unpickler are others"
)


@pytest.fixture(params=UNPICKLERS, autouse=True)
def chosen(request, monkeypatch):
    """Each implementation, with its scanner."""
    monkeypatch.setattr(recovering_module, "loads", UNPICKLERS[request.param].loads)
    monkeypatch.setattr(recovering_module, "find_scanner", lambda: SCANNERS[request.param])


class Plain:
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None


class Slotted:
    __slots__ = ("a", "b")


@dataclasses.dataclass
class Point:
    x: float
    y: float


class WithSetstate(Plain):
    def __setstate__(self, state):
        vars(self).update(state)
        self.is_whole = "last" in state


class Fails:
    """Loads as long as `working` is true."""

    working = True

    def __setstate__(self, state):
        if not Fails.working:
            raise ValueError("it does not")

    def __getstate__(self):
        return {"list": [1, 2]}


def is_part(part, whole):
    """Whether nothing is in a container that is not in another one, in the same place."""
    if isinstance(whole, tuple) and isinstance(part, tuple):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    if type(part) is not type(whole):
        return False
    if isinstance(whole, list | collections.deque):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    if isinstance(whole, dict):
        return all(key in whole and is_part(part[key], whole[key]) for key in part)
    if isinstance(whole, set | frozenset):
        return part <= whole
    if isinstance(whole, Plain):
        return is_part(vars(part), vars(whole))
    return part == whole


def size_of(obj):
    """How many objects there are in one, if there is nothing twice."""
    if isinstance(obj, Plain):
        return 1 + size_of(vars(obj))
    if isinstance(obj, dict):
        return 1 + sum(1 + size_of(value) for value in obj.values())
    if isinstance(obj, list | tuple | set | frozenset | collections.deque):
        return 1 + sum(map(size_of, obj))
    return 1


TREES = {
    "list": [1, 2, 3, "four", 5.0, None, True, 2**100],
    "dict": {"a": 1, "b": [1, 2, 3], "c": {"d": [4, 5], "e": "f"}},
    "nested": [[1, [2, [3, [4, 5]], 6]], [7, 8], [9]],
    "tuples": [(1, 2, 3, 4, 5), (6, 7, 8, 9, 10)],
    "sets": {"a": {1, 2, 3}, "b": {"x"}},
    "deque": [collections.deque([1, 2, 3]), 4],
    "ordered": {"o": collections.OrderedDict(a=1, b=[2, 3]), "x": 1},
    "instance": Plain(name="app", records=[1, 2, {"a": 1}], last=0),
    "instances": {"app": Plain(a=1, b=[1, 2]), "x": 2},
    "dates": [dt.date(2026, 1, 2), dt.date(2027, 1, 2), 5],
    "bytes": [b"x" * 300, b"y", "z" * 300],
}


@pytest.mark.costly
@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cut_off_at_each_byte(name, protocol):
    whole = TREES[name]
    data = pickle.dumps(whole, protocol)
    most = 0
    for size in range(len(data)):
        try:
            found = recover(data[:size])
        except (EOFError, pickle.UnpicklingError):
            assert not most  # more bytes never give nothing
            continue
        with pytest.raises(type(found.error)) as caught:
            quickpickle.loads(data[:size])
        assert str(caught.value) == str(found.error)
        assert found.offset <= size
        assert type(found.value) is type(whole)
        assert is_part(found.value, whole), (size, found.value)
        most = max(most, size_of(found.value))
        # Never less than a few objects of what an earlier cut gave.
        assert size_of(found.value) >= most - 4, (size, found.value)
    assert found.value == whole  # without STOP
    assert most == size_of(whole)
    found = recover(data)
    assert (found.value, found.error, found.path, found.offset) == (whole, None, None, None)


@pytest.mark.costly
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_batches(protocol):
    """A list gets a thousand items at a time, and what follows is in the next frame."""
    whole = {"numbers": list(range(3500)), "keys": {str(i): i for i in range(2500)}}
    data = pickle.dumps(whole, protocol)
    for part in range(1, 8):
        found = recover(data[: len(data) * part // 8])
        assert is_part(found.value, whole)
        assert size_of(found.value) > size_of(whole) * (part - 1) // 8 - 200


def test_frames_that_are_cut_off():
    """A frame is read at once, so load does not come to what is in it."""
    whole = [f"item {i} " + "x" * 20 for i in range(10_000)]
    data = pickle.dumps(whole, 4)
    frames = [place for opcode, _, place in pickletools.genops(data) if opcode.name == "FRAME"]
    assert len(frames) > 3
    found = recover(data[: frames[2] + 1000])
    assert found.error.offset == frames[2]
    assert frames[2] + 900 < found.offset <= frames[2] + 1000
    assert found.value == whole[: len(found.value)]
    assert len(found.value) > 4000


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_opcode(protocol):
    data = pickle.dumps([1, 2, [3, 4, 5], "end"], protocol)
    at = data.index(pickle.dumps(5, protocol)[2 if protocol > 1 else 0 :][:-1] or b"", 4)
    found = recover(data[:at] + b"\xff" + data[at + 1 :])
    assert found.value == [1, 2, [3, 4]]
    assert isinstance(found.error, pickle.UnpicklingError)
    assert "invalid load key" in str(found.error)
    assert found.offset == at


@pytest.fixture
def missing_module(monkeypatch):
    """A class of a module that is there while pickling, and then is not."""
    module = types.ModuleType("recover_missing")
    exec("class Gone:\n    def __init__(self): self.a = [1, 2]\n", vars(module))
    monkeypatch.setitem(sys.modules, "recover_missing", module)
    yield module
    monkeypatch.delitem(sys.modules, "recover_missing", raising=False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_class_that_does_not_import(missing_module, protocol):
    data = pickle.dumps({"a": [1, 2], "b": [3, missing_module.Gone(), 4], "c": 5}, protocol)
    del sys.modules["recover_missing"]
    found = recover(data)
    assert found.value == {"a": [1, 2], "b": [3]}
    assert isinstance(found.error, ModuleNotFoundError)
    assert found.path == "obj['b'][1]"
    renamed = recover(data, renames={"recover_missing.Gone": f"{__name__}.Plain"})
    assert renamed.error is None
    assert renamed.value["b"][1] == Plain(a=[1, 2])
    # The first fault decides, also where it is behind a renamed name.
    cut = recover(data[:-2], renames={"recover_missing.Gone": f"{__name__}.Plain"})
    assert isinstance(cut.error, EOFError | pickle.UnpicklingError)
    assert cut.value["b"][1] == Plain(a=[1, 2])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_setstate_that_fails(monkeypatch, protocol):
    data = pickle.dumps([1, {"x": Fails(), "y": 2}, 3], protocol)
    monkeypatch.setattr(Fails, "working", False)
    found = recover(data)
    assert isinstance(found.error, ValueError)
    assert found.value == [1, {}]
    assert found.loose == [{"list": [1, 2]}]
    assert found.path == "obj[1]['x']"


def test_an_instance_with_a_half_read_state():
    """It has the attributes that came, where one of them holds something, and at the bottom."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps([Plain(a=1, b=[1, 2, 3], c=2), 5], protocol)
        found = recover(data[: data.index(b"K\x03")])
        assert found.value == [Plain(a=1, b=[1, 2])]
        data = pickle.dumps([Point(1, 2), Point(3, 4)], protocol)
        found = recover(data[: data.index(b"K\x04")])
        assert found.value == [Point(1, 2)]
        data = pickle.dumps(Point(3, 4), protocol)
        found = recover(data[: data.index(b"K\x04")])
        assert vars(found.value) == {"x": 3}
        slotted = Slotted()
        slotted.a, slotted.b = [1], 2
        data = pickle.dumps(slotted, protocol)
        found = recover(data[: data.index(b"K\x02")])
        assert found.value.a == [1]
        assert not hasattr(found.value, "b")


def test_a_class_with_a_setstate_gets_no_half_state():
    data = pickle.dumps({"a": WithSetstate(big=[1, 2, 3], last=2), "b": 3})
    found = recover(data[: data.index(b"K\x03")])
    assert found.value == {}
    assert found.loose == [{"big": [1, 2]}]
    assert recover(data[:-2]).value["a"].is_whole
    # As the outermost object it cannot be given, so it is its state that is.
    data = pickle.dumps(WithSetstate(big=[1, 2, 3], last=2))
    found = recover(data[: data.index(b"K\x03")])
    assert (found.value, found.loose) == ({"big": [1, 2]}, [])


@pytest.mark.costly
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_instance_just_before_its_state(protocol):
    """It is left out, whatever waits for it."""
    for whole in ({"a": [1], "b": uuid.UUID(int=5)}, {"b": uuid.UUID(int=5)}, [uuid.UUID(int=5)]):
        data = pickle.dumps(whole, protocol)
        for size in range(len(data)):
            try:
                found = recover(data[:size])
            except (EOFError, pickle.UnpicklingError):
                continue
            assert is_part(found.value, whole), found.value


def test_a_call_whose_arguments_are_half_read():
    data = pickle.dumps({"a": 1, "d": collections.Counter({"x": 1, "y": 2}), "b": 3}, 4)
    found = recover(data[: data.index(b"K\x02")])
    assert (found.value, found.loose) == ({"a": 1}, [{"x": 1}])


def test_names_are_no_values():
    """From protocol 4 on the module and the name of a class are texts on the stack."""
    data = pickle.dumps({"a": 1, "b": Plain(x=1)}, 4)
    for size in range(data.index(b"b") + 2, data.index(b"\x93")):
        assert recover(data[:size]).value == {"a": 1}
    with pytest.raises((EOFError, pickle.UnpicklingError)):
        recover(pickle.dumps(Plain(x=1), 4)[: len(__name__) + 20])


def test_short_tuples():
    """Their items are on the stack as any others."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        for whole in (
            ([1, 2], [3, 4]),
            ([1, 2], "b", [3, 4]),
            {"data": ([1, 2], [3, 4])},
            {"a": 0, "data": ([1, 2], [3, 4])},
            {"a": 0, "data": ([1, 2], {"x": [3, 4]})},
            [([1, 2], [3, 4])],
            {"a": {"b": ([1, 2], [3, 4])}},
        ):
            data = pickle.dumps(whole, protocol)
            found = recover(data[: data.index(b"K\x04")])
            assert type(found.value) is type(whole)
            assert is_part(found.value, whole), found.value
            assert repr(found.value) == repr(whole).replace("[3, 4]", "[3]")
            assert found.loose == []


def test_keys_without_values():
    for protocol in PROTOCOLS:
        data = pickle.dumps({"first": 1, "second": 2}, protocol)
        found = recover(data[: data.index(b"second") + 6 + 5 * (protocol == 0)])
        assert found.value == {"first": 1}


def test_what_is_only_in_the_memo_is_left_out():
    data = b"\x80\x02]q\x00(K\x01e0" + b"}q\x01X\x01\0\0\0aK\x02"
    found = recover(data)
    assert (found.value, found.loose) == ({"a": 2}, [])


def test_shared_and_recursive_objects():
    shared = [1, 2]
    whole = [shared, {"again": shared}, shared, "end" * 100]
    whole.append(whole)
    for protocol in PROTOCOLS:
        data = pickle.dumps(whole, protocol)
        found = recover(data[:-4])
        assert found.value[0] is found.value[1]["again"] is found.value[2]
    cycle = []
    cycle += [cycle, (cycle, 1, 2, 3, 4), 5]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(cycle, protocol)
        found = recover(data[: data.index(b"K\x04")])
        assert found.value[0] is found.value
        assert found.value[1][0] is found.value
        assert found.value[1][1:] == (1, 2, 3)


@pytest.mark.costly
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_deep_nesting(protocol):
    whole = []
    for _ in range(50_000):
        whole = [1, whole]
    data = quickpickle.dumps(whole, protocol)
    found = recover(data[: len(data) // 4])
    depth, value = 0, found.value
    while len(value) == 2:
        depth, value = depth + 1, value[1]
    assert depth > 3000
    while whole:  # a chain is freed without recursion
        whole = whole[1] if len(whole) == 2 else None


def test_out_of_band_buffers():
    buffers = []
    data = pickle.dumps(
        [pickle.PickleBuffer(bytearray(b"abc")), [pickle.PickleBuffer(b"def")], 1, 2, 3],
        5,
        buffer_callback=buffers.append,
    )
    found = recover(data[: data.index(b"K\x03")], buffers=iter(buffers))
    assert [bytes(found.value[0]), bytes(found.value[1][0])] == [b"abc", b"def"]
    assert found.value[2:] == [1, 2]
    found = recover(data, buffers=buffers[:1])
    assert bytes(found.value[0]) == b"abc"
    assert len(found.value) == 2
    assert found.value[1] == []
    with pytest.raises(pickle.UnpicklingError):
        recover(pickle.dumps(buffers[0], 5, buffer_callback=lambda buffer: None))


def test_under_a_policy():
    whole = {"a": [1, dt.date(2026, 1, 2)], "b": [os.system, 1], "c": 2}
    for protocol in PROTOCOLS:
        data = pickle.dumps(whole, protocol)
        found = recover(data, policy=Policy.plain())
        assert isinstance(found.error, PolicyError)
        assert found.value == {"a": whole["a"], "b": []}
        assert found.path == "obj['b'][0]"
        found = recover(data[:-5], policy=Policy.plain().allow("posix.system", dangerous=True))
        assert is_part(found.value, whole)
        # A name that is not listed is refused in each load, also where the pickle is cut off.
        called = []
        sys.modules[__name__].call = called.append
        evil = pickle.dumps([1, Calls(), 2, 3], protocol)
        for size in range(len(evil)):
            try:
                found = recover(evil[:size], policy=Policy.plain())
            except (EOFError, pickle.UnpicklingError):
                continue
            assert found.value in ([], [1], [1, 2][:1])
        assert called == []


class Calls:
    def __reduce__(self):
        return call, (1,)


def call(value):
    raise AssertionError("it was called")


def test_the_limits_of_a_policy():
    policy = Policy().limit(objects=500)
    found = recover(pickle.dumps([list(range(300)), list(range(300))]), policy=policy)
    assert isinstance(found.error, PolicyError)
    assert found.value[0] == list(range(300))
    assert len(found.value[1]) < 300


def test_arrays():
    numpy = pytest.importorskip("numpy")
    whole = {"a": numpy.arange(1000), "b": [numpy.arange(10.0), numpy.ones(5)], "c": 1}
    for policy in (None, Policy.numpy()):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            data = pickle.dumps(whole, protocol)
            for size in range(len(data) - 200, len(data), 7):
                found = recover(data[:size], policy=policy)
                assert (found.value["a"] == whole["a"]).all()
                for one, other in zip(found.value.get("b", ()), whole["b"], strict=False):
                    assert one.shape == other.shape
                    assert (one == other).all()
            found = recover(data[:2000], policy=policy)
            assert found.value == {}


def test_nothing_is_left():
    for data in (b"", b"\x80", b"\x80\x04", b"\x80\x04.", b"<html>", b"cos\nsystem\n", b"("):
        with pytest.raises((EOFError, pickle.UnpicklingError)) as caught:
            recover(data)
        assert caught.value.__context__ is None
    with pytest.raises(TypeError):
        recover(1)
    with pytest.raises(TypeError, match="policy must be a Policy"):
        recover(b"N.", policy=1)
    with pytest.raises(FileNotFoundError):
        recover("/no/such/file")


def test_where_it_is_read_from(tmp_path):
    data = pickle.dumps(["one", "two", "three"])
    cut = data[: data.index(b"three")]
    (tmp_path / "plain").write_bytes(cut)
    (tmp_path / "gz").write_bytes(gzip.compress(cut))
    for file in (
        *(cut, bytearray(cut), memoryview(cut), io.BytesIO(cut)),
        *(tmp_path / "plain", str(tmp_path / "plain"), tmp_path / "gz"),
    ):
        found = recover(file)
        assert found.value == ["one", "two"]
        assert isinstance(found.error, pickle.UnpicklingError)
    with (tmp_path / "plain").open("rb") as file:
        assert recover(file).value == ["one", "two"]


@pytest.mark.costly
def test_compressed_files_that_are_cut_off(tmp_path):
    whole = [random.Random(i).randbytes(500).hex() for i in range(5000)]
    for compress, name in ((gzip.compress, "gz"), (bz2.compress, "bz2")):
        data = compress(pickle.dumps(whole))
        path = tmp_path / name
        path.write_bytes(data[: len(data) // 2])
        found = recover(path)
        assert 1000 < len(found.value) < 4000
        assert found.value == whole[: len(found.value)]
        assert isinstance(found.error.__cause__, EOFError)
        module = {"gz": gzip, "bz2": bz2}[name]
        with module.open(path) as file:
            again = recover(file)
        assert again.value == found.value
        assert isinstance(again.error.__cause__, EOFError)
    path.write_bytes(bz2.compress(pickle.dumps([1]))[:-2])
    try:
        found = recover(path)
    except EOFError:
        return  # the only block is not whole
    assert found.error is not None


def test_what_is_whole_in_a_damaged_file(tmp_path):
    """The checksum does not fit, so it is not told that it is whole."""
    data = bytearray(gzip.compress(pickle.dumps([1, 2])))
    data[-8] ^= 1
    (tmp_path / "a").write_bytes(data)
    found = recover(tmp_path / "a")
    assert found.value == [1, 2]
    assert isinstance(found.error, OSError)


def test_it_prints_well():
    data = pickle.dumps({"a": [1, 2, {"b": 3}]})
    assert repr(recover(data)) == "<Recovered: whole, dict of 1>"
    found = recover(data[: data.index(b"K\x03")])
    assert repr(found) == (
        f"<Recovered: not whole, dict of 1, up to byte {data.index(b'K' + bytes([3]))} "
        "(obj['a']); UnpicklingError: pickle data was truncated>"
    )
    data = pickle.dumps(Point(3, 4))  # whose repr fails where an attribute is missing
    assert "Point" in repr(recover(data[: data.index(b"K\x04")]))


@pytest.mark.costly
def test_damaged_pickles():
    """Whatever a byte becomes: a value with an error, a whole pickle, or the error of load."""
    whole = {"a": [1, (2, 3, 4, 5)], "b": Plain(x=[1]), "c": {"d": {6}}, "e": Point(1, 2)}
    for protocol in (0, 2, 4):
        data = pickle.dumps(whole, protocol)
        for place in range(len(data)):
            for change in (0x01, 0x80, 0x28 ^ data[place], 0x30 ^ data[place]):
                damaged = bytearray(data)
                damaged[place] ^= change
                expected = attempt(quickpickle.loads, damaged)
                found = attempt(recover, damaged)
                if isinstance(found, Exception):
                    assert type(found) is type(expected)
                elif isinstance(expected, Exception):
                    assert type(found.error) is type(expected)
                else:
                    assert found.error is None


def attempt(function, data):
    try:
        return function(data)
    except Exception as error:
        return error


def test_the_example():
    found = doctest.DocTestFinder().find(
        recover, "recover", quickpickle, globs={"recover": recover}
    )
    assert doctest.DocTestRunner().run(found[0]).failed == 0
    assert found[0].examples
