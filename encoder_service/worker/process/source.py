"""Reads frames out of a growing spool: each frame is mapped from the page cache, never copied."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Self

from encoder_service.data_layout import checksums_path
from encoder_service.evidence.chunk_sums import ChecksumReader
from encoder_service.worker.libav.padding import PaddedMemory
from encoder_service.worker.writer import SourceFrame
from service_host.disk.plain_files import open_plain


class SpoolSource:
    """Random access to the whole frames of a spool file. Safe to use from several threads.

    Each frame is its own mapping, unmapped as soon as nobody holds the frame: resident memory is
    independent of the clip's length. There is room behind it for codecs that read on (`libav.padding`).
    The caller that opens it closes it; frames that are still held stay valid.
    """

    def __init__(self, path: Path, frame_bytes: int) -> None:
        """Opens the spool. Raises OSError."""
        self._frame_bytes = frame_bytes
        self._frames = 0
        self._file = open_plain(path, os.O_RDONLY)
        self._checksums = ChecksumReader(checksums_path(path), self._file)
        self._lock = threading.Lock()

    def extend(self, frames: int) -> None:
        """Says how many whole frames may be read."""
        self._frames = max(self._frames, frames)

    def frame(self, index: int) -> SourceFrame:
        """Maps one frame. Raises IndexError for one that has not arrived, DamagedFramesError, OSError."""
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} of {self._frames}")
        with self._lock:
            self._checksums.verify((index + 1) * self._frame_bytes)
        mapped = PaddedMemory(self._file, index * self._frame_bytes, self._frame_bytes)
        return SourceFrame(index, mapped.view())

    def skip_to(self, index: int) -> None:
        """Says that no frame before this one will be read: they are not verified. Raises as `frame`."""
        with self._lock:
            self._checksums.skip_to(index * self._frame_bytes)

    def close(self) -> None:
        """Closes the file; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._checksums.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
