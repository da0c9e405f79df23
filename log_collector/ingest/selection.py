"""Decides which accepted records are written now: sampling, rate limits and the flight recorder together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from telecine.logging.catalogue import Level

from log_collector.processors.flight_recorder import FlightRecorder, FlightRecorderConfig
from log_collector.processors.rate_limit import RateLimiter, RateLimitRule
from log_collector.processors.sample import Sampler, SamplingRule
from log_collector.processors.undo import Undo
from log_collector.record import LEVEL_NUMBERS, RecordKey

SAMPLED: Final = "sampled"
RATE_LIMITED: Final = "rate_limited"
RECORDED: Final = "flight_recorder"


class SelectionConfig(msgspec.Struct, frozen=True):
    """What may be left out. WARNING and above always stay, and so do first and last of a sampled stage."""

    sampling: tuple[SamplingRule, ...] = ()
    """The first rule that applies to a record counts."""
    rate_limits: tuple[RateLimitRule, ...] = ()
    """A record must pass all that apply to it."""
    flight_recorder: FlightRecorderConfig = FlightRecorderConfig()
    max_keys: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    """How many job stages, and how many rate limit buckets, are remembered."""
    idle_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """A sampled stage in which nothing happens for so long has ended: its last record is written. As
    often, rate limits tell what they left out."""


class Selected(msgspec.Struct):
    """What becomes of a batch. `accepted + generated = len(lines) + dropped + held`."""

    lines: list[bytes]
    is_changed: bool
    """Whether `lines` are other than what came."""
    dropped: dict[str, int]
    held: int
    """How many more are held than before; below 0 where some were given out or given up."""
    generated: int
    """How many of the lines are summaries of our own."""
    undo: Undo


class Selection:
    """The rules in force, with what they remember. Belongs to one thread."""

    def __init__(self, config: SelectionConfig) -> None:
        self._config = config
        self._sampler = Sampler(config.sampling, config.max_keys)
        self._limiter = RateLimiter(config.rate_limits, config.max_keys)
        self._recorder = FlightRecorder(config.flight_recorder)
        self.is_active = bool(config.sampling or config.rate_limits or self._recorder.is_on)
        """False: every record is kept, no need to look at any."""

    @property
    def held_count(self) -> int:
        """How many accepted records wait in memory."""
        return self._sampler.held_count + self._recorder.held_count

    def recorded_lines(self) -> list[bytes]:
        """What the flight recorder holds."""
        return self._recorder.lines()

    def restore(
        self, held: Sequence[tuple[int, bytes]], keys: Sequence[RecordKey], now_unix_nano: int
    ) -> Selected:
        """Holds what was held before a restart or other rules, each with how many were left out before it.

        The result is what of it is not held any more: written, or given up.
        """
        made = _Making(len(held))
        held_again = Undo()
        for (left_out, line), key in zip(held, keys, strict=True):
            is_debug = LEVEL_NUMBERS[key.level] <= Level.DEBUG
            if is_debug and key.job and self._recorder.is_on:
                made.drop(RECORDED, self._recorder.hold(key.job, line, held_again))
            elif not self._sampler.restore(line, key, left_out, now_unix_nano / 1e9):
                made.lines.append(line)
                made.undo.given.append(line)
        made.undo.given += held_again.given
        return made.selected(self.held_count)

    def select(self, lines: Sequence[bytes], keys: Sequence[RecordKey], now_unix_nano: int) -> Selected:
        """Judges the records of one batch in their order."""
        made = _Making(self.held_count)
        for line, key in zip(lines, keys, strict=True):
            before = len(made.lines)
            self._select_one(line, key, now_unix_nano, made)
            made.is_changed |= len(made.lines) != before + 1 or made.lines[-1] is not line
        ended = self._sampler.end_oldest(made.undo)
        made.lines += ended
        made.is_changed |= bool(ended)
        return made.selected(self.held_count)

    def tick(self, now_unix_nano: int) -> Selected:
        """What is due without any record coming: last records of idle stages, summaries."""
        made = _Making(self.held_count)
        before_nano = now_unix_nano - int(self._config.idle_seconds * 1e9)
        made.lines += self._sampler.end_idle(before_nano / 1e9, made.undo)
        summaries = self._limiter.summarise(before_nano, now_unix_nano, made.undo)
        made.lines += summaries
        made.generated += len(summaries)
        return made.selected(self.held_count)

    def give_out_all(self, now_unix_nano: int) -> Selected:
        """What is due when the rules are replaced or the process ends: last records and summaries.

        What the flight recorder holds stays: the journal has it, and `restore` takes it up again.
        """
        made = _Making(self.held_count)
        made.lines += self._sampler.end_idle(float("inf"), made.undo)
        summaries = self._limiter.summarise(now_unix_nano + 1, now_unix_nano, made.undo)
        made.lines += summaries
        made.generated += len(summaries)
        return made.selected(self.held_count)

    def _select_one(self, line: bytes, key: RecordKey, now_unix_nano: int, made: _Making) -> None:
        level = LEVEL_NUMBERS[key.level]
        job = key.job
        rate = 1 if level >= Level.WARNING else self._sampler.rate_of(key)
        if job and rate == 1:
            made.lines += self._sampler.end_stages(key.service, job, made.undo)
        if level >= Level.WARNING:
            if level >= Level.ERROR and job and self._recorder.is_on:
                made.lines += self._recorder.release(job, made.undo)
            made.lines.append(line)
            return
        if level <= Level.DEBUG and job and self._recorder.is_on:
            made.drop(RECORDED, self._recorder.hold(job, line, made.undo))
            return
        if rate > 1:
            kept, given_up = self._sampler.sample(line, key, rate, now_unix_nano / 1e9, made.undo)
            made.drop(SAMPLED, given_up)
            if kept is None:
                return
            line = kept
        self._limit(line, key, now_unix_nano, made)

    def _limit(self, line: bytes, key: RecordKey, now_unix_nano: int, made: _Making) -> None:
        is_allowed, summaries = self._limiter.is_allowed(key, now_unix_nano, made.undo)
        made.lines += summaries
        made.generated += len(summaries)
        if is_allowed:
            made.lines.append(line)
        else:
            made.drop(RATE_LIMITED, 1)


class _Making:
    """A `Selected` in the making."""

    def __init__(self, held_before: int) -> None:
        self.lines: list[bytes] = []
        self.is_changed = False
        self.dropped: dict[str, int] = {}
        self.generated = 0
        self.undo = Undo()
        self._held_before = held_before

    def drop(self, reason: str, count: int) -> None:
        """Counts records that are given up."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def selected(self, held_after: int) -> Selected:
        """The finished result."""
        held = held_after - self._held_before
        return Selected(self.lines, self.is_changed, self.dropped, held, self.generated, self.undo)
