"""Reads artifacts from the disk in pieces, so that their size never shows in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from telecine.crc32c import crc32c

from service_host.disk.plain_files import open_beneath

PIECE_BYTES = 1 << 20


class DamagedFileError(Exception):
    """The file is not what was made."""


class Piece(msgspec.Struct, frozen=True):
    """Some bytes of a file."""

    offset: int
    data: bytes
    crc32c: int


class OpenFile:
    """A file that is being sent; what is sent does not change when the file is deleted meanwhile."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self.size_bytes = size_bytes
        self._ahead: asyncio.Future[Piece] | None = None
        self._sha256: hashlib._Hash | None = None

    async def pieces(self, offset: int, sha256: str = "") -> AsyncIterator[Piece]:
        """Yields the bytes from `offset` on, at most 1 MiB at a time, to one caller.

        While a piece is being sent the next one is read: two are held. A file that is read from its first
        byte is hashed on the way; one with another SHA-256 than it should have ends with DamagedFileError
        instead of its end. Raises OSError.
        """
        self._sha256 = hashlib.sha256() if sha256 and not offset else None
        self._ahead = self._begin(offset)
        while (piece := await asyncio.shield(self._ahead)).data:
            self._ahead = self._begin(piece.offset + len(piece.data))
            yield piece
        if self._sha256 is not None and self._sha256.hexdigest() != sha256:
            raise DamagedFileError

    async def close(self) -> None:
        """Closes the file, once nothing reads it any more; idempotent."""
        if self._ahead is not None:
            await asyncio.wait([self._ahead])
            self._ahead.exception()  # nobody waits for that piece
        self._file.close()

    def _begin(self, offset: int) -> asyncio.Future[Piece]:
        return asyncio.get_running_loop().run_in_executor(None, self._read, offset)

    def _read(self, offset: int) -> Piece:
        data = os.pread(self._file.fileno(), PIECE_BYTES, offset)
        if self._sha256 is not None:
            self._sha256.update(data)
        return Piece(offset, data, crc32c(data))


@asynccontextmanager
async def opened(directory: Path, path: str) -> AsyncIterator[OpenFile]:
    """Opens a file below a directory for sending, following no link. Raises OSError."""
    descriptor = await asyncio.to_thread(open_beneath, directory, path)
    found = OpenFile(os.fdopen(descriptor, "rb", 0), os.fstat(descriptor).st_size)
    try:
        yield found
    finally:
        await found.close()
