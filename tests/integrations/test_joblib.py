"""joblib: files that joblib.load reads, and Parallel with real processes of loky."""

from __future__ import annotations

import subprocess
import sys

import pytest

import quickpickle
from integrations.deep import DEPTH, deep_list, depth
from models import DataPoint

joblib = pytest.importorskip("joblib", reason="for the interpreter of make test alone")
np = pytest.importorskip("numpy")


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
def test_joblib_load_reads_the_files_of_dump(tmp_path, suffix):
    path = tmp_path / f"data.pkl{suffix}"
    points = [DataPoint(i, str(i)) for i in range(1000)]
    big = np.arange(200_000.0)
    quickpickle.dump({"points": points, "big": big, "view": big[::2]}, path)
    copy = joblib.load(path)
    assert copy["points"] == points
    assert (copy["big"] == big).all()
    assert (copy["view"] == big[::2]).all()


def test_an_estimator(tmp_path):
    ensemble = pytest.importorskip("sklearn.ensemble")
    x, y = np.random.default_rng(0).random((100, 3)), np.arange(100) % 2
    model = ensemble.RandomForestClassifier(5, random_state=0).fit(x, y)
    quickpickle.dump(model, tmp_path / "model.pkl")
    assert (joblib.load(tmp_path / "model.pkl").predict(x) == model.predict(x)).all()


def test_joblib_keeps_its_own_pickler(tmp_path):
    """joblib.dump has a Pickler of its own, of the standard library's in Python: see the docs."""
    import pickle

    from joblib.numpy_pickle import NumpyPickler

    assert issubclass(NumpyPickler, pickle._Pickler)
    with quickpickle.install():
        joblib.dump([np.zeros(5)], tmp_path / "file")
    assert (joblib.load(tmp_path / "file")[0] == 0).all()


def test_joblib_hash_cannot_be_reached():
    """Its pickler is of the standard library's in Python too; a deep object stays out of reach."""
    import pickle

    from joblib.hashing import Hasher

    assert issubclass(Hasher, pickle._Pickler)
    points = [DataPoint(i, str(i)) for i in range(10)]
    digest, deep = joblib.hash(points), deep_list()
    with quickpickle.install():
        assert joblib.hash(points) == digest
        with pytest.raises(Exception, match="recursion"):
            joblib.hash(deep)


SCRIPT = """
import sys
import joblib
import numpy as np
from joblib.externals.loky import set_loky_pickler

set_loky_pickler("quickpickle.cloud")

def main():
    class Local:
        def __init__(self, value):
            self.value = value

    def work(local, array):
        from joblib.externals.loky.backend import reduction
        is_ours = reduction.get_loky_pickler().__mro__[1].__module__ == "quickpickle.cloud"
        return is_ours, [Local(local.value * 2)] * 3, type(array).__name__, float(array.sum())

    array = np.ones(300_000)  # large enough to be shared as a file by joblib
    jobs = (joblib.delayed(work)(Local(i), array) for i in range(20))
    for i, (is_ours, copies, kind, total) in enumerate(joblib.Parallel(n_jobs=2)(jobs)):
        assert is_ours
        assert copies[0] is copies[2] and type(copies[0]) is Local and copies[0].value == 2 * i
        assert (kind, total) == ("memmap", 300_000)
    print("done")

if __name__ == "__main__":
    main()
"""


def test_parallel(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = [sys.executable, str(script)]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == ("done\n", "")


@pytest.fixture
def memories(tmp_path):
    """Two on one folder: joblib's own, and ours."""
    from quickpickle.integrations.joblib import StoreBackend

    theirs, ours = (
        joblib.Memory(tmp_path, backend=backend, verbose=0) for backend in ("local", "quickpickle")
    )
    assert type(ours.store_backend) is StoreBackend
    return theirs, ours


def make(count):
    calls.append(count)
    return [DataPoint(i, np.arange(i)) for i in range(count)]


calls = []


def test_a_memory(memories):
    """Each reads what the other has stored, arrays too."""
    theirs, ours = (memory.cache(make) for memory in memories)
    calls.clear()
    assert [point.x for point in ours(5)] == [point.x for point in theirs(5)] == [*range(5)]
    assert [len(point.y) for point in theirs(6)] == [len(point.y) for point in ours(6)]
    assert calls == [5, 6]
    assert ours.call_and_shelve(5).get()[2].y.tolist() == [0, 1]
    assert ours.call_and_shelve(6).get()[2].y.tolist() == [0, 1]
    assert calls == [5, 6]
    reference = ours.call_and_shelve(7)
    copy = quickpickle.loads(quickpickle.dumps(reference))
    reference.clear()
    with pytest.raises(KeyError):
        copy.get()
    assert len(ours(7)) == 7
    assert calls == [5, 6, 7, 7]


@pytest.mark.parametrize("compress", [True, ("bz2", 3), ("lzma", 3)])
def test_a_memory_of_compressed_files(tmp_path, compress):
    """Those that joblib has written, or our store with that option."""
    import quickpickle.integrations.joblib  # noqa: F401

    plain = joblib.Memory(tmp_path, backend="quickpickle", verbose=0).cache(make)
    calls.clear()
    for count, backend in enumerate(("local", "quickpickle")):
        options = {"backend": backend, "compress": compress, "verbose": 0}
        joblib.Memory(tmp_path, **options).cache(make)(count)
        assert len(plain(count)) == count
    assert calls == [0, 1]


def deep_points():
    return deep_list()


def test_a_memory_of_what_only_quickpickle_writes(memories):
    theirs, ours = (memory.cache(deep_points) for memory in memories)
    assert depth(ours()) == depth(ours()) == DEPTH
    assert ours.check_call_in_cache()
    ours.clear(warn=False)
    with pytest.warns(Warning, match="Unable to cache to disk"):
        theirs()


def unpicklable():
    return {"key": [lambda: 0]}


def test_a_memory_of_what_cannot_be_pickled(memories):
    cached = memories[1].cache(unpicklable)
    with pytest.warns(joblib._store_backends.CacheWarning, match=r"obj\['key'\]\[0\]"):
        assert cached()["key"][0]() == 0
    assert not cached.check_call_in_cache()


@pytest.mark.parametrize("options", [{"compress": 5}, {"mmap_mode": "r"}, {"verbose": 2}])
def test_a_memory_with_options_of_joblib(tmp_path, options, capsys):
    import quickpickle.integrations.joblib  # noqa: F401

    memory = joblib.Memory(tmp_path, backend="quickpickle", **{"verbose": 0} | options)
    cached = memory.cache(make)
    calls.clear()
    for _ in range(2):
        copy = cached(5)
        assert type(copy[3].y) is (np.memmap if options == {"mmap_mode": "r"} else np.ndarray)
        assert copy[3].y.tolist() == [0, 1, 2]
    assert calls == [5]
    assert ("Loading" in capsys.readouterr().out) == ("verbose" in options)
