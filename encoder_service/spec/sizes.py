"""Sizes by name and aspect ratio: what "1080p" and "16:9" mean in pixels."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from encoder_service.spec.spec import Scale, ScaleMode

SHORT_SIDES: Final = {
    "240p": 240,
    "360p": 360,
    "480p": 480,
    "540p": 540,
    "720p": 720,
    "1080p": 1080,
    "1440p": 1440,
    "2160p": 2160,
    "4k": 2160,
    "4320p": 4320,
    "8k": 4320,
}
"""Pixels of the shorter side, so that a name means the same upright and lengthwise."""

MAX_SIDE_PIXELS: Final = 16384

_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,4})?):(\d{1,4}(?:\.\d{1,4})?)")
_EXTREME: Final = 20


def parse_aspect_ratio(text: str) -> Fraction:
    """Width over height of "16:9". Raises ValueError for what is no ratio from 1:20 to 20:1."""
    found = _RATIO.fullmatch(text)
    if found is None or not Fraction(found[1]) or not Fraction(found[2]):
        raise ValueError(text)
    ratio = Fraction(found[1]) / Fraction(found[2])
    if not Fraction(1, _EXTREME) <= ratio <= _EXTREME:
        raise ValueError(text)
    return ratio


def resolved_mode(scale: Scale) -> ScaleMode:
    """How the picture fills its size, where the caller has not said."""
    if scale.mode != ScaleMode.AUTO:
        return scale.mode
    return ScaleMode.PAD if scale.aspect_ratio else ScaleMode.FIT


def wanted_size(scale: Scale, width: int, height: int) -> tuple[int, int]:
    """The size asked for, for a source of `width` x `height`; a side of 0 follows from the other.

    What follows from a name or a ratio is even; `scale.width` and `scale.height` stay as they are.
    """
    ratio = parse_aspect_ratio(scale.aspect_ratio) if scale.aspect_ratio else None
    if scale.size:
        short, shape = SHORT_SIDES[scale.size], ratio or Fraction(width, height)
        return (_even(short * shape), short) if shape >= 1 else (short, _even(short / shape))
    if ratio is None or (scale.width and scale.height):
        return scale.width, scale.height
    if scale.width or scale.height:
        return scale.width or _even(scale.height * ratio), scale.height or _even(scale.width / ratio)
    is_wide = Fraction(width, height) > ratio
    if resolved_mode(scale) == ScaleMode.FILL:
        # As much of the picture as has this shape.
        inside = (min(width, _even(height * ratio)), height) if is_wide else (width, _even(width / ratio))
        return _even_below(inside[0]), _even_below(min(inside[1], height))
    around = (width, _even(width / ratio)) if is_wide else (_even(height * ratio), height)
    return _even_above(max(around[0], width)), _even_above(max(around[1], height))


def _even(side: Fraction) -> int:
    return max(2, round(side / 2) * 2)


def _even_below(side: int) -> int:
    return max(2, side - side % 2)


def _even_above(side: int) -> int:
    return side + side % 2
