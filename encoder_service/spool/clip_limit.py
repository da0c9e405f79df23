"""How long a job's clip may be: by its own time, and by all that its outputs make of it."""

from __future__ import annotations

import math

import msgspec

from encoder_service.spec.audio.track import AudioSpec
from encoder_service.spec.made_pixels import most_frames
from encoder_service.spec.spec import JobSpec, VideoSpec


class ClipLimit(msgspec.Struct, frozen=True):
    """Where frames are refused."""

    size_bytes: int = 0
    """0: nowhere."""
    reason: str = ""
    """Says why; follows the track's name and a comma."""
    track: str = "the video track"


NO_LIMIT = ClipLimit()
_AUDIO = "the audio track"


def clip_limit_frames(video: VideoSpec, max_clip_seconds: float) -> int:
    """How many frames the longest clip has at a track's rate; 0: no limit."""
    if not max_clip_seconds:
        return 0
    rate = video.frame_rate
    return max(1, math.floor(max_clip_seconds * rate.numerator / rate.denominator))


def clip_limit(spec: JobSpec, max_clip_seconds: float, most_made_pixels: int) -> ClipLimit:
    """The first of its limits that a clip meets."""
    video, limits = spec.video, []
    if by_time := clip_limit_frames(video, max_clip_seconds):
        limits.append((by_time, f"which may last {max_clip_seconds:g} s here,"))
    by_pixels = most_frames(spec.outputs, video, most_made_pixels)
    if by_pixels is not None:
        reason = f"of which {len(spec.outputs)} outputs may make {most_made_pixels} pixels here"
        limits.append((max(1, by_pixels), f"{reason} (max_job_output_pixels),"))
    if not limits:
        return NO_LIMIT
    frames, reason = min(limits)
    return ClipLimit(frames * video.frame_bytes, reason)


def audio_limit(audio: AudioSpec, max_audio_bytes: int, max_audio_seconds: float) -> ClipLimit:
    """The first of its limits that a track of sound meets."""
    by_time = max(1, math.floor(max_audio_seconds * audio.sample_rate)) * audio.sample_bytes
    if by_time <= max_audio_bytes:
        return ClipLimit(by_time, f"which may last {max_audio_seconds:g} s here (max_audio_seconds),", _AUDIO)
    return ClipLimit(max_audio_bytes, "which is bounded by max_audio_bytes,", _AUDIO)
