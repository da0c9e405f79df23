"""Maps an OTLP export request onto lines of the field catalogue."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec
from google.protobuf.message import DecodeError
from telecine.logging.catalogue import FIELDS_BY_NAME, STAGES_BY_NAME, parse_level

from log_collector.journal.entry import Origin
from log_collector.journal.uids import uid_key
from log_collector.otlp_value import (
    Plan,
    make_attribute,
    plan_for,
    read_attribute,
    read_planned,
    read_value,
    text_of,
)
from log_collector.otlp_wire import ExportRequest
from log_collector.processors.normalise import format_timestamp
from log_collector.record import RecordError, RejectionReason

_UNKNOWN_SERVICE: Final = "unknown_service"
_SDK_PREFIX: Final = "telemetry.sdk."
"""The sender's library: the same on every record and of no use in any."""
_MAX_REMEMBERED: Final = 16_384
_MAX_REMEMBERED_BYTES: Final = 128
_MAX_MISSES: Final = 4096
"""A key with so many different values is an id or a measurement: its values are not remembered."""
_LEVELS: Final = (b"TRACE", b"DEBUG", b"INFO", b"WARNING", b"ERROR", b"CRITICAL")
_T = TypeVar("_T")
_encode = msgspec.json.Encoder().encode


class MappedLogs(msgspec.Struct):
    """A request as lines; the lists run in parallel over the sound records."""

    lines: list[bytes]
    """JSON objects without a line end; not yet redacted."""
    uids: list[bytes]
    """What a duplicate is recognised by; empty: the record has none."""
    origin: Origin
    received_count: int
    rejected: list[tuple[RejectionReason, str]]
    """Why records are missing among the lines."""


class _Remembered(threading.local):
    """Decoded attributes by their bytes, and rendered seconds; one per thread, so without locks."""

    def __init__(self) -> None:
        self.attributes: dict[bytes, tuple[str, bytes]] = {}
        self.messages: dict[bytes, bytes] = {}
        self.plans: dict[bytes, Plan] = {}
        self.seconds: dict[int, bytes] = {}


_remembered = _Remembered()


def map_request(data: bytes, received_unix_nano: int, record_limit_bytes: int) -> MappedLogs:
    """Maps the bytes of an ExportLogsServiceRequest. Raises ValueError where they are none."""
    try:
        request = ExportRequest.FromString(data)
    except DecodeError as error:
        raise ValueError("the bytes are not an ExportLogsServiceRequest") from error
    mapped = MappedLogs([], [], Origin(), 0, [])
    for resource_logs in request.resource_logs:
        try:
            shared = _resource_fields(resource_logs.resource.attributes)
        except RecordError as error:
            count = sum(len(scope.log_records) for scope in resource_logs.scope_logs)
            mapped.rejected += [(error.reason, error.message)] * count
            mapped.received_count += count
            continue
        if not mapped.origin.service:
            mapped.origin = shared.origin
        for scope_logs in resource_logs.scope_logs:
            logger = scope_logs.scope.name
            fields = dict(shared.fields)
            if logger:
                fields["logger"] = b'"logger":' + _encode(logger)
            mapper = _Mapper(shared.service_json, fields, received_unix_nano, record_limit_bytes)
            mapper.map_all(scope_logs.log_records, mapped)
    return mapped


class _Shared(msgspec.Struct):
    """What a resource says of all its records."""

    service_json: bytes
    fields: dict[str, bytes]
    origin: Origin


class _Mapper:
    """The records of one scope."""

    def __init__(
        self, service_json: bytes, fields: dict[str, bytes], received_unix_nano: int, limit_bytes: int
    ) -> None:
        self._service = b'","service":' + service_json + b',"msg":'
        self._fields = fields
        self._received_unix_nano = received_unix_nano
        self._limit_bytes = limit_bytes
        self._attributes = _remembered.attributes
        self._messages = _remembered.messages
        self._plans = _remembered.plans
        self._seconds = _remembered.seconds

    def map_all(self, records: Iterable[Any], mapped: MappedLogs) -> None:
        """Adds a line, or a rejection, for each record."""
        for record in records:
            mapped.received_count += 1
            try:
                line, uid = self._map(record)
                if len(line) > self._limit_bytes:
                    message = f"the record has {len(line)} bytes, the limit is {self._limit_bytes}"
                    raise RecordError(RejectionReason.RECORD_TOO_LARGE, message)
            except RecordError as error:
                mapped.rejected.append((error.reason, error.message))
            else:
                mapped.lines.append(line)
                mapped.uids.append(uid_key(uid) if uid else b"")

    def _map(self, record: Any) -> tuple[bytes, bytes]:
        fields = self._fields.copy()
        uid = b""
        remembered = self._attributes
        for data in record.attributes:
            pair = remembered.get(data)
            if pair is None:
                pair, own_uid = self._read(data)
                uid = own_uid or uid
            fields[pair[0]] = pair[1]
        body = record.body
        known = self._messages.get(body)
        message = self._message(body, fields) if known is None else known
        self._add_rest(record, fields)
        when = record.time_unix_nano or record.observed_time_unix_nano or self._received_unix_nano
        head = b'{"timestamp":"%b","level":"%b' % (self._time(when), _level(record))
        line = b"".join(
            (head, self._service, message, b"," if fields else b"", b",".join(fields.values()), b"}")
        )
        return line, uid

    def _read(self, data: bytes) -> tuple[tuple[str, bytes], bytes]:
        """Name and JSON of an attribute that is not remembered, and the uid, where it is one."""
        planned = read_planned(data, self._plans)
        if planned is not None:
            plan, json = planned
            plan.misses += 1
            pair = (plan.name, json)
            if plan.misses < _MAX_MISSES:
                _remember(self._attributes, data, pair)
            return pair, b""
        attribute = read_attribute(data)
        pair = (attribute.name, attribute.json)
        if attribute.uid:
            return pair, attribute.uid
        if data[0] == 0x0A and data[1] < 0x80 and len(self._plans) < _MAX_REMEMBERED:
            key = data[2 : 2 + data[1]]
            if key not in self._plans:
                self._plans[key] = plan_for(key.decode("utf-8", "replace"))
        _remember(self._attributes, data, pair)
        return pair, b""

    def _message(self, body: bytes, fields: dict[str, bytes]) -> bytes:
        """The message of a body; that of a short text is remembered: most messages are constants."""
        if len(body) >= 2 and body[0] == 0x0A and body[1] == len(body) - 2 < 0x80:
            try:
                message = _encode(body[2:].decode())
            except UnicodeDecodeError as error:
                raise RecordError(RejectionReason.NOT_JSON, "expected a body in UTF-8") from error
            _remember(self._messages, body, message)
            return message
        return self._body(body, fields)

    @staticmethod
    def _body(body: bytes, fields: dict[str, bytes]) -> bytes:
        """The message of a longer or structured body; a map's known keys are promoted."""
        value = read_value(body) if body else ""
        if not isinstance(value, dict):
            return _encode(text_of(value))
        fields["body"] = b'"body":' + _encode(value)
        for key, inner in value.items():
            if key in FIELDS_BY_NAME and key not in fields:
                promoted = make_attribute(key, inner)
                if promoted.name == key:
                    fields[key] = promoted.json
        return _encode(text_of(value.get("msg", value.get("message", value))))

    @staticmethod
    def _add_rest(record: Any, fields: dict[str, bytes]) -> None:
        if name := record.event_name:
            encoded = _encode(name)
            fields["event"] = b'"event":' + encoded
            fallback = "stage" if name in STAGES_BY_NAME else "operation_type"
            fields.setdefault(fallback, b'"%b":%b' % (fallback.encode(), encoded))
        if trace_id := record.trace_id:
            fields["trace_id"] = b'"trace_id":"%b"' % trace_id.hex().encode()
            fields["span_id"] = b'"span_id":"%b"' % record.span_id.hex().encode()
        if flags := record.flags & 0xFF:
            fields["trace_flags"] = b'"trace_flags":%d' % flags
        if dropped := record.dropped_attributes_count:
            fields["dropped_attributes_count"] = b'"dropped_attributes_count":%d' % dropped

    def _time(self, unix_nano: int) -> bytes:
        second, nano = divmod(unix_nano, 1_000_000_000)
        rendered = self._seconds.get(second)
        if rendered is None:
            try:
                rendered = format_timestamp(second * 1_000_000_000)[:20].encode()
            except ValueError as error:
                raise RecordError(RejectionReason.WRONG_FIELD, f"time_unix_nano: expected {error}") from error
            if len(self._seconds) >= _MAX_REMEMBERED:
                self._seconds.clear()
            self._seconds[second] = rendered
        return b"%b%06dZ" % (rendered, nano // 1000)


def _remember(memory: dict[bytes, _T], data: bytes, value: _T) -> None:
    if len(data) <= _MAX_REMEMBERED_BYTES:
        if len(memory) >= _MAX_REMEMBERED:
            memory.clear()
        memory[data] = value


def _level(record: Any) -> bytes:
    number = record.severity_number
    if 1 <= number <= 24:
        return _LEVELS[(number - 1) // 4]
    level = parse_level(record.severity_text)
    return (level.name if level else "INFO").encode()


def _resource_fields(attributes: Iterable[bytes]) -> _Shared:
    service, service_json = _UNKNOWN_SERVICE, _encode(_UNKNOWN_SERVICE)
    fields: dict[str, bytes] = {}
    for data in attributes:
        attribute = read_attribute(data)
        if attribute.name == "attributes.service.name":
            service_json = attribute.json.partition(b":")[2]
            service = str(msgspec.json.decode(service_json))
        elif not attribute.name.startswith(_SDK_PREFIX):
            fields[attribute.name] = attribute.json
    origin = Origin(
        service=service,
        env=_text_of_field(fields, "env"),
        service_version=_text_of_field(fields, "service_version"),
        host=_text_of_field(fields, "host"),
        pid=_pid_of(fields),
    )
    return _Shared(service_json, fields, origin)


def _text_of_field(fields: dict[str, bytes], name: str) -> str:
    return str(msgspec.json.decode(fields[name].partition(b":")[2])) if name in fields else ""


def _pid_of(fields: dict[str, bytes]) -> int:
    value = msgspec.json.decode(fields["pid"].partition(b":")[2]) if "pid" in fields else 0
    return value if isinstance(value, int) else 0
