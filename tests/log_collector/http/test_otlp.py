"""OTLP over HTTP: stock clients ship unchanged, in both encodings, with gRPC's limits and answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import zstandard
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from log_collector.ingest.accounting import Way
from log_collector.journal import Journal, JournalFullError
from tests.log_collector.harness import Collector, collector, stored_records
from tests.log_collector.http.client import JSON, PROTOBUF, Answer, ask
from tests.log_collector.rpc.test_export import log, request

HTTP: dict[str, object] = {"http_listen": "127.0.0.1:0"}
NANO = 1763697074_123456789


def in_json(*records: object, **resource: str) -> bytes:
    attributes = [{"key": k.replace("_", "."), "value": {"stringValue": v}} for k, v in resource.items()]
    logs = {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": list(records)}]}
    return json.dumps({"resourceLogs": [logs]}).encode()


def json_log(body: str = "hello", **fields: object) -> dict[str, object]:
    return {"timeUnixNano": str(NANO), "severityNumber": 9, "body": {"stringValue": body}} | fields


async def post(running: Collector, body: bytes, headers: dict[str, str], **more: str) -> Answer:
    return await ask(
        running.http, "/v1/logs", body, headers | {k.replace("_", "-"): v for k, v in more.items()}
    )


# Its successor is an instrumentation package; the SDK's own handler is what most services still use.
@pytest.mark.filterwarnings("ignore:.LoggingHandler. in .opentelemetry-sdk.:DeprecationWarning")
async def test_the_real_sdk_ships_its_records_unchanged(tmp_path: Path) -> None:
    async with collector(tmp_path, **HTTP) as running:
        await asyncio.to_thread(_log_with_the_sdk, running.http)
        [found] = running.records()
    assert (found["service"], found["level"], found["msg"]) == ("render", "WARNING", "disk nearly full")
    assert (found["job_id"], found["password"]) == ("j1", "***redacted***")


def _log_with_the_sdk(address: str) -> None:
    exporter = OTLPLogExporter(f"http://{address}/v1/logs", compression=Compression.Gzip)
    provider = LoggerProvider(resource=Resource.create({"service.name": "render"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.getLogger("render.http")
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    try:
        logger.warning("disk nearly full", extra={"job_id": "j1", "password": "hunter2hunter2"})
    finally:
        logger.removeHandler(handler)
        provider.shutdown()


async def test_both_encodings_say_the_same_and_are_packed_in_each_way(tmp_path: Path) -> None:
    in_protobuf = request(log("same", attributes={"a": 1}), resource={"service.name": "api"})
    in_protobuf.resource_logs[0].scope_logs[0].ClearField("scope")
    sent = json_log("same", attributes=[{"key": "a", "value": {"intValue": "1"}}])
    packings = {
        "identity": lambda data: data,
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    async with collector(tmp_path, **HTTP) as running:
        for name, pack in packings.items():
            for body, headers in (
                (in_protobuf.SerializeToString(), PROTOBUF),
                (
                    in_json(sent, service_name="api"),
                    JSON | {"content-type": "application/json; charset=utf-8"},
                ),
            ):
                answer = await post(running, pack(body), headers, content_encoding=name)
                assert answer.status == 200, (name, answer)
                assert answer.headers["content-type"].startswith(headers["content-type"].partition(";")[0])
                assert answer.body in (b"", b"{}")
        records = running.records()
        received = running.service._accounting.received
    assert len(records) == 6
    assert all(record == records[0] for record in records)
    assert records[0]["msg"] == "same"
    assert received == {Way.OTLP_HTTP: 6}


async def test_a_wrong_record_is_named_and_costs_no_other(tmp_path: Path) -> None:
    wrong = json_log("wrong", timeUnixNano="soon")
    async with collector(tmp_path, **HTTP, intake__record_bytes=2048) as running:
        answer = await post(running, in_json(json_log("sound"), wrong, json_log("x" * 3000)), JSON)
        partial = answer.json["partialSuccess"]
        binary = await post(running, request(log("x" * 3000)).SerializeToString(), PROTOBUF)
        assert [r["msg"] for r in running.records()] == ["sound"]
        assert len(running.quarantined()) == 3
        assert running.service._accounting.is_balanced()
    assert (answer.status, partial["rejectedLogRecords"]) == (200, "2")
    assert "timeUnixNano: expected a whole number" in partial["errorMessage"]
    assert "the limit is 2048" in partial["errorMessage"]
    assert ExportLogsServiceResponse.FromString(binary.body).partial_success.rejected_log_records == 1


async def test_a_record_with_a_uid_that_comes_again_is_stored_once(tmp_path: Path) -> None:
    uid = {"key": "log.record.uid", "value": {"stringValue": "01J"}}
    async with collector(tmp_path, **HTTP) as running:
        for _ in range(2):
            assert (await post(running, in_json(json_log(attributes=[uid])), JSON)).status == 200
        binary = request(log(attributes={"log.record.uid": "01J"})).SerializeToString()
        assert (await post(running, binary, PROTOBUF)).status == 200
        assert len(running.records()) == 1
        assert running.service._accounting.duplicate == {Way.OTLP_HTTP: 2}


@pytest.mark.parametrize("headers", [JSON, PROTOBUF])
async def test_what_cannot_be_taken_now_is_to_be_sent_again(
    tmp_path: Path, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = in_json(json_log()) if headers is JSON else request(log()).SerializeToString()

    def refuse(_self: Journal) -> None:
        raise JournalFullError

    async with collector(tmp_path, **HTTP) as running:
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "require_room", refuse)
            full = await post(running, body, headers)
        running.service._turnstile.requests_at_once = 0
        busy = await post(running, body, headers)
        running.service._ingest.is_draining = True
        draining = await post(running, body, headers)
    found = [(a.status, a.reason, a.headers["retry-after"]) for a in (full, busy, draining)]
    assert found == [
        (503, "JOURNAL_FULL", "1"),
        (503, "TEMPORARILY_UNAVAILABLE", "1"),
        (503, "DRAINING", "1"),
    ]


async def test_a_fault_of_ours_costs_no_record_and_says_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: Any) -> None:
        raise RuntimeError("a secret of ours")

    async with collector(tmp_path, **HTTP) as running:
        monkeypatch.setattr(running.service._exporter, "export", break_down)
        answer = await post(running, in_json(json_log()), JSON)
        lines = await ask(running.http, "/v1/records", b"{}")
        monkeypatch.setattr(running.service._taker, "take", break_down)
        broken = await ask(running.http, "/v1/records", b"{}")
    assert lines.status == 200
    for one in (answer, broken):
        assert (one.status, one.reason) == (503, "TEMPORARILY_UNAVAILABLE")
        assert b"a secret of ours" not in one.body


async def test_what_is_acknowledged_while_the_collector_stops_is_stored(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    others: list[object] = []
    is_over = asyncio.Event()

    async def send_on(address: str, numbers: range) -> None:
        for number in numbers:
            try:
                answer = await ask(address, "/v1/records", b'{"n": %d}' % number)
            except (OSError, HTTPException):
                others.append("closed")
                return
            if answer.status != 200:
                others.append(answer.status)
                return
            acknowledged.append(number)
            if len(acknowledged) > 40:
                is_over.set()

    async with collector(tmp_path, **HTTP) as running:
        senders = [
            asyncio.create_task(send_on(running.http, range(first, first + 1000)))
            for first in range(0, 4000, 1000)
        ]
        await is_over.wait()
    await asyncio.gather(*senders)
    stored = await asyncio.to_thread(stored_records, tmp_path)
    assert len(others) == 4
    assert set(others) <= {"closed", 503}
    assert set(acknowledged) <= {record["n"] for record in stored}


async def test_calls_are_counted_and_carry_their_id(tmp_path: Path) -> None:
    async with collector(tmp_path, **HTTP) as running:
        named = await post(running, in_json(json_log()), JSON, x_request_id="r-1")
        odd = await post(running, b"{", JSON, x_request_id="r 1")
    assert named.headers["x-request-id"] == "r-1"
    assert odd.headers["x-request-id"] != "r 1"
    assert odd.headers["x-request-id"] in odd.body.decode()
