"""What the rpcs need to know of the configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec

from encoder_service.evidence.facts import Confinement
from encoder_service.wire.limits import WireLimits


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an Encode stream is served."""

    wire: WireLimits
    keep_alive_seconds: float
    """How often a client with nothing to send is to say that it is there."""
    retry_after_seconds: float
    """What RetryInfo says when something is full or missing for a while."""
    tells_job_directory: bool
    """Whether clients that proved to be the same user on the same machine learn the job's directory."""


class PublishedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What GetCapabilities publishes; `EncoderConfig` says what each field means."""

    max_chunk_bytes: int
    max_frame_bytes: int
    max_job_bytes: int
    spool_quota_bytes: int
    max_waiting_jobs: int
    max_job_seconds: float
    idle_upload_timeout_seconds: float
    max_artifact_bytes: int
    max_running_jobs: int
    max_clip_seconds: float
    max_audio_bytes: int
    max_audio_seconds: float
    max_overlays_per_output: int
    max_overlay_image_bytes: int
    max_metadata_bytes: int
    worker_count: int
    font_directories: tuple[Path, ...]
    confinement: Confinement
    allowed_encoder_options: dict[str, tuple[str, ...]]


class ServicerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """For all rpcs; the size and the number of rings are read once, when the servicer is made."""

    stream: StreamSettings
    published: PublishedSettings
    ring_bytes: int
    """Of the memory that an upload on this machine shares with the service. 0: none."""
    max_rings: int
    """Uploads at a time that have such memory."""
