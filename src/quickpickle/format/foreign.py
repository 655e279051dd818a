"""Data that is no pickle, recognised by its first bytes: for errors of loads, `inspect`, `bench`.

Only bytes that no pickle begins with, or that fail at their very first opcode, are recognised.
"""

from __future__ import annotations

import re
from typing import Any, Final

from .decode import walk

LOOKED_AT: Final = 4096  # bytes at the beginning

_COMPRESSED: Final = "The data is compressed with {0}: load(path) reads such a file, {1} opens one."

OLD_TORCH: Final = "This is a file of PyTorch: use torch.load."  # before ZIP files: it has pickles

# By what the bytes begin with.
_BY_START: Final[list[tuple[bytes, str]]] = [
    (
        b"version https://git-lfs",
        "This is a pointer of Git LFS, not the file that it stands for: run `git lfs pull`.",
    ),
    (b"\x1f\x8b", _COMPRESSED.format("gzip", "gzip.open")),
    (b"BZh", _COMPRESSED.format("bzip2", "bz2.open")),
    (b"\xfd7zXZ\0", _COMPRESSED.format("xz", "lzma.open")),
    (b"\x28\xb5\x2f\xfd", _COMPRESSED.format("zstd", "compression.zstd.open")),
    (b"\x04\x22\x4d\x18", "The data is compressed with LZ4: use lz4.frame.open."),
    (b"\xff\x06\0\0sNaPpY", "The data is compressed with Snappy: decompress it first."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive: unpack it first."),
    (b"Rar!\x1a\x07", "This is a RAR archive: unpack it first."),
    (b"\x93NUMPY", "This is an array of NumPy (.npy): use numpy.load."),
    (b"\x89HDF\r\n\x1a\n", "This is an HDF5 file: use h5py, pandas.read_hdf or keras."),
    (b"PAR1", "This is a Parquet file: use pandas.read_parquet."),
    (b"ARROW1\0\0", "This is an Arrow file: use pyarrow.ipc.open_file, or pandas.read_feather."),
    (b"SQLite format 3\0", "This is an SQLite database: use sqlite3.connect."),
    (b"GGUF", "This is a GGUF file, as llama.cpp reads them."),
    (b"MATLAB 5.0 MAT-file", "This is a MATLAB file: use scipy.io.loadmat."),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "This is an old file of Excel or Word: pandas.read_excel.",
    ),
    (b"\x89PNG\r\n\x1a\n", "This is a PNG image."),
    (b"GIF8", "This is a GIF image."),
    (b"\xff\xd8\xff", "This is a JPEG image."),
    (b"%PDF-", "This is a PDF document."),
    (b"\x7fELF", "This is a program or library (ELF)."),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", OLD_TORCH),
    (b"]\0\0", "The data is compressed with LZMA: lzma.open opens it (joblib.load reads it too)."),
]

TEXT_MODE: Final = (
    "The pickle went through text: its bytes were written or read as characters, and are damaged. "
    'Open files in binary mode ("wb", "rb").'
)
_REPR: Final = "This is what repr() shows of bytes: ast.literal_eval makes bytes of it."

_BY_PATTERN: Final[list[tuple[re.Pattern[bytes], str]]] = [
    # The first byte, 0x80, as latin-1, cp1252, cp437 and the like have it, in UTF-8 or UTF-16.
    (
        re.compile(
            rb"(?:\xef\xbb\xbf)?(?:(?:\xc3\x82)?\xc2\x80|\xe2\x82\xac|\xef\xbf\xbd|\xed\xb2\x80"
            rb"|\xc3[\x84\x87]|\?)[\x02-\x05]"
        ),
        TEXT_MODE,
    ),
    (re.compile(rb"(?:\xff\xfe)?(?:\x80\0|\xac\x20)[\x02-\x05]\0"), TEXT_MODE),
    (re.compile(rb"(?:\xfe\xff)?(?:\0\x80|\x20\xac)\0[\x02-\x05]"), TEXT_MODE),
    (re.compile(rb"b(['\"])\\x80\\x0[2-5]"), _REPR),
    (re.compile(rb"gA[I-X][A-Za-z0-9+/\r\n_-]*=*\s*\Z"), "This is base64: base64.b64decode it."),
    (re.compile(rb"800[2-5][0-9a-fA-F]+\s*\Z"), "This is hexadecimal: bytes.fromhex reads it."),
    (
        re.compile(rb"\s*(?:<!--.*)?<(?:!doctype html|html|head|body)", re.IGNORECASE | re.DOTALL),
        "This is HTML, such as the page of a download that has failed.",
    ),
    (re.compile(rb"\s*<\?xml|\s*<!--|\s*<[a-zA-Z][\w:-]*[\s/>]"), "This is XML or HTML."),
    (
        re.compile(
            rb"\s*(?:[\[{]\s*(?:[\[{\"\]}]|-?\d|true|false|null)|\"(?:[^\"\\\0-\x1f]|\\.)*(?:\"\s*)?\Z)"
        ),
        "This looks like JSON: use json.load.",
    ),
    (
        re.compile(rb"[\xcd-\xcf]\x9aW\x13|\x13W\x9a[\xcd-\xcf]"),
        "This is a database of GDBM, such as shelve writes: use shelve.open.",
    ),
    (
        re.compile(rb"\0{16,}\Z"),
        "It begins with null bytes only, as a file whose contents never got to the disk.",
    ),
    (
        re.compile(rb"....\0{4}\{\s*\"[^\"\\]*\"\s*:\s*\{", re.DOTALL),
        "This is a file of safetensors: use safetensors.safe_open.",
    ),
    (re.compile(rb"#!.*python|import |from \w+ import "), "This is the source of a program."),
]

_MARKS: Final = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_WORDS: Final = re.compile(
    rb"[A-Z][a-z]{2,}(?:[ ,:;'-]+[A-Za-z0-9]+)+|[A-Z][a-z]{4,}[.!]?\s*\Z|\d{3} [A-Z][a-z]{2,}"
)
_OF_MEMO: Final = re.compile(rb"^[(\]}\w]{0,3}[gp]\d+\r?$", re.MULTILINE)  # lines of protocol 0
# An opcode whose argument is the rest of the line, and a line that is none.
_WRONG_LINE: Final = re.compile(
    rb"[gp](?!\d+\r?$)|[IL](?!-?\d+L?\r?$)|F(?!-?(?:\d|inf|nan))|S(?!['\"])|[ci]\S* ", re.MULTILINE
)
_SHORTEST_TEXT: Final = 4  # characters
_LONGEST_LINE: Final = 200  # bytes
_FIRST_OPCODE: Final = 2  # where the one behind the first begins, or it is not whole
_LONGEST_WORD: Final = 16  # bytes that may look like opcodes
_SHOWN: Final = 40  # characters

JOBLIB: Final = "This was written by joblib: use joblib.load."
TORCH: Final = "This is a ZIP archive as PyTorch writes them: use torch.load."
_NPZ: Final = "This is an archive of arrays of NumPy (.npz): use numpy.load."
_ZIP: Final = "This is a ZIP archive: zipfile.ZipFile opens it."
TAR: Final = "This is a tar archive: tarfile.open opens it."
TAR_BLOCK: Final = 512  # bytes, with which a tar archive begins, and which are no pickle


def recognise(start: Any) -> str | None:
    """A text that says which format begins so, and which function reads it; None if not known.

    >>> recognise(b"\\x93NUMPY\\1\\0"), recognise(b"\\x80\\4N.")
    ('This is an array of NumPy (.npy): use numpy.load.', None)
    """
    start = bytes(start[:LOOKED_AT])
    marked = recognise_mark(start)
    if marked is not None:
        return marked
    if start[:2] in (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"):
        return "The data is compressed with zlib: zlib.decompress it (joblib.load reads it too)."
    for pattern, text in _BY_PATTERN:
        if pattern.match(start):
            return text
    return recognise_text(start)


def recognise_at(start: Any, offset: int, *, is_misread: bool = False) -> str | None:
    """The same for data that cannot be read as a pickle from an offset on.

    `is_misread` says that the opcode there is none, or finds nothing of what it needs.
    """
    start = bytes(start[:LOOKED_AT])
    found = None
    if offset <= _FIRST_OPCODE:
        found = recognise(start)
    elif offset <= _LONGEST_WORD:
        # P is the opcode of a persistent id, so a pickle may begin like some of them.
        found = next(
            (
                text
                for mark, text in _BY_START
                if start.startswith(mark) and (offset < len(mark) or mark[:1] != b"P")
            ),
            None,
        ) or recognise_text(start)
    if found is not None:
        return found
    if _WRONG_LINE.match(start):
        return _recognise_line(start, 0)
    is_wrong = is_misread or _WRONG_LINE.match(start, offset) is not None
    return _recognise_line(start, offset) if is_wrong and offset <= _FIRST_OPCODE else None


def recognise_text(start: Any) -> str | None:
    """The same for words, such as the message of a server that had no such file.

    >>> recognise_text(b"Page not found"), recognise_text(b"Vhello world\\np0\\n.")
    ("This is text, and no pickle: 'Page not found'.", None)
    """
    start = bytes(start[:LOOKED_AT])
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            without = start[len(mark) :]
            found = recognise(without) if encoding == "UTF-8" else None
            return found or f"This is text, as it begins with the mark of {encoding}."
    line, _, _ = start[:_LONGEST_LINE].partition(b"\n")
    if not _WORDS.match(line) or any(byte < 32 and byte not in b"\t\r\n" for byte in start):
        return None
    if start[:1] == b"V" or _is_whole(start) or _OF_MEMO.search(start):
        return None  # of protocol 0, as a str or the id of an object
    words = line.decode("ascii", "replace").strip()
    return f"This is text, and no pickle: {words[:_SHOWN]!r}."


def _recognise_line(start: bytes, offset: int) -> str | None:
    """Text of any kind, such as a table in CSV; but not protocol 0, which is text as well.

    >>> _recognise_line(b"id,name\\n1,x\\n", 0), _recognise_line(b"lp0\\nI1\\na.", 0)
    ("This is text, and no pickle: 'id,name'.", None)
    """
    try:
        text = start.decode() if len(start) < LOOKED_AT else start[:-3].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return None
    is_readable = all(char.isprintable() or char in "\t\r\n\f" for char in text)
    text = text.strip()
    line = text[:_LONGEST_LINE].partition("\n")[0].strip()
    if not is_readable or len(text if offset == 0 else line) < _SHORTEST_TEXT + (offset > 0):
        return None
    if _OF_MEMO.search(start) or (text.endswith(".") and " " not in text):
        return None
    return f"This is text, and no pickle: {line[:_SHOWN]!r}."


def _is_whole(data: bytes) -> bool:
    opcodes = walk(data)
    while True:
        try:
            next(opcodes)
        except StopIteration as end:
            return bool(end.value)


def recognise_mark(start: bytes) -> str | None:
    """The same for formats with a mark at their beginning, whatever comes behind it."""
    for prefix, text in _BY_START:
        if start.startswith(prefix):
            return text
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return _recognise_zip(start)
    return TAR if start[257:262] == b"ustar" else None


def _recognise_zip(start: bytes) -> str:
    size = int.from_bytes(start[26:28], "little")
    name = start[30 : 30 + size]
    if name.endswith((b"/data.pkl", b"/.format_version", b"/byteorder")) or b"/data.pkl" in start:
        return TORCH
    return _NPZ if name.endswith(b".npy") else _ZIP


def is_of_joblib(start: Any) -> bool:
    """Whether a pickle is followed by the bytes of its arrays, as joblib writes it."""
    return b"joblib.numpy_pickle" in bytes(start)


def has_doubled_newlines(start: Any) -> bool:
    r"""Whether each newline byte of a binary pickle has become "\r\n".

    >>> has_doubled_newlines(b"\x80\2K\r\nK\r\n\x86."), has_doubled_newlines(b"\x80\2K\nK\r\n\x86.")
    (True, False)
    """
    data = bytes(start)
    newlines = data.count(b"\n")
    if data[:1] != b"\x80" or not newlines or data.count(b"\r\n") != newlines:
        return False
    # A single one may be there by chance: then it counts if the rest is right without the "\r".
    return newlines >= 2 or (not _is_whole(data) and _is_whole(data.replace(b"\r\n", b"\n")))
