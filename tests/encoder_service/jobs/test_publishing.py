"""What an attempt came to: evidence first, then the files, then the news; and what is not believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.job import Job, OutputView, StopReason
from encoder_service.jobs.output_run import OutputRun, Stopped
from encoder_service.pool.worker_process import WorkerProcess
from encoder_service.pool.zygote_process import ZygoteProcess
from encoder_service.store.record import OutputState
from tests.encoder_service.jobs.life import TINY, Life, living
from tests.encoder_service.records import produced, record


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    """Jobs whose outputs are tried twice."""
    async with living(tmp_path / "data", attempts=2) as life:
        yield life


@pytest.fixture
async def worker(life: Life) -> AsyncIterator[WorkerProcess]:
    """A ready worker; what it would answer, the tests say themselves."""
    zygote = await ZygoteProcess.start(life.config.pool_settings, TINY)
    worker = await WorkerProcess.start(life.config.pool_settings, zygote)
    yield worker
    await worker.close()
    await zygote.close()


def attempted(
    life: Life,
    worker: WorkerProcess,
    job: Job,
    *files: tuple[str, bytes],
    output: str = "mp4",
    number: int = 1,
) -> OutputRun:
    """An attempt that left these files in its directory."""
    directory = life.store.begin_attempt(job.record, output, number)
    for name, data in files:
        (directory / name).write_bytes(data)
    spec = next(each for each in job.record.spec.outputs if each.name == output)
    return OutputRun(job, spec, number, worker, life.config.dispatch_limits.attempt, life.clock)


def attempt_codes(life: Life, output: str = "mp4") -> list[str]:
    """What the attempts of an output came to, as it stands on the disk."""
    results = [attempt.result for attempt in life.on_disk("job").outputs[output].attempts]
    return [result.code if isinstance(result, Failed) else "made" for result in results]


async def test_clients_hear_of_an_output_once_its_evidence_and_its_files_are_there(
    life: Life, worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, seen = life.uploaded(record()), []
    set_view = job.set_view

    def watched(name: str, view: OutputView) -> None:
        is_there = (job.directory / "clip.mp4").exists()
        seen.append((view.state, life.on_disk("job").outputs[name].state, is_there))
        set_view(name, view)

    monkeypatch.setattr(job, "set_view", watched)
    run = attempted(life, worker, job, ("clip.mp4", b"film"))
    await life.publisher.record(run, produced(("clip.mp4", b"film")))
    assert seen == [(OutputState.SUCCEEDED, OutputState.SUCCEEDED, True)]
    assert not life.store.attempt_directory(job.record, "mp4", 1).exists()


async def test_a_stopped_run_leaves_no_attempt_and_no_file(life: Life, worker: WorkerProcess) -> None:
    job = life.uploaded(record())
    run = attempted(life, worker, job, ("half.mp4", b"ha"))
    await life.publisher.put_back(run, Stopped(StopReason.STARVED))
    assert not life.store.attempt_directory(job.record, "mp4", 1).exists()
    assert attempt_codes(life) == []
    assert job.views["mp4"] == OutputView(OutputState.WAITING, attempt=1)


async def test_a_failure_that_may_pass_is_tried_again_until_the_attempts_are_used_up(
    life: Life, worker: WorkerProcess
) -> None:
    job, failed = life.uploaded(record()), Failed("CODEC_CRASHED", "it crashed", is_retryable=True)
    await life.publisher.record(attempted(life, worker, job), failed)
    assert job.views["mp4"] == OutputView(OutputState.WAITING, attempt=2)
    await life.publisher.record(attempted(life, worker, job, number=2), failed)
    assert job.views["mp4"] == OutputView(OutputState.FAILED, attempt=2)
    assert attempt_codes(life) == ["CODEC_CRASHED"] * 2


async def test_evidence_of_a_file_that_is_not_there_is_taken_back(life: Life, worker: WorkerProcess) -> None:
    job = life.uploaded(record())
    await life.publisher.record(attempted(life, worker, job), produced(("clip.mp4", b"film")))
    assert attempt_codes(life) == ["FILE_MISSING"]
    assert life.on_disk("job").outputs["mp4"].state is OutputState.WAITING


FILM = ("clip.mp4", b"film")


@pytest.mark.parametrize(
    ("answer", "code", "state"),
    [
        (produced(FILM, frames=1), "FRAMES_MISSING", OutputState.WAITING),
        (produced(FILM, FILM), "IMPLAUSIBLE_ANSWER", OutputState.FAILED),
        (produced(("../clip.mp4", b"film")), "UNSAFE_PATH", OutputState.FAILED),
        (produced(("taken.mp4", b"film")), "PATH_TAKEN", OutputState.FAILED),
        (produced(("taken.mp4/clip.mp4", b"film")), "PATH_TAKEN", OutputState.FAILED),
    ],
)
async def test_an_answer_that_cannot_be_true_publishes_nothing(
    life: Life, worker: WorkerProcess, answer: Produced, code: str, state: OutputState
) -> None:
    job = life.uploaded(record("job", "mp4", "other"))
    other = attempted(life, worker, job, ("taken.mp4", b"first"), output="other")
    await life.publisher.record(other, produced(("taken.mp4", b"first")))
    await life.publisher.record(attempted(life, worker, job, FILM), answer)
    assert (attempt_codes(life), job.views["mp4"].state) == ([code], state)
    assert not (job.directory / "clip.mp4").exists()
    assert (job.directory / "taken.mp4").read_bytes() == b"first"


async def test_an_output_that_found_the_disk_full_waits_before_it_is_tried_again(
    life: Life, worker: WorkerProcess
) -> None:
    job = life.uploaded(record())
    failed = Failed("DISK_FULL", "no room", is_retryable=True)
    await life.publisher.record(attempted(life, worker, job), failed)
    assert life.dispatcher.waiting() == []
    life.clock.seconds = job.not_before_monotonic["mp4"]
    assert [each.output for each in life.dispatcher.waiting()] == ["mp4"]
