"""The presets for libraries: what the libraries write loads, and attacks by their names do not."""

from __future__ import annotations

import copyreg
import importlib
import io
import pickle
import random
import subprocess
import sys
import warnings
from collections import Counter
from functools import cache, partial
from types import ModuleType
from typing import Any

import pytest

import quickpickle
from conftest import UNPICKLERS, part
from quickpickle import Policy, PolicyError
from quickpickle.rules.presets import table_of

from .attacks import ATTACKS
from .test_attacks import HARMLESS, _watched

LIBRARIES = {
    "numpy": ["numpy"],
    "pandas": ["pandas", "pyarrow"],
    "sklearn": ["sklearn"],
    "torch": ["torch"],
}
"""The presets, and what has to be installed for their tests."""


@pytest.fixture(params=LIBRARIES)
def preset(request) -> str:
    for library in LIBRARIES[request.param]:
        pytest.importorskip(library)
    return request.param


@pytest.fixture(params=[name for name in LIBRARIES if name != "torch"])
def pickled(request) -> str:
    """The presets of libraries whose values are pickled as they are."""
    for library in LIBRARIES[request.param]:
        pytest.importorskip(library)
    return request.param


def honest(preset: str) -> ModuleType:
    return importlib.import_module(f".honest_{preset}", __package__)


@cache
def values(preset: str, kind: str = "values") -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are out of fashion
        return getattr(honest(preset), kind)()


@cache
def attacks(preset: str) -> dict[str, bytes]:
    """Those of the standard library too; a name that the preset lists may be named."""
    listed = {f"named only {full}" for full in table_of(preset)}
    found = {name: data for name, data in ATTACKS.items() if name not in listed}
    return {**found, **importlib.import_module(f".attacks_{preset}", __package__).ATTACKS}


def policy_of(preset: str) -> Policy:
    return getattr(Policy, preset)()


def load(preset: str, module: ModuleType, data: bytes, policy: Policy) -> Any:
    loads = getattr(honest(preset), "loads", None)
    return module.loads(data, policy=policy) if loads is None else loads(module, data, policy)


def same(one: Any, other: Any, protocol: int, preset: str = "numpy") -> bool:
    own = getattr(honest(preset), "same", None)
    if own is not None:
        return own(one, other)
    return pickle.dumps(one, protocol) == pickle.dumps(other, protocol)


# --- honest pickles


@pytest.mark.costly
@pytest.mark.libraries
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy 2.5 says so of a class
@pytest.mark.parametrize("writer", [pickle.dumps, quickpickle.dumps])
def test_what_the_library_writes(unpickling, pickled, protocol, writer):
    policy = policy_of(pickled)
    for value in values(pickled):
        try:
            data = writer([value, value], protocol)
        except TypeError:  # slots, which protocols 0 and 1 do not write
            assert protocol < 2
            continue
        copy = unpickling.loads(data, policy=policy)
        expected = pickle.loads(data)
        assert type(copy[0]) is type(expected[0])
        assert copy[0] is copy[1]
        assert same(copy, expected, protocol, pickled), value


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_buffers(unpickling, pickled):
    policy = policy_of(pickled)
    for value in values(pickled, "arrays"):
        buffers: list[pickle.PickleBuffer] = []
        data = pickle.dumps(value, 5, buffer_callback=buffers.append)
        for given in (buffers, [bytearray(b) for b in buffers], [bytes(b) for b in buffers]):
            copy = unpickling.loads(data, buffers=given, policy=policy)
            assert same(copy, pickle.loads(data, buffers=given), 4, pickled), value


def test_nothing_is_imported_for_a_policy(preset):
    code = (
        "import sys, quickpickle\n"
        f"policy = quickpickle.Policy.{preset}()\n"
        "policy.rule_for('numpy', 'ndarray'), policy.allow('numpy.x')\n"
        "assert not {'numpy', 'pandas', 'sklearn', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_load_is_the_first_that_imports(pickled, implementation_name):
    value = values(pickled, "arrays")[0]
    module = "quickpickle.pure" if implementation_name == "python" else "quickpickle"
    code = (
        f"import {module} as implementation, quickpickle\n"
        f"data = {pickle.dumps(value)!r}\n"
        f"value = implementation.loads(data, policy=quickpickle.Policy.{pickled}())\n"
        f"assert type(value).__name__ == {type(value).__name__!r}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(params=["python", "native"])
def implementation_name(request):
    return request.param


# --- attacks


def state_of(classes: list[Any]) -> Any:
    return (
        [dict(getattr(cls, "__dict__", {})) for cls in classes],
        dict(copyreg._inverted_registry),
        dict(copyreg.dispatch_table),
        set(sys.modules),
        dict(vars(sys.modules["os"])),
    )


def classes_of(preset: str) -> list[Any]:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for full in table_of(preset):
            module, _, name = full.rpartition(".")
            try:
                found.append(getattr(importlib.import_module(module), name))
            except (ImportError, AttributeError):  # of another version
                continue
    return found


@pytest.mark.costly
@pytest.mark.libraries
@pytest.mark.filterwarnings("ignore")  # of an attribute with the version that is not there
def test_attacks(preset):
    """Each is refused by both, with the same words; nothing was run, imported or changed."""
    policy = policy_of(preset)
    for module in UNPICKLERS.values():
        for data in honest_pickles(preset):  # what is imported when a value is loaded
            load(preset, module, data, policy)
        with pytest.raises(PolicyError):  # what finds the path is imported
            module.loads(b"cno.such\nname\n.", policy=policy)
    copyreg.add_extension("os", "system", 0xF0)
    classes = classes_of(preset)
    attacks(preset)
    before = state_of(classes)
    try:
        tried = list(attacks(preset).items())
        for name, data in part(tried) if preset == "numpy" else tried:
            found = set()
            for module in UNPICKLERS.values():
                events: list[str] = []
                _watched.append(events)
                try:
                    made = load(preset, module, data, policy)
                except PolicyError as error:
                    found.add((str(error), error.name, error.offset))
                else:
                    pytest.fail(f"{name} loads, as {made!r}")
                finally:
                    _watched.pop()
                assert set(events) <= HARMLESS, (name, events)
            assert len(found) == 1, (name, found)
        after = state_of(classes)
        assert after[3] - before[3] == set()
        assert after == before
    finally:
        copyreg.remove_extension("os", "system", 0xF0)


def test_there_are_many(preset):
    found = attacks(preset)
    assert len(found) - len(ATTACKS) > 100, preset
    assert len(set(found.values())) == len(found)


def honest_pickles(preset: str) -> list[bytes]:
    made = importlib.import_module(f".attacks_{preset}", __package__).HONEST.values()
    if preset == "torch":
        return list(made)
    return [*made, *(pickle.dumps(value, p) for value in values(preset) for p in range(2, 6))]


def test_what_attacks_are_made_of(unpickling, preset):
    policy = policy_of(preset)
    found = importlib.import_module(f".attacks_{preset}", __package__).HONEST
    for name, data in found.items():
        try:
            load(preset, unpickling, data, policy)
        except PolicyError as error:
            pytest.fail(f"{name}: {error}")


def damaged(preset: str, count: int, seed: int):
    rng = random.Random(seed)
    sources = [*honest_pickles(preset), *attacks(preset).values()]
    sources = [data for data in sources if len(data) < 4000]
    for _ in range(count):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                data[at] = (data[at] + rng.choice((1, -1, 128))) % 256
            elif kind == 2:
                del data[at : at + rng.randrange(1, 4)]
            else:
                other = rng.choice(sources)
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.randrange(1, 60)]
            data = data or bytearray(b".")
        yield bytes(data) + b"."


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(2))
def test_damaged_pickles(preset, seed):
    """Both do the same, and what was loaded can be used."""
    policy = policy_of(preset).limit(memory=20_000_000, objects=100_000)
    outcomes: Counter[str] = Counter()
    for data in damaged(preset, 1500, seed):
        found = []
        for module in UNPICKLERS.values():
            made: Any = None
            try:
                made = load(preset, module, data, policy)
                found.append(repr(type(made)))
            except Exception as error:
                found.append(f"{type(error).__name__}: {error}")
                outcomes[type(error).__name__] += 1
            if isinstance(made, (tuple, list, dict)):
                continue  # it may hold itself twice, levels deep, and have no repr that ends
            try:
                honest(preset).use(made)
            except Exception as error:  # what the library makes of odd values
                outcomes[f"use: {type(error).__name__}"] += 1
        assert len(set(found)) == 1, (data, found)
    assert outcomes[PolicyError.__name__] > 300


# --- NumPy

NUMPY_NAMES = [
    (b"numpy._core.", b"numpy.core."),
    (b"cnumpy.rec\nrecarray", b"cnumpy\nrecarray"),
    (b"cnumpy.rec\nrecarray", b"cnumpy.core.records\nrecarray"),
    (b"cnumpy.ma\nMaskedArray", b"cnumpy.ma.core\nMaskedArray"),
    (b"cnumpy\nmatrix", b"cnumpy.matrixlib.defmatrix\nmatrix"),
    (b"cnumpy.char\nchararray", b"cnumpy.core.defchararray\nchararray"),
]


@pytest.mark.parametrize(("new", "old"), NUMPY_NAMES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names_of_older_releases_of_numpy(unpickling, new, old):
    numpy = pytest.importorskip("numpy")
    count = 0
    for value in values("numpy", "arrays") + values("numpy", "scalars"):
        data = pickle.dumps(value, 2)
        if new not in data:
            continue
        count += 1
        copy = unpickling.loads(data.replace(new, old), policy=Policy.numpy())
        assert same(copy, pickle.loads(data), 2)
    if not count:
        pytest.skip(f"NumPy {numpy.__version__} does not write this name")


def test_what_python_2_wrote_of_numpy(unpickling):
    numpy = pytest.importorskip("numpy")
    data = (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\n"
        b"Rp5\n(I1\n(I2\ntp6\ncnumpy\ndtype\np7\n(S'f8'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'<'\np11\n"
        b"NNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?\\x00\\x00\\x00\\x00"
        b"\\x00\\x00\\x00@'\np13\ntp14\nb."
    )
    array = unpickling.loads(data, policy=Policy.numpy(), encoding="latin1")
    assert numpy.array_equal(array, [1.0, 2.0])


def test_what_old_generators_wrote(unpickling):
    numpy = pytest.importorskip("numpy")
    old = numpy.random.RandomState(3)
    _, words, place, has_gauss, gauss = old.get_state()
    data = (
        b"\x80\2cnumpy.random\n__RandomState_ctor\n)R("
        b"X\7\0\0\0MT19937"
        + pickle.dumps(words, 2)[2:-1]
        + pickle.dumps(place, 2)[2:-1]
        + pickle.dumps(has_gauss, 2)[2:-1]
        + pickle.dumps(gauss, 2)[2:-1]
        + b"tb."
    )
    new = unpickling.loads(data, policy=Policy.numpy())
    assert new.random_sample() == old.random_sample()


def test_an_object_array_that_contains_itself(unpickling):
    numpy = pytest.importorskip("numpy")
    array = numpy.array([None, 1], dtype=object)
    array[0] = array
    copy = unpickling.loads(pickle.dumps(array), policy=Policy.numpy())
    assert copy[0] is copy


def test_large_arrays(unpickling):
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(1_000_000).reshape(1000, -1)
    for protocol in (2, 4, 5):
        copy = unpickling.loads(pickle.dumps(array, protocol), policy=Policy.numpy())
        assert numpy.array_equal(copy, array)
    with pytest.raises(PolicyError, match="memory"):
        unpickling.loads(pickle.dumps(array), policy=Policy.numpy().limit(memory=1_000_000))


# --- pandas


@pytest.mark.filterwarnings("ignore")
def test_names_of_older_releases_of_pandas(unpickling):
    """The classes moved from their modules to `pandas` in pandas 3."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    from quickpickle.rules.presets.pandas_classes import MODULES

    count = 0
    for value in values("pandas"):
        data = pickle.dumps(value, 2)
        old = data
        for name, module in MODULES.items():
            for new in ("pandas", "pandas.arrays"):
                old = old.replace(f"c{new}\n{name}\n".encode(), f"c{module}\n{name}\n".encode())
        count += old != data
        copy = unpickling.loads(old, policy=Policy.pandas())
        assert same(copy, pickle.loads(data), 2, "pandas"), value
    assert count > 50 or not importlib.import_module("pandas").__version__.startswith("3.")


def test_what_has_no_state(unpickling):
    """Compiled code of pandas ends the interpreter where an array of it has no data."""
    pytest.importorskip("pandas")
    data = (
        b"\x80\3cpandas._libs.arrays\n__pyx_unpickle_NDArrayBacked\ncpandas.arrays\nDatetimeArray\n"
        b"J\x1f\x06\xf1\x04N\x87R."
    )
    with pytest.raises(PolicyError, match="gets no state") as caught:
        unpickling.loads(data, policy=Policy.pandas())
    assert caught.value.offset == len(data) - 1
    with pytest.raises(PolicyError, match="gets no state"):
        unpickling.loads(data[:-1] + b"0N.", policy=Policy.pandas())


def test_zones_open_no_other_file(unpickling):
    pytest.importorskip("pandas")
    opened: list[str] = []
    is_watching = [True]

    def watch(event: str, args: tuple[Any, ...]) -> None:  # it stays
        if event == "open" and is_watching:
            opened.append(str(args[0]))

    sys.addaudithook(watch)
    data = b"\x80\4\x8c\x08zoneinfo\x8c\x12ZoneInfo._unpickle\x93\x8c\x05%b\x4b\x01\x86R."
    assert str(unpickling.loads(data % b"Japan", policy=Policy.pandas())) == "Japan"
    with pytest.raises(PolicyError):  # what finds the path is imported
        unpickling.loads(b"cno.such\nname\n.", policy=Policy.pandas())
    opened.clear()
    for key in (b"../..", b"/etc/", b"a//bc", b"a/../", b"C:/x/"):
        with pytest.raises(PolicyError):
            unpickling.loads(data % key, policy=Policy.pandas())
    is_watching.clear()
    assert opened == []


# --- PyTorch: not installed by any extra, as it takes gigabytes. `make others` runs these.


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("is_zip", [True, False])
def test_what_torch_saves(unpickling, is_zip):
    torch = pytest.importorskip("torch")
    module = honest("torch")
    for value in values("torch"):
        if not is_zip and getattr(value, "dtype", None) in module.NOT_IN_OLD_FILES:
            continue
        for protocol in range(2, 6):
            data = module.saved(value, is_zip=is_zip, protocol=protocol)
            copy = module.loaded(data, unpickling, Policy.torch())
            assert module.same(copy, value), value
            if protocol == 2:
                assert module.same(torch.load(io.BytesIO(data), weights_only=True), copy)


@pytest.mark.filterwarnings("ignore")
def test_torch_after_install():
    torch = pytest.importorskip("torch")
    data = honest("torch").saved({"a": torch.ones(3)})
    quickpickle.install(policy=Policy.torch())
    try:
        assert torch.load(io.BytesIO(data), weights_only=False)["a"].sum() == 3
        with pytest.raises(PolicyError):
            torch.load(io.BytesIO(honest("torch").saved(print)), weights_only=False)
    finally:
        quickpickle.uninstall()


# --- class Policy


def test_what_contains_what():
    assert Policy.numpy() | Policy.plain() == Policy.numpy()
    assert Policy.numpy() != Policy.plain()
    assert Policy.pandas() | Policy.numpy() == Policy.pandas()
    assert repr(Policy.plain() | Policy.numpy()) == "Policy.numpy()"
    assert eval(repr(Policy.numpy().allow("a.b"))) == Policy.numpy().allow("a.b")
    assert pickle.loads(pickle.dumps(Policy.numpy())) == Policy.numpy()


def test_the_advice_names_the_preset(unpickling):
    data = b"cnumpy\nndarray\n."
    with pytest.raises(PolicyError, match=r"policy \| Policy\.numpy\(\)"):
        unpickling.loads(data, policy=Policy.plain())
    with pytest.raises(PolicyError, match="not listed"):
        unpickling.loads(data, policy=Policy.numpy().forbid("numpy.*"))


def test_a_listed_name_keeps_its_checks(unpickling):
    pytest.importorskip("numpy")
    found = importlib.import_module(".attacks_numpy", __package__).ATTACKS
    policy = Policy.plain().allow(*table_of("numpy"))
    load = partial(unpickling.loads, policy=policy)
    for name in ("pointers", "an array with two states", "an array with few bytes"):
        data = found.get(name) or found[f"an array with {name}"]
        with pytest.raises(PolicyError):
            load(data)
