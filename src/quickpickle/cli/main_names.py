"""Where a command finds the classes of a pickle: the option `--main SCRIPT`, and the folder.

Pickles that a script has written name its classes as those of `__main__`.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, Final

_SCRIPT: Final = "__mp_main__"  # as multiprocessing calls it in processes that it spawns


class ScriptError(Exception):
    """Why a script cannot be run, in one line."""


def advice_for(error: BaseException) -> list[str]:
    """A sentence to follow the message of a load's error, if there is one."""
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return ["If it was written by a script: --main SCRIPT"]
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        is_here = os.path.isfile(f"{name}.py") or os.path.isdir(name)
        if is_here and os.getcwd() not in map(os.path.abspath, sys.path):
            return [f"{name} is in this folder, where python -m quickpickle finds it"]
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
        names = runpy.run_path(str(script), run_name=_SCRIPT)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = f"{type(error).__name__}: {error}"
        raise ScriptError(f"cannot run {script}: {' '.join(what.split())}") from error
    finally:
        sys.path[:] = before
    _rename(names)
    for name, value in names.items():
        if not name.startswith("__"):
            setattr(main, name, value)
    # Names that are not renamed, as those of classes that a function makes, are found there too.
    sys.modules[_SCRIPT] = main


def _rename(names: Mapping[str, Any]) -> None:
    """Let the classes and functions be those of `__main__`, with those in the classes."""
    rest = [names]
    while rest:
        for value in rest.pop().values():
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if isinstance(value, (type, FunctionType)) and value.__module__ == _SCRIPT:
                value.__module__ = "__main__"
                if isinstance(value, type):
                    rest.append(vars(value))
