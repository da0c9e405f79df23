"""Where an overlay lies in a picture, and which frames show it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from encoder_service.spec.overlays.overlay import ImageOverlay, Overlay, Position
from encoder_service.spec.spec import Rational

_ACROSS: Final = {
    Position.TOP_LEFT: 0.0, Position.LEFT: 0.0, Position.BOTTOM_LEFT: 0.0,
    Position.TOP: 0.5, Position.CENTER: 0.5, Position.BOTTOM: 0.5,
    Position.TOP_RIGHT: 1.0, Position.RIGHT: 1.0, Position.BOTTOM_RIGHT: 1.0,
}  # fmt: skip
_DOWN: Final = {
    Position.TOP_LEFT: 0.0, Position.TOP: 0.0, Position.TOP_RIGHT: 0.0,
    Position.LEFT: 0.5, Position.CENTER: 0.5, Position.RIGHT: 0.5,
    Position.BOTTOM_LEFT: 1.0, Position.BOTTOM: 1.0, Position.BOTTOM_RIGHT: 1.0,
}  # fmt: skip
_MICRO: Final = 1_000_000


def alignment(position: Position) -> float:
    """Where a point lies between left (0) and right (1)."""
    return _ACROSS[position]


def margin_pixels(overlay: Overlay, canvas: tuple[int, int]) -> float:
    """The distance from the edges."""
    return overlay.margin.pixels(min(canvas))


def place(overlay: Overlay, size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """Left and top of a box of `size` in a picture of `canvas`; may lie outside."""
    across, down = _ACROSS[overlay.position], _DOWN[overlay.position]
    if overlay.x is not None and overlay.y is not None:
        point = (overlay.x.pixels(canvas[0]), overlay.y.pixels(canvas[1]))
        return round(point[0] - across * size[0]), round(point[1] - down * size[1])
    margin = margin_pixels(overlay, canvas)
    return (
        round(margin + across * (canvas[0] - 2 * margin - size[0])),
        round(margin + down * (canvas[1] - 2 * margin - size[1])),
    )


def image_size(
    overlay: Overlay, image: ImageOverlay, picture: tuple[int, int], canvas: tuple[int, int]
) -> tuple[int, int]:
    """The size at which a picture of so many columns and rows is drawn."""
    columns, rows = picture
    if image.width is not None:
        width = max(1.0, min(image.width.pixels(canvas[0]), 2.0 * canvas[0]))
    else:
        margin = 0.0 if overlay.x is not None else margin_pixels(overlay, canvas)
        room = (max(1.0, canvas[0] - 2 * margin), max(1.0, canvas[1] - 2 * margin))
        width = columns * min(1.0, room[0] / columns, room[1] / rows)
    height = min(width * rows / columns, 4.0 * canvas[1])
    return max(1, round(width)), max(1, round(height))


def shown_frames(overlay: Overlay, rate: Rational) -> tuple[int, int | None]:
    """The first frame that shows it and the first that does not any more; None: all later ones do.

    A frame is shown from its own time on, index / rate; times count in microseconds.
    """
    frames = Fraction(rate.numerator, rate.denominator)
    first = math.ceil(_exact(overlay.start_seconds) * frames)
    if overlay.end_seconds is None:
        return first, None
    return first, math.ceil(_exact(overlay.end_seconds) * frames)


def _exact(seconds: float) -> Fraction:
    return Fraction(round(seconds * _MICRO), _MICRO)
