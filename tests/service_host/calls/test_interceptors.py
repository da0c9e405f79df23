"""Whatever a handler does, of whatever kind it is, the caller gets a documented answer."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from service_host.host import Host, running
from service_host.settings.host_config import HostConfig
from tests.eventually import eventually_async
from tests.service_host.tiny_service import NAME, SECRET, TinyService

KINDS = ["Single", "Collect", "Spread", "Talk", "TalkByWriting"]


def encoded(text):
    return StringValue(value=text).SerializeToString()


class Bench:
    """A hosted tiny service, a channel to it and the access records it wrote."""

    def __init__(self, channel, service, records):
        self.channel = channel
        self.service = service
        self.records = records

    async def call(self, method, *texts, metadata=(), timeout=10, raw=None):
        """Returns (answers, call); raises AioRpcError."""
        requests = [raw] if raw is not None else [encoded(text) for text in texts]
        wire = (f"/{NAME}/{method}", None, StringValue.FromString)
        asked = {"metadata": metadata, "timeout": timeout}
        match method:
            case "Collect":
                call = self.channel.stream_unary(*wire)(iter(requests), **asked)
            case "Spread" | "NothingStreamed":
                call = self.channel.unary_stream(*wire)(requests[0], **asked)
            case "Talk" | "TalkByWriting":
                call = self.channel.stream_stream(*wire)(iter(requests), **asked)
            case _:
                call = self.channel.unary_unary(*wire)(requests[0], **asked)
        if hasattr(call, "__aiter__"):
            return [answer.value async for answer in call], call
        return [(await call).value], call

    async def failure(self, method, *texts, **arguments):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, *texts, **arguments)
        return caught.value

    async def record(self):
        await eventually_async(lambda: self.records)
        return self.records[-1]


@pytest.fixture
async def bench():
    service = TinyService()
    records = []
    config = HostConfig(stop_grace_seconds=0.1, max_message_bytes=64 * 1024)
    host = Host(service, config, log_call=lambda level, record: records.append((level, record)))
    async with running(host) as listening, grpc.aio.insecure_channel(listening.address) as channel:
        yield Bench(channel, service, records)


def error_info(error):
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


@pytest.mark.parametrize("method", KINDS)
async def test_a_good_call_passes_and_returns_its_request_id(bench, method):
    answers, call = await bench.call(method, "request_id", metadata=(("x-request-id", "mine-1"),))
    assert answers == ["mine-1"]
    assert dict(await call.trailing_metadata())["x-request-id"] == "mine-1"
    level, record = await bench.record()
    assert level == "info"
    assert (record.method, record.request_id) == (f"/{NAME}/{method}", "mine-1")
    assert record.code is grpc.StatusCode.OK
    assert record.peer.startswith("ipv4:127.0.0.1:")
    assert record.duration_seconds >= 0


@pytest.mark.parametrize("metadata", [(), (("x-request-id", "has spaces"),), (("x-request-id", "x" * 200),)])
async def test_a_missing_or_hostile_request_id_is_replaced_by_a_new_one(bench, metadata):
    [first], _ = await bench.call("Single", "request_id", metadata=metadata)
    [second], _ = await bench.call("Single", "request_id", metadata=metadata)
    assert len(first) == len(second) == 32
    assert first != second


@pytest.mark.parametrize("method", KINDS)
async def test_an_unexpected_exception_is_internal_and_reveals_nothing_of_itself(bench, method):
    error = await bench.failure(method, "crash", metadata=(("x-request-id", "mine-2"),))
    info = error_info(error)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert (info.reason, info.metadata["request_id"]) == ("INTERNAL", "mine-2")
    everything = f"{error.details()} {error.trailing_metadata()} {error.debug_error_string()}"
    assert SECRET not in everything
    assert "mine-2" in error.details()
    level, record = await bench.record()
    assert (level, record.reason, str(record.error)) == ("error", "INTERNAL", SECRET)


@pytest.mark.parametrize("method", KINDS)
async def test_an_error_of_the_table_travels_with_its_details(bench, method):
    error = await bench.failure(method, "full")
    trailing = dict(error.trailing_metadata())
    assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "the spool is full")
    assert error_info(error).reason == "SPOOL_FULL"
    assert trailing["grpc-retry-pushback-ms"] == "2500"
    assert "google.rpc.retryinfo-bin" in trailing
    level, record = await bench.record()
    assert (level, record.reason) == ("warning", "SPOOL_FULL")


@pytest.mark.parametrize("method", ["Spread", "Talk", "TalkByWriting"])
async def test_answers_before_an_error_still_arrive(bench, method):
    words = ("one two full",) if method == "Spread" else ("one", "two", "full")
    wire = (f"/{NAME}/{method}", None, StringValue.FromString)
    requests = [encoded(word) for word in words]
    if method == "Spread":
        call = bench.channel.unary_stream(*wire)(requests[0])
    else:
        call = bench.channel.stream_stream(*wire)(iter(requests))
    seen = [(await call.read()).value, (await call.read()).value]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert seen == ["one", "two"]
    assert error_info(caught.value).reason == "SPOOL_FULL"


@pytest.mark.parametrize("method", KINDS)
async def test_bytes_that_are_no_message_are_the_callers_fault(bench, method):
    error = await bench.failure(method, raw=b"\xff\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(error).reason == "MALFORMED_MESSAGE"


@pytest.mark.parametrize("method", ["Nothing", "NothingStreamed"])
async def test_an_answer_that_cannot_be_written_is_internal(bench, method):
    error = await bench.failure(method, "x")
    assert (error.code(), error_info(error).reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")


async def test_a_handler_that_would_block_the_loop_is_internal(bench):
    error = await bench.failure("Blocking", "x")
    assert error.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("method", KINDS)
async def test_a_handlers_own_abort_passes_as_it_is(bench, method):
    error = await bench.failure(method, "abort")
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "not here")
    assert (await bench.record())[1].code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", KINDS)
async def test_a_status_that_a_handler_sets_passes_as_it_is(bench, method):
    error = await bench.failure(method, "set_code")
    assert (error.code(), error.details()) == (grpc.StatusCode.OUT_OF_RANGE, "too far")
    assert (await bench.record())[1].code is grpc.StatusCode.OUT_OF_RANGE


@pytest.mark.parametrize("method", KINDS)
async def test_a_handlers_own_trailing_metadata_is_kept(bench, method):
    _, call = await bench.call(method, "own_trailer", metadata=(("x-request-id", "mine-3"),))
    trailing = dict(await call.trailing_metadata())
    assert (trailing["tiny"], trailing["x-request-id"]) == ("trailer", "mine-3")


@pytest.mark.parametrize("method", KINDS)
async def test_a_cancellation_that_a_handler_leaks_does_not_leave_its_caller_waiting(bench, method):
    error = await bench.failure(method, "leak_cancellation")
    assert error.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("method", KINDS)
async def test_a_call_past_its_deadline_is_recorded_as_such(bench, method):
    error = await bench.failure(method, "hang", timeout=0.4)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    level, record = await bench.record()
    assert (level, record.code) == ("info", grpc.StatusCode.DEADLINE_EXCEEDED)


async def test_a_call_that_its_client_cancels_ends_in_the_handler_too(bench):
    call = bench.channel.stream_stream(f"/{NAME}/Talk", None, None)()
    await call.write(encoded("x"))
    await call.read()
    assert bench.service.open_streams == 1
    await call.write(encoded("hang"))
    call.cancel()
    await eventually_async(lambda: bench.service.open_streams == 0)
    assert (await bench.record())[1].code is grpc.StatusCode.CANCELLED


async def test_a_method_that_is_not_there_is_unimplemented(bench):
    error = await bench.failure("Absent", "x")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_above_the_limit_is_refused(bench):
    error = await bench.failure("Single", "x" * 70_000)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_calls_at_once_keep_their_own_request_ids(bench):
    ids = [f"call-{n}" for n in range(20)]
    results = await asyncio.gather(
        *(bench.call("Talk", "a", "request_id", metadata=(("x-request-id", i),)) for i in ids)
    )
    assert [answers for answers, _ in results] == [["a", i] for i in ids]
