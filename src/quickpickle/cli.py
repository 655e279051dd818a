"""The command `quickpickle`: reads its arguments and turns what happens into an exit code."""

from __future__ import annotations

import argparse
import pickle
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
        if arguments.command == "bench":
            return _bench(arguments.file, arguments.protocol, arguments.rounds)
        return _demo(arguments.modules, arguments.output)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return _complain(f"the {arguments.command} needs rich: pip install 'quickpickle[cli]'", 2)
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
    text = "time quickpickle and the standard pickler on an object of your own"
    bench = commands.add_parser(
        "bench",
        help=text,
        description=f"{text.capitalize()}, which lies in a pickle, and compare the bytes. Loading "
        "a pickle runs what is in it: only for files that you trust. As python -m quickpickle it "
        "finds the modules of the current directory, too.",
    )
    bench.add_argument("file", metavar="FILE", type=Path, help="a pickle (if several, the first)")
    bench.add_argument(
        "--protocol",
        metavar="N",
        type=int,
        choices=range(pickle.HIGHEST_PROTOCOL + 1),
        help="pickle protocol (default: that of the file)",
    )
    bench.add_argument(
        "--rounds",
        metavar="N",
        type=_positive,
        default=5,
        help="how often each is timed (default: %(default)s)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


# Each imports what it needs itself, because rich is an extra, and slow to import.


def _demo(modules: int | None, output: Path | None) -> int:
    from rich.console import Console

    from .demo import run

    report = run(Console(highlight=False), modules, output)
    if report.problems:
        return _complain("; ".join(report.problems), 1)
    return 0


def _bench(file: Path, protocol: int | None, rounds: int) -> int:
    from rich.console import Console

    from .bench import BenchError, run

    try:
        report = run(Console(highlight=False), file, protocol, rounds)
    except BenchError as error:
        return _complain(str(error), 1)
    if report.identical is False:
        return _complain("the bytes are not those of the standard pickler", 1)
    return 0


def _complain(message: str, code: int) -> int:
    print(f"quickpickle: {message}", file=sys.stderr)
    return code
