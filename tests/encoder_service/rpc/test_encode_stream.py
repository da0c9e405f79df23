"""One Encode stream over the real parts of a job's life, on a wire of two queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.errors.v1 import error_reason_pb2 as reasons

from encoder_service.errors import ServiceError
from encoder_service.evidence.manifest import decode_manifest
from encoder_service.pool.availability import CapabilityProbe
from encoder_service.rpc.encode_stream import EncodeStream
from encoder_service.rpc.neighbours import Neighbours
from encoder_service.spool.ring import Rings
from encoder_service.wire.chunks import Request, from_message
from tests.encoder_service import raw_client as raw
from tests.encoder_service.jobs.life import Life, living
from tests.eventually import eventually_async

CLIP = raw.clip(4)
FRAME = len(CLIP) // 4
SPEC = pb.EncodeRequest(spec=raw.spec("job", pb.OutputSpec(name="ok", format="mp4")))
"""Its output's name makes the tiny worker read all frames and then fail."""


class QueueWire:
    """The wire of one stream: what the client sends, and what it has heard."""

    def __init__(self, *requests: pb.EncodeRequest | None) -> None:
        """None: the client ends its side."""
        self._requests: asyncio.Queue[pb.EncodeRequest | None] = asyncio.Queue()
        self.heard: list[pb.EncodeResponse] = []
        self.push(*requests)

    def push(self, *requests: pb.EncodeRequest | None) -> None:
        """Sends more."""
        for request in requests:
            self._requests.put_nowait(request)

    async def receive(self) -> Request | None:
        """See `Wire`."""
        request = await self._requests.get()
        return None if request is None else from_message(request)

    async def send(self, response: pb.EncodeResponse) -> None:
        """See `Wire`."""
        self.heard.append(response)

    @property
    def kinds(self) -> list[str]:
        """Which field each answer holds."""
        return [response.WhichOneof("message") or "" for response in self.heard]

    @property
    def acknowledged(self) -> list[int]:
        """The bytes that were acknowledged, in the order of the answers."""
        return [r.acknowledged.persisted[0].persisted_bytes for r in self.heard if r.HasField("acknowledged")]


Serve = Callable[[QueueWire], "asyncio.Task[None]"]


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    """Jobs whose workers have not been started."""
    async with living(tmp_path / "data", attempts=1) as life:
        yield life


@pytest.fixture
def serve(life: Life) -> Serve:
    """Begins to serve a stream."""
    probe, settings = CapabilityProbe(life.pool, life.log), life.config.servicer_settings.stream
    rings, neighbours = Rings(0, 0), Neighbours()

    def begin(wire: QueueWire) -> asyncio.Task[None]:
        stream = EncodeStream(wire, life.jobs, life.store, probe, settings, life.metrics, rings, neighbours)
        return asyncio.create_task(stream.run())

    return begin


async def reason(stream: asyncio.Task[None]) -> str:
    """Why the stream is refused."""
    with pytest.raises(ServiceError) as refused:
        await stream
    return reasons.ErrorReason.Name(refused.value.reason).removeprefix("ERROR_REASON_")


@pytest.mark.parametrize("first", [None, raw.chunk(0, CLIP), raw.finish(CLIP)])
async def test_without_a_spec_first_there_is_no_job(
    life: Life, serve: Serve, first: pb.EncodeRequest | None
) -> None:
    wire = QueueWire(first, SPEC)
    assert await reason(serve(wire)) == "OUT_OF_ORDER"
    assert (wire.heard, life.registry.newest_first()) == ([], [])


async def test_a_clip_is_acknowledged_followed_and_answered_with_its_manifest(
    life: Life, serve: Serve
) -> None:
    life.pool.open()
    wire = QueueWire(SPEC, *raw.chunks(CLIP), raw.finish(CLIP), None)
    await serve(wire)
    assert (wire.kinds[0], wire.kinds[-1]) == ("accepted", "result")
    assert "progress" in wire.kinds
    assert wire.acknowledged == sorted(wire.acknowledged)
    assert wire.acknowledged[-1] == len(CLIP)
    result = wire.heard[-1].result
    assert result.job.state == pb.JOB_STATE_FAILED
    assert decode_manifest(result.manifest_json).inputs[0].size_bytes == len(CLIP)


async def test_what_was_acknowledged_stays_and_the_next_stream_goes_on_behind_it(
    life: Life, serve: Serve
) -> None:
    wire = QueueWire(SPEC, raw.chunk(0, CLIP[:FRAME]), None)
    await serve(wire)
    assert wire.acknowledged[-1] == FRAME
    assert life.registry.find("job").attachment is None
    again = QueueWire(SPEC, raw.chunk(FRAME, CLIP[FRAME:]), None)
    await serve(again)
    accepted = again.heard[0].accepted
    assert (accepted.persisted[0].persisted_bytes, again.acknowledged[-1]) == (FRAME, len(CLIP))


async def test_a_refused_request_ends_the_stream_and_lets_go_of_the_job(life: Life, serve: Serve) -> None:
    wire = QueueWire(SPEC, raw.chunk(0, CLIP[:FRAME]), raw.chunk(0, CLIP[:FRAME]))
    assert await reason(serve(wire)) == "WRONG_OFFSET"
    job = life.registry.find("job")
    assert (job.attachment, job.persisted_bytes) == (None, FRAME)


async def test_a_newer_stream_takes_the_job_away(life: Life, serve: Serve) -> None:
    wire, newer = QueueWire(SPEC, raw.chunk(0, CLIP[:FRAME])), QueueWire(SPEC)
    stream = serve(wire)
    await eventually_async(lambda: FRAME in wire.acknowledged)
    second = serve(newer)
    assert await reason(stream) == "SUPERSEDED"
    newer.push(raw.chunk(FRAME, CLIP[FRAME:]), None)
    await second
    assert newer.acknowledged[-1] == len(CLIP)


async def test_a_cancelled_job_ends_its_stream_with_that_reason(life: Life, serve: Serve) -> None:
    wire = QueueWire(SPEC, raw.chunk(0, CLIP[:FRAME]))
    stream = serve(wire)
    await eventually_async(lambda: FRAME in wire.acknowledged)
    await life.jobs.cancel("job")
    assert await reason(stream) == "JOB_CANCELLED"
    assert "result" not in wire.kinds
