"""Operations, timed functions and retries of an application stand in its job's story."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from telecine.cli.logs.report import make_report
from telecine.logging import (
    LogContext,
    configure_logging,
    flush_logging,
    log_execution_time,
    operation,
    shutdown_logging,
)
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.retry import Retry, RetryPolicy, Runtime

from tests.eventually import eventually_async
from tests.log_collector.harness import collector, stub


def process_clip() -> None:
    """A worker's job: one step fails once and is tried again."""
    tries = []
    instant = Runtime(sleep=lambda seconds: None)

    @log_execution_time(level="INFO")
    def stitch() -> None:
        return None

    @Retry(RetryPolicy(), runtime=instant)
    @operation("fetch")
    def fetch() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("cut")

    with LogContext(job_id="j7"), operation("process_clip"):
        fetch()
        stitch()


async def test_a_jobs_story_shows_its_operations_with_their_durations(tmp_path: Path) -> None:
    async with collector(tmp_path / "collector") as running, stub(running.address) as client:
        configure_logging(
            "worker",
            directory=tmp_path,
            console="off",
            level="INFO",
            collector=running.address,
            spool_directory=tmp_path / "spool",
        )
        try:
            await asyncio.to_thread(process_clip)
            assert await asyncio.to_thread(flush_logging, 20)
            runner = running.service._fanout.runners["file"]
            await eventually_async(lambda: runner.is_caught_up and runner.accepted >= 5)
            story = await client.GetJobStory(pb.GetJobStoryRequest(job_id="j7"))
        finally:
            await asyncio.to_thread(shutdown_logging)
    assert [(s.stage, s.attempt, s.errors) for s in story.stages] == [
        ("operation:process_clip", 0, 0),
        ("operation:fetch", 0, 1),
        ("retry:decision", 0, 0),
        ("operation:fetch", 1, 0),
        ("operation:stitch", 0, 0),
    ]
    outer, first = story.stages[0], story.stages[1]
    assert outer.duration.ToMicroseconds() >= first.duration.ToMicroseconds() > 0
    assert outer.started.ToNanoseconds() <= first.started.ToNanoseconds()
    assert (story.last_attempt, story.error_count) == (1, 1)
    report = make_report((tmp_path / "worker.log").read_bytes().splitlines())
    counted = {o.name: o.count for o in report.operations if o.name.startswith("operation:")}
    assert counted == {"operation:process_clip": 1, "operation:fetch": 2, "operation:stitch": 1}


@pytest.fixture(autouse=True)
def _unconfigured() -> None:
    shutdown_logging()
