"""Carries the request id of the running task to the server in every gRPC call; the other door to gRPC.

The way back is the server's: it binds the id it was given and returns it in the trailing metadata.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio

from telecine.logging.record.context import REQUEST_ID_KEY, current_request_id


class _Details(NamedTuple):
    """What gRPC wants to see in the place of its own call details."""

    method: Any
    timeout: Any
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any = None


def request_id_of(metadata: Any) -> str:
    """The request id that stands in a call's metadata; empty without one."""
    for key, value in metadata or ():
        if key == REQUEST_ID_KEY:
            return value if isinstance(value, str) else bytes(value).decode("ascii", "replace")
    return ""


def _with_id(metadata: Any) -> tuple[tuple[str, Any], ...]:
    found = tuple((key, value) for key, value in metadata or ())
    if request_id_of(found):
        return found
    return (*found, (REQUEST_ID_KEY, current_request_id() or secrets.token_hex(16)))


class RequestIdInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """For `grpc.intercept_channel(channel, RequestIdInterceptor())`. An id in the metadata is left alone."""

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """See the class."""
        return continuation(_sync_details(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """See the class."""
        return continuation(_sync_details(details), request)

    def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        """See the class."""
        return continuation(_sync_details(details), requests)

    def intercept_stream_stream(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        """See the class."""
        return continuation(_sync_details(details), requests)


def _sync_details(details: Any) -> Any:
    return _Details(
        details.method,
        details.timeout,
        _with_id(details.metadata),
        details.credentials,
        getattr(details, "wait_for_ready", None),
        getattr(details, "compression", None),
    )


def aio_interceptors() -> list[grpc.aio.ClientInterceptor]:
    """For `grpc.aio.insecure_channel(address, interceptors=aio_interceptors())`, all kinds of calls."""
    return [_AioUnaryUnary(), _AioUnaryStream(), _AioStreamUnary(), _AioStreamStream()]


def _aio_details(details: Any) -> grpc.aio.ClientCallDetails:
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=details.timeout,
        metadata=grpc.aio.Metadata(*_with_id(details.metadata)),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


class _AioUnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_aio_details(client_call_details), request)


class _AioUnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_aio_details(client_call_details), request)


class _AioStreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(_aio_details(client_call_details), request_iterator)


class _AioStreamStream(grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(_aio_details(client_call_details), request_iterator)
