"""How Sentry takes records: one envelope per event, and rate limits for each category."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from log_collector.sinks.http.door import AGENT, HttpResponse, Request
from log_collector.sinks.http.responses import Piece, Verdict, judge_whole, wait_of
from log_collector.sinks.journal_record import JournalRecord
from log_collector.sinks.sentry.breadcrumbs import Breadcrumbs
from log_collector.sinks.sentry.config import SentryConfig, parse_dsn
from log_collector.sinks.sentry.event import sentry_event

_LIMITS: Final = "x-sentry-rate-limits"
_CATEGORIES: Final = frozenset({"", "error"})
"""Ours, and all of them."""
_DEFAULT_WAIT_SECONDS: Final = 60.0
_TOO_MANY: Final = 429


class SentryWire:
    """A `Wire`. The envelope protocol itself, for the SDK's transport drops what a rate limit or an outage
    keeps it from sending, and does not say which event that was."""

    kind = "sentry"
    read_bytes = 64 << 10

    def __init__(self, config: SentryConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        dsn = parse_dsn(config.dsn)
        self._url = dsn.url
        auth = f"Sentry sentry_version=7, sentry_client={AGENT}, sentry_key={dsn.public_key}"
        self._headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth}
        self._breadcrumbs = Breadcrumbs(config.breadcrumbs, config.breadcrumb_jobs, config.breadcrumb_bytes)
        self._clock = clock

    def piece(self, record: JournalRecord) -> Piece:
        """See `Wire`. A group of its own: an envelope holds one event."""
        event = sentry_event(record, self._config, self._breadcrumbs.of(record.fields or {}))
        return Piece(record, msgspec.json.encode(event), record.id)

    def passed(self, record: JournalRecord) -> None:
        """See `Wire`. Every record may be a breadcrumb of what comes after it."""
        self._breadcrumbs.add(record.fields or {}, record.line)

    def request(self, pieces: Sequence[Piece]) -> Request:
        """See `Wire`."""
        (piece,) = pieces
        sent_at = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        head = msgspec.json.encode({"event_id": piece.record.id, "sent_at": sent_at})
        item = msgspec.json.encode(
            {"type": "event", "length": len(piece.body), "content_type": "application/json"}
        )
        return Request(self._url, b"\n".join((head, item, piece.body, b"")), self._headers)

    def judge(self, answer: HttpResponse, pieces: Sequence[Piece]) -> Verdict:
        """See `Wire`. A limit may come with any answer; it holds for what comes next."""
        verdict = judge_whole(answer, pieces, self._clock())
        wait_seconds = self._wait_of(answer)
        if wait_seconds is None:
            return verdict
        return msgspec.structs.replace(verdict, wait_seconds=wait_seconds)

    def _wait_of(self, answer: HttpResponse) -> float | None:
        """As https://develop.sentry.dev/sdk/expected-features/rate-limiting says."""
        if _LIMITS in answer.headers:
            return read_rate_limits(answer.headers[_LIMITS])
        if answer.status != _TOO_MANY:
            return None
        said = wait_of(answer, self._clock())
        return _DEFAULT_WAIT_SECONDS if said is None else said


def read_rate_limits(header: str) -> float | None:
    """How long no event may be sent; None: other categories are meant.

    Limits are separated by commas, each `seconds:categories:scope:…`, categories by semicolons, none: all.
    """
    longest: float | None = None
    for limit in header.split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = set(rest.partition(":")[0].split(";"))
        if not categories & _CATEGORIES:
            continue
        try:
            longest = max(longest or 0.0, float(seconds))
        except ValueError:
            continue
    return longest
