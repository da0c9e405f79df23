"""The request id travels with every kind of call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from telecine.logging import REQUEST_ID_KEY, LogContext
from telecine.logging.interceptors import RequestIdInterceptor, aio_interceptors, request_id_of


def _id_of(context: grpc.ServicerContext) -> bytes:
    found = request_id_of(context.invocation_metadata())
    context.set_trailing_metadata(((REQUEST_ID_KEY, found),))
    return found.encode()


def _stream(requests: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
    yield _id_of(context)


HANDLERS = {
    "UU": grpc.unary_unary_rpc_method_handler(lambda _request, context: _id_of(context)),
    "US": grpc.unary_stream_rpc_method_handler(_stream),
    "SU": grpc.stream_unary_rpc_method_handler(lambda _requests, context: _id_of(context)),
    "SS": grpc.stream_stream_rpc_method_handler(_stream),
}


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def test_sync_calls_of_all_kinds_carry_the_id_of_the_task(address: str) -> None:
    with grpc.insecure_channel(address) as bare, LogContext(request_id="r-1"):
        channel = grpc.intercept_channel(bare, RequestIdInterceptor())
        answer, call = channel.unary_unary("/t.T/UU").with_call(b"")
        assert answer == b"r-1"
        assert request_id_of(call.trailing_metadata()) == "r-1"
        assert list(channel.unary_stream("/t.T/US")(b"")) == [b"r-1"]
        assert channel.stream_unary("/t.T/SU")(iter([b""])) == b"r-1"
        assert list(channel.stream_stream("/t.T/SS")(iter([b""]))) == [b"r-1"]


def test_an_id_given_by_hand_wins_and_without_any_a_new_one_is_made(address: str) -> None:
    with grpc.insecure_channel(address) as bare:
        channel = grpc.intercept_channel(bare, RequestIdInterceptor())
        call = channel.unary_unary("/t.T/UU")
        assert call(b"", metadata=((REQUEST_ID_KEY, "mine"),)) == b"mine"
        first, second = call(b""), call(b"")
        assert len(first) == 32
        assert first != second


async def test_aio_calls_of_all_kinds_carry_the_id_of_the_task(address: str) -> None:
    async def requests() -> AsyncIterator[bytes]:
        yield b""

    async with grpc.aio.insecure_channel(address, interceptors=aio_interceptors()) as channel:
        with LogContext(request_id="r-2"):
            assert await channel.unary_unary("/t.T/UU")(b"") == b"r-2"
            assert [answer async for answer in channel.unary_stream("/t.T/US")(b"")] == [b"r-2"]
            assert await channel.stream_unary("/t.T/SU")(requests()) == b"r-2"
            assert [answer async for answer in channel.stream_stream("/t.T/SS")(requests())] == [b"r-2"]
