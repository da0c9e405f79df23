"""A stock OpenTelemetry client while the collector is killed: its retries lose nothing and double nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.log_files import records_in

COUNT = 1_000


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path / "data", {"http_listen": "127.0.0.1:0"}).start()
    yield process
    process.stop()


@pytest.mark.parametrize(("protocol", "kills"), [("grpc", 4), ("http", 2)])
def test_the_stock_sdk_over_kills_of_the_collector(
    collector: CollectorProcess, protocol: str, kills: int
) -> None:
    """OC#11212, open-telemetry/opentelemetry-specification#3047: retries after a timeout are duplicates."""
    logs = collector.data_dir / "logs"
    shipped = 0

    def count(above: int = 0) -> int:
        """How many records the files have; 0 while they are not more than `above`."""
        found = len(records_in(logs, "stock.log"))
        return found if found > above else 0

    address = collector.address if protocol == "grpc" else f"http://{collector.http}/v1/logs"
    command = [sys.executable, "-m", "tests.robustness.opentelemetry_program", address, str(COUNT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for _ in range(kills):
            assert program.stdout.readline()
            # The exporter gives up after six attempts: one export comes through between two kills.
            shipped = eventually(partial(count, above=shipped), 60)
            collector.kill()
            collector.start()
        _, errors = program.communicate(timeout=120)
        assert program.returncode == 0, errors
    eventually(lambda: count() == COUNT, 60)
    assert collector.stop() == 0
    assert [r["n"] for r in records_in(logs, "stock.log")] == list(range(1, COUNT + 1))
