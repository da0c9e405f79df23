"""How fast a track comes in, over the last seconds."""

from __future__ import annotations

from collections import deque

_WINDOW_SECONDS = 3.0
_STEP_SECONDS = 0.25


class ArrivalRate:
    """A few points of a growing length; the time is an argument."""

    __slots__ = ("_points",)

    def __init__(self, total_bytes: int, now: float) -> None:
        self._points: deque[tuple[float, int]] = deque([(now, total_bytes)])

    def observe(self, total_bytes: int, now: float) -> None:
        """The track has so many bytes now."""
        points = self._points
        if len(points) > 1 and now - points[-2][0] < _STEP_SECONDS:
            points.pop()
        points.append((now, total_bytes))
        while len(points) > 2 and now - points[1][0] > _WINDOW_SECONDS:
            points.popleft()

    def bytes_per_second(self, now: float) -> float:
        """Over the last three seconds or so; less when nothing comes, and 0 after three seconds of it."""
        last_at, last_bytes = self._points[-1]
        if now - last_at > _WINDOW_SECONDS:
            return 0.0
        first_at, first_bytes = self._points[0]
        # What came before the window would count as if it had come within it.
        begin = max(first_at, now - 2 * _WINDOW_SECONDS)
        return (last_bytes - first_bytes) / max(_STEP_SECONDS, now - begin)
