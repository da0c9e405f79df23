"""OTLP: a stock OpenTelemetry client ships to the collector unchanged, and a retry is stored once."""

from __future__ import annotations

import asyncio
import gzip
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.log_collector.harness import Collector, collector

NANO = 1763697074_123456789


def value(plain: Any) -> AnyValue:
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    if isinstance(plain, float):
        return AnyValue(double_value=plain)
    if isinstance(plain, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(plain)))
    return AnyValue(string_value=plain)


def pairs(fields: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=k, value=value(v)) for k, v in fields.items()]


def request(*records: LogRecord, resource: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    made = ExportLogsServiceRequest()
    logs = made.resource_logs.add()
    logs.resource.attributes.extend(pairs({"service.name": "api"} if resource is None else resource))
    scope = logs.scope_logs.add()
    scope.scope.name = "api.render"
    scope.log_records.extend(records)
    return made


def log(body: Any = "hello", **fields: Any) -> LogRecord:
    attributes = fields.pop("attributes", {})
    return LogRecord(
        **{"time_unix_nano": NANO, "severity_number": 9, "body": value(body)} | fields,
        attributes=pairs(attributes),
    )


async def export(
    address: str, message: ExportLogsServiceRequest, **options: Any
) -> ExportLogsServiceResponse:
    async with grpc.aio.insecure_channel(address) as channel:
        return await LogsServiceStub(channel).Export(message, **options)


async def one(running: Collector, message: ExportLogsServiceRequest) -> dict[str, Any]:
    answer = await export(running.address, message)
    assert not answer.HasField("partial_success")
    return running.records()[-1]


# Its successor is an instrumentation package; the SDK's own handler is what most services still use.
@pytest.mark.filterwarnings("ignore:.LoggingHandler. in .opentelemetry-sdk.:DeprecationWarning")
async def test_the_real_sdk_ships_its_records_unchanged(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await asyncio.to_thread(_log_with_the_sdk, running.address)
        first, second = running.records()
        assert first["service"] == "render"
        assert (first["level"], first["msg"], first["job_id"]) == ("WARNING", "disk nearly full", "j1")
        assert first["logger"] == "render.disk"
        assert second["level"] == "ERROR"
        assert second["error_type"] == "ZeroDivisionError"
        assert second["error"] == "division by zero"
        assert "Traceback" in second["stack"]
        assert second["password"] == "***redacted***"


def _log_with_the_sdk(address: str) -> None:
    exporter = OTLPLogExporter(endpoint=f"http://{address}", insecure=True, compression=grpc.Compression.Gzip)
    provider = LoggerProvider(resource=Resource.create({"service.name": "render"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.getLogger("render.disk")
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    try:
        logger.warning("disk nearly full", extra={"job_id": "j1"})
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            logger.exception("failed", extra={"password": "hunter2hunter2"})
    finally:
        logger.removeHandler(handler)
        provider.shutdown()


async def test_fields_are_mapped_onto_the_catalogue(tmp_path: Path) -> None:
    attributes = {
        "job_id": "7", "telecine.stage": "encode:output", "error.type": "Boom", "code.line.number": 12,
        "http.request.header.x-request-id": "r1", "duration_s": 1.5, "mine": {"a": {"b": 1}},
        "attempt": "2", "log.record.uid": "01J", "level": "odd", "pid": "not a number",
    }  # fmt: skip
    resource = {
        "service.name": "api",
        "deployment.environment": "prod",
        "host.name": "h",
        "telemetry.sdk.name": "x",
    }
    async with collector(tmp_path) as running:
        found = await one(
            running,
            request(
                log(
                    attributes=attributes,
                    severity_number=17,
                    trace_id=b"\x01" * 16,
                    span_id=b"\x02" * 8,
                    flags=0x101,
                ),
                resource=resource,
            ),
        )
    assert found == {
        "timestamp": "2025-11-21T03:51:14.123456Z", "level": "ERROR", "service": "api", "msg": "hello",
        "env": "prod", "host": "h", "logger": "api.render", "job_id": "7", "stage": "encode:output",
        "error_type": "Boom", "line": 12, "request_id": "r1", "duration_ms": 1500.0, "mine": {"a": {"b": 1}},
        "attempt": 2, "uid": "01J", "attributes.level": "odd", "attributes.pid": "not a number",
        "trace_id": "01" * 16, "span_id": "02" * 8, "trace_flags": 1,
    }  # fmt: skip


async def test_a_missing_time_service_and_severity_are_filled_in(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        found = await one(
            running,
            request(
                LogRecord(observed_time_unix_nano=NANO, severity_text="Warn", body=value("x")), resource={}
            ),
        )
    assert found["timestamp"] == "2025-11-21T03:51:14.123456Z"
    assert (found["service"], found["level"]) == ("unknown_service", "WARNING")


async def test_a_structured_body_is_kept_and_its_known_keys_are_promoted(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        found = await one(running, request(log({"msg": "polled", "job_id": 5, "token": "abcdef123456789"})))
    assert (found["msg"], found["job_id"]) == ("polled", 5)
    assert found["body"] == {"msg": "polled", "job_id": 5, "token": "***redacted***"}


async def test_secrets_in_bodies_attributes_and_resources_are_redacted(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-collector-contrib#37239: bodies were not covered"""
    secret = "hunter2" * 3
    async with collector(tmp_path) as running:
        message = request(
            log(f"login password={secret}", attributes={"x": {"X-Api-Key": secret}}),
            resource={"service.name": "api", "db.password": secret},
        )
        found = await one(running, message)
    assert secret not in str(found)
    assert found["x"]["X-Api-Key"] == "***redacted***"


async def test_an_empty_request_is_a_success(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        assert await export(running.address, ExportLogsServiceRequest()) == ExportLogsServiceResponse()


async def test_gzip_is_understood(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await export(running.address, request(log()), compression=grpc.Compression.Gzip)
        assert len(running.records()) == 1


async def test_the_limit_holds_after_decompression_and_reports_not_to_retry(tmp_path: Path) -> None:
    small = request(log("x" * 3_000_000))
    assert len(gzip.compress(small.SerializeToString())) < 10_000
    async with collector(tmp_path, host__max_message_bytes=1 << 20) as running:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await export(running.address, small, compression=grpc.Compression.Gzip)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(raised.value.trailing_metadata() or ())


async def test_a_record_with_a_known_uid_is_stored_once_also_after_a_restart(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-specification#3047: equal log.record.uid means duplicate."""
    uids = [log(str(i), attributes={"log.record.uid": f"uid-{i}"}) for i in range(6)]
    async with collector(tmp_path) as running:
        await export(running.address, request(*uids[:3], uids[0]))
        await export(running.address, request(*uids[:3]))
        await export(running.address, request(*uids[1:5]))
        assert running.service._accounting.duplicate.total() == 6
        assert running.service._accounting.is_balanced()
    async with collector(tmp_path) as again:
        await export(again.address, request(*uids))
        assert [r["uid"] for r in again.records()] == [f"uid-{i}" for i in range(6)]


async def test_concurrent_retries_of_one_request_are_stored_once(tmp_path: Path) -> None:
    """open-telemetry/opentelemetry-specification#597, #3277"""
    message = request(*(log(str(i), attributes={"log.record.uid": f"uid-{i}"}) for i in range(300)))
    async with collector(tmp_path) as running:
        await asyncio.gather(*(export(running.address, message) for _ in range(8)))
        assert len(running.records()) == 300


async def test_only_what_is_wrong_for_ever_is_a_partial_success(tmp_path: Path) -> None:
    message = request(log("fine"), log("x" * 2_000_000))
    async with collector(tmp_path) as running:
        answer = await export(running.address, message)
        assert answer.partial_success.rejected_log_records == 1
        assert "limit" in answer.partial_success.error_message
        assert [r["msg"] for r in running.records()] == ["fine"]
        assert running.service._accounting.is_balanced()


async def test_a_full_journal_is_unavailable_with_a_short_delay_in_both_forms(tmp_path: Path) -> None:
    """The Python exporter reads google.rpc.retryinfo-bin alone, and drops a batch that must wait 10 s."""
    from google.rpc import error_details_pb2

    from log_collector.journal import Cursor

    settings = {"journal__size_bytes": 1 << 20, "journal__segment_bytes": 64 << 10}
    async with collector(tmp_path, **settings) as running:
        running.service._cursors.advance("slow", Cursor(0))
        import random

        noise = random.Random(1)
        while not running.journal.is_full:
            await export(running.address, request(log(noise.randbytes(60_000).hex())))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await export(running.address, request(log()))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    trailing = dict(raised.value.trailing_metadata())
    delay = error_details_pb2.RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"]).retry_delay
    assert 0 < delay.ToMilliseconds() <= 2000
    assert "grpc-status-details-bin" in trailing


async def test_a_fault_of_ours_is_answered_so_that_clients_keep_their_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNKNOWN and INTERNAL make stock clients drop a batch for ever."""
    async with collector(tmp_path) as running:
        with monkeypatch.context() as broken:
            broken.setattr(running.service._exporter, "export", _broken)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await export(running.address, request(log()))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "google.rpc.retryinfo-bin" in dict(raised.value.trailing_metadata())
        assert not (await export(running.address, request(log()))).HasField("partial_success")


async def _broken(_request: bytes) -> None:
    raise RuntimeError("a fault")


async def test_bytes_that_are_no_request_are_invalid_not_unknown(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, grpc.aio.insecure_channel(running.address) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(b"\xff\xff\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_while_draining_exports_are_sent_elsewhere(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await running.service.drain(1)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await export(running.address, request(log()))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("where", ["resource", "record"])
@pytest.mark.parametrize("key", ["process.pid", "pid", "attempt", "job_id", "duration_ms"])
@pytest.mark.parametrize("number", [1e300, -1e300, "9" * 40, -1, 2**63 - 1, float("inf"), float("nan")])
async def test_a_number_beyond_all_bounds_costs_no_record_beside_it(
    tmp_path: Path, where: str, key: str, number: float | str
) -> None:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    records = resource.scope_logs.add().log_records
    good, odd = records.add(), records.add()
    good.body.string_value, odd.body.string_value = "good", "odd"
    attribute = KeyValue(key=key, value=value(number))
    (resource.resource if where == "resource" else odd).attributes.append(attribute)
    async with collector(tmp_path) as running:
        async with grpc.aio.insecure_channel(running.address) as channel:
            answer = await LogsServiceStub(channel).Export(request, timeout=5)
        assert "good" in [record["msg"] for record in running.records()]
        assert len(running.records()) + answer.partial_success.rejected_log_records == 2
