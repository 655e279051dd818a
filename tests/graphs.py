"""Strategies of Hypothesis for object graphs, and for trees that can be compared.

A graph is drawn as a list of nodes, each made from nodes before it, so that objects are shared;
then links from mutable nodes to any node close cycles.
"""

from __future__ import annotations

import collections
import datetime as dt
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from conftest import examples
from models import (
    Color,
    Data,
    DictSub,
    Flags,
    FrozenData,
    GetState,
    ListSub,
    NewArgs,
    Plain,
    Point,
    ReducedWithItems,
    Slots,
    SlotsAndDict,
    SlotsData,
    StrSub,
    TupleSub,
)

text = st.one_of(
    st.text(max_size=8),
    st.text(st.characters(), max_size=4),  # lone surrogates among them
    st.sampled_from(["", "latin1", "\n\\\0", "x" * 255, "x" * 256, "é" * 128]),
    st.integers(65520, 65540).map("x".__mul__),
)
integers = st.one_of(
    st.integers(),
    st.integers(-(2**35), 2**35),
    st.sampled_from([2**n + d for n in (8, 16, 31, 32, 63, 64, 2040) for d in (-1, 0, 1)]),
)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    integers,
    st.floats(),
    st.complex_numbers(),
    text,
    text.map(StrSub),
    st.binary(max_size=300),
    st.integers(65530, 65540).map(bytes),
    st.binary(max_size=10).map(bytearray),
    st.sampled_from([..., NotImplemented, type(None), int, Plain, len, Color.RED, Flags.A]),
    st.sampled_from([Flags.A | Flags.B, Point, Data, b"".join, collections.OrderedDict]),
    st.datetimes(timezones=st.just(dt.UTC) | st.none()),
    st.dates() | st.times() | st.timedeltas(),
    st.decimals() | st.fractions() | st.uuids(),
    st.builds(range, st.integers(0, 5)),
)

CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "TupleSub": TupleSub,
    "ListSub": ListSub,
    "deque": collections.deque,
    "dict": lambda items: dict(enumerate(items)),
    "DictSub": lambda items: DictSub((str(i), item) for i, item in enumerate(items)),
    "OrderedDict": lambda items: collections.OrderedDict(enumerate(items)),
    "defaultdict": lambda items: collections.defaultdict(list, enumerate(items)),
    "Data": lambda items: Data(*items[:2], third=list(items[2:])) if items else Data(None),
    "SlotsData": lambda items: SlotsData(list(items)),
    "FrozenData": lambda items: FrozenData(*items[:2]) if items else FrozenData(None),
    "Point": lambda items: Point(list(items), None),
    "GetState": lambda items: GetState(list(items)),
    "NewArgs": lambda items: NewArgs(*items[:2], **{f"k{i}": v for i, v in enumerate(items[2:])}),
    "Reduces": lambda items: ReducedWithItems(*items),
    "Plain": lambda items: with_attributes(Plain(), items),
    "Slots": lambda items: with_attributes(Slots(), items[:2]),
    "SlotsAndDict": lambda items: with_attributes(SlotsAndDict(), items),
    "set": lambda items: {item for item in items if hashable(item)},
    "frozenset": lambda items: frozenset(item for item in items if hashable(item)),
    "dict by node": lambda items: {k: [k] for k in items if hashable(k)},
}
SIZES = [998, 999, 1000, 1001, 1002, 2000, 2001]


def with_attributes(obj: Any, values: Any) -> Any:
    names = ["first", "second", *(f"attribute{i}" for i in range(len(values)))]
    for name, value in zip(names, values, strict=False):
        setattr(obj, name, value)
    return obj


def hashable(obj: Any) -> bool:
    try:
        hash(obj)
    except TypeError:
        return False
    return True


def link(node: Any, target: Any) -> None:
    """Put `target` into a mutable node; others stay as they are."""
    match node:
        case list() | collections.deque():
            node.append(target)
        case dict():
            node["link"] = target
        case set() if hashable(target):
            node.add(target)
        case ReducedWithItems():
            node.listed.append(target)
            node.mapped["link"] = target
        case GetState():
            node.value = target
        case Plain() | Data() | SlotsAndDict():
            node.link = target
        case SlotsData() | Slots():
            node.second = target


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    nodes = draw(st.lists(atoms, min_size=1, max_size=12))
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(sorted(CONTAINERS)))
        items = draw(st.lists(st.sampled_from(range(len(nodes))), max_size=5))
        members = [nodes[i] for i in items]
        if draw(st.integers(0, 19)) == 0:
            size = draw(st.sampled_from(SIZES))
            members += range(size - len(members))
        nodes.append(CONTAINERS[kind](members))
    ends = st.integers(0, len(nodes) - 1)
    for source, target in draw(st.lists(st.tuples(ends, ends), max_size=4)):
        link(nodes[source], nodes[target])
    return draw(st.sampled_from([nodes, nodes[-1], (nodes[-1], nodes)]))


SETTINGS = settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


def gives_up(result: Any) -> bool:
    """Whether the standard pickler found no end: a list in itself has none below protocol 2."""
    return isinstance(result, tuple) and result[0] is RecursionError


trees = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False) | text | st.binary(),
    lambda children: (
        st.lists(children)
        | st.dictionaries(text, children)
        | st.lists(children).map(tuple)
        | st.builds(Data, children, children)
    ),
    max_leaves=30,
)
