"""Many cases in one test: as by pytest's parametrize, where each runs for less than a millisecond.

To collect, report and keep a test takes pytest more time, and some 20 KB.
"""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable
from typing import Any


def for_each(name: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Any]:
    """Run a test with each value for one of its arguments. A failure says with which one it was.

    The fixtures are those of the whole test, and a case that is skipped would end it.
    """
    given = list(values)
    assert given

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**arguments: Any) -> None:
            for value in given:
                try:
                    test(**arguments, **{name: value})
                except BaseException as error:
                    error.add_note(f"with {name} = {reprlib.repr(value)}")
                    raise

        del run.__wrapped__  # type: ignore[attr-defined]  # pytest asks the function that it wraps
        signature = inspect.signature(test)
        others = [each for each in signature.parameters.values() if each.name != name]
        assert len(others) == len(signature.parameters) - 1
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        return run

    return decorate
