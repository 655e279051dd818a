"""Compressed files: written by the ending of the name, read by the content."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import pickletools
import random
import sys
import time
from importlib import import_module

import pytest

import quickpickle
from quickpickle.files import compression

OBJECT = {"text": ["x" * 1000] * 3, "data": b"b" * 200_000, "many": list(range(20_000))}
SUFFIXES = [".gz", ".bz2", ".xz", ".zst"]

try:
    zstd = import_module("compression.zstd")
except ImportError:
    zstd = pytest.importorskip("zstandard", reason="it has no wheel for this interpreter")


def zstd_decompress(data):
    if zstd.__name__ == "zstandard":
        return zstd.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return zstd.decompress(data)


def zstd_compress(data):
    return zstd.compress(data)


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd_compress}
DECOMPRESS = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": zstd_decompress,
}


@pytest.mark.costly
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_name_says_how_it_is_written(implementation, protocol, tmp_path, suffix):
    for name in (f"model.pkl{suffix}", f"MODEL{suffix.upper()}", suffix):
        implementation.dump(OBJECT, tmp_path / name, protocol)
        data = (tmp_path / name).read_bytes()
        assert len(data) < len(pickle.dumps(OBJECT, protocol)) / 2
        assert DECOMPRESS[suffix](data) == pickle.dumps(OBJECT, protocol)


@pytest.mark.parametrize("name", ["gz", "x.gz.pkl", "x.zip.pkl", "zstd", "x_gz", "x.gz "])
def test_other_names_are_not_compressed(implementation, tmp_path, name):
    implementation.dump(OBJECT, tmp_path / name)
    assert (tmp_path / name).read_bytes() == pickle.dumps(OBJECT)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_object_gives_the_same_bytes(implementation, tmp_path, monkeypatch, suffix):
    """They do not depend on the time or the name."""
    implementation.dump(OBJECT, tmp_path / f"one{suffix}")
    later = time.time() + 1_000_000
    monkeypatch.setattr(time, "time", lambda: later)
    implementation.dump(OBJECT, tmp_path / f"another{suffix}")
    quickpickle.dump(OBJECT, tmp_path / f"third{suffix}")
    data = (tmp_path / f"one{suffix}").read_bytes()
    assert data == (tmp_path / f"another{suffix}").read_bytes()
    assert data == (tmp_path / f"third{suffix}").read_bytes()
    if suffix == ".gz":
        assert data[3:8] == bytes(5)  # no name, no time


@pytest.mark.parametrize("suffix", ["", *SUFFIXES])
def test_the_content_says_how_it_is_read(implementation, tmp_path, suffix):
    implementation.dump(OBJECT, tmp_path / f"model.pkl{suffix}")
    for name in ("model.pkl", "model.gz", "model.bz2", "model.xz", "model.zst"):
        os.replace(tmp_path / f"model.pkl{suffix}", tmp_path / name)
        assert quickpickle.load(tmp_path / name) == OBJECT
        os.replace(tmp_path / name, tmp_path / f"model.pkl{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_compressed_by_other_programs(tmp_path, suffix):
    data = pickle.dumps(OBJECT)
    parts = [data[:10], b"", data[10:100_000], data[100_000:]]
    for pieces in ([data], parts):
        content = b"".join(COMPRESS[suffix](piece) for piece in pieces)
        (tmp_path / "model").write_bytes(content)
        assert quickpickle.load(tmp_path / "model") == OBJECT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_ends_too_early(tmp_path, suffix):
    data = COMPRESS[suffix](pickle.dumps(["a", "b", random.Random(1).randbytes(3000)]))
    path = tmp_path / "model"
    sizes = [*range(6, 30), *range(30, len(data) - 30, 97), *range(len(data) - 30, len(data))]
    for size in sizes:
        path.write_bytes(data[:size])
        with pytest.raises(EOFError) as caught:
            quickpickle.load(path)
        assert f"while loading {str(path)!r}" in caught.value.__notes__, size
    path.write_bytes(data)
    assert quickpickle.load(path)[:2] == ["a", "b"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_file(implementation, tmp_path, suffix):
    """The end, behind all that the unpickler needs, is checked too."""
    path = tmp_path / f"model{suffix}"
    implementation.dump([random.Random(1).randbytes(100_000)], path)
    good = path.read_bytes()
    for position in (100, len(good) // 2, len(good) - (6 if suffix == ".gz" else 4)):
        data = bytearray(good)
        data[position] ^= 1
        path.write_bytes(data)
        with pytest.raises(Exception, match=r".") as caught:
            quickpickle.load(path)
        assert f"while loading {str(path)!r}" in caught.value.__notes__


def test_no_pickle_begins_like_a_compressed_file():
    opcodes = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
    assert compression._GZIP[:1] not in opcodes
    assert compression._XZ[:1] not in opcodes
    first, second = compression._ZSTD[:1], compression._ZSTD[1:2]
    assert opcodes[first].name == "MARK"
    assert opcodes[first].arg is None
    assert second not in opcodes
    # Opcodes of protocol 2 and later come after PROTO.
    assert opcodes[compression._BZ2[:1]].name == "BINBYTES"
    assert opcodes[compression._BZ2[:1]].proto >= 2


def test_a_pickle_that_begins_as_a_frame_to_be_skipped(tmp_path):
    """PERSID, and an id: an Unpickler with a persistent_load reads it."""
    data = b"P*M\x18\n."
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(pickle.UnpicklingError, match="persistent"):
        quickpickle.load(tmp_path / "model")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_large_buffers_are_compressed_in_slices(implementation, tmp_path, suffix):
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy has none")
    data = random.Random(1).randbytes(6_000_000)
    peaks = []
    for obj in (b"", data):
        tracemalloc.start()
        try:
            implementation.dump(obj, tmp_path / f"model{suffix}")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 3_000_000  # what each compressor holds from the start is in both
    assert quickpickle.load(tmp_path / f"model{suffix}") == data


def test_a_missing_module(implementation, tmp_path, monkeypatch):
    path = tmp_path / "model.zst"
    path.write_bytes(zstd_compress(pickle.dumps(OBJECT)))
    old = path.read_bytes()
    for name in ("compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)

    class Counting:
        calls = 0

        def __reduce__(self):
            Counting.calls += 1
            return list, ()

    for action in (lambda: implementation.dump(Counting(), path), lambda: quickpickle.load(path)):
        with pytest.raises(ImportError, match=r"pip install 'quickpickle\[zstd\]'"):
            action()
    assert Counting.calls == 0
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["model.zst"]


# --- zstd by way of the package zstandard

needs_zstandard = pytest.mark.skipif(
    zstd.__name__ != "zstandard", reason="compression.zstd is there, so zstandard is not used"
)
SKIPPED = b"\x5a\x2a\x4d\x18\x05\x00\x00\x00 12345"[:8] + b"12345"


def blocks(data):
    reader = io.BufferedReader(compression._BlockReader(frames(data)))
    return reader.read()


def frames(data):
    return compression._zstd_blocks(io.BufferedReader(io.BytesIO(data)), zstd)


@pytest.mark.costly
@needs_zstandard
@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_791, 65_792, 131_072, 1_000_000])
@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("content_size", [False, True])
@pytest.mark.parametrize("level", [-5, 1, 3, 19])
def test_all_kinds_of_frames(size, checksum, content_size, level):
    compressor = zstd.ZstdCompressor(
        level=level, write_checksum=checksum, write_content_size=content_size
    )
    rand = random.Random(size)
    for data in (bytes(size), rand.randbytes(size), b"abc" * (size // 3)):
        stream = compressor.compressobj()
        streamed = b"".join((stream.compress(data), stream.flush(zstd.COMPRESSOBJ_FLUSH_BLOCK)))
        streamed += stream.flush()
        for frame in (compressor.compress(data), streamed):
            assert blocks(frame) == data
            assert blocks(frame + SKIPPED + frame) == data * 2
            for end in {1, 3, 4, 5, len(frame) // 2, len(frame) - 5, len(frame) - 1}:
                if 0 < end < len(frame):
                    with pytest.raises(EOFError):
                        blocks(frame[:end])


@needs_zstandard
def test_bytes_that_are_no_frame():
    for data in (b"no frame at all", zstd.compress(b"x") + b"garbage and more", b"(\xb5/\xfd" * 9):
        with pytest.raises(zstd.ZstdError):
            blocks(data)


@needs_zstandard
def test_a_block_at_a_time():
    """However small a file is, what it decompresses to is never all in memory."""
    data = zstd.compress(bytes(50_000_000))
    assert len(data) < 5000
    sizes = [len(block) for block in frames(data)]
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= 128 * 1024


@pytest.mark.parametrize(
    "ending",
    [
        *(".lz4", ".zip", ".LZ4", ".lzma", ".z", ".zstd", ".tar", ".7z", ".br", ".tgz"),
        *(".pbz2", ".pklz", ".blosc", ".tzst", ".deflate", ".bz"),
    ],
)
def test_an_ending_of_another_compression_is_refused(implementation, tmp_path, ending):
    """The file would not have the format that its name says."""
    path = tmp_path / f"model.pkl{ending}"
    for there_before in (False, True):
        if there_before:
            path.write_bytes(b"before")
        with pytest.raises(ValueError, match=rf"does not compress as \{ending} says"):
            implementation.dump([1], path)
        assert [file.name for file in tmp_path.iterdir()] == [path.name] * there_before
    assert path.read_bytes() == b"before"
    with path.open("wb") as file:  # it is the user's to say what is in it
        implementation.dump([1], file)


@pytest.mark.parametrize("name", ["zip", "lz4", "model.zip.pkl", "azip", ".gitz"])
def test_names_that_only_look_like_it(implementation, tmp_path, name):
    implementation.dump([1], tmp_path / name)
    assert (tmp_path / name).read_bytes()[:1] == b"\x80"


# --- compression= and level=

ENDING = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst"}
TEXT = "".join(random.Random(1).choices("abcdef ", k=60_000))


@pytest.mark.costly
@pytest.mark.parametrize("kind", ENDING)
@pytest.mark.parametrize("name", ["model.pkl", "model.lz4", "model.gz", "model.zip"])
def test_the_compression_that_is_asked_for(implementation, tmp_path, kind, name):
    """Whatever the name is: the same bytes as under a name with the ending."""
    implementation.dump(OBJECT, tmp_path / name, compression=kind)
    implementation.dump(OBJECT, tmp_path / f"named{ENDING[kind]}")
    data = (tmp_path / name).read_bytes()
    assert data == (tmp_path / f"named{ENDING[kind]}").read_bytes()
    assert DECOMPRESS[ENDING[kind]](data) == pickle.dumps(OBJECT)
    assert quickpickle.load(tmp_path / name) == OBJECT


@pytest.mark.parametrize("name", ["model.pkl", "model.pkl.gz", "model.zst", "model.lz4"])
def test_no_compression(implementation, tmp_path, name):
    implementation.dump(OBJECT, tmp_path / name, compression="none")
    assert (tmp_path / name).read_bytes() == pickle.dumps(OBJECT)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("kind", "levels"),
    [("gzip", (0, 1, 6, 9)), ("bz2", (1, 9)), ("xz", (0, 6)), ("zstd", (-131_072, 0, 3, 19))],
)
def test_levels(implementation, tmp_path, kind, levels):
    ending, found = ENDING[kind], []
    for level in levels:
        implementation.dump(TEXT, tmp_path / "model", compression=kind, level=level)
        implementation.dump(TEXT, tmp_path / f"named{ending}", level=level)
        data = (tmp_path / "model").read_bytes()
        assert data == (tmp_path / f"named{ending}").read_bytes()
        assert DECOMPRESS[ending](data) == pickle.dumps(TEXT)
        found.append(len(data))
    assert found[-1] < found[0] or kind == "bz2"  # its levels are the size of what is sorted
    default = {"gzip": 6, "bz2": 9, "xz": 6, "zstd": 3}[kind]
    implementation.dump(TEXT, tmp_path / "model", compression=kind)
    implementation.dump(TEXT, tmp_path / f"named{ending}", level=default)
    assert (tmp_path / "model").read_bytes() == (tmp_path / f"named{ending}").read_bytes()


def test_the_levels_of_gzip_and_bzip2_are_theirs(implementation, tmp_path):
    """With level 1, bzip2 sorts 100,000 bytes at a time, and says so in the fourth byte."""
    for level in (1, 5, 9):
        implementation.dump(TEXT, tmp_path / "model.bz2", level=level)
        assert (tmp_path / "model.bz2").read_bytes()[:4] == b"BZh%d" % level
        implementation.dump(TEXT, tmp_path / "model.gz", level=level)
        theirs = gzip.compress(pickle.dumps(TEXT), level, mtime=0)
        assert len((tmp_path / "model.gz").read_bytes()) == len(theirs)


class Untouched:
    def __reduce__(self):
        raise AssertionError("it was pickled")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("model.pkl", {"level": 9}, r'end the name in \.gz, .* or pass compression="gzip"'),
        ("model.gz", {"level": 9, "compression": "none"}, "level= needs a compression"),
        ("model.pkl", {"compression": "lz4"}, r'"gzip", "bz2", .* "none", or .* \'lz4\''),
        ("model.gz", {"compression": ""}, "compression is one of"),
        ("model.gz", {"compression": 9}, "compression is one of"),
        ("model.gz", {"compression": ["gzip"]}, "compression is one of"),
        ("model.gz", {"level": 10}, "the level of gzip is 0 to 9: 10"),
        ("model.gz", {"level": -1}, "the level of gzip is 0 to 9: -1"),
        ("model.pkl", {"level": 0, "compression": "bz2"}, "the level of bz2 is 1 to 9: 0"),
        ("model.xz", {"level": 10}, "the level of xz is 0 to 9: 10"),
        ("model.zst", {"level": 23}, "the level of zstd is -131072 to 22: 23"),
        ("model.lz4", {}, "compression="),
    ],
)
def test_what_cannot_be_meant(implementation, tmp_path, name, options, message):
    """It is said before anything is pickled, and no file is touched."""
    path = tmp_path / name
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match=message):
        implementation.dump(Untouched(), path, **options)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("level", ["9", 9.0])
def test_a_level_is_an_integer(implementation, tmp_path, level):
    with pytest.raises(TypeError, match="integer"):
        implementation.dump(Untouched(), tmp_path / "model.gz", level=level)


@pytest.mark.parametrize(
    "options", [{"compression": "gzip"}, {"compression": "none"}, {"level": 1}]
)
def test_only_paths_are_compressed(implementation, tmp_path, options):
    class File:
        def write(self, data):
            raise AssertionError

    with open(tmp_path / "model", "wb") as opened:
        for file in (io.BytesIO(), opened, File(), 5):
            with pytest.raises(ValueError, match=r"need the path of a file: .* gzip\.open"):
                implementation.dump(Untouched(), file, **options)
    assert (tmp_path / "model").read_bytes() == b""


def test_pickler_and_dumps_do_not_compress(implementation):
    for options in ({"compression": "gzip"}, {"level": 1}):
        with pytest.raises(TypeError):
            implementation.dumps(1, **options)
        with pytest.raises(TypeError):
            implementation.Pickler(io.BytesIO(), **options)
