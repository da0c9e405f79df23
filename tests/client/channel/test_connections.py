"""A client whose certificate is replaced keeps what runs, and closes what nothing uses any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Thread

import grpc.aio
from telecine import AsyncClient, LogClient, Tls
from telecine.exceptions import NotSupportedError

from tests.eventually import eventually, eventually_async
from tests.log_collector.harness import collector
from tests.service_host.certificates import Authority

ROTATIONS = 24
"""So many that one file left by each is more than gRPC opens for itself meanwhile."""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def use(address: str, authority: Authority, tls: Tls) -> tuple[int, bool]:
    with LogClient(address, tls=tls) as client:
        tail = client.tail()
        following = Thread(target=lambda: list(tail))
        following.start()
        client.stats()
        for _ in range(ROTATIONS):
            authority.issue("client", "me")
            client.stats()
        running = len(client._channel.connections.every())
        tail.close()
        following.join()
        # gRPC reports the end of a stream in a thread of its own.
        return running, eventually(lambda: client.stats() and len(client._channel.connections.every()) == 1)


async def test_channels_of_replaced_certificates_are_closed_after_their_last_call(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    server = authority.server(must_clients_prove=True)
    names = ("cert_file", "key_file", "client_ca_file")
    cert_file, key_file = authority.issue("client", "me")
    tls = Tls(ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file)

    async with collector(
        tmp_path / "data", **{f"host__tls__{name}": getattr(server, name) for name in names}
    ) as serving:
        assert await asyncio.to_thread(use, serving.address, authority, tls) == (2, True)
        opened = open_files()
        async with AsyncClient(serving.address, tls=tls) as client:
            for _ in range(ROTATIONS):
                authority.issue("client", "me")
                try:
                    [job async for job in client.jobs()]
                except NotSupportedError:
                    pass  # a collector has no jobs; it has been asked
            channel = await client.channel()
            assert len(channel.connections.every()) <= 2
            assert isinstance(channel.connections.current().channel, grpc.aio.Channel)
        await eventually_async(lambda: open_files() <= opened + ROTATIONS)
