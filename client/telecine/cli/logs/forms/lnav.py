"""`telecine logs lnav-format`: how lnav reads our files, as the format file that it installs."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from telecine.logging.catalogue import FIELDS, FieldType, Level

_KINDS: Final = {FieldType.INTEGER: "integer", FieldType.NUMBER: "float"}
_HEAD: Final = ("timestamp", "level", "service", "msg", "logger", "stage")


def lnav_format() -> bytes:
    """The format file, for `lnav -i`."""
    values: dict[str, Any] = {}
    for field in FIELDS:
        value: dict[str, Any] = {"kind": _KINDS.get(field.type, "string")}
        if field.type is FieldType.ID or field.name in ("service", "logger", "stage"):
            value["identifier"] = True
        if field.name in _HEAD:
            value["hidden"] = True
        values[field.name] = value
    form = {
        "title": "Telecine",
        "description": "Records of Telecine's SDK and log collector: JSON lines",
        "json": True,
        "file-pattern": r"\.log",
        "timestamp-field": "timestamp",
        "level-field": "level",
        "body-field": "msg",
        "opid-field": "job_id",
        "level": {level.name.lower(): f"^{level.name}$" for level in Level},
        "hide-extra": False,
        "line-format": [
            {"field": "__timestamp__"},
            " ",
            {"field": "level", "min-width": 8},
            " ",
            {"field": "service"},
            " ",
            {"field": "msg"},
        ],
        "value": values,
    }
    document = {"$schema": "https://lnav.org/schemas/format-v1.schema.json", "telecine_log": form}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
