"""Waiting outputs get workers as these become idle, and whatever comes of a worker is taken in."""

from __future__ import annotations

from pathlib import Path

from encoder_service.evidence.facts import Failed
from encoder_service.evidence.manifest import JobOutcome
from encoder_service.jobs.job import StopReason
from encoder_service.store.record import OutputState
from tests.encoder_service.jobs.life import Life, living
from tests.encoder_service.records import record
from tests.eventually import eventually_async


def failures(life: Life, job_id: str, output: str) -> list[str]:
    """The codes of an output's attempts, as they stand on the disk."""
    results = [attempt.result for attempt in life.on_disk(job_id).outputs[output].attempts]
    return [result.code if isinstance(result, Failed) else "" for result in results]


async def test_one_worker_serves_all_outputs_one_after_the_other(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        held = [life.uploaded(record(name, "held")) for name in ("d", "e", "f")]
        life.pool.open()
        for left in (2, 1, 0):
            await eventually_async(lambda: list(life.dispatcher.runs()))
            (run,) = life.dispatcher.runs()
            assert len(life.dispatcher.waiting()) == left
            await life.ending.end(run.job, JobOutcome.CANCELLED, None)
        assert all(job.is_over for job in held)
        jobs = [life.uploaded(record(name, "ok")) for name in ("a", "b", "c")]
        life.dispatcher.kick()
        await eventually_async(lambda: all(job.is_over for job in jobs))
        assert [failures(life, job.job_id, "ok") for job in jobs] == [["DONE"]] * 3


async def test_an_output_whose_worker_crashes_is_tried_again_until_its_attempts_are_used_up(
    tmp_path: Path,
) -> None:
    async with living(tmp_path / "data", attempts=2) as life:
        job = life.uploaded(record("job", "crash"))
        life.pool.open()
        await eventually_async(lambda: job.is_over)
        assert failures(life, "job", "crash") == ["CODEC_CRASHED"] * 2
        assert job.record.outcome is JobOutcome.FAILED


async def test_while_it_is_paused_nothing_begins_and_what_runs_can_be_put_back(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        job = life.uploaded(record("job", "garbage"))
        life.pool.open()
        await eventually_async(lambda: job.runs)
        life.dispatcher.is_paused = True
        await life.dispatcher.stop_runs(StopReason.DRAINING)
        await eventually_async(lambda: life.pool.idle_count == 1)
        life.dispatcher.kick()
        assert not job.runs
        assert job.views["garbage"].state is OutputState.WAITING
        assert not life.store.attempt_directory(job.record, "garbage", 1).exists()
        assert failures(life, "job", "garbage") == []


async def test_a_worker_that_makes_no_progress_is_given_up_and_its_output_says_why(tmp_path: Path) -> None:
    async with living(tmp_path / "data", attempts=1) as life:
        job = life.uploaded(record("job", "deaf"))
        life.pool.open()
        await eventually_async(lambda: job.runs and not job.runs["deaf"].is_starved)
        life.dispatcher.relieve()
        assert job.runs
        life.clock.seconds += life.dispatcher.limits.attempt.silence_timeout_seconds
        life.dispatcher.relieve()
        await eventually_async(lambda: job.is_over)
        assert failures(life, "job", "deaf") == ["WORKER_HUNG"]


async def test_an_upload_that_stalls_gives_its_worker_to_a_job_that_has_all_its_frames(
    tmp_path: Path,
) -> None:
    async with living(tmp_path / "data") as life:
        # Begun while its frames came; its client is gone since, so no patience is due.
        stalled = life.uploaded(record("stalled", "ok"), is_complete=False)
        life.pool.open()
        await eventually_async(lambda: life.pool.idle_count == 1)
        attachment = await life.jobs.attach(stalled.record.spec)
        await eventually_async(lambda: stalled.runs and stalled.views["ok"].frames_encoded == 2)
        await life.jobs.leave(attachment)
        ready = life.uploaded(record("ready", "ok"))
        assert life.dispatcher.relieve() == 1
        await eventually_async(lambda: ready.is_over)
        assert failures(life, "stalled", "ok") == []
