"""What is decided after a failure follows from the policy, the time and the chance alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from telecine.exceptions import InvalidRequestError, SpoolFullError, UnavailableError
from telecine.retry import Backoff, BreakerPolicy, BreakerState, Decision, RetryBudget, RetryPolicy, Verdict
from telecine.retry.breaker import Breaker

GONE = UnavailableError("gone")
FRACTIONS = st.floats(0, 1)


@given(st.lists(FRACTIONS, min_size=1, max_size=12))
def test_every_wait_is_below_a_ceiling_that_doubles_up_to_its_bound(fractions: list[float]) -> None:
    backoff = Backoff(
        RetryPolicy(initial_backoff_seconds=1, max_backoff_seconds=5, give_up_after_seconds=1e6)
    )
    for attempt, fraction in enumerate(fractions):
        decision = backoff.decide(GONE, 0.0, fraction)
        assert decision == Decision(attempt, Verdict.AGAIN, min(2.0**attempt, 5) * fraction)


@given(st.integers(1, 8))
def test_there_are_never_more_tries_than_allowed(most: int) -> None:
    backoff = Backoff(RetryPolicy(max_attempts=most))
    tries = 1
    while backoff.decide(GONE, 0.0, 1.0).is_again:
        tries += 1
    assert tries == most
    assert backoff.decide(GONE, 0.0, 1.0).verdict is Verdict.ATTEMPTS_USED_UP


@given(st.floats(0.1, 60), st.lists(st.tuples(st.floats(0, 20), FRACTIONS), max_size=30))
@example(1.0, [(0.0, 1.0)] * 30)
def test_no_try_begins_after_the_time_is_over(limit: float, steps: list[tuple[float, float]]) -> None:
    backoff = Backoff(RetryPolicy(give_up_after_seconds=limit), started_seconds=100.0)
    now = 100.0
    for duration, fraction in steps:
        now += duration
        decision = backoff.decide(GONE, now, fraction)
        if not decision.is_again:
            assert decision.verdict is Verdict.TIME_USED_UP
            assert now >= 100 + limit
            return
        now += decision.delay_seconds
        assert now <= 100 + limit + 1e-9


def test_progress_makes_the_next_failure_count_as_the_first() -> None:
    backoff = Backoff(RetryPolicy(give_up_after_seconds=10, initial_backoff_seconds=1))
    assert [backoff.decide(GONE, now, 1.0).delay_seconds for now in (0.0, 1.0, 3.0)] == [1, 2, 4]
    backoff.progressed()
    assert backoff.decide(GONE, 50.0, 1.0) == Decision(0, Verdict.AGAIN, 1.0)
    assert not backoff.decide(GONE, 60.0, 1.0).is_again


@given(st.floats(0.5, 20), FRACTIONS)
def test_a_delay_that_is_asked_for_is_never_undercut_and_little_overdone(asked: float, chance: float) -> None:
    full = SpoolFullError("full", retry_delay_seconds=asked)
    delay = Backoff(RetryPolicy(initial_backoff_seconds=0)).decide(full, 0.0, chance).delay_seconds
    assert asked <= delay <= asked * 1.25


def test_who_asks_for_more_time_than_there_is_ends_the_tries_at_once() -> None:
    full = SpoolFullError("full", retry_delay_seconds=31)
    assert (
        Backoff(RetryPolicy(give_up_after_seconds=30)).decide(full, 0.0, 0.0).verdict is Verdict.TIME_USED_UP
    )


@pytest.mark.parametrize(
    ("choice", "error", "is_worth_it"),
    [
        (None, GONE, True),
        (None, InvalidRequestError("wrong"), False),
        (None, ConnectionResetError(), True),
        (None, TimeoutError(), True),
        (None, ValueError(), False),
        (OSError, FileNotFoundError(), True),
        (OSError, GONE, False),
        ((KeyError, OSError), KeyError(), True),
        (lambda error: "busy" in str(error), RuntimeError("busy"), True),
        (lambda error: True, KeyboardInterrupt(), False),
    ],
)
def test_the_policy_says_which_errors_are_worth_another_try(choice, error, is_worth_it) -> None:
    assert RetryPolicy(retry_on=choice).is_worth_it(error) is is_worth_it


def test_impossible_numbers_are_reported_all_at_once() -> None:
    with pytest.raises(ValueError, match=r"max_attempts is -1, max_backoff_seconds is nan"):
        RetryPolicy(max_attempts=-1, max_backoff_seconds=float("nan"))
    with pytest.raises(ValueError, match="failures_to_open from 1 on"):
        BreakerPolicy(failures_to_open=0)


@given(st.floats(1, 20), st.floats(0, 1), st.lists(st.booleans(), max_size=200))
def test_a_budget_bounds_retries_by_what_successes_have_earned(
    tokens: float, ratio: float, outcomes: list[bool]
) -> None:
    budget = RetryBudget(tokens, ratio)
    retries = 0
    for is_success in outcomes:
        if is_success:
            budget.succeeded()
        else:
            retries += budget.take()
    assert retries <= tokens + ratio * outcomes.count(True) + 1e-6
    assert 0 <= budget.tokens <= tokens


def test_a_budget_that_is_used_up_ends_the_tries_of_every_call() -> None:
    policy = RetryPolicy(budget_tokens=2)
    budget = RetryBudget(policy.budget_tokens, policy.budget_ratio)
    first, second = Backoff(policy, budget), Backoff(policy, budget)
    assert first.decide(GONE, 0.0, 0.5).is_again
    assert second.decide(GONE, 0.0, 0.5).is_again
    assert first.decide(GONE, 0.0, 0.5).verdict is Verdict.BUDGET_USED_UP


class CircuitKeepsItsTable(RuleBasedStateMachine):
    """Against the plainest model: one trial at a time while it is not closed, and only then."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(BreakerPolicy(failures_to_open=3, open_seconds=10))
        self.under_way: list[tuple[int, BreakerState]] = []

    @rule(seconds=st.floats(0, 12))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def call(self) -> None:
        if self.breaker.wait_seconds(self.now) > 0:
            assert self.breaker.state is not BreakerState.CLOSED
            return
        number = self.breaker.enter(self.now)
        self.under_way.append((number, self.breaker.state))
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert self.breaker.wait_seconds(self.now) > 9, "a second call would go through beside the trial"

    @rule(which=st.integers(0, 5), outcome=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def end_one(self, which: int, outcome: str) -> None:
        if not self.under_way:
            return
        number, _ = self.under_way.pop(which % len(self.under_way))
        before = (self.breaker.state, self.breaker.failures)
        is_current = number == self.breaker._period
        getattr(self.breaker, outcome)(number, self.now)
        after = (self.breaker.state, self.breaker.failures)
        if not is_current:
            assert after == before, "a call of an earlier state changed something"
        elif outcome == "succeeded":
            assert after == (BreakerState.CLOSED, 0)
        elif outcome == "failed" and before[0] is BreakerState.HALF_OPEN:
            assert after[0] is BreakerState.OPEN

    @invariant()
    def it_is_closed_exactly_below_its_threshold(self) -> None:
        if self.breaker.state is BreakerState.CLOSED:
            assert self.breaker.failures < 3
        else:
            assert self.breaker.failures >= 3

    @invariant()
    def nobody_waits_longer_than_the_circuit_is_open(self) -> None:
        assert self.breaker.wait_seconds(self.now) <= 10 + 1e-9


TestCircuitKeepsItsTable = CircuitKeepsItsTable.TestCase
