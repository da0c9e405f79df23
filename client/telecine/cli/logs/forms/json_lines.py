"""Reads JSON log lines of other loggers: their time, level and message are understood, all else is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from telecine.logging.catalogue import FIELDS

Fields = dict[str, Any]

_SYSLOG: Final = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")
"""The levels of syslog's severities, which journald and GELF use."""
_PINO: Final = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR", 60: "CRITICAL"}
"""Those of pino and bunyan, whose numbers are not Python's."""
_EARLIEST_MILLISECONDS: Final = 10**11
_NESTED: Final = tuple((field.ecs.split("."), field.name) for field in FIELDS if "." in field.ecs)
_NAMES: Final = {
    "timestamp": (
        "@timestamp", "time", "ts", "asctime", "datetime", "date", "Timestamp", "eventTime", "@t",
    ),
    "level": (
        "log.level", "severity", "levelname", "lvl", "loglevel", "log_level", "Level", "levelName", "@l",
    ),
    "msg": ("message", "text", "textPayload", "short_message", "RenderedMessage", "Message", "@m", "body"),
    "logger": ("log.logger", "logger_name", "loggerName", "SourceContext"),
    "stack": ("stack_trace", "exc_info", "exc_text", "exception", "Exception", "stacktrace", "@x"),
}  # fmt: skip
"""What others call our fields, the most usual name first."""
_HOLE: Final = re.compile(r"\{[@$]?(\w++)(?:[,:][^{}]*+)?\}")
_MAX_RENDERED_CHARS: Final = 64_000
"""Of a message whose values are filled in; a long value named often would fill the memory."""
_MAX_WHOLE: Final = 2**63 - 1


def understood(tree: Fields, inner: Callable[[str], Fields], zone: tzinfo | None = None) -> Fields:
    """The same record with our names; `inner` reads a line that another one wraps.

    `zone`: of times that name none. None: this machine's.
    """
    fields = dict(tree)
    for is_it, read in _FORMS:
        if is_it(fields):
            fields = read(fields, inner)
            break
    for name, others in _NAMES.items():
        for other in others:
            value = fields.get(other)
            if name not in fields and value is not None and (name == "timestamp" or isinstance(value, str)):
                fields[name] = fields.pop(other)
    for path, name in _NESTED:
        known = fields.get(name)
        if (known is None or isinstance(known, dict)) and (found := _at(fields, path)) is not None:
            if known is not None:
                fields[f"attributes.{name}"] = known
            fields[name] = found
    if "timestamp" in fields:
        fields["timestamp"] = _with_zone(fields["timestamp"], zone)
    return fields


def syslog_level(severity: int) -> str:
    """The level of a severity from 0 to 7; of another number, a priority, the last three bits count."""
    return _SYSLOG[severity & 7]


def _docker(fields: Fields, inner: Callable[[str], Fields]) -> Fields:
    found = inner(str(fields.pop("log")).rstrip("\r\n"))
    fields["timestamp"] = fields.pop("time")
    return fields | found


def _journald(fields: Fields, _: object) -> Fields:
    fields["timestamp"] = _whole(fields.pop("__REALTIME_TIMESTAMP"))
    message = fields.pop("MESSAGE", "")
    if isinstance(message, list):
        # Of a message that is no UTF-8 journald gives the bytes.
        message = bytes(byte & 0xFF for byte in message if isinstance(byte, int)).decode(
            "utf-8", "backslashreplace"
        )
    fields["msg"] = message if isinstance(message, str) else str(message)
    priority = _whole(fields.get("PRIORITY"))
    if isinstance(priority, int):
        fields["level"] = syslog_level(priority)
    for theirs, ours in (("SYSLOG_IDENTIFIER", "logger"), ("_HOSTNAME", "host"), ("_PID", "pid")):
        if theirs in fields:
            fields[ours] = _whole(fields.pop(theirs)) if ours == "pid" else fields.pop(theirs)
    return fields


def _serilog(fields: Fields, _: object) -> Fields:
    fields.setdefault("@l", "Information")
    template = fields.get("@mt", fields.get("MessageTemplate"))
    if "@m" not in fields and "RenderedMessage" not in fields and isinstance(template, str):
        values = fields.get("Properties", fields)
        known: Mapping[str, Any] = values if isinstance(values, dict) else fields
        fields["msg"] = _rendered(template, known)
    if isinstance(fields.get("Level"), str):
        del fields["@l"]
    return fields


def _rendered(template: str, values: Mapping[str, Any]) -> str:
    """The template with its values; holes behind the longest message stay as they are written."""
    parts: list[str] = []
    chars = end = 0
    for hole in _HOLE.finditer(template):
        parts += template[end : hole.start()], str(values.get(hole[1], hole[0]))
        chars += len(parts[-2]) + len(parts[-1])
        end = hole.end()
        if chars > _MAX_RENDERED_CHARS:
            break
    return "".join(parts) + template[end:]


def _gelf(fields: Fields, _: object) -> Fields:
    level = fields.get("level")
    fields["level"] = syslog_level(level) if isinstance(level, int) else "INFO"
    fields["msg"] = fields.pop("short_message")
    for name in [name for name in fields if name.startswith("_") and len(name) > 1]:
        if name[1:] not in fields:
            fields[name[1:]] = fields.pop(name)
    return fields


def _pino(fields: Fields, _: object) -> Fields:
    fields["level"] = _PINO[fields["level"]]
    for theirs, ours in (("name", "logger"), ("hostname", "host")):
        if isinstance(fields.get(theirs), str):
            fields.setdefault(ours, fields.pop(theirs))
    error = fields.get("err")
    if isinstance(error, dict):
        for theirs, ours in (("type", "error_type"), ("message", "error"), ("stack", "stack")):
            if isinstance(error.get(theirs), str):
                fields.setdefault(ours, error[theirs])
    return fields


def _loguru(fields: Fields, _: object) -> Fields:
    record = fields["record"]
    moment, level = record.get("time"), record.get("level")
    if isinstance(moment, dict) and "timestamp" in moment:
        fields["timestamp"] = moment["timestamp"]
    if isinstance(level, dict) and isinstance(level.get("name"), str):
        fields["level"] = level["name"]
    fields["msg"] = str(record["message"])
    if isinstance(record.get("name"), str):
        fields.setdefault("logger", record["name"])
    return fields


def _log4j(fields: Fields, _: object) -> Fields:
    instant = fields["instant"]
    seconds, nanos = instant.get("epochSecond"), instant.get("nanoOfSecond", 0)
    if isinstance(seconds, int) and isinstance(nanos, int):
        moment = seconds * 10**9 + nanos
        fields["timestamp"] = moment if abs(moment) <= _MAX_WHOLE else str(moment)
    return fields


_FORMS: Final[
    tuple[tuple[Callable[[Fields], bool], Callable[[Fields, Callable[[str], Fields]], Fields]], ...]
] = (
    (lambda f: {"log", "time"} <= f.keys() <= {"log", "time", "stream", "attrs"}, _docker),
    (lambda f: "__REALTIME_TIMESTAMP" in f, _journald),
    (lambda f: "@t" in f or ("Timestamp" in f and "MessageTemplate" in f), _serilog),
    (lambda f: "short_message" in f and ("version" in f or "host" in f), _gelf),
    (lambda f: "level" in f and _is_pino(f), _pino),
    (lambda f: isinstance(f.get("record"), dict) and "message" in f["record"], _loguru),
    (lambda f: isinstance(f.get("instant"), dict), _log4j),
)


def _is_pino(fields: Fields) -> bool:
    level, moment = fields["level"], fields.get("time")
    if isinstance(level, bool) or not isinstance(level, int) or level not in _PINO:
        return False
    is_milliseconds = isinstance(moment, int) and moment > _EARLIEST_MILLISECONDS
    return is_milliseconds or ("hostname" in fields and "pid" in fields)


def _at(fields: Fields, path: list[str]) -> object:
    found: Any = fields
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _whole(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value


def _with_zone(value: object, zone: tzinfo | None) -> object:
    """A time that names no zone is local, in every form of file alike."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.strip().replace(",", ".").replace("/", "-"))
        return moment.replace(tzinfo=zone).astimezone(UTC).isoformat() if moment.tzinfo is None else value
    except (ValueError, OverflowError):
        # No time, or one at either end of the calendar (the zero time of Go and .NET) that UTC cannot have.
        return value
