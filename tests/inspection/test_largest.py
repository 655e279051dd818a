"""The largest objects, by paths that users know; and types, by the classes that they become."""

from __future__ import annotations

import array
import email.message
import pickle
from typing import Any

import pytest

from inspection_checks import SCANNERS, check_sums, inspect_with
from models import Call


@pytest.fixture(params=SCANNERS)
def scanner(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Model:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("__dict__", "_left", "right")


def rebuild(parts: Any) -> Any:
    raise NotImplementedError


def paths(scanner: str, obj: Any, count: int = 10, protocol: int = 5) -> list[str]:
    found = inspect_with(scanner, pickle.dumps(obj, protocol)).largest(count)
    totals = [node.total for node in found]
    assert totals == sorted(totals, reverse=True)
    return [node.path for node in found]


@pytest.mark.parametrize("protocol", range(6))
def test_the_largest_by_all_below(scanner: str, protocol: int) -> None:
    obj = {"orders": [["x" * 100] for _ in range(50)], "notes": "y" * 300, "big key" * 90: 1}
    assert paths(scanner, obj, 3, protocol) == ["obj", "obj['orders']", "obj['notes']"]
    assert len(paths(scanner, obj, 200, protocol)) == 55  # the string in the lists is one


def test_more_keys_than_values_are_large(scanner: str) -> None:
    obj = {f"{i}" * 50: [i] for i in range(100)}
    assert len(paths(scanner, obj, 20)) == 20


def test_attributes(scanner: str) -> None:
    slots = Slots()
    slots._left, slots.right, slots.more = ["x" * 60], ["y" * 50], ["z" * 40]
    model = Model(weights=["w" * 1000], _cache={"a": ["c" * 900]}, slots=slots)
    assert paths(scanner, model) == [
        "obj",
        "obj.weights",
        "obj.weights[0]",
        "obj._cache",
        "obj._cache['a']",
        "obj._cache['a'][0]",
        "obj.slots",
        "obj.slots._left",
        "obj.slots._left[0]",
        "obj.slots.right",
    ]


def test_private_attributes_of_libraries_are_theirs(scanner: str) -> None:
    message = email.message.Message()
    message["Subject"] = "s" * 500
    message.known = ["k" * 2000]  # type: ignore[attr-defined]
    assert paths(scanner, [message], 4) == ["obj", "obj[0]", "obj[0].known", "obj[0].known[0]"]


def test_what_an_object_is_rebuilt_from_is_it(scanner: str) -> None:
    assert paths(scanner, [Call(rebuild, ["x" * 500]), "y" * 100]) == ["obj", "obj[0]", "obj[1]"]


def test_several_pickles_and_what_is_discarded(scanner: str) -> None:
    data = pickle.dumps(["x" * 300]) + b"\x8c\xff" + b"y" * 255 + b"0N."
    found = inspect_with(scanner, data).largest(4)
    assert [node.path for node in found] == ["objs[0]", "objs[0][0]", "<loose at 321>", "objs[1]"]


@pytest.mark.parametrize("count", [-1, 0, 1, 10**30])
def test_any_count(scanner: str, count: int) -> None:
    assert len(inspect_with(scanner, b"N.").largest(count)) == (count > 0)


def test_types_are_what_they_become(scanner: str) -> None:
    found = inspect_with(scanner, pickle.dumps(array.array("d", [1, 2])))
    assert {one.name for one in found.types} >= {"array.array"}
    assert found.root.children()[0].children()[0].type == "array.array"


@pytest.mark.parametrize("protocol", range(6))
def test_types_of_arrays(scanner: str, protocol: int) -> None:
    np = pytest.importorskip("numpy")
    # Of objects, which are written in another way, with arrays in them.
    outer = np.empty(2, dtype=object)
    outer[:] = [np.arange(100.0), np.arange(200)]
    data = pickle.dumps([np.arange(50), outer, np.float64(1)], protocol)
    found = inspect_with(scanner, data)
    check_sums(found)
    types = {one.name: one for one in found.types}
    assert types["numpy.ndarray"].objects == 4
    assert types["numpy.ndarray"].total < found.size
    assert not any("reconstruct" in name or "frombuffer" in name for name in types)
    assert [node.path for node in found.largest()] == ["obj", "obj[1]", "obj[0]", "obj[2]"]


def test_types_of_arrays_in_several_pickles(scanner: str) -> None:
    np = pytest.importorskip("numpy")
    one = pickle.dumps(np.arange(50), 5)
    objects = pickle.dumps([np.array([None, 1]), np.arange(50)], 5)
    for data in (one + objects, objects + one, one + one, objects + b"garbage"):
        found = inspect_with(scanner, data)
        check_sums(found)
        (arrays,) = [kind for kind in found.types if kind.name == "numpy.ndarray"]
        assert arrays.objects == 3 - (data == one + one) - (b"garbage" in data)


def test_a_long_row_of_numbers_in_what_is_united(scanner: str) -> None:
    """Its bytes are noted by the type of what it is in."""
    call = b"c%b\n)R(" + b"K\1" * 40 + b"e"
    data = b"(" + call % b"numpy\nndarray" + call % b"numpy._core.numeric\n_frombuffer" + b"l."
    found = inspect_with(scanner, data)
    assert found.error is None
    check_sums(found)
    (arrays,) = [kind for kind in found.types if kind.name == "numpy.ndarray"]
    assert arrays.objects == 2


def test_frames_of_pandas(scanner: str) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(1000), "b": ["text"] * 1000})
    found = inspect_with(scanner, pickle.dumps({"orders": frame, "n": "x" * 99}))
    top = found.largest(3)
    assert [node.path for node in top] == ["obj", "obj['orders']", "obj['n']"]
    assert top[1].type.endswith("DataFrame")
