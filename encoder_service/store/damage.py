"""What can be damaged in the data directory, and what is noted of it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

import msgspec

from encoder_service.store.record import job_key
from service_host.auth.principal import DEFAULT_TENANT


class DamageReason(StrEnum):
    """What kind of damage it is."""

    RECORD_UNREADABLE = "record_unreadable"
    RECORD_MISSING = "record_missing"
    """Frames or artifacts are there."""
    NOT_RECOVERED = "not_recovered"
    """The record is sound, and its job could not be taken up."""
    FOREIGN = "foreign"
    """A name that the service gives to nothing."""


class Damaged(msgspec.Struct, frozen=True):
    """Something of a job that cannot be understood and therefore stays as it is."""

    job_id: str
    """Whose it is, as its name says; empty where it is nobody's."""
    path: Path
    reason: DamageReason
    description: str
    frames: Path | None = None
    """Where frames of it may lie."""
    spool_bytes: int = 0
    """Of its frames, which stay too."""
    tenant: str = DEFAULT_TENANT
    """In whose room it lies."""

    @property
    def key(self) -> str:
        """Of the job; empty where it is nobody's."""
        return job_key(self.tenant, self.job_id) if self.job_id else ""

    def is_gone(self) -> bool:
        """Whether nothing is left of it. Blocks."""
        places = (self.path,) if self.frames is None else (self.path, self.frames)
        return not any(map(os.path.lexists, places))
