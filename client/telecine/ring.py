"""Memory shared with a server on this machine: bytes are laid there in place of being sent."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from telecine.chunking import crc32c

_MEMFD_NAME = "/memfd:telecine-ring"


class RingMemory:
    """One connection's ring, mapped: byte `n` of the track lies at `n` modulo its size.

    Used by one thread at a time; freed with the last reference.
    """

    def __init__(self, view: memoryview) -> None:
        self.size_bytes = len(view)
        """Size of the whole ring."""
        self._view = view

    @classmethod
    def open(cls, path: str, size_bytes: int, nonce: bytes) -> Self | None:
        """The offered memory; None where it is out of reach (another user's, or another PID namespace's)."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            is_memory = str(Path(f"/proc/self/fd/{file}").readlink()).startswith(_MEMFD_NAME)
            if not is_memory or os.pread(file, len(nonce), 0) != nonce:
                return None
            return cls(memoryview(mmap.mmap(file, size_bytes)))
        except (OSError, ValueError):
            return None
        finally:
            os.close(file)

    def put(self, offset: int, data: bytes | memoryview) -> memoryview:
        """Copies bytes of the track to where `offset` lies, and returns them as they lie there.

        They must not run over the ring's end.
        """
        start = offset % self.size_bytes
        place = self._view[start : start + len(data)]
        place[:] = data
        return place

    def lay(self, offset: int, pieces: Sequence[bytes | memoryview]) -> tuple[int, int]:
        """Puts pieces that are not there yet one after the other; returns their size and CRC32C."""
        start = at = offset % self.size_bytes
        for piece in pieces:
            if not (isinstance(piece, memoryview) and piece.obj is self._view.obj):
                self._view[at : at + len(piece)] = piece
            at += len(piece)
        return at - start, crc32c(self._view[start:at])
