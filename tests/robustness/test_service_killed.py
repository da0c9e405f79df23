"""The service is killed (SIGKILL) at every instant that matters: nothing acknowledged is lost, ever."""

from __future__ import annotations

import json
from collections.abc import Callable

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.robustness.frames import frame_hashes

CLIP = raw.clip()
Maker = Callable[..., ServerProcess]


async def encode_until_killed(server: ServerProcess, job: pb.JobSpec, tenant: str = "") -> raw.Heard:
    """Drives a job until the service dies; returns what was heard."""
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel, tenant).stream() as stream,
    ):
        try:
            await stream.open(job)
            await stream.push(CLIP)
            await stream.write(raw.finish(CLIP))
            await stream.rest()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            pass
        return stream.heard


async def resume(server: ServerProcess, job: pb.JobSpec, tenant: str = "") -> raw.Heard:
    """Comes back with the same spec and goes on from what is persisted."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await raw.RawClient(channel, tenant).encode(job, CLIP)


def assert_same_frames(found: raw.Heard, expected: dict[str, list[str]]) -> None:
    """Every artifact shows the very frames that an undisturbed run shows."""
    assert found.files
    for path, data in found.files.items():
        assert frame_hashes(data) == expected[path], path


@pytest.mark.parametrize(
    ("point", "is_complete_after"),
    [
        ("spool_written", False),
        ("spool_written:3", False),
        ("finish_recorded", True),
        ("output_produced", True),
        ("evidence_recorded", True),
        ("evidence_recorded:2", True),
        ("artifact_renamed", True),
        ("end_recorded", True),
        ("manifest_written", True),
        ("manifest_renamed", True),
        ("spool_removed", True),
    ],
)
async def test_a_kill_at_any_point_loses_nothing(
    make_server: Maker, undisturbed: dict[str, list[str]], point: str, is_complete_after: bool
) -> None:
    """Killed there, started again, resumed: all outputs, the same frames, nothing left lying about."""
    server = make_server(workers="1").start({"TELECINE_FAULT": f"kill_at:{point}"})
    job = raw.spec("victim", "mp4", "webm")
    heard = await encode_until_killed(server, job)
    assert server.wait() == -9
    server.assert_no_orphans()

    server.start()
    again = await resume(server, job)
    assert again.accepted is not None
    assert again.accepted.is_resumed == (heard.accepted is not None)
    assert again.accepted.persisted[0].persisted_bytes >= max(heard.acknowledged, default=0)
    if is_complete_after:
        assert again.accepted.persisted[0].persisted_bytes == len(CLIP)
    assert again.result is not None
    assert again.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert_same_frames(again, undisturbed)
    manifest = json.loads(again.result.manifest_json)
    assert manifest["inputs"][0]["frame_count"] == raw.FRAMES
    server.assert_tidy()


@pytest.mark.parametrize("point", ["finish_recorded", "end_recorded"])
async def test_a_kill_mixes_nothing_of_two_tenants_with_the_same_id(
    make_server: Maker, undisturbed: dict[str, list[str]], point: str
) -> None:
    server = make_server(workers="1").start({"TELECINE_FAULT": f"kill_at:{point}"})
    job, part = raw.spec("victim", "mp4", "webm"), CLIP[: len(CLIP) // 3]
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as upload,
    ):
        await upload.open(job)
        await upload.push_in_step(part)
    await encode_until_killed(server, job, "acme")
    assert server.wait() == -9

    server.start()
    theirs = await resume(server, job, "acme")
    assert theirs.accepted is not None
    assert theirs.accepted.persisted[0].persisted_bytes == len(CLIP)
    assert_same_frames(theirs, undisturbed)
    async with grpc.aio.insecure_channel(server.address) as channel:
        found = await raw.RawClient(channel).stub.GetJob(pb.GetJobRequest(job_id="victim"))
    assert (found.job.tenant, found.job.state) == ("default", pb.JOB_STATE_RECEIVING)
    assert found.job.persisted[0].persisted_bytes == len(part)
    ours = await resume(server, job)
    assert_same_frames(ours, undisturbed)


async def test_a_job_whose_client_never_comes_back_ends_after_a_restart(make_server: Maker) -> None:
    """Once finish is acknowledged the job needs nobody any more."""
    server = make_server(workers="1").start()
    job = raw.spec("alone", pb.OutputSpec(format="webm", quality=pb.QUALITY_STANDARD))
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.open(job)
        await stream.push(CLIP)
        await stream.write(raw.finish(CLIP))
        await stream.until(lambda heard: heard.is_complete)
        server.kill()

    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        heard = await raw.RawClient(channel).encode(job, CLIP)
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert "taken up after a restart" in server.stage_log("alone")


async def test_a_kill_in_the_queue_keeps_every_waiting_job(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """Jobs that wait for a worker are in the same place after the restart, in the same order."""
    server = make_server(workers="1").start({"TELECINE_WORKER_FAULT": "slow:40"})
    ids = [f"queued-{number}" for number in range(4)]
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        for job_id in ids:
            async with client.stream() as stream:
                await stream.open(raw.spec(job_id))
                await stream.push(CLIP)
                await stream.write(raw.finish(CLIP))
                await stream.until(lambda heard: heard.is_complete)
        job = (await client.stub.GetJob(pb.GetJobRequest(job_id=ids[-1]))).job
        assert job.state == pb.JOB_STATE_QUEUED
    server.kill()

    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        results = [await client.encode(raw.spec(job_id), CLIP) for job_id in ids]
    assert all(heard.result.job.state == pb.JOB_STATE_SUCCEEDED for heard in results if heard.result)
    ends = [heard.result.job.ended_at.ToNanoseconds() for heard in results if heard.result]
    assert ends == sorted(ends)
    for heard in results:
        assert_same_frames(heard, undisturbed)
    server.assert_tidy()
