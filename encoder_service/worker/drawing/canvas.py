"""Lays a frame as it was sent on its output's canvas: cut, padded, flattened, scaled, drawn over.

The frame keeps its own pixel format and colour, so whatever is drawn is in the frame's own depth.
Where nothing is drawn and the picture fills the canvas, scaling is left to the conversion that follows.
"""

from __future__ import annotations

import msgspec
import numpy as np

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.geometry import Geometry
from encoder_service.spec.spec import SRGB, PixelFormat, VideoSpec
from encoder_service.worker.drawing.blend import code_values
from encoder_service.worker.drawing.colors import parse_color, to_frames
from encoder_service.worker.drawing.painter import Painter
from encoder_service.worker.libav.pictures import (
    Converter,
    Picture,
    PictureFormat,
    Samples,
    describe,
    planes_of,
    split_planes,
    wrap,
)
from encoder_service.worker.writer import SourceFrame

_FLAT_FORMAT = {PixelFormat.RGBA: PixelFormat.RGB24, PixelFormat.RGBA64LE: PixelFormat.RGB48LE}


def canvas_format(video: VideoSpec, geometry: Geometry, *, flattens: bool) -> PictureFormat:
    """What overlays are drawn on: the frames' own format, without alpha if that is flattened."""
    pixel_format = _FLAT_FORMAT[video.pixel_format] if flattens else video.pixel_format
    return PictureFormat(str(pixel_format), geometry.width, geometry.height, video.color)


class Canvas:
    """Prepares the frames of one track; holds no frame. Not thread-safe.

    Flattening composes straight alpha over `background` in the source's own values and depth:
    (value * alpha + background * (max - alpha)) / max, rounded to nearest.
    """

    def __init__(
        self,
        video: VideoSpec,
        geometry: Geometry,
        *,
        background: str | None = None,
        pad_color: str = "#000000",
        painter: Painter | None = None,
        threads: int = 1,
    ) -> None:
        """`background` ("#rrggbb") flattens alpha, None keeps it. Raises OutputError."""
        self._video, self._geometry, self._painter = video, geometry, painter
        flattens = background is not None and video.pixel_format.has_alpha
        self._background = parse_background(background or "#000000") if flattens else None
        whole = canvas_format(video, geometry, flattens=flattens)
        part = msgspec.structs.replace(whole, width=geometry.source_width, height=geometry.source_height)
        place = geometry.picture
        self._picture = msgspec.structs.replace(whole, width=place.width, height=place.height)
        self._part = part
        self._scaler: Converter | None = None
        if self.is_drawn and geometry.is_resampled:
            self._scaler = Converter(_as_it_lies(part), _as_it_lies(self._picture), threads=threads)
        self._blank = _blank_planes(whole, pad_color) if geometry.frame is not None else None
        self.format = whole if self.is_drawn else part
        """What `picture` gives."""

    @property
    def is_drawn(self) -> bool:
        """Frames are laid on a canvas or drawn over; else they are only cut, padded and flattened."""
        return self._painter is not None or self._geometry.frame is not None

    @property
    def is_untouched(self) -> bool:
        """Frames stay as they lie in the spool."""
        is_whole = (self._part.width, self._part.height) == (self._video.width, self._video.height)
        return is_whole and self._background is None and not self.is_drawn

    def picture(self, frame: SourceFrame) -> Picture:
        """Prepares one frame. The picture may lie in the frame's own memory."""
        video = self._video
        planes = split_planes(frame.data, video.pixel_format, video.width, video.height)
        planes = _resized(planes, video, self._geometry)
        if self._background is not None:
            planes = [_flattened(planes[0], self._background)]
        picture = wrap(planes, self._part)
        if self._scaler is not None:
            picture = self._scaler.convert(picture)
            planes = planes_of(picture)
        painter = self._painter if self._painter and self._painter.is_drawing(frame.index) else None
        if self._blank is not None:
            planes = _placed(planes, self._blank, self._geometry)
        elif painter is not None:
            planes = [plane.copy() for plane in planes]
        if painter is not None:
            painter.draw(planes, frame.index)
        return wrap(planes, self.format) if self.is_drawn else picture


def parse_background(text: str) -> tuple[int, int, int]:
    """Reads "#rrggbb". Raises OutputError with code INVALID_BACKGROUND."""
    try:
        if len(text) != 7 or text[0] != "#":
            raise ValueError
        red, green, blue = bytes.fromhex(text[1:])
    except ValueError:
        raise OutputError(FailureCode.INVALID_BACKGROUND, f"background {text!r}: expected #rrggbb") from None
    return red, green, blue


def _as_it_lies(layout: PictureFormat) -> PictureFormat:
    # swscale takes every gray picture for full range; the samples are only scaled.
    return msgspec.structs.replace(layout, color=SRGB) if describe(layout.pixel_format).is_gray else layout


def _blank_planes(layout: PictureFormat, pad_color: str) -> list[Samples]:
    try:
        color, _ = parse_color(pad_color)
    except ValueError:
        raise OutputError(
            FailureCode.INVALID_BACKGROUND, f"pad_color {pad_color!r}: expected #rrggbb"
        ) from None
    samples = code_values(to_frames(color, layout.color), layout)
    empty = bytes(PixelFormat(layout.pixel_format).frame_bytes(layout.width, layout.height))
    planes = split_planes(memoryview(empty), layout.pixel_format, layout.width, layout.height)
    return [np.full_like(plane, value) for plane, value in zip(planes, samples, strict=True)]


def _placed(planes: list[Samples], blank: list[Samples], geometry: Geometry) -> list[Samples]:
    place, placed = geometry.picture, []
    for plane, ground in zip(planes, blank, strict=True):
        canvas = ground.copy()
        is_half = ground.shape[0] < geometry.height or ground.shape[1] < geometry.width
        left, top = (place.left // 2, place.top // 2) if is_half else (place.left, place.top)
        canvas[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        placed.append(canvas)
    return placed


def _resized(planes: list[Samples], video: VideoSpec, geometry: Geometry) -> list[Samples]:
    width, height = geometry.source_width, geometry.source_height
    if (width, height) == (video.width, video.height):
        return planes
    resized = []
    for plane in planes:
        is_half = plane.shape[:2] != (video.height, video.width)
        rows, columns = ((height + 1) // 2, (width + 1) // 2) if is_half else (height, width)
        left, top = (geometry.left // 2, geometry.top // 2) if is_half else (geometry.left, geometry.top)
        resized.append(_fit_plane(plane[top:, left:], rows, columns))
    return resized


def _fit_plane(plane: Samples, rows: int, columns: int) -> Samples:
    plane = plane[:rows, :columns]
    missing = (rows - plane.shape[0], columns - plane.shape[1])
    if not any(missing):
        return plane
    margins = [(0, missing[0]), (0, missing[1])] + [(0, 0)] * (plane.ndim - 2)
    return np.pad(plane, margins, mode="edge")


def _flattened(pixels: Samples, background: tuple[int, int, int]) -> Samples:
    full = int(np.iinfo(pixels.dtype).max)
    color, alpha = pixels[..., :3], pixels[..., 3:]
    if (alpha == full).all():
        return np.ascontiguousarray(color)
    wide = np.dtype(np.uint32 if full == 255 else np.uint64)
    over = np.array([value * (full // 255) for value in background], dtype=wide)
    mixed: Samples = color.astype(wide) * alpha + over * (full - alpha.astype(wide))
    flat: Samples = ((mixed + full // 2) // full).astype(pixels.dtype)
    return flat
