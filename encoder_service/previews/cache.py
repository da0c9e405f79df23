"""Previews that were made, bounded in bytes: the one that was not asked for the longest goes first."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from encoder_service.jobs.job import Job
from encoder_service.worker_protocol import PreviewFormat


class PreviewKey(NamedTuple):
    """What a preview shows. A job is known by its object: an id may be used anew."""

    job: Job
    frame: int
    max_side: int
    format: PreviewFormat


class Preview(msgspec.Struct, frozen=True):
    """A picture of a frame."""

    image: bytes
    format: PreviewFormat
    frame: int
    width: int
    height: int
    made_at_unix_nano: int


class PreviewCache:
    """Lives on the event loop."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._kept: dict[PreviewKey, Preview] = {}

    def get(self, key: PreviewKey) -> Preview | None:
        """Returns the picture, if it is kept."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def bound(self, limit_bytes: int) -> None:
        """Keeps no more than so many bytes from now on."""
        self._limit_bytes = limit_bytes
        while self._size_bytes > self._limit_bytes:
            self._drop(next(iter(self._kept)))

    def put(self, key: PreviewKey, preview: Preview) -> None:
        """Keeps a picture; those of jobs that have ended go, and then the oldest."""
        for old in [old for old in self._kept if old.job.is_gone]:
            self._drop(old)
        self._kept[key] = preview
        self._size_bytes += len(preview.image)
        self.bound(self._limit_bytes)

    def _drop(self, key: PreviewKey) -> None:
        self._size_bytes -= len(self._kept.pop(key).image)
