"""Files by their path, compressed or not: written whole or not at all.

A file is written under another name beside the one that it is to replace, and renamed when all
of it is on the disk. docs/files.md says what that promises, and what not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from functools import partial
from pickle import PickleBuffer
from typing import IO, TYPE_CHECKING, Any, Final

from ..rules.options import check_buffer_callback, check_protocol
from .compression import (
    CompressedWriter,
    Compression,
    Compressor,
    compressor_for,
)
from .urls import find_store, is_url

if TYPE_CHECKING:
    from typing_extensions import TypeIs


FilePath = str | os.PathLike[str] | os.PathLike[bytes]

_ACL: Final = "system.posix_acl_access"  # the extended attribute in which Linux has it


def is_path(obj: object, method: str) -> TypeIs[FilePath]:
    """Whether `obj` is a path: not what has a file's `method`, some open files have a path too.

    bytes are none: load(data) is a slip for loads(data).

    >>> is_path("model.pkl", "readline"), is_path(b"model.pkl", "readline")
    (True, False)
    """
    return not hasattr(obj, method) and (isinstance(obj, str) or hasattr(type(obj), "__fspath__"))


def dump_to_path(
    file: object,
    dump: Callable[..., object],
    obj: object,
    protocol: int | None,
    buffer_callback: Callable[[PickleBuffer], object] | None,
    options: dict[str, Any],
    compression: Compression | None,
    level: int | None,
) -> TypeIs[FilePath]:
    """Write the pickle of `obj` to `file`, if that is a path; return whether it is.

    `dump` is called with a file, and the options. They are checked before one is made. Where
    `file` is no path, `compression` or `level` raises ValueError.
    """
    if not is_path(file, "write"):
        if compression is not None or level is not None:
            raise ValueError(
                "compression= and level= need the path of a file: pass one, or an open file that "
                "compresses, such as that of gzip.open"
            )
        return False
    number = check_protocol(protocol)
    if buffer_callback is not None:
        check_buffer_callback(number)
    write = partial(dump, obj, protocol=number, buffer_callback=buffer_callback, **options)
    write_file(file, write, compression, level)
    return True


def write_file(
    file: FilePath,
    write: Callable[[Any], object],
    compression: Compression | None = None,
    level: int | None = None,
) -> None:
    """Let `write` write to the file of this path, which then has all of it, or is as it was.

    `write` is called once, with an object that has a `write`. How the file is compressed:
    see `compressor_for`. A file that is not regular (a pipe, a device) is written directly. The
    path may be a URL; then the promise is as good as the store of fsspec can keep it.

    Raises OSError with the path where the file cannot be written, or not replaced; ImportError
    where the module for the compression is missing; and whatever `write` raises.
    """
    path = os.fsdecode(os.fspath(file))
    if is_url(file):
        store, path = find_store(path)
        if store is not None:
            compressor = compressor_for(path, compression, level)
            with store.transaction:  # it commits, or discards, what is written
                _fill(store.open(path, "wb"), str(file), write, compressor)
            return
    compressor = compressor_for(path, compression, level)
    old = _stat(path)
    if old is not None and not (stat.S_ISREG(old.st_mode) and _can_replace(path)):
        _fill(open(path, "wb"), path, write, compressor)  # noqa: SIM115  # _fill closes it
        return
    target = os.path.realpath(path)  # what a link leads to, and wherever a chdir() goes meanwhile
    directory = os.path.dirname(target)
    # Random, so nobody else's: what has this name is ours to remove.
    temporary = os.path.join(directory, f".quickpickle-{os.urandom(8).hex()}.tmp")
    try:
        # A new file has the permissions that open() gives: of the umask, or a default ACL.
        mode = 0o666 if old is None else 0o600
        made = open(temporary, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115  # _fill closes it
        _fill(made, path, write, compressor, partial(_finish, target=target, old=old))
        os.replace(temporary, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = path
            with contextlib.suppress(AttributeError):
                del error.filename2
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass  # it was not made, or has its new name
        except OSError as reason:
            error.add_note(f"The temporary file could not be removed: {reason}")
        raise
    _sync_directory(directory)


def _stat(path: str) -> os.stat_result | None:
    """The status of the file that is to be replaced; None if there is none.

    Raises the OSError that open() would raise, as far as that can be known beforehand.
    """
    directory, name = os.path.split(path)
    if name in ("", os.curdir, os.pardir):
        open(path, "wb").close()  # raises: that is no name for a file
    try:
        return os.stat(path)
    except FileNotFoundError:
        try:
            os.stat(directory or os.curdir)
        except OSError as error:
            error.filename = path
            raise
        return None


def _can_replace(path: str) -> bool:
    """Whether a regular file is one that can be replaced; False if only its content can be.

    Raises the OSError of open() where that would not let us write: a renaming asks only whether
    the directory may be changed.
    """
    if _leads_to_what_is_open(path):
        return False
    if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        open(path, "r+b").close()
    return True


def _leads_to_what_is_open(path: str) -> bool:
    """Whether a path is, or links to, a name of what the process has open: `/dev/stdout`.

    The name that is behind it may be another file's by now, or nobody's.
    """
    for _ in range(40):  # links, as the system follows
        directory, name = os.path.split(path)
        path = os.path.join(os.path.realpath(directory), name)
        if path.startswith(("/dev/std", "/dev/fd/", "/proc/")):
            return True
        if not os.path.islink(path):
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return False


def _fill(
    file: IO[bytes],
    path: str,
    write: Callable[[Any], object],
    compressor: Compressor | None,
    finish: Callable[[int], object] | None = None,
) -> None:
    """Write all of a file, call `finish` with its descriptor, and close it."""
    try:
        if compressor is None:
            write(file)
        else:
            writer = CompressedWriter(file.write, compressor)
            write(writer)
            writer.finish()
        file.flush()
        if finish is not None:
            finish(file.fileno())
        file.close()
    except BaseException as error:
        # Closing writes what is left, which may fail too; what counts is the first error.
        with contextlib.suppress(OSError):
            file.close()
        if isinstance(error, OSError) and error.filename is None:  # of a write, or of the object
            error.add_note(f"while writing {path!r}")
        raise


def _finish(fd: int, target: str, old: os.stat_result | None) -> None:
    """Give a new file the permissions of the old one, and wait until all is on the disk."""
    # Not before all is written: writing takes away what makes a file run as its owner.
    if old is not None and hasattr(os, "fchown"):
        _keep_permissions(fd, target, old)
    os.fsync(fd)


def _keep_permissions(fd: int, target: str, old: os.stat_result) -> None:
    """Give the new file the owner, group, mode and ACL of the old one, and never more.

    Where the owner or the group may not be given away, what was meant for them is left out.
    """
    mode = stat.S_IMODE(old.st_mode)
    new = os.fstat(fd)
    same_group = new.st_gid == old.st_gid
    if new.st_uid != old.st_uid or not same_group:
        try:
            os.fchown(fd, old.st_uid, old.st_gid)
            same_group = True
        except OSError:
            mode &= 0o777  # nothing that makes it run as somebody else
            if not same_group:
                with contextlib.suppress(OSError):
                    os.fchown(fd, -1, old.st_gid)
                    same_group = True
    if not same_group:  # the group has what all have
        mode &= 0o707 | (mode & 0o007) << 3
    if hasattr(os, "setxattr"):
        _keep_acl(fd, target if same_group else None)
    if stat.S_IMODE(os.fstat(fd).st_mode) != mode:  # some file systems have one mode for all
        os.fchmod(fd, mode)


def _keep_acl(fd: int, target: str | None) -> None:
    """Give a new file the ACL of the old one, or none, whatever its directory gives by default."""
    acl = None
    if target is not None:
        with contextlib.suppress(OSError):  # it has none, or the file system has none
            acl = os.getxattr(target, _ACL)
    if acl is not None:
        os.setxattr(fd, _ACL, acl)
    else:
        with contextlib.suppress(OSError):
            os.removexattr(fd, _ACL)


def _sync_directory(directory: str) -> None:
    """Wait until the new name is on the disk, where the system has a way to do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # a directory may be one to write in and not to read
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            error.add_note("The file is written, but may not outlast a power failure.")
            raise
    finally:
        os.close(fd)
