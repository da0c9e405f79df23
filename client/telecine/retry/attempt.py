"""One try of a call, as the function that is tried sees it: its number, and how much time it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from telecine.retry.backoff import Backoff

_current: ContextVar[Attempt | None] = ContextVar("telecine_attempt", default=None)


def current_attempt() -> Attempt | None:
    """Returns the attempt that is under way in this thread or task; None outside of one."""
    return _current.get()


class Attempt:
    """One try of a call. Made by `Retry`, which hands it to the function that is tried."""

    def __init__(self, backoff: Backoff, timeout_seconds: float, clock: Callable[[], float]) -> None:
        self.number = backoff.attempt
        """0 is the first."""
        self.has_timed_out = False
        """Whether it was cancelled because it took longer than the policy allows."""
        self._backoff = backoff
        self._clock = clock
        self._ends_at = clock() + timeout_seconds if timeout_seconds else None

    @property
    def timeout_seconds(self) -> float | None:
        """How much of the policy's `attempt_timeout_seconds` is left; None: it sets no limit."""
        return None if self._ends_at is None else max(0.0, self._ends_at - self._clock())

    def progressed(self) -> None:
        """Reports that something moved forward: a failure from here on counts as the first."""
        self._backoff.progressed()


@contextmanager
def under_way(attempt: Attempt) -> Iterator[None]:
    """While the block lasts, `current_attempt` returns it, and records of a later try carry its number."""
    token = _current.set(attempt)
    try:
        if attempt.number:
            from telecine.logging.record.context import LogContext  # late: needed by few calls

            with LogContext(attempt=attempt.number):
                yield
        else:
            yield
    finally:
        _current.reset(token)
