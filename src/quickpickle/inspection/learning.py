"""The narrowest Policy under which a pickle loads, from the names in it; nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from ..format import table
from ..format.costs import OBJECT_SIZE
from ..rules.policy import Limits, Policy, _danger
from ..rules.policy_names import MEMBERS
from ..rules.presets import PRESETS
from ..scanning.labels import Labels
from ..scanning.read import scan
from ..scanning.scan import Scanner

_GETATTR: Final = ("builtins", "getattr")
_LONGEST_NAME: Final = 250  # bytes
_MOST: Final = 1 << 62  # objects: the Inspection has counted them


class Learned(NamedTuple):
    """The policy that a pickle needs to be loaded, and the names that it leaves out."""

    policy: Policy
    left_out: dict[str, str]
    """The names that it needs too, but that are not in the policy, and why."""


def learn(inspection: Any, *, dangerous: bool = False) -> Learned:
    """The policy; with `dangerous` names that run code, whatever their arguments are, are in it."""
    policy = Policy()
    names: list[str] = []
    dangers: list[str] = []
    left_out: dict[str, str] = {}
    for module, name in dict.fromkeys(_names(inspection)):
        full = f"{module}.{name}"
        preset = None if full in MEMBERS else _preset_for(module, name)
        if preset is not None:
            policy |= preset
            continue
        try:
            Policy().allow(full, dangerous=True)
        except ValueError:
            left_out[full] = "is no name that a policy can list"
            continue
        danger = _danger(full)
        if danger is None:
            names.append(full)
        elif dangerous:
            dangers.append(full)
        else:
            left_out[full] = danger
    policy = policy.allow(*names).allow(*dangers, dangerous=True)
    return Learned(_with_limits(policy, inspection), left_out)


def _preset_for(module: str, name: str) -> Policy | None:
    for preset in PRESETS:
        policy: Policy = getattr(Policy, preset)()
        if policy.rule_for(module, name) is not None:
            return policy
    return None


def _with_limits(policy: Policy, inspection: Any) -> Policy:
    """The bounds of every policy, or more where one of the pickles needs more."""
    limits = Limits()
    for pickle in inspection.pickles:
        limits = limits._replace(
            objects=max(limits.objects, pickle.opcodes),
            memory=max(limits.memory, pickle.size + OBJECT_SIZE * pickle.opcodes),
        )
    return policy.limit(**limits._asdict())


def _names(inspection: Any) -> Iterator[tuple[str, str]]:
    """The names that the loader asks the policy for."""
    is_getattr = False
    for found in inspection.imports:
        if f"{found.module}.{found.name}" not in MEMBERS:
            yield found.module, found.name
        is_getattr |= (found.module, found.name) == _GETATTR
    if is_getattr:
        yield from _members(inspection)


def _members(inspection: Any) -> Iterator[tuple[str, str]]:
    """The names that getattr is called for: classes in classes, below protocol 4.

    It is getattr itself where that is not an attribute of a class that has a name.
    """
    source, labels = inspection._source, inspection._labels
    calls, _ = scan(_Calls, source, partial(_is_getattr, source), lambda position: None, _MOST)
    if not calls.found:
        yield _GETATTR  # it is only named: as a value, perhaps for another call
    members: dict[int, tuple[str, str]] = {}
    for call, pair in calls.found.items():
        owner, name = pair or (0, 0)
        is_global = calls.kind[owner] == table.GLOBAL
        found = inspection._name(calls.type[owner]) if is_global else members.get(owner)
        text = labels.value(name, _LONGEST_NAME)
        if found is None or not isinstance(text, str):
            yield _GETATTR
        else:
            members[call] = found[0], f"{found[1]}.{text}"
            yield members[call]


class _Calls(Scanner):
    """A scanner that notes what getattr is called with, references included.

    `found` has the node of each call, and those of its two arguments. The numbers of nodes and of
    names are those of the Inspection.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.getattrs: set[int] = set()  # the numbers of its name
        self.found: dict[int, tuple[int, int] | None] = {}
        self._pairs: dict[int, tuple[int, int]] = {}  # tuples of what may be a class, and a text

    def _replace(self, height: int, node: int) -> None:
        items = self._stack[height:] if self.kind[node] == table.TUPLE else ()
        if (
            len(items) == 2
            and self.kind[items[0]] in (table.GLOBAL, table.OBJECT)
            and self.kind[items[1]] in (table.STR, table.STRING)
        ):
            self._pairs[node] = items[0], items[1]
        super()._replace(height, node)

    def _reduce(self, action: int, here: int, size: int) -> None:
        type_ = self._name_of(len(self._stack) - 2)
        arguments = self._stack[-1]
        super()._reduce(action, here, size)  # which asks _is_getattr
        if type_ in self.getattrs:
            self.found[self._stack[-1]] = self._pairs.get(arguments)


def _is_getattr(source: Any, scanner: _Calls, number: int) -> bool:
    """Note the numbers of the name getattr. The answer, that it does not rebuild, is unused."""
    names = Labels(source, scanner).names_of(number)
    if names in (_GETATTR, ("__builtin__", "getattr")):
        scanner.getattrs.add(number)
    return False
