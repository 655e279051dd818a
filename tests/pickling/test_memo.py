"""The memo over several dumps: kept, copied, cleared, rolled back."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import sys
import threading

import pytest

from differential import PYPY, assert_same_dumps, outcome


def test_several_dumps_share_the_memo(implementation, protocol):
    shared = ["shared", {"key": ("t",)}]

    def use(cls, file):
        pickler = cls(file, protocol)
        for obj in (shared, [shared, "new"], "new", shared):
            pickler.dump(obj)

    assert_same_dumps(implementation, use)
    file = io.BytesIO()
    use(implementation.Pickler, file)
    file.seek(0)
    unpickler = pickle.Unpickler(file)
    loaded = [unpickler.load() for _ in range(4)]
    assert loaded[0] is loaded[1][0] is loaded[3]
    assert loaded == [shared, [shared, "new"], "new", shared]


@pytest.mark.costly
@pytest.mark.parametrize("count", [255, 256, 257, 70_000])
def test_numbers_of_every_width(implementation, protocol, count):
    items = [str(i) for i in range(count)]
    file = io.BytesIO()
    implementation.Pickler(file, protocol).dump([items, items])
    assert file.getvalue() == pickle.dumps([items, items], protocol)


def test_clear_memo(implementation, protocol):
    shared = ["shared"]

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.dump(shared)
        pickler.clear_memo()
        pickler.dump(shared)
        pickler.memo.clear()
        pickler.dump([shared, shared])
        return len(pickler.memo.copy())

    assert_same_dumps(implementation, use)


def test_the_memo_holds_address_number_and_object(implementation):
    obj = ["text"]
    pickler = implementation.Pickler(io.BytesIO(), 2)
    pickler.dump(obj)
    assert pickler.memo.copy() == {id(obj): (0, obj), id(obj[0]): (1, obj[0])}
    assert pickle.loads(pickle.dumps(pickler.memo)) == pickler.memo.copy()


@pytest.mark.parametrize("how", ["memo", "copy", "standard"])
def test_the_memo_can_be_given_to_another_pickler(implementation, protocol, how):
    shared = ["shared"]

    def use(cls, file):
        first = (pickle.Pickler if how == "standard" else cls)(file, protocol)
        first.dump(shared)
        second = cls(file, protocol)
        second.memo = first.memo.copy() if how == "copy" else first.memo
        second.dump([shared, "new"])
        first.dump(shared)
        return len(first.memo.copy()), len(second.memo.copy())

    assert_same_dumps(implementation, use)


@pytest.mark.parametrize("memo", [3, [], None, {1: 2}, {1: (1,)}, {1: [0, "x"]}], ids=repr)
def test_wrong_values_for_the_memo(implementation, memo):
    def use(cls, file):
        pickler = cls(file)
        pickler.dump(["a"])
        before = pickler.memo.copy()
        error = outcome(lambda: setattr(pickler, "memo", memo))
        assert pickler.memo.copy() == before
        return error

    (error, _), _ = assert_same_dumps(implementation, use)
    assert error is TypeError


def test_a_memo_with_gaps(implementation, protocol):
    known, other = ["known"], ["other"]

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.memo = {0: (300, known), 1: (70_000, other)}
        pickler.dump([known, other, "new", known])

    assert_same_dumps(implementation, use)


def test_the_memo_keeps_objects_alive(implementation, protocol):
    # Were the first list freed, the second could have its address, and would be taken for it.
    def use(cls, file):
        pickler = cls(file, protocol)
        for i in range(100):
            pickler.dump([i])

    assert_same_dumps(implementation, use)


class Fresh:
    """Reduced to objects that nothing else refers to."""

    def __reduce__(self):
        return str, ("".join(["fre", "sh"]),), None, iter([i] for i in range(50))


def test_objects_made_by_a_reduction_are_kept_until_the_end(implementation, protocol):
    file = io.BytesIO()
    implementation.Pickler(file, protocol).dump([Fresh() for _ in range(50)])
    assert file.getvalue() == pickle.dumps([Fresh() for _ in range(50)], protocol)


class Failing:
    def __reduce__(self):
        raise ZeroDivisionError


def test_a_failed_dump_is_forgotten(implementation, protocol):
    known = ["known"]
    new = ["new", ("t", b"b"), {"k": {1}}, Fresh()]
    file = io.BytesIO()
    pickler = implementation.Pickler(file, protocol)
    pickler.dump(known)
    before = pickler.memo.copy()
    for bad in (Failing(), lambda: 0, [Failing()], (known, Failing())):
        with pytest.raises((ZeroDivisionError, pickle.PicklingError, AttributeError)):
            pickler.dump([known, new, bad])
        assert pickler.memo.copy() == before
    pickler.dump([known, new])

    expected = io.BytesIO()
    standard = pickle.Pickler(expected, protocol)
    standard.dump(known)
    standard.dump([known, new])
    assert file.getvalue() == expected.getvalue()


def test_a_failed_first_dump_leaves_an_empty_memo(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    with pytest.raises(ZeroDivisionError):
        pickler.dump([["a"], Failing()])
    assert pickler.memo.copy() == {}


@pytest.mark.skipif(PYPY, reason="PyPy does not know how large objects are")
def test_sizeof_grows_with_the_memo(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    before = sys.getsizeof(pickler)
    pickler.dump([str(i) for i in range(1000)])
    assert sys.getsizeof(pickler) > before + 1000 * struct.calcsize("P")


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


@pytest.mark.parametrize("change", ["none", "another dict", "emptied", "a new attribute"])
def test_instance_dicts_between_two_dumps(implementation, protocol, change):
    """The second dump refers to a dict that the first one did not make, unless it is another."""

    def use(cls, file):
        holder = Plain(text="".join(["a ", "text"]), items=[1])
        pickler = cls(file, protocol)
        pickler.dump([holder])
        if change == "another dict":
            holder.__dict__ = {"text": holder.text}
        elif change == "emptied":
            holder.__dict__.clear()
        elif change == "a new attribute":
            holder.more = 2
        pickler.dump([holder.__dict__, holder])
        copy = cls(file, protocol)
        copy.memo = pickler.memo
        copy.dump([holder, holder.__dict__])
        return len(pickler.memo.copy())

    assert_same_dumps(implementation, use)


@pytest.mark.parametrize("count", range(0, 200, 7))
def test_an_object_with_two_numbers(implementation, count):
    objects = [[float(i)] for i in range(count + 1)]
    pickler = implementation.Pickler(io.BytesIO())
    pickler.memo = {i: (i, obj) for i, obj in enumerate([*objects, objects[0]])}
    assert pickler.memo.copy()[id(objects[0])] == (count + 1, objects[0])


def test_a_number_that_is_too_large(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    before = [[1]]
    pickler.dump(before)
    for cls in (implementation,) if PYPY else (implementation, pickle):
        with pytest.raises(OverflowError, match="too large to convert to C ssize_t"):
            cls.Pickler(io.BytesIO()).memo = {1: (2**70, before)}
    with pytest.raises(OverflowError):
        pickler.memo = {i: (i if i < 50 else 2**70, [float(i)]) for i in range(51)}
    _ = [object() for _ in range(1000)]
    assert [obj for _, obj in pickler.memo.copy().values()] == [before, before[0]]


def test_a_memo_that_begins_a_dump(implementation):
    """It is read before it is known whether a dump runs, in another thread."""
    begun, done = threading.Event(), threading.Event()

    class Memo(dict):
        def copy(self):  # PyPy's Pickler has a dict for a memo, so that each is copied
            return self

        def values(self):
            thread.start()
            begun.wait()
            return ()

    class Wait:
        def __reduce__(self):
            begun.set()
            done.wait()
            raise ValueError("as it must")

    def dump():
        with contextlib.suppress(ValueError):
            pickler.dump([[1.5], "a", [[float(i)] for i in range(100)], Wait()])

    thread = threading.Thread(target=dump)
    pickler = implementation.Pickler(io.BytesIO())
    pickler.dump([[float(i)] for i in range(3000)])
    try:
        with pytest.raises(RuntimeError, match="already used"):
            pickler.memo = Memo()
    finally:
        done.set()
        thread.join()
    assert len(pickler.memo.copy()) == 3001


def test_a_memo_that_was_given_numbers(implementation, protocol):
    """They are written again, whatever the memo has."""
    numbers = [2**40, 2**100, -(2**70), 1.5, True, None]

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.memo = {id(number): (i, number) for i, number in enumerate(numbers)}
        pickler.dump([*numbers, tuple(numbers), {number: number for number in numbers}])

    assert_same_dumps(implementation, use)
