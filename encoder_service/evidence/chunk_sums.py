"""Checksums of a spool's pieces, in a file beside it: what the disk gives back is what was acknowledged.

The file is a row of entries of eight bytes: a piece's size and its CRC32C. Small pieces share an entry.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import google_crc32c
import numpy as np
from telecine.crc32c import crc32c

from service_host.disk.plain_files import open_plain

PIECE_BYTES = 1 << 20
"""Pieces are put together up to this size."""
_ENTRY = struct.Struct("<II")
_READ_BYTES = 1 << 16


class DamagedFramesError(Exception):
    """Bytes of a spool are not those that were written."""


class ChecksumFile:
    """The entries of one spool, for its writer. Blocking; for one thread at a time."""

    __slots__ = ("_fd", "_path", "_size_bytes")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._size_bytes = 0

    def open(self, spool_fd: int, spool_bytes: int, *, is_new: bool) -> None:
        """Makes the file, or takes up what a former process left.

        Bytes that have no entry get one: a process died before they were acknowledged, or 0.1.0 wrote them.
        Entries for bytes that are missing go. Raises OSError.
        """
        self._fd = open_plain(self._path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if is_new else 0))
        covered = 0
        while (entry := os.pread(self._fd, _ENTRY.size, self._size_bytes)) and len(entry) == _ENTRY.size:
            size, _ = _ENTRY.unpack(entry)
            if not size or covered + size > spool_bytes:
                break
            covered += size
            self._size_bytes += _ENTRY.size
        os.ftruncate(self._fd, self._size_bytes)
        self.append((memoryview(piece), crc32c(piece)) for piece in _pieces(spool_fd, covered, spool_bytes))

    def append(self, pieces: Sequence[tuple[memoryview, int]] | Iterator[tuple[memoryview, int]]) -> None:
        """Writes the entries of pieces that follow one another. Raises OSError, with none of them written."""
        entries = b"".join(_ENTRY.pack(size, crc) for size, crc in _merged(pieces))
        if not entries:
            return
        if self._fd < 0:
            self._fd = open_plain(self._path, os.O_RDWR)
        if os.pwrite(self._fd, entries, self._size_bytes) != len(entries):
            raise OSError(errno.ENOSPC, "no room for checksums", str(self._path))
        self._size_bytes += len(entries)

    def sync(self) -> None:
        """Flushes to the disk. Raises OSError."""
        if self._fd >= 0:
            os.fdatasync(self._fd)

    def park(self) -> None:
        """Closes the file until it is needed again; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class ChecksumReader:
    """Verifies a growing spool, once each byte. For one thread; the caller that opens it closes it."""

    def __init__(self, path: Path, spool_fd: int) -> None:
        """A spool without checksums passes: nothing is known of it. Raises OSError."""
        self._spool_fd = spool_fd
        self._verified_bytes = 0
        self._at = 0
        self._ahead = b""
        try:
            self._fd = open_plain(path, os.O_RDONLY)
        except FileNotFoundError:
            self._fd = -1

    def verify(self, end: int) -> None:
        """Makes sure that the bytes below `end`, which are persisted, are as written.

        Raises DamagedFramesError, OSError.
        """
        while self._fd >= 0 and self._verified_bytes < end:
            size, crc = self._next()
            begin = self._verified_bytes
            aligned = begin - begin % mmap.ALLOCATIONGRANULARITY
            if not size or os.fstat(self._spool_fd).st_size < begin + size:
                raise DamagedFramesError(f"the spool and its checksums do not fit together at byte {begin}")
            with mmap.mmap(
                self._spool_fd, begin - aligned + size, mmap.MAP_SHARED, mmap.PROT_READ, offset=aligned
            ) as window:
                found = int(google_crc32c.value(np.frombuffer(window, np.uint8)[begin - aligned :]))
            if found != crc:
                raise DamagedFramesError(
                    f"bytes {begin} to {begin + size} of the frames are not those that were acknowledged"
                )
            self._verified_bytes += size

    def skip_to(self, begin: int) -> None:
        """Leaves out the pieces that end at byte `begin` or before it, for who reads one frame alone.

        Raises DamagedFramesError, OSError.
        """
        while self._fd >= 0 and self._verified_bytes < begin:
            size, _ = entry = self._next()
            if self._verified_bytes + size > begin:
                self._ahead = _ENTRY.pack(*entry) + self._ahead
                return
            if not size:
                raise DamagedFramesError(f"an empty piece at byte {self._verified_bytes} of the frames")
            self._verified_bytes += size

    def close(self) -> None:
        """Closes the file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _next(self) -> tuple[int, int]:
        if len(self._ahead) < _ENTRY.size:
            more = os.pread(self._fd, _READ_BYTES, self._at)
            self._ahead += more
            self._at += len(more)
        if len(self._ahead) < _ENTRY.size:
            raise DamagedFramesError(f"the checksums end at byte {self._verified_bytes} of the frames")
        entry, self._ahead = self._ahead[: _ENTRY.size], self._ahead[_ENTRY.size :]
        size, crc = _ENTRY.unpack(entry)
        return size, crc


def _merged(
    pieces: Sequence[tuple[memoryview, int]] | Iterator[tuple[memoryview, int]],
) -> Iterator[tuple[int, int]]:
    size, crc = 0, 0
    for data, own in pieces:
        if size and size + len(data) > PIECE_BYTES:
            yield size, crc
            size, crc = 0, 0
        # Only small pieces are read again.
        crc = crc32c(data, crc) if size else own
        size += len(data)
    if size:
        yield size, crc


def _pieces(fd: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        piece = os.pread(fd, min(PIECE_BYTES, end - begin), begin)
        if not piece:
            return
        begin += len(piece)
        yield piece
