"""Bounds the bytes that are being worked on: who would exceed the bound waits for the others."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """Tenants take turns; within one, first come, first served. Belongs to one event loop."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}
        """By tenant; the first one is next."""

    @property
    def used_bytes(self) -> int:
        """All shares that are taken now."""
        return self._used_bytes

    async def acquire(self, size_bytes: int, tenant: str = "") -> None:
        """Takes a tenant's share; one larger than the whole bound is given when nobody else has any."""
        if not self._waiting and self._fits(size_bytes):
            self._used_bytes += size_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size_bytes)
            else:
                self._forget(tenant, turn)
            raise

    def release(self, size_bytes: int) -> None:
        """Gives a share back."""
        self._used_bytes -= size_bytes
        while self._waiting:
            tenant = next(iter(self._waiting))
            size, turn = self._waiting[tenant][0]
            if not self._fits(size):
                return
            queue = self._waiting.pop(tenant)
            queue.popleft()
            if queue:
                # Behind all others.
                self._waiting[tenant] = queue
            if not turn.done():
                self._used_bytes += size
                turn.set_result(None)

    def _forget(self, tenant: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(tenant)
        if queue is None:
            return
        left = deque(item for item in queue if item[1] is not turn)
        if left:
            self._waiting[tenant] = left
        else:
            del self._waiting[tenant]

    def _fits(self, size_bytes: int) -> bool:
        return not self._used_bytes or self._used_bytes + size_bytes <= self._limit_bytes
