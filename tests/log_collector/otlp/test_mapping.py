"""What a sender of OTLP says stands in the record: its own words, its scope, and odd values beside others."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from log_collector.otlp.columns import MIN_ALIKE
from log_collector.otlp.mapping import map_request
from log_collector.sinks.forward.otlp import request_of

_NOW = 1_795_262_400_123_456_000


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def pairs(values: dict[str, AnyValue]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def mapped(
    *records: LogRecord, resource: dict[str, AnyValue] | None = None, scope: dict[str, AnyValue] | None = None
) -> list[dict[str, Any]]:
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    logs.resource.attributes.extend(
        pairs(resource if resource is not None else {"service.name": text("app")})
    )
    made = logs.scope_logs.add()
    made.log_records.extend(records)
    if scope is not None:
        made.scope.name, made.scope.version = "lib", "1.2.3"
        made.scope.attributes.extend(pairs(scope))
    found = map_request(request.SerializeToString(), _NOW, 1 << 20, lambda raw, _: raw)
    assert not found.rejected
    return [json.loads(line) for line in found.lines]


def record(number: int = 9, word: str = "", **attributes: AnyValue) -> LogRecord:
    made = LogRecord(time_unix_nano=_NOW, severity_number=number, severity_text=word)  # type: ignore[arg-type]
    made.body.string_value = "m"
    made.attributes.extend(pairs(attributes))
    return made


@pytest.mark.parametrize("count", [1, 2 * MIN_ALIKE])
def test_a_scope_says_its_part_of_each_record(count: int) -> None:
    own = record(job_id=text("of the record"))
    scope = {"team": text("video"), "job_id": text("of the scope")}
    found = mapped(*[record()] * count, own, scope=scope)
    assert found[0]["otel.scope.version"] == "1.2.3"
    assert (found[0]["logger"], found[0]["team"], found[0]["job_id"]) == ("lib", "video", "of the scope")
    assert found[-1]["job_id"] == "of the record"


@pytest.mark.parametrize("count", [1, 2 * MIN_ALIKE])
@pytest.mark.parametrize(
    ("number", "word", "level", "kept"),
    [
        (9, "", "INFO", {}),
        (9, "Info", "INFO", {}),
        (13, "WARN", "WARNING", {}),
        (21, "FATAL", "CRITICAL", {}),
        (10, "NOTICE", "INFO", {"severity_text": "NOTICE", "severity_number": 10}),
        (0, "SUCCESS", "INFO", {"severity_text": "SUCCESS"}),
        (0, "fatal", "CRITICAL", {}),
        (0, "", "INFO", {}),
        (17, "INFO", "ERROR", {"severity_text": "INFO"}),
        (99, "", "INFO", {"severity_number": 99}),
    ],
)
def test_a_senders_own_word_for_a_level_stays(
    count: int, number: int, word: str, level: str, kept: dict[str, Any]
) -> None:
    for found in mapped(*[record(number, word)] * count):
        assert found["level"] == level
        assert {name: found[name] for name in found if name.startswith("severity")} == kept


@pytest.mark.parametrize(
    ("name", "service"),
    [
        (text("app"), "app"),
        (text(""), "unknown_service"),
        (AnyValue(), "unknown_service"),
        (AnyValue(int_value=5), "5"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(kvlist_value=KeyValueList(values=pairs({"a": text("b")}))), '{"a":"b"}'),
    ],
)
def test_a_service_is_always_a_text(name: AnyValue, service: str) -> None:
    assert mapped(record(), resource={"service.name": name})[0]["service"] == service


@pytest.mark.parametrize(
    ("trace", "span", "expected"),
    [
        (b"\x01" * 16, b"\x02" * 8, {"trace_id": "01" * 16, "span_id": "02" * 8}),
        (b"\x01" * 16, b"", {"trace_id": "01" * 16}),
        (b"", b"\x02" * 8, {"span_id": "02" * 8}),
        (b"\x00" * 16, b"\x00" * 8, {}),
        (b"\x01" * 5, b"\x02" * 9, {"attributes.trace_id": "01" * 5, "attributes.span_id": "02" * 9}),
    ],
)
def test_ids_of_traces_are_valid_or_absent(trace: bytes, span: bytes, expected: dict[str, str]) -> None:
    made = record()
    made.trace_id, made.span_id = trace, span
    for found in mapped(*[made] * (2 * MIN_ALIKE)):
        assert {name: found[name] for name in found if name.endswith(("trace_id", "span_id"))} == expected


def test_attributes_that_mean_one_field_are_all_kept() -> None:
    made = record()
    for key, value in (("error.type", "first"), ("exception.type", "second"), ("x", "1"), ("x", "2")):
        made.attributes.append(KeyValue(key=key, value=text(value)))
    (found,) = mapped(made)
    assert (found["error_type"], found["attributes.error.type"]) == ("second", "first")
    assert (found["x"], found["attributes.x"]) == ("2", "1")


def test_numbers_that_are_none_are_told_apart_and_change_no_other() -> None:
    odd = [AnyValue(double_value=value) for value in (math.nan, math.inf, -math.inf)]
    made = record(a=odd[0], b=odd[1], duration_ms=odd[2], big=AnyValue(int_value=2**62))
    (found,) = mapped(made)
    assert (found["a"], found["b"], found["attributes.duration_ms"]) == ("NaN", "Infinity", "-Infinity")
    assert found["big"] == 2**62


def test_a_structured_body_may_say_the_level() -> None:
    made = record(0)
    values = {"level": text("NOTICE"), "msg": text("inner"), "job_id": text("j")}
    made.body.kvlist_value.values.extend(pairs(values))
    (found,) = mapped(made)
    assert (found["level"], found["severity_text"], found["msg"], found["job_id"]) == (
        "INFO",
        "NOTICE",
        "inner",
        "j",
    )
    made.severity_number = 17  # type: ignore[assignment]
    assert mapped(made)[0]["level"] == "ERROR"


def test_an_event_is_no_kind_of_generation_and_a_stage_where_it_is_known() -> None:
    first, second = record(), record()
    first.event_name, second.event_name = "app.crash", "encode:complete"
    found = mapped(first, second)
    assert (found[0]["event"], "operation_type" in found[0], "stage" in found[0]) == (
        "app.crash",
        False,
        False,
    )
    assert (found[1]["event"], found[1]["stage"]) == ("encode:complete", "encode:complete")


def test_a_text_that_is_no_utf8_costs_no_record() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.log_records.extend([record(9, "XXXX"), record()])
    data = request.SerializeToString().replace(b"XXXX", b"\xff\xfeXX")
    found = map_request(data, _NOW, 1 << 20, lambda raw, _: raw)
    assert [json.loads(line).get("severity_text") for line in found.lines] == ["��XX", None]


def test_what_is_forwarded_stands_where_others_look_for_it_and_comes_back_as_it_was() -> None:
    made = record(10, "NOTICE", n=AnyValue(int_value=1), **{"job.id": text("j-1")})
    made.trace_id, made.span_id, made.flags, made.event_name = b"\x01" * 16, b"\x02" * 8, 1, "app.crash"
    made.attributes.extend(
        pairs({"exception.type": text("E"), "exception.message": text("no"), "log.record.uid": text("u")})
    )
    resource = {
        "service.name": text("app"),
        "host.name": text("h"),
        "deployment.environment.name": text("prod"),
    }
    (fields,) = mapped(made, resource=resource, scope={})
    request = request_of("x", [(dict(fields), "uid")])
    (sent,) = request.resource_logs[0].scope_logs[0].log_records
    assert (sent.trace_id, sent.span_id, sent.flags) == (b"\x01" * 16, b"\x02" * 8, 1)
    assert (sent.event_name, sent.severity_number, sent.severity_text) == ("app.crash", 10, "NOTICE")
    assert request.resource_logs[0].scope_logs[0].scope.name == "lib"
    assert {pair.key for pair in request.resource_logs[0].resource.attributes} == set(resource)
    keys = {pair.key for pair in sent.attributes}
    assert {"exception.type", "exception.message", "log.record.uid"} <= keys
    assert not keys & {"trace_id", "error_type", "logger", "event", "host"}
    again = map_request(request.SerializeToString(), _NOW, 1 << 20, lambda raw, _: raw)
    assert json.loads(again.lines[0]) == fields
