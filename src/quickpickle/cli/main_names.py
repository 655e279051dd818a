"""The option `--main SCRIPT`: pickles that a script has written find its classes in `__main__`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import FunctionType


class ScriptError(Exception):
    """Why a script cannot be run, in one line."""


def advice_for(error: Exception) -> list[str]:
    """A sentence to follow the message of a load's error, if there is one."""
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return ["If it was written by a script: --main SCRIPT"]
    return []


def take_names_of(script: Path) -> None:
    """Put the classes and functions of a script into `__main__`, where its pickles look for them.

    It is run as multiprocessing runs it in processes that it spawns: its name is not `__main__`,
    so that the part for `__main__` is left out. Raises OSError and ScriptError.
    """
    script.open("rb").close()
    main = sys.modules["__main__"]
    before = sys.path[:]
    sys.path.insert(0, str(script.resolve().parent))
    try:
        names = runpy.run_path(str(script), run_name="__mp_main__")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = f"{type(error).__name__}: {error}"
        raise ScriptError(f"cannot run {script}: {' '.join(what.split())}") from error
    finally:
        sys.path[:] = before
    for name, value in names.items():
        if not name.startswith("__"):
            is_named = isinstance(value, (type, FunctionType))
            if is_named and value.__module__ == "__mp_main__":
                value.__module__ = "__main__"
            setattr(main, name, value)
