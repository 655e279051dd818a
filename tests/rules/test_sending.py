"""send_rest: the calls of `write` for data that a file has taken in part."""

from __future__ import annotations

import array
import os
import pickle

import pytest

from quickpickle.rules.sending import send_rest


class Takes:
    """Its `write` takes as many bytes as it is told, one number for each call."""

    def __init__(self, *sizes):
        self.sizes = list(sizes)
        self.taken = bytearray()

    def write(self, data):
        size = self.sizes.pop(0)
        self.taken += data[: size if type(size) is int else len(data)]
        return size


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


@pytest.mark.parametrize(
    ("first", "sizes", "parts"),
    [
        (10, [], []),
        (11, [], []),
        (1, [9], [1]),
        (9, [1], [9]),
        (3, [3, 3, 1], [3, 3, 3]),
        (4, [99], [4]),
        (Index(4), [6], [4]),
        (4, [None], [4]),
        (4, ["text"], [4]),
        *((other, [], []) for other in (None, True, False, "text", -1, 10.0)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_results_of_write(first, sizes, parts):
    data, noted = b"0123456789", []
    file = Takes(*sizes)
    send_rest(file.write, data, len(data), first, noted)
    assert noted == parts
    assert file.sizes == []
    assert file.taken == (data[parts[0] :] if parts else b"")


@pytest.mark.parametrize(("first", "sizes", "left"), [(0, [], 10), (4, [0], 6), (9, [0], 1)])
def test_a_write_that_takes_nothing(first, sizes, left):
    with pytest.raises(OSError, match=f"^write\\(\\) took none of {left} bytes: "):
        send_rest(Takes(*sizes).write, b"0123456789", 10, first, [])


def test_an_index_that_fails():
    with pytest.raises(ArithmeticError):
        send_rest(Takes().write, b"0123456789", 10, Index(ArithmeticError()), [])


@pytest.mark.parametrize(
    "data", [bytearray(b"01234567"), pickle.PickleBuffer(array.array("i", [1, 2]))], ids=["a", "b"]
)
def test_sizes_are_counted_in_bytes(data):
    file = Takes(5)
    send_rest(file.write, data, 8, 3, [])
    assert file.taken == memoryview(data).cast("B")[3:]


def test_none_of_a_raw_file(tmp_path):
    """It means that nothing was taken; of other files, that all was."""
    send_rest(Takes().write, b"0123456789", 10, None, [])
    with open(tmp_path / "file", "wb", buffering=0) as file:
        with pytest.raises(BlockingIOError, match="write\\(\\) took none of 10 bytes"):
            send_rest(file.write, b"0123456789", 10, None, [])
        send_rest(file.write, b"0123456789", 10, 10, [])
    with open(tmp_path / "file", "wb") as file:
        send_rest(file.write, b"0123456789", 10, None, [])
    assert os.path.getsize(tmp_path / "file") == 0
