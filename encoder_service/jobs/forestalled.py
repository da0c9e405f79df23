"""Remembers for a minute which jobs were cancelled before they were known."""

from __future__ import annotations

REMEMBERED_SECONDS = 60.0
MAX_REMEMBERED = 10_000


class ForestalledJobs:
    """Ids whose spec may still be on its way. The time is an argument."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, job_id: str, now: float) -> None:
        """Whoever opens this job within the next minute comes too late. Of 10,000 the oldest is forgotten."""
        self._until.pop(job_id, None)
        self._until[job_id] = now + REMEMBERED_SECONDS
        if len(self._until) > MAX_REMEMBERED:
            del self._until[next(iter(self._until))]

    def has(self, job_id: str, now: float) -> bool:
        """Whether this job was cancelled before it came."""
        until = self._until.get(job_id)
        if until is not None and now >= until:
            del self._until[job_id]
        return job_id in self._until
