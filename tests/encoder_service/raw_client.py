"""A minimal client of telecine.encoder.v1 on bare grpc, for tests that must see every message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import google_crc32c
import grpc
import grpc.aio
import numpy as np
from google.rpc import error_details_pb2, status_pb2
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.encoder.v1 import encoder_pb2_grpc as pb_grpc

WIDTH, HEIGHT, FRAMES = 64, 48, 24


def clip(frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A drawn rgb24 clip: a gradient with a square that walks through it; every frame differs."""
    y, x = np.mgrid[0:height, 0:width]
    pictures = np.zeros((frames, height, width, 3), np.uint8)
    for index in range(frames):
        pictures[index, ..., 0] = x * 255 // width
        pictures[index, ..., 1] = y * 255 // height
        pictures[index, ..., 2] = index * 255 // frames
        left = index * (width - 8) // frames
        pictures[index, 8:16, left : left + 8] = 255
    return pictures.tobytes()


def spec(job_id: str, *outputs: pb.OutputSpec | str, **fields: object) -> pb.JobSpec:
    """A spec of the drawn clip; a text stands for an output of that format at draft quality."""
    message = pb.JobSpec(job_id=job_id, **fields)  # type: ignore[arg-type]
    message.video.width, message.video.height = WIDTH, HEIGHT
    message.video.pixel_format = pb.PIXEL_FORMAT_RGB24
    message.video.frame_rate.numerator = 24
    for output in outputs or ("mp4",):
        if isinstance(output, str):
            output = pb.OutputSpec(format=output, quality=pb.QUALITY_DRAFT)
        message.outputs.append(output)
    return message


def chunk(offset: int, data: bytes) -> pb.EncodeRequest:
    """A chunk with its checksum."""
    return pb.EncodeRequest(
        chunk=pb.Chunk(track=pb.TRACK_VIDEO, offset=offset, data=data, crc32c=int(google_crc32c.value(data)))
    )


def chunks(data: bytes, size: int = 16384, offset: int = 0) -> Iterator[pb.EncodeRequest]:
    """The clip in pieces, from `offset` on."""
    for start in range(offset, len(data), size):
        yield chunk(start, data[start : start + size])


def finish(data: bytes, frame_bytes: int = WIDTH * HEIGHT * 3) -> pb.EncodeRequest:
    """The totals of a clip."""
    return pb.EncodeRequest(finish=pb.Finish(total_frames=len(data) // frame_bytes, total_bytes=len(data)))


@dataclass
class Heard:
    """Everything that one stream answered."""

    accepted: pb.Accepted | None = None
    acknowledged: list[int] = field(default_factory=list)
    is_complete: bool = False
    progress: list[pb.OutputProgress] = field(default_factory=list)
    warnings: list[pb.Warning] = field(default_factory=list)
    headers: dict[str, pb.Artifact] = field(default_factory=dict)
    files: dict[str, bytearray] = field(default_factory=dict)
    result: pb.JobResult | None = None

    def take(self, response: pb.EncodeResponse) -> None:
        """Files one answer away, checking what every stream must keep to."""
        kind = response.WhichOneof("message")
        if kind == "accepted":
            assert self.accepted is None, "accepted comes once"
            self.accepted = response.accepted
            self.acknowledged.append(response.accepted.persisted[0].persisted_bytes)
            return
        assert self.accepted is not None, "accepted comes first"
        assert self.result is None, "result comes last"
        if kind == "acknowledged":
            persisted = response.acknowledged.persisted[0].persisted_bytes
            assert persisted >= self.acknowledged[-1], "acknowledgements never go back"
            assert response.acknowledged.is_complete or not self.is_complete
            self.acknowledged.append(persisted)
            self.is_complete = response.acknowledged.is_complete
        elif kind == "progress":
            self.progress.append(response.progress)
        elif kind == "warning":
            self.warnings.append(response.warning)
        elif kind == "artifact":
            self.headers[response.artifact.path] = response.artifact
            self.files[response.artifact.path] = bytearray()
        elif kind == "artifact_chunk":
            piece = response.artifact_chunk
            assert piece.offset == len(self.files[piece.path])
            assert int(google_crc32c.value(piece.data)) == piece.crc32c
            self.files[piece.path] += piece.data
        elif kind == "result":
            self.result = response.result


class RawClient:
    """One channel."""

    def __init__(self, channel: grpc.aio.Channel, tenant: str = "") -> None:
        """`tenant`: whom it acts for, as an administrator may; empty: for itself."""
        self.channel = channel
        self.metadata = (("telecine-tenant", tenant),) if tenant else ()
        self.stub = pb_grpc.EncoderServiceStub(channel)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[RawStream]:
        """An Encode stream; leaving it cancels what is not done."""
        call = self.stub.Encode(timeout=60, metadata=self.metadata)
        try:
            yield RawStream(call)
        finally:
            call.cancel()

    async def encode(self, job: pb.JobSpec, data: bytes, size: int = 16384) -> Heard:
        """The whole way: spec, the rest of the chunks, finish, result.

        A job that has all its frames is told nothing more: its stream may end at once, and grpc.aio
        hides a status behind a write that is under way.
        """
        async with self.stream() as stream:
            accepted = await stream.open(job)
            if accepted.state == pb.JOB_STATE_RECEIVING:
                await stream.push(data, size)
                await stream.write(finish(data))
            return await stream.rest()


class RawStream:
    """One Encode stream."""

    def __init__(self, call: grpc.aio.StreamStreamCall) -> None:
        self.call = call
        self.heard = Heard()

    async def write(self, *requests: pb.EncodeRequest) -> None:
        """Sends requests."""
        for request in requests:
            await self.call.write(request)

    async def open(self, job: pb.JobSpec) -> pb.Accepted:
        """Sends the spec and waits until it is accepted."""
        await self.write(pb.EncodeRequest(spec=job))
        await self.until(lambda heard: heard.accepted is not None)
        assert self.heard.accepted is not None
        return self.heard.accepted

    async def push(self, data: bytes, size: int = 16384) -> None:
        """Sends the clip from what is persisted on."""
        await self.write(*chunks(data, size, self.heard.acknowledged[-1]))

    async def push_in_step(self, data: bytes, size: int = 16384) -> None:
        """As `push`, each chunk only when the one before it is acknowledged.

        So no write is under way when the server ends the stream: grpc.aio hides its status behind one.
        """
        for request in chunks(data, size, self.heard.acknowledged[-1]):
            await self.write(request)
            end = request.chunk.offset + len(request.chunk.data)
            await self.until(lambda heard, end=end: heard.acknowledged[-1] >= end)

    async def until(self, condition) -> Heard:
        """Reads answers until the condition holds."""
        while not condition(self.heard):
            response = await self.call.read()
            if response is grpc.aio.EOF:
                await _raise_status(self.call)
                raise AssertionError(f"the stream ended first: {self.heard}")
            self.heard.take(response)
        return self.heard

    async def rest(self) -> Heard:
        """Ends the client's side and reads to the end. Raises the stream's status."""
        await self.call.done_writing()
        while (response := await self.call.read()) is not grpc.aio.EOF:
            self.heard.take(response)
        await _raise_status(self.call)
        return self.heard


async def _raise_status(call: grpc.aio.StreamStreamCall) -> None:
    if await call.code() is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            await call.code(),
            await call.initial_metadata(),
            await call.trailing_metadata(),
            await call.details(),
        )


def reason(error: grpc.aio.AioRpcError) -> str:
    """ErrorInfo.reason of a failed call; empty where there is none."""
    info = _detail(error, error_details_pb2.ErrorInfo)
    return "" if info is None else info.reason


def info(error: grpc.aio.AioRpcError) -> dict[str, str]:
    """ErrorInfo.metadata of a failed call."""
    found = _detail(error, error_details_pb2.ErrorInfo)
    return {} if found is None else dict(found.metadata)


def fields(error: grpc.aio.AioRpcError) -> list[str]:
    """The fields that BadRequest names."""
    found = _detail(error, error_details_pb2.BadRequest)
    return [] if found is None else [violation.field for violation in found.field_violations]


def retry_seconds(error: grpc.aio.AioRpcError) -> float | None:
    """RetryInfo.retry_delay."""
    found = _detail(error, error_details_pb2.RetryInfo)
    return None if found is None else found.retry_delay.ToNanoseconds() / 1e9


def _detail(error, kind):
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                if detail.Is(kind.DESCRIPTOR):
                    found = kind()
                    detail.Unpack(found)
                    return found
    return None
