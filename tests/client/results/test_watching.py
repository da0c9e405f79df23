"""Watching a job from the SDK: to its end, over broken connections, with and without callbacks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import telecine
from telecine import exceptions as errors
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.request.options import Output
from telecine.results.values import JobInfo, JobState, Progress
from telecine.testing import draw_clip

from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually, eventually_async

FAST = Output("mp4", preset="ultrafast")
SHORT = draw_clip()


@pytest.fixture
def client(encoder: EmbeddedServer) -> Iterator[Client]:
    with Client(encoder.address) as client:
        yield client


class Watcher(threading.Thread):
    """Watches a job in a thread of its own."""

    def __init__(self, client: Client, job_id: str) -> None:
        super().__init__()
        self.told: list[JobInfo] = []
        self._jobs = client.watch_job(job_id, interval_seconds=0)
        self.start()

    def run(self) -> None:
        for job in self._jobs:
            self.told.append(job)


def begun(client: Client) -> telecine.Job:
    """A job of which the server has the first frames."""
    job = client.open_job(fps=16, outputs=FAST)
    job.push(SHORT[:4])
    eventually(lambda: job.progress.acknowledged_bytes == SHORT[:4].nbytes)
    return job


def test_a_job_is_watched_to_its_end(client: Client) -> None:
    job = begun(client)
    watcher = Watcher(client, job.job_id)
    eventually(lambda: watcher.told)
    job.push(SHORT[4:])
    result = job.result()
    watcher.join()
    assert watcher.told[0].state is JobState.RECEIVING
    assert watcher.told[-1] == result.job
    frames = [seen.outputs[0].progress.frames_encoded for seen in watcher.told]
    assert frames == sorted(frames)


def test_a_broken_connection_shows_only_as_a_pause(encoder: EmbeddedServer, client: Client) -> None:
    job = begun(client)
    with TcpProxy(encoder.address) as proxy, Client(proxy.address) as far:
        watcher = Watcher(far, job.job_id)
        eventually(lambda: watcher.told)
        proxy.cut()
        job.push(SHORT[4:])
        result = job.result()
        watcher.join()
    assert watcher.told[-1] == result.job


def test_watching_ends_when_its_time_is_up(client: Client) -> None:
    job = begun(client)
    jobs = client.watch_job(job.job_id, timeout_seconds=0.5)
    with pytest.raises(errors.TimedOutError, match="receiving"):
        list(jobs)
    job.cancel()


def test_waiting_reports_progress_as_encoding_does(client: Client) -> None:
    job = client.open_job(fps=16, outputs=FAST)
    job.push(SHORT)
    job.finish()
    told: list[Progress] = []
    client.wait(job.job_id, on_progress=told.append)
    assert told[-1].is_handed_off
    assert told[-1].acknowledged_bytes == told[-1].total_bytes == SHORT.nbytes
    assert told[-1].outputs[0].frames_encoded == len(SHORT)


def test_a_job_that_is_not_there_and_an_interval_that_cannot_be_are_refused(client: Client) -> None:
    with pytest.raises(errors.JobNotFoundError):
        next(client.watch_job("nobody"))
    with pytest.raises(errors.InvalidRequestError, match="interval_seconds"):
        next(client.watch_job("nobody", interval_seconds=-1))


async def test_asyncio_watches_and_waits_too(encoder: EmbeddedServer) -> None:
    async with AsyncClient(encoder.address) as client:
        job = client.open_job(fps=16, outputs=FAST)
        await job.push(np.ascontiguousarray(SHORT))
        await job.finish()

        async def watched() -> list[JobInfo]:
            return [seen async for seen in client.watch_job(job.job_id, interval_seconds=0)]

        told: list[Progress] = []
        seen, result = await asyncio.gather(watched(), client.wait(job.job_id, on_progress=told.append))
        assert seen[-1] == result.job
        assert told[-1].is_handed_off
        with pytest.raises(errors.TimedOutError):
            await wait_in_vain(client)


async def wait_in_vain(client: AsyncClient) -> None:
    """Waits for a job that nobody finishes."""
    job = client.open_job(fps=16, outputs=FAST)
    await job.push(SHORT[:2])
    await eventually_async(lambda: job.progress.acknowledged_bytes)
    try:
        await client.wait(job.job_id, timeout_seconds=0.5)
    finally:
        await job.cancel()
