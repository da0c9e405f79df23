"""A token bucket: how long something must wait so that a rate is kept; the time is an argument."""

from __future__ import annotations


class TokenBucket:
    """Lets `burst` through at once, then so much a second; first come, first served.

    What is taken is never refused: it is owed, and whoever comes next waits longer. So the one that waits
    needs no queue here, and large pieces pass at the same rate as small ones.
    """

    __slots__ = ("_at_seconds", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, now_seconds: float) -> None:
        """`rate`: a second, above 0."""
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at_seconds = now_seconds

    def take(self, amount: float, now_seconds: float) -> float:
        """Takes an amount; returns how many seconds to wait before it is used. 0: none."""
        self._refill(now_seconds)
        self._level -= amount
        return max(0.0, -self._level / self.rate)

    def wait_seconds(self, now_seconds: float) -> float:
        """How long it is until something could be taken without waiting; takes nothing."""
        self._refill(now_seconds)
        return max(0.0, -self._level / self.rate)

    def is_full(self, now_seconds: float) -> bool:
        """Whether nobody has taken anything for so long that it is like a new one."""
        self._refill(now_seconds)
        return self._level >= self.burst

    def _refill(self, now_seconds: float) -> None:
        # A clock that was set back gives nothing, and takes nothing.
        passed = max(0.0, now_seconds - self._at_seconds)
        self._level = min(self.burst, self._level + passed * self.rate)
        self._at_seconds = max(self._at_seconds, now_seconds)
