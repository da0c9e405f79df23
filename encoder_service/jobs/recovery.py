"""Takes up what a former process left: the same jobs, from the same bytes, by the same code."""

from __future__ import annotations

import asyncio
import os

import structlog

from encoder_service.clock import Clock
from encoder_service.data_layout import is_directory_of
from encoder_service.evidence.manifest import JobOutcome, Problem
from encoder_service.jobs.ending import Ending
from encoder_service.jobs.events import JobEvents
from encoder_service.jobs.job import Job
from encoder_service.jobs.jobs import Jobs
from encoder_service.spec.codes import FailureCode
from encoder_service.spool.quota import SpoolSpace, audio_track
from encoder_service.store.damage import Damaged
from encoder_service.store.record import JobRecord, OutputRecord, OutputState, tenant_field
from encoder_service.store.store import MissingFileError, Store, TrackSpools


async def recover(
    store: Store,
    jobs: Jobs,
    ending: Ending,
    space: SpoolSpace,
    events: JobEvents,
    clock: Clock,
    log: structlog.typing.FilteringBoundLogger,
) -> None:
    """Fills the registry from the data directory. Raises OSError when the disk cannot be read or written.

    A job whose files cannot be understood costs itself alone: it is named, refused and left as it is.
    """
    records, damaged = await asyncio.to_thread(_load, store)
    for fault in damaged:
        jobs.registry.quarantine.add(fault)
    strays = await asyncio.to_thread(store.remove_strays, records)
    if strays:
        events.leftovers_removed(strays)
    for record in sorted(records, key=_age):
        try:
            await _recover_one(store, jobs, ending, space, clock, record, log)
        except Exception as error:  # noqa: BLE001 - whatever damage did, the other jobs must go on
            jobs.registry.live.pop(record.key, None)
            jobs.registry.quarantine.add(store.not_recovered(record, error))
    for job in list(jobs.registry.live.values()):
        await events.recovered(job)
        await ending.settle(job)


def _load(store: Store) -> tuple[list[JobRecord], list[Damaged]]:
    found = list(store.load())
    records = [entry for entry in found if isinstance(entry, JobRecord)]
    damaged = [entry for entry in found if isinstance(entry, Damaged)]
    known = {(entry.tenant, entry.job_id) for entry in damaged if entry.job_id}
    unknown = [entry for entry in store.find_unknown(records) if (entry.tenant, entry.job_id) not in known]
    known |= {(entry.tenant, entry.job_id) for entry in unknown if entry.job_id}
    return records, damaged + [entry for entry in unknown if not _is_directory_of(entry, known)]


def _is_directory_of(found: Damaged, jobs: set[tuple[str, str]]) -> bool:
    """Whether it is the directory of a job that is named as damaged already."""
    return not found.job_id and any(
        tenant == found.tenant and is_directory_of(found.path.name, job_id) for tenant, job_id in jobs
    )


def _age(record: JobRecord) -> int:
    """The sort key: ended jobs are kept in the order of their end, and retention deletes the first."""
    return record.ended_at_unix_nano or record.created_at_unix_nano


async def _recover_one(
    store: Store,
    jobs: Jobs,
    ending: Ending,
    space: SpoolSpace,
    clock: Clock,
    record: JobRecord,
    log: structlog.typing.FilteringBoundLogger,
) -> None:
    if not record.has_ended and not await asyncio.to_thread(store.has_frames, record):
        # No byte has come: its client knows nothing of it, or begins anew.
        await asyncio.to_thread(store.delete, record)
    elif not record.has_ended:
        await _recover_live(store, jobs, ending, space, record, log)
    elif await asyncio.to_thread(os.path.lexists, store.job_directory(record)):
        await _recover_ended(store, jobs, ending, clock, record)
    else:
        log.warning(
            "an ended job without its directory is forgotten",
            job_id=record.job_id,
            **tenant_field(record.tenant),
        )
        await asyncio.to_thread(store.delete, record)


async def _recover_ended(store: Store, jobs: Jobs, ending: Ending, clock: Clock, record: JobRecord) -> None:
    job = Job(record, store.job_directory(record), clock)
    if not store.has_manifest(record) or store.has_spool(record):
        jobs.registry.live[job.key] = job
        await ending.complete(job)
    job.close_files()
    job.is_ending = job.is_over = True
    jobs.registry.retire(job)


async def _recover_live(
    store: Store,
    jobs: Jobs,
    ending: Ending,
    space: SpoolSpace,
    record: JobRecord,
    log: structlog.typing.FilteringBoundLogger,
) -> None:
    record, spools = await asyncio.to_thread(_reopen, store, record)
    job = jobs.adopt(record, spools)
    space.hold_existing(record.key, job.persisted_bytes, record.holders)
    space.hold_existing(audio_track(record.key), job.persisted_audio_bytes, record.holders)
    found = f"{job.received_bytes} bytes in the spool, {'all' if record.is_complete else 'not all'} frames"
    job.log("info", f"taken up after a restart: {found}")
    log.info(
        "job recovered",
        job_id=record.job_id,
        **tenant_field(record.tenant),
        persisted_bytes=job.received_bytes,
        is_complete=record.is_complete,
    )
    lost_bytes = max(0, record.total_frames * record.spec.video.frame_bytes - job.persisted_bytes)
    if record.spec.audio is not None:
        sent_bytes = record.total_samples * record.spec.audio.sample_bytes
        lost_bytes += max(0, sent_bytes - job.persisted_audio_bytes)
    if lost_bytes > 0:
        # Only the machine's death without `is_synced`, or somebody's hand, can do this.
        problem = Problem(
            FailureCode.SPOOL_DAMAGED, f"the spool lacks {lost_bytes} bytes that were acknowledged"
        )
        await ending.end(job, JobOutcome.FAILED, problem)


def _reopen(store: Store, record: JobRecord) -> tuple[JobRecord, TrackSpools]:
    """Publishes what has evidence, forgets what has not, and opens the spools."""
    for name, output in record.outputs.items():
        produced = output.produced
        if output.state is not OutputState.SUCCEEDED or produced is None:
            continue
        try:
            store.publish(record, name, output.attempts[-1].number, produced.files)
        except MissingFileError:
            record = record.with_output(name, OutputRecord(attempts=output.attempts[:-1]))
            store.save(record)
    store.clear_partial(record)
    store.make_directories(record)
    return record, store.reopen_spools(record)
