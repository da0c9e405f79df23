"""The room on the data directory's disk: what is free, what stays free, and what can never fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

_DEFAULT_FLOOR_BYTES: Final = 256 << 20
_DEFAULT_SHARE: Final = 16
"""A small disk, such as a container's /tmp, keeps this part of itself free instead."""
_RECORDS_BYTES: Final = 8 << 20
_RECORDS_SHARE: Final = 32
SETTING: Final = "min_free_bytes"
VARIABLE: Final = "TELECINE_ENCODER_MIN_FREE_BYTES"


class DiskRoom(msgspec.Struct, frozen=True):
    """One look at a disk."""

    total_bytes: int
    """0: the file system does not say; then nothing is refused."""
    free_bytes: int
    floor_bytes: int
    """What stays free."""

    def takes(self, more_bytes: int) -> bool:
        """Whether so many bytes may be written now."""
        return self.total_bytes == 0 or self.free_bytes - more_bytes >= self.floor_bytes

    def can_ever_hold(self, whole_bytes: int) -> bool:
        """Whether a track of so many bytes would fit if nothing else lay there: else waiting is vain."""
        return self.total_bytes == 0 or whole_bytes <= self.most_bytes

    @property
    def most_bytes(self) -> int:
        """Of a track, on a disk that holds nothing else but the service's own records."""
        records = min(_RECORDS_BYTES, self.total_bytes // _RECORDS_SHARE)
        return max(0, self.total_bytes - self.floor_bytes - records)

    def __str__(self) -> str:
        return (
            f"the disk has {size_text(self.total_bytes)}, {size_text(self.free_bytes)} of it free, "
            f"and {size_text(self.floor_bytes)} have to stay free ({SETTING})"
        )


def disk_room(place: Path | int, min_free_bytes: int | None) -> DiskRoom:
    """Looks at the disk of a directory or of an open file.

    `min_free_bytes`: as configured; None: 256 MiB, or a sixteenth of a disk smaller than 4 GiB.
    Raises OSError.
    """
    found = os.statvfs(place)
    # Without what is kept for root.
    total = (found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize
    return DiskRoom(total, found.f_bavail * found.f_frsize, floor_bytes(total, min_free_bytes))


def floor_bytes(total_bytes: int, min_free_bytes: int | None) -> int:
    """What has to stay free on a disk of that size; see `disk_room`."""
    if min_free_bytes is not None:
        return min_free_bytes
    return min(_DEFAULT_FLOOR_BYTES, total_bytes // _DEFAULT_SHARE)


def fault_of(directory: Path, room: DiskRoom, *, is_fresh: bool) -> str | None:
    """Why a service on this disk could take no frame, and what to set; None: it can.

    `is_fresh`: the service has nothing there yet that it could remove, so that it need not wait.
    """
    if room.can_ever_hold(1):
        if room.takes(1) or not is_fresh:
            return None
        return (
            f"no frame could be taken at {directory}: {room}. Make room there, lower {SETTING} ({VARIABLE}), "
            "or use another disk (for an embedded service: TELECINE_DATA_DIR, or TMPDIR)"
        )
    return (
        f"{SETTING} is {size_text(room.floor_bytes)} ({room.floor_bytes} bytes), but the whole disk of "
        f"{directory} has {size_text(room.total_bytes)} ({room.total_bytes} bytes): no frame could ever be "
        f"taken. Lower it ({VARIABLE}), or use a data_dir on a larger disk (for an embedded service: "
        "TELECINE_DATA_DIR, or TMPDIR)"
    )


def size_text(size_bytes: int) -> str:
    """For people: "256 MiB"."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"
