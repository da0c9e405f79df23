"""Tells the service's log what happens to jobs, in the stages of the field catalogue."""

from __future__ import annotations

import structlog

from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.evidence.manifest import JobOutcome
from encoder_service.store.record import JobRecord

_WELL = {JobOutcome.SUCCEEDED, JobOutcome.CANCELLED}


class JobStory:
    """One record for each step of a job, with the request that began it."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        self._log = log

    def accepted(self, record: JobRecord) -> None:
        """The job was taken."""
        self._of(record).info(
            "job accepted", stage="encode:accepted", outputs=[output.name for output in record.spec.outputs]
        )

    def received(self, record: JobRecord) -> None:
        """All frames are here."""
        self._of(record).info(
            "all frames received",
            stage="encode:frames",
            frames=record.total_frames,
            bytes=record.total_frames * record.spec.video.frame_bytes,
            duration_ms=_milliseconds(record.created_at_unix_nano, record.received_at_unix_nano),
        )

    def made(self, record: JobRecord, output: str, evidence: AttemptEvidence, result: Produced) -> None:
        """An output's files are in place."""
        self._of(record).info(
            "output made",
            stage="encode:output",
            output=output,
            attempt=evidence.number - 1,
            frames=result.frames_encoded,
            bytes=sum(file.size_bytes for file in result.files if file.is_primary),
            duration_ms=_milliseconds(evidence.started_at_unix_nano, evidence.ended_at_unix_nano),
        )

    def failed(
        self, record: JobRecord, output: str, evidence: AttemptEvidence, result: Failed, *, will_retry: bool
    ) -> None:
        """An attempt failed; `attempt` counts from 0, as the catalogue says."""
        log = self._of(record)
        (log.warning if will_retry else log.error)(
            "attempt failed",
            stage="retry:decision" if will_retry else "encode:output",
            output=output,
            attempt=evidence.number - 1,
            error=result.message,
            error_type=result.code,
            will_retry=will_retry,
            duration_ms=_milliseconds(evidence.started_at_unix_nano, evidence.ended_at_unix_nano),
        )

    def manifested(self, record: JobRecord, path: str) -> None:
        """The manifest is in place."""
        self._of(record).info("manifest written", stage="encode:manifest", path=path)

    def ended(self, record: JobRecord) -> None:
        """The job is over."""
        duration_ms = _milliseconds(record.created_at_unix_nano, record.ended_at_unix_nano)
        log = self._of(record)
        if record.outcome in _WELL:
            log.info(
                "job ended", stage="encode:complete", outcome=str(record.outcome), duration_ms=duration_ms
            )
            return
        problem = record.problem
        log.error(
            "job ended",
            stage="encode:error",
            outcome=str(record.outcome),
            duration_ms=duration_ms,
            error=problem.message if problem else "outputs failed",
            error_type=problem.code if problem else "OUTPUT_FAILED",
        )

    def _of(self, record: JobRecord) -> structlog.typing.FilteringBoundLogger:
        known = {"request_id": record.request_id} if record.request_id else {}
        bound: structlog.typing.FilteringBoundLogger = self._log.bind(job_id=record.job_id, **known)
        return bound


def _milliseconds(start_unix_nano: int, end_unix_nano: int) -> float:
    return round((end_unix_nano - start_unix_nano) / 1e6, 3)
