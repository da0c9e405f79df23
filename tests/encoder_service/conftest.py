"""One real service for each module that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.encoder_service.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running encoder service with two workers."""
    server = ServerProcess(tmp_path_factory.mktemp("encoder") / "data").start()
    yield server
    assert server.stop() == 0
    server.assert_no_orphans()
