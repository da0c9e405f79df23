"""The admin port speaks HTTPS with the service's certificate, and shows strangers its health at most."""

from __future__ import annotations

import asyncio
import http.client
import ssl

import pytest

from service_host.host import Host, running
from service_host.settings.host_config import HostConfig
from tests.service_host.certificates import Authority
from tests.service_host.tiny_service import TinyService


def hosted(tls, **others):
    config = HostConfig(
        listen="127.0.0.1:0", admin_listen="127.0.0.1:0", tls=tls, stop_grace_seconds=0, **others
    )
    return running(Host(TinyService(), config))


def get(address, page, context):
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPSConnection(host, int(port), timeout=5, context=context)
    try:
        connection.request("GET", page)
        return connection.getresponse().status
    finally:
        connection.close()


async def asked(address, page, authority, shown=None):
    context = ssl.create_default_context(cafile=authority.ca_file)
    if shown is not None:
        context.load_cert_chain(*shown)
    return await asyncio.to_thread(get, address, page, context)


async def test_strangers_see_the_health_alone_and_the_rest_needs_a_certificate(tmp_path):
    authority = Authority(tmp_path)
    async with hosted(authority.server(must_clients_prove=True)) as listening:
        known = authority.issue("operator")
        statuses = {
            (page, shown is not None): await asked(listening.admin, page, authority, shown)
            for page in ("/healthz", "/metrics", "/config", "/nowhere")
            for shown in (None, known)
        }
        (tmp_path / "other").mkdir()
        foreign = Authority(tmp_path / "other").issue()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asked(listening.admin, "/healthz", authority, foreign)
    assert statuses == {
        ("/healthz", False): 200, ("/healthz", True): 200,
        ("/metrics", False): 403, ("/metrics", True): 200,
        ("/config", False): 403, ("/config", True): 200,
        ("/nowhere", False): 403, ("/nowhere", True): 404,
    }  # fmt: skip


async def test_with_health_closed_strangers_see_nothing(tmp_path):
    authority = Authority(tmp_path)
    async with hosted(authority.server(must_clients_prove=True), is_health_open=False) as listening:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asked(listening.admin, "/healthz", authority)
        assert await asked(listening.admin, "/healthz", authority, authority.issue("operator")) == 200


async def test_a_new_certificate_and_a_new_authority_for_clients_are_in_force_at_once(tmp_path):
    authority = Authority(tmp_path)
    tls = authority.server(must_clients_prove=True)
    operator = authority.issue("operator")
    async with hosted(tls) as listening:
        assert await asked(listening.admin, "/metrics", authority, operator) == 200
        successor = Authority(tmp_path)
        successor.issue()
        successor.ca_file.replace(tls.client_ca_file)
        successor.ca_file = tls.client_ca_file
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asked(listening.admin, "/metrics", successor, operator)
        assert await asked(listening.admin, "/metrics", successor, successor.issue("operator")) == 200


async def test_the_admin_port_may_stay_plain(tmp_path):
    async with hosted(Authority(tmp_path).server(), is_admin_encrypted=False) as listening:
        host, _, port = listening.admin.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        await asyncio.to_thread(connection.request, "GET", "/healthz")
        assert (await asyncio.to_thread(connection.getresponse)).status == 200
        connection.close()
