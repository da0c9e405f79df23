"""All jobs of a service by id: those that live, and those that have ended and are kept."""

from __future__ import annotations

from encoder_service import errors
from encoder_service.jobs.job import Job
from encoder_service.jobs.quarantine import Quarantine


class Registry:
    """Lives on the event loop; holds jobs in memory, nothing else."""

    def __init__(self, quarantine: Quarantine) -> None:
        self.live: dict[str, Job] = {}
        """Not over yet."""
        self.ended: dict[str, Job] = {}
        """Over, in the order of their end."""
        self.quarantine = quarantine
        """Jobs whose files cannot be understood; they stay until an operator acts."""

    def find(self, job_id: str) -> Job:
        """Returns a job. Raises ServiceError JOB_NOT_FOUND, JOB_DAMAGED."""
        job = self.live.get(job_id) or self.ended.get(job_id)
        if job is None and self.quarantine.has(job_id):
            raise errors.job_damaged(job_id)
        if job is None:
            raise errors.job_not_found(job_id)
        return job

    def knows(self, job_id: str) -> bool:
        """Whether the id is taken."""
        return job_id in self.live or job_id in self.ended or self.quarantine.has(job_id)

    def retire(self, job: Job) -> None:
        """Moves a job that is over to the ended ones."""
        self.live.pop(job.job_id, None)
        self.ended[job.job_id] = job

    def newest_first(self) -> list[Job]:
        """All jobs."""
        jobs = [*self.live.values(), *self.ended.values()]
        return sorted(jobs, key=lambda job: (-job.record.created_at_unix_nano, job.job_id))


TOMBSTONE_SECONDS = 60.0


MAX_TOMBSTONES = 10_000


class Tombstones:
    """Ids that were cancelled before their spec arrived. The time is an argument."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, job_id: str, now: float) -> None:
        """Refuses this id for the next minute. At most 10,000 are kept; the oldest goes first."""
        self._until.pop(job_id, None)
        self._until[job_id] = now + TOMBSTONE_SECONDS
        if len(self._until) > MAX_TOMBSTONES:
            del self._until[next(iter(self._until))]

    def has(self, job_id: str, now: float) -> bool:
        """Whether this job was cancelled before it came."""
        until = self._until.get(job_id)
        if until is not None and now >= until:
            del self._until[job_id]
        return job_id in self._until
