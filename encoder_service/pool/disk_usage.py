"""What a worker takes of the disk, seen from outside: its directory, and deleted files that it holds open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

_BLOCK_BYTES = 512
_MAX_DEPTH = 8
"""No output makes directories as deep; what lies deeper counts as too many files."""


class DiskUsage(msgspec.Struct, frozen=True):
    """Where a bound was reached the counting stopped: then it is the least that there was."""

    used_bytes: int = 0
    files: int = 0
    """Directories and links included."""

    def excess(self, max_bytes: int, max_files: int) -> str:
        """Which bound is exceeded, in words; empty: none. `max_bytes` 0: no bound."""
        if max_bytes and self.used_bytes > max_bytes:
            return f"its files take more than {max_bytes} bytes, this server's bound (max_output_bytes)"
        if self.files > max_files:
            return f"it made more than {max_files} files or directories, which no output needs"
        return ""


def measure(directory: Path, pid: int, max_bytes: int, max_files: int) -> DiskUsage:
    """Counts what is in the directory, and deleted files on its disk that the process holds open. Blocks.

    It stops as soon as one of the bounds is exceeded; files that go or come meanwhile are no error.
    """
    used_bytes = files = 0
    with suppress(OSError):
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for size_bytes, count in _sizes(root, pid, max_files + 1):
                used_bytes += size_bytes
                files += count
                if (max_bytes and used_bytes > max_bytes) or files > max_files:
                    break
        finally:
            os.close(root)
    return DiskUsage(used_bytes, files)


def _sizes(root: int, pid: int, too_many: int) -> Iterator[tuple[int, int]]:
    yield from _of_directory(root, _MAX_DEPTH, too_many)
    yield from _of_deleted(Path("/proc") / str(pid) / "fd", os.fstat(root).st_dev)


def _of_directory(directory: int, depth: int, too_many: int) -> Iterator[tuple[int, int]]:
    """By descriptors: a worker can make paths that are longer than any path may be."""
    if depth == 0:
        yield 0, too_many
        return
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES, 1
                if entry.is_dir(follow_symlinks=False):
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    below = os.open(entry.name, flags, dir_fd=directory)
                    try:
                        yield from _of_directory(below, depth - 1, too_many)
                    finally:
                        os.close(below)


def _of_deleted(descriptors: Path, device: int) -> Iterator[tuple[int, int]]:
    # Files in memory have no name either, but lie on another device; a worker's memory has its own bound.
    with suppress(OSError):
        for descriptor in os.scandir(descriptors):
            with suppress(OSError):
                info = descriptor.stat()
                if stat.S_ISREG(info.st_mode) and not info.st_nlink and info.st_dev == device:
                    yield info.st_blocks * _BLOCK_BYTES, 1
