"""Keeps a track's raw frames in one append-only file; what it holds is what was acknowledged.

The file's length is the only record of how much is persisted: nothing else can disagree with it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from telecine.crc32c import crc32c

from encoder_service.data_layout import checksums_path
from encoder_service.evidence.chunk_sums import ChecksumFile
from encoder_service.free_space import DiskRoom, disk_room
from service_host.disk.plain_files import open_plain

_FULL = {errno.ENOSPC, errno.EDQUOT}
_MAX_VECTORS = 256


class DiskFullError(Exception):
    """The disk leaves no room; what was written before stays."""


class Spool:
    """A spool file and the checksums of its pieces. Methods block, and are for one thread at a time.

    Between streams no file is open: thousands of jobs may wait. Each piece's checksum is written after the
    piece and before it counts as persisted, so that every reader of the frames sees what a disk did to them.
    """

    __slots__ = ("_fd", "_persisted_bytes", "_sums", "path")

    def __init__(self, path: Path, *, is_new: bool) -> None:
        """Opens for appending; `is_new`: makes the file, which must not be there yet. Raises OSError."""
        self.path = path
        self._fd = -1
        self._persisted_bytes = 0
        self._sums = ChecksumFile(checksums_path(path))
        self._open(os.O_CREAT | os.O_EXCL if is_new else 0)
        try:
            self._persisted_bytes = os.fstat(self._fd).st_size
            self._sums.open(self._fd, self._persisted_bytes, is_new=is_new)
        finally:
            self.park()

    @property
    def persisted_bytes(self) -> int:
        """Bytes that the file holds."""
        return self._persisted_bytes

    def append(
        self,
        chunks: Sequence[bytes | memoryview],
        sums: Sequence[int] | None = None,
        *,
        is_synced: bool = False,
    ) -> None:
        """Writes chunks one after the other; `sums`: their CRC32C, where they are known.

        Raises DiskFullError when there is no room; `persisted_bytes` then says how much was kept,
        which may end inside a chunk. Raises OSError for any other fault of the disk.
        """
        pieces = [
            (memoryview(chunk), crc32c(chunk) if sums is None else sums[index])
            for index, chunk in enumerate(chunks)
            if chunk
        ]
        try:
            if self._fd < 0:
                self._reopen()
            self._write(pieces)
            if is_synced:
                self.sync()
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFullError(str(self.path)) from error
            raise

    def _require_place(self) -> None:
        """What is written into a file that nobody finds any more is not safe. Raises OSError."""
        here, held = self.path.lstat(), os.fstat(self._fd)
        if (here.st_dev, here.st_ino) != (held.st_dev, held.st_ino):
            raise FileNotFoundError(errno.ENOENT, "another file lies there", str(self.path))

    def _write(self, pieces: list[tuple[memoryview, int]]) -> None:
        pending, written = [data for data, _ in pieces], 0
        try:
            while pending:
                count = os.pwritev(self._fd, pending[:_MAX_VECTORS], self._persisted_bytes + written)
                written += count
                pending = _after(pending, count)
        except OSError:
            self._count(pieces, written)
            raise
        else:
            self._count(pieces, written)
        finally:
            for view in (*pending, *(data for data, _ in pieces)):
                view.release()  # the traceback of a full disk must not keep a stream's ring mapped

    def _count(self, pieces: list[tuple[memoryview, int]], written: int) -> None:
        self._require_place()
        self._sums.append(_kept(pieces, written))
        self._persisted_bytes += written

    def sync(self) -> None:
        """Flushes to the disk. Raises OSError."""
        if self._fd < 0:
            self._reopen()
        os.fdatasync(self._fd)
        self._sums.sync()

    def disk_room(self, min_free_bytes: int | None) -> DiskRoom:
        """Room on the file's disk for an unprivileged process. Raises OSError."""
        return disk_room(self.path.parent, min_free_bytes)

    def park(self) -> None:
        """Closes the files until they are needed again; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._sums.park()

    def close(self) -> None:
        """Closes the files; idempotent."""
        self.park()

    def _open(self, flags: int) -> None:
        self._fd = open_plain(self.path, os.O_RDWR | flags)

    def _reopen(self) -> None:
        self._open(0)
        if os.fstat(self._fd).st_size < self._persisted_bytes:
            self.park()
            raise OSError(errno.EIO, f"{self.path} is shorter than what was written to it")


def _kept(pieces: list[tuple[memoryview, int]], size_bytes: int) -> list[tuple[memoryview, int]]:
    """The pieces of which so many bytes in all were written; the last one may be cut."""
    kept = []
    for data, crc in pieces:
        if size_bytes < len(data):
            if size_bytes:
                kept.append((data[:size_bytes], crc32c(data[:size_bytes])))
            break
        kept.append((data, crc))
        size_bytes -= len(data)
    return kept


def _after(pending: list[memoryview], written: int) -> list[memoryview]:
    for index, chunk in enumerate(pending):
        if written < len(chunk):
            rest = pending[index:]
            rest[0] = chunk[written:]
            return rest
        written -= len(chunk)
    return []
