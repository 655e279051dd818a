"""`quickpickle.inspect`: figures, sums, paths, imports, and files that are no pickles."""

from __future__ import annotations

import collections
import copyreg
import datetime as dt
import decimal
import gc
import gzip
import io
import json
import lzma
import os
import pickle
import pickletools
import subprocess
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

import quickpickle
from differential import PYPY, only_counted, only_cpython
from graphs import SETTINGS, graphs, trees
from inspection_checks import (
    SCANNERS,
    check,
    count_found,
    count_made,
    every_node,
    inspect_with,
)
from models import Call, Data, Plain, Slots
from policies.attacks import ATTACKS
from quickpickle.format import table
from quickpickle.rules import dangers, kinds
from quickpickle.rules.loading import names_in_python3
from quickpickle.rules.policy_names import MEMBERS, PLAIN
from quickpickle.rules.presets import PRESETS, table_of


@pytest.fixture(params=SCANNERS)
def inspect(request: pytest.FixtureRequest) -> Any:
    return lambda data, **options: inspect_with(request.param, data, **options)


@dataclass
class Order:
    number: int
    items: dict[Any, Any]


def paths_of(inspection: Any) -> dict[str, Any]:
    return {node.path: node for node in every_node(inspection)}


# --- what is counted


@pytest.mark.costly
@SETTINGS
@given(graph=graphs())
def test_graphs(protocol: int, graph: Any) -> None:
    """Every byte is in one place, both scanners agree, and the objects are those
    that an Unpickler makes."""
    try:
        data = pickle.dumps(graph, protocol)
    except Exception:  # those that have no end, or cannot be pickled with this protocol
        return
    inspection = check(data)
    assert inspection.error is None
    assert inspection.opcodes == sum(1 for _ in pickletools.genops(data))
    if PYPY:  # numbers that are equal are one object there
        return
    try:
        made = count_made(data)
    except (RecursionError, TypeError, AttributeError):  # a graph that cannot be loaded
        return
    assert count_found(inspection) == made


@pytest.mark.costly
@SETTINGS
@given(tree=trees)
def test_paths_lead_to_the_objects(protocol: int, tree: Any) -> None:
    inspection = check(pickle.dumps(tree, protocol))
    for node in every_node(inspection):
        path = node.path
        if path.startswith("obj") and "__reduce_ex__" not in path and "…" not in path:
            found = eval(path, {"obj": tree})
            if node.type in ("list", "dict", "tuple", "str", "bytes", "int", "bool", "float"):
                assert type(found).__name__ == node.type, path
            elif node.type.endswith(".Data"):
                assert type(found) is Data
            if isinstance(found, (int, float)) and "…" not in node.text:
                assert node.text == repr(found)
            if isinstance(found, (list, dict, tuple)):
                assert node.length == len(found)


OBJECTS: dict[str, Any] = {
    "atoms": [None, True, False, 0, -1, 255, 256, 2**31, 2**64, 1.5, "é", b"b", bytearray(b"c")],
    "containers": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[]], {}, {1: {2: 3}}, {4}],
    "frozen": frozenset(range(3)),
    "numbers": list(range(5000)),
    "floats": tuple(float(i) for i in range(3000)),
    "mixed": [*range(20), "x", *range(20), None],
    "instances": [Order(1, {"a": 2}), Plain(), dt.datetime(2026, 1, 2), decimal.Decimal("1.5")],
    "classes": [Order, dict, len, collections.OrderedDict],
    "large": ["x" * 70_000, b"y" * 70_000, bytearray(b"z" * 70_000)],
    "python 2 names": [collections.OrderedDict(a=1), range(3), map, filter],
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects(name: str, protocol: int) -> None:
    data = pickle.dumps(OBJECTS[name], protocol)
    inspection = check(data)
    assert inspection.error is None
    assert inspection.size == len(data)
    assert count_found(inspection) == count_made(data)
    opcodes = [opcode for opcode, _, _ in pickletools.genops(data)]
    assert inspection.opcodes == len(opcodes)
    assert inspection.frames == sum(opcode.name == "FRAME" for opcode in opcodes)
    assert inspection.protocol == max([protocol, *(o.proto for o in opcodes if protocol < 2)])
    puts = [o for o in opcodes if "PUT" in o.name or o.name == "MEMOIZE"]
    gets = [o for o in opcodes if o.name in ("GET", "BINGET", "LONG_BINGET")]
    assert inspection.memo_entries == len(puts)
    assert inspection.references == len(gets)
    optimized = [o.name for o, _, _ in pickletools.genops(pickletools.optimize(data))]
    kept = sum("PUT" in name or name == "MEMOIZE" for name in optimized)
    assert inspection.memo_unused == inspection.memo_entries - kept


def test_the_protocol_of_a_pickle_without_proto() -> None:
    """It is the highest of its opcodes, also of those that are read in one turn with MEMOIZE."""
    assert check(b"\x96\x01\0\0\0\0\0\0\0x\x94.").protocol == 5
    assert check(b"]\x94.").protocol == 4
    assert check(b"]q\x00.").protocol == 1
    assert check(b"\x8c\x01x\x94" + b"]\x94" * 3 + b".").opcodes == 9


@only_counted
def test_an_inspection_is_freed_at_once(inspect: Any) -> None:
    """Its tree may be gigabytes: that must not wait for the garbage collector."""
    data = pickle.dumps([Order(1, {"a": [2]}), Plain(), dt.date(2026, 1, 2)], 0)
    gc.collect()
    gc.disable()
    try:
        for damaged in (data, data[:-1]):
            inspection = inspect(damaged)
            inspection.as_dict()
            scanner, kept = type(inspection._scanner), weakref.ref(inspection)
            before = sum(type(found) is scanner for found in gc.get_objects())
            del inspection
            assert kept() is None
            assert sum(type(found) is scanner for found in gc.get_objects()) == before - 1
    finally:
        gc.enable()


def test_numbers_in_rows_are_counted_by_their_type(inspect: Any, protocol: int) -> None:
    data = pickle.dumps({"a": [*range(1000, 3000), 1.5, *[None, True] * 50]}, protocol)
    inspection = inspect(data)
    types = {found.name: found for found in inspection.types}
    assert types["int"].objects == 2000
    assert types["float"].objects == 1
    assert types["NoneType"].objects == 50
    assert types["bool"].objects == 50
    assert inspection.objects == 2000 + 1 + 100 + 3
    assert types["int"].own == 2000 * (6 if protocol == 0 else 3)
    paths = paths_of(inspection)
    assert paths["obj['a']"].length == 2101
    assert ("obj['a'][5]" in paths) == (protocol == 0)  # which appends one by one


def test_depth(inspect: Any, protocol: int) -> None:
    assert inspect(pickle.dumps(1, protocol)).depth == 1
    assert inspect(pickle.dumps([[]], protocol)).depth == 2
    assert inspect(pickle.dumps({"a": ([1],)}, protocol)).depth == 4


@pytest.mark.costly
@pytest.mark.parametrize("name", SCANNERS)
def test_deep_nesting(name: str, protocol: int) -> None:
    count = 200_000 if name == "native" else 20_000
    obj: Any = []
    for _ in range(count):
        obj = [obj]
    data = quickpickle.dumps(obj, protocol)
    inspection = inspect_with(name, data)
    assert inspection.depth == count + 1
    assert sum(found.own for found in inspection.types) == len(data)
    deepest = inspection.largest(1, own=True)[0]
    assert deepest.path.startswith("obj")
    assert len(deepest.path) < 500
    assert inspection.root.total == len(data)
    text = json.dumps(inspection.as_dict(depth=5000, top=3))
    assert len(json.loads(text)["tree"]) == 5000
    while obj:  # without a recursion
        obj = obj.pop()


# --- recursive objects: their items are discarded and fetched again


class Rebuilt:
    def __init__(self, parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return Rebuilt, (self.parts,)


def recursive_tuple(length: int) -> Any:
    items: list[Any] = []
    obj = (items, *range(length - 1))
    items.append(obj)
    return obj


@pytest.mark.parametrize("length", [1, 2, 3, 4, 30])
def test_a_recursive_tuple(length: int, protocol: int) -> None:
    data = pickle.dumps({"k": [recursive_tuple(length)]}, protocol)
    inspection = check(data)
    paths = paths_of(inspection)
    assert paths["obj['k'][0]"].type == "tuple"
    assert paths["obj['k'][0]"].length == length
    assert paths["obj['k'][0][0]"].type == "list"
    assert paths["obj['k'][0][0]"].length == 1
    assert "obj['k'][0][0][0]" not in paths  # the tuple again: a reference
    assert count_found(inspection) == count_made(data)


def test_long_paths_are_cut_in_the_middle(inspect: Any) -> None:
    """However deep the tree is: only the steps that are shown are read."""
    for depth in (39, 40, 41, 42, 43, 100_000):
        inspection = inspect(b"]" * (depth + 1) + b"a" * depth + b".")
        path = quickpickle.inspection.result.Node(inspection, depth + 2).path
        whole = "obj" + "[0]" * depth
        assert path == (whole if depth <= 40 else f"{whole[:63]} … {whole[-60:]}")


def test_a_recursive_root(protocol: int) -> None:
    data = pickle.dumps(recursive_tuple(2), protocol)
    paths = paths_of(check(data))
    assert paths["obj"].type == "tuple"
    assert paths["obj[0]"].type == "list"


def test_a_recursive_frozenset() -> None:
    obj = Plain()
    obj.home = frozenset([obj])
    paths = paths_of(check(pickle.dumps(obj.home, 4)))
    assert paths["obj"].type == "frozenset"
    assert paths["list(obj)[0]"].type.endswith("Plain")


def test_discarded_objects_have_a_place(inspect: Any) -> None:
    # 1 is left over, 2 is discarded, 3 is the object.
    inspection = inspect(b"K\x01K\x020K\x03.")
    assert inspection.error is None
    by_path = paths_of(inspection)
    assert by_path["obj"].text == "3"
    assert {path: node.text for path, node in by_path.items() if "loose" in path} == {
        "<loose at 0>": "1",
        "<loose at 2>": "2",
    }
    assert by_path["<pickle>"].own == 2  # POP and STOP


def test_discarded_objects_that_are_fetched_again(inspect: Any) -> None:
    inspection = inspect(b"]q\x000h\x00.")
    node = paths_of(inspection)["obj"]
    assert (node.type, node.total, node.own) == ("list", 6, 6)


# --- names


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("true",), "os.system"),
        (eval, ("1",), "builtins.eval"),
        (exec, ("1",), "builtins.exec"),
        (getattr, (1, "real"), "builtins.getattr"),
        (__import__, ("os",), "builtins.__import__"),
        (subprocess.check_output, ("true",), "subprocess.check_output"),
        (subprocess.Popen, ("true",), "subprocess.Popen"),
        pytest.param(pickle.loads, (b"N.",), "pickle.loads", marks=only_cpython),  # or _loads
        (quickpickle.load, ("file",), "quickpickle.load"),
        (getattr(pickle, "_loads"), (b"N.",), "pickle._loads"),  # noqa: B009 - not in the stubs
    ],
)
def test_names_that_run_code_are_marked(
    inspect: Any, protocol: int, function: Any, arguments: Any, name: str
) -> None:
    inspection = inspect(pickle.dumps([Call(function, *arguments), Order(1, {})], protocol))
    name = name.replace("os.", f"{os.system.__module__}.")
    first = inspection.imports[0]
    found = f"{first.module}.{first.name}".removeprefix("_")  # _pickle
    assert (found, first.lookups, first.objects) == (name, 1, 1)
    assert first.danger
    assert first.kind == "dangerous"
    others = {f"{found.module}.{found.name}": found for found in inspection.imports[1:]}
    assert all(found.danger is None for found in others.values())
    assert others.pop(f"{__name__}.Order").kind == "unknown"
    assert all(found.kind == "harmless" for found in others.values())
    assert "1 name that can run code, 1 unknown name" in repr(inspection)


def test_names_of_every_opcode(inspect: Any) -> None:
    data = (
        b"\x80\x04("  # a list of
        b"cos\nsystem\n"  # GLOBAL
        b"\x8c\x02osq\x00\x8c\x05popenq\x01\x93"  # STACK_GLOBAL
        b"h\x00h\x01\x93"  # the same from the memo
        b"(K\x01isubprocess\nPopen\n"  # INST
        b"(cbuiltins\neval\nK\x01o"  # OBJ
        b"\x82\xf0"  # EXT1 that nobody has registered
        b"l."
    )
    inspection = inspect(data)
    assert inspection.error is None
    found = {(i.module, i.name): (i.lookups, i.objects, bool(i.danger)) for i in inspection.imports}
    assert found == {
        ("os", "system"): (1, 0, True),
        ("os", "popen"): (2, 0, True),
        ("subprocess", "Popen"): (1, 1, True),
        ("builtins", "eval"): (1, 1, True),
        ("copyreg", "extension 240, not registered"): (1, 0, False),
    }


def test_names_of_the_extension_registry(inspect: Any) -> None:
    copyreg.add_extension("nowhere", "Nothing", 0x1234)
    try:
        inspection = inspect(b"\x80\x02\x83\x34\x12.")
    finally:
        copyreg.remove_extension("nowhere", "Nothing", 0x1234)
    # The registry is looked at when the names are asked for.
    assert [(i.module, i.name) for i in inspection.imports] in (
        [("nowhere", "Nothing")],
        [("copyreg", f"extension {0x1234}, not registered")],
    )


def test_names_are_those_of_python_3(inspect: Any) -> None:
    data = pickle.dumps([collections.OrderedDict, range(2), filter], 2)
    names = {f"{found.module}.{found.name}" for found in inspect(data).imports}
    assert names == {"collections.OrderedDict", "builtins.range", "builtins.filter"}


def test_names_of_a_pickle_that_does_not_tell_its_protocol(inspect: Any) -> None:
    """pickle.load then takes it for one of protocol 0, whatever its opcodes are."""
    names = b"\x8c\x08commands\x8c\x09getoutput\x93"
    (found,) = inspect(names + b".").imports
    assert found[:2] == ("subprocess", "getoutput")
    (found,) = inspect(b"\x80\x04" + names + b".").imports
    assert found[:2] == ("commands", "getoutput")


# Of the pickles that were published to show what scanners miss.
PUBLISHED = [
    *("torch._inductor.codecache.compile_file", "torch.serialization.load"),
    *("torch.utils._config_module.load_config", "torch.utils.bottleneck.__main__.run_cprofile"),
    *("torch.utils.collect_env.run", "torch.jit.unsupported_tensor_ops.execWrapper"),
    *("torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression",),
    *(
        "torch._dynamo.guards.GuardBuilder.get",
        "torch.hub.load",
        "numpy.f2py.crackfortran.param_eval",
    ),
    *("numpy.testing._private.utils.runstring", "idlelib.pyshell.ModifiedInterpreter.runcode"),
    *("lib2to3.pgen2.grammar.Grammar.loads", "distutils.file_util.write_file", "cProfile.runctx"),
    *(
        "doctest.debug_script",
        "pydoc.pipepager",
        "ensurepip._run_pip",
        "pty.spawn",
        "trace.Trace.run",
    ),
    *("code.InteractiveInterpreter.runcode", "_osx_support._read_output", "bdb.Bdb.run"),
    *("pkgutil.resolve_name", "uuid._get_command_stdout", "asyncio.create_subprocess_shell"),
    *("logging.config.dictConfig", "imaplib.IMAP4", "pandas.io.pickle.read_pickle"),
    *("pandas.core.computation.eval.eval", "operator.methodcaller", "builtins.getattr"),
]


@pytest.mark.parametrize("full", PUBLISHED)
def test_names_that_were_published_are_dangerous(full: str) -> None:
    parts = full.split(".")
    for i in range(1, len(parts)):
        module, name = ".".join(parts[:i]), ".".join(parts[i:])
        assert kinds.kind_of(module, name)[0] != "harmless"
    assert kinds.kind_of(*full.rsplit(".", 1))[0] == "dangerous"


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [
        *(("functools", "partial", "unknown"), ("nobody", "knows", "unknown")),
        *(("datetime", "date", "harmless"), ("datetime", "date.today", "unknown")),
        *(("datetime", "date.__class__", "dangerous"), ("uuid", "UUID", "harmless")),
        *(("uuid", "uuid1", "unknown"), ("collections", "OrderedDict", "harmless")),
        *(("collections", "abc", "unknown"), ("collections", "OrderedDict.update", "unknown")),
        *(("", "", "unknown"), ("copyreg", "extension 5, not registered", "unknown")),
        *(("builtins", "bytearray", "harmless"), ("builtins", "iter", "unknown")),
    ],
)
def test_kinds_of_names(module: str, name: str, kind: str) -> None:
    assert kinds.kind_of(module, name)[0] == kind


@pytest.mark.costly
def test_only_what_a_policy_lists_goes_without_a_mark(inspect: Any) -> None:
    for name, data in ATTACKS.items():
        for found in inspect(data).imports:
            full = f"{found.module}.{found.name}"
            is_marked = found.kind != "harmless"
            is_listed = any(full in table_of(preset) for preset in PRESETS) or full in MEMBERS
            assert is_marked == (not is_listed or bool(found.danger))
            assert bool(found.danger) == (found.kind == "dangerous"), name


def test_harmless_names_are_those_of_python_3() -> None:
    """So no name that pickle.load looks for elsewhere is taken for a harmless one."""
    for full in PLAIN:
        module, _, name = full.rpartition(".")
        assert names_in_python3(module, name) == (module, name)


def test_nothing_is_imported(inspect: Any) -> None:
    data = b"cthis\ns\n)R."
    assert "this" not in sys.modules
    inspection = inspect(data)
    assert inspection.imports[0][:2] == ("this", "s")
    assert inspection.types
    assert inspection.as_dict()
    assert "this" not in sys.modules


# --- paths of the parts of reductions


def test_paths(inspect: Any) -> None:
    slots = Slots()
    slots.first, slots.second = [1], {"k": (2, [3])}
    obj = {
        "order": Order(7, {"a b": [1], ("t", 1): [2], 1.5: [3], None: [4], b"x": [5]}),
        "slots": slots,
        "ordered": collections.OrderedDict(key=["v"]),
        "queue": collections.deque([["d"]]),
        "x" * 100: ["long"],
        frozenset([1]): ["unreadable"],
    }
    paths = paths_of(inspect(pickle.dumps(obj, 5)))
    for path in (
        "obj['order'].items['a b']",
        "obj['order'].items[('t', 1)][0]",
        "obj['order'].items[1.5]",
        "obj['order'].items[None]",
        "obj['order'].items[b'x']",
        "obj['slots'].first[0]",
        "obj['slots'].second['k'][1][0]",
        "obj['ordered']['key'][0]",
        "obj['queue'][0][0]",
        "list(obj.values())[4][0]",
        "list(obj.values())[5][0]",
    ):
        assert path in paths, path
        assert type(eval(path, {"obj": obj})).__name__ == paths[path].type
    assert "type(obj['order'])" in paths
    assert "obj['ordered'].__reduce_ex__(5)[0]" in paths


def test_a_long_path_is_shortened(inspect: Any) -> None:
    obj: Any = "end" * 30
    for i in range(1000):
        obj = {f"key{i}": obj}
    (node,) = inspect(quickpickle.dumps(obj)).largest(1, own=True)
    assert node.path.startswith("obj['key999']['key998']")
    assert node.path.endswith("['key1']['key0']")
    assert " … " in node.path
    assert len(node.path) <= 410


# --- several pickles, memos that go on


def test_several_pickles(inspect: Any, protocol: int) -> None:
    objects = [["first"], {"second": 2}, Order(3, {})]
    data = b"".join(pickle.dumps(obj, protocol) for obj in objects)
    inspection = inspect(data)
    assert inspection.error is None
    assert [found.size for found in inspection.pickles] == [
        len(pickle.dumps(obj, protocol)) for obj in objects
    ]
    assert [row.node.path for row in inspection.tree(1)] == [
        f"<pickle {i}>"
        for i in sorted(range(3), key=lambda i: -len(pickle.dumps(objects[i], protocol)))
    ]
    paths = paths_of(inspection)
    assert paths["objs[1]['second']"].text == "2"
    assert paths["objs[2].number"].text == "3"


def test_dumps_of_one_pickler_share_a_memo(inspect: Any, protocol: int) -> None:
    file = io.BytesIO()
    pickler = quickpickle.Pickler(file, protocol)
    shared = ["shared"]
    for obj in ([shared], [shared, "other"], shared, {"k": [shared, "other", "third"]}):
        pickler.dump(obj)
    inspection = inspect(file.getvalue())
    assert inspection.error is None
    assert len(inspection.pickles) == 4
    paths = paths_of(inspection)
    assert paths["objs[0][0][0]"].text == "'shared'"
    assert paths["objs[3]['k'][2]"].text == "'third'"
    assert inspection.root.total == len(file.getvalue())


# --- what a pickle has beside objects


def test_buffers_and_persistent_ids(inspect: Any) -> None:
    class ById(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return "number one" if isinstance(obj, Plain) else None

    for protocol in range(6):
        file = io.BytesIO()
        ById(file, protocol).dump([Plain(), {"k": Plain()}])
        inspection = inspect(file.getvalue())
        assert (inspection.error, inspection.persistent_ids) == (None, 2)
    data = pickle.dumps(
        [pickle.PickleBuffer(b"read-only"), pickle.PickleBuffer(bytearray(b"x"))],
        5,
        buffer_callback=lambda buffer: None,
    )
    inspection = inspect(data)
    assert inspection.buffers == 2
    assert paths_of(inspection)["obj[0]"].own == 2  # with READONLY_BUFFER


# --- where the bytes come from


def test_sources(inspect: Any, tmp_path: Path) -> None:
    data = pickle.dumps({"key": ["value" * 100]})
    path = tmp_path / "file.pickle"
    path.write_bytes(data)
    expected = inspect(data).as_dict()
    assert inspect(path).as_dict() == expected
    assert inspect(str(path)).as_dict() == expected
    assert inspect(bytearray(data)).as_dict() == expected
    assert inspect(memoryview(data)).as_dict() == expected
    assert inspect(io.BytesIO(data)).as_dict() == expected
    with path.open("rb") as file:
        file.seek(0)
        assert inspect(file).as_dict() == expected
        assert file.read() == b""
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        inspect(tmp_path)
    with pytest.raises(TypeError):
        inspect(1)


def test_progress(inspect: Any) -> None:
    seen: list[int] = []
    data = pickle.dumps([bytes([i % 256]) * 1000 for i in range(5000)])
    inspect(data, progress=seen.append)
    assert seen[-1] == len(data)
    assert len(seen) > 3
    assert seen == sorted(seen)


@pytest.mark.costly
def test_opcodes_across_the_ends_of_pieces(
    inspect: Any, protocol: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import quickpickle.scanning.source as source

    data = pickle.dumps({"k": [1.5, 2**70, "text", b"bytes", Order(300, {"x": None})]}, protocol)
    expected = inspect(data).as_dict(9)
    path = tmp_path / "file"
    path.write_bytes(data)
    for size in range(64, 130, 3):
        monkeypatch.setattr(source, "PIECE", size)
        assert inspect(data).as_dict(9) == expected
        assert inspect(path).as_dict(9) == expected


def test_a_line_longer_than_a_piece(
    inspect: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import quickpickle.scanning.source as source

    monkeypatch.setattr(source, "PIECE", 100)
    data = pickle.dumps(["long" * 100, 10**400, "end"], 0)
    inspection = inspect(data)
    assert inspection.error is None
    paths = paths_of(inspection)
    assert paths["obj[2]"].text == "'end'"
    assert paths["obj[0]"].own > 400
    for bad in (
        b"Vendless" * 50,
        b"cmodule" * 50 + b"\nname\n.",
        b"N" + b"g" + b"0" * 200 + b"\n.",
    ):
        assert inspect(bad).error is not None


# --- what is no pickle, or not whole


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
def test_truncated_anywhere(name: str, protocol: int) -> None:
    data = pickle.dumps(OBJECTS[name], protocol)
    if len(data) > 3000:
        places = [1, 2, 3, 11, 12, 70, 1000, len(data) // 2, len(data) - 2, len(data) - 1]
    else:
        places = range(0, len(data), 7)
    for end in places:
        inspection = check(data[:end])
        assert isinstance(inspection.error, pickle.UnpicklingError)
        assert inspection.error.offset <= end
        assert inspection.root.total == end
        assert inspection.as_dict()


def test_the_readable_part_is_reported(inspect: Any) -> None:
    data = pickle.dumps({"a": ["first", "second"], "b": Order(1, {"x": "y"})}, 5)
    inspection = inspect(data[:-12])
    paths = paths_of(inspection)
    assert paths["obj['a'][1]"].text == "'second'"
    assert paths["obj"].type == "dict"
    assert inspection.pickles[0].size + paths["<unread>"].total == len(data) - 12


@pytest.mark.parametrize(
    ("data", "message", "offset"),
    [
        (b"", "this is no pickle: there is nothing in it, at offset 0", 0),
        (b"\xff\xd8\xfe\xe0", "this is no pickle: no opcode is 0xff, at offset 0", 0),
        (
            b"<html>",
            "this is no pickle: no opcode is 0x3c, at offset 0. This is HTML, such as the page of "
            "a download that has failed",
            0,
        ),
        (
            b"PK\3\4" + b"\0" * 22 + b"\5\0\0\0a.npy",
            "this is no pickle: the file ends in the middle of PERSID, at offset 0. This is an "
            "archive of arrays of NumPy (.npz): use numpy.load",
            0,
        ),
        (
            b"PK\x03\x04",
            "this is no pickle, but a ZIP archive: unpack it (that of torch.save has a data.pkl)",
            0,
        ),
        (
            gzip.compress(b"N.", mtime=0),
            "this is no pickle, but compressed with gzip: decompress it first",
            0,
        ),
        (
            lzma.compress(b"N."),
            "this is no pickle, but compressed with xz: decompress it first",
            0,
        ),
        (b"N.\x00", "no opcode is 0x00, at offset 2", 2),
        (b"]", "the file ends before STOP, at offset 1", 1),
        (
            b"\x80\x04]\x94(K\x01K",
            "the file ends in the middle of BININT1, at offset 7: the pickle is cut off, and at "
            "least 1 byte is missing",
            7,
        ),
        (b"\x80\x09N.", "protocol 9 is not known, at offset 0", 0),
        (b"].a", "APPEND finds too little on the stack, at offset 2", 2),
        (b"e", "APPENDS finds no mark on the stack, at offset 0", 0),
        (b"(e", "APPENDS finds too little on the stack, at offset 1", 1),
        (b"}(K\x01u", "SETITEMS finds a key without a value, at offset 4", 4),
        (b"(K\x01d", "DICT finds a key without a value, at offset 3", 3),
        (b"h\x00.", "BINGET refers to 0, not in the memo, at offset 0", 0),
        (b"K\x01K\x02\x93", "STACK_GLOBAL needs two strings, at offset 4", 4),
        (b"cos\nsystem\nK\x01R", "REDUCE needs a tuple of arguments, at offset 13", 13),
        (b"(o.", "OBJ finds no class, at offset 1", 1),
        (b"I\n.", "INT has an empty line, at offset 0", 0),
        (b"Npx\n.", "PUT needs a number, at offset 1", 1),
        (b"Np-1\n.", "PUT needs a number, at offset 1", 1),
        (b"\x8b\xff\xff\xff\xff.", "LONG4 has a negative length, at offset 0", 0),
        (
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
            "BINUNICODE8 is 9,223,372,036,854,775,807 bytes long, the file has 1, at offset 0",
            0,
        ),
        (
            b"\x80\x04\x95\x99\x00\x00\x00\x00\x00\x00\x00N.",
            "a FRAME goes on to offset 164, the file ends at 13, at offset 13",
            13,
        ),
    ],
)
def test_errors(inspect: Any, data: bytes, message: str, offset: int) -> None:
    inspection = inspect(data)
    assert str(inspection.error).removeprefix("this is no pickle: ") == message.removeprefix(
        "this is no pickle: "
    )
    assert inspection.error.offset == offset
    assert inspection.root.total == len(data)
    assert check(data).error.offset == offset


def test_the_error_is_one_of_pickle_and_can_be_pickled(inspect: Any) -> None:
    error = inspect(b"N.\x00").error
    assert isinstance(error, pickle.UnpicklingError)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.offset) == (str(error), 2)


# --- hostile files


def test_huge_memo_numbers_take_no_memory(inspect: Any) -> None:
    data = b"N" + b"".join(b"r" + n.to_bytes(4, "little") for n in (2**32 - 1, 2**31, 10**9, 5000))
    data += b"0j\xff\xff\xff\xff0" + b"Np" + b"9" * 30 + b"\n0g" + b"9" * 30 + b"\n."
    inspection = inspect(data)
    assert inspection.error is None
    assert (inspection.memo_entries, inspection.memo_unused) == (5, 3)
    assert check(data).root.total == len(data)


def test_memo_numbers_in_any_order() -> None:
    numbers = [3000, 5, 2, 4000, 0, 1, 3, 2000, 2999, 3001]
    data = b"("
    for n in numbers:
        data += b"K" + bytes([n % 251]) + b"r" + n.to_bytes(4, "little")
    data += b"".join(b"K\x07r" + n.to_bytes(4, "little") for n in range(6, 1990))
    data += b"".join(b"j" + n.to_bytes(4, "little") for n in numbers) + b"t."
    inspection = check(data)
    assert inspection.error is None
    assert inspection.memo_unused == 1984


def test_pops_marks_and_dups() -> None:
    for data in (
        b"(((((((1111111N.",
        b"N2222220000000N.",
        b"]q\x00h\x00h\x00aah\x00.",
        b"((N00N.",
        b"(N2t.",
        b"]2a.",
        b"(" * 5000 + b"1" * 5000 + b"N.",
        b"]q\x00" + b"h\x00a" * 5000 + b".",
        b"]q\x00(h\x00h\x00h\x00e0h\x00.",
        b"(]q\x01(K\x01tq\x02a1h\x02.",
    ):
        inspection = check(data)
        assert inspection.error is None, data[:20]


@pytest.mark.parametrize("name", SCANNERS)
def test_time_is_linear_in_discarded_objects(name: str) -> None:
    """Each POP and GET would look for a way up from deep below: only so many are looked for."""
    depth = 30_000
    data = b"]" * depth + b"]q\x00" + b"a" * depth + b"K\x010h\x000" * depth + b"."
    inspection = inspect_with(name, data)
    assert inspection.error is None
    assert inspection.root.total == len(data)


# --- the tables


def test_every_opcode_is_read() -> None:
    for opcode in pickletools.opcodes:
        assert table.ACTION_OF[ord(opcode.code)] != table.UNKNOWN, opcode.name


def test_inspect_is_public() -> None:
    assert quickpickle.inspect is quickpickle.inspection.inspect
    assert "inspect" in quickpickle.__all__
    assert isinstance(quickpickle.inspect(b"N."), quickpickle.inspection.Inspection)
    with pytest.raises(AttributeError):
        _ = quickpickle.inspection.nothing


# --- what a stranger may write, or ask for


def test_a_number_of_children_below_zero(inspect):
    inspection = inspect(pickle.dumps([[1], [2], "x"]))
    assert inspection.root.children(-1) == []
    inspection.as_dict(top=-1)
    assert [row["others"] for row in inspection.as_dict(depth=0, top=0)["tree"]] == [1]
    assert len(inspection.largest(sys.maxsize, own=True)) == inspection.objects


def test_a_node_that_there_is_not(inspect):
    node = inspect(pickle.dumps([1])).root
    node.number = 2**31
    for ask in (len, lambda node: node.children(), lambda node: node.path):
        with pytest.raises(IndexError):
            ask(node)


@pytest.mark.parametrize(
    "data", [b"Np9999999999" + b" " * 4300 + b"x\n.", b"Np" + b"1_" * 4000 + b"1\n."]
)
def test_a_very_long_number_of_the_memo(data):
    check(data)


def test_the_cost_of_a_module_with_many_dots(monkeypatch):
    class Counted(dict):
        count = 0

        def get(self, key):
            Counted.count += 1
            return super().get(key)

    modules = Counted(dangers._DANGEROUS_MODULES)
    monkeypatch.setattr(dangers, "_DANGEROUS_MODULES", modules)
    assert dangers.danger_of("." * 1000, "name") is None
    assert dangers.danger_of("concurrent.futures.process.more.and.more", "name") is not None
    assert Counted.count <= 2 * 3


def test_load_is_marked_under_the_module_that_it_lies_in_too():
    assert dangers.danger_of("quickpickle.loading", "load") is not None


def test_a_name_that_is_too_long_to_be_shown(inspect):
    """Its end is not shown."""
    name = "real." * 100 + "__init__.__globals__"
    for data in (
        b"cfractions\n" + name.encode() + b"\n.",
        b"\x80\x04\x8c\x09fractionsX\xf4\x01\0\0" + name.encode()[:500] + b"\x93.",
        b"\x80\x04\x8c\x09fractionsX\x08\x02\0\0" + name.encode() + b"\x93.",
    ):
        (found,) = inspect(data).imports
        assert found.danger is not None


def test_names_that_share_their_texts(inspect):
    """k strings can make k * k names, in 6 bytes each."""
    texts = [f"{i:04}" + "a" * 900 + "\U0001f600" for i in range(20)]
    data = b"\x80\x04"
    for text in texts:
        encoded = text.encode()
        data += b"X" + len(encoded).to_bytes(4, "little") + encoded + b"\x940"
    for i in range(20):
        for j in range(20):
            data += b"h%ch%c\x930" % (i, j)
    imports = inspect(data + b"N.").imports
    assert len(imports) == 400
    assert len({id(found.module) for found in imports}) == 20
    assert max(len(found.module) for found in imports) < 300
