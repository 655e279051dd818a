"""The command `quickpickle`: reads its arguments and turns what happens into an exit code."""

from __future__ import annotations

import argparse
import io
import pickle
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .. import __version__
from .._implementation import find_scanner
from ..files.compression import name_of_compression
from ..format.foreign import LOOKED_AT, OLD_TORCH, recognise
from ..inspection import MAX_OBJECTS, PURE_SCANNER, Inspection
from ..inspection.printable import printable
from ..rules.kinds import DANGEROUS, UNKNOWN
from ..rules.policy import Policy

_SLOW: Final = 5_000_000  # bytes of a pickle that the scanner in Python takes seconds for


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments `argv`, by default the process's own.

    Returns the exit code: 0 if all is well, 1 if a check or the system said no, 2 if something
    is missing, 130 after Ctrl-C. As argparse has it, `--help`, `--version` and wrong arguments
    raise SystemExit.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal may have no sign for what a pickle has in it, or for the lines of a table.
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command != "run":
        # They are None where they are closed, as `>&-` does it.
        sys.stdout = sys.stdout or io.StringIO()
        sys.stderr = sys.stderr or io.StringIO()
    if arguments.command is None:
        parser.print_help()
        return 0
    if arguments.command == "run":
        return _run(arguments)  # what that raises is its own
    try:
        if arguments.command == "bench":
            return _bench(arguments)
        if arguments.command == "inspect":
            return _inspect(arguments)
        if arguments.command == "diagnose":
            return _diagnose(arguments.file, arguments.strict, arguments.main)
        if arguments.command == "policy":
            return _policy_learn(arguments)
        if arguments.command == "recover":
            return _recover(arguments)
        return _demo(arguments.modules, arguments.output)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "plotly":
            raise
        return _complain("--html needs plotly: pip install 'quickpickle[html]'", 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except OSError as error:
        return _complain(str(error), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quickpickle",
        description="A drop-in replacement for pickle: the same bytes, faster, no recursion limit.",
    )
    parser.add_argument("--version", action="version", version=f"quickpickle {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_demo(commands)
    _add_bench(commands)
    _add_inspect(commands)
    _add_diagnose(commands)
    _add_policy(commands)
    _add_recover(commands)
    _add_run(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[Any]) -> None:
    text = "pickle the syntax trees of the standard library, load them, and check the result"
    demo = commands.add_parser(
        "demo",
        help=text,
        description=f"{text.capitalize()}: the bytes against those of the standard pickler, "
        "and what is loaded against the trees. Both are timed against pickle, with each side first "
        "in turn; the shortest time counts.",
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


def _add_bench(commands: argparse._SubParsersAction[Any]) -> None:
    text = "time quickpickle and pickle on an object of your own, in both directions"
    bench = commands.add_parser(
        "bench",
        help=text,
        description=f"{text.capitalize()}. It is loaded from FILE. Bytes and objects are "
        "compared, too. Loading a pickle runs what is in it: only for files that you trust. As "
        "python -m quickpickle it finds the modules of the current directory, too.",
    )
    bench.add_argument("file", metavar="FILE", type=Path, help="a pickle, or several: the first")
    bench.add_argument(
        "--protocol",
        metavar="N",
        type=int,
        choices=range(pickle.HIGHEST_PROTOCOL + 1),
        help="pickle protocol (default: that of the file)",
    )
    _add_main(bench)
    bench.add_argument(
        "--rounds",
        metavar="N",
        type=_positive,
        default=5,
        help="how often each is timed (default: %(default)s)",
    )


def _add_main(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--main",
        metavar="SCRIPT",
        type=Path,
        help="take the classes of __main__ from this script, which is run, but not as __main__",
    )


def _add_inspect(commands: argparse._SubParsersAction[Any]) -> None:
    text = "say what is in a pickle and what takes the space, without loading it"
    inspect = commands.add_parser(
        "inspect",
        help=text,
        description=f"{text.capitalize()}. Nothing in it is imported or run, so it is safe on a "
        "file from a stranger. The exit code is 1 if the file is cut short, damaged or no pickle, "
        "or if it has what --policy or a --fail-on option refuses.",
    )
    inspect.add_argument(
        "file",
        metavar="FILE",
        help="a file of one or more pickles, not compressed; - is the standard input",
    )
    inspect.add_argument(
        "--tree",
        metavar="DEPTH",
        type=_positive,
        default=0,
        help="also show the tree of objects, so many levels of it (in --json: 3)",
    )
    inspect.add_argument(
        "--top",
        metavar="N",
        type=_positive,
        default=10,
        help="how many names, types, objects, and members of an object (default: %(default)s)",
    )
    inspect.add_argument(
        "--max-objects",
        metavar="N",
        type=_positive,
        default=MAX_OBJECTS,
        help="read no further than so many objects, at about 50 bytes each (default: %(default)s)",
    )
    inspect.add_argument(
        "--policy",
        metavar="POLICY",
        help="list what this policy, a file of TOML, refuses in it, and exit with 1 if that is "
        "anything; the modules of classes that the policy lists are imported",
    )
    _add_main(inspect)
    inspect.add_argument(
        "--fail-on-dangerous",
        action="store_true",
        help="exit with 1 if it names what is known to run code",
    )
    inspect.add_argument(
        "--fail-on-unknown",
        action="store_true",
        help="exit with 1 also if it names what is not known to be harmless, which may run code",
    )
    inspect.add_argument("--json", action="store_true", help="print everything as JSON instead")
    inspect.add_argument(
        "--html",
        metavar="OUT",
        type=Path,
        help="write a page with a chart of the bytes that can be zoomed, in place of the tables",
    )


def _add_diagnose(commands: argparse._SubParsersAction[Any]) -> None:
    text = "load a pickle, and say what in it cannot be pickled again or comes back different"
    diagnose = commands.add_parser(
        "diagnose",
        help=text,
        description=f"{text.capitalize()}: quickpickle.diagnose(obj, round_trip=True). If it does "
        "not load, say where and why, for each name and class that fails, for which it is loaded "
        "several times. The exit code is 1 if there is anything. Loading a pickle runs what is in "
        "it: only for files that you trust. As python -m quickpickle it finds the modules of the "
        "current directory, too.",
    )
    diagnose.add_argument("file", metavar="FILE", help="a pickle, or several: the first")
    _add_main(diagnose)
    diagnose.add_argument(
        "--strict", action="store_true", help="also say what may surprise whoever reads it"
    )


def _add_policy(commands: argparse._SubParsersAction[Any]) -> None:
    text = "make a policy, which says what a pickle may name and call"
    policy = commands.add_parser("policy", help=text, description=f"{text.capitalize()}.")
    actions = policy.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "print the narrowest policy under which the files load"
    learn = actions.add_parser(
        "learn",
        help=text,
        description=f"{text.capitalize()}, as TOML for quickpickle.Policy.from_file. They are "
        "read, not loaded. Use files that you trust, and look at the names in the policy: whoever "
        "writes a pickle for it can use them all.",
    )
    learn.add_argument(
        "files", metavar="FILE", nargs="+", help="a file of one or more pickles, not compressed"
    )
    learn.add_argument(
        "--dangerous",
        action="store_true",
        help="also list names that run code, whatever their arguments are",
    )


def _add_recover(commands: argparse._SubParsersAction[Any]) -> None:
    text = "load what a pickle still holds that is cut off or damaged, and pickle that"
    recover = commands.add_parser(
        "recover",
        help=text,
        description=f"{text.capitalize()}: quickpickle.recover(file). The exit code is 1 if the "
        "pickle is not whole, also where a file is written. Loading a pickle runs what is in it: "
        "only for files that you trust, or with a policy. As python -m quickpickle it finds the "
        "modules of the current directory, too.",
    )
    recover.add_argument("file", metavar="FILE", help="a pickle, or several: the first")
    _add_main(recover)
    recover.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the pickle to be written (default: say what is left, and write nothing)",
    )
    recover.add_argument(
        "--policy", metavar="POLICY", help="load under this policy, a file of TOML"
    )


def _add_run(commands: argparse._SubParsersAction[Any]) -> None:
    text = "run a script or a module with quickpickle in the place of pickle"
    run = commands.add_parser(
        "run",
        help=text,
        description=f"{text.capitalize()}: quickpickle.install() before anything of it is "
        "imported.",
        usage="quickpickle run [-h] (SCRIPT | -m MODULE) ...",
    )
    run.add_argument("-m", action="store_true", dest="is_module", help="run a module")
    run.add_argument("target", metavar="SCRIPT or MODULE", help="what to run")
    run.add_argument("arguments", metavar="...", nargs=argparse.REMAINDER, help="its arguments")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


# Each imports what it needs itself: the others are not slowed by it.


def _demo(modules: int | None, output: Path | None) -> int:
    from .demo import run
    from .terminal import Screen, until_closed

    report = None  # if nobody reads on
    with until_closed():
        report = run(modules, output, screen=Screen())
    if report is not None and report.problems:
        return _complain("; ".join(report.problems), 1)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from .bench import BenchError, run
    from .main_names import ScriptError, take_names_of
    from .terminal import Screen, until_closed

    try:
        if arguments.main is not None:
            take_names_of(arguments.main)
        report = None  # if nobody reads on
        with until_closed():
            report = run(arguments.file, arguments.protocol, arguments.rounds, screen=Screen())
    except (BenchError, ScriptError) as error:
        return _complain(str(error), 1)
    if report is not None and report.problems:
        return _complain("; ".join(report.problems), 1)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from .run import RunError, run

    try:
        run(arguments.target, arguments.arguments, is_module=arguments.is_module)
    except RunError as error:
        return _complain(str(error), 1)
    return 0


def _is_same(one: str, other: str) -> bool:
    return Path(one).exists() and Path(one).samefile(other)


def _inspect(arguments: argparse.Namespace) -> int:
    from .. import inspect
    from .main_names import ScriptError, take_names_of
    from .report import print_report
    from .terminal import Screen, Status, bytes_read, until_closed
    from .violations import CheckError, find_violations, print_violations

    if arguments.html is not None:
        from ..inspection.page import write_page

    is_stream = arguments.file == "-"
    if arguments.html is not None and not is_stream and _is_same(arguments.html, arguments.file):
        return _complain("the page would take the place of the pickle: name another file", 2)
    if is_stream and sys.stdin is None:
        return _complain("the standard input is closed", 1)
    policy = None
    try:
        if arguments.main is not None:
            take_names_of(arguments.main)
        if arguments.policy is not None:
            policy = Policy.from_file(arguments.policy)
    except ScriptError as error:
        return _complain(printable(str(error)), 1)
    except ValueError as error:
        return _complain(printable(str(error)), 2)
    name = "standard input" if is_stream else arguments.file
    file = sys.stdin.buffer if is_stream else Path(arguments.file)
    size = None if is_stream else Path(arguments.file).stat().st_size
    if size is not None and size > _SLOW and find_scanner().__module__ == PURE_SCANNER:
        _complain_of_slowness(size)
    with Status() as status:
        progress = bytes_read(status, size)
        inspection = inspect(file, progress=progress, max_objects=arguments.max_objects)
    if inspection.error is None and recognise(inspection.read(0, LOOKED_AT)) == OLD_TORCH:
        _complain(f"{name}: {OLD_TORCH}", 0)  # it has more than the pickles that are shown
    code, violations = _verdict(inspection, name, arguments), []
    if policy is not None and inspection.error is None:
        try:
            violations = find_violations(policy, inspection)
        except CheckError as error:
            return _complain(f"{name}: {error}", 1)
    if arguments.html is not None:
        write_page(arguments.html, inspection, name)
    with until_closed():
        screen = Screen()
        if arguments.json:
            figures = inspection.as_dict(arguments.tree or 3, arguments.top)
            if policy is not None:
                figures["violations"] = [one._asdict() for one in violations]
            _print_json(figures)
        elif arguments.html is not None:
            written = arguments.html.stat().st_size / 1e6
            screen.line(f"wrote {arguments.html} ({written:.1f} MB): open it in a browser")
        elif policy is None and not _is_unread(inspection):
            print_report(screen, inspection, name, depth=arguments.tree, top=arguments.top)
        if policy is not None and inspection.error is None and not arguments.json:
            print_violations(screen, violations, name, arguments.policy)
    return 1 if violations else code


def _complain_of_slowness(size: int) -> None:
    _complain(
        f"reading {size / 1e6:,.0f} MB without the compiled scanner, which was not built or is "
        "switched off by QUICKPICKLE_PURE: that takes some thirty times as long",
        0,
    )


def _diagnose(file: str, strict: bool, script: Path | None) -> int:
    from .. import diagnose, load
    from .main_names import ScriptError, advice_for, take_names_of
    from .terminal import until_closed

    try:
        if script is not None:
            take_names_of(script)
        obj = load(file)
    except ScriptError as error:
        return _complain(printable(str(error)), 1)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        message = printable(". ".join([_line(error), *advice_for(error)]))
        with until_closed():
            _print_faults(file, error)
        return _complain(f"{printable(file)} does not load: {message}", 1)
    if _is_old_torch(file):
        return _complain(f"{printable(file)}: {OLD_TORCH}", 1)
    problems = diagnose(obj, strict=strict, round_trip=True)
    with until_closed():
        for line in repr(problems).split("\n"):
            print(printable(line))
    return 1 if problems else 0


def _is_old_torch(file: str) -> bool:
    """Whether torch.save wrote a file before it wrote ZIP files: its first pickle is a number."""
    from ..files.compression import decompressed, with_its_start
    from ..files.urls import open_to_read

    with open_to_read(file, -1) as opened:
        return recognise(decompressed(with_its_start(opened)).read(LOOKED_AT)) == OLD_TORCH


def _print_faults(file: str, error: Exception) -> None:
    """The places of a pickle that do not load; if it cannot be read, the notes on an error."""
    from ..recovering import read_all
    from .faults import find_faults

    try:
        faults = find_faults(read_all(file)[0])
    except MemoryError:
        raise
    except Exception:  # of what decompresses
        faults = None
    if faults is None or not faults.found:
        _print_notes(error)
        return
    print(*faults.lines(), sep="\n")


def _recover(arguments: argparse.Namespace) -> int:
    from .. import dump, recover
    from .main_names import ScriptError, advice_for, take_names_of
    from .terminal import until_closed

    if arguments.output is not None and _is_same(arguments.output, arguments.file):
        return _complain("this would take the place of the pickle: name another file", 2)
    try:
        policy = None if arguments.policy is None else Policy.from_file(arguments.policy)
    except ValueError as error:
        return _complain(printable(str(error)), 2)
    try:
        if arguments.main is not None:
            take_names_of(arguments.main)
        found = recover(arguments.file, policy=policy)
    except ScriptError as error:
        return _complain(printable(str(error)), 1)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        message = printable(". ".join([_line(error), *advice_for(error)]))
        with until_closed():
            _print_notes(error)
        return _complain(f"nothing is left of {printable(arguments.file)}: {message}", 1)
    if _is_old_torch(arguments.file):
        return _complain(f"{printable(arguments.file)}: {OLD_TORCH}", 1)
    with until_closed():
        print(printable(repr(found)))
        _print_notes(found.error)
    for advice in [] if found.error is None else advice_for(found.error):
        _complain(printable(advice), 0)
    if arguments.output is not None:
        try:
            dump(found.value, arguments.output)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            return _complain(f"what is left cannot be pickled: {printable(_line(error))}", 1)
    return 0 if found.error is None else 1


def _line(error: Exception) -> str:
    return f"{type(error).__qualname__}: {error}"


def _print_notes(error: Exception | None) -> None:
    for note in getattr(error, "__notes__", ()):
        for line in str(note).split("\n"):
            print(printable(line))


def _policy_learn(arguments: argparse.Namespace) -> int:
    from .. import inspect
    from ..inspection.learning import learn
    from .terminal import until_closed

    policy = Policy()
    any_left_out = False
    for file in arguments.files:
        inspection = inspect(Path(file))
        if inspection.error is not None:
            return _complain(f"{file}: {inspection.error}; no policy is written", 1)
        learned, left_out = learn(inspection, dangerous=arguments.dangerous)
        policy |= learned
        for name, why in left_out.items():
            _complain(f"{file}: {printable(name)} is left out, as it {why}", 0)
            any_left_out = True
    if any_left_out:
        _complain("so these files do not load under the policy (see --dangerous)", 0)
    with until_closed():
        policy.to_file(sys.stdout)
    return 0


def _is_unread(inspection: Inspection) -> bool:
    """Whether it is no pickle from its beginning on, so that there is nothing to show."""
    error = inspection.error
    return error is not None and (error.is_foreign or error.offset <= 1)


def _verdict(inspection: Inspection, name: str, arguments: argparse.Namespace) -> int:
    """The exit code, with a line on the standard error for each reason why it is not 0."""
    code = 0
    if inspection.error is not None:
        rest = inspection.size - inspection.error.offset
        code = _complain(f"{name}: {inspection.error}; {rest:,} bytes were not read", 1)
        program = name_of_compression(inspection.read(0, LOOKED_AT))
        if program is not None and arguments.file != "-":
            path = shlex.quote(arguments.file)
            _complain(f"try: {program} -dc {path} | quickpickle inspect -", 0)
    kinds = []
    if arguments.fail_on_dangerous or arguments.fail_on_unknown:
        kinds.append(DANGEROUS)
    if arguments.fail_on_unknown:
        kinds.append(UNKNOWN)
    for found in inspection.imports:
        if found.kind in kinds:
            why = found.danger or "is unknown, so it may run code"
            full = printable(f"{found.module}.{found.name}")
            code = _complain(f"{name}: it names {full}, which {why}", 1)
    return code


def _print_json(figures: dict[str, Any]) -> None:
    """A line for each figure, and for each entry of a list: there may be millions.

    With `indent` json is ten times as slow.
    """
    import json

    lines = []
    for name, value in figures.items():
        if isinstance(value, list) and value:
            entries = ",\n  ".join(map(json.dumps, value))
            text = f"[\n  {entries}\n ]"
        else:
            text = json.dumps(value)
        lines.append(f" {json.dumps(name)}: {text}")
    print("{", ",\n".join(lines), "}", sep="\n")


def _complain(message: str, code: int) -> int:
    print(f"quickpickle: {message}", file=sys.stderr)
    return code
