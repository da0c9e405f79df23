"""OTLP's log messages as protobuf reads them fastest: attributes and bodies stay bytes until they are needed.

On the wire a submessage and a bytes field are the same. Most attributes of a request are equal byte for
byte to others, so they are decoded once instead of once a record.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE: Final = "telecine.internal.otlp"
_F = descriptor_pb2.FieldDescriptorProto

_MESSAGES: Final[dict[str, list[tuple[str, int, int, bool, str]]]] = {
    "Request": [("resource_logs", 1, _F.TYPE_MESSAGE, True, "ResourceLogs")],
    "ResourceLogs": [
        ("resource", 1, _F.TYPE_MESSAGE, False, "Resource"),
        ("scope_logs", 2, _F.TYPE_MESSAGE, True, "ScopeLogs"),
    ],
    "Resource": [("attributes", 1, _F.TYPE_BYTES, True, "")],
    "ScopeLogs": [
        ("scope", 1, _F.TYPE_MESSAGE, False, "Scope"),
        ("log_records", 2, _F.TYPE_MESSAGE, True, "LogRecord"),
    ],
    "Scope": [
        ("name", 1, _F.TYPE_BYTES, False, ""),
        ("version", 2, _F.TYPE_BYTES, False, ""),
        ("attributes", 3, _F.TYPE_BYTES, True, ""),
    ],
    "LogRecord": [
        ("time_unix_nano", 1, _F.TYPE_FIXED64, False, ""),
        ("severity_number", 2, _F.TYPE_INT32, False, ""),
        ("severity_text", 3, _F.TYPE_BYTES, False, ""),
        ("body", 5, _F.TYPE_BYTES, False, ""),
        ("attributes", 6, _F.TYPE_BYTES, True, ""),
        ("dropped_attributes_count", 7, _F.TYPE_UINT32, False, ""),
        ("flags", 8, _F.TYPE_FIXED32, False, ""),
        ("trace_id", 9, _F.TYPE_BYTES, False, ""),
        ("span_id", 10, _F.TYPE_BYTES, False, ""),
        ("observed_time_unix_nano", 11, _F.TYPE_FIXED64, False, ""),
        ("event_name", 12, _F.TYPE_BYTES, False, ""),
    ],
}
"""Message to fields: name, number, type, whether it is repeated, message type.

Texts are bytes too: one that is no UTF-8 would make protobuf refuse all records of the request.
"""


def _build() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="telecine/internal/otlp.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, is_repeated, type_name in fields:
            described.field.add(
                name=name,
                number=number,
                type=kind,
                label=_F.LABEL_REPEATED if is_repeated else _F.LABEL_OPTIONAL,
                type_name=f".{_PACKAGE}.{type_name}" if type_name else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Request"))


ExportRequest: Final = _build()
"""Reads the bytes of an ExportLogsServiceRequest."""
