"""How many events a worker may send: more than one that works needs, too few to hold up the service."""

from __future__ import annotations

import time

BURST = 3000
"""A warning for each fault of a long clip, say, and all at once."""
PER_SECOND = 200.0
"""Progress is sent a few times a second, and once for each high watermark: at most fifty."""


class Allowance:
    """Counts what one worker has sent. Not thread-safe."""

    def __init__(self, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst, self._per_second = burst, per_second
        self._left = float(burst)
        self._at_monotonic = time.monotonic()

    def spend(self) -> bool:
        """One more event has come; False: that was one too many."""
        now = time.monotonic()
        gained = (now - self._at_monotonic) * self._per_second
        self._left = min(float(self._burst), self._left + gained) - 1
        self._at_monotonic = now
        return self._left >= 0
