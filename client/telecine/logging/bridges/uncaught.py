"""Records exceptions that nobody caught: of the main thread, of other threads, and in `__del__`."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

from telecine.logging.logger import Logger


class UncaughtHooks:
    """The hooks as installed; each hands on to the one before. asyncio's come through stdlib logging."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._except = sys.excepthook
        self._thread = threading.excepthook
        self._unraisable = sys.unraisablehook
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        sys.unraisablehook = self._on_unraisable

    def remove(self) -> None:
        """Puts the former hooks back, unless somebody else has hooked in since."""
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._except
        if threading.excepthook == self._on_thread_exception:
            threading.excepthook = self._thread
        if sys.unraisablehook == self._on_unraisable:
            sys.unraisablehook = self._unraisable

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, Exception):
            self._logger.critical("uncaught exception", exc_info=(kind, error, trace))
        elif not issubclass(kind, SystemExit):
            self._logger.warning("interrupted", error_type=kind.__name__)
        self._except(kind, error, trace)

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            name = args.thread.name if args.thread is not None else ""
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            self._logger.error("uncaught exception in a thread", thread=name, exc_info=info)
        self._thread(args)

    def _on_unraisable(self, args: sys.UnraisableHookArgs) -> None:
        info = (args.exc_type, args.exc_value, args.exc_traceback)
        self._logger.error(
            "exception ignored", exc_info=info, where=args.err_msg or "", culprit=type(args.object).__name__
        )
        self._unraisable(args)
