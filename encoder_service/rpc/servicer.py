"""The rpcs of telecine.encoder.v1: takes requests apart and hands them on; the only door to grpc here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from importlib import metadata
from typing import TYPE_CHECKING, TypeAlias

import grpc
import grpc.aio
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.encoder.v1 import encoder_pb2_grpc as pb_grpc

from encoder_service import errors
from encoder_service.evidence.manifest import FILE_NAME
from encoder_service.jobs.job import Job
from encoder_service.jobs.jobs import Jobs
from encoder_service.metrics import EncoderMetrics
from encoder_service.pool.availability import CapabilityProbe
from encoder_service.previews.previews import Previews
from encoder_service.rpc import replies
from encoder_service.rpc.encode_stream import EncodeStream
from encoder_service.rpc.job_reply import job_message
from encoder_service.rpc.listing import list_jobs
from encoder_service.rpc.neighbours import Neighbours
from encoder_service.rpc.preview import check_preview, preview_key, preview_response
from encoder_service.rpc.settings import ServicerSettings
from encoder_service.rpc.watch_stream import interval_seconds, watch_job
from encoder_service.spool.ring import Rings
from encoder_service.store.artifact_reader import DamagedFileError, OpenFile, opened
from encoder_service.store.manifest_reader import sound_manifest
from encoder_service.store.record import OutputState, Owner
from encoder_service.store.store import Store
from encoder_service.wire.chunks import RawChunk, Request, from_message, parse_request
from service_host.auth.principal import current_principal
from service_host.auth.scopes import Scope, requires
from service_host.auth.tenancy import acting_tenant, visible_tenant
from service_host.quotas.holders import holders_of

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[object, object]
    EncodeContext: TypeAlias = grpc.aio.ServicerContext[pb.EncodeRequest, pb.EncodeResponse]

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["EncoderService"].full_name
_SETTLE_SECONDS = 10.0
"""A client that takes no answer for so long takes no status either."""


class Connection:
    """gRPC's context as an Encode stream sees it."""

    def __init__(self, context: EncodeContext) -> None:
        self._context = context
        self._writing: asyncio.Future[None] | None = None

    async def receive(self) -> Request | None:
        """The next request; None once the client has ended its side."""
        request: object = await self._context.read()
        if isinstance(request, pb.EncodeRequest):
            return from_message(request)
        return request if isinstance(request, RawChunk) else None

    async def send(self, response: pb.EncodeResponse) -> None:
        """Sends an answer; waits while the client does not take it."""
        self._writing = asyncio.ensure_future(self._context.write(response))
        await asyncio.shield(self._writing)

    async def settle(self) -> None:
        """Waits until the last answer is sent, also one whose sender was cancelled.

        gRPC cannot end a call with a status while an answer is under way: the client would learn nothing.
        """
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_SETTLE_SECONDS)
            if self._writing.done() and not self._writing.cancelled():
                self._writing.exception()  # whatever it is, the call's end reports it


class EncoderServicer(pb_grpc.EncoderServiceServicer):
    """Lives on the event loop."""

    def __init__(
        self,
        jobs: Jobs,
        store: Store,
        probe: CapabilityProbe,
        previews: Previews,
        settings: ServicerSettings,
        metrics: EncoderMetrics,
    ) -> None:
        self._jobs = jobs
        self._previews = previews
        self._store = store
        self._probe = probe
        self.settings = settings
        """May be replaced while the service runs; rings stay as they were made."""
        self._metrics = metrics
        self._rings = Rings(settings.ring_bytes, settings.max_rings)
        self._neighbours = Neighbours()

    @requires(Scope.ENCODE)
    async def Encode(  # type: ignore[override]  # noqa: N802 - it reads and writes through the context
        self, request_iterator: object, context: EncodeContext
    ) -> None:
        """Uploads a clip, and follows its job to the end."""
        connection = Connection(context)
        stream = EncodeStream(
            connection,
            self._jobs,
            self._store,
            self._probe,
            self.settings.stream,
            self._metrics,
            self._rings,
            self._neighbours,
        )
        owner = Owner(acting_tenant(context, "upload"), current_principal().subject)
        try:
            await stream.run(owner)
        finally:
            await connection.settle()

    @requires(Scope.READ)
    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:  # noqa: N802
        """Returns a job's state."""
        return pb.GetJobResponse(job=job_message(self._find(request.job_id, context)))

    @requires(Scope.READ)
    async def WatchJob(  # noqa: N802
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Follows a job to its end."""
        pause_seconds = interval_seconds(request)
        job = self._find(request.job_id, context)
        async for response in watch_job(job, pause_seconds, lambda: self._jobs.is_closing):
            yield response

    @requires(Scope.READ)
    async def ListJobs(  # noqa: N802
        self, request: pb.ListJobsRequest, context: Context
    ) -> pb.ListJobsResponse:
        """Lists jobs, newest first."""
        tenant = visible_tenant(context, "list of jobs")
        return list_jobs(self._jobs.registry, request, tenant)

    @requires(Scope.ENCODE)
    async def CancelJob(  # noqa: N802
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """Cancels a job."""
        tenant = acting_tenant(context, request.job_id[:128])
        job = await self._jobs.cancel(request.job_id, tenant, allow_missing=request.is_forestalling)
        return pb.CancelJobResponse(job=job_message(job))

    @requires(Scope.ENCODE)
    async def DeleteJob(  # noqa: N802
        self, request: pb.DeleteJobRequest, context: Context
    ) -> pb.DeleteJobResponse:
        """Deletes an ended job with its artifacts."""
        await self._jobs.delete(request.job_id, acting_tenant(context, request.job_id[:128]))
        return pb.DeleteJobResponse()

    @requires(Scope.READ)
    async def GetManifest(  # noqa: N802
        self, request: pb.GetManifestRequest, context: Context
    ) -> pb.GetManifestResponse:
        """Returns the manifest of an ended job."""
        job = self._find(request.job_id, context)
        if not job.is_over:
            raise errors.wrong_state(f"job {request.job_id!r} has not ended", job.state.value)
        try:
            manifest = await asyncio.to_thread(sound_manifest, job.record, self._store)
        except OSError as error:
            raise errors.job_damaged(request.job_id) from error
        return pb.GetManifestResponse(manifest_json=manifest)

    @requires(Scope.READ)
    async def GetPreview(  # noqa: N802
        self, request: pb.GetPreviewRequest, context: Context
    ) -> pb.GetPreviewResponse:
        """Returns a small picture of one frame."""
        check_preview(request)
        job = self._find(request.job_id, context)
        principal = current_principal()
        caller = holders_of(principal.tenant, principal.subject)[-1]
        preview = await self._previews.get(preview_key(job, request), caller)
        return preview_response(job, preview)

    @requires(Scope.READ)
    async def DownloadArtifact(  # noqa: N802
        self, request: pb.DownloadArtifactRequest, context: Context
    ) -> AsyncIterator[pb.DownloadArtifactResponse]:
        """Sends the bytes of one artifact from an offset to its end."""
        job = self._find(request.job_id, context)
        header = _find_artifact(job, request.path)
        if request.offset < 0:
            raise errors.invalid_field("offset", f"must not be below 0, is {request.offset}")
        try:
            if request.path == FILE_NAME:
                manifest = await asyncio.to_thread(sound_manifest, job.record, self._store)
                header.size_bytes, header.sha256 = len(manifest), sha256(manifest).hexdigest()
            async with opened(job.directory, request.path) as file:
                if file.size_bytes != header.size_bytes:
                    raise errors.artifact_damaged(request.job_id, request.path)
                if (
                    request.path != FILE_NAME
                    and request.offset <= file.size_bytes
                    and (local := self._local_answer(request, job))
                ):
                    local.artifact.CopyFrom(header)
                    yield local
                    return
                async for response in _responses(file, header, request.offset):
                    yield response
        except DamagedFileError as error:
            raise errors.artifact_damaged(request.job_id, request.path) from error
        except OSError as error:
            if self._jobs.registry.knows(job.job_id, job.record.tenant):  # and was not deleted meanwhile
                raise errors.artifact_damaged(request.job_id, request.path) from error
            raise errors.artifact_not_found(request.job_id, request.path) from error

    def _find(self, job_id: str, context: Context) -> Job:
        """The job that a call is about. Raises ServiceError."""
        return self._jobs.registry.find(job_id, acting_tenant(context, job_id[:128]))

    def _local_answer(
        self, request: pb.DownloadArtifactRequest, job: Job
    ) -> pb.DownloadArtifactResponse | None:
        """Where the artifact lies, for a client that proved to be the same user here, or how to prove it."""
        if not self.settings.stream.tells_job_directory or not request.HasField("proof"):
            return None
        if self._neighbours.is_proved(request.host_id, request.proof):
            path = str((job.directory / request.path).absolute())
            return pb.DownloadArtifactResponse(local_path=path)
        challenge = self._neighbours.challenge(request.host_id)
        return pb.DownloadArtifactResponse(proof_path=challenge) if challenge else None

    @requires(Scope.ENCODE, Scope.READ)
    async def GetCapabilities(  # noqa: N802
        self, request: pb.GetCapabilitiesRequest, context: Context
    ) -> pb.GetCapabilitiesResponse:
        """Returns what this server can make, with proof."""
        probed = await self._probe.published()
        return replies.capabilities(probed, self.settings.published, metadata.version("telecine"))


def register(servicer: EncoderServicer, server: grpc.aio.Server) -> None:
    """Adds all rpcs; Encode, which comes first and so wins, with a parser that does not copy frames."""
    encode = grpc.stream_stream_rpc_method_handler(
        servicer.Encode,
        request_deserializer=parse_request,
        response_serializer=pb.EncodeResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, {"Encode": encode}),))
    pb_grpc.add_EncoderServiceServicer_to_server(servicer, server)


def _find_artifact(job: Job, path: str) -> pb.Artifact:
    """The header of a path that the job lists; no other path is ever opened."""
    if path == FILE_NAME and job.is_over:
        return pb.Artifact(path=FILE_NAME, media_type="application/json")
    for name, output in job.record.outputs.items():
        if job.views[name].state is not OutputState.SUCCEEDED or output.produced is None:
            continue
        for file in output.produced.files:
            if file.path == path:
                return replies.artifact(name, file)
    raise errors.artifact_not_found(job.job_id, path)


async def _responses(
    file: OpenFile, header: pb.Artifact, offset: int
) -> AsyncIterator[pb.DownloadArtifactResponse]:
    if offset > file.size_bytes:
        raise errors.offset_behind_end(offset, file.size_bytes)
    response = pb.DownloadArtifactResponse(artifact=header)
    is_empty = True
    async for piece in file.pieces(offset, header.sha256):
        replies.fill_chunk(response.chunk, header.path, piece)
        yield response
        response, is_empty = pb.DownloadArtifactResponse(), False
    if is_empty:
        response.chunk.path, response.chunk.offset = header.path, offset
        yield response
