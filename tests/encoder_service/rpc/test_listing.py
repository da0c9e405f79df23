"""What a page of jobs shows: found by text, counted by state, with the story of each attempt."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess

CLIP = raw.clip(6)


async def page(client: raw.RawClient, **fields: Any) -> pb.ListJobsResponse:
    return await client.stub.ListJobs(pb.ListJobsRequest(**fields), timeout=30)


def ids(listed: pb.ListJobsResponse) -> list[str]:
    return [job.job_id for job in listed.jobs]


async def test_jobs_are_found_by_text_and_counted_by_state(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        await client.encode(raw.spec("cats", "mp4", metadata={"prompt": "A Tabby by Night"}), CLIP)
        await client.encode(raw.spec("dogs", "webm", metadata={"seed": "4711"}), CLIP)
        async with client.stream() as stream:
            await stream.open(raw.spec("running", "gif"))
            await stream.push(CLIP)
            everything = await page(client)
            assert ids(everything) == ["running", "dogs", "cats"]
            assert dict(everything.counts) == {pb.JOB_STATE_SUCCEEDED: 2, pb.JOB_STATE_RECEIVING: 1}
            for text, expected in {
                "CAT": ["cats"], "tabby": ["cats"], "PROMPT": ["cats"], "4711": ["dogs"], "webm": ["dogs"],
                "gif": ["running"], "nothing": [], "%": [], "s": ["dogs", "cats"],
            }.items():  # fmt: skip
                assert ids(await page(client, text=text)) == expected, text
            ended = await page(client, states=[pb.JOB_STATE_SUCCEEDED], page_size=1, is_brief=True)
            assert ids(ended) == ["dogs"]
            assert sum(ended.counts.values()) == 3
            rest = await page(client, states=[pb.JOB_STATE_SUCCEEDED], page_token=ended.next_page_token)
            assert (ids(rest), dict(rest.counts)) == (["cats"], {})
            await client.stub.CancelJob(pb.CancelJobRequest(job_id="running"))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await page(client, text="x" * 257)
    assert raw.fields(failed.value) == ["text"]


async def test_a_job_says_what_came_when_it_was_heard_of_and_what_was_tried(server: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("story", "mp4"))
            await stream.push(CLIP)
            watching = client.stub.WatchJob(pb.WatchJobRequest(job_id="story"), timeout=30)
            job = (await watching.read()).job
            while not (job.persisted_frames == 6 and job.outputs[0].attempts):
                job = (await watching.read()).job
            watching.cancel()
            assert job.is_attached
            assert job.received_frames_per_second > 0
            assert not job.HasField("received_at")
            assert job.created_at.ToNanoseconds() < job.last_heard_at.ToNanoseconds()
            assert (job.video.width, job.video.height) == (raw.WIDTH, raw.HEIGHT)
            assert job.video.pixel_format == pb.PIXEL_FORMAT_RGB24
            (attempt,) = job.outputs[0].attempts
            assert attempt.attempt == 1
            assert not attempt.HasField("ended_at")
            await stream.write(raw.finish(CLIP))
            await stream.rest()
        job = (await client.stub.GetJob(pb.GetJobRequest(job_id="story"))).job
        (brief,) = (await page(client, job_id_prefix="story", is_brief=True)).jobs
    (attempt,) = job.outputs[0].attempts
    parts = (attempt.wait_duration, attempt.encode_duration, attempt.mux_duration, attempt.verify_duration)
    whole = attempt.ended_at.ToNanoseconds() - attempt.started_at.ToNanoseconds()
    assert 0 < sum(part.ToNanoseconds() for part in parts) <= whole
    times = [job.created_at, job.last_heard_at, job.received_at, attempt.ended_at, job.ended_at]
    assert [time.ToNanoseconds() for time in times] == sorted(time.ToNanoseconds() for time in times)
    assert not job.is_attached
    assert job.received_frames_per_second == 0
    assert job.outputs[0].format == "mp4"
    assert not brief.outputs[0].attempts
    assert not brief.outputs[0].artifacts
    assert not brief.HasField("video")
    assert brief.last_heard_at == job.last_heard_at
    assert brief.ByteSize() < job.ByteSize() / 2
