"""class Guard: one load, or the loads of one Unpickler, under a policy.

Both implementations ask it at the moment of the opcode, before anything is done. The objects
on the stack come from a few places only: the opcodes make them themselves; a name was found; a call
has returned them; a persistent id or a buffer stands for them. The Guard knows all objects of the
last four kinds that somebody else may hold as well, and lets nothing change them. All others are
made by the load.

Whether a call has made a new object is seen at its references: nobody but the load has one. Where
references are not counted (PyPy), what a call returns is taken for somebody else's unless its class
is made by `object.__new__`.
"""

from __future__ import annotations

import copyreg
import sys
from collections import OrderedDict, defaultdict, deque
from enum import EnumMeta
from types import ModuleType
from typing import Any, Final, NoReturn

from . import policy_objects
from .errors import c_type_name
from .loading import names_in_python3
from .policy import Policy, PolicyError
from .policy_arguments import complaint_of, enum_complaint, is_endless, owner_of
from .policy_costs import Costs
from .policy_names import FACTORIES, MEMBERS, PLAIN, Quick, Rule
from .policy_objects import (
    NEW,
    article,
    count_of,
    full_name,
    is_plainly_made,
    module_of,
    qualname_of,
)
from .presets import import_all
from .versions import HEAP_TYPE

import_all()

_MOST_KNOWN: Final = 1000  # names that a Guard keeps from one load to the next
_CONTAINERS: Final = frozenset({list, dict, set, bytearray})  # a name never stands for these


def check_policy(policy: object) -> Policy:
    """The argument `policy` of load() and others."""
    if type(policy) is not Policy:
        raise TypeError(f"policy must be a Policy, not {c_type_name(type(policy))}")
    return policy


class Known:
    """A name that a load has found."""

    __slots__ = ("full", "load", "obj", "rule")

    def __init__(self, obj: Any, rule: Rule, full: str, load: int) -> None:
        self.obj = obj
        self.rule = rule
        self.full = full
        self.load = load  # the load that has found it


class Guard(Costs):
    """The names that a load has found so far, and the checks of each step.

    The compiled loads() uses a Guard for several loads in turn, so that names are approved once. An
    object counts as found only if this load has named it (`Known.load`).
    """

    __slots__ = (
        "_constructors",
        "_foreign",
        "_meaningless",
        "_objects",
        "approved",
        "fresh",
        "known",
        "load",
        "noted",
        "notes",
        "tools",
        "unfinished",
    )

    finds_path = True  # of what it refuses, at once

    def __init__(self, policy: Policy, by: Any = policy_objects) -> None:
        super().__init__(policy)
        self._objects = by  # what makes objects of classes that the user lists, and changes them
        self.load = 0
        # All that was approved under its own name: by the module, and the name in it.
        self.approved: dict[str, dict[str, Known]] = {}
        # By address; each entry keeps its object alive.
        self.known: dict[int, Known] = {}
        self._foreign: dict[int, Any] = {}
        self.noted: dict[int, Any] = {}  # those that compiled code has to be told of
        self._constructors: dict[type, Any] = {}
        # For the presets: objects that a call has made, which may get their state as long as
        # nothing else was called; objects that wait for their state; and what checks remember.
        self.fresh: dict[int, Any] = {}
        self.unfinished: dict[int, Any] = {}
        self.notes: dict[Any, Any] = {}
        self._meaningless: dict[type, tuple[int, set[str]]] = {}
        self.tools: Any = None  # compiled/load_tools.pxi; None in the pure implementation

    def finish(self) -> None:
        """At the end: what waits for its state is not whole, and compiled code may crash on it."""
        if self.unfinished:
            cls = type(next(iter(self.unfinished.values())))
            self._refuse("states", f"{article(cls)} gets no state", full_name(cls))

    def goes_on(self, error: PolicyError, code: int, stack: list[Any]) -> bool:
        """Whether the pure loop goes on after a refusal: a load never does."""
        return False

    def begin_anew(self) -> bool:
        """For a load that shares nothing with those before, but what was approved.

        Returns whether the Guard can be used for it.
        """
        self.forget()
        self.load += 1
        self._foreign.clear()
        self.noted.clear()
        self.fresh.clear()
        self.unfinished.clear()
        self.notes.clear()
        self._constructors.clear()
        return len(self.known) < _MOST_KNOWN

    # --- names

    def find(
        self, module: str, name: str, proto: int, fix_imports: bool, find: Any, is_hook: bool
    ) -> Any:
        """The object of a name, by `find`, if the policy lists it."""
        real = module, name
        if proto < 3 and fix_imports:
            real = names_in_python3(module, name)
        rule = self._listed(*real)
        obj = find(module, name)
        full = f"{real[0]}.{real[1]}"
        if not is_hook:
            rule, full = self._check_found(*real, obj, rule)
        known = self._note(obj, rule, full)
        if not is_hook and known.rule is rule:
            self.approved.setdefault(real[0], {})[real[1]] = known
        return obj

    def _note(self, obj: Any, rule: Rule, full: str) -> Known:
        known = self._find(obj)
        if known is None:
            known = self.known[id(obj)] = Known(obj, rule, full, self.load)
        elif known.rule is not rule and known.full != full:
            # One object under two names, by a hook: it may do what both may.
            known.rule = rule if known.rule.is_any else known.rule
        return known

    def _find(self, obj: Any) -> Known | None:
        known = self.known.get(id(obj))
        return known if known is not None and known.load == self.load else None

    def quick_rules(self, known: Known) -> tuple[int, int, int, int]:
        """The uses of a name that are allowed without a question, as numbers of policy_names.Quick.

        For arguments of a call, for arguments of NEWOBJ, for states, and for the object itself.
        """
        rule, obj = known.rule, known.obj
        itself = Quick.FACTORY if self.is_factory(obj) else 0
        if not rule.is_any:
            return rule.quick_call, rule.quick_new, rule.quick_state, itself
        if isinstance(obj, EnumMeta):
            return 0, 0, 0, itself
        if not isinstance(obj, type):
            return Quick.ANYTHING, 0, 0, itself
        made_by, set_by = self._constructor(obj)
        is_made = made_by is None or made_by is object
        is_set = set_by is None or set_by is object
        return (
            Quick.ANYTHING if is_made and is_set else Quick.NOTHING,
            Quick.ANYTHING if is_made else Quick.NOTHING,
            Quick.ANYTHING if obj.__flags__ & HEAP_TYPE else 0,
            itself,
        )

    def extension(self, code: int, proto: int, fix_imports: bool, find: Any, is_hook: bool) -> Any:
        """EXT: by the names that the registry has, not by its cache, which stays as it is."""
        names = copyreg._inverted_registry.get(code)  # type: ignore[attr-defined]
        if (
            code <= 0
            or type(names) is not tuple
            or len(names) != 2
            or type(names[0]) is not str
            or type(names[1]) is not str
        ):
            self._refuse("names", f"the extension code {code} stands for no name")
        return self.find(*names, proto, fix_imports, find, is_hook)

    def _listed(self, module: str, name: str) -> Rule:
        rule = self.policy.rule_for(module, name)
        if rule is None:
            self._refuse(
                "names",
                f"it names {module}.{name}, which is not listed",
                f"{module}.{name}",
                self.policy.advice_for(module, name),
            )
        return rule

    def _check_found(self, module: str, name: str, obj: Any, rule: Rule) -> tuple[Rule, str]:
        """Whether an object is the one that the name stands for: its own name is listed too."""
        full = f"{module}.{name}"
        if isinstance(obj, type):
            own: tuple[Any, Any] = module_of(obj), qualname_of(obj)
        else:
            own = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
            holder = getattr(obj, "__self__", None)
            if own[0] is None and isinstance(holder, type):  # a class method of C
                own = module_of(holder), own[1]
            if rule.is_class:
                self._refuse(
                    "names",
                    f"{full} is no class",
                    full,
                    self.policy.advice_for(module, name),
                )
        if own == (module, name):
            return rule, full
        if isinstance(obj, ModuleType) or type(obj) in _CONTAINERS:
            self._refuse("names", f"{full} is a {c_type_name(type(obj))}", full)
        if type(own[0]) is str and type(own[1]) is str:
            # It leads elsewhere, as a name that was imported does.
            found = self.policy.rule_for(*own)
            if found is None or (found.is_class and not isinstance(obj, type)):
                self._refuse(
                    "names",
                    f"{full} leads to {own[0]}.{own[1]}, which is not listed",
                    full,
                    self.policy.advice_for(*own),
                )
            return found, f"{own[0]}.{own[1]}"
        if isinstance(obj, type) or "." in name or (callable(obj) and full in PLAIN):
            self._refuse("names", f"{full} leads to an object with another name", full)
        return rule, full

    # --- calls

    def reduce(self, function: Any, args: Any) -> Any:
        """REDUCE."""
        known = self._callable(function)
        args = self._arguments(args, known)
        if not known.rule.is_any:
            if known.full in MEMBERS:
                return self._call_special(function, args, known)
            self._check(known, known.rule.call, args, "call")
            rule = known.rule
            result = function(*args)
            if rule.may_be_held and count_of(result) > NEW:
                self._foreign[id(result)] = result
            if rule.made is not None:
                rule.made(self, result)
            return result
        self._check_class(known, args, {}, is_called=True)
        result = self._objects.reduce(function, args)
        if count_of(result) > NEW:
            self._foreign[id(result)] = result
        return result

    def _call_special(self, function: Any, args: tuple[Any, ...], known: Known) -> Any:
        if function is getattr:
            return self._member(args, known)
        if function is copyreg.__newobj__ and args:  # type: ignore[attr-defined]
            return self.newobj(args[0], args[1:])
        if function is not copyreg.__newobj_ex__ or len(args) != 3:  # type: ignore[attr-defined]
            self._refuse_call(known, "with other arguments")
        return self.newobj_ex(*args)

    def newobj(self, cls: Any, args: Any) -> Any:
        """NEWOBJ."""
        known = self._callable(cls)
        args = self._arguments(args, known)
        self._check(known, known.rule.new, args, "make")
        if known.rule.is_any:
            self._check_class(known, args, {}, is_called=False)
        result = self._objects.newobj(cls, args)
        if count_of(result) > NEW and not is_plainly_made(known.obj):
            self._foreign[id(result)] = result
        if known.rule.made is not None:
            known.rule.made(self, result)
        return result

    def newobj_ex(self, cls: Any, args: Any, kwargs: Any) -> Any:
        """NEWOBJ_EX."""
        known = self._callable(cls)
        args = self._arguments(args, known)
        if not known.rule.is_any or type(kwargs) is not dict:
            self._refuse_call(known, "with keywords")
        self._charge(kwargs)
        self._check_class(known, args, kwargs, is_called=False)
        result = self._objects.newobj_ex(cls, args, kwargs)
        if count_of(result) > NEW and not is_plainly_made(known.obj):
            self._foreign[id(result)] = result
        return result

    def instantiate(self, cls: Any, args: Any) -> Any:
        """INST and OBJ, which no type of the standard library is written with."""
        known = self._callable(cls)
        args = self._arguments(args, known)
        if not known.rule.is_any:
            self._refuse_call(known, "by INST or OBJ")
        self._check_class(known, args, {}, is_called=True)
        result = self._objects.instantiate(cls, args)
        if count_of(result) > NEW and not is_plainly_made(known.obj):
            self._foreign[id(result)] = result
        return result

    def _callable(self, function: Any) -> Known:
        known = self._find(function)
        if known is None:
            self._refuse(
                "calls",
                f"it calls an object of type {c_type_name(type(function))} that is no listed name",
            )
        return known

    def _arguments(self, args: Any, known: Known) -> tuple[Any, ...]:
        if type(args) is not tuple:
            self._refuse_call(known, "with what is no tuple")
        if self.fresh and not known.rule.is_idle:
            self.fresh.clear()
        for arg in args:
            self._charge(arg)
        self._charge(args)
        return args

    def _check(self, known: Known, check: Any, args: tuple[Any, ...], verb: str) -> None:
        if check is None:
            self._refuse(
                "calls",
                f"{known.full} may be named, but is not to be used to {verb} something",
                known.full,
                self._advice(known),
            )
        complaint = check(self, args)
        if complaint is not None:
            self.refuse_arguments(known, complaint)

    def refuse_arguments(self, known: Known, complaint: str) -> NoReturn:
        """Refuse a call of which its check complains."""
        self._refuse(
            "arguments",
            f"it calls {known.full} with other arguments: {complaint}",
            known.full,
            self._advice(known),
        )

    def _refuse_call(self, known: Known, how: str) -> NoReturn:
        self._refuse("calls", f"it calls {known.full} {how}", known.full)

    def _advice(self, known: Known) -> str:
        return f"policy.allow({known.full!r}, dangerous=True)"

    def _check_class(
        self, known: Known, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_called: bool
    ) -> None:
        """The arguments of what the user has listed: sizes, where a type of C takes them."""
        cls = known.obj
        if is_endless(args) or is_endless(kwargs.values()):
            self._refuse_arguments(known, "a range of millions")
        if self.unfinished and any(id(arg) in self.unfinished for arg in args):
            self._refuse_arguments(known, "an object that waits for its state")
        if not isinstance(cls, type):
            return
        if isinstance(cls, EnumMeta):
            complaint = enum_complaint(cls, args, is_called and not kwargs)
            if complaint is not None:
                self._refuse_arguments(known, complaint)
            self.weigh(args)
            return
        made_by, set_by = self._constructor(cls)
        complaint = None if made_by is None else complaint_of(self, made_by, args, kwargs)
        if complaint is None and set_by is not None and is_called:
            complaint = complaint_of(self, set_by, args, kwargs)
        if complaint is not None:
            self._refuse_arguments(known, complaint)

    def _refuse_arguments(self, known: Known, complaint: str) -> NoReturn:
        self._refuse("arguments", f"it calls {known.full} with {complaint}", known.full)

    def _constructor(self, cls: type) -> tuple[type | None, type | None]:
        """The types of C whose __new__ and __init__ get the arguments: those that are checked."""
        found = self._constructors.get(cls)
        if found is None:
            found = (owner_of(cls, "__new__"), owner_of(cls, "__init__"))
            self._constructors[cls] = found
        made: tuple[type | None, type | None] = found
        return made

    def _member(self, args: tuple[Any, ...], known: Known) -> Any:
        """getattr(cls, name), by which protocols below 4 name a class in a class, or a member."""
        owner = self._find(args[0]) if len(args) == 2 else None
        if owner is None or not isinstance(owner.obj, type) or type(args[1]) is not str:
            self._refuse_call(known, "of what is no listed class")
        cls, name = owner.obj, args[1]
        if isinstance(cls, EnumMeta) and owner.rule.is_any and name in cls.__members__:
            member: Any = cls.__members__[name]
            self._foreign[id(member)] = member
            return member
        module = module_of(cls)
        path = f"{qualname_of(cls)}.{name}"
        rule = self._listed(module, path)
        found = getattr(cls, name)
        rule, full = self._check_found(module, path, found, rule)
        if self._find(found) is None:
            self._note(found, rule, full)
        return found

    # --- what the checks of rules/policy_names.py ask

    def may_be_made(self, cls: Any) -> str | None:
        """The reason why no instance of a class may be made past its __new__; None if it may."""
        known = self._find(cls)
        if known is None or not isinstance(cls, type):
            return "the class is no listed name"
        if isinstance(known.obj, EnumMeta):
            return "an enum has no other members"
        if known.rule.is_any or known.rule.new is not None:
            return None
        return f"{known.full} is not made like this"

    def was_made(self, obj: Any) -> None:
        """Past the `__new__` of its class."""
        rule = self._rule_of(type(obj))
        if rule is not None and rule.made is not None:
            rule.made(self, obj)

    def is_factory(self, obj: Any) -> bool:
        """Whether a defaultdict may call this."""
        known = self._find(obj)
        return known is not None and (known.rule.is_any or known.full in FACTORIES)

    def name_of(self, obj: Any) -> str | None:
        """The listed name that this load has found an object by."""
        known = self._find(obj)
        return None if known is None else known.full

    def is_listed_instance(self, obj: Any) -> bool:
        """Whether the class of an object is one that the user lists."""
        rule = self._rule_of(type(obj))
        return rule is not None and rule.is_any

    def names_without_a_meaning(self, cls: type) -> set[str]:
        """Names that neither a class nor a base of it has, as far as they were looked at.

        Those that earlier loads have found count while the class has the version that it had then.
        """
        version = 0 if self.tools is None else self.tools.version_of(cls)
        found = self._meaningless.get(cls)
        if found is None or not version or found[0] != version:
            found = version, set()
            if version and len(self._meaningless) < _MOST_KNOWN:
                self._meaningless[cls] = found
        return found[1]

    # --- changes of objects

    def build(self, obj: Any, state: Any) -> None:
        """BUILD."""
        cls = type(obj)
        self._refuse_foreign(obj, "BUILD")
        rule = self._rule_of(cls)
        complaint = None
        if rule is None:
            complaint = "the class is not listed"
        else:
            if not rule.is_idle:
                self.fresh.clear()
            if rule.built is not None:
                if type(state) is dict:
                    state = state.copy()  # a __setstate__ may keep it, and the pickle change it
                complaint = rule.built(self, obj, state)
            elif rule.state is not None:
                complaint = rule.state(self, state)
            else:
                complaint = "it has none"
        if complaint is not None:
            self.refuse_state(cls, complaint)
        self._charge(state)
        if type(state) is tuple:
            for part in state:
                self._charge(part)
        if type(state) is dict:
            self.weigh(state)
        self.set_state(obj, state)

    def refuse_state(self, cls: type, complaint: str) -> NoReturn:
        """Refuse a state of which its check complains."""
        self._refuse(
            "states",
            f"it gives {article(cls)} a state: {complaint}",
            full_name(cls),
            self.policy.advice_for(module_of(cls), qualname_of(cls)),
        )

    def set_state(self, obj: Any, state: Any) -> None:
        """A state that was checked."""
        policy_objects.set_state(self._objects, obj, state)

    def append_items(self, obj: Any, items: list[Any]) -> None:
        """APPEND and APPENDS."""
        self._refuse_foreign(obj, "APPEND")
        cls = type(obj)
        if cls is list:
            obj.extend(items)
            return
        if cls is deque:
            self._nest(obj, items)
            obj.extend(items)
            return
        self._check_items(cls, "a", "APPEND")
        extend = self._objects.find_method(obj, "extend")
        if extend is not None:
            extend(items)
            return
        policy_objects.call_for_each(self._objects, obj, "append", items)

    def set_items(self, obj: Any, items: list[Any]) -> None:
        """SETITEM and SETITEMS."""
        self._refuse_foreign(obj, "SETITEM")
        cls = type(obj)
        if cls is not dict:
            if cls is not OrderedDict and cls is not defaultdict:
                self._check_items(cls, "s", "SETITEM")
            if cls is defaultdict:
                self._nest(obj, items[1::2])
            if not issubclass(cls, dict) and any(type(key) is slice for key in items[::2]):
                # list(range(10**12)) under another name
                self._refuse("arguments", "it sets a slice", full_name(cls))
        self.weigh(items[::2], obj if issubclass(cls, dict) else ())
        self._objects.set_items(obj, items)

    def add_items(self, obj: Any, items: list[Any]) -> None:
        """ADDITEMS."""
        self._refuse_foreign(obj, "ADDITEMS")
        cls = type(obj)
        self.weigh(items, obj if issubclass(cls, set) else ())
        if cls is set:
            obj.update(items)
            return
        self._check_items(cls, "a", "ADDITEMS")
        if issubclass(cls, set):
            set.update(obj, items)
            return
        policy_objects.call_for_each(self._objects, obj, "add", items)

    def foreign(self, obj: Any) -> Any:
        """An object of somebody else: it may be in the result, and stays as it is."""
        self._foreign[id(obj)] = self.noted[id(obj)] = obj
        return obj

    def is_foreign(self, obj: Any) -> bool:
        """Whether somebody else may hold an object."""
        return id(obj) in self._foreign or self._find(obj) is not None

    def _refuse_foreign(self, obj: Any, opcode: str) -> None:
        if self.is_foreign(obj):
            self._refuse(
                "objects changed",
                f"{opcode} would change an object that this load has not made:"
                f" {article(type(obj))}",
                full_name(type(obj)),
            )

    def _check_items(self, cls: type, kind: str, opcode: str) -> None:
        self.fresh.clear()
        rule = self._rule_of(cls)
        if rule is None or kind not in rule.items:
            self._refuse(
                "states",
                f"{opcode} of {article(cls)}, which gets no items like this",
                full_name(cls),
            )

    def _rule_of(self, cls: type) -> Rule | None:
        """The rule of the class of an instance, by its own name."""
        known = self._find(cls)
        if known is not None:
            return known.rule
        module, name = module_of(cls), qualname_of(cls)
        if type(module) is not str:
            return None
        rule = self.policy.rule_for(module, name)
        if rule is None:
            return None
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        return rule if found is cls else None
