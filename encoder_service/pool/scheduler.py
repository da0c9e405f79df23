"""Decides which waiting output gets a worker next, and which starved one must give its worker back.

Pure: the caller passes what waits, what runs and how long each has been starved.
"""

from __future__ import annotations

import math

import msgspec


class Waiting(msgspec.Struct, frozen=True):
    """An output that could run now: some of its frames are here."""

    job_id: str
    output: str
    priority: int
    deadline_unix_nano: int
    """0: none."""
    created_at_unix_nano: int
    """Of its job."""


class Running(msgspec.Struct, frozen=True):
    """An output that has a worker."""

    job_id: str
    output: str
    starved_seconds: float
    """How long it has been waiting for frames; 0 while it has some."""


def choose(
    waiting: list[Waiting], running: list[Running], free_slots: int, max_jobs: int = 0
) -> list[Waiting]:
    """Returns the outputs to start, best first, at most `free_slots`, of at most `max_jobs` jobs (0: any).

    Higher priority first, then the earlier deadline, then the job with fewer outputs running
    (so that one job of many outputs does not shut out the others), then the older job.
    """
    counts: dict[str, int] = {}
    for busy in running:
        counts[busy.job_id] = counts.get(busy.job_id, 0) + 1
    left = list(waiting)
    chosen: list[Waiting] = []
    while left and len(chosen) < free_slots:
        if max_jobs and len(counts) >= max_jobs:
            left = [output for output in left if output.job_id in counts]
            if not left:
                break
        best = min(range(len(left)), key=lambda index: _rank(left[index], counts))
        output = left.pop(best)
        counts[output.job_id] = counts.get(output.job_id, 0) + 1
        chosen.append(output)
    return chosen


def starved(
    waiting: list[Waiting], running: list[Running], free_slots: int, patience_seconds: float
) -> list[Running]:
    """Returns the outputs that must give their worker to a waiting one, the longest starved first."""
    needed = len(waiting) - free_slots
    idle = [output for output in running if output.starved_seconds >= patience_seconds]
    idle.sort(key=lambda output: -output.starved_seconds)
    return idle[: max(0, needed)]


def _rank(output: Waiting, counts: dict[str, int]) -> tuple[float, float, int, int]:
    return (
        -output.priority,
        output.deadline_unix_nano or math.inf,
        counts.get(output.job_id, 0),
        output.created_at_unix_nano,
    )
