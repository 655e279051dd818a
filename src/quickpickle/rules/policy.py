"""class Policy: what a pickle may name and call while it is loaded, and what that may cost.

A Policy holds names and numbers only. rules/policy_names.py says what is known of the names of the
standard library, and rules/enforcement.py asks a Policy while a pickle is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pickle import UnpicklingError
from typing import Any, Final, NamedTuple

from .dangers import danger_of
from .notation import printable
from .policy_names import ANY, CLASSES, MEMBERS, PLAIN, Rule, danger_in_calls
from .presets import PRESETS, find_rule, implied, needed, preset_with, table_of
from .renames import check_renames
from .tracebacks import drop_frames, make_public

_LIMITS: Final = ("memory", "objects", "depth", "hashing")  # rules


class PolicyError(UnpicklingError):
    """A pickle that its policy refuses.

    Attributes
    ----------
    rule
        The rule that refused: "names", "calls", "arguments", "objects changed", "states",
        "memory", "objects", "depth" or "hashing".
    name
        The dotted name that it is about; None where it is about none.
    path
        Where in the object the refused part would have been, as `obj['models'][3]`; None where
        that is not known, as in a file that cannot seek.
    offset
        The place of the opcode in the pickle, in bytes from where the load began.
    """

    def __init__(
        self,
        refused: str,
        *,
        rule: str,
        name: str | None = None,
        advice: str | None = None,
        path: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(refused)
        self.rule = rule
        self.name = name
        self.advice = advice
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        place = "" if self.offset is None else f" at byte {self.offset}"
        if self.path is not None:
            place += f" ({self.path})"
        # The names in it are those of somebody's file.
        text = printable(f"refused by the policy{place}: {self.args[0]} (rule: {self.rule})")
        return text if self.advice is None else f"{text}. If you trust it: {self.advice}"

    @property
    def is_limit(self) -> bool:
        """Whether the load costs too much, whatever is in it."""
        return self.rule in _LIMITS

    def __reduce__(self) -> Any:
        return (
            _new_error,
            (self.args[0], self.rule, self.name, self.advice, self.path, self.offset),
        )


def _new_error(refused: str, *values: Any) -> PolicyError:
    names = ("rule", "name", "advice", "path", "offset")
    return PolicyError(refused, **dict(zip(names, values, strict=True)))


class Limits(NamedTuple):
    """The memory, objects and depth that a load may take: see `Policy.limit`."""

    memory: int = 8 << 30
    objects: int = 50_000_000
    depth: int = 1000


class _Content(NamedTuple):
    presets: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  # and patterns, which end with ".*"
    dangerous: frozenset[str] = frozenset()  # those of them that were allowed as such
    forbidden: frozenset[str] = frozenset()
    limits: Limits = Limits()
    renames: tuple[tuple[str, str], ...] = ()  # sorted by the old name


class Policy:
    """The names, calls and costs that a load allows: for `loads`, `load`, `Unpickler`, `install`.

    An empty Policy lets through what the opcodes themselves make: None, bool, int, float, str,
    bytes, bytearray, tuple, list, dict, set and frozenset. A Policy is immutable: each method
    returns another one. `|` joins two: what either of them allows, what neither forbids, and the
    larger limits; and both's renames.

    Example
    -------
    >>> import pickle, quickpickle
    >>> policy = Policy.plain().allow("myapp.orders.Order", "myapp.models.*")
    >>> quickpickle.loads(pickle.dumps({1: 2.5}), policy=policy)
    {1: 2.5}
    >>> print(policy)
    Policy.plain().allow('myapp.models.*', 'myapp.orders.Order')
    """

    __slots__ = ("_content", "_patterns", "_tables")

    _content: _Content
    _patterns: tuple[str, ...]
    _tables: tuple[Mapping[str, Rule], ...]

    def __new__(cls) -> Policy:
        return _policy(_Content())

    @classmethod
    def plain(cls) -> Policy:
        """Values of the language and of the standard library that are only data.

        Beside what opcodes make: complex, range, slice, bytearray, dates and times, Decimal,
        Fraction, UUID, pure paths, IP addresses and networks, OrderedDict, Counter, deque, and
        defaultdict with a factory that is listed. Members of enums, if `allow` has the enum.
        """
        return _policy(_Content(presets=needed("plain")))

    @classmethod
    def numpy(cls) -> Policy:
        """The names of NumPy's pickles: arrays, scalars, dtypes, random generators; and `plain()`.

        Arrays of any dtype of NumPy's own, structured ones, masked arrays, record arrays and
        matrices; ufuncs and types by name. The list of checks:
        https://example.org/quickpickle/blob/main/docs/policies.md
        """
        return _policy(_Content(presets=needed("numpy")))

    @classmethod
    def pandas(cls) -> Policy:
        """The names of pandas: frames, series, indexes, arrays, dtypes, scalars; and `numpy()`.

        Zones of zoneinfo, pytz and dateutil by their names; texts of Arrow. The list of
        checks: https://example.org/quickpickle/blob/main/docs/policies.md
        """
        return _policy(_Content(presets=needed("pandas")))

    @classmethod
    def sklearn(cls) -> Policy:
        """Fitted estimators of scikit-learn without functions of one's own; and `numpy()`.

        Which estimators load, what of them is checked, and what is not:
        https://example.org/quickpickle/blob/main/docs/policies.md
        """
        return _policy(_Content(presets=needed("sklearn")))

    @classmethod
    def torch(cls) -> Policy:
        """The names that `torch.load(weights_only=True)` takes: tensors, parameters, state dicts.

        Storages are loaded by the `persistent_load` of `torch.load`, which has to be of a release
        of PyTorch without known faults: 2.10 or later. How to use it, and what is not
        listed: https://example.org/quickpickle/blob/main/docs/policies.md
        """
        return _policy(_Content(presets=needed("torch")))

    def allow(self, *what: Any, dangerous: bool = False) -> Policy:
        """Also these: classes, functions, dotted names, or patterns.

        A pattern `package.*` stands for the classes that are defined in that package or in a module
        below it; not for functions, nor for what is only imported there. Any module of the package
        may be imported to find them.

        A class that is allowed may be called with whatever arguments the pickle has, and its
        `__setstate__` gets whatever state the pickle has: that code is to stand it. A function that
        is allowed is called by the pickle. Names that run code, whatever their arguments are, are
        refused with a ValueError, unless `dangerous` is true.
        """
        names = {_name_of(item) for item in what}
        if not dangerous:
            for name in sorted(names):
                danger = _danger(name)
                if danger is not None:
                    raise ValueError(
                        f"{name!r} is not allowed as it {danger}; if a pickle may do that,"
                        f" write allow({name!r}, dangerous=True)"
                    )
        content = self._content
        return _policy(
            content._replace(
                names=content.names | names,
                dangerous=content.dangerous | names if dangerous else content.dangerous,
                forbidden=content.forbidden - names,
            )
        )

    def forbid(self, *names: Any) -> Policy:
        """Not these: dotted names, classes or functions, or patterns, whatever else allows them."""
        content = self._content
        taken = {_name_of(item) for item in names}
        return _policy(
            content._replace(
                names=content.names - taken,
                dangerous=content.dangerous - taken,
                forbidden=content.forbidden | taken,
            )
        )

    def limit(
        self, *, memory: int | None = None, objects: int | None = None, depth: int | None = None
    ) -> Policy:
        """Other bounds for what a load may cost; what is not given stays.

        Parameters
        ----------
        memory
            Bytes. The bytes of the pickle count, and 128 for each of its `objects`. Copies
            that calls make of their arguments count in the same way, in a sum of their own. This is
            an estimate: Python's own sizes differ from it by up to four times.
        objects
            How many objects are put on the stack, or into the memo, by the opcodes.
        depth
            How many tuples may lie in one another where they are hashed, and how many deques and
            defaultdicts.
        """
        given = {"memory": memory, "objects": objects, "depth": depth}
        changed = {}
        for name, value in given.items():
            if value is None:
                continue
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} must be an int that is not negative")
            changed[name] = min(value, 1 << 62)
        return _policy(self._content._replace(limits=self._content.limits._replace(**changed)))

    def rename(self, names: Mapping[str, str]) -> Policy:
        """Also these modules, classes and functions have another name now: the `renames` of `load`.

        All loads under this policy, and `check`, read pickles as if they had the new names. So the
        rules are about the new names. To rename a name does not list it. A name that was renamed
        before has the new name that is given here.

        >>> Policy().allow("myapp.orders.Order").rename({"old.Order": "myapp.orders.Order"})
        Policy().allow('myapp.orders.Order').rename({'old.Order': 'myapp.orders.Order'})
        """
        check_renames(names, in_policy=True)
        renamed = {**dict(self._content.renames), **names}
        return _policy(self._content._replace(renames=tuple(sorted(renamed.items()))))

    def check(
        self,
        file: Any,
        *,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: Iterable[Any] | None = None,
        renames: Mapping[str, str] | None = None,
    ) -> list[PolicyError]:
        """Everything in a pickle that this policy refuses, found without loading it.

        The list is empty where a load would be refused nothing. Else its first entry is the error
        that a load would raise, and the others are what it would be refused next, if that were
        allowed. Consequences of a refusal are not listed. The same rules decide, in the same
        loop. Where a limit is exceeded, the check ends, as a load does.

        No class and no function that `allow` lists is called. So what these would do themselves
        is not seen: an error of theirs, or that they return an object that they keep, which a load
        then refuses to change. Modules of names that the policy lists are imported, no others.

        Parameters
        ----------
        file
            A path, a URL, the bytes themselves, or a file open for reading. One pickle is read.
        fix_imports, encoding, errors, buffers, renames
            Those of `Unpickler`.

        Raises
        ------
        UnpicklingError, EOFError, ...
            The pickle is damaged, and nothing before that is refused: the error of a load. If
            something was refused before, the check ends there; a note of the last entry says so.

        Example
        -------
        >>> import pickle, shlex, textwrap
        >>> for violation in Policy.plain().check(pickle.dumps([shlex.quote, textwrap.dedent])):
        ...     print(violation.name, violation.offset)
        shlex.quote 30
        textwrap.dedent 52
        """
        # It stands on the Unpickler, which stands on the rules, so it is looked up here.
        checking = import_module("quickpickle.checking")
        try:
            found: list[PolicyError] = checking.check(
                self, file, fix_imports=fix_imports, encoding=encoding, errors=errors,
                buffers=buffers, renames=renames,
            )  # fmt: skip
        except BaseException as error:
            drop_frames(error)
            raise
        return found

    def to_file(self, file: Any) -> None:
        """Write it in TOML, for review and version control; `from_file` reads it.

        `file` is a path, or a file that is open for writing text. The same policy has the same
        text: the names are sorted, one a line. Limits that are those of every policy are left out.
        """
        from .policy_file import Parts, text_of, write_text

        content = self._content
        limits = {
            name: value
            for name, value in content.limits._asdict().items()
            if value != Limits._field_defaults[name]
        }
        allow = content.names - content.dangerous
        renames = self.renames
        parts = Parts(limits, content.forbidden, content.presets, allow, content.dangerous, renames)
        write_text(file, text_of(parts))

    @classmethod
    def from_file(cls, file: Any) -> Policy:
        """The policy in a file of TOML: a path, or a file that is open for reading.

        Raises ValueError, which says what is wrong and where, for keys that there are not, for
        what is no name, and for names in `allow` that `allow` would refuse: those that run code,
        whatever their arguments are, have to be in the list `dangerous`.
        """
        from .policy_file import parse, read_text

        parts = parse(*read_text(file), PRESETS, Limits._fields, _check_in_file)
        dangerous = frozenset(parts.dangerous)
        names = frozenset(parts.allow) | dangerous
        policy = _policy(_Content(frozenset(), names, dangerous, frozenset(parts.forbid)))
        for preset in parts.presets:
            policy |= getattr(cls, preset)()
        policy = policy.limit(**Limits()._replace(**parts.limit)._asdict())
        return policy.rename(parts.renames)

    @property
    def limits(self) -> Limits:
        """The bounds: memory, objects and depth."""
        return self._content.limits

    @property
    def renames(self) -> dict[str, str]:
        """The names that have another one now; a new dict."""
        return dict(self._content.renames)

    def rule_for(self, module: str, name: str) -> Rule | None:
        """How the name `module.name` may be used; None where it may not be."""
        content = self._content
        full = f"{module}.{name}"
        if content.forbidden and (
            full in content.forbidden or any(_covers(p, module) for p in content.forbidden)
        ):
            return None
        if full in content.names:
            if full in content.dangerous:
                return ANY
            # The checks of its arguments stay, and what is no value of its own is not called.
            checked: Rule | None = PLAIN.get(full) or find_rule(full)
            return checked or ANY
        for table in self._tables:
            if full in table:
                return table[full]
        if full in MEMBERS:
            # Protocols below 4 use these for members of classes that are allowed.
            return MEMBERS[full] if content.presets or content.names else None
        for pattern in self._patterns:
            if _covers(pattern, module) and (pattern in content.dangerous or _danger(full) is None):
                known = find_rule(full)
                if known is not None:
                    return known._replace(is_class=True)
                rule: Rule = PLAIN.get(full, CLASSES)
                return rule
        return None

    def advice_for(self, module: str, name: str) -> str:
        """The line that allows a name."""
        full = f"{module}.{name}"
        preset = preset_with(full)
        if preset is not None and preset not in self._content.presets:
            return f"policy | Policy.{preset}()"
        is_dangerous = _danger(full) is not None or full in PLAIN or preset is not None
        return f"policy.allow({full!r}{', dangerous=True' if is_dangerous else ''})"

    def __or__(self, other: object) -> Policy:
        if not isinstance(other, Policy):
            return NotImplemented
        one, two = self._content, other._content
        renames = dict(one.renames)
        for old, new in two.renames:
            if renames.setdefault(old, new) != new:
                raise ValueError(
                    f"one policy renames {old!r} to {renames[old]!r}, the other to {new!r}"
                )
        return _policy(
            _Content(
                one.presets | two.presets,
                one.names | two.names,
                one.dangerous | two.dangerous,
                one.forbidden | two.forbidden,
                Limits(*map(max, one.limits, two.limits)),
                tuple(sorted(renames.items())),
            )
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        content = self._content
        presets = sorted(content.presets - implied(content.presets))
        text = " | ".join(f"Policy.{preset}()" for preset in presets) or "Policy()"
        if len(presets) > 1 and content != _Content(content.presets):
            text = f"({text})"
        if content.names - content.dangerous:
            text += f".allow({_listed(content.names - content.dangerous)})"
        if content.dangerous:
            text += f".allow({_listed(content.dangerous)}, dangerous=True)"
        if content.forbidden:
            text += f".forbid({_listed(content.forbidden)})"
        others = [
            f"{name}={value}"
            for name, value in content.limits._asdict().items()
            if value != Limits._field_defaults[name]
        ]
        if others:
            text += f".limit({', '.join(others)})"
        return f"{text}.rename({self.renames})" if content.renames else text

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Policy is immutable: its methods return another one")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __init_subclass__(cls) -> None:
        raise TypeError("Policy is not to be subclassed")

    def __reduce__(self) -> Any:
        content = self._content
        names = tuple(tuple(sorted(part)) for part in content[:4])
        parts = (*names, tuple(content.limits))
        return (_policy_of, (*parts, content.renames) if content.renames else parts)


def _policy(content: _Content) -> Policy:
    policy = object.__new__(Policy)
    object.__setattr__(policy, "_content", content)
    patterns = tuple(sorted(name for name in content.names if name.endswith(".*")))
    object.__setattr__(policy, "_patterns", patterns)
    # The one for plain values comes last: others have more for some names.
    tables = tuple(table_of(preset) for preset in sorted(content.presets - {"plain"}))
    tables += tuple(table_of(preset) for preset in content.presets & {"plain"})
    object.__setattr__(policy, "_tables", tables)
    return policy


def _policy_of(*parts: Iterable[Any]) -> Policy:
    presets, names, dangerous, forbidden = map(frozenset, parts[:4])
    renames = tuple(map(tuple, parts[5])) if len(parts) > 5 else ()
    return _policy(_Content(presets, names, dangerous, forbidden, Limits(*parts[4]), renames))


def _covers(pattern: str, module: str) -> bool:
    return pattern.endswith(".*") and (module == pattern[:-2] or module.startswith(pattern[:-1]))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _name_of(what: Any) -> str:
    """The dotted name of a class or function, which it has to be found under; or a name itself."""
    if isinstance(what, str):
        parts = what.removesuffix(".*").split(".")
        if not all(part.isidentifier() for part in parts) or (
            len(parts) < 2 and not what.endswith(".*")
        ):
            raise ValueError(f"{what!r} is no dotted name, nor a pattern as 'package.*'")
        return what
    module = getattr(what, "__module__", None)
    name = getattr(what, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError(f"expected a class, a function or a name, not {type(what).__name__}")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not what:
        raise ValueError(f"{what!r} is not found as {module}.{name}, so no pickle can name it")
    return f"{module}.{name}"


def _check_in_file(name: str, is_dangerous: bool) -> None:
    """Raise ValueError where a name in a file is none, or is one that `allow` would refuse."""
    _name_of(name)
    danger = None if is_dangerous else _danger(name)
    if danger is not None:
        raise ValueError(f"{name!r} {danger}; if a pickle may do that, move it to 'dangerous'")


def _danger(full: str) -> str | None:
    """The danger of a name, however it is divided into that of a module and the rest."""
    if find_rule(full) is not None:
        return None  # its checks stay
    parts = full.split(".")
    if any(part.startswith("__") and part.endswith("__") for part in parts[1:]):
        return "reaches any attribute, and so any function"
    danger = danger_in_calls(full)
    for i in range(1, len(parts)):
        danger = danger or danger_of(".".join(parts[:i]), parts[i])
    return danger


make_public(Policy, PolicyError)
