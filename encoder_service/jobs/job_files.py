"""Writes jobs' records and moves their files: in a thread, one at a time per job, and stubbornly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec
import structlog

from encoder_service.jobs.job import Job
from encoder_service.store.record import JobRecord, tenant_field
from encoder_service.store.store import Store

RETRY_SECONDS = 1.0

_Result = TypeVar("_Result")


class JobFiles:
    """The way from the event loop to the store."""

    def __init__(self, store: Store, log: structlog.typing.FilteringBoundLogger) -> None:
        self.store = store
        self._log = log

    async def update(self, job: Job, change: Callable[[JobRecord], JobRecord]) -> None:
        """Replaces the job's record on the disk, then in memory. Raises OSError, with nothing changed."""
        async with job.lock:
            record = msgspec.structs.replace(change(job.record), warnings=tuple(job.warnings))
            await asyncio.to_thread(self.store.save, record)
            job.record = record

    async def retry_until_done(self, job: Job, what: str, act: Callable[[], _Result]) -> _Result:
        """Does blocking work on the job's files; tries again while the disk refuses.

        A job whose end cannot be written now (a full disk) must neither be lost nor stop others.
        """

        async def attempt() -> _Result:
            async with job.lock:
                return await asyncio.to_thread(act)

        return await self._retried(job, what, attempt)

    async def update_until_written(self, job: Job, change: Callable[[JobRecord], JobRecord]) -> None:
        """As `update`, but tries again while the disk refuses."""
        await self._retried(job, "record", partial(self.update, job, change))

    async def _retried(self, job: Job, what: str, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
        while True:
            try:
                return await attempt()
            except OSError as error:
                job.log("error", f"{what}: {error}; trying again")
                self._log.error(
                    "job files cannot be written",
                    job_id=job.job_id,
                    **tenant_field(job.record.tenant),
                    what=what,
                    error=str(error),
                )
            await asyncio.sleep(RETRY_SECONDS)
