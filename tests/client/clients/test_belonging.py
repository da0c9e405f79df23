"""A client belongs to its process and its event loop, and says so instead of hanging."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from telecine import exceptions as errors
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.clients.logs import LogClient
from telecine.results.values import JobState

from tests.eventually import eventually

FRAMES = np.zeros((2, 16, 16, 3), np.uint8)


def test_a_client_serves_one_event_loop_after_the_other(encoder: EmbeddedServer) -> None:
    client = AsyncClient(encoder.address)

    async def one() -> JobState:
        return (await client.encode(FRAMES, fps=1)).job.state

    for _ in range(2):
        assert asyncio.run(asyncio.wait_for(one(), 30)) is JobState.SUCCEEDED
    asyncio.run(client.close())


async def test_a_second_loop_is_refused_while_the_first_is_open(encoder: EmbeddedServer) -> None:
    async with AsyncClient(encoder.address) as client:
        job = client.open_job(fps=1, width=16, height=16, pixel_format="rgb24")
        seen: list[BaseException] = []

        async def elsewhere() -> None:
            for call in (client.capabilities(), client.encode(FRAMES, fps=1), job.push(FRAMES), job.finish()):
                with pytest.raises(errors.OutOfOrderError, match="another event loop") as caught:
                    await call
                seen.append(caught.value)

        thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
        thread.start()
        await asyncio.to_thread(thread.join, 30)
        assert len(seen) == 4
        await job.push(FRAMES)
        assert (await job.result()).job.state is JobState.SUCCEEDED


async def test_a_job_of_a_closed_loop_is_refused(encoder: EmbeddedServer) -> None:
    client = AsyncClient(encoder.address)

    async def begin() -> object:
        job = client.open_job(fps=1)
        await job.push(FRAMES)
        return job

    job = await asyncio.to_thread(asyncio.run, begin())
    with pytest.raises(errors.OutOfOrderError, match="this job belongs to another event loop"):
        await job.finish()
    await job.close()
    await client.close()


async def test_a_fault_of_ours_ends_the_wait(
    encoder: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from telecine.upload.messages import MessageCodec

    def broken(*_: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(MessageCodec, "decode", broken)
    with Client(encoder.address) as blocking, pytest.raises(errors.ServiceFaultError, match="odd"):
        await asyncio.to_thread(blocking.encode, FRAMES, fps=1)
    async with AsyncClient(encoder.address) as client:
        with pytest.raises(errors.ServiceFaultError, match="odd"):
            await asyncio.wait_for(client.encode(FRAMES, fps=1), 30)


def test_what_belongs_to_a_process_says_so_when_it_is_pickled(encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client:
        for thing in (client, AsyncClient(encoder.address), client.open_job(fps=1), encoder):
            for copied in (pickle.dumps, copy.deepcopy):
                with pytest.raises(errors.OutOfOrderError, match="cannot be pickled") as caught:
                    copied(thing)
                assert "address" in caught.value.recovery


def test_every_call_of_a_closed_client_says_so_at_once(encoder: EmbeddedServer, tmp_path: Path) -> None:
    client = Client(encoder.address)
    job = client.open_job(fps=1)
    client.close()
    target = tmp_path / "new"
    calls: list[Callable[[], object]] = [
        lambda: client.encode(FRAMES, fps=1, to=target), lambda: client.open_job(fps=1),
        client.capabilities, lambda: list(client.jobs()), lambda: client.get_job("j"), client.damaged_jobs,
        lambda: list(client.watch_job("j")), lambda: client.wait("j", target), lambda: client.cancel_job("j"),
        lambda: client.delete_job("j"), lambda: client.manifest("j"), lambda: client.read("j", "a"),
        lambda: client.download("j", "a", target / "a"),
    ]  # fmt: skip
    began = time.monotonic()
    for call in calls:
        with pytest.raises(errors.OutOfOrderError, match="the client is closed"):
            call()
    for call in (lambda: job.push(FRAMES), job.finish, job.result):
        with pytest.raises(errors.OutOfOrderError, match="was closed here"):
            call()
    assert time.monotonic() - began < 5
    assert not target.exists()


def test_closing_a_client_ends_what_waits_in_other_threads(encoder: EmbeddedServer) -> None:
    client = Client(encoder.address)
    with Client(encoder.address) as other, other.open_job(fps=1) as job:
        job.push(FRAMES)
        watching = client.watch_job(job.job_id)
        eventually(lambda: job.progress.acknowledged_bytes)
        next(watching)
        client.close()
        with pytest.raises(errors.OutOfOrderError, match="the client is closed"):
            list(watching)


def test_every_call_of_a_closed_log_client_says_so_at_once() -> None:
    client = LogClient("127.0.0.1:1")
    client.close()
    for call in (client.stats, client.tail, lambda: list(client.query()), lambda: client.job_story("j")):
        with pytest.raises(errors.OutOfOrderError, match="the client is closed"):
            call()


async def test_an_asyncio_client_that_is_closed_opens_no_job(encoder: EmbeddedServer) -> None:
    client = AsyncClient(encoder.address)
    job = client.open_job(fps=1)
    await client.close()
    with pytest.raises(errors.OutOfOrderError, match="the client is closed"):
        client.open_job(fps=1)
    with pytest.raises(errors.OutOfOrderError, match="was closed here"):
        await job.push(FRAMES)


def test_a_job_that_was_cancelled_before_its_first_frame_takes_none(encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client:
        job = client.open_job(fps=1)
        job.cancel()
        with pytest.raises(errors.JobCancelledError):
            job.push(FRAMES)
