"""Slows streams to the rates of their tenants and principals, by not reading them for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from service_host.quotas.bucket import TokenBucket

_BURST_SECONDS: Final = 1.0
"""So much of a rate may come at once after a pause."""
_KNOWN: Final = 10_000
_SIGN_SECONDS: Final = 2.0


class Pacing:
    """One kind of rate of all holders. Lives on the event loop."""

    def __init__(
        self, rate_of: Callable[[str], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`rate_of`: a holder's rate a second, asked each time; 0: any."""
        self._rate_of = rate_of
        self._monotonic = monotonic
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, holders: Iterable[str], amount: float) -> float:
        """Takes an amount of every holder's rate; returns the longest of their waits in seconds."""
        now, wait = self._monotonic(), 0.0
        for holder in holders:
            if (bucket := self._bucket(holder, now)) is not None:
                wait = max(wait, bucket.take(amount, now))
        return wait

    def wait_seconds(self, holders: Iterable[str]) -> tuple[float, str, float]:
        """The longest wait of these holders before anything is taken, whose it is, and the rate."""
        now, longest = self._monotonic(), (0.0, "", 0.0)
        for holder in holders:
            if (bucket := self._bucket(holder, now)) is not None:
                longest = max(longest, (bucket.wait_seconds(now), holder, bucket.rate))
        return longest

    def _bucket(self, holder: str, now: float) -> TokenBucket | None:
        rate = self._rate_of(holder)
        if not rate:
            self._buckets.pop(holder, None)
            return None
        bucket = self._buckets.get(holder)
        if bucket is None or bucket.rate != rate:
            if len(self._buckets) >= _KNOWN:
                self._forget(now)
            bucket = self._buckets[holder] = TokenBucket(rate, rate * _BURST_SECONDS, now)
        return bucket

    def _forget(self, now: float) -> None:
        self._buckets = {name: each for name, each in self._buckets.items() if not each.is_full(now)}


async def pause(seconds: float, note_alive: Callable[[], None] = lambda: None) -> None:
    """Waits; says every two seconds that the one who is kept waiting is not silent by its own will."""
    while seconds > 0:
        await asyncio.sleep(min(seconds, _SIGN_SECONDS))
        note_alive()
        seconds -= _SIGN_SECONDS
