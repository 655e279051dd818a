"""Tracebacks of errors have no frames of quickpickle's own, and all of the user's."""

from __future__ import annotations

import contextlib
import copy
import copyreg
import errno
import functools
import gc
import io
import linecache
import os
import pickle
import re
import subprocess
import sys
import threading
import traceback
import weakref
import zipfile
from pathlib import Path
from unittest import mock

import pytest

import quickpickle
from conftest import IMPLEMENTATIONS
from models import Plain
from quickpickle.rules import tracebacks as frames

PACKAGE = Path(quickpickle.__file__).parent

pytestmark = pytest.mark.skipif(not frames.PLACE, reason="QUICKPICKLE_DEBUG is set")


class Reduces:
    def __init__(self, function, *args):
        self.call = functools.partial(function, *args)

    def __reduce__(self):
        return self.call()


class Stateful:
    def __getstate__(self):
        raise LookupError("a state")


class Index:
    def __index__(self):
        raise LookupError("an index")


class Unordered:
    """Cannot be pickled, and not be compared, so that a set of them is put in an order."""

    def __reduce__(self):
        raise LookupError("a reduction")


class BadFile:
    def __init__(self, error):
        self.error = error

    def write(self, data):
        raise self.error


class NoFile:
    @property
    def write(self):
        raise LookupError("a property")

    def __fspath__(self):
        raise LookupError("a path")


class ReadsNothing:
    def read(self, size=-1):
        raise LookupError("a file")

    readline = read


def fail(*_):
    raise LookupError("somebody's")


def fail_after_another():
    try:
        fail()
    except LookupError as error:
        raise ValueError("in its place") from error


def items():
    yield 1
    fail()


def deep(obj, kind=list):
    for _ in range(500):
        obj = kind([obj])
    return obj


def attribute(obj):
    result = Plain()
    result.attribute = {"key": [1, obj]}
    return result


def hooked(module, **hooks):
    return type("Hooked", (module.Pickler,), hooks)(io.BytesIO())


def through_super(module):
    class Sub(module.Pickler):
        def dump(self, obj):
            super().dump(obj)

    Sub(io.BytesIO()).dump(threading.Lock())


def inside_another(module):
    return module.dumps(Reduces(through_super, module))


def busy(module, act):
    """A Pickler is asked for something while its dump runs."""
    pickler = module.Pickler(io.BytesIO())
    pickler.dump(Reduces(act, pickler))


def set_memo(pickler, memo):
    pickler.memo = memo


def set_fast(pickler, value):
    pickler.fast = value


def set_bin(pickler, value):
    pickler.bin = value


def not_initialised(module):
    return module.Pickler.__new__(module.Pickler)


def named(module_name, name):
    return type(name, (), {"__module__": module_name, "__qualname__": name})


def numeric():
    return {Unordered() for _ in range(3)}


LOCK = threading.Lock()
REDUCE, HOOK = "Reduces.__reduce__", "fail"

# The calls that fail, and the functions that the traceback has below the one with the call.
CALLS = {
    # Objects that cannot be pickled, in all places.
    "root": (lambda m: m.dumps(LOCK), []),
    "attribute": (lambda m: m.dumps(attribute(LOCK)), []),
    "lists": (lambda m: m.dumps(deep(LOCK)), []),
    "tuples": (lambda m: m.dumps(deep(LOCK, tuple)), []),
    "key": (lambda m: m.dumps({LOCK: 1}), []),
    "set": (lambda m: m.dumps({1, "a", LOCK}), []),
    "frozenset": (lambda m: m.dumps(frozenset([1, LOCK])), []),
    "local function": (lambda m: m.dumps(lambda: 0), []),
    "no such module": (lambda m: m.dumps(named("no_such_module_at_all", "A")), []),
    "not found": (lambda m: m.dumps(named("pickle", "NotThere")), []),
    "another": (lambda m: m.dumps(named("pickle", "Pickler")), []),
    "bad identifier": (lambda m: m.dumps(named("pickle", "é"), 0), []),
    "bad reduction": (lambda m: m.dumps(Reduces(int)), []),
    "bad item": (lambda m: m.dumps(Reduces(tuple, [int, 1])), []),
    "bad list items": (lambda m: m.dumps(Reduces(tuple, [int, (), None, 1])), []),
    "items end": (lambda m: m.dumps(Reduces(lambda: (list, (), None, items()))), ["items", "fail"]),
    "dict items": (lambda m: m.dumps(Reduces(lambda: (dict, (), None, None, iter([1])))), []),
    "state": (lambda m: m.dumps([Stateful()]), ["__getstate__"]),
    "__reduce__": (lambda m: m.dumps(deep(Reduces(fail))), ["__reduce__", "fail"]),
    "in another": (inside_another, ["__reduce__", "through_super", "dump"]),
    "raised from": (
        lambda m: m.dumps([Reduces(fail_after_another)]),
        ["__reduce__", "fail_after_another"],
    ),
    # Options.
    "compact": (lambda m: m.dumps([LOCK], compact=True), []),
    "deterministic": (lambda m: m.dumps(deep(LOCK), deterministic=True), []),
    "ordered": (lambda m: m.dumps([numeric()], deterministic=True), ["__reduce__"]),
    "ordered set": (lambda m: m.dumps([{1j, LOCK, "a"}], deterministic=True), []),
    "progress": (lambda m: m.dumps(attribute(LOCK), progress=lambda *_: None), []),
    "progress fails": (lambda m: m.dumps([1], progress=fail), ["fail"]),
    "progress, compact": (lambda m: m.dumps([LOCK], progress=fail, compact=True), []),
    "protocol 0": (lambda m: m.dumps([bytearray(b"a"), {1}, lambda: 0], 0), []),
    "callback": (
        lambda m: m.dumps(pickle.PickleBuffer(b"a"), 5, buffer_callback=fail),
        ["fail"],
    ),
    # Arguments.
    "dumps()": (lambda m: m.dumps(), []),
    "dumps, protocol": (lambda m: m.dumps(1, 99), []),
    "dumps, large protocol": (lambda m: m.dumps(1, 1 << 100), []),
    "dumps, index": (lambda m: m.dumps(1, Index()), ["__index__"]),
    "dumps, callback": (lambda m: m.dumps(1, 2, buffer_callback=fail), []),
    "dumps, progress": (lambda m: m.dumps(1, progress=1), []),
    "dump, progress": (lambda m: m.dump(1, io.BytesIO(), progress=1), []),
    "dump, keyword": (lambda m: m.dump(1, io.BytesIO(), nothing=1), []),
    "dump, file": (lambda m: m.dump(1, 1), []),
    "dump, protocol": (lambda m: m.dump(1, io.BytesIO(), 99), []),
    "dump, callback": (lambda m: m.dump(1, io.BytesIO(), 2, buffer_callback=fail), []),
    "dump, property": (lambda m: m.dump(1, NoFile()), ["write"]),
    "Pickler()": (lambda m: m.Pickler(), []),
    "Pickler, file": (lambda m: m.Pickler(1), []),
    "Pickler, protocol": (lambda m: m.Pickler(io.BytesIO(), 99), []),
    "Pickler, index": (lambda m: m.Pickler(io.BytesIO(), Index()), ["__index__"]),
    "Pickler, callback": (lambda m: m.Pickler(io.BytesIO(), 2, buffer_callback=fail), []),
    "Pickler, progress": (lambda m: m.Pickler(io.BytesIO(), progress=1), []),
    "Pickler, property": (lambda m: m.Pickler(NoFile()), ["write"]),
    # A Pickler.
    "Pickler.dump": (lambda m: m.Pickler(io.BytesIO()).dump([LOCK]), []),
    "Pickler.dump()": (lambda m: m.Pickler(io.BytesIO()).dump(), []),
    "subclass": (through_super, ["dump"]),
    "not initialised": (lambda m: not_initialised(m).dump(1), []),
    "memo, not initialised": (lambda m: set_memo(not_initialised(m), 1), ["set_memo"]),
    "memo": (lambda m: set_memo(m.Pickler(io.BytesIO()), 1), ["set_memo"]),
    "memo's items": (lambda m: set_memo(m.Pickler(io.BytesIO()), {1: 2}), ["set_memo"]),
    "memo's numbers": (
        lambda m: set_memo(m.Pickler(io.BytesIO()), {1: (Index(), 1)}),
        ["set_memo", "__index__"],
    ),
    "fast": (lambda m: set_fast(m.Pickler(io.BytesIO()), "a"), ["set_fast"]),
    "bin": (lambda m: set_bin(m.Pickler(io.BytesIO()), "a"), ["set_bin"]),
    "del memo": (lambda m: delattr(m.Pickler(io.BytesIO()), "memo"), []),
    "del bin": (lambda m: delattr(m.Pickler(io.BytesIO()), "bin"), []),
    "del fast": (lambda m: delattr(m.Pickler(io.BytesIO()), "fast"), []),
    "del persistent_id": (lambda m: delattr(m.Pickler(io.BytesIO()), "persistent_id"), []),
    "pickle a Pickler": (lambda m: m.dumps(m.Pickler(io.BytesIO())), []),
    "running": (lambda m: busy(m, lambda p: p.dump(1)), ["busy", "__reduce__", "<lambda>"]),
    "running, clear_memo": (
        lambda m: busy(m, lambda p: p.clear_memo()),
        ["busy", "__reduce__", "<lambda>"],
    ),
    "running, clear": (
        lambda m: busy(m, lambda p: p.memo.clear()),
        ["busy", "__reduce__", "<lambda>"],
    ),
    "running, memo": (
        lambda m: busy(m, lambda p: set_memo(p, {})),
        ["busy", "__reduce__", "<lambda>", "set_memo"],
    ),
    "persistent_id": (lambda m: hooked(m, persistent_id=fail).dump([1]), ["fail"]),
    "reducer_override": (lambda m: hooked(m, reducer_override=fail).dump([Plain()]), ["fail"]),
    "dispatch_table": (
        lambda m: hooked(m, dispatch_table={Plain: fail}).dump([Plain()]),
        ["fail"],
    ),
    "a property": (lambda m: hooked(m, dispatch_table=property(fail)).dump([1]), ["fail"]),
    "write": (lambda m: m.dump([1], BadFile(OSError(errno.ENOSPC, "full"))), ["write"]),
    "write, interrupted": (lambda m: m.dump([1], BadFile(KeyboardInterrupt())), ["write"]),
    "write, later": (
        lambda m: m.dump([b"b" * 100_000, 1], BadFile(OSError(errno.ENOSPC, "full"))),
        ["write"],
    ),
    "write, compact": (
        lambda m: m.dump([1], BadFile(OSError(errno.ENOSPC, "full")), compact=True),
        ["write"],
    ),
    "closed": (lambda m: m.dump([1], closed()), []),
    # Paths.
    "path": (lambda m: m.dump(1, "/no/such/directory/file.pkl"), []),
    "path, object": (lambda m: m.dump([LOCK], path()), []),
    "path, __reduce__": (lambda m: m.dump([Reduces(fail)], path()), ["__reduce__", "fail"]),
    "path, gz": (lambda m: m.dump([b"a" * 100_000, LOCK], path(".gz")), []),
    "path, xz": (lambda m: m.dump([LOCK], path(".xz")), []),
    "path, protocol": (lambda m: m.dump(1, path(), 99), []),
    "path, callback": (lambda m: m.dump(1, path(), 2, buffer_callback=fail), []),
    # The others.
    "object_digest": (lambda m: m.object_digest([LOCK]), []),
    "object_digest, set": (lambda m: m.object_digest(numeric()), ["__reduce__"]),
    "object_digest, name": (lambda m: m.object_digest(1, "no such"), None),
    "object_digest, hash": (lambda m: m.object_digest(1, 1), []),
    "object_digest, made": (lambda m: m.object_digest(1, list), []),
    "object_digest, makes": (lambda m: m.object_digest(1, fail), ["fail"]),
    "optimize": (lambda m: m.optimize(1), []),
    "optimize, cut short": (lambda m: m.optimize(pickle.dumps([1])[:-1]), None),
    "optimize, memo": (lambda m: m.optimize(b"h\0."), []),
}

OTHERS = {
    "load": (lambda: quickpickle.load(io.BytesIO(b"no pickle")), []),
    "load, nothing": (lambda: quickpickle.load(1), []),
    "load, read": (lambda: quickpickle.load(ReadsNothing()), ["read"]),
    "load, path": (lambda: quickpickle.load("/no/such/file"), []),
    "load, content": (lambda: quickpickle.load(written(b"no pickle")), []),
    "load, gz": (lambda: quickpickle.load(written(b"\x1f\x8b\x08\0 and no more")), None),
    "load, class": (lambda: quickpickle.load(written(b"cno_such_module_at_all\nA\n.")), None),
    "loads": (lambda: quickpickle.loads(b"no pickle"), []),
    "diagnose, protocol": (lambda: quickpickle.diagnose(1, protocol=99), []),
    "diagnose, limit": (lambda: quickpickle.diagnose(1, max_problems=0), []),
    "diagnose, interrupted": (
        lambda: quickpickle.diagnose([Reduces(BadFile(KeyboardInterrupt()).write, 1)]),
        ["__reduce__", "write"],
    ),
    "inspect": (lambda: quickpickle.inspect(1), []),
    "inspect, path": (lambda: quickpickle.inspect("/no/such/file"), []),
    "inspect, read": (lambda: quickpickle.inspect(ReadsNothing()), ["read"]),
    "inspect, progress": (lambda: quickpickle.inspect(b"N.", progress=fail), ["fail"]),
    "inspect, largest": (lambda: quickpickle.inspect(b"N.").largest("a"), []),
    "inspect, tree": (lambda: list(quickpickle.inspect(b"N.").tree("a")), []),
    "inspect, shorter": (lambda: repr(cut_short().largest(1, own=True)[0]), []),
    "inspect, shorter, all": (lambda: cut_short().as_dict(), None),
    "unknown name": (lambda: quickpickle.no_such_name, []),
    "copy a Pickler": (lambda: copy.copy(quickpickle.Pickler(io.BytesIO())), ["copy"]),
}


def closed():
    file = io.BytesIO()
    file.close()
    return file


def path(suffix=""):
    return TEMPORARY / f"file.pkl{suffix}"


def written(data):
    path().write_bytes(data)
    return path()


def cut_short():
    """A finding in a pickle whose file is shorter by now."""
    found = quickpickle.inspect(written(pickle.dumps([{f"text {i}": [len]} for i in range(1000)])))
    os.truncate(path(), 10)
    return found


@pytest.fixture(autouse=True, scope="module")
def temporary(tmp_path_factory):
    global TEMPORARY
    TEMPORARY = tmp_path_factory.mktemp("frames")


def raised_by(call, *args):
    try:
        call(*args)
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next
        return error
    pytest.fail("nothing was raised")


def chain_of(error):
    """An exception and those it was raised from."""
    todo, found = [error], []
    while todo:
        error = todo.pop()
        if error is not None and error not in found:
            found.append(error)
            todo += [error.__cause__, error.__context__]
    return found


def frames_of(error):
    return [
        (frame.f_code.co_filename, frame.f_code.co_name)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]


def is_ours(filename):
    return filename.startswith(str(PACKAGE) + os.sep) or filename.endswith((".pyx", ".pxi"))


def check(error, names):
    found = frames_of(error)
    for link in chain_of(error):
        assert not [frame for frame in frames_of(link) if is_ours(frame[0])]
    if names is not None:
        assert [name for _, name in found[1:]] == names
    assert found[0][0] == __file__


@pytest.mark.parametrize("name", CALLS)
def test_a_traceback_has_the_frames_of_users_only(implementation, name):
    call, names = CALLS[name]
    check(raised_by(call, implementation), names)


@pytest.mark.parametrize("name", OTHERS)
def test_tracebacks_of_functions_without_two_implementations(name):
    call, names = OTHERS[name]
    check(raised_by(call), names)


def test_cloud():
    cloudpickle = pytest.importorskip("cloudpickle")
    from quickpickle import cloud

    copy = cloud.of(cloudpickle.cloudpickle)
    for call, names in [
        (lambda: cloud.dumps([LOCK]), []),
        (lambda: cloud.dumps([Reduces(fail)]), ["__reduce__", "fail"]),
        (lambda: cloud.dumps(1, 99), []),
        (lambda: cloud.dumps(endless()), None),
        (lambda: cloud.dump(1, 1), []),
        (lambda: cloud.dump([LOCK], io.BytesIO()), []),
        (lambda: cloud.dump([LOCK], path()), []),
        (lambda: cloud.dump([1], path(), 2, fail), []),
        (lambda: cloud.Pickler(1), []),
        (lambda: cloud.Pickler(io.BytesIO()).dump([LOCK]), []),
        (lambda: cloud.Pickler(io.BytesIO()).dump(endless()), None),
        (lambda: cloud.no_such_name, []),
        (lambda: cloud.of(pytest), []),
        (lambda: copy.no_such_name, []),
        (lambda: copy.dumps([LOCK]), []),
    ]:
        check(raised_by(call), names)


def endless():
    def recurse():
        return recurse()

    return Reduces(recurse)


@mock.patch.dict(copyreg.dispatch_table)  # Dask's tblib adds every exception
def test_dask():
    dask = pytest.importorskip("quickpickle.integrations.dask")
    # cloudpickle's frames, and Dask's, are not ours.
    check(raised_by(lambda: dask.dumps([LOCK])), None)
    check(raised_by(lambda: dask.dask_setup(None)), None)


def test_joblib(tmp_path):
    joblib = pytest.importorskip("joblib")
    pytest.importorskip("quickpickle.integrations.joblib")
    memory = joblib.Memory(tmp_path, backend="quickpickle", verbose=0)
    result = memory.cache(make_harmless).call_and_shelve()
    (path,) = tmp_path.rglob("output.pkl")
    path.write_bytes(b"cnowhere\nto_be_found\n.")
    check(raised_by(lambda: result.get()), None)  # the frames of joblib are not ours


def make_harmless():
    return 1


def test_django():
    pytest.importorskip("django")
    pytest.importorskip("redis")
    from quickpickle.integrations.django import Serializer

    check(raised_by(lambda: Serializer().dumps([LOCK])), [])


def test_multiprocessing():
    from multiprocessing.reduction import ForkingPickler

    with quickpickle.install():
        check(raised_by(lambda: ForkingPickler.dumps([LOCK])), ["dumps"])
        check(raised_by(lambda: ForkingPickler(1)), [])


def test_the_cause_of_an_error(implementation):
    """An exception is found, by way of those that it was raised from, and shown without ours."""
    error = raised_by(lambda: implementation.dumps(named("no_such_module_at_all", "A")))
    text = "".join(traceback.format_exception(error))
    assert "quickpickle/" not in text.replace(str(Path(__file__).parent), "")
    assert isinstance(error.__context__, ImportError)
    error = raised_by(lambda: implementation.dumps([Reduces(fail_after_another)]))
    assert [name for _, name in frames_of(error.__cause__)] == ["fail_after_another", "fail"]


def test_an_error_raised_before_keeps_its_frames(implementation):
    earlier = raised_by(fail)
    before = frames_of(earlier)

    def again():
        raise earlier

    error = raised_by(lambda: implementation.dumps([Reduces(again)]))
    assert error is earlier
    assert frames_of(error)[-len(before) :] == before
    assert [name for _, name in frames_of(error)] == ["<lambda>", "__reduce__", "again", "fail"]


def test_groups_and_caught_errors(implementation):
    def group():
        errors = []
        for obj in (LOCK, lambda: 0):
            try:
                implementation.dumps([obj])
            except Exception as error:
                errors.append(error)
        raise ExceptionGroup("two", errors)

    error = raised_by(lambda: implementation.dumps([Reduces(group)]))
    assert [name for _, name in frames_of(error)] == ["<lambda>", "__reduce__", "group"]
    for inner in error.exceptions:
        assert [name for _, name in frames_of(inner)] == ["group"]


def test_diagnose_keeps_none(implementation):
    problems = quickpickle.diagnose(
        [named("no_such_module_at_all", "A"), Reduces(fail_after_another)]
    )
    assert len(problems) == 2
    for problem in problems:
        for error in chain_of(problem.exception):
            assert not [frame for frame in frames_of(error) if is_ours(frame[0])]
    assert frames_of(problems[1].exception.__cause__)[-1][1] == "fail"


def test_a_debugger_finds_the_users_frame(implementation):
    """Post-mortem debugging begins with the last frame of the traceback."""
    error = raised_by(lambda: implementation.dumps([LOCK]))
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    assert frame.f_locals["implementation"] is implementation


def test_users_frames_elsewhere_stay(implementation, tmp_path):
    """A folder of the same name is not ours."""
    file = tmp_path / "quickpickle" / "pickler.py"
    namespace = {"implementation": implementation, "Reduces": Reduces}
    source = "def f(): 1 / 0\nimplementation.dumps([Reduces(f)])\n"
    code = compile(source, str(file), "exec")
    error = raised_by(lambda: exec(code, namespace))
    assert [name for _, name in frames_of(error)] == ["<lambda>", "<module>", "__reduce__", "f"]


def test_errors_of_odd_classes(implementation):
    class OddError(Exception):
        __traceback__ = __cause__ = __context__ = property(fail)

        def __bool__(self):
            raise AssertionError

        def __setattr__(self, name, value):
            raise AssertionError

    def odd():
        raise OddError

    try:
        implementation.dumps([Reduces(odd)])
    except OddError as error:
        found = BaseException.__traceback__.__get__(error)
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(found)]
    assert names == ["test_errors_of_odd_classes", "__reduce__", "odd"]


def test_a_cycle_of_errors_ends(implementation):
    def cyclic():
        first, second = LookupError(1), LookupError(2)
        first.__cause__, second.__cause__ = second, first
        raise first

    check(raised_by(lambda: implementation.dumps([Reduces(cyclic)])), ["__reduce__", "cyclic"])


def test_nothing_is_kept(implementation):
    """No frame is kept alive by an error that is, and no error by itself."""
    gc.collect()
    gc.disable()
    try:
        for name in ("attribute", "__reduce__", "raised from", "deterministic", "ordered", "path"):
            obj = Plain()
            obj.attribute = LOCK
            error = raised_by(lambda name: CALLS[name][0](implementation), name)
            kept = weakref.ref(obj)
            with contextlib.suppress(TypeError):
                implementation.dumps(obj)
            del obj, error
            assert kept() is None
        gc.collect()
        assert not gc.garbage
    finally:
        gc.enable()


@pytest.mark.costly
def test_near_the_recursion_limit(implementation):
    """The error is still that, or a RecursionError, however little is left of the stack."""

    def at(depth):
        if depth:
            return at(depth - 1)
        return implementation.dumps([LOCK])

    errors = [raised_by(at, depth) for depth in range(sys.getrecursionlimit())]
    assert {type(error) for error in errors} == {TypeError, RecursionError}
    assert {str(error)[:13] for error in errors if type(error) is TypeError} == {"cannot pickle"}


def test_interrupts(monkeypatch):
    """Ctrl-C while frames are dropped comes out, and a Pickler is as it was before."""
    pickler_module = IMPLEMENTATIONS["python"]
    line = 0

    def local(frame, event, _):
        nonlocal line
        if event == "line":
            line += 1
            if line == at:
                raise KeyboardInterrupt
        return local

    def trace(frame, event, _):
        return (
            local
            if frame.f_code in (frames.drop_frames.__code__, frames._without_ours.__code__)
            else None
        )

    interrupted = 0
    for at in range(1, 60):  # noqa: B007  # local() looks at it
        line = 0
        file = io.BytesIO()
        pickler = pickler_module.Pickler(file)
        pickler.dump([1])
        before = pickler.memo.copy()
        sys.settrace(trace)
        try:
            error = raised_by(pickler.dump, [2, LOCK])
        finally:
            sys.settrace(None)
        if type(error) is KeyboardInterrupt:
            interrupted += 1
            error = error.__context__
        assert type(error) is TypeError
        assert pickler.memo.copy() == before
        file.seek(0)
        file.truncate()
        pickler.dump([3])
        assert pickle.loads(file.getvalue()) == [3]
    assert 10 < interrupted < 59


def run(code, **environment):
    environment = {k: v for k, v in os.environ.items() if k != "QUICKPICKLE_DEBUG"} | environment
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return result.stderr


FAILING = "import quickpickle, sys; quickpickle.dumps([sys])"


@pytest.mark.parametrize("pure", ["0", "1"])
@pytest.mark.parametrize(
    ("value", "is_shown"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_the_switch_shows_them(pure, value, is_shown):
    shown = run(FAILING, QUICKPICKLE_DEBUG=value, QUICKPICKLE_PURE=pure)
    assert "TypeError: cannot pickle 'module' object\npickling failed at obj[0]" in shown
    assert (shown.count("  File ") > 2) is is_shown
    # But for the source, and the note with its advice.
    assert ("quickpickle" in re.sub("(?m)^pickling.*|^A module.*|^    .*", "", shown)) is is_shown


def test_a_package_in_a_zip_file(tmp_path):
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for file in PACKAGE.rglob("*.py"):
            made.write(file, file.relative_to(PACKAGE.parent))
    code = f"import sys; sys.path.insert(0, {str(archive)!r}); {FAILING}; "
    shown = run(code, QUICKPICKLE_PURE="1", PYTHONSAFEPATH="1")
    assert "TypeError" in shown
    assert shown.count("  File ") == 1
    shown = run(code, QUICKPICKLE_PURE="1", QUICKPICKLE_DEBUG="1")
    assert f"{archive}{os.sep}quickpickle{os.sep}pickling{os.sep}loop.py" in shown


def test_compiled_code_has_no_with_statement():
    """Cython's would crash where there is no traceback, see compiled/tracebacks.pxi."""
    for file in (PACKAGE / "native").glob("*.p[yx][xi]"):
        assert not re.findall(r"^ +(?:async )?with (?!nogil|gil).*:", file.read_text(), re.M), file


def test_the_source_of_a_users_frame_is_shown(implementation):
    error = raised_by(lambda: implementation.dumps([LOCK]))
    (frame, line), *_ = traceback.walk_tb(error.__traceback__)
    assert "implementation.dumps([LOCK])" in linecache.getline(frame.f_code.co_filename, line)
