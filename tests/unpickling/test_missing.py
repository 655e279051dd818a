"""`missing="placeholder"`: what is not found becomes a Placeholder, and is written back."""

from __future__ import annotations

import collections
import copy
import copyreg
import dataclasses
import enum
import functools
import io
import os
import pickle
import sys
import types

import pytest

import quickpickle
from quickpickle import Placeholder, Policy, PolicyError
from quickpickle.format import opcodes as op

POLICIES = {"without": None, "plain": Policy.plain()}


@pytest.fixture(params=POLICIES)
def policy(request):
    return POLICIES[request.param]


# --- a module that is taken away


@dataclasses.dataclass
class Order:
    amount: int
    customer: object = None


class Items(list):
    pass


class Table(dict):
    pass


class Slots:
    __slots__ = ("a", "b")


class Keywords:
    def __new__(cls, a, *, b):
        self = object.__new__(cls)
        self.a, self.b = a, b
        return self

    def __getnewargs_ex__(self):
        return (self.a,), {"b": self.b}


class Outer:
    class Inner:
        pass


class Color(enum.Enum):
    RED = 1


class OwnError(Exception):
    pass


class Pair(tuple):
    __slots__ = ()


class OwnState:
    def __init__(self):
        self.state = [1, 2]

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


def function():
    pass


def give_state(obj, state):
    obj.__dict__.update(state)


class BySetter:
    def __init__(self):
        self.x = 1

    def __reduce__(self):
        return BySetter, (), {"x": 1}, None, None, give_state


NAMES = [
    *(Order, Items, Table, Slots, Keywords, Outer, Color, OwnError, Pair, OwnState, BySetter),
    *(function, give_state),
]


def objects():
    order = Order(1, "Ann")
    items = Items([1, order])
    items.itself = items
    slots = Slots()
    slots.a = 5
    return {
        "order": Order(2, order),
        "the same": order,
        "items": items,
        "table": Table(a=order),
        "slots": slots,
        "keywords": Keywords(1, b=2),
        "class in class": Outer.Inner,
        "its instance": Outer.Inner(),
        "enum": Color.RED,
        "exception": OwnError("a", 1),
        "tuple": Pair((1, order)),
        "own state": OwnState(),
        "function": function,
        "setter": BySetter(),
        "factory": collections.defaultdict(Order, {1: order}),
    }


@pytest.fixture
def shop():
    """A module; `with Gone():` takes it out of the interpreter for a while."""
    module = types.ModuleType("shop")
    for value in NAMES:
        value.__module__ = "shop"
        setattr(module, value.__name__, value)
    Keywords.__new__.__module__ = "shop"
    Outer.Inner.__module__ = "shop"
    sys.modules["shop"] = module
    yield module
    sys.modules.pop("shop", None)
    for value in [*NAMES, Outer.Inner, Keywords.__new__]:
        value.__module__ = __name__


class Gone:
    def __enter__(self):
        self.module = sys.modules.pop("shop")

    def __exit__(self, *error):
        sys.modules["shop"] = self.module


def shown(value):
    """An object of any of these classes, as something that compares equal to that of a copy."""
    if isinstance(value, (list, tuple)):
        parts = [item if item is not value else "itself" for item in value]
        attributes = dict.fromkeys(getattr(value, "__dict__", ()), "…")
        return type(value), [shown(item) for item in parts], attributes
    if isinstance(value, dict):
        factory = getattr(value, "default_factory", None)
        return type(value), factory, {key: shown(item) for key, item in value.items()}
    if isinstance(value, Slots):
        return Slots, value.a, hasattr(value, "b")
    if isinstance(value, (OwnError, Color, type, types.FunctionType)):
        return repr(value)
    if hasattr(value, "__dict__"):
        return type(value), {key: shown(item) for key, item in vars(value).items()}
    return value


@pytest.fixture
def written(shop, protocol):
    found = objects()
    if protocol < 2:
        del found["slots"]
    return found, pickle.dumps(found, protocol)


def test_there_and_back(unpickling, implementation, protocol, policy, written):
    found, data = written
    with Gone():
        loaded = unpickling.loads(data, missing="placeholder", policy=policy)
        back = implementation.dumps(loaded, protocol)
    if protocol not in (2, 3):  # there the class of the keywords has two names
        assert back == data
    assert shown(pickle.loads(back)) == shown(found)
    with Gone():
        again = unpickling.loads(back, missing="placeholder", policy=policy)
    assert repr(again) == repr(loaded)


def test_the_parts(unpickling, protocol, policy, written):
    with Gone():
        loaded = unpickling.loads(written[1], missing="placeholder", policy=policy)
    order = loaded["order"]
    assert type(order) is Placeholder
    assert (order.name, order.is_name) == ("shop.Order", False)
    assert order.state == {"amount": 2, "customer": loaded["the same"]}
    assert order.state["customer"] is loaded["the same"]
    if protocol >= 2:  # before, copyreg._reconstructor gets a list
        assert loaded["items"].list_items == [1, loaded["the same"]]
        assert loaded["table"].dict_items == [("a", loaded["the same"])]
    assert loaded["items"].state == {"itself": loaded["items"]}
    inner = loaded["class in class"]
    assert (inner.name, inner.is_name, inner.function) == ("shop.Outer.Inner", True, None)
    assert (inner.module, inner.qualname) == ("shop", "Outer.Inner")
    assert loaded["its instance"].name == "shop.Outer.Inner"
    assert loaded["setter"].state == {"x": 1}
    assert loaded["setter"].state_setter.name == "shop.give_state"
    assert loaded["exception"].args == ("a", 1)
    expected = "refused by the policy" if policy else "No module named 'shop'"
    assert expected in order.reason
    assert expected in inner.reason


def test_changes_are_written(unpickling, implementation, policy, shop):
    data = pickle.dumps([Order(1), Items([1]), Table(a=1), function])
    with Gone():
        order, items, table, name = unpickling.loads(data, missing="placeholder", policy=policy)
        order.state["amount"] = 7
        items.list_items.append(order)
        table.dict_items[0] = ("a", name)
        name.qualname = "Outer"
        back = implementation.dumps([order, items, table])
    order, items, table = pickle.loads(back)
    assert (order, items) == (Order(7), [1, order])
    assert items[1] is order
    assert table == {"a": Outer}


# --- names


def names(module, name):
    texts = [op.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name)]
    lines = f"{module}\n{name}\n".encode()
    return {
        "GLOBAL": op.GLOBAL + lines + b".",
        "STACK_GLOBAL": b"\x80\4" + b"".join(texts) + op.STACK_GLOBAL + b".",
        "INST": b"(" + op.INST + lines + b".",
        "OBJ": b"(" + op.GLOBAL + lines + op.OBJ + b".",
    }


@pytest.mark.parametrize("opcode", names("", ""))
@pytest.mark.parametrize(
    ("module", "name"),
    [("gone.module", "C"), ("os", "gone"), ("os.path.gone", "C"), ("os.gone", "C")],
)
def test_every_opcode(unpickling, policy, opcode, module, name):
    found = unpickling.loads(names(module, name)[opcode], missing="placeholder", policy=policy)
    assert type(found) is Placeholder
    assert found.name == f"{module}.{name}"
    assert found.is_name is (opcode in ("GLOBAL", "STACK_GLOBAL"))


def test_names_of_python_2(unpickling):
    data = names("__builtin__", "execfile")["GLOBAL"]
    found = unpickling.loads(data, missing="placeholder", policy=Policy.plain())
    assert found.name == "builtins.execfile"
    assert quickpickle.dumps(found, 2) == b"\x80\x02c__builtin__\nexecfile\nq\x00."


@pytest.mark.parametrize("registered", [("gone", "C"), ("os", "gone")])
def test_extensions(unpickling, policy, registered, monkeypatch):
    monkeypatch.delitem(copyreg._extension_cache, 0xF1, raising=False)  # of another test
    copyreg.add_extension(*registered, 0xF1)
    try:
        found = unpickling.loads(b"\x82\xf1.", missing="placeholder", policy=policy)
        assert found.name == ".".join(registered)
        assert 0xF1 not in copyreg._extension_cache
        assert quickpickle.dumps(found, 4) == b"\x80\x04\x82\xf1."
    finally:
        copyreg.remove_extension(*registered, 0xF1)


def test_extension_codes_that_are_not_registered(unpickling, implementation, policy):
    data = b"\x80\4(\x82\xf3)\x81}K\1K\2sb\x83\xf3\xf3\x82\xf3t."
    made, other, same = unpickling.loads(data, missing="placeholder", policy=policy)
    assert repr(made) == "<Placeholder copyreg.extension 243() state={1: 2}>"
    assert made.args == (same,)
    assert same.reason == "ValueError: unregistered extension code 243"
    assert (other.qualname, other.is_name) == ("extension 62451", True)
    for protocol in range(2, 6):
        back = implementation.dumps([made, other], protocol)
        assert b"\x82\xf3" in back
        assert b"\x83\xf3\xf3" in back
        assert repr(unpickling.loads(back, missing="placeholder")) == repr([made, other])
    for protocol in (0, 1):
        with pytest.raises(pickle.PicklingError, match="243, need protocol 2 or later"):
            implementation.dumps(same, protocol)
    same.module, same.qualname = "shop", "Order"  # another name can be given to it
    assert implementation.dumps(same, 2) == b"\x80\2cshop\nOrder\nq\0."


def test_extension_codes_that_are_none(unpickling, policy):
    for data in (b"\x82\0.", b"\x84\xff\xff\xff\xff."):
        with pytest.raises(pickle.UnpicklingError):
            unpickling.loads(data, missing="placeholder", policy=policy)


def test_names_are_escaped_in_the_repr(unpickling, policy):
    data = b"\x80\4\x8c\5a\x1b[3m\x8c\5b\x1b[3m\x93)R."
    found = unpickling.loads(data, missing="placeholder", policy=policy)
    assert repr(found) == r"<Placeholder a\x1b[3m.b\x1b[3m()>"
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(data, policy=Policy.plain())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"cgone\nf\n)R)R.", "gone.f()()"),
        (b"cgone\nf\n(K\1K\2tR(K\3tR.", "gone.f(1, 2)(3)"),
        (b"\x80\2cgone\nf\n)R)\x81.", "gone.f()()"),
        (b"\x80\4cgone\nf\nK\1\x85RK\2\x85}\x92.", "gone.f(1)(2)"),
    ],
)
def test_calls_of_results_are_shown(unpickling, data, shown):
    found = unpickling.loads(data, missing="placeholder")
    assert repr(found) == f"<Placeholder {shown}>"


@pytest.mark.costly
def test_very_many_calls_of_results_are_shown(unpickling):
    found = unpickling.loads(b"cgone\nf\n" + b")R" * 100_000 + b".", missing="placeholder")
    assert repr(found) == f"<Placeholder gone.f{'()' * 100_000}>"


def test_a_name_is_looked_for_once(unpickling, monkeypatch):
    asked = []

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "gone_module":
                asked.append(name)

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    data = b"(cgone_module\nC\ncgone_module\nC\nl."
    first, second = unpickling.loads(data, missing="placeholder")
    assert first is second
    assert asked == ["gone_module"]


def test_a_module_that_fails(unpickling):
    data = b"ctests.unpickling.broken_module\nC\n."
    found = unpickling.loads(data, missing="placeholder")
    assert found.name == "tests.unpickling.broken_module.C"


def test_a_hook_that_refuses(unpickling):
    class Picky(unpickling.Unpickler):
        def find_class(self, module, name):
            if module == "os":
                raise pickle.UnpicklingError(f"no {module}.{name}")
            return super().find_class(module, name)

    file = io.BytesIO(b"cos\ngetcwd\n.cos\ngetcwd\n.cos.path\njoin\n.")
    unpickler = Picky(file, missing="placeholder")
    found = unpickler.load()
    assert found.reason == "UnpicklingError: no os.getcwd"
    assert unpickler.load() is found
    assert unpickler.load() is os.path.join


def test_what_is_there_is_as_ever(unpickling, implementation):
    found = [Order(1), collections.Counter("aab"), {1, 2}, Color.RED, Outer.Inner, Keywords(1, b=2)]
    data = implementation.dumps(found)
    assert shown(unpickling.loads(data, missing="placeholder")) == shown(found)


# --- calls


def join(*parts):
    return "".join(parts)


def test_a_call_that_fails_for_a_placeholder(unpickling):
    """A function that is there, but cannot take a Placeholder, is not called."""
    for args in ("(cgone\nC\nt", "((cgone\nC\nltt", "((cgone\nC\nVa\nltt"):
        data = f"c{__name__}\njoin\n{args}R.".replace("tt", "t").encode()
        found = unpickling.loads(data, missing="placeholder")
        assert found.function is join
        assert "TypeError" in found.reason
        assert unpickling.loads(quickpickle.dumps(found), missing="placeholder").function is join


def test_keyword_arguments_below_protocol_4(unpickling):
    """A `partial` of what is there, with a Placeholder."""
    found = functools.partial(join, Placeholder("gone", "C"))
    data = quickpickle.dumps(found, 2)[:-1] + b")R."
    made = unpickling.loads(data, missing="placeholder")
    assert made.function.args[0].name == "gone.C"
    assert made.name == f"{__name__}.join"
    assert "TypeError" in made.reason


def test_another_call_that_fails(unpickling):
    with pytest.raises(TypeError):
        unpickling.loads(f"c{__name__}\njoin\n(I1\ntR.".encode(), missing="placeholder")
    with pytest.raises(TypeError):
        unpickling.loads(f"(cgone\nC\nc{__name__}\njoin\n(I1\ntRl.".encode(), missing="placeholder")


def test_what_a_call_of_a_placeholder_made_is_called(unpickling, policy):
    """As functions of cloudpickle are."""
    found = unpickling.loads(b"cgone\nmake\n(tR(I1\ntR.", missing="placeholder", policy=policy)
    assert repr(found) == "<Placeholder gone.make()(1)>"
    assert found.function.function.is_name
    back = quickpickle.dumps(found, 0)
    assert repr(unpickling.loads(back, missing="placeholder")) == repr(found)


def test_arguments_that_are_none(unpickling, policy):
    for data in (b"cgone\nC\nI1\nR.", b"cgone\nC\nI1\n\x81.", b"cgone\nC\n)I1\n\x92."):
        with pytest.raises((TypeError, pickle.UnpicklingError)):
            unpickling.loads(data, missing="placeholder", policy=policy)


# --- states


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cgone\nC\n}b.", "gone.C is missing, and would get a state as an object does"),
        (b"cgone\nC\n(I1\ne.", "gone.C is missing, and would get items as an object does"),
        (b"cgone\nC\n(I1\nI1\nu.", "gone.C is missing, and would get items as an object does"),
        (b"cgone\nC\n)\x81}Va\nI1\nsb}b.", "gone.C is missing, and would get a second state"),
    ],
)
def test_changes_that_no_pickler_writes(unpickling, policy, data, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        unpickling.loads(data, missing="placeholder", policy=policy)


def test_items_of_a_set(unpickling, policy):
    with pytest.raises((AttributeError, PolicyError)):
        unpickling.loads(b"\x80\4cgone\nC\n)\x81(K\1\x90.", missing="placeholder", policy=policy)


def test_a_result_that_is_kept_is_no_setter(unpickling, policy):
    data = b"(cgone\nC\n)\x81q\0cgone\nwrap\n(h\0I1\ntRl."
    first, second = unpickling.loads(data, missing="placeholder", policy=policy)
    assert (first.state, first.state_setter) == (None, None)
    assert second.args == (first, 1)


def test_setters_of_a_load_that_failed(unpickling):
    unpickler = unpickling.Unpickler(
        io.BytesIO(b"cgone\nC\n)\x81q\0cgone\nset\n(h\0}tR0X.h\0N."), missing="placeholder"
    )
    with pytest.raises(pickle.UnpicklingError):
        unpickler.load()


def test_functions_of_cloudpickle(unpickling, implementation):
    cloudpickle = pytest.importorskip("cloudpickle")
    offset = 5
    data = cloudpickle.dumps(lambda x: x + offset)
    found = unpickling.loads(data, missing="placeholder", policy=Policy.plain())
    assert found.name == "cloudpickle.cloudpickle._make_function"
    assert found.state_setter.name == "cloudpickle.cloudpickle._function_setstate"
    assert found.state[1]["__module__"] == __name__
    assert pickle.loads(implementation.dumps(found))(1) == 6


# --- policies


def test_refused_calls(unpickling):
    """A listed name is called with arguments that are refused."""
    data = b"cbuiltins\nbytes\n(L1000000000000L\ntR."
    found = unpickling.loads(data, missing="placeholder", policy=Policy.plain())
    assert found.function is bytes
    assert found.reason.startswith("PolicyError")


def test_what_runs_code_does_not_run(unpickling):
    data = b"cos\nsystem\n(Vexit 1\ntR."
    found = unpickling.loads(data, missing="placeholder", policy=Policy.plain())
    assert repr(found) == "<Placeholder os.system('exit 1')>"


@pytest.mark.parametrize("limit", [{"objects": 1000}, {"memory": 10_000}])
def test_limits_are_errors(unpickling, limit):
    data = b"(" + b"cgone\nC\n)\x81" * 1000 + b"l."
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(data, missing="placeholder", policy=Policy.plain().limit(**limit))
    assert caught.value.rule in limit


def least_memory(unpickling, data):
    """The lowest limit that lets a load through."""
    low, high = 0, 1 << 24
    while high - low > 1:
        middle = (low + high) // 2
        try:
            policy = Policy.plain().limit(memory=middle)
            unpickling.loads(data, missing="placeholder", policy=policy)
            high = middle
        except PolicyError:
            low = middle
    return high


def test_placeholders_count(unpickling):
    """Each takes memory, as the limit has it."""
    few, many = (b"cgone\nC\nq\0(" + b"h\0)R" * count + b"t." for count in (10, 1000))
    assert least_memory(unpickling, many) - least_memory(unpickling, few) > 990 * 160
    size = sys.getsizeof(unpickling.loads(b"cgone\nC\n)\x81.", missing="placeholder"))
    assert size <= 160


def test_the_next_load_has_a_guard_of_its_own(unpickling):
    data = names("gone", "C")["GLOBAL"]
    policy = Policy.plain()
    assert unpickling.loads(data, missing="placeholder", policy=policy).name == "gone.C"
    with pytest.raises(PolicyError):
        unpickling.loads(data, policy=policy)
    assert unpickling.loads(data, missing="placeholder", policy=policy).name == "gone.C"
    with pytest.raises(ModuleNotFoundError):
        unpickling.loads(data)


def test_a_listed_class_is_no_placeholder(unpickling, shop):
    data = pickle.dumps([Order(1), Items([1])])
    order, items = unpickling.loads(
        data, missing="placeholder", policy=Policy.plain().allow("shop.Order")
    )
    assert order == Order(1)
    assert type(items) is Placeholder


# --- the option itself


def test_other_values(unpickling):
    for wrong in ("ignore", None, True):
        for call in (
            lambda wrong=wrong: unpickling.loads(b"N.", missing=wrong),
            lambda wrong=wrong: unpickling.load(io.BytesIO(b"N."), missing=wrong),
            lambda wrong=wrong: unpickling.Unpickler(io.BytesIO(b"N."), missing=wrong),
        ):
            with pytest.raises(ValueError, match='"error" or "placeholder"'):
                call()
    assert unpickling.loads(b"N.", missing="error") is None


def test_from_paths(tmp_path, policy):
    data = names("gone", "C")["GLOBAL"]
    for name in ("a.pkl", "a.pkl.gz"):
        path = tmp_path / name
        quickpickle.dump(quickpickle.loads(data, missing="placeholder"), path)
        assert quickpickle.load(path, missing="placeholder", policy=policy).name == "gone.C"
    found = quickpickle.load(tmp_path / "a.pkl", missing="placeholder", mmap=True)
    assert found.name == "gone.C"


def test_without_it_nothing_changes(unpickling):
    with pytest.raises(ModuleNotFoundError):
        unpickling.loads(names("gone", "C")["GLOBAL"])


def test_renames_come_first(unpickling):
    data = names("gone", "Order")["GLOBAL"]
    renames = {"gone": "elsewhere"}
    found = unpickling.loads(data, missing="placeholder", renames=renames)
    assert found.name == "elsewhere.Order"
    renames = {"gone": __name__}
    assert unpickling.loads(data, missing="placeholder", renames=renames) is Order


# --- Placeholders


def test_copies(unpickling, policy, shop):
    data = pickle.dumps(objects())
    with Gone():
        loaded = unpickling.loads(data, missing="placeholder", policy=policy)
        deep = copy.deepcopy(loaded)
    assert repr(deep) == repr(loaded)
    assert deep["order"] is not loaded["order"]
    assert deep["order"].state["customer"] is deep["the same"]
    assert deep["items"].state["itself"] is deep["items"]
    assert deep["function"] is loaded["function"]
    shallow = copy.copy(loaded["items"])
    shallow.list_items.append(3)
    assert len(loaded["items"].list_items) == 2
    assert shallow.state is loaded["items"].state


def test_others_refuse_them(unpickling, shop):
    data = pickle.dumps([Order(1), function])
    with Gone():
        for found in unpickling.loads(data, missing="placeholder"):
            with pytest.raises(pickle.PicklingError):
                pickle.dumps(found)


def test_calls_with_keywords():
    found = Placeholder("gone", "C")(1, b=2)
    assert type(found.function) is functools.partial
    assert found.name == "gone.C"
    assert repr(quickpickle.loads(quickpickle.dumps(found), missing="placeholder")) == repr(found)


def test_as_keys(unpickling, policy, shop):
    data = pickle.dumps({function: 1, Outer: 2, frozenset([OwnError]): 3})
    with Gone():
        found = unpickling.loads(data, missing="placeholder", policy=policy)
        back = quickpickle.dumps(found)
    assert pickle.loads(back) == {function: 1, Outer: 2, frozenset([OwnError]): 3}


@pytest.mark.costly
def test_deep_in_one_another(unpickling, implementation, policy):
    count = 100_000
    data = b"\x80\2cgone\nC\nq\0" + b"h\0" * count + b"N" + b"\x85R" * count + b"."
    found = unpickling.loads(data, missing="placeholder", policy=policy)
    back = implementation.dumps(found, 2)
    again = unpickling.loads(back, missing="placeholder", policy=policy)
    depth = 0
    while type(again) is Placeholder:
        again = again.args[0]
        depth += 1
    assert depth == count


def test_deterministic_bytes_and_digests(unpickling, implementation, shop):
    data = pickle.dumps(objects())
    with Gone():
        first, second = (unpickling.loads(data, missing="placeholder") for _ in range(2))
        assert implementation.dumps(first, deterministic=True) == implementation.dumps(
            second, deterministic=True
        )
        digests = [quickpickle.object_digest(found).hexdigest() for found in (first, second)]
        assert digests[0] == digests[1]
        second["order"].state["amount"] = 0
        assert quickpickle.object_digest(second).hexdigest() != digests[1]


# --- what others make of them


NOT_A_LINE = {
    "a newline": ("gone", "a\nb"),
    "a newline in the module": ("go\nne", "a"),
    "no name": ("gone", ""),
    "no module": ("", "a"),
    "a dot at the start": ("gone", ".a"),
}


@pytest.mark.parametrize("case", NOT_A_LINE)
def test_names_that_are_no_line(unpickling, implementation, protocol, case):
    """GLOBAL has a name in a line: no pickle is written that does not load."""
    found = Placeholder(*NOT_A_LINE[case])
    if protocol < 4:
        with pytest.raises(pickle.PicklingError, match="identifier"):
            implementation.dumps(found, protocol)
    else:
        again = unpickling.loads(implementation.dumps(found, protocol), missing="placeholder")
        assert again.name == found.name


def test_a_name_of_too_many_parts(implementation, protocol):
    """Below protocol 4 each of them would be written, with all before it."""
    with pytest.raises(pickle.PicklingError, match="3001 parts"):
        implementation.dumps(Placeholder("gone", "a" + ".a" * 3000), protocol)


NAME = Placeholder("gone", "C")
NONSENSE = {
    "no name": {},
    "a name of other types": {"module": 1, "qualname": 2},
    "a name with arguments": {"module": "gone", "qualname": "C", "args": (1,)},
    "a name with a state": {"module": "gone", "qualname": "C", "state": 1},
    "a name with items": {"module": "gone", "qualname": "C", "list_items": []},
    "arguments in a list": {"function": NAME, "args": [1]},
    "no arguments": {"function": NAME},
    "an int as a function": {"function": 5, "args": ()},
    "__newobj__ without arguments": {"function": copyreg.__newobj__},
    "__newobj__ without a class": {"function": copyreg.__newobj__, "args": ()},
    "__newobj__ of an int": {"function": copyreg.__newobj__, "args": (5,)},
    "__newobj_ex__ of a class": {"function": copyreg.__newobj_ex__, "args": (NAME,)},
    "__newobj_ex__ of an int": {"function": copyreg.__newobj_ex__, "args": (5, (), {})},
    "__newobj_ex__ with others": {"function": copyreg.__newobj_ex__, "args": (NAME, [], 5)},
    "an int for a list": {"function": NAME, "args": (), "list_items": 5},
    "an int for pairs": {"function": NAME, "args": (), "dict_items": 5},
    "a dict for pairs": {"function": NAME, "args": (), "dict_items": {1: 2}},
    "ints for pairs": {"function": NAME, "args": (), "dict_items": [1, 2]},
    "lists for pairs": {"function": NAME, "args": (), "dict_items": [[1, 2]]},
    "an int as a setter": {"function": NAME, "args": (), "state": 1, "state_setter": 5},
}


@pytest.mark.parametrize("case", NONSENSE)
def test_attributes_that_are_none(implementation, protocol, case):
    found = Placeholder(None, None)
    for name, value in NONSENSE[case].items():
        setattr(found, name, value)
    with pytest.raises(pickle.PicklingError):
        implementation.dumps(found, protocol)
    assert repr(found).startswith("<Placeholder ")
    assert type(found.name) is str
    assert found.reason is None
    found.maker()


def test_one_that_makes_itself():
    found = Placeholder(None, None)
    found.function = found
    assert found.reason is None
    assert type(found.name) is str


def test_names_of_long_chains_of_calls(unpickling, policy):
    found = unpickling.loads(
        b"cgone\nC\n" + b")R" * 5000 + b".", missing="placeholder", policy=policy
    )
    assert found.name == "gone.C"
    assert "gone" in found.reason
    twice = b"cgone\nC\n" + b")R" * 5000 + b"I1\nbI1\nb."
    with pytest.raises(pickle.UnpicklingError, match="second state"):
        unpickling.loads(twice, missing="placeholder", policy=policy)


def test_keywords_that_are_none(unpickling):
    data = b"ccopyreg\n__newobj_ex__\n(cgone\nC\n(tVa\ntR."
    found = unpickling.loads(data, missing="placeholder")
    assert repr(found) == "<Placeholder gone.C((), 'a')>"
    with pytest.raises(pickle.PicklingError):
        quickpickle.dumps(found)


class NotShownError(Exception):
    def __str__(self):
        raise RuntimeError


def raise_not_shown(_):
    raise NotShownError


def look_up(key):
    raise KeyError(key)


def test_reasons_that_cannot_be_shown(unpickling):
    made = f"c{__name__}\nraise_not_shown\n(cgone\nC\ntR.".encode()
    assert unpickling.loads(made, missing="placeholder").reason == "NotShownError"
    # Its text would take more memory than there is.
    key = b"cgone\nC\n" + b"2\x86" * 60
    made = f"c{__name__}\nlook_up\n".encode() + key + b"cgone\nC\n\x86\x85R."
    assert unpickling.loads(made, missing="placeholder").reason == "KeyError"


# --- limits


@pytest.mark.costly
def test_names_that_grow(unpickling):
    """getattr(getattr(C, long), long) and so on: each has a longer name."""
    text = b"X" + (100_000).to_bytes(4, "little") + b"a" * 100_000
    data = (
        b"\x80\x02c__builtin__\ngetattr\nq\x000" + text + b"q\x010cgone\nC\nq\x02"
        + b"0h\x00h\x02h\x01\x86Rq\x02" * 100 + b"."
    )  # fmt: skip
    policy = Policy.plain().limit(memory=20_000_000)
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(data, missing="placeholder", policy=policy)
    assert caught.value.rule == "memory"
    found = unpickling.loads(data, missing="placeholder", policy=Policy.plain())
    assert len(found.qualname) == 1 + 100 * 100_001


def test_one_list_as_many_keywords(unpickling):
    """Each is looked at once for a Placeholder."""
    count = 3000
    names = b"".join(f"V{i}\nh\0".encode() for i in range(count))
    data = (
        b"(" + b"N" * 300_000 + b"lq\0" + f"0c{__name__}\nKeywords\n".encode()
        + b")(" + names + b"Vlast\ncgone\nC\nd\x92."
    )  # fmt: skip
    found = unpickling.loads(b"\x80\4" + data, missing="placeholder")
    assert len(found.args[2]) == count + 1


# --- both implementations


def test_a_class_of_the_user_that_fails(unpickling):
    """The compiled implementation would call it without a question."""
    policy = Policy.plain().allow(f"{__name__}.{Slots.__name__}", f"{__name__}.Order")
    for cls in ("Slots", "Order"):
        for opcode in (b"\x85R", b"\x85\x81"):
            data = f"c{__name__}\n{cls}\n".encode() + b"cgone\nC\n(t\x86" + opcode
            data = b"\x80\2(" + data * 3 + b"t."
            for found in unpickling.loads(data, missing="placeholder", policy=policy)[::2]:
                assert not isinstance(found, Slots)


def test_a_name_that_is_gone_by_now(unpickling, shop):
    policy = Policy.plain().allow("shop.Order")
    unpickler = unpickling.Unpickler(
        io.BytesIO(b"\x80\4cshop\nOrder\n." * 2), missing="placeholder", policy=policy
    )
    assert unpickler.load() is Order
    with Gone():
        assert unpickler.load().name == "shop.Order"


def test_a_setter_whose_result_is_in_the_memo(unpickling, policy):
    """Nothing in the object is that result."""
    start = b"\x80\2cgone\nC\n)Rq\0cgone\ngive_state\nq\1h\0I7\n\x86R"
    for put, rest in ((b"", b""), (b"q\2", b""), (b"q\2", b"h\x020")):
        data = start + put + b"0" + rest + b"."
        found = unpickling.loads(data, missing="placeholder", policy=policy)
        assert (found.state, found.state_setter.name) == (7, "gone.give_state")
    found = unpickling.loads(start + b"\x86.", missing="placeholder", policy=policy)
    assert found[0].state is None
