"""Decides which ended jobs are deleted: by age, and where there are too many or too large ones; pure.

A limit of the whole service takes from the tenant that keeps the most, so that nobody's ended jobs go for the
sake of another's.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Protocol

from encoder_service.quotas.config import Quotas
from encoder_service.store.record import JobRecord


class RetentionLimits(Protocol):
    """How long, how many and how much: `EncoderConfig` says what each means. 0: no limit."""

    @property
    def retention_seconds(self) -> float:
        """Of every job."""
        ...

    @property
    def retention_bytes(self) -> int:
        """Of all tenants together."""
        ...

    @property
    def max_jobs_kept(self) -> int:
        """Of all tenants together."""
        ...

    @property
    def quotas(self) -> Quotas:
        """Of each tenant and principal."""
        ...


def superfluous(ended: list[JobRecord], now_unix_nano: int, limits: RetentionLimits) -> list[JobRecord]:
    """Which ended jobs must go, `ended` being in the order of their end."""
    kept = _Kept(ended, counts_bytes=bool(limits.retention_bytes))
    kept.drop(record for record in ended if _is_old(record, now_unix_nano, limits))
    if limits.quotas.is_any("artifact_bytes"):
        kept.drop(_beyond_quotas(kept.records(), limits.quotas))
    while limits.retention_bytes and kept.bytes > limits.retention_bytes and kept.count:
        kept.drop_oldest(kept.bytes_of)
    while kept.count > limits.max_jobs_kept:
        kept.drop_oldest(kept.count_of)
    return [record for record in ended if record.key in kept.gone]


class _Kept:
    """The jobs that stay, by tenant."""

    def __init__(self, ended: Iterable[JobRecord], *, counts_bytes: bool) -> None:
        self._counts_bytes = counts_bytes
        self._of: dict[str, deque[JobRecord]] = defaultdict(deque)
        self.count_of: Counter[str] = Counter()
        self.bytes_of: Counter[str] = Counter()
        self.count = self.bytes = 0
        self.gone: set[str] = set()
        for record in ended:
            self._of[record.tenant].append(record)
            self._count(record, 1)

    def records(self) -> list[JobRecord]:
        """Each tenant's in the order of their end."""
        return [record for own in self._of.values() for record in own if record.key not in self.gone]

    def drop(self, records: Iterable[JobRecord]) -> None:
        for record in records:
            self.gone.add(record.key)
            self._count(record, -1)

    def drop_oldest(self, most: Mapping[str, int]) -> None:
        """Drops the oldest job of the tenant that has the most."""
        own = self._of[max(most, key=lambda tenant: (self.count_of[tenant] > 0, most[tenant]))]
        while own[0].key in self.gone:
            own.popleft()
        self.drop([own.popleft()])

    def _count(self, record: JobRecord, sign: int) -> None:
        # Sequences have hundreds of files: they are added up only for a limit.
        size_bytes = record.size_bytes if self._counts_bytes else 0
        self.count += sign
        self.bytes += sign * size_bytes
        self.count_of[record.tenant] += sign
        self.bytes_of[record.tenant] += sign * size_bytes


def _is_old(record: JobRecord, now_unix_nano: int, limits: RetentionLimits) -> bool:
    own = (limits.quotas.of(holder).artifact_seconds for holder in record.holders)
    longest = [seconds for seconds in (limits.retention_seconds, *own) if seconds]
    return bool(longest) and (now_unix_nano - record.ended_at_unix_nano) / 1e9 >= min(longest)


def _beyond_quotas(kept: list[JobRecord], quotas: Quotas) -> list[JobRecord]:
    """The oldest of each holder that has more than its quota."""
    used: Counter[str] = Counter()
    for record in kept:
        for holder in record.holders:
            used[holder] += record.size_bytes
    gone = []
    for record in kept:
        limits = ((holder, quotas.of(holder).artifact_bytes) for holder in record.holders)
        if any(limit and used[holder] > limit for holder, limit in limits):
            gone.append(record)
            used.subtract(dict.fromkeys(record.holders, record.size_bytes))
    return gone
