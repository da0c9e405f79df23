"""A few clients that say nothing never shut others out: streams, calls and health have their own room."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from service_host.calls import bounds as call_bounds
from service_host.calls.bounds import CallBounds, Limits
from service_host.host import Host, running
from service_host.settings.host_config import HostConfig
from service_host.status.status import ServiceError
from tests.eventually import eventually_async
from tests.service_host.tiny_service import NAME, TinyService

WIRE = (None, StringValue.FromString)
METHODS = {
    "Single": "unary_unary",
    "Spread": "unary_stream",
    "Collect": "stream_unary",
    "Talk": "stream_stream",
    "TalkByWriting": "stream_stream",
}


@asynccontextmanager
async def hosted(**settings):
    config = HostConfig(stop_grace_seconds=0, **settings)
    records = []
    host = Host(TinyService(), config, log_call=lambda _level, record: records.append(record))
    async with running(host) as listening, grpc.aio.insecure_channel(listening.address) as channel:
        yield channel, listening.address, records


def opened(channel, method="Talk"):
    """A call whose first message is not sent; all kinds look the same on the wire."""
    return channel.stream_stream(f"/{NAME}/{method}", *WIRE)()


def word(text="x"):
    return StringValue(value=text).SerializeToString()


async def reason_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(caught.value)
    assert status is not None, caught.value
    assert status.details[0].Unpack(info)
    return info.reason


async def is_alive(channel):
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_of_any_kind_whose_first_message_does_not_come_is_ended(method):
    async with hosted(first_message_seconds=0.1) as (channel, _, _):
        assert await reason_of(opened(channel, method)) == "STREAM_SILENT"


async def test_a_call_that_has_begun_may_take_its_time():
    async with hosted(first_message_seconds=0.1) as (channel, _, _):
        call = opened(channel)
        await call.write(word("first"))
        assert (await call.read()).value == "first"
        await asyncio.sleep(0.3)  # the deadline of the first message, thrice
        await call.write(word("second"))
        assert (await call.read()).value == "second"
        call.cancel()


async def test_silent_streams_push_out_one_another_and_nobody_else():
    async with hosted(max_calls=20, max_streams=16, first_message_seconds=60) as (channel, _, records):
        silent = [opened(channel) for _ in range(40)]
        reasons = [asyncio.ensure_future(reason_of(call)) for call in silent]
        await eventually_async(lambda: sum(reason.done() for reason in reasons) == 32)
        assert {reason.result() for reason in reasons if reason.done()} == {"STREAM_SILENT"}
        honest = opened(channel)
        await honest.write(word())
        assert (await honest.read()).value == "x"
        assert await is_alive(channel)
        for waiting in [*reasons, *silent, honest]:
            waiting.cancel()
        await eventually_async(lambda: len(records) >= 42)


async def test_all_streams_taken_leaves_room_for_calls_and_health():
    async with hosted(max_calls=8, max_streams=4) as (channel, _, _):
        held = [opened(channel) for _ in range(4)]
        for call in held:
            await call.write(word())
            await call.read()
        assert await reason_of(opened(channel)) == "TOO_MANY_STREAMS"
        single = channel.unary_unary(f"/{NAME}/Single", *WIRE)
        assert (await single(word("through"))).value == "through"
        assert await is_alive(channel)
        for call in held:
            call.cancel()


async def test_a_stream_whose_client_is_quiet_for_long_makes_room(monkeypatch):
    monkeypatch.setattr(call_bounds, "QUIET_SECONDS", 0.2)
    async with hosted(max_calls=8, max_streams=2) as (channel, _, _):
        quiet, busy = opened(channel), opened(channel)
        for call in (quiet, busy):
            await call.write(word())
            await call.read()
        await asyncio.sleep(0.3)  # longer than quiet
        await busy.write(word("again"))
        await busy.read()
        newcomer = opened(channel)
        await newcomer.write(word("new"))
        assert (await newcomer.read()).value == "new"
        assert await reason_of(quiet) == "TOO_MANY_STREAMS"
        for call in (busy, newcomer):
            call.cancel()


async def test_one_connection_cannot_have_all_streams():
    async with hosted(max_streams=8, max_streams_per_connection=2) as (channel, address, _):
        held = [opened(channel) for _ in range(2)]
        for call in held:
            await call.write(word())
            await call.read()
        assert await reason_of(opened(channel)) == "TOO_MANY_STREAMS"
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.insecure_channel(address, options=options) as other:
            call = opened(other)
            await call.write(word())
            assert (await call.read()).value == "x"
            call.cancel()
        for call in held:
            call.cancel()


async def test_streams_that_only_listen_leave_half_of_the_room():
    async with hosted(max_streams=4) as (channel, _, _):
        watches = [
            health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()) for _ in range(2)
        ]
        for watch in watches:
            await watch.read()
        with pytest.raises(grpc.aio.AioRpcError, match="only listen"):
            await health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()).read()
        call = opened(channel)
        await call.write(word())
        assert (await call.read()).value == "x"
        for each in (*watches, call):
            each.cancel()


async def test_health_checks_without_their_message_are_bounded_for_each_connection():
    async with hosted(first_message_seconds=60) as (channel, address, _):
        checks = [channel.stream_stream("/grpc.health.v1.Health/Check")() for _ in range(40)]
        reasons = [asyncio.ensure_future(reason_of(call)) for call in checks]
        await eventually_async(lambda: sum(reason.done() for reason in reasons) == 24)
        assert {reason.result() for reason in reasons if reason.done()} == {"TOO_MANY_STREAMS"}
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.insecure_channel(address, options=options) as other:
            assert await is_alive(other)
        for reason in reasons:
            reason.cancel()
        for call in checks:
            call.cancel()


def test_neither_a_tenant_nor_strangers_take_all_places_of_those_that_listen():
    bounds = CallBounds(Limits(99, 32, 99, 1.0), lambda: 0.0)

    def places_of(tenant, share):
        for count in range(99):
            with ExitStack() as taken:
                ticket = taken.enter_context(bounds.admit("/s/Listen", "server_stream", "ipv4:1:2"))
                ticket.is_silent = False
                try:
                    bounds.settle(ticket, tenant, share)
                except ServiceError:
                    return count
                held.push(taken.pop_all())
        return 99

    with ExitStack() as held:
        assert places_of("", 8) == 2
        assert places_of("a", 2) == 8
        with pytest.raises(ServiceError, match="16 streams that only listen"):
            places_of("b", 2)
        with bounds.admit("/s/Talk", "bidi_stream", "ipv4:1:2") as ticket:
            bounds.settle(ticket, "a", 2)


def test_places_are_given_back_whatever_happens():
    bounds = CallBounds(Limits(2, 2, 1, 1.0), lambda: 0.0)
    for _ in range(9):
        with pytest.raises(ValueError), bounds.admit("/s/Talk", "bidi_stream", "ipv4:1:2"):
            raise ValueError
        with (
            bounds.admit("/s/Talk", "bidi_stream", "ipv4:1:2"),
            pytest.raises(ServiceError),
            bounds.admit("/s/Talk", "bidi_stream", "ipv4:1:2"),
        ):
            pass


@pytest.mark.parametrize(
    ("settings", "files", "streams"),
    [
        ({}, 1 << 20, 768),
        ({}, 1024, 480),
        ({}, 64, 8),
        ({"max_calls": 1}, 1024, 1),
        ({"max_streams": 5}, 64, 5),
    ],
)
def test_streams_leave_files_for_what_they_need(monkeypatch, settings, files, streams):
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    assert HostConfig(**settings).call_limits.max_streams == streams
