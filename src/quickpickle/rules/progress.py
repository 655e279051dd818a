"""progress=: telling how far a dump has come, by a bar or by calling a function."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

Report = Callable[[int, int], object]
"""Called with the number of objects and of bytes written so far."""

INTERVAL: Final = 0.1  # seconds between two calls, at least


def check_progress(progress: object) -> None:
    """Raise TypeError where this is not what the parameter `progress` may be."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise TypeError(
            "progress must be True, for a bar, or be callable with the numbers of objects and of "
            f"bytes, not {type(progress).__name__}"
        )


class Reporting:
    """A context that gives what a dump() is to call, or None.

    No generator with `contextmanager`: that sets attributes of exceptions, which some refuse.
    """

    def __init__(self, progress: Any) -> None:
        check_progress(progress)
        self._progress = progress
        self._bar: _NotebookBar | _RichBar | _TqdmBar | None = None

    def __enter__(self) -> Report | None:
        if self._progress is True:
            self._bar = _bar()
            return self._bar
        return None if self._progress is False else self._progress  # a callable may be falsy

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


class Pace:
    """Calls a function at most ten times a second; first when that much time has gone by."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._next = monotonic() + INTERVAL

    def look(self, objects: int, size: int) -> None:
        """Call it, if it is time."""
        if monotonic() >= self._next:
            self._report(objects, size)
            self._next = monotonic() + INTERVAL


def _bar() -> _NotebookBar | _RichBar | _TqdmBar | None:
    """A bar in the notebook, or on stderr; None where that is no terminal, or nothing is installed
    to draw one."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
        return _NotebookBar()
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    for bar in (_RichBar, _TqdmBar):
        try:
            return bar()
        except ImportError:
            pass
    warnings.warn(
        "progress=True shows nothing: neither rich nor tqdm is installed "
        "(pip install 'quickpickle[progress]')",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


class _NotebookBar:
    """An output of the cell. There stderr is no terminal, and IPython is all that is needed."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._text = ""

    def __call__(self, objects: int, size: int) -> None:
        self._text = f"pickling: {objects:,} objects, {size / 1e6:,.1f} MB"
        self._show("<progress></progress> ")  # which moves: there is no end to measure by

    def close(self) -> None:
        if self._handle is not None:
            self._show("")

    def _show(self, bar: str) -> None:
        data = {"text/plain": self._text, "text/html": f"{bar}{self._text}"}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


class _RichBar:
    """There is no end to measure by, so it moves, and says how much is done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("pickling"),
            BarColumn(),
            TextColumn("{task.fields[objects]:,} objects"),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            auto_refresh=False,  # by a thread, which would wait for the dump anyway
        )
        self._task = self._progress.add_task("", total=None, objects=0)

    def __call__(self, objects: int, size: int) -> None:
        self._progress.start()
        self._progress.update(self._task, completed=size, objects=objects, refresh=True)

    def close(self) -> None:
        self._progress.stop()


class _TqdmBar:
    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            desc="pickling", unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr
        )

    def __call__(self, objects: int, size: int) -> None:
        self._bar.set_postfix_str(f"{objects:,} objects", refresh=False)
        self._bar.update(size - self._bar.n)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
