"""What can be set about stages: bounds, how often resources are looked at, and what computing costs."""

from __future__ import annotations

from dataclasses import dataclass

from telecine.logging.catalogue import Level
from telecine.stages.errors import StageUsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What an hour of computing costs; the manifest's `cost` then includes it."""

    currency: str = "USD"
    """ISO 4217."""
    wall_hour: float = 0.0
    """Of an hour from start to end; 0: not counted."""
    cpu_hour: float = 0.0
    """Of an hour of one core; 0: not counted."""
    gpu_hour: float = 0.0
    """Of an hour in which one GPU was occupied; 0: not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """Bounds of one stage."""

    max_files: int = 10_000
    """Inputs, outputs and intermediate files together; a directory counts as one."""
    max_directory_files: int = 100_000
    """Files in one tracked directory."""
    max_messages: int = 1000
    """Errors, and warnings; what comes later is counted in the last one."""
    max_attempts: int = 100
    """Earlier attempts that the manifest remembers, the newest."""
    sample_seconds: float = 0.5
    """How often children and GPUs are looked at; 0: never, children that still run are then not counted."""
    heartbeat_seconds: float = 10.0
    """How old the manifest of a running stage may get, so that a killed stage leaves what it used;
    needs `sample_seconds`. 0: it is written when something is tracked."""
    log_level: Level = Level.TRACE
    """The lowest that stage.log takes; the pipeline's log takes INFO and up."""
    log_max_bytes: int = 64 << 20
    """Of stage.log and of the pipeline's log, before they are rotated."""
    has_marks: bool = False
    """Whether lines about the course begin with a sign (▶️ ✅ ❌ ⏭️ 📥 📤), as in `grep "❌ Stage"`."""
    log_backups: int = 2
    """Rotated logs that are kept."""
    lock_seconds: float = 30.0
    """How long the start may wait for the job directory's lock."""
    is_synced: bool = True
    """Whether a manifest survives the death of the machine too (fsync), not only that of the process."""
    rates: Rates | None = None
    """None: computing costs nothing."""

    def __post_init__(self) -> None:
        faults = [
            f"{name} is {getattr(self, name)!r}; it must be a number, at least {least}"
            for name, least in _LEAST.items()
            if not isinstance(getattr(self, name), int | float) or not getattr(self, name) >= least
        ]
        if faults:
            raise StageUsageError("; ".join(faults))


_LEAST = {
    "max_files": 1,
    "max_directory_files": 1,
    "max_messages": 1,
    "max_attempts": 0,
    "sample_seconds": 0,
    "heartbeat_seconds": 0,
    "log_max_bytes": 4096,
    "log_backups": 0,
    "lock_seconds": 0,
}
