"""Sinks are added, changed and taken away while records stream: those that stay have each record once."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import stored_records
from tests.log_collector.log_files import records_in
from tests.log_collector.producer import Producer

TOTAL = 12_000
RETRY = {"most_seconds": 0.2, "open_seconds": 0.2}


@pytest.fixture
def collectors(tmp_path: Path) -> Iterator[tuple[CollectorProcess, CollectorProcess]]:
    central = CollectorProcess(tmp_path / "central").start()
    config = write(tmp_path / "collector.json", {})
    edge = CollectorProcess(tmp_path / "data", {"reload_poll_seconds": "1h"}).start(config)
    yield edge, central
    edge.stop()
    central.stop()


def write(path: Path, config: dict[str, Any]) -> Path:
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"retry": RETRY, **config}))
    return draft.replace(path)


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [record["n"] for record in records]


def test_sinks_come_change_and_go_under_load(
    tmp_path: Path, collectors: tuple[CollectorProcess, CollectorProcess]
) -> None:
    """OC:docs/rfcs/partial-reload.md, OCC#51316: a sink that is exchanged loses what it has begun."""
    edge, central = collectors
    producer = Producer(edge.address, "p", TOTAL, jobs=3)
    producer.start()
    forward = [{"name": "central", "address": central.address}]
    routed = [{"name": "errors-of-job-0", "expression": 'level >= ERROR and job_id = "job-0"'}]
    small = {"rotate_bytes": 50 << 10, "compression": "gz"}
    for step, config in enumerate(
        (
            {"forward": forward},
            {"forward": forward, "files": {"services": small}},
            {"forward": forward, "files": {"services": small, "routes": routed}},
            {"forward": forward, "files": {"routes": routed}, "stdout": {"is_on": True}},
            {"forward": forward, "files": {"routes": routed}},
        ),
        1,
    ):
        goal = step * TOTAL // 8
        eventually(lambda goal=goal: producer.acknowledged >= goal)
        write(tmp_path / "collector.json", config)
        edge.signal(signal.SIGHUP)
        eventually(lambda step=step: edge.log().count('"configuration_reloaded"') == step)
    producer.join(60)
    assert producer.fault is None
    assert producer.reconnects == 0, "a reload cuts no connection"
    assert edge.stop() == 0
    assert central.stop() == 0
    logs = edge.data_dir / "logs"
    everything = list(range(1, TOTAL + 1))
    assert numbers(records_in(logs, "worker.log")) == everything
    for job in range(3):
        assert numbers(records_in(logs, f"jobs/job-{job}/job.log")) == [n for n in everything if n % 3 == job]
    forwarded = numbers(stored_records(central.data_dir))
    assert forwarded == everything, "a new sink begins at the oldest record there is, and has each once"
    chosen = [n for n in everything if n % 30 == 0]
    found = numbers(records_in(logs, "route.errors-of-job-0.log"))
    assert found == chosen[len(chosen) - len(found) :]
    assert len(found) > len(chosen) // 3
