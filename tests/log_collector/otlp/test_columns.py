"""Records that are mapped together become what they become one by one."""

from __future__ import annotations

import math
import random

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from log_collector.otlp.columns import MAX_MISSES, MIN_ALIKE
from log_collector.otlp.mapping import MappedLogs, map_request

_NOW = 1_795_262_400_123_456_789
_LIMIT = 1 << 16


def _record(**attributes: AnyValue) -> LogRecord:
    record = LogRecord(time_unix_nano=_NOW, severity_number=9)  # type: ignore[arg-type]
    record.body.string_value = "a step ended"
    record.attributes.extend(KeyValue(key=key, value=value) for key, value in attributes.items())
    return record


def _text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def _request(records: list[LogRecord]) -> bytes:
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    logs.resource.attributes.append(KeyValue(key="service.name", value=_text("worker")))
    logs.resource.attributes.append(KeyValue(key="host.name", value=_text("gpu-7")))
    scope = logs.scope_logs.add()
    scope.scope.name = "wan.pipeline"
    scope.log_records.extend(records)
    return request.SerializeToString()


def _mapped(records: list[LogRecord]) -> MappedLogs:
    return map_request(_request(records), _NOW, _LIMIT, lambda raw, _: raw)


def _one_by_one(records: list[LogRecord]) -> MappedLogs:
    whole = MappedLogs([], [], _mapped([]).origin, 0, [])
    for record in records:
        part = _mapped([record])
        whole.lines += part.lines
        whole.uids += part.uids
        whole.rejected += part.rejected
        whole.received_count += part.received_count
    return whole


def _assert_same(records: list[LogRecord]) -> None:
    together, apart = _mapped(records), _one_by_one(records)
    assert together.lines == apart.lines
    assert together.uids == apart.uids
    assert sorted(together.rejected) == sorted(apart.rejected)
    assert together.received_count == apart.received_count == len(records)


def _usual(chance: random.Random, key: str = "request_id") -> LogRecord:
    return _record(
        **{key: _text(f"{chance.getrandbits(128):032x}")},
        duration_ms=AnyValue(double_value=chance.uniform(0, 1e6)),
        stage=_text("provider:status"),
        attempt=AnyValue(int_value=chance.randrange(3)),
    )


def _learn() -> None:
    """After it, ids and durations are known for keys whose values are not worth remembering."""
    chance = random.Random(1)
    for _ in range(1 + MAX_MISSES // 1000):
        _mapped([_usual(chance) for _ in range(1000)])


def test_usual_records_of_one_shape() -> None:
    _learn()
    chance = random.Random(2)
    _assert_same([_usual(chance) for _ in range(4 * MIN_ALIKE)])


def test_shapes_that_are_mixed_keep_their_order() -> None:
    _learn()
    chance = random.Random(3)
    _assert_same([_usual(chance, chance.choice(["request_id", "job_id", "other"])) for _ in range(200)])


def test_every_unusual_record_among_usual_ones() -> None:
    _learn()
    chance = random.Random(4)
    late = _usual(chance)
    late.time_unix_nano = 0
    late.observed_time_unix_nano = _NOW + 1
    never = _usual(chance)
    never.time_unix_nano = 2**63
    traced = _usual(chance)
    traced.trace_id, traced.span_id, traced.flags = b"\x01" * 16, b"\x02" * 8, 1
    unlevelled = _usual(chance)
    unlevelled.severity_number, unlevelled.severity_text = 0, "fatal"  # type: ignore[assignment]
    structured = _usual(chance)
    structured.body.kvlist_value.values.append(KeyValue(key="msg", value=_text("inner")))
    twice = _usual(chance)
    twice.attributes.append(KeyValue(key="stage", value=_text("again")))
    odd = [
        *(late, never, traced, unlevelled, structured, twice),
        _record(request_id=_text('quotes " and \\'), duration_ms=AnyValue(double_value=1.0)),
        _record(request_id=_text("Größe"), duration_ms=AnyValue(double_value=math.inf)),
        _record(request_id=_text(""), duration_ms=AnyValue(double_value=math.nan)),
        _record(request_id=_text("x" * 300), duration_ms=AnyValue(int_value=7)),
        _record(request_id=AnyValue(int_value=5), duration_ms=_text("1.5")),
        _record(**{"log.record.uid": _text("u-1"), "host.name": _text("another")}),
        _record(blob=_text("y" * (_LIMIT + 1))),
        _record(),
    ]
    for one in odd:
        usual = [_usual(chance) for _ in range(2 * MIN_ALIKE)]
        usual.insert(MIN_ALIKE, one)
        _assert_same(usual)
        _assert_same([one] * (MIN_ALIKE + 1))


def test_bytes_that_are_no_text_are_rejected_alone() -> None:
    _learn()
    chance = random.Random(5)
    records = [_usual(chance) for _ in range(2 * MIN_ALIKE)]
    whole = _request(records)
    damaged = whole.replace(records[3].attributes[0].value.string_value.encode()[:4], b"\xff\xfe\xff\xfe", 1)
    mapped = map_request(damaged, _NOW, _LIMIT, lambda raw, _: raw)
    assert len(mapped.lines) == len(records) - 1
    assert len(mapped.rejected) == 1
