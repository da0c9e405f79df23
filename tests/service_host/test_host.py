"""A host starts, tells its health, drains and closes in the documented order."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.error
import urllib.request

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service_host.address import AddressError
from service_host.errors import StartError
from service_host.host import Host, Phase, Stop, running
from service_host.server import channel_options
from service_host.settings.host_config import HostConfig
from tests.eventually import eventually_async
from tests.service_host.tiny_service import NAME, TinyService

FAST = HostConfig(admission_poll_seconds=0.01, stop_grace_seconds=0.1, drain_seconds=2)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


WITH_ADMIN = HostConfig(admin_listen="127.0.0.1:0", admission_poll_seconds=0.01, stop_grace_seconds=0.1)


def fetch(address, path, method="GET"):
    """Returns (status, content type, text)."""
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


async def page(address, path, method="GET"):
    return await asyncio.to_thread(fetch, address, path, method)


async def test_an_rpc_of_health_that_is_not_served_is_no_fault_of_the_service(caplog):
    async with (
        running(Host(TinyService(), FAST)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        with caplog.at_level("ERROR"), pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not caplog.records


async def test_start_and_stop_follow_the_documented_order():
    service = TinyService()
    async with running(Host(service, FAST)):
        assert service.history == ["register", "start", "started"]
    assert service.history == ["register", "start", "started", "drain 2", "close"]


async def test_port_0_is_answered_with_the_real_port():
    async with running(Host(TinyService(), FAST)) as listening:
        assert int(listening.address.rpartition(":")[2]) > 0
        assert listening.admin == ""


async def health_of(channel, name):
    answer = await health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=name), timeout=5
    )
    return answer.status


async def test_liveness_and_admission_are_told_apart():
    service = TinyService()
    async with (
        running(Host(service, WITH_ADMIN)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=NAME))
        while (await watch.read()).status != SERVING:
            pass
        assert await health_of(channel, "") == SERVING
        assert (await page(listening.admin, "/readyz"))[0] == 200
        service.is_full = True
        assert (await watch.read()).status == NOT_SERVING
        assert await health_of(channel, "") == SERVING
        assert (await page(listening.admin, "/readyz"))[0] == 503
        assert (await page(listening.admin, "/healthz"))[0] == 200
        service.is_full = False
        assert (await watch.read()).status == SERVING


async def test_an_admission_check_that_fails_counts_as_no():
    service = TinyService()
    service.is_admitting = lambda: 1 / 0
    async with (
        running(Host(service, FAST)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        assert await health_of(channel, NAME) == NOT_SERVING
        assert await health_of(channel, "") == SERVING


async def test_while_it_drains_it_answers_calls_but_is_not_ready():
    service = TinyService()
    service.drain_seconds = 0.5
    host = Host(service, FAST)
    stop = Stop()
    opened = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(host.serve(stop, opened.set_result))
    async with grpc.aio.insecure_channel((await opened).address) as channel:
        await eventually_async(lambda: host._health.is_ready)
        stop.request()
        await eventually_async(lambda: host.phase is Phase.DRAINING and "drain 2" in service.history)
        assert await health_of(channel, NAME) == NOT_SERVING
        call = channel.unary_unary(f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString)
        assert (await call(StringValue(value="still here"), timeout=5)).value == "still here"
        await serving
    assert service.history[-1] == "close"


async def test_a_drain_that_overruns_its_deadline_is_cut():
    service = TinyService()
    service.drain_seconds = 60
    config = HostConfig(drain_seconds=0, stop_grace_seconds=0)
    async with running(Host(service, config)):
        pass
    assert service.history[-2:] == ["drain 0", "close"]


async def test_a_drain_that_fails_still_closes():
    service = TinyService()

    async def drain(deadline_seconds):
        raise OSError("disk gone")

    service.drain = drain
    async with running(Host(service, FAST)):
        pass
    assert service.history[-1] == "close"


async def test_a_call_that_outlives_the_grace_is_unavailable():
    host = Host(TinyService(), FAST)
    async with running(host) as listening:
        channel = grpc.aio.insecure_channel(listening.address)
        call = channel.stream_stream(f"/{NAME}/Talk", StringValue.SerializeToString, StringValue.FromString)()
        await call.write(StringValue(value="x"))
        await call.read()
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    await channel.close()


async def test_a_stop_during_start_gives_the_start_up_and_closes():
    service = TinyService(start_seconds=60)
    stop = Stop()
    serving = asyncio.create_task(Host(service, FAST).serve(stop, lambda _: None))
    await eventually_async(lambda: "start" in service.history)
    stop.request()
    await asyncio.wait_for(serving, 5)
    assert service.history == ["register", "start", "close"]


async def test_a_start_that_fails_is_raised_and_closed():
    service = TinyService(start_fault="data_dir is held by another service")
    with pytest.raises(StartError, match="held by another"):
        async with running(Host(service, FAST)):
            pass
    assert service.history[-1] == "close"


async def test_a_port_in_use_is_reported_before_the_service_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        service = TinyService()
        config = HostConfig(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(AddressError, match=r"cannot listen on 127\.0\.0\.1"):
            async with running(Host(service, config)):
                pass
    assert service.history == ["register", "close"]


async def test_a_second_host_cannot_share_the_first_ones_port():
    async with running(Host(TinyService(), FAST)) as listening:
        with pytest.raises(AddressError):
            async with running(Host(TinyService(), HostConfig(listen=listening.address))):
                pass


async def test_an_admin_port_in_use_is_reported():
    async with running(Host(TinyService(), WITH_ADMIN)) as listening:
        config = HostConfig(admin_listen=listening.admin)
        with pytest.raises(AddressError, match="cannot listen"):
            async with running(Host(TinyService(), config)):
                pass


async def test_metrics_count_calls_by_method_and_status():
    async with (
        running(Host(TinyService(), WITH_ADMIN)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        call = channel.unary_unary(f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString)
        for how in ("fine", "fine", "full"):
            await asyncio.gather(call(StringValue(value=how)), return_exceptions=True)
        status, kind, text = await page(listening.admin, "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    labels = f'grpc_method="/{NAME}/Single",grpc_type="unary"'
    assert f'grpc_server_handled_total{{grpc_code="OK",{labels}}} 2.0' in text
    assert f'grpc_server_handled_total{{grpc_code="RESOURCE_EXHAUSTED",{labels}}} 1.0' in text
    assert f"grpc_server_handling_seconds_count{{{labels}}} 3.0" in text
    assert f"grpc_server_in_flight{{{labels}}} 0.0" in text
    assert f'telecine_errors_total{{grpc_method="/{NAME}/Single",reason="SPOOL_FULL"}} 1.0' in text
    assert "process_resident_memory_bytes" in text


async def test_the_configuration_can_be_read():
    host = Host(TinyService(), WITH_ADMIN, settings=lambda: {"token": "***redacted***"})
    async with running(host) as listening:
        status, kind, text = await page(listening.admin, "/config")
    assert (status, kind, json.loads(text)) == (200, "application/json", {"token": "***redacted***"})


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/metrics", "POST", 405)])
async def test_the_admin_port_serves_nothing_else(path, method, status):
    async with running(Host(TinyService(), WITH_ADMIN)) as listening:
        assert (await page(listening.admin, path, method))[0] == status


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"x" * 20_000 + b"\r\n\r\n", b"\xff \xff \xff\r\n\r\n"]
)
async def test_the_admin_port_survives_what_is_no_http(sent):
    async with running(Host(TinyService(), WITH_ADMIN)) as listening:
        host, _, port = listening.admin.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        try:
            answer = await asyncio.wait_for(reader.read(), 10)
        except ConnectionResetError:
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        writer.close()
        assert (await page(listening.admin, "/healthz"))[0] == 200


async def test_a_unix_socket_is_served_and_removed(tmp_path):
    path = tmp_path / "deep" / "tiny.sock"
    config = HostConfig(listen=f"unix:{path}", stop_grace_seconds=0)
    async with (
        running(Host(TinyService(), config)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        assert listening.address == f"unix:{path}"
        assert await health_of(channel, "") == SERVING
        with pytest.raises(AddressError, match="another server answers there"):
            async with running(Host(TinyService(), config)):
                pass
        assert await health_of(channel, "") == SERVING
    assert not path.exists()


async def test_a_socket_left_by_a_killed_server_is_taken_over(tmp_path):
    path = tmp_path / "tiny.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with running(Host(TinyService(), HostConfig(listen=f"unix:{path}", stop_grace_seconds=0))):
        assert path.is_socket()


async def test_reflection_names_the_service_unless_it_is_off():
    async def names(config):
        async with (
            running(Host(TinyService(), config)) as listening,
            grpc.aio.insecure_channel(listening.address) as channel,
        ):
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            call = stub.ServerReflectionInfo(iter([request]))
            return {
                service.name async for answer in call for service in answer.list_services_response.service
            }

    assert NAME in await names(FAST)
    with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
        await names(HostConfig(is_reflection_on=False, stop_grace_seconds=0))


async def test_one_call_too_many_is_refused_at_once_and_health_never():
    config = HostConfig(max_calls=1, stop_grace_seconds=0)
    async with (
        running(Host(TinyService(), config)) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        held = channel.stream_stream(f"/{NAME}/Talk", StringValue.SerializeToString, StringValue.FromString)()
        await held.write(StringValue(value="x"))
        await held.read()
        single = channel.unary_unary(f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await single(StringValue(value="x"))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await health_of(channel, "") == SERVING
        held.cancel()


def test_the_measured_keepalive_arguments_are_set():
    options = dict(channel_options(HostConfig()))
    assert options["grpc.http2.ping_timeout_ms"] == options["grpc.keepalive_timeout_ms"] == 10_000
    assert options["grpc.http2.min_ping_interval_without_data_ms"] == 10_000
    assert options["grpc.max_receive_message_length"] == 4 * 2**20
    assert options["grpc.so_reuseport"] == 0
    assert "grpc.http2.bdp_probe" not in options


async def test_silent_connections_keep_nobody_from_the_admin_port():
    async with running(Host(TinyService(), WITH_ADMIN)) as listening:
        host, _, port = listening.admin.rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(100)]
        try:
            async with asyncio.timeout(2):
                for _ in range(5):
                    assert (await page(listening.admin, "/readyz"))[0] == 200
        finally:
            for _, writer in silent:
                writer.close()
