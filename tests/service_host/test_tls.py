"""TLS is served where it is configured; clients prove themselves where asked; certificates may change."""

from __future__ import annotations

import asyncio

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_host import healthcheck
from service_host.address import AddressError
from service_host.host import Host, running
from service_host.settings.host_config import HostConfig, TlsConfig
from tests.service_host.tiny_service import TinyService


@pytest.fixture
def authority():
    return trustme.CA()


def issue(authority, folder):
    """Writes a new certificate for localhost, aside and then renamed, as an operator would."""
    issued = authority.issue_cert("localhost")
    aside = folder / "aside"
    for name, blob in (("key.pem", issued.private_key_pem), ("cert.pem", issued.cert_chain_pems[0])):
        blob.write_to_path(str(aside))
        aside.replace(folder / name)
    return issued


def tls(authority, folder, *, must_clients_prove=False):
    issue(authority, folder)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    ca_file = folder / "ca.pem" if must_clients_prove else None
    return TlsConfig(folder / "cert.pem", folder / "key.pem", ca_file)


def hosted(tls_config):
    config = HostConfig(listen="localhost:0", tls=tls_config, stop_grace_seconds=0)
    return running(Host(TinyService(), config))


async def check(address, credentials):
    async with grpc.aio.secure_channel(address, credentials) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        return answer.status == health_pb2.HealthCheckResponse.SERVING


def trusting(authority, client=None):
    if client is None:
        return grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    return grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
    )


async def test_a_client_that_trusts_the_authority_is_served(authority, tmp_path):
    async with hosted(tls(authority, tmp_path)) as listening:
        assert await check(listening.address, trusting(authority))


async def test_a_plaintext_client_is_not_served(authority, tmp_path):
    async with (
        hosted(tls(authority, tmp_path)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)


async def test_a_client_must_show_a_certificate_where_asked(authority, tmp_path):
    async with hosted(tls(authority, tmp_path, must_clients_prove=True)) as listening:
        assert await check(listening.address, trusting(authority, authority.issue_cert("worker-1")))
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await check(listening.address, trusting(authority))


async def test_a_replaced_certificate_is_served_without_a_restart(authority, tmp_path):
    successor = trustme.CA()
    async with hosted(tls(authority, tmp_path)) as listening:
        assert await check(listening.address, trusting(authority))
        issue(successor, tmp_path)
        assert await check(listening.address, trusting(successor))


async def test_a_certificate_that_is_no_certificate_is_told_at_start(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(AddressError, match="cannot listen"):
        async with hosted(TlsConfig(tmp_path / "cert.pem", tmp_path / "key.pem")):
            pass


async def test_the_container_probe_can_speak_tls(authority, tmp_path):
    async with hosted(tls(authority, tmp_path, must_clients_prove=False)) as listening:
        arguments = [listening.address, "--ca-file", str(tmp_path / "ca.pem")]
        assert await asyncio.to_thread(healthcheck.main, arguments) == 0
