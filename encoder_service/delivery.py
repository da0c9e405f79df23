"""Reads artifacts from the disk in pieces, so that their size never shows in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from encoder_service.spool import crc32c

PIECE_BYTES = 1 << 20


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

    async def pieces(self, offset: int) -> AsyncIterator[Piece]:
        """Yields the bytes from `offset` on, at most 1 MiB at a time. Raises OSError."""
        self._file.seek(offset)
        while data := await asyncio.to_thread(self._file.read, PIECE_BYTES):
            yield Piece(offset, data, crc32c(data))
            offset += len(data)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[OpenFile]:
    """Opens a file for sending. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb", 0)
    try:
        yield OpenFile(file, path.stat().st_size)
    finally:
        file.close()
