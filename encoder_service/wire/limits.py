"""What a request may ask for, from the configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec

from encoder_service.webhooks.config import WebhooksConfig


class WireLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that specs and chunks are checked against; `EncoderConfig` says what each one means."""

    max_chunk_bytes: int
    max_frame_bytes: int
    max_job_bytes: int
    max_clip_seconds: float
    max_audio_bytes: int
    max_audio_seconds: float
    max_outputs_per_job: int
    max_output_pixels: int
    max_overlay_pixels: int
    max_drawn_pixels: int
    most_made_pixels: int
    """By all outputs of a job together. 0: no bound."""
    max_overlays_per_output: int
    max_overlay_image_bytes: int
    max_metadata_bytes: int
    font_directories: tuple[Path, ...]
    allowed_encoder_options: dict[str, tuple[str, ...]]
    webhooks: WebhooksConfig
