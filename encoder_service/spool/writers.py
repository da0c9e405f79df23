"""The threads that write frames: tenants take turns, so that a flood of one delays another by a write."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

_Work: TypeAlias = "tuple[Future[Any], Callable[[], Any]]"


class SpoolWriters:
    """Some threads, and a queue for each tenant. Used from any thread; whoever makes it closes it."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "spool")
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[_Work]] = {}

    def of(self, tenant: str) -> Executor:
        """Where one tenant's writes are handed in; its `shutdown` does nothing."""
        return _Turns(self, tenant)

    def put(self, tenant: str, work: _Work) -> None:
        """Queues a write."""
        with self._lock:
            self._waiting.setdefault(tenant, deque()).append(work)
        # One place in the pool's queue for each write: whose it is, is decided when it is due.
        self._pool.submit(self._do_next)

    def shutdown(self) -> None:
        """Writes what is queued, and ends. Blocks."""
        self._pool.shutdown(wait=True)

    def _do_next(self) -> None:
        with self._lock:
            tenant = next(iter(self._waiting))
            queue = self._waiting.pop(tenant)
            future, work = queue.popleft()
            if queue:
                # Behind all others.
                self._waiting[tenant] = queue
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            future.set_exception(error)


class _Turns(Executor):
    def __init__(self, writers: SpoolWriters, tenant: str) -> None:
        self._writers = writers
        self._tenant = tenant

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._writers.put(self._tenant, (future, partial(fn, *args, **kwargs)))
        return future
