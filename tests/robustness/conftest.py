"""Servers that are killed: each test has its own, and none may leave a process behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.robustness.frames import frame_hashes


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Makes servers, not started yet; whatever is alive at the end is ended, and no orphan may be left."""
    servers: list[ServerProcess] = []

    def make(**settings: str) -> ServerProcess:
        keys = {key.replace("__", "."): value for key, value in settings.items()}
        servers.append(ServerProcess(tmp_path / f"data{len(servers)}", keys))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
        server.assert_no_orphans()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The drawn clip's frames in each format, as a run without any fault makes them."""
    server = ServerProcess(tmp_path_factory.mktemp("undisturbed") / "data", {"workers": "1"}).start()

    async def encode() -> raw.Heard:
        async with grpc.aio.insecure_channel(server.address) as channel:
            return await raw.RawClient(channel).encode(raw.spec("reference", "mp4", "webm"), raw.clip())

    try:
        heard = asyncio.run(encode())
    finally:
        server.stop()
    return {path: frame_hashes(data) for path, data in heard.files.items()}
