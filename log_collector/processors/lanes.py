"""Threads for work on batches: in turns by sender, and with a lane of its own for what takes long."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from log_collector.processors.redact import CostlyError

COSTLY_BYTES: Final = 128 * 1024
"""More that looks as if it held secrets is work for the costly lane: some microseconds a byte."""
_T = TypeVar("_T")
_Work: TypeAlias = "tuple[Callable[[], Any], asyncio.Future[Any]]"


class Lanes:
    """Two lanes, so that a small request that takes minutes keeps nobody from the threads.

    Work is asked for with a limit of suspicious bytes; what raises CostlyError there is done again, without
    a limit, by the one thread of the costly lane. Belongs to one event loop.
    """

    def __init__(self, threads: int) -> None:
        self._cheap = _Lane(threads, "intake")
        self._costly = _Lane(1, "intake-costly")

    async def run(self, owner: Hashable, work: Callable[[float], _T], tenant: str = "") -> _T:
        """What `work(limit_bytes)` returns; `owner` is whose turn it is among those of its tenant.

        Work whose caller is cancelled is not begun.
        """
        try:
            return await self._cheap.run(owner, partial(work, COSTLY_BYTES), tenant)
        except CostlyError:
            return await self._costly.run(owner, partial(work, math.inf), tenant)

    @property
    def is_costly_lane_busy(self) -> bool:
        """Whether costly work that comes now has to wait."""
        return self._costly.is_busy

    def close(self) -> None:
        """Waits for what has begun."""
        self._cheap.close()
        self._costly.close()


class _Lane:
    """Some threads, and a queue for each owner; tenants take turns, and so do the owners of each."""

    def __init__(self, threads: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, name)
        self._free = threads
        self._waiting: dict[str, dict[Hashable, deque[_Work]]] = {}

    @property
    def is_busy(self) -> bool:
        return not self._free

    async def run(self, owner: Hashable, work: Callable[[], _T], tenant: str) -> _T:
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, {}).setdefault(owner, deque()).append((work, done))
        self._begin()
        return await done

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _begin(self) -> None:
        while self._free and self._waiting:
            work, done = self._next()
            if done.cancelled():
                continue
            self._free -= 1
            running = asyncio.get_running_loop().run_in_executor(self._executor, work)
            running.add_done_callback(partial(self._ended, done))

    def _next(self) -> _Work:
        """Who was served goes behind all others: its tenant, and the owner within it."""
        tenant = next(iter(self._waiting))
        owners = self._waiting.pop(tenant)
        owner = next(iter(owners))
        queue = owners.pop(owner)
        work = queue.popleft()
        if queue:
            owners[owner] = queue
        if owners:
            self._waiting[tenant] = owners
        return work

    def _ended(self, done: asyncio.Future[Any], running: asyncio.Future[Any]) -> None:
        self._free += 1
        error = asyncio.CancelledError() if running.cancelled() else running.exception()
        if done.cancelled():
            pass
        elif isinstance(error, asyncio.CancelledError):
            done.cancel()
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(running.result())
        self._begin()
