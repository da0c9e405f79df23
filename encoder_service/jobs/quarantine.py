"""What damage has left in the data directory: kept, counted, and reported until an operator acts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import structlog

from encoder_service.spool.quota import SpoolSpace
from encoder_service.store.damage import Damaged, DamageReason

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
        """Everything."""
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
