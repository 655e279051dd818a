"""The places of a pickle that do not load, for `quickpickle diagnose`: not only the first.

The pickle is loaded again and again. Names that are not found become Placeholders, and so do the
classes and functions that have failed in an earlier load, so that the next one gets farther.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from .. import Unpickler, inspect
from .._implementation import find_scanner
from ..format.table import OPCODE_NAMES
from ..inspection.printable import counted, printable
from ..rules.load_facts import Facts
from ..rules.loading_hints import find_load_hint
from ..rules.notes import LOAD_HEAD
from ..scanning.places import Found, locate
from ..scanning.source import Data

_MOST_LOADS: Final = 20
# Their code may fail because it gets a Placeholder.
_STATES: Final = (
    "BUILD",
    "APPEND",
    "APPENDS",
    "ADDITEMS",
    "SETITEM",
    "SETITEMS",
    "DICT",
    "FROZENSET",
)
_FOLLOWS: Final = "Look at the other places first: this may be because of them."


class Fault(NamedTuple):
    """One place: where it is, and the lines about it."""

    place: str
    lines: list[str]


class Faults(NamedTuple):
    """The places that were found. Behind an error that nothing stands for there may be more."""

    found: list[Fault]
    is_complete: bool

    def lines(self) -> list[str]:
        """The text, for a terminal."""
        count = len(self.found)
        verb = "does" if count == 1 else "do"
        lines = [f"{counted(count, 'place')} that {verb} not load:"]
        for fault in self.found:
            lines.append(fault.place)
            lines.extend(f"    {line}" for line in fault.lines)
        if not self.is_complete:
            lines.append("The rest was not looked at.")
        return [printable(line) for line in lines]


def find_faults(data: bytes) -> Faults:
    """Load a pickle as often as that finds more places that fail. This runs what is in it."""
    refused: set[tuple[str, str]] = set()
    missed: dict[tuple[str, str], Exception] = {}
    failed: list[Fault] = []
    is_complete = False
    for _ in range(_MOST_LOADS):
        try:
            _Loads(data, refused, missed).load()
        except MemoryError:
            raise
        except Exception as error:
            at = _opcode_of(data, error)
            others: list[str] = []
            if OPCODE_NAMES.get(at.code) in _STATES:
                others = [one.place for one in failed]
                others += [_first_uses(data).get(one, "") for one in missed]
            failed.append(_fault_of(error, others))
            if at.names is None or at.names in refused:
                break
            refused.add(at.names)
        else:
            is_complete = True
            break
    return Faults([*_missing_names(data, missed), *failed], is_complete)


class _Loads(Unpickler):
    """Has Placeholders for the names that are refused, and for those that are not found."""

    def __init__(self, data: bytes, refused: set[Any], missed: dict[Any, Exception]) -> None:
        super().__init__(io.BytesIO(data), missing="placeholder")
        self.refused = refused
        self.missed = missed

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) in self.refused:
            raise LookupError
        try:
            return super().find_class(module, name)
        except Exception as error:
            self.missed.setdefault((module, name), error)
            raise


def _missing_names(data: bytes, missed: dict[tuple[str, str], Exception]) -> Iterable[Fault]:
    """The first place of each name that is not found."""
    if not missed:
        return
    paths = _first_uses(data)
    for (module, name), error in missed.items():
        facts = Facts("GLOBAL", module, name, proto=data[1] if data[:1] == b"\x80" else 0)
        path = paths.get((module, name), "an object")
        yield Fault(
            f"{path}  (looking up {module}.{name})", _lines(error, find_load_hint(error, facts))
        )


def _first_uses(data: bytes) -> dict[tuple[str, str], str]:
    """The path of the first use of each name, where it is known."""
    imports = inspect(data).imports
    return {(one.module, one.name): one.path for one in imports if one.path}


def _fault_of(error: Exception, others: list[str]) -> Fault:
    """The place of an exception. `others` are those that it may be because of."""
    for note in getattr(error, "__notes__", ()):
        if type(note) is str and note.startswith(LOAD_HEAD):
            place, _, hint = note.removeprefix(LOAD_HEAD).partition("\n")
            path = place.partition(" (")[0]
            if any(path in other for other in others):  # there is a Placeholder in it
                hint = _FOLLOWS
            elif others:  # or another reference to one
                hint = f"{hint}\n{_FOLLOWS}".lstrip()
            return Fault(place.replace(" (", "  (", 1), _lines(error, hint))
    return Fault("the pickle", _lines(error, None))


def _lines(error: Exception, hint: str | None) -> list[str]:
    message = " ".join(f"{type(error).__qualname__}: {error}".split())
    return [message, *(hint.split("\n") if hint else ())]


def _opcode_of(data: bytes, error: Exception) -> Found:
    """The opcode at which a load has failed, and the class or function that this is about."""
    offset = getattr(error, "offset", None)
    if type(offset) is not int or not 0 <= offset < len(data):
        return Found(0)
    return locate(find_scanner(), Data(data), offset, offset + 1, False)
