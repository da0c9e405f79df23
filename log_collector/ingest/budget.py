"""Bounds the bytes that are being worked on: who would exceed the bound waits for the others."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """First come, first served. Belongs to one event loop."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used_bytes(self) -> int:
        """All shares that are taken now."""
        return self._used_bytes

    async def acquire(self, size_bytes: int) -> None:
        """Takes a share; something larger than the whole bound gets it when nobody else has any."""
        if not self._waiting and self._fits(size_bytes):
            self._used_bytes += size_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size_bytes)
            else:
                self._waiting = deque(item for item in self._waiting if item[1] is not turn)
            raise

    def release(self, size_bytes: int) -> None:
        """Gives a share back."""
        self._used_bytes -= size_bytes
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._used_bytes += size
                turn.set_result(None)

    def _fits(self, size_bytes: int) -> bool:
        return not self._used_bytes or self._used_bytes + size_bytes <= self._limit_bytes
