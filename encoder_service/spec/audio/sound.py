"""What becomes of a job's sound in one output, as the caller asks for it."""

from __future__ import annotations

import msgspec

MIN_LUFS, MAX_LUFS = -70.0, -5.0
MIN_PEAK_DBTP, MAX_PEAK_DBTP = -9.0, 0.0
DEFAULT_PEAK_DBTP = -1.0
MAX_VOLUME = 10.0
MAX_FADE_SECONDS = 3600.0


class LoudnessTarget(msgspec.Struct, frozen=True):
    """The loudness to reach by one gain over the whole length."""

    target_lufs: float
    true_peak_dbtp: float = DEFAULT_PEAK_DBTP


class SoundSpec(msgspec.Struct, frozen=True):
    """The sound of one output."""

    is_disabled: bool = False
    codec: str = ""
    """A key of `codecs.CODECS`. Empty: the format's default."""
    bit_rate: int = 0
    """Bits per second. 0: by the number of channels."""
    sample_rate: int = 0
    """0: the track's, or the next higher one that the codec knows."""
    layout: str = ""
    """Empty: the track's."""
    volume: float = 1.0
    fade_in_seconds: float = 0.0
    fade_out_seconds: float = 0.0
    loudness: LoudnessTarget | None = None
    """None: measured and left as it is."""
