"""A server on this machine is never sought through a proxy; where another one is, that is said."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from telecine.channel import proxy
from telecine.channel.arguments import Target, channel_options
from telecine.channel.proxy import is_local, proxy_note
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.exceptions import UnavailableError
from telecine.request.options import RetryPolicy
from telecine.testing import SMALL

SHORT = RetryPolicy(give_up_after_seconds=0.5)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    "address",
    [
        "unix:/x", "localhost:1", "LocalHost:1", "dns:localhost:1", "dns:///localhost:1", "127.0.0.1:1",
        "127.9.9.9:1", "0.0.0.0:1", "ipv4:127.0.0.1:1", "[::1]:1", "ipv6:[::1]:1",
        f"{socket.gethostname()}:1",
    ],
)  # fmt: skip
def test_what_is_on_this_machine_is_local(address: str, proxied: None) -> None:
    assert is_local(address)
    assert proxy_note(address) == ""
    assert dict(channel_options(Target(address)))["grpc.enable_http_proxy"] == 0


@pytest.mark.parametrize("address", ["encoder:1", "dns:///encoder.lan:1", "192.0.2.1:1", "[2001:db8::1]:1"])
def test_what_is_elsewhere_goes_through_the_proxy_and_says_so(address: str, proxied: None) -> None:
    assert not is_local(address)
    assert "http_proxy" in proxy_note(address)
    assert "grpc.enable_http_proxy" not in dict(channel_options(Target(address)))


def test_a_name_that_this_machine_gives_itself_is_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# 127.0.0.1 far\n127.0.0.1 near Encoder.lan # far\n192.0.2.1 far\n")
    monkeypatch.setattr(proxy, "_HOSTS", hosts)
    assert is_local("encoder.lan:50051")
    assert not is_local("far:50051")


def test_a_local_server_is_reached_in_spite_of_a_proxy(proxied: None, tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path, listen="127.0.0.1:0", settings=SMALL) as server:
        port = server.address.rpartition(":")[2]
        for address in (f"ipv4:127.0.0.1:{port}", f"dns:///localhost:{port}"):
            with Client(address, retry=SHORT) as client:
                assert client.capabilities().workers == 2


def test_a_server_that_is_not_reached_through_a_proxy_names_it(proxied: None) -> None:
    with (
        Client("192.0.2.1:50051", retry=SHORT, call_timeout_seconds=2) as client,
        pytest.raises(UnavailableError, match="through the proxy that http_proxy names"),
    ):
        client.capabilities()

    async def asked() -> None:
        async with AsyncClient("192.0.2.1:50051", retry=SHORT, call_timeout_seconds=2) as client:
            await client.capabilities()

    with pytest.raises(UnavailableError, match="through the proxy that http_proxy names"):
        asyncio.run(asked())
