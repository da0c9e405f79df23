"""Brings in what other libraries say through stdlib `logging` and `warnings`."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from telecine.logging.catalogue import Level, parse_level
from telecine.logging.logger import Logger
from telecine.logging.record.bounded_text import called, text_of
from telecine.logging.record.call_arguments import formatted

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_SHIPPING_THREAD_PREFIX = "telecine-log-"
_OF_SHIPPING = ("grpc", "py.warnings", "asyncio")
"""Loggers through which shipping may speak in its own threads. Others there belong to the application: the
garbage collector calls its finalizers in any thread."""
_MAX_NESTED = 16
"""So many records of a thread may interrupt each other: signal handlers, `__del__`, and what logs while it is
logged. More are one record that makes itself."""


class BridgeHandler(logging.Handler):
    """Turns stdlib records into ours; fields given as `extra` come along.

    It takes no lock: a handler's lock is what other handlers deadlock on after a fork or in a signal handler.
    A record that interrupts another one is taken like any other.
    """

    def __init__(self, logger_of: Callable[[str], Logger]) -> None:
        super().__init__()
        self._logger_of = logger_of
        self._busy = threading.local()

    def createLock(self) -> None:  # noqa: N802 - stdlib's name
        """No lock is needed."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Handles a record without the lock that `logging.Handler.handle` needs from Python 3.13 on."""
        kept = self.filter(record)
        if isinstance(kept, logging.LogRecord):
            record = kept
        if kept:
            self.emit(record)
        return bool(kept)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one record; never raises."""
        # What shipping itself says must not be shipped: it would never end.
        if (record.threadName or "").startswith(_SHIPPING_THREAD_PREFIX) and record.name.startswith(
            _OF_SHIPPING
        ):
            return
        depth = getattr(self._busy, "depth", 0)
        if depth >= _MAX_NESTED:
            return
        self._busy.depth = depth + 1
        try:
            self._pass_on(record)
        except Exception:  # noqa: BLE001 - logging never fails the application
            return
        finally:
            self._busy.depth = depth

    def _pass_on(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {
            key: value
            for key, value in record.__dict__.items()
            if key not in _STANDARD and not key.startswith("_")
        }
        # `extra={"extra_fields": {...}}` is how structured fields were often passed.
        nested = fields.pop("extra_fields", None)
        if isinstance(nested, dict):
            fields |= nested
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        elif record.exc_text:
            fields.setdefault("stack", record.exc_text)
        if record.stack_info:
            fields.setdefault("stack", record.stack_info)
        if record.levelno >= logging.WARNING:
            fields |= {"module": record.pathname, "function": record.funcName, "line": record.lineno}
        level = parse_level(record.levelno) or Level.DEBUG
        logger = self._logger_of(record.name)
        # It has passed stdlib's own levels, and stdlib's own handlers have seen it.
        logger.source.pipeline.emit(level, _message(record), (), logger, fields, is_bridged=True)


def _message(record: logging.LogRecord) -> str:
    try:
        if type(record).getMessage is not logging.LogRecord.getMessage:
            # Of a record factory, which may format in a manner of its own.
            return called(record.getMessage)
        msg, args = text_of(record.msg), record.args
    except Exception:  # noqa: BLE001 - foreign code in a message that is no text
        return f"<{type(record.msg).__name__} str() failed>"
    if not args:
        return msg
    # stdlib has unpacked a mapping that is the only argument.
    return formatted(msg, args if isinstance(args, tuple) else (args,))


class StdlibBridge:
    """The bridge as installed; `remove` puts everything back."""

    def __init__(self, logger_of: Callable[[str], Logger], level: int) -> None:
        """Replaces the handlers of the root logger."""
        self._handler = BridgeHandler(logger_of)
        root = logging.getLogger()
        self._taken_off = [h for h in root.handlers if not _is_foreign(h)]
        self._level_before = root.level
        root.handlers[:] = [h for h in root.handlers if h not in self._taken_off] + [self._handler]
        root.setLevel(level)
        logging.captureWarnings(capture=True)

    def set_level(self, level: int) -> None:
        """The lowest level that stdlib loggers pass on."""
        logging.getLogger().setLevel(level)

    def remove(self) -> None:
        """Takes the handler off; idempotent."""
        root = logging.getLogger()
        if self._handler in root.handlers:
            # Others may have come and gone meanwhile.
            others = [h for h in root.handlers if h is not self._handler]
            root.handlers[:] = [h for h in self._taken_off if h not in others] + others
            root.setLevel(self._level_before)
            logging.captureWarnings(capture=False)


def _is_foreign(handler: logging.Handler) -> bool:
    """Whether somebody else needs the handler: all but those that print to the console."""
    if isinstance(handler, BridgeHandler) or type(handler) is logging.StreamHandler:
        return False
    # RichHandler and its like.
    file = getattr(getattr(handler, "console", None), "file", None)
    return file is None or file not in (sys.stdout, sys.stderr)
