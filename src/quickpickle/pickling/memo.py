"""Which objects were written already, and under what number.

The memo is what makes shared and recursive objects come out shared and recursive. An object
is known by its address, so the memo keeps every object alive: otherwise its address could
be used again. Numbers are handed out in the order in which objects are added.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable


class Memo:
    """The objects written so far, each with its number.

    `numbers` has the number under the object's address, `objects` the objects in their order.
    `complete` of them are of dumps that have ended well. A memo that is cleared or assigned is a
    new one, so that it changes in one step.
    """

    __slots__ = ("complete", "numbers", "objects")

    def __init__(self, numbers: Iterable[int] = (), objects: list[object] | None = None) -> None:
        self.objects: list[object] = [] if objects is None else objects
        self.numbers: dict[int, int] = dict(zip(map(id, self.objects), numbers, strict=True))
        self.complete = len(self.objects)

    def rollback(self) -> None:
        """Forget every object that a failed dump has written.

        Interrupted on its way, it can be called again for the rest.
        """
        for obj in self.objects[self.complete :]:
            self.numbers.pop(id(obj), None)
        del self.objects[self.complete :]

    def contents(self) -> dict[int, tuple[int, object]]:
        """The memo as `pickle` shows it: for each address the number and the object."""
        numbers, objects = self.numbers, self.objects
        return {id(obj): (numbers[id(obj)], obj) for obj in objects}

    def __sizeof__(self) -> int:
        size = object.__sizeof__(self) + sys.getsizeof(self.numbers)
        return size + sys.getsizeof(self.objects)
