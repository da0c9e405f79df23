"""The asyncio client against a real service."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from telecine import exceptions as errors
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.asynchronous_job import Signal
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.request.options import KeepAlive, Output, RetryPolicy
from telecine.results.values import JobState, Progress
from telecine.testing import draw_clip

from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually_async

LOSSLESS = Output("mkv", codec="ffv1")
CLIP = draw_clip(frames=24, width=320, height=240)
SHORT = draw_clip()


@pytest.fixture
async def client(encoder: EmbeddedServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(encoder.address) as client:
        yield client


async def undisturbed_digest(client: AsyncClient) -> str:
    return (await client.encode(CLIP, fps=8, outputs=LOSSLESS))["mkv"].sha256


async def test_one_call_brings_checked_files_and_a_manifest(client: AsyncClient, tmp_path: Path) -> None:
    result = await client.encode(SHORT, fps=16, outputs=LOSSLESS, to=tmp_path)
    artifact = result["mkv"]
    assert hashlib.sha256(artifact.local_path.read_bytes()).hexdigest() == artifact.sha256
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == result.manifest


async def test_the_blocking_client_makes_the_same_artifact(
    client: AsyncClient, encoder: EmbeddedServer
) -> None:
    with Client(encoder.address) as blocking:
        expected = blocking.encode(CLIP, fps=8, outputs=LOSSLESS)["mkv"].sha256
    assert await undisturbed_digest(client) == expected


async def test_frames_come_from_asynchronous_iterators_too(client: AsyncClient) -> None:
    async def frames() -> AsyncIterator[np.ndarray]:
        for frame in CLIP:
            yield frame / np.float32(255)

    told: list[Progress] = []
    result = await client.encode(frames(), fps=8, outputs=LOSSLESS, on_progress=told.append)
    assert result["mkv"].sha256 == await undisturbed_digest(client)
    assert told[-1].is_handed_off


async def test_jobs_and_artifacts_are_managed(client: AsyncClient, tmp_path: Path) -> None:
    async with client.open_job(fps=8, outputs=LOSSLESS, job_id="aio-managed") as job:
        await job.push(SHORT)
    assert job.is_handed_off
    waited = await client.wait("aio-managed", to=tmp_path)
    listed = [entry.job_id async for entry in client.jobs(prefix="aio-managed")]
    assert listed == ["aio-managed"]
    path = waited["mkv"].path
    saved = await client.download("aio-managed", path, tmp_path / "a.mkv")
    assert saved.local_path.read_bytes() == await client.read("aio-managed", path)
    assert json.loads(await client.manifest("aio-managed")) == waited.manifest
    assert (await client.capabilities()).formats
    await client.delete_job("aio-managed")
    with pytest.raises(errors.JobNotFoundError):
        await client.get_job("aio-managed")


async def test_an_upload_is_looked_at(client: AsyncClient) -> None:
    async with client.open_job(fps=8, outputs=LOSSLESS, job_id="aio-looked-at") as job:
        await job.push(SHORT)
        while (await client.get_job("aio-looked-at")).persisted_bytes < SHORT.nbytes:
            pass
        preview = await client.preview("aio-looked-at", format="jpeg")
        assert (preview.frame, preview.persisted_frames) == (len(SHORT) - 1, len(SHORT))
        assert preview.image.startswith(b"\xff\xd8")
        for wrong in (
            {"frame": -1},
            {"frame": 2**63},
            {"max_side": 0},
            {"max_side": 10**9},
            {"format": "gif"},
        ):
            with pytest.raises(errors.InvalidRequestError):
                await client.preview("aio-looked-at", **wrong)
        with pytest.raises(errors.FrameNotThereError) as missing:
            await client.preview("aio-looked-at", len(SHORT))
        assert missing.value.metadata["persisted_frames"] == str(len(SHORT))
    await client.wait("aio-looked-at")
    with pytest.raises(errors.WrongStateError):
        await client.preview("aio-looked-at")


async def test_many_jobs_run_at_once(client: AsyncClient) -> None:
    results = await asyncio.gather(*(client.encode(SHORT, fps=8, outputs=LOSSLESS) for _ in range(6)))
    assert len({result["mkv"].sha256 for result in results}) == 1
    assert len({result.job_id for result in results}) == 6


async def test_a_cancelled_task_cancels_its_job(client: AsyncClient) -> None:
    async def frames() -> AsyncIterator[np.ndarray]:
        yield SHORT
        await asyncio.Event().wait()

    task = asyncio.create_task(client.encode(frames(), fps=8, outputs=LOSSLESS, job_id="aio-cancelled"))

    async def has_arrived() -> bool:
        try:
            return (await client.get_job("aio-cancelled")).persisted_bytes == SHORT.nbytes
        except errors.JobNotFoundError:
            return False

    async with asyncio.timeout(20):
        while not await has_arrived():
            pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await client.get_job("aio-cancelled")).state is JobState.CANCELLED


async def test_cancelling_a_job_ends_its_waiters(client: AsyncClient) -> None:
    job = client.open_job(fps=8, outputs=LOSSLESS)
    await job.push(SHORT)
    await eventually_async(lambda: job.progress.acknowledged_bytes > 0)
    await job.cancel()
    with pytest.raises(errors.JobCancelledError):
        await job.result()
    await job.close()


async def test_a_wrong_spec_names_its_field(client: AsyncClient) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        await client.encode(SHORT, fps=8, outputs="mp5")
    assert caught.value.faults


async def test_memory_stays_within_its_bound(encoder: EmbeddedServer) -> None:
    async with (
        AsyncClient(encoder.address, retained_bytes=1 << 20) as client,
        client.open_job(fps=8, outputs=LOSSLESS) as job,
    ):
        for frame in np.repeat(CLIP, 2, axis=0):
            await job.push(frame)
            progress = job.progress
            assert progress.pushed_bytes - progress.acknowledged_bytes <= 1 << 20


async def test_cut_connections_are_invisible(encoder: EmbeddedServer, client: AsyncClient) -> None:
    policy = RetryPolicy(give_up_after_seconds=30, max_backoff_seconds=0.2)
    with TcpProxy(encoder.address) as proxy:
        async with (
            AsyncClient(
                proxy.address,
                retry=policy,
                keep_alive=KeepAlive(idle_timeout_seconds=2),
                shares_memory=False,
            ) as cut_client,
            cut_client.open_job(fps=8, outputs=LOSSLESS) as job,
        ):
            for index, frame in enumerate(CLIP):
                if index % 6 == 0:
                    proxy.cut_after_bytes = proxy.carried_bytes + 300_000
                await job.push(frame)
            await job.finish()
            proxy.cut()
            result = await job.result()
    assert result["mkv"].sha256 == await undisturbed_digest(client)


async def test_a_frozen_network_is_noticed_and_overcome(encoder: EmbeddedServer, client: AsyncClient) -> None:
    policy = RetryPolicy(give_up_after_seconds=30, max_backoff_seconds=0.2)
    with TcpProxy(encoder.address) as proxy:
        async with (
            AsyncClient(
                proxy.address,
                retry=policy,
                keep_alive=KeepAlive(idle_timeout_seconds=1),
                shares_memory=False,
            ) as held_client,
            held_client.open_job(fps=8, outputs=LOSSLESS) as job,
        ):
            await job.push(CLIP[:10])
            await eventually_async(lambda: job.progress.acknowledged_bytes > 0)
            proxy.hold()
            await job.push(CLIP[10:])
            asyncio.get_running_loop().call_later(1.5, lambda: (proxy.cut(), proxy.release()))
            result = await job.result()
    assert result["mkv"].sha256 == await undisturbed_digest(client)


async def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    async with AsyncClient("127.0.0.1:1", retry=RetryPolicy(give_up_after_seconds=0)) as client:
        with pytest.raises(errors.UnavailableError):
            await client.encode(SHORT, fps=8)
        with pytest.raises(errors.UnavailableError):
            await client.get_job("x")


async def test_a_closed_client_says_so(encoder: EmbeddedServer) -> None:
    client = AsyncClient(encoder.address)
    await client.close()
    with pytest.raises(errors.OutOfOrderError, match="closed"):
        await client.capabilities()


async def test_a_signal_wakes_everybody_and_knows_its_time() -> None:
    signal, reached = Signal(), []
    waiters = [asyncio.create_task(signal.wait_for(lambda: bool(reached))) for _ in range(3)]
    await asyncio.sleep(0)
    signal.notify()
    await asyncio.sleep(0)
    reached.append(1)
    signal.notify()
    assert await asyncio.gather(*waiters) == [True] * 3
    assert not await signal.wait(0.0)
    assert not await signal.wait_for(lambda: False, 0.0)
