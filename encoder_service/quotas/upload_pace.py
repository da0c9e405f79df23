"""Holds uploads to the bytes and frames a second of their tenants and principals, by reading them slower."""

from __future__ import annotations

from collections.abc import Callable

from encoder_service.quotas.config import Quotas
from encoder_service.store.record import JobRecord
from service_host.quotas.pacing import Pacing, pause


class UploadPace:
    """Lives on the event loop."""

    def __init__(self, quotas: Callable[[], Quotas]) -> None:
        """`quotas`: those in force."""
        self._quotas = quotas
        self._bytes = Pacing(lambda holder: quotas().of(holder).upload_bytes_per_second)
        self._frames = Pacing(lambda holder: quotas().of(holder).upload_frames_per_second)

    async def keep(self, record: JobRecord, size_bytes: int, note_alive: Callable[[], None]) -> None:
        """Waits until so many bytes of a job's frames may be taken; its upload does not idle meanwhile."""
        quotas, wait = self._quotas(), 0.0
        if quotas.is_any("upload_bytes_per_second"):
            wait = self._bytes.take(record.holders, size_bytes)
        if quotas.is_any("upload_frames_per_second"):
            frames = size_bytes / record.spec.video.frame_bytes
            wait = max(wait, self._frames.take(record.holders, frames))
        if wait > 0:
            await pause(wait, note_alive)
