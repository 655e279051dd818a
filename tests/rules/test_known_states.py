"""States that attrs and pydantic give: instances are written by a plan, without the function.

The functions of the classes here do the same, and their digests are known while these tests run.
Those of the libraries are tested where they are installed.
"""

import builtins
import gc
import pickle
import types
import weakref
from typing import Any, ClassVar

import pytest

from differential import assert_same, assert_same_hooks, outcome
from models import Act
from quickpickle.rules import plans
from quickpickle.rules.known_states import ATTRS, KNOWN, PYDANTIC, digest_of, find_members

native = pytest.importorskip("quickpickle.compiled.core", exc_type=ImportError)
PydanticUndefined = object()
REAL_GETATTR = getattr


def with_values(private):
    return {name: value for name, value in private.items() if value is not PydanticUndefined}


def getstate_of_attrs(names):
    state_attr_names = names

    def slots_getstate(self):
        return {each: getattr(self, each) for each in state_attr_names}

    return slots_getstate


class Reading:
    __slots__ = ("__weakref__", "sensor", "time", "value")
    __getstate__ = getstate_of_attrs(("sensor", "time", "value"))

    def __init__(self, *values):
        for name, value in zip(("sensor", "time", "value"), values, strict=False):
            setattr(self, name, value)


class WithDict(Reading):
    __getstate__ = getstate_of_attrs(("value", "time"))


class WithGetattr(Reading):
    """As attrs makes a class with cached properties."""

    __slots__ = ()
    asked: ClassVar[list[str]] = []

    def __getattr__(self, name):
        WithGetattr.asked.append(name)
        return [name]


class WithGetattribute(Reading):
    __slots__ = ()

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        return found if name.startswith("_") else [found]


class WithProperty(Reading):
    __slots__ = ()
    sensor = property(lambda self: "property")


class Empty:
    __slots__ = ()
    __getstate__ = getstate_of_attrs(())


class One:
    __slots__ = ("only",)
    __getstate__ = getstate_of_attrs(("only",))

    def __init__(self, only):
        self.only = only


class Meta(type):
    asked: ClassVar[list[str]] = []

    def __getattr__(cls, name):
        Meta.asked.append(name)
        raise AttributeError(name)


class Model(metaclass=Meta):
    __slots__ = "__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"
    asked: ClassVar[list[str]] = []

    def __init__(self, private=None, **values):
        self.__dict__ = values
        self.__pydantic_fields_set__ = set(values)
        self.__pydantic_extra__ = None
        self.__pydantic_private__ = private

    def __getattr__(self, name):
        Model.asked.append(name)
        raise AttributeError(name)

    def __getstate__(self):
        private = self.__pydantic_private__
        return {
            "__dict__": self.__dict__,
            "__pydantic_extra__": self.__pydantic_extra__,
            "__pydantic_fields_set__": self.__pydantic_fields_set__,
            "__pydantic_private__": private and with_values(private),
        }


@pytest.fixture(autouse=True, scope="module")
def digests():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KNOWN, digest_of(Reading.__getstate__.__code__), ATTRS)
        patch.setitem(KNOWN, digest_of(Model.__getstate__.__code__), PYDANTIC)
        yield


class SubModel(Model):
    """Its instances have a dict of the usual kind."""


class Falsy(dict):
    def __bool__(self):
        return True


def unset(obj, *names):
    for name in names:
        delattr(obj, name)
    return obj


SHARED = ["shared"]

OBJECTS = {
    "slots": lambda: [Reading("a", 1, 0.5), Reading("b", [2], (3,)), Reading("a", SHARED, SHARED)],
    "not set": lambda: [Reading(1, 2, 3), Reading(1, 2), Reading()],
    "not set but found": lambda: [WithGetattr(1, 2, 3), WithGetattr(1, 2), WithGetattr(1, 2, 3)],
    "with a dict": lambda: [WithDict(1, 2, 3), WithDict(1, [2], 3)],
    "with code": lambda: [WithGetattribute(1, 2, 3), unset(WithProperty(), *())],
    "few": lambda: [Empty(), One(1), One([One(2)]), One(One(Empty()))],
    "models": lambda: [Model(a=1, b=[2]), Model(), SubModel(a=SubModel(b=SHARED), c=SHARED)],
    "private": lambda: [Model({}), Model({"a": 1}, b=2), Model({"a": PydanticUndefined}, b=2)],
    "odd private": lambda: [Model(), Model(Falsy()), Model(0), Model([1], a=1), Model("")],
    "not set in a model": lambda: [
        Model(a=1),
        *[unset(Model(a=1), name) for name in Model.__slots__ if name != "__dict__"],
    ],
    "a method among the attributes": lambda: [
        Model(a=1),
        *[Model(**{name: lambda *args: "called"}) for name in ("__getstate__", "__reduce_ex__")],
    ],
    "a dict twice": lambda: [model := SubModel(a=[1]), vars(model), model, vars(model)],
    "an instance in itself": lambda: [one := One([]), one.only.append(one), model_in_itself()],
}


def model_in_itself():
    model = SubModel()
    model.itself = [model]
    return model


@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_bytes_and_calls(implementation, protocol, name):
    make = OBJECTS[name]
    asked: ClassVar[list[str]] = []
    for module in (implementation, pickle):
        objects = make()  # asked for each on its own, so that all of them are
        for seen in (WithGetattr, Model, Meta):
            seen.asked.clear()
        results = [
            outcome(
                lambda each=each: module.dumps(each, protocol)  # noqa: B023
            )
            for each in objects
        ]
        asked.append((results, [list(seen.asked) for seen in (WithGetattr, Model, Meta)]))
    if implementation is native:  # Meta is asked by our hints, where a dump fails
        assert asked[0][0] == asked[1][0]
        assert asked[0][1][:2] == asked[1][1][:2]
    assert_same(implementation, make, protocol)
    assert_same(implementation, lambda: [each := make(), (each, each), each[:]], protocol)


@pytest.mark.parametrize("name", ["slots", "few", "models", "with a dict", "a dict twice"])
def test_a_frame_that_ends_within_an_instance(implementation, name):
    objects = OBJECTS[name]()
    for size in range(65440, 65550, 11):
        assert_same(implementation, lambda size=size: [b"x" * size, objects], 5)


@pytest.mark.parametrize("options", [{"compact": True}, {"deterministic": True}])
@pytest.mark.parametrize("name", ["slots", "few", "models", "private"])
def test_options(protocol, options, name):
    from quickpickle import pure

    objects = OBJECTS[name]()
    for _ in range(2):
        ours = outcome(lambda: native.dumps(objects, protocol, **options))
        assert ours == outcome(lambda: pure.dumps(objects, protocol, **options))


def test_hooks(implementation, protocol):
    objects = [Reading(1, [2], 3), Model(a=[1]), One(1)]
    table = {Model: lambda obj: (str, ("table",))}
    assert_same_hooks(implementation, objects, max(protocol, 2), One, table)


def changing_class() -> Any:
    return globals()["Changing"]  # made by the fixture


def change_closure():
    cell = changing_class().__getstate__.__closure__[0]
    cell.cell_contents = ("value",)


def change_code():
    changing_class().__getstate__.__code__ = getstate_otherwise(()).__code__


def getstate_otherwise(names):
    state_attr_names = names

    def slots_getstate(self):
        return dict.fromkeys(state_attr_names, 7)

    return slots_getstate


def change_globals():
    globals()["getattr"] = lambda obj, name: "of the module"


def change_builtins():
    def getattr_otherwise(obj, name, *default):
        return "of builtins" if name == "sensor" else REAL_GETATTR(obj, name, *default)

    builtins.getattr = getattr_otherwise


def change_slot():
    changing_class().sensor = property(lambda self: "property")


def change_method():
    changing_class().__getstate__ = lambda self: {"another": "method"}


def change_reduce():
    changing_class().__reduce__ = lambda self: (int, (3,))


CHANGES = [
    change_closure,
    change_code,
    change_globals,
    change_builtins,
    change_slot,
    change_method,
    change_reduce,
]


@pytest.fixture
def changing(monkeypatch):
    """Makes a new class each time, which nobody has changed yet."""

    def make():
        class Changing:
            __slots__ = ("sensor", "time", "value")
            __getstate__ = getstate_of_attrs(("sensor", "time", "value"))

            def __init__(self, *values):
                self.sensor, self.time, self.value = values

        Changing.__qualname__ = "Changing"
        undo()
        globals()["Changing"] = Changing
        return [Changing(i, "text", [i]) for i in range(4)]

    def undo():
        builtins.getattr = REAL_GETATTR
        globals().pop("getattr", None)
        globals().pop("Changing", None)

    yield make
    undo()


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_before_a_dump(implementation, protocol, changing, change):
    objects = changing()
    expected = pickle.dumps(objects, protocol)
    assert [implementation.dumps(objects, protocol) for _ in range(2)] == [expected] * 2
    change()
    assert implementation.dumps(objects, protocol) == pickle.dumps(objects, protocol) != expected


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_in_the_middle(implementation, protocol, changing, change):
    def make():
        objects = changing()
        return [*objects[:2], Act(change), *objects[2:], objects]

    for _ in range(2):
        assert_same(implementation, make, protocol)


def test_values_set_while_others_are_written(implementation, protocol):
    """The state has all values before any of it is written."""

    def make_slots():
        obj = Reading(None, 1, ["old"])
        obj.sensor = Act(lambda: setattr(obj, "value", ["new"]))
        return [obj, obj, obj.value]

    def make_model():
        obj = Model(first=1, last=["old"])
        obj.__pydantic_extra__ = Act(lambda: setattr(obj, "__pydantic_fields_set__", {"new"}))
        return [obj, obj]

    def make_dict():
        obj = Model(last=["old"])
        vars(obj)["first"] = Act(lambda: setattr(obj, "__dict__", {"new": 1}))
        return [obj, obj]

    for make in (make_slots, make_model, make_dict):
        assert_same(implementation, make, protocol)


def test_a_class_that_goes_leaves_nothing_behind():
    """A plan holds no function of a class, which may hold the class."""
    names = ("a",)
    cls = type("Gone", (), {"__slots__": names, "__getstate__": getstate_of_attrs(names)})
    cls.__module__ = __name__
    cls.__getstate__.made_for = cls
    globals()["Gone"] = cls
    try:
        obj = cls()
        obj.a = 1
        assert [native.dumps(obj, 5) for _ in range(2)] == [pickle.dumps(obj, 5)] * 2
    finally:
        del globals()["Gone"]
    gone = weakref.ref(cls)
    del cls, obj
    gc.collect()
    assert gone() is None


def test_which_functions_are_known():
    assert find_members(Reading(1, 2, 3), Reading.__getstate__)[0] == ("sensor", "time", "value")
    assert find_members(Model(), Model.__getstate__)[0][0] == "__dict__"
    assert find_members(Reading(1, 2), Reading.__getstate__) is None
    assert find_members(Reading(1, 2, 3), getstate_otherwise(("sensor",))) is None
    assert find_members(Model({"a": 1}), Model.__getstate__) is None
    assert find_members(Model(), len) is None
    assert find_members(WithProperty(), WithProperty.__getstate__) is None
    assert find_members(Reading(1), getstate_of_attrs(["sensor"])) is None


@pytest.mark.parametrize("part", ["co_names", "co_varnames", "co_argcount", "co_consts"])
def test_code_that_differs_in_one_part(part):
    code = Model.__getstate__.__code__
    value = getattr(code, part)
    if part == "co_argcount":
        changed = code.replace(co_posonlyargcount=1)
    elif part == "co_consts":
        keys = [type(each) is tuple for each in value]
        changed = code.replace(co_consts=(*value[:-1], ("a", "b", "c", "d") if keys[-1] else "a"))
    else:
        changed = code.replace(**{part: (*value[:-1], "other")})
    function = types.FunctionType(changed, globals())
    assert find_members(Model(), function) is None


def test_attrs_has_the_function():
    """Else all would be slower, and no other test would fail."""
    attrs = pytest.importorskip("attrs")
    reading = attrs.make_class("Reading", ["sensor", "value"], slots=True)("a", 1)
    assert plans.find_plan(reading).kind == plans.MEMBERS


def test_pydantic_has_the_function():
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", a=(int, 1))()
    assert plans.find_plan(model).kind == plans.MEMBERS
