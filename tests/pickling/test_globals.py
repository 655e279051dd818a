"""Classes and functions: found by name, or refused with the standard pickler's words."""

from __future__ import annotations

import _compat_pickle
import codecs
import collections
import copyreg
import datetime as dt
import io
import pickle
import sys
import types

import pytest

import quickpickle.pure
from differential import PYPY, assert_same, assert_same_dumps, only_c, outcome
from models import Act


class Outer:
    class Inner:
        class Innermost:
            def method(self):
                pass

        @classmethod
        def class_method(cls):
            pass

    @staticmethod
    def static_method():
        pass

    class _Private:
        class __Nested:
            pass

        nested = __Nested


class Meta(type):
    pass


class OfMeta(metaclass=Meta):
    pass


class ReducingMeta(type):
    def __reduce_ex__(cls, protocol):
        raise AssertionError("not asked: classes go by their name")


class OfReducingMeta(metaclass=ReducingMeta):
    pass


class Ünïcode:
    pass


def function():
    pass


BY_NAME = [
    Outer,
    Outer.Inner,
    Outer.Inner.Innermost,
    Outer.Inner.Innermost.method,
    Outer.Inner.class_method,
    Outer.static_method,
    Outer().static_method,
    OfMeta,
    OfReducingMeta,
    Ünïcode,
    function,
    len,
    int,
    [].append,
    str.upper,
    dict.fromkeys,
    int.__add__,
    "text".join,
    collections.UserDict.__len__,
    types.FunctionType,
    sys.exc_info,
    io.BytesIO,
]


@pytest.mark.parametrize("obj", BY_NAME, ids=lambda obj: ascii(getattr(obj, "__qualname__", obj)))
def test_found_by_name(implementation, protocol, obj):
    assert_same(implementation, lambda: [obj, obj, getattr(obj, "__qualname__", None)], protocol)


def test_nested_private_class(implementation, protocol):
    assert_same(implementation, lambda: Outer._Private.nested, protocol)


def test_lambdas_local_and_replaced_ones_are_refused(implementation, protocol):
    def local():
        pass

    class Local:
        pass

    for obj in (local, Local, lambda: 0, [Local()]):
        assert_same(implementation, lambda o=obj: o, protocol)


def named(name, module):
    """A function that claims to be found under this name."""
    result = types.FunctionType((lambda: 0).__code__, {}, "named")
    result.__qualname__ = name
    result.__module__ = module
    return result


@pytest.fixture
def modules(monkeypatch, tmp_path):
    """Modules that lead nowhere, in each way."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "quickpickle_raises.py").write_text("1 / 0")
    (tmp_path / "quickpickle_syntax.py").write_text("def")
    (tmp_path / "quickpickle_imports.py").write_text("import quickpickle_no_such_module")
    monkeypatch.setitem(sys.modules, "quickpickle_blocked", None)
    evil = types.ModuleType("quickpickle_evil")

    def get(name):
        raise AttributeError(name) if name.startswith("__") else ZeroDivisionError(name)

    evil.__getattr__ = get
    monkeypatch.setitem(sys.modules, "quickpickle_evil", evil)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("name", "quickpickle_no_such_module"),
        ("name", "quickpickle.no_such_submodule"),
        ("name", "quickpickle_raises"),
        ("name", "quickpickle_syntax"),
        ("name", "quickpickle_imports"),
        ("name", "quickpickle_blocked"),
        ("name", "quickpickle_evil"),
        ("name", ""),
        ("name", 5),
        ("name", b"os"),
        ("no_such_name", "os"),
        ("no_such_name", "__main__"),
        ("path.no_such_name", "os"),
        ("path.join", "os"),
        ("", "os"),
        ("a..b", "os"),
        ("f.<locals>.g", "os"),
        ("f.<locals>.g", 5),
    ],
)
def test_not_found(implementation, protocol, modules, name, module):
    obj = named(name, module)
    assert_same(implementation, lambda: obj, protocol)


def test_interrupted_import(implementation, tmp_path, monkeypatch):
    # Not as before 3.14, where Ctrl-C in here became a PicklingError.
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "quickpickle_interrupted.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        implementation.dumps(named("name", "quickpickle_interrupted"))


class NoModule:
    """An object that does not know its module."""

    def __init__(self, reduction="quickpickle_thing"):
        self.reduction = reduction

    def __reduce__(self):
        return self.reduction

    def __repr__(self):
        return "<NoModule>"

    def __getattribute__(self, name):
        if name == "__module__":
            raise AttributeError(name)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("where", ["__main__", "__mp_main__", "quickpickle_zoo", None])
def test_without_a_module_all_are_searched(implementation, protocol, monkeypatch, where):
    if PYPY:
        if where == "__mp_main__":
            pytest.skip("pickle.py, with which the tests compare on PyPy, does not search there")
        monkeypatch.delitem(sys.modules, "__mp_main__", raising=False)
    obj = NoModule()
    if where == "__main__":
        monkeypatch.setattr(sys.modules["__main__"], "quickpickle_thing", obj, raising=False)
    elif where is not None:
        module = types.ModuleType(where)
        module.quickpickle_thing = obj
        monkeypatch.setitem(sys.modules, where, module)
    monkeypatch.setitem(sys.modules, "quickpickle_none", None)
    assert_same(implementation, lambda: [obj, obj], protocol)


@pytest.mark.costly
@pytest.mark.parametrize("place", ["quickpickle_no.zoo", "quickpickle_zoo"])
@pytest.mark.parametrize("name", ["thing", "park.thing"])
def test_a_module_that_was_found_by_searching(implementation, protocol, monkeypatch, place, name):
    """Up to 3.13 it is imported, which asks for its package too, and looked into again."""
    module = types.ModuleType(place)
    monkeypatch.setitem(sys.modules, place, module)
    module.thing = NoModule(name)
    module.park = types.SimpleNamespace(thing=module.thing)
    assert_same(implementation, lambda: [module.thing, module.thing], protocol)

    class Once:
        """It has the thing once."""

        given = 0

        def __getattr__(self, name):
            self.given += name == "thing"
            if name == "thing" and self.given == 1:
                return module.thing
            raise AttributeError(name)

    def make():
        sys.modules[place] = Once()
        return module.thing

    assert_same(implementation, make, protocol)


class StrSub(str):
    pass


@only_c
def test_names_that_are_subclasses_of_str(implementation, protocol, monkeypatch):
    zoo = types.ModuleType("quickpickle_zoo")
    monkeypatch.setitem(sys.modules, "quickpickle_zoo", zoo)
    zoo.animal = zoo.cage = NoModule(StrSub("animal"))
    zoo.cage = types.SimpleNamespace(animal=NoModule(StrSub("cage.animal")))
    for obj in (zoo.animal, zoo.cage.animal):
        assert_same(implementation, lambda o=obj: o, protocol)


class NamedByMeta(type):
    def __getattribute__(cls, name):
        if name in cls.__dict__["given"]:
            value = cls.__dict__["given"][name]
            if isinstance(value, type) and issubclass(value, Exception):
                raise value(name)
            return value
        return type.__getattribute__(cls, name)


@pytest.mark.parametrize(
    "given",
    [
        {"__qualname__": 5},
        {"__qualname__": None},
        {"__qualname__": b"len"},
        {"__qualname__": "Odd"},
        {"__qualname__": "Odd.odder"},
        {"__qualname__": ZeroDivisionError},
        {"__qualname__": AttributeError},
        {"__qualname__": AttributeError, "__name__": AttributeError},
        {"__module__": ZeroDivisionError},
        {"__module__": AttributeError},
        {"__module__": None},
    ],
    ids=repr,
)
def test_classes_with_odd_names(implementation, protocol, monkeypatch, given):
    odd = NamedByMeta("Odd", (), {"given": given, "__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Odd", odd, raising=False)
    assert_same(implementation, lambda: odd, protocol)


def test_a_name_that_leads_back_to_its_module(implementation, protocol, monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "Loop", type("Loop", (), {}), raising=False)
    module.Loop.module = module
    module.Loop.__qualname__ = "Loop.module.Loop"
    assert_same(implementation, lambda: module.Loop, protocol)


@pytest.mark.parametrize("text", ["é", "\udc80", "\U0001f600"], ids=ascii)
@pytest.mark.parametrize("part", ["module", "name"])
def test_names_that_are_not_ascii(implementation, protocol, monkeypatch, text, part):
    module = types.ModuleType("mod" + text if part == "module" else "mod")
    name = "name" + text if part == "name" else "name"
    obj = named(name, module.__name__)
    setattr(module, name, obj)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert_same(implementation, lambda: obj, protocol)


@pytest.mark.parametrize("fix_imports", [True, False])
def test_fix_imports(implementation, protocol, fix_imports):
    objects = [
        ImportError,
        ModuleNotFoundError,
        BlockingIOError,
        collections.UserDict,
        collections.UserDict.keys,
        map,
        range,
        io.BytesIO,
        copyreg.__newobj__,
        b"bytes",
        bytearray(b"x"),
        {1},
    ]
    assert_same(implementation, lambda: objects, protocol, fix_imports=fix_imports)


@pytest.fixture
def old_names():
    """The tables of Python 2's names, which get their first items back, in the first order."""
    tables = _compat_pickle.REVERSE_IMPORT_MAPPING, _compat_pickle.REVERSE_NAME_MAPPING
    items = [list(table.items()) for table in tables]
    yield tables
    for table, pairs in zip(tables, items, strict=True):
        table.clear()
        for key, value in pairs:
            table[key] = value


NAMED = [len, collections.Counter, ImportError, map, b"bytes", dt.date(1, 2, 3)]


@only_c
@pytest.mark.parametrize(
    "value", ["other", "", "é", "a\nb", "x" * 70_000, StrSub("x"), 5, None, b"x"], ids=repr
)
def test_old_names_of_modules(implementation, protocol, old_names, value):
    old_names[0]["builtins"] = old_names[0]["_codecs"] = value
    assert_same(implementation, lambda: NAMED, protocol)
    assert_same(implementation, lambda: NAMED, protocol, fix_imports=False)


class Key:
    """It is found in the place of another key, and equal to all or to none."""

    def __init__(self, like, error=None):
        self.hash = hash(like)
        self.error = error

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        if self.error:
            raise self.error
        return True


@only_c
@pytest.mark.parametrize("key", [5, Key("_codecs"), Key("_codecs", ValueError("no"))], ids=type)
@pytest.mark.parametrize("is_removed", [False, True])
def test_keys_of_modules_that_are_no_strings(implementation, protocol, old_names, key, is_removed):
    table, _ = old_names
    items = list(table.items())
    table.clear()
    table[key] = "other"
    table.update(items)
    if is_removed:
        del table[key]
    assert_same(implementation, lambda: NAMED, protocol)


@only_c
@pytest.mark.parametrize("key", [("_codecs", "encode"), ("builtins", "map"), ("datetime", "date")])
@pytest.mark.parametrize(
    "value",
    [("x", "y"), ("x", "é"), ("é", "x"), ("a\nb", "c"), (), ("x",), ("x", 5), ["x", "y"], 5],
)
def test_old_names(implementation, protocol, old_names, key, value):
    old_names[1][key] = value
    assert_same(implementation, lambda: NAMED, protocol)


@only_c
def test_old_names_in_the_place_of_others(implementation, protocol, old_names):
    table = old_names[1]
    for make in (
        lambda: ("_codecs", "encode"),
        lambda: Key(("_codecs", "encode")),
        lambda: Key(("_codecs", "encode"), ValueError("no")),
    ):
        # In the place of the last one, of another one, and behind all.
        for remove in (lambda: table.popitem(), lambda: table.pop(next(iter(table))), lambda: 0):
            items = list(table.items())
            remove()
            table[make()] = "other", "name"
            assert_same(implementation, lambda: NAMED, protocol)
            table.clear()
            table.update(items)


@only_c
def test_old_names_that_change_in_a_dump(implementation, protocol, old_names):
    changes = [
        lambda: old_names[0].update(_codecs="other"),
        lambda: old_names[0].update({5: "other"}),
        lambda: old_names[1].update({("_codecs", "encode"): ("other", "name")}),
        lambda: old_names[1].update({("builtins", "map"): ("other", "name")}),
        lambda: old_names[1].clear(),
    ]
    items = [list(table.items()) for table in old_names]
    for change in changes:
        results = []
        for module in (implementation, pickle):
            results.append(
                outcome(lambda: module.dumps([len, max, Act(change), *NAMED, max], protocol))  # noqa: B023
            )
            for table, pairs in zip(old_names, items, strict=True):
                table.clear()
                table.update(pairs)
        assert results[0] == results[1]


@pytest.mark.parametrize("name", ["a\nb", "\n", "a b", "\0"], ids=repr)
@pytest.mark.parametrize("part", ["module", "name"])
def test_names_that_are_no_line(implementation, protocol, monkeypatch, name, part):
    module = types.ModuleType(name if part == "module" else "mod")
    obj = named(name if part == "name" else "name", module.__name__)
    setattr(module, obj.__qualname__, obj)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert_same(implementation, lambda: [obj, obj], protocol)
    # No reader can load that in protocols below 4, and `optimize` cannot read it.
    modules = implementation, quickpickle.pure
    ours, pure = [
        outcome(lambda m=module: m.dumps([obj, "x", obj], protocol, compact=True))
        for module in modules
    ]
    assert ours == pure


# --- codecs.encode, by which bytes are written below protocol 3


def test_codecs_encode_that_is_not_found(implementation, protocol, monkeypatch):
    import _codecs

    monkeypatch.setattr(_codecs, "encode", len)
    assert_same(implementation, lambda: [b"ab", b"cd"], protocol)


@only_c
@pytest.mark.parametrize(
    "name", ["codecs", "no_such_module", "", None, 5, StrSub("codecs")], ids=repr
)
def test_codecs_encode_that_says_it_is_of_another_module(implementation, protocol, name):
    first = codecs.encode.__module__
    try:
        codecs.encode.__module__ = name
        assert_same(implementation, lambda: [b"ab", b"cd"], protocol)
    finally:
        codecs.encode.__module__ = first


BYTES = [b"ab", b"cd", dt.date(1, 2, 3), dt.date(1, 2, 4)]


@only_c
def test_codecs_encode_that_is_registered(implementation, protocol, monkeypatch):
    table = dict(copyreg.dispatch_table)
    try:
        copyreg.dispatch_table[types.BuiltinFunctionType] = lambda function: "encode"
        assert_same(implementation, lambda: BYTES, protocol)
        copyreg.dispatch_table[types.BuiltinFunctionType] = lambda function: (int, ())
        assert_same(implementation, lambda: BYTES, protocol)
    finally:
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(table)


@only_c
@pytest.mark.parametrize("hook", ["persistent_id", "reducer_override", "dispatch_table"])
def test_hooks_see_codecs_encode(implementation, protocol, hook):
    def use(cls, file):
        seen = []

        def see(obj):
            seen.append(obj if obj is codecs.encode else type(obj))
            return "encode" if hook == "dispatch_table" else result

        result = None if hook == "persistent_id" else NotImplemented
        pickler = cls(file, protocol)
        if hook == "dispatch_table":
            pickler.dispatch_table = {types.BuiltinFunctionType: see}
        else:
            pickler = type("Sees", (cls,), {hook: lambda self, obj: see(obj)})(file, protocol)
        pickler.dump(BYTES)
        return seen

    assert_same_dumps(implementation, use)


@pytest.fixture
def register():
    """Register extension codes for a while."""
    keys = []

    def register(name, code):
        copyreg._extension_registry[(__name__, name)] = code
        keys.append((__name__, name))

    yield register
    for key in keys:
        del copyreg._extension_registry[key]


@pytest.mark.parametrize("code", [1, 0xFF, 0x100, 0xFFFF, 0x10000, 0x7FFFFFFF, True])
@pytest.mark.parametrize("name", ["Outer", "Outer.Inner", "function"])
def test_extension_registry(implementation, protocol, register, name, code):
    register(name, code)
    objects = [Outer, Outer, Outer.Inner.Innermost, Outer.Inner, function, Outer()]
    assert_same(implementation, lambda: objects, protocol)


@pytest.mark.parametrize("code", [0, -1, 2**31, 2**40, 2**70, -(2**70), "a", 1.5, None], ids=repr)
def test_extension_codes_that_are_none(implementation, protocol, register, code):
    register("Outer", code)
    assert_same(implementation, lambda: [Outer], protocol)


def test_persistent_ids_of_names(implementation, protocol):
    class Log:
        def persistent_id(self, obj):
            self.log.append(obj)

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.log = []
        pickler.dump([Outer.Inner.Innermost, len, type(None), ..., b"x", {1}])
        return repr(pickler.log)

    assert_same_dumps(implementation, use, Log)


def test_a_class_removed_from_its_module(implementation, protocol, monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "Gone", type("Gone", (), {}), raising=False)
    gone = module.Gone()
    assert_same(implementation, lambda: gone, protocol)
    monkeypatch.delattr(module, "Gone")
    assert_same(implementation, lambda: gone, protocol)
    with pytest.raises(pickle.PicklingError):
        implementation.dumps(gone, protocol)


@pytest.mark.parametrize("package", [None, "none", "other"])
@pytest.mark.parametrize(
    "name", ["quickpickle_no.module", "quickpickle_no.more.modules", ".relative", "ends.", "", "."]
)
def test_modules_in_a_package_that_is_not_imported(
    implementation, protocol, monkeypatch, name, package
):
    """An import of "a.b" asks for "a", and not for "a.b" of "a.b.c"."""
    module = types.ModuleType(name)
    module.Odd = odd = type("Odd", (), {"__module__": name})
    module.function = function = types.FunctionType(compile("0", "", "eval"), vars(module))
    function.__name__ = function.__qualname__ = "function"
    function.__module__ = name
    monkeypatch.setitem(sys.modules, name, module)
    if package is not None:
        value = None if package == "none" else types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name.partition(".")[0], value)
    for obj in (odd, function, odd()):
        for _ in range(2):
            assert_same(implementation, lambda o=obj: o, protocol)


def test_a_name_that_only_local_objects_have(implementation, protocol, monkeypatch):
    module = sys.modules[__name__]
    odd = type("Odd", (), {"__module__": __name__, "__qualname__": "<locals>"})
    monkeypatch.setitem(vars(module), "<locals>", odd)
    assert_same(implementation, lambda: odd, protocol)
    assert_same(implementation, odd, protocol)  # an instance


class Named:
    """An object that goes by a name; it says where from, and each time that it is asked."""

    asked = 0
    name: object = "animal"
    module: object = "quickpickle_zoo"

    def __getattribute__(self, attribute):
        if attribute != "__module__":
            return object.__getattribute__(self, attribute)
        self.asked += 1
        if isinstance(self.module, type):
            raise self.module
        if isinstance(self.module, list):
            return self.module.pop(0)
        return self.module

    def __reduce__(self):
        return self.name

    def __repr__(self):
        return "<Named>"


class OddModule(types.ModuleType):
    def __getattribute__(self, name):
        if name == "animal":
            return vars(self)["other"]
        return types.ModuleType.__getattribute__(self, name)


class EqualToAll:
    def __eq__(self, other):
        return other == "animal"

    def __hash__(self):
        return hash("animal")


def asked_for_its_module(implementation, protocol, change=lambda obj, zoo: None):
    """For each pickler the pickle or error, and how often the object was asked."""
    results = []
    for module in (implementation, pickle):
        zoo = types.ModuleType("quickpickle_zoo")
        obj = Named()
        zoo.animal = zoo.__animal = zoo.__animal__ = obj
        zoo.park = types.SimpleNamespace(animal=obj)
        sys.modules["quickpickle_zoo"] = zoo
        try:
            change(obj, zoo)
            ours = outcome(lambda: module.dumps([obj, obj], protocol))  # noqa: B023
            results.append((ours, obj.asked))
        finally:
            del sys.modules["quickpickle_zoo"]
    assert results[0] == results[1]
    return results[0]


@only_c
@pytest.mark.parametrize(
    "name",
    [
        *["animal", "__animal", "__animal__", "__doc__", "__name__", "__dict__", "__class__", ""],
        *["park.animal", "<locals>", "a.<locals>.b", "no_such", "é", ".animal", StrSub("animal")],
    ],
)
def test_names_that_reductions_give(implementation, protocol, name):
    def change(obj, zoo):
        obj.name = name
        vars(zoo)[name] = obj  # where some of them are not looked for

    asked_for_its_module(implementation, protocol, change)


@only_c
@pytest.mark.parametrize(
    "given",
    [
        *["quickpickle_no_such", "", "é", StrSub("quickpickle_zoo"), None, 5, b"quickpickle_zoo"],
        *[ZeroDivisionError, AttributeError, KeyboardInterrupt],
    ],
    ids=ascii,
)
def test_modules_that_objects_say_they_are_from(implementation, protocol, given):
    def change(obj, zoo):
        obj.module = given

    if given is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            asked_for_its_module(implementation, protocol, change)
    else:
        asked_for_its_module(implementation, protocol, change)


@only_c
def test_an_object_is_asked_for_its_module_once(implementation, protocol):
    def change(obj, zoo):
        obj.module = ["quickpickle_zoo", "quickpickle_no_such", "quickpickle_no_such"]

    data, asked = asked_for_its_module(implementation, protocol, change)
    assert asked == 1
    assert isinstance(data, bytes)


@only_c
def test_modules_that_find_things_in_their_own_way(implementation, protocol, monkeypatch):
    def of_another_class(obj, zoo):
        other = OddModule("quickpickle_zoo")
        vars(other).update(animal=obj, other=None)
        sys.modules["quickpickle_zoo"] = other

    def with_an_odd_key(obj, zoo):
        del zoo.animal
        vars(zoo)[EqualToAll()] = obj

    def of_no_module(obj, zoo):
        sys.modules["quickpickle_zoo"] = types.SimpleNamespace(animal=obj)

    def without_it(obj, zoo):
        del zoo.animal
        zoo.__getattr__ = lambda name: obj

    def with_another(obj, zoo):
        zoo.animal = None

    for change in (of_another_class, with_an_odd_key, of_no_module, without_it, with_another):
        asked_for_its_module(implementation, protocol, change)


@only_c
def test_names_with_another_import(implementation, protocol, monkeypatch):
    builtins = sys.modules["builtins"]
    original = builtins.__import__

    def import_(name, *args):
        imported.append(name)
        return original(name, *args)

    imported = []
    monkeypatch.setattr(builtins, "__import__", import_)
    asked_for_its_module(implementation, protocol)
    assert imported.count("quickpickle_zoo") == 2
