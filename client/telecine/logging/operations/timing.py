"""`@log_execution_time`: how long each call of a function takes, as one record at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from telecine.logging.catalogue import OPERATION_FAMILY
from telecine.logging.logger import Logger


class Timer:
    """Watches one call; see `telecine.logging.watched.Watch`."""

    def __init__(
        self,
        name: str,
        fields: dict[str, Any],
        log: Logger,
        level: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock`: seconds."""
        self._name = name
        self._fields = fields
        self._log = log
        self._level = level
        self._clock = clock
        self._began_at = 0.0
        self._started = ""
        self._own_seconds = 0.0
        self._steps = 0

    def begin(self) -> None:
        """See `Watch`."""
        self._started = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._began_at = self._clock()

    @contextmanager
    def step(self) -> Iterator[None]:
        """See `Watch`."""
        before = self._clock()
        try:
            yield
        finally:
            self._own_seconds += self._clock() - before
            self._steps += 1

    def ended(self, error: BaseException | None) -> None:
        """See `Watch`. The error is named, and its stack left to whoever handles it."""
        fields = {
            "stage": f"{OPERATION_FAMILY}:{self._name}",
            "operation_started": self._started,
            "duration_ms": round(self._own_seconds * 1000, 3),
            **self._fields,
        }
        if self._steps > 1:
            fields["elapsed_ms"] = round((self._clock() - self._began_at) * 1000, 3)
        if error is not None and not isinstance(error, GeneratorExit):
            fields |= {"error": str(error), "error_type": type(error).__name__}
        self._log.log(self._level, f"{self._name} executed", **fields)
