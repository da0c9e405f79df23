"""The time as an argument, so that everything can be tested without waiting."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads the wall clock and a clock that never goes back."""

    def unix_nano(self) -> int:
        """Wall clock, for what is written down."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""
        ...


class SystemClock:
    """The clocks of the operating system."""

    def unix_nano(self) -> int:
        """Wall clock."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()
