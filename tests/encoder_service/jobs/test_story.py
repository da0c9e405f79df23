"""The service's log tells a job's story in the catalogue's stages, under the request that began it."""

from __future__ import annotations

import msgspec
import structlog
from telecine.logging.catalogue import STAGES_BY_NAME

from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import Failed
from encoder_service.evidence.manifest import JobOutcome, Problem
from encoder_service.jobs.story import JobStory
from encoder_service.spec.spec import JobSpec, OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.store.record import new_record

SPEC = JobSpec(
    "fox", VideoSpec(4, 4, PixelFormat.GRAY8, Rational(24)), (OutputSpec(name="mp4", format="mp4"),)
)
BROKEN = Failed("CODEC_CRASHED", "the worker died of SIGSEGV", is_retryable=True)


def told(step) -> dict[str, object]:
    record = new_record(SPEC, "19700101_000000_fox", 1_000_000_000, "req-7")
    with structlog.testing.capture_logs() as entries:
        step(JobStory(structlog.get_logger()), record)
    (entry,) = entries
    return entry


def test_every_step_is_a_known_stage_and_names_job_and_request():
    attempt = AttemptEvidence(number=2, started_at_unix_nano=0, ended_at_unix_nano=2_500_000, result=BROKEN)
    steps = [
        lambda story, record: story.accepted(record),
        lambda story, record: story.received(record),
        lambda story, record: story.failed(record, "mp4", attempt, BROKEN, will_retry=True),
        lambda story, record: story.failed(record, "mp4", attempt, BROKEN, will_retry=False),
        lambda story, record: story.manifested(record, "fox/manifest.json"),
        lambda story, record: story.ended(record),
    ]
    for entry in map(told, steps):
        assert entry["stage"] in STAGES_BY_NAME
        assert (entry["job_id"], entry["request_id"]) == ("fox", "req-7")


def test_a_failed_attempt_says_what_was_decided_and_counts_attempts_from_zero():
    attempt = AttemptEvidence(number=2, started_at_unix_nano=0, ended_at_unix_nano=2_500_000, result=BROKEN)

    retried = told(lambda story, record: story.failed(record, "mp4", attempt, BROKEN, will_retry=True))
    given_up = told(lambda story, record: story.failed(record, "mp4", attempt, BROKEN, will_retry=False))

    assert (retried["stage"], retried["log_level"]) == ("retry:decision", "warning")
    assert (given_up["stage"], given_up["log_level"]) == ("encode:output", "error")
    assert (retried["attempt"], retried["duration_ms"]) == (1, 2.5)
    assert retried["error_type"] == "CODEC_CRASHED"


def test_a_job_that_failed_ends_in_an_error_with_its_reason():
    end = {"outcome": JobOutcome.EXPIRED, "ended_at_unix_nano": 2_000_000_000}

    entry = told(
        lambda story, record: story.ended(
            msgspec.structs.replace(record, **end, problem=Problem("JOB_EXPIRED", "idle"))
        )
    )

    assert (entry["stage"], entry["log_level"]) == ("encode:error", "error")
    assert entry["error_type"] == "JOB_EXPIRED"
