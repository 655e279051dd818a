"""Scenarios that are repeated with flat memory: the blocks that the interpreter has in use.

    make leaks            10,000 times each scenario
    python tests/stress/leaks.py --repeats 1000 [SCENARIO ...]

On a debug build of the interpreter (`make debug`) also with flat counts of references; then the
figures are whichever are more.

`test_leaks.py` does the same a few times. A block lost each time is as many blocks as repeats; less
than a tenth of that is what the interpreter keeps for itself.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import pickle
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import quickpickle
from conftest import IMPLEMENTATIONS, UNPICKLERS
from leak_counts import UNIT, lost_by, only_new_objects
from pickling.test_hostile_objects import ChangesClass, Plain
from pickling.test_injected_faults import Hooked, varied
from quickpickle.inspection import inspect
from quickpickle.rules.mapping import Mapping
from test_optimization import optimize_of
from unpickling.test_load_faults import FILES, KINDS, Hooks, data_of


class Fails:
    def __reduce__(self):
        raise ValueError("on purpose")


def _dumps(module: ModuleType) -> None:
    for protocol in range(6):
        module.dumps(varied(protocol), protocol)


def _fails(module: ModuleType) -> None:
    for obj in (Fails(), [{"a": (1, Fails())}], Plain(a=[lambda: 0]), ChangesClass()):
        with contextlib.suppress(Exception):
            module.dumps([varied(), obj])


def _pickler(module: ModuleType) -> None:
    file = io.BytesIO()
    pickler = module.Pickler(file)
    obj = varied()
    for _ in range(3):
        pickler.dump(obj)
        with contextlib.suppress(ValueError):
            pickler.dump([obj, "new", Fails()])
    pickler.memo = pickler.memo.copy()
    pickler.clear_memo()
    pickler.dump(obj)


def _hooks(module: ModuleType) -> None:
    cls = _HOOKED[module.__name__]
    for protocol in (0, 5):
        cls(io.BytesIO(), protocol).dump(varied(protocol))


class FailsLater:
    """A file that takes half of what it is given, and the third time nothing."""

    calls = 0

    def write(self, data: object) -> int:
        self.calls += 1
        if self.calls == 3:
            raise OSError("on purpose")
        return 1 + len(memoryview(data)) // 2  # type: ignore[arg-type]


def _writes(module: ModuleType) -> None:
    with contextlib.suppress(OSError):
        module.dump([b"x" * 70_000, ["text"] * 100], FailsLater())


def _buffers(module: ModuleType) -> None:
    data = [pickle.PickleBuffer(bytearray(b"x" * n)) for n in (0, 10, 70_000)]
    module.dumps(data, 5)
    module.dumps(data, 5, buffer_callback=lambda buffer: None)
    with contextlib.suppress(ZeroDivisionError):
        module.dumps(data, 5, buffer_callback=lambda buffer: 1 / 0)


def _path(module: ModuleType) -> None:
    with tempfile.TemporaryDirectory() as folder:
        module.dump(varied(), f"{folder}/file.gz")
        with contextlib.suppress(ValueError):
            module.dump(Fails(), f"{folder}/file.gz")


def _options(module: ModuleType) -> None:
    large = [*map(str, range(70)), b"x" * 70_000, "é" * 70_000, {"z", "a"}]
    for options in ({"compact": True}, {"deterministic": True}, {"progress": lambda *counts: None}):
        for obj in (varied(), large):
            optimize_of(module)(module.dumps(obj, **options))
        with contextlib.suppress(ValueError):
            module.dumps([large, Fails()], **options)
    with contextlib.suppress(ValueError, pickle.UnpicklingError):
        optimize_of(module)(b"\x80\x05X\x00\x00")
    module.object_digest({"b": large, "a": [1]}).hexdigest()


def _class() -> type:
    class Local(Plain):
        __slots__ = ("a",)

    return Local


def _classes(module: ModuleType, count: int = 1) -> None:
    for local in [_class() for _ in range(count)]:
        with contextlib.suppress(pickle.PicklingError, AttributeError):
            module.dumps([local(), local])


def _diagnose(module: ModuleType) -> None:
    quickpickle.diagnose([varied(), Fails(), lambda: 0], strict=True)


def _inspect(module: ModuleType) -> None:
    data = module.dumps(varied())
    inspect(data).as_dict()
    inspect(data[:-20]).as_dict()


def _unpickling(module: ModuleType) -> ModuleType:
    """The module that reads, of the implementation whose Pickler is in `module`."""
    return next(
        UNPICKLERS.get(n, quickpickle.pure) for n, m in IMPLEMENTATIONS.items() if m is module
    )


class ReadsInPieces(io.RawIOBase):
    """A file that gives less than it is asked for, and fails at its end."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self.file.readinto(memoryview(buffer)[:1000])
        if count == 0:
            raise OSError("on purpose")
        return count


def _loads(module: ModuleType) -> None:
    reading = _unpickling(module)
    for protocol in range(6):
        # A raw file is asked for a long line of protocol 0 byte by byte, which takes long.
        size = 70_000 if protocol else 1000
        data = pickle.dumps([varied(protocol), b"x" * size, ["text"] * 100], protocol)
        reading.loads(data)
        reading.load(io.BytesIO(data))
        reading.load(io.BufferedReader(io.BytesIO(data)))
        for size in (0, 10, len(data) // 2, len(data) - 1):
            with contextlib.suppress(EOFError, pickle.UnpicklingError):
                reading.loads(data[:size])
            with contextlib.suppress(OSError):
                reading.load(ReadsInPieces(data[:size]))


def _unpickler(module: ModuleType) -> None:
    reading = _unpickling(module)
    file = io.BytesIO()
    pickler = type("WithIds", (Hooked, pickle.Pickler), {})(file)
    for _ in range(3):
        pickler.dump(varied())
    data = file.getvalue()

    class Sub(reading.Unpickler):  # type: ignore[name-defined,misc]
        def persistent_load(self, pid: object) -> float:
            return 1.5

        def find_class(self, module_name: str, name: str) -> object:
            return super().find_class(module_name, name)

    unpickler = Sub(io.BytesIO(data + b"](K\1\x94(cnosuch_module\na\n.N\x94."))
    for _ in range(3):
        unpickler.load()
    with contextlib.suppress(ModuleNotFoundError):
        unpickler.load()
    unpickler.memo = unpickler.memo.copy()
    unpickler.memo.clear()
    unpickler.me = unpickler


def _kinds(module: ModuleType) -> None:
    """Of each kind of pickle the whole, and a part."""
    reading = _unpickling(module)
    cls = _UNPICKLING[module.__name__]
    for data in _DATA:
        file = io.BytesIO(data)
        reading.loads(data, encoding="latin1")
        reading.load(file, encoding="latin1")
        file.seek(0)
        unpickler = cls(file, encoding="latin1")
        unpickler.load()
        for end in (len(data) // 3, len(data) // 3 * 2, -1):
            with contextlib.suppress(EOFError, pickle.UnpicklingError):
                reading.loads(data[:end], encoding="latin1")
            file.seek(abs(end))
            with contextlib.suppress(Exception):
                unpickler.load()


def _reads(module: ModuleType) -> None:
    """From files of each kind, all of which fail once."""
    reading = _unpickling(module)
    for file_of in FILES.values():
        for data in (_DATA[0], _DATA[-1], _LARGE):
            file = file_of(data)
            reading.load(file, encoding="latin1")
            for at in (1, file.calls // 2, file.calls):
                file.begin(at)
                with contextlib.suppress(OSError):
                    reading.load(file, encoding="latin1")


def _hooks_of_loads(module: ModuleType) -> None:
    cls = _UNPICKLING[module.__name__]
    for data in (
        b"](K\1QK\2Qe.",
        b"(P1\nP2\nt.",
        b"](K\1\x94Qcno_such_module\na\n.",
        b"](cbuiltins\nlist\nK\1\x85R.",
        b"]cbuiltins\nint\n\x8c\1x\x85R.",
        b"cbuiltins\nobject\n)\x81}\x8c\1aK\1sb.",
    ):
        with contextlib.suppress(Exception):
            cls(io.BytesIO(data)).load()

    class Fails(_unpickling(module).Unpickler):  # type: ignore[name-defined,misc]
        def persistent_load(self, pid: object) -> object:
            raise ValueError("on purpose")

        find_class = persistent_load  # which takes less than it is given

    for data in (b"](K\1QK\2Qe.", b"](K\1ccopyreg\n_reconstructor\n."):
        unpickler = Fails(io.BytesIO(data))
        unpickler.cycle = unpickler
        with contextlib.suppress(ValueError, TypeError):
            unpickler.load()


def _buffers_of_loads(module: ModuleType) -> None:
    reading = _unpickling(module)
    data = b"\x80\5(\x97\x97\x98t."
    reading.loads(data, buffers=[bytearray(5), bytearray(5)])
    for buffers in ([], [bytearray(5)], [1, 2], None):
        with contextlib.suppress(pickle.UnpicklingError, TypeError):
            reading.loads(data, buffers=buffers)


def _mapped(module: ModuleType) -> None:
    reading = _unpickling(module)
    count = (70_000).to_bytes(8, "little")
    array = b"cnumpy._core.numeric\n_frombuffer\n(\x96" + count + bytes(70_000)
    array += b"\x8c\1bJ" + count[:4] + b"\x8c\1Ct"
    if not _NUMPY:
        return
    for end in (b"R.", b"\x85.", b"R"):
        with open(_TEMPORARY.name, "wb+") as file:
            file.write(array + end)
            file.seek(0)
            with contextlib.suppress(EOFError):
                reading.load_mapped(Mapping(file))  # type: ignore[arg-type]


def _damaged(module: ModuleType) -> None:
    reading = _unpickling(module)
    for data in DAMAGED:
        with contextlib.suppress(Exception):
            reading.loads(data)


DAMAGED = [
    *(
        b"(]](\xff",
        b"\x80\5]\x94(K\1h\5e.",
        b"}(]Nu.",
        b"(](]\x91",
        b"cbuiltins\nlist\n(K\1tR.",
        b"I1x\n.",
    ),
    *(
        b"N}b.",
        b"X\xff\xff\xff\x7fabc",
        b"\x97.",
        b"\x82\7.",
        b"P\n.",
        b"(]\x94h\0a0]Nb.",
        b"L1x\n.",
    ),
    *(b"Np-1\n.", b"](((K\1e.", b"\x95\5\0\0\0\0\0\0\0]]", b"K\1K\2\x81.", b"}K\1]s]s."),
]


_HOOKED = {
    module.__name__: type("WithHooks", (Hooked, module.Pickler), {})
    for module in IMPLEMENTATIONS.values()
}

_UNPICKLING = {
    module.__name__: type("WithHooks", (Hooks, _unpickling(module).Unpickler), {})
    for module in IMPLEMENTATIONS.values()
}
# Without the extensions, which have to be registered, and those that are long.
_DATA = [
    data_of(kind)
    for kind in KINDS
    if kind != "extensions" and not kind.startswith(("large", "much"))
]
_LARGE = data_of("large")
_NUMPY = find_spec("numpy._core") if find_spec("numpy") else None
_TEMPORARY = tempfile.NamedTemporaryFile()  # noqa: SIM115  # as long as the process

SCENARIOS: dict[str, Callable[[ModuleType], None]] = {
    function.__name__[1:]: function
    for function in (
        _dumps, _fails, _pickler, _hooks, _writes, _buffers, _path, _options, _classes,
        _diagnose, _inspect, _loads, _unpickler, _kinds, _reads, _hooks_of_loads,
        _buffers_of_loads, _mapped, _damaged,
    )
}  # fmt: skip


def lost(name: str, module: ModuleType, repeats: int, tries: int = 2) -> int:
    """The blocks that are in use after so many repeats, but not after as many before.

    The least of several tries: the interpreter keeps things for itself at first, a leak goes on.
    """

    def repeat() -> None:
        for i in range(repeats):
            SCENARIOS[name](module)
            if i % 1000 == 999:
                gc.collect()

    if name == "classes":  # plans for 1,024 of them are kept, so first there are that many
        _classes(module, 5000)
    with only_new_objects():
        blocks = lost_by(repeat)
        for _ in range(tries - 1):
            if blocks > repeats // 10:
                blocks = min(blocks, lost_by(repeat))
        return blocks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--repeats", type=int, default=10_000)
    arguments = parser.parse_args()
    leaking = 0
    for name in arguments.scenarios:
        for implementation, module in IMPLEMENTATIONS.items():
            blocks = lost(name, module, arguments.repeats)
            is_leak = blocks > arguments.repeats // 10
            leaking += is_leak
            print(
                f"{name:16} {implementation:8} {arguments.repeats:,} times: {blocks:+,} {UNIT}"
                + ("  a leak" if is_leak else ""),
                flush=True,
            )
    return 1 if leaking else 0


if __name__ == "__main__":
    sys.exit(main())
