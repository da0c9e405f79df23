"""OTLP's JSON form of an export request as its protobuf form: hex ids, 64-bit numbers as text, Base64 bytes.

A record that is wrong costs no other: it is left out, and why is returned beside the rest.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from log_collector.record import RecordError, RejectionReason

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){0,64}", re.ASCII)
_DOUBLES: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_SEVERITY_PREFIX: Final = "SEVERITY_NUMBER_"
_MAX_DEPTH: Final = 32
"""Of values in values; protobuf reads a hundred messages in one another, which are three to a level."""

_Number = int | str | float | None


class _Struct(msgspec.Struct, rename="camel", gc=False):
    """Unknown members are skipped, as OTLP wants it; null is the same as missing."""


class _Value(_Struct):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Number = None
    double_value: _Number = None
    array_value: _Array | None = None
    kvlist_value: _Pairs | None = None
    bytes_value: str | None = None


class _Array(_Struct):
    values: list[_Value | None] | None = None


class _Pair(_Struct):
    key: str | None = None
    value: _Value | None = None


class _Pairs(_Struct):
    values: list[_Pair] | None = None


class _Record(_Struct):
    time_unix_nano: _Number = None
    observed_time_unix_nano: _Number = None
    severity_number: _Number = None
    severity_text: str | None = None
    body: _Value | None = None
    attributes: list[_Pair] | None = None
    dropped_attributes_count: _Number = None
    flags: _Number = None
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None


class _Scope(_Struct):
    name: str | None = None
    version: str | None = None
    attributes: list[_Pair] | None = None


class _ScopeLogs(_Struct):
    scope: _Scope | None = None
    log_records: list[msgspec.Raw] | None = None


class _Resource(_Struct):
    attributes: list[_Pair] | None = None


class _ResourceLogs(_Struct):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Request(_Struct):
    resource_logs: list[_ResourceLogs] | None = None


_request = msgspec.json.Decoder(_Request)
_record = msgspec.json.Decoder(_Record)


def protobuf_of(data: bytes) -> tuple[bytes, list[tuple[RejectionReason, str]]]:
    """The request as protobuf, and why records are missing in it.

    Raises ValueError where it is no ExportLogsServiceRequest; the message holds nothing of its content.
    """
    made = ExportLogsServiceRequest()
    rejected: list[tuple[RejectionReason, str]] = []
    try:
        for sent in _request.decode(data).resource_logs or ():
            resource_logs = made.resource_logs.add()
            if sent.resource is not None:
                _add_pairs(resource_logs.resource.attributes, sent.resource.attributes, 1)
            for part in sent.scope_logs or ():
                scope_logs = resource_logs.scope_logs.add()
                if part.scope is not None:
                    scope_logs.scope.name = part.scope.name or ""
                    scope_logs.scope.version = part.scope.version or ""
                    _add_pairs(scope_logs.scope.attributes, part.scope.attributes, 1)
                _add_records(scope_logs.log_records, part.log_records or (), rejected)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RecordError) as error:
        raise ValueError(f"the JSON is not an ExportLogsServiceRequest: {_fault(error)}") from error
    return made.SerializeToString(), rejected


def _add_records(
    target: Any, sent: Sequence[msgspec.Raw], rejected: list[tuple[RejectionReason, str]]
) -> None:
    for raw in sent:
        try:
            target.append(_log_record(_record.decode(raw)))
        except RecordError as error:
            rejected.append((error.reason, error.message))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            message = f"expected a LogRecord of OTLP: {_fault(error)}"
            rejected.append((RejectionReason.NOT_JSON, message))


def _log_record(sent: _Record) -> LogRecord:
    made = LogRecord(
        time_unix_nano=_whole("timeUnixNano", sent.time_unix_nano, 0, 2**64),
        observed_time_unix_nano=_whole("observedTimeUnixNano", sent.observed_time_unix_nano, 0, 2**64),
        severity_text=sent.severity_text or "",
        dropped_attributes_count=_whole("droppedAttributesCount", sent.dropped_attributes_count, 0, 2**32),
        flags=_whole("flags", sent.flags, 0, 2**32),
        trace_id=_id("traceId", sent.trace_id),
        span_id=_id("spanId", sent.span_id),
        event_name=sent.event_name or "",
    )
    made.severity_number = _severity(sent.severity_number)  # type: ignore[assignment]  # a number that is checked
    if sent.body is not None:
        _set_value(made.body, sent.body, 1)
    _add_pairs(made.attributes, sent.attributes, 1)
    return made


def _add_pairs(target: Any, sent: Sequence[_Pair] | None, depth: int) -> None:
    for pair in sent or ():
        made = KeyValue(key=pair.key or "")
        if pair.value is not None:
            _set_value(made.value, pair.value, depth)
        target.append(made)


def _set_value(made: AnyValue, sent: _Value, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _wrong("value", f"at most {_MAX_DEPTH} values in one another")
    if sent.string_value is not None:
        made.string_value = sent.string_value
    elif sent.bool_value is not None:
        made.bool_value = sent.bool_value
    elif sent.int_value is not None:
        made.int_value = _whole("intValue", sent.int_value, -(2**63), 2**63)
    elif sent.double_value is not None:
        made.double_value = _double(sent.double_value)
    elif sent.array_value is not None:
        made.array_value.SetInParent()
        for item in sent.array_value.values or ():
            inner = made.array_value.values.add()
            if item is not None:
                _set_value(inner, item, depth + 1)
    elif sent.kvlist_value is not None:
        made.kvlist_value.SetInParent()
        _add_pairs(made.kvlist_value.values, sent.kvlist_value.values, depth + 1)
    elif sent.bytes_value is not None:
        made.bytes_value = _bytes(sent.bytes_value)


def _whole(name: str, value: _Number, low: int, high: int) -> int:
    """A whole number from `low` to below `high`; null is 0."""
    if value is None:
        return 0
    is_text = isinstance(value, str) and _DECIMAL.fullmatch(value) is not None
    if is_text or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if isinstance(value, int) and low <= value < high:
        return value
    raise _wrong(name, f"a whole number from {low} to {high - 1}, as a number or as text")


def _severity(value: _Number) -> int:
    if isinstance(value, str) and value.startswith(_SEVERITY_PREFIX):
        # Not OTLP's form, but protobuf's own for enums.
        try:
            return SeverityNumber.Value(value)
        except ValueError:
            pass
    return _whole("severityNumber", value, -(2**31), 2**31)


def _double(value: str | float) -> float:
    try:
        return _DOUBLES[value] if isinstance(value, str) and value in _DOUBLES else float(value)
    except (ValueError, OverflowError) as error:
        raise _wrong("doubleValue", 'a number, or "NaN", "Infinity", "-Infinity"') from error


def _id(name: str, value: str | None) -> bytes:
    if not value:
        return b""
    if not _HEX.fullmatch(value):
        raise _wrong(name, "hexadecimal digits, two for each byte")
    return bytes.fromhex(value)


def _bytes(value: str) -> bytes:
    """Base64 of either alphabet, with or without padding, as protobuf's JSON form has it."""
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong("bytesValue", "Base64") from error


def _wrong(name: str, expected: str) -> RecordError:
    return RecordError(RejectionReason.WRONG_FIELD, f"{name}: expected {expected}")


def _fault(error: BaseException) -> str:
    """msgspec's messages name the place and the fault, never the content."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
