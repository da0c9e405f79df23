"""How many records the pages of one origin may send: a bucket for each, filled by time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.status.status import ServiceError

_BURST_SECONDS = 10.0
"""A bucket holds what may come in so long."""
_LONGEST_SECONDS = 60.0


class OriginRates:
    """Belongs to the event loop; as many buckets as there are allowed origins."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}
        """What is left of each, and when."""

    def take(self, origin: str, count: int, per_second: float, allowed: Collection[str]) -> None:
        """Takes a share for so many records. Raises ServiceError QUOTA_EXCEEDED with a delay, and takes none.

        More than a bucket holds is taken from a full one, whose pages then wait the longer.
        """
        now = self._monotonic()
        limit = per_second * _BURST_SECONDS
        left, since = self._buckets.get(origin, (limit, now))
        left = min(limit, left + (now - since) * per_second)
        missing = min(count, limit) - left
        if missing > 0:
            self._buckets[origin] = (left, now)
            raise ServiceError(
                reasons.ERROR_REASON_QUOTA_EXCEEDED,
                f"pages of this origin may send {per_second:g} records a second (http.records_per_second)",
                retry_after_seconds=min(_LONGEST_SECONDS, max(1.0, missing / per_second)),
                metadata={"quota": "http.records_per_second"},
            )
        self._buckets[origin] = (left - count, now)
        for gone in self._buckets.keys() - set(allowed):
            del self._buckets[gone]
