"""Frame rates, made exact: 23.976 is 24000/1001, and "24000/1001" stays what it is."""

from __future__ import annotations

from fractions import Fraction
from numbers import Rational as AnyRational

from telecine.exceptions import InvalidRequestError

FrameRate = int | float | str | Fraction
"""What callers may write: 24, 23.976, "24000/1001", "29.97", Fraction(25, 2)."""

MAX_FRAME_RATE = 1000

_NTSC_NOMINALS = (12, 15, 18, 24, 30, 36, 48, 60, 72, 90, 96, 120, 240)
# 23.976, 23.98 and 29.97 are all meant as NTSC rates; 23.95 and 29.9 are not.
_NTSC_TOLERANCE = Fraction(5, 1000)
_MAX_DENOMINATOR = 100_000


def exact_frame_rate(value: FrameRate) -> Fraction:
    """Returns frames per second as an exact fraction, above 0 and at most 1000.

    Integers, fractions and "a/b" are taken as they are. A decimal (float or text) within 0.005 of an
    NTSC rate n * 1000/1001 is that rate; any other is the nearest fraction with a small denominator.
    Raises InvalidRequestError for everything else.
    """
    rate = _read(value)
    if not 0 < rate <= MAX_FRAME_RATE:
        raise InvalidRequestError(f"fps is {value!r}; expected a number above 0 and at most {MAX_FRAME_RATE}")
    return rate


def _read(value: FrameRate) -> Fraction:
    if isinstance(value, bool):
        raise _unreadable(value)
    if isinstance(value, AnyRational):
        return Fraction(value)
    if isinstance(value, str) and "." not in value:
        try:
            return Fraction(value.replace(" ", ""))
        except (ValueError, ZeroDivisionError) as error:
            raise _unreadable(value) from error
    try:
        return _from_decimal(Fraction(repr(float(value))))
    except (TypeError, ValueError, OverflowError) as error:
        raise _unreadable(value) from error


def _from_decimal(decimal: Fraction) -> Fraction:
    if decimal.denominator == 1:
        return decimal
    for nominal in _NTSC_NOMINALS:
        ntsc = Fraction(nominal * 1000, 1001)
        if abs(decimal - ntsc) < _NTSC_TOLERANCE:
            return ntsc
    return decimal.limit_denominator(_MAX_DENOMINATOR)


def _unreadable(value: object) -> InvalidRequestError:
    return InvalidRequestError(
        f'fps is {value!r}; expected a number or a fraction, such as 24, 23.976 or "24000/1001"'
    )
