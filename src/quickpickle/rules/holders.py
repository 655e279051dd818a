"""The holders of an object, by name: module, class, default argument, closure, partial.

The interpreter's garbage collector knows all that refers to an object. From there the way leads up
to what has a name. No code of the objects is run.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

_DEEPEST: Final = 12  # steps up from the object
_MOST: Final = 2000  # objects whose holders are looked for at once
_MOST_PATHS: Final = 10  # from one object, or one key of a dict, down to what is held
_FEW: Final = 50  # of so many the collector finds the holders sooner: it compares each with all

# They refer to what they are a part of, or to what is in use just now, or they only describe it.
_NO_HOLDERS: Final = (
    types.FrameType,
    types.CodeType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GenericAlias,
    types.UnionType,
)
# In the attributes of a function or class: they only describe it.
_DESCRIPTIONS: Final = frozenset({"__annotations__", "__orig_bases__", "__wrapped__"})
_PLAIN: Final = (str, int, float, bytes, bool, type(None))
_CONTAINERS: Final = (dict, list, tuple, set, frozenset)
_TRANSPARENT: Final = (
    types.CellType,
    types.MethodType,
    staticmethod,
    classmethod,
    property,
    functools.partial,
)
_bases_of: Final = vars(type)["__bases__"].__get__
_mro_of: Final = vars(type)["__mro__"].__get__
_module_of: Final = vars(type)["__module__"].__get__
_qualname_of: Final = vars(type)["__qualname__"].__get__
_arguments_of: Final = vars(functools.partial)["args"].__get__
_namespace_of: Final = vars(type)["__dict__"].__get__


class Holder(NamedTuple):
    """A name that holds it: `module.name`."""

    module: str
    name: str


class _Step(NamedTuple):
    """An object on the way up to a name, and the text from it down to what is held."""

    obj: Any
    text: str
    key: Any = None  # if it is a dict: the key, above the text
    below: frozenset[int] = frozenset()  # the ids of the objects between it and what is held

    @property
    def item(self) -> str:
        return self.text if self.key is None else f"[{_shown(self.key)}]{self.text}"

    @property
    def attribute(self) -> str:
        return f".{self.key}{self.text}" if type(self.key) is str else self.item


def _shown(key: Any) -> str:
    """The key of a dict, without running its code."""
    kind = type(key)
    if kind in _PLAIN or (kind is tuple and all(type(item) in _PLAIN for item in key)):
        return repr(key)
    return _qualname_of(key) if issubclass(kind, type) else f"<{_qualname_of(kind)}>"


def find_holders(*held: Any) -> Iterator[Holder]:
    """The names of all that hold one of the objects; some may come twice."""
    wanted = {id(obj) for obj in held}
    modules: dict[int, str] = {}
    for name, module in list(sys.modules.items()):
        if issubclass(type(module), types.ModuleType):
            modules.setdefault(id(module.__dict__), name)
    level = _direct(held, wanted)
    texts: dict[tuple[int, int], set[str]] = {}
    for _ in range(_DEEPEST):
        upwards: dict[int, list[_Step]] = {}
        objects: list[Any] = []
        for step in level:
            if isinstance(step, Holder):
                yield step
            elif id(step.obj) in modules:
                yield Holder(modules[id(step.obj)], step.attribute.removeprefix("."))
            elif id(step.obj) not in step.below and len(objects) < _MOST:
                known = texts.setdefault((id(step.obj), id(step.key)), set())
                if step.text in known or len(known) == _MOST_PATHS:
                    continue
                known.add(step.text)
                if id(step.obj) not in upwards:
                    objects.append(step.obj)
                upwards.setdefault(id(step.obj), []).append(step)
        if not objects:
            return
        below, level = level, []
        found = set()
        asked = tuple(objects)  # 3.13.0 takes the tuple of the arguments for a referrer
        for holder in _referrers(asked):
            if holder is asked or holder is objects or holder is below or type(holder) is _Step:
                continue
            for child in {id(child) for child in gc.get_referents(holder)} & upwards.keys():
                for step in upwards[child]:
                    steps = list(_steps(holder, step))
                    if steps:
                        found.add(child)
                    passed = step.below | {child}
                    level += [
                        one if isinstance(one, Holder) else one._replace(below=passed)
                        for one in steps
                    ]
        for number in upwards.keys() - found:  # that is only in use just now
            for step in upwards[number]:
                kind = type(step.obj)
                if not issubclass(kind, (*_CONTAINERS, *_TRANSPARENT)):
                    yield Holder(_module_of(kind), f"<{_qualname_of(kind)}>{step.text}")


def _referrers(objects: tuple[Any, ...]) -> list[Any]:
    """All that refers to one of the objects, as far as the collector knows it."""
    if len(objects) <= _FEW:
        return gc.get_referrers(*objects)
    wanted = {id(obj) for obj in objects}
    return [
        holder
        for holder in gc.get_objects()
        if not wanted.isdisjoint(map(id, gc.get_referents(holder)))
    ]


def _direct(held: tuple[Any, ...], wanted: set[int]) -> list[_Step | Holder]:
    """The objects that refer to the wanted ones themselves.

    All that there is is looked at, as not all can be asked for: the collector does not know the
    tuples and dicts that only hold what is never freed, such as classes of older interpreters.
    """
    found: list[_Step | Holder] = []
    for holder in gc.get_objects():
        if holder is held or holder is found or type(holder) is _Step:
            continue
        for child in gc.get_referents(holder):
            if id(child) in wanted:
                found += _steps(holder, _Step(child, ""))
            elif type(child) in (tuple, dict) and not gc.is_tracked(child):
                for value in child if type(child) is tuple else child.values():
                    if id(value) in wanted:
                        for step in _steps(child, _Step(value, "")):
                            if isinstance(step, _Step):
                                found += _steps(holder, step)
    return found


def _steps(holder: Any, step: _Step) -> Iterator[_Step | Holder]:
    """The ways in which an object holds another one."""
    kind = type(holder)
    if issubclass(kind, _NO_HOLDERS) or _module_of(kind) == "typing":
        return
    if issubclass(kind, type):
        yield from _of_class(holder, step)
    elif kind is types.FunctionType:
        yield from _of_function(holder, step)
    elif issubclass(kind, types.ModuleType):  # of one that is not in sys.modules
        if step.key is not None:
            name = step.attribute.removeprefix(".")
            yield Holder(str(holder.__dict__.get("__name__")), name)
    elif kind is types.MethodType and step.obj is holder.__self__:
        yield _Step(holder, f".__self__{step.item}")
    elif issubclass(kind, functools.partial) and step.obj is _arguments_of(holder):
        yield _Step(holder, f".args{step.item}")
    elif issubclass(kind, _TRANSPARENT):
        yield _Step(holder, step.item)
    elif kind is dict:
        for key in [key for key, value in list(holder.items()) if value is step.obj]:
            if type(key) is not str or key not in _DESCRIPTIONS:
                yield _Step(holder, step.item, key)
    elif issubclass(kind, (list, tuple)):
        values = list(kind.__iter__(holder) if kind in (list, tuple) else _items_of(holder))
        names = getattr(kind, "_fields", ())
        for i in [i for i, value in enumerate(values) if value is step.obj]:
            name = f".{names[i]}" if i < len(names) else f"[{i}]"
            yield _Step(holder, f"{name}{step.item}")
    else:
        for text in _attributes_of(holder, step) or [step.item]:
            yield _Step(holder, text)


def _items_of(holder: Any) -> Iterator[Any]:
    """Those of a subclass, past its own methods."""
    return tuple.__iter__(holder) if isinstance(holder, tuple) else list.__iter__(holder)


def _of_class(cls: type, step: _Step) -> Iterator[Holder]:
    """The name in its namespace; its bases are no names."""
    if isinstance(step.key, str) and _namespace_of(cls).get(step.key) is not None:
        yield Holder(_module_of(cls), f"{_qualname_of(cls)}{step.attribute}")


def _of_function(function: types.FunctionType, step: _Step) -> Iterator[Holder]:
    """Default arguments, variables of its closure, and its attributes."""
    held, code = step.obj, function.__code__
    module, name = function.__module__, function.__qualname__
    if module == "_pickle":  # by functools.wraps(pickle.dumps): nobody finds it by that name
        module, name = str(function.__globals__.get("__name__")), code.co_qualname
    where: str | None = None
    if held is function.__defaults__:
        count = code.co_argcount
        names = code.co_varnames[count - len(step.obj) : count]
        number, _, rest = step.text[1:].partition("]")
        where = f"({names[int(number)]}=){rest}"
    elif held is function.__kwdefaults__:
        where = f"({step.key}=){step.text}"
    elif held is function.__closure__:
        number, _, rest = step.text[1:].partition("]")
        where = f".<locals>.{code.co_freevars[int(number)]}{rest}"
    elif held is function.__dict__:
        where = step.attribute
    if where is not None:
        yield Holder(str(module), f"{name}{where}")


def _attributes_of(holder: Any, step: _Step) -> list[str]:
    """The texts down from an object, with the names of the attributes that have the next one."""
    found = []
    with suppress(Exception):
        attributes = object.__getattribute__(holder, "__dict__")
        if attributes is step.obj:
            return [step.attribute]
        found += [name for name, value in list(attributes.items()) if value is step.obj]
    mro: tuple[type, ...] = _mro_of(type(holder))
    for base in mro:
        for name, member in list(_namespace_of(base).items()):
            if type(member) is types.MemberDescriptorType:
                with suppress(AttributeError):
                    if member.__get__(holder) is step.obj:
                        found.append(name)
    return [f".{name}{step.item}" for name in found]


def find_subclasses(bases: Iterable[type]) -> Iterator[Holder]:
    """All classes that are derived from these, directly or not."""
    rest = list(bases)
    seen = set()
    while rest:
        derived: list[type] = type.__subclasses__(rest.pop())
        for cls in derived:
            if cls not in seen:
                seen.add(cls)
                rest.append(cls)
                yield Holder(_module_of(cls), _qualname_of(cls))
