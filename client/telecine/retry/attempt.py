"""One try of a call, as a block: it tells the policy how it ended, and swallows what is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Protocol, Self

from telecine.retry.backoff import Decision

_current: ContextVar[Attempt | None] = ContextVar("telecine_attempt", default=None)


def current_attempt() -> Attempt | None:
    """The try that is under way in this thread or task; None: there is none."""
    return _current.get()


class Judge(Protocol):
    """The call that a try belongs to."""

    def ended(self, error: BaseException | None, *, has_timed_out: bool) -> Decision | None:
        """Takes note of how the try ended; None: there is nothing to decide."""
        ...

    def progressed(self) -> None:
        """Something moved forward."""
        ...


class Attempt:
    """One try. Used once, `with attempt:` or `async with attempt:`."""

    def __init__(self, number: int, judge: Judge, timeout_seconds: float, clock: Callable[[], float]) -> None:
        self.number = number
        """0 is the first."""
        self.has_begun = False
        """Its block was entered."""
        self.decision: Decision | None = None
        """What was decided after it failed; None: it has not failed, or there was nothing to decide."""
        self._judge = judge
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._ends_at = 0.0
        self._token: Token[Attempt | None] | None = None
        self._context: AbstractContextManager[object] | None = None
        self._timer: asyncio.Timeout | None = None

    @property
    def timeout_seconds(self) -> float | None:
        """How much of the policy's `attempt_timeout_seconds` is left; None: it sets no limit."""
        return max(0.0, self._ends_at - self._clock()) if self._timeout_seconds else None

    @property
    def is_to_be_repeated(self) -> bool:
        """It failed, and there is to be another try."""
        return self.decision is not None and self.decision.is_again

    def progressed(self) -> None:
        """Something moved forward: a failure from here on counts as the first."""
        self._judge.progressed()

    def __enter__(self) -> Self:
        self.has_begun = True
        self._ends_at = self._clock() + self._timeout_seconds
        self._token = _current.set(self)
        if self.number:
            from telecine.logging.record.context import (
                LogContext,  # late: only where something was tried again
            )

            self._context = LogContext(attempt=self.number)
            self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._leave()
        self.decision = self._judge.ended(error, has_timed_out=False)
        return self.is_to_be_repeated

    async def __aenter__(self) -> Self:
        self.__enter__()
        if self._timeout_seconds:
            self._timer = asyncio.timeout(self._timeout_seconds)
            await self._timer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        own_timeout: TimeoutError | None = None
        if self._timer is not None:
            try:
                await self._timer.__aexit__(kind, error, trace)
            except TimeoutError as raised:
                own_timeout = TimeoutError(f"no end within {self._timeout_seconds:g} s")
                own_timeout.__cause__ = raised.__cause__
        self._leave()
        self.decision = self._judge.ended(own_timeout or error, has_timed_out=own_timeout is not None)
        if own_timeout is not None and not self.is_to_be_repeated:
            raise own_timeout
        return self.is_to_be_repeated

    def _leave(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
        if self._token is not None:
            _current.reset(self._token)
