"""Waiters hear that something is new, at a bounded rate, and at once when it is urgent."""

from __future__ import annotations

import asyncio

from encoder_service.jobs.job import Subscription


async def test_however_much_happens_it_is_reported_once() -> None:
    subscription = Subscription(0.0)
    for _ in range(1000):
        subscription.notify()
    assert await subscription.next(1.0)
    assert not await subscription.next(0.01)


async def test_news_wait_for_the_pause_unless_they_are_urgent() -> None:
    subscription = Subscription(30.0)
    subscription.notify()
    assert await subscription.next(1.0)
    subscription.notify()
    waiting = asyncio.create_task(subscription.next())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    subscription.notify(is_urgent=True)
    assert await waiting
