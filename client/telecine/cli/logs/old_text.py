"""What the text of old records states: durations, stages, and the errors of tracebacks."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from telecine.logging.catalogue import OPERATION_FAMILY

_UNITS: Final = {
    "us": 0.001, "µs": 0.001, "microsecond": 0.001, "microseconds": 0.001,
    "ms": 1.0, "msec": 1.0, "millisecond": 1.0, "milliseconds": 1.0,
    "s": 1000.0, "sec": 1000.0, "secs": 1000.0, "second": 1000.0, "seconds": 1000.0,
    "m": 60_000.0, "min": 60_000.0, "mins": 60_000.0, "minute": 60_000.0, "minutes": 60_000.0,
    "h": 3_600_000.0, "hour": 3_600_000.0, "hours": 3_600_000.0,
}  # fmt: skip
_AMOUNT: Final = (
    rf"(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?) ?(?P<unit>{'|'.join(sorted(_UNITS, key=len)[::-1])})\b"
)
_VERBS: Final = "executed|took|finished|completed|done|ran|succeeded|failed"
_EXECUTED: Final = re.compile(
    rf"(?<![\w.])(?P<name>[A-Za-z_][\w.]*)(?:\(\))? (?:{_VERBS})(?: in| after)? {_AMOUNT}"
)
"""stitch_images executed in 1.50 seconds; render.frame took 350 ms"""
_STAGE: Final = re.compile(rf"Stage (?P<name>[\w.-]+): (?:COMPLETED|FAILED|SKIPPED) \({_AMOUNT}\)")
"""Stage demux: COMPLETED (4.2s)"""
_OPERATION: Final = re.compile(
    r"Operation (?P<name>[\w.:-]+) (?:completed|failed): (?P<record>\{.*\})", re.DOTALL
)
"""Operation process_comic completed: {"operation": "process_comic", "duration": 1.5, …}"""
TRACEBACK: Final = "Traceback (most recent call last)"
RAISED: Final = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?")
"""ValueError: odd"""
_MAX_SCANNED: Final = 10_000
"""Characters of a message in which a duration is looked for."""


class _Record(msgspec.Struct):
    """What StructuredLogRecord writes behind a message."""

    duration: float | None = None
    status: str | None = None
    error: str | None = None
    context: dict[str, Any] = {}
    events: list[Any] = []


def message_fields(msg: str) -> dict[str, Any]:
    """Returns the fields that a message states: of an operation its stage, its duration and how it went."""
    msg = msg if len(msg) <= _MAX_SCANNED or msg.startswith("Operation ") else msg[:_MAX_SCANNED]
    if (found := _OPERATION.fullmatch(msg)) is not None:
        return _operation_fields(found["name"], found["record"])
    if (found := _STAGE.search(msg)) is not None:
        return {"stage": f"stage:{found['name']}", "duration_ms": _milliseconds(found)}
    if (found := _EXECUTED.search(msg)) is not None:
        return {**_named(found["name"]), "duration_ms": _milliseconds(found)}
    return {}


def stack_fields(stack: str) -> dict[str, Any]:
    """Returns `error_type` and `error` of a traceback: those of the exception that it ends with."""
    if TRACEBACK not in stack:
        return {}
    for line in reversed(stack.splitlines()):
        if line.startswith((" ", "\t")) or not line:
            continue
        found = RAISED.fullmatch(line)
        if found is not None:
            name = found["type"].rpartition(".")[2]
            return {"error_type": name} | ({"error": found["text"]} if found["text"] else {})
    return {}


def _operation_fields(name: str, text: str) -> dict[str, Any]:
    try:
        record = msgspec.json.decode(text, type=_Record)
    except (msgspec.MsgspecError, RecursionError):
        return _named(name)
    fields: dict[str, Any] = {**record.context, **_named(name)}
    if record.duration is not None:
        fields["duration_ms"] = round(record.duration * 1000, 3)
    status = {"success": "succeeded", "failure": "failed"}.get(record.status or "", record.status)
    own = {"status": status, "error": record.error, "events": record.events}
    return fields | {key: value for key, value in own.items() if value}


def _named(name: str) -> dict[str, Any]:
    return {"stage": name if ":" in name else f"{OPERATION_FAMILY}:{name}", "operation": name}


def _milliseconds(found: re.Match[str]) -> float:
    return round(float(found["number"]) * _UNITS[found["unit"]], 6)
