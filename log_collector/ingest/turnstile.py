"""Lets requests in one by one: not while the collector stops, not too many at once, not too many bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from log_collector import errors
from log_collector.ingest.budget import ByteBudget
from log_collector.ingest.ingest import Ingest
from log_collector.quotas.intake_pace import ROOT, Sender


class Turnstile:
    """Stands before all requests that are answered once, whichever door they come by.

    Belongs to the event loop. `requests_at_once` and `retry_seconds` may be changed at any time.
    """

    def __init__(
        self, ingest: Ingest, budget: ByteBudget, requests_at_once: int, retry_seconds: float
    ) -> None:
        self._ingest = ingest
        self._budget = budget
        self.requests_at_once = requests_at_once
        self.retry_seconds = retry_seconds
        self._running = 0

    @asynccontextmanager
    async def admit(self, size_bytes: int, sender: Sender = ROOT) -> AsyncIterator[None]:
        """A place for a request of this size while the body runs; waits for bytes of others to be stored.

        `sender`: by whose quotas. Raises ServiceError: the collector stops, has enough to do, or the sender
        has sent as much as it may.
        """
        if self._ingest.is_draining:
            raise errors.draining(self.retry_seconds)
        if self._running >= self.requests_at_once:
            raise errors.busy(self.retry_seconds)
        self._running += 1
        try:
            async with sender.turn():
                await self._budget.acquire(size_bytes, sender.tenant)
                try:
                    yield
                finally:
                    self._budget.release(size_bytes)
        finally:
            self._running -= 1
