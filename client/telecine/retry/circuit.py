"""A named circuit breaker for threads and tasks: it counts, logs its changes, and can be looked at."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from telecine.exceptions import CircuitOpenError
from telecine.retry.breaker import Breaker, BreakerState
from telecine.retry.policy import BreakerPolicy
from telecine.retry.report import report_circuit

__all__ = ["CircuitBreaker", "CircuitOpenError", "CircuitSnapshot", "circuits"]


@dataclass(frozen=True, slots=True)
class CircuitSnapshot:
    """The state of a circuit at one moment."""

    name: str
    state: BreakerState
    failures: int
    """In a row."""
    opened: int
    """How often it has opened."""
    refused: int
    """Calls that were not let through."""


class CircuitBreaker:
    """Keeps calls away from something that fails. Thread-safe; for blocking and asyncio code alike.

    `with breaker.guard(): call()` raises CircuitOpenError, without calling, while the circuit is open. An
    error that is no Exception (a cancellation, Ctrl-C) says nothing about the other side and is not
    counted.

    Args:
        name: Names what is protected, in metrics and records.
        policy: When the circuit opens and for how long. None: the defaults of `BreakerPolicy`.
        counts: Whether an error speaks against the other side; by default every one does. The others show
            that it answers.
        level: The level of the record that it has opened; that it has closed again is INFO.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy | None = None,
        *,
        counts: Callable[[Exception], bool] = lambda error: True,
        level: str = "WARNING",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._breaker = Breaker(policy or BreakerPolicy())
        self._counts = counts
        self._clock = clock
        self._level = level
        self._lock = threading.Lock()
        self._refused = 0
        with _ALL_LOCK:
            _ALL.add(self)

    @property
    def state(self) -> BreakerState:
        """Whether the circuit is closed, open or half-open."""
        return self._breaker.state

    def snapshot(self) -> CircuitSnapshot:
        """Returns state and counters as they are now."""
        with self._lock:
            breaker = self._breaker
            return CircuitSnapshot(self.name, breaker.state, breaker.failures, breaker.opened, self._refused)

    def enter(self) -> int:
        """Begins a call; returns the number to end it with. Raises CircuitOpenError."""
        with self._lock:
            now = self._clock()
            wait = self._breaker.wait_seconds(now)
            if wait > 0:
                self._refused += 1
                raise CircuitOpenError(
                    f"{self.name} failed {self._breaker.failures} times in a row and is left alone for "
                    f"{wait:.1f} s",
                    retry_delay_seconds=wait,
                )
            before = self._breaker.state
            number = self._breaker.enter(now)
            after = self._breaker.state
        self._report(before, after)
        return number

    def leave(self, number: int, error: BaseException | None) -> None:
        """Ends the call of that number, which raised `error`; None: it went well."""
        with self._lock:
            now = self._clock()
            before = self._breaker.state
            if error is not None and not isinstance(error, Exception):
                self._breaker.abandoned(number, now)
            elif error is None or not self._counts(error):
                self._breaker.succeeded(number, now)
            else:
                self._breaker.failed(number, now)
            after = self._breaker.state
        self._report(before, after, error)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Guards one call, as a block. Raises CircuitOpenError."""
        number = self.enter()
        try:
            yield
        except BaseException as error:
            self.leave(number, error)
            raise
        self.leave(number, None)

    def _report(self, before: BreakerState, after: BreakerState, error: BaseException | None = None) -> None:
        if after is not before:
            report_circuit(self.name, before, after, error, self._level)


_ALL: weakref.WeakSet[CircuitBreaker] = weakref.WeakSet()
_ALL_LOCK = threading.Lock()


def circuits() -> list[CircuitSnapshot]:
    """Returns a snapshot of every circuit breaker of this process that is still in use, by name."""
    with _ALL_LOCK:
        breakers = list(_ALL)
    return sorted((breaker.snapshot() for breaker in breakers), key=lambda found: found.name)
