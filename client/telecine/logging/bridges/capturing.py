"""Shows records to tests: to structlog's `capture_logs`, pytest's `caplog` and unittest's `assertLogs`.

These know structlog and stdlib `logging`, through which our records do not go. Without any of them, looking
for them costs a record about 0.1 µs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from types import FrameType, TracebackType
from typing import Any, Final

import msgspec
import structlog
from structlog.testing import LogCapture

_FRAMEWORKS: Final = frozenset({"_pytest", "unittest", "testfixtures", "logot"})
"""Top-level modules of the handlers that capture."""
_LOADED: Final = ("_pytest.logging", "unittest.case", "testfixtures.logcapture", "logot")
_PACKAGE: Final = __name__.partition(".bridges")[0]
_METHODS: Final = {5: "trace", 10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}

_structlog: Any = structlog._config._CONFIG  # noqa: SLF001 - get_config() makes a dict for each record
_handlers: list[Any] = getattr(logging, "_handlerList", [])
"""All handlers of the process, the youngest last."""

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class _Seen:
    """What was found when a handler was last made or dropped."""

    def __init__(self) -> None:
        self.youngest: Any = self
        self.has_captures = self.is_test = False


_seen = _Seen()


def are_tests_loaded() -> bool:
    """Whether something may capture records below the level that is configured."""
    return not sys.modules.keys().isdisjoint(_LOADED)


def is_capturing() -> bool:
    """Whether somebody captures records now."""
    processors = _structlog.default_processors
    if processors and type(processors[-1]) is LogCapture:
        return True
    youngest = _handlers[-1] if _handlers else None
    if youngest is not _seen.youngest:
        _seen.youngest = youngest
        _seen.has_captures = any(_captures(reference()) for reference in list(_handlers))
        _seen.is_test = are_tests_loaded()
    # dictConfig empties the list, while handlers of a test stay where they are.
    return _seen.has_captures or (_seen.is_test and any(map(_captures, logging.root.handlers)))


def capture_for_structlog(level: int, event: Any, fields: Mapping[str, Any], logger: Any) -> bool:
    """Gives the record to `capture_logs`; False: nothing of it is active. What it has goes nowhere else."""
    processors = _structlog.default_processors
    if not processors or type(processors[-1]) is not LogCapture:
        return False
    method = _METHODS[level]
    entry: Any = {**logger.bound, **fields, "event": event}
    try:
        for processor in processors:
            entry = processor(logger, method, entry)
    except structlog.DropEvent:
        pass
    return True


def capture_for_handlers(name: str, level: int, line: bytes, info: ExcInfo | None, *, is_taken: bool) -> None:
    """Gives a record to the handlers that tests have put on stdlib's loggers.

    `is_taken`: whether the record passes the configured level; others need a stdlib level that admits them,
    as `caplog.set_level` and `assertLogs` set it.
    """
    stdlib = logging.getLogger(name or None)
    if not is_taken and not stdlib.isEnabledFor(level):
        return
    fields = msgspec.json.decode(line, type=dict[str, Any])
    frame = _caller()
    record = logging.LogRecord(
        name or "root", level, frame.f_code.co_filename, frame.f_lineno, fields.pop("msg", ""), (), info,  # type: ignore[arg-type]  # typeshed has no exception without a type
        frame.f_code.co_name,
    )  # fmt: skip
    for key, value in fields.items():
        if key not in record.__dict__ and key not in ("message", "asctime"):
            record.__dict__[key] = value
    current: logging.Logger | None = stdlib
    while current is not None:
        for handler in current.handlers:
            if level >= handler.level and _captures(handler):
                handler.handle(record)
        current = current.parent if current.propagate else None


def _captures(handler: object) -> bool:
    return any(kind.__module__.partition(".")[0] in _FRAMEWORKS for kind in type(handler).__mro__)


def _caller() -> FrameType:
    """The frame that logs."""
    frame = sys._getframe(1)  # noqa: SLF001 - as stdlib's findCaller
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        frame = frame.f_back
    return frame
