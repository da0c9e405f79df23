"""All jobs of a service by id: those that live, those that have ended and are kept, and damaged ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import structlog

from encoder_service import errors
from encoder_service.jobs.job import Job
from encoder_service.spool.quota import SpoolSpace
from encoder_service.store.damage import Damaged, DamageReason


class Registry:
    """Lives on the event loop; holds jobs in memory, nothing else."""

    def __init__(self, quarantine: Quarantine) -> None:
        self.live: dict[str, Job] = {}
        """Jobs that have not ended."""
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
        """Returns all jobs, those that were created last first."""
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


_NAMED = 20
"""In one line of the log."""


class Quarantine:
    """Lives on the event loop. Frames that nobody can encode take their room from the quota of all spools."""

    def __init__(self, space: SpoolSpace, log: structlog.typing.FilteringBoundLogger) -> None:
        self._space = space
        self._log = log
        self._by_path: dict[Path, Damaged] = {}
        self._by_job: dict[str, Damaged] = {}

    def add(self, found: Damaged) -> None:
        """Sets something aside, and names it in the log."""
        self._by_path[found.path] = found
        if found.job_id:
            self._by_job.setdefault(found.job_id, found)
        self._space.hold_existing(_holder(found), found.spool_bytes)
        self._log.error(
            "damaged: left as it is until an operator repairs or removes it",
            job_id=found.job_id,
            path=str(found.path),
            reason=found.reason.value,
            error=found.description,
            spool_bytes=found.spool_bytes,
        )

    def has(self, job_id: str) -> bool:
        """Whether something is damaged of a job."""
        return job_id in self._by_job

    def jobs(self, prefix: str = "") -> list[Damaged]:
        """Everything that is a job's, one entry for each, by job."""
        return [self._by_job[job_id] for job_id in sorted(self._by_job) if job_id.startswith(prefix)]

    def counts(self) -> dict[str, int]:
        """How many there are, by reason; every reason is named."""
        counted = Counter(found.reason for found in self._by_path.values())
        return {reason.value: counted[reason] for reason in DamageReason}

    def all(self) -> list[Damaged]:
        """Returns everything that is set aside."""
        return list(self._by_path.values())

    def forget(self, gone: Iterable[Damaged]) -> None:
        """Lets go of what an operator has removed: its job's id may be used anew."""
        for found in gone:
            del self._by_path[found.path]
            self._by_job.pop(found.job_id, None)
            self._space.release(_holder(found))
            self._log.info("damaged: an operator has removed it", job_id=found.job_id, path=str(found.path))

    def remind(self) -> None:
        """One line of the log, where there is anything."""
        if self._by_path:
            self._log.error(
                "damaged: still left as it is until an operator repairs or removes it",
                count=len(self._by_path),
                reasons={reason: count for reason, count in self.counts().items() if count},
                spool_bytes=sum(found.spool_bytes for found in self._by_path.values()),
                paths=[str(path) for path in list(self._by_path)[:_NAMED]],
            )


def find_gone(damaged: Iterable[Damaged]) -> list[Damaged]:
    """Of which of them nothing is left. Blocks."""
    return [found for found in damaged if found.is_gone()]


def _holder(found: Damaged) -> str:
    """Under which name its frames are held; no job can be called so."""
    return f"?{found.path}"
