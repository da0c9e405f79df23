"""SIGTERM under load: what can end in time ends, everything else goes on at the next start."""

from __future__ import annotations

import signal
from collections.abc import Callable

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.robustness.frames import frame_hashes

CLIP = raw.clip()
Maker = Callable[..., ServerProcess]


async def test_sigterm_under_load_loses_nothing(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """A running output is delivered; senders and waiters hear DRAINING; the next start ends their jobs."""
    server = make_server(workers="1", host__drain_seconds="10").start({"TELECINE_WORKER_FAULT": "slow:40"})
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as running, client.stream() as waiting, client.stream() as sending:
            for stream, job_id in ((running, "running"), (waiting, "waiting")):
                await stream.open(raw.spec(job_id))
                await stream.push(CLIP)
                await stream.write(raw.finish(CLIP))
                await stream.until(lambda heard: heard.is_complete)
            await running.until(lambda heard: any(entry.frames_encoded for entry in heard.progress))
            await sending.open(raw.spec("sending"))
            await sending.write(*list(raw.chunks(CLIP, 50_000))[:2])
            await sending.until(lambda heard: heard.acknowledged[-1] == 100_000)
            server.signal(signal.SIGTERM)
            for stream in (waiting, sending):
                with pytest.raises(grpc.aio.AioRpcError) as told:
                    await stream.until(lambda heard: False)
                assert told.value.code() is grpc.StatusCode.UNAVAILABLE
                assert raw.reason(told.value) == "DRAINING"
                assert raw.retry_seconds(told.value) is not None
            heard = await running.rest()
    assert heard.result is not None
    assert frame_hashes(heard.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    assert server.wait() == 0
    server.assert_no_orphans()

    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        for job_id in ("running", "waiting", "sending"):
            again = await client.encode(raw.spec(job_id), CLIP)
            assert again.result is not None
            assert again.result.job.state == pb.JOB_STATE_SUCCEEDED
            assert frame_hashes(again.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    server.assert_tidy()


async def test_an_output_that_does_not_end_in_time_starts_over(
    make_server: Maker, undisturbed: dict[str, list[str]]
) -> None:
    """The drain's deadline stops it; that is no failed attempt."""
    server = make_server(workers="1", host__drain_seconds="1").start({"TELECINE_WORKER_FAULT": "slow:1000"})
    async with grpc.aio.insecure_channel(server.address) as channel:
        client = raw.RawClient(channel)
        async with client.stream() as stream:
            await stream.open(raw.spec("slow"))
            await stream.push(CLIP)
            await stream.write(raw.finish(CLIP))
            await stream.until(lambda heard: any(entry.frames_encoded for entry in heard.progress))
            server.signal(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError) as told:
                await stream.rest()
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE
    assert server.wait() == 0
    server.assert_no_orphans()

    server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        again = await raw.RawClient(channel).encode(raw.spec("slow"), CLIP)
    assert again.result is not None
    assert again.result.job.outputs[0].progress.attempt == 1
    assert frame_hashes(again.files["mp4.mp4"]) == undisturbed["mp4.mp4"]
    server.assert_tidy()
