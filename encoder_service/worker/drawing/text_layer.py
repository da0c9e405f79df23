"""Text over frames: letters, outline and box, broken into lines, with fields filled in."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec
import numpy as np

from encoder_service.evidence.facts import DrawnOverlay
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.overlay_layout import alignment, margin_pixels, place
from encoder_service.spec.overlays.fonts import fallback_fonts, find_font
from encoder_service.spec.overlays.overlay import Overlay, TextOverlay, fill
from encoder_service.spec.timing import clock_text
from encoder_service.worker import pillow
from encoder_service.worker.drawing.blend import Drawing, Stamp, make_stamp
from encoder_service.worker.drawing.colors import Values, parse_color, to_frames
from encoder_service.worker.drawing.overlay_warnings import warn_of_color, warn_of_place
from encoder_service.worker.libav.pictures import PictureFormat
from encoder_service.worker.writer import WriterContext

_TEXTS_KEPT = 4
_SMALLEST_PIXELS = 4.0
_LARGEST_SHARE = 4
"""Letters may have so many times the pixels of the picture; a bound of memory."""


class _Look(msgspec.Struct, frozen=True):
    lettering: pillow.Lettering
    padding: int
    """The padding of the box in pixels; 0 without a box."""
    colors: tuple[tuple[Values, float], ...]
    """Colours of box, outline and letters as values of the frames, with alpha; a missing box has alpha 0."""


class TextLayer:
    """One text overlay; see `Layer`."""

    def __init__(
        self, overlay: Overlay, text: TextOverlay, context: WriterContext, layout: PictureFormat, first: int
    ) -> None:
        """Finds the font, and warns of glyphs that it lacks. Raises OutputError."""
        self._overlay, self._text, self._layout = overlay, text, layout
        self._fields = context.material.fields
        self._rate = context.output.frame_rate or context.video.frame_rate
        self._look = _look(overlay, text, context, layout)
        self._stamp = lru_cache(_TEXTS_KEPT)(self._render)
        self._font_name = text.font
        shown = self._shown(first)
        missing = pillow.missing_glyphs(shown, self._look.lettering.font)
        if missing:
            missing = self._substitute_font(context, shown, missing)
            shown = self._shown(first)
        if missing:
            context.warn(
                WarningCode.GLYPHS_MISSING,
                f"font {self._font_name} has no glyph for {missing[:40]!r}; boxes stand for them",
            )
        warn_of_color(context, [text.color, text.outline_color, text.box_color], layout)
        left, top, size = self._box(shown)
        warn_of_place(context, f"text {shown[:40]!r}", (left, top), size, layout)
        self._first_text = shown

    def stamp(self, frame: int) -> Stamp | None:
        """The text of a frame, ready to be drawn. Raises OutputError."""
        return self._stamp(self._shown(frame))

    def report(self, first_frame: int, end_frame: int | None) -> DrawnOverlay:
        """Where it lies on the first frame that shows it."""
        left, top, (width, height) = self._box(self._first_text)
        font = self._look.lettering.font
        return DrawnOverlay(
            kind="text",
            left=left,
            top=top,
            width=width,
            height=height,
            first_frame=first_frame,
            end_frame=end_frame,
            text=self._first_text,
            font=self._font_name,
            size_pixels=self._look.lettering.size_pixels,
            sha256=hashlib.sha256(font.read_bytes()).hexdigest(),
        )

    def _substitute_font(self, context: WriterContext, shown: str, missing: str) -> str:
        """Takes a font that has what the asked one lacks; returns what is still missing."""
        material = context.material
        directories = (*material.font_directories, *material.fallback_font_directories)
        fonts = fallback_fonts(directories, is_bold="bold" in self._text.font.lower())
        found = pillow.font_with(shown, fonts, missing)
        if found is None:
            return missing
        context.warn(
            WarningCode.FONT_SUBSTITUTED,
            f"font {self._text.font} has no glyph for {missing[:40]!r}; the text is drawn with {found.name}",
        )
        lettering = msgspec.structs.replace(self._look.lettering, font=found)
        self._look = msgspec.structs.replace(self._look, lettering=lettering)
        self._font_name = found.name
        return pillow.missing_glyphs(shown, found)

    def _shown(self, frame: int) -> str:
        values = {**self._fields, "frame": str(frame), "time": clock_text(frame, self._rate)}
        try:
            text = fill(self._text.text, values)
        except (KeyError, ValueError) as error:
            raise OutputError(
                FailureCode.INVALID_OVERLAY, f"the text's field {error} has no value"
            ) from error
        canvas = (self._layout.width, self._layout.height)
        margin = 0.0 if self._overlay.x is not None else margin_pixels(self._overlay, canvas)
        room = canvas[0] - 2 * (margin + self._look.padding)
        return pillow.break_lines(text, self._look.lettering, room)

    def _box(self, shown: str) -> tuple[int, int, tuple[int, int]]:
        """Left, top and size, with padding."""
        width, height = pillow.measure_text(shown, self._look.lettering)
        size = (width + 2 * self._look.padding, height + 2 * self._look.padding)
        return *place(self._overlay, size, (self._layout.width, self._layout.height)), size

    def _render(self, shown: str) -> Stamp | None:
        left, top, size = self._box(shown)
        if size[0] * size[1] > _LARGEST_SHARE * (self._layout.width * self._layout.height + 1_000_000):
            raise OutputError(
                FailureCode.INVALID_OVERLAY,
                f"the text comes to {size[0]} x {size[1]} pixels; choose a smaller size",
            )
        letters = pillow.draw_letters(shown, self._look.lettering)
        padding, margin = self._look.padding, letters.margin
        rows, columns = letters.inside.shape
        drawing = np.zeros((rows + 2 * padding, columns + 2 * padding, 4), np.float32)
        inside = slice(padding, padding + rows), slice(padding, padding + columns)
        box, outline, fill_color = self._look.colors
        _over(drawing[margin : margin + size[1], margin : margin + size[0]], np.float32(1), box)
        _over(drawing[inside], _share(letters.with_outline), outline)
        _over(drawing[inside], _share(letters.inside), fill_color)
        drawing *= np.float32(self._overlay.opacity)
        return make_stamp(drawing, left - margin, top - margin, self._layout)


def _share(coverage: pillow.Pixels) -> Drawing:
    return coverage.astype(np.float32) / np.float32(255)


def _over(drawing: Drawing, coverage: Drawing | np.float32, color: tuple[Values, float]) -> None:
    """Lays a colour over a drawing whose colours are times alpha."""
    share = np.broadcast_to(coverage * np.float32(color[1]), drawing.shape[:2])[..., None]
    drawing *= 1 - share
    drawing[..., :3] += color[0] * share
    drawing[..., 3:] += share


def _look(overlay: Overlay, text: TextOverlay, context: WriterContext, layout: PictureFormat) -> _Look:
    font = find_font(text.font, context.material.font_directories)
    if font is None:
        raise OutputError(FailureCode.FONT_UNAVAILABLE, f"font {text.font!r} is not there any more")
    size = max(_SMALLEST_PIXELS, text.size.pixels(layout.height))
    outline = max(0.0, text.outline_width.pixels(size))
    lettering = pillow.Lettering(font, size, outline, alignment(overlay.position))
    padding = round(max(0.0, text.box_padding.pixels(size))) if text.box_color else 0
    return _Look(
        lettering=lettering,
        padding=padding,
        colors=(
            _color(text.box_color or "#00000000", layout),
            _color(text.outline_color if outline else "#00000000", layout),
            _color(text.color, layout),
        ),
    )


def _color(text: str, layout: PictureFormat) -> tuple[Values, float]:
    try:
        color, alpha = parse_color(text)
    except ValueError:
        raise OutputError(
            FailureCode.INVALID_OVERLAY, f"colour {text!r}: expected #rrggbb or #rrggbbaa"
        ) from None
    return to_frames(color, layout.color), alpha
