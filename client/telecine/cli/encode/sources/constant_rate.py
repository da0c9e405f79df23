"""Pictures with times of their own become pictures at a constant rate: repeated or dropped by time.

The rule is that of FFmpeg's `fps` filter, and but for its tolerance that of `-fps_mode cfr`: each picture
takes the place that is nearest to its time and stays until the next one; of several in one place the last is
shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import gcd
from typing import Final, Generic, TypeVar

from telecine.request.rates import MAX_FRAME_RATE

T = TypeVar("T")

USUAL_RATES: Final = (
    *(Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)),
    *(Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60)),
)
MOST_REPEATS: Final = 100_000
"""Of a whole clip, besides REPEATS_PER_PICTURE: times that are damaged would fill a disk with one picture."""
REPEATS_PER_PICTURE: Final = 20
_LOWEST_RATE: Final = Fraction(1, 1000)
_HIGHEST_MADE_RATE: Final = Fraction(60)
"""Of those that no tag states: higher ones cost more than they show."""
_EVEN: Final = Fraction(1, 20)
_EVEN_TICKS: Final = 2
_EVEN_AT_MOST: Final = Fraction(1, 4)
"""How far a picture may be from its place at a constant rate: so much of a frame, or so many ticks of the
file's clock, but at most the last one of a frame."""
_EXACT: Final = Fraction(1, 8)
"""Of a frame: a rate that shows all times as they are."""
_FEW: Final = 200
"""One picture of so many may be dropped where a lower rate is had for it."""
_MAX_DENOMINATOR: Final = 100_000


@dataclass(frozen=True, slots=True)
class RatePlan:
    """At which rate a clip is shown, and what that does to its pictures."""

    rate: Fraction
    start: Fraction
    """The time of the first place, in seconds on the clip's own clock."""
    is_constant: bool
    """The pictures come at this rate already: each takes one place."""
    frame_count: int
    """How many frames it makes."""
    tolerance_seconds: Fraction = Fraction(0)
    """So far from its time a picture is shown without a word: the clock is no finer."""
    last_seconds: Fraction = Fraction(0)
    """How long the last picture is shown; 0: as long as any other."""


class TooManyRepeatsError(Exception):
    """The times leave gaps that no sensible number of repeated pictures fills."""

    def __init__(self, seconds: Fraction, repeats: int) -> None:
        super().__init__(
            f"its times span {float(seconds):.6g} s, which would take {repeats} repeated pictures"
        )
        self.seconds = seconds


def plan_rate(
    ticks: Sequence[int], tick_seconds: Fraction, last_ticks: int, stated: Sequence[Fraction]
) -> RatePlan | None:
    """Finds the rate for pictures that are shown at `ticks`, which rise.

    Args:
        ticks: The times, in units of `tick_seconds`.
        tick_seconds: The unit of `ticks`, in seconds.
        last_ticks: How long the last picture is shown; 0: not known.
        stated: The rates that the file names, the likeliest first; they need not be true.

    Returns:
        None where the times say nothing: they are all the same, or there is one picture of which neither a
        rate nor a duration is known.

    Raises:
        TooManyRepeatsError: The times are damaged, or the gaps between pictures enormous.
    """
    possible = [rate for rate in stated if _LOWEST_RATE <= rate <= MAX_FRAME_RATE]
    clip = _Clip(ticks, tick_seconds, last_ticks)
    if len(ticks) < 2:
        rate = possible[0] if possible else _rate_of_one(clip)
        return clip.plan(rate) if ticks and rate else None
    if ticks[0] == ticks[-1]:
        return None
    if plan := clip.constant(possible):
        return plan
    return clip.plan(_best(clip, possible))


def _rate_of_one(clip: _Clip) -> Fraction | None:
    shown = clip.last_ticks * clip.tick_seconds
    return 1 / shown if shown and _LOWEST_RATE <= 1 / shown <= MAX_FRAME_RATE else None


def _best(clip: _Clip, stated: Sequence[Fraction]) -> Fraction:
    """A rate that shows all times as they are, stated or the lowest; else one that drops next to nothing."""
    steps = [later - earlier for earlier, later in pairwise(clip.ticks) if later > earlier]
    spacings = (gcd(*steps), min(steps), sorted(steps)[len(steps) // 2], Fraction(sum(steps), len(steps)))
    made = [_simple(1 / (step * clip.tick_seconds)) for step in spacings]
    known = {*stated, *USUAL_RATES, *(rate for rate in made if _LOWEST_RATE <= rate <= _HIGHEST_MADE_RATE)}
    fits = {rate: clip.fit(rate) for rate in sorted(known)}
    exact = {rate: fit.most_off for rate, fit in fits.items() if not fit.dropped and fit.most_off <= _EXACT}
    for rate in stated:
        if rate in exact and fits[rate].frames <= 2 * len(clip.ticks):
            return rate
    if exact:
        # Of 30, 29.97 and 29.41 it is the one that is nearest to the times.
        alike = [rate for rate in exact if rate <= min(exact) * Fraction(105, 100)]
        return min(alike, key=lambda rate: exact[rate])
    for rate, fit in fits.items():
        if fit.dropped * _FEW <= len(clip.ticks):
            return rate
    return min(fits, key=lambda rate: (fits[rate].dropped, rate))


def _simple(rate: Fraction) -> Fraction:
    return rate.limit_denominator(_MAX_DENOMINATOR)


@dataclass(frozen=True, slots=True)
class _Fit:
    dropped: int
    frames: int
    most_off: Fraction
    """Of a frame: how far a picture is from its place, at most."""


@dataclass(frozen=True, slots=True)
class _Clip:
    ticks: Sequence[int]
    tick_seconds: Fraction
    last_ticks: int

    def constant(self, stated: Sequence[Fraction]) -> RatePlan | None:
        """A plan where some rate has one place for each picture and none between."""
        count = len(self.ticks) - 1
        span = (self.ticks[-1] - self.ticks[0]) * self.tick_seconds
        if not _LOWEST_RATE <= count / span <= MAX_FRAME_RATE:
            return None
        # A usual rate counts where the clock cannot tell it from the measured one.
        usual = [rate for rate in USUAL_RATES if abs(count / rate - span) <= self.tick_seconds]
        for rate in (*stated, *usual, _simple(count / span)):
            numerator, denominator = self._places_per_tick(rate)
            first = self.ticks[0]
            off = [(tick - first) * numerator - place * denominator for place, tick in enumerate(self.ticks)]
            if max(off) - min(off) <= 2 * self._tolerance(rate) * denominator:
                middle = Fraction(max(off) + min(off), 2 * denominator)
                start = first * self.tick_seconds + middle / rate
                is_long = self.last_ticks * self.tick_seconds * rate >= Fraction(3, 2)
                return (
                    None if is_long else RatePlan(rate, start, True, count + 1, self._tolerance(rate) / rate)
                )
        return None

    def plan(self, rate: Fraction) -> RatePlan:
        """A plan at that rate. Raises TooManyRepeatsError."""
        last = place_of((self.ticks[-1] - self.ticks[0]) * self.tick_seconds, rate)
        end = (self.ticks[-1] - self.ticks[0] + self.last_ticks) * self.tick_seconds
        frames = max(last + 1, place_of(end, rate))
        if frames > most_frames(len(self.ticks)):
            raise TooManyRepeatsError(end, frames - len(self.ticks))
        start = self.ticks[0] * self.tick_seconds
        last_seconds = self.last_ticks * self.tick_seconds
        return RatePlan(rate, start, frames == 1, frames, self._tolerance(rate) / rate, last_seconds)

    def fit(self, rate: Fraction) -> _Fit:
        """What the rate does to the pictures."""
        numerator, denominator = self._places_per_tick(rate)
        first, last_place, dropped, most_off = self.ticks[0], -1, 0, 0
        for tick in self.ticks:
            at = (tick - first) * numerator
            place = (2 * at + denominator) // (2 * denominator)
            dropped += place == last_place
            most_off = max(most_off, abs(at - place * denominator))
            last_place = place
        return _Fit(dropped, last_place + 1, Fraction(most_off, denominator))

    def _tolerance(self, rate: Fraction) -> Fraction:
        """Of a frame."""
        return min(_EVEN_AT_MOST, max(_EVEN, _EVEN_TICKS * self.tick_seconds * rate))

    def _places_per_tick(self, rate: Fraction) -> tuple[int, int]:
        ratio = rate * self.tick_seconds
        return ratio.numerator, ratio.denominator


def place_of(seconds: Fraction, rate: Fraction) -> int:
    """The place that is nearest to a time; of two the later one."""
    return int((seconds * rate + Fraction(1, 2)).__floor__())


def most_frames(pictures: int) -> int:
    """How many frames so many pictures may make at most."""
    return pictures * (1 + REPEATS_PER_PICTURE) + MOST_REPEATS


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """One picture and when it is shown."""

    picture: T
    seconds: Fraction | None
    """None: not known; it follows the one before at the clip's rate."""


class ConstantRate(Generic[T]):
    """Puts pictures on the places of a rate, and counts what that takes. Used once."""

    def __init__(self, plan: RatePlan) -> None:
        self._rate = plan.rate
        self._start = plan.start
        self._last_seconds = plan.last_seconds
        self.pictures = 0
        """Taken so far."""
        self.frames = 0
        """Made so far."""
        self.dropped = 0
        """Pictures in whose place another one came."""
        self.most_off_seconds = Fraction(0)
        """How far a picture that is shown is from its time, at most."""
        self.resets = 0
        """How often the times went back; what followed goes on from there."""
        self.begins_at: Fraction | None = None
        """The time of the first frame, in seconds on the clip's own clock; None: not known, or not yet."""

    @property
    def repeated(self) -> int:
        """Frames that show the picture before them again."""
        return self.frames - (self.pictures - self.dropped)

    def arrange(self, pictures: Iterator[Timed[T]]) -> Iterator[T]:
        """Yields frames. Raises TooManyRepeatsError."""
        held: Timed[T] | None = None
        held_place = 0
        held_seconds = Fraction(0)
        for each in pictures:
            self.pictures += 1
            seconds = self._time(each, held_seconds if held is not None else None)
            place = place_of(seconds, self._rate)
            if held is None:
                self.begins_at = None if each.seconds is None else self._start + place / self._rate
            elif place <= held_place:
                place = held_place
                self.dropped += 1
            else:
                self._note(held_seconds, held_place)
                yield from self._repeated(held.picture, place - held_place)
            held, held_place, held_seconds = each, place, seconds
        if held is not None:
            self._note(held_seconds, held_place)
            end = place_of(held_seconds + self._last_seconds, self._rate)
            yield from self._repeated(held.picture, max(1, end - held_place))

    def _time(self, each: Timed[T], before: Fraction | None) -> Fraction:
        if each.seconds is None:
            return Fraction(0) if before is None else before + 1 / self._rate
        seconds = each.seconds - self._start
        if before is not None and seconds <= before - 1 / self._rate:
            self.resets += 1
            self._start += seconds - before - 1 / self._rate
            seconds = before + 1 / self._rate
        return seconds

    def _note(self, seconds: Fraction, place: int) -> None:
        self.most_off_seconds = max(self.most_off_seconds, abs(seconds - place / self._rate))

    def _repeated(self, picture: T, count: int) -> Iterator[T]:
        self.frames += count
        if self.frames > most_frames(self.pictures):
            raise TooManyRepeatsError(self.frames / self._rate, self.frames - self.pictures)
        for _ in range(count):
            yield picture
