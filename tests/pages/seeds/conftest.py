"""One encoder, one collector, and logging that is taken down behind each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from telecine import Client
from telecine import logging as telecine_logging
from telecine.testing import encoder_server

from tests.log_collector.collector_process import CollectorProcess

Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _in_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    telecine_logging.shutdown_logging()
    telecine_logging.STATE._own_levels.clear()
    telecine_logging.set_log_level("WARNING")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Configures logging of a worker; returns what its file has."""
    telecine_logging.configure_logging("worker", directory=tmp_path / "logs", console="off", level="DEBUG")
    return lambda: records_of(tmp_path / "logs" / "worker.log")


def records_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    with encoder_server() as server, Client(server.address) as client:
        yield client


@pytest.fixture(scope="package")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(
        tmp_path_factory.mktemp("collector") / "data", {"files.upkeep_seconds": "50ms"}
    ).start()
    yield running
    running.stop()
