"""Coded warnings for what cannot be shown of an overlay as it was asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from encoder_service.spec.codes import WarningCode
from encoder_service.worker import pillow
from encoder_service.worker.libav.pictures import PictureFormat, describe
from encoder_service.worker.writer import WriterContext

_TOLERANCE = 2
"""Code values of 8 bits between channels that still count as gray."""


def warn_of_place(
    context: WriterContext, what: str, corner: tuple[int, int], size: tuple[int, int], layout: PictureFormat
) -> None:
    """Warns of an overlay that sticks out of the picture."""
    left, top = corner
    if left < 0 or top < 0 or left + size[0] > layout.width or top + size[1] > layout.height:
        context.warn(
            WarningCode.OVERLAY_CUT,
            f"the overlay's {what} is {size[0]} x {size[1]} at {left}, {top} and sticks out of the picture "
            f"of {layout.width} x {layout.height}",
        )


def warn_of_color(context: WriterContext, colors: Iterable[str], layout: PictureFormat) -> None:
    """Warns of colours on frames that have none."""
    if not describe(layout.pixel_format).is_gray:
        return
    colorful = [color for color in colors if color and len({color[1:3], color[3:5], color[5:7]}) > 1]
    if colorful:
        context.warn(
            WarningCode.OVERLAY_WITHOUT_COLOR,
            f"the frames are gray, and so is the overlay's {', '.join(colorful)}",
        )


def warn_of_gray_picture(context: WriterContext, pixels: pillow.Pixels, layout: PictureFormat) -> None:
    """Warns of a colourful image on frames that have no colour."""
    if not describe(layout.pixel_format).is_gray:
        return
    seen = pixels[pixels[..., 3] > 0][:, :3].astype(np.int16)
    if seen.size and int((seen.max(axis=1) - seen.min(axis=1)).max()) > _TOLERANCE:
        context.warn(WarningCode.OVERLAY_WITHOUT_COLOR, "the frames are gray, and so is the overlay's image")
