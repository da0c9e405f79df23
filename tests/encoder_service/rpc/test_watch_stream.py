"""WatchJob tells where a job stands, whole each time, and ends with it; a cancel may come before its job."""

from __future__ import annotations

import asyncio
import itertools

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.jobs.registry import TOMBSTONE_SECONDS, Tombstones
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

CLIP = raw.clip(12)


async def watched(client: raw.RawClient, job_id: str, interval: float = 0.0) -> list[pb.Job]:
    """Everything that one watcher is told."""
    request = pb.WatchJobRequest(job_id=job_id, min_interval=Duration(nanos=int(interval * 1e9)))
    return [answer.job async for answer in client.stub.WatchJob(request, timeout=60)]


async def rest_of(watching: grpc.aio.UnaryStreamCall) -> list[pb.Job]:
    """What is still told. Raises the call's status."""
    told = []
    while (answer := await watching.read()) is not grpc.aio.EOF:
        told.append(answer.job)
    return told


async def cancel_quietly(client: raw.RawClient, job_id: str) -> str:
    """As a client does that goes away; returns the reason of the refusal, if there was one."""
    try:
        await client.stub.CancelJob(pb.CancelJobRequest(job_id=job_id, is_forestalling=True))
    except grpc.aio.AioRpcError as error:
        return raw.reason(error)
    return ""


async def test_a_watcher_sees_the_job_grow_and_end(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("seen", "mp4", "webm"))
            watching = asyncio.create_task(watched(client, "seen"))
            await stream.push(CLIP)
            await stream.write(raw.finish(CLIP))
            await stream.rest()
        told = await watching
        last = (await client.stub.GetJob(pb.GetJobRequest(job_id="seen"))).job
    assert told[0].state == pb.JOB_STATE_RECEIVING
    assert told[-1] == last
    assert last.state == pb.JOB_STATE_SUCCEEDED
    assert all(earlier != later for earlier, later in itertools.pairwise(told))
    persisted = [job.persisted[0].persisted_bytes for job in told]
    assert persisted == sorted(persisted)


async def test_an_ended_job_is_reported_once(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        await client.encode(raw.spec("over"), CLIP)
        told = await watched(client, "over")
    assert [job.state for job in told] == [pb.JOB_STATE_SUCCEEDED]


async def test_what_a_pause_holds_back_a_change_of_state_brings_at_once(server: ServerProcess) -> None:
    """A watcher that wants news once a minute learns of the end without waiting for the minute."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("paused"))
            request = pb.WatchJobRequest(job_id="paused", min_interval=Duration(seconds=60))
            watching = client.stub.WatchJob(request, timeout=30)
            assert (await watching.read()).job.state == pb.JOB_STATE_RECEIVING
            await stream.push(CLIP)
            await stream.write(raw.finish(CLIP))
            await stream.rest()
            told = await rest_of(watching)
    assert told[-1].state == pb.JOB_STATE_SUCCEEDED


@pytest.mark.parametrize("seconds", [-1, 61])
async def test_an_interval_that_cannot_be_is_refused(server: ServerProcess, seconds: int) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        request = pb.WatchJobRequest(job_id="any", min_interval=Duration(seconds=seconds))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await raw.RawClient(channel).stub.WatchJob(request).read()
    assert raw.fields(failed.value) == ["min_interval"]


async def test_a_job_that_is_not_there_cannot_be_watched(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await watched(raw.RawClient(channel), "nobody")
    assert raw.reason(failed.value) == "JOB_NOT_FOUND"


async def test_a_cancel_may_come_before_its_job(server: ServerProcess) -> None:
    """A client that goes away at once cancels by another call, which may overtake the spec."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        for is_forestalling in (False, True):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await client.stub.CancelJob(
                    pb.CancelJobRequest(job_id="early", is_forestalling=is_forestalling)
                )
            assert raw.reason(failed.value) == "JOB_NOT_FOUND"
        async with client.stream() as stream:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stream.open(raw.spec("early"))
        assert raw.reason(refused.value) == "JOB_CANCELLED"
        listed = await client.stub.ListJobs(pb.ListJobsRequest(job_id_prefix="early"))
    assert list(listed.jobs) == []


async def test_an_ordinary_cancel_of_an_unknown_job_forbids_nothing(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await client.stub.CancelJob(pb.CancelJobRequest(job_id="later"))
        heard = await client.encode(raw.spec("later"), CLIP)
    assert heard.result is not None


async def test_a_stream_that_is_cut_while_its_job_is_made_leaves_a_job_that_can_be_cancelled(
    server: ServerProcess,
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        for number in range(20):
            job_id = f"cut-{number}"
            call = client.stub.Encode()
            await call.write(pb.EncodeRequest(spec=raw.spec(job_id)))
            call.cancel()
            assert await cancel_quietly(client, job_id) in {"", "JOB_NOT_FOUND"}
        states = [pb.JOB_STATE_RECEIVING]
        left = await client.stub.ListJobs(pb.ListJobsRequest(job_id_prefix="cut-", states=states))
    assert list(left.jobs) == []
    server.assert_tidy()


async def test_a_drain_ends_watchers_so_that_they_come_back(tmp_path) -> None:
    server = ServerProcess(tmp_path / "data", {"host.drain_seconds": "1"}).start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            client = raw.RawClient(channel)
            async with client.stream() as stream:
                await stream.open(raw.spec("parked"))
                watching = client.stub.WatchJob(pb.WatchJobRequest(job_id="parked"))
                assert (await watching.read()).job.job_id == "parked"
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await rest_of(watching)
                await stopping
    finally:
        server.stop()
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert raw.reason(failed.value) == "DRAINING"


def test_a_forestalled_job_may_come_after_a_minute() -> None:
    jobs = Tombstones()
    jobs.add("a", 100.0)
    assert jobs.has("a", 100.0 + TOMBSTONE_SECONDS - 1)
    assert not jobs.has("a", 100.0 + TOMBSTONE_SECONDS)
    assert not jobs.has("b", 100.0)


def test_forestalled_jobs_are_bounded_and_the_oldest_is_forgotten() -> None:
    jobs = Tombstones()
    for number in range(10_001):
        jobs.add(str(number), 0.0)
    assert not jobs.has("0", 1.0)
    assert jobs.has("1", 1.0)
    assert jobs.has("10000", 1.0)
