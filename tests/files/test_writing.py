"""Files by their path: whole or as they were, with the permissions that they had."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pickle
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

import quickpickle
from differential import only_cpython, outcome
from quickpickle.files import writing as files

OBJECT = {"text": ["x" * 1000] * 3, "data": b"b" * 200_000, "many": list(range(50_000))}
LITTER = re.compile(r"\.quickpickle-[0-9a-f]{16}\.tmp")

needs_posix = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX")
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else"
)


class Bad:
    """An object that cannot be pickled."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self):
        raise self.error


class Link:
    """A path that is neither a str nor a pathlib.Path."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


@contextlib.contextmanager
def as_somebody_else(uid=65534, gid=65534):
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_folder():
    """A folder that everybody may enter, as tmp_path is not."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o777)
    yield Path(folder)
    shutil.rmtree(folder)


# --- what is a path


@pytest.mark.costly
@pytest.mark.parametrize("kind", [str, Path, Link, lambda path: Link(os.fsencode(path))])
def test_dump_and_load_take_a_path(implementation, protocol, tmp_path, kind):
    path = kind(str(tmp_path / "model.pkl"))
    implementation.dump(OBJECT, path, protocol)
    assert (tmp_path / "model.pkl").read_bytes() == pickle.dumps(OBJECT, protocol)
    assert quickpickle.load(path) == OBJECT
    assert os.listdir(tmp_path) == ["model.pkl"]
    implementation.dump(["shorter"], path, protocol)
    assert (tmp_path / "model.pkl").read_bytes() == pickle.dumps(["shorter"], protocol)


@pytest.mark.parametrize(
    "not_a_path",
    [b"model.pkl", bytearray(b"x"), 1, None, object()],
    ids=lambda value: type(value).__name__,
)
def test_other_objects_are_refused_as_by_pickle(implementation, tmp_path, monkeypatch, not_a_path):
    monkeypatch.chdir(tmp_path)
    ours = outcome(lambda: implementation.dump([], not_a_path))
    assert ours == outcome(lambda: pickle.dump([], not_a_path))
    assert ours[0] is TypeError
    assert outcome(lambda: quickpickle.load(not_a_path)) == outcome(lambda: pickle.load(not_a_path))
    assert os.listdir(tmp_path) == []


def test_a_pickler_takes_files_only(implementation, tmp_path):
    path = str(tmp_path / "model.pkl")
    assert outcome(lambda: implementation.Pickler(path)) == outcome(lambda: pickle.Pickler(path))
    with pytest.raises(TypeError, match="write"):
        implementation.Pickler(Path(path))
    assert os.listdir(tmp_path) == []


def test_an_object_with_write_is_a_file_even_if_it_has_a_path(implementation, tmp_path):
    # The open local files of fsspec are of this kind.
    class File(io.BytesIO):
        def __fspath__(self):
            return str(tmp_path / "model.pkl")

    class Name(str):
        def write(self, data):
            written.append(bytes(data))

    file = File()
    implementation.dump([1], file)
    assert file.getvalue() == pickle.dumps([1])
    file.seek(0)
    assert quickpickle.load(file) == [1]
    written = []
    implementation.dump([1], Name(tmp_path / "model.pkl"))
    assert b"".join(written) == pickle.dumps([1])
    assert os.listdir(tmp_path) == []


@only_cpython
def test_options_go_with_a_path(implementation, tmp_path):
    path = tmp_path / "model.pkl"
    buffers = []
    obj = [pickle.PickleBuffer(b"x" * 100), map]
    implementation.dump(obj, path, 5, buffer_callback=buffers.append)
    assert path.read_bytes() == pickle.dumps(obj, 5, buffer_callback=[].append)
    assert quickpickle.load(path, buffers=buffers)[1] is map
    assert quickpickle.load(path, buffers=buffers)[0].raw() == b"x" * 100
    implementation.dump(map, path, 2, fix_imports=False)
    assert path.read_bytes() == pickle.dumps(map, 2, fix_imports=False)
    implementation.dump(map, path, protocol=2)
    assert path.read_bytes() == pickle.dumps(map, 2)
    path.write_bytes(b"U\x01\xe4.")  # a str of Python 2
    with pytest.raises(UnicodeDecodeError):
        quickpickle.load(path)
    assert quickpickle.load(path, encoding="latin1") == "\xe4"
    assert quickpickle.load(path, encoding="bytes") == b"\xe4"
    assert quickpickle.load(path, errors="replace") == "\ufffd"


@pytest.mark.parametrize(
    "options", [{"protocol": 99}, {"protocol": "2"}, {"protocol": 4, "buffer_callback": print}]
)
def test_wrong_options_with_a_path(implementation, tmp_path, options):
    (tmp_path / "model.pkl").write_bytes(b"old")
    theirs = outcome(lambda: pickle.dump([], io.BytesIO(), **options))
    assert outcome(lambda: implementation.dump([], tmp_path / "model.pkl", **options)) == theirs
    assert (tmp_path / "model.pkl").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.pkl"]


# --- whole or as it was


needs_zstd = pytest.mark.skipif(
    sys.version_info < (3, 14) and find_spec("zstandard") is None,
    reason="zstandard has no wheel for this interpreter",
)


@pytest.mark.costly
@pytest.mark.parametrize(
    "name", ["model.pkl", "model.pkl.gz", pytest.param("model.pkl.zst", marks=needs_zstd)]
)
@pytest.mark.parametrize("old", [None, b"the old content"], ids=["new", "existing"])
@pytest.mark.parametrize(
    "error",
    [ValueError("no"), KeyboardInterrupt(), SystemExit(3), FileNotFoundError(2, "mine", "other")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_object(implementation, tmp_path, name, old, error):
    path = tmp_path / name
    if old:
        path.write_bytes(old)
    for obj in (Bad(error), ["x" * 300_000, list(range(100_000)), Bad(error)]):
        with pytest.raises(type(error)) as caught:
            implementation.dump(obj, path)
        assert caught.value is error
        assert getattr(error, "filename", "other") == "other"
        assert not hasattr(error, "__notes__") or "temporary" not in str(error.__notes__)
        assert os.listdir(tmp_path) == ([name] if old else [])
        assert not old or path.read_bytes() == old


@needs_posix
@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize(
    ("function", "late"),
    [
        *[("open", False), ("fsync", False), ("fchmod", False), ("replace", False)],
        *[("open", True), ("fsync", True), ("fchmod", True)],
    ],
)
def test_an_error_of_the_system(implementation, tmp_path, monkeypatch, function, error, late):
    """Instead of the call, or when it is done: an interrupt comes before or after."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    path.chmod(0o640)
    original = getattr(os, function)
    calls = []

    def fail(*args, **options):
        calls.append(args)
        if late:
            result = original(*args, **options)
            if function == "open":
                os.close(result)
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)) as caught:
        implementation.dump(OBJECT, path)
    monkeypatch.undo()
    assert caught.value is error
    assert len(calls) == 1
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.pkl"]


@pytest.mark.costly
@only_cpython  # PyPy closes what is nobody's yet much later, in another test
@needs_posix
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a file can be open and nobody's yet
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["model.pkl", "model.pkl.gz"])
@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupt_at_every_step(implementation, tmp_path, name, existing):
    path = tmp_path / name
    new = {"new": [1, 2, 3]}
    here = sys._getframe()
    interrupt_at = kept = replaced = 0
    finished = False
    while not finished:
        if existing:
            implementation.dump(["old"], path)
        elif path.exists():
            path.unlink()
        interrupt_at += 1
        steps = 0

        def count(frame, event, argument, last=interrupt_at):
            nonlocal steps
            steps += frame is not here
            if steps == last:
                steps += 1
                raise KeyboardInterrupt

        sys.setprofile(count)
        try:
            implementation.dump(new, path)
        except KeyboardInterrupt:
            pass
        else:
            finished = True
        finally:
            sys.setprofile(None)
        if path.exists() and quickpickle.load(path) == new:
            replaced += 1
        else:
            kept += 1
            assert not existing or quickpickle.load(path) == ["old"]
        assert os.listdir(tmp_path) == ([name] if existing or path.exists() else [])
    assert kept > 30
    assert replaced > 1


def test_an_interrupt_when_all_is_done(implementation, tmp_path, monkeypatch):
    original = os.replace

    def replace(*args):
        original(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt) as caught:
        implementation.dump(OBJECT, tmp_path / "model.pkl")
    assert not hasattr(caught.value, "__notes__")
    assert os.listdir(tmp_path) == ["model.pkl"]
    assert quickpickle.load(tmp_path / "model.pkl") == OBJECT


LIMITED = """
import os, pickle, resource, signal, sys
from quickpickle import dump
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.path.insert(0, os.path.dirname(sys.argv[1]))

class Bad:
    def __reduce__(self):
        raise ValueError("the first error")

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
path = os.path.join(sys.argv[1], "model" + sys.argv[3])
data = os.urandom(300_000)
either = (OSError, ValueError)  # bzip2 and xz write late
# gzip gives some bytes at once, which are not written before the file is closed.
late = ValueError if path.endswith(".gz") else either
for obj, expected in (
    (data, OSError),
    ([data, Bad()], either),
    ([bytes(100_000), Bad()], late),
    (Bad(), ValueError),
):
    try:
        dump(obj, path)
    except expected as error:
        assert type(error) is ValueError or error.errno == 27, error
    else:
        raise AssertionError(obj)
    assert os.listdir(sys.argv[1]) == [os.path.basename(path)]
"""


@pytest.mark.costly
@needs_posix
@pytest.mark.parametrize("pure", ["", "1"])
@pytest.mark.parametrize("limit", [0, 100_000])
@pytest.mark.parametrize("suffix", [".pkl", ".gz", ".bz2", ".xz"])
def test_a_file_that_takes_no_more(tmp_path, pure, limit, suffix):
    """The system refuses to write, also when the file is closed after another error."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"old")
    # A free-threaded build warns that the compiled implementation turns the lock on.
    warnings = ("-W", "error", "-W", "ignore:The global interpreter lock:RuntimeWarning")
    subprocess.run(
        [sys.executable, *warnings, "-c", LIMITED, tmp_path, str(limit), suffix],
        env={**os.environ, "QUICKPICKLE_PURE": pure},
        check=True,
    )
    assert path.read_bytes() == b"old"


def test_litter_that_cannot_be_removed_is_named(implementation, tmp_path, monkeypatch):
    def unlink(path):
        raise PermissionError(errno.EACCES, "no", path)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(ValueError, match="no") as caught:
        implementation.dump(Bad(ValueError("no")), tmp_path / "model.pkl")
    [name] = os.listdir(tmp_path)
    assert LITTER.fullmatch(name)
    assert name in caught.value.__notes__[-1]


def test_all_is_on_the_disk_before_the_file_has_its_name(implementation, tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def log_fsync(fd):
        status = os.fstat(fd)
        events.append(
            ("fsync", status.st_ino, status.st_size if stat.S_ISREG(status.st_mode) else 0)
        )
        fsync(fd)

    def log_replace(source, target):
        events.append(("replace", os.stat(source).st_ino, os.path.basename(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "replace", log_replace)
    for name in ("model.pkl", "model.pkl.gz"):
        events.clear()
        implementation.dump(OBJECT, tmp_path / name)
        status = os.stat(tmp_path / name)
        assert events == [
            ("fsync", status.st_ino, status.st_size),
            ("replace", status.st_ino, name),
            ("fsync", os.stat(tmp_path).st_ino, 0),
        ]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_directory_that_cannot_be_synced(implementation, tmp_path, monkeypatch, number):
    def fsync(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "model.pkl"
    if number == errno.EINVAL:  # a file system that has no such thing
        implementation.dump(OBJECT, path)
    else:
        with pytest.raises(OSError, match="no") as caught:
            implementation.dump(OBJECT, path)
        assert "written" in caught.value.__notes__[0]
    assert quickpickle.load(path) == OBJECT


def test_a_system_without_owners_and_open_directories(implementation, tmp_path, monkeypatch):
    """Windows is such a system."""
    for name in ("fchown", "fchmod", "setxattr", "O_DIRECTORY"):
        monkeypatch.delattr(os, name, raising=False)
    for obj in ([1], [2]):
        implementation.dump(obj, tmp_path / "model.pkl")
        assert quickpickle.load(tmp_path / "model.pkl") == obj
    assert os.listdir(tmp_path) == ["model.pkl"]


KILLED = """
import os, random, signal, sys, time
import quickpickle

folder, suffix, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
path = os.path.join(folder, "model.pkl" + suffix)

def version(number):
    return {"number": number, "items": [number] * 50_000, "data": b"%d" % (number % 10) * 300_000}

def check():
    obj = quickpickle.load(path)
    assert obj == version(obj["number"])
    return obj["number"]

start = time.perf_counter()
quickpickle.dump(version(0), path)
seconds = 3 * (time.perf_counter() - start)
last = interrupted = 0
for _ in range(rounds):
    child = os.fork()
    if child == 0:
        number = last
        while True:
            number += 1
            quickpickle.dump(version(number), path)
    time.sleep(random.random() * seconds)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    number = check()
    assert number >= last
    if number == last:
        seconds *= 1.2  # others may be at work too, but some have to come to an end
    last = number
    for name in os.listdir(folder):
        if name != os.path.basename(path):
            interrupted += 1
            os.unlink(os.path.join(folder, name))
            print(name)
print(quickpickle.implementation, last, interrupted)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("pure", ["", "1"])
@pytest.mark.parametrize(("suffix", "rounds"), [("", 100), (".gz", 30)])
def test_killed_at_a_hundred_random_moments(tmp_path, pure, suffix, rounds):
    result = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, suffix, str(rounds)],
        env={**os.environ, "QUICKPICKLE_PURE": pure},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    *names, summary = result.stdout.splitlines()
    assert all(LITTER.fullmatch(name) for name in names)
    # Nearly all of the time one is being written, so most were killed meanwhile.
    _, last, interrupted = summary.split()
    assert int(interrupted) > 0
    assert int(last) > 0


def test_threads_that_write_the_same_file(implementation, tmp_path):
    path = tmp_path / "model.pkl"
    implementation.dump([0] * 10_000, path)
    errors = []

    def write(number):
        try:
            for _ in range(20):
                implementation.dump([number] * 10_000, path)
                assert len(set(quickpickle.load(path))) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(tmp_path) == ["model.pkl"]


# --- names and places


def test_a_chdir_in_the_middle(implementation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    class Moving:
        def __reduce__(self):
            os.chdir(tmp_path / "elsewhere")
            return list, ()

    implementation.dump(Moving(), "model.pkl")
    assert quickpickle.load(tmp_path / "model.pkl") == []
    assert os.listdir(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("name", ["x" * 251 + ".pkl", "é x\n*?.pkl", ".gz", "-"])
def test_odd_names(implementation, tmp_path, name):
    for obj in ([1], [2]):
        implementation.dump(obj, tmp_path / name)
        assert quickpickle.load(tmp_path / name) == obj
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *["", "folder", "folder/", ".", "..", "new/", "missing/x", "missing/../x", "missing/.."],
        *["file/x", "file/", "loop", "x" * 300, "dangling/x", "far"],
    ],
)
def test_a_name_that_cannot_be_written_is_an_error_as_of_open(
    implementation, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "far").symlink_to("nowhere/file")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OSError) as expected:  # noqa: PT011
        open(name, "wb").close()
    with pytest.raises(OSError) as caught:  # noqa: PT011
        implementation.dump(OBJECT, name)
    assert caught.value.args == expected.value.args
    assert type(caught.value) is type(expected.value)
    assert caught.value.filename == expected.value.filename == name
    assert caught.value.filename2 is None
    assert sorted(os.listdir(tmp_path)) == before


def test_a_name_with_a_null_byte(implementation, tmp_path):
    with pytest.raises(ValueError, match="null"):
        implementation.dump(OBJECT, f"{tmp_path}/a\0b")
    assert os.listdir(tmp_path) == []


@only_cpython
def test_a_replacement_that_fails_names_the_file(implementation, tmp_path):
    path = tmp_path / "model.pkl"

    class Blocking:
        def __reduce__(self):
            path.mkdir()
            return list, ()

    with pytest.raises(OSError) as caught:  # noqa: PT011
        implementation.dump(Blocking(), path)
    assert caught.value.filename == str(path)
    assert caught.value.filename2 is None
    assert str(caught.value).endswith(f": {str(path)!r}")
    assert os.listdir(tmp_path) == ["model.pkl"]


@needs_posix
def test_a_link_stays_a_link(implementation, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    path = tmp_path / "one" / "model.pkl"
    (tmp_path / "two" / "link").symlink_to("../one/model.pkl")
    (tmp_path / "link").symlink_to("two/link")
    for obj in ([1], [2]):  # the first one where it leads to nothing yet
        implementation.dump(obj, tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "two" / "link").is_symlink()
        assert not path.is_symlink()
        assert quickpickle.load(path) == quickpickle.load(tmp_path / "link") == obj
        assert os.listdir(tmp_path / "one") == ["model.pkl"]
        assert os.listdir(tmp_path / "two") == ["link"]


@needs_posix
def test_another_hard_link_keeps_the_old_content(implementation, tmp_path):
    implementation.dump([1], tmp_path / "model.pkl")
    os.link(tmp_path / "model.pkl", tmp_path / "other")
    with open(tmp_path / "model.pkl", "rb") as reading:
        implementation.dump([2], tmp_path / "model.pkl")
        assert pickle.load(reading) == [1]  # so does who has it open
    assert quickpickle.load(tmp_path / "other") == [1]
    assert quickpickle.load(tmp_path / "model.pkl") == [2]


# --- permissions


@needs_posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_a_new_file_has_the_mode_that_open_gives(implementation, tmp_path, umask):
    before = os.umask(umask)
    try:
        (tmp_path / "expected").open("wb").close()
        implementation.dump(OBJECT, tmp_path / "model.pkl")
    finally:
        os.umask(before)
    assert os.stat(tmp_path / "model.pkl").st_mode == os.stat(tmp_path / "expected").st_mode
    assert os.stat(tmp_path / "model.pkl").st_mode == stat.S_IFREG | 0o666 & ~umask


@needs_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o777, 0o200, 0o2770, 0o4711])
def test_the_mode_is_kept(implementation, tmp_path, mode):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    path.chmod(mode)
    before = os.umask(0o027)
    try:
        implementation.dump(OBJECT, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == mode


@needs_posix
def test_nobody_else_can_read_it_meanwhile(implementation, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    path.chmod(0o644)  # the old one; the new one may be about to get another mode
    modes = {}

    class Looking:
        def __reduce__(self):
            modes.update((name, os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path))
            return list, ()

    implementation.dump(Looking(), path)
    assert modes.pop("model.pkl") == stat.S_IFREG | 0o644
    assert list(modes.values()) == [stat.S_IFREG | 0o600]


@needs_root
def test_the_mode_is_kept_by_other_users_than_root(implementation, open_folder):
    path = open_folder / "model.pkl"
    path.write_bytes(b"old")
    os.chown(path, 65534, 65534)
    path.chmod(0o6755)
    with as_somebody_else():
        implementation.dump(OBJECT, path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o6755


@needs_root
def test_the_owner_and_the_group_are_kept(implementation, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    path.chmod(0o6750)
    implementation.dump(OBJECT, path)
    status = os.stat(path)
    assert (status.st_uid, status.st_gid) == (1234, 2345)
    assert stat.S_IMODE(status.st_mode) == 0o6750


@needs_root
@pytest.mark.parametrize(
    ("old", "new"), [(0o6662, 0o622), (0o666, 0o666), (0o646, 0o646), (0o067, 0o067)]
)
def test_a_new_group_gets_the_permissions_of_others(implementation, open_folder, old, new):
    path = open_folder / "model.pkl"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    path.chmod(old)
    with as_somebody_else():
        implementation.dump(OBJECT, path)
    status = os.stat(path)
    assert (status.st_uid, status.st_gid) == (65534, 65534)
    assert stat.S_IMODE(status.st_mode) == new


@needs_root
def test_the_group_is_kept_by_its_members(implementation, open_folder):
    path = open_folder / "model.pkl"
    path.write_bytes(b"old")
    os.chown(path, 1234, 65533)
    path.chmod(0o6774)
    before = os.getgroups()
    os.setgroups([65533])
    try:
        with as_somebody_else():
            implementation.dump(OBJECT, path)
    finally:
        os.setgroups(before)
    status = os.stat(path)
    assert (status.st_uid, status.st_gid) == (65534, 65533)
    # Nothing that would make it run as another owner than before.
    assert stat.S_IMODE(status.st_mode) == 0o774


@needs_root
@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_file_that_may_not_be_written_is_not_replaced(implementation, open_folder, mode):
    path = open_folder / "model.pkl"
    path.write_bytes(b"old")
    path.chmod(mode)
    with as_somebody_else(), pytest.raises(PermissionError) as caught:
        implementation.dump(OBJECT, path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(open_folder) == ["model.pkl"]


@needs_root
@pytest.mark.parametrize("existing", [False, True])
def test_a_directory_that_may_not_be_changed(implementation, open_folder, existing):
    path = open_folder / "model.pkl"
    if existing:
        path.write_bytes(b"old")
        path.chmod(0o666)
    open_folder.chmod(0o755)
    with as_somebody_else(), pytest.raises(PermissionError) as caught:
        implementation.dump(OBJECT, path)
    assert caught.value.filename == str(path)
    assert os.listdir(open_folder) == ["model.pkl"] * existing


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An ACL as Linux has it: tag, permissions and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
ACL = acl((1, 6, NOBODY), (2, 4, 4321), (4, 0, NOBODY), (0x10, 6, NOBODY), (0x20, 0, NOBODY))


def set_acl(path: Path, name: str) -> None:
    try:
        os.setxattr(path, f"system.posix_acl_{name}", ACL)
    except (AttributeError, OSError) as error:
        pytest.skip(f"no ACLs here: {error}")


def test_an_acl_is_kept(implementation, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    set_acl(path, "access")
    mode = os.stat(path).st_mode
    assert stat.S_IMODE(mode) == 0o660  # without the ACL the group would have what it says
    implementation.dump(OBJECT, path)
    assert os.getxattr(path, "system.posix_acl_access") == ACL
    assert os.stat(path).st_mode == mode


def test_the_acl_of_a_directory_is_for_new_files(implementation, tmp_path):
    old, new, expected = (tmp_path / name for name in ("old", "new", "expected"))
    old.write_bytes(b"old")
    old.chmod(0o640)
    set_acl(tmp_path, "default")
    expected.write_bytes(b"")
    for path in (old, new):
        implementation.dump(OBJECT, path)
    assert stat.S_IMODE(os.stat(old).st_mode) == 0o640
    with pytest.raises(OSError) as caught:  # noqa: PT011
        os.getxattr(old, "system.posix_acl_access")
    assert caught.value.errno == errno.ENODATA
    name = "system.posix_acl_access"
    assert os.getxattr(new, name) == os.getxattr(expected, name)
    assert os.stat(new).st_mode == os.stat(expected).st_mode


@needs_root
def test_an_acl_goes_with_the_group_that_it_is_about(implementation, open_folder):
    path = open_folder / "model.pkl"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    set_acl(path, "access")
    os.setxattr(
        path,
        "system.posix_acl_access",
        acl((1, 6, NOBODY), (2, 6, 65534), (4, 6, NOBODY), (0x10, 6, NOBODY), (0x20, 0, NOBODY)),
    )
    with as_somebody_else():
        implementation.dump(OBJECT, path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert "system.posix_acl_access" not in os.listxattr(path)


# --- what is no regular file


@needs_posix
@pytest.mark.parametrize("name", ["pipe", "pipe.gz"])
def test_a_named_pipe(implementation, tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    received = []
    thread = threading.Thread(target=lambda: received.append(quickpickle.load(path)))
    thread.start()
    implementation.dump(OBJECT, path)
    thread.join()
    assert received == [OBJECT]
    assert stat.S_ISFIFO(os.stat(path).st_mode)
    assert os.listdir(tmp_path) == [name]


@needs_posix
def test_devices(implementation):
    before = sorted(os.listdir("/dev"))
    implementation.dump(OBJECT, "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError) as caught:  # noqa: PT011
            implementation.dump(OBJECT, "/dev/full")
        assert caught.value.errno == errno.ENOSPC
        assert "while writing '/dev/full'" in caught.value.__notes__
    assert sorted(os.listdir("/dev")) == before


@pytest.mark.costly
@needs_posix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "//dev/stdout", "a link"])
@pytest.mark.parametrize("pure", ["", "1"])
def test_standard_output(tmp_path, name, pure):
    if name == "a link":
        name = str(tmp_path / "link")
        os.symlink("/dev/stdout", tmp_path / "second")
        os.symlink("second", name)
    if not os.path.exists(name):
        pytest.skip(f"no {name}")
    script = f"import quickpickle; quickpickle.dump([1] * 1000, {name!r}); print('more')"
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "QUICKPICKLE_PURE": pure}
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    assert result.stdout == pickle.dumps([1] * 1000) + b"more\n"
    with open(tmp_path / "output", "ab") as output:  # is it still the file that was opened?
        subprocess.run(command, env=environment, stdout=output, check=True)
    assert (tmp_path / "output").read_bytes() == pickle.dumps([1] * 1000) + b"more\n"


def test_is_path():
    assert files.is_path("x", "write")
    assert files.is_path(Path("x"), "write")
    assert not files.is_path(b"x", "write")
    assert not files.is_path(io.StringIO(), "write")


def test_sigint_while_writing(tmp_path):
    """Ctrl-C, sent to a process: the exception, the old file, no litter."""
    script = """
import os, sys, quickpickle
class Slow:
    def __reduce__(self):
        print("begun", flush=True)
        while True:
            pass
try:
    quickpickle.dump([b"x" * 100_000, Slow()], sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", os.listdir(os.path.dirname(sys.argv[1])))
"""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"old")
    script = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)" + script
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted ['model.pkl']\n"
    assert path.read_bytes() == b"old"
