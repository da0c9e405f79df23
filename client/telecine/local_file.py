"""Reads an artifact where a server on this machine has put it, in place of having it sent."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

_PIECE_BYTES = 1 << 20


def pieces_of(path: str, offset: int, size_bytes: int) -> Iterator[memoryview]:
    """Yields the bytes of a file from `offset` on; nothing, or not all of them, where it is out of reach.

    Out of reach is also what is no plain file of `size_bytes`, such as in a container of this machine that
    has another file there. What is yielded may still be wrong: the caller knows the SHA-256. Each piece
    lies where the one before lay: memory that is used again is faster.
    """
    try:
        # Not blocking: of a pipe nobody may ever write the other end.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size_bytes:
            return
        piece = memoryview(bytearray(_PIECE_BYTES))
        while count := _read(file, piece, offset):
            yield piece[:count]
            offset += count
    finally:
        os.close(file)


def _read(file: int, piece: memoryview, offset: int) -> int:
    try:
        return os.preadv(file, [piece], offset)
    except OSError:
        return 0
