"""The facts about an opcode that has failed, from which hints are made (rules/loading_hints.py)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from .reductions import ABSENT
from .renames import Renames

CHANGED: Final = "since the pickle was written"


class Facts(NamedTuple):
    """The known facts about the opcode that has failed."""

    opcode: str | None = None  # its name
    module: str | None = None  # of the class or function that it is about, after `renames`
    name: str | None = None
    target: Any = ABSENT  # what was called, or changed
    proto: int = 0
    fix_imports: bool = True
    encoding: str = "ASCII"
    in_pickle: tuple[str, str] | None = None  # module and name before `renames`, if not the same
    renames: Renames | None = None


def message_of(error: BaseException) -> str:
    """The message of an exception; empty where its first argument is no str."""
    return error.args[0] if error.args and type(error.args[0]) is str else ""
