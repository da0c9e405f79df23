"""Frame rates, made exact: 23.976 is 24000/1001, and "24000/1001" stays what it is."""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Rational as AnyRational

from telecine.request.fields import refused

FrameRate = int | float | str | Fraction
"""What callers may write: 24, 23.976, "24000/1001", "29.97", Fraction(25, 2)."""

MAX_FRAME_RATE = 1000

_NTSC_NOMINALS = (12, 15, 18, 24, 30, 36, 48, 60, 72, 90, 96, 120, 240)
# 23.976, 23.98 and 29.97 are all meant as NTSC rates; 23.95 and 29.9 are not.
_NTSC_TOLERANCE = Fraction(5, 1000)
_MAX_DENOMINATOR = 100_000
_RATIO = re.compile(r"[+-]?[0-9]{1,18}(/[0-9]{1,18})?")


def exact_frame_rate(value: FrameRate, field: str = "fps") -> Fraction:
    """Returns frames per second as an exact fraction, above 0 and at most 1000.

    Integers, fractions and "a/b" are taken as they are. A decimal (float or text) within 0.005 of an
    NTSC rate n * 1000/1001 is that rate; any other is the nearest fraction with a small denominator.
    Raises InvalidRequestError, which names `field`, for everything else.
    """
    try:
        rate = _read(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise refused(field, value, 'a number or a fraction, such as 24, 23.976 or "24000/1001"') from None
    if not 0 < rate <= MAX_FRAME_RATE:
        raise refused(field, value, f"a number above 0 and at most {MAX_FRAME_RATE}")
    return rate


def _read(value: FrameRate) -> Fraction:
    if isinstance(value, bool | bytes | bytearray) or type(value).__name__ == "bool_":
        raise TypeError(value)
    if isinstance(value, AnyRational):
        return Fraction(value)
    if isinstance(value, str) and "." not in value:
        text = value.replace(" ", "")
        if _RATIO.fullmatch(text) is None:  # Fraction would also take "1e99999999", and count for ever
            raise ValueError(value)
        return Fraction(text)
    # A number of numpy's shows its own shortest digits: float32's 23.976 is not 23.97599983215332.
    digits = str(value) if type(value).__module__ == "numpy" else repr(float(value))
    return _from_decimal(Fraction(digits))


def _from_decimal(decimal: Fraction) -> Fraction:
    if decimal.denominator == 1:
        return decimal
    for nominal in _NTSC_NOMINALS:
        ntsc = Fraction(nominal * 1000, 1001)
        if abs(decimal - ntsc) < _NTSC_TOLERANCE:
            return ntsc
    return decimal.limit_denominator(_MAX_DENOMINATOR)
