"""Reads what a log call was given: %-arguments, stages, exceptions."""

from __future__ import annotations

import contextlib
import sys
import traceback
from types import TracebackType
from typing import Any

from telecine.logging.catalogue import STAGES_BY_NAME
from telecine.logging.record.bounded_text import called, is_shown_soon, text_of
from telecine.logging.record.plain import plain

_MAX_STACK = 64 << 10
_MAX_EXCEPTIONS = 5_000
"""So many are shown at most of those that caused, or are grouped in, one exception."""

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def normalised(event: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Formats arguments, unfolds exceptions, and reads `info("pipeline:start", msg="…")` as a stage."""
    msg = event if type(event) is str else str(plain(event))
    if args:
        msg = formatted(msg, args)
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
    info = exc_info_of(fields.pop("exc_info", None))
    return msg, _exception_fields(info) | fields if info is not None else fields


def _unfolded(fields: dict[str, Any], name: str = "extra") -> dict[str, Any]:
    """As stdlib logging takes it: `extra={"job_id": 7}`, or `extra={"extra_fields": {"job_id": 7}}`."""
    inner = fields.get(name)
    if not isinstance(inner, dict) or not all(isinstance(key, str) for key in inner):
        return dict(fields)
    found = inner | {key: value for key, value in fields.items() if key != name}
    return _unfolded(found, "extra_fields") if name == "extra" else found


def formatted(msg: str, args: tuple[Any, ...]) -> str:
    """The message with its %-arguments, as stdlib logging fills them in; never raises."""
    try:
        filled: Any = tuple(map(_showable, args))
        if len(args) == 1 and isinstance(args[0], dict) and args[0]:
            filled = args[0] if is_shown_soon(args[0]) else plain(args[0])
        return called(msg.__mod__, filled)
    except Exception:  # noqa: BLE001 - wrong arguments, or foreign code in them
        return " ".join((msg, *(str(plain(arg)) for arg in args)))


def _showable(value: Any) -> Any:
    return value if is_shown_soon(value) else str(plain(value))


def exc_info_of(given: Any) -> ExcInfo | None:
    """What an `exc_info` stands for: an exception, a tuple of `sys.exc_info`, or true for the current one."""
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
    lines = _stack(kind, error, trace)
    if len(lines) > _MAX_STACK:
        half = _MAX_STACK // 2
        lines = f"{lines[:half]}\n… {len(lines) - _MAX_STACK} characters cut …\n{lines[-half:]}"
    return {
        "error": _message(error) if error is not None else "",
        "error_type": kind.__name__ if kind is not None else "",
        "stack": lines.rstrip("\n"),
    }


def _message(error: BaseException) -> str:
    try:
        return text_of(error)
    except Exception:  # noqa: BLE001 - the error's own __str__
        return f"<{type(error).__name__} str() failed>"


def _stack(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> str:
    # Foreign code in an exception that caused this one may raise.
    with contextlib.suppress(Exception):
        if error is None or _are_shown_soon(error):
            return "".join(called(traceback.format_exception, kind, error, trace))
    name = kind.__name__ if kind is not None else ""
    frames = "".join(traceback.format_tb(trace, 100))
    return f"Traceback (most recent call last):\n{frames}{name}: <it has too much in it to be shown>"


def _are_shown_soon(error: BaseException) -> bool:
    """Whether the error and all that is shown with it are few, and each is shown soon.

    `traceback` shows a cause once, but what a group holds as often as it is held.
    """
    seen: set[int] = set()
    left = _MAX_EXCEPTIONS
    waiting: list[tuple[BaseException | None, bool]] = [(error, False)]
    while waiting:
        current, is_held = waiting.pop()
        if current is None or (id(current) in seen and not is_held):
            continue
        left -= 1
        if left < 0 or not is_shown_soon(current):
            return False
        seen.add(id(current))
        waiting += ((current.__cause__, False), (current.__context__, False))
        if isinstance(current, BaseExceptionGroup):
            waiting += ((held, True) for held in current.exceptions[:left])
    return True
