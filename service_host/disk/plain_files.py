"""Opens and removes files of a data directory without ever following a link out of it.

A user who can write into a data directory, or once could, may have left a link there. Opening one fails with
ELOOP (NotAPlainFileError), removing one removes the link and never what it leads to.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from service_host.disk.data_directory import is_plain_directory
from service_host.disk.trees import remove_directory

_FILE_MODE = 0o640
"""Less the process's umask: 0600 unless the operator lets a group read."""


class NotAPlainFileError(OSError):
    """A link, a pipe, a socket or a directory lies where a plain file belongs."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(errno.ELOOP, "is no plain file", str(path))


def open_plain(path: Path, flags: int, *, dir_fd: int | None = None, mode: int = _FILE_MODE) -> int:
    """Returns a descriptor of a plain file; made with `os.O_CREAT`. Raises NotAPlainFileError, OSError."""
    try:
        # Not blocking: of a pipe nobody may ever open the other end.
        extra = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags | extra, mode, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise NotAPlainFileError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAPlainFileError(path)
    return descriptor


def open_beneath(root: Path, relative: str) -> int:
    """Opens a plain file below `root` for reading, no part of the way being a link. Raises OSError.

    `root` itself is the caller's: links that lead to it are followed, the last name of it is not.
    """
    *folders, name = PurePosixPath(relative).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = inner
        return open_plain(Path(name), os.O_RDONLY, dir_fd=at)
    finally:
        os.close(at)


def read_plain(path: Path) -> bytes:
    """The bytes of a plain file. Raises NotAPlainFileError, OSError."""
    with reading_plain(path) as file:
        return file.read()


def reading_plain(path: Path) -> BinaryIO:
    """Opens a plain file for reading. Raises NotAPlainFileError, OSError."""
    return os.fdopen(open_plain(path, os.O_RDONLY), "rb")


def sync_plain(path: Path) -> None:
    """Flushes a file's bytes, or a directory's names, to the disk, following no link. Raises OSError."""
    # Not blocking, as in `open_plain`.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_plain_path(root: Path, relative: str) -> bool:
    """Whether no folder on the way from `root` to a name below it is a link; the name may be anything."""
    *folders, _ = PurePosixPath(relative).parts
    at = root
    for folder in ("", *folders):
        at = at / folder
        if not is_plain_directory(at):
            return False
    return True


def remove_tree(path: Path) -> None:
    """Removes a file, a link or a directory with all in it; a link is removed, what it leads to stays.

    Idempotent. Raises OSError.
    """
    if is_plain_directory(path):
        remove_directory(path)
    else:
        path.unlink(missing_ok=True)
