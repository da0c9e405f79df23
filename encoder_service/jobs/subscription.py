"""Tells a waiter that something is new, not what: however much happens, nothing piles up."""

from __future__ import annotations

import asyncio


class Subscription:
    """One waiter's flag. Lives on the event loop."""

    def __init__(self, pause_seconds: float) -> None:
        """`pause_seconds` lie between two returns of `next`, unless something urgent happens."""
        self._pause_seconds = pause_seconds
        self._is_due_at = 0.0
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()

    def notify(self, *, is_urgent: bool = False) -> None:
        """Something is new."""
        self._news.set()
        if is_urgent:
            self._urgent.set()

    async def next(self, timeout_seconds: float | None = None) -> bool:
        """Returns when something is new since the last return; False when the time is up before."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        try:
            async with asyncio.timeout_at(self._is_due_at):
                await self._urgent.wait()
        except TimeoutError:
            pass
        self._news.clear()
        self._urgent.clear()
        self._is_due_at = loop.time() + self._pause_seconds
        return True
