"""A few small messages take the service from nobody: abandoned, silent, greedy and parked uploads."""

from __future__ import annotations

import asyncio
import resource
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import numpy as np
import psutil
import pytest
import telecine
from telecine.encoder.v1 import encoder_pb2 as pb

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.eventually import eventually, eventually_async

Maker = Callable[..., ServerProcess]
CLIP = raw.clip()
FRAME = np.zeros((raw.HEIGHT, raw.WIDTH, 3), np.uint8)


@asynccontextmanager
async def connected(server: ServerProcess) -> AsyncIterator[raw.RawClient]:
    """A client with a connection of its own."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        yield raw.RawClient(channel)


def is_ready(server: ServerProcess) -> bool:
    """What the admin port says of new work."""
    try:
        with urllib.request.urlopen(f"http://{server.admin}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def spool_bytes(server: ServerProcess) -> float:
    """The room that all jobs hold together."""
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("telecine_encoder_spool_bytes "))


def keep_alive() -> pb.EncodeRequest:
    """A sign of life."""
    return pb.EncodeRequest(keep_alive=pb.KeepAlive())


async def test_abandoned_specs_leave_nothing_behind(make_server: Maker) -> None:
    """Neither files nor room nor records; a client that comes back begins anew under the same id."""
    server = make_server(workers="1", max_waiting_jobs="20").start()
    async with connected(server) as client:
        # What a service opens for its first connection and its first job stays open.
        async with client.stream() as stream:
            await stream.open(raw.spec("first"))
        await eventually_async(lambda: not list((server.data_dir / "jobs").iterdir()))
        files = psutil.Process(server.pid).num_fds()
        for number in range(60):
            spec = raw.spec(f"abandoned-{number}")
            spec.video.expected_frames = 1000
            async with client.stream() as stream:
                await stream.open(spec)
                if number % 2:
                    assert (await stream.rest()).result is None
        await eventually_async(lambda: not list((server.data_dir / "jobs").iterdir()))
        server.assert_tidy()
        assert not list((server.data_dir / "artifacts").iterdir())
        # A connection that was just closed is let go of a moment later.
        await eventually_async(lambda: psutil.Process(server.pid).num_fds() <= files + 4)
        heard = await client.encode(raw.spec("abandoned-0"), CLIP)
    assert heard.result is not None
    assert not heard.result.job.warnings


async def test_uploads_whose_clients_are_gone_take_half_of_the_places_and_who_sent_least_goes_first(
    make_server: Maker,
) -> None:
    server = make_server(workers="1", max_waiting_jobs="10").start()
    async with connected(server) as client:

        async def parked() -> list[str]:
            jobs = (await client.stub.ListJobs(pb.ListJobsRequest(states=[pb.JOB_STATE_RECEIVING]))).jobs
            return [job.job_id for job in jobs]

        for number in range(20):
            async with client.stream() as stream:
                await stream.open(raw.spec(f"parked-{number}"))
                size = 50_000 if number == 3 else 1
                await stream.push(CLIP[:size])
                await stream.until(lambda heard, size=size: max(heard.acknowledged) == size)
            async with asyncio.timeout(20):
                # That a client is gone is known once the end of its stream has arrived.
                while len(names := await parked()) > 5:
                    pass
        heard = await client.encode(raw.spec("honest"), CLIP)
        assert heard.result is not None
        assert len(names) == 5
        assert "parked-3" in names, "it has sent the most"


async def test_a_client_that_says_that_it_is_there_does_not_expire(make_server: Maker) -> None:
    server = make_server(workers="1", idle_upload_timeout_seconds="1").start()
    async with connected(server) as client, client.stream() as alive, client.stream() as mute:
        accepted = await alive.open(raw.spec("alive"))
        assert 0.3 < accepted.keep_alive_seconds < 0.4
        await mute.open(raw.spec("mute"))
        for stream in (alive, mute):
            await stream.push(CLIP[:1])
        for beats in range(1, 5):
            await alive.write(keep_alive())
            await alive.until(lambda heard, beats=beats: len(heard.acknowledged) >= 2 * beats)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await mute.rest()
        assert raw.reason(failed.value) == "JOB_EXPIRED"
        job = (await client.stub.GetJob(pb.GetJobRequest(job_id="alive"))).job
        assert job.state == pb.JOB_STATE_RECEIVING


@pytest.mark.parametrize("first", [keep_alive(), pb.EncodeRequest()])
async def test_a_stream_does_not_begin_with_a_sign_of_life(
    make_server: Maker, first: pb.EncodeRequest
) -> None:
    server = make_server(workers="1").start()
    async with connected(server) as client, client.stream() as stream:
        await stream.write(first)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream.rest()
    assert failed.value.code() in {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT}


@pytest.mark.parametrize("shares_memory", [True, False])
def test_a_slow_generator_on_a_live_stream_keeps_its_clip(make_server: Maker, shares_memory: bool) -> None:
    server = make_server(workers="1", idle_upload_timeout_seconds="1").start()
    with (
        telecine.Client(server.address, shares_memory=shares_memory) as client,
        client.open_job(fps=16, outputs=["mp4"]) as job,
    ):
        job.push(FRAME)
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 3.5, 10, says="three times the limit has passed")
        job.push(FRAME)
        assert job.result().job.state == "succeeded"


async def test_a_slow_generator_of_an_asynchronous_client_keeps_its_clip(make_server: Maker) -> None:
    server = make_server(workers="1", idle_upload_timeout_seconds="1").start()
    async with (
        telecine.AsyncClient(server.address) as client,
        client.open_job(fps=16, outputs=["mp4"]) as job,
    ):
        await job.push(FRAME)
        began = time.monotonic()
        await eventually_async(lambda: time.monotonic() - began > 3.5, 10)
        await job.push(FRAME)
        assert (await job.result()).job.state == "succeeded"


async def test_declared_room_that_is_not_used_keeps_nobody_out(make_server: Maker) -> None:
    server = make_server(
        workers="1", spool_quota_bytes="1000000", max_job_bytes="250000", max_frame_bytes="10000"
    ).start()
    async with connected(server) as client, AsyncExitStack() as held:
        for number in range(6):
            hog = raw.spec(f"hog-{number}")
            hog.video.expected_frames = 250_000 // (raw.WIDTH * raw.HEIGHT * 3)
            stream = await held.enter_async_context(client.stream())
            await stream.open(hog)
        honest = raw.spec("honest")
        honest.video.expected_frames = raw.FRAMES
        assert (await client.encode(honest, CLIP)).result is not None


async def test_promised_room_is_taken_back_after_a_while(make_server: Maker) -> None:
    server = make_server(
        workers="1",
        spool_quota_bytes="250000",
        max_job_bytes="250000",
        max_frame_bytes="10000",
        promise_seconds="0.2",
    ).start()
    async with connected(server) as client, client.stream() as stream:
        hog = raw.spec("hog")
        hog.video.expected_frames = raw.FRAMES
        await stream.open(hog)

        await eventually_async(lambda: spool_bytes(server) == 0)
        honest = raw.spec("honest")
        honest.video.expected_frames = raw.FRAMES
        assert (await client.encode(honest, CLIP)).result is not None


async def test_too_many_open_files_are_reported_as_what_they_are(make_server: Maker) -> None:
    server = make_server(workers="1").start()
    process = psutil.Process(server.pid)
    async with connected(server) as client:
        assert (await client.encode(raw.spec("before"), CLIP)).result is not None
        async with client.stream() as stream:
            await stream.open(raw.spec("starved"))
            limits = process.rlimit(resource.RLIMIT_NOFILE)
            process.rlimit(resource.RLIMIT_NOFILE, (8, limits[1]))
            await stream.push(CLIP[:1000])
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.until(lambda heard: max(heard.acknowledged) == 1000)
            assert raw.reason(failed.value) == "TOO_MANY_FILES"
            assert "ulimit" in str(failed.value.details())
            process.rlimit(resource.RLIMIT_NOFILE, limits)
        assert (await client.encode(raw.spec("starved"), CLIP)).result is not None


@pytest.mark.parametrize("is_moved", [True, False])
async def test_a_data_directory_that_is_gone_is_reported_as_what_it_is(
    make_server: Maker, is_moved: bool
) -> None:
    server = make_server(workers="1").start()
    async with connected(server) as client:
        if is_moved:
            server.data_dir.rename(server.data_dir.with_name("moved"))
        else:
            shutil.rmtree(server.data_dir)
        async with client.stream() as stream:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stream.open(raw.spec("lost"))
        assert raw.reason(failed.value) == "STORAGE_UNAVAILABLE"
        await eventually_async(lambda: not is_ready(server))
    assert not server.data_dir.exists()


def test_a_second_service_does_not_start_after_the_lock_file_was_removed(make_server: Maker) -> None:
    server = make_server(workers="1").start()
    shutil.rmtree(server.data_dir / "lock")
    command = [sys.executable, "-m", "encoder_service", "--data-dir", str(server.data_dir)]
    second = subprocess.run(
        [*command, "--listen", "127.0.0.1:0"], capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stdout) == (1, "")
    assert "in use by another encoder" in second.stderr
