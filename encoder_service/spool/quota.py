"""How many bytes the spools of all jobs may hold together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from service_host.quotas.exceeded import QuotaError


class SpoolFullError(Exception):
    """The quota leaves no room for these bytes."""


def audio_track(job_id: str) -> str:
    """The name under which a job's sound holds room; no job and no tenant can be called so."""
    return f"{job_id}\0audio"


class SpoolSpace:
    """The quota of all spools together. A track holds the larger of what it was promised and what it wrote.

    A job's frames hold their room under its id, and its sound under `audio_track`.

    Promising declared space at the start keeps half-uploaded jobs from blocking one another for ever.
    """

    __slots__ = ("_held", "_holders", "_limit_of", "_quota_bytes", "_used_by", "_used_bytes", "_written")

    def __init__(self, quota_bytes: int, limit_of: Callable[[str], int] = lambda _holder: 0) -> None:
        """`limit_of`: how much the jobs of one tenant or principal may hold together. 0: any share."""
        self._quota_bytes = quota_bytes
        self._limit_of = limit_of
        self._holders: dict[str, tuple[str, ...]] = {}
        """Job to whose quotas it counts in."""
        self._used_by: Counter[str] = Counter()
        self._held: dict[str, int] = {}
        self._written: dict[str, int] = {}
        """Of what is held: taken by bytes that came."""
        self._used_bytes = 0

    def set_quota(self, quota_bytes: int) -> None:
        """From now on; what is held stays held."""
        self._quota_bytes = quota_bytes

    @property
    def used_bytes(self) -> int:
        """Held by all jobs."""
        return self._used_bytes

    def used_by(self, holder: str) -> int:
        """Held by the jobs of one tenant or principal."""
        return self._used_by[holder]

    def promise(self, job_id: str, size_bytes: int, holders: tuple[str, ...] = ()) -> None:
        """Reserves room for a declared clip. Raises SpoolFullError, QuotaError, with nothing changed.

        `holders`: whose quotas the job counts in.

        All that is promised to several clips and not written is at most half of the quota: declaring costs
        nothing, and must not keep others from sending. Beyond that a clip takes its room as its frames come.
        """
        self._require_quota(holders, max(1, size_bytes))
        if self._used_bytes + size_bytes > self._quota_bytes:
            raise SpoolFullError
        self._holders[job_id] = holders
        unused_bytes = self._used_bytes - sum(self._written.values())
        share = self._quota_bytes // 2 - unused_bytes if unused_bytes else size_bytes
        self._take(job_id, max(0, min(size_bytes, share)))

    def withdraw(self, job_id: str) -> None:
        """Takes back what was promised to a job's tracks and not written."""
        for track in (job_id, audio_track(job_id)):
            if track in self._held:
                self._take(track, self._written.get(track, 0) - self._held[track])

    def hold(self, job_id: str, size_bytes: int) -> None:
        """Makes sure that a job may write up to this size.

        Raises SpoolFullError, QuotaError, with nothing changed.
        """
        more = size_bytes - self._held.get(job_id, 0)
        if more > 0:
            self._require_quota(self._holders.get(job_id, ()), more)
            if self._used_bytes + more > self._quota_bytes:
                raise SpoolFullError
            self._take(job_id, more)
        self._written[job_id] = max(size_bytes, self._written.get(job_id, 0))

    def hold_existing(self, job_id: str, size_bytes: int, holders: tuple[str, ...] = ()) -> None:
        """Counts what lies on the disk already, even beyond a quota that has become smaller."""
        self._holders.setdefault(job_id, holders)
        self._take(job_id, max(0, size_bytes - self._held.get(job_id, 0)))
        self._written[job_id] = max(size_bytes, self._written.get(job_id, 0))

    def release(self, job_id: str) -> None:
        """Gives back all that the job's tracks hold; idempotent."""
        for track in (job_id, audio_track(job_id)):
            self._written.pop(track, None)
            freed_bytes = self._held.pop(track, 0)
            self._used_bytes -= freed_bytes
            self._count(self._holders.pop(track, ()), -freed_bytes)

    def _require_quota(self, holders: tuple[str, ...], more: int) -> None:
        for holder in holders:
            limit = self._limit_of(holder)
            if limit and self._used_by[holder] + more > limit:
                raise QuotaError("spool_bytes", holder, limit, self._used_by[holder])

    def _count(self, holders: tuple[str, ...], more: int) -> None:
        for holder in holders:
            self._used_by[holder] += more
            if not self._used_by[holder]:
                del self._used_by[holder]

    def _take(self, job_id: str, more: int) -> None:
        self._held[job_id] = self._held.get(job_id, 0) + more
        self._used_bytes += more
        self._count(self._holders.get(job_id, ()), more)
