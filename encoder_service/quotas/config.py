"""What each tenant and each principal may have of the encoder; all of it is unlimited unless it is set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from encoder_service.store.record import JobRecord
from service_host.quotas.holders import faults_of, is_any_set, quota_of

CountOrZero = Annotated[int, msgspec.Meta(ge=0)]
RateOrZero = Annotated[float, msgspec.Meta(ge=0)]


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Of one tenant, or of one principal. 0 everywhere: no limit but those of the whole service."""

    running_jobs: CountOrZero = 0
    """Jobs with an output on a worker at the same time; further ones wait."""
    waiting_jobs: CountOrZero = 0
    """Jobs that have not ended and have no output on a worker; further ones are refused with
    QUOTA_EXCEEDED."""
    spool_bytes: CountOrZero = 0
    """Of the frames of all jobs that have not ended, space promised to declared clips included; more is
    refused with QUOTA_EXCEEDED."""
    artifact_bytes: CountOrZero = 0
    """Artifacts of ended jobs together; beyond it the oldest jobs are deleted, as by `retention_bytes`."""
    artifact_seconds: RateOrZero = 0.0
    """Ended jobs are deleted this long after their end, if `retention_seconds` does not come first."""
    upload_bytes_per_second: RateOrZero = 0.0
    """Of all uploads together. What is faster is read more slowly, and never refused."""
    upload_frames_per_second: RateOrZero = 0.0
    """As `upload_bytes_per_second`, in frames."""


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """Who may have how much. A principal is held to its own and to its tenant's."""

    each_tenant: Quota = Quota()
    """Of every tenant that is not named in `tenants`."""
    each_principal: Quota = Quota()
    """Of every principal of every tenant."""
    tenants: dict[str, Quota] = {}
    """Tenant to its own, which holds instead of `each_tenant` as a whole."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """What the fields' types cannot say."""
        return faults_of(self)

    def of(self, holder: str) -> Quota:
        """What a tenant or a principal may have."""
        return quota_of(self, holder)

    def most_running(self, records: Iterable[JobRecord]) -> dict[str, int]:
        """How many running jobs the holders of these may have; who may have any number is left out."""
        if not self.is_any("running_jobs"):
            return {}
        holders = {holder for record in records for holder in record.holders}
        limits = {holder: self.of(holder).running_jobs for holder in holders}
        return {holder: limit for holder, limit in limits.items() if limit}

    def is_any(self, field: str) -> bool:
        """Whether a quota is set for anybody."""
        return is_any_set(self, field)
