"""What was stored under the newest numbers of producers without a secret: a checksum for each record.

Such a producer's numbers can be taken by anybody who knows its id. So that a batch is only called a
duplicate where the same records are stored, its records are compared with what came under these numbers.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from io import BytesIO
from typing import Final

import google_crc32c
import msgspec
import numpy as np
import numpy.typing as npt

RECORD_BYTES: Final = 4
"""Of one record's checksum."""

_NEWLINE: Final = ord("\n")
_ALL_ONES: Final = np.uint32(0xFFFFFFFF)
# What a byte does to an empty state; the upper byte of each is another, so that a step can be taken back.
_STEPS: Final = np.array(
    [google_crc32c.value(bytes((byte ^ 0xFF,))) ^ 0xFF000000 for byte in range(256)], np.uint32
)
_STEP_OF_UPPER_BYTE: Final = np.argsort(_STEPS >> np.uint32(24)).astype(np.uint32)


class Run(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive records of one batch."""

    producer: str
    first_seq: int
    checksums: bytes

    @property
    def count(self) -> int:
        """How many records."""
        return len(self.checksums) // RECORD_BYTES

    def covers(self, seq: int) -> bool:
        """Whether a number is one of this run's."""
        return self.first_seq <= seq < self.first_seq + self.count

    def at(self, seq: int) -> bytes:
        """The checksum of a number that it covers."""
        start = (seq - self.first_seq) * RECORD_BYTES
        return self.checksums[start : start + RECORD_BYTES]


def checksums_of(lines: bytes) -> bytes:
    """RECORD_BYTES for each line as it was received; the last one ends with a newline."""
    # One line after the other goes through the same memory: a list of all would take as long as the rest.
    with_newlines = array("I", map(google_crc32c.value, BytesIO(lines)))
    return _without_newline(np.array(with_newlines, np.uint32)).tobytes()


def _without_newline(checksums: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The CRC32C of lines, from that of the same lines with their newlines."""
    states = checksums ^ _ALL_ONES
    step = _STEP_OF_UPPER_BYTE[states >> np.uint32(24)]
    before = (states ^ _STEPS[step]) << np.uint32(8) | step ^ np.uint32(_NEWLINE)
    return np.asarray(before ^ _ALL_ONES, np.uint32)


class Digests:
    """The newest records of all such producers, at most `limit` of them together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: dict[str, deque[Run]] = {}
        self._order: deque[Run] = deque()
        self._count = 0

    def note(self, producer: str, first_seq: int, checksums: bytes) -> None:
        """Remembers a batch."""
        run = Run(producer, first_seq, checksums)
        self._runs.setdefault(producer, deque()).append(run)
        self._order.append(run)
        self._count += run.count
        while self._count > self._limit and len(self._order) > 1:
            self._drop_oldest()

    def equal_prefix(self, producer: str, first_seq: int, checksums: bytes) -> int:
        """How many of these records, from the first on, are stored under their numbers."""
        runs = self._runs.get(producer, ())
        for index in range(len(checksums) // RECORD_BYTES):
            wanted = checksums[index * RECORD_BYTES : (index + 1) * RECORD_BYTES]
            seq = first_seq + index
            if not any(run.covers(seq) and run.at(seq) == wanted for run in runs):
                return index
        return len(checksums) // RECORD_BYTES

    def dump(self) -> list[Run]:
        """All that is remembered, the oldest first."""
        return list(self._order)

    def load(self, runs: Iterable[Run]) -> None:
        """Takes over what `dump` returned."""
        self._runs, self._order, self._count = {}, deque(), 0
        for run in runs:
            self.note(run.producer, run.first_seq, run.checksums)

    def _drop_oldest(self) -> None:
        run = self._order.popleft()
        self._count -= run.count
        of = self._runs[run.producer]
        of.popleft()
        if not of:
            del self._runs[run.producer]
