"""A service that is as small as a service can be, and misbehaves on request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import msgspec
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.wrappers_pb2 import StringValue
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.auth.principal import current_principal
from service_host.auth.scopes import Scope, requires
from service_host.calls.calls import current_request_id
from service_host.errors import StartError
from service_host.program import Program, run_program
from service_host.settings.host_config import HostConfig
from service_host.status.status import FieldViolation, ServiceError

NAME = "tiny.v1.TinyService"
SECRET = "hunter2-in-an-exception"


KINDS = {
    "Single": (False, False),
    "Collect": (True, False),
    "Spread": (False, True),
    "Talk": (True, True),
    "TalkByWriting": (True, True),
    "Blocking": (False, False),
    "Nothing": (False, False),
    "NothingStreamed": (False, True),
}
"""Each method: whether its requests and its answers are streams."""


def describe() -> None:
    """What a .proto of the service would say."""
    file = FileDescriptorProto(name="tiny.proto", package="tiny.v1", syntax="proto3")
    file.dependency.append(StringValue.DESCRIPTOR.file.name)
    service = file.service.add(name="TinyService")
    for name, (client_streaming, server_streaming) in KINDS.items():
        service.method.add(
            name=name,
            input_type=".google.protobuf.StringValue",
            output_type=".google.protobuf.StringValue",
            client_streaming=client_streaming,
            server_streaming=server_streaming,
        )
    descriptor_pool.Default().Add(file)


describe()


@requires(Scope.READ)
def answer_blocking(request: StringValue, _context: Any) -> StringValue:
    """No coroutine, which no handler may be."""
    return request


async def misbehave(how: str, context: Any) -> str:
    """What a request's text asks for; the answer where it asks for nothing special."""
    match how:
        case "crash":
            raise ValueError(SECRET)
        case "full":
            raise ServiceError(reasons.ERROR_REASON_SPOOL_FULL, "the spool is full", retry_after_seconds=2.5)
        case "field":
            violation = FieldViolation("spec.width", "expected at least 1, got 0")
            raise ServiceError(reasons.ERROR_REASON_INVALID_FIELD, "1 field is wrong", violations=[violation])
        case "abort":
            await context.abort(grpc.StatusCode.NOT_FOUND, "not here")
        case "set_code":
            context.set_code(grpc.StatusCode.OUT_OF_RANGE)
            context.set_details("too far")
        case "own_trailer":
            context.set_trailing_metadata((("tiny", "trailer"),))
        case "leak_cancellation":
            inner = asyncio.ensure_future(asyncio.sleep(60))
            asyncio.get_running_loop().call_soon(inner.cancel)
            await inner
        case "whoami":
            return current_principal().subject
        case "whoami_elsewhere":
            task = asyncio.create_task(asyncio.to_thread(current_principal))
            return (await task).subject
        case "request_id":
            return current_request_id()
        case "hang":
            await asyncio.sleep(60)
    return how


class TinyService:
    """Remembers what its host did with it."""

    name = NAME

    def __init__(self, *, start_seconds: float = 0.0, start_fault: str = "") -> None:
        self.history: list[str] = []
        self.is_full = False
        self.drain_seconds = 0.0
        self.start_seconds = start_seconds
        self.start_fault = start_fault
        self.open_streams = 0

    def register(self, server: grpc.aio.Server) -> None:
        read, write = StringValue.FromString, StringValue.SerializeToString
        handlers = {
            "Single": grpc.unary_unary_rpc_method_handler(self.single, read, write),
            "Collect": grpc.stream_unary_rpc_method_handler(self.collect, read, write),
            "Spread": grpc.unary_stream_rpc_method_handler(self.spread, read, write),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk, read, write),
            "TalkByWriting": grpc.stream_stream_rpc_method_handler(self.talk_by_writing, read, write),
            "Blocking": grpc.unary_unary_rpc_method_handler(answer_blocking, read, write),
            "Nothing": grpc.unary_unary_rpc_method_handler(self.nothing, read, write),
            "NothingStreamed": grpc.unary_stream_rpc_method_handler(self.nothing_streamed, read, write),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
        self.history.append("register")

    @requires(Scope.READ)
    async def single(self, request: StringValue, context: Any) -> StringValue:
        return StringValue(value=await misbehave(request.value, context))

    @requires(Scope.READ)
    async def collect(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return StringValue(value=" ".join([await misbehave(r.value, context) async for r in requests]))

    @requires(Scope.READ)
    async def spread(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        for word in request.value.split():
            yield StringValue(value=await misbehave(word, context))

    @requires(Scope.READ)
    async def talk(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        self.open_streams += 1
        try:
            async for request in requests:
                yield StringValue(value=await misbehave(request.value, context))
        finally:
            self.open_streams -= 1

    @requires(Scope.READ)
    async def talk_by_writing(self, requests: AsyncIterator[StringValue], context: Any) -> None:
        async for request in requests:
            await context.write(StringValue(value=await misbehave(request.value, context)))

    @requires(Scope.READ)
    async def nothing(self, request: StringValue, context: Any) -> None:
        """Forgets its answer, which cannot be serialized."""

    @requires(Scope.READ)
    async def nothing_streamed(self, request: StringValue, context: Any) -> AsyncIterator[Any]:
        yield "no message at all"

    async def start(self) -> None:
        self.history.append("start")
        self.say("starting")
        if self.start_fault:
            raise StartError(self.start_fault)
        await asyncio.sleep(self.start_seconds)
        self.history.append("started")

    def is_admitting(self) -> bool:
        return not self.is_full

    async def drain(self, deadline_seconds: float) -> None:
        self.history.append(f"drain {deadline_seconds:g}")
        self.say("draining")
        await asyncio.sleep(self.drain_seconds)

    async def close(self) -> None:
        self.history.append("close")
        self.say("closed")

    def say(self, what: str) -> None:
        print(f"tiny: {what}", file=sys.stderr, flush=True)


class TinyConfig(msgspec.Struct, frozen=True):
    """The settings of the child process in the tests."""

    host: HostConfig = HostConfig(stop_grace_seconds=0.2, admission_poll_seconds=0.02)
    start_seconds: float = 0.0
    start_fault: str = ""
    drain_takes_seconds: float = 0.0
    queue_bytes: int = 4096
    api_token: str = ""


def create(loaded: Any, registry: Any) -> TinyService:
    config = loaded.value
    service = TinyService(start_seconds=config.start_seconds, start_fault=config.start_fault)
    service.drain_seconds = config.drain_takes_seconds
    return service


PROGRAM = Program("tiny", "TELECINE_TINY_", TinyConfig, "tiny", create)

if __name__ == "__main__":
    sys.exit(run_program(PROGRAM))
