"""Does the work of single frames on several threads and hands the results back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")
_MOST_BYTES = 4 << 30
"""Half of what a worker may take by default (`worker_memory_bytes`)."""
_COPIES = 5
"""How often a task's pixels exist while it is done: as sent, converted, and in its codec."""


def threads_for(threads: int, task_bytes: int) -> int:
    """How many tasks of so many bytes of pixels may be done side by side: fewer where pictures are huge."""
    return max(1, min(threads, _MOST_BYTES // (_COPIES * max(1, task_bytes))))


class FramePool(Generic[Result]):
    """At most `threads` + 1 frames are in work or waiting, so memory is bounded.

    `submit` and `drain` are called by one thread. A task's exception is raised where its result is due.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="frame")
        self._limit = threads + 1
        self._pending: deque[Future[Result]] = deque()

    def submit(self, task: Callable[[], Result]) -> list[Result]:
        """Takes a task in; returns results that are due, oldest first. Waits when too much is in work."""
        self._pending.append(self._executor.submit(task))
        due = []
        while self._pending and (self._pending[0].done() or len(self._pending) > self._limit):
            due.append(self._pending.popleft().result())
        return due

    def drain(self) -> Iterator[Result]:
        """Yields all results that are left, in order."""
        while self._pending:
            yield self._pending.popleft().result()

    def close(self) -> None:
        """Drops what has not begun and waits for what has; idempotent."""
        self._pending.clear()
        self._executor.shutdown(wait=True, cancel_futures=True)
