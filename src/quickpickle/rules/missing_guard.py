"""class PlaceholderGuard: a Guard whose refusals become Placeholders (see rules/missing.py).

The same Guard decides. An object that it refuses is not imported, called or changed. Its limits are
errors here as well, and so is a change of an object that it does not let through.
"""

from __future__ import annotations

import copyreg
from typing import Any, Final

from ..format.costs import OBJECT_SIZE
from .enforcement import Guard
from .missing import PlaceholderMaker
from .placeholders import Placeholder
from .policy import Policy, PolicyError

_SIZE: Final = 160  # bytes: an upper bound of what a Placeholder takes without its parts


class PlaceholderGuard(PlaceholderMaker, Guard):
    """The Guard of loads with `missing="placeholder"`."""

    __slots__ = ("names", "setters")

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.names = {}
        self.setters = []

    def begin_anew(self) -> bool:
        return False  # its names are of the pickles that it has loaded

    def refuses(self, error: Exception) -> bool:
        return isinstance(error, PolicyError)

    def ends_the_load(self, error: Exception) -> bool:
        return super().ends_the_load(error) or (isinstance(error, PolicyError) and error.is_limit)

    def charge(self, size: int) -> None:
        self.copied += size
        self.check_copied()

    def account(self, made: Placeholder) -> Placeholder:
        self.charge(_SIZE + OBJECT_SIZE * len(made.args or ()) + len(made._reason or ""))
        return made

    def extension(self, code: int, proto: int, fix_imports: bool, find: Any, is_hook: bool) -> Any:
        """EXT. The cache of copyreg does not count, as for any Guard."""
        if code not in copyreg._inverted_registry:  # type: ignore[attr-defined]
            made = self.unregistered(code)
            if made is not None:
                return made
        return super().extension(code, proto, fix_imports, find, is_hook)

    def build(self, obj: Any, state: Any) -> None:
        if type(obj) is Placeholder:
            obj.__setstate__(state)
        else:
            super().build(obj, state)

    def append_items(self, obj: Any, items: list[Any]) -> None:
        if type(obj) is Placeholder:
            obj.extend(items)
        else:
            super().append_items(obj, items)

    def set_items(self, obj: Any, items: list[Any]) -> None:
        if type(obj) is Placeholder:
            for i in range(0, len(items), 2):
                obj[items[i]] = items[i + 1]
        else:
            super().set_items(obj, items)
