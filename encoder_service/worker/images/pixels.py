"""Frames as arrays for the image formats, and which depth, alpha and colour they get."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.encoders import EncoderRow
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import (
    AlphaMode,
    Color,
    ColorMatrix,
    ColorRange,
    PixelFormat,
)
from encoder_service.worker.color import is_srgb_like, output_color
from encoder_service.worker.drawing.conversion import Conversion, canvas_format, pad_color, plan_size
from encoder_service.worker.drawing.painter import open_painter
from encoder_service.worker.libav.pictures import planes_of
from encoder_service.worker.quality import Rgb8
from encoder_service.worker.writer import SourceFrame, WriterContext

Pixels = npt.NDArray[Any]
"""Shape (rows, columns) for gray, else (rows, columns, 3 or 4); uint8 or little-endian uint16."""

_CHANNELS = {"gray": 1, "rgb24": 3, "rgba": 4, "gray16le": 1, "rgb48le": 3, "rgba64le": 4}
_GRAY = {PixelFormat.GRAY8, PixelFormat.GRAY16LE}


class PixelLimits(msgspec.Struct, frozen=True):
    """What an image format can hold."""

    can_be_gray: bool = False
    can_be_deep: bool = False
    """16 bits a sample."""
    can_tag_color: bool = False
    """Else everybody reads the samples as sRGB."""


class FramePixels:
    """Turns frames of a track into arrays of one layout. Not thread-safe."""

    def __init__(self, context: WriterContext, row: EncoderRow, limits: PixelLimits) -> None:
        """Plans, and warns of what the format cannot hold. Raises OutputError."""
        video, output = context.video, context.output
        self._stretches_gray = video.pixel_format in _GRAY and video.color.range == ColorRange.LIMITED
        if self._stretches_gray:
            full = msgspec.structs.replace(video.color, range=ColorRange.FULL)
            video = msgspec.structs.replace(video, color=full)
        self._is_deep_gray = video.pixel_format == PixelFormat.GRAY16LE
        self.keeps_alpha = _decide_alpha(context, row)
        self.pixel_format = _choose(context, limits, keeps_alpha=self.keeps_alpha)
        color = output_color(video.color, output.color, is_rgb=True)
        self.color: Color = color
        """The colour as readers see it, with the identity matrix even for gray."""
        if not limits.can_tag_color and not is_srgb_like(color):
            context.warn(
                WarningCode.COLOR_NOT_TAGGED,
                f"{output.format} carries no colour tags and is read as sRGB; the frames have "
                f"{color.primaries} primaries and transfer {color.transfer}",
            )
        geometry = plan_size(video, output, self.pixel_format)
        self.width, self.height = geometry.width, geometry.height
        flattens = not self.keeps_alpha and video.pixel_format.has_alpha
        self._conversion = Conversion(
            video,
            geometry,
            self.pixel_format,
            _coded_color(color, self.pixel_format),
            background=None if self.keeps_alpha else output.background or "#000000",
            pad_color=pad_color(output.scale),
            painter=open_painter(context, canvas_format(video, geometry, flattens=flattens)),
        )

    @property
    def is_drawn(self) -> bool:
        """Frames are drawn over, or lie on a larger canvas."""
        return self._conversion.is_drawn

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame's array."""
        wide = _CHANNELS[self.pixel_format] * (2 if self.pixel_format.endswith("le") else 1)
        return self.width * self.height * wide

    def array(self, frame: SourceFrame) -> Pixels:
        """Converts one frame, overlays and all; the array is read-only and may lie in its memory."""
        if self._stretches_gray:
            frame = SourceFrame(frame.index, _full_range(frame.data, is_deep=self._is_deep_gray))
        pixels: Pixels = planes_of(self._conversion.picture(frame))[0]
        return pixels


def _coded_color(color: Color, pixel_format: str) -> Color:
    is_gray = _CHANNELS[pixel_format] == 1
    return msgspec.structs.replace(color, matrix=ColorMatrix.BT709) if is_gray else color


def is_opaque(pixels: Pixels) -> bool:
    """Whether nothing shows through, as far as the array says."""
    if pixels.ndim < 3 or pixels.shape[2] < 4:
        return True
    return bool(pixels[..., 3].min() == np.iinfo(pixels.dtype).max)


def _decide_alpha(context: WriterContext, row: EncoderRow) -> bool:
    output = context.output
    if not context.video.pixel_format.has_alpha or output.alpha == AlphaMode.FLATTEN:
        return False
    if row.can_carry_alpha:
        return True
    if output.alpha == AlphaMode.KEEP:
        raise OutputError(
            FailureCode.ALPHA_UNSUPPORTED, f"{row.codec} has no alpha; choose alpha flatten, or another codec"
        )
    context.warn(
        WarningCode.ALPHA_FLATTENED,
        f"{row.codec} has no alpha; flattened over {output.background or '#000000'}",
    )
    return False


def _choose(context: WriterContext, limits: PixelLimits, *, keeps_alpha: bool) -> str:
    video, asked = context.video, context.output.pixel_format
    if asked:
        return _check(asked, limits, keeps_alpha=keeps_alpha)
    is_deep = video.pixel_format.bits > 8
    if is_deep and not limits.can_be_deep:
        context.warn(
            WarningCode.BIT_DEPTH_REDUCED,
            f"{context.output.format} has 8 bits a sample; the frames have {video.pixel_format.bits}",
        )
        is_deep = False
    if limits.can_be_gray and video.pixel_format in _GRAY:
        return "gray16le" if is_deep else "gray"
    if keeps_alpha:
        return "rgba64le" if is_deep else "rgba"
    return "rgb48le" if is_deep else "rgb24"


def _full_range(data: memoryview, *, is_deep: bool) -> memoryview:
    """Stretches limited-range luma, which swscale leaves as it is for gray."""
    unit, full = (256, 65535) if is_deep else (1, 255)
    luma = np.frombuffer(data, "<u2" if is_deep else np.uint8)
    stretched = np.rint((luma.astype(np.float32) - 16 * unit) * (full / (219 * unit)))
    return memoryview(np.clip(stretched, 0, full).astype(luma.dtype).tobytes())


def _check(asked: str, limits: PixelLimits, *, keeps_alpha: bool) -> str:
    name = asked.removesuffix("be") + "le" if asked.endswith("be") else asked
    possible = [
        known
        for known, channels in _CHANNELS.items()
        if (limits.can_be_deep or not known.endswith("le")) and (limits.can_be_gray or channels > 1)
    ]
    if name not in possible:
        raise OutputError(
            FailureCode.INVALID_PIXEL_FORMAT, f"pixel format {asked!r}: expected one of {', '.join(possible)}"
        )
    if keeps_alpha and _CHANNELS[name] != 4:
        raise OutputError(
            FailureCode.ALPHA_UNSUPPORTED,
            f"pixel format {asked!r} has no alpha and the frames do; choose alpha flatten",
        )
    return name


SAMPLES = 5


def sampled_frames(frame_count: int, samples: int = SAMPLES) -> tuple[int, ...]:
    """Evenly spaced frame numbers, the first and the last among them."""
    if frame_count <= samples:
        return tuple(range(frame_count))
    return tuple(round(step * (frame_count - 1) / (samples - 1)) for step in range(samples))


def as_rgb8(pixels: Pixels) -> Rgb8:
    """Gray, RGB or RGBA of any depth as RGB or RGBA of 8 bits."""
    if pixels.dtype.itemsize == 2:
        pixels = (pixels.astype(np.uint32) * 255 + 32767) // 65535
    if pixels.ndim == 2:
        pixels = pixels[..., None].repeat(3, axis=2)
    return pixels.astype(np.uint8, copy=False)
