"""The clock jumps, of the collector or of the sender: nothing is lost, doubled, reordered or stuck."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine import LogClient, LogFilter
from telecine.logging import configure_logging, flush_logging, shutdown_logging

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.log_files import records_in
from tests.log_collector.moved_clock import MovedClock
from tests.log_collector.producer import Producer

HOUR = 3600
EXTRA = 6
"""Records of a producer of its own, after each jump."""
TOTAL = 6_000


@pytest.fixture
def clock(tmp_path: Path) -> MovedClock:
    return MovedClock(tmp_path / "clock")


@pytest.fixture
def collector(tmp_path: Path, clock: MovedClock) -> Iterator[CollectorProcess]:
    settings = {
        "files.services.rotate_seconds": "600",
        "files.jobs.rotate_bytes": "32KiB",
        "files.upkeep_seconds": "50ms",
        "reload_poll_seconds": "50ms",
    }
    process = CollectorProcess(
        tmp_path / "data",
        settings,
        module="tests.log_collector.clocked_collector",
        environ={"TEST_CLOCK": str(clock.path)},
    )
    yield process.start()
    shutdown_logging()
    process.stop()


def _written(collector: CollectorProcess, producer: str) -> int:
    logs = collector.data_dir / "logs"
    try:
        return sum(record["producer"] == producer for record in records_in(logs, "worker.log"))
    except (OSError, ValueError):
        return 0  # it is being rotated, or its last line written


def test_a_collector_whose_clock_jumps_back_and_forth_loses_and_doubles_nothing(
    clock: MovedClock, collector: CollectorProcess
) -> None:
    """Rotation by time, numbers of rotated files, summaries and cursors must not count on a rising clock."""
    producers = [Producer(collector.address, f"p{n}", TOTAL, jobs=3) for n in range(2)]
    for producer in producers:
        producer.start()
    for number, seconds in enumerate((-HOUR, 2 * HOUR, -3 * HOUR, 0), 1):
        goal = number * TOTAL // 6
        eventually(lambda goal=goal: producers[0].acknowledged >= goal)
        clock.is_ahead_by(seconds)
        if number == 2:
            collector.kill()
            collector.start()
        # Something is written in each of the periods, however fast the others are.
        extra = Producer(collector.address, f"after-{number}", EXTRA, jobs=3)
        extra.start()
        eventually(lambda name=extra.name: _written(collector, name) == EXTRA, 60)
    for producer in producers:
        producer.join(60)
        assert producer.fault is None
        assert not producer.is_alive()
    assert collector.stop() == 0
    logs = collector.data_dir / "logs"
    found = records_in(logs, "worker.log")
    for producer in producers:
        own = [r["n"] for r in found if r["producer"] == producer.name]
        assert own == list(range(1, TOTAL + 1))
    assert len(list(logs.glob("worker.log.*"))) >= 2, "the clock's jumps ended periods"
    jobs = [r for job in range(3) for r in records_in(logs, f"jobs/job-{job}/job.log")]
    assert len(jobs) == len(found) == 2 * TOTAL + 4 * EXTRA


def test_a_sender_whose_clock_jumps_back_is_shipped_and_followed(
    tmp_path: Path, collector: CollectorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records keep the order of their calls in the files; a story and a query order them by their time."""
    log = configure_logging("worker", directory=tmp_path / "own", collector=collector.address, console="off")
    real = time.time_ns
    with LogClient(collector.address) as client:
        tail = client.tail(LogFilter(services=["worker"]))
        for n in range(20):
            if n == 10:
                monkeypatch.setattr(time, "time_ns", lambda: real() - HOUR * 10**9)
            log.info("n", n=n, job_id="j")
        monkeypatch.undo()
        assert flush_logging(20)
        assert [json.loads(next(tail)[1])["n"] for _ in range(20)] == list(range(20))
        tail.close()
        logs = collector.data_dir / "logs"
        eventually(lambda: len(records_in(logs, "worker.log")) == 20)
        assert [r["n"] for r in records_in(logs, "worker.log")] == list(range(20))
        story = client.job_story("j")
        assert [json.loads(line)["n"] for line in story.records] == [*range(10, 20), *range(10)]
        assert story.record_count == story.expected_record_count == 20
