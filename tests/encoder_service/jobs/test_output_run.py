"""An output run on a real worker process: what is sent to it, what it answers, and how it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from encoder_service.clock import SystemClock
from encoder_service.config import EncoderConfig
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.job import Job, StopReason
from encoder_service.jobs.limits import AttemptSettings
from encoder_service.jobs.output_run import OutputRun, Stopped
from encoder_service.pool.settings import PoolSettings
from encoder_service.pool.worker_process import WorkerProcess
from encoder_service.pool.zygote_process import ZygoteProcess
from encoder_service.store.record import JobRecord, new_record
from tests.encoder_service.records import record
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.eventually import eventually_async

SETTINGS = EncoderConfig(threads_per_worker=1, attempts=2).dispatch_limits.attempt
FRAMES = 4


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    """A ready worker of a real zygote."""
    zygote = await ZygoteProcess.start(PoolSettings())
    worker = await WorkerProcess.start(PoolSettings(), zygote)
    yield worker
    await worker.close()
    await zygote.close()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job whose frames all lie in `spool/video.raw`."""
    given = record()
    video = given.spec.video
    complete: JobRecord = msgspec.structs.replace(
        new_record(given.spec, "job", 1, ""), total_frames=FRAMES, received_at_unix_nano=1
    )
    (tmp_path / "spool").mkdir()
    clip = gradient_clip(FRAMES, video.width, video.height)
    (tmp_path / "spool" / "video.raw").write_bytes(clip.tobytes())
    (tmp_path / "attempt").mkdir()
    made = Job(complete, tmp_path, SystemClock())
    made.persisted_bytes = FRAMES * video.frame_bytes
    return made


async def ran(
    job: Job, worker: WorkerProcess, settings: AttemptSettings = SETTINGS
) -> Produced | Failed | Stopped:
    run = OutputRun(job, job.record.spec.outputs[0], 1, worker, settings, SystemClock())
    return await run.run(job.directory / "attempt", job.directory / "spool" / "video.raw")


async def test_a_worker_is_given_all_frames_and_answers_with_evidence(
    job: Job, worker: WorkerProcess
) -> None:
    result = await ran(job, worker)
    assert isinstance(result, Produced), result
    assert result.frames_read == result.frames_encoded == FRAMES


async def test_a_worker_that_dies_fails_an_attempt_that_may_be_tried_again(
    job: Job, worker: WorkerProcess
) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    result = await ran(job, worker)
    assert isinstance(result, Failed)
    assert (result.code, result.is_retryable) == ("CODEC_CRASHED", True)


async def test_a_run_that_is_stopped_is_no_attempt(job: Job, worker: WorkerProcess) -> None:
    job.record = msgspec.structs.replace(job.record, total_frames=0, received_at_unix_nano=0)
    run = OutputRun(job, job.record.spec.outputs[0], 1, worker, SETTINGS, SystemClock())
    running = asyncio.create_task(run.run(job.directory / "attempt", job.directory / "spool" / "video.raw"))
    await eventually_async(lambda: run.is_starved and job.views["mp4"].frames_encoded == FRAMES)
    run.stop(StopReason.DRAINING)
    assert await running == Stopped(StopReason.DRAINING)


async def test_an_output_beyond_its_bound_fails_for_good(job: Job, worker: WorkerProcess) -> None:
    result = await ran(job, worker, msgspec.structs.replace(SETTINGS, max_output_bytes=1))
    assert isinstance(result, Failed)
    assert (result.code, result.is_retryable) == ("OUTPUT_TOO_LARGE", False)


async def test_a_zygote_that_dies_costs_no_attempt_until_it_has_died_too_often(job: Job) -> None:
    results = []
    for _ in range(SETTINGS.zygote_deaths + 1):
        zygote = await ZygoteProcess.start(PoolSettings())
        worker = await WorkerProcess.start(PoolSettings(), zygote)
        os.kill(zygote.pid, signal.SIGKILL)
        results.append(await ran(job, worker))
        await zygote.close()
    *before, last = results
    assert before == [Stopped(StopReason.ZYGOTE_DIED)] * SETTINGS.zygote_deaths
    assert isinstance(last, Failed)
    assert last.code == "CODEC_CRASHED"
