"""Maps an OTLP export request onto lines of the field catalogue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from google.protobuf.message import DecodeError
from telecine.logging.catalogue import FIELDS_BY_NAME, KEY_ALIASES

from log_collector.journal.entry import Origin
from log_collector.journal.uids import uid_key
from log_collector.otlp.columns import MAX_MISSES, MIN_ALIKE, all_plain, by_keys, by_size, read_columns
from log_collector.otlp.rest import LEVELS, SEVERITIES, add_rest, add_severity, is_usual_severity
from log_collector.otlp.values import (
    Plan,
    make_attribute,
    plan_for,
    read_attribute,
    read_pair,
    read_planned,
    read_value,
    text_of,
)
from log_collector.otlp.wire import ExportRequest
from log_collector.processors.normalise import KEPT_APART, format_timestamp
from log_collector.record import RecordError, RejectionReason

_UNKNOWN_SERVICE: Final = "unknown_service"
_SDK_PREFIX: Final = "telemetry.sdk."
"""The sender's library: the same on every record and of no use in any."""
_MAX_REMEMBERED: Final = 16_384
_MAX_REMEMBERED_BYTES: Final = 128
_SHORTEST: Final = 3
"""Of an attribute that has a key and a value."""
_OPENING: Final = b'{"timestamp":"'
_DIGITS: Final = tuple(b"%03d" % number for number in range(1000))
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
    redacted: dict[str, int] = msgspec.field(default_factory=dict)
    """Secrets taken out of values of type bytes, per rule."""


class _Remembered(threading.local):
    """Decoded attributes by their bytes, and rendered seconds; one per thread, so without locks."""

    def __init__(self) -> None:
        self.attributes: dict[bytes, tuple[str, bytes]] = {}
        self.messages: dict[bytes, bytes] = {}
        self.plans: dict[bytes, Plan] = {}
        self.seconds: dict[int, bytes] = {}


_remembered = _Remembered()


def map_request(
    data: bytes,
    received_unix_nano: int,
    record_limit_bytes: int,
    redact_bytes: Callable[[bytes, dict[str, int]], bytes],
) -> MappedLogs:
    """Maps the bytes of an ExportLogsServiceRequest. Raises ValueError where they are none.

    `redact_bytes` takes secrets out of values of type bytes, and counts them.
    """
    try:
        request = ExportRequest.FromString(data)
    except DecodeError as error:
        raise ValueError("the bytes are not an ExportLogsServiceRequest") from error
    mapped = MappedLogs([], [], Origin(), 0, [])
    inner = _Bytes(redact_bytes, mapped.redacted)
    for resource_logs in request.resource_logs:
        try:
            shared = _resource_fields(resource_logs.resource.attributes, inner)
        except RecordError as error:
            count = sum(len(scope.log_records) for scope in resource_logs.scope_logs)
            mapped.rejected += [(error.reason, error.message)] * count
            mapped.received_count += count
            continue
        if not mapped.origin.service:
            mapped.origin = shared.origin
        for scope_logs in resource_logs.scope_logs:
            try:
                fields = _scope_fields(scope_logs.scope, shared, inner)
            except RecordError as error:
                mapped.rejected += [(error.reason, error.message)] * len(scope_logs.log_records)
                mapped.received_count += len(scope_logs.log_records)
                continue
            mapper = _Mapper(shared.service_json, fields, received_unix_nano, record_limit_bytes, inner)
            mapper.map_all(scope_logs.log_records, mapped)
    return mapped


class _Bytes:
    """Redacts values of type bytes, and knows how many it was given: what holds one is not remembered."""

    def __init__(self, redact: Callable[[bytes, dict[str, int]], bytes], counts: dict[str, int]) -> None:
        self._redact = redact
        self._counts = counts
        self.seen = 0

    def __call__(self, raw: bytes) -> bytes:
        self.seen += 1
        return self._redact(raw, self._counts)


class _Shared(msgspec.Struct):
    """What a resource says of all its records."""

    service_json: bytes
    fields: dict[str, bytes]
    origin: Origin


class _Mapper:
    """The records of one scope. A field is kept as `,"name":value`."""

    def __init__(
        self,
        service_json: bytes,
        fields: dict[str, bytes],
        received_unix_nano: int,
        limit_bytes: int,
        inner: _Bytes,
    ) -> None:
        self._inner = inner
        self._body_level: object = None
        """What the structured body at hand says of its level."""
        self._heads = tuple(b'Z","level":"%b","service":%b,"msg":' % (x, service_json) for x in LEVELS)
        self._fields = fields
        self._received_unix_nano = received_unix_nano
        self._limit_bytes = limit_bytes
        self._attributes = _remembered.attributes
        self._messages = _remembered.messages
        self._plans = _remembered.plans
        self._seconds = _remembered.seconds

    def map_all(self, records: Any, mapped: MappedLogs) -> None:
        """Adds a line, or a rejection, for each record."""
        records = records[:]
        mapped.received_count += len(records)
        attributes = [record.attributes[:] for record in records]
        found: list[tuple[bytes, bytes] | None] = [None] * len(records)
        for indexes in by_size(attributes):
            own, theirs = [records[i] for i in indexes], [attributes[i] for i in indexes]
            alike = self._map_alike(own, theirs)
            if alike is not None:
                _place(found, indexes, alike)
                continue
            for some in by_keys(theirs) if len(own) >= MIN_ALIKE else [list(range(len(own)))]:
                picked = [own[i] for i in some]
                alike = self._map_alike(picked, [theirs[i] for i in some])
                _place(found, [indexes[i] for i in some], alike or self._map_each(picked, mapped.rejected))
        sound = [one for one in found if one is not None]
        mapped.lines += [line for line, _ in sound]
        mapped.uids += [uid for _, uid in sound]

    def _map_alike(
        self, records: Sequence[Any], attributes: Sequence[Sequence[bytes]]
    ) -> list[tuple[bytes, bytes] | None] | None:
        """Records of one shape with nothing unusual in them; None: each must be looked at."""
        if len(records) < MIN_ALIKE or not all_plain(records):
            return None
        words = {(record.severity_number, record.severity_text) for record in records}
        if not all(is_usual_severity(number, word) for number, word in words):
            return None
        messages = [self._messages.get(record.body) for record in records]
        whens = [record.time_unix_nano for record in records]
        levels = [record.severity_number for record in records]
        if None in messages or not all(whens) or min(levels) < 1 or max(levels) > len(SEVERITIES):
            return None
        try:
            columns = read_columns(attributes, self._fields, self._attributes, self._plans, self._read)
            stamps = self._stamps(whens)
        except RecordError:
            return None
        if columns is None:
            return None
        heads = [self._heads[SEVERITIES[level - 1]] for level in levels]
        count = len(records)
        shared = b"".join(self._fields.values())
        parts = (
            [_OPENING] * count, stamps, heads, messages, [shared] * count, *columns, [b"}"] * count
        )  # fmt: skip
        lines = list(map(b"".join, zip(*parts, strict=True)))
        if max(map(len, lines)) > self._limit_bytes:
            return None
        return [(line, b"") for line in lines]

    def _map_each(
        self, records: Sequence[Any], rejected: list[tuple[RejectionReason, str]]
    ) -> list[tuple[bytes, bytes] | None]:
        found: list[tuple[bytes, bytes] | None] = []
        for record in records:
            try:
                line, uid = self._map(record)
                if len(line) > self._limit_bytes:
                    message = f"the record has {len(line)} bytes, the limit is {self._limit_bytes}"
                    raise RecordError(RejectionReason.RECORD_TOO_LARGE, message)
            except RecordError as error:
                rejected.append((error.reason, error.message))
                found.append(None)
            else:
                found.append((line, uid_key(uid) if uid else b""))
        return found

    def _map(self, record: Any) -> tuple[bytes, bytes]:
        fields = self._fields.copy()
        uid = b""
        remembered = self._attributes.get
        # The slice makes a list of them at once, which is faster than asking for one after the other.
        attributes = record.attributes[:]
        names = set()
        for data in attributes:
            pair = remembered(data)
            if pair is None:
                pair, own_uid = self._read(data)
                uid = own_uid or uid
            fields[pair[0]] = pair[1]
            names.add(pair[0])
        if len(names) < len(attributes):
            self._keep_doubles(attributes, fields)
        body = record.body
        self._body_level = None
        message = self._messages.get(body)
        if message is None:
            message = self._message(body, fields)
        if not all_plain((record,)):
            add_rest(record, fields)
        level = add_severity(record, self._body_level, fields)
        when = record.time_unix_nano or record.observed_time_unix_nano or self._received_unix_nano
        parts = (_OPENING, self._stamp(when), self._heads[level], message, *fields.values(), b"}")
        return b"".join(parts), uid

    def _keep_doubles(self, attributes: Sequence[bytes], fields: dict[str, bytes]) -> None:
        """Of attributes that mean the same field the last stands there; the others keep their own keys."""
        seen: dict[str, str] = {}
        for data in reversed(attributes):
            key, value = read_pair(data, self._inner)
            name = make_attribute(key, value).name
            if name not in seen:
                seen[name] = key
                continue
            apart = KEPT_APART + key
            while apart in fields:
                apart += "_"
            fields[apart] = b",%b:%b" % (_encode(apart), _encode(value))

    def _stamp(self, unix_nano: int) -> bytes:
        second, micro = divmod(unix_nano // 1000, 1_000_000)
        rendered = self._seconds.get(second) or self._second(second)
        return rendered + _DIGITS[micro // 1000] + _DIGITS[micro % 1000]

    def _read(self, data: bytes) -> tuple[tuple[str, bytes], bytes]:
        """Name and JSON of an attribute that is not remembered, and the uid, where it is one."""
        plan = self._plans.get(data[2 : 2 + data[1]]) if len(data) > _SHORTEST else None
        if plan is not None and (json := read_planned(data, plan)) is not None:
            pair = (plan.name, b"," + json)
            if plan.misses < MAX_MISSES:
                plan.misses += 1
                _remember(self._attributes, data, pair)
            return pair, b""
        seen = self._inner.seen
        attribute = read_attribute(data, self._inner)
        pair = (attribute.name, b"," + attribute.json)
        if attribute.uid:
            return pair, attribute.uid
        if self._inner.seen != seen:
            return pair, b""
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

    def _body(self, body: bytes, fields: dict[str, bytes]) -> bytes:
        """The message of a longer or structured body; a map's known keys are promoted."""
        value = read_value(body, self._inner) if body else ""
        if not isinstance(value, dict):
            return _encode(text_of(value))
        fields["body"] = b',"body":' + _encode(value)
        for key, inner in value.items():
            if KEY_ALIASES.get(key, key) == "level" and inner is not None:
                self._body_level = inner
            if key in FIELDS_BY_NAME and key not in fields:
                promoted = make_attribute(key, inner)
                if promoted.name == key:
                    fields[key] = b"," + promoted.json
        return _encode(text_of(value.get("msg", value.get("message", value))))

    def _stamps(self, unix_nano: Sequence[int]) -> list[bytes]:
        seconds, micros = np.divmod(np.array(unix_nano, np.uint64) // 1000, 1_000_000)
        known = {s: self._seconds.get(s) or self._second(s) for s in set(seconds.tolist())}
        parts = zip(seconds.tolist(), (micros // 1000).tolist(), (micros % 1000).tolist(), strict=True)
        return [known[second] + _DIGITS[a] + _DIGITS[b] for second, a, b in parts]

    def _second(self, second: int) -> bytes:
        """The second as it stands in a line, up to its point."""
        try:
            rendered = format_timestamp(second * 1_000_000_000)[:20].encode()
        except ValueError as error:
            raise RecordError(RejectionReason.WRONG_FIELD, f"time_unix_nano: expected {error}") from error
        if len(self._seconds) >= _MAX_REMEMBERED:
            self._seconds.clear()
        self._seconds[second] = rendered
        return rendered


def _place(found: list[_T | None], indexes: Sequence[int], mapped: Sequence[_T | None]) -> None:
    for index, one in zip(indexes, mapped, strict=True):
        found[index] = one


def _remember(memory: dict[bytes, _T], data: bytes, value: _T) -> None:
    if len(data) <= _MAX_REMEMBERED_BYTES:
        if len(memory) >= _MAX_REMEMBERED:
            memory.clear()
        memory[data] = value


def _resource_fields(attributes: Iterable[bytes], inner: _Bytes) -> _Shared:
    service, service_json = _UNKNOWN_SERVICE, _encode(_UNKNOWN_SERVICE)
    fields: dict[str, bytes] = {}
    for data in attributes:
        attribute = read_attribute(data, inner)
        if attribute.name == "attributes.service.name":
            service = _service_name(attribute.json)
            service_json = _encode(service)
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


def _service_name(field: bytes) -> str:
    """A service is always a text, and never an empty one."""
    value = msgspec.json.decode(b"{" + field + b"}").popitem()[1]
    return text_of(value) if value not in ("", None) else _UNKNOWN_SERVICE


def _scope_fields(scope: Any, shared: _Shared, inner: _Bytes) -> dict[str, bytes]:
    """What a scope and its resource say of all its records; the scope knows better."""
    fields = {name: b"," + json for name, json in shared.fields.items()}
    if scope.name:
        fields["logger"] = b',"logger":' + _encode(scope.name.decode("utf-8", "replace"))
    if scope.version:
        version = _encode(scope.version.decode("utf-8", "replace"))
        fields["otel.scope.version"] = b',"otel.scope.version":' + version
    for data in scope.attributes:
        attribute = read_attribute(data, inner)
        fields[attribute.name] = b"," + attribute.json
    return fields


def _text_of_field(fields: dict[str, bytes], name: str) -> str:
    return str(msgspec.json.decode(fields[name].partition(b":")[2])) if name in fields else ""


_MAX_PID: Final = 2**63


def _pid_of(fields: dict[str, bytes]) -> int:
    value = msgspec.json.decode(fields["pid"].partition(b":")[2]) if "pid" in fields else 0
    return value if isinstance(value, int) and 0 <= value < _MAX_PID else 0
