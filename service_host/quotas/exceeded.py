"""What a caller hears when a quota of its tenant, or its own, is used up."""

from __future__ import annotations

from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.quotas.holders import is_principal, tenant_of
from service_host.status.status import ServiceError


class QuotaError(Exception):
    """A holder has as much as it may; an edge turns it into `quota_exceeded`."""

    def __init__(self, quota: str, holder: str, limit: float, used: float) -> None:
        super().__init__(f"{quota} of {holder}: {used:g} of {limit:g}")
        self.quota = quota
        self.holder = holder
        self.limit = limit
        self.used = used


def quota_exceeded(error: QuotaError, retry_after_seconds: float) -> ServiceError:
    """The caller tries again later, when its tenant has less; nobody else is concerned."""
    whose = "this principal" if is_principal(error.holder) else f"tenant {tenant_of(error.holder)!r}"
    return ServiceError(
        reasons.ERROR_REASON_QUOTA_EXCEEDED,
        f"the quota {error.quota} of {whose} is used up: {error.used:g} of {error.limit:g}; what was "
        "acknowledged stays, try again later",
        retry_after_seconds=retry_after_seconds,
        metadata={"quota": error.quota, "limit": f"{error.limit:g}", "used": f"{error.used:g}"},
    )
