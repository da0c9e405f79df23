"""The jobs of one service: takes new ones in, finds, cancels, lists and deletes them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from encoder_service import errors, failpoints
from encoder_service.clock import Clock
from encoder_service.errors import ServiceError
from encoder_service.evidence.checksum import FrameHash, SampleHash
from encoder_service.evidence.manifest import JobOutcome, Problem
from encoder_service.free_space import disk_room
from encoder_service.jobs.attachment import Attachment
from encoder_service.jobs.events import JobEvents
from encoder_service.jobs.job import Job
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.limits import JobLimits
from encoder_service.jobs.registry import Registry, Tombstones, find_gone
from encoder_service.quotas.admission import require_place
from encoder_service.quotas.upload_pace import UploadPace
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.spec import JobSpec, differing_fields
from encoder_service.spool.clip_limit import ClipLimit, audio_limit, clip_limit
from encoder_service.spool.ingest import Ingest
from encoder_service.spool.input_hash import HashThread
from encoder_service.spool.quota import SpoolFullError, SpoolSpace, audio_track
from encoder_service.spool.spool import Spool
from encoder_service.spool.writers import SpoolWriters
from encoder_service.store.record import JobRecord, JobState, Owner, job_key, new_record
from encoder_service.store.store import TrackSpools
from service_host.auth.principal import DEFAULT_TENANT
from service_host.calls.calls import current_request_id
from service_host.quotas.exceeded import QuotaError, quota_exceeded
from service_host.quotas.holders import holders_of

if TYPE_CHECKING:
    from encoder_service.jobs.dispatch import Dispatcher
    from encoder_service.jobs.ending import Ending

_Result = TypeVar("_Result")
NOBODY = Owner()
"""Whose jobs are where nobody is asked who they are."""


@dataclass(frozen=True)
class Spools:
    """What takes frames in, for all jobs together."""

    space: SpoolSpace
    hash_thread: HashThread
    writers: SpoolWriters


class Jobs:
    """What the servicer may ask for. Lives on the event loop."""

    def __init__(
        self,
        registry: Registry,
        files: JobFiles,
        spools: Spools,
        ending: Ending,
        dispatcher: Dispatcher,
        events: JobEvents,
        limits: JobLimits,
        clock: Clock,
    ) -> None:
        self.registry = registry
        self._files = files
        self._space = spools.space
        self._spools = spools
        self._ending = ending
        self._dispatcher = dispatcher
        self._events = events
        self.limits = limits
        """May be replaced while the service runs."""
        self._clock = clock
        self.pace = UploadPace(lambda: self.limits.quotas)
        """How fast uploads may come."""
        self._admission = asyncio.Lock()
        self._tombstones = Tombstones()
        self._being_deleted: dict[str, JobRecord] = {}
        self._removals: dict[str, asyncio.Event] = {}
        """Of the same jobs: set when their files are gone and the id can be used anew."""
        self._removing: set[asyncio.Task[None]] = set()
        self._is_storage_there = True
        self.is_draining = False
        self.is_closing = False
        """The drain is over: streams and watchers end."""

    # --- streams ---------------------------------------------------------------------------------

    async def attach(
        self, spec: JobSpec, pictures: Mapping[str, bytes] | None = None, owner: Owner = NOBODY
    ) -> Attachment:
        """Gives a stream its job: a new one, or the one of its tenant that has this id. Raises ServiceError.

        `pictures`: images of overlays, by SHA-256. The stream that had the job before has let go of it when
        this returns.
        """
        is_resumed = await _to_its_end(self._make_known(spec, pictures or {}, owner))
        # No `await` from here to the lock: nobody can forget the job in between.
        job = self.registry.find(spec.job_id, owner.tenant)
        if differing := differing_fields(job.record.spec, spec):
            raise errors.job_spec_conflict(spec.job_id, differing)
        async with job.attach_lock:
            if job.is_ending and not job.record.is_complete:
                await self._until_over(job)
            if job.attachment is not None:
                await job.attachment.take_away(errors.superseded())
            attachment = job.attachment = Attachment(
                job, self._ingest(job), is_resumed=is_resumed, audio_ingest=self._audio_ingest(job)
            )
            self._dispatcher.kick()
            return attachment

    async def leave(self, attachment: Attachment) -> None:
        """Lets a stream go from its job; one of which no byte has come goes with it."""
        job = attachment.job
        await attachment.release()
        if self.is_draining:
            return
        if job.is_abandoned:
            await self.forget(job)
        else:
            await self._bound_parked()

    async def forget(self, job: Job) -> None:
        """Removes a job of which no byte has come and that no stream holds; its id may be used anew."""
        if not job.is_abandoned or job.attach_lock.locked() or self.registry.live.get(job.key) is not job:
            return
        del self.registry.live[job.key]
        job.is_ending = job.is_forgotten = True
        job.close_files()
        job.notify(is_urgent=True)
        self._events.forgotten(job.record)
        removal = asyncio.create_task(self._remove(job))
        self._removing.add(removal)
        removal.add_done_callback(self._removing.discard)

    def withdraw_promise(self, job: Job) -> None:
        """Takes back the room that was promised to a job and that it does not use."""
        self._space.withdraw(job.key)

    async def _bound_parked(self) -> None:
        """Keeps uploads whose clients are gone from taking all places.

        Who sent least goes first, of the tenant that has the most of them: none costs another tenant its own.
        """
        parked = [job for job in self.registry.live.values() if job.is_parked]
        if len(parked) > max(1, self.limits.max_waiting_jobs // 2):
            most, _ = Counter(job.record.tenant for job in parked).most_common(1)[0]
            parked = [job for job in parked if job.record.tenant == most]
            least = min(parked, key=lambda job: (job.received_bytes, job.last_sign_monotonic))
            message = f"{len(parked) - 1} other uploads wait for their clients, and each has sent more"
            await self._ending.end(least, JobOutcome.EXPIRED, Problem(FailureCode.JOB_EXPIRED, message))

    async def finish(self, job: Job, total_frames: int, total_samples: int = 0) -> None:
        """Records that all frames and samples are here; the job will end from now on. Raises ServiceError."""
        if job.record.is_complete or job.is_ending:
            return
        now = self._clock.unix_nano()

        def complete(record: JobRecord) -> JobRecord:
            return msgspec.structs.replace(
                record, total_frames=total_frames, total_samples=total_samples, received_at_unix_nano=now
            )

        try:
            for spool in (job.spool, job.audio_spool) if self.limits.ingest.is_synced else ():
                if spool is not None:
                    await asyncio.to_thread(spool.sync)
            await self._files.update(job, complete)
        except OSError as error:
            raise errors.disk_error(error, self.limits.ingest.retry_after_seconds) from error
        failpoints.reach("finish_recorded")
        seconds = (now - job.record.created_at_unix_nano) / 1e9
        sound = f" and {total_samples} samples" if total_samples else ""
        job.log("info", f"all {total_frames} frames{sound} received in {seconds:.3f} s")
        job.notify(is_urgent=True)
        self._dispatcher.kick()
        await self._events.received(job)

    def _ingest(self, job: Job) -> Ingest | None:
        limits = self.limits
        limit = clip_limit(job.record.spec, limits.max_clip_seconds, limits.most_made_pixels)
        return self._ingest_into(job.spool, job, job.key, limit)

    def _audio_ingest(self, job: Job) -> Ingest | None:
        audio, limits = job.record.spec.audio, self.limits
        if audio is None:
            return None
        limit = audio_limit(audio, limits.max_audio_bytes, limits.max_audio_seconds)
        return self._ingest_into(job.audio_spool, job, audio_track(job.key), limit)

    def _ingest_into(self, spool: Spool | None, job: Job, name: str, limit: ClipLimit) -> Ingest | None:
        if spool is None or job.record.is_complete or job.is_ending:
            return None

        def persisted() -> None:
            had_frames, before = job.frames_ready > 0, job.received_bytes
            job.note_persisted()
            self._events.persisted(job.received_bytes - before)
            if not had_frames and job.frames_ready > 0:
                self._dispatcher.kick()

        def failed(error: Exception) -> None:
            if job.attachment is not None:
                job.attachment.interrupt(error)

        return Ingest(
            name,
            spool,
            self._space,
            self._spools.writers.of(job.record.tenant),
            self.limits.ingest,
            persisted,
            failed,
            limit,
        )

    # --- new jobs --------------------------------------------------------------------------------

    async def _make_known(self, spec: JobSpec, pictures: Mapping[str, bytes], owner: Owner) -> bool:
        """Creates the job unless it is there; returns whether it was."""
        while (removal := self._removals.get(job_key(owner.tenant, spec.job_id))) is not None:
            await removal.wait()
        async with self._admission:
            if self.registry.knows(spec.job_id, owner.tenant):
                return True
            if self._tombstones.has(spec.job_id, self._clock.monotonic(), owner.tenant):
                raise errors.job_cancelled(spec.job_id)
            await self._create(spec, pictures, owner)
            return False

    def is_admitting(self) -> bool:
        """Whether a new job would be taken."""
        if self.is_draining or not self._is_storage_there or self._dispatcher.unavailable_reason:
            return False
        return len(self._waiting()) < self.limits.max_waiting_jobs

    async def look_for_storage(self) -> None:
        """Ends all streams while the data directory is gone: what they send would be stored nowhere."""
        is_there = await asyncio.to_thread(self._files.store.is_there)
        if is_there is not self._is_storage_there:
            self._is_storage_there = is_there
            self._events.storage_changed(is_there=is_there)
        if not is_there:
            for job in (*self.registry.live.values(), *self.registry.ended.values()):
                if job.attachment is not None:
                    job.attachment.interrupt(errors.storage_unavailable())

    def warn_waiting(self) -> None:
        """Adds a warning to each job that waits for a worker which cannot be started."""
        for job in self.registry.live.values():
            if not job.is_ending and not job.runs:
                job.warn(
                    WarningCode.WORKERS_UNAVAILABLE,
                    "this server cannot start a worker process; the outputs wait until it can",
                )

    def _waiting(self) -> list[JobRecord]:
        """The jobs of all tenants that have no output on a worker."""
        return [job.record for job in self.registry.live.values() if not job.runs]

    async def _create(self, spec: JobSpec, pictures: Mapping[str, bytes], owner: Owner) -> None:
        if self.is_draining:
            raise errors.draining()
        if reason := self._dispatcher.unavailable_reason:
            raise errors.no_workers(reason, self.limits.ingest.retry_after_seconds)
        retry_after_seconds = self.limits.ingest.retry_after_seconds
        if len(self._waiting()) >= self.limits.max_waiting_jobs:
            raise errors.too_many_jobs(self.limits.max_waiting_jobs, retry_after_seconds)
        holders = holders_of(owner.tenant, owner.subject)
        key = job_key(owner.tenant, spec.job_id)
        await self._require_disk(spec.expected_bytes)
        try:
            require_place(holders, self._waiting(), self.limits.quotas)
            self._promise(key, spec, holders)
        except QuotaError as error:
            self._space.release(key)
            raise quota_exceeded(error, retry_after_seconds) from error
        except SpoolFullError as error:
            self._space.release(key)
            raise errors.spool_full(retry_after_seconds) from error
        now, store = self._clock.unix_nano(), self._files.store
        request_id = current_request_id()

        def make() -> tuple[JobRecord, TrackSpools]:
            directory = store.directory_name(spec.job_id, now, owner.tenant)
            record = new_record(spec, directory, now, request_id, owner)
            store.save(record)
            try:
                store.make_directories(record)
                store.keep_pictures(record, pictures)
                return record, store.begin_spools(record)
            except OSError:
                store.delete(record)
                raise

        try:
            record, spools = await asyncio.to_thread(make)
        except OSError as error:
            self._space.release(key)
            self._events.not_created(spec.job_id, owner.tenant, error)
            raise errors.disk_error(error, retry_after_seconds) from error
        job = self.adopt(record, spools)
        job.log("info", f"accepted: {_described(spec)}")
        self._events.accepted(record)

    def _promise(self, key: str, spec: JobSpec, holders: tuple[str, ...]) -> None:
        """Reserves room for what is declared of both tracks. Raises SpoolFullError, QuotaError."""
        self._space.promise(key, spec.video.expected_frames * spec.video.frame_bytes, holders)
        if (audio := spec.audio) is not None:
            self._space.promise(audio_track(key), audio.expected_samples * audio.sample_bytes, holders)

    async def _require_disk(self, expected_bytes: int) -> None:
        """Raises ServiceError where the clip could never be taken: before its first frame is sent."""
        limits = self.limits.ingest
        try:
            room = await asyncio.to_thread(disk_room, self._files.store.root, limits.min_free_bytes)
        except OSError as error:
            raise errors.disk_error(error, limits.retry_after_seconds) from error
        if not room.can_ever_hold(max(1, expected_bytes)):
            raise errors.disk_too_small(expected_bytes, room)

    def adopt(self, record: JobRecord, spools: TrackSpools) -> Job:
        """Makes a job live: a new one, or one that a former process left."""
        job = Job(record, self._files.store.job_directory(record), self._clock)
        job.spool, job.audio_spool = spools.video, spools.audio
        job.persisted_bytes = spools.video.persisted_bytes
        job.input_hash = self._spools.hash_thread.follow(spools.video.path, FrameHash)
        job.input_hash.advance(job.persisted_bytes)
        if spools.audio is not None:
            job.persisted_audio_bytes = spools.audio.persisted_bytes
            job.audio_hash = self._spools.hash_thread.follow(spools.audio.path, SampleHash)
            job.audio_hash.advance(job.persisted_audio_bytes)
        job.acknowledged_bytes = job.received_bytes
        self.registry.live[record.key] = job
        return job

    # --- ending ----------------------------------------------------------------------------------

    async def cancel(self, job_id: str, tenant: str = DEFAULT_TENANT, *, allow_missing: bool = False) -> Job:
        """Cancels a tenant's job that has not ended. Raises ServiceError JOB_NOT_FOUND.

        With `allow_missing`, a job that is not known yet leaves a tombstone: it is refused when it arrives.
        """
        async with self._admission:
            # Whatever is being created just now is known from here on.
            if allow_missing and not self.registry.knows(job_id, tenant):
                self._tombstones.add(job_id, self._clock.monotonic(), tenant)
        job = self.registry.find(job_id, tenant)
        if not job.is_over:
            problem = Problem(FailureCode.JOB_CANCELLED, "cancelled by CancelJob")
            await self.end(job, JobOutcome.CANCELLED, problem)
        return job

    async def end(self, job: Job, outcome: JobOutcome, problem: Problem) -> None:
        """Ends a job from outside; returns when its manifest exists, also where it was ending already."""
        await self._ending.end(job, outcome, problem)
        await self._until_over(job)

    async def _until_over(self, job: Job) -> None:
        subscription = job.subscribe(0.0)
        try:
            while not job.is_over:
                await subscription.next(1.0)
        finally:
            job.unsubscribe(subscription)

    async def delete(self, job_id: str, tenant: str = DEFAULT_TENANT) -> None:
        """Deletes a tenant's ended job with its artifacts. Raises ServiceError."""
        job = self.registry.find(job_id, tenant)
        if not job.is_over:
            raise errors.wrong_state(f"job {job_id!r} has not ended; cancel it first", job.state.value)
        self.registry.ended.pop(job.key, None)
        await self._remove(job)
        self._events.deleted(job.record)

    async def _remove(self, job: Job) -> None:
        """Removes the files of a job that the registry has let go of, as soon as the disk allows it."""
        self._being_deleted[job.key] = job.record
        self._removals[job.key] = gone = asyncio.Event()
        try:
            await self._files.retry_until_done(job, "removal", partial(self._files.store.delete, job.record))
        finally:
            self._space.release(job.key)
            del self._being_deleted[job.key], self._removals[job.key]
            gone.set()

    async def clean(self) -> None:
        """Removes files that no job knows, as crashes and failed deletions leave them. Raises OSError."""
        async with self._admission:
            jobs = (*self.registry.live.values(), *self.registry.ended.values())
            known = [*(job.record for job in jobs), *self._being_deleted.values()]
            strays = await asyncio.to_thread(self._files.store.remove_strays, known)
        if strays:
            self._events.leftovers_removed(strays)
        quarantine = self.registry.quarantine
        quarantine.forget(await asyncio.to_thread(find_gone, quarantine.all()))
        quarantine.remind()

    # --- draining --------------------------------------------------------------------------------

    def interrupt_streams(self, error: ServiceError, *, is_idle_only: bool) -> None:
        """Ends streams and watchers; with `is_idle_only` those streams alone that would wait for nothing."""
        if not is_idle_only:
            self.is_closing = True
            for job in self.registry.live.values():
                job.notify(is_urgent=True)
        for job in (*self.registry.live.values(), *self.registry.ended.values()):
            if job.attachment is not None and not (is_idle_only and _is_in_hand(job)):
                job.attachment.interrupt(error)

    def has_work_in_hand(self) -> bool:
        """Whether an output is running, a job is ending, or a result is being delivered."""
        if any(job.runs or job.is_ending for job in self.registry.live.values()):
            return True
        return any(job.attachment is not None for job in self.registry.ended.values())

    def counts(self) -> dict[str, int]:
        """Live jobs by state."""
        counts = {state.value: 0 for state in (JobState.RECEIVING, JobState.QUEUED, JobState.ENCODING)}
        for job in self.registry.live.values():
            counts[job.state.value] = counts.get(job.state.value, 0) + 1
        return counts


def _described(spec: JobSpec) -> str:
    """What came to be accepted, for stage.log."""
    video, sound = spec.video, ""
    rate = f"{video.frame_rate.numerator}/{video.frame_rate.denominator}"
    if (audio := spec.audio) is not None:
        sound = f"{audio.layout} {audio.sample_format} at {audio.sample_rate} Hz; "
    outputs = ", ".join(f"{output.name} ({output.format})" for output in spec.outputs)
    picture = f"{video.width}x{video.height} {video.pixel_format.value} at {rate} fps"
    return f"{picture}; {sound}for {outputs}"


async def _to_its_end(making: Coroutine[Any, Any, _Result]) -> _Result:
    """Awaits what must not stop half-way when the caller goes away: nobody would know its files then."""
    task = asyncio.ensure_future(making)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Whatever becomes of it now, nobody is left to be notified.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise


def _is_in_hand(job: Job) -> bool:
    return job.is_over or job.is_ending or (job.record.is_complete and bool(job.runs))
