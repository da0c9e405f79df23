"""Puts files in place whole or not at all, and on request so that they survive a power loss."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_FILE_MODE = 0o640
"""Less the process's umask."""


@contextmanager
def replacing(
    path: Path,
    *,
    is_synced: bool,
    mode: int = _FILE_MODE,
    before_rename: Callable[[], None] | None = None,
) -> Iterator[BinaryIO]:
    """Yields a new file that takes the place of `path` when the block ends, and vanishes when it raises.

    A reader, or a kill at any instant, finds the old file or the new one; a kill leaves
    `temporary_path(path)`, which the next write replaces. A link at either path is replaced, never followed.

    Args:
        path: Where the file belongs. Only one caller at a time may replace it.
        is_synced: Whether file and directory are flushed to the disk: the new file survives a power loss.
        mode: Permissions of the new file, less the process's umask.
        before_rename: Called when the new file is complete, and not yet in place.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    temporary = temporary_path(path)
    try:
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            yield file
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
        if before_rename is not None:
            before_rename()
        temporary.replace(path)
    except BaseException:
        if not temporary.is_dir():
            temporary.unlink(missing_ok=True)
        raise
    if is_synced:
        sync_directory(path.parent)


def write_whole(
    path: Path,
    data: bytes,
    *,
    is_synced: bool,
    mode: int = _FILE_MODE,
    before_rename: Callable[[], None] | None = None,
) -> None:
    """Replaces a file by `data`; the arguments are those of `replacing`. Raises OSError."""
    with replacing(path, is_synced=is_synced, mode=mode, before_rename=before_rename) as file:
        file.write(data)


def temporary_path(path: Path) -> Path:
    """Where a file lies until it is complete."""
    return path.with_name(f".{path.name}.tmp")


def sync_directory(path: Path) -> None:
    """Flushes the names in a directory to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
