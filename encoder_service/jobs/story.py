"""Writes to the service's log what happens to jobs, in the stages of the field catalogue."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import structlog

from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.evidence.manifest import JobOutcome
from encoder_service.store.record import JobRecord, tenant_field
from service_host.disk.plain_files import open_plain

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
        known |= tenant_field(record.tenant)
        bound: structlog.typing.FilteringBoundLogger = self._log.bind(job_id=record.job_id, **known)
        return bound


def _milliseconds(start_unix_nano: int, end_unix_nano: int) -> float:
    return round((end_unix_nano - start_unix_nano) / 1e6, 3)


MAX_LINES = 20_000


MAX_LINE_CHARS = 2000


class StageLog:
    """An append-only text file. A line that cannot be written is counted and never stops the job.

    The file is opened for each line: a thousand jobs that wait must not hold a thousand files.
    """

    __slots__ = ("_lines", "_path", "lost_lines")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self.lost_lines = 0

    def line(self, now_unix_nano: int, level: str, message: str) -> None:
        """Appends a line; beyond the limit of lines only its loss is counted."""
        if self._lines >= MAX_LINES:
            self.lost_lines += 1
            return
        self._lines += 1
        time = datetime.fromtimestamp(now_unix_nano / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = " ".join(message[:MAX_LINE_CHARS].splitlines())
        if self._lines == MAX_LINES:
            text += " (further lines are left out)"
        try:
            descriptor = open_plain(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                os.write(descriptor, f"{time}Z {level.upper():<7} {text}\n".encode(errors="replace"))
            finally:
                os.close(descriptor)
        except OSError:
            self.lost_lines += 1
