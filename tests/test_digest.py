"""object_digest: equal objects have equal digests, today and on another Python."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import fractions
import hashlib
import pickle
import sys
import types
import uuid
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from conftest import IMPLEMENTATIONS
from differential import PYPY
from models import Plain


class Ordered(Plain):
    def __eq__(self, other):
        return vars(self) == vars(other)

    def __hash__(self):
        return 1


@dataclass(frozen=True)
class Frozen:
    first: Any
    second: Any = None


def digest(implementation, obj, *args, **options):
    result = implementation.object_digest(obj, *args, **options).hexdigest()
    for other in IMPLEMENTATIONS.values():
        assert other.object_digest(obj, *args, **options).hexdigest() == result
    return result


def make_cycle():
    cycle: list[Any] = [1]
    cycle.append((cycle, {"self": cycle}))
    return cycle


def make_doubled():
    doubled: tuple[Any, ...] = ("x",)
    for _ in range(60):
        doubled = (doubled, doubled)
    return doubled


GOLDEN: dict[str, Any] = {
    "None": None,
    "bools": [True, False],
    "ints": [0, 1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**63, -(2**2040)],
    "floats": [0.0, -0.0, 1.5, float("inf"), 5e-324],
    "strings": ["", "a", "é", "\ud800", "\U00010000", "x" * 256, "x" * 70_000],
    "bytes": [b"", b"a", bytes(256), bytes(70_000), bytearray(b"a"), bytearray(70_000)],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "lists": [list(range(size)) for size in (0, 1, 2, 999, 1000, 1001, 2000, 2001)],
    "dicts": [{i: str(i) for i in range(size)} for size in (0, 1, 2, 1000, 1001)],
    "sets": [set(range(size)) for size in (0, 1, 2, 1000, 1001)],
    "frozensets": [frozenset(map(str, range(size))) for size in (0, 1, 2, 1000, 1001)],
    "mixed set": {1, "a", b"a", None, 2.5, (1, "x"), frozenset([2, ("y",)]), ()},
    "mixed keys": {1: "a", "a": 1, None: 2, (1, 2): 3, b"b": 4},
    "complex": [1j, complex(-0.0, 2)],
    "range": [range(5), range(1, 10, 3)],
    "singletons": [..., NotImplemented, type(None), type(...)],
    "classes": [int, str, dict, ValueError, collections.OrderedDict],
    "functions": [len, sorted, print, [].append],
    "collections": [
        collections.OrderedDict(b=1, a=2),
        collections.deque([1, 2], 5),
        collections.defaultdict(list, a=[1]),
        collections.Counter("abca"),
    ],
    "dates": [
        dt.date(2020, 1, 2),
        dt.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC, fold=1),
        dt.time(1, 2),
        dt.timedelta(1, 2, 3),
    ],
    "numbers": [decimal.Decimal("1.50"), fractions.Fraction(1, 3)],
    "UUID": uuid.UUID(int=1),
    "exception": ValueError("x", 1),
    "array": array.array("i", [1, 2, 3]),
    "cycle": make_cycle(),
    "doubled": make_doubled(),
}
DIGESTS = {
    "None": "6c09635decb8153d3c12e3782a69fd2eb097426f912547d351a8647b27d5580a",
    "bools": "7bb654e76c6aa57583afeba68a81a9df3f624d53343b1e3e2ae142792ffe6d1a",
    "ints": "2153290c882266f6007f064f2f50644c281125e9125104069ee794ac69759edf",
    "floats": "8783f6f3e8166cad93d443e90ddf3ea2972510b6bd8c90ddc5003bfe97d38011",
    "strings": "65ed32d420b4da9857f67485e54b261d2b148b65501ff11e500b8990fe713e53",
    "bytes": "646c4e44f835c99c743b063e40928e66f3a04bab08ff2fbe15e57aa2432d0fb9",
    "tuples": "13bf43f6c2a71ff793997d04c1410b02718c05dd039c00bb67d5c05f718f1dac",
    "lists": "cf3a4662c073db143fc2be00fb05006341d4e8116c43ea15666fd876e8ed26e5",
    "dicts": "7b50c905cb273c062646dc7419d138f9bf5fe1738ade8bdbf591a563ffeb22c4",
    "sets": "b9ca853b17e23fc171d02728f6b3f337c7093b3b2343ca651ff7cffa94033000",
    "frozensets": "a5a37759e78c571cd9d1905b74bedaea3befdfa417465046d082a0c7e5d4e920",
    "mixed set": "2b47ae3a9d52d28b6edc6aefa51ccb6786de2e73ad93f64a26f1a107473b07f5",
    "mixed keys": "115f798209987514ecc9d414c78da7820491a3c38213fc6dcefe336d6a5b9c20",
    "complex": "dc07f47658ffad8d0da6e68bc330c4314e2afa9b56c6e87a2841c5a0fcca2ebb",
    "range": "3707569670cd26f1bc0849e05261b63cf8252f09098a60598d7ea7ab584c9c5a",
    "singletons": "107a184ef643641caea5a2c8e92362f939ffcc06eba22fe58da089f40c5b6cb2",
    "classes": "706637f23d1d9b1c80f99125bac72bbd1e9c78c671e45de11fe407dfe8f5e644",
    "functions": "f68761f056855d72f5cb8c3693feef5150b0fbd175cb9e0ee34510d561369d74",
    "collections": "2b929380f5909481ca2e4d014c519fdca1aeae0bbdb566b63b8193d2066e47c1",
    "dates": "d4ebf3166ef10bcb6f60ad710fa5601c9abc98ce3ce3c1ccdfe8d1a99f78bb4b",
    "numbers": "d7f5cd0ed7901c29b58e680f542c42e99623441349442c7a2fc9ba4286ca6eff",
    "UUID": "e410d7de6bb3e6d7f6224885909cdcd10627bbfa85de07d42ee0730c69c3d3ac",
    "exception": "132741033a87670467dad498a084ebc771aedcc353af193089e93958a869e8bd",
    "array": "9dc1a4f579476737b3ac680dd06dd428c260f7e273477ec1c2711033f26cbe00",
    "cycle": "773387ac694f25b5a3eb824b093397829dfc693d05056b5d81cc7cf3b1c25788",
    "doubled": "93b33d02d3b5b2bfc30f691a4eb87b948fe8f16a2f79512c4872a64f08eb2654",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_digests(implementation, name):
    if PYPY and name in ("functions", "dates"):
        pytest.skip(
            "PyPy writes functions of the builtins and dates, both in Python there, otherwise"
        )
    assert digest(implementation, GOLDEN[name]) == DIGESTS[name]


def test_the_digest_is_of_the_deterministic_pickle(implementation):
    obj = [{"b", "a"}, {"a": 1, "b": (2.5, "x" * 100_000)}, Plain(a=1), list(range(100_000))]
    written = implementation.dumps(obj, 5, deterministic=True)
    assert digest(implementation, obj) == hashlib.sha256(written).hexdigest()


def test_equal_dicts(implementation):
    pairs = [("b", 1), ("a", 2), (3, "c"), ((1, "x"), 4), (Frozen(1), 5), (Frozen("2"), 6)]
    for make in (dict, lambda items: collections.defaultdict(list, items)):
        one, other = make(pairs), make(reversed(pairs))
        assert one == other
        assert digest(implementation, one) == digest(implementation, other)
        one = digest(implementation, one, sort_dicts=False)
        assert one != digest(implementation, other, sort_dicts=False)
    one, other = map(collections.OrderedDict, (pairs, reversed(pairs)))
    assert one != other
    assert digest(implementation, one) != digest(implementation, other)
    assert digest(implementation, Plain(a=1, b=2)) == digest(implementation, Plain(b=2, a=1))
    if not PYPY:  # whose instances have the order of the first one of their class
        one = digest(implementation, Plain(a=1, b=2), sort_dicts=False)
        assert one != digest(implementation, Plain(b=2, a=1), sort_dicts=False)
    nested = {Ordered(b=Ordered(a=1, b={2, "x"}), a=2), Ordered(x={1: 2, 0: 1})}
    again = {Ordered(x={0: 1, 1: 2}), Ordered(a=2, b=Ordered(b={"x", 2}, a=1))}
    assert nested == again
    assert digest(implementation, nested) == digest(implementation, again)


def test_a_dict_that_leads_back_to_itself_by_its_keys(implementation):
    def make(order):
        keys = [Plain(number=i) for i in range(6)]
        mapping: dict[Any, Any] = {}
        for i in order:
            keys[i].of = mapping
            mapping[keys[i]] = i
        return mapping

    assert digest(implementation, make(range(6))) == digest(
        implementation, make([5, 3, 1, 0, 2, 4])
    )


def test_other_values_have_other_digests(implementation):
    shared: list[Any] = []
    objects = [1, True, 1.0, "1", b"1", [1], (1,), {1}, frozenset([1]), {1: 1}, 0.0, -0.0]
    objects += [[shared, shared], [[], []], [(shared,), shared], [([],), []], Plain(a=1), len, int]
    assert len({digest(implementation, obj) for obj in objects}) == len(objects)


@pytest.mark.costly
def test_padding_between_the_fields_of_arrays_is_ignored(implementation):
    numpy = pytest.importorskip("numpy", reason="not installed")
    inner = numpy.dtype([("x", "i1"), ("y", ">f4", (2, 3))], align=True)
    aligned = numpy.dtype([("a", "i1"), ("s", inner, (2,))], align=True)
    for shape in ((), (7,), (300, 3000)):
        first, second = numpy.zeros(shape, aligned), numpy.empty(shape, aligned, order="F")
        second.view(numpy.ndarray).T.reshape(-1).view(numpy.uint8)[:] = 255
        second["a"], second["s"]["x"], second["s"]["y"] = 0, 0, 0
        assert digest(implementation, first) == digest(implementation, second)
        second["s"]["y"][..., -1] = 1
        assert digest(implementation, first) != digest(implementation, second)

    first = numpy.zeros(3, "i4,f8,i2")
    second = first.copy()
    second["f1"] = 1
    assert digest(implementation, first) != digest(implementation, second)
    first, second = first[["f0", "f2"]], second[["f0", "f2"]]
    assert digest(implementation, first) == digest(implementation, second)
    nothing = numpy.zeros(3, {"names": [], "formats": [], "itemsize": 8})
    assert digest(implementation, nothing) != digest(implementation, nothing[:2])


@pytest.mark.costly
@pytest.mark.parametrize("dtype", ["f8", "i2", "?", "u1", "c16", "M8[s]", "U3", "i4,f8", "V5"])
@pytest.mark.parametrize(
    "shape",
    [
        *((), (0,), (7,), (4, 6), (2, 3, 4), (300, 700)),
        pytest.param((2, 1, 300_000), marks=pytest.mark.slow),
    ],
)
def test_arrays_of_any_layout(implementation, dtype, shape):
    numpy = pytest.importorskip("numpy")
    size = int(numpy.prod(shape))
    dtype = numpy.dtype(dtype)
    data = (numpy.arange(size * dtype.itemsize) % 100).astype("u1")
    plain = numpy.frombuffer(data.tobytes(), dtype).reshape(shape).copy()
    if dtype.kind in "f?cU":
        plain = numpy.arange(size).astype(dtype).reshape(shape)
    expected = digest(implementation, plain)
    readonly = plain.copy()
    readonly.flags.writeable = False
    variants = [plain.copy(), numpy.array(plain, order="F"), readonly]
    if shape:
        variants += [numpy.repeat(plain, 2, 0)[::2], plain[::-1].copy()[::-1]]
        variants += [numpy.repeat(plain, 2, -1)[..., ::2]]
    if dtype.kind != "U":
        variants += [plain.astype(dtype.newbyteorder(">"))]
    for variant in variants:
        assert digest(implementation, variant) == expected
        assert digest(implementation, [variant, 1]) == digest(implementation, [plain, 1])
    others = [
        plain.reshape(-1, 1),
        plain.view(f"V{dtype.itemsize}") if dtype.kind != "V" else 0,
    ]
    if 0 < size < 1000:
        others += [plain.tolist()]
    assert expected not in {digest(implementation, other) for other in others}


def test_an_array_that_contains_itself(implementation):
    numpy = pytest.importorskip("numpy", reason="not installed")
    digests = []
    for shape, order in (((2, 2), "C"), ((2, 2), "F"), ((4,), "C")):
        obj = numpy.empty(shape, object, order=order)
        obj.flat[0] = [obj]
        obj.flat[3] = obj
        digests.append(digest(implementation, obj))
    assert digests[0] == digests[1] != digests[2]


def test_arrays_of_objects(implementation):
    numpy = pytest.importorskip("numpy")
    plain = numpy.array([[1, "a", None], [{"b", "a"}, 2.5, (1,)]], dtype=object)
    for variant in (numpy.asfortranarray(plain), numpy.repeat(plain, 2, 0)[::2]):
        assert digest(implementation, variant) == digest(implementation, plain)
    assert digest(implementation, plain) != digest(implementation, plain.T)


def test_a_mapped_array_is_an_array(implementation, tmp_path):
    numpy = pytest.importorskip("numpy")
    plain = numpy.arange(1000.0)
    mapped = numpy.memmap(tmp_path / "array", plain.dtype, "w+", shape=plain.shape)
    mapped[:] = plain
    assert digest(implementation, mapped) == digest(implementation, plain)


@pytest.mark.costly
def test_large_arrays_are_not_copied(implementation):
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy has none")
    numpy = pytest.importorskip("numpy")
    rows = numpy.arange(4_000_000.0).reshape(2000, 2000)
    objects = [rows, numpy.asfortranarray(rows), rows[:, ::2], array.array("d", rows.ravel())]
    objects += [bytearray(32_000_000), bytes(32_000_000), pickle.PickleBuffer(rows)]
    for obj in objects:
        implementation.object_digest([1])  # what is imported for it
        tracemalloc.start()
        try:
            implementation.object_digest(obj)
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


def test_a_large_pickle_is_not_held(implementation):
    obj = ["x" * 1000] * 100 + [str(i) * 100 for i in range(5000)]
    pieces: list[int] = []

    class Hash:
        def update(self, data):
            pieces.append(len(data))

    implementation.object_digest(obj, Hash)
    assert sum(pieces) == len(implementation.dumps(obj, 5, deterministic=True))
    assert max(pieces) < 3 * 65536


def test_algorithms(implementation):
    for name in ("sha256", "md5", "blake2b"):
        expected = hashlib.new(name, implementation.dumps(["x"], 5, deterministic=True))
        assert digest(implementation, ["x"], name) == expected.hexdigest()
    assert digest(implementation, ["x"], hashlib.sha1) == digest(implementation, ["x"], "sha1")
    assert implementation.object_digest(1).name == "sha256"
    for bad in ("no such algorithm", 5, lambda: 5, None):
        with pytest.raises((ValueError, TypeError)):
            implementation.object_digest(1, bad)
    with pytest.raises(TypeError):
        implementation.object_digest(1, "sha256", False)


@pytest.mark.parametrize("module_name", ["blake3", "xxhash"])
def test_algorithms_of_other_packages(implementation, module_name):
    module = pytest.importorskip(module_name)
    make = module.blake3 if module_name == "blake3" else module.xxh3_128
    expected = make(implementation.dumps([1, "x" * 100_000], 5, deterministic=True))
    assert digest(implementation, [1, "x" * 100_000], make) == expected.hexdigest()


def test_unpicklable_objects_have_no_digest(implementation):
    with pytest.raises((pickle.PicklingError, AttributeError)):
        implementation.object_digest([lambda: 0])
    with pytest.raises(pickle.PicklingError if PYPY else TypeError):
        implementation.object_digest(i for i in ())


@pytest.mark.parametrize(
    "stub", [None, types.ModuleType("numpy"), mock.Mock()], ids=["none", "empty", "mock"]
)
@pytest.mark.parametrize("name", ["numpy", "pandas", "pandas.api.extensions", "decimal"])
def test_modules_that_were_replaced(implementation, monkeypatch, stub, name):
    objects = [{1, 2}, Frozen(1), Plain(a=2), dt.date(2020, 1, 2), array.array("i", [1])]
    expected = digest(implementation, objects)
    monkeypatch.setitem(sys.modules, name, stub)
    assert digest(implementation, objects) == expected
    implementation.dumps(objects, deterministic=True)


def test_is_exported():
    import quickpickle

    assert quickpickle.object_digest([1]).hexdigest() == digest(quickpickle, [1])
