"""What can be said about retries: how long, how often, how soon, and after which errors."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

from telecine.exceptions import InvalidRequestError

ErrorChoice: TypeAlias = (
    type[BaseException]
    | tuple[type[BaseException], ...]
    | list[type[BaseException]]
    | set[type[BaseException]]
    | frozenset[type[BaseException]]
    | Callable[[BaseException], bool]
)
"""An error class, several (a list or set is taken as a tuple), or a function that returns whether an error is
worth another try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often something is retried: exponential backoff with full jitter, within bounds."""

    give_up_after_seconds: float = 300.0
    """No try begins later than this after the first one failed, or after the last time that something
    moved forward. 0: given up at the first failure."""
    max_attempts: int = 0
    """Tries in all, the first included. 0: as many as there is time for."""
    initial_backoff_seconds: float = 0.1
    """Longest wait before the second try; the ceiling doubles with each further one."""
    max_backoff_seconds: float = 5.0
    """No wait is longer, unless the other side asks for it."""
    delay_seconds: float | None = None
    """Waits exactly so long before each further try, instead of longer and longer. 0: not at all. None:
    exponential backoff."""
    attempt_timeout_seconds: float = 0.0
    """How long one try may take. Coroutines are cancelled then; blocking functions see how much is
    left in `current_attempt().timeout_seconds`. 0: no limit of its own."""
    retry_on: ErrorChoice | None = None
    """Which errors are worth another try. None: those that say so by `is_retryable`, as every
    TelecineError does, and ConnectionError and TimeoutError."""
    budget_tokens: float = 0.0
    """Retries that all calls under this policy may make at once, before successes earn new ones: what keeps
    many callers from flooding a server that is already in trouble. 0: no such budget."""
    budget_ratio: float = 0.1
    """Retries that each success earns: 0.1 is one retry for ten calls in the long run."""

    def __post_init__(self) -> None:
        """Raises InvalidRequestError and names what is wrong: a number below zero, or `retry_on`."""
        at_least_zero = (
            "give_up_after_seconds", "max_attempts", "initial_backoff_seconds", "max_backoff_seconds",
            "attempt_timeout_seconds", "budget_tokens", "budget_ratio",
        )  # fmt: skip
        wrong = [
            f"{name} is {getattr(self, name)!r}"
            for name in at_least_zero
            if not isinstance(getattr(self, name), int | float) or not getattr(self, name) >= 0
        ]
        if self.delay_seconds is not None and not 0 <= self.delay_seconds < math.inf:
            wrong.append(f"delay_seconds is {self.delay_seconds!r}")
        if wrong:
            raise InvalidRequestError(f"a RetryPolicy takes numbers from 0 on; {', '.join(wrong)}")
        object.__setattr__(self, "retry_on", _checked(self.retry_on))

    def is_worth_it(self, error: BaseException) -> bool:
        """Returns whether the same call may succeed after `error`.

        Only for instances of Exception: a cancellation or Ctrl-C is never kept waiting.
        """
        if not isinstance(error, Exception):
            return False
        choice = self.retry_on
        if choice is None:
            says: object = getattr(error, "is_retryable", None)
            return says if isinstance(says, bool) else isinstance(error, ConnectionError | TimeoutError)
        if isinstance(choice, type | tuple):
            return isinstance(error, choice)
        return cast(Callable[[BaseException], bool], choice)(error)

    def __str__(self) -> str:
        tries = f", {self.max_attempts} tries" if self.max_attempts else ""
        limit = "" if self.give_up_after_seconds == math.inf else f", up to {self.give_up_after_seconds:g} s"
        if self.delay_seconds is not None:
            return f"every {self.delay_seconds:g} s{limit}{tries}"
        return f"full jitter {self.initial_backoff_seconds:g}-{self.max_backoff_seconds:g} s{limit}{tries}"


def _checked(choice: object) -> ErrorChoice | None:
    """The choice, a list or set of classes as a tuple. Raises InvalidRequestError: found out
    later, while an error is handled, a wrong one would hide that error."""
    if isinstance(choice, list | set | frozenset):
        choice = tuple(choice)
    classes = choice if isinstance(choice, tuple) else (choice,) if isinstance(choice, type) else None
    if classes is None:
        if choice is None or callable(choice):
            if choice is not None and not _takes_one(choice):
                raise InvalidRequestError(f"retry_on is {choice!r}; a function takes one argument, the error")
            return choice
    elif all(isinstance(each, type) and issubclass(each, BaseException) for each in classes):
        return cast(ErrorChoice, choice)
    raise InvalidRequestError(
        f"retry_on is {choice!r}; expected an error class, several such as (ConnectionError, OSError), "
        "or a function of an error"
    )


def _takes_one(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # built-in functions may have no signature
        return True
    return not inspect.iscoroutinefunction(function)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a circuit opens, and for how long."""

    failures_to_open: int = 5
    """Failures in a row after which nothing is tried for a while."""
    open_seconds: float = 15.0
    """How long nothing is tried. Then one call goes through: it closes the circuit, or opens it for as long
    again. A trial that has not ended after this long counts as failed."""

    def __post_init__(self) -> None:
        """Raises InvalidRequestError for numbers that make no sense."""
        if self.failures_to_open < 1 or not self.open_seconds > 0:
            raise InvalidRequestError(
                "a BreakerPolicy takes failures_to_open from 1 on and open_seconds above 0, "
                f"not {self.failures_to_open!r} and {self.open_seconds!r}"
            )
