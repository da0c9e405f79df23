"""Reads the sound of a job out of its spool, each byte checked once against what was acknowledged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from encoder_service.data_layout import checksums_path
from encoder_service.evidence.chunk_sums import ChecksumReader
from encoder_service.spec.audio.track import AudioSpec
from service_host.disk.plain_files import open_plain


class SpoolSamples:
    """Random access to the samples of a spool file that have arrived. For one thread.

    The caller that opens it closes it.
    """

    def __init__(self, path: Path, spec: AudioSpec, arrived: Callable[[], int]) -> None:
        """`arrived`: how many whole samples may be read. Raises OSError."""
        self.spec = spec
        self._arrived = arrived
        self._file = open_plain(path, os.O_RDONLY)
        self._checksums = ChecksumReader(checksums_path(path), self._file)

    @property
    def samples(self) -> int:
        """How many may be read; all of them, once the upload is complete."""
        return self._arrived()

    def read(self, start: int, count: int) -> bytes:
        """The bytes of samples. Raises IndexError, DamagedFramesError, OSError."""
        if not 0 <= start <= start + count <= self.samples:
            raise IndexError(f"samples {start} to {start + count} of {self.samples}")
        begin, end = start * self.spec.sample_bytes, (start + count) * self.spec.sample_bytes
        self._checksums.verify(end)
        pieces = []
        while begin < end:
            piece = os.pread(self._file, end - begin, begin)
            if not piece:
                raise IndexError(f"the spool of sound ends at byte {begin}, expected {end}")
            pieces.append(piece)
            begin += len(piece)
        return b"".join(pieces)

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
