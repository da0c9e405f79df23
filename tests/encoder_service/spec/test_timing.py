"""Rounded durations never add up to a wrong total."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.spec.spec import Rational
from encoder_service.spec.timing import TickClock, delay_fraction

RATES = st.builds(Rational, st.integers(1, 120_000), st.integers(1, 2000)).filter(
    lambda rate: Fraction(1, 100) <= Fraction(rate.numerator, rate.denominator) <= 1000
)


@given(RATES, st.integers(0, 5000), st.sampled_from([100, 1000]))
def test_the_sum_of_all_durations_is_within_half_a_tick_of_the_exact_time(
    rate: Rational, frames: int, ticks: int
) -> None:
    clock = TickClock(rate, ticks)
    exact = Fraction(frames * rate.denominator * ticks, rate.numerator)
    total = clock.start(frames)
    assert abs(total - exact) <= Fraction(1, 2)
    assert total == sum(clock.duration(index) for index in range(frames))


@given(RATES, st.integers(0, 5000), st.sampled_from([100, 1000]))
def test_durations_differ_by_at_most_one_tick(rate: Rational, index: int, ticks: int) -> None:
    clock = TickClock(rate, ticks)
    assert clock.duration(index) - clock.shortest_seconds * ticks in {0, 1}


def test_film_rate_in_milliseconds() -> None:
    clock = TickClock(Rational(24000, 1001), 1000)
    assert [clock.duration(index) for index in range(6)] == [42, 41, 42, 42, 42, 41]
    assert clock.start(24000) == 1_001_000


@pytest.mark.parametrize(
    ("rate", "delay"),
    [
        (Rational(24000, 1001), (1001, 24000)),
        (Rational(16), (1, 16)),
        (Rational(50, 100), (2, 1)),
        (Rational(100_003, 1), None),
    ],
)
def test_the_exact_delay_is_reported_where_16_bits_hold_it(
    rate: Rational, delay: tuple[int, int] | None
) -> None:
    assert delay_fraction(rate) == delay
