"""`quickpickle inspect FILE --policy POLICY`: what a policy refuses in the pickles of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..inspection.printable import counted, printable
from .main_names import advice_for
from .terminal import Screen

if TYPE_CHECKING:
    from .. import Policy
    from ..inspection import Inspection


class CheckError(Exception):
    """Why a pickle cannot be checked, in one line."""


class Violation(NamedTuple):
    """A refusal, as in PolicyError, but with its place in the file."""

    pickle: int
    offset: int | None
    path: str | None
    rule: str
    name: str | None
    message: str
    advice: str | None


def find_violations(policy: Policy, inspection: Inspection) -> list[Violation]:
    """Those of all pickles of a file. Raises CheckError."""
    found = []
    for number, pickle in enumerate(inspection.pickles):
        data = inspection.read(pickle.start, pickle.size)
        try:
            errors = policy.check(data)
        except Exception as error:
            place = f" number {number}" if len(inspection.pickles) > 1 else ""
            advice = ""
            if of_script := advice_for(error):
                advice = f". {of_script[0]}"
            elif isinstance(error, ImportError | AttributeError):
                advice = (
                    ". To check it, the modules of the classes that the policy lists are imported: "
                    "run this where they are installed, or as python -m quickpickle where they lie"
                )
            what = printable(f"{type(error).__name__}: {error}")
            raise CheckError(f"the pickle{place} cannot be checked: {what}{advice}") from error
        for refusal in errors:
            offset = None if refusal.offset is None else pickle.start + refusal.offset
            path = refusal.path
            if path is not None and len(inspection.pickles) > 1:
                path = f"objs[{number}]{path.removeprefix('obj')}"
            message = "; ".join([str(refusal.args[0]), *getattr(refusal, "__notes__", ())])
            found.append(
                Violation(number, offset, path, refusal.rule, refusal.name, message, refusal.advice)
            )
    return found


def print_violations(
    screen: Screen, violations: Sequence[Violation], name: str, policy_name: str
) -> None:
    """The first violation of each kind with its place, and how many more there are of it."""
    name, policy_name = printable(name), printable(policy_name)
    if not violations:
        screen.line(f"{name}: {policy_name} refuses nothing in it")
        return
    screen.line(f"{name}: {counted(len(violations), 'violation')} of {policy_name}", "alarm")
    kinds = Counter(map(_kind, violations))
    seen: set[Any] = set()
    for violation in violations:
        kind = _kind(violation)
        if kind in seen:
            continue
        seen.add(kind)
        place = "" if violation.offset is None else f"at byte {violation.offset:,}"
        if violation.path is not None:
            place += f", {printable(violation.path)}"
        text = f"  {place}: {printable(violation.message)} (rule: {violation.rule})"
        screen.line(text)
        if kinds[kind] > 1:
            screen.line(f"    and {counted(kinds[kind] - 1, 'time')} more", "quiet")
        if violation.advice is not None:
            screen.line(f"    if you trust it: {printable(violation.advice)}", "quiet")


def _kind(violation: Violation) -> tuple[str, str | None, str]:
    return violation.rule, violation.name, violation.message
