"""The principal of a call is known wherever the call is handled, and nowhere else."""

from __future__ import annotations

import grpc
import pytest

from service_host.auth.admission import Admission
from service_host.auth.principal import (
    DEFAULT_TENANT,
    LOCAL,
    Principal,
    acting_as,
    current_principal,
    is_tenant,
)
from service_host.auth.scopes import Scope
from service_host.calls.guard import Guard
from service_host.calls.interceptors import CallInterceptor
from service_host.calls.registration import Registrar
from service_host.server import bind, make_server
from service_host.settings.host_config import HostConfig
from tests.service_host.calls.test_interceptors import KINDS, Bench
from tests.service_host.tiny_service import TinyService

ANN = Principal("ann", "studio-a", frozenset({Scope.READ}))


@pytest.mark.parametrize("how", ["whoami", "whoami_elsewhere"])
@pytest.mark.parametrize("method", KINDS)
async def test_every_kind_of_handler_sees_who_calls(method, how):
    class Introduced(Guard):
        """Takes everybody's word for who they are."""

        async def admit(self, method, access, context):
            name = dict(context.invocation_metadata())["who"]
            return Admission(Principal(name, "studio-a", frozenset({Scope.READ})))

    config = HostConfig()
    server = make_server(config, [CallInterceptor([], config.call_limits, guard=Introduced())])
    service = TinyService()
    service.register(Registrar(server))
    address = bind(server, config, None)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            bench = Bench(channel, service, [])
            for who in ("ann", "ben"):
                answers, _ = await bench.call(method, how, metadata=(("who", who),))
                assert answers == [who]
    finally:
        await server.stop(None)


def test_outside_of_a_call_the_principal_is_the_local_one():
    assert current_principal() is LOCAL
    assert LOCAL.tenant == DEFAULT_TENANT
    assert LOCAL.scopes == set(Scope)


def test_the_former_principal_comes_back():
    with acting_as(ANN):
        with acting_as(LOCAL):
            assert current_principal() is LOCAL
        assert current_principal() is ANN
    assert current_principal() is LOCAL


def test_one_of_several_scopes_suffices_and_admin_stands_for_each():
    assert ANN.has_any(frozenset({Scope.READ, Scope.ENCODE}))
    assert not ANN.has_any(frozenset({Scope.ENCODE}))
    assert Principal("root", "ops", frozenset({Scope.ADMIN})).has_any(frozenset({Scope.LOGS_WRITE}))


@pytest.mark.parametrize("name", ["default", "a", "0", "studio-a", "a.b_c-d", "x" * 63, "a..b"])
def test_tenants_that_may_be(name):
    assert is_tenant(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "-a", "_a", "A", "a/b", "a b", "a\n", "ä", "x" * 64, "a\0", "../a"]
)
def test_tenants_that_may_not_be(name):
    assert not is_tenant(name)
