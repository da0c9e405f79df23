"""Wakes the tasks of one event loop that wait for anything to change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Signal:
    """A condition without a lock: between a look and the wait nothing else runs on the loop."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wakes everybody who waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Waits for the next `notify`; returns False when the time is over."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    async def wait_for(self, condition: Callable[[], bool], timeout_seconds: float | None = None) -> bool:
        """Waits until the condition holds; returns False when the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not condition():
                    await self.wait()
        except TimeoutError:
            return False
        return True
