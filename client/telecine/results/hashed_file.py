"""Writes a file and hashes it, in one thread each, while the next bytes arrive."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Self

_WRITE_BYTES = 32 << 10
"""For larger writes ext4 and XFS take new memory from beyond the lists of pages that were just freed, which a
hypervisor may have taken back: 20 MB took 40 to 150 ms in writes of 1 MiB, 12 to 23 ms in these."""
_READ_BYTES = 1 << 20
_MOST_WAITING = 4
"""Pieces; data that arrives faster than the disk takes it waits at its sender."""


class HashedFile:
    """Appends to `file`, which may hold a beginning already, and knows the SHA-256 of the whole.

    For one thread. The caller closes it, and keeps `file` open until then.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.size_bytes = 0
        """Size of the beginning and of all pieces taken, including those that are not written yet."""
        self._file = file
        self._hash = hashlib.sha256()
        self._has_failed = False
        self._waiting: deque[tuple[Future[None], Future[None]]] = deque()
        self._writer = ThreadPoolExecutor(1, "telecine-write")
        self._hasher = ThreadPoolExecutor(1, "telecine-hash")
        file.seek(0)
        while block := file.read(_READ_BYTES):
            self._hash.update(block)
            self.size_bytes += len(block)

    def append(self, data: bytes) -> None:
        """Takes a piece; waits while too many are not written yet. Raises OSError, also of earlier ones."""
        while len(self._waiting) >= _MOST_WAITING:
            self._settle_one()
        written = self._writer.submit(self._write, data)
        self._waiting.append((written, self._hasher.submit(self._hash.update, data)))
        self.size_bytes += len(data)

    def append_at_once(self, data: memoryview) -> None:
        """Writes a piece before it returns; its memory may be used again then. Raises OSError."""
        self._settle()
        written = self._writer.submit(self._write, data)
        self._hash.update(data)
        written.result()
        self.size_bytes += len(data)

    def sha256(self) -> str:
        """Lower-case hex of the whole, which is written then. Raises OSError."""
        self._settle()
        self._file.flush()
        return self._hash.hexdigest()

    def restart(self) -> None:
        """Empties the file. Raises OSError."""
        self._settle()
        self._file.seek(0)
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def close(self) -> None:
        """Ends the threads; pieces that wait are given up, so what is in the file has no gaps. Idempotent."""
        self._writer.shutdown(wait=True, cancel_futures=True)
        self._hasher.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self) -> None:
        while self._waiting:
            self._settle_one()

    def _settle_one(self) -> None:
        for done in self._waiting.popleft():
            done.result()

    def _write(self, data: bytes | memoryview) -> None:
        if self._has_failed:  # a piece before this one is missing
            return
        view = memoryview(data)
        try:
            for start in range(0, len(view), _WRITE_BYTES):
                self._file.write(view[start : start + _WRITE_BYTES])
        except BaseException:
            self._has_failed = True
            raise
