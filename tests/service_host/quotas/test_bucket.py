"""A rate that is kept to the second, whatever comes and in which pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_host.quotas.bucket import TokenBucket
from service_host.quotas.pacing import Pacing


def test_a_burst_passes_at_once_and_the_rest_waits_its_turn() -> None:
    bucket = TokenBucket(rate=10, burst=10, now_seconds=0)
    assert bucket.take(10, 0) == 0
    assert [bucket.take(5, 0), bucket.take(5, 0)] == [0.5, 1.0]
    assert bucket.take(5, 2) == 0
    assert bucket.wait_seconds(2) == 0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=1, now_seconds=100)
    bucket.take(1, 100)
    assert bucket.take(1, 50) == 1
    assert bucket.take(1, 101) == 1


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 50)), min_size=1, max_size=40))
def test_whatever_comes_no_more_passes_than_the_rate_and_one_burst(pieces: list[tuple[float, float]]) -> None:
    """One sender that waits as it is told to."""
    bucket, now, passed = TokenBucket(rate=7, burst=7, now_seconds=0), 0.0, 0.0
    for pause, amount in pieces:
        now += pause
        now += bucket.take(amount, now)
        passed += amount
        assert passed <= 7 + 7 * now + 1e-6


def test_a_principal_is_held_to_its_own_rate_and_to_its_tenants() -> None:
    rates = {"acme": 10.0, "acme/alice": 2.0}
    pacing = Pacing(lambda holder: rates.get(holder, 0.0), lambda: 0.0)
    assert pacing.take(("acme", "acme/alice"), 4) == 1.0
    assert pacing.take(("acme", "acme/bob"), 10) == pytest.approx(0.4)
    assert pacing.take(("beta",), 1e9) == 0.0
    assert pacing.wait_seconds(("acme", "acme/alice")) == (1.0, "acme/alice", 2.0)
    rates.clear()
    assert pacing.take(("acme", "acme/alice"), 1e9) == 0.0
