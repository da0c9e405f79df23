"""Reads frames out of a growing spool: each frame is mapped from the page cache, never copied."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Self

from encoder_service.outputs.writer import SourceFrame


class SpoolSource:
    """Random access to the whole frames of a spool file. Safe to use from several threads.

    Each frame is its own mapping, unmapped as soon as nobody holds the frame: resident memory is
    independent of the clip's length. Whoever opens it closes it; frames that are still held stay valid.
    """

    def __init__(self, path: Path, frame_bytes: int) -> None:
        """Opens the spool. Raises OSError."""
        self._frame_bytes = frame_bytes
        self._frames = 0
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def extend(self, frames: int) -> None:
        """Says how many whole frames may be read."""
        self._frames = max(self._frames, frames)

    def frame(self, index: int) -> SourceFrame:
        """Maps one frame. Raises IndexError for one that has not arrived."""
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} of {self._frames}")
        start = index * self._frame_bytes
        aligned = start - start % mmap.ALLOCATIONGRANULARITY
        window = mmap.mmap(
            self._file,
            start - aligned + self._frame_bytes,
            flags=mmap.MAP_SHARED | mmap.MAP_POPULATE,
            prot=mmap.PROT_READ,
            offset=aligned,
        )
        return SourceFrame(index, memoryview(window)[start - aligned :])

    def close(self) -> None:
        """Closes the file; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
