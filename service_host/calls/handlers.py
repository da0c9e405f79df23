"""Puts one coroutine around a gRPC method handler, the same for every kind of call."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.status.status import ServiceError

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Body: TypeAlias = Callable[[], Awaitable[Any]]
Around: TypeAlias = Callable[[Context, Body], Awaitable[Any]]
"""Is given the context and the rest of the call; runs it, once, and returns what it returned."""


def surround(
    handler: grpc.RpcMethodHandler[Any, Any], around: Around, on_message: Callable[[], None]
) -> grpc.RpcMethodHandler[Any, Any]:
    """The same handler with `around` around everything that may fail in it.

    Reading a request and writing an answer happen inside too: gRPC would turn a failure of either into
    UNKNOWN. So does the wait for the one request of a call that is not streamed, which gRPC would let last
    for ever. `on_message` is called for each message, in the call's context. A handler that is no coroutine
    function and no async generator fails every call.
    """
    read = _translated(handler.request_deserializer, on_message)
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(
            _streaming(handler.stream_stream, around, None), read, handler.response_serializer
        )
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(
            _single(handler.stream_unary, around, None, handler.response_serializer), read
        )
    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(
            _streaming(handler.unary_stream, around, read), None, handler.response_serializer
        )
    return grpc.stream_unary_rpc_method_handler(
        _single(handler.unary_unary, around, read, handler.response_serializer)
    )


def _single(method: Any, around: Around, read: Any, write: Any) -> Any:
    async def handle(requests: Any, context: Context) -> Any:
        async def body() -> Any:
            _require_async(method, inspect.iscoroutinefunction(method))
            answer = await method(read(await _only(context)) if read else requests, context)
            # A status that the handler set itself sends no answer.
            if context.code() not in (None, 0, grpc.StatusCode.OK):
                return b""
            return write(answer) if write else answer

        return await around(context, body)

    return handle


def _streaming(method: Any, around: Around, read: Any) -> Any:
    is_generator = inspect.isasyncgenfunction(method)

    async def handle(requests: Any, context: Context) -> None:
        async def body() -> None:
            _require_async(method, is_generator or inspect.iscoroutinefunction(method))
            asked = read(await _only(context)) if read else requests
            if not is_generator:
                await method(asked, context)
                return
            async with aclosing(method(asked, context)) as answers:
                async for answer in answers:
                    await context.write(answer)

        await around(context, body)

    return handle


async def _only(context: Context) -> Any:
    """The request of a call that has one."""
    data = await context.read()
    if data is grpc.aio.EOF:
        raise ServiceError(reasons.ERROR_REASON_MALFORMED_MESSAGE, "the call ended before its request came")
    return data


def _translated(read: Any, on_message: Callable[[], None]) -> Any:
    def translated(data: bytes) -> Any:
        on_message()
        try:
            return read(data) if read is not None else data
        except DecodeError as error:
            message = "the bytes of the request are not the message that this method takes"
            raise ServiceError(reasons.ERROR_REASON_MALFORMED_MESSAGE, message) from error

    return translated


def _require_async(method: Any, is_async: bool) -> None:
    if not is_async:
        raise TypeError(f"{method!r} must be a coroutine function or an async generator function")
