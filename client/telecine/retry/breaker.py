"""The table of a circuit breaker: closed, open, half-open; time comes from the caller.

    state        on                                   to
    ---------    ---------------------------------    ---------------------------------------
    CLOSED       failure number failures_to_open      OPEN for open_seconds
    OPEN         enter() when the time is over        HALF_OPEN; that call is the trial
    HALF_OPEN    the trial succeeded                  CLOSED
    HALF_OPEN    the trial failed                     OPEN for open_seconds
    HALF_OPEN    the trial was abandoned              HALF_OPEN; the next call is the trial
    HALF_OPEN    no end of it for open_seconds        HALF_OPEN; the next call is the trial

Each call carries the number it was given. What comes from a call that began in an earlier state changes
nothing: a slow failure from before does not open a circuit that has just closed.
"""

from __future__ import annotations

from enum import StrEnum

from telecine.retry.policy import BreakerPolicy


class BreakerState(StrEnum):
    """The states of a circuit."""

    CLOSED = "closed"
    """Calls go through."""
    OPEN = "open"
    """No call goes through."""
    HALF_OPEN = "half_open"
    """One call goes through, to see."""


class Breaker:
    """One circuit. Not thread-safe: its owner serialises all calls."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._period = 0
        self._next_try_seconds = 0.0
        self.state = BreakerState.CLOSED
        self.failures = 0
        """In a row."""
        self.opened = 0
        """How often it has opened."""

    def wait_seconds(self, now_seconds: float) -> float:
        """How long no call may go through; 0: call `enter`."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        return max(0.0, self._next_try_seconds - now_seconds)

    def enter(self, now_seconds: float) -> int:
        """Begins a call and returns its number. Only when `wait_seconds` is 0."""
        if self.state is not BreakerState.CLOSED:
            self._change(BreakerState.HALF_OPEN, now_seconds)
        return self._period

    def succeeded(self, number: int, now_seconds: float) -> None:
        """The call of that number went well."""
        if number != self._period:
            return
        self.failures = 0
        if self.state is BreakerState.HALF_OPEN:
            self._change(BreakerState.CLOSED, now_seconds)

    def failed(self, number: int, now_seconds: float) -> None:
        """The call of that number failed in a way that speaks of the other side."""
        if number != self._period:
            return
        self.failures += 1
        if self.state is BreakerState.HALF_OPEN or self.failures >= self._policy.failures_to_open:
            self._change(BreakerState.OPEN, now_seconds)

    def abandoned(self, number: int, now_seconds: float) -> None:
        """The call of that number ended without saying anything about the other side."""
        if number == self._period and self.state is BreakerState.HALF_OPEN:
            self._next_try_seconds = now_seconds

    def _change(self, state: BreakerState, now_seconds: float) -> None:
        if state is BreakerState.OPEN:
            self.opened += 1
        self.state = state
        self._period += 1
        self._next_try_seconds = now_seconds + self._policy.open_seconds
