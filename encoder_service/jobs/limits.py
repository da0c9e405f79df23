"""How long, how many and how much: what the parts of a job's life are held to, from the configuration."""

from __future__ import annotations

import msgspec

from encoder_service.evidence.facts import Confinement
from encoder_service.quotas.config import Quotas
from encoder_service.spool.ingest import IngestLimits


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What new jobs and their uploads are held to."""

    max_waiting_jobs: int
    """Jobs that have not ended and have no output on a worker."""
    max_clip_seconds: float
    """Longest clip at its own frame rate. 0: only bytes are limited."""
    max_audio_bytes: int
    """Largest audio track."""
    max_audio_seconds: float
    """Longest audio track at its own sample rate."""
    most_made_pixels: int
    """By all outputs of a job together. 0: no bound."""
    ingest: IngestLimits
    quotas: Quotas = Quotas()


class AttemptSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker gets to know for one attempt, and how long it may be silent."""

    threads: int
    """For the codec."""
    max_artifact_bytes: int
    """Of the largest file. 0: no limit."""
    max_output_bytes: int
    """Of all files of the attempt together. 0: no limit."""
    font_directories: tuple[str, ...]
    fallback_font_directories: tuple[str, ...]
    confinement: Confinement
    allowed_options: dict[str, tuple[str, ...]]
    """Encoder to options that the operator allows besides those of the table."""
    zygote_deaths: int
    """How often the program that workers are forked from may die under an output before that counts as a
    failed attempt."""
    silence_timeout_seconds: float
    """A worker that has frames and makes no progress for this long is killed."""


class DispatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When outputs run."""

    max_running_jobs: int
    """Jobs with an output on a worker at the same time. 0: as many as there are workers."""
    stalled_upload_seconds: float
    """An output that waits this long for frames gives its worker to another one that has some."""
    attempt: AttemptSettings
    quotas: Quotas = Quotas()


class HousekeepingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When time ends, deletes or takes back something. 0: never, or no limit, unless it says more."""

    promise_seconds: float
    """Room that was promised to a clip is taken back when no byte has come for this long; above 0."""
    idle_upload_timeout_seconds: float
    max_job_seconds: float
    retention_seconds: float
    """Ended jobs are deleted this long after their end."""
    retention_bytes: int
    """Artifacts of ended jobs together."""
    cleaning_interval_seconds: float
    max_jobs_kept: int
    """Ended jobs; at least 1."""
    quotas: Quotas = Quotas()
