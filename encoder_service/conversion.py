"""From a frame as it was sent to a picture as an encoder wants it: crop or pad, flatten alpha, convert."""

from __future__ import annotations

import numpy as np

from encoder_service.geometry import Geometry, plan_geometry
from encoder_service.libav.pictures import (
    Converter,
    Picture,
    PictureFormat,
    Samples,
    describe,
    split_planes,
    wrap,
)
from encoder_service.outputs.writer import OutputError
from encoder_service.spec import Color, OutputSpec, PixelFormat, VideoSpec

_FLAT_FORMAT = {PixelFormat.RGBA: PixelFormat.RGB24, PixelFormat.RGBA64LE: PixelFormat.RGB48LE}


class Conversion:
    """Converts the frames of one track to one target; holds no frame. Not thread-safe.

    Flattening composes straight alpha over `background` in the source's own values and depth:
    (value * alpha + background * (max - alpha)) / max, rounded to nearest.
    """

    def __init__(
        self,
        video: VideoSpec,
        geometry: Geometry,
        pixel_format: str,
        color: Color,
        *,
        background: str | None = None,
        threads: int = 1,
    ) -> None:
        """Plans the way to `pixel_format` and `color` at the geometry's size.

        `background` ("#rrggbb") flattens alpha, None keeps it as far as the target can.
        Raises OutputError.
        """
        self._video = video
        self._geometry = geometry
        flattens = background is not None and video.pixel_format.has_alpha
        self._background = parse_background(background or "#000000") if flattens else None
        source_format = _FLAT_FORMAT[video.pixel_format] if flattens else video.pixel_format
        self._source = PictureFormat(
            str(source_format), geometry.source_width, geometry.source_height, video.color
        )
        self.target = PictureFormat(pixel_format, geometry.width, geometry.height, color)
        self._converter = Converter(self._source, self.target, threads=threads)

    @property
    def is_zero_copy(self) -> bool:
        """Frames reach the encoder as they lie in the spool."""
        is_whole = (self._geometry.source_width, self._geometry.source_height) == (
            self._video.width,
            self._video.height,
        )
        return self._converter.is_noop and is_whole and self._background is None

    def picture(self, data: memoryview) -> Picture:
        """Converts one frame of `VideoSpec.frame_bytes` bytes. The picture may lie in `data` itself."""
        video = self._video
        planes = split_planes(data, video.pixel_format, video.width, video.height)
        planes = _resized(planes, video, self._geometry)
        if self._background is not None:
            planes = [_flattened(planes[0], self._background)]
        return self._converter.convert(wrap(planes, self._source))


def plan_size(video: VideoSpec, output: OutputSpec, pixel_format: str) -> Geometry:
    """Plans the size of an output that is coded in `pixel_format`. Raises OutputError."""
    info = describe(pixel_format)
    return plan_geometry(
        video.width,
        video.height,
        output.scale,
        video.odd_size_policy,
        (info.width_step, info.height_step),
    )


def parse_background(text: str) -> tuple[int, int, int]:
    """Reads "#rrggbb". Raises OutputError with code INVALID_BACKGROUND."""
    try:
        if len(text) != 7 or text[0] != "#":
            raise ValueError
        red, green, blue = bytes.fromhex(text[1:])
    except ValueError:
        raise OutputError("INVALID_BACKGROUND", f"background {text!r}: expected #rrggbb") from None
    return red, green, blue


def _resized(planes: list[Samples], video: VideoSpec, geometry: Geometry) -> list[Samples]:
    width, height = geometry.source_width, geometry.source_height
    if (width, height) == (video.width, video.height):
        return planes
    resized = []
    for plane in planes:
        is_chroma = plane.shape[:2] != (video.height, video.width)
        rows, columns = ((height + 1) // 2, (width + 1) // 2) if is_chroma else (height, width)
        resized.append(_fit_plane(plane, rows, columns))
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
