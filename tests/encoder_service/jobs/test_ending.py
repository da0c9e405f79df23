"""A job's end: recorded, then described by its manifest, then without its frames; once, and however late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from encoder_service.evidence.facts import Failed
from encoder_service.evidence.manifest import JobOutcome, Problem, decode_manifest
from encoder_service.jobs.job import Job
from encoder_service.store.record import JobRecord, OutputRecord, OutputState
from tests.encoder_service.jobs.life import Life, living
from tests.encoder_service.records import attempt, produced, record, succeeded
from tests.eventually import eventually_async

CANCELLED = Problem("JOB_CANCELLED", "cancelled by a test")


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    """Jobs over an empty data directory."""
    async with living(tmp_path / "data") as life:
        yield life


def made(given: JobRecord, output: str = "mp4") -> JobRecord:
    """The record once this output has succeeded."""
    return succeeded(given, output, produced((f"{output}.mp4", b"film")))


def failed(given: JobRecord, output: str = "mp4") -> JobRecord:
    """The record once this output has failed."""
    result = Failed("CODEC_CRASHED", "it crashed", is_retryable=False)
    return given.with_output(output, OutputRecord(state=OutputState.FAILED, attempts=(attempt(result),)))


def assert_over(life: Life, job: Job, outcome: JobOutcome) -> None:
    """The end is on the disk and in the manifest; nothing is held for the job any more."""
    assert job.is_over
    assert life.on_disk(job.job_id).outcome is outcome
    assert decode_manifest(life.store.read_manifest(job.record)).state is outcome
    assert not life.store.has_spool(job.record)
    assert life.space.used_bytes == 0
    assert (list(life.registry.live), list(life.registry.ended)) == ([], [job.key])


async def test_a_job_goes_on_until_its_last_output_has_ended(life: Life) -> None:
    job = life.uploaded(made(record("job", "mp4", "webm")))
    await life.ending.settle(job)
    assert not job.is_ending
    assert life.store.has_spool(job.record)
    job.record = failed(job.record, "webm")
    await life.ending.settle(job)
    assert_over(life, job, JobOutcome.PARTIALLY_SUCCEEDED)
    assert life.on_disk("job").input_hash_hex


async def test_a_job_whose_outputs_have_all_failed_waits_for_no_more_frames(life: Life) -> None:
    job = life.uploaded(failed(record()), is_complete=False)
    await life.ending.settle(job)
    assert_over(life, job, JobOutcome.FAILED)
    problem = life.on_disk("job").problem
    assert problem is not None
    assert problem.code == "ALL_OUTPUTS_FAILED"


async def test_what_fails_a_job_does_not_undo_an_output_that_was_made(life: Life) -> None:
    job = life.uploaded(made(record("job", "mp4", "webm")))
    await life.ending.end(job, JobOutcome.FAILED, Problem("JOB_DEADLINE_EXCEEDED", "too late"))
    assert_over(life, job, JobOutcome.PARTIALLY_SUCCEEDED)
    states = {name: output.state for name, output in life.on_disk("job").outputs.items()}
    assert states == {"mp4": OutputState.SUCCEEDED, "webm": OutputState.FAILED}


async def test_what_runs_is_stopped_and_counts_as_no_attempt(life: Life) -> None:
    job = life.uploaded(record("job", "garbage"))
    life.pool.open()
    await eventually_async(lambda: job.runs)
    await life.ending.end(job, JobOutcome.CANCELLED, CANCELLED)
    assert not job.runs
    assert_over(life, job, JobOutcome.CANCELLED)
    assert life.on_disk("job").outputs["garbage"] == OutputRecord(state=OutputState.CANCELLED)


async def test_the_first_end_counts(life: Life) -> None:
    job = life.uploaded(record())
    await life.ending.end(job, JobOutcome.CANCELLED, CANCELLED)
    manifest = life.store.read_manifest(job.record)
    life.clock.seconds += 5
    await life.ending.end(job, JobOutcome.EXPIRED, Problem("JOB_EXPIRED", "too late"))
    assert_over(life, job, JobOutcome.CANCELLED)
    assert life.store.read_manifest(job.record) == manifest


async def test_an_end_that_was_cut_short_is_completed_with_the_manifest_that_it_has(life: Life) -> None:
    job = life.uploaded(record())
    ended_at = life.clock.unix_nano()
    job.record = msgspec.structs.replace(
        failed(job.record), outcome=JobOutcome.FAILED, ended_at_unix_nano=ended_at
    )
    life.store.save(job.record)
    (job.directory / "manifest.json").write_bytes(b"written before")
    await life.ending.complete(job)
    assert life.store.read_manifest(job.record) == b"written before"
    assert job.is_over
    assert not life.store.has_spool(job.record)
