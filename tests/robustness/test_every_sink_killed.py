"""A collector that is killed under load, with each sink of the table: nothing is lost, and a repeat becomes
what its row says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from telecine import LogClient

from log_collector.config import CollectorConfig
from log_collector.sinks.table import Repeat, SinkRow, sink_rows
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.producer import Producer
from tests.log_collector.sinks.receivers import RECEIVERS

TOTAL = 400
RETRY = {"first_seconds": 0.05, "most_seconds": 0.1, "open_seconds": 0.1}
ROWS = sink_rows(CollectorConfig)


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[CollectorProcess]:
    collector = CollectorProcess(tmp_path / "edge")
    yield collector
    collector.stop()


@pytest.mark.parametrize(("section", "row"), ROWS.items(), ids=list(ROWS))
def test_a_kill_loses_nothing_and_a_repeat_becomes_what_the_table_says(
    edge: CollectorProcess, tmp_path: Path, section: str, row: SinkRow
) -> None:
    name = row.name or f"{section}.t"
    with RECEIVERS[section](tmp_path) as receiver:
        config = tmp_path / "c.json"
        config.write_text(json.dumps({section: receiver.settings, "retry": RETRY}))
        edge.start(config)
        producer = Producer(edge.address, "producer-a", TOTAL, size=10)
        producer.start()
        for goal in (TOTAL // 3, TOTAL):
            eventually(lambda goal=goal: producer.acknowledged >= goal, 30)
            edge.kill()
            edge.start(config)
        producer.join(30)
        assert producer.acknowledged == TOTAL

        def books() -> dict[str, Any]:
            with LogClient(edge.address) as client:
                (found,) = [sink for sink in client.stats()["sinks"] if sink["name"] == name]
                return dict(found)

        eventually(lambda: int(books().get("buffered", 0)) == 0, 30)
        assert edge.stop() == 0
        found = Counter(receiver.account(edge))
    assert set(found) == set(range(1, TOTAL + 1))
    if row.repeat is not Repeat.SEEN:
        assert found == Counter(range(1, TOTAL + 1))
