"""Brings jobs to their end: record, manifest, then the spool is freed; it may be cut short at any point."""

from __future__ import annotations

import asyncio
import platform
from functools import cache, partial
from importlib import metadata

import msgspec

from encoder_service import failpoints
from encoder_service.clock import Clock
from encoder_service.evidence.manifest import FILE_NAME as MANIFEST_NAME
from encoder_service.evidence.manifest import Build, JobOutcome, Problem
from encoder_service.jobs.events import JobEvents
from encoder_service.jobs.job import Job, StopReason
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.registry import Registry
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spool.input_hash import InputHash
from encoder_service.spool.quota import SpoolSpace
from encoder_service.store.manifest_reader import manifest_of
from encoder_service.store.record import JobRecord, OutputRecord, OutputState, outcome_of
from service_host.status.disclosure import for_clients


class Ending:
    """Ends jobs. Lives on the event loop."""

    def __init__(
        self,
        registry: Registry,
        files: JobFiles,
        space: SpoolSpace,
        events: JobEvents,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._files = files
        self._space = space
        self._events = events
        self._clock = clock

    async def settle(self, job: Job) -> None:
        """Ends the job if all its outputs have ended: the way of every job that is not stopped."""
        outcome = outcome_of(job.record)
        # A run that is still being taken in may have its evidence recorded and its files not in place.
        if outcome is None or job.is_ending or job.runs:
            return
        if job.record.is_complete:
            await self.end(job, outcome, None)
        elif outcome is JobOutcome.FAILED:
            problem = Problem(
                FailureCode.ALL_OUTPUTS_FAILED, "every output failed before all frames had come"
            )
            await self.end(job, outcome, problem)

    async def end(self, job: Job, outcome: JobOutcome, problem: Problem | None) -> None:
        """Ends the job this way, whatever it is doing. Returns at once when it is ending already."""
        if job.is_ending:
            return
        job.is_ending = True
        await self._stop_all(job)
        # An output that was just being finished may have made it.
        if problem is not None and outcome is JobOutcome.FAILED and _any_succeeded(job.record):
            outcome = JobOutcome.PARTIALLY_SUCCEEDED
        received = _Received(
            frame_bytes=job.persisted_bytes,
            frame_hash=await self._digest(job, job.input_hash, job.persisted_bytes),
            audio_bytes=job.persisted_audio_bytes,
            audio_hash=await self._digest(job, job.audio_hash, job.persisted_audio_bytes),
        )
        await self._files.update_until_written(
            job, partial(_ended, self._clock.unix_nano(), received, outcome, problem)
        )
        failpoints.reach("end_recorded")
        await self.complete(job)

    async def complete(self, job: Job) -> None:
        """Does what is left once the end is recorded; also for a job whose service died meanwhile."""
        job.is_ending = True
        record, store = job.record, self._files.store
        for name, output in record.outputs.items():
            if job.views[name].state is not output.state:
                job.set_view(name, msgspec.structs.replace(job.views[name], state=output.state))
        await self._files.retry_until_done(job, "attempts", partial(store.clear_partial, record))
        if not await asyncio.to_thread(store.has_manifest, record):
            manifest = manifest_of(record, store)
            await self._files.retry_until_done(
                job, "manifest", partial(store.write_manifest, record, manifest)
            )
            self._events.manifest_written(record, f"{record.directory}/{MANIFEST_NAME}")
        seconds = (record.ended_at_unix_nano - record.created_at_unix_nano) / 1e9
        job.log("info", f"{record.outcome} after {seconds:.3f} s" + _because(record.problem))
        job.close_files()
        job.input_hash = job.audio_hash = None
        # Before the spool goes: while it is there, a restart comes back to this.
        deliveries = await self._events.end_recorded(job)
        failpoints.reach("webhooks_promised")
        await self._files.retry_until_done(job, "spool", partial(store.remove_spool, record))
        self._space.release(job.key)
        failpoints.reach("spool_removed")
        job.is_over = True
        self._registry.retire(job)
        job.notify(is_urgent=True)
        self._events.ended(record, deliveries)

    async def _stop_all(self, job: Job) -> None:
        runs = list(job.runs.values())
        for run in runs:
            run.stop(StopReason.JOB_ENDS)
        for run in runs:
            await run.recorded()
        if job.attachment is not None:
            await job.attachment.stop_receiving()

    async def _digest(self, job: Job, track: InputHash | None, size_bytes: int) -> str:
        """The hash of a complete upload; an unreadable spool is worth a warning, not the job."""
        if not job.record.is_complete or track is None:
            return ""
        try:
            return await track.digest(size_bytes)
        except (OSError, EOFError) as error:
            job.warn(WarningCode.INPUT_NOT_HASHED, f"the spool cannot be read: {for_clients(str(error))}")
            return ""


@cache
def service_build() -> Build:
    """What the service is made of; workers add their libraries."""
    return Build(
        telecine=metadata.version("telecine"),
        python=platform.python_version(),
        platform=platform.platform(),
        libraries={},
    )


class _Received(msgspec.Struct, frozen=True):
    """What had come of both tracks, and their hashes."""

    frame_bytes: int
    frame_hash: str
    audio_bytes: int
    audio_hash: str


def _ended(
    now_unix_nano: int,
    received: _Received,
    outcome: JobOutcome,
    problem: Problem | None,
    record: JobRecord,
) -> JobRecord:
    state = OutputState.FAILED if outcome in _FAILING else OutputState.CANCELLED
    outputs = {
        name: output if output.state.is_final else OutputRecord(state=state, attempts=output.attempts)
        for name, output in record.outputs.items()
    }
    return msgspec.structs.replace(
        record,
        outputs=outputs,
        outcome=outcome,
        problem=problem,
        ended_at_unix_nano=now_unix_nano,
        received_at_unix_nano=record.received_at_unix_nano or now_unix_nano,
        bytes_received=received.frame_bytes,
        input_hash_hex=received.frame_hash,
        audio_bytes_received=received.audio_bytes,
        audio_hash_hex=received.audio_hash,
        build=service_build(),
    )


_FAILING = {JobOutcome.FAILED, JobOutcome.PARTIALLY_SUCCEEDED}


def _any_succeeded(record: JobRecord) -> bool:
    return any(output.state is OutputState.SUCCEEDED for output in record.outputs.values())


def _because(problem: Problem | None) -> str:
    return f": {problem.code}: {problem.message}" if problem is not None else ""
