"""Disk, quota, queue and time run out: a clear status, nothing acknowledged is lost, others go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually_async
from tests.robustness.frames import frame_hashes
from tests.robustness.small_disk import mounted

CLIP = raw.clip()
Maker = Callable[..., ServerProcess]


async def push_until_refused(client: raw.RawClient, job: pb.JobSpec, data: bytes) -> grpc.aio.AioRpcError:
    """Sends more than there is room for; returns the refusal."""
    async with client.stream() as stream:
        await stream.open(job)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream.push_in_step(data)
    return failed.value


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", size_mib=1) as disk:
        yield disk


async def test_a_full_disk_refuses_frames_and_keeps_what_was_acknowledged(
    small_disk: Path, undisturbed: dict[str, list[str]]
) -> None:
    """RESOURCE_EXHAUSTED DISK_FULL with RetryInfo; room made, the same job goes on and ends well."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(900_000))
    server = ServerProcess(small_disk / "data", {"workers": "1"}).start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            client = raw.RawClient(channel)
            refusal = await push_until_refused(client, raw.spec("full"), CLIP)
            assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert raw.reason(refusal) == "DISK_FULL"
            assert raw.retry_seconds(refusal) is not None
            job = (await client.stub.GetJob(pb.GetJobRequest(job_id="full"))).job
            assert job.state == pb.JOB_STATE_RECEIVING
            assert 0 < job.persisted[0].persisted_bytes < len(CLIP)

            ballast.unlink()
            again = await client.encode(raw.spec("full"), CLIP)
        assert again.accepted is not None
        assert again.accepted.persisted[0].persisted_bytes == job.persisted[0].persisted_bytes
        assert frame_hashes(again.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
        server.assert_tidy()
    finally:
        server.stop()
        server.assert_no_orphans()


async def test_the_spool_quota_is_shared_promised_and_given_back(make_server: Maker) -> None:
    """A declared clip has its room for sure; one that does not fit is told so before it sends a byte."""
    server = make_server(
        workers="1", spool_quota_bytes="400000", max_job_bytes="400000", max_frame_bytes="10000"
    )
    server.start()
    declared, greedy = raw.spec("declared"), raw.spec("greedy")
    declared.video.expected_frames = greedy.video.expected_frames = raw.FRAMES
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(declared)
            async with client.stream() as second:
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await second.open(greedy)
            assert raw.reason(failed.value) == "SPOOL_FULL"
            assert raw.retry_seconds(failed.value) is not None
            undeclared = await push_until_refused(client, raw.spec("undeclared"), CLIP)
            assert raw.reason(undeclared) == "SPOOL_FULL"
            await stream.push(CLIP)
            await stream.write(raw.finish(CLIP))
            heard = await stream.rest()
        assert heard.result is not None
        assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
        await client.stub.CancelJob(pb.CancelJobRequest(job_id="undeclared"))
        again = await client.encode(greedy, CLIP)
        assert again.result is not None
    server.assert_tidy()


async def test_a_full_queue_says_later(make_server: Maker) -> None:
    """TOO_MANY_JOBS with RetryInfo; jobs that are known already are always let in again."""
    server = make_server(workers="1", max_waiting_jobs="2").start()
    async with grpc.aio.insecure_channel(server.address) as channel, AsyncExitStack() as held:
        client = raw.RawClient(channel)
        for number in range(2):
            stream = await held.enter_async_context(client.stream())
            await stream.open(raw.spec(f"waiting-{number}"))
        async with client.stream() as stream:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.open(raw.spec("one-too-many"))
        assert raw.reason(failed.value) == "TOO_MANY_JOBS"
        assert raw.retry_seconds(failed.value) is not None
        async with client.stream() as stream:
            assert (await stream.open(raw.spec("waiting-0"))).is_resumed


async def test_time_ends_idle_uploads_and_late_jobs(make_server: Maker) -> None:
    """An idle upload expires and its spool is freed; a job past its deadline fails; both have manifests."""
    server = make_server(workers="1", idle_upload_timeout_seconds="1").start(
        {"TELECINE_WORKER_FAULT": "hang_at_frame:2"}
    )
    late = raw.spec("late")
    late.deadline.GetCurrentTime()
    late.deadline.seconds += 2
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as idle:
            await idle.open(raw.spec("idle"))
            await idle.write(*list(raw.chunks(CLIP, 5000))[:1])
            with pytest.raises(grpc.aio.AioRpcError) as expired:
                await idle.until(lambda heard: False)
        heard = await client.encode(late, CLIP)
        async with client.stream() as again:
            await again.write(pb.EncodeRequest(spec=raw.spec("idle")))
            with pytest.raises(grpc.aio.AioRpcError) as still_expired:
                await again.rest()
    for error in (expired.value, still_expired.value):
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert raw.reason(error) == "JOB_EXPIRED"
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_FAILED
    assert heard.result.job.problem.code == "JOB_DEADLINE_EXCEEDED"
    assert json.loads((server.job_directory("idle") / "manifest.json").read_text())["state"] == "expired"
    server.assert_tidy()


async def test_a_stalled_upload_gives_its_worker_to_others(make_server: Maker) -> None:
    """One worker, one sender that stops in the middle: the next job still ends, then the first one too."""
    server = make_server(workers="1", stalled_upload_seconds="0.5").start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        await client.encode(raw.spec("warm-up"), CLIP)
        async with client.stream() as slow:
            await slow.open(raw.spec("slow"))
            await slow.write(*list(raw.chunks(CLIP, 100_000))[:1])
            await slow.until(lambda heard: any(entry.frames_encoded == 10 for entry in heard.progress))
            other = await client.encode(raw.spec("quick"), CLIP)
            assert other.result is not None
            assert other.result.job.state == pb.JOB_STATE_SUCCEEDED
            await slow.write(*raw.chunks(CLIP, 100_000, 100_000), raw.finish(CLIP))
            heard = await slow.rest()
    assert heard.result is not None
    assert heard.result.job.outputs[0].progress.attempt == 1
    assert bytes(heard.files["mp4.mp4"]) == bytes(other.files["mp4.mp4"])


async def test_old_jobs_are_deleted(make_server: Maker) -> None:
    """Beyond the jobs to keep, the oldest go with all that they made; a restart finds the rest."""
    server = make_server(workers="1", max_jobs_kept="1").start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        for job_id in ("first", "second"):
            await client.encode(raw.spec(job_id), CLIP)
        await eventually_async(lambda: len(list((server.data_dir / "artifacts").iterdir())) == 1)
    server.stop()
    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        listed = await raw.RawClient(channel).stub.ListJobs(pb.ListJobsRequest())
    assert [job.job_id for job in listed.jobs] == ["second"]
