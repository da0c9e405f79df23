"""Our records as OpenTelemetry's, each field where other backends look for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from telecine.logging.catalogue import FIELDS, Level

_SEVERITIES: Final = {Level.TRACE: 1, Level.DEBUG: 5, Level.INFO: 9, Level.WARNING: 13, Level.ERROR: 17}
_FATAL: Final = 21
_LAST_SEVERITY: Final = 24
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RESOURCE_FIELDS: Final = ("env", "service_version", "instance", "host", "pid")
"""What belongs to the program that logs, not to the record."""
_OTLP_NAMES: Final = {field.name: field.otlp[0] for field in FIELDS if field.otlp} | {
    # What OpenTelemetry's conventions for exceptions call it; `error.type` is for spans and metrics.
    "error_type": "exception.type"
}
_UID: Final = "log.record.uid"
_SCOPE_VERSION: Final = "otel.scope.version"
_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")


def request_of(service: str, records: Iterable[tuple[dict[str, Any], str]]) -> ExportLogsServiceRequest:
    """Makes a request of records and their uids; `service` is for those that name none."""
    request = ExportLogsServiceRequest()
    resources: dict[object, Any] = {}
    scopes: dict[object, Any] = {}
    for fields, uid in records:
        about = [("service.name", str(fields.pop("service", service)))]
        about += [(_OTLP_NAMES[name], fields.pop(name)) for name in _RESOURCE_FIELDS if name in fields]
        key = repr(about)
        if key not in resources:
            resources[key] = request.resource_logs.add()
            resources[key].resource.attributes.extend(_pair(name, value) for name, value in about)
        scope = (str(fields.pop("logger", "")), str(fields.pop(_SCOPE_VERSION, "")))
        if (key, scope) not in scopes:
            made = scopes[key, scope] = resources[key].scope_logs.add()
            made.scope.name, made.scope.version = scope
        scopes[key, scope].log_records.append(_log_record(fields, uid))
    return request


def _log_record(fields: dict[str, Any], uid: str) -> LogRecord:
    level = Level.__members__.get(str(fields.pop("level", "INFO")), Level.INFO)
    number = fields.pop("severity_number", None)
    if not isinstance(number, int) or not 1 <= number <= _LAST_SEVERITY:
        number = _SEVERITIES.get(level, _FATAL)
    record = LogRecord(
        time_unix_nano=_unix_nano(str(fields.pop("timestamp", ""))),
        severity_number=number,  # type: ignore[arg-type]  # the enum is an int
        severity_text=str(fields.pop("severity_text", level.name)),
        body=AnyValue(string_value=str(fields.pop("msg", ""))),
        trace_id=_taken_id(fields, "trace_id", 32),
        span_id=_taken_id(fields, "span_id", 16),
        event_name=str(fields.pop("event", "")),
    )
    flags = fields.get("trace_flags")
    if isinstance(flags, int) and not isinstance(flags, bool) and 0 <= flags <= 0xFF:
        record.flags = fields.pop("trace_flags")
    fields.setdefault(_UID, fields.pop("uid", uid))
    for name, value in fields.items():
        otlp_name = _OTLP_NAMES.get(name, name)
        # A field that has been sent under the other name as well keeps its own.
        record.attributes.append(_pair(name if otlp_name in fields else otlp_name, value))
    return record


def _taken_id(fields: dict[str, Any], name: str, digits: int) -> bytes:
    """An id of a trace or span, which is then no field any more; one that is none stays a field."""
    text = fields.get(name)
    if not isinstance(text, str) or len(text) != digits or not _HEX_DIGITS.issuperset(text):
        return b""
    found = bytes.fromhex(text)
    if not any(found):
        return b""
    del fields[name]
    return found


def _unix_nano(timestamp: str) -> int:
    try:
        passed = datetime.fromisoformat(timestamp) - _EPOCH
    except (ValueError, TypeError):
        return 0
    return max(0, passed // timedelta(microseconds=1) * 1000)


def _pair(name: str, value: object) -> KeyValue:
    return KeyValue(key=name, value=_any(value))


def _any(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=[_pair(str(k), v) for k, v in value.items()]))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue() if value is None else AnyValue(string_value=str(value))
