"""Caps how many records of one kind pass per second, and says in a record how many did not."""

from __future__ import annotations

import fnmatch
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import msgspec
from telecine.logging.catalogue import EVENT_RATE_LIMITED, Level

from log_collector.processors.normalise import format_timestamp
from log_collector.processors.undo import Undo
from log_collector.record import RecordKey


class RateLimitRule(msgspec.Struct, frozen=True):
    """A token bucket for each combination of the fields in `per`."""

    records_per_second: Annotated[float, msgspec.Meta(gt=0)]
    """What is kept on average."""
    burst: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """How many may pass at once after a pause."""
    service: str = "*"
    """The service, or a pattern."""
    per: tuple[Literal["service", "logger", "stage", "event", "job_id"], ...] = ("service",)
    """What each have a bucket of their own."""


class _Bucket(msgspec.Struct):
    tokens: float
    filled_seconds: float
    left_out: int = 0
    since_unix_nano: int = 0


class RateLimiter:
    """Decides in the order of arrival. Bounded: beyond `max_buckets` the fullest-unused one is dropped.

    A limit only ever leaves out records below WARNING; the caller sees to that.
    """

    def __init__(self, rules: Sequence[RateLimitRule], max_buckets: int) -> None:
        self._rules = tuple(rules)
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[tuple[int, tuple[str, ...]], _Bucket] = OrderedDict()

    def is_allowed(self, key: RecordKey, now_unix_nano: int, undo: Undo) -> tuple[bool, list[bytes]]:
        """Whether a record passes, and the summaries that are due before it."""
        summaries: list[bytes] = []
        for number, rule in enumerate(self._rules):
            if not fnmatch.fnmatchcase(key.service, rule.service):
                continue
            place = (number, tuple(_field(key, name) for name in rule.per))
            bucket = self._refilled(place, rule, now_unix_nano / 1e9)
            before = (bucket.tokens, bucket.left_out, bucket.since_unix_nano)
            undo.add(partial(_restore, bucket, *before))
            if bucket.tokens < 1:
                bucket.left_out += 1
                bucket.since_unix_nano = bucket.since_unix_nano or now_unix_nano
                return False, summaries
            bucket.tokens -= 1
            summaries += _summary(place, rule, bucket, now_unix_nano)
        return True, summaries

    def summarise(self, before_unix_nano: int, now_unix_nano: int, undo: Undo) -> list[bytes]:
        """Summaries of what was left out since a time before `before_unix_nano`."""
        lines: list[bytes] = []
        for place, bucket in self._buckets.items():
            if bucket.left_out and bucket.since_unix_nano < before_unix_nano:
                before = (bucket.tokens, bucket.left_out, bucket.since_unix_nano)
                undo.add(partial(_restore, bucket, *before))
                lines += _summary(place, self._rules[place[0]], bucket, now_unix_nano)
        return lines

    def _refilled(
        self, place: tuple[int, tuple[str, ...]], rule: RateLimitRule, now_seconds: float
    ) -> _Bucket:
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket(float(rule.burst), now_seconds)
            if len(self._buckets) > self._max_buckets:
                idle = next((p for p, b in self._buckets.items() if not b.left_out), place)
                if idle != place:
                    del self._buckets[idle]
        self._buckets.move_to_end(place)
        # A clock that jumps back fills nothing.
        passed = max(0.0, now_seconds - bucket.filled_seconds)
        bucket.filled_seconds = now_seconds
        bucket.tokens = min(float(rule.burst), bucket.tokens + passed * rule.records_per_second)
        return bucket


def _restore(bucket: _Bucket, tokens: float, left_out: int, since_unix_nano: int) -> None:
    bucket.tokens, bucket.left_out, bucket.since_unix_nano = tokens, left_out, since_unix_nano


def _field(key: RecordKey, name: str) -> str:
    return key.job if name == "job_id" else str(getattr(key, name) or "")


def _summary(
    place: tuple[int, tuple[str, ...]], rule: RateLimitRule, bucket: _Bucket, now_unix_nano: int
) -> list[bytes]:
    if not bucket.left_out:
        return []
    of = {name: value for name, value in zip(rule.per, place[1], strict=True) if value}
    record: dict[str, object] = {
        "timestamp": format_timestamp(now_unix_nano),
        "level": Level.WARNING.name,
        "service": of.pop("service", "log-collector"),
        "msg": "records left out by a rate limit",
        # The key's own event gives way to what this record is.
        **{name: value for name, value in of.items() if name != "event"},
        "event": EVENT_RATE_LIMITED,
        "dropped": bucket.left_out,
        "since": format_timestamp(bucket.since_unix_nano),
        "records_per_second": rule.records_per_second,
    }
    bucket.left_out = bucket.since_unix_nano = 0
    return [msgspec.json.encode(record)]
