"""Decides after a failure whether and when to try again; time and randomness come from the caller."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telecine.retry.policy import RetryPolicy

_ASKED_JITTER = 0.25
"""Callers that were asked to come back at one time come up to this much later, not all at once."""
_MAX_DOUBLINGS = 32


class Verdict(StrEnum):
    """What was decided, and why; `reason` of a `retry:decision` record."""

    AGAIN = "again"
    NOT_RETRYABLE = "not_retryable"
    """The error does not go away by itself."""
    ATTEMPTS_USED_UP = "attempts_used_up"
    TIME_USED_UP = "time_used_up"
    """Too long without progress, or the other side asks for more time than is left."""
    BUDGET_USED_UP = "budget_used_up"
    """Too many retries for the successes there were."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a failed try."""

    attempt: int
    """Which try has failed; 0 is the first."""
    verdict: Verdict
    delay_seconds: float = 0.0
    """How long to wait before the next try."""

    @property
    def is_again(self) -> bool:
        """Whether there is to be another try."""
        return self.verdict is Verdict.AGAIN


class Backoff:
    """Counts the failures of one call or connection. Not thread-safe: its owner serialises all calls.

    Args:
        policy: When to try again and for how long.
        budget: Retries that many calls share. None: no such limit.
        started_seconds: When the time of `give_up_after_seconds` begins. None: with the first failure.
    """

    def __init__(
        self, policy: RetryPolicy, budget: RetryBudget | None = None, *, started_seconds: float | None = None
    ) -> None:
        self.policy = policy
        self._budget = budget
        self._attempt = 0
        self._since_seconds = started_seconds

    @property
    def attempt(self) -> int:
        """The number of the try that is under way; 0 is the first."""
        return self._attempt

    def progressed(self) -> None:
        """Reports that something moved forward: the next failure counts as the first."""
        self._attempt = 0
        self._since_seconds = None

    def left_seconds(self, now_seconds: float) -> float:
        """Returns how much of `give_up_after_seconds` is left."""
        since = now_seconds if self._since_seconds is None else self._since_seconds
        return max(0.0, since + self.policy.give_up_after_seconds - now_seconds)

    def decide(
        self,
        error: BaseException,
        now_seconds: float,
        random_fraction: float,
        *,
        is_retryable: bool | None = None,
    ) -> Decision:
        """Returns what to do after `error`.

        The wait is random below a ceiling that doubles (full jitter, as in "Exponential Backoff And Jitter",
        AWS Architecture Blog, 2015). A delay that the other side asks for, `retry_delay_seconds` of the
        error, is never undercut. The last try begins no later than the policy's time allows.

        Args:
            error: What the try has raised.
            now_seconds: The time of a monotonic clock.
            random_fraction: A random number from 0 to 1.
            is_retryable: Whether the error is worth another try. None: as the policy says.
        """
        attempt = self._attempt
        if self._since_seconds is None:
            self._since_seconds = now_seconds
        is_worth_it = self.policy.is_worth_it(error) if is_retryable is None else is_retryable
        if not is_worth_it:
            return Decision(attempt, Verdict.NOT_RETRYABLE)
        if self.policy.max_attempts and attempt + 1 >= self.policy.max_attempts:
            return Decision(attempt, Verdict.ATTEMPTS_USED_UP)
        left = self.left_seconds(now_seconds)
        asked = _asked_seconds(error)
        if left <= 0 or asked > left:
            return Decision(attempt, Verdict.TIME_USED_UP)
        if self._budget is not None and not self._budget.take():
            return Decision(attempt, Verdict.BUDGET_USED_UP)
        fixed = self.policy.delay_seconds
        ceiling = self.policy.initial_backoff_seconds * 2.0 ** min(attempt, _MAX_DOUBLINGS)
        delay = min(ceiling, self.policy.max_backoff_seconds) * random_fraction if fixed is None else fixed
        delay = max(delay, asked * (1 + _ASKED_JITTER * random_fraction))
        self._attempt += 1
        return Decision(attempt, Verdict.AGAIN, min(delay, left))


def _asked_seconds(error: BaseException) -> float:
    asked: object = getattr(error, "retry_delay_seconds", None)
    return max(0.0, float(asked)) if isinstance(asked, int | float) else 0.0


class RetryBudget:
    """A token bucket, as in gRPC's retry throttling (gRFC A6): a retry takes a token, a success gives a part.

    When every call fails, retries stop after `tokens` of them; in the long run there are at most `ratio`
    retries for each success. Not thread-safe: its owner serialises all calls.
    """

    def __init__(self, tokens: float, ratio: float) -> None:
        self._most = tokens
        self._ratio = ratio
        self.tokens = tokens
        """What is left."""

    def take(self) -> bool:
        """Takes the token of one retry; returns False if none is left."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def succeeded(self) -> None:
        """Returns a part of a token: a call went well."""
        self.tokens = min(self._most, self.tokens + self._ratio)
