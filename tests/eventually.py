"""Waits for a condition instead of sleeping: the test goes on as soon as it holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INTERVAL_SECONDS = 0.01


def eventually(condition: Callable[[], T], timeout_seconds: float = 20.0, *, says: str = "") -> T:
    """Returns the first true value of `condition()`; fails with its last value at the timeout.

    An AssertionError of the condition counts as "not yet" and is raised at the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        is_last = time.monotonic() >= deadline
        value = _tried(condition, is_last=is_last, says=says)
        if value:
            return value
        time.sleep(_INTERVAL_SECONDS)


async def eventually_async(condition: Callable[[], T], timeout_seconds: float = 20.0, *, says: str = "") -> T:
    """As `eventually`, without blocking the event loop."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        is_last = time.monotonic() >= deadline
        value = _tried(condition, is_last=is_last, says=says)
        if value:
            return value
        await asyncio.sleep(_INTERVAL_SECONDS)


def _tried(condition: Callable[[], T], *, is_last: bool, says: str) -> T | None:
    try:
        value = condition()
    except AssertionError:
        if is_last:
            raise
        return None
    if is_last and not value:
        raise AssertionError(f"never came true: {says or condition}; last value: {value!r}")
    return value
