"""Removes a directory with all in it, however deep, wide or closed: it may have been filled to do harm."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TAKEN: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})
_PREFIX: Final = ".removing."


def remove_directory(path: Path) -> None:
    """Removes it, following no link; with two descriptors, and without recursion. Raises OSError.

    What lies deeper is moved up first, so that no depth is too much. A death in between leaves a directory
    that the next call removes.
    """
    number = 0
    with _opened(path, None) as top:
        while folders := _clear(top):
            for folder in folders:
                with _opened(folder, top) as inner:
                    for name in _clear(inner):
                        _let_in(name, inner)  # a directory that may not be written to cannot be moved
                        number = _move_up(name, inner, top, number + 1)
                os.rmdir(folder, dir_fd=top)
    path.rmdir()


def _clear(directory: int) -> list[str]:
    """Removes all that is no directory; returns the names of those that are."""
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=directory)
    return [name for name, is_folder in found if is_folder]


def _move_up(name: str, inner: int, top: int, number: int) -> int:
    """Moves a directory to the top under the first free number from this one on; returns that."""
    while True:
        try:
            os.rename(name, f"{_PREFIX}{number}", src_dir_fd=inner, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            number += 1
        else:
            return number


@contextmanager
def _opened(path: Path | str, parent: int | None) -> Iterator[int]:
    _let_in(path, parent)
    descriptor = os.open(path, _DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _let_in(path: Path | str, parent: int | None) -> None:
    """Gives a directory the rights that emptying it takes, where they are missing and it is ours."""
    mode = os.stat(path, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(mode) or mode & stat.S_IRWXU == stat.S_IRWXU:
        return
    rights = stat.S_IMODE(mode) | stat.S_IRWXU
    try:
        if os.chmod in os.supports_follow_symlinks:
            os.chmod(path, rights, dir_fd=parent, follow_symlinks=False)
            return
        # Linux: by a descriptor that needs no right to be opened, and cannot be a link.
        place = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            Path(f"/proc/self/fd/{place}").chmod(rights)
        finally:
            os.close(place)
    except PermissionError:
        pass  # somebody else's: emptying it says what is wrong
