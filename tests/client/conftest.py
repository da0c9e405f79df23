"""A real encoder service for the SDK's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from telecine.clients.embedded import EmbeddedServer
from telecine.testing import encoder_server


@pytest.fixture(scope="session")
def encoder() -> Iterator[EmbeddedServer]:
    with encoder_server() as server:
        yield server
