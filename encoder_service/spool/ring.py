"""Memory that a client on this machine shares with the service, instead of sending bytes through gRPC."""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from contextlib import suppress

import msgspec
from telecine.machine import host_id

NONCE_BYTES = 16


class RingError(Exception):
    """The client named bytes that are not in the ring."""


class Offer(msgspec.Struct, frozen=True):
    """How a client finds the memory, and sees that it is the right one."""

    path: str
    size_bytes: int
    nonce: bytes


class Ring:
    """One stream's shared memory: byte `n` of the track lies at `n` modulo the size.

    A memfd that is sealed against changes of size: a client that does what it likes can spoil the bytes
    of its own job alone, and chunks are checked by their CRC. Its opener closes it, once nothing reads
    its views any more: the memory is given back at once, whatever still refers to them.
    """

    def __init__(self, size_bytes: int) -> None:
        """Raises OSError when the machine has no memory for it."""
        self._file = os.memfd_create("telecine-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self._file, size_bytes)
            fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            nonce = os.urandom(NONCE_BYTES)
            os.pwrite(self._file, nonce, 0)
            self._map = mmap.mmap(self._file, size_bytes, prot=mmap.PROT_READ)
        except OSError:
            os.close(self._file)
            raise
        self._view = memoryview(self._map)
        self._lent: dict[int, weakref.ref[memoryview]] = {}
        """The views that are in use; an exception's traceback may keep one for long."""
        self.offer = Offer(f"/proc/{os.getpid()}/fd/{self._file}", size_bytes, nonce)

    def read(self, offset: int, size_bytes: int) -> memoryview:
        """The bytes of the track from `offset` on, where they lie. Raises RingError."""
        start = offset % self.offer.size_bytes
        if not 0 < size_bytes <= self.offer.size_bytes - start:
            raise RingError(f"must be 1 to {self.offer.size_bytes - start} at this offset, is {size_bytes}")
        view, lent = self._view[start : start + size_bytes], self._lent
        key = id(view)
        lent[key] = weakref.ref(view, lambda _: lent.pop(key, None))
        return view

    def close(self) -> None:
        """Unmaps the memory and makes the views that `read` returned unusable. Idempotent."""
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        for reference in list(self._lent.values()):
            view = reference()
            if view is not None:
                with suppress(BufferError):  # being read: then it goes with the reader
                    view.release()
        self._lent.clear()
        self._view.release()
        with suppress(BufferError):
            self._map.close()


class Rings:
    """Opens rings, never more than a bound at a time. Lives on the event loop."""

    def __init__(self, size_bytes: int, limit: int) -> None:
        """`size_bytes` 0: never opens one."""
        self._size_bytes = size_bytes
        self._limit = limit
        self._host_id = host_id() if size_bytes else ""
        self.open_count = 0

    def lend(self, client_host_id: str) -> Ring | None:
        """A ring for one stream; None where there can be none, and the client sends its bytes."""
        ring = self._open() if client_host_id and client_host_id == self._host_id else None
        if ring is not None:
            self.open_count += 1
        return ring

    def take_back(self, ring: Ring | None) -> None:
        """Closes what was lent, once nothing of its stream reads it any more."""
        if ring is not None:
            self.open_count -= 1
            ring.close()

    def _open(self) -> Ring | None:
        if self.open_count >= self._limit:
            return None
        try:
            return Ring(self._size_bytes)
        except OSError:
            return None
