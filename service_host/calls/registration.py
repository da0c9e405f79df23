"""Refuses servicers whose methods do not say which scope they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import grpc
import grpc.aio
import msgspec
from google.protobuf import descriptor_pool

from service_host.auth.scopes import scopes_of

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Registrar:
    """Takes a service's handlers on behalf of a server, as generated code gives them to one."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds the handlers. Raises TypeError for a method without a scope, naming it."""
        handlers = tuple(generic_rpc_handlers)
        missing = [name for each in handlers for name in _methods_without_scope(each)]
        if missing:
            raise TypeError(f"no scope is declared with @requires beside {', '.join(missing)}")
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        """Generated code adds every method a second time in this way; the generic handlers suffice."""


def method_of(handler: Handler) -> object:
    """The servicer's method behind a handler, whatever its kind."""
    if handler.request_streaming:
        return handler.stream_stream if handler.response_streaming else handler.stream_unary
    return handler.unary_stream if handler.response_streaming else handler.unary_unary


class _Details(msgspec.Struct, frozen=True):
    """A lookup, as gRPC makes it for a call."""

    method: str
    invocation_metadata: tuple[()] = ()


def _methods_without_scope(handler: grpc.GenericRpcHandler) -> list[str]:
    if not isinstance(handler, grpc.ServiceRpcHandler):
        raise TypeError(f"{handler!r} does not say which service it serves")
    service = handler.service_name()
    try:
        described = descriptor_pool.Default().FindServiceByName(service)
    except KeyError as error:
        raise TypeError(f"no .proto describes the service {service}") from error
    names = [f"/{service}/{method.name}" for method in described.methods]
    found = [(name, handler.service(_Details(name))) for name in names]  # type: ignore[arg-type]  # a lookup of the same form
    return [name for name, each in found if each is not None and scopes_of(method_of(each)) is None]
