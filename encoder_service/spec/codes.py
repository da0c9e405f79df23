"""The codes of failures and warnings, as manifests, events and stage logs carry them.

Their names are their values, and stable. What to do about each stands in the SDK
(`telecine/exceptions/problems.py`), what it means in docs/warnings.md.
"""

from __future__ import annotations

from enum import StrEnum, auto


class _Code(StrEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        del start, count, last_values
        return name


class FailureCode(_Code):
    """Why an output has no artifact, or why a job ended without all of its outputs."""

    ALL_OUTPUTS_FAILED = auto()
    ALPHA_UNSUPPORTED = auto()
    ARTIFACT_TOO_LARGE = auto()
    AUDIO_LENGTH_DIFFERS = auto()
    CANCELLED = auto()
    CODEC_CRASHED = auto()
    COLOR_CONVERSION_UNSUPPORTED = auto()
    CONVERSION_FAILED = auto()
    DISK_FULL = auto()
    ENCODER_UNAVAILABLE = auto()
    ENCODING_FAILED = auto()
    FILE_MISSING = auto()
    FONT_UNAVAILABLE = auto()
    FONT_UNUSABLE = auto()
    FRAMES_MISSING = auto()
    IMPLAUSIBLE_ANSWER = auto()
    INTERNAL = auto()
    INVALID_BACKGROUND = auto()
    INVALID_COLOR = auto()
    INVALID_FRAME = auto()
    INVALID_FRAME_INDEX = auto()
    INVALID_GRID = auto()
    INVALID_OPTION = auto()
    INVALID_OVERLAY = auto()
    INVALID_PIXEL_FORMAT = auto()
    INVALID_SAMPLES = auto()
    INVALID_SCALE = auto()
    IO_ERROR = auto()
    JOB_CANCELLED = auto()
    JOB_DEADLINE_EXCEEDED = auto()
    JOB_EXPIRED = auto()
    MUXING_FAILED = auto()
    NO_FRAMES = auto()
    ODD_SIZE = auto()
    OUTPUT_TOO_LARGE = auto()
    OUT_OF_MEMORY = auto()
    OUT_OF_ORDER = auto()
    PATH_TAKEN = auto()
    SANDBOX_UNAVAILABLE = auto()
    SOURCE_UNREADABLE = auto()
    SPOOL_DAMAGED = auto()
    UNKNOWN_CODEC = auto()
    UNKNOWN_FORMAT = auto()
    UNKNOWN_PIXEL_FORMAT = auto()
    UNSAFE_PATH = auto()
    UNSUPPORTED_SIZE = auto()
    VERIFICATION_FAILED = auto()
    WORKER_HUNG = auto()


class WarningCode(_Code):
    """What was done otherwise than asked, or is worth knowing.

    A strict output that would need a fallback fails with the fallback's code instead. What begins with
    SOURCE or METADATA, and SAMPLES_CLIPPED, is found by the client and comes with the end of the upload.
    """

    ALPHA_FLATTENED = auto()
    ALPHA_REDUCED = auto()
    AUDIO_CLIPPED = auto()
    AUDIO_CONVERTED = auto()
    AUDIO_DOWNMIXED = auto()
    AUDIO_DROPPED = auto()
    AUDIO_PADDED = auto()
    AUDIO_RESAMPLED = auto()
    AUDIO_TRIMMED = auto()
    BIT_DEPTH_REDUCED = auto()
    COLOR_NOT_TAGGED = auto()
    DURATION_CUT = auto()
    ENCODER_FALLBACK = auto()
    FRAME_DURATION_TOO_SHORT = auto()
    FONT_SUBSTITUTED = auto()
    GLYPHS_MISSING = auto()
    INPUT_NOT_HASHED = auto()
    LOSSLESS_NOT_EXACT = auto()
    LOUDNESS_NOT_REACHED = auto()
    METADATA_ESCAPED = auto()
    ODD_SIZE_CROPPED = auto()
    ODD_SIZE_PADDED = auto()
    OUTPUT_SKIPPED = auto()
    OVERLAY_CUT = auto()
    OVERLAY_NOT_SHOWN = auto()
    OVERLAY_PROFILE_IGNORED = auto()
    OVERLAY_WITHOUT_COLOR = auto()
    SAMPLES_CLIPPED = auto()
    SOURCE_ALPHA_DROPPED = auto()
    SOURCE_CHAPTERS_DROPPED = auto()
    SOURCE_DAMAGED = auto()
    SOURCE_FRAMES_DROPPED = auto()
    SOURCE_HDR_DROPPED = auto()
    SOURCE_INTERLACED = auto()
    SOURCE_METADATA_DROPPED = auto()
    SOURCE_ORIENTATION_IGNORED = auto()
    SOURCE_PIXELS_NOT_SQUARE = auto()
    SOURCE_PROFILE_IGNORED = auto()
    SOURCE_PROJECTION_DROPPED = auto()
    SOURCE_RETIMED = auto()
    SOURCE_SOUND_CHANGED = auto()
    SOURCE_SOUND_DROPPED = auto()
    SOURCE_STREAMS_DROPPED = auto()
    SOURCE_SUBTITLES_DROPPED = auto()
    SOURCE_TIMING_CHANGED = auto()
    WORKERS_UNAVAILABLE = auto()
