"""A sink that fails is tried again for ever, ever more seldom, and at last only from time to time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.retry import BreakerState

from log_collector.retry import Patience, RetryConfig
from log_collector.sinks.sink import SinkError

CONFIG = RetryConfig(first_seconds=1, most_seconds=3, failures_to_open=4, open_seconds=9)
DOWN = SinkError("down")


def fail(patience: Patience, now: float, chance: float, error: Exception = DOWN) -> float:
    patience.begin(now)
    return patience.failed(error, now, chance).delay_seconds


@given(st.floats(0, 1))
def test_delays_grow_with_full_jitter_until_the_circuit_opens(chance: float) -> None:
    patience, now, delays = Patience(CONFIG), 0.0, []
    for _ in range(5):
        delays.append(fail(patience, now, chance))
        now += delays[-1]
    assert delays == pytest.approx([chance, 2 * chance, 3 * chance, 9, 9])
    assert (patience.state, patience.failures) == (BreakerState.OPEN, 5)
    patience.begin(now)
    assert patience.state is BreakerState.HALF_OPEN
    patience.succeeded(now)
    assert (patience.state, patience.failures) == (BreakerState.CLOSED, 0)
    assert fail(patience, now, chance) == chance


def test_it_is_never_given_up() -> None:
    patience = Patience(CONFIG)
    now = 0.0
    for _ in range(500):
        now += fail(patience, now, 1.0)
    assert fail(patience, now, 1.0) == 9


def test_a_sink_that_says_when_to_come_is_not_asked_before() -> None:
    busy = SinkError("429", retry_delay_seconds=20)
    assert fail(Patience(CONFIG), 0.0, 0.0, busy) == 20
    assert fail(Patience(CONFIG), 0.0, 1.0, busy) == 25
