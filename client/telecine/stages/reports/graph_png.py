"""Draws a laid-out graph as PNG; the only door to Pillow here, opened when a picture is asked for."""

from __future__ import annotations

import io
import itertools
from typing import Any

from telecine.stages.errors import StageUsageError
from telecine.stages.reports.graph_layout import (
    FONT_PIXELS,
    LINE_PIXELS,
    Arrow,
    Box,
    Drawing,
    Point,
    curve_point,
)

_INK = "#1a1a1a"
_EDGE = "#5b6573"
_SCALE = 2
"""Pixels of the picture for one of the drawing."""
_OVERSAMPLING = 2
"""Lines and corners are drawn larger, and made smooth by shrinking."""
_CURVE_STEPS = 24
_TIP_PIXELS = 8
_MAX_PIXELS = 80_000_000


class PillowMissingError(Exception):
    """Pillow is not installed."""


def png_bytes(drawing: Drawing) -> bytes:
    """The picture, at twice the size of the SVG.

    Raises:
        PillowMissingError: Pillow is not installed.
        StageUsageError: the picture would be larger than one may expect a viewer to open.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise PillowMissingError("PNG needs Pillow") from error
    factor = _SCALE * _OVERSAMPLING
    size = (round(drawing.width * factor), round(drawing.height * factor))
    if size[0] * size[1] > _MAX_PIXELS * _OVERSAMPLING**2:
        raise StageUsageError("the graph is too large for a PNG; write it as SVG")
    picture = Image.new("RGB", size, "white")
    brush = _Brush(ImageDraw.Draw(picture), ImageFont.load_default(FONT_PIXELS * factor), factor)
    for arrow in drawing.arrows:
        brush.arrow(arrow)
    for box in drawing.boxes:
        brush.box(box)
    for arrow in drawing.arrows:
        if arrow.label:
            brush.label(arrow)
    small = picture.resize((size[0] // _OVERSAMPLING, size[1] // _OVERSAMPLING), Image.Resampling.LANCZOS)
    made = io.BytesIO()
    small.save(made, "PNG", optimize=True)
    return made.getvalue()


class _Brush:
    """Draws in the drawing's own units."""

    def __init__(self, draw: Any, font: Any, factor: int) -> None:
        self._draw = draw
        self._font = font
        self._factor = factor

    def box(self, box: Box) -> None:
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        self._draw.rounded_rectangle(
            self._scaled(*corners),
            radius=(5 if box.is_stage else box.height / 2) * self._factor,
            fill=box.fill,
            outline=box.line,
            width=round(1.5 * self._factor),
        )
        middle = box.x + box.width / 2
        top = box.y + (box.height - LINE_PIXELS * len(box.lines)) / 2
        for at, line in enumerate(box.lines):
            is_bold = box.is_stage and at == 0
            self._text(line, (middle, top + LINE_PIXELS * (at + 0.5)), _INK, is_bold=is_bold)

    def arrow(self, arrow: Arrow) -> None:
        points = list(arrow.points)
        tip_x, tip_y = points[-1]
        points[-1] = (tip_x - _TIP_PIXELS / 2, tip_y)
        line = [point for a, b in itertools.pairwise(points) for point in _curve(a, b)]
        flat = [value * self._factor for point in line for value in point]
        self._draw.line(flat, fill=_EDGE, width=round(1.5 * self._factor), joint="curve")
        back, half = tip_x - _TIP_PIXELS, _TIP_PIXELS / 2
        self._draw.polygon(self._scaled(tip_x, tip_y, back, tip_y - half, back, tip_y + half), fill=_EDGE)

    def label(self, arrow: Arrow) -> None:
        x, y = arrow.label_at
        height = LINE_PIXELS * len(arrow.label)
        width = max(map(self._font.getlength, arrow.label)) / self._factor + 10
        back = self._scaled(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self._draw.rectangle(back, fill="white")
        for at, line in enumerate(arrow.label):
            self._text(line, (x, y - height / 2 + LINE_PIXELS * (at + 0.5)), _EDGE, is_bold=False)

    def _text(self, line: str, middle: Point, ink: str, *, is_bold: bool) -> None:
        stroke = round(self._factor * 0.2) if is_bold else 0
        self._draw.text(
            self._scaled(*middle), line, fill=ink, font=self._font, anchor="mm", stroke_width=stroke,
            stroke_fill=ink,
        )  # fmt: skip

    def _scaled(self, *values: float) -> tuple[float, ...]:
        return tuple(value * self._factor for value in values)


def _curve(start: Point, end: Point) -> list[Point]:
    return [curve_point(start, end, step / _CURVE_STEPS) for step in range(_CURVE_STEPS + 1)]
