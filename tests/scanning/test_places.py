"""The place of what an opcode makes: in data, in files, by both scanners."""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import random
import tempfile
from functools import partial

import pytest

import quickpickle
from conftest import UNPICKLERS
from inspection_checks import SCANNERS
from policies import listed
from policies.attacks import call, glob, number, proto, stack_global, text, tree
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op
from quickpickle.format import table
from quickpickle.scanning import places

PLAIN = Policy.plain()
UNKNOWN = call(glob("a.b"))


def path_of(data, offset):
    found = {places.path_in_data(scanner, data, offset) for scanner in SCANNERS.values()}
    assert len(found) == 1, found
    return found.pop()


def refusal(load, data, **options):
    with pytest.raises(PolicyError) as caught:
        load(data, policy=PLAIN, **options)
    return caught.value


PLACES = {
    "the object": (UNKNOWN, "obj"),
    "a name": (glob("a.b"), "obj"),
    "an item of a list": (b"](K\1" + UNKNOWN + b"e", "obj[1]"),
    "by APPEND": (b"]" + UNKNOWN + b"a", "obj[0]"),
    "by LIST": (b"(K\1K\2" + UNKNOWN + b"l", "obj[2]"),
    "in a tuple": (b"K\1" + UNKNOWN + b"\x86", "obj[1]"),
    "in a long tuple": (b"(K\1K\2K\3" + UNKNOWN + b"t", "obj[3]"),
    "a value": (op.EMPTY_DICT + text("key") + UNKNOWN + b"s", "obj['key']"),
    "a value by SETITEMS": (b"}(K\1K\2K\3" + UNKNOWN + b"u", "obj[3]"),
    "a value by DICT": (b"(K\1" + UNKNOWN + b"d", "obj[1]"),
    "a key": (op.EMPTY_DICT + UNKNOWN + b"Ns", "list(obj)[0]"),
    "under a key without a text": (b"}(K\1N" + b")" + UNKNOWN + b"u", "obj[()]"),
    "in a set": (b"\x8f(" + UNKNOWN + b"\x90", "list(obj)[0]"),
    "in a frozenset": (b"(K\1" + UNKNOWN + b"\x91", "list(obj)[1]"),
    "an argument": (
        call(glob("builtins.set"), b"](" + UNKNOWN + b"e"),
        "obj.__reduce_ex__(4)[1][0][0]",
    ),
    "an argument by OBJ": (b"(" + glob("c.d") + number(1) + b"o", "obj"),
    "by INST": (b"(ia\nb\n", "obj"),
    "by EXT1": (b"\x82\xf0", "obj"),
    "an attribute": (
        b"](" + glob("uuid.UUID") + b")\x81}(" + text("int") + UNKNOWN + b"ube",
        "obj[0].int",
    ),
    "in slots": (
        glob("uuid.UUID") + b")\x81N}" + text("int") + UNKNOWN + b"s\x86b",
        "obj.int",
    ),
    "a state": (glob("uuid.UUID") + b")\x81" + UNKNOWN + b"b", "obj.__reduce_ex__(4)[2]"),
    "what gets the state": (b"](" + glob("uuid.UUID") + b")\x81Nbe", "obj[0]"),
    "the class of an instance": (b"](N" + glob("a.b") + b")\x81}b" + b"e", "obj[1]"),
    "the class, by name": (b"](N" + stack_global("a:b") + b")\x81}b" + b"e", "obj[1]"),
    "the class for _reconstructor": (
        b"]" + call(glob("copyreg._reconstructor"), glob("a.b"), glob("builtins.object"), b"N")
        + b"a",
        "obj[0]",
    ),
    "what a list gets too much of": (b"](K\1}" + tree(60) + b"Nse", "obj[1]"),
    "a set": (b"](\x8f(" + tree(60) + b"\x90e", "obj[0]"),
    "a frozenset": (b"]((" + tree(60) + b"\x91e", "obj[0]"),
    "a list with a state": (b"](N]}be", "obj[1]"),
    "behind a memo": (UNKNOWN + b"q\1]h\1ah\1a\x86", "obj[0]"),
    "discarded": (UNKNOWN + b"0N", None),
    "deep": (b"]" * 100 + UNKNOWN + b"a" * 100, "obj" + "[0]" * 20 + " … " + "[0]" * 20),
}  # fmt: skip


@pytest.fixture(autouse=True)
def extension():
    import copyreg

    copyreg.add_extension("os", "system", 0xF0)
    yield
    copyreg.remove_extension("os", "system", 0xF0)


@pytest.mark.parametrize("place", PLACES)
def test_each_kind_of_place(unpickling, place):
    parts, path = PLACES[place]
    error = refusal(unpickling.loads, proto(4, parts))
    assert error.path == path
    assert str(error).startswith(
        f"refused by the policy at byte {error.offset}" + (f" ({path}): " if path else ": ")
    )
    assert [found.path for found in PLAIN.check(proto(4, parts))] == [path]


def test_it_is_the_path_of_inspect(protocol):
    """Of each object that has a node, at the opcode that makes it."""
    value = {
        "a": [1, listed.Data({(1, 2): listed.Plain()}), {"x"}, frozenset({2.5})],
        "b": (listed.Point(1, [listed.Flags.A]), listed.FrozenSlots(1, [b"x"])),
        3: "x" * 100,
    }
    data = pickle.dumps(value, protocol)
    inspection = quickpickle.inspect(data)
    scanner = inspection._scanner
    seen = 0
    for row in inspection.tree(20):
        node = row.node
        # Of a name the path is that of the object whose type it is.
        if node is None or scanner.kind[node.number] in (table.GLOBAL, table.PICKLE, table.FILE):
            continue
        assert path_of(data, node.offset) == node.path
        seen += 1
    assert seen > 20


@pytest.mark.costly
def test_each_opcode_has_the_same_place_for_both(protocol):
    value = [{"a": [1] * 100, "b": listed.Data(1, "x")}, listed.Point(1, {2})]
    data = pickle.dumps(value, protocol)
    for code, _, offset in pickletools.genops(data):
        path = path_of(data, offset)
        assert path is not None or code.name in ("PROTO", "FRAME", "MARK", "STOP", "GLOBAL")


def test_damaged_pickles():
    rng = random.Random(1)
    sources = [pickle.dumps([listed.Data(i, "x"), {i: (i,)}], i) for i in range(6)]
    for _ in range(3000):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path_of(bytes(data), rng.randrange(len(data)))


def test_the_rest_is_damaged(unpickling):
    data = b"](K\1](" + UNKNOWN
    for rest in (b"", b"\xff", b"h\7", b"X\xff\xff\xff\xff"):
        assert refusal(unpickling.loads, data + rest).path == "obj[1][0]"


def test_a_long_row_of_numbers(unpickling):
    """They are no nodes: it is the list."""
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(pickle.dumps([[1.5] * 100]), policy=PLAIN.limit(objects=50))
    assert caught.value.rule == "objects"
    assert caught.value.path == "obj[0]"


def test_long_lines_and_payloads(unpickling):
    for first in (b"V" + b"x" * 3_000_000 + b"\n", pickle.dumps(b"x" * 3_000_000)[2:-1]):
        error = refusal(unpickling.loads, b"](" + first + UNKNOWN + first + b"e.")
        assert error.path == "obj[1]"
        error = refusal(unpickling.load, io.BytesIO(b"](" + first + UNKNOWN + first + b"e."))
        assert error.path == "obj[1]"


def test_what_is_too_large_has_no_path(unpickling, monkeypatch):
    monkeypatch.setattr(places, "MOST_OBJECTS", 1000)
    data = b"](" + b"]" * 990 + UNKNOWN + b"]" * 100 + b"e."
    assert refusal(unpickling.loads, data).path == "obj[990]"
    assert refusal(unpickling.loads, b"](" + b"]" * 2000 + UNKNOWN + b"e.").path is None


@pytest.mark.costly
def test_the_cost_is_bounded(monkeypatch):
    read = []

    class Endless:
        size = 1 << 47

        def read(self, offset, count):
            return b"]" * count

        def piece(self, offset):
            read.append(offset)
            return b"0" * (1 << 20) if offset else b"]" + b"]0" * (1 << 19)

    for scanner in SCANNERS.values():
        read.clear()
        monkeypatch.setattr(places, "MOST_OBJECTS", 1 << 22)
        places._find_paths(scanner, Endless(), [0])
        assert len(read) <= 18


# --- files


class Peeking(io.BytesIO):
    def peek(self, size):
        position = self.tell()
        data = self.read(5)
        self.seek(position)
        return data


class Slow(io.BytesIO):
    def read(self, size=-1):
        return super().read(min(size, 1) if size > 0 else size)


REST = b"rest" * 100


class Unseekable(io.BytesIO):
    def seekable(self):
        return False


class Lying(io.BytesIO):
    def seek(self, *args):
        raise RuntimeError("no")


def opened(data):
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(data)
    file.seek(0)
    return file


@pytest.mark.parametrize("by", ["load", "Unpickler"])
@pytest.mark.parametrize(
    ("open_", "path"),
    [
        (io.BytesIO, "obj['models'][1]"),
        (Peeking, "obj['models'][1]"),
        (Slow, "obj['models'][1]"),
        (opened, "obj['models'][1]"),
        (lambda data: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data))), "obj['models'][1]"),
        (Unseekable, None),
        (Lying, None),
    ],
)
@pytest.mark.parametrize("frames", [b"", b"\x95\x08" + b"\0" * 7])
def test_files(unpickling, open_, path, by, frames):
    first = pickle.dumps("x" * 100)
    head = b"\x80\4" + (frames and frames + b"NNNN0000")
    data = head + b"}(" + text("models") + b"](K\1" + UNKNOWN + b"eu."
    for has_peek in (False, True):
        file = open_(first + data + REST)
        if has_peek and open_ is io.BytesIO:
            file = io.BufferedReader(file, 16)
        if by == "load":
            assert unpickling.load(file, policy=PLAIN) == "x" * 100
            load = partial(unpickling.load, file, policy=PLAIN)
        else:
            unpickler = unpickling.Unpickler(file, policy=PLAIN)
            assert unpickler.load() == "x" * 100
            load = unpickler.load
        with pytest.raises(PolicyError) as caught:
            load()
        assert caught.value.path == path
        if open_ is not Lying:
            assert data.endswith(file.read()[: -len(REST)])
        file.close()


def test_a_file_goes_on_where_it_was(unpickling):
    """As it does where nothing is looked for."""
    data = b"](K\1" + glob("a.b") + b"K\2e.rest"
    rest = []
    for file in (io.BytesIO(data), Unseekable(data), Peeking(data), opened(data)):
        unpickler = unpickling.Unpickler(file, policy=PLAIN)
        with pytest.raises(PolicyError):
            unpickler.load()
        rest.append(file.read())
        file.close()
    assert rest[0] == rest[1]
    assert all(data.endswith(part) for part in rest)


def test_a_read_that_is_no_method(unpickling):
    class File:
        def __init__(self, data):
            file = io.BytesIO(data)
            self.read = lambda size: file.read(size)
            self.readline = lambda: file.readline()

    assert refusal(unpickling.load, File(b"](" + UNKNOWN + b"e.")).path is None


def test_the_memo_of_an_unpickler(unpickling):
    """The bytes before the load are not read again: the memo is known up to there."""
    file = io.BytesIO(b"]q\1.](K\1" + UNKNOWN + b"h\1e." + b"](h\1" + UNKNOWN + b"e.")
    unpickler = unpickling.Unpickler(file, policy=PLAIN)
    unpickler.load()
    with pytest.raises(PolicyError) as caught:
        unpickler.load()
    assert caught.value.path == "obj[1]"


def test_from_paths(tmp_path):
    path = tmp_path / "model.pkl.gz"
    data = b"](K\1" + UNKNOWN + b"e."
    path.write_bytes(gzip.compress(data))
    assert refusal(quickpickle.load, path).path == "obj[1]"
    assert PLAIN.check(path)[0].path == "obj[1]"
    (tmp_path / "model.pkl").write_bytes(data)
    assert refusal(quickpickle.load, tmp_path / "model.pkl").path == "obj[1]"
    assert PLAIN.check(tmp_path / "model.pkl")[0].path == "obj[1]"


def test_check_of_several():
    data = proto(4, b"}(" + text("a") + UNKNOWN + text("b") + b"](" + UNKNOWN + b"eu")
    assert [error.path for error in PLAIN.check(data)] == ["obj['a']", "obj['b'][0]"]
    assert [error.path for error in PLAIN.check(Unseekable(data))] == [None, None]


@pytest.mark.parametrize("name", UNPICKLERS)
def test_a_load_that_succeeds_looks_for_nothing(monkeypatch, name):
    monkeypatch.setattr(places, "_find_paths", None)
    assert UNPICKLERS[name].loads(pickle.dumps([1]), policy=PLAIN) == [1]
