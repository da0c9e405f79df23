"""Frame rates become exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.exceptions import InvalidRequestError
from telecine.request.rates import exact_frame_rate


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (16, Fraction(16)),
        (24.0, Fraction(24)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        (" 30000 / 1001 ", Fraction(30000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (119.88, Fraction(120000, 1001)),
        (12.5, Fraction(25, 2)),
        (50 / 3, Fraction(50, 3)),
        (23.95, Fraction(479, 20)),
        (Fraction(25, 2), Fraction(25, 2)),
        ("25", Fraction(25)),
    ],
)
def test_what_people_write_is_what_they_mean(value, expected: Fraction) -> None:
    assert exact_frame_rate(value) == expected


@pytest.mark.parametrize("value", [0, -1, 1001, "abc", "1/0", "", float("nan"), float("inf"), True, None, []])
def test_what_is_no_rate_is_refused(value) -> None:
    with pytest.raises(InvalidRequestError, match="fps is"):
        exact_frame_rate(value)


@given(st.sampled_from([24, 30, 48, 60, 120]), st.integers(3, 6))
def test_an_ntsc_rate_survives_any_usual_rounding(nominal: int, digits: int) -> None:
    ntsc = Fraction(nominal * 1000, 1001)
    assert exact_frame_rate(round(float(ntsc), digits)) == ntsc


@given(st.fractions(min_value=Fraction(1, 10), max_value=1000, max_denominator=2000))
def test_fractions_stay_as_they_are(rate: Fraction) -> None:
    assert exact_frame_rate(rate) == rate
    assert exact_frame_rate(f"{rate.numerator}/{rate.denominator}") == rate
