"""`quickpickle run`: a script or a module, with quickpickle in the place of pickle."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

from .. import install
from ..rules.tracebacks import drop_frames


class RunError(Exception):
    """Why there is nothing to run, in one line."""


def run(target: str, arguments: Sequence[str], *, is_module: bool) -> None:
    """Run it as `python target arguments` or `python -m target arguments` does.

    It is `__main__`, and stays so when it has ended: what it registered for the exit, and threads
    that go on, find it there. Raises RunError, and whatever it raises itself.
    """
    install()
    main = types.ModuleType("__main__")
    path: str | None
    if is_module:
        _begin_path_with(os.getcwd())
        sys.argv = [target, *arguments]
        spec = _find(target)
        code = spec.loader.get_code(spec.name)  # type: ignore[union-attr]
        if code is None:
            raise RunError(f"there is no code of the module {target}")
        path = spec.origin
        main.__spec__, main.__package__, main.__loader__ = spec, spec.parent, spec.loader
    else:
        _begin_path_with(os.path.dirname(os.path.realpath(target)))
        path = target
        try:
            with io.open_code(os.path.abspath(target)) as file:
                source = file.read()
        except OSError as error:
            raise RunError(str(error)) from error
        code = compile(source, target, "exec", dont_inherit=True)
    if path is not None:
        main.__file__ = path
    main.__builtins__ = sys.modules["builtins"]  # type: ignore[attr-defined]
    sys.argv = [path or target, *arguments]
    # The second is what multiprocessing, imported by now, calls it in processes that it spawns.
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    try:
        exec(code, main.__dict__)
    except BaseException as error:
        drop_frames(error)
        raise


def _begin_path_with(directory: str) -> None:
    """In place of the directory of the command, which comes first so far."""
    if not sys.flags.safe_path:
        sys.path[0] = directory


def _find(name: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        raise RunError(f"there is no module {name}: {error}") from error
    if spec is None or not hasattr(spec.loader, "get_code"):
        raise RunError(f"there is no module {name} that can be run")
    return spec
