"""Retries of a caller's own functions: a decorator, and `run`, for blocking and asyncio code."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from telecine.exceptions import CircuitOpenError, InvalidRequestError
from telecine.retry.attempt import Attempt, under_way
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
    """Clock, sleep and randomness; tests pass their own."""

    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    sleep: Callable[[float], object] = time.sleep
    async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """From 0 to 1."""


class Retry:
    """A policy at work. Make one for each thing that is called, and share it: its budget and its circuit
    breaker count over all calls. Thread-safe.

    As a decorator, `@Retry(policy)`, for functions and coroutine functions; or `run` and `run_async`. The
    last error is raised as it came. Each failed try is a `retry:decision` record in the log.

    Args:
        policy: When to try again and for how long. None: the defaults of `RetryPolicy`.
        name: What is called, for the records. Empty: the name of the decorated function.
        breaker: Asked before each try. While it is open a try fails with CircuitOpenError, which is worth
            another try unless the policy's `retry_on` leaves it out. None: no breaker.
        log: Where the records go. None: the logger `telecine.retry`.
        level: The level of the records.
        runtime: Clock, sleep and randomness. None: the real ones.
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
        """Returns the function, retried as the policy says.

        Raises:
            InvalidRequestError: It is no function.
            TypeError: It is a generator: what it has yielded cannot be taken back.
        """
        if not callable(function):
            raise InvalidRequestError(f"only a function can be retried, not {function!r}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{_name_of(function)} is a generator; what it has given away cannot be tried again"
            )
        name = self._name or _name_of(function)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tried_async(*args: _P.args, **kwargs: _P.kwargs) -> Any:
                return await self._run_async(name, lambda _: function(*args, **kwargs))

            return cast(Callable[_P, _R], tried_async)

        @functools.wraps(function)
        def tried(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            return self._run(name, lambda _: function(*args, **kwargs))

        return tried

    def run(self, function: Callable[[Attempt], _R]) -> _R:
        """Calls `function` with each attempt until it returns, and returns what it returned.

        Raises:
            CircuitOpenError: The circuit is open, and the policy does not wait for it.
            Exception: The last error of `function`, when there is to be no other try.
        """
        return self._run(self._name, function)

    async def run_async(self, function: Callable[[Attempt], Awaitable[_R]]) -> _R:
        """Awaits `function` with each attempt until it returns, and returns what it returned.

        An attempt that takes longer than the policy's `attempt_timeout_seconds` is cancelled.

        Raises:
            CircuitOpenError: The circuit is open, and the policy does not wait for it.
            TimeoutError: The last attempt took too long.
            Exception: The last error of `function`, when there is to be no other try.
        """
        return await self._run_async(self._name, function)

    def within(self, seconds: float, name: str = "") -> Retry:
        """Returns the same, with the same budget and breaker, for a call that has only so many seconds."""
        limit = min(self.policy.give_up_after_seconds, seconds)
        other = copy.copy(self)
        other.policy = replace(self.policy, give_up_after_seconds=limit)
        other._name = name or self._name  # noqa: SLF001 - one of us
        return other

    # --- inside ----------------------------------------------------------------------------------

    def _run(self, name: str, function: Callable[[Attempt], _R]) -> _R:
        call = _Call(self, name)
        while True:
            if (attempt := call.begin()) is not None:
                try:
                    with under_way(attempt):
                        found = function(attempt)
                except BaseException as error:
                    if not call.failed(error):
                        raise
                else:
                    call.succeeded()
                    return found
            self.runtime.sleep(call.pause_seconds)

    async def _run_async(self, name: str, function: Callable[[Attempt], Awaitable[_R]]) -> _R:
        call = _Call(self, name)
        while True:
            if (attempt := call.begin()) is not None:
                try:
                    found = await _within_time(attempt, self.policy.attempt_timeout_seconds, function)
                except BaseException as error:
                    if not call.failed(error, has_timed_out=attempt.has_timed_out):
                        raise
                else:
                    call.succeeded()
                    return found
            await self.runtime.async_sleep(call.pause_seconds)

    def _decide(self, backoff: Backoff, error: Exception, name: str, *, has_timed_out: bool) -> Decision:
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


def _name_of(function: Callable[..., object]) -> str:
    """Its qualified name; that of its class for an object that can be called, such as a partial."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


async def _within_time(
    attempt: Attempt, limit_seconds: float, function: Callable[[Attempt], Awaitable[_R]]
) -> _R:
    """One attempt, cancelled when its time is over; 0: no limit."""
    timer = asyncio.timeout(limit_seconds or None)
    try:
        with under_way(attempt):
            async with timer:
                return await function(attempt)
    except TimeoutError as error:
        if not timer.expired():
            raise  # the function's own
        attempt.has_timed_out = True
        raise TimeoutError(f"no end within {limit_seconds:g} s") from error.__cause__


class _Call:
    """One call with all its attempts: asks the circuit before each, and decides after it."""

    def __init__(self, retrying: Retry, name: str) -> None:
        self._retry = retrying
        self._name = name
        self._backoff = retrying._new_backoff()  # noqa: SLF001 - the other half of one thing
        self._permit: int | None = None
        self.pause_seconds = 0.0

    def begin(self) -> Attempt | None:
        """The next attempt; None: the circuit is open, and it is worth waiting. Raises CircuitOpenError."""
        breaker, policy = self._retry.breaker, self._retry.policy
        if breaker is not None:
            try:
                self._permit = breaker.enter()
            except CircuitOpenError as error:
                if not self._is_to_be_repeated(error):
                    raise
                return None
        return Attempt(self._backoff, policy.attempt_timeout_seconds, self._retry.runtime.clock)

    def succeeded(self) -> None:
        """The attempt has returned."""
        self._leave(None)
        self._retry._succeeded()  # noqa: SLF001 - as above

    def failed(self, error: BaseException, *, has_timed_out: bool = False) -> bool:
        """The attempt has raised; returns whether there is to be another, after `pause_seconds`."""
        self._leave(error)
        return isinstance(error, Exception) and self._is_to_be_repeated(error, has_timed_out=has_timed_out)

    def _is_to_be_repeated(self, error: Exception, *, has_timed_out: bool = False) -> bool:
        decision = self._retry._decide(  # noqa: SLF001 - as above
            self._backoff, error, self._name, has_timed_out=has_timed_out
        )
        self.pause_seconds = decision.delay_seconds
        return decision.is_again

    def _leave(self, error: BaseException | None) -> None:
        if self._permit is not None and self._retry.breaker is not None:
            self._retry.breaker.leave(self._permit, error)


@overload
def retry(function: Callable[_P, _R], /) -> Callable[_P, _R]: ...
@overload
def retry(
    *,
    max_attempts: int = 0,
    delay: float | None = None,
    give_up_after_seconds: float | None = None,
    initial_backoff_seconds: float = 0.1,
    max_backoff_seconds: float = 5.0,
    attempt_timeout_seconds: float = 0.0,
    retry_on: ErrorChoice | None = None,
    breaker: CircuitBreaker | None = None,
    log: Logger | None = None,
) -> Retry: ...
def retry(
    function: Callable[_P, _R] | None = None,
    /,
    *,
    max_attempts: int = 0,
    delay: float | None = None,
    give_up_after_seconds: float | None = None,
    initial_backoff_seconds: float = 0.1,
    max_backoff_seconds: float = 5.0,
    attempt_timeout_seconds: float = 0.0,
    retry_on: ErrorChoice | None = None,
    breaker: CircuitBreaker | None = None,
    log: Logger | None = None,
) -> Retry | Callable[_P, _R]:
    """Makes a `Retry` in one line: `@retry(max_attempts=3, retry_on=ConnectionError)`, or plain `@retry`.

    Args:
        function: The function, where the decorator stands without brackets.
        max_attempts: Tries in all, the first included. 0: as many as there is time for.
        delay: Seconds before each further try, always the same, as plain retry decorators have it. With it
            every Exception is worth another try, unless `retry_on` says otherwise. 0: at once. None:
            exponential backoff.
        give_up_after_seconds: No try begins later than this after the first one failed. 0: there is no
            second try. None: 300, or with both `delay` and `max_attempts` no limit.
        initial_backoff_seconds: The longest wait before the second try; doubles with each further one.
        max_backoff_seconds: No wait is longer, unless the other side asks for it.
        attempt_timeout_seconds: How long one try may take. 0: no limit of its own.
        retry_on: Error classes, or a function of an error, that are worth another try. None: errors that
            say so by `is_retryable`, ConnectionError and TimeoutError; with `delay` every Exception.
        breaker: Asked before each try. None: no breaker.
        log: Where the records go. None: the logger `telecine.retry`.

    Raises:
        InvalidRequestError: A number is below zero, or `retry_on` is no choice of errors.
    """
    if give_up_after_seconds is None:
        give_up_after_seconds = math.inf if delay is not None and max_attempts else 300.0
    if delay is not None and retry_on is None:
        retry_on = Exception
    policy = RetryPolicy(
        max_attempts=max_attempts,
        delay_seconds=delay,
        give_up_after_seconds=give_up_after_seconds,
        initial_backoff_seconds=initial_backoff_seconds,
        max_backoff_seconds=max_backoff_seconds,
        attempt_timeout_seconds=attempt_timeout_seconds,
        retry_on=retry_on,
    )
    retrying = Retry(policy, breaker=breaker, log=log)
    return retrying if function is None else retrying(function)
