"""Pixels that are not square (sample aspect ratio other than 1:1): the size of what players show."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from av.video.stream import VideoStream

MAX_SIDE_PIXELS: Final = 16384
"""What every service takes at most."""


def sample_aspect_ratio(stream: VideoStream) -> Fraction:
    """Width to height of a pixel; 1 where the file does not know (0:1) or states nonsense."""
    # The container's word counts before the codec's, as FFmpeg has it.
    aspect = stream.sample_aspect_ratio
    return Fraction(aspect) if aspect and aspect > 0 else Fraction(1)


def square_size(width: int, height: int, aspect: Fraction, *, is_interlaced: bool = False) -> tuple[int, int]:
    """(width, height) in square pixels: the side that grows is scaled, so that no detail is lost.

    Of interlaced pictures it is always the width: their rows belong to fields. The scaled side is even,
    as most codecs need it; the other one stays as it is.
    """
    if aspect == 1:
        return width, height
    if aspect > 1 or is_interlaced:
        return _even(width * aspect), height
    return width, _even(height / aspect)


def _even(side: Fraction) -> int:
    return max(2, 2 * round(side / 2))
