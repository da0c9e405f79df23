"""How long to wait before the next try; time and randomness come from the caller."""

from __future__ import annotations

from telecine.exceptions import TelecineError
from telecine.options import RetryPolicy


class Backoff:
    """Counts failures in a row and says how long to wait, or that it is time to give up."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._attempt = 0
        self._failing_since_seconds: float | None = None

    def progressed(self) -> None:
        """Something moved forward: the next failure counts as the first."""
        self._attempt = 0
        self._failing_since_seconds = None

    def next_delay(self, error: TelecineError, now_seconds: float, random_fraction: float) -> float | None:
        """Seconds to wait after `error`; None: given up.

        Full jitter below a doubling ceiling. A delay that the server asks for is never undercut, and
        gets up to a quarter on top, lest all clients come back at once.
        """
        if self._failing_since_seconds is None:
            self._failing_since_seconds = now_seconds
        if now_seconds - self._failing_since_seconds >= self._policy.reconnect_timeout_seconds:
            return None
        ceiling = self._policy.initial_backoff_seconds * 2.0 ** min(self._attempt, 32)
        delay = min(ceiling, self._policy.max_backoff_seconds) * random_fraction
        self._attempt += 1
        if error.retry_delay_seconds is not None:
            asked = error.retry_delay_seconds
            delay = max(delay, asked * (1 + 0.25 * random_fraction))
        return delay
