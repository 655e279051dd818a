"""The option `missing="placeholder"` of loads: what is not found becomes a Placeholder.

A name becomes one if it cannot be imported, or if the policy refuses it. A call becomes one if it
calls a Placeholder; if it fails, and has one among its arguments; or if the policy refuses it. All
else is as in any load. `Missing` is for loads without a policy, and `PlaceholderGuard`
(rules/missing_guard.py) for those under one.
"""

from __future__ import annotations

import copyreg
import gc
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from . import objects
from .errors import c_type_name
from .loading import get_extension, names_in_python3
from .placeholders import NEWOBJ, NEWOBJ_EX, Placeholder

MissingOption = Literal["error", "placeholder"]


def check_missing(missing: object) -> None:
    """The argument `missing` of load() and others, if it is not the default."""
    if missing != "placeholder":
        raise ValueError(f'missing must be "error" or "placeholder", not {missing!r}')


class PlaceholderMaker:
    """The methods that both kinds share: each asks the next class, which may fail."""

    __slots__ = ()

    names: dict[tuple[str, str] | int, Placeholder]  # by the names, or by an extension code
    setters: list[tuple[Any, Placeholder, Any, Any]]  # result, object, setter, state

    def start(self) -> None:
        """Before each load."""
        self.setters.clear()

    def refuses(self, error: Exception) -> bool:
        """Whether an exception says that something is not allowed."""
        return False

    def ends_the_load(self, error: Exception) -> bool:
        """Whether an exception is not for a name or a call to answer: a limit is reached."""
        return isinstance(error, MemoryError)

    def charge(self, size: int) -> None:
        """Note that so many bytes are copied."""

    def account(self, made: Placeholder) -> Placeholder:
        """Note what a new Placeholder costs."""
        return made

    # --- names

    def find(
        self,
        module: str,
        name: str,
        proto: int,
        fix_imports: bool,
        find: Callable[[str, str], Any],
        is_hook: bool,
    ) -> Any:
        real = module, name
        if proto < 3 and fix_imports:
            real = names_in_python3(module, name)
        known = self.names.get(real)
        if known is not None:
            return known
        try:
            return super().find(module, name, proto, fix_imports, find, is_hook)  # type: ignore[misc]
        except Exception as error:
            if self.ends_the_load(error):
                raise
            reason = _reason_of(error)
        return self._named(*real, reason)

    def _named(self, module: str, qualname: str, reason: str | None) -> Placeholder:
        made = self.names.get((module, qualname))
        if made is None:
            made = self.account(Placeholder(module, qualname, reason=reason))
            self.names[module, qualname] = made
        return made

    def unregistered(self, code: int) -> Placeholder | None:
        """The Placeholder of an extension code that stands for no name; None for another code."""
        registry: dict[int, Any] = copyreg._inverted_registry  # type: ignore[attr-defined]
        if code <= 0 or code in registry or code in copyreg._extension_cache:  # type: ignore[attr-defined]
            return None
        made = self.names.get(code)
        if made is None:
            reason = f"ValueError: unregistered extension code {code}"
            made = Placeholder("copyreg", f"extension {code}", reason=reason, code=code)
            self.names[code] = self.account(made)
        return made

    # --- calls

    def reduce(self, function: Any, args: Any) -> Any:
        """REDUCE."""
        reason = None
        is_member = function is getattr and type(args) is tuple and len(args) == 2
        if is_member and _is_name(args[0]) and type(args[1]) is str:
            # Below protocol 4 a class in a class is written like this. Each of
            # `getattr(getattr(A, "b"), "c")` has a longer name.
            self.charge(len(args[0].qualname) + len(args[1]))
            return self._named(args[0].module, f"{args[0].qualname}.{args[1]}", args[0].reason)
        if not _stands_for_call(function):
            try:
                return super().reduce(function, args)  # type: ignore[misc]
            except Exception as error:
                reason = self._reason_to_go_on(error, function, args)
        if not isinstance(args, tuple):
            raise TypeError("argument list must be a tuple")
        made = self._made(function, args, reason)
        if len(args) == 2 and type(args[0]) is Placeholder and not args[0].is_name:
            # It may be a state setter, called for what it does: then its result is thrown away.
            self.setters.append((weakref.ref(made), args[0], function, args[1]))
        return made

    def newobj(self, cls: Any, args: Any) -> Any:
        """NEWOBJ."""
        reason = None
        if type(cls) is not Placeholder:
            try:
                return super().newobj(cls, args)  # type: ignore[misc]
            except Exception as error:
                reason = self._reason_to_go_on(error, args)
        objects.check_newobj("NEWOBJ", type, args)
        return self._made(NEWOBJ, (cls, *tuple.__iter__(args)), reason)

    def newobj_ex(self, cls: Any, args: Any, kwargs: Any) -> Any:
        """NEWOBJ_EX."""
        reason = None
        if type(cls) is not Placeholder:
            try:
                return super().newobj_ex(cls, args, kwargs)  # type: ignore[misc]
            except Exception as error:
                reason = self._reason_to_go_on(error, args, kwargs)
        objects.check_newobj_ex(type, args, kwargs)
        return self._made(NEWOBJ_EX, (cls, args, kwargs), reason)

    def instantiate(self, cls: Any, args: tuple[Any, ...]) -> Any:
        """INST and OBJ."""
        reason = None
        if type(cls) is not Placeholder:
            try:
                return super().instantiate(cls, args)  # type: ignore[misc]
            except Exception as error:
                reason = self._reason_to_go_on(error, args)
        if args:
            return self._made(cls, args, reason)
        return self._made(NEWOBJ, (cls,), reason)

    def _made(self, function: Any, args: tuple[Any, ...], reason: str | None) -> Placeholder:
        made = Placeholder(None, None, function, args)
        if type(made.maker()) is not Placeholder:  # else that has a reason
            made._reason = reason
        return self.account(made)

    def _reason_to_go_on(self, error: Exception, *args: Any) -> str:
        """Why a call becomes a Placeholder. Raises its exception if it does not become one."""
        if self.ends_the_load(error) or not (self.refuses(error) or any(map(_reaches, args))):
            raise error
        return _reason_of(error)

    def give_states(self) -> None:
        """At the end of a load: calls whose results are gone by now were those of state setters.

        The memo of a load that has no other one after it is empty by then.
        """
        setters = self.setters.copy()
        self.setters.clear()
        if setters and not hasattr(sys, "getrefcount"):  # PyPy
            gc.collect()
        for result, obj, setter, state in setters:
            if result() is None:
                obj.__setstate__(state)
                obj.state_setter = setter


class _Plain:
    """Makes objects as a load does without a policy."""

    __slots__ = ()

    reduce = staticmethod(objects.reduce)
    newobj = staticmethod(objects.newobj)
    newobj_ex = staticmethod(objects.newobj_ex)
    instantiate = staticmethod(objects.instantiate)
    build = staticmethod(objects.build)

    def find(
        self,
        module: str,
        name: str,
        proto: int,
        fix_imports: bool,
        find: Callable[[str, str], Any],
        is_hook: bool,
    ) -> Any:
        return find(module, name)


class Missing(PlaceholderMaker, _Plain):
    """The Placeholders of one Unpickler."""

    __slots__ = ("names", "setters")

    def __init__(self) -> None:
        self.names = {}
        self.setters = []

    def extension(self, code: int, find: Callable[[str, str], Any]) -> Any:
        """EXT. No Placeholder gets into the cache of copyreg."""
        made = self.unregistered(code)
        if made is not None:
            return made
        try:
            return get_extension(code, find)
        except Exception as error:
            names = copyreg._inverted_registry.get(code)  # type: ignore[attr-defined]
            if self.ends_the_load(error) or not isinstance(names, tuple) or len(names) != 2:
                raise
            return self._named(*names, _reason_of(error))


def _reason_of(error: Exception) -> str:
    name = c_type_name(type(error))
    # An argument of another type may take very long to show, or fail.
    if all(type(arg) is str for arg in error.args):
        with suppress(Exception):  # its own code
            return f"{name}: {error}"[:200]
    return name


def _stands_for_call(function: Any) -> bool:
    """Whether a Placeholder would be called: below protocol 4 a `partial` has keyword arguments."""
    while type(function) is partial:
        function = function.func
    return type(function) is Placeholder


def _is_name(obj: Any) -> bool:
    return type(obj) is Placeholder and obj.is_name


def _reaches(value: Any) -> bool:
    """Whether a Placeholder is among the arguments, or in one of them."""
    if type(value) is Placeholder:
        return True
    parts = {id(part): part for part in _parts(value)}  # each is looked at once
    return any(
        type(part) is Placeholder or any(type(inner) is Placeholder for inner in _parts(part))
        for part in parts.values()
    )


def _parts(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.values(value)
    if isinstance(value, (tuple, list, set, frozenset)):
        return value
    if type(value) is partial:
        return value.func, *value.args, *value.keywords.values()
    return ()
