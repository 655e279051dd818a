"""class Placeholder: stands for what a pickle names, or makes, and cannot be found.

Its parts are those of a reduction (rules/reductions.py), so that the Picklers write it as the
object that it stands for. rules/missing.py makes Placeholders while a pickle is loaded.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterable
from functools import partial
from pickle import PicklingError, UnpicklingError
from reprlib import recursive_repr
from typing import Any, Final

from .notation import printable

NEWOBJ: Final[Callable[..., Any]] = copyreg.__newobj__  # type: ignore[attr-defined]
NEWOBJ_EX: Final[Callable[..., Any]] = copyreg.__newobj_ex__  # type: ignore[attr-defined]
_RECONSTRUCTOR: Final[Callable[..., Any]] = copyreg._reconstructor  # type: ignore[attr-defined]
_MAKERS: Final = (NEWOBJ, NEWOBJ_EX, _RECONSTRUCTOR)  # of instances: the class is an argument


class Placeholder:
    """Stands for a class, function or object that `load(..., missing="placeholder")` did not find.

    There are two kinds. One is a name: of a class or function that cannot be imported, or that the
    policy refuses. The other one is an object: what a call of such a name would have made. `dump`
    and `dumps` of quickpickle write both as what they stand for, with the changes that were made to
    them. Other picklers refuse them.

    Attributes
    ----------
    name
        The dotted name in the pickle: of the class or function, or of what makes the object.
    reason
        Why there is a Placeholder in its place, as a text. Objects have that of their class.
    module, qualname
        The two parts of a name. None for an object. An extension code that is not registered has
        "copyreg" and "extension 5", and is written as that code.
    function, args, state, list_items, dict_items, state_setter
        How the object is made: the parts of a reduction, as `object.__reduce__` documents them. An
        instance has `copyreg.__newobj__` for its function as a rule, and its class as the first
        one of the `args`. `list_items` is a list, and `dict_items` a list of pairs; parts that the
        object does not have are None. All of them are None for a name.

    Example
    -------
    >>> import quickpickle
    >>> data = b"cshop\\nOrder\\n)\\x81}\\x8c\\x06amountK\\x03sb."
    >>> order = quickpickle.loads(data, missing="placeholder")
    >>> order
    <Placeholder shop.Order() state={'amount': 3}>
    >>> order.state["amount"] = 4
    >>> quickpickle.loads(quickpickle.dumps(order), missing="placeholder")
    <Placeholder shop.Order() state={'amount': 4}>
    """

    __slots__ = (
        "__weakref__",
        "_code",
        "_reason",
        "args",
        "dict_items",
        "function",
        "list_items",
        "module",
        "qualname",
        "state",
        "state_setter",
    )

    def __init__(
        self,
        module: str | None,
        qualname: str | None,
        function: Any = None,
        args: tuple[Any, ...] | None = None,
        *,
        reason: str | None = None,
        code: int | None = None,
    ) -> None:
        self.module = module
        self.qualname = qualname
        self.function = function
        self.args = args
        self.state: Any = None
        self.list_items: list[Any] | None = None
        self.dict_items: list[tuple[Any, Any]] | None = None
        self.state_setter: Any = None
        self._reason = reason
        self._code = code

    @property
    def is_name(self) -> bool:
        """Whether it stands for a class or function, not for an object."""
        return self.function is None

    @property
    def name(self) -> str:
        maker = self._first_maker()
        if type(maker) is not Placeholder:
            module = getattr(maker, "__module__", None)
            return f"{module}.{getattr(maker, '__qualname__', type(maker).__qualname__)}"
        return f"{maker.module}.{maker.qualname}"

    @property
    def reason(self) -> str | None:
        found = self._first_maker(is_placeholder=True)
        return found._reason if type(found) is Placeholder else None

    @property
    def extension_code(self) -> int | None:
        """The extension code that it stands for, if that has no name and did not get one."""
        is_code = self.module == "copyreg" and self.qualname == f"extension {self._code}"
        return self._code if is_code else None

    def maker(self) -> Any:
        """The class or function that makes the object: a Placeholder or not. Itself for a name."""
        if self.function is None:
            return self
        if any(self.function is maker for maker in _MAKERS) and isinstance(self.args, tuple):
            return self.args[0] if self.args else self.function
        maker = self.function
        while type(maker) is partial:
            maker = maker.func
        return maker

    def _first_maker(self, *, is_placeholder: bool = False) -> Any:
        """The object that is called first, if the result of a call makes this one, and so on.

        With `is_placeholder` the last one that is a Placeholder.
        """
        obj: Any = self
        seen = set()  # a user may set attributes to anything
        while id(obj) not in seen:
            seen.add(id(obj))
            maker = obj.maker()
            if type(maker) is not Placeholder:
                return obj if is_placeholder else maker
            obj = maker
        return obj

    @recursive_repr("<Placeholder ...>")
    def __repr__(self) -> str:
        name = printable(self.name)  # of somebody's file
        if self.function is None:
            return f"<Placeholder {name}>"
        shown = name + "".join(f"({arguments})" for arguments in self._calls())
        for part in ("state", "list_items", "dict_items"):
            value = getattr(self, part)
            if value is not None:
                shown += f" {part}={value!r}"
        return f"<Placeholder {shown}>"

    def _calls(self) -> list[str]:
        """The arguments of each call: that of the name, of what this returns, and so on."""
        calls: list[str] = []
        obj: Any = self
        seen = set()
        while type(obj) is Placeholder and obj.function is not None and id(obj) not in seen:
            seen.add(id(obj))
            calls.append(", ".join(obj._shown_arguments()))
            obj = obj.maker()
        return calls[::-1]

    def _shown_arguments(self) -> list[str]:
        args: Any = () if self.args is None else self.args
        kwargs: dict[str, Any] = {}
        if type(args) is not tuple:  # it is set to that, and cannot be written
            return [f"*{args!r}"]
        if self.function is NEWOBJ_EX and len(args) == 3 and isinstance(args[2], dict):
            kwargs, args = args[2], args[1] if isinstance(args[1], tuple) else args[1:2]
        elif any(self.function is maker for maker in _MAKERS):
            args = args[1:]
            if self.function is _RECONSTRUCTOR and args == (object, None):
                args = ()
        return [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]

    def __call__(self, *args: Any, **kwargs: Any) -> Placeholder:
        """A Placeholder that stands for the result of the call."""
        return Placeholder(None, None, partial(self, **kwargs) if kwargs else self, args)

    # --- what a load gives an object

    def __setstate__(self, state: Any) -> None:
        if self.state is not None:
            raise UnpicklingError(f"{self.name} is missing, and would get a second state")
        self._check_object("a state")
        self.state = state

    def extend(self, items: Iterable[Any]) -> None:
        """Add to the `list_items`."""
        self._check_object("items")
        if self.list_items is None:
            self.list_items = []
        self.list_items.extend(items)

    def append(self, item: Any) -> None:
        """Add to the `list_items`."""
        self.extend((item,))

    def __setitem__(self, key: Any, value: Any) -> None:
        """Add to the `dict_items`."""
        self._check_object("items")
        if self.dict_items is None:
            self.dict_items = []
        self.dict_items.append((key, value))

    def _check_object(self, what: str) -> None:
        if self.function is None:
            raise UnpicklingError(f"{self.name} is missing, and would get {what} as an object does")

    # --- copies and pickles

    def __reduce__(self) -> Any:
        """The reduction; for a name its second part, as for any global.

        An attribute that is no part of a reduction is refused: a user may have set it.
        """
        if self.function is None:
            self._check_name()
            return self.qualname
        self._check_parts()
        return (
            self.function,
            self.args,
            self.state,
            None if self.list_items is None else iter(self.list_items),
            None if self.dict_items is None else iter(self.dict_items),
            self.state_setter,
        )

    def _check_name(self) -> None:
        if type(self.module) is not str or type(self.qualname) is not str:
            raise PicklingError("module and qualname of a Placeholder that is a name must be str")
        for part in ("args", "state", "list_items", "dict_items", "state_setter"):
            if getattr(self, part) is not None:
                raise PicklingError(f"a Placeholder with {part} must have a function too")

    def _check_parts(self) -> None:
        args = self.args
        if isinstance(args, tuple) and self.function is NEWOBJ_EX:
            kinds = tuple, dict
            if len(args) != 3 or not all(map(isinstance, args[1:], kinds)):
                raise PicklingError(
                    "args of a Placeholder of __newobj_ex__ must be a class, a tuple and a dict"
                )
        if isinstance(args, tuple) and (self.function is NEWOBJ or self.function is NEWOBJ_EX):
            is_class = len(args) > 0 and isinstance(args[0], (type, Placeholder))
            if not is_class:
                raise PicklingError(
                    f"args[0] of a Placeholder of {self.function.__name__} must be a class"
                )
        for part in ("list_items", "dict_items"):
            if not isinstance(getattr(self, part), (list, type(None))):
                raise PicklingError(f"{part} of a Placeholder must be a list")
        for pair in self.dict_items or ():
            if type(pair) is not tuple or len(pair) != 2:
                raise PicklingError("dict_items of a Placeholder must be a list of pairs")

    def __copy__(self) -> Placeholder:
        return self._copied(lambda part: part)

    def __deepcopy__(self, memo: dict[int, Any]) -> Placeholder:
        import copy

        return self._copied(lambda part: copy.deepcopy(part, memo), memo)

    def _copied(
        self, copied: Callable[[Any], Any], memo: dict[int, Any] | None = None
    ) -> Placeholder:
        if self.function is None:
            return self
        new = Placeholder(None, None, self.function, reason=self._reason)
        if memo is not None:
            memo[id(self)] = new
        new.args = copied(self.args)
        new.state = copied(self.state)
        if self.list_items is not None:
            new.list_items = [copied(item) for item in self.list_items]
        if self.dict_items is not None:
            new.dict_items = [(copied(key), copied(value)) for key, value in self.dict_items]
        new.state_setter = self.state_setter
        new.function = copied(self.function)
        return new


Placeholder.__module__ = "quickpickle"
