"""What formats and codecs can hold, found by trying: frame rates, and the smallest pictures."""

from __future__ import annotations

import math
from fractions import Fraction

from encoder_service.spec.spec import OutputSpec, VideoSpec

MIN_FRAME_RATE = Fraction(1, 3600)
MAX_FRAME_RATE = Fraction(1000)
MAX_RATE_NUMERATOR = 1_000_000_000
"""libvpx takes no finer clock."""
MAX_RATE_DENOMINATOR = 100_000_000
"""A frame lasts so many ticks of an MP4, where 16 frames must fit into 31 bits."""

_RATES = {
    "gif": (Fraction(100, 65535), Fraction(100)),  # counts hundredths of a second, in 16 bits
    "av1": (MIN_FRAME_RATE, Fraction(240)),  # SVT-AV1's limit
}
"""Lowest and highest of formats and codecs that take less than the general limits."""
_SMALLEST = {"hevc": (16, 16), "av1": (4, 4)}
"""Columns and rows of what is coded."""
_SMALLEST_BY_BIT_RATE = {"av1": (64, 64)}
"""The same where a bit rate is aimed at: SVT-AV1's rate control wants more."""
MIN_BIT_RATE = 1000
"""Encoders count in kilobits."""
MAX_BIT_RATE = 10_000_000_000
_MAX_BIT_RATES = {"av1": 100_000_000}
_NOT_OF_FFMPEG = {"webp", "jpeg"}
_FFMPEG_BITS = 1 << 31
"""FFmpeg opens no codec for a picture whose samples, and a margin, could be more than this."""


def rate_fault(format_name: str, codec: str, rate: Fraction) -> str:
    """Says why a format or its codec cannot have a frame rate that others can; empty: it can."""
    for name in (format_name, codec):
        least, most = _RATES.get(name, (rate, rate))
        if not least <= rate <= most:
            return f"{name} takes {least} to {most} frames per second, not {rate} ({float(rate):g})"
    return ""


def size_fault(codec: str, width: int, height: int, *, has_bit_rate: bool = False) -> str:
    """Says why a codec cannot have pictures of that size; empty: it can.

    `has_bit_rate`: a bit rate is aimed at instead of a quality.
    """
    if codec not in _NOT_OF_FFMPEG and (8 * width + 1024) * (height + 128) >= _FFMPEG_BITS:
        return f"{codec} takes no pictures of {width} x {height}, which is more than 260 million pixels"
    columns, rows = _SMALLEST.get(codec, (1, 1))
    if has_bit_rate:
        columns, rows = _SMALLEST_BY_BIT_RATE.get(codec, (columns, rows))
    if width >= columns and height >= rows:
        return ""
    why = " where a bit_rate is given" if has_bit_rate and codec in _SMALLEST_BY_BIT_RATE else ""
    return f"{codec} takes pictures from {columns} x {rows} on{why}, not {width} x {height}"


def most_bits(codec: str) -> int:
    """The highest bit rate that can be aimed at, in bits each second."""
    return _MAX_BIT_RATES.get(codec, MAX_BIT_RATE)


def frame_limit(output: OutputSpec, video: VideoSpec) -> int:
    """How many frames end by the output's maximum duration, at least one; 0: no limit."""
    if not output.max_duration_seconds:
        return 0
    rate = output.frame_rate or video.frame_rate
    longest = Fraction(round(output.max_duration_seconds * 1_000_000), 1_000_000)
    return max(1, math.floor(longest * rate.numerator / rate.denominator))
