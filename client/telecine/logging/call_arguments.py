"""Reads what a log call was given: %-arguments, stages, exceptions."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import Any

from telecine.logging.catalogue import STAGES_BY_NAME
from telecine.logging.plain import plain

_MAX_STACK = 64 << 10

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def normalised(event: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Formats arguments, unfolds exceptions, and reads `info("pipeline:start", msg="…")` as a stage."""
    msg = event if type(event) is str else str(plain(event))
    if args:
        msg = _formatted(msg, args)
    fields = _unfolded(fields) if "extra" in fields else dict(fields)
    if not msg and "msg" not in fields and "event" in fields:
        msg = str(plain(fields.pop("event")))
    if "msg" in fields:
        given = str(plain(fields.pop("msg")))
        fields.setdefault("stage" if msg in STAGES_BY_NAME else "event", msg)
        msg = given
    elif msg in STAGES_BY_NAME:
        fields.setdefault("stage", msg)
    stack_info = fields.pop("stack_info", None)
    if stack_info:
        fields.setdefault("stack", "".join(traceback.format_stack(sys._getframe(3))))  # noqa: SLF001 - the caller's
    info = _exc_info(fields.pop("exc_info", None))
    return msg, _exception_fields(info) | fields if info is not None else fields


def _unfolded(fields: dict[str, Any], name: str = "extra") -> dict[str, Any]:
    """As stdlib logging takes it: `extra={"job_id": 7}`, or `extra={"extra_fields": {"job_id": 7}}`."""
    inner = fields.get(name)
    if not isinstance(inner, dict) or not all(isinstance(key, str) for key in inner):
        return dict(fields)
    found = inner | {key: value for key, value in fields.items() if key != name}
    return _unfolded(found, "extra_fields") if name == "extra" else found


def _formatted(msg: str, args: tuple[Any, ...]) -> str:
    try:
        return msg % (args[0] if len(args) == 1 and isinstance(args[0], dict) and args[0] else args)
    except (TypeError, ValueError, KeyError):
        return " ".join((msg, *(str(plain(arg)) for arg in args)))


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple) and len(given) == 3:
        return given if given[0] is not None else None
    if given:
        current = sys.exc_info()
        return current if current[0] is not None else None
    return None


def _exception_fields(info: ExcInfo) -> dict[str, Any]:
    """What the catalogue says about errors; never the values of local variables."""
    kind, error, trace = info
    lines = "".join(traceback.format_exception(kind, error, trace))
    if len(lines) > _MAX_STACK:
        half = _MAX_STACK // 2
        lines = f"{lines[:half]}\n… {len(lines) - _MAX_STACK} characters cut …\n{lines[-half:]}"
    return {
        "error": str(plain(str(error))) if error is not None else "",
        "error_type": kind.__name__ if kind is not None else "",
        "stack": lines.rstrip("\n"),
    }
