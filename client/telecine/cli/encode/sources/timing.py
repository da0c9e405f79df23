"""What becomes of the times at which a source shows its pictures, and the warning that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, TypeVar

from telecine.cli.encode.sources.constant_rate import (
    ConstantRate,
    RatePlan,
    Timed,
    TooManyRepeatsError,
    plan_rate,
)
from telecine.cli.show import terminal
from telecine.cli.show.failures import SourceError
from telecine.request.source_warnings import SourceCode, SourceWarning

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StatedTimes:
    """What a source says of its times."""

    ticks: Sequence[int]
    """When its pictures are shown, rising, in units of `tick_seconds`; empty: it does not say."""
    tick_seconds: Fraction
    last_ticks: int = 0
    """How long the last picture is shown; 0: it does not say."""
    rates: tuple[Fraction, ...] = ()
    """Its frame rate by its tags, the likeliest first; they need not be true."""


@dataclass(slots=True)
class Timing(Generic[T]):
    """The pictures of one source on their way to frames at one rate."""

    name: str
    """Of the source, for errors."""
    rate: Fraction | None
    """Of the frames; None: nobody knows."""
    frame_count: int
    """How many frames there will be, as far as it is known; 0: not known."""
    losses: list[SourceWarning] = field(default_factory=list)
    """What the frames do not show of the times; complete once they have ended."""
    begins_at: Fraction | None = None
    """When the first frame is shown, in seconds on the source's clock; None: not known, or not yet."""
    plan: RatePlan | None = None
    """None: each picture is one frame."""

    def arrange(self, pictures: Iterator[Timed[T]]) -> Iterator[T]:
        """Yields frames. Raises SourceError for times that nothing can follow."""
        if self.plan is None:
            for each in pictures:
                if self.begins_at is None:
                    self.begins_at = each.seconds
                yield each.picture
            return
        steady: ConstantRate[T] = ConstantRate(self.plan)
        try:
            for frame in steady.arrange(pictures):
                self.begins_at = steady.begins_at
                yield frame
        except TooManyRepeatsError as error:
            raise _refused(self.name, error) from error
        is_off = steady.most_off_seconds > 2 * self.plan.tolerance_seconds
        changed = is_off or steady.repeated or steady.dropped or steady.resets
        self.losses[:] = [_changed(self.plan.rate, steady)] if changed else []


def keep_times(name: str, stated: StatedTimes, picture_count: int) -> Timing[T]:
    """Frames at a constant rate, each picture where its time is. Raises SourceError."""
    try:
        plan = plan_rate(stated.ticks, stated.tick_seconds, stated.last_ticks, stated.rates)
    except TooManyRepeatsError as error:
        raise _refused(name, error) from error
    if plan is None:
        return Timing(name, stated.rates[0] if stated.rates else None, picture_count)
    timing: Timing[T] = Timing(name, plan.rate, plan.frame_count, plan=plan)
    if not plan.is_constant:
        rate = terminal.frame_rate_text(plan.rate)
        timing.losses.append(
            SourceWarning(
                SourceCode.SOURCE_TIMING_CHANGED,
                f"variable frame rate: {len(stated.ticks)} pictures become {plan.frame_count} frames "
                f"at {rate} fps",
            )
        )
    return timing


def replace_times(name: str, rate: Fraction, stated: StatedTimes, picture_count: int) -> Timing[T]:
    """Each picture one frame at the caller's rate, whatever its time was."""
    timing: Timing[T] = Timing(name, rate, picture_count)
    known = _stated_duration(stated)
    count = len(stated.ticks) or picture_count
    if known is None or not count:
        own = stated.rates[0] if stated.rates else rate
        if own == rate:
            return timing
        what = f"at {terminal.frame_rate_text(rate)} fps instead of {terminal.frame_rate_text(own)}"
    else:
        is_constant, seconds = known
        if is_constant and abs(seconds - count / rate) < 1 / (2 * rate):
            return timing
        what = f"in {_seconds(count / rate)} instead of {_seconds(seconds)}"
    timing.losses.append(
        SourceWarning(
            SourceCode.SOURCE_RETIMED,
            f"as --fps says, its pictures are shown equally long, {what}; its own times are not kept",
        )
    )
    return timing


def _stated_duration(stated: StatedTimes) -> tuple[bool, Fraction] | None:
    """Whether the pictures are equally long, and how long all of them are together."""
    try:
        plan = plan_rate(stated.ticks, stated.tick_seconds, stated.last_ticks, stated.rates)
    except TooManyRepeatsError as error:
        return False, error.seconds
    return None if plan is None else (plan.is_constant, plan.frame_count / plan.rate)


def _changed(rate: Fraction, steady: ConstantRate[T]) -> SourceWarning:
    off = float(steady.most_off_seconds * 1000)
    parts = (
        (steady.repeated, "{} of them repeated"),
        (steady.dropped, "{} dropped"),
        (steady.resets, "what followed was joined where the clock went back ({} times)"),
    )
    said = [text.format(count) for count, text in parts if count]
    return SourceWarning(
        SourceCode.SOURCE_TIMING_CHANGED,
        f"variable frame rate: {steady.pictures} pictures became {steady.frames} frames at "
        f"{terminal.frame_rate_text(rate)} fps by their times"
        + "".join(f"; {each}" for each in said)
        + (f"; shown up to {off:.3g} ms from their times" if off >= 0.1 else ""),
    )


def _seconds(seconds: Fraction) -> str:
    return f"{float(seconds):.6g} s"


def _refused(name: str, error: TooManyRepeatsError) -> SourceError:
    return SourceError(
        f"{name}: {error}", "add --fps, such as --fps 24, to show each picture once at that rate"
    )
