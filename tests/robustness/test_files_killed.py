"""Whatever dies, and when: every record whose call returned stands once in each of its files, in order."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.log_files import records_in
from tests.log_collector.producer import Producer


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    made = CollectorProcess(
        tmp_path / "data",
        {
            "files.services.rotate_bytes": "100KiB",
            "files.upkeep_seconds": "50ms",
            "files.jobs.rotate_bytes": "32KiB",
        },
    )
    yield made
    made.stop()


def run_with_kills(collector: CollectorProcess, seed: int, kills: int, total: int) -> None:
    chance = random.Random(seed)
    collector.start()
    # The last two have the same id, and are of two tenants.
    who = (("p0", ""), ("p1", ""), ("p1", "acme"))
    producers = [Producer(collector.address, name, total, jobs=3, tenant=tenant) for name, tenant in who]
    for producer in producers:
        producer.start()
    for _ in range(kills):
        goal = min(total, max(p.acknowledged for p in producers) + chance.randint(1, max(2, total // kills)))
        eventually(lambda goal=goal: max(p.acknowledged for p in producers) >= goal, 60)
        collector.kill()
        collector.start()
    for producer in producers:
        producer.join(90)
        assert producer.fault is None
        assert not producer.is_alive(), f"{producer.name} stands at {producer.acknowledged}"
    assert collector.stop() == 0
    logs = collector.data_dir / "logs"
    assert_each_once_in_order(logs, ["p0", "p1"], total)
    assert_each_once_in_order(logs / "tenants/acme", ["p1"], total)


def assert_each_once_in_order(logs: Path, producers: list[str], total: int) -> None:
    records = records_in(logs, "worker.log")
    assert len(records) == len(producers) * total
    by_job = {j: records_in(logs, f"jobs/job-{j}/job.log") for j in range(3)}
    errors = records_in(logs, "errors.log")
    for name in producers:
        own = [r["n"] for r in records if r["producer"] == name]
        assert own == list(range(1, total + 1))
        for job, found in by_job.items():
            expected = [i for i in own if i % 3 == job]
            assert [r["n"] for r in found if r["producer"] == name] == expected
        assert [r["n"] for r in errors if r["producer"] == name] == [i for i in own if i % 10 == 0]


def test_files_are_exactly_once_over_kills_and_rotation_under_load(collector: CollectorProcess) -> None:
    """rsyslog/rsyslog#5364, fluent/fluent-bit#10242, OCC#22747, #43143, #45900, vectordotdev/vector#16061."""
    run_with_kills(collector, seed=3, kills=4, total=8_000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(int(os.environ.get("SOAK_SEEDS", "5"))))
def test_soak_of_files_over_kills_at_random_instants(collector: CollectorProcess, seed: int) -> None:
    run_with_kills(collector, seed=seed, kills=12, total=40_000)
