"""Memory shared with a server on this machine: bytes are put there instead of being sent."""

from __future__ import annotations

import fcntl
import mmap
import os
import re
from collections.abc import Sequence
from typing import Final, Self

from telecine.crc32c import crc32c
from telecine.sharing.local_file import open_own_file

_MEMFD_NAME: Final = "/memfd:telecine-ring"
_OFFERED_PATH: Final = re.compile(r"/proc/[0-9]+/fd/[0-9]+")
_NONCE_BYTES: Final = 16
_MAX_BYTES: Final = 1 << 30
"""What a service can be configured to offer."""
_SEALS: Final = getattr(fcntl, "F_SEAL_SHRINK", 0) | getattr(fcntl, "F_SEAL_GROW", 0)


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
        """The offered memory; None where it is out of reach, or not what a service of this user offers.

        What the server names is opened only if it is a memory file of this user, sealed against shrinking:
        reading behind its new end would kill this process (SIGBUS).
        """
        if (
            not _OFFERED_PATH.fullmatch(path)
            or len(nonce) != _NONCE_BYTES
            or not 0 < size_bytes <= _MAX_BYTES
        ):
            return None
        file = open_own_file(path, os.O_RDWR, name=_MEMFD_NAME)
        if file is None:
            return None
        try:
            is_sealed = _SEALS and fcntl.fcntl(file, fcntl.F_GET_SEALS) & _SEALS == _SEALS
            if not is_sealed or os.fstat(file).st_size != size_bytes:
                return None
            if os.pread(file, _NONCE_BYTES, 0) != nonce:
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
