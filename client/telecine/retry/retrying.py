"""Trying again around your own calls: a decorator and a loop of blocks, for blocking and asyncio code."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from telecine.exceptions import CircuitOpenError
from telecine.retry.attempt import Attempt
from telecine.retry.backoff import Backoff, Decision, RetryBudget
from telecine.retry.circuit import CircuitBreaker
from telecine.retry.policy import ErrorChoice, RetryPolicy
from telecine.retry.report import report_decision

if TYPE_CHECKING:
    from telecine.logging import Logger

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Runtime:
    """Time and chance; tests hand in their own."""

    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    sleep: Callable[[float], object] = time.sleep
    async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """From 0 to 1."""


class Retry:
    """A policy at work. Make one for each thing that is called, and share it: its budget and its circuit
    breaker count over all calls. Thread-safe.

    As a decorator, `@Retry(policy)`, for functions and coroutine functions; as a loop of blocks,
    `for attempt in retrying:` (`async for …`) with `with attempt:` (`async with …`) inside; or `run` and
    `run_async`. The last error is raised as it came. Each failed try is a `retry:decision` record.
    """

    def __init__(
        self,
        policy: RetryPolicy | None = None,
        *,
        name: str = "",
        breaker: CircuitBreaker | None = None,
        log: Logger | None = None,
        level: str = "WARNING",
        runtime: Runtime | None = None,
    ) -> None:
        """`name`: what is called, for the records; empty: the decorated function's name.

        `breaker`: asked before each try. While it is open a try fails with CircuitOpenError, which is worth
        another try unless the policy's `retry_on` leaves it out. `level`: of the records.
        """
        self.policy = policy or RetryPolicy()
        self.breaker = breaker
        self.runtime = runtime or Runtime()
        self._name = name
        self._log = log
        self._level = level
        tokens = self.policy.budget_tokens
        self._budget = RetryBudget(tokens, self.policy.budget_ratio) if tokens else None
        self._lock = threading.Lock()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """The function, tried again as the policy says.

        Raises:
            TypeError: for generators: what they have given away cannot be taken back.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__} is a generator; what it has given away cannot be tried again"
            )
        name = self._name or function.__qualname__

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tried_async(*args: _P.args, **kwargs: _P.kwargs) -> Any:
                return await self._run_async(name, lambda _: function(*args, **kwargs))

            return cast(Callable[_P, _R], tried_async)

        @functools.wraps(function)
        def tried(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            return self._run(name, lambda _: function(*args, **kwargs))

        return tried

    def __iter__(self) -> Iterator[Attempt]:
        return self._attempts(self._name)

    def __aiter__(self) -> AsyncIterator[Attempt]:
        return self._attempts_async(self._name)

    def run(self, function: Callable[[Attempt], _R]) -> _R:
        """Calls `function` with each attempt until it returns; returns what it returned."""
        return self._run(self._name, function)

    async def run_async(self, function: Callable[[Attempt], Awaitable[_R]]) -> _R:
        """As `run`, awaiting."""
        return await self._run_async(self._name, function)

    def within(self, seconds: float, name: str = "") -> Retry:
        """The same, with the same budget and breaker, for a call that has only so much time."""
        limit = min(self.policy.give_up_after_seconds, seconds)
        other = copy.copy(self)
        other.policy = replace(self.policy, give_up_after_seconds=limit)
        other._name = name or self._name  # noqa: SLF001 - one of us
        return other

    # --- inside ----------------------------------------------------------------------------------

    def _run(self, name: str, function: Callable[[Attempt], _R]) -> _R:
        for attempt in self._attempts(name):
            with attempt:
                return function(attempt)
        raise AssertionError("an attempt either returns or raises")  # pragma: no cover

    async def _run_async(self, name: str, function: Callable[[Attempt], Awaitable[_R]]) -> _R:
        async for attempt in self._attempts_async(name):
            async with attempt:
                return await function(attempt)
        raise AssertionError("an attempt either returns or raises")  # pragma: no cover

    def _attempts(self, name: str) -> Iterator[Attempt]:
        call = _Call(self, name)
        while True:
            with call.attempt() as attempt:
                if attempt is not None:
                    yield attempt
            if call.is_over:
                return
            self.runtime.sleep(call.pause_seconds)

    async def _attempts_async(self, name: str) -> AsyncIterator[Attempt]:
        call = _Call(self, name)
        while True:
            with call.attempt() as attempt:
                if attempt is not None:
                    yield attempt
            if call.is_over:
                return
            await self.runtime.async_sleep(call.pause_seconds)

    def _decide(
        self, backoff: Backoff, error: BaseException, name: str, *, has_timed_out: bool = False
    ) -> Decision:
        now, chance = self.runtime.clock(), self.runtime.chance()
        with self._lock:
            decision = backoff.decide(error, now, chance, is_retryable=True if has_timed_out else None)
        report_decision(decision, self.policy, error, call=name, log=self._log, level=self._level)
        return decision

    def _succeeded(self) -> None:
        if self._budget is not None:
            with self._lock:
                self._budget.succeeded()

    def _new_backoff(self) -> Backoff:
        return Backoff(self.policy, self._budget, started_seconds=self.runtime.clock())


class _Call:
    """One call with all its tries; the judge of each."""

    def __init__(self, retrying: Retry, name: str) -> None:
        self._retry = retrying
        self._name = name
        self._backoff = retrying._new_backoff()  # noqa: SLF001 - the other half of one thing
        self._permit: int | None = None
        self.is_over = False
        self.pause_seconds = 0.0

    @contextmanager
    def attempt(self) -> Iterator[Attempt | None]:
        """The next try; None: the circuit is open, and it is worth waiting. Raises CircuitOpenError."""
        self.is_over = True
        breaker, policy = self._retry.breaker, self._retry.policy
        if breaker is not None:
            try:
                self._permit = breaker.enter()
            except CircuitOpenError as error:
                if not self._judge(error).is_again:
                    raise
                yield None
                return
        attempt = Attempt(
            self._backoff.attempt, self, policy.attempt_timeout_seconds, self._retry.runtime.clock
        )
        try:
            yield attempt
        finally:
            self._give_back(GeneratorExit())
        if not attempt.has_begun:
            raise RuntimeError("an attempt was not used; write `with attempt:` inside of the loop")

    def ended(self, error: BaseException | None, *, has_timed_out: bool) -> Decision | None:
        """See `Judge`."""
        self._give_back(error)
        if error is None:
            self._retry._succeeded()  # noqa: SLF001 - as above
        if not isinstance(error, Exception):
            return None
        return self._judge(error, has_timed_out=has_timed_out)

    def progressed(self) -> None:
        """See `Judge`."""
        self._backoff.progressed()

    def _judge(self, error: Exception, *, has_timed_out: bool = False) -> Decision:
        decision = self._retry._decide(self._backoff, error, self._name, has_timed_out=has_timed_out)  # noqa: SLF001 - as above
        self.is_over = not decision.is_again
        self.pause_seconds = decision.delay_seconds
        return decision

    def _give_back(self, error: BaseException | None) -> None:
        permit, self._permit = self._permit, None
        if permit is not None and self._retry.breaker is not None:
            self._retry.breaker.leave(permit, error)


def retry(
    *,
    max_attempts: int = 0,
    give_up_after_seconds: float = 300.0,
    initial_backoff_seconds: float = 0.1,
    max_backoff_seconds: float = 5.0,
    attempt_timeout_seconds: float = 0.0,
    retry_on: ErrorChoice | None = None,
    breaker: CircuitBreaker | None = None,
    log: Logger | None = None,
) -> Retry:
    """A `Retry` in one line: `@retry(max_attempts=3, retry_on=ConnectionError)`. See `RetryPolicy`."""
    policy = RetryPolicy(
        max_attempts=max_attempts,
        give_up_after_seconds=give_up_after_seconds,
        initial_backoff_seconds=initial_backoff_seconds,
        max_backoff_seconds=max_backoff_seconds,
        attempt_timeout_seconds=attempt_timeout_seconds,
        retry_on=retry_on,
    )
    return Retry(policy, breaker=breaker, log=log)
