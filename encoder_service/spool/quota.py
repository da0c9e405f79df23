"""How many bytes the spools of all jobs may hold together."""

from __future__ import annotations


class SpoolFullError(Exception):
    """The quota leaves no room for these bytes."""


class SpoolSpace:
    """The quota of all spools together. A job holds the larger of what it was promised and what it wrote.

    Promising declared space at the start keeps half-uploaded jobs from blocking one another for ever.
    """

    __slots__ = ("_held", "_quota_bytes", "_used_bytes", "_written")

    def __init__(self, quota_bytes: int) -> None:
        self._quota_bytes = quota_bytes
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

    def promise(self, job_id: str, size_bytes: int) -> None:
        """Reserves room for a declared clip. Raises SpoolFullError, with nothing changed.

        All that is promised to several clips and not written is at most half of the quota: declaring costs
        nothing, and must not keep others from sending. Beyond that a clip takes its room as its frames come.
        """
        if self._used_bytes + size_bytes > self._quota_bytes:
            raise SpoolFullError
        unused_bytes = self._used_bytes - sum(self._written.values())
        share = self._quota_bytes // 2 - unused_bytes if unused_bytes else size_bytes
        self._take(job_id, max(0, min(size_bytes, share)))

    def withdraw(self, job_id: str) -> None:
        """Takes back what was promised to a job and not written."""
        if job_id in self._held:
            self._take(job_id, self._written.get(job_id, 0) - self._held[job_id])

    def hold(self, job_id: str, size_bytes: int) -> None:
        """Makes sure that a job may write up to this size. Raises SpoolFullError, with nothing changed."""
        more = size_bytes - self._held.get(job_id, 0)
        if more > 0:
            if self._used_bytes + more > self._quota_bytes:
                raise SpoolFullError
            self._take(job_id, more)
        self._written[job_id] = max(size_bytes, self._written.get(job_id, 0))

    def hold_existing(self, job_id: str, size_bytes: int) -> None:
        """Counts what lies on the disk already, even beyond a quota that has become smaller."""
        self._take(job_id, max(0, size_bytes - self._held.get(job_id, 0)))
        self._written[job_id] = max(size_bytes, self._written.get(job_id, 0))

    def release(self, job_id: str) -> None:
        """Gives back all that the job holds; idempotent."""
        self._written.pop(job_id, None)
        self._used_bytes -= self._held.pop(job_id, 0)

    def _take(self, job_id: str, more: int) -> None:
        self._held[job_id] = self._held.get(job_id, 0) + more
        self._used_bytes += more
