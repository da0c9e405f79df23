"""Tells how much of a spool is persisted where the file was another job's before, so that its length cannot.

It counts for the machine's run it was made in: after a loss of power nobody knows what lies in such a file.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Self

from telecine.host_id import host_id

_COUNT = struct.Struct("<Q")


def mark_path(spool_path: Path) -> Path:
    """Where the mark of a spool lies."""
    return spool_path.with_suffix(".persisted")


def can_mark() -> bool:
    """Whether this system tells its runs apart."""
    return bool(host_id())


class Mark:
    """The count beside a spool file. A process that dies leaves the count of its last `set`."""

    __slots__ = ("_fd", "_path", "persisted_bytes")

    def __init__(self, path: Path, fd: int, persisted_bytes: int) -> None:
        self._path = path
        self._fd = fd
        self.persisted_bytes = persisted_bytes
        """As it was found."""

    @classmethod
    def make(cls, path: Path) -> None:
        """Writes a mark that says that nothing is persisted. Raises OSError."""
        with path.open("xb", buffering=0) as file:
            file.write(_COUNT.pack(0) + host_id().encode())

    @classmethod
    def find(cls, path: Path) -> Self | None:
        """Opens the mark; None where there is none, so that the file's length counts. Raises OSError."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        found = os.pread(fd, 256, 0)
        is_of_this_run = can_mark() and found[_COUNT.size :] == host_id().encode()
        return cls(path, fd, _COUNT.unpack_from(found)[0] if is_of_this_run else 0)

    def set(self, persisted_bytes: int) -> None:
        """From now on so much is persisted; that was written before. Raises OSError."""
        os.pwrite(self._fd, _COUNT.pack(persisted_bytes), 0)

    def sync(self) -> None:
        """Flushes to the disk. Raises OSError."""
        os.fdatasync(self._fd)

    def remove(self) -> None:
        """The file's length counts from now on. Raises OSError."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Closes the file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
