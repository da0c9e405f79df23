"""Frame durations for formats that count in milliseconds or centiseconds, so that no error adds up."""

from __future__ import annotations

from fractions import Fraction

from encoder_service.spec.spec import Rational

_MAX_UINT16 = (1 << 16) - 1
_MILLISECONDS = 1000


class TickClock:
    """Durations in whole ticks: each frame begins at the tick nearest to its exact time.

    Whatever the number of frames, the sum is within half a tick of the exact duration.
    """

    def __init__(self, frame_rate: Rational, ticks_per_second: int) -> None:
        self._ticks_per_frame = Fraction(ticks_per_second * frame_rate.denominator, frame_rate.numerator)
        self._ticks_per_second = ticks_per_second

    def start(self, index: int) -> int:
        """The tick at which frame `index` begins."""
        return int(self._ticks_per_frame * index + Fraction(1, 2))

    def duration(self, index: int) -> int:
        """How many ticks frame `index` is shown."""
        return self.start(index + 1) - self.start(index)

    @property
    def shortest_seconds(self) -> Fraction:
        """The shortest duration that a frame gets."""
        return Fraction(int(self._ticks_per_frame), self._ticks_per_second)


def delay_fraction(frame_rate: Rational) -> tuple[int, int] | None:
    """The exact seconds per frame as two 16-bit numbers; None where they do not fit."""
    exact = Fraction(frame_rate.denominator, frame_rate.numerator)
    if exact.numerator > _MAX_UINT16 or exact.denominator > _MAX_UINT16:
        return None
    return exact.numerator, exact.denominator


def ticks_in_16_bits(frame_rate: Rational) -> int:
    """Ticks per second, 1000 or fewer, in which a frame's duration has at most 16 bits."""
    longest = Fraction(_MAX_UINT16 * frame_rate.numerator, frame_rate.denominator)
    return max(1, min(_MILLISECONDS, int(longest)))


def clock_text(frame: int, frame_rate: Rational) -> str:
    """The time at which a frame is shown: mm:ss.mmm, with hours where there are some."""
    milliseconds = int(Fraction(frame * frame_rate.denominator * 1000, frame_rate.numerator) + Fraction(1, 2))
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes:02d}"
    return f"{clock}:{seconds:02d}.{milliseconds:03d}"


def reduced(value: Fraction) -> Rational:
    """A fraction as the service's own number."""
    return Rational(value.numerator, value.denominator)
