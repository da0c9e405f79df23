"""Codecs crash, hang and run out of disk: an output is tried again, or fails alone with a clear reason."""

from __future__ import annotations

import json
from collections.abc import Callable

import grpc
import psutil
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually_async
from tests.robustness.frames import frame_hashes

CLIP = raw.clip()
Maker = Callable[..., ServerProcess]


async def encode(server: ServerProcess, job: pb.JobSpec) -> raw.Heard:
    """The whole way."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await raw.RawClient(channel).encode(job, CLIP)


def has_begun(heard: raw.Heard) -> bool:
    """The codec has frames."""
    return any(entry.frames_encoded > 0 for entry in heard.progress)


async def test_a_codec_that_crashes_once_is_tried_again_with_the_same_frames(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """SIGABRT in the first attempt: the second one makes the very artifact."""
    server = make_server().start({"TELECINE_WORKER_FAULT": "abort_once_at_frame:10@mp4"})
    heard = await encode(server, raw.spec("once", "mp4", "webm"))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert {path: frame_hashes(data) for path, data in heard.files.items()} == undisturbed
    attempts = json.loads(heard.result.manifest_json)["outputs"][0]["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["failed", "success"]
    assert attempts[0]["problem"]["code"] == "CODEC_CRASHED"
    assert "SIGABRT" in attempts[0]["problem"]["message"]
    server.assert_tidy()


async def test_a_codec_that_crashes_every_time_fails_its_output_alone(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """Three attempts, then CODEC_CRASHED; the other output and the other job do not notice."""
    server = make_server(attempts="3").start({"TELECINE_WORKER_FAULT": "abort_at_frame:3@webm"})
    heard = await encode(server, raw.spec("doomed", "mp4", "webm"))
    other = await encode(server, raw.spec("neighbour", "mp4"))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_PARTIALLY_SUCCEEDED
    webm = heard.result.job.outputs[1]
    assert webm.progress.state == pb.OUTPUT_STATE_FAILED
    assert webm.progress.attempt == 3
    assert webm.problem.code == "CODEC_CRASHED"
    assert list(heard.files) == ["mp4.mp4"]
    for made in (heard, other):
        assert frame_hashes(made.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    server.assert_tidy()


async def test_a_hanging_codec_is_killed_and_tried_again(make_server: Maker) -> None:
    """No progress for the configured time counts as an attempt."""
    server = make_server(worker_silence_timeout_seconds="1.5", workers="1").start(
        {"TELECINE_WORKER_FAULT": "hang_once_at_frame:5"}
    )
    heard = await encode(server, raw.spec("hanging"))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    attempts = json.loads(heard.result.manifest_json)["outputs"][0]["attempts"]
    assert attempts[0]["problem"]["code"] == "WORKER_HUNG"
    server.assert_tidy()


async def test_a_worker_killed_from_outside_costs_an_attempt_and_nothing_else(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """SIGKILL of the busy worker (as the kernel does when memory is short)."""
    server = make_server(workers="1").start({"TELECINE_WORKER_FAULT": "slow:20"})
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.open(raw.spec("shot"))
        await stream.push(CLIP)
        await stream.write(raw.finish(CLIP))
        await stream.until(has_begun)
        (worker,) = server.workers()
        worker.kill()
        heard = await stream.rest()
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert heard.result.job.outputs[0].progress.attempt == 2
    assert frame_hashes(heard.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    assert "SIGKILL" in server.stage_log("shot")
    server.assert_tidy()


async def test_a_job_whose_every_output_fails_says_so(make_server: Maker) -> None:
    """FAILED, with the problem of each output, and a manifest."""
    server = make_server(workers="1", attempts="2").start({"TELECINE_WORKER_FAULT": "fail_at_frame:2"})
    heard = await encode(server, raw.spec("hopeless"))
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_FAILED
    assert heard.result.job.outputs[0].problem.message
    manifest = json.loads(heard.result.manifest_json)
    assert manifest["status"] == "failed"
    assert len(manifest["errors"]) >= 2
    server.assert_tidy()


async def test_cancelling_kills_a_worker_that_does_not_listen(make_server: Maker) -> None:
    """The codec hangs; CancelJob still ends the job, and the worker is replaced."""
    server = make_server(workers="1").start({"TELECINE_WORKER_FAULT": "hang_at_frame:1"})
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("stuck"))
            await stream.push(CLIP)
            await stream.write(raw.finish(CLIP))
            await stream.until(has_begun)
            (worker,) = await eventually_async(server.workers)
            answer = await client.stub.CancelJob(pb.CancelJobRequest(job_id="stuck"))
            assert answer.job.state == pb.JOB_STATE_CANCELLED
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.rest()
    assert failed.value.code() is grpc.StatusCode.CANCELLED
    assert raw.reason(failed.value) == "JOB_CANCELLED"
    await eventually_async(lambda: not psutil.pid_exists(worker.pid))
    await eventually_async(lambda: len(server.workers()) == 1)
    assert json.loads((server.job_directory("stuck") / "manifest.json").read_text())["state"] == "cancelled"
    server.assert_tidy()


async def test_a_killed_zygote_under_load_costs_no_attempt_and_no_frame(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """SIGKILL of the program that workers are forked from: they end with it, and begin again at frame 0."""
    server = make_server(attempts="1").start({"TELECINE_WORKER_FAULT": "slow:20"})
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        await stream.open(raw.spec("orphaned", "mp4", "webm"))
        await stream.push(CLIP)
        await stream.write(raw.finish(CLIP))
        for _ in range(2):
            await stream.until(has_begun)
            (zygote,) = await eventually_async(server.zygotes)
            workers = await eventually_async(server.workers)
            zygote.kill()
            await eventually_async(lambda: not any(is_running(worker) for worker in workers))  # noqa: B023 - awaited here
        heard = await stream.rest()
    assert heard.result is not None
    assert heard.result.job.state == pb.JOB_STATE_SUCCEEDED
    assert [output.progress.attempt for output in heard.result.job.outputs] == [1, 1]
    assert {path: frame_hashes(data) for path, data in heard.files.items()} == undisturbed
    assert "the program that workers are forked from ended" in server.stage_log("orphaned")
    server.assert_tidy()


def is_running(process: psutil.Process) -> bool:
    """And no zombie that waits for init."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
