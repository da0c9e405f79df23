"""One Encode stream: reads requests into the spool, reports what is new, delivers the result.

Reading and reporting run side by side and end together; the session's table says what may come when.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service import errors
from encoder_service.errors import ServiceError
from encoder_service.evidence.facts import ProducedFile
from encoder_service.evidence.manifest import JobOutcome
from encoder_service.jobs.attachment import Attachment
from encoder_service.jobs.job import Job, OutputView
from encoder_service.jobs.jobs import NOBODY, Jobs
from encoder_service.metrics import EncoderMetrics
from encoder_service.pool.availability import CapabilityProbe, refusal, without_unavailable
from encoder_service.pool.pool import NoWorkersError
from encoder_service.rpc import replies
from encoder_service.rpc.job_reply import job_message
from encoder_service.rpc.neighbours import Disclosure, Neighbours
from encoder_service.rpc.session import (
    Attached,
    AudioChunkCame,
    ChunkCame,
    Delivered,
    FinishCame,
    HalfClosed,
    JobEnded,
    KeepAliveCame,
    Session,
    SessionState,
)
from encoder_service.rpc.settings import StreamSettings
from encoder_service.spec.spec import Delivery, JobSpec
from encoder_service.spool.ring import Ring, Rings
from encoder_service.store.artifact_reader import DamagedFileError, opened
from encoder_service.store.manifest_reader import sound_manifest
from encoder_service.store.record import Owner
from encoder_service.store.store import Store
from encoder_service.wire.chunks import RawChunk, Request
from encoder_service.wire.client_warnings import parse_client_warnings
from encoder_service.wire.job_spec import checked_chunk, parse_spec
from encoder_service.wire.overlays import pictures_of
from encoder_service.worker_protocol import Probed

NEWS_PAUSE_SECONDS = 0.02
RING_NEWS_PAUSE_SECONDS = 0.003
"""A client whose ring is full waits for the next acknowledgement."""
HEARTBEAT_SECONDS = 1.0


class Wire(Protocol):
    """The connection: gRPC's context, as far as a stream needs it."""

    async def receive(self) -> Request | None:
        """The next request; None once the client has ended its side. Raises ServiceError."""
        ...

    def send(self, response: pb.EncodeResponse) -> Awaitable[None]:
        """Sends an answer; waits while the client does not take it."""
        ...


class EncodeStream:
    """Lives on the event loop for one call."""

    def __init__(
        self,
        wire: Wire,
        jobs: Jobs,
        store: Store,
        probe: CapabilityProbe,
        settings: StreamSettings,
        metrics: EncoderMetrics,
        rings: Rings,
        neighbours: Neighbours,
    ) -> None:
        self._owner = NOBODY
        self._wire = wire
        self._jobs = jobs
        self._store = store
        self._probe = probe
        self._settings = settings
        self._metrics = metrics
        self._rings = rings
        self._neighbours = neighbours
        self._disclosure = Disclosure()
        self._ring: Ring | None = None
        """Shared with a client on this machine while the job takes bytes."""
        self._session = Session()
        self._sent_bytes = -1
        self._sent_complete = False
        self._sent_views: dict[str, OutputView] = {}
        self._sent_warnings = 0

    async def run(self, owner: Owner = NOBODY) -> None:
        """Serves the stream to its end; `owner`: whose its job is. Raises ServiceError."""
        self._owner = owner
        try:
            await self._serve()
        except ServiceError as error:
            self._metrics.stream_failed(error.reason_name, error.metadata.get("quota", ""))
            raise

    async def _serve(self) -> None:
        first = await self._wire.receive()
        spec = self._first(first)
        host_id = first.host_id if isinstance(first, pb.EncodeRequest) else ""
        if isinstance(first, pb.EncodeRequest) and self._settings.tells_job_directory:
            self._disclosure = Disclosure(
                is_proved=self._neighbours.is_proved(host_id, first.proof),
                proof_path=self._neighbours.challenge(host_id),
            )
        if any(output.strict for output in spec.outputs) and not self._knows(spec.job_id):
            error = refusal(spec, await self._probed())
            if error is not None:
                raise error
        if spec.skip_unavailable:
            spec = without_unavailable(spec, await self._probed())
        pictures = pictures_of(first.spec) if isinstance(first, pb.EncodeRequest) else {}
        attachment = await self._jobs.attach(spec, pictures, self._owner)
        try:
            job = attachment.job
            self._session = self._session.advance(
                Attached(
                    persisted_bytes=job.persisted_bytes,
                    frame_bytes=spec.video.frame_bytes,
                    is_complete=attachment.ingest is None,
                    persisted_audio_bytes=job.persisted_audio_bytes,
                    sample_bytes=spec.audio.sample_bytes if spec.audio is not None else 0,
                )
            )
            self._ring = self._rings.lend(host_id if attachment.ingest is not None else "")
            await self._follow(attachment, spec.delivery)
        finally:
            # A second cancellation must not keep the job from its next stream.
            await asyncio.shield(self._let_go(attachment))

    def _knows(self, job_id: str) -> bool:
        return self._jobs.registry.knows(job_id, self._owner.tenant)

    async def _probed(self) -> Probed:
        try:
            return await self._probe.answer()
        except NoWorkersError as error:
            raise errors.no_workers(str(error), self._settings.retry_after_seconds) from error

    async def _let_go(self, attachment: Attachment) -> None:
        try:
            await self._jobs.leave(attachment)
        finally:
            # Only now is nothing written out of it any more.
            self._rings.take_back(self._ring)
            self._ring = None

    def _first(self, request: Request | None) -> JobSpec:
        if request is None:
            self._session.advance(HalfClosed())
        elif isinstance(request, RawChunk):
            self._session.advance(ChunkCame(request.offset, 0))
        elif request.HasField("spec"):
            is_known = self._knows(request.spec.job_id)
            return parse_spec(request.spec, self._settings.wire, 0.0 if is_known else time.time())
        elif request.HasField("finish"):
            self._session.advance(FinishCame(0, 0))
        elif request.HasField("keep_alive"):
            self._session.advance(KeepAliveCame())
        raise errors.invalid_field("message", "must be set; the first message must be the spec")

    async def _follow(self, attachment: Attachment, delivery: Delivery) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                guard = group.create_task(_guard(attachment))
                attachment.reader = group.create_task(self._read(attachment))
                await self._report(attachment, delivery)
                attachment.reader.cancel()
                guard.cancel()
        except BaseExceptionGroup as failures:
            raise _first_leaf(failures) from None

    # --- reading ---------------------------------------------------------------------------------

    async def _read(self, attachment: Attachment) -> None:
        job = attachment.job
        while (request := await self._wire.receive()) is not None:
            if isinstance(request, RawChunk):
                await self._take(attachment, request)
            elif request.HasField("finish"):
                await self._finish(attachment, request.finish)
            elif request.HasField("keep_alive"):
                self._session = self._session.advance(KeepAliveCame())
                job.note_alive()
            elif request.HasField("spec"):
                self._session.advance(Attached(0, 0, is_complete=False))
            else:
                raise errors.invalid_field("message", "must be set to spec, chunk, finish or keep_alive")
        await attachment.drain()
        self._session = self._session.advance(HalfClosed())
        job.notify(is_urgent=True)

    async def _take(self, attachment: Attachment, chunk: RawChunk) -> None:
        has_audio = attachment.job.record.spec.audio is not None
        data = checked_chunk(chunk, self._settings.wire, self._ring, has_audio=has_audio)
        is_audio = chunk.track == pb.TRACK_AUDIO
        event = AudioChunkCame if is_audio else ChunkCame
        self._session = self._session.advance(event(chunk.offset, len(data)))
        self._metrics.received_bytes.inc(len(data))
        self._metrics.tenant_bytes.add(self._owner.tenant, len(data))
        ingest = attachment.audio_ingest if is_audio else attachment.ingest
        if ingest is not None:
            await self._jobs.pace.keep(attachment.job.record, len(data), attachment.job.note_alive)
            await ingest.put(data, chunk.crc32c)

    async def _finish(self, attachment: Attachment, finish: pb.Finish) -> None:
        job = attachment.job
        self._session = self._session.advance(
            FinishCame(
                finish.total_frames, finish.total_bytes, finish.total_samples, finish.total_audio_bytes
            )
        )
        remarks = parse_client_warnings(finish, is_strict=job.record.spec.strict)
        if attachment.ingest is not None:
            await attachment.drain()
            for remark in () if job.record.is_complete else remarks:
                job.warn(remark.code, remark.message)
            await self._jobs.finish(job, finish.total_frames, finish.total_samples)

    # --- reporting -------------------------------------------------------------------------------

    async def _report(self, attachment: Attachment, delivery: Delivery) -> None:
        job = attachment.job
        pause_seconds = NEWS_PAUSE_SECONDS if self._ring is None else RING_NEWS_PAUSE_SECONDS
        heartbeat_seconds = min(HEARTBEAT_SECONDS, self._settings.keep_alive_seconds)
        subscription = job.subscribe(pause_seconds)
        try:
            ring = self._ring.offer if self._ring is not None else None
            accepted = replies.accepted(
                job, self._settings, ring, self._disclosure, is_resumed=attachment.is_resumed
            )
            await self._wire.send(accepted)
            self._note_acknowledged(job)
            is_due = False
            while True:
                is_over, is_detached = job.is_over, self._session.state is SessionState.DETACHED
                await self._send_news(job, is_due=is_due)
                if is_over or is_detached:
                    break
                is_due = not await subscription.next(heartbeat_seconds)
        finally:
            job.unsubscribe(subscription)
        if is_over:
            self._session = self._session.advance(JobEnded())
            await self._deliver(job, delivery)
            self._session = self._session.advance(Delivered())

    async def _send_news(self, job: Job, *, is_due: bool) -> None:
        is_complete = job.record.is_complete
        if is_due or job.received_bytes != self._sent_bytes or is_complete != self._sent_complete:
            response = replies.acknowledged(job)
            self._note_acknowledged(job)
            self._sent_complete = is_complete
            await self._wire.send(response)
        for name, view in list(job.views.items()):
            if self._sent_views.get(name) is not view:
                self._sent_views[name] = view
                await self._wire.send(pb.EncodeResponse(progress=replies.output_progress(job, name)))
        while self._sent_warnings < len(job.warnings):
            entry = job.warnings[self._sent_warnings]
            self._sent_warnings += 1
            warning = pb.Warning(code=entry.code, message=entry.message, output=entry.output)
            await self._wire.send(pb.EncodeResponse(warning=warning))

    def _note_acknowledged(self, job: Job) -> None:
        self._sent_bytes = job.received_bytes
        self._metrics.acknowledged_bytes.inc(job.note_acknowledged())

    # --- delivering ------------------------------------------------------------------------------

    async def _deliver(self, job: Job, delivery: Delivery) -> None:
        if job.record.outcome is JobOutcome.CANCELLED:
            raise errors.job_cancelled(job.job_id)
        if job.record.outcome is JobOutcome.EXPIRED:
            raise errors.job_expired(job.job_id)
        for output, file in replies.primary_files(job.record):
            await self._wire.send(pb.EncodeResponse(artifact=replies.artifact(output, file)))
            if delivery is Delivery.BYTES:
                await self._deliver_bytes(job, file)
        try:
            manifest = await asyncio.to_thread(sound_manifest, job.record, self._store)
        except OSError as error:
            raise errors.job_damaged(job.job_id) from error
        result = pb.JobResult(job=job_message(job), manifest_json=manifest)
        await self._wire.send(pb.EncodeResponse(result=result))

    async def _deliver_bytes(self, job: Job, made: ProducedFile) -> None:
        path = made.path
        try:
            async with opened(job.directory, path) as file:
                if file.size_bytes != made.size_bytes:
                    raise errors.artifact_damaged(job.job_id, path)
                async for piece in file.pieces(0, made.sha256):
                    response = pb.EncodeResponse()
                    replies.fill_chunk(response.artifact_chunk, path, piece)
                    await self._wire.send(response)
        except DamagedFileError as error:
            raise errors.artifact_damaged(job.job_id, path) from error
        except OSError as error:
            if self._knows(job.job_id):  # and was not deleted meanwhile
                raise errors.artifact_damaged(job.job_id, path) from error
            raise errors.artifact_not_found(job.job_id, path) from error


async def _guard(attachment: Attachment) -> None:
    raise await attachment.interrupted()


def _first_leaf(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first, or the refusal among what went wrong: that is for the client."""
    leaves: list[BaseException] = []
    groups: list[BaseException] = [failures]
    while groups:
        item = groups.pop(0)
        if isinstance(item, BaseExceptionGroup):
            groups.extend(item.exceptions)
        else:
            leaves.append(item)
    return next((leaf for leaf in leaves if isinstance(leaf, ServiceError)), leaves[0])
