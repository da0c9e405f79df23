"""One console, one encoder and one collector for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from telecine.clients.embedded import EmbeddedServer

from tests.client.console.harness import Running, console
from tests.log_collector.collector_process import CollectorProcess


@pytest.fixture(scope="package")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path_factory.mktemp("collector") / "data").start()
    yield process
    process.stop()


@pytest.fixture(scope="package")
def running(encoder: EmbeddedServer, collector: CollectorProcess) -> Iterator[Running]:
    with console(encoder.address, collector.address) as made:
        yield made
