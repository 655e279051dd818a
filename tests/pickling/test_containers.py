"""tuple, list, dict, set and frozenset: batches, recursion, changes while they are written."""

from __future__ import annotations

import pickle
import sys

import pytest

from cases import for_each
from differential import PYPY, assert_same, outcome
from models import DictSub, FrozensetSub, ListSub, Plain, Reduced, SetSub, TupleSub

SIZES = [0, 1, 2, 3, 4, 5, 998, 999, 1000, 1001, 1002, 1999, 2000, 2001, 3000]


MAKERS = {
    "list": lambda n: list(range(n)),
    "tuple": lambda n: tuple(range(n)),
    "dict": lambda n: {i: str(i) for i in range(n)},
    "set": lambda n: set(range(n)),
    "frozenset": lambda n: frozenset(range(n)),
    "ListSub": lambda n: ListSub(range(n)),
    "TupleSub": lambda n: TupleSub(range(n)),
    "DictSub": lambda n: DictSub.fromkeys(range(n)),
    "SetSub": lambda n: SetSub(range(n)),
    "FrozensetSub": lambda n: FrozensetSub(range(n)),
}


@pytest.mark.costly
@for_each("size", SIZES)
@pytest.mark.parametrize("kind", MAKERS)
def test_sizes_around_the_batch(implementation, protocol, kind, size):
    obj = MAKERS[kind](size)
    data = assert_same(implementation, lambda: [obj, obj], protocol)
    loaded = pickle.loads(data)
    assert loaded == [obj, obj]
    assert type(loaded[0]) is type(obj)
    assert loaded[0] is loaded[1]


def test_a_full_last_batch(implementation):
    # Before 3.15 one of a dict or set is followed by an empty batch, one of a list is not.
    empty_batch = sys.version_info < (3, 15)
    assert implementation.dumps(dict.fromkeys(range(1000)), 2).endswith(b"(u.") == empty_batch
    assert implementation.dumps(set(range(1000)), 4).endswith(b"(\x90.") == empty_batch
    assert implementation.dumps([None] * 1000, 2).count(b"e") == 1


def recursive_objects():
    listed = []
    listed.append(listed)
    yield "list", listed
    mapping = {}
    mapping[1] = mapping
    yield "dict", mapping
    plain = Plain()
    plain.me = plain
    yield "instance", plain
    for size in (1, 2, 3, 4, 5):
        inner = []
        recursive = (inner, *range(size - 1))
        inner.append(recursive)
        yield f"tuple of {size}", recursive
        yield f"list in a tuple of {size}", inner
    key = Plain()
    key.frozen = frozenset([key, 1])
    yield "frozenset", key.frozen
    yield "member of a frozenset", key
    key = Plain()
    key.set = {key}
    yield "set", key.set
    key = Plain()
    mapping = {key: 1}
    key.mapping = mapping
    yield "dict key", mapping
    for base in (ListSub, DictSub, SetSub):
        sub = base()
        sub.me = sub
        yield f"{base.__name__} with itself for an attribute", sub
    sub = ListSub()
    sub.append(sub)
    yield "ListSub in itself", sub
    sub = DictSub()
    sub["me"] = sub
    yield "DictSub in itself", sub
    inner = []
    sub = TupleSub([inner])
    inner.append(sub)
    yield "TupleSub", sub
    inner = []
    reduced = Reduced(inner)
    inner.append(reduced)
    yield "reduction", reduced
    yield "list in a reduction", inner


RECURSIVE = dict(recursive_objects())


@pytest.mark.parametrize("name", RECURSIVE)
def test_recursive(implementation, protocol, name, monkeypatch):
    monkeypatch.setattr(implementation.Pickler, "reduction_limit", 2000)
    obj = RECURSIVE[name]
    if name in ("ListSub in itself", "DictSub in itself") and protocol < 2:
        # Reduced to a copy of the list or dict, which holds the object again, and so on.
        for module in (implementation, pickle):
            with pytest.raises(RecursionError):
                module.dumps(obj, protocol)
        return
    data = assert_same(implementation, lambda: [obj, obj], protocol)
    loaded = pickle.loads(data)
    assert loaded[0] is loaded[1]
    assert type(loaded[0]) is type(obj)


def test_shared_members_stay_shared(implementation, protocol):
    member = ["shared"]
    obj = [member, (member,), {"key": member}, {1: (member, member)}]
    loaded = pickle.loads(assert_same(implementation, lambda: obj, protocol))
    first = loaded[0]
    assert loaded[1][0] is first
    assert loaded[2]["key"] is first
    assert loaded[3][1][0] is loaded[3][1][1] is first


# --- objects that change while they are pickled


class Change:
    """Does something to the container around it in its __reduce__."""

    def __init__(self, change):
        self.change = change

    def __reduce__(self):
        self.change()
        return int, ()


LIST_CHANGES = {
    "append": lambda items: items.append(7),
    "extend": lambda items: items.extend(range(2000)),
    "pop": lambda items: items.pop(),
    "clear": lambda items: items.clear(),
    "insert": lambda items: items.insert(0, 8),
    "replace": lambda items: items.__setitem__(slice(None), range(3)),
    "append and pop": lambda items: (items.append(7), items.pop()),
}


@for_each("after", [0, 1, 5])
@for_each("before", [0, 1, 2, 998, 999, 1000])
@pytest.mark.parametrize("change", LIST_CHANGES)
def test_list_that_changes(implementation, protocol, change, before, after):
    def make():
        items = list(range(before))
        items += [Change(lambda: LIST_CHANGES[change](items)), *range(after)]
        return items

    assert_same(implementation, make, protocol)


DICT_CHANGES = {
    "add": lambda items: items.update(new=7),
    "add many": lambda items: items.update((str(i), i) for i in range(2000)),
    "popitem": lambda items: items.popitem(),
    "clear": lambda items: items.clear(),
    "add and remove": lambda items: (items.update(new=7), items.popitem()),
    "replace a value": lambda items: items.update({1: "other"}),
}

# On older interpreters the standard pickler crashes on some of these.
SAFE = sys.version_info >= (3, 14)


@pytest.mark.costly
@for_each("after", [0, 1, 5])
@for_each("before", [0, 1, 2, 998, 999, 1000])
@pytest.mark.parametrize("change", DICT_CHANGES)
def test_dict_that_changes(implementation, protocol, change, before, after):
    def make():
        items = {i: i for i in range(before)}
        items["change"] = Change(lambda: DICT_CHANGES[change](items))
        items.update((-i, i) for i in range(1, after + 1))
        return items

    if SAFE or change in ("add and remove", "replace a value"):
        assert_same(implementation, make, protocol)
    else:
        data = outcome(lambda: implementation.dumps(make(), protocol))
        if isinstance(data, bytes):
            pickle.loads(data)
        else:
            assert data == (RuntimeError, "dictionary changed size during iteration")


# Here the standard pickler asks an iterator, so it does not crash.
CHANGES_OF_ITEMS = {
    **DICT_CHANGES,
    "remove the first": lambda items: items.pop(next(iter(items))),
    "move the first behind": lambda items: items.update([items.popitem(), ("new", 1)]),
    "move it behind": lambda items: items.update(change=items.pop("change")),
    "move all": lambda items: [items.update({key: items.pop(key)}) for key in list(items)],
    "as many others": lambda items: [
        items.update({f"new{i}": i}) for i in range(len(items)) if items.popitem()
    ],
}


@pytest.mark.costly
@pytest.mark.parametrize("after", [0, 1, 5])
@pytest.mark.parametrize("before", [0, 1, 2, 998, 999, 1000])
@pytest.mark.parametrize("change", CHANGES_OF_ITEMS)
@pytest.mark.parametrize("place", ["value", "key", "in the value"])
def test_dict_that_changes_in_protocol_0(implementation, change, before, after, place):
    def make():
        items = {str(i): [i] for i in range(before)}
        act = Change(lambda: CHANGES_OF_ITEMS[change](items))
        if place == "key":
            items[act, 1] = "change"
            items["change"] = 1
        else:
            items["change"] = act if place == "value" else [act, (act,)]
        items.update((-i, {i: i}) for i in range(1, after + 1))
        return items

    assert_same(implementation, make, 0)


@pytest.mark.parametrize("is_key", [False, True])
def test_paths_in_protocol_0(implementation, is_key):
    """Where a member fails, and where the container itself does."""
    fails = lambda: 0  # noqa: E731
    inner = {"a": 1, "b": ([2], {(3, fails): 4} if is_key else [5, fails])}
    with pytest.raises(Exception, match="lambda") as caught:
        implementation.dumps([0, {"x": inner}], 0)
    expected = "list(obj[1]['x']['b'][1])[0][1]" if is_key else "obj[1]['x']['b'][1][1]"
    assert caught.value.path == expected

    items = {1: "a"}
    items[2] = Change(lambda: items.update(new=7))
    with pytest.raises(RuntimeError) as caught:
        implementation.dumps([items], 0)
    assert caught.value.path == "obj[0]"

    items = {"x": 1}
    items["y"] = Change(lambda: items.update(y=items.pop("y")))
    with pytest.raises(RuntimeError, match="keys changed") as caught:
        implementation.dumps([items], 0)
    assert caught.value.path == "obj[0]"


@pytest.mark.costly
def test_deep_nesting_in_protocol_0(implementation):
    for wrap in (
        lambda obj: [obj],
        lambda obj: {"key": obj},
        lambda obj: (obj,),
        lambda obj: [1, {(2, "x"): (obj, obj)}],
    ):
        obj = "inside"
        for _ in range(100):
            obj = wrap(obj)
        assert_same(implementation, lambda o=obj: o, 0)
    obj = []
    for _ in range(200_000):
        obj = [{"a": obj}]
    assert implementation.dumps(obj, 0).endswith(b"asa.")
    while obj:
        obj = obj.pop()["a"]  # so that freeing it does not nest


@pytest.mark.skipif(not SAFE, reason="the standard pickler may crash before 3.14")
def test_dict_that_has_its_size_again_after_the_batch(implementation, protocol):
    def make():
        items = {0: 1}
        items[1] = Change(lambda: items.update(new=1))
        items[2] = 2
        items[3] = Change(lambda: items.pop("new"))
        items[4] = 5
        return items

    assert_same(implementation, make, protocol)


SET_CHANGES = {
    "add": lambda items: items.add(7777),
    "clear": lambda items: items.clear(),
    "add and remove": lambda items: (items.add(7777), items.remove(7777)),
}


@pytest.mark.parametrize("size", [0, 1, 5, 999, 1000])
@pytest.mark.parametrize("change", SET_CHANGES)
def test_set_that_changes(implementation, protocol, change, size):
    def make():
        items = set(range(size))
        items.add(Change(lambda: SET_CHANGES[change](items)))
        return items

    data = outcome(lambda: implementation.dumps(make(), protocol))
    if isinstance(data, bytes):
        assert protocol < 4 or change == "add and remove"
        pickle.loads(data)
    else:
        assert data == (RuntimeError, "set changed size during iteration")
        assert change != "add and remove"


# --- fast mode


def fast(module, obj, protocol):
    import io

    file = io.BytesIO()
    pickler = module.Pickler(file, protocol)
    pickler.fast = True
    pickler.dump(obj)
    return file.getvalue()


def nested(depth, inner):
    for _ in range(depth):
        inner = [inner]
    return inner


def test_many_frozensets_in_fast_mode(implementation, protocol):
    """Not as before 3.14, which counts each of them as nested in those before."""
    obj = [frozenset([i]) for i in range(60)]
    assert pickle.loads(fast(implementation, obj, protocol)) == obj


@pytest.mark.parametrize(
    "make",
    [
        lambda: ["ab"] * 3,
        lambda: [("ab", "ab"), {"ab": "ab"}, [("ab",)], {1, 2}, frozenset([1]), b"x", len],
        lambda: nested(48, [1]),
        lambda: nested(60, [1, 2]),
        lambda: [nested(60, [])] * 2,
        lambda: nested(60, {1: {}}),
        lambda: RECURSIVE["list"],
        lambda: RECURSIVE["dict"],
        lambda: RECURSIVE["instance"],
        lambda: RECURSIVE["tuple of 2"],
        Plain,
    ],
)
def test_fast_mode(implementation, protocol, make):
    obj = make()
    ours = outcome(lambda: fast(implementation, obj, protocol))
    theirs = outcome(lambda: fast(pickle, obj, protocol))
    if PYPY and theirs[0] is RecursionError:  # pickle.py does not look for cycles
        assert ours[0] in (ValueError, RecursionError)
    else:
        assert ours == theirs


class Holder:
    pass


@pytest.mark.parametrize("count", [3, 8, 100, 2500])
@pytest.mark.parametrize("kind", ["str", "int", "mixed"])
def test_dicts_and_sets_from_which_items_were_removed(implementation, protocol, count, kind):
    """Empty entries between the members are passed over."""
    key = {"str": str, "int": int, "mixed": lambda i: str(i) if i % 2 else i}[kind]

    def make():
        dicts = {key(i): [i] if i % 7 == 0 else i for i in range(count)}
        for i in range(0, count, 3):
            del dicts[key(i)]
        return dicts, {n for n in range(count) if n % 3} - {1}, frozenset(range(1, count, 2))

    assert_same(implementation, make, protocol)


def test_sets_of_members_that_have_members(implementation, protocol):
    def make():
        text = "".join(["met ", "again"])
        return (
            {(i, (text, i)) for i in range(300)},
            frozenset([frozenset([i, (i,)]) for i in range(100)]),
            {None, True, 2, 2.5, text, b"b", (), (text,), frozenset()},
            {*range(130), *[(i,) for i in range(5)], *range(2000, 2300)},
        )

    assert_same(implementation, make, protocol)


def test_instance_dicts_in_orders_of_their_own(implementation, protocol):
    """They share their keys, and not in which order they were set."""

    def make():
        holders = [Holder() for _ in range(6)]
        for i, holder in enumerate(holders):
            names = ["a", "b", "c", "d"]
            for name in names[i % 4 :] + names[: i % 4]:
                setattr(holder, name, [name] if i % 2 else name)
            holder.__dict__  # noqa: B018  # makes one
        del holders[1].a, holders[2].b
        holders[2].b = 1
        holders[3].__dict__["e"] = 2
        return [(holder, holder.__dict__) for holder in holders]

    assert_same(implementation, make, protocol)
