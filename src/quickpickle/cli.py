"""The command `quickpickle`: reads its arguments and turns what happens into an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments `argv`, by default the process's own.

    Returns the exit code: 0 if all is well, 1 if a check or the system said no, 2 if something
    is missing, 130 after Ctrl-C. As argparse has it, `--help`, `--version` and wrong arguments
    raise SystemExit.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    try:
        return _demo(arguments.modules, arguments.output)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except OSError as error:
        return _complain(str(error), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quickpickle",
        description="pickle.Pickler built anew: the same bytes, no recursion limit.",
    )
    parser.add_argument("--version", action="version", version=f"quickpickle {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    text = "pickle the syntax trees of the standard library and check the result"
    demo = commands.add_parser(
        "demo",
        help=text,
        description=f"{text.capitalize()}: the bytes against those of the standard pickler, "
        "and what pickle.load makes of them against the trees.",
    )
    demo.add_argument(
        "--modules", metavar="N", type=_positive, help="only the first N modules, by name"
    )
    demo.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="where to write the pickle (default: a file in a new temporary directory)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def _demo(modules: int | None, output: Path | None) -> int:
    try:
        # Only here, because rich is an extra, and slow to import.
        from rich.console import Console

        from .demo import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return _complain("the demo needs rich: pip install 'quickpickle[cli]'", 2)
    report = run(Console(highlight=False), modules, output)
    if report.problems:
        return _complain("; ".join(report.problems), 1)
    return 0


def _complain(message: str, code: int) -> int:
    print(f"quickpickle: {message}", file=sys.stderr)
    return code
