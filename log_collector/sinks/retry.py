"""When a sink that failed is tried again: the SDK's backoff without an end, behind its circuit breaker."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import msgspec
from telecine.retry import Backoff, BreakerPolicy, BreakerState, Decision, RetryPolicy
from telecine.retry.breaker import Breaker

_Positive = Annotated[float, msgspec.Meta(gt=0)]


class RetryConfig(msgspec.Struct, frozen=True):
    """How patiently a sink is tried again. It is never given up: the journal keeps its records."""

    first_seconds: _Positive = 0.2
    """The delay after the first failure is between 0 and this; it doubles with each further one."""
    most_seconds: _Positive = 10.0
    """No delay is longer while the circuit is closed."""
    failures_to_open: Annotated[int, msgspec.Meta(ge=1)] = 5
    """After so many failures in a row the circuit opens: nothing is tried for `open_seconds`."""
    open_seconds: _Positive = 15.0
    """Then one try; if it fails, the circuit stays open for as long again."""

    def policies(self) -> tuple[RetryPolicy, BreakerPolicy]:
        """What the two halves of `SinkBackoff` follow."""
        backoff = RetryPolicy(
            give_up_after_seconds=math.inf,
            initial_backoff_seconds=self.first_seconds,
            max_backoff_seconds=self.most_seconds,
            retry_on=Exception,
        )
        breaker = BreakerPolicy(failures_to_open=self.failures_to_open, open_seconds=self.open_seconds)
        return backoff, breaker


class SinkBackoff:
    """With one sink, which has one writer. Belongs to the event loop; time and chance come from there."""

    def __init__(self, config: RetryConfig) -> None:
        backoff, breaker = config.policies()
        self._backoff = Backoff(backoff)
        self._breaker = Breaker(breaker)
        self._number = 0

    @property
    def state(self) -> BreakerState:
        """Where the circuit stands. Open: the sink is taken for dead, and only tried from time to time."""
        return self._breaker.state

    @property
    def failures(self) -> int:
        """In a row."""
        return self._breaker.failures

    def begin(self, now_seconds: float) -> None:
        """A write begins, after the wait that was decided."""
        self._number = self._breaker.enter(now_seconds)

    def succeeded(self, now_seconds: float) -> None:
        """It went well: the circuit closes."""
        self._breaker.succeeded(self._number, now_seconds)
        self._backoff.progressed()

    def failed(self, error: Exception, now_seconds: float, random_fraction: float) -> Decision:
        """It failed; says how long to wait before the next try. It is never given up."""
        decision = self._backoff.decide(error, now_seconds, random_fraction)
        self._breaker.failed(self._number, now_seconds)
        delay = max(decision.delay_seconds, self._breaker.wait_seconds(now_seconds))
        return replace(decision, delay_seconds=delay)
