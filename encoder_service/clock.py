"""The time, as an argument: what tells it to everything that must be testable without waiting."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def unix_nano(self) -> int:
        """Wall clock, for what is written down."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""
        ...


class SystemClock:
    """The real one."""

    def unix_nano(self) -> int:
        """Wall clock."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()
