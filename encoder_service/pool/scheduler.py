"""Decides which waiting output gets a worker next, and which starved one must give its worker back.

Pure: the caller passes what waits, what runs, how long each has been starved and whose turn it was when.
Tenants share the workers before anything else counts: what a job states of itself (priority, deadline) moves
it within its own tenant alone, and a tenant with a thousand jobs waiting delays the next one by a turn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import msgspec


class Waiting(msgspec.Struct, frozen=True):
    """An output that could run now: some of its frames are here."""

    job_key: str
    """Of all tenants' jobs."""
    output: str
    priority: int
    deadline_unix_nano: int
    """0: none."""
    created_at_unix_nano: int
    """Of its job."""
    tenant: str = ""
    holders: tuple[str, ...] = ()
    """Whose quotas the job counts in."""


class Running(msgspec.Struct, frozen=True):
    """An output that has a worker."""

    job_key: str
    output: str
    starved_seconds: float
    """How long it has been waiting for frames; 0 while it has some."""
    tenant: str = ""
    holders: tuple[str, ...] = ()


class Sharing(msgspec.Struct, frozen=True):
    """What tenants have had, and what they may have."""

    turns: Mapping[str, int] = {}
    """Tenant to the number of its last turn; the lowest was served longest ago."""
    most_jobs: Mapping[str, int] = {}
    """Holder to how many of its jobs may have outputs on workers; who is not named may have any number."""


def choose(
    waiting: list[Waiting],
    running: list[Running],
    free_slots: int,
    max_jobs: int = 0,
    sharing: Sharing | None = None,
) -> list[Waiting]:
    """Returns the outputs to start, best first, at most `free_slots`, of at most `max_jobs` jobs (0: any).

    The tenant with fewer outputs running first, then the one whose turn was longest ago. Within a tenant:
    higher priority first, then the earlier deadline, then the job with fewer outputs running (so that one job
    of many outputs does not shut out the others), then the older job.
    """
    sharing = sharing or Sharing()
    round_ = _Round(running, sharing)
    left = list(waiting)
    chosen: list[Waiting] = []
    while left and len(chosen) < free_slots:
        if max_jobs and len(round_.outputs_of_job) >= max_jobs:
            left = [output for output in left if output.job_key in round_.outputs_of_job]
        left = [output for output in left if round_.is_within_quota(output)]
        if not left:
            break
        best = min(range(len(left)), key=lambda index: round_.rank(left[index]))
        output = left.pop(best)
        round_.begin(output)
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


class _Round:
    """What runs, and what was chosen on top of it."""

    def __init__(self, running: list[Running], sharing: Sharing) -> None:
        self.outputs_of_job: Counter[str] = Counter()
        self._outputs_of_tenant: Counter[str] = Counter()
        self._jobs_of_holder: Counter[str] = Counter()
        self._turns = dict(sharing.turns)
        self._next_turn = max(self._turns.values(), default=0) + 1
        self._most_jobs = sharing.most_jobs
        for busy in running:
            self._count(busy)

    def is_within_quota(self, output: Waiting) -> bool:
        """Whether its holders may have one more job on workers, or have this one there already."""
        if output.job_key in self.outputs_of_job:
            return True
        limits = ((holder, self._most_jobs.get(holder, 0)) for holder in output.holders)
        return all(not most or self._jobs_of_holder[holder] < most for holder, most in limits)

    def rank(self, output: Waiting) -> tuple[float, ...]:
        return (
            self._outputs_of_tenant[output.tenant],
            self._turns.get(output.tenant, 0),
            -output.priority,
            output.deadline_unix_nano or math.inf,
            self.outputs_of_job[output.job_key],
            output.created_at_unix_nano,
        )

    def begin(self, output: Waiting) -> None:
        self._count(output)
        self._turns[output.tenant] = self._next_turn
        self._next_turn += 1

    def _count(self, output: Waiting | Running) -> None:
        if output.job_key not in self.outputs_of_job:
            self._jobs_of_holder.update(output.holders)
        self.outputs_of_job[output.job_key] += 1
        self._outputs_of_tenant[output.tenant] += 1
