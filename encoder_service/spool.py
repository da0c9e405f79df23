"""Keeps a track's raw frames in one append-only file; what it holds is what was acknowledged.

The file's length is the only record of how much is persisted: nothing else can disagree with it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import google_crc32c
import numpy as np

from encoder_service.disk.room import DiskRoom, disk_room
from service_host.plain_files import open_plain

_FULL = {errno.ENOSPC, errno.EDQUOT}
_MAX_VECTORS = 256


class SpoolFullError(Exception):
    """The quota leaves no room for these bytes."""


class DiskFullError(Exception):
    """The disk leaves no room; what was written before stays."""


def crc32c(data: bytes | memoryview) -> int:
    """CRC32C (Castagnoli) of `data`, without copying it."""
    # The library takes no memoryview, but whatever else shows its bytes.
    return int(google_crc32c.value(np.frombuffer(data, np.uint8) if isinstance(data, memoryview) else data))


class SpoolSpace:
    """The quota of all spools together. A job holds the larger of what it declared and what it wrote.

    Promising declared space at the start keeps half-uploaded jobs from blocking one another for ever.
    """

    __slots__ = ("_held", "_quota_bytes", "_used_bytes")

    def __init__(self, quota_bytes: int) -> None:
        self._quota_bytes = quota_bytes
        self._held: dict[str, int] = {}
        self._used_bytes = 0

    def set_quota(self, quota_bytes: int) -> None:
        """From now on; what is held stays held."""
        self._quota_bytes = quota_bytes

    @property
    def used_bytes(self) -> int:
        """Held by all jobs."""
        return self._used_bytes

    def hold(self, job_id: str, size_bytes: int) -> None:
        """Makes sure that the job holds at least this much. Raises SpoolFullError, with nothing changed."""
        more = size_bytes - self._held.get(job_id, 0)
        if more <= 0:
            return
        if self._used_bytes + more > self._quota_bytes:
            raise SpoolFullError
        self._take(job_id, more)

    def hold_existing(self, job_id: str, size_bytes: int) -> None:
        """Counts what lies on the disk already, even beyond a quota that has become smaller."""
        self._take(job_id, max(0, size_bytes - self._held.get(job_id, 0)))

    def release(self, job_id: str) -> None:
        """Gives back all that the job holds; idempotent."""
        self._used_bytes -= self._held.pop(job_id, 0)

    def _take(self, job_id: str, more: int) -> None:
        self._held[job_id] = self._held.get(job_id, 0) + more
        self._used_bytes += more


class Spool:
    """An open spool file. Methods block and may be called from one thread at a time."""

    __slots__ = ("_fd", "_persisted_bytes", "path")

    def __init__(self, path: Path, *, is_new: bool) -> None:
        """Opens for appending; `is_new`: makes the file, which must not be there yet. Raises OSError."""
        self.path = path
        self._fd = open_plain(path, os.O_RDWR | (os.O_CREAT | os.O_EXCL if is_new else 0))
        self._persisted_bytes = os.fstat(self._fd).st_size

    @property
    def persisted_bytes(self) -> int:
        """Bytes that the file holds."""
        return self._persisted_bytes

    def append(self, chunks: Sequence[bytes | memoryview], *, is_synced: bool = False) -> None:
        """Writes chunks one after the other.

        Raises DiskFullError when there is no room; `persisted_bytes` then tells how much was kept,
        which may end inside a chunk. Raises OSError for any other fault of the disk.
        """
        try:
            self._write([memoryview(chunk) for chunk in chunks if chunk])
            if is_synced:
                self.sync()
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFullError(str(self.path)) from error
            raise

    def _write(self, pending: list[memoryview]) -> None:
        try:
            while pending:
                written = os.pwritev(self._fd, pending[:_MAX_VECTORS], self._persisted_bytes)
                self._persisted_bytes += written
                pending = _after(pending, written)
        finally:
            for view in pending:  # the traceback of a full disk must not keep a stream's ring mapped
                view.release()

    def sync(self) -> None:
        """Flushes to the disk. Raises OSError."""
        os.fdatasync(self._fd)

    def clear(self) -> None:
        """Forgets what the file holds. Raises OSError."""
        os.ftruncate(self._fd, 0)
        self._persisted_bytes = 0

    def disk_room(self, min_free_bytes: int | None) -> DiskRoom:
        """Room on the file's disk for an unprivileged process. Raises OSError."""
        return disk_room(self._fd, min_free_bytes)

    def close(self) -> None:
        """Closes the file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _after(pending: list[memoryview], written: int) -> list[memoryview]:
    for index, chunk in enumerate(pending):
        if written < len(chunk):
            rest = pending[index:]
            rest[0] = chunk[written:]
            return rest
        written -= len(chunk)
    return []
