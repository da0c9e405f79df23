"""Reports progress to the caller, without letting the caller's callback harm the job."""

from __future__ import annotations

import logging

from telecine.clients.plan import ProgressCallback
from telecine.results.values import Progress
from telecine.upload.machine import Upload

_log = logging.getLogger("telecine")


def snapshot(upload: Upload | None, job_id: str, frame_bytes: int) -> Progress:
    """The progress of an upload and of its outputs."""
    if upload is None:  # no frame was pushed yet
        return Progress(job_id, 0, 0, 0, is_handed_off=False, outputs=())
    return Progress(
        job_id=job_id,
        pushed_bytes=upload.pushed_bytes,
        acknowledged_bytes=min(upload.acknowledged_bytes, upload.pushed_bytes),
        total_bytes=(upload.total_frames or 0) * frame_bytes,
        is_handed_off=upload.is_handed_off,
        outputs=tuple(upload.outputs.values()),
    )


class ProgressReporter:
    """Calls the caller's callback until it raises."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback

    def report(self, progress: Progress) -> None:
        """Never raises: a callback that fails is logged, and not called again."""
        if self._callback is None:
            return
        try:
            self._callback(progress)
        except Exception:  # noqa: BLE001 -- a callback may raise anything
            self._callback = None
            _log.exception("the progress callback of job %s failed", progress.job_id)
