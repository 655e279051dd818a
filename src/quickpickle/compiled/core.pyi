from typing import Any, final

from ..digest import object_digest as object_digest
from ..optimization import optimize as optimize
from ..pickling.functions import dump as dump
from ..pickling.functions import dumps as dumps
from ..pickling.functions import dumps_with_hooks as dumps_with_hooks
from ..pickling.pickler import Pickler as Pickler

@final
class MetObjects:
    kept: list[Any]
    shared: list[Any]
    longest: int

    def __init__(self, separator: type, least: int) -> None: ...
    @property
    def most(self) -> int: ...
    def note(self, obj: Any, /) -> None: ...
    def clear(self) -> None: ...
