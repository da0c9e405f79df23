"""Takes over the spools of ended jobs, at once: the next uploads write over them, the rest is removed soon.

A file that is there costs neither new memory nor blocks of the disk. Where a hypervisor has taken free memory
back, frames go into it ten times as fast as into a new one (docs/decisions/spool-reserve.md).
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from encoder_service.clock import Clock
from encoder_service.spool_mark import Mark, can_mark, mark_path


class _Kept(msgspec.Struct, frozen=True):
    path: Path
    size_bytes: int
    given_at: float


class SpoolReserve:
    """The files, newest last. Methods block and may be called from any thread."""

    def __init__(self, directory: Path, limit_bytes: int, keep_seconds: float, clock: Clock) -> None:
        """`limit_bytes`, `keep_seconds`: of what `trim` leaves; 0: nothing is ever used again."""
        self._directory = directory
        self._limit_bytes = limit_bytes if keep_seconds and can_mark() else 0
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []
        self._given = 0

    def open(self) -> None:
        """Makes the directory, and removes what a former process left in it. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in self._directory.iterdir():
            path.unlink()

    def give(self, path: Path) -> None:
        """Takes a file over, whatever its size; harmless where there is none. Raises OSError."""
        with self._lock:
            self._given += 1
            place = self._directory / f"{self._given}.raw"
            try:
                size_bytes = path.stat().st_size
                path.rename(place)
            except FileNotFoundError:
                return
            self._kept.append(_Kept(place, size_bytes, self._clock.monotonic()))

    def take(self, path: Path, expected_bytes: int) -> bool:
        """Puts a file where a new spool is to be, marked as holding nothing; False: there is none.

        `expected_bytes`: of the clip; 0: not known. Raises OSError.
        """
        with self._lock:
            kept = self._choose(expected_bytes) if self._limit_bytes else None
            if kept is None:
                return False
            # The mark first: without it the file would count as full of new frames.
            Mark.make(mark_path(path))
            self._kept.remove(kept)
            try:
                kept.path.rename(path)
            except FileNotFoundError:
                return False
            return True

    def trim(self, *, is_disk_short: bool = False) -> None:
        """Removes what is too old or too much, and everything when the disk is short. Raises OSError."""
        with self._lock:
            room = 0 if is_disk_short else self._limit_bytes
            oldest = self._clock.monotonic() - self._keep_seconds
            stays: list[_Kept] = []
            removed: list[_Kept] = []
            for kept in reversed(self._kept):
                if not room or kept.given_at < oldest:
                    removed.append(kept)
                else:
                    stays.append(_shortened(kept, room))
                    room -= stays[-1].size_bytes
            self._kept = stays[::-1]
        for kept in removed:
            kept.path.unlink(missing_ok=True)

    def _choose(self, expected_bytes: int) -> _Kept | None:
        """The smallest that is large enough, else the largest."""
        enough = [kept for kept in self._kept if 0 < expected_bytes <= kept.size_bytes]
        if enough:
            return min(enough, key=lambda kept: kept.size_bytes)
        return max(self._kept, key=lambda kept: kept.size_bytes, default=None)


def _shortened(kept: _Kept, limit_bytes: int) -> _Kept:
    if kept.size_bytes <= limit_bytes:
        return kept
    with suppress(FileNotFoundError):
        os.truncate(kept.path, limit_bytes)
    return msgspec.structs.replace(kept, size_bytes=limit_bytes)
