"""How many pixels an output makes, as far as its spec says: what is made costs memory like what is sent."""

from __future__ import annotations

from encoder_service.overlay import TextOverlay
from encoder_service.sizes import wanted_size
from encoder_service.spec import Scale

_LINE_HEIGHT = 1.3
"""Of a line of text, in sizes of its font."""


def picture_size(scale: Scale | None, width: int, height: int) -> tuple[int, int]:
    """The largest picture that scaling `width` x `height` frames can come to."""
    if scale is None:
        return width, height
    wanted_width, wanted_height = wanted_size(scale, width, height)
    if not wanted_width and not wanted_height:
        return width, height
    return (
        wanted_width or round(wanted_height * width / height),
        wanted_height or round(wanted_width * height / width),
    )


def text_pixels(overlay: TextOverlay, picture_height: int) -> int:
    """An upper estimate of what a text is drawn on: its letters, outline and box."""
    size = overlay.size.pixels(picture_height)
    around = 2 * (overlay.outline_width.pixels(size) + overlay.box_padding.pixels(size))
    lines = overlay.text.split("\n")
    width = max(map(len, lines)) * size + around
    height = len(lines) * size * _LINE_HEIGHT + around
    return round(width * height)
