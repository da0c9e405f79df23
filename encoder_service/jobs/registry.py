"""All jobs of a service by tenant and id: those that live, ended ones that are kept, and damaged ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import structlog

from encoder_service import errors
from encoder_service.jobs.job import Job
from encoder_service.spool.quota import SpoolSpace
from encoder_service.store.damage import Damaged, DamageReason
from encoder_service.store.record import job_key, tenant_field
from service_host.auth.principal import DEFAULT_TENANT


class Registry:
    """Lives on the event loop; holds jobs in memory, nothing else."""

    def __init__(self, quarantine: Quarantine) -> None:
        self.live: dict[str, Job] = {}
        """Jobs that have not ended, by `Job.key`."""
        self.ended: dict[str, Job] = {}
        """Over, in the order of their end."""
        self.quarantine = quarantine
        """Jobs whose files cannot be understood; they stay until an operator acts."""

    def find(self, job_id: str, tenant: str = DEFAULT_TENANT) -> Job:
        """Returns a tenant's job. Raises ServiceError JOB_NOT_FOUND, JOB_DAMAGED.

        The ids of other tenants are looked for nowhere: they are as unknown as any, and take as long.
        """
        key = job_key(tenant, job_id)
        job = self.live.get(key) or self.ended.get(key)
        if job is None and self.quarantine.has(job_id, tenant):
            raise errors.job_damaged(job_id)
        if job is None:
            raise errors.job_not_found(job_id)
        return job

    def knows(self, job_id: str, tenant: str = DEFAULT_TENANT) -> bool:
        """Whether the id is taken within a tenant."""
        key = job_key(tenant, job_id)
        return key in self.live or key in self.ended or self.quarantine.has(job_id, tenant)

    def retire(self, job: Job) -> None:
        """Moves a job that is over to the ended ones."""
        self.live.pop(job.key, None)
        self.ended[job.key] = job

    def newest_first(self, tenant: str | None = DEFAULT_TENANT) -> list[Job]:
        """Returns a tenant's jobs (None: those of all), those that were created last first."""
        jobs = [*self.live.values(), *self.ended.values()]
        own = [job for job in jobs if tenant is None or job.record.tenant == tenant]
        return sorted(own, key=lambda job: (-job.record.created_at_unix_nano, job.job_id, job.record.tenant))


TOMBSTONE_SECONDS = 60.0


MAX_TOMBSTONES = 10_000


class Tombstones:
    """Ids that were cancelled before their spec arrived, by tenant. The time is an argument."""

    def __init__(self) -> None:
        self._until: dict[str, dict[str, float]] = {}

    def add(self, job_id: str, now: float, tenant: str = DEFAULT_TENANT) -> None:
        """Refuses this id of a tenant for the next minute.

        At most 10,000 are kept: the oldest goes first, of the tenant that has the most.
        """
        own = self._until.setdefault(tenant, {})
        own.pop(job_id, None)
        own[job_id] = now + TOMBSTONE_SECONDS
        if sum(map(len, self._until.values())) > MAX_TOMBSTONES:
            most = max(self._until.values(), key=len)
            del most[next(iter(most))]

    def has(self, job_id: str, now: float, tenant: str = DEFAULT_TENANT) -> bool:
        """Whether this job of a tenant was cancelled before it came."""
        own = self._until.get(tenant, {})
        until = own.get(job_id)
        if until is not None and now >= until:
            del own[job_id]
            if not own:
                del self._until[tenant]
        return job_id in own


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
            self._by_job.setdefault(found.key, found)
        self._space.hold_existing(_holder(found), found.spool_bytes)
        self._log.error(
            "damaged: left as it is until an operator repairs or removes it",
            job_id=found.job_id,
            **tenant_field(found.tenant),
            path=str(found.path),
            reason=found.reason.value,
            error=found.description,
            spool_bytes=found.spool_bytes,
        )

    def has(self, job_id: str, tenant: str = DEFAULT_TENANT) -> bool:
        """Whether something is damaged of a tenant's job."""
        return job_key(tenant, job_id) in self._by_job

    def jobs(self, prefix: str = "", tenant: str | None = DEFAULT_TENANT) -> list[Damaged]:
        """Everything that is a job's of a tenant (None: of all), one entry for each, by job."""
        own = [found for found in self._by_job.values() if tenant is None or found.tenant == tenant]
        return sorted(
            (found for found in own if found.job_id.startswith(prefix)), key=lambda found: found.job_id
        )

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
            self._by_job.pop(found.key, None)
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
