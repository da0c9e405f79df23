"""docs/authorisation.md is true: each of its cells is called over real connections, with every credential.

The methods that are called do nothing, but bear what the services' own declare: who may call is decided
before. What the services themselves do with it is tested with real clients in tests/robustness. The rows of
the collector's HTTP port are called in tests/log_collector/http.
"""

from __future__ import annotations

import asyncio
import datetime
import re
import ssl
import urllib.error
import urllib.request

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from docs.tools.authorisation import PAGE as FILE
from docs.tools.authorisation import http_rules, rules, table
from encoder_service.rpc.servicer import SERVICE_NAME as ENCODER
from log_collector.rpc.servicer import OTLP_SERVICE_NAME
from log_collector.rpc.servicer import SERVICE_NAME as COLLECTOR
from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope, requires
from service_host.host import Host, running
from service_host.settings.auth_config import AuthConfig, CertificateGrant, IssuerConfig
from service_host.settings.host_config import HostConfig
from service_host.tls.config import TlsConfig
from tests.service_host.auth.issuer import AUDIENCE, ISSUER, Issuer
from tests.service_host.auth.test_certificates import Authority

PAGE = FILE.read_text(encoding="utf-8")
RULES = {call: access for call, access in rules() if call not in http_rules()}
HEALTH = health_pb2.HealthCheckRequest().SerializeToString()
REFLECTION = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
NOW = datetime.datetime.now(datetime.UTC)
COLUMNS = ["anonymous", "known", *Scope]


def cells():
    """(call, column) to whether it may, as the page says."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    return {
        (call, column): may == "yes"
        for call, line in rows
        for column, may in zip(COLUMNS, line.split(" | "), strict=True)
        if call not in http_rules()
    }


EXPECTED = cells()


def test_the_page_is_what_the_code_declares():
    assert table() == PAGE, "run make docs-reference"


def test_every_rpc_of_both_services_stands_on_the_page():
    described = [descriptor_pool.Default().FindServiceByName(name) for name in (ENCODER, COLLECTOR)]
    wanted = {f"/{service.full_name}/{method.name}" for service in described for method in service.methods}
    assert wanted <= set(RULES)
    assert {method for method, _ in EXPECTED} == set(RULES)
    assert all(RULES[call].scopes for call in wanted), "an rpc is open to everybody"


class Idle:
    """Serves all rpcs of both services, and does nothing."""

    name = ENCODER
    other_service_names = (COLLECTOR, OTLP_SERVICE_NAME)

    def register(self, server):
        for service in (self.name, *self.other_service_names):
            methods = descriptor_pool.Default().FindServiceByName(service).methods
            handlers = {
                each.name: handler_of(each, RULES[f"/{service}/{each.name}"].scopes) for each in methods
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    async def start(self):
        pass

    def is_admitting(self):
        return True

    async def drain(self, deadline_seconds):
        pass

    async def close(self):
        pass


def handler_of(method, scopes):
    @requires(*scopes)
    async def single(request, context):
        return b""

    @requires(*scopes)
    async def stream(request, context):
        yield b""

    kinds = {
        (False, False): lambda: grpc.unary_unary_rpc_method_handler(single),
        (True, False): lambda: grpc.stream_unary_rpc_method_handler(single),
        (False, True): lambda: grpc.unary_stream_rpc_method_handler(stream),
        (True, True): lambda: grpc.stream_stream_rpc_method_handler(stream),
    }
    return kinds[method.client_streaming, method.server_streaming]()


class Place:
    """What is needed to call as anybody, over every kind of connection."""

    def __init__(self, folder):
        self.folder = folder
        self.issuer = Issuer()
        self.authority = Authority()
        made = {scope: new_key(f"{scope}-key", "a", (scope,), created_at=NOW) for scope in Scope}
        self.keys = {scope: key for scope, (key, _) in made.items()}
        write_keys(folder / "keys.json", tuple(stored for _, stored in made.values()))
        own = self.authority.trusted.issue_cert("localhost", "127.0.0.1")
        own.private_key_pem.write_to_path(folder / "key.pem")
        own.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        self.authority.trusted.cert_pem.write_to_path(folder / "ca.pem")
        self.pairs = {column: self.authority.issue(f"{column}.example") for column in ("anonymous", *Scope)}

    def config(self, transport):
        tls = TlsConfig()
        if transport != "plain":
            ca = self.folder / "ca.pem" if transport == "mtls" else None
            tls = TlsConfig(self.folder / "cert.pem", self.folder / "key.pem", ca)
        grants = tuple(CertificateGrant(f"{scope}.example", "a", (scope,)) for scope in Scope)
        issuer = IssuerConfig(
            ISSUER, (AUDIENCE,), jwks_url=self.issuer.url, tenant_claim="tenant", scope_claim="scope"
        )
        auth = AuthConfig(
            keys_file=self.folder / "keys.json",
            issuers=(issuer,),
            certificates=grants if transport == "mtls" else (),
        )
        return HostConfig(tls=tls, auth=auth, admin_listen="127.0.0.1:0", stop_grace_seconds=0.1)

    def authorization(self, kind, column):
        if kind == "certificate" or column == "anonymous":
            return None
        if kind == "key":
            return f"Bearer {self.keys[column]}"
        return f"Bearer {self.issuer.token(scope='' if column == 'known' else column)}"

    def channel(self, address, transport, column):
        if transport == "plain":
            return grpc.aio.insecure_channel(address)
        pair = self.pairs.get(column, self.pairs["anonymous"]) if transport == "mtls" else (None, None)
        root = self.authority.trusted.cert_pem.bytes()
        options = [("grpc.ssl_target_name_override", "localhost")]
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(root, *pair), options)

    def fetch(self, address, path, transport, column, authorization):
        headers = {"Authorization": authorization} if authorization else {}
        context = None
        if transport != "plain":
            context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        if transport == "mtls":
            key, certificate = self.pairs.get(column, self.pairs["anonymous"])
            (self.folder / "client.pem").write_bytes(key + certificate)
            context.load_cert_chain(self.folder / "client.pem")
        scheme = "http" if transport == "plain" else "https"
        request = urllib.request.Request(f"{scheme}://{address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("matrix"))
    yield made
    made.issuer.close()


async def call(channel, method, authorization):
    """The status."""
    data = HEALTH if "health" in method else REFLECTION if "reflection" in method else b""
    metadata = (("authorization", authorization),) if authorization else ()
    # Message and end go out as one: of a write into a call that was refused meanwhile gRPC's asyncio client
    # makes an error of its own (INTERNAL).
    running_call = channel.unary_stream(method)(data, metadata=metadata, timeout=10)
    try:
        async for _ in running_call:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


def expected_status(column, kind, may):
    if may:
        return {"OK", 200}
    if column == "anonymous":
        # TLS has taken the certificate, and no grant knows its names.
        return {"PERMISSION_DENIED", 403} if kind == "certificate" else {"UNAUTHENTICATED", 401}
    return {"PERMISSION_DENIED", 403}


@pytest.mark.parametrize(
    ("transport", "kind"),
    [
        ("plain", "key"),
        ("plain", "token"),
        ("tls", "key"),
        ("tls", "token"),
        ("mtls", "certificate"),
        ("mtls", "key"),
    ],
)
async def test_every_cell_of_the_page(place, transport, kind):
    columns = [column for column in COLUMNS if column != "known" or kind == "token"]
    wrong = {}
    async with running(Host(Idle(), place.config(transport))) as listening:
        for column in columns:
            authorization = place.authorization(kind, column)
            certificate_of = column if kind == "certificate" else "anonymous"
            async with place.channel(listening.address, transport, certificate_of) as channel:
                for (method, at), may in EXPECTED.items():
                    if at != column:
                        continue
                    if method.startswith("GET "):
                        path = method.removeprefix("GET ")
                        arguments = (listening.admin, path, transport, certificate_of, authorization)
                        found = await asyncio.to_thread(place.fetch, *arguments)
                    else:
                        found = await call(channel, method, authorization)
                    is_known = "certificate" if transport == "mtls" else kind
                    if found not in expected_status(column, is_known, may):
                        wrong[method, column] = found
    assert not wrong


async def test_without_authentication_every_cell_is_open(place):
    config = HostConfig(admin_listen="127.0.0.1:0", stop_grace_seconds=0.1)
    async with (
        running(Host(Idle(), config)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        for method in RULES:
            if method.startswith("GET "):
                path = method.removeprefix("GET ")
                arguments = (listening.admin, path, "plain", "anonymous", None)
                assert await asyncio.to_thread(place.fetch, *arguments) == 200
            else:
                assert await call(channel, method, None) == "OK"
