"""Looks after time: idle uploads, deadlines, hanging outputs and old jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from encoder_service.clock import Clock
from encoder_service.evidence.manifest import JobOutcome, Problem
from encoder_service.jobs.dispatch import Dispatcher
from encoder_service.jobs.job import Job
from encoder_service.jobs.jobs import Jobs
from encoder_service.jobs.limits import HousekeepingLimits
from encoder_service.metrics import EncoderMetrics
from encoder_service.quotas.retention import superfluous
from encoder_service.spec.codes import FailureCode
from encoder_service.store.record import JobRecord, tenant_field

TICK_SECONDS = 0.5
RETENTION_SECONDS = 5.0


def verdict(
    record: JobRecord, idle_seconds: float, now_unix_nano: int, limits: HousekeepingLimits
) -> tuple[JobOutcome, Problem] | None:
    """How time ends a job that has not ended; None while it may go on. Pure."""
    deadline = record.spec.deadline_unix_nano
    if deadline and now_unix_nano >= deadline:
        return JobOutcome.FAILED, Problem(
            FailureCode.JOB_DEADLINE_EXCEEDED, "the job did not end before its deadline"
        )
    age_seconds = (now_unix_nano - record.created_at_unix_nano) / 1e9
    if limits.max_job_seconds and age_seconds >= limits.max_job_seconds:
        message = f"the job did not end within the server's limit of {limits.max_job_seconds:g} s"
        return JobOutcome.FAILED, Problem(FailureCode.JOB_DEADLINE_EXCEEDED, message)
    limit = limits.idle_upload_timeout_seconds
    if limit and not record.is_complete and idle_seconds >= limit:
        message = f"nothing came from the client for {limit:g} s and the upload was not complete"
        return JobOutcome.EXPIRED, Problem(FailureCode.JOB_EXPIRED, message)
    return None


class Housekeeping:
    """Runs until cancelled. Lives on the event loop."""

    def __init__(
        self,
        jobs: Jobs,
        dispatcher: Dispatcher,
        limits: HousekeepingLimits,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        metrics: EncoderMetrics,
    ) -> None:
        self._metrics = metrics
        self._jobs = jobs
        self._dispatcher = dispatcher
        self.limits = limits
        self._clock = clock
        self._log = log
        self._retention_at = 0.0
        self._cleaned_at = clock.monotonic()
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Ticks for ever; what one tick cannot do, the next one tries again."""
        try:
            while True:
                try:
                    await self.tick()
                except Exception:  # noqa: BLE001 - housekeeping must outlive whatever one job does
                    self._log.exception("a tick of the housekeeping failed")
                await asyncio.sleep(TICK_SECONDS)
        finally:
            for task in self._endings:
                task.cancel()

    async def tick(self) -> None:
        """Does what is due now."""
        self._metrics.outputs_preempted.inc(self._dispatcher.relieve())
        self._dispatcher.kick()
        await self._jobs.look_for_storage()
        now_unix_nano, now = self._clock.unix_nano(), self._clock.monotonic()
        for job in list(self._jobs.registry.live.values()):
            idle_seconds = now - job.last_sign_monotonic
            if now - job.last_byte_monotonic >= self.limits.promise_seconds:
                self._jobs.withdraw_promise(job)
            due = None if job.is_ending else verdict(job.record, idle_seconds, now_unix_nano, self.limits)
            if due is not None:
                # In a task of its own: an ending may have to wait for a disk.
                self._start(self._end(job, *due))
        if now >= self._retention_at:
            self._retention_at = now + RETENTION_SECONDS
            await self._retain(now_unix_nano)
        interval = self.limits.cleaning_interval_seconds
        if interval and now >= self._cleaned_at + interval:
            self._cleaned_at = now
            await self._jobs.clean()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _end(self, job: Job, outcome: JobOutcome, problem: Problem) -> None:
        self._log.warning(
            "time ends a job", job_id=job.job_id, **tenant_field(job.record.tenant), code=problem.code
        )
        await self._jobs.end(job, outcome, problem)

    async def _retain(self, now_unix_nano: int) -> None:
        ended = [job.record for job in self._jobs.registry.ended.values()]
        for record in superfluous(ended, now_unix_nano, self.limits):
            await self._jobs.delete(record.job_id, record.tenant)
