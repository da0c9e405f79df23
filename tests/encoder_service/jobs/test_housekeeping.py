"""What time does: deadlines, limits, idle uploads and retention, told by an argument."""

from __future__ import annotations

import msgspec
import pytest

from encoder_service.config import EncoderConfig
from encoder_service.evidence.manifest import JobOutcome
from encoder_service.jobs.housekeeping import verdict
from encoder_service.jobs.limits import HousekeepingLimits
from encoder_service.quotas.retention import superfluous
from encoder_service.store.record import JobRecord
from tests.encoder_service.records import SECOND, produced, record, succeeded

CONFIG = EncoderConfig(max_job_seconds=100, idle_upload_timeout_seconds=10).housekeeping_limits


def ends(
    job: JobRecord, idle: float, now: int, config: HousekeepingLimits = CONFIG
) -> tuple[str, str] | None:
    """How time ends the job."""
    found = verdict(job, idle, now * SECOND, config)
    return None if found is None else (found[0].value, found[1].code)


def test_a_job_goes_on_while_it_has_time() -> None:
    assert ends(record(), 9.9, 1099) is None


def test_an_idle_upload_expires_but_a_complete_one_does_not() -> None:
    assert ends(record(), 10, 1010) == ("expired", "JOB_EXPIRED")
    complete = msgspec.structs.replace(record(), total_frames=2)
    assert ends(complete, 50, 1050) is None


def test_the_limit_per_job_counts_from_its_creation() -> None:
    assert ends(record(), 0, 1100) == ("failed", "JOB_DEADLINE_EXCEEDED")


def test_the_callers_deadline_counts_first() -> None:
    job = record()
    spec = msgspec.structs.replace(job.spec, deadline_unix_nano=1005 * SECOND)
    job = msgspec.structs.replace(job, spec=spec)
    assert ends(job, 0, 1004) is None
    assert ends(job, 0, 1005) == ("failed", "JOB_DEADLINE_EXCEEDED")


def test_zero_means_no_limit() -> None:
    endless = EncoderConfig(max_job_seconds=0, idle_upload_timeout_seconds=0).housekeeping_limits
    assert ends(record(), 1e9, 10**9, endless) is None


def ended(job_id: str, at_seconds: int, size: int) -> JobRecord:
    """A job that ended then, with so many bytes."""
    job = succeeded(record(job_id), "mp4", produced((f"{job_id}.mp4", bytes(size))))
    return msgspec.structs.replace(job, outcome=JobOutcome.SUCCEEDED, ended_at_unix_nano=at_seconds * SECOND)


JOBS = [ended("a", 10, 500), ended("b", 20, 300), ended("c", 30, 200)]


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        ({"retention_seconds": 0}, []),
        ({"retention_seconds": 25}, ["a"]),
        ({"retention_seconds": 1}, ["a", "b", "c"]),
        ({"retention_seconds": 0, "retention_bytes": 1000}, []),
        ({"retention_seconds": 0, "retention_bytes": 999}, ["a"]),
        ({"retention_seconds": 0, "retention_bytes": 100}, ["a", "b", "c"]),
        ({"retention_seconds": 0, "max_jobs_kept": 1}, ["a", "b"]),
    ],
)
def test_the_oldest_ended_jobs_go_first(limits: dict[str, int], gone: list[str]) -> None:
    found = superfluous(JOBS, 40 * SECOND, EncoderConfig(**limits).housekeeping_limits)
    assert [job.job_id for job in found] == gone
