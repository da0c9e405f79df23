"""Bytes under way are shared: who floods waits behind itself, and not in front of others."""

from __future__ import annotations

import asyncio

from log_collector.ingest.budget import ByteBudget


async def test_tenants_take_turns_and_each_is_served_in_its_order() -> None:
    budget, order = ByteBudget(10), list[str]()

    async def take(name: str, tenant: str) -> None:
        await budget.acquire(10, tenant)
        order.append(name)
        budget.release(10)

    await budget.acquire(10)
    waiting = [asyncio.ensure_future(take(f"f{n}", "flood")) for n in range(5)]
    await asyncio.sleep(0)
    waiting += [asyncio.ensure_future(take(f"a{n}", "acme")) for n in range(2)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    await asyncio.sleep(0)
    budget.release(10)
    await asyncio.gather(*waiting, return_exceptions=True)
    assert order == ["f0", "a0", "f1", "a1", "f3", "f4"]
    assert budget.used_bytes == 0
