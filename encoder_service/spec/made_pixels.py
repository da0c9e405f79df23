"""How many pixels an output makes, as far as its spec says: they cost memory like those that are sent."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from encoder_service.spec.errors import OutputError
from encoder_service.spec.geometry import plan_geometry
from encoder_service.spec.limits import frame_limit
from encoder_service.spec.overlays.overlay import TextOverlay
from encoder_service.spec.sheet_layout import MAX_TILES, plan_sheet
from encoder_service.spec.spec import OddSizePolicy, OutputSpec, Scale, VideoSpec

_LINE_HEIGHT = 1.3
"""The height of a line of text, in sizes of its font."""
_LEAST_PIXELS = 4096
"""What one picture counts for however small it is: each has a cost of its own."""
_MANY_FRAMES = 1 << 40
_PICTURES_OF = {"poster": 1, "contact_sheet": MAX_TILES}
"""Formats that make no more pictures than this, whatever the clip's length."""

Size = tuple[int, int]
"""Width and height."""


class Making(msgspec.Struct, frozen=True):
    """What one output makes of each frame."""

    pixels: int
    """Pixels of one picture."""
    most_frames: int = 0
    """It makes no more pictures than this, however long the clip is. 0: one for each frame."""

    def total(self, frames: int) -> int:
        """Pixels made of a clip of so many frames."""
        return max(self.pixels, _LEAST_PIXELS) * min(frames, self.most_frames or frames)


def picture_size(scale: Scale | None, width: int, height: int) -> Size:
    """The size that `width` x `height` frames come to. Raises OutputError where a side comes to too much."""
    planned = plan_geometry(width, height, scale, OddSizePolicy.PAD, (1, 1))
    return planned.width, planned.height


def text_pixels(overlay: TextOverlay, filled: str, picture_height: int) -> int:
    """An upper estimate of what a text, with its fields filled in, is drawn on: letters, outline and box."""
    size = overlay.size.pixels(picture_height)
    around = 2 * (overlay.outline_width.pixels(size) + overlay.box_padding.pixels(size))
    lines = filled.split("\n")
    width = max(map(len, lines)) * size + around
    height = len(lines) * size * _LINE_HEIGHT + around
    return round(width * height)


def sheet_size(picture: Size, columns: int, rows: int, frames: int = 0) -> Size:
    """The size of a contact sheet; `frames` 0: the largest that the grid allows. Raises ValueError."""
    layout = plan_sheet(frames or _MANY_FRAMES, picture, columns, rows)
    return layout.width, layout.height


def makings(outputs: Iterable[OutputSpec], video: VideoSpec) -> list[Making]:
    """What each output makes of a clip; one whose size cannot be fails by itself, and makes nothing."""
    found = []
    for output in outputs:
        try:
            width, height = picture_size(output.scale, video.width, video.height)
        except OutputError:
            continue
        most_frames = _PICTURES_OF.get(output.format, 0) or frame_limit(output, video)
        found.append(Making(width * height, most_frames))
    return found


def most_frames(outputs: Iterable[OutputSpec], video: VideoSpec, most_pixels: int) -> int | None:
    """How many frames a clip may have so that all its outputs make at most so many pixels.

    None: as many as one likes. 0: not even one. `most_pixels` 0: no bound.
    """
    made = makings(outputs, video)
    if not most_pixels or _total(made, _MANY_FRAMES) <= most_pixels:
        return None
    least, most = 0, _MANY_FRAMES
    while most - least > 1:
        middle = (least + most) // 2
        if _total(made, middle) <= most_pixels:
            least = middle
        else:
            most = middle
    return least


def _total(made: Iterable[Making], frames: int) -> int:
    return sum(making.total(frames) for making in made)
