"""The stdout sink of a real process: behind the ready line, in order, and harmless when nobody reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from telecine import LogClient

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, last_acknowledged, numbered, record, ship
from tests.log_collector.log_files import records_in

PIPE_BYTES = 64 << 10
RETRY = {"retry.most_seconds": "0.1", "retry.open_seconds": "0.1"}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    settings = {"stdout.is_on": "true", "stdout.format": "json", **RETRY}
    process = CollectorProcess(tmp_path / "data", settings)
    yield process.start()
    process.stop()


def next_line(collector: CollectorProcess) -> bytes:
    assert collector.process is not None
    assert collector.process.stdout is not None
    return collector.process.stdout.readline()


def sink_named(name: str, client: LogClient) -> dict[str, Any]:
    (found,) = [sink for sink in client.stats()["sinks"] if sink["name"] == name]
    return found


def test_records_stand_on_standard_output_in_order(collector: CollectorProcess) -> None:
    asyncio.run(ship(collector.address, numbered(1, 50), numbered(51, 50)))
    assert [json.loads(next_line(collector))["n"] for _ in range(100)] == list(range(1, 101))


def test_the_human_form_is_a_line_to_read(tmp_path: Path) -> None:
    process = CollectorProcess(tmp_path / "data", {"stdout.is_on": "true"}).start()
    try:
        asyncio.run(ship(process.address, batch(1, [record(7, level="ERROR", msg="it broke")])))
        line = next_line(process).decode()
        assert "it broke" in line
        assert "ERROR" in line
        assert not line.startswith("{")
    finally:
        process.stop()


def test_a_reader_that_does_not_read_delays_nothing_and_finds_everything_later(
    collector: CollectorProcess,
) -> None:
    """fluent/fluent-bit#9649: one output that is stuck stops the input."""
    count = 2 * PIPE_BYTES // 100
    answers = asyncio.run(ship(collector.address, numbered(1, count), numbered(count + 1, 10)))
    assert last_acknowledged(answers) == count + 10
    logs = collector.data_dir / "logs"
    eventually(lambda: len(records_in(logs, "worker.log")) == count + 10, says="the files have all")
    with LogClient(collector.address) as client:
        assert int(sink_named("stdout", client)["buffered"]) > 0
    numbers = [json.loads(next_line(collector))["n"] for _ in range(count + 10)]
    assert numbers == list(range(1, count + 11))


def test_a_reader_that_goes_away_harms_nobody(collector: CollectorProcess) -> None:
    assert collector.process is not None
    assert collector.process.stdout is not None
    collector.process.stdout.close()
    assert last_acknowledged(asyncio.run(ship(collector.address, numbered(1, 50)))) == 50
    logs = collector.data_dir / "logs"
    eventually(lambda: len(records_in(logs, "worker.log")) == 50)
    with LogClient(collector.address) as client:
        eventually(
            lambda: any(sink.get("isBroken") or sink.get("is_broken") for sink in client.stats()["sinks"])
        )
