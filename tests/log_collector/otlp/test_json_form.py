"""OTLP's JSON form says what the protobuf form says; what is wrong costs its own record alone."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from log_collector.otlp.json_form import protobuf_of


def read(*records: object) -> tuple[list[LogRecord], list[str]]:
    sent = {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}
    made, rejected = protobuf_of(json.dumps(sent).encode())
    [logs] = ExportLogsServiceRequest.FromString(made).resource_logs
    return list(logs.scope_logs[0].log_records), [message for _, message in rejected]


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(depth):
        value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    return value


FIELDS = {
    "time as text": ({"timeUnixNano": "18446744073709551615"}, "time_unix_nano", 2**64 - 1),
    "time as a number": ({"observedTimeUnixNano": 5}, "observed_time_unix_nano", 5),
    "hex of either case": ({"traceId": "aB" * 16}, "trace_id", b"\xab" * 16),
    "an empty id": ({"spanId": ""}, "span_id", b""),
    "a severity as protobuf names it": ({"severityNumber": "SEVERITY_NUMBER_WARN"}, "severity_number", 13),
    "null": ({"severityText": None, "flags": None}, "flags", 0),
    "an unknown member": ({"invented": {"a": [1]}, "eventName": "e"}, "event_name", "e"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_read(name: str) -> None:
    sent, field, expected = FIELDS[name]
    [record], rejected = read(sent)
    assert getattr(record, field) == expected
    assert rejected == []


def test_each_kind_of_value_is_read() -> None:
    values = {
        "text": {"stringValue": ""}, "yes": {"boolValue": False}, "whole": {"intValue": str(-(2**63))},
        "half": {"doubleValue": 0.5}, "none": {"doubleValue": "NaN"}, "bytes": {"bytesValue": "_-8"},
        "list": {"arrayValue": {"values": [{"intValue": 1}, None, {}]}}, "map": nested(1), "empty": {},
    }  # fmt: skip
    [record], _ = read({"attributes": [{"key": k, "value": v} for k, v in values.items()]})
    found = {pair.key: pair.value for pair in record.attributes}
    assert found["text"].WhichOneof("value") == "string_value"
    assert found["yes"].WhichOneof("value") == "bool_value"
    assert found["whole"].int_value == -(2**63)
    assert found["half"].double_value == 0.5
    assert math.isnan(found["none"].double_value)
    assert found["bytes"].bytes_value == b"\xff\xef"
    assert len(found["list"].array_value.values) == 3
    assert found["map"].kvlist_value.values[0].value.int_value == 1
    assert found["empty"].WhichOneof("value") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeUnixNano": "-1"}, {"timeUnixNano": 2**64}, {"timeUnixNano": "1e3"}, {"flags": 0.5},
        {"traceId": "xy"}, {"traceId": "abc"}, {"severityNumber": "WARN"}, {"body": {"bytesValue": "?"}},
        {"body": {"intValue": 2**63}}, {"body": {"doubleValue": "much"}}, {"body": "text"},
        {"body": nested(40)}, {"attributes": {"a": 1}}, 7, None, [],
    ],
)  # fmt: skip
def test_a_wrong_record_is_left_out_with_a_reason_and_without_its_content(wrong: object) -> None:
    kept, rejected = read({"eventName": "before"}, wrong, {"eventName": "after"})
    assert [record.event_name for record in kept] == ["before", "after"]
    [message] = rejected
    assert "xpected" in message
    assert "much" not in message


@pytest.mark.parametrize("wrong", [b"", b"[]", b"{", b"\xff", b'{"resourceLogs": 1}', b"[" * 100_000])
def test_what_is_no_request_is_refused_as_a_whole(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="not an ExportLogsServiceRequest"):
        protobuf_of(wrong)
