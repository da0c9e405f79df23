"""Looks at something again and again, in a thread, while a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def sampling(look: Callable[[], None], interval_seconds: float) -> Iterator[None]:
    """Calls `look` every so often until the block is left."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(interval_seconds):
            look()

    watcher = threading.Thread(target=watch, name="sampler")
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
