"""OTLP attributes and bodies as names and plain values, and as the JSON text of one field."""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from telecine.logging.catalogue import FIELDS, FIELDS_BY_NAME, LEADING_FIELDS, FieldType
from telecine.logging.record.plain import number

from log_collector.processors.normalise import KEPT_APART, coerce
from log_collector.record import RecordError, RejectionReason

_OWN_PREFIX: Final = "telecine."
_FIELD_BY_OTLP: Final[dict[str, str]] = {
    **{name: field.name for field in FIELDS for name in field.otlp},
    **{_OWN_PREFIX + field.name: field.name for field in FIELDS},
}
_DURATION: Final = re.compile(r"duration[._](s|sec|seconds|ms|us|ns|nanos)")
_MILLISECONDS: Final = {
    "s": 1e3,
    "sec": 1e3,
    "seconds": 1e3,
    "ms": 1.0,
    "us": 1e-3,
    "ns": 1e-6,
    "nanos": 1e-6,
}
_DOUBLE: Final = struct.Struct("<d")
_unpack_double = _DOUBLE.unpack_from
FIRST_TAG, SECOND_TAG, STRING_TAG, DOUBLE_TAG = 0x0A, 0x12, 0x0A, 0x21
"""Tags: a pair's key and its value, and in the value a string and a double."""
_LONGEST_KEY_END: Final = 0x81
"""Behind a key whose length takes one byte."""
_encode = msgspec.json.Encoder().encode


class Attribute(msgspec.Struct, frozen=True):
    """One attribute, ready to stand in a line."""

    name: str
    """The field's name."""
    json: bytes
    """`"name":value`."""
    uid: bytes = b""
    """The value, where the field is `uid`."""


class Plan(msgspec.Struct):
    """What is known of all attributes of one key: enough to write the usual ones without any mapping."""

    name: str
    prefix: bytes
    """`"name":`."""
    takes_text: bool
    """Whether a string stands as it is."""
    takes_number: bool
    """Whether a finite double stands as it is."""
    misses: int = 0
    """How many values were read anew; a key with many is one whose values are worth no memory."""


def plan_for(key: str) -> Plan:
    """Decides how the usual values of a key are written."""
    name = _FIELD_BY_OTLP.get(key, key)
    field = FIELDS_BY_NAME.get(name)
    is_scaled = name != "duration_ms" and _DURATION.fullmatch(name) is not None
    is_plain = name not in LEADING_FIELDS and name != "uid" and not is_scaled
    return Plan(
        name,
        _encode(name) + b":",
        is_plain and (field is None or field.type in (FieldType.TEXT, FieldType.ID)),
        is_plain and (field is None or field.type is FieldType.NUMBER),
    )


RedactBytes = Callable[[bytes], bytes]
"""Takes the secrets out of what is written as Base64, where no later look could find short ones."""


def read_attribute(data: bytes, redact: RedactBytes) -> Attribute:
    """Reads one KeyValue and maps it onto the catalogue. Raises RecordError where the bytes are none."""
    key, value = read_pair(data, redact)
    return make_attribute(key, value)


def read_planned(data: bytes, plan: Plan) -> bytes | None:
    """The JSON of an attribute of the plan's key; None: `read_attribute` must look at it.

    Read here are short strings, and doubles.
    """
    size = len(data)
    end = 2 + data[1]
    if end + 3 > size or end > _LONGEST_KEY_END or data[0] != FIRST_TAG or data[end] != SECOND_TAG:
        return None
    kind = data[end + 2]
    if data[end + 1] != size - end - 2:
        return None
    if kind == STRING_TAG and plan.takes_text and size > end + 3 and data[end + 3] == size - end - 4:
        value = data[end + 4 :]
        if value.isalnum():
            return b'%b"%b"' % (plan.prefix, value)
        try:
            return plan.prefix + _encode(value.decode())
        except UnicodeDecodeError as error:
            raise _unreadable() from error
    if kind == DOUBLE_TAG and plan.takes_number and size == end + 11:
        double = _unpack_double(data, end + 3)[0]
        if math.isfinite(double):
            return plan.prefix + _encode(double)
    return None


def make_attribute(key: str, value: object) -> Attribute:
    """Maps a name and a value onto the catalogue; what is not in it keeps its name."""
    name = _FIELD_BY_OTLP.get(key, key)
    if name in LEADING_FIELDS:
        return _attribute(KEPT_APART + key, value)
    if (match := _DURATION.fullmatch(name)) is not None and isinstance(value, int | float):
        return _attribute("duration_ms", value * _MILLISECONDS[match[1]])
    field = FIELDS_BY_NAME.get(name)
    if field is None or value is None:
        return _attribute(name, value)
    try:
        coerced = coerce(name, field.type, value)
    except RecordError:
        # An OTLP client does not know our catalogue: the value is kept, under a name of its own.
        return _attribute(KEPT_APART + key, value)
    uid = str(coerced).encode() if name == "uid" and coerced != "" else b""
    return msgspec.structs.replace(_attribute(name, coerced), uid=uid)


def read_value(data: bytes, redact: RedactBytes) -> object:
    """Reads one AnyValue as str, bool, int, float, list, dict or None. Raises RecordError."""
    if len(data) >= 2 and data[0] == 0x0A and data[1] == len(data) - 2 < 0x80:
        try:
            return data[2:].decode()
        except UnicodeDecodeError as error:
            raise _unreadable() from error
    try:
        return plain(AnyValue.FromString(data), redact)
    except DecodeError as error:
        raise _unreadable() from error


def text_of(value: object) -> str:
    """A value as a message: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else _encode(value).decode()


def plain(value: Any, redact: RedactBytes) -> object:
    """An AnyValue as a plain value; bytes become base64, as in OTLP's JSON form."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return number(value.double_value)
        case "array_value":
            return [plain(item, redact) for item in value.array_value.values]
        case "kvlist_value":
            return {pair.key: plain(pair.value, redact) for pair in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(redact(value.bytes_value)).decode()
        case _:
            return None


def read_pair(data: bytes, redact: RedactBytes) -> tuple[str, object]:
    """Reads one KeyValue.

    The usual shape, a short key and a short scalar, is read here; the rest by protobuf.
    """
    try:
        if data[0] == 0x0A and data[1] < 0x80:
            end = 2 + data[1]
            if data[end] == 0x12 and data[end + 1] == len(data) - end - 2 < 0x80:
                value = data[end + 2 :]
                if value[0] == 0x0A and value[1] == len(value) - 2:
                    return data[2:end].decode(), value[2:].decode()
                if value[0] == 0x21 and len(value) == 9:
                    return data[2:end].decode(), number(_DOUBLE.unpack_from(value, 1)[0])
    except IndexError:
        pass
    except UnicodeDecodeError as error:
        raise _unreadable() from error
    try:
        pair = KeyValue.FromString(data)
        return pair.key, plain(pair.value, redact)
    except DecodeError as error:
        raise _unreadable() from error


def _attribute(name: str, value: object) -> Attribute:
    return Attribute(name, _encode(name) + b":" + _encode(value))


def _unreadable() -> RecordError:
    return RecordError(RejectionReason.NOT_JSON, "expected an attribute or a body in UTF-8")
