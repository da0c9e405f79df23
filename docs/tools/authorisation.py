"""docs/authorisation.md: who may call what, as the code declares it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pool
from prometheus_client import CollectorRegistry

from encoder_service.rpc.servicer import SERVICE_NAME as ENCODER
from encoder_service.rpc.servicer import EncoderServicer
from log_collector.http.app import HttpApp
from log_collector.http.script import NAME
from log_collector.rpc.servicer import OTLP_SERVICE_NAME, LogCollectorServicer, otlp_handler
from log_collector.rpc.servicer import SERVICE_NAME as COLLECTOR
from service_host.admin import admin_pages
from service_host.auth.scopes import Scope, scopes_of
from service_host.calls.guard import Access
from service_host.calls.registration import method_of

PAGE = Path(__file__).parents[1] / "authorisation.md"

HEAD = """\
# Who may call what

Written by `make docs-reference` from what stands beside each method; a test calls
every cell over real connections. What each scope permits, and how a caller gets one:
[security.md](security.md). Within its scope a caller reaches its own tenant's jobs and records alone;
`admin` reaches those of all. A service without `host.auth` asks nobody, and everything is open.
`POST /v1/browser` accepts tokens, and keys made with `--origin`; such a key never has the scope `admin`.

| call | anonymous | known, without a scope | """


class _Details:
    """A lookup, as gRPC makes it for a call."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


def rules() -> Iterator[tuple[str, Access]]:
    """Each rpc of both services, health, reflection and each page of the admin port, with who may call it."""
    for service, servicer in ((ENCODER, EncoderServicer), (COLLECTOR, LogCollectorServicer)):
        for method in _methods(service):
            yield f"/{service}/{method}", Access(scopes=scopes_of(getattr(servicer, method)) or frozenset())
    export = f"/{OTLP_SERVICE_NAME}/Export"
    handler = otlp_handler(None, None).service(_Details(export))
    yield export, Access(scopes=scopes_of(method_of(handler)) or frozenset())
    yield from http_rules().items()
    yield "/grpc.health.v1.Health/Check", Access(is_open=True)
    yield "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Access()
    pages = admin_pages(CollectorRegistry(), is_alive=bool, is_ready=bool, config=dict)
    for path, page in pages.items():
        yield f"GET {path}", page.access


def http_rules() -> dict[str, Access]:
    """The routes of the collector's HTTP port."""
    takers = {
        "/v1/logs": HttpApp._logs,  # noqa: SLF001 - marked
        "/v1/records": HttpApp._records,  # noqa: SLF001 - marked
        "/v1/browser": HttpApp._from_browser,  # noqa: SLF001 - marked
    }
    routes = {
        f"POST {path}": Access(scopes=scopes_of(taker) or frozenset()) for path, taker in takers.items()
    }
    return routes | {f"GET /{NAME}": Access(is_open=True)}


def table() -> str:
    """The page."""
    lines = [HEAD + " | ".join(f"`{scope}`" for scope in Scope) + " |", "|---" * (3 + len(Scope)) + "|"]
    for call, access in rules():
        anyone = access.is_open
        known = anyone or not access.scopes
        cells = [anyone, known, *(known or scope in access.scopes or scope is Scope.ADMIN for scope in Scope)]
        lines.append(f"| `{call}` | " + " | ".join("yes" if may else "no" for may in cells) + " |")
    return "\n".join(lines) + "\n"


def _methods(service: str) -> list[str]:
    described = descriptor_pool.Default().FindServiceByName(service)
    return [method.name for method in described.methods]
