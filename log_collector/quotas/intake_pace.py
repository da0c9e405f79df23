"""Holds what comes in to the records a second of its tenant and of who sends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from log_collector.quotas.config import Quotas
from service_host.quotas.exceeded import QuotaError, quota_exceeded
from service_host.quotas.pacing import Pacing, pause

_PATIENCE_SECONDS: Final = 1.0
"""A single call waits so long for its turn; stock clients of OpenTelemetry give up after ten seconds."""


class IntakePace:
    """Lives on the event loop."""

    def __init__(self, quotas: Callable[[], Quotas]) -> None:
        """`quotas`: those in force."""
        self.quotas = quotas
        self.records = Pacing(lambda holder: quotas().of(holder).records_per_second)
        self._turns: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    def turn_of(self, holders: tuple[str, ...]) -> asyncio.Lock:
        """What the calls of one tenant hold one after the other."""
        return self._turns.setdefault(holders[:1], asyncio.Lock())


class Sender:
    """Who ships, by its credential, and how fast it may."""

    def __init__(
        self, tenant: str = "", holders: tuple[str, ...] = (), pace: IntakePace | None = None
    ) -> None:
        """`holders`: whose quotas its records count in. `pace`: None: nothing is paced."""
        self.tenant = tenant
        """As it stands in the journal: empty for the root tenant."""
        self._holders = holders
        self._pace = pace

    async def keep_pace(self, count: int) -> None:
        """Waits until so many records of a stream may be taken."""
        if (records := self._records()) is not None:
            await pause(records.take(self._holders, count))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Lets one call after the other be taken: what one carries is known only when it is counted.

        Raises ServiceError QUOTA_EXCEEDED where the turn of a call is far off.
        """
        records = self._records()
        if self._pace is None or records is None:
            yield
            return
        async with self._pace.turn_of(self._holders):
            wait, holder, rate = records.wait_seconds(self._holders)
            if wait > _PATIENCE_SECONDS:
                owed = round(rate * (1 + wait))
                raise quota_exceeded(QuotaError("records_per_second", holder, rate, owed), wait)
            await pause(wait)
            yield

    def count(self, count: int) -> None:
        """Counts the records of a call that was taken: the next one waits for them."""
        if (records := self._records()) is not None:
            records.take(self._holders, count)

    def _records(self) -> Pacing | None:
        return None if self._pace is None or not self._pace.quotas().is_paced() else self._pace.records


ROOT: Final = Sender()
"""Who ships where nobody is asked and nothing is bounded."""
