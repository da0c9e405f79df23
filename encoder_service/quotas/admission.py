"""Decides whether one more job fits into the quotas of its tenant and of who sends it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from encoder_service.quotas.config import Quotas
from encoder_service.store.record import JobRecord
from service_host.quotas.exceeded import QuotaError


def require_place(holders: Iterable[str], waiting: Iterable[JobRecord], quotas: Quotas) -> None:
    """Raises QuotaError where as many jobs of a holder wait as may. `waiting`: of all tenants."""
    if not quotas.is_any("waiting_jobs"):
        return
    counts = Counter(holder for record in waiting for holder in record.holders)
    for holder in holders:
        limit = quotas.of(holder).waiting_jobs
        if limit and counts[holder] >= limit:
            raise QuotaError("waiting_jobs", holder, limit, counts[holder])
