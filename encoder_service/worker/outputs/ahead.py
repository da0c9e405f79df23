"""Converts the next frame in a thread of its own while the encoder works on the one before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from encoder_service.worker.libav.pictures import Picture
from encoder_service.worker.writer import SourceFrame


class Ahead:
    """At most one converted picture is held. Whoever makes it closes it; for one caller's thread."""

    def __init__(self, convert: Callable[[SourceFrame], Picture]) -> None:
        """`convert` is called by the one thread alone, in the order of the frames."""
        self._convert = convert
        self._thread = ThreadPoolExecutor(1, "convert")
        self._next: Future[Picture] | None = None

    def swap(self, frame: SourceFrame | None) -> Picture | None:
        """Begins with a frame, and returns the picture of the one before; None: there was none.

        `frame` None: there are no more. Raises what converting the frame before has raised.
        """
        ready = self._next
        self._next = None if frame is None else self._thread.submit(self._convert, frame)
        return ready.result() if ready is not None else None

    def close(self) -> None:
        """Waits for the frame that is being converted, and ends the thread; idempotent."""
        self._thread.shutdown(wait=True, cancel_futures=True)
