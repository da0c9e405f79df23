"""Retries, and knowing when to stop: one policy and one circuit breaker for everything that is called."""

from __future__ import annotations

from telecine.retry.attempt import Attempt, current_attempt
from telecine.retry.backoff import Backoff, Decision, RetryBudget, Verdict
from telecine.retry.breaker import BreakerState
from telecine.retry.circuit import CircuitBreaker, CircuitOpenError, CircuitSnapshot, circuits
from telecine.retry.policy import BreakerPolicy, RetryPolicy
from telecine.retry.retrying import Retry, Runtime, retry

__all__ = [
    "Attempt",
    "Backoff",
    "BreakerPolicy",
    "BreakerState",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitSnapshot",
    "Decision",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "Runtime",
    "Verdict",
    "circuits",
    "current_attempt",
    "retry",
]
